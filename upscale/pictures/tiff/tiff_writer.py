"""Pictures to a TIFF file: pages in their depth, with their tags, EXIF and GPS directories."""

import struct
from typing import Any, BinaryIO, NamedTuple, cast

import numpy as np

from upscale.choices import pluralize
from upscale.errors import ArgumentError, library_errors
from upscale.pictures import exif
from upscale.pictures.picture import CHANNELS, Array, Frame, Picture
from upscale.pictures.tiff.tiff_colours import ICC_LAB
from upscale.pictures.tiff.tiff_messages import Messages
from upscale.pictures.tiff.tiff_samples import is_odd_depth, packable, unstretched, with_other_lab_signs
from upscale.pictures.tiff.tiff_tags import EXIF, GPS, LAYOUT, PHOTOSHOP, RESOLUTION, TRANSFER_FUNCTION, XMP, byteswapped
from upscale.pictures.write_options import WriteOptions

#: tifffile refuses to write these tags; it writes them under these numbers, which are replaced afterwards.
_PLACEHOLDERS = {EXIF: 34664, GPS: 34852}
_COMPRESSIONS = {"raw": None, "tiff_lzw": "lzw", "packbits": "packbits"}
_LEVELS = {"fast": 1, "balanced": 6, "small": 9}
_PHOTOMETRIC = {
    **{"1": "minisblack", "L": "minisblack", "LA": "minisblack", "P": "palette", "RGB": "rgb", "RGBA": "rgb"},
    **{"CMYK": "separated", "LAB": "cielab"},
}
#: Channels that a photometric interpretation of colours needs at least: RGB, CMYK, YCbCr, four kinds of Lab and Luv, raw RGB.
_MIN_CHANNELS = {2: 3, 5: 4, 6: 3, 8: 3, 9: 3, 10: 3, 32845: 3, 34892: 3}
_KNOWN_PHOTOMETRIC = frozenset((0, 1, 2, 4, 5, 6, 8, 9, 10, 32803, 32844, 32845, 34892, 51177, 52527))
#: Bytes of a strip of rows.
_STRIP_BYTES = 1 << 19
_NOT_WRITTEN = "cannot be written as TIFF"


class Writer:
    """Encode pages, as `write_options.Writer` says."""

    def __init__(self, file: BinaryIO, options: WriteOptions) -> None:
        self._file, self._options = file, options
        self._writer: Any = None
        self._messages = Messages(options.note)
        # For each page: its EXIF, and whether it has a resolution.
        self._exif: list[exif.Directories | None] = []
        self._has_resolution: list[bool] = []
        self._order, self._is_big = "<", False

    def add(self, frame: Frame) -> None:
        """Encode the next page."""
        picture = frame.picture
        directories = self._exif_of(picture)
        if self._writer is None:
            self._begin(picture, directories)
        elif directories and directories.order != self._order and not self._is_big:
            self._options.note("EXIF whose byte order differs from the first page's was dropped")
            directories = None
        self._exif.append(directories)
        arguments = self._layout(picture) | self._resolution(picture)
        samples = arguments.pop("samples")
        with self._messages.collected(), library_errors(_NOT_WRITTEN):
            self._writer.write(
                samples,
                planarconfig="contig" if samples.ndim == 3 else None,
                rowsperstrip=max(1, _STRIP_BYTES // max(1, samples[:1].nbytes)),
                extratags=self._tags(picture, directories, arguments.get("bitspersample") or 8 * samples.dtype.itemsize),
                subfiletype=picture.info.get("tiff", {}).get("subfiletype", 0),
                metadata=None,
                software=False,
                iccprofile=picture.info.get("icc_profile"),
                maxworkers=self._options.threads,
                **arguments,
            )

    def close(self) -> None:
        """Write the directories that belong to all pages; the file stays open."""
        if self._writer is None:
            return
        with library_errors(_NOT_WRITTEN):
            self._writer.close()
        if any(self._exif) or not all(self._has_resolution):
            with self._messages.collected():
                self._correct_tags()

    def _exif_of(self, picture: Picture) -> exif.Directories | None:
        if "exif" not in picture.info:
            return None
        directories = exif.Directories(picture.info["exif"].removeprefix(b"Exif\0\0"))
        if directories.damaged:
            self._options.note("some of its EXIF is damaged and was dropped")
        return directories if directories.order else None

    def _begin(self, picture: Picture, directories: exif.Directories | None) -> None:
        """Open tifffile's writer, of BigTIFF where a file of 32-bit offsets might be too small."""
        import tifffile

        height, width = self._options.size
        pixel = picture.samples.nbytes / (picture.samples.shape[0] * picture.samples.shape[1])
        if self._options.total > 1:  # later pages may be deeper
            pixel = max(pixel, 8)
        self._is_big = height * width * pixel * self._options.total > 4e9
        # Pillow reads BigTIFF with the low byte first only.
        self._order = directories.order if directories and not self._is_big else "<"
        options: dict[str, Any] = {"bigtiff": self._is_big, "byteorder": self._order}
        with library_errors(_NOT_WRITTEN):
            self._writer = tifffile.TiffWriter(cast(Any, _Nameless(self._file)), **options)

    def _tags(self, picture: Picture, directories: exif.Directories | None, bits: int) -> list[tuple[int, int, int, Any, bool]]:
        """Return a page's private tags and those of its EXIF, as tifffile takes them, sorted by their numbers."""
        tags: dict[int, tuple[int, int, int, Any, bool]] = {}
        for code, kind, number, raw in picture.info.get("tiff", {}).get("tags", ()):
            if code == TRANSFER_FUNCTION and number not in (1 << bits, 3 << bits):  # it has an entry for each value
                self._options.note("its transfer function does not fit the new depth and was dropped")
                continue
            swapped = byteswapped(raw, kind) if self._order == ">" else raw
            tags[code] = (code, kind, number, _value(swapped, kind, self._order), True)
        for entry in directories.main if directories else ():
            raw = directories.raw(entry) if directories else b""
            if entry.tag in (EXIF, GPS):
                tags[_PLACEHOLDERS[entry.tag]] = (_PLACEHOLDERS[entry.tag], 4, 1, 0, True)
            elif entry.tag not in LAYOUT and exif.has_valid_length(entry, raw):
                raw = byteswapped(raw, entry.kind) if directories and directories.order != self._order else raw
                tags[entry.tag] = (entry.tag, entry.kind, entry.number, _value(raw, entry.kind, self._order), True)
        if "photoshop" in picture.info:
            tags[PHOTOSHOP] = (PHOTOSHOP, 7, len(picture.info["photoshop"]), picture.info["photoshop"], True)
        if "xmp" in picture.info:
            tags[XMP] = (XMP, 1, len(picture.info["xmp"]), picture.info["xmp"], True)
        return [tags[code] for code in sorted(tags)]

    def _layout(self, picture: Picture) -> dict[str, Any]:
        """Return the samples as TIFF stores them, and tifffile's arguments for how it stores them."""
        samples, base, own = picture.samples, picture.base, picture.info.get("tiff", {})
        if picture.mode != CHANNELS and base and base not in _PHOTOMETRIC:
            raise ArgumentError(f"mode {picture.mode} is not supported")
        extra: Any = [1 if picture.info.get("associated") else 2] if base in ("LA", "RGBA") else None
        photometric: Any = _PHOTOMETRIC.get(base, "minisblack")
        if picture.mode == CHANNELS:
            channels = samples.shape[2] if samples.ndim == 3 else 1
            photometric = own.get("photometric", 2 if channels == 3 else 1)
            if photometric not in _KNOWN_PHOTOMETRIC or channels < _MIN_CHANNELS.get(photometric, 1):
                photometric = 1  # what a damaged file declares cannot be written
            extra = [kind if kind in (0, 1, 2) else 0 for kind in own.get("extrasamples", ())]
            surplus = channels - _MIN_CHANNELS.get(photometric, 1)
            if (extra and len(extra) != surplus) or (not extra and photometric == 1):
                extra = [0] * surplus
            extra = extra or None
        if picture.mode == "LAB" and own.get("photometric") == ICC_LAB:
            photometric = ICC_LAB
        elif base == "LAB":
            samples = with_other_lab_signs(samples)
        elif picture.mode in ("I;16", "F") and own.get("photometric") == 0:
            samples, photometric = ~samples if picture.mode == "I;16" else samples, 0
        layout = {"photometric": photometric, "extrasamples": extra, "colormap": _colour_map(picture)}
        bits = own.get("bits", 0)
        if is_odd_depth(bits, samples):
            packed = self._packed(picture, samples, bits)
            if packed.bits:  # which tifffile does not compress
                return layout | {"samples": packed.samples, "compression": None, "bitspersample": bits}
            samples = packed.samples
        compression = _COMPRESSIONS.get(picture.info.get("compression", ""), "zlib")
        layout |= {"samples": samples, "compression": compression}
        if compression == "zlib":
            layout["compressionargs"] = {"level": _LEVELS[self._options.compression]}
        kind, itemsize = samples.dtype.kind, samples.dtype.itemsize
        if compression in ("zlib", "lzw") and base not in ("1", "P") and kind in "uif" and itemsize <= 4:
            # Differences of neighbours: 2 of integers, 3 of floats; there are none of 16-bit floats.
            layout["predictor"] = 2 if kind != "f" else 3 if itemsize > 2 else None
        return layout

    def _packed(self, picture: Picture, samples: Array, bits: int) -> "_Packed":
        """Return samples of `bits` bits; as many as their dtype has, with a note, where they cannot be packed."""
        if picture.mode == CHANNELS:  # whose values are those of the file
            values = np.minimum(samples, (1 << bits) - 1).astype(samples.dtype)
        else:
            values = samples if picture.base == "P" else unstretched(samples, bits)
        is_smooth = bits == 1 and picture.mode != CHANNELS and bool(((samples != 0) & (samples != 255)).any())
        if picture.base != "P" and not is_smooth:  # tifffile has palettes of 8 bits only
            few_bits = packable(values, bits, self._order)
            if few_bits is not None:
                return _Packed(few_bits, bits)
        if bits == 1 and picture.mode != CHANNELS:  # as 0 and 1 of 8 bits, it would be black
            self._options.note("its samples of 1 bit were written as 8 bits")
            return _Packed(samples, 0)
        whole = 8 * samples.dtype.itemsize
        self._options.note(f"its samples of {pluralize(bits, 'bit')} were written as {whole} bits, with the same values")
        return _Packed(values, 0)

    def _resolution(self, picture: Picture) -> dict[str, Any]:
        own = picture.info.get("tiff", {})
        resolution, unit = (own["resolution"], 1) if "resolution" in own else (picture.info.get("dpi"), 2)
        self._has_resolution.append(resolution is not None)
        if resolution is None:
            return {}
        return {"resolution": tuple(float(v) for v in resolution), "resolutionunit": unit}

    def _correct_tags(self) -> None:
        """Append the EXIF and GPS directories to the file, and remove resolutions that the pictures do not have."""
        import tifffile

        self._file.flush()
        self._file.seek(0)
        with library_errors(_NOT_WRITTEN):
            file = tifffile.TiffFile(cast(Any, _Nameless(self._file)))
            page_offsets = [page.offset for page in list(file.pages)]
        for number, page_offset in enumerate(page_offsets):
            directories = self._exif[number]
            offsets: dict[int, int] = {}
            if directories is not None:
                end = self._file.seek(0, 2)
                base = end + end % 2
                own = {e.tag: directories.value(e) or 0 for e in directories.main if e.tag in _PLACEHOLDERS}
                data = b"" if self._is_big else directories.moved(base)
                offsets = {tag: base + at for tag, at in own.items()}
                for tag, at in own.items() if self._is_big else ():
                    offsets[tag] = base + len(data)
                    data += _big_directory(directories, at, offsets[tag])
                self._file.write(bytes(base - end) + data)
            self._rewrite(file.tiff, page_offset, offsets, () if self._has_resolution[number] else RESOLUTION)
        self._file.seek(0, 2)

    def _rewrite(self, layout: Any, at: int, offsets: dict[int, int], without: tuple[int, ...]) -> None:
        """Put the offsets of other directories into a page's directory, and remove some of its tags.

        Parameters
        ----------
        layout : tifffile.TiffFormat
        at : int
            Where the page's directory begins.
        offsets : dict
            Of the EXIF and GPS directories, by their tags.
        without : tuple of int
            Tags that are removed.
        """
        self._file.seek(at)
        total = struct.unpack(layout.tagnoformat, self._file.read(layout.tagnosize))[0]
        entries = [self._file.read(layout.tagsize) for _ in range(total)]
        after = self._file.read(layout.offsetsize)
        tag_of = {placeholder: tag for tag, placeholder in _PLACEHOLDERS.items()}
        kept = []
        for entry in entries:
            code = struct.unpack_from(f"{self._order}H", entry)[0]
            if code in tag_of:
                form, kind = ("HHQQ", 16) if self._is_big else ("HHII", 4)
                entry = struct.pack(self._order + form, tag_of[code], kind, 1, offsets[tag_of[code]])
            if code not in without:
                kept.append(entry)
        self._file.seek(at)
        self._file.write(struct.pack(layout.tagnoformat, len(kept)) + b"".join(kept) + after)


class _Packed(NamedTuple):
    """Samples for tifffile, and into how many bits it packs each; 0 for those of their dtype."""

    samples: Array
    bits: int


class _Nameless:
    """A file without its name, which tifffile would take for a path even where it is a number."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.write, self.seek, self.tell, self.flush = file.read, file.write, file.seek, file.tell, file.flush
        self.fileno, self.truncate, self.readinto = file.fileno, file.truncate, file.readinto  # type: ignore[attr-defined]

    def seekable(self) -> bool:
        return True


def _colour_map(picture: Picture) -> Any:
    """Return a palette as uint16 (3, 256), with the 16 bits that the file had if its 8-bit colours are still the same."""
    if picture.palette is None:
        return None
    colours = np.zeros((3, 256), np.uint16)
    colours[:, : len(picture.palette)] = picture.palette[:256].T.astype(np.uint16) * 257
    deep = picture.info.get("tiff", {}).get("colormap")
    if deep is not None and np.array_equal(deep.T[:256] >> 8, picture.palette[:256]):
        colours[:, : deep.shape[1]] = deep[:, :256]
    return colours


def _value(raw: bytes, kind: int, order: str) -> Any:
    """Return fractions as numbers, since tifffile would count their bytes wrongly, and everything else as bytes."""
    if kind not in (5, 10):
        return raw
    return struct.unpack(f"{order}{len(raw) // 4}{'I' if kind == 5 else 'i'}", raw[: len(raw) // 4 * 4])


def _big_directory(directories: exif.Directories, at: int, offset: int) -> bytes:
    """Lay out the directory at `at` in EXIF as in BigTIFF, low bytes first, for an offset in the file."""
    end = at + 2 + 12 * directories.number(at, 2)
    # The interoperability directory is left out: it would need this layout once more.
    entries = [
        (entry, raw)
        for entry in directories.others
        if at < entry.at < end and entry.tag != exif.INTEROPERABILITY
        if exif.has_valid_length(entry, raw := directories.raw(entry))
    ]
    head, values = struct.pack("<Q", len(entries)), b""
    after = offset + 8 + 20 * len(entries) + 8
    for entry, raw in entries:
        raw = raw if directories.order == "<" else byteswapped(raw, entry.kind)
        stored = raw.ljust(8, b"\0") if len(raw) <= 8 else struct.pack("<Q", after + len(values))
        head += struct.pack("<HHQ", entry.tag, entry.kind, entry.number) + stored
        if len(raw) > 8:
            values += raw + bytes(-len(raw) % 8)
    return head + bytes(8) + values

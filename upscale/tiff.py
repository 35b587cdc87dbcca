"""TIFF files to `Contents` and back: every page, every sample in its depth, and the tags that describe the picture.

Pillow reads what it keeps whole, 8 bits and less; the rest is tifffile's. The names and numbers of tags are those of TIFF 6.0.
"""

import logging
import re
import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from upscale import exif, metadata
from upscale.decoder_noise import decoder_heard
from upscale.errors import ArgumentError
from upscale.formats import mode_of
from upscale.picture import CHANNELS, Contents, Frame, Picture
from upscale.saving import Output

Array = NDArray[Any]
Note = Callable[[str], None]

#: Tags of how the file is laid out, and those that have a place of their own in `Picture.info`.
_LAYOUT = frozenset((
    254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280, 281, 282, 283, 284, 285, 288, 289, 292,
    293, 296, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 330, 332, 338, 339, 340, 341, 347, 512, 513, 514, 529, 530, 531,
    532, 700, 34675,
))  # fmt: skip
_EXIF, _GPS = 34665, 34853
#: Under these numbers tifffile writes the tags that it would not write under their own.
_FOR_NOW = {_EXIF: 34664, _GPS: 34852}
_RESOLUTION = (282, 283, 296)
#: GeoTIFF's tags of how large a pixel is on the ground.
_SCALES = (33550, 34264)
_LONGEST_TAG = 1 << 24
#: What Pillow shows in full; a fourth channel without meaning is left to tifffile.
_PILLOW = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I;16B", "F")
_MOST_PIXELS = 178_956_970
_COMPRESSIONS = {"raw": None, "tiff_lzw": "lzw", "packbits": "packbits"}
_LEVELS = {"fast": 1, "balanced": 6, "small": 9}
_PHOTOMETRIC = {"1": "minisblack", "L": "minisblack", "LA": "minisblack", "P": "palette", "RGB": "rgb", "RGBA": "rgb",
                "CMYK": "separated", "LAB": "cielab"}  # fmt: skip
#: Bytes of a strip of rows.
_STRIP = 1 << 19


def read(stream: BinaryIO, note: Note) -> Contents:
    """Read the directories of a TIFF file; pages are decoded when they are asked for.

    Parameters
    ----------
    stream : binary file
        Seekable; stays open until the last page has been decoded.
    note : callable
        Called with a line for what is broken but not needed.

    Raises
    ------
    Exception
        Whatever Pillow and tifffile let out where the file is damaged.
    """
    file = _File(stream, note)
    return file.contents()


class _Told(logging.Handler):
    """Take what tifffile logs as notes."""

    def __init__(self, note: Note) -> None:
        super().__init__(logging.WARNING)
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        self._note(f"perhaps damaged: its decoder says {record.getMessage()[:120]!r}")


class _File:
    def __init__(self, stream: BinaryIO, note: Note) -> None:
        from PIL import Image

        self._stream, self._note = stream, note
        self._image: Any = None
        try:
            self._image = Image.open(stream, formats=["TIFF"])
            self._total = self._image.n_frames
        except Exception:  # tifffile may still understand it
            self._image = None
        self._pages: Any = None
        if self._image is None:
            self._total = len(self._tifffile())

    def _tifffile(self) -> Any:
        """Open the file with tifffile, once it is needed."""
        if self._pages is None:
            import tifffile

            logger = logging.getLogger("tifffile")
            logger.propagate = False
            logger.handlers = [_Told(self._note)]
            self._stream.seek(0)
            self._pages = tifffile.TiffFile(self._stream).pages
            if not len(self._pages):
                raise ArgumentError("damaged: a TIFF file without a page")
        return self._pages

    def contents(self) -> Contents:
        if self._image is not None:
            size = self._image.size[::-1]
            pixel = len(self._image.getbands()) * (4 if self._image.mode in ("I", "F") else 2)
        else:
            page = self._tifffile()[0]
            size, pixel = (page.imagelength, page.imagewidth), page.samplesperpixel * max(1, page.bitspersample // 8)
        kind = "pages" if self._total > 1 else "picture"
        return Contents("TIFF", size, pixel, self._frames, kind, self._total)

    def _frames(self) -> Iterator[Frame]:
        for number in range(self._total):
            yield Frame(self._page(number))

    def _page(self, number: int) -> Picture:
        info: dict[str, Any] = {}
        if self._image is not None:
            self._image.seek(number)
            if self._image.size[0] * self._image.size[1] > _MOST_PIXELS:
                raise ArgumentError(f"page {number} has more than {_MOST_PIXELS} pixels: perhaps an attack")
            info = self._info(number)
            if self._is_whole():
                return self._by_pillow(info)
        try:
            return self._by_tifffile(number, info)
        except Exception:
            if self._image is None or not self._image.mode.startswith(("I", "F")):
                raise
            return self._by_pillow(info)

    def _is_whole(self) -> bool:
        """Say whether Pillow keeps all of the page's samples as they are."""
        tags, mode = self._image.tag_v2, self._image.mode
        bits, formats = tags.get(258, (1,)), tags.get(339, (1,))
        if mode.startswith("I;16") or (mode == "F" and bits == (32,)):
            return len(bits) == 1 and formats in ((1,), (3,)) and max(bits) >= 10
        extra = tags.get(338, ())
        return mode in _PILLOW and max(bits) <= 8 and set(formats) == {1} and (0 not in extra or mode != "RGB")

    def _by_pillow(self, info: dict[str, Any]) -> Picture:
        with decoder_heard() as said:
            self._image.load()
        for line in said[:1]:
            self._note(f"perhaps damaged: its decoder says {line!r}")
        picture = Picture.of_image(self._image, info)
        return picture.with_info(orientation=None)  # Pillow has turned it

    def _by_tifffile(self, number: int, info: dict[str, Any]) -> Picture:
        page = self._tifffile()[number]
        if page.imagewidth * page.imagelength > _MOST_PIXELS:
            raise ArgumentError(f"page {number} has more than {_MOST_PIXELS} pixels: perhaps an attack")
        samples = page.asarray()
        if page.planarconfig == 2 and page.samplesperpixel > 1:
            samples = np.moveaxis(samples, 0, -1)
        if samples.ndim == 3 and samples.shape[2] == 1:
            samples = samples[..., 0]
        if samples.ndim not in (2, 3):
            raise ArgumentError(f"has pages of shape {samples.shape}, which are no pictures")
        samples = np.ascontiguousarray(samples, samples.dtype.newbyteorder("="))
        extra = tuple(int(e) for e in page.extrasamples)
        base = {
            (0, 1): "L", (1, 1): "L", (0, 2): "LA", (1, 2): "LA", (2, 3): "RGB", (2, 4): "RGBA", (5, 4): "CMYK", (8, 3): "LAB",
        }.get((int(page.photometric), page.samplesperpixel), "")  # fmt: skip
        if base in ("LA", "RGBA") and extra not in ((1,), (2,)):
            base = ""
        mode = mode_of(base, samples.dtype) or CHANNELS
        if mode == CHANNELS:
            info["tiff"] = {**info.get("tiff", {}), "photometric": int(page.photometric), "extrasamples": extra}
        elif extra == (1,):
            info["associated"] = True
        if base == "LAB" and mode != CHANNELS:
            samples = _signed(samples)
        return Picture(samples, mode, None, info)

    def _info(self, number: int) -> dict[str, Any]:
        """Collect what a page's tags say of the picture."""
        from PIL import Image

        image = self._image
        info = metadata.of_image(image)
        info.pop("exif", None)
        info.pop("transparency", None)
        if isinstance(image.tag_v2.get(700), bytes):
            info["xmp"] = image.tag_v2[700]
        if image.info.get("compression") in _COMPRESSIONS:
            info["compression"] = image.info["compression"]
        if 282 not in image.tag_v2:
            info.pop("dpi", None)
        elif "dpi" not in image.info and "resolution" in image.info:  # without a unit it is only the shape of a pixel
            info["tiff"] = {"resolution": image.info["resolution"]}
        turned = image.tag_v2.get(274, 1)
        if isinstance(turned, int) and 2 <= turned <= 8:
            info["orientation"] = turned
        kept = Image.Exif()
        kept.endian = "<" if image.tag_v2.prefix == b"II" else ">"
        try:
            source = image.getexif()
            for tag in source:
                if tag in _LAYOUT or (tag >= 32768 and tag not in (_EXIF, _GPS, 33432)):
                    continue
                if tag == 270 and re.match(r'\s*(\{"shape"|<\?xml.*<OME |<OME )', str(source[tag]), re.DOTALL):
                    self._note("its description tells sizes that are no longer true, and was left out")
                    continue
                kept[tag] = dict(source.get_ifd(tag)) if tag in (_EXIF, _GPS) else source[tag]
            if len(kept):
                info["exif"] = kept.tobytes()
        except Exception as error:  # a parser of damaged bytes lets anything out
            self._note(f"some of its EXIF is damaged and was left out ({error})")
        tags = self._private_tags(number)
        if tags:
            info["tiff"] = {**info.get("tiff", {}), "tags": tags}
        return info

    def _private_tags(self, number: int) -> list[tuple[int, int, int, bytes]]:
        """Take the tags that programs of many kinds add: code, type, count, and the value with the low byte first."""
        tags, found = self._image.tag_v2, []
        codes = [t for t in tags if t >= 32768 and t not in _LAYOUT and t not in (_EXIF, _GPS, 33432, 40965)]
        if not codes:
            return []
        if any(t in _SCALES for t in codes):
            self._note("the size of a pixel on the ground is no longer true and was left out")
        try:
            page = self._tifffile()[number]
            order = page.parent.byteorder
            for code in codes:
                tag = page.tags.get(code)
                if tag is None or code in _SCALES or tag.valuebytecount > _LONGEST_TAG or int(tag.dtype) not in exif.SIZES:
                    continue
                self._stream.seek(tag.valueoffset)
                raw = self._stream.read(tag.valuebytecount)
                found.append((code, int(tag.dtype), int(tag.count), _swapped(raw, int(tag.dtype)) if order == ">" else raw))
        except Exception as error:
            self._note(f"some of its tags are damaged and were left out ({error})")
        return found


def _signed(samples: Array) -> Array:
    """Turn Lab's two channels of colour from numbers with signs, as TIFF has them, to such with an offset, or back."""
    half = 1 << (8 * samples.dtype.itemsize - 1)
    turned: Array = samples ^ np.array([0, half, half], samples.dtype)
    return turned


def _swapped(raw: bytes, kind: int) -> bytes:
    """Turn the bytes of each number round."""
    size = {5: 4, 10: 4}.get(kind, exif.SIZES[kind])
    return np.frombuffer(raw, f"u{size}").byteswap().tobytes() if size > 1 else raw


def _value(raw: bytes, kind: int, order: str) -> Any:
    """Give tifffile fractions as numbers, whose bytes it would count wrongly, and everything else as bytes."""
    if kind not in (5, 10):
        return raw
    return struct.unpack(f"{order}{len(raw) // 4}{'I' if kind == 5 else 'i'}", raw[: len(raw) // 4 * 4])


class _Nameless:
    """A file without its name, which tifffile would take for a path even where it is a number."""

    def __init__(self, file: BinaryIO) -> None:
        self.read, self.write, self.seek, self.tell, self.flush = file.read, file.write, file.seek, file.tell, file.flush
        self.fileno, self.truncate, self.readinto = file.fileno, file.truncate, file.readinto  # type: ignore[attr-defined]

    def seekable(self) -> bool:
        return True


class Writer:
    """Encode pages, as `saving.Writer` says."""

    def __init__(self, file: BinaryIO, output: Output) -> None:
        self._file, self._output = file, output
        self._writer: Any = None
        self._directories: list[exif.Directories | None] = []
        self._resolved: list[bool] = []
        self._order = "<"

    def add(self, frame: Frame) -> None:
        """Encode the next page."""
        import tifffile

        picture = frame.picture
        block = self._exif_of(picture)
        if self._writer is None:
            self._order = block.order if block else "<"
            height, width = self._output.size
            pixel = picture.samples.nbytes / (picture.samples.shape[0] * picture.samples.shape[1])
            large = height * width * pixel * self._output.total > 4e9
            options: dict[str, Any] = {"bigtiff": large, "byteorder": self._order}
            self._writer = tifffile.TiffWriter(cast(Any, _Nameless(self._file)), **options)
        elif block and block.order != self._order:
            self._output.note("EXIF of another byte order than the first page's was left out")
            block = None
        self._directories.append(block)
        self._write(picture, self._tags(picture, block))

    def close(self) -> None:
        """Write the directories that belong to all pages; the file stays open."""
        if self._writer is None:
            return
        self._writer.close()
        if any(self._directories) or not all(self._resolved):
            self._correct_tags()

    def _exif_of(self, picture: Picture) -> "exif.Directories | None":
        if "exif" not in picture.info:
            return None
        block = exif.Directories(picture.info["exif"].removeprefix(b"Exif\0\0"))
        if block.damaged:
            self._output.note("some of its EXIF is damaged and was left out")
        return block if block.order else None

    def _tags(self, picture: Picture, block: "exif.Directories | None") -> list[tuple[int, int, int, Any, bool]]:
        tags: dict[int, tuple[int, int, int, Any, bool]] = {}
        for code, kind, number, raw in picture.info.get("tiff", {}).get("tags", ()):
            tags[code] = (
                code,
                kind,
                number,
                _value(_swapped(raw, kind) if self._order == ">" else raw, kind, self._order),
                True,
            )
        for entry in block.main if block else ():
            if entry.tag in (_EXIF, _GPS):
                tags[_FOR_NOW[entry.tag]] = (_FOR_NOW[entry.tag], 4, 1, 0, True)
            elif entry.tag not in _LAYOUT and entry.kind in exif.SIZES:
                raw = block.raw(entry) if block else b""
                tags[entry.tag] = (entry.tag, entry.kind, entry.number, _value(raw, entry.kind, self._order), True)
        if "xmp" in picture.info:
            tags[700] = (700, 1, len(picture.info["xmp"]), picture.info["xmp"], True)
        return [tags[code] for code in sorted(tags)]

    def _write(self, picture: Picture, tags: list[tuple[int, int, int, Any, bool]]) -> None:
        samples, base, info = picture.samples, picture.base, picture.info
        own = info.get("tiff", {})
        extra: Any = None
        if base in ("LA", "RGBA"):
            extra = [1 if info.get("associated") else 2]
        photometric: Any = _PHOTOMETRIC.get(base, "minisblack")
        if picture.mode == CHANNELS:
            channels = samples.shape[2] if samples.ndim == 3 else 1
            photometric = own.get("photometric", 2 if channels == 3 else 1)
            extra = own.get("extrasamples") or ([0] * (channels - 1) if photometric == 1 and channels > 1 else None)
        if base == "LAB":
            samples = _signed(samples)
        colours = None
        if picture.palette is not None:
            colours = np.zeros((3, 256), np.uint16)
            colours[:, : len(picture.palette)] = picture.palette[:256].T.astype(np.uint16) * 257
        compression: Any = _COMPRESSIONS.get(info.get("compression", ""), "zlib")
        options: dict[str, Any] = {}
        if compression == "zlib":
            options["compressionargs"] = {"level": _LEVELS[self._output.compression]}
        if (
            compression in ("zlib", "lzw")
            and base not in ("1", "P")
            and samples.dtype.kind in "uif"
            and samples.dtype.itemsize <= 4
        ):
            options["predictor"] = (
                3 if samples.dtype.kind == "f" and samples.dtype.itemsize > 2 else 2 if samples.dtype.kind != "f" else None
            )
        resolution, unit = (own["resolution"], 1) if "resolution" in own else (info.get("dpi"), 2)
        if resolution is not None:
            options |= {"resolution": tuple(float(v) for v in resolution), "resolutionunit": unit}
        self._resolved.append(resolution is not None)
        row = max(1, samples[:1].nbytes)
        self._writer.write(
            samples, photometric=photometric, planarconfig="contig" if samples.ndim == 3 else None, extrasamples=extra,
            colormap=colours, compression=compression, rowsperstrip=max(1, _STRIP // row), extratags=tags, metadata=None,
            software=False, iccprofile=info.get("icc_profile"), **options,
        )  # fmt: skip

    def _correct_tags(self) -> None:
        """Put the EXIF and GPS directories behind the pages, and take away a resolution that nobody told."""
        import tifffile

        self._file.flush()
        self._file.seek(0)
        file = tifffile.TiffFile(cast(Any, _Nameless(self._file)))
        for number, page in enumerate(list(file.pages)):
            block = self._directories[number]
            places: dict[int, int] = {}
            if block is not None:
                base = self._file.seek(0, 2)
                self._file.write(bytes(base % 2) + block.moved(base + base % 2))
                base += base % 2
                places = {e.tag: (block.value(e) or 0) + base for e in block.main if e.tag in _FOR_NOW}
            self._rewrite(file.tiff, page.offset, places, () if self._resolved[number] else _RESOLUTION)
        self._file.seek(0, 2)

    def _rewrite(self, layout: Any, at: int, places: dict[int, int], without: tuple[int, ...]) -> None:
        """Give a directory's tags the places of other directories, and take some tags out."""
        self._file.seek(at)
        total = struct.unpack(layout.tagnoformat, self._file.read(layout.tagnosize))[0]
        entries = [self._file.read(layout.tagsize) for _ in range(total)]
        after = self._file.read(layout.offsetsize)
        own = {now: tag for tag, now in _FOR_NOW.items()}
        kept = []
        for entry in entries:
            code = struct.unpack_from(f"{self._order}H", entry)[0]
            if code in own:
                head = struct.pack(f"{self._order}H", own[code]) + entry[2 : layout.tagsize - layout.offsetsize]
                entry = head + struct.pack(f"{self._order}I", places[own[code]]).ljust(layout.offsetsize, b"\0")
            if code not in without:
                kept.append(entry)
        self._file.seek(at)
        self._file.write(struct.pack(layout.tagnoformat, len(kept)) + b"".join(kept) + after)

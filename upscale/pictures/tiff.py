"""TIFF files to `Contents` and back: every page, every sample in its depth, and the tags that describe the picture.

Pillow reads what it keeps whole, 8 bits and less; the rest is tifffile's. The names and numbers of tags are those of TIFF 6.0.
"""

import contextlib
import logging
import re
import struct
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError
from upscale.pictures import exif
from upscale.pictures.captured_stderr import decoder_heard
from upscale.pictures.formats import mode_of
from upscale.pictures.orientation import orientation, upright
from upscale.pictures.picture import CHANNELS, Contents, Frame, Picture
from upscale.pictures.write_options import Output

Array = NDArray[Any]
Note = Callable[[str], None]

#: Tags of how the file is laid out, and those that have a place of their own in `Picture.info`.
_LAYOUT = frozenset((
    254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280, 281, 282, 283, 284, 285, 288, 289, 292,
    293, 296, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 330, 332, 338, 339, 340, 341, 347, 512, 513, 514, 529, 530, 531,
    532, 700, 32995, 32996, 32997, 32998, 34675,
))  # fmt: skip
_EXIF, _GPS = 34665, 34853
#: Under these numbers tifffile writes the tags that it would not write under their own.
_FOR_NOW = {_EXIF: 34664, _GPS: 34852}
_RESOLUTION = (282, 283, 296)
#: GeoTIFF's tags of how large a pixel is on the ground.
_SCALES = (33550, 34264)
_LONGEST_TAG = 1 << 24
#: What Pillow shows in full where it shows as many channels as there are.
_PILLOW = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB")
#: LZMA, LERC, JPEG 2000, PNG, Zstandard, WebP: not every build of Pillow decodes these.
_RARE = (34925, 34887, 34712, 34933, 50000, 50001)
#: How Pillow turned a picture by each orientation is undone by turning it by this one.
_BACK = {6: 8, 8: 6}
#: Bytes of a pixel for each that may be there: a page that takes more is taken for an attack.
_MOST_BYTES = 16
_LOSSLESS = {1: "raw", 5: "tiff_lzw", 8: "tiff_adobe_deflate", 32773: "packbits", 32946: "tiff_deflate"}
_COMPRESSIONS = {"raw": None, "tiff_lzw": "lzw", "packbits": "packbits"}
_LEVELS = {"fast": 1, "balanced": 6, "small": 9}
_PHOTOMETRIC = {"1": "minisblack", "L": "minisblack", "LA": "minisblack", "P": "palette", "RGB": "rgb", "RGBA": "rgb",
                "CMYK": "separated", "LAB": "cielab"}  # fmt: skip
#: Bytes of a strip of rows.
_STRIP = 1 << 19


def read(stream: BinaryIO, most: int, note: Note) -> Contents:
    """Read the directories of a TIFF file; pages are decoded when they are asked for.

    Parameters
    ----------
    stream : binary file
        Seekable; stays open until the last page has been decoded.
    most : int
        Of how many pixels a page is taken for an attack, if it has more.
    note : callable
        Called with a line for what is broken but not needed.

    Raises
    ------
    Exception
        Whatever Pillow and tifffile let out where the file is damaged.
    """
    file = _File(stream, most, note)
    return file.contents()


class _Told(logging.Handler):
    """Take what tifffile logs as notes, and what Pillow warns of, each line once."""

    def __init__(self, note: Note) -> None:
        super().__init__(logging.WARNING)
        self._note, self._said = note, set[str]()

    def emit(self, record: logging.LogRecord) -> None:
        self.say(record.getMessage())

    def say(self, text: str) -> None:
        text = " ".join(text.split())[:120]
        if text not in self._said:
            self._said.add(text)
            self._note(f"perhaps damaged: its decoder says {text!r}")


@contextlib.contextmanager
def _told(handler: _Told) -> Iterator[None]:
    """Hear the decoders, whose log and warnings others may listen to before and afterwards."""
    logger = logging.getLogger("tifffile")
    before = logger.handlers, logger.propagate
    logger.handlers, logger.propagate = [handler], False
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield
    finally:
        logger.handlers, logger.propagate = before
        for warning in caught:
            if issubclass(warning.category, UserWarning):  # others are not about what the file says
                handler.say(str(warning.message))


class _File:
    def __init__(self, stream: BinaryIO, most: int, note: Note) -> None:
        from PIL import Image

        self._stream, self._most, self._note, self._handler = stream, most, note, _Told(note)
        self._image: Any = None
        self._pages: Any = None
        with _told(self._handler):
            with contextlib.suppress(Exception):  # tifffile may still understand it
                self._image = Image.open(stream, formats=["TIFF"])
            try:
                self._total = self._image.n_frames
            except Exception:  # a page that Pillow does not show
                self._total = len(self._tifffile())

    def _tifffile(self) -> Any:
        """Open the file with tifffile, once it is needed."""
        if self._pages is None:
            import tifffile

            self._stream.seek(0)
            self._pages = tifffile.TiffFile(self._stream).pages
            if not len(self._pages):
                raise ArgumentError("damaged: a TIFF file without a page")
        return self._pages

    def _seek(self, number: int) -> Any:
        """Give the page as Pillow's image, None where Pillow does not show it."""
        try:
            self._image.seek(number)
        except Exception:
            with contextlib.suppress(Exception):
                self._image.seek(0)  # or else it would take the page for the current one
            return None
        return self._image

    def contents(self) -> Contents:
        with _told(self._handler):
            tags = self._tags(0, self._seek(0))[0]
        kind = "pages" if self._total > 1 else "picture"
        if not (isinstance(tags.get(256), int) and isinstance(tags.get(257), int)):
            raise ArgumentError("damaged: its first page has no size")
        told = {"xmp": tags.get(700)} | ({"orientation": tags[274]} if _is_turned(tags) else {})
        return Contents(
            "TIFF", (tags[257], tags[256]), _pixel_bytes(tags), self._frames, kind, self._total, orientation=orientation(told)
        )

    def _frames(self) -> Iterator[Frame]:
        for number in range(self._total):
            with _told(self._handler):
                picture = self._page(number)
            yield Frame(picture)

    def _page(self, number: int) -> Picture:
        image = self._seek(number)
        tags, source = self._tags(number, image)
        if tags.get(256, 0) * tags.get(257, 0) > self._most:
            raise ArgumentError(f"page {number} has more than {self._most} pixels: perhaps an attack; --max-pixels allows more")
        # Whether there is memory for the first page was known before it is asked for.
        if number and tags.get(256, 0) * tags.get(257, 0) * _pixel_bytes(tags) > _MOST_BYTES * self._most:
            raise ArgumentError(
                f"page {number} takes more than {_MOST_BYTES * self._most} bytes: perhaps an attack; --max-pixels allows more"
            )
        if tags.get(32997, 1) != 1:
            raise ArgumentError(f"page {number} is a volume, not a picture")
        info = self._info(number, tags, source)
        shown = image is not None and _is_whole(image)
        # Pillow divides colours by opacity, which does not come back; but it may decode what nothing else does.
        decoders = [self._by_tifffile] if not shown else [self._by_pillow]
        if shown and _is_associated(image):
            decoders = [self._by_tifffile, self._by_pillow]
        elif shown and tags.get(259) in _RARE:
            decoders = [self._by_pillow, self._by_tifffile]
        try:
            picture = decoders[0](number, info)
        except Exception:
            if len(decoders) == 1:
                raise
            picture = decoders[1](number, info)
        if tags.get(262) == 0 and picture.mode in ("I;16", "F"):  # which nothing else turns round where 0 is white
            samples = ~picture.samples if picture.mode == "I;16" else picture.samples
            picture = picture._replace(samples=samples).with_info(tiff={**picture.info.get("tiff", {}), "photometric": 0})
        return picture

    def _by_pillow(self, number: int, info: dict[str, Any]) -> Picture:
        image = self._image
        bits = max(image.tag_v2.get(258, (1,)))
        with decoder_heard() as said:
            image.load()
        for line in said[:1]:
            self._note(f"perhaps damaged: its decoder says {line!r}")
        way = info.get("orientation", 1)
        picture = upright(Picture.of_image(image, {}), _BACK.get(way, way))
        if picture.mode in ("L", "P") and bits in (2, 4):
            info["bits"] = bits
        if picture.mode == "P":
            fine = np.array(image.tag_v2.get(320, ()), np.uint16)
            if len(fine) % 3 == 0 and (fine & 255).any() and (fine & 255 != fine >> 8).any():
                info["tiff"] = {**info.get("tiff", {}), "colormap": fine.reshape(3, -1)}
        return picture._replace(info=info)

    def _by_tifffile(self, number: int, info: dict[str, Any]) -> Picture:
        page = self._tifffile()[number]
        samples = page.asarray()
        if page.planarconfig == 2 and page.samplesperpixel > 1:
            samples = np.moveaxis(samples, 0, -1)
        if samples.ndim == 3 and samples.shape[2] == 1:
            samples = samples[..., 0]
        if samples.ndim not in (2, 3):
            raise ArgumentError(f"has pages of shape {samples.shape}, which are no pictures")
        if samples.dtype == bool and samples.ndim == 3:
            raise ArgumentError("has several channels of one bit, which cannot be held")
        samples = np.ascontiguousarray(samples, samples.dtype.newbyteorder("="))
        photometric, bits, extra = int(page.photometric), page.bitspersample, tuple(int(e) for e in page.extrasamples)
        own = dict(info.get("tiff", {}))
        if photometric == 3:
            return self._of_palette(samples, page.colormap, info)
        if samples.dtype.kind == "u" and photometric <= 2 and bits < 8 * samples.dtype.itemsize:
            samples = _stretched(samples, bits)
            if samples.dtype == np.uint16:
                own["bits"] = bits
        base = {
            (0, 1): "L", (1, 1): "L", (1, 2): "LA", (2, 3): "RGB", (2, 4): "RGBA", (5, 4): "CMYK", (8, 3): "LAB",
        }.get((photometric, page.samplesperpixel), "")  # fmt: skip
        if base in ("LA", "RGBA") and extra not in ((1,), (2,)):
            base = ""
        if samples.dtype == bool:
            base = "1"
        mode = mode_of(base, samples.dtype) or CHANNELS
        if mode == CHANNELS:
            own |= {"photometric": photometric, "extrasamples": extra}
        elif extra == (1,):
            info["associated"] = True
        if photometric == 0 and mode in ("1", "L"):
            samples = ~samples
        if base == "LAB" and mode != CHANNELS:
            samples = _signed(samples)
        return Picture(samples, mode, None, {**info, "tiff": own} if own else info)

    def _of_palette(self, samples: Array, colours: Any, info: dict[str, Any]) -> Picture:
        if colours is None or samples.ndim != 2:
            raise ArgumentError("damaged: a palette picture without a palette")
        colours = np.ascontiguousarray(np.asarray(colours, np.uint16).reshape(3, -1).T)
        if samples.max(initial=0) >= len(colours):
            raise ArgumentError("damaged: an index without a colour in the palette")
        if samples.dtype == np.uint8:
            return Picture(samples, "P", (colours >> 8).astype(np.uint8), info)
        self._note("its palette has more than 256 colours and is written as colours of 16 bits")
        return Picture(colours[samples], "RGB;16", None, info)

    def _tags(self, number: int, image: Any) -> tuple[Mapping[int, Any], Any]:
        """Give a page's tags, and what makes EXIF of them, even where Pillow does not show the page."""
        from PIL import Image

        if image is not None:
            return image.tag_v2, image.getexif()
        page = self._tifffile()[number]
        tags = {tag.code: tag.value for tag in page.tags}
        for code in (282, 283):
            if isinstance(tags.get(code), tuple) and tags[code][1]:
                tags[code] = tags[code][0] / tags[code][1]
        source = Image.Exif()
        source.endian, source.bigtiff = page.parent.byteorder, page.parent.is_bigtiff
        if source.bigtiff and source.endian == ">":  # which Pillow takes for damaged
            for code in (270, 271, 272, 305, 306, 315, 316, 33432):
                if isinstance(tags.get(code), str):
                    source[code] = tags[code]
            if _EXIF in tags or _GPS in tags:
                self._note("its EXIF and GPS directories cannot be read and were left out")
        else:
            source.load_from_fp(self._stream, page.offset)
        return tags, source

    def _info(self, number: int, tags: Mapping[int, Any], source: Any) -> dict[str, Any]:
        """Collect what a page's tags say of the picture."""
        from PIL import Image

        info: dict[str, Any] = {}
        for tag, key in ((34675, "icc_profile"), (700, "xmp")):
            value = tags.get(tag)
            if isinstance(value, bytes) and value:
                info[key] = value
        if tags.get(259, 1) in _LOSSLESS:
            info["compression"] = _LOSSLESS[tags.get(259, 1)]
        with contextlib.suppress(TypeError, ValueError, ArithmeticError, KeyError):
            x, y = float(tags[282]), float(tags.get(283, tags[282]))
            if 0 < x < float("inf") and 0 < y < float("inf"):
                unit = tags.get(296, 2)
                if unit == 1:  # it is only the shape of a pixel
                    info["tiff"] = {"resolution": (x, y)}
                else:
                    info["dpi"] = (x * 2.54, y * 2.54) if unit == 3 else (x, y)
        if _is_turned(tags):
            info["orientation"] = int(tags[274])
        kept = Image.Exif()
        kept.endian = source.endian
        try:
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
        private = self._private_tags(number, tags)
        if private:
            info["tiff"] = {**info.get("tiff", {}), "tags": private}
        return info

    def _private_tags(self, number: int, tags: Mapping[int, Any]) -> list[tuple[int, int, int, bytes]]:
        """Take the tags that programs of many kinds add: code, type, count, and the value with the low byte first."""
        found = []
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


def _pixel_bytes(tags: Mapping[int, Any]) -> int:
    """Tell how many bytes a decoded pixel takes."""
    bits, samples = int(np.max(tags.get(258, 1))), int(tags.get(277, 1))
    # A palette that has more colours than bytes can count is applied.
    return 6 if tags.get(262) == 3 and bits > 8 else samples * -(-bits // 8)


def _is_turned(tags: Mapping[int, Any]) -> bool:
    turned = tags.get(274)
    return isinstance(turned, int) and 2 <= turned <= 8


def _is_whole(image: Any) -> bool:
    """Say whether Pillow keeps all of a page's samples."""
    tags, mode = image.tag_v2, image.mode
    bits, formats = tags.get(258, (1,)), tags.get(339, (1,))
    if mode.startswith("I;16"):
        return bool(bits == (16,) and formats == (1,))
    if mode == "F":
        return bool(bits == (32,) and formats == (3,))
    return mode in _PILLOW and bool(max(bits) <= 8 and set(formats) == {1} and tags.get(277, 1) == len(image.getbands()))


def _is_associated(image: Any) -> bool:
    return image.mode in ("LA", "RGBA") and tuple(image.tag_v2.get(338, ())) == (1,)


def _stretched(samples: Array, bits: int) -> Array:
    """Make samples of some bits fill the whole range of their type; `_packed` is the reverse."""
    full, largest, wide = int(np.iinfo(samples.dtype).max), (1 << bits) - 1, f"u{2 * max(2, samples.dtype.itemsize)}"
    return ((samples.astype(wide) * (2 * full) + largest) // (2 * largest)).astype(samples.dtype)


def _packed(samples: Array, bits: int) -> Array | None:
    """Give samples their own bits back; None where they need more by now, or nothing here packs them."""
    import imagecodecs

    try:
        imagecodecs.packints_encode(np.zeros(8, samples.dtype), bits)
    except NotImplementedError:  # before 2026
        return None
    full, largest = int(np.iinfo(samples.dtype).max), (1 << bits) - 1
    packed = ((samples.astype(np.uint32) * (2 * largest) + full) // (2 * full)).astype(samples.dtype)
    return packed if np.array_equal(_stretched(packed, bits), samples) else None


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


def _large(block: exif.Directories, at: int, place: int) -> bytes:
    """Lay out one of a block's directories as BigTIFF has them, low bytes first, for a place in the file."""
    end = at + 2 + 12 * block.number(at, 2)
    # Interoperability is a directory of its own, which nothing but this layout would need again.
    entries = [e for e in block.others if at < e.at < end and e.kind in exif.SIZES and e.tag != 0xA005]
    head, values = struct.pack("<Q", len(entries)), b""
    after = place + 8 + 20 * len(entries) + 8
    for entry in entries:
        raw = block.raw(entry) if block.order == "<" else _swapped(block.raw(entry), entry.kind)
        there = raw.ljust(8, b"\0") if len(raw) <= 8 else struct.pack("<Q", after + len(values))
        head += struct.pack("<HHQ", entry.tag, entry.kind, entry.number) + there
        if len(raw) > 8:
            values += raw + bytes(-len(raw) % 8)
    return head + bytes(8) + values


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
        self._handler = _Told(output.note)
        self._directories: list[exif.Directories | None] = []
        self._resolved: list[bool] = []
        self._order, self._large = "<", False

    def add(self, frame: Frame) -> None:
        """Encode the next page."""
        import tifffile

        picture = frame.picture
        block = self._exif_of(picture)
        if self._writer is None:
            height, width = self._output.size
            pixel = picture.samples.nbytes / (picture.samples.shape[0] * picture.samples.shape[1])
            if self._output.total > 1:  # the others may be deeper
                pixel = max(pixel, 8)
            self._large = height * width * pixel * self._output.total > 4e9
            # Of the large ones, Pillow reads only those with low bytes first.
            self._order = block.order if block and not self._large else "<"
            options: dict[str, Any] = {"bigtiff": self._large, "byteorder": self._order}
            self._writer = tifffile.TiffWriter(cast(Any, _Nameless(self._file)), **options)
        elif block and block.order != self._order and not self._large:
            self._output.note("EXIF of another byte order than the first page's was left out")
            block = None
        self._directories.append(block)
        with _told(self._handler):
            self._write(picture, self._tags(picture, block))

    def close(self) -> None:
        """Write the directories that belong to all pages; the file stays open."""
        if self._writer is None:
            return
        self._writer.close()
        if any(self._directories) or not all(self._resolved):
            with _told(self._handler):
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
            turned = _swapped(raw, kind) if self._order == ">" else raw
            tags[code] = (code, kind, number, _value(turned, kind, self._order), True)
        for entry in block.main if block else ():
            if entry.tag in (_EXIF, _GPS):
                tags[_FOR_NOW[entry.tag]] = (_FOR_NOW[entry.tag], 4, 1, 0, True)
            elif entry.tag not in _LAYOUT and entry.kind in exif.SIZES:
                raw = block.raw(entry) if block else b""
                raw = _swapped(raw, entry.kind) if block and block.order != self._order else raw
                tags[entry.tag] = (entry.tag, entry.kind, entry.number, _value(raw, entry.kind, self._order), True)
        if "xmp" in picture.info:
            tags[700] = (700, 1, len(picture.info["xmp"]), picture.info["xmp"], True)
        return [tags[code] for code in sorted(tags)]

    def _write(self, picture: Picture, tags: list[tuple[int, int, int, Any, bool]]) -> None:
        samples, base, info = picture.samples, picture.base, picture.info
        if picture.mode != CHANNELS and base and base not in _PHOTOMETRIC:
            raise ArgumentError(f"mode {picture.mode} cannot be held")
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
        elif picture.mode in ("I;16", "F") and own.get("photometric") == 0:
            samples, photometric = ~samples if picture.mode == "I;16" else samples, 0
        colours = None
        if picture.palette is not None:
            colours = np.zeros((3, 256), np.uint16)
            colours[:, : len(picture.palette)] = picture.palette[:256].T.astype(np.uint16) * 257
            fine = own.get("colormap")
            if fine is not None and np.array_equal(fine.T[:256] >> 8, picture.palette[:256]):
                colours[:, : fine.shape[1]] = fine[:, :256]
        packed = _packed(samples, own["bits"]) if "bits" in own and samples.dtype == np.uint16 else None
        compression: Any = _COMPRESSIONS.get(info.get("compression", ""), "zlib")
        options: dict[str, Any] = {}
        if compression == "zlib":
            options["compressionargs"] = {"level": _LEVELS[self._output.compression]}
        if packed is not None:  # which tifffile does not compress
            samples, compression, options = packed, None, {"bitspersample": own["bits"]}
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
            software=False, iccprofile=info.get("icc_profile"), maxworkers=self._output.threads,
            **options,
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
                end = self._file.seek(0, 2)
                base = end + end % 2
                own = {e.tag: block.value(e) or 0 for e in block.main if e.tag in _FOR_NOW}
                data = b"" if self._large else block.moved(base)
                places = {tag: base + at for tag, at in own.items()}
                for tag, at in own.items() if self._large else ():
                    places[tag] = base + len(data)
                    data += _large(block, at, places[tag])
                self._file.write(bytes(base - end) + data)
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
                form = "HHQQ" if self._large else "HHII"
                entry = struct.pack(self._order + form, own[code], 16 if self._large else 4, 1, places[own[code]])
            if code not in without:
                kept.append(entry)
        self._file.seek(at)
        self._file.write(struct.pack(layout.tagnoformat, len(kept)) + b"".join(kept) + after)

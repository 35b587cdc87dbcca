"""TIFF files to `FileContents`: every page, every sample in its depth, and the tags that describe the picture.

Pillow reads what it keeps completely, 8 bits and less; tifffile reads the rest.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError, library_errors
from upscale.pictures import tiff_tags, unsupported_formats
from upscale.pictures.captured_stderr import capture_stderr
from upscale.pictures.decoder_errors import pillow_errors
from upscale.pictures.formats import mode_of
from upscale.pictures.orientation import orientation, upright
from upscale.pictures.picture import CHANNELS, FileContents, Frame, Picture
from upscale.pictures.tiff_messages import Messages
from upscale.pictures.tiff_samples import corrected_bytes, is_odd_depth, stretched, with_other_lab_signs
from upscale.pictures.tiff_tags import Tags, whole_number, whole_numbers

Array = NDArray[Any]
Note = Callable[[str], None]

#: Modes that Pillow keeps completely, if a page has as many channels.
_PILLOW_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB")
#: LZMA, LERC, JPEG 2000, PNG, Zstandard, WebP: not every build of Pillow decodes these.
_RARE_COMPRESSIONS = (34925, 34887, 34712, 34933, 50000, 50001)
#: Pillow turns pictures upright; turning by this orientation undoes it, where it is not the same one.
_INVERSE_ORIENTATION = {6: 8, 8: 6}
#: A page that takes more bytes for each allowed pixel is refused as a possible decompression bomb.
_MAX_PIXEL_BYTES = 16
#: Colour model by photometric interpretation and samples a pixel.
_MODELS = {(0, 1): "L", (1, 1): "L", (1, 2): "LA", (2, 3): "RGB", (2, 4): "RGBA", (5, 4): "CMYK", (8, 3): "LAB"}


def read(stream: BinaryIO, max_pixels: int, note: Note) -> FileContents:
    """Read the directories of a TIFF file; pages are decoded when they are requested.

    Parameters
    ----------
    stream : binary file
        Seekable; stays open until the last page has been decoded.
    max_pixels : int
        A page with more pixels is refused as a possible decompression bomb.
    note : callable
        Called with a line for what is broken but not needed.

    Raises
    ------
    ArgumentError
        Where the file is damaged.
    """
    return _File(stream, max_pixels, note).contents()


class _File:
    def __init__(self, stream: BinaryIO, max_pixels: int, note: Note) -> None:
        self._stream, self._max_pixels, self._note = stream, max_pixels, note
        self._messages = Messages(note)
        self._image: Any = None
        self._pages: Any = None
        self._in_unit = False
        with self._messages.collected():
            self._total = self._open()

    def _open(self) -> int:
        """Open the file with Pillow, or else with tifffile, and return the number of pages."""
        from PIL import Image

        with contextlib.suppress(ArgumentError), pillow_errors():
            self._image = Image.open(self._stream, formats=["TIFF"])
            return int(self._image.n_frames)
        return len(self._tifffile())  # Pillow does not show every page

    def _tifffile(self) -> Any:
        """Open the file with tifffile, once it is needed."""
        if self._pages is None:
            import tifffile

            self._stream.seek(0)
            with library_errors():
                self._pages = tifffile.TiffFile(self._stream).pages
                total = len(self._pages)
            if not total:
                raise ArgumentError("damaged: the TIFF file has no page")
        return self._pages

    def _tifffile_page(self, number: int) -> Any:
        pages = self._tifffile()
        with library_errors():
            return pages[number]

    def _seek(self, number: int) -> Any:
        """Return the page as Pillow's image, None where Pillow does not show it."""
        if self._image is None:
            return None
        try:
            with pillow_errors():
                self._image.seek(number)
        except ArgumentError:
            with contextlib.suppress(ArgumentError), pillow_errors():
                self._image.seek(0)  # or else Pillow would take the page for the current one
            return None
        return self._image

    def contents(self) -> FileContents:
        with self._messages.collected():
            tags = self._tags(0, self._seek(0))[0]
        size = whole_number(tags, tiff_tags.HEIGHT), whole_number(tags, tiff_tags.WIDTH)
        if min(size) < 1:
            raise ArgumentError("damaged: its first page has no size")
        self._refuse_raw(tags)
        self._in_unit = tiff_tags.has_unit_of_imagej(tags)
        turned = orientation(tiff_tags.info_of(tags))
        kind = "pages" if self._total > 1 else "picture"
        return FileContents("TIFF", size, tiff_tags.pixel_bytes(tags), self._frames, kind, self._total, orientation=turned)

    def _refuse_raw(self, tags: Tags) -> None:
        """Refuse a sensor's samples: the first page of a camera RAW file is often a small preview beside them."""
        photometrics = [tags.get(tiff_tags.PHOTOMETRIC)]
        if tiff_tags.SUB_IFDS in tags:
            page = self._tifffile_page(0)
            with library_errors():
                photometrics += [int(below.photometric) for below in page.pages or ()]
        if any(photometric in tiff_tags.SENSOR for photometric in photometrics):
            raise ArgumentError(unsupported_formats.message(unsupported_formats.RAW))

    def _frames(self) -> Iterator[Frame]:
        for number in range(self._total):
            with self._messages.collected():
                picture = self._page(number)
            yield Frame(picture)

    def _page(self, number: int) -> Picture:
        image = self._seek(number)
        tags, exif_source = self._tags(number, image)
        self._check_size(number, tags)
        info = self._info(number, tags, exif_source)
        picture = self._decoded(number, image, tags, info)
        # Pixels where 0 is white are inverted here, since neither library does so for 16 bits; floats stay as they are.
        if tags.get(tiff_tags.PHOTOMETRIC) == 0 and picture.mode in ("I;16", "F"):
            samples = ~picture.samples if picture.mode == "I;16" else picture.samples
            picture = picture._replace(samples=samples).with_info(tiff={**picture.info.get("tiff", {}), "photometric": 0})
        return picture

    def _check_size(self, number: int, tags: Tags) -> None:
        pixels = whole_number(tags, tiff_tags.WIDTH) * whole_number(tags, tiff_tags.HEIGHT)
        if pixels > self._max_pixels:
            raise ArgumentError(
                f"page {number} has more than {self._max_pixels} pixels: possible decompression bomb; if you trust it, "
                "raise --max-pixels"
            )
        # The memory for the first page was checked before it is decoded.
        most = _MAX_PIXEL_BYTES * self._max_pixels
        if number and pixels * tiff_tags.pixel_bytes(tags) > most:
            raise ArgumentError(
                f"page {number} needs more than {most} bytes: possible decompression bomb; if you trust it, raise --max-pixels"
            )
        if tags.get(tiff_tags.DEPTH, 1) != 1:
            raise ArgumentError(f"page {number} is a volume, not a picture; extract a slice first")

    def _decoded(self, number: int, image: Any, tags: Tags, info: dict[str, Any]) -> Picture:
        """Decode a page by the library that keeps all of it; where two do, by the second where the first one fails."""
        if image is None or not _is_complete(image, tags):
            return self._by_tifffile(number, info)
        decoders = [lambda: self._by_pillow(tags, info)]
        # Pillow divides colours by alpha, which cannot be undone; but it may decode what nothing else does.
        if image.mode in ("LA", "RGBA") and whole_numbers(tags, tiff_tags.EXTRA_SAMPLES, ()) == (1,):
            decoders.insert(0, lambda: self._by_tifffile(number, info))
        elif tags.get(tiff_tags.COMPRESSION) in _RARE_COMPRESSIONS:
            decoders.append(lambda: self._by_tifffile(number, info))
        try:
            return decoders[0]()
        except ArgumentError:
            if len(decoders) == 1:
                raise
            return decoders[1]()

    def _by_pillow(self, tags: Tags, info: dict[str, Any]) -> Picture:
        image = self._image
        with capture_stderr() as lines, pillow_errors():
            image.load()
        for line in lines[:1]:
            self._note(f"possibly damaged: its decoder reports {line!r}")
        turned = info.get("orientation", 1)
        picture = upright(Picture.of_image(image, {}), _INVERSE_ORIENTATION.get(turned, turned))
        bits = max(whole_numbers(tags, tiff_tags.BITS, (1,)))
        if picture.mode in ("L", "P") and bits in (2, 4):
            info["bits"] = bits
            info["tiff"] = {**info.get("tiff", {}), "bits": bits}
        colours = np.array(whole_numbers(tags, tiff_tags.COLOUR_MAP, ()), np.int64)
        low, high = colours & 255, colours >> 8
        if picture.mode == "P" and len(colours) % 3 == 0 and low.any() and (low != high).any():
            info["tiff"] = {**info.get("tiff", {}), "colormap": colours.astype(np.uint16).reshape(3, -1)}
        return picture._replace(info=info)

    def _by_tifffile(self, number: int, info: dict[str, Any]) -> Picture:
        page = self._tifffile_page(number)
        with library_errors():
            samples = np.asarray(page.asarray())
            photometric, bits, channels = int(page.photometric), int(page.bitspersample), int(page.samplesperpixel)
            is_planar, extra = page.planarconfig == 2, tuple(int(e) for e in page.extrasamples)
            colours = page.colormap if photometric == 3 else None
        if is_planar and channels > 1:
            samples = np.moveaxis(samples, 0, -1)
        if samples.ndim == 3 and samples.shape[2] == 1:
            samples = samples[..., 0]
        if samples.ndim not in (2, 3) or not samples.size:
            raise ArgumentError(f"has pages of shape {samples.shape}, which are not pictures")
        if samples.dtype == bool and samples.ndim == 3:
            raise ArgumentError("has several 1-bit channels, which are not supported")
        samples = corrected_bytes(np.ascontiguousarray(samples, samples.dtype.newbyteorder("=")), bits, page.parent.byteorder)
        if photometric == 3:
            return self._of_palette(samples, colours, info)
        own = dict(info.get("tiff", {}))
        if samples.dtype.kind == "f" and bits < 8 * samples.dtype.itemsize:
            self._note(f"its floats of {bits} bits are read as {8 * samples.dtype.itemsize} bits, which hold the same values")
        if is_odd := is_odd_depth(bits, samples):
            own["bits"] = bits
        base = _MODELS.get((photometric, samples.shape[2] if samples.ndim == 3 else 1), "")
        if base in ("LA", "RGBA") and extra not in ((1,), (2,)):
            base = ""
        if samples.dtype == bool:
            base = "1"
        mode = mode_of(base, samples.dtype) or CHANNELS
        if is_odd and base == "LAB":  # whose signs are those of 8 or 16 bits
            mode = CHANNELS
        if is_odd and mode != CHANNELS:
            samples = stretched(samples, bits)
        if mode == CHANNELS:
            own |= {"photometric": photometric, "extrasamples": extra}
        elif base in ("LA", "RGBA") and extra == (1,):
            info["associated"] = True
        if photometric == 0 and mode in ("1", "L"):
            samples = ~samples
        if base == "LAB" and mode != CHANNELS:
            samples = with_other_lab_signs(samples)
        return Picture(samples, mode, None, {**info, "tiff": own} if own else info)

    def _of_palette(self, samples: Array, colours: Any, info: dict[str, Any]) -> Picture:
        colours = np.asarray(() if colours is None else colours)
        if not colours.size or colours.size % 3 or colours.dtype.kind != "u" or samples.ndim != 2 or samples.dtype.kind != "u":
            raise ArgumentError("damaged: its palette is missing")
        colours = np.ascontiguousarray(colours.astype(np.uint16).reshape(3, -1).T)
        if samples.max() >= len(colours):
            raise ArgumentError("damaged: a pixel's index is outside the palette")
        if samples.dtype == np.uint8:
            return Picture(samples, "P", (colours >> 8).astype(np.uint8), info)
        self._note("its palette has more than 256 colours, so 16-bit colours are written")
        return Picture(colours[samples], "RGB;16", None, info)

    def _tags(self, number: int, image: Any) -> tuple[Tags, Any]:
        """Return a page's tags, and the object from which its EXIF is made, even where Pillow does not show the page.

        Tags whose values are not needed have the value None, and damaged ones are missing.
        """
        if image is not None:
            return _values(image.tag_v2, lambda code: image.tag_v2[code]), _exif_of(image)
        page = self._tifffile_page(number)
        by_code = {tag.code: tag for tag in page.tags}
        tags = _values(by_code, lambda code: by_code[code].value)
        for code in (tiff_tags.X_RESOLUTION, tiff_tags.Y_RESOLUTION):
            fraction = whole_numbers(tags, code, ())
            if len(fraction) > 1 and fraction[1]:
                tags[code] = fraction[0] / fraction[1]
        return tags, self._exif_of_page(page)

    def _exif_of_page(self, page: Any) -> Any:
        from PIL import Image

        source = Image.Exif()
        source.endian, source.bigtiff = page.parent.byteorder, page.parent.is_bigtiff
        if not (source.bigtiff and source.endian == ">"):
            with pillow_errors():
                source.load_from_fp(self._stream, page.offset)
            return source
        # Pillow takes BigTIFF with the high byte first for damaged: the texts are taken from tifffile.
        codes = {tag.code for tag in page.tags}
        for code in tiff_tags.TEXTS:
            with library_errors():
                value = page.tags[code].value if code in codes else None
            if isinstance(value, str):
                source[code] = value
        if codes & {tiff_tags.EXIF, tiff_tags.GPS}:
            self._note("its EXIF and GPS directories cannot be read and were dropped")
        return source

    def _info(self, number: int, tags: Tags, exif_source: Any) -> dict[str, Any]:
        """Collect a page's metadata."""
        info = tiff_tags.info_of(tags, self._in_unit)
        exif = tiff_tags.exif_of(exif_source, self._note)
        if exif is not None:
            info["exif"] = exif
        codes = tiff_tags.private_codes(tags)
        if any(code in tiff_tags.SCALES for code in codes):
            self._note("the ground size of a pixel no longer applies and was dropped")
        codes = [code for code in codes if code not in tiff_tags.SCALES]
        private: list[tuple[int, int, int, bytes]] = []
        try:
            for code in codes:
                private += tiff_tags.private_tag(self._tifffile_page(number), code, self._stream)
        except ArgumentError as error:
            self._note(f"some of its tags are damaged and were dropped ({str(error).removeprefix('damaged: ')})")
        if tiff_tags.SUB_IFDS in tags:
            self._note("reduced copies of it, in SubIFDs, were dropped")
        if not isinstance(tags.get(tiff_tags.XMP, b""), bytes):  # some programs store it as text, or as numbers
            page = self._tifffile_page(number)
            with contextlib.suppress(ArgumentError):
                for _, kind, _, raw in tiff_tags.private_tag(page, tiff_tags.XMP, self._stream):
                    info["xmp"] = raw if page.parent.byteorder == "<" else tiff_tags.byteswapped(raw, kind)
        if private:
            info["tiff"] = {**info.get("tiff", {}), "tags": private}
        return info


def _values(codes: Iterable[int], value_of: Callable[[int], Any]) -> dict[int, Any]:
    """Read the values of the needed tags, None for others; damaged tags are left out."""
    tags: dict[int, Any] = {}
    for code in codes:
        with contextlib.suppress(ArgumentError), library_errors():
            tags[code] = value_of(code) if code in tiff_tags.NEEDED else None
    return tags


def _exif_of(image: Any) -> Any:
    with contextlib.suppress(ArgumentError), pillow_errors():
        return image.getexif()
    # Pillow failed where it looked for an orientation in XMP of an unexpected type. It has read the tags before, and returns
    # them at a second call.
    with pillow_errors():
        return image.getexif()


def _is_complete(image: Any, tags: Tags) -> bool:
    """Return whether Pillow keeps all of a page's samples."""
    mode = image.mode
    bits = whole_numbers(tags, tiff_tags.BITS, (1,))
    sample_formats = whole_numbers(tags, tiff_tags.SAMPLE_FORMAT, (1,))
    if mode.startswith("I;16"):
        return bits == (16,) and sample_formats == (1,)
    if mode == "F":
        return bits == (32,) and sample_formats == (3,)
    same_channels = whole_number(tags, tiff_tags.SAMPLES, 1) == len(image.getbands())
    return mode in _PILLOW_MODES and max(bits) <= 8 and set(sample_formats) == {1} and same_channels

"""TIFF files to `FileContents`: every page, every sample in its depth, and the tags that describe the picture.

Pillow reads what it keeps completely, 8 bits and less; tifffile reads the rest, and what Pillow fails at.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

from upscale.errors import ArgumentError, library_errors, prefix_errors
from upscale.pictures import unsupported_formats
from upscale.pictures.decoder_errors import pillow_errors
from upscale.pictures.orientation import orientation
from upscale.pictures.picture import FileContents, Frame, Picture
from upscale.pictures.tiff import tiff_decoders, tiff_losses, tiff_tags
from upscale.pictures.tiff.tiff_colours import CCITT
from upscale.pictures.tiff.tiff_messages import Messages
from upscale.pictures.tiff.tiff_tags import Tags, whole_number, whole_numbers

Note = Callable[[str], None]

#: How BigTIFF begins, of which Pillow reads no tags of 64 bits, and none at all with the high byte first.
_BIG_LOW_FIRST, _BIG_HIGH_FIRST = b"II+\0", b"MM\0+"
#: A page that takes more bytes for each allowed pixel is refused as a possible decompression bomb.
_MAX_PIXEL_BYTES = 16
#: Samples a pixel that a page may have without saying so, as in old-style JPEG.
_UNSAID_SAMPLES = 4


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
        self._in_unit = self._is_big = False
        with self._messages.collected():
            self._total = self._open()

    def _open(self) -> int:
        """Open the file with Pillow, or else with tifffile, and return the number of pages."""
        from PIL import Image

        magic = self._stream.read(4)
        self._stream.seek(0)
        self._is_big = magic in (_BIG_LOW_FIRST, _BIG_HIGH_FIRST)
        if magic != _BIG_HIGH_FIRST:
            with contextlib.suppress(ArgumentError), pillow_errors():
                self._image = Image.open(self._stream, formats=["TIFF"])
                return int(self._image.n_frames)
        total = len(self._tifffile())  # Pillow does not show every page
        last = self._tifffile_page(total - 1)
        if total > 1 and not (last.imagewidth and last.imagelength):
            self._note("possibly damaged: its last page has no size and was dropped")
            return total - 1
        return total

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
        with prefix_errors(f"page {number}") if self._total > 1 else contextlib.nullcontext():
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
        decoders = self._decoders(number, image, tags, info)
        errors = []
        for decode in decoders:
            try:
                return decode()
            except ArgumentError as error:
                errors.append(error)
        page = self._tifffile_page(number)
        raise ArgumentError(tiff_decoders.reason_unsupported(page) or str(errors[-1])) from errors[-1]

    def _decoders(self, number: int, image: Any, tags: Tags, info: dict[str, Any]) -> list[Callable[[], Picture]]:
        first: Callable[[], Picture] = lambda: self._by_tifffile(number, tags, info, True)  # noqa: E731
        second: Callable[[], Picture] = lambda: self._by_tifffile(number, tags, info, False)  # noqa: E731
        pillow: Callable[[], Picture] = lambda: tiff_decoders.by_pillow(image, tags, info, self._messages)  # noqa: E731
        if image is None:
            return [first]
        if tiff_decoders.is_raw_ycbcr(tags):
            return [lambda: tiff_decoders.by_libtiff(self._stream, number, tags, info, self._messages), second]
        if not tiff_decoders.is_complete(image, tags):
            return [first]
        # Pillow divides colours by alpha, which cannot be undone; but it may decode what nothing else does.
        if image.mode in ("LA", "RGBA") and whole_numbers(tags, tiff_tags.EXTRA_SAMPLES, ()) == (1,):
            return [first, pillow]
        return [pillow, second]

    def _by_tifffile(self, number: int, tags: Tags, info: dict[str, Any], is_first: bool) -> Picture:
        page = self._tifffile_page(number)
        # Of tags that are there twice, tifffile may take the other one, whose size was not checked.
        size = whole_number(tags, tiff_tags.HEIGHT), whole_number(tags, tiff_tags.WIDTH)
        most = max(whole_number(tags, tiff_tags.SAMPLES, 1), _UNSAID_SAMPLES)
        with library_errors():
            fits = (page.imagelength, page.imagewidth, page.imagedepth) == (*size, 1) and page.samplesperpixel <= most
            compression = int(page.compression)
        if not fits:
            raise ArgumentError("damaged: its tags contradict each other about the size")
        whole = tiff_decoders.note_missing_parts(page, self._stream.seek(0, 2), self._note, self._messages)
        if not whole and not is_first:  # it would take for empty what the other one found to be missing
            raise ArgumentError("damaged: its data end too early")
        if not is_first and compression in CCITT:  # of which it decodes anything
            self._messages.add(["Decode"])
        return tiff_decoders.by_tifffile(page, info, self._note)

    def _tags(self, number: int, image: Any) -> tuple[Tags, Any]:
        """Return a page's tags, and the object from which its EXIF is made, even where Pillow does not show the page.

        Tags whose values are not needed have the value None, and damaged ones are missing.
        """
        if image is not None and not self._is_big:
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
        tiff_losses.keep_private_tags(lambda: self._tifffile_page(number), tags, self._stream, info, self._note)
        if tiff_tags.SUB_IFDS in tags:
            tiff_losses.note_pictures_below(self._tifffile_page(number), self._note)
        if not isinstance(tags.get(tiff_tags.XMP, b""), bytes):  # some programs store it as text, or as numbers
            page = self._tifffile_page(number)
            with contextlib.suppress(ArgumentError):
                for _, kind, _, raw in tiff_tags.private_tag(page, tiff_tags.XMP, self._stream):
                    info["xmp"] = raw if page.parent.byteorder == "<" else tiff_tags.byteswapped(raw, kind)
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

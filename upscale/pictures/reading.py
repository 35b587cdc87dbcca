"""Files to `FileContents`: which module reads what, and the errors of decoders as one line."""

import contextlib
import io
import logging
import os
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from upscale.choices import MOST_PIXELS
from upscale.errors import ArgumentError
from upscale.pictures import npy, unsupported_formats
from upscale.pictures.decoder_errors import TOO_MANY_PIXELS, Note, file_errors, warnings_as_notes
from upscale.pictures.formats import NPY
from upscale.pictures.orientation import orientation, upright
from upscale.pictures.picture import FileContents, Frame, Picture

if TYPE_CHECKING:
    from upscale.pictures.row_stream import RowStream

# What Pillow logs would reach standard error if nobody has set up logging; what a user should know is in notes and errors.
logging.getLogger("PIL").addHandler(logging.NullHandler())

#: TIFF and BigTIFF, and TIFF whose writer swapped the bytes of its version.
_TIFF_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"II\0*", b"MM*\0")


#: Held while a library decodes: filters of warnings, Pillow's limit of pixels and standard error belong to the whole process.
_lock = threading.RLock()


def _renew_lock() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # in a child, no thread is left that would release it
    os.register_at_fork(after_in_child=_renew_lock)


class Source:
    """An open file and its contents.

    Parameters
    ----------
    stream : binary file
        Seekable; stays open until the last frame has been taken.
    name : str
        What errors call it.
    layout : str
        Of an array: one of `choices.LAYOUTS`.
    allow_8_bit : bool
        Whether samples of more than 8 bits may be read as 8 where no decoder keeps them.
    max_pixels : int
        A picture with more pixels is refused as a possible decompression bomb.
    note : callable
        Called with a line for what is wrong with the file but not fatal.
    reject_truncated : bool
        Whether a file that ends too early is refused even where viewers show it.

    Attributes
    ----------
    contents : FileContents

    Raises
    ------
    FileError
        Where the file cannot be read, or is not a picture.
    """

    def __init__(
        self,
        stream: BinaryIO,
        name: str,
        *,
        layout: str,
        allow_8_bit: bool,
        max_pixels: int,
        note: Note,
        reject_truncated: bool = False,
    ) -> None:
        self._name, self._note, self._max_pixels, self._reject_truncated = name, note, max_pixels, reject_truncated
        with self._errors_and_notes():
            head = stream.read(unsupported_formats.HEAD_BYTES)
            stream.seek(0)
            unsupported_formats.check(name, head)
            self.contents = _contents(stream, layout, allow_8_bit, max_pixels, note, self._truncated)

    def _truncated(self, missing: str) -> None:
        """Note, or refuse, that the file ends too early."""
        if self._reject_truncated:
            raise ArgumentError(f"truncated: {missing}")
        self._note(f"truncated: {missing}")

    @contextlib.contextmanager
    def _errors_and_notes(self) -> Iterator[None]:
        with _lock, file_errors(self._name), warnings_as_notes(self._note):
            yield

    @contextlib.contextmanager
    def _decoding(self) -> Iterator[None]:
        by_pillow = self.contents.format not in (NPY.pillow, "PNG")
        with self._errors_and_notes(), _pixel_limit(self._max_pixels) if by_pillow else contextlib.nullcontext():
            yield

    def frames(self, source: Callable[[], Iterator[Frame]]) -> Iterator[Frame]:
        """Decode one frame after another from one of the contents' sources; damage becomes a `FileError`."""
        with self._decoding():
            frames = source()
        while True:
            with self._decoding():
                frame = next(frames, None)
            if frame is None:
                return
            yield frame

    def stream(self) -> "tuple[Picture, RowStream] | None":
        """Begin to decode the only picture in bands, if its format and its size are such that it pays.

        Its samples are valid as far as the stream has filled them.
        """
        return None if self.contents.stream is None else self.contents.stream(self._decoding)

    def decoded(self, source: Callable[[], Picture]) -> Picture:
        """Decode a single picture from one of the contents' sources."""
        with self._decoding():
            return source()


@contextlib.contextmanager
def _pixel_limit(most: int) -> Iterator[None]:
    """Set the size that Pillow refuses, and restore it: other code of the process may use Pillow too."""
    from PIL import Image

    before = Image.MAX_IMAGE_PIXELS
    # Pillow warns of more pixels than this, and refuses twice as many.
    Image.MAX_IMAGE_PIXELS = (most + 1) // 2
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


@contextlib.contextmanager
def opened(file: str | BinaryIO, name: str) -> Iterator[BinaryIO]:
    """Open a path, or take an open file, and make it seekable.

    Parameters
    ----------
    file : str or binary file
    name : str
        What errors call it.

    Raises
    ------
    FileError
        Where there is nothing to open.
    """
    with contextlib.ExitStack() as stack:
        with file_errors(name):
            stream = stack.enter_context(open(file, "rb")) if isinstance(file, str) else file
            if not stream.seekable():  # a named pipe
                stream = io.BytesIO(stream.read())
        yield stream


def first_picture(path: str) -> Picture:
    """Read the first picture of a file in its full depth, upright.

    Raises
    ------
    FileError
        Where it cannot be read.
    """
    with opened(path, path) as stream:
        source = Source(stream, path, layout="hwc", allow_8_bit=False, max_pixels=MOST_PIXELS, note=lambda text: None)
        picture = next(source.frames(source.contents.frames)).picture
    return upright(picture, orientation(picture.info))


def _contents(stream: BinaryIO, layout: str, allow_8_bit: bool, max_pixels: int, note: Note, truncated: Note) -> FileContents:
    """Choose the reader by the file's first bytes; the module of one format is imported when it is needed."""
    magic = stream.read(8)
    stream.seek(0)
    if magic.startswith(npy.MAGIC):
        return npy.read(stream, layout)
    if magic == b"\x89PNG\r\n\x1a\n":
        from upscale.pictures.png import png_reader

        return png_reader.read(stream, note, truncated)
    with _pixel_limit(max_pixels):
        return _contents_by_pillow(stream, magic, allow_8_bit, max_pixels, note, truncated)


def _contents_by_pillow(
    stream: BinaryIO, magic: bytes, allow_8_bit: bool, max_pixels: int, note: Note, truncated: Note
) -> FileContents:
    if magic[:4] == b"GIF8":
        from upscale.pictures.gif import gif_reader

        return gif_reader.read(stream, truncated)
    if magic[:4] in _TIFF_MAGICS:
        from upscale.pictures.tiff import tiff_reader

        return tiff_reader.read(stream, max_pixels, note)
    from upscale.pictures import own_readers, pillow_formats

    contents = own_readers.read(stream, note)
    if contents is not None:
        if contents.size[0] * contents.size[1] > max_pixels:
            raise ArgumentError(TOO_MANY_PIXELS)
        return contents
    contents = pillow_formats.read(stream, allow_8_bit, note, truncated)
    if contents.format in ("JPEG", "MPO"):
        from upscale.pictures.jpeg import jpeg_losses

        jpeg_losses.note_losses(stream, contents.kind == "views", note)
    elif contents.format == "PPM":
        from upscale.pictures import netpbm_losses

        netpbm_losses.note_losses(stream, note)
    return contents

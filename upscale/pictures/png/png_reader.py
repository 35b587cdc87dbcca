"""PNG and APNG files to `FileContents`: every chunk, every frame, and samples in their full depth."""

import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError, library_errors
from upscale.pictures.captured_stderr import capture_stderr
from upscale.pictures.formats import mode_of
from upscale.pictures.mode_conversion import composite, to_rgba
from upscale.pictures.orientation import orientation
from upscale.pictures.picture import DISPOSALS, FileContents, Frame, Picture
from upscale.pictures.png.png_format import SIGNATURE, chunk
from upscale.pictures.png.png_structure import Chunks, Header, Part

if TYPE_CHECKING:
    from upscale.pictures.row_stream import RowStream

Array = NDArray[Any]

#: Colour model and number of samples a pixel by colour type.
_COLOURS = {0: ("L", 1), 2: ("RGB", 3), 3: ("P", 1), 4: ("LA", 2), 6: ("RGBA", 4)}
#: Bytes of rows between which another library inflates them: fewer do not pay, more would be in memory twice for a moment.
_MIN_INFLATED, _MAX_INFLATED = 1 << 16, 1 << 25
#: Bytes of samples from which on they are decoded while they are enlarged.
_MIN_STREAMED = 1 << 20


#: imagecodecs loses a reference to None with each picture that libpng refuses, and Python before 3.12 ends with the last one.
_nones: list[None] = []


def read(stream: BinaryIO, note: Callable[[str], None], truncated: Callable[[str], None]) -> FileContents:
    """Read the chunks of a PNG file and find its frames; samples are decoded when they are requested.

    Parameters
    ----------
    stream : binary file
        Seekable; stays open until the last frame has been decoded.
    note : callable
        Called with a line for what is broken but not needed.
    truncated : callable
        Called with what is missing where the file ends too early, but has all pixels.

    Raises
    ------
    ArgumentError
        Where the file is damaged.
    """
    chunks = Chunks(stream, note, truncated)
    header = chunks.header
    if header is None or not chunks.parts[0].pieces:
        raise ArgumentError("damaged: the PNG file has no image data")
    if header.colour == 3 and chunks.palette is None:
        raise ArgumentError("damaged: its palette is missing")
    return _Decoder(stream, note, truncated, header, chunks).contents()


class _Decoder:
    """The pictures of a file whose chunks have been read."""

    def __init__(
        self,
        stream: BinaryIO,
        note: Callable[[str], None],
        truncated: Callable[[str], None],
        header: Header,
        chunks: Chunks,
    ) -> None:
        self._stream, self._note, self._truncated, self._header = stream, note, truncated, header
        self._parts, self._palette, self._animation = chunks.parts, chunks.palette, chunks.animation
        base, self._channels = _COLOURS[header.colour]
        model = "1" if (header.colour, header.depth) == (0, 1) else base
        bits = {"bits": header.depth} if header.colour == 3 or (header.colour == 0 and header.depth < 8) else {}
        self._info = {**chunks.info, **bits, "chunks": tuple(chunks.kept), "model": (model, header.depth)}

    def contents(self) -> FileContents:
        frames, still = self._frames(), self._parts[0]
        size = self._header.height, self._header.width
        pixel_bytes = self._channels * (2 if self._header.depth == 16 else 1)
        turned = orientation(self._info)
        if self._animation is None or not frames:
            whole = lambda: iter([Frame(self._decoded(still))])  # noqa: E731
            plain = self._header.depth >= 8 and not self._header.interlace
            stream = self._stream_rows if plain and size[0] * size[1] * pixel_bytes >= _MIN_STREAMED else None
            return FileContents("PNG", size, pixel_bytes, whole, orientation=turned, stream=stream)
        return FileContents(
            "PNG",
            size,
            pixel_bytes,
            lambda: self._composed(frames),
            "animation",
            len(frames),
            lambda: (self._frame(part) for part in frames),
            None if frames[0] is still else lambda: self._decoded(still),
            self._animation[1],
            orientation=turned,
        )

    def _frames(self) -> list[Part]:
        """Find the frames of an animation; none where there is no animation."""
        if self._animation is None:
            return []
        frames = [part for part in self._parts if part.control is not None and part.pieces]
        if len(frames) != self._animation[0]:
            self._note(f"declares {self._animation[0]} frames but has {len(frames)}")
        first = frames[0].control if frames and frames[0] is self._parts[0] else None
        if first is not None and first[1:5] != (self._header.width, self._header.height, 0, 0):
            raise ArgumentError("damaged: its first frame does not cover the canvas")
        return frames[: self._animation[0]]

    def _frame(self, part: Part) -> Frame:
        control = part.control
        assert control is not None
        delay = control.numerator, control.denominator or 100
        return Frame(self._decoded(part), delay, control.left, control.top, DISPOSALS[control.disposal], control.blend == 1)

    def _composed(self, parts: list[Part]) -> Iterator[Frame]:
        """Composite the parts on the canvas as a viewer does; only the first picture has metadata of its own."""
        canvas: Array | None = None
        before: Array | None = None
        for part in parts:
            frame = self._frame(part)
            picture = to_rgba(frame.picture)
            samples, height, width = picture.samples, *picture.samples.shape[:2]
            if canvas is None:
                canvas = np.zeros((self._header.height, self._header.width, 4), samples.dtype)
                if frame.disposal == "restore":  # to before the first frame, when nothing was there
                    frame = frame._replace(disposal="clear")
            area = canvas[frame.top : frame.top + height, frame.left : frame.left + width]
            before = area.copy() if frame.disposal == "restore" else None
            area[:] = composite(samples, area, picture.max_value) if frame.over else samples
            yield Frame(picture.with_samples(canvas.copy()), frame.delay)
            if frame.disposal == "clear":
                area[:] = 0
            elif before is not None:
                area[:] = before

    def _decoded(self, part: Part) -> Picture:
        header = self._header
        width, height = (part.control.width, part.control.height) if part.control else (header.width, header.height)
        samples = self._samples(part, width, height)
        base, channels = _COLOURS[header.colour]
        if samples.shape != ((height, width, channels) if channels > 1 else (height, width)):
            raise ArgumentError("damaged: its image data do not match its header")
        if header.colour == 3:
            samples //= 255 // ((1 << header.depth) - 1)
        elif header.depth == 1:
            return Picture(samples > 0, "1", None, self._info)
        return Picture(samples, mode_of(base, samples.dtype) or "", self._palette, self._info)

    def _stream_rows(self, guard: Callable[[], AbstractContextManager[None]]) -> "tuple[Picture, RowStream]":
        """Decode the still picture in bands."""
        from upscale.pictures.row_stream import RowStream

        def whole() -> Array:
            with guard():
                return self._decoded(self._parts[0]).samples

        header = self._header
        shape = (header.height, header.width) if self._channels == 1 else (header.height, header.width, self._channels)
        dtype, base = np.dtype(np.uint16 if header.depth == 16 else np.uint8), _COLOURS[header.colour][0]
        stream = RowStream(shape, dtype, self._faultless_pieces(), whole)
        return Picture(stream.samples, mode_of(base, dtype) or "", self._palette, self._info), stream

    def _faultless_pieces(self) -> Iterator[bytes]:
        """Read the still picture's compressed data in small pieces, as long as all checksums are right."""
        from zlib_ng import zlib_ng

        from upscale.pictures.row_stream import PIECE, FaultyDataError

        for at, length in self._parts[0].pieces:
            checksum = zlib_ng.crc32(b"IDAT")
            self._stream.seek(at)
            while length > 0:
                piece = self._stream.read(min(length, PIECE))
                if not piece:
                    raise FaultyDataError
                checksum = zlib_ng.crc32(piece, checksum)
                length -= len(piece)
                yield piece
            if self._stream.read(4) != checksum.to_bytes(4, "big"):
                raise FaultyDataError

    def _samples(self, part: Part, width: int, height: int) -> Array:
        import imagecodecs

        # Not kept in a variable before: what is compressed may be large, and one copy of it is enough while it is decoded.
        data = self._inflated(b"".join(self._pieces(part, width, height)), width, height)
        smallest = b"".join((SIGNATURE, self._header.chunk(width, height), chunk(b"IDAT", data), chunk(b"IEND")))
        del data
        with capture_stderr() as lines, library_errors():
            try:
                samples: Array = imagecodecs.png_decode(smallest)
            except imagecodecs.PngError:
                _nones.append(None)
                raise
        if any("nterlace" not in line for line in lines):  # which the decoder does handle
            self._note("possibly damaged: its decoder complains about the image data")
        return samples

    def _inflated(self, data: bytes, width: int, height: int) -> bytes:
        """Inflate the data of a small picture by libdeflate, and store them so, since it is faster than the decoder's zlib.

        Data that are not as they should be are left to the decoder, which reports why, or accepts them.
        """
        import imagecodecs

        size = height * (1 + -(-width * self._channels * self._header.depth // 8))
        if self._header.interlace or not _MIN_INFLATED <= size <= _MAX_INFLATED:
            return data
        try:
            rows = imagecodecs.deflate_decode(data, out=size)
        except imagecodecs.DeflateError:
            return data
        return zlib.compress(rows, 0) if len(rows) == size else data

    def _pieces(self, part: Part, width: int, height: int) -> Iterator[bytes]:
        """Read a frame's compressed data; where a checksum is wrong or missing, check whether the data are complete."""
        from zlib_ng import zlib_ng

        wrong = False
        pieces = []
        for at, length in part.pieces:
            kind_at = at - 4 if part is self._parts[0] else at - 8  # frame data begin with a number
            self._stream.seek(kind_at)
            stored = self._stream.read(at - kind_at + length)
            checksum = self._stream.read(4)
            pieces.append(stored[at - kind_at :])
            if len(checksum) < 4:
                yield self._completed(b"".join(pieces), width, height)
                return
            wrong |= zlib_ng.crc32(stored) != int.from_bytes(checksum, "big")
        if wrong:
            if not _is_complete_stream(pieces):
                raise ArgumentError("damaged: the checksum of its image data is wrong")
            self._note("a checksum of its image data is wrong, but the data are complete")
        yield from pieces

    def _completed(self, data: bytes, width: int, height: int) -> bytes:
        """Complete the compressed data of a frame in which the file ends, if they have all pixels."""
        row = 1 + -(-width * self._channels * self._header.depth // 8)
        try:
            # Interlaced rows take more bytes, which are fewer than twice as many but for the smallest pictures.
            rows = zlib.decompressobj().decompress(data, 2 * row * height + 64)
        except zlib.error:
            rows = b""
        if len(rows) < row * height:
            raise ArgumentError("damaged: the file ends inside its image data")
        self._truncated("no pixels are missing, but the file ends inside the image data")
        return zlib.compress(rows, 0)


def _is_complete_stream(pieces: list[bytes]) -> bool:
    """Return whether pieces make up a zlib stream that ends with the right checksum."""
    unpacker = zlib.decompressobj()
    try:
        for piece in pieces:
            while piece:  # in small steps, for the output is not needed
                unpacker.decompress(piece, 1 << 20)
                piece = unpacker.unconsumed_tail
        unpacker.flush()
    except zlib.error:
        return False
    return unpacker.eof

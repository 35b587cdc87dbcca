"""A streaming writer of PNG, and of APNG, whose frames are several PNG pictures in one file.

Rows are filtered and deflated in bands, each by itself, so that cores can work in parallel and only a few bands are in memory.
The layout of chunks is that of the PNG specification, third edition (W3C, 2025).
"""

import struct
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError
from upscale.pictures.ordered_tasks import OrderedTasks
from upscale.pictures.picture import DISPOSALS, Frame, Picture
from upscale.pictures.png import png_deflate, png_filters
from upscale.pictures.png.png_format import SIGNATURE, chunk
from upscale.pictures.png.png_metadata import png_chunks
from upscale.pictures.write_options import WriteOptions

if TYPE_CHECKING:
    from concurrent.futures import Future

Array = NDArray[Any]

_COLOUR_TYPES = {"1": 0, "L": 0, "RGB": 2, "P": 3, "LA": 4, "RGBA": 6}
#: Bytes of rows that are deflated in one go: so many that starting anew for each band costs next to nothing.
_BAND = 1 << 20
#: Some rows of a picture: see `Writer.add_bands`.
Band = AbstractContextManager[Array]
#: What a band needs of the one before it: the last row, if there is one, and the way of deflating.
_Before = tuple[Array | None, png_deflate.Choice]
#: The header of a zlib stream, and an empty block that ends it.
_BEGIN, _FINISH = b"\x78\x01", b"\x03\x00"


class Writer:
    """Encode a picture, or the frames of an animation, as `write_options.Writer` says.

    The first frame decides the colour type, the palette and the metadata of all.
    """

    def __init__(self, file: BinaryIO, options: WriteOptions) -> None:
        self._file, self._options = file, options
        self._begun = False
        self._number = 0
        self._frames = 0
        self._tasks = OrderedTasks("deflate")

    def add(self, frame: Frame) -> None:
        """Encode the next frame."""
        picture = frame.picture
        self.add_bands(frame, self._split(picture), picture.samples.shape[:2])

    def add_bands(self, frame: Frame, bands: Iterable[Band], size: tuple[int, int], blocks: tuple[int, int] = (1, 1)) -> None:
        """Encode the next frame, whose samples come in bands of rows of about `band_bytes`.

        Parameters
        ----------
        frame : Frame
            Its picture's samples are ignored.
        bands : iterable of context managers
            Each makes its rows, in any thread; they are used until its block ends.
        size : (int, int)
            Height and width, blocks included.
        blocks : (int, int)
            Height and width of the block of pixels that each sample stands for.
        """
        picture = frame.picture
        if not self._begun:
            self._begin(picture)
        number = None
        if self._options.plays is not None:
            delay = _delay(frame.delay)
            disposal = DISPOSALS.index(frame.disposal)
            area = size[1], size[0], frame.left, frame.top
            self._control(struct.pack(">IIIIHHBB", *area, *delay, disposal, frame.over))
            number = self._number if self._frames else None
        self._encode(picture, bands, size, blocks, framed=number is not None)
        self._frames += 1

    def add_cover(self, picture: Picture) -> None:
        """Encode the picture that viewers without animation show; call it before the frames are added."""
        self._begin(picture)
        self._encode(picture, self._split(picture), picture.samples.shape[:2], (1, 1), framed=False)
        self._frames = 1

    def close(self) -> None:
        """End the file."""
        self._file.write(chunk(b"IEND"))
        self._tasks.close()

    def _control(self, data: bytes) -> None:
        self._file.write(chunk(b"fcTL", struct.pack(">I", self._number) + data))
        self._number += 1

    def _begin(self, picture: Picture) -> None:
        self._begun = True
        height, width = self._options.size
        if max(height, width) >= 1 << 31:
            raise ArgumentError(f"PNG is limited to {(1 << 31) - 1} pixels a side")
        self._depth = _depth(picture)
        colour = _COLOUR_TYPES[picture.base]
        write = self._file.write
        write(SIGNATURE)
        write(chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, self._depth, colour, 0, 0, 0)))
        first, later = png_chunks(picture.info, (picture.base, self._depth), self._options.smooth, self._options.note)
        for kind, data in first:
            write(chunk(kind, data))
        if picture.palette is not None:
            write(chunk(b"PLTE", picture.palette[: 1 << self._depth].tobytes()))
        transparency = _transparency(picture, self._depth)
        if transparency:
            write(chunk(b"tRNS", transparency))
        for kind, data in later:
            write(chunk(kind, data))
        if self._options.plays is not None:
            write(chunk(b"acTL", struct.pack(">II", self._options.total, self._options.plays)))

    def band_bytes(self, picture: Picture) -> int:
        """Return how many bytes of a picture's samples make a band."""
        return _BAND * max(1, 8 // _depth(picture))

    def _split(self, picture: Picture) -> Iterator[Band]:
        """Split a picture's samples into bands."""
        samples = picture.samples
        height = max(1, self.band_bytes(picture) // max(1, samples[0].nbytes))
        return (nullcontext(samples[at : at + height]) for at in range(0, len(samples), height))

    def _encode(
        self, picture: Picture, bands: Iterable[Band], size: tuple[int, int], blocks: tuple[int, int], *, framed: bool
    ) -> None:
        """Write the image data of one frame: the deflated bands, in order, as one zlib stream in many chunks."""
        filtering = png_filters.Filtering(
            self._depth, picture.base, size, blocks, smooth=self._options.smooth, loops=self._options.loops
        )
        checksum, unwritten = 1, _BEGIN
        deflating = png_deflate.Deflating(
            self._options.compression, filtering, smooth=self._options.smooth, loops=self._options.loops
        )

        def encode(band: Band, before: "Future[_Before]", after: "Future[_Before]") -> tuple[bytes, int, int]:
            """Deflate a band, and hand its last row and the way of deflating on to the next one."""
            try:
                with band as samples:
                    rows = filtering.as_bytes(samples)
                    last = rows[-1].copy()
                    previous, choice = before.result()
                    unfiltered = png_filters.Band(filtering, rows, previous)
                    choice = deflating.choose(unfiltered, choice)
                    after.set_result((last, choice))
                    return deflating.deflated(unfiltered, choice)
            except BaseException as error:
                if not after.done():  # or the next one would wait for ever
                    after.set_exception(error)
                raise

        for data, adler, length in self._tasks.run(encode, _in_a_row(bands)):
            if len(unwritten) > len(_BEGIN):
                self._data(unwritten, framed)
                unwritten = b""
            unwritten += data
            checksum = png_deflate.joined_adler32(checksum, adler, length)
        self._data(unwritten + _FINISH + struct.pack(">I", checksum), framed)

    def _data(self, data: bytes, framed: bool) -> None:
        if framed:
            self._file.write(chunk(b"fdAT", struct.pack(">I", self._number) + data))
            self._number += 1
        else:
            self._file.write(chunk(b"IDAT", data))


def _depth(picture: Picture) -> int:
    if picture.samples.dtype == np.uint16:
        return 16
    return 1 if picture.base == "1" else int(picture.info.get("bits", 8)) if picture.base in ("L", "P") else 8


def _transparency(picture: Picture, depth: int) -> bytes:
    value = picture.info.get("transparency")
    if value is None:
        return b""
    if picture.base == "P":
        assert picture.palette is not None
        alpha = value if isinstance(value, bytes) else b"\xff" * value + b"\0"
        return alpha[: min(len(picture.palette), 1 << depth)]
    scale = 255 // ((1 << depth) - 1) if depth < 8 else 1
    return b"".join(struct.pack(">H", v // scale) for v in (value if isinstance(value, tuple) else (value,)))


def _delay(seconds: tuple[int, int]) -> tuple[int, int]:
    """Return a fraction of seconds as two numbers of 16 bits."""
    numerator, denominator = seconds
    if numerator < 1 << 16 and denominator < 1 << 16:
        return numerator, denominator
    return min(round(1000 * numerator / denominator), 65535), 1000


def _in_a_row(bands: Iterable[Band]) -> Iterator[tuple[Band, "Future[_Before]", "Future[_Before]"]]:
    """Yield each band with what the one before it hands on, and what it hands on itself."""
    from concurrent.futures import Future

    before: Future[_Before] = Future()
    before.set_result((None, png_deflate.Choice()))
    for band in bands:
        after: Future[_Before] = Future()
        yield band, before, after
        before = after

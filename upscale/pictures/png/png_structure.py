"""The chunks of a PNG or APNG file in their order: header, palette, frames, and what is kept of the others.

The names of chunks and their layout are those of the PNG specification, third edition (W3C, 2025).
"""

import struct
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError
from upscale.pictures.png import png_metadata
from upscale.pictures.png.png_format import REMADE_CHUNKS, SIGNATURE, SINGLE_CHUNKS, SIZE_INDEPENDENT_CHUNKS, chunk

#: Bits a sample that each colour type may have.
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


class Header(NamedTuple):
    """The header chunk: the size in pixels, bits a sample, colour type, and whether rows are interlaced."""

    width: int
    height: int
    depth: int
    colour: int
    interlace: int

    def chunk(self, width: int, height: int) -> bytes:
        """Make the header chunk of a picture of another size; indices become grey, so that they are not looked up."""
        colour = 0 if self.colour == 3 else self.colour
        return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, self.depth, colour, 0, 0, self.interlace))


class Control(NamedTuple):
    """A frame's control chunk."""

    number: int
    width: int
    height: int
    left: int
    top: int
    numerator: int
    denominator: int
    disposal: int
    blend: int


class Part(NamedTuple):
    """A frame's control chunk, if it has one, and offset and length of each piece of its compressed data."""

    control: Control | None
    pieces: list[tuple[int, int]]


class Chunks:
    """The chunks of a file, read in their order; image data are only located.

    Attributes
    ----------
    header : Header or None
    palette : ndarray or None, shape (N, 3)
    animation : (int, int) or None
        Number of frames, and of plays, 0 for ever.
    parts : list of Part
        The first one is the still picture, which may also be the first frame.
    kept : list of (bytes, bytes)
        Type and data of the chunks that are copied.
    info : dict
        As in `Picture.info`.
    """

    def __init__(self, stream: BinaryIO, note: Callable[[str], None], truncated: Callable[[str], None]) -> None:
        self._stream, self._note, self._truncated = stream, note, truncated
        self.header: Header | None = None
        self.palette: NDArray[np.uint8] | None = None
        self.animation: tuple[int, int] | None = None
        self.parts = [Part(None, [])]
        self.kept: list[tuple[bytes, bytes]] = []
        self.info: dict[str, Any] = {}
        self._next_number = 0
        self._end = stream.seek(0, 2)
        stream.seek(len(SIGNATURE))
        while self._read_chunk():
            pass

    def _read_chunk(self) -> bool:
        """Read the next chunk, and return whether more may follow."""
        head = self._stream.read(8)
        if len(head) < 8:
            # Where the image data are incomplete, too, decoding them shows it.
            if self._stream.tell() <= self._end:
                self._truncated("it lacks the PNG end chunk")
            return False
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind == b"IEND":
            return False
        if not kind.isalpha() or not kind.isascii() or length >= 1 << 31:
            if not self.parts[0].pieces:
                raise ArgumentError("damaged: there are bytes before the image that are not a PNG chunk")
            self._note("bytes after the image that are not a PNG chunk were dropped")
            return False
        if kind in (b"IDAT", b"fdAT"):
            self._locate_data(kind, length)
            return True
        data, checksum = self._stream.read(min(length, self._end)), self._stream.read(4)
        if len(checksum) < 4:
            self._truncated(f"the file ends inside its {kind.decode()} chunk, which was dropped")
            return False
        if zlib.crc32(kind + data) == int.from_bytes(checksum, "big"):
            self._take(kind, data)
        elif kind[:1].isupper() or kind in (b"acTL", b"fcTL"):
            raise ArgumentError(f"damaged: the checksum of its {kind.decode()} chunk is wrong")
        else:
            self._leave_out(kind, "its checksum is wrong")
        return True

    def _locate_data(self, kind: bytes, length: int) -> None:
        at = self._stream.tell()
        number = 4 if kind == b"fdAT" else 0  # bytes of a frame's number, before its data
        if number and len(self.parts) == 1:
            raise ArgumentError("damaged: frame data without a frame header")
        self.parts[-1 if number else 0].pieces.append((at + number, max(0, length - number)))
        self._stream.seek(at + length + 4)

    def _leave_out(self, kind: bytes, reason: str) -> None:
        self._note(f"its {kind.decode()} chunk was dropped: {reason}")

    def _take(self, kind: bytes, data: bytes) -> None:
        if kind == b"IHDR":
            self._take_header(data)
            return
        header = self.header
        if header is None:
            raise ArgumentError("damaged: a PNG file must begin with its header")
        if kind == b"PLTE":
            self._take_palette(data, header)
        elif kind == b"acTL":
            self._take_animation(data)
        elif kind == b"fcTL":
            self._take_control(data, header)
        elif kind[:1].isupper():
            raise ArgumentError(f"contains the critical PNG chunk {kind.decode()}, which is unknown")
        elif not png_metadata.has_valid_length(kind, data, header.colour):
            self._leave_out(kind, "its length is wrong")
        else:
            self._take_ancillary(kind, data, header)

    def _take_header(self, data: bytes) -> None:
        if self.header is not None or len(data) != 13:
            raise ArgumentError("damaged: its PNG header is wrong")
        width, height, depth, colour, packing, filters, interlace = struct.unpack(">IIBBBBB", data)
        sensible = 0 < width < 1 << 31 and 0 < height < 1 << 31 and depth in DEPTHS.get(colour, ())
        if not sensible or packing or filters or interlace > 1:
            raise ArgumentError("damaged: its PNG header is wrong")
        self.header = Header(width, height, depth, colour, interlace)

    def _take_palette(self, data: bytes, header: Header) -> None:
        if header.colour == 3 and self.palette is None:
            colours = data[: 3 << header.depth]
            self.palette = np.frombuffer(colours[: len(colours) // 3 * 3], np.uint8).reshape(-1, 3).copy()
            if not len(self.palette):
                raise ArgumentError("damaged: its palette is empty")
        elif header.colour in (2, 6):  # a suggestion for screens of few colours
            self.kept.append((b"PLTE", data))

    def _take_animation(self, data: bytes) -> None:
        if self.parts[0].pieces or self.animation or len(data) != 8:
            self._note("its animation was dropped: its control chunk is wrong")
            self.animation = None
            return
        count, plays = struct.unpack(">II", data)
        if 0 < count < 1 << 31:
            self.animation = count, plays

    def _take_control(self, data: bytes, header: Header) -> None:
        if len(data) != 26:
            raise ArgumentError("damaged: a frame header of the animation is wrong")
        control = Control(*struct.unpack(">IIIIIHHBB", data))
        right, bottom = control.left + control.width, control.top + control.height
        if not control.width * control.height or right > header.width or bottom > header.height:
            raise ArgumentError("damaged: a frame of the animation exceeds the canvas")
        if control.disposal > 2 or control.blend > 1:
            raise ArgumentError("damaged: a frame header of the animation is wrong")
        if control.number < self._next_number:
            self._note("its frame numbers are wrong; file order was used")
        self._next_number = control.number + 1
        if not self.parts[0].pieces:
            self.parts[0] = Part(control, self.parts[0].pieces)
        elif self.parts[-1].pieces or len(self.parts) == 1:
            self.parts.append(Part(control, []))

    def _take_ancillary(self, kind: bytes, data: bytes, header: Header) -> None:
        try:
            if kind in SINGLE_CHUNKS and any(k == kind for k, _ in self.kept):
                raise ArgumentError("it is a duplicate")
            if kind == b"tRNS":
                self._take_transparency(data, header)
            else:
                png_metadata.read_chunk(kind, data, self.info)
        except ArgumentError as error:
            self._leave_out(kind, f"it is damaged ({error})")
            return
        if kind in REMADE_CHUNKS:
            return
        if kind in SIZE_INDEPENDENT_CHUNKS or kind[3:].islower():
            self.kept.append((kind, data))
        else:
            self._leave_out(kind, "it is unknown and may depend on the picture's size")

    def _take_transparency(self, data: bytes, header: Header) -> None:
        if self.parts[0].pieces:
            raise ArgumentError("it comes after the image")
        if header.colour == 3:
            if data and self.palette is not None:
                self.info["transparency"] = data[: len(self.palette)]
            return
        if header.colour not in (0, 2) or len(data) < (2 if header.colour == 0 else 6):
            raise ArgumentError("its length is wrong")
        # As libpng does, bits that no sample has are ignored; grey of few bits is read as 8 bits, and so is this.
        scale = 1 if header.depth >= 8 else 255 // ((1 << header.depth) - 1)
        stored = struct.unpack(">3H", data[:6]) if header.colour == 2 else struct.unpack(">H", data[:2])
        values = tuple(v % (1 << header.depth) * scale for v in stored)
        self.info["transparency"] = values[0] if header.colour == 0 else values

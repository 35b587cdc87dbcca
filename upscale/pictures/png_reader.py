"""PNG and APNG files to `Contents`: every chunk, every frame, and samples in their full depth.

The names of chunks, their layout and what colour types mean are those of the PNG specification, third edition (W3C, 2025).
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError
from upscale.pictures.formats import mode_of
from upscale.pictures.orientation import orientation
from upscale.pictures.picture import DISPOSALS, Contents, Frame, Picture
from upscale.pictures.png_writer import SIGNATURE, chunk

Array = NDArray[Any]

#: Colour model and number of samples a pixel by colour type.
_COLOURS = {0: ("L", 1), 2: ("RGB", 3), 3: ("P", 1), 4: ("LA", 2), 6: ("RGBA", 4)}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
#: Chunks that the writer makes anew from the picture.
_REMADE = (b"tRNS", b"acTL", b"fcTL", b"fdAT", b"PLTE", b"eXIf")
#: Known chunks that stay true when only the size changes, although their names do not say that they may be copied.
_STAY = (b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"bKGD", b"hIST", b"tIME", b"sPLT", b"cICP", b"mDCV", b"cLLI", b"mDCv",
         b"cLLi", b"pCAL", b"sCAL")  # fmt: skip
#: Lengths that chunks must have, by colour type where it matters.
_LENGTHS: dict[bytes, Callable[[int], tuple[int, ...]]] = {
    b"gAMA": lambda colour: (4,),
    b"cHRM": lambda colour: (32,),
    b"sRGB": lambda colour: (1,),
    b"pHYs": lambda colour: (9,),
    b"tIME": lambda colour: (7,),
    b"cICP": lambda colour: (4,),
    b"sBIT": lambda colour: ({0: 1, 2: 3, 3: 3, 4: 2, 6: 4}[colour],),
    b"bKGD": lambda colour: ({0: 2, 2: 6, 3: 1, 4: 2, 6: 6}[colour],),
}
#: No profile or text that is longer than this when it is inflated is looked at.
_LONGEST = 1 << 26
#: Bytes from which it pays to inflate data by another library, and of what may be in memory twice for a moment.
_TINY, _SMALL = 1 << 16, 1 << 25


class _Header(NamedTuple):
    width: int
    height: int
    depth: int
    colour: int
    interlace: int

    def packed(self, width: int, height: int) -> bytes:
        # Indices are decoded as if they were grey, so that they come as they are and not as colours.
        colour = 0 if self.colour == 3 else self.colour
        return struct.pack(">IIBBBBB", width, height, self.depth, colour, 0, 0, self.interlace)


class _Part(NamedTuple):
    """A frame's control chunk, if it has one, and where its compressed data lie."""

    control: tuple[int, ...] | None
    pieces: list[tuple[int, int]]


def read(stream: BinaryIO, note: Callable[[str], None]) -> Contents:
    """Read the chunks of a PNG file and find its frames; samples are decoded when they are asked for.

    Parameters
    ----------
    stream : binary file
        Seekable; stays open until the last frame has been decoded.
    note : callable
        Called with a line for what is broken but not needed.

    Raises
    ------
    ArgumentError
        Where the file is damaged.
    """
    return _File(stream, note).contents()


class _File:
    def __init__(self, stream: BinaryIO, note: Callable[[str], None]) -> None:
        self._stream, self._note = stream, note
        self._end = stream.seek(0, 2)
        stream.seek(len(SIGNATURE))
        self._header: _Header | None = None
        self._palette: Array | None = None
        self._animation: tuple[int, int] | None = None
        self._chunks: list[tuple[bytes, bytes]] = []
        self._info: dict[str, Any] = {}
        self._parts = [_Part(None, [])]
        self._numbered = 0
        self._walk()
        if self._header is None or not self._parts[0].pieces:
            raise ArgumentError("damaged: a PNG file without image data")
        if self._header.colour == 3 and self._palette is None:
            raise ArgumentError("damaged: its palette is missing")

    # Chunks ---------------------------------------------------------------------------------------------------------------

    def _walk(self) -> None:
        """Go through the chunks in their order; image data are only located."""
        while True:
            head = self._stream.read(8)
            if len(head) < 8:
                self._note("the file ends without PNG's end mark")
                return
            length, kind = int.from_bytes(head[:4], "big"), head[4:]
            if kind == b"IEND":
                return
            if not kind.isalpha() or not kind.isascii() or length >= 1 << 31:
                if not self._parts[0].pieces:
                    raise ArgumentError("damaged: something that is no PNG chunk stands before the image")
                self._note("what follows the image is no PNG chunk and was left out")
                return
            at = self._stream.tell()
            if kind in (b"IDAT", b"fdAT"):
                skip = 4 if kind == b"fdAT" else 0
                if skip and len(self._parts) == 1:
                    raise ArgumentError("damaged: frame data without a frame")
                self._parts[-1 if skip else 0].pieces.append((at + skip, max(0, length - skip)))
                self._stream.seek(at + length + 4)
                continue
            data, checksum = self._stream.read(min(length, self._end)), self._stream.read(4)
            if len(checksum) < 4:
                self._note(f"the file ends within its {kind.decode()} chunk")
                return
            if zlib.crc32(kind + data) != int.from_bytes(checksum, "big"):
                if kind[:1].isupper() or kind in (b"acTL", b"fcTL"):
                    raise ArgumentError(f"damaged: the checksum of its {kind.decode()} chunk is wrong")
                self._leave_out(kind, "its checksum is wrong")
                continue
            self._take(kind, data)

    def _leave_out(self, kind: bytes, why: str) -> None:
        self._note(f"its {kind.decode()} chunk was left out: {why}")

    def _take(self, kind: bytes, data: bytes) -> None:
        if kind == b"IHDR":
            self._take_header(data)
            return
        if self._header is None:
            raise ArgumentError("damaged: a PNG file must begin with its header")
        if kind == b"PLTE":
            if self._header.colour == 3 and self._palette is None:
                colours = data[: 3 << self._header.depth]
                self._palette = np.frombuffer(colours[: len(colours) // 3 * 3], np.uint8).reshape(-1, 3).copy()
                if not len(self._palette):
                    raise ArgumentError("damaged: its palette is empty")
            elif self._header.colour in (2, 6):  # a suggestion for screens of few colours
                self._chunks.append((kind, data))
        elif kind == b"acTL":
            self._take_animation(data)
        elif kind == b"fcTL":
            self._take_control(data)
        elif kind[:1].isupper():
            raise ArgumentError(f"is of a kind of PNG that cannot be read: it needs the chunk {kind.decode()}")
        else:
            self._take_ancillary(kind, data, self._header)

    def _take_header(self, data: bytes) -> None:
        if self._header is not None or len(data) != 13:
            raise ArgumentError("damaged: its PNG header is wrong")
        width, height, depth, colour, packing, filters, interlace = struct.unpack(">IIBBBBB", data)
        sensible = 0 < width < 1 << 31 and 0 < height < 1 << 31 and depth in _DEPTHS.get(colour, ())
        if not sensible or packing or filters or interlace > 1:
            raise ArgumentError("damaged: its PNG header is wrong")
        self._header = _Header(width, height, depth, colour, interlace)

    def _take_animation(self, data: bytes) -> None:
        if self._parts[0].pieces or self._animation or len(data) != 8:
            self._note("its animation was left out: the chunk that declares it is wrong")
            self._animation = None
            return
        count, plays = struct.unpack(">II", data)
        if 0 < count < 1 << 31:
            self._animation = count, plays

    def _take_control(self, data: bytes) -> None:
        if len(data) != 26:
            raise ArgumentError("damaged: an animation's frame is declared wrongly")
        control = struct.unpack(">IIIIIHHBB", data)
        assert self._header is not None
        number, width, height, left, top, _, _, disposal, blend = control
        if not width * height or left + width > self._header.width or top + height > self._header.height:
            raise ArgumentError("damaged: an animation's frame reaches beyond the canvas")
        if disposal > 2 or blend > 1:
            raise ArgumentError("damaged: an animation's frame is declared wrongly")
        if number < self._numbered:
            self._note("its frames are numbered wrongly, and are taken in the file's order")
        self._numbered = number + 1
        if not self._parts[0].pieces:
            self._parts[0] = _Part(control, self._parts[0].pieces)
        elif self._parts[-1].pieces or len(self._parts) == 1:
            self._parts.append(_Part(control, []))

    def _take_ancillary(self, kind: bytes, data: bytes, header: _Header) -> None:
        lengths = _LENGTHS.get(kind)
        if lengths and len(data) not in lengths(header.colour):
            self._leave_out(kind, "its length is wrong")
            return
        try:
            keep = self._understand(kind, data, header)
        except (ValueError, zlib.error, struct.error) as error:
            self._leave_out(kind, f"it is damaged ({error})")
            return
        if not keep or kind in _REMADE:
            return
        if kind in _STAY or kind[3:].islower():
            self._chunks.append((kind, data))
        else:
            self._leave_out(kind, "it is not known here, and may depend on the size")

    def _understand(self, kind: bytes, data: bytes, header: _Header) -> bool:
        """Take out of a chunk what other formats hold as well; say whether PNG's own copy stays."""
        info = self._info
        if kind in (b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"iCCP", b"eXIf", b"bKGD", b"sBIT", b"hIST") and any(
            k == kind for k, _ in self._chunks
        ):
            raise ValueError("it is the second of its kind")
        if kind == b"tRNS":
            self._take_transparency(data, header)
        elif kind == b"gAMA":
            info["gamma"] = int.from_bytes(data, "big") / 100000
        elif kind == b"cHRM":
            info["chromaticity"] = tuple(v / 100000 for v in struct.unpack(">8I", data))
        elif kind == b"sRGB":
            info["srgb"] = data[0]
        elif kind == b"pHYs" and data[8] == 1:
            info["dpi"] = tuple(v * 0.0254 for v in struct.unpack(">II", data[:8]))
        elif kind == b"iCCP":
            name, _, packed = data.partition(b"\0")
            if not name or packed[:1] != b"\0":
                raise ValueError("it has no name")
            info["icc_profile"] = _inflated(packed[1:])
        elif kind == b"eXIf":
            info["exif"] = b"Exif\0\0" + data.removeprefix(b"Exif\0\0")
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            key, text = _text(kind, data)
            if key == "XML:com.adobe.xmp":
                info.setdefault("xmp", text.encode())
            else:
                info.setdefault("text", {})[key] = text
        return True

    def _take_transparency(self, data: bytes, header: _Header) -> None:
        if self._parts[0].pieces:
            raise ValueError("it stands behind the image")
        if header.colour == 3:
            if data and self._palette is not None:
                self._info["transparency"] = data[: len(self._palette)]
            return
        if header.colour not in (0, 2) or len(data) < (2 if header.colour == 0 else 6):
            raise ValueError("its length is wrong")
        # As libpng does, bits that no sample has are ignored; grey of few bits is read as 8 bits, and so is this.
        scale = 1 if header.depth >= 8 else 255 // ((1 << header.depth) - 1)
        stored = struct.unpack(">3H", data[:6]) if header.colour == 2 else struct.unpack(">H", data[:2])
        values = tuple(v % (1 << header.depth) * scale for v in stored)
        self._info["transparency"] = values[0] if header.colour == 0 else values

    # Pictures -------------------------------------------------------------------------------------------------------------

    def contents(self) -> Contents:
        assert self._header is not None
        header = self._header
        if header.depth < 8 and header.colour in (0, 3):
            self._info["bits"] = header.depth
        elif header.colour == 3:
            self._info["bits"] = 8
        self._info["chunks"] = tuple(self._chunks)
        self._info["model"] = "1" if (header.colour, header.depth) == (0, 1) else _COLOURS[header.colour][0], header.depth
        frames, turned = self._frames(), orientation(self._info)
        size = header.height, header.width
        pixel_bytes = _COLOURS[header.colour][1] * (2 if header.depth == 16 else 1)
        if not frames:
            return Contents("PNG", size, pixel_bytes, lambda: iter([Frame(self._decoded(self._parts[0]))]), orientation=turned)
        cover = None if frames[0] is self._parts[0] else lambda: self._decoded(self._parts[0])
        assert self._animation is not None
        return Contents(
            "PNG", size, pixel_bytes, lambda: self._composed(frames), "animation", len(frames),
            lambda: (self._frame(part) for part in frames), cover, self._animation[1], orientation=turned,
        )  # fmt: skip

    def _frames(self) -> list[_Part]:
        """Find the frames of an animation; none where there is no animation."""
        if self._animation is None:
            return []
        frames = [part for part in self._parts if part.control is not None and part.pieces]
        if len(frames) != self._animation[0]:
            self._note(f"declares {self._animation[0]} frames and has {len(frames)}")
        if frames and frames[0] is self._parts[0]:
            assert self._header is not None and frames[0].control is not None
            if frames[0].control[1:5] != (self._header.width, self._header.height, 0, 0):
                raise ArgumentError("damaged: its first frame is not as large as the canvas")
        return frames[: self._animation[0]]

    def _frame(self, part: _Part) -> Frame:
        assert part.control is not None
        _, _, _, left, top, numerator, denominator, disposal, blend = part.control
        return Frame(self._decoded(part), (numerator, denominator or 100), left, top, DISPOSALS[disposal], blend == 1)

    def _composed(self, parts: list[_Part]) -> Iterator[Frame]:
        """Lay the parts onto the canvas as a viewer does."""
        from upscale.pictures.mode_conversion import canvas, laid_over, whole

        assert self._header is not None
        board: Array | None = None
        before: Array | None = None
        for number, part in enumerate(parts):
            frame = self._frame(part)
            picture = whole(frame.picture)
            samples, height, width = picture.samples, *picture.samples.shape[:2]
            if board is None:
                board = canvas(picture, (self._header.height, self._header.width))
                if frame.disposal == "restore":  # to before the first frame, when nothing was there
                    frame = frame._replace(disposal="clear")
            place = board[frame.top : frame.top + height, frame.left : frame.left + width]
            before = place.copy() if frame.disposal == "restore" else None
            place[:] = laid_over(samples, place, picture.full) if frame.over else samples
            info = frame.picture.info if number == 0 else {}
            yield Frame(picture.with_samples(board.copy())._replace(info=picture.with_info(**info).info), frame.delay)
            if frame.disposal == "clear":
                place[:] = 0
            elif before is not None:
                place[:] = before

    def _decoded(self, part: _Part) -> Picture:
        assert self._header is not None
        header = self._header
        width, height = part.control[1:3] if part.control else (header.width, header.height)
        samples = self._samples(part, width, height)
        base, channels = _COLOURS[header.colour]
        if samples.shape != ((height, width, channels) if channels > 1 else (height, width)):
            raise ArgumentError("damaged: its image data do not fit its header")
        if header.colour == 3:
            samples //= 255 // ((1 << header.depth) - 1)
        elif header.depth == 1:
            return Picture(samples > 0, "1", None, self._info)
        return Picture(samples, mode_of(base, samples.dtype) or "", self._palette, self._info)

    def _samples(self, part: _Part, width: int, height: int) -> Array:
        import imagecodecs

        from upscale.pictures.captured_stderr import decoder_heard

        assert self._header is not None
        header = chunk(b"IHDR", self._header.packed(width, height))
        # Not by way of a name: what is compressed may be large, and one copy of it is enough while it is decoded.
        data = self._inflated(b"".join(self._pieces(part)), width, height)
        smallest = b"".join((SIGNATURE, header, chunk(b"IDAT", data), chunk(b"IEND")))
        del data
        try:
            with decoder_heard() as said:
                samples: Array = imagecodecs.png_decode(smallest)
        except imagecodecs.PngError as error:
            raise ArgumentError(f"damaged: its image data cannot be decoded ({' '.join(str(error).split()[-8:])})") from error
        for line in said:
            if "nterlace" not in line:  # which the decoder does handle
                self._note(f"perhaps damaged: its decoder says {line!r}")
        return samples

    def _inflated(self, data: bytes, width: int, height: int) -> bytes:
        """Inflate the data of a small picture, and leave them so, since libdeflate takes half of the decoder's time for it.

        What is not as it should be is left to the decoder, which says why, or knows better.
        """
        import imagecodecs

        assert self._header is not None
        bits = _COLOURS[self._header.colour][1] * self._header.depth
        size = height * (1 + -(-width * bits // 8))
        if self._header.interlace or not _TINY <= size <= _SMALL:
            return data
        try:
            rows = imagecodecs.deflate_decode(data, out=size)
        except imagecodecs.DeflateError:
            return data
        return zlib.compress(rows, 0) if len(rows) == size else data

    def _pieces(self, part: _Part) -> Iterator[bytes]:
        """Read a frame's compressed data; where a checksum is wrong, look whether the data are."""
        from zlib_ng import zlib_ng

        wrong = False
        pieces = []
        for at, length in part.pieces:
            kind_at = at - 4 if part is self._parts[0] else at - 8  # frame data begin with a number
            self._stream.seek(kind_at)
            stored = self._stream.read(at - kind_at + length)
            checksum = self._stream.read(4)
            if len(checksum) < 4:
                raise ArgumentError("damaged: the file ends within its image data")
            wrong |= zlib_ng.crc32(stored) != int.from_bytes(checksum, "big")
            pieces.append(stored[at - kind_at :])
        if wrong:
            try:
                unpacker = zlib.decompressobj()
                for piece in pieces:  # in small steps, for what comes out is not needed
                    while piece:
                        unpacker.decompress(piece, 1 << 20)
                        piece = unpacker.unconsumed_tail
                unpacker.flush()
                whole = unpacker.eof
            except zlib.error:
                whole = False
            if not whole:
                raise ArgumentError("damaged: the checksum of its image data is wrong")
            self._note("a checksum of its image data is wrong, although the data are whole")
        yield from pieces


def _inflated(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(data, _LONGEST)
    if not unpacker.eof:
        raise ValueError("it is cut off or too long")
    return text


def _text(kind: bytes, data: bytes) -> tuple[str, str]:
    """Read a text chunk as keyword and text."""
    key, _, rest = data.partition(b"\0")
    if kind == b"tEXt":
        return key.decode("latin-1"), rest.decode("latin-1")
    if kind == b"zTXt":
        return key.decode("latin-1"), _inflated(rest[1:]).decode("latin-1")
    packed, rest = rest[:1] == b"\1", rest[2:]
    _, _, rest = rest.partition(b"\0")
    _, _, text = rest.partition(b"\0")
    return key.decode("latin-1"), (_inflated(text) if packed else text).decode()

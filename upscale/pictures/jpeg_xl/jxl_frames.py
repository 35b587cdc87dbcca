"""The frames of a JPEG XL codestream: where each begins and how long it is shown (ISO/IEC 18181-1, annex F)."""

from typing import NamedTuple

from upscale.errors import ArgumentError
from upscale.pictures.jpeg_xl.jxl_bits import BitReader
from upscale.pictures.jpeg_xl.jxl_entropy import Decoder
from upscale.pictures.jpeg_xl.jxl_header import Header


class FrameHeader(NamedTuple):
    """Where a frame lies, and for how long it is shown.

    Attributes
    ----------
    begin, end : int
        In bytes.
    shown : bool
        It is a frame that is shown, and not one that others refer to.
    ticks : int
        For how long; 0 where the next one is drawn over it at once.
    ticks_at : int
        Where that number begins, in bits after the frame's beginning; 0 where there is none.
    is_last : bool
    """

    begin: int
    end: int
    shown: bool
    ticks: int
    ticks_at: int
    is_last: bool


def read_frames(data: bytes, header: Header) -> list[FrameHeader]:
    """Find all frames of a codestream.

    Raises
    ------
    ArgumentError
        Where a header is damaged, or the data end before the last frame does.
    """
    frames: list[FrameHeader] = []
    at = header.frames
    if header.preview:
        at = _read_frame(data, at, header._replace(size=header.preview, ticks=(0, 1))).end
    while not frames or not frames[-1].is_last:
        frames.append(_read_frame(data, at, header))
        at = frames[-1].end
    return frames


class _Layout:
    """The fields of a frame's header that decide how many parts it has.

    Parameters
    ----------
    reader : BitReader
    header : Header
    """

    kind, modular, low_frequency_frame, upsampling, group, passes, level, shift = 0, False, False, 1, 256, 1, 0, (0, 0)
    is_last, ticks, ticks_at = True, 0, 0

    def __init__(self, reader: BitReader, header: Header) -> None:
        self._reader, self._header, self.size = reader, header, header.size
        if not reader.flag():
            self._coding()
            self._place()
            self._end()

    def _coding(self) -> None:
        """Read kind and coding."""
        reader, header = self._reader, self._header
        self.kind, self.modular = reader.bits(2), reader.flag()
        self.low_frequency_frame = bool(reader.long() & 32)
        ycbcr = not header.xyb and reader.flag()
        if ycbcr and not self.low_frequency_frame:
            modes = [reader.bits(2) for _ in range(3)]
            self.shift = max((0, 1, 0, 1)[m] for m in modes), max((0, 1, 1, 0)[m] for m in modes)
        if not self.low_frequency_frame:
            self.upsampling = reader.choice(1, 2, 4, 8)
            reader.skip(2 * len(header.extra))
        if self.modular:
            self.group = 128 << reader.bits(2)
        elif header.xyb:
            reader.skip(6)
        if self.kind != 2:
            self.passes = reader.choice(1, 2, 3, (3, 4))
            if self.passes > 1:
                reduced = reader.choice(0, 1, 2, (1, 3))
                reader.skip(2 * (self.passes - 1) + 2 * reduced)
                for _ in range(reduced):
                    reader.choice(0, 1, 2, (3, 0))
        if self.kind == 1:
            self.level = reader.choice(1, 2, 3, 4)

    def _place(self) -> None:
        """Read place, blending, time and what later frames refer to."""
        reader, header = self._reader, self._header
        shown, partial, plain = self.kind in (0, 3), False, True
        if self.kind != 1 and reader.flag():
            numbers = [reader.choice((8, 0), (11, 256), (14, 2304), (30, 18688)) for _ in range(4 if shown else 2)]
            width, height = numbers[-2:]
            if not width * height:
                raise ArgumentError("damaged: a frame has no size")
            self.size = height, width
            if shown:
                left, top = (-(v + 1) // 2 if v & 1 else v // 2 for v in numbers[:2])
                partial = left > 0 or top > 0 or left + width < header.size[1] or top + height < header.size[0]
        self.is_last = False
        if shown:
            modes = [self._blending(partial) for _ in range(1 + len(header.extra))]
            plain = modes[0] == 0
            if header.animated:
                self.ticks_at = reader.at
                self.ticks = reader.choice(0, 1, (8, 0), (32, 0))
                reader.skip(32 * header.timecodes)
            self.is_last = reader.flag()
        saved = reader.bits(2) if self.kind != 1 and not self.is_last else 0
        referred = self.kind != 1 and not self.is_last and (self.ticks == 0 or saved != 0)
        if (referred and plain and not partial and shown) or self.kind == 2:
            reader.skip(1)

    def _blending(self, partial: bool) -> int:
        reader, extra = self._reader, self._header.extra
        mode = reader.choice(0, 1, 2, (2, 3))
        by_alpha = bool(extra) and mode in (2, 3)
        if by_alpha:
            reader.choice(0, 1, 2, (3, 3))
        if by_alpha or mode == 4:
            reader.skip(1)
        if mode != 0 or partial:
            reader.skip(2)
        return mode

    def _end(self) -> None:
        """Pass over the name and the filters."""
        reader = self._reader
        reader.skip(8 * reader.choice(0, (4, 0), (5, 16), (10, 48)))
        if not reader.flag():
            if reader.flag() and reader.flag():
                reader.skip(6 * 16)
            if reader.bits(2):
                if not self.modular and reader.flag():
                    reader.skip(8 * 16)
                if reader.flag():
                    reader.skip(5 * 16)
                if reader.flag():
                    reader.skip((3 if self.modular else 4) * 16)
                if self.modular:
                    reader.skip(16)
            reader.skip_extensions()
        reader.skip_extensions()

    def parts(self) -> int:
        """Count the entries of the table of contents."""
        height, width = (_divided(_divided(side, self.upsampling), 1 << 3 * self.level) for side in self.size)
        groups = _divided(height, self.group) * _divided(width, self.group)
        if groups == 1 and self.passes == 1:
            return 1
        low = 1
        for side, shift in zip((height, width), self.shift, strict=True):
            low *= _divided(_divided(side, 8 << shift) << shift, self.group)
        return 2 + low + groups * self.passes


def _divided(number: int, divisor: int) -> int:
    """Divide, and round up."""
    return -(-number // divisor)


def _read_frame(data: bytes, begin: int, header: Header) -> FrameHeader:
    reader = BitReader(data, 8 * begin)
    layout = _Layout(reader, header)
    entries = layout.parts()
    if entries > 1 << 16 or entries > len(data):
        raise ArgumentError("damaged: a frame has an impossible number of parts")
    if reader.flag():  # in another order, which the decoder needs
        decoder = Decoder(reader, 8)
        last = 0
        for _ in range(min(decoder.number(min(entries.bit_length(), 7)), entries)):
            last = decoder.number(min(last.bit_length(), 7))
        decoder.check_end()
    reader.to_byte()
    length = sum(reader.choice((10, 0), (14, 1024), (22, 17408), (30, 4211712)) for _ in range(entries))
    end = reader.to_byte() + length
    if end > len(data):
        raise ArgumentError("damaged: the file ends inside a frame")
    shown = layout.kind in (0, 3)
    return FrameHeader(begin, end, shown, layout.ticks, layout.ticks_at - 8 * begin, layout.is_last)

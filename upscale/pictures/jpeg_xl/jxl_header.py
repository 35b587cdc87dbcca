"""The header of a JPEG XL codestream, which libjxl's decoder in imagecodecs does not report (ISO/IEC 18181-1, annex D).

Its fields begin at any bit, and most of them are left out where they have their
default, so all are read to find the few that matter: size, depth, colours and animation.
"""

from typing import NamedTuple

from upscale.errors import ArgumentError
from upscale.pictures.jpeg_xl.jxl_bits import BitReader
from upscale.pictures.jpeg_xl.jxl_icc import read_profile

#: How a codestream begins.
MAGIC = b"\xff\x0a"
RGB, GREY = 0, 1
#: Kinds of extra channels.
ALPHA, SPOT, BLACK = 0, 2, 4
CHANNELS = {1: "depth", 3: "selection", 5: "filter array", 6: "thermal"}
_D65, _CUSTOM, _EQUAL, _DCI = 1, 2, 10, 11
_WHITES = {_D65: (0.3127, 0.329), _EQUAL: (1 / 3, 1 / 3), _DCI: (0.314, 0.351)}
_SIZES = (9, 1), (13, 1), (18, 1), (30, 1)
_PREVIEW_SIZES, _PREVIEW_EIGHTHS = ((6, 1), (8, 65), (10, 321), (12, 1345)), (16, 32, (5, 1), (9, 33))
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}


class Colours(NamedTuple):
    """A colour space.

    Attributes
    ----------
    space : int
        RGB, GREY or others.
    white : (float, float)
        x and y.
    primaries : int or tuple of (float, float)
        The number in H.273, or x and y of red, green and blue.
    transfer : int
        The number in H.273; 0 where there is a gamma.
    gamma : float
        The exponent from light to samples.
    has_profile : bool
        A profile says it.
    """

    space: int = RGB
    white: tuple[float, float] = _WHITES[_D65]
    primaries: int | tuple[tuple[float, float], ...] = 1
    transfer: int = 13
    gamma: float = 0.0
    has_profile: bool = False


class Header(NamedTuple):
    """What a codestream says before its frames.

    Attributes
    ----------
    size : (int, int)
        Height and width as they are stored.
    orientation : int
        1 to 8 as in EXIF; the decoder applies it.
    bits : int
        Of a sample.
    floats : bool
    extra : tuple of int
        The kinds of the extra channels.
    dim_shifts : tuple of int
        Of the extra channels: by how many bits their sides are shorter.
    associated : bool
        Whether colours are multiplied by alpha.
    xyb : bool
        The samples are those of a colour space of JPEG XL's own.
    colours : Colours
    colours_at : (int, int)
        Where the colours begin and end, in bits.
    profile : bytes
    ticks : (int, int)
        Ticks in a second of an animation, as a fraction; (0, 1) for a still picture.
    ticks_at : (int, int)
        Where these and the number of loops begin and end, in bits.
    plays : int
        How often it is played, 0 for ever.
    timecodes : bool
    preview : (int, int) or None
        Height and width of a preview.
    plain_end : int
        Where the header without the profile ends, in bits.
    frames : int
        Where the frames begin, in bytes.
    """

    size: tuple[int, int]
    orientation: int = 1
    bits: int = 8
    floats: bool = False
    extra: tuple[int, ...] = ()
    dim_shifts: tuple[int, ...] = ()
    associated: bool = False
    xyb: bool = True
    colours: Colours = Colours()
    colours_at: tuple[int, int] = (0, 0)
    profile: bytes = b""
    ticks: tuple[int, int] = (0, 1)
    ticks_at: tuple[int, int] = (0, 0)
    plays: int = 0
    timecodes: bool = False
    preview: tuple[int, int] | None = None
    plain_end: int = 0
    frames: int = 0

    @property
    def channels(self) -> int:
        """How many channels the decoded picture has: colours, and alpha if there is one."""
        return (1 if self.colours.space == GREY else 3) + (ALPHA in self.extra)

    @property
    def animated(self) -> bool:
        """Whether the frames follow each other in time."""
        return self.ticks[0] > 0


def read_header(data: bytes) -> Header:
    """Read the header of a codestream.

    Raises
    ------
    ArgumentError
        Where it is damaged.
    """
    if not data.startswith(MAGIC):
        raise ArgumentError("damaged: there is no JPEG XL codestream in it")
    reader = BitReader(data, 16)
    header = Header(_read_size(reader))
    if not reader.flag():
        header = _read_metadata(reader, header)
    _skip_transforms(reader, header.xyb)
    header = header._replace(plain_end=reader.at)
    if header.colours.has_profile and BLACK not in header.extra:  # profiles of CMYK are large, and such pictures are refused
        header = header._replace(profile=read_profile(reader))
    return header._replace(frames=reader.to_byte())


def _read_size(reader: BitReader) -> tuple[int, int]:
    eighths = reader.flag()
    height = 8 * (reader.bits(5) + 1) if eighths else reader.choice(*_SIZES)
    ratio = reader.bits(3)
    if ratio:
        above, below = _RATIOS[ratio]
        return height, height * above // below
    return height, 8 * (reader.bits(5) + 1) if eighths else reader.choice(*_SIZES)


def _read_preview(reader: BitReader) -> tuple[int, int]:
    unit, choices = (8, _PREVIEW_EIGHTHS) if reader.flag() else (1, _PREVIEW_SIZES)
    height = unit * reader.choice(*choices)
    ratio = reader.bits(3)
    if ratio:
        above, below = _RATIOS[ratio]
        return height, height * above // below
    return height, unit * reader.choice(*choices)


def _read_depth(reader: BitReader) -> tuple[int, bool]:
    if reader.flag():
        bits = reader.choice(32, 16, 24, (6, 1))
        reader.skip(4)
        return bits, True
    return reader.choice(8, 10, 12, (6, 1)), False


def _read_metadata(reader: BitReader, header: Header) -> Header:
    more = reader.flag()
    if more:
        header = header._replace(orientation=reader.bits(3) + 1)
        if reader.flag():
            _read_size(reader)  # the size that it should be shown with
        if reader.flag():
            header = header._replace(preview=_read_preview(reader))
        if reader.flag():
            begin = reader.at
            ticks = reader.choice(100, 1000, (10, 1), (30, 1)), reader.choice(1, 1001, (8, 1), (10, 1))
            plays = reader.choice(0, (3, 0), (16, 0), (32, 0))
            header = header._replace(ticks=ticks, plays=plays, timecodes=reader.flag(), ticks_at=(begin, reader.at))
    bits, floats = _read_depth(reader)
    reader.skip(1)  # whether 16 bits suffice for decoding
    extra, shifts, associated = [], [], False
    for _ in range(reader.choice(0, 1, (4, 2), (12, 1))):
        kind, shift, multiplied = _read_extra_channel(reader)
        extra.append(kind)
        shifts.append(shift)
        associated = associated or multiplied
    xyb = reader.flag()
    begin = reader.at
    colours = _read_colours(reader)
    at = begin, reader.at
    if more and not reader.flag():  # of screens
        reader.skip(16 + 16 + 1 + 16)
    reader.skip_extensions()
    header = header._replace(bits=bits, floats=floats, extra=tuple(extra), dim_shifts=tuple(shifts), associated=associated)
    return header._replace(xyb=xyb, colours=colours, colours_at=at)


def _read_extra_channel(reader: BitReader) -> tuple[int, int, bool]:
    """Return its kind, by how many bits its sides are shorter, and whether colours are multiplied by it."""
    if reader.flag():
        return ALPHA, 0, False
    kind = reader.enum()
    _read_depth(reader)
    shift = reader.choice(0, 3, 4, (3, 1))
    reader.skip(8 * reader.choice(0, (4, 0), (5, 16), (10, 48)))  # its name
    multiplied = kind == ALPHA and reader.flag()
    if kind == SPOT:
        reader.skip(4 * 16)
    elif kind == 5:
        reader.choice(1, (2, 0), (4, 3), (8, 19))
    return kind, shift, multiplied


def _read_colours(reader: BitReader) -> Colours:
    if reader.flag():
        return Colours()
    has_profile, space = reader.flag(), reader.enum()
    if has_profile or space == 2:  # the last one, JPEG XL's own, has no other fields but its rendering intent
        if not has_profile:
            reader.enum()
        return Colours(space, has_profile=has_profile)
    kind = reader.enum()
    white = _read_point(reader) if kind == _CUSTOM else _WHITES.get(kind, _WHITES[_D65])
    primaries: int | tuple[tuple[float, float], ...] = 1
    if space != GREY:
        primaries = reader.enum()
        if primaries == _CUSTOM:
            primaries = tuple(_read_point(reader) for _ in range(3))
        elif primaries == 11:  # those of P3, with any white
            primaries = 12
    gamma = reader.bits(24) / 1e7 if reader.flag() else 0.0
    transfer = 0 if gamma else reader.enum()
    reader.enum()
    return Colours(space, white, primaries, transfer, gamma)


def _read_point(reader: BitReader) -> tuple[float, float]:
    values = [reader.choice((19, 0), (19, 524288), (20, 1048576), (21, 2097152)) for _ in range(2)]
    x, y = ((-(v + 1) // 2 if v & 1 else v // 2) / 1e6 for v in values)
    return x, y


def _skip_transforms(reader: BitReader, xyb: bool) -> None:
    if reader.flag():
        return
    if xyb and not reader.flag():
        reader.skip(16 * (9 + 3 + 4))
    custom = reader.bits(3)
    reader.skip(16 * sum(number for bit, number in enumerate((15, 55, 210)) if custom >> bit & 1))

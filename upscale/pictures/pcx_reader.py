"""PCX pictures and DCX, a container of their pages: 1 to 8 bits in 1 to 4 planes, with the palettes of CGA, EGA and VGA.

Pillow lacks 2 and 4 bits, 3 planes of 1 bit, and the standard palette of files without one. The layout is that of ZSoft's PCX
technical reference manual.
"""

import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError
from upscale.pictures.picture import FileContents, Frame, Picture

Array = NDArray[Any]
Note = Callable[[str], None]

#: How a DCX file begins.
_DCX = b"\xb1\x68\xde\x3a"
_HEADER = 128
_MOST_PAGES = 1023
#: So many bytes are decoded at once.
_PART = 1 << 18
#: A byte of this size or more is a count, in its lower bits, of the byte behind it.
_COUNT = 0xC0
_VGA_PALETTE, _VGA_MARK = 769, 12
#: Bits and planes, and the mode of the picture.
_MODES = {
    (1, 1): "1", (1, 2): "P", (1, 3): "P", (1, 4): "P", (2, 1): "P", (4, 1): "P", (8, 1): "P", (8, 3): "RGB", (8, 4): "RGBA",
}  # fmt: skip
#: Programs of these versions store a palette.
_WITH_PALETTE = (2, 5)
#: The standard colours of CGA and EGA.
_STANDARD = np.array([
    (0, 0, 0), (0, 0, 170), (0, 170, 0), (0, 170, 170), (170, 0, 0), (170, 0, 170), (170, 85, 0), (170, 170, 170),
    (85, 85, 85), (85, 85, 255), (85, 255, 85), (85, 255, 255), (255, 85, 85), (255, 85, 255), (255, 255, 85),
    (255, 255, 255),
], np.uint8)  # fmt: skip


class Header(NamedTuple):
    """The header of a picture; `stride` is the bytes of a row of a plane, `colours` are 16 colours of 3 bytes."""

    version: int
    encoded: bool
    bits: int
    planes: int
    height: int
    width: int
    dpi: tuple[int, int]
    colours: bytes
    stride: int

    @property
    def mode(self) -> str:
        """The mode of the picture."""
        return _MODES[self.bits, self.planes]


def read(stream: BinaryIO, note: Note) -> FileContents:
    """Read the headers of a PCX or DCX file; pages are decoded when they are requested.

    Parameters
    ----------
    stream : binary file
        Seekable; stays open until the last page has been decoded.
    note : callable
        Called with a line for what is lost.

    Raises
    ------
    ArgumentError
        Where the file is damaged or not supported.
    """
    data = stream.read()
    is_dcx = data.startswith(_DCX)
    starts = _page_starts(data) if is_dcx else [0]
    ends = [min((s for s in starts if s > start), default=len(data)) for start in starts]
    first = _parsed(data[starts[0] : ends[0]])

    def frames() -> Iterator[Frame]:
        for start, end in zip(starts, ends, strict=True):
            page = data[start:end]
            yield Frame(_decode(page, _parsed(page)))

    form, kind = ("DCX" if is_dcx else "PCX"), ("pages" if len(starts) > 1 else "picture")
    return FileContents(form, (first.height, first.width), max(1, first.planes), frames, kind, len(starts), mode=first.mode)


def _page_starts(data: bytes) -> list[int]:
    words: list[int] = np.frombuffer(data[4 : 4 + 4 * _MOST_PAGES], "<u4", min(_MOST_PAGES, (len(data) - 4) // 4)).tolist()
    starts = words[: words.index(0)] if 0 in words else words
    if not starts or max(starts) >= len(data):
        raise ArgumentError("damaged: its list of pages is wrong")
    return starts


def _parsed(data: bytes) -> Header:
    """Parse a picture's header."""
    if len(data) < _HEADER or data[0] != 10:
        raise ArgumentError("damaged: the file has no complete PCX header")
    version, encoded, bits, left, top, right, bottom, x, y = struct.unpack_from("<3B6H", data, 1)
    planes, stride = struct.unpack_from("<BH", data, 65)
    width, height = right - left + 1, bottom - top + 1
    if width < 1 or height < 1:
        raise ArgumentError("damaged: its width or height is not positive")
    if (bits, planes) not in _MODES or encoded > 1:
        raise ArgumentError(
            f"is a PCX file that is not supported: it has {planes} planes of {bits} bits; convert it to PNG first"
        )
    needed = (width * bits + 7) // 8
    stride = stride if stride >= needed else needed + needed % 2
    return Header(version, encoded == 1, bits, planes, height, width, (x, y), data[16:64], stride)


def _decode(data: bytes, header: Header) -> Picture:
    height, width, planes = header.height, header.width, header.planes
    total = height * planes * header.stride
    palette = _vga_palette(data) if (header.bits, planes) == (8, 1) else None
    stored = np.frombuffer(data, np.uint8)[_HEADER : None if palette is None else -_VGA_PALETTE]
    stored = _expanded(stored, total) if header.encoded else stored
    if len(stored) < total:
        raise ArgumentError("damaged: the file ends inside its samples")
    rows = stored[:total].reshape(height, planes, header.stride)
    if header.bits < 8:
        per_byte = 8 // header.bits
        shifts = np.arange(per_byte - 1, -1, -1, dtype=np.uint8) * np.uint8(header.bits)
        rows = ((rows[..., None] >> shifts) & np.uint8((1 << header.bits) - 1)).reshape(height, planes, -1)
    rows = rows[..., :width]
    info = {"dpi": header.dpi} if all(header.dpi) else {}
    if header.mode in ("RGB", "RGBA"):
        return Picture(np.ascontiguousarray(np.moveaxis(rows, 1, 2)), header.mode, None, info)
    if header.mode == "1":
        return Picture(np.ascontiguousarray(rows[:, 0]) == 1, "1", None, info)
    # Each plane is one bit of the index.
    indices = np.bitwise_or.reduce(rows << np.arange(planes, dtype=np.uint8)[:, None], axis=1)
    if header.bits == 8:
        is_grey = palette is None or (palette == np.arange(256, dtype=np.uint8)[:, None]).all()
        return Picture(indices, "L" if is_grey else "P", None if is_grey else palette, info)
    return Picture(indices, "P", _palette(header)[: 1 << (header.bits * planes)], info)


def _expanded(data: Array, size: int) -> Array:
    """Undo run lengths, up to a size or a little more."""
    parts, at, done = [], 0, 0
    while at < len(data) and done < size:
        part, used = _expanded_part(data[at : at + _PART])
        parts.append(part)
        at, done = at + used, done + len(part)
    return np.concatenate(parts) if parts else data


def _expanded_part(data: Array) -> tuple[Array, int]:
    """Undo the run lengths of many bytes at once; return the values, and how many bytes were used.

    Of bytes in a row that look like counts, the first one is a count, the next is what it counts, and so on.
    """
    large = data >= _COUNT
    positions = np.arange(len(data), dtype=np.int32)
    begins = large & ~np.concatenate(([False], large[:-1]))
    within = positions - np.maximum.accumulate(np.where(begins, positions, 0))
    is_count = large & (within % 2 == 0)
    counts = np.ones(len(data), np.uint8)
    counts[1:][is_count[:-1]] = data[:-1][is_count[:-1]] - _COUNT
    return np.repeat(data[~is_count], counts[~is_count]), max(1, len(data) - bool(is_count[-1]))


def _vga_palette(data: bytes) -> Array | None:
    """Return the palette of 256 colours at the end of the file; None where there is none."""
    if len(data) < _HEADER + _VGA_PALETTE or data[-_VGA_PALETTE] != _VGA_MARK:
        return None
    return np.frombuffer(data[-_VGA_PALETTE + 1 :], np.uint8).reshape(256, 3)


def _palette(header: Header) -> Array:
    """Return the palette of up to 16 colours."""
    stored = np.frombuffer(header.colours, np.uint8).reshape(16, 3)
    if header.bits == 2 and not stored[2:4].any():
        return _cga_palette(header)
    return stored if header.version in _WITH_PALETTE else _STANDARD


def _cga_palette(header: Header) -> Array:
    """Return the 4 colours of CGA, of which the header says only which.

    The first byte is the background. Versions 2 to 4 of PC Paintbrush store two bits that are the card's; the fourth compares
    the second colour's green with its blue instead, and stores whether it is bright.
    """
    background, choice, green, blue = header.colours[0] >> 4, header.colours[3], header.colours[4], header.colours[5]
    if header.version == 5:
        cyan, bright = green <= blue, max(green, blue) > 200
    else:
        cyan, bright = bool(choice & 64), bool(choice & 32)
    colours = np.array([background, *((3, 5, 7) if cyan else (2, 4, 6))])
    colours[1:] += 8 * bright
    palette: Array = _STANDARD[colours]
    return palette

"""FITS, the format of astronomers: a picture of two axes in the first unit that has one (FITS Standard 4.0).

Pillow ignores how the values are scaled and signed, and reads only the first plane of a cube.
"""

import math
from collections.abc import Callable, Mapping
from typing import BinaryIO

import numpy as np

from upscale.errors import ArgumentError
from upscale.pictures.formats import mode_of
from upscale.pictures.picture import CHANNELS, FileContents, Frame, Picture

Note = Callable[[str], None]
Header = Mapping[str, str]

#: Headers and data take whole blocks; a header's lines are cards.
_BLOCK, _CARD = 2880, 80
#: A longer header is not one.
_MOST_BLOCKS = 1000
_DTYPES = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
#: Unsigned integers, which FITS stores as signed ones with this offset, and signed bytes, the other way round.
_OFFSETS = {(8, -128.0): "i1", (16, 32768.0): "u2", (32, 2147483648.0): "u4", (64, 9223372036854775808.0): "u8"}


def read(stream: BinaryIO, note: Note) -> FileContents:
    """Read a file's headers; the samples are read when they are requested.

    Parameters
    ----------
    stream : binary file
        Seekable; stays open until the picture has been taken.
    note : callable
        Called with a line for what is left out.

    Raises
    ------
    ArgumentError
        Where the file is damaged, or has no picture of two axes and plain values.
    """
    size = stream.seek(0, 2)
    at, found, others = 0, None, 0
    while at < size:
        header, at = _header(stream, at)
        axes = _axes(header)
        length = abs(_number(header, "BITPIX", 8)) // 8 * math.prod(axes) if axes else 0
        if found is None and axes and header.get("XTENSION", "IMAGE") == "IMAGE":
            found = header, axes, at
        elif axes:
            others += 1
            if found is None and header.get("ZIMAGE") == "T":
                raise ArgumentError("not supported: a compressed FITS picture; unpack it first, for example with funpack")
        at += -(-(length + _number(header, "PCOUNT")) // _BLOCK) * _BLOCK
    if found is None:
        raise ArgumentError("has no picture that can be read")
    header, axes, at = found
    shape = _shape(axes)
    dtype = _dtype(header)
    if at + math.prod(shape) * dtype.itemsize > size:
        raise ArgumentError("damaged: its data end too early")
    if others:
        note("the pictures and tables after its first picture were dropped")
    mode = mode_of("L", _native(header)) or ""
    return FileContents("FITS", shape, dtype.itemsize, lambda: iter([Frame(_picture(stream, header, shape, at))]), mode=mode)


def _header(stream: BinaryIO, at: int) -> tuple[Header, int]:
    """Read a header's cards with a value; return them, and where its data begin."""
    header: dict[str, str] = {}
    for number in range(_MOST_BLOCKS):
        stream.seek(at + number * _BLOCK)
        block = stream.read(_BLOCK)
        if len(block) < _BLOCK:
            break
        for begin in range(0, _BLOCK, _CARD):
            card = block[begin : begin + _CARD].decode("latin-1")
            key = card[:8].strip()
            if key == "END":
                return header, at + (number + 1) * _BLOCK
            if card[8:10] == "= ":
                header.setdefault(key, _value(card[10:]))
    if at:  # other data after the last unit
        return {}, stream.seek(0, 2)
    raise ArgumentError("damaged: its header has no end")


def _value(text: str) -> str:
    """Return a card's value without its comment; of a text, what is between the quotes."""
    text = text.strip()
    return text[1:].partition("'")[0].strip() if text.startswith("'") else text.partition("/")[0].strip()


def _number(header: Header, key: str, default: int = 0) -> int:
    try:
        number = int(header.get(key, default))
    except ValueError:
        raise ArgumentError(f"damaged: {key} in its header is not a whole number") from None
    if number < 0 and key != "BITPIX":
        raise ArgumentError(f"damaged: {key} in its header is negative")
    return number


def _axes(header: Header) -> list[int]:
    return [_number(header, f"NAXIS{i + 1}") for i in range(min(_number(header, "NAXIS"), 999))]


def _shape(axes: list[int]) -> tuple[int, int]:
    """Return height and width, of which FITS stores the width first."""
    planes = math.prod(axes[2:])
    if planes > 1:
        raise ArgumentError(f"not supported: a FITS cube of {planes} planes; extract one first")
    width, height = (*axes, 1)[:2]
    if not width * height * planes:
        raise ArgumentError("damaged: its picture has no size")
    return height, width


def _dtype(header: Header) -> np.dtype[np.generic]:
    bits = _number(header, "BITPIX")
    if bits not in _DTYPES:
        raise ArgumentError("damaged: BITPIX in its header has a value that FITS does not define")
    return np.dtype(_DTYPES[bits])


def _native(header: Header) -> np.dtype[np.generic]:
    """Return the dtype of the values: that of the samples, or the one that an offset of half the range stands for."""
    try:
        scale, offset = (
            float(header.get(key, default).replace("D", "E")) for key, default in (("BSCALE", "1"), ("BZERO", "0"))
        )
    except ValueError:
        raise ArgumentError("damaged: BSCALE or BZERO in its header is not a number") from None
    bits = _number(header, "BITPIX")
    if scale == 1 and offset == 0:
        return _dtype(header).newbyteorder("=")
    if scale == 1 and (bits, offset) in _OFFSETS:
        return np.dtype(_OFFSETS[bits, offset])
    raise ArgumentError(
        "not supported: its values are scaled by BSCALE and BZERO; convert it to a TIFF or .npy of 32-bit floats first"
    )


def _picture(stream: BinaryIO, header: Header, shape: tuple[int, int], at: int) -> Picture:
    dtype, native = _dtype(header), _native(header)
    stream.seek(at)
    data = stream.read(math.prod(shape) * dtype.itemsize)
    if len(data) < math.prod(shape) * dtype.itemsize:
        raise ArgumentError("damaged: its data end too early")
    samples = np.frombuffer(data, dtype).reshape(shape)[::-1].astype(dtype.newbyteorder("="))  # the lowest row is the first
    if native != samples.dtype:  # adding half the range exchanges the highest bit
        unsigned = samples.view(f"u{dtype.itemsize}")
        samples = (unsigned ^ unsigned.dtype.type(1 << (8 * dtype.itemsize - 1))).view(native)
    return Picture(np.ascontiguousarray(samples), mode_of("L", samples.dtype) or CHANNELS, None, {})

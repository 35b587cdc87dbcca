"""The run lengths of BMP files: 4 and 8 bits a pixel (RLE4, RLE8), and OS/2's 24 bits."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError


class Runs(NamedTuple):
    """What run lengths say.

    Attributes
    ----------
    pixels : ndarray, shape (H, W) or (H, W, 3)
        In the order of the file: usually from the lowest row to the highest. Skipped pixels are 0.
    skipped : int
        How many pixels no run has set.
    outside : int
        How many pixels lay beyond the edges.
    """

    pixels: NDArray[Any]
    skipped: int
    outside: int


def decode(data: bytes, width: int, height: int, bits: int) -> Runs:
    """Decode run lengths (MS-WMF, 3.1.6.4 and 3.1.6.5).

    Parameters
    ----------
    data : bytes
        From the first run to the end of the file.
    width, height : int
        In pixels.
    bits : {4, 8, 24}
        Bits a pixel.

    Raises
    ------
    ArgumentError
        Where the data end although the last row has not begun.
    """
    size = 3 if bits == 24 else 1
    out = bytearray(size * width * height)
    at = x = y = drawn = outside = 0
    end = len(data) - 1
    while at < end:
        count, code = data[at], data[at + 1]
        at += 2
        if count:  # a run of one colour, or of two in turn
            if bits == 24:
                run = data[at - 1 : at + 2] * count
                at += 2
            else:
                run = bytes((code,)) * count if bits == 8 else bytes((code >> 4, code & 15)) * ((count + 1) // 2)
        elif code == 0:
            x, y = 0, y + 1
            continue
        elif code == 1:
            break
        elif code == 2:
            right, up = data[at : at + 2].ljust(2, b"\0")
            x, y, at = x + right, y + up, at + 2
            continue
        else:  # pixels as they are, up to an even number of bytes
            count, taken = code, size * code if bits != 4 else (code + 1) // 2
            run = data[at : at + taken]
            at += taken + taken % 2
            if bits == 4:
                run = bytes(half for byte in run for half in (byte >> 4, byte & 15))
        inside = min(count, max(0, width - x), len(run) // size) if y < height else 0
        begin = size * (y * width + x)
        out[begin : begin + size * inside] = run[: size * inside]
        x, drawn, outside = x + count, drawn + inside, outside + count - inside
    else:
        if y < height - 1:
            raise ArgumentError("damaged: the file ends inside its samples")
    shape = (height, width, 3) if bits == 24 else (height, width)
    return Runs(np.frombuffer(out, np.uint8).reshape(shape), width * height - drawn, outside)

"""Whether LZW data of a TIFF file can be decoded safely: imagecodecs reads memory at random for one kind of damage.

The first code after each clear code must be a literal (TIFF 6.0, section 13). imagecodecs 2026.3.6 does not check that, and
looks up any other code in a table that is not filled yet, which may end the process.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_CLEAR, _END = 256, 257
#: Codes between two clear codes, at most: imagecodecs' table has room for so many.
_MOST = 5120 - 258 + 2
#: Codes that are looked at first, before all that there can be.
_FIRST_LOOK = 32


class _Layout(NamedTuple):
    """Where the codes after a clear code lie, counted from the byte in which the first one begins."""

    ends: Array  #: After how many bits each of them ends.
    first: Array  #: Its first byte.
    shift: Array  #: By how much the three bytes from there on are shifted to the right.
    mask: Array


def _layout(is_old: bool, bit: int) -> _Layout:
    # The code after which the table has 511 entries, or 512 in old files, is the last one of 9 bits; and so on.
    number = np.arange(_MOST)
    sizes = 9 + np.sum([number > border - 258 + is_old for border in (511, 1023, 2047)], axis=0)
    ends = bit + np.cumsum(sizes)
    begins = ends - sizes
    shift = begins & 7 if is_old else 24 - sizes - (begins & 7)
    return _Layout(ends, begins >> 3, shift.astype(np.int32), ((1 << sizes) - 1).astype(np.int32))


_LAYOUTS = {(is_old, bit): _layout(is_old, bit) for is_old in (False, True) for bit in range(8)}


def is_safe(data: bytes) -> bool:
    """Return whether each clear code of LZW data is followed by another one, the end, or a literal.

    Parameters
    ----------
    data : bytes
        Of a strip or tile, in the order of bits of the TIFF specification, or in the one of old files.
    """
    is_old = len(data) > 1 and data[0] == 0 and bool(data[1] & 1)
    # Behind the data are zeros, among which no code counts.
    padded = np.frombuffer(data + bytes(3), np.uint8)
    at = 0
    while True:
        for look in (_FIRST_LOOK, _MOST):
            layout = _LAYOUTS[is_old, at & 7]
            many = int(np.searchsorted(layout.ends[:look], 8 * len(data) - (at & ~7), "right"))
            codes = _codes(padded[at >> 3 :], layout, many, is_old)
            if many and codes[0] >= 258:
                return False
            marks = np.flatnonzero(codes >> 1 == _CLEAR >> 1)  # or the end
            if len(marks) or many < look:
                break
        if not len(marks) or codes[marks[0]] == _END:
            return True
        at = (at & ~7) + int(layout.ends[marks[0]])


def _codes(data: Array, layout: _Layout, many: int, is_old: bool) -> Array:
    """Read the first `many` codes of a layout."""
    if not many:
        return np.empty(0, np.int32)
    near = data[: layout.first[many - 1] + 3].astype(np.int32)
    a, b, c = near[:-2], near[1:-1], near[2:]
    three = (a | b << 8 | c << 16) if is_old else (a << 16 | b << 8 | c)
    codes: Array = three[layout.first[:many]] >> layout.shift[:many] & layout.mask[:many]
    return codes

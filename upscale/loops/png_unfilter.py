"""PNG's filters undone: of each row, its differences from what its neighbours predict are added to them again."""

# What Numba compiles has no types that a checker could follow.
# mypy: ignore-errors

import numpy as np

from upscale.loops.numba_private import inner, serial_loop
from upscale.loops.pixel_chains import CHUNK, undo_average, undo_paeth, undo_sub


@inner
def _undo(kind, row, above, step, begin, out):
    """Undo the filter Sub, Average or Paeth from byte `begin` on, which begins a pixel."""
    for x in range(begin, row.size):
        left = np.int32(out[x - step]) if x >= step else np.int32(0)
        up = np.int32(above[x])
        corner = np.int32(above[x - step]) if x >= step else np.int32(0)
        if kind == 1:
            guess = left
        elif kind == 3:
            guess = left + up >> 1
        else:
            to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
            guess = up if to_up <= to_corner else corner
            guess = left if to_left <= to_up and to_left <= to_corner else guess
        out[x] = np.uint8(np.int32(row[x]) + guess)


@serial_loop
def png_unfilter(filtered, above, step, out):
    """Undo the filters of rows (H, 1 + W) of pixels of `step` bytes, 1 to 8; `above` (W,) is the row above the first.

    Return how many rows of `out` (H, W) were made: fewer than H where a row has an unknown filter.
    """
    for y in range(out.shape[0]):
        kind, row, made = filtered[y, 0], filtered[y, 1:], out[y]
        last = above if y == 0 else out[y - 1]
        # The last pixels one byte at a time: nothing behind the row is read or written.
        end = max(0, (row.size - CHUNK) // step * step)
        if kind == 0:
            for x in range(row.size):
                made[x] = row[x]
        elif kind == 1:
            undo_sub(row, last, step, end, made)
        elif kind == 2:
            for x in range(row.size):
                made[x] = row[x] + last[x]
        elif kind == 3:
            undo_average(row, last, step, end, made)
        elif kind == 4:
            undo_paeth(row, last, step, end, made)
        else:
            return y
        if kind != 0 and kind != 2:
            _undo(kind, row, last, step, end, made)
    return out.shape[0]

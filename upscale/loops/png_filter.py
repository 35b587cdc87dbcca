"""PNG's filters: of each row, the difference from what its neighbours predict."""

# What Numba compiles has no types that a checker could follow.
# mypy: ignore-errors

import numpy as np
from numba import prange

from upscale.loops.numba_private import compiled_loop, inner


@inner
def _png_row(row, above, step, kind, line):
    """Filter one row by one of PNG's filters, after the byte that names it; return the sum of absolute differences."""
    line[0] = kind
    cost = 0
    # The first pixel has nobody to its left. What follows are loops of one expression each, which LLVM turns into wide ones;
    # 16 bits hold every difference, and the sum of a row's is taken in 32.
    for x in range(step):
        value = np.uint8(row[x] - above[x]) if kind == 2 or kind == 4 else row[x]
        line[1 + x] = value
        cost += abs(np.int32(np.int8(value)))
    rest, size = line[1 + step :], row.size - step
    now, left, up, corner = row[step:], row[:size], above[step:], above[:size]
    if kind == 0:
        for x in range(size):
            rest[x] = now[x]
    elif kind == 1:
        for x in range(size):
            rest[x] = np.uint8(now[x] - left[x])
    elif kind == 2:
        for x in range(size):
            rest[x] = np.uint8(now[x] - up[x])
    else:
        # Paeth: whichever neighbour is nearest to left + up - corner. All numbers fit into 8 bits, so that a vector has more of
        # them: 3.5 times as fast. The distance to the corner is the sum of the other two, and so the largest one, unless the
        # corner lies between left and up; there it is their difference.
        for x in range(size):
            a, b, c = left[x], up[x], corner[x]
            to_left, to_up = np.uint8(max(b, c) - min(b, c)), np.uint8(max(a, c) - min(a, c))
            nearer, farther = min(to_left, to_up), max(to_left, to_up)
            guess = a if to_left <= to_up else b
            between = (c > min(a, b)) & (c < max(a, b))
            guess = c if between & (np.uint8(farther - nearer) < nearer) else guess
            rest[x] = np.uint8(now[x] - guess)
    for x in range(size):
        cost += abs(np.int32(np.int8(rest[x])))
    return cost


@compiled_loop
def png_filter(rows, above, step, kinds, spread, out):
    """Filter rows of bytes (H, W) by the PNG filter of `kinds` that leaves the least; `above` is the row before the first.

    What Sub and Paeth leave counts once, what the other filters leave `spread` times.
    """
    for y in prange(rows.shape[0]):
        row = rows[y]
        last = above if y == 0 else rows[y - 1]
        best, least = kinds[0], np.int64(1) << 62
        for kind in kinds:
            cost = _png_row(row, last, step, kind, out[y])
            if kind == 0 or kind == 2:
                cost *= spread
            if cost < least:
                best, least = kind, cost
        if best != kinds[-1]:
            _png_row(row, last, step, best, out[y])

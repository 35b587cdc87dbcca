"""Passes over rows: sums of weighted taps, rounding and storing, and the interleaving of phases."""

# What Numba compiles has no types that a checker could follow.
# mypy: ignore-errors

import numpy as np
from numba import types
from numba.extending import overload

from upscale.loops.numba_private import inner
from upscale.loops.vectors import PADDING, interleave_blocks, sum_taps_1, sum_taps_2, sum_taps_3, sum_taps_4, sum_taps_6

#: As a number of 64 bits, so that the sums are compiled for one type of it.
_ZERO = np.int64(0)
#: Columns that are summed one after another: a multiple of what `sum_taps_4` and `sum_taps_6` sum at once.
_COLUMNS = 96


@inner
def _rows_at_once(left):
    """Choose how many rows are summed together, where so many are left."""
    return 3 if left == 3 or left == 5 or left == 6 else min(left, 4)


@inner
def _sum_taps(rows, data, offsets, number, begin, end, weights, first, sums, limits, out):
    if rows == 1:
        return sum_taps_1(data, offsets, number, begin, end, weights, first, sums, limits, out)
    if rows == 2:
        return sum_taps_2(data, offsets, number, begin, end, weights, first, sums, limits, out)
    if rows == 3:
        return sum_taps_3(data, offsets, number, begin, end, weights, first, sums, limits, out)
    return sum_taps_4(data, offsets, number, begin, end, weights, first, sums, limits, out)


@inner
def add_rows(data, offsets, numbers, same_input, weights, size, sums):
    """Add numbers[row] taps at offsets[row] to the first `size` columns of each row of sums, which are padded.

    With `same_input`, all rows have the offsets of the first one, and several are summed together.
    """
    row, rows = np.int64(0), sums.shape[0]
    while row < rows:
        many = _rows_at_once(rows - row) if same_input else 1
        _sum_taps(many, data, offsets[row], numbers[row], _ZERO, size, weights, row, sums, None, None)
        row += many


@inner
def add_columns(data, offsets, number, weights, begin, end, sums):
    """Add `number` taps to columns `begin` to `end` of rows of sums, which are padded; all rows have the same offsets.

    Rows are summed by sixes and fours, for some columns after others, so that the inputs of those stay in the first cache.
    """
    sixes, rows = sums.shape[0] // 6 * 6, sums.shape[0]
    for at in range(begin, end, _COLUMNS):
        stop = min(at + _COLUMNS, end)
        for row in range(0, sixes, 6):
            sum_taps_6(data, offsets, number, at, stop, weights, row, sums, None, None)
        if rows - sixes >= 4:
            sum_taps_4(data, offsets, number, at, stop, weights, sixes, sums, None, None)
    left = sixes + 4 if rows - sixes >= 4 else sixes
    if left < rows:
        _sum_taps(rows - left, data, offsets, number, begin, end, weights, left, sums, None, None)


@inner
def sum_rows(data, offsets, numbers, same_input, weights, size, start, limits, out):
    """Sum taps as `add_rows` does, beginning with the row `start`, into the rows of floats `out`, which are padded too."""
    row, rows = np.int64(0), out.shape[0]
    while row < rows:
        many = _rows_at_once(rows - row) if same_input else 1
        _sum_taps(many, data, offsets[row], numbers[row], _ZERO, size, weights, row, start, limits, out)
        row += many


def _to_sample(value, low, high, half, like):
    """Round half up and clip, where `like` is an integer; return the sample and whether it was clipped."""


@overload(_to_sample, inline="always")
def _choose_to_sample(value, low, high, half, like):
    if isinstance(like, types.Float):
        return lambda value, low, high, half, like: (value, False)

    def rounded(value, low, high, half, like):
        value = np.floor(value + half)
        kept = min(max(value, low), high)
        return kept, kept != value

    return rounded


@inner
def store_row(sums, limits, out):
    """Store sums in out; round and clip integers, and return how many were clipped."""
    clipped, low, high, half, like = np.int32(0), limits[0], limits[1], limits[2], out.dtype.type(0)
    for x in range(out.size):
        out[x], changed = _to_sample(sums[x], low, high, half, like)
        clipped = np.int32(clipped + changed)
    return np.int64(clipped)


@inner
def sum_into_rows(data, offsets, number, weights, start, scratch, limits, out):
    """Add `number` taps to `start` and store the sums in up to 4 rows of out; return how many were clipped.

    `start` and `scratch` are padded, and out is not: its last columns go by way of scratch.
    """
    rows, size, padding = out.shape[0], out.shape[1], PADDING // start.itemsize
    x, clipped = _ZERO, _ZERO
    if size >= padding:
        x, clipped = _sum_taps(rows, data, offsets, number, _ZERO, size - padding + 1, weights, _ZERO, start, limits, out)
    for row in range(rows):
        for column in range(x, size):
            scratch[row, column] = start[column]
    _sum_taps(rows, data, offsets, number, x, size, weights, _ZERO, scratch, None, None)
    for row in range(rows):
        clipped += store_row(scratch[row, x:size], limits, out[row, x:])
    return clipped


@inner
def interleave_phases(phase_rows, shifts, step, target):
    """Interleave phase rows pixel by pixel: pixel x * stride + p of target is pixel x + shifts[p] of row p.

    Pixels have `step` samples. Rows and shifts are as `interleave_blocks` needs them.
    """
    stride, width = phase_rows.shape[0], target.size // step
    done = interleave_blocks(phase_rows, shifts, phase_rows.itemsize * step, stride, width // stride, target)
    if stride == 1:
        row = phase_rows[0, shifts[0] * step :]
        for x in range(target.size):
            target[x] = row[x]
        return
    for x in range(done, (width + stride - 1) // stride):
        for p in range(min(stride, width - x * stride)):
            for c in range(step):
                target[(x * stride + p) * step + c] = phase_rows[p, (x + shifts[p]) * step + c]

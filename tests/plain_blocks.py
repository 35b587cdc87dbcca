"""Plain Numba versions of the hand-written building blocks of the loops: the same arguments, results equal to the bit.

`benchmarks/vectors.py` puts them in the blocks' place to measure what each block gains; `test_vectors.py` compares with them.
"""

import numba
import numpy as np
from numba import types
from numba.extending import overload

from upscale.loops import vectors
from upscale.loops.numba_private import inner
from upscale.loops.tables import CORRECTION_MULTIPLE
from upscale.loops.tap_passes import _to_sample


@inner
def repeat(row, size, factor, many, target):
    for x in range(many):
        for i in range(factor):
            for b in range(size):
                target[(x * factor + i) * size + b] = row[x * size + b]


@inner
def copy(row, target, streamed):
    for x in range(target.size):
        target[x] = row[x]


@numba.njit
def borrowed(array):
    return array


@numba.njit
def flat(array):
    return array.reshape(array.size)


@inner
def interleave_blocks(phase_rows, shifts, size, stride, many, target):
    samples = size // phase_rows.itemsize
    for x in range(many):
        for p in range(stride):
            for c in range(samples):
                target[(x * stride + p) * samples + c] = phase_rows[p, (x + shifts[p]) * samples + c]
    return many


@numba.njit
def fma(weight, value, total):
    """Return a 64-bit float. Rounding it to 32 bits rounds twice, which matters in one of 2 ** 29 cases."""
    return np.float64(weight) * np.float64(value) + np.float64(total)


@inner
def sum_weighted(around, order, turned, weights, begin, made, to):
    for k in range(CORRECTION_MULTIPLE):
        made[to + k] = 0
    for n in range(25):
        row = begin + order[turned + n]
        for k in range(CORRECTION_MULTIPLE):
            made[to + k] = vectors.fma(weights[row + k], around[n] - around[12], made[to + k])


@inner
def _add_taps(data, offsets, number, begin, end, weights, row, sums):
    for t in range(number):
        for x in range(begin, end):
            sums[x] = vectors.fma(weights[t, row], data[offsets[t] + x], sums[x])


def make_sum_taps(rows):
    """Make the plain version of `vectors.sum_taps_N`: it sums exactly the columns from `begin` to `end`."""

    def sum_taps(data, offsets, number, begin, end, weights, first, sums, limits, out):
        """Stand for one of the two below."""

    def add(data, offsets, number, begin, end, weights, first, sums, limits, out):
        for r in range(rows):
            _add_taps(data, offsets, number, begin, end, weights, first + r, sums[first + r])
        return max(begin, end), 0

    def add_and_store(data, offsets, number, begin, end, weights, first, sums, limits, out):
        clipped, like = 0, out.dtype.type(0)
        for r in range(rows):
            for x in range(begin, end):
                total = sums[x]
                for t in range(number):
                    total = vectors.fma(weights[t, first + r], data[offsets[t] + x], total)
                out[first + r, x], changed = _to_sample(total, limits[0], limits[1], limits[2], like)
                clipped += changed
        return max(begin, end), clipped

    @overload(sum_taps)
    def choose(data, offsets, number, begin, end, weights, first, sums, limits, out):
        return add if isinstance(out, types.NoneType) else add_and_store

    return sum_taps


SUM_TAPS = {f"sum_taps_{rows}": make_sum_taps(rows) for rows in (1, 2, 3, 4)}

#: Name -> (plain versions of blocks, the loops to measure them in). Others exist for the start or cannot be replaced.
BLOCKS = {
    "repeat_pixels": ({"repeat_pixels": repeat}, ("nearest",)),
    "copy_row": ({"copy_row": copy}, ("nearest",)),
    "interleave_blocks": ({"interleave_blocks": interleave_blocks}, ("separable", "dense")),
    "sum_taps": (SUM_TAPS, ("separable", "dense")),
    "sum_weighted": ({"sum_weighted": sum_weighted}, ("correct",)),
    "borrow": ({"borrow": borrowed}, ("separable", "dense", "correct")),
    "as_row": ({"as_row": flat}, ("separable", "dense", "correct")),
}

"""Plain Numba versions of the hand-written building blocks of the loops: the same arguments, results equal to the bit.

`benchmarks/vectors.py` puts them in the blocks' place to measure what each block gains; `test_vectors.py` compares with them.
"""

import numba
import numpy as np

from upscale.loops import vectors
from upscale.loops.numba_private import inner
from upscale.loops.tables import CORRECTION_MULTIPLE


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


#: Block -> (its plain version, the loops to measure it in). Others exist for the start or cannot be replaced one by one.
BLOCKS = {
    "repeat_pixels": (repeat, ("nearest",)),
    "copy_row": (copy, ("nearest",)),
    "sum_weighted": (sum_weighted, ("correct",)),
    "borrow": (borrowed, ("separable", "dense", "correct")),
    "as_row": (flat, ("separable", "dense", "correct")),
}

"""Antialiased reduction: every output value is a weighted mean of the values around its place, down and then across."""

# What Numba compiles has no types that a checker could follow.
# mypy: ignore-errors

import numpy as np
from numba import prange

from upscale.loops.numba_private import borrow, compiled_loop, fetch_add, inner, making, new_array, new_zeros

#: Output rows that a thread reduces at a time.
_ROWS = 8


@inner
def _reduce_down(values, taps, y, line):
    """Sum the weighted rows of one output row into a line; products are rounded before they are added."""
    line[:] = 0
    for t in range(taps.weight.shape[1]):
        weight, row = taps.weight[y, t], values[taps.start[y] + t]
        for x in range(line.size):
            line[x] += weight * row[x]


@inner
def _reduce_across(line, step, taps, out):
    """Sum the weighted pixels of `step` values of a line into each pixel of an output row."""
    for x in range(taps.start.size):
        begin = taps.start[x] * step
        for c in range(step):
            total = line.dtype.type(0)
            for t in range(taps.weight.shape[1]):
                total += taps.weight[x, t] * line[begin + t * step + c]
            out[x * step + c] = total


@making
def _reduce_part(values, step, rows, columns, out, begin, end):
    values, out = borrow(values), borrow(out)
    line = new_array(values.dtype, 1, values.shape[1])[0]
    for y in range(begin, end):
        _reduce_down(values, rows, y, line)
        _reduce_across(line, step, columns, out[y])


@compiled_loop
def reduce(values, step, rows, columns, out):
    """Reduce floats (H, W * step) to out, (h, w * step), as two `loops.tables.ReductionTaps` say, down and across."""
    height, next_part = out.shape[0], new_zeros(np.int64, 1, 1)
    parts = (height + _ROWS - 1) // _ROWS
    for _ in prange(parts):
        n = fetch_add(next_part, 1)
        while n < parts:
            _reduce_part(values, step, rows, columns, out, n * _ROWS, min((n + 1) * _ROWS, height))
            n = fetch_add(next_part, 1)

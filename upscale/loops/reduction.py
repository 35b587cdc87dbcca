"""Antialiased reduction: every output value is a weighted mean of the values around its place, down and then across."""

# What Numba compiles has no types that a checker could follow.
# mypy: ignore-errors

import numpy as np
from numba import prange

from upscale.loops.numba_private import as_row, borrow, compiled_loop, fetch_add, inner, making, new_array, new_zeros

#: Output rows that are reduced together: as many as a vector has 32-bit floats, on most processors.
_ROWS = 8


@inner
def _reduce_down(values, taps, y, line):
    """Sum the weighted rows of one output row into a line; products are rounded before they are added."""
    for x in range(line.size):
        line[x] = 0
    for t in range(taps.weight.shape[1]):
        weight, row = taps.weight[y, t], values[taps.start[y] + t]
        for x in range(line.size):
            line[x] += weight * row[x]


@inner
def _reduce_across(lines, begin, step, weights, sums):
    """Sum the weighted values of 8 lines, which lie side by side, from place `begin` on.

    Eight sums in registers, which LLVM makes a vector of, take half as long as a loop over them.
    """
    at, move, weight = np.uint64(begin * _ROWS), np.uint64(step * _ROWS), weights.dtype.type(0)
    sum_0 = sum_1 = sum_2 = sum_3 = sum_4 = sum_5 = sum_6 = sum_7 = weight
    for t in range(weights.size):
        weight = weights[t]
        sum_0 += weight * lines[at]
        sum_1 += weight * lines[at + np.uint64(1)]
        sum_2 += weight * lines[at + np.uint64(2)]
        sum_3 += weight * lines[at + np.uint64(3)]
        sum_4 += weight * lines[at + np.uint64(4)]
        sum_5 += weight * lines[at + np.uint64(5)]
        sum_6 += weight * lines[at + np.uint64(6)]
        sum_7 += weight * lines[at + np.uint64(7)]
        at += move
    sums[0], sums[1], sums[2], sums[3] = sum_0, sum_1, sum_2, sum_3
    sums[4], sums[5], sums[6], sums[7] = sum_4, sum_5, sum_6, sum_7


@making
def _reduce_part(values, step, rows, columns, out, begin, end):
    values, out = borrow(values), borrow(out)
    line, sums = new_array(values.dtype, 1, values.shape[1])[0], new_array(values.dtype, 1, _ROWS)[0]
    lines = as_row(new_zeros(values.dtype, values.shape[1], _ROWS))
    for y in range(begin, end):
        _reduce_down(values, rows, y, line)
        for x in range(line.size):
            lines[x * _ROWS + y - begin] = line[x]
    for x in range(columns.start.size):
        for c in range(step):
            _reduce_across(lines, columns.start[x] * step + c, step, columns.weight[x], sums)
            for y in range(begin, end):
                out[y, x * step + c] = sums[y - begin]


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

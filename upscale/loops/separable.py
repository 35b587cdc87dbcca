"""Transposed convolution by a kernel of low rank, in two passes: over the horizontal taps, then over the vertical ones."""

# What Numba compiles has no types that a checker could follow.
# mypy: ignore-errors

from typing import NamedTuple

import numpy as np
from numba import prange

from upscale.loops.lines import extend_line, fill_repeated, line_span, rows_with_same_lines
from upscale.loops.numba_private import as_row, borrow, compiled_loop, fetch_add, inner, making, new_array, new_zeros
from upscale.loops.tap_passes import interleave_phases, sum_into_rows, sum_rows
from upscale.loops.vectors import PADDING


class _PhaseTaps(NamedTuple):
    """The horizontal taps of each phase, as `add_rows` takes them."""

    offsets: np.ndarray  #: (stride, T) where in a line the input of each tap begins, in samples
    weights: np.ndarray  #: (terms * T, stride)
    shifts: np.ndarray  #: (stride,) how many pixels further right each phase reads than phase 0


@making
def _phase_taps(columns, step, dtype):
    starts, phase_shift, column_weight = columns.start, columns.phase_shift, columns.weight
    terms, stride, taps = column_weight.shape[0], starts.shape[0], starts.shape[1]
    offsets, weights = new_array(np.int64, stride, taps), new_array(dtype, terms * taps, stride)
    shifts = new_array(np.int64, 1, max(4, stride))[0]
    for p in range(stride):
        shifts[p] = phase_shift[p]
        for t in range(taps):
            offsets[p, t] = (starts[p, t] - phase_shift[p]) * step
            for term in range(terms):
                weights[term * taps + t, p] = column_weight[term, p, t]
    return _PhaseTaps(offsets, weights, shifts)


@inner
def _lines_at_once(row_lines, begin, end):
    """Count the lines that one row of output takes, at most."""
    most = 1
    for y in range(begin, end):
        first, last = line_span(row_lines, y, y + 1)
        most = max(most, last - first + 1)
    return most


@inner
def _collect_row_taps(rows, y, many, kept, width, offsets, weights):
    """List the taps of `many` output rows that take the same lines; return how many there are, and the last line.

    Line n lies in row n % kept of the filtered rows, which are `width` long, once for each term.
    """
    number, last, terms = 0, np.int64(-1), rows.weight.shape[0]
    for t in range(rows.line.shape[1]):
        line = rows.line[y, t]
        if line >= 0:
            for term in range(terms):
                offsets[number] = (line % kept * terms + term) * width
                for i in range(many):
                    weights[number, i] = rows.weight[term, y + i, t]
                number += 1
            last = max(last, line)
    return number, last


@inner
def _filter_line(line, taps, columns, step, term, zeros, limits, phase_rows, target):
    """Sum a line over the horizontal taps of one term, for all columns of the output."""
    weights = taps.weights[term * columns.start.shape[1] :]
    size = phase_rows.shape[1] - PADDING // phase_rows.itemsize
    sum_rows(line, taps.offsets, columns.number, columns.same_input, weights, size, zeros, limits, phase_rows)
    interleave_phases(phase_rows, taps.shifts, step, target)
    for e in range(columns.border.size):  # columns with weights of their own
        for c in range(step):
            value = line.dtype.type(0)
            for t in range(columns.border_position.shape[1]):
                position = columns.border_position[e, t]
                if position >= 0:
                    value += columns.border_weight[term, e, t] * line[position * step + c]
            target[columns.border[e] * step + c] = value


@making
def _separable_part(source, step, base, rows, columns, limits, out, begin, end):
    """Compute rows `begin` to `end` of one plane; return how many samples were clipped."""
    source, out = borrow(source), borrow(out)
    # Fields are taken out of their tuples once: references to them would be counted at each use.
    row_lines, line_rows, terms = rows.line, rows.source, rows.weight.shape[0]
    size, stride, taps = out.shape[1], columns.start.shape[0], _phase_taps(columns, step, limits.dtype)
    padding = PADDING // limits.itemsize
    # Phases may read up to two pixels past the end of a line, into columns that the output does not have.
    line = new_array(limits.dtype, 1, (columns.source.size + 2) * step + 2 * padding)[0]
    phase_rows = new_array(limits.dtype, stride, (size // step + stride - 1) // stride * step + step + padding)
    zeros = new_zeros(limits.dtype, 1, phase_rows.shape[1])[0]
    kept = _lines_at_once(row_lines, begin, end)
    width = size + padding
    filtered = new_array(limits.dtype, kept * terms, width)
    filtered[:, size:] = 0
    flat_filtered = as_row(filtered)
    start, sums = new_zeros(limits.dtype, 1, width)[0], new_array(limits.dtype, 4, width)
    fill_repeated(base, start[:size])
    most = row_lines.shape[1] * terms
    offsets, weights = new_array(np.int64, 1, most)[0], new_array(limits.dtype, most, 4)
    next_line, clipped, y = line_span(row_lines, begin, end)[0], 0, begin
    while y < end:
        many = rows_with_same_lines(row_lines, y, min(y + 4, end))
        number, last = _collect_row_taps(rows, y, many, kept, width, offsets, weights)
        for at in range(next_line, last + 1):
            extend_line(source[line_rows[at]], columns, step, line)
            for term in range(terms):
                target = filtered[at % kept * terms + term, :size]
                _filter_line(line, taps, columns, step, term, zeros, limits, phase_rows, target)
        next_line = max(next_line, last + 1)
        clipped += sum_into_rows(flat_filtered, offsets, number, weights, start, sums, limits, out[y : y + many])
        y += many
    return clipped


@compiled_loop
def separable(source, step, base, rows, columns, rounded, limits, out):
    """Transposed convolution of each plane by one kernel of low rank; `rows` and `columns` are `loops.tables`.

    Each input row is first summed over its horizontal taps, into one phase row for each phase; these are interleaved to a row
    as wide as the output, for each term of the kernel. Output rows are then sums of a few of these filtered rows, which stay in
    the core's cache meanwhile. The type of out says whether sums are rounded, as `rounded` does for the NumPy loops.
    """
    # Rows of a part: few enough for many cores, many enough to share their input.
    height = max(16, min(64, out.shape[1] // 64))
    parts = (out.shape[1] + height - 1) // height
    total, next_part, clipped = out.shape[0] * parts, new_zeros(np.int64, 1, 1), new_zeros(np.int64, 1, 1)
    for _ in prange(total):
        n = fetch_add(next_part, 1)
        while n < total:
            plane, begin = n // parts, n % parts * height
            end = min(begin + height, out.shape[1])
            done = _separable_part(source[plane], step, base[0], rows, columns, limits, out[plane], begin, end)
            fetch_add(clipped, done)
            n = fetch_add(next_part, 1)
    return clipped[0, 0]

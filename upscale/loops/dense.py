"""Transposed convolution by any kernel: all taps of an output row at once, channels mixed within groups."""

# What Numba compiles has no types that a checker could follow.
# mypy: ignore-errors

from typing import NamedTuple

import numpy as np
from numba import prange

from upscale.loops.lines import extend_line, fill_repeated, line_span, rows_with_same_lines
from upscale.loops.numba_private import as_row, borrow, compiled_loop, fetch_add, inner, making, new_array, new_zeros
from upscale.loops.tap_passes import add_rows, interleave_phases
from upscale.loops.vectors import PADDING

#: Rows of sums that stay in the cache from one channel to the next.
_HEIGHT = 16


class _Taps(NamedTuple):
    """The taps of some phase rows of sums, as `add_rows` takes them."""

    offsets: np.ndarray  #: (phase rows, T) where in the lines, all in one row, the input of each tap begins
    weights: np.ndarray  #: (T, phase rows)
    numbers: np.ndarray  #: (phase rows,) how many of the T are taps


@inner
def _collect_taps(kernel, gain, rows, columns, y, many, first_line, line_size, step, taps):
    """List the taps of `many` output rows that take the same lines, with the weights divided by the gain."""
    stride = columns.start.shape[0]
    taps.numbers[:] = 0
    for i in range(many):
        for t in range(rows.line.shape[1]):
            if rows.line[y, t] < 0:
                continue
            begin, row = (rows.line[y, t] - first_line) * line_size, rows.tap[y + i, t]
            for p in range(stride):
                phase_row, divisor = i * stride + p, gain[rows.gain_row[y + i], columns.gain_column[p]]
                for s in range(columns.number[p]):
                    n = taps.numbers[phase_row]
                    taps.offsets[phase_row, n] = begin + (columns.start[p, s] - columns.phase_shift[p]) * step
                    taps.weights[n, phase_row] = kernel[row, columns.tap[p, s]] / divisor
                    taps.numbers[phase_row] = n + 1


@inner
def _add_border(kernel, gain, rows, columns, y, row_lines, lines, step, sums):
    """Add the taps of output row y to its columns that have weights of their own; `sums` has `step` samples for each."""
    for t in range(row_lines.size):
        if row_lines[t] < 0:
            continue
        line, row = lines[row_lines[t]], rows.tap[y, t]
        for e in range(columns.border.size):
            divisor = gain[rows.gain_row[y], columns.border_gain_column[e]]
            for s in range(columns.border_position.shape[1]):
                position = columns.border_position[e, s]
                if position >= 0:
                    weight = sums.dtype.type(kernel[row, columns.border_tap[e, s]] / divisor)
                    for c in range(step):
                        sums[e * step + c] += weight * line[position * step + c]


@inner
def _finish_row(phase_rows, shifts, border, border_sums, step, target):
    """Interleave the phases of an output row, and put the columns in that have weights of their own."""
    interleave_phases(phase_rows, shifts, step, target)
    for e in range(border.size):
        for c in range(step):
            target[border[e] * step + c] = border_sums[e * step + c]


@making
def _dense_part(source, step, weights, base, rows, columns, gain, out, begin, end):
    """Compute rows `begin` to `end` of one plane from the planes (C, H, W * step) and weights (C, kH, kW)."""
    source, out = borrow(source), borrow(out)
    size, stride, channels = out.shape[1], columns.start.shape[0], source.shape[0]
    at_once = max(1, 4 // stride)  # output rows, where they take the same lines
    padding = PADDING // base.itemsize
    # Fields are taken out of their tuples once: references to them would be counted at each use.
    row_lines, line_rows, border = rows.line, rows.source, columns.border
    first_line, last_line = line_span(row_lines, begin, end)
    # Phases may read up to two pixels past the end of a line, into columns that the output does not have.
    lines = new_array(base.dtype, max(last_line - first_line + 1, 0), (columns.source.size + 2) * step + 2 * padding)
    flat_lines, line_size = as_row(lines), lines.shape[1]
    phase_size = (size // step + stride - 1) // stride * step + step
    sums = new_array(base.dtype, (end - begin if channels > 1 else at_once) * stride, phase_size + padding)
    border_sums = new_array(base.dtype, end - begin, border.size * step)
    shifts, most = new_array(np.int64, 1, max(4, stride))[0], row_lines.shape[1] * columns.start.shape[1]
    for p in range(stride):
        shifts[p] = columns.phase_shift[p]
    taps = _Taps(
        new_array(np.int64, at_once * stride, most),
        new_array(base.dtype, most, at_once * stride),
        new_array(np.int64, 1, at_once * stride)[0],
    )
    relative = new_array(np.int64, 1, row_lines.shape[1])[0]
    for channel in range(channels):
        for i in range(lines.shape[0]):
            extend_line(source[channel, line_rows[first_line + i]], columns, step, lines[i])
        y = begin
        while y < end:
            many = rows_with_same_lines(row_lines, y, min(y + at_once, end))
            _collect_taps(weights[channel], gain, rows, columns, y, many, first_line, line_size, step, taps)
            first = (y - begin) * stride if channels > 1 else 0
            phase_rows = sums[first : first + many * stride]
            for i in range(many * stride if channel == 0 else 0):
                fill_repeated(base, phase_rows[i])
            add_rows(flat_lines, taps.offsets, taps.numbers, columns.same_input, taps.weights, phase_size, phase_rows)
            for t in range(relative.size if border.size else 0):
                relative[t] = row_lines[y, t] - first_line if row_lines[y, t] >= 0 else -1
            for i in range(many):
                row_border = border_sums[y + i - begin]
                if channel == 0:
                    fill_repeated(base, row_border)
                _add_border(weights[channel], gain, rows, columns, y + i, relative, lines, step, row_border)
                if channel == channels - 1:
                    _finish_row(phase_rows[i * stride : (i + 1) * stride], shifts, border, row_border, step, out[y + i])
            y += many


@compiled_loop
def dense(source, step, weights, groups, base, rows, columns, gain, out):
    """Transposed convolution of floats by any kernel, with channels mixed within groups; `rows`, `columns`: `loops.tables`.

    A part is some rows of one output plane. One input channel after the other is converted to lines that are extended beyond
    the border, and all its taps are added to phase rows of sums, which are interleaved after the last channel.
    """
    channels, out_channels = weights.shape[0] // groups, weights.shape[1]
    parts = (out.shape[1] + _HEIGHT - 1) // _HEIGHT
    total, next_part = out.shape[0] * parts, new_zeros(np.int64, 1, 1)
    for _ in prange(total):
        n = fetch_add(next_part, 1)
        while n < total:
            plane, begin = n // parts, n % parts * _HEIGHT
            end = min(begin + _HEIGHT, out.shape[1])
            batch, m = plane // (groups * out_channels), plane % (groups * out_channels)
            first = m // out_channels * channels
            planes = source[batch * weights.shape[0] + first : batch * weights.shape[0] + first + channels]
            kernel, offset = weights[first : first + channels, m % out_channels], base[m % base.shape[0]]
            _dense_part(planes, step, kernel, offset, rows, columns, gain[m % gain.shape[0]], out[plane], begin, end)
            n = fetch_add(next_part, 1)

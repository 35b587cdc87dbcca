"""Input rows as lines of floats that go on beyond the border, and which of them output rows take."""

# What Numba compiles has no types that a checker could follow.
# mypy: ignore-errors

import numpy as np

from upscale.loops.numba_private import inner


@inner
def line_span(lines, begin, end):
    """Return the first and the last line that output rows `begin` to `end` take."""
    lowest, highest = np.int64(1) << 62, np.int64(-1)
    for y in range(begin, end):
        for t in range(lines.shape[1]):
            if lines[y, t] >= 0:
                lowest, highest = min(lowest, lines[y, t]), max(highest, lines[y, t])
    return lowest, highest


@inner
def rows_with_same_lines(lines, begin, end):
    """Count the output rows from `begin` on, before `end`, that take the same lines."""
    y = begin + 1
    while y < end:
        for t in range(lines.shape[1]):
            if lines[y, t] != lines[begin, t]:
                return y - begin
        y += 1
    return y - begin


@inner
def fill_repeated(values, row):
    """Fill a row with the same few values, repeated."""
    if values.size == 1:
        row[:] = values[0]
        return
    for x in range(0, row.size - values.size + 1, values.size):
        for c in range(values.size):
            row[x + c] = values[c]


@inner
def extend_line(row, columns, step, line):
    """Convert an input row to floats in a line that goes on beyond both borders, as `columns` says: repeated pixels or zeros.

    What lies in the line after these columns becomes 0.
    """
    begin, width, sources = columns.left * step, row.size // step, columns.source
    end = begin + row.size
    line[:begin] = 0
    line[end:] = 0
    inside = line[begin:end]
    for x in range(row.size):
        inside[x] = row[x]
    for i in range(sources.size - width):
        at = i if i < columns.left else width + i
        if sources[at] >= 0:
            for c in range(step):
                line[at * step + c] = line[(columns.left + sources[at]) * step + c]

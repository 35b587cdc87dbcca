"""Convolutions one after another: the layers of deep kernels, and the chains of small networks.

A part of the picture goes through all layers row by row. Of each layer only the rows that the next one needs are kept, in a
ring, so that they stay in the cache.
"""

# What Numba compiles has no types that a checker could follow.
# mypy: ignore-errors

import numpy as np
from numba import prange

from upscale.loops.numba_private import as_row, borrow, compiled_loop, fetch_add, inner, making, new_array, new_zeros
from upscale.loops.tap_passes import add_columns
from upscale.loops.vectors import PADDING

#: Input rows and columns of a part: what is computed twice at its borders is small beside it, and its rings fit in the cache.
_HEIGHT, _WIDTH = 128, 192


@inner
def _subtract_middle(luma, y, x, side, width, lines):
    """Write the differences of the side x side values around each pixel of a row from the pixel's own, but for its own."""
    reach, middle, n = side // 2, luma[y][x:], 0
    for dy in range(side):
        for dx in range(side):
            if dy == reach and dx == reach:
                continue
            row, line = luma[y + dy - reach][x + dx - reach :], lines[n]
            for i in range(width):
                line[i] = row[i] - middle[i]
            n += 1


@inner
def _copy_rows(source, y, x, width, lines):
    """Copy `width` pixels of row y of all planes, from column x on."""
    for c in range(source.shape[0]):
        row, line = source[c, y][x:], lines[c]
        for i in range(width):
            line[i] = row[i]


@inner
def _find_taps(first_row, ring, channels, y, side, line_size, offsets):
    """Find where the rows lie that row y of a layer sums: taps row by row, then by channel, then from left to right."""
    reach, n = side // 2, 0
    for dy in range(side):
        begin = first_row + (y + dy - reach) % ring * channels
        for c in range(channels):
            for dx in range(side):
                offsets[n] = (begin + c) * line_size + dx - reach
                n += 1


@inner
def _rectify(lines, slopes, begin, end):
    """Multiply what is not above 0 by the slope of its channel (PReLU)."""
    for c in range(lines.shape[0]):
        line, slope = lines[c][begin:end], slopes[c]
        for x in range(line.size):
            line[x] = line[x] if line[x] > 0 else line[x] * slope


@inner
def _subtract(lines, values, begin, end):
    """Subtract from each line the value of its channel."""
    for c in range(lines.shape[0]):
        line, value = lines[c][begin:end], values[c]
        for x in range(line.size):
            line[x] -= value


@inner
def _fill(lines, values, begin, end):
    """Fill the columns of each line with its value."""
    for c in range(lines.shape[0]):
        line, value = lines[c][begin:end], values[c]
        for x in range(line.size):
            line[x] = value


@inner
def _add_blocks(lines, begin, width, factor, line, first, channels, one, alpha, out):
    """Add factor x factor values for each of `width` pixels to the rows of out from `line` on, where it has them.

    They are added to channel `one` or, where that is below 0, to all but alpha, by which they are then multiplied.
    """
    colours = channels - np.int64(alpha)
    from_channel, to_channel = (one, one + 1) if one >= 0 else (np.int64(0), colours)
    for p in range(factor):
        if line + p < 0 or line + p >= out.shape[0]:
            continue
        row = out[line + p]
        for q in range(factor):
            added, at = lines[p * factor + q], (first * factor + q) * channels
            for x in range(width):
                value = added[begin + x] * row[at + colours] if alpha else added[begin + x] + row.dtype.type(0)
                for c in range(from_channel, to_channel):
                    row[at + c] += value
                at += factor * channels


@inner
def _clear_outside(lines, zeros, start, stop, first_column, columns):
    """Clear columns `start` to `stop` of lines, the first of which is a picture's column `first_column`, beyond the picture."""
    before, behind = min(max(start - first_column, start), stop), max(min(start + columns - first_column, stop), start)
    _fill(lines, zeros, start, before)
    _fill(lines, zeros, behind, stop)


@making
def _part(source, tables, begin, end, left, right, top, size, first_row, channels, one, alpha, out):
    """Compute rows `begin` to `end`, columns `left` to `right` of the input; see `add_layers` and `pass_chain`."""
    source, out = borrow(source), borrow(out)
    sides, counts, rings, rows, taps = tables.side, tables.channels, tables.ring, tables.row, tables.tap
    # The transposed convolution comes last, where there is one.
    convolutions, factor = sides.size - 1, tables.factor
    layers = convolutions + np.int64(factor > 0)
    reach, first_reach = np.int64(0), sides[0] // 2
    for n in range(1, layers):
        reach += sides[n] // 2
    around, width, padding = reach + first_reach, right - left, PADDING // 4
    line_size = width + 2 * around + 2 * padding
    planes = new_zeros(np.float32, rows[convolutions + 2], line_size)
    flat, subtracted = as_row(planes), np.any(tables.flat)
    offsets = new_array(np.int64, 1, tables.most)[0]
    for step in range(begin - reach, end + reach):
        lag, left_over = np.int64(0), reach
        for n in range(layers):
            if n:
                lag += sides[n] // 2
                left_over -= sides[n] // 2
            y = step - lag
            if y < begin - left_over:
                break
            last = n == convolutions
            start, stop = padding + around - left_over, padding + around + width + left_over
            into = rows[n + 1] + (0 if last or n == layers - 1 else y % rings[n + 1] * counts[n + 1])
            target = planes[into : into + counts[n + 1]]
            if n == 0 and tables.differences:
                differences = planes[: counts[0]]
                _subtract_middle(source[0], y + around, left + first_reach, sides[0], stop - start, differences[:, start:])
                for i in range(counts[0]):
                    offsets[i] = i * line_size
            else:
                if n == 0:
                    for new in range(y - first_reach if y == begin - reach else y + first_reach, y + first_reach + 1):
                        ring = new % rings[0] * counts[0]
                        lines = planes[ring : ring + counts[0]]
                        _copy_rows(source, new + around, left, width + 2 * around, lines[:, padding:])
                _find_taps(rows[n], rings[n], counts[n], y, sides[n], line_size, offsets)
            _fill(target, tables.bias[n], start, stop + padding)
            add_columns(flat, offsets, taps[n + 1] - taps[n], tables.weights[taps[n] :], start, stop, target)
            if last:
                line = y * factor - first_row
                _add_blocks(target, start, width, factor, line, left, channels, one, alpha, out)
                continue
            _rectify(target, tables.slopes[n], start, stop)
            if subtracted and n == convolutions - 1:
                _subtract(target, tables.flat, start, stop)
            if tables.zeros:
                if top + y < 0 or top + y >= size:
                    _fill(target, tables.bias[layers], start, stop)
                _clear_outside(target, tables.bias[layers], start, stop, left - left_over, source.shape[2] - 2 * around)
            if n == layers - 1:
                many = out.shape[0] // counts[n + 1]
                for c in range(counts[n + 1]):
                    row, line = out[c * many + y][left:right], target[c][start:stop]
                    for x in range(width):
                        row[x] = line[x]


@inner
def _reach(tables):
    """Sum up how far all layers reach."""
    reach = np.int64(0)
    for n in range(tables.side.size):
        reach += tables.side[n] // 2
    return reach


@making
def _parts(source, planes, tables, next_part, top, size, first_row, channels, alpha, out):
    """Compute parts until none is left: of one plane after another, if `planes` is above 1, or of all together."""
    reach = _reach(tables)
    height, width = source.shape[1] - 2 * reach, source.shape[2] - 2 * reach
    across, down = (width + _WIDTH - 1) // _WIDTH, (height + _HEIGHT - 1) // _HEIGHT
    n = fetch_add(next_part, 1)
    while n < planes * across * down:
        plane, place = n // (across * down), n % (across * down)
        begin, left = place // across * _HEIGHT, place % across * _WIDTH
        end, right = min(begin + _HEIGHT, height), min(left + _WIDTH, width)
        one = plane if planes > 1 else np.int64(-1)
        given = source[plane : plane + 1] if tables.differences else source
        _part(given, tables, begin, end, left, right, top, size, first_row, channels, one, alpha, out)
        n = fetch_add(next_part, 1)


@compiled_loop
def add_layers(luma, tables, first_row, channels, alpha, out):
    """Add what the layers of a deep kernel make to rows of sums, the first of which is row `first_row` of all.

    The sums are (rows, W * factor * channels). Planes of luma (P, H + 2 R, W + 2 R) hold the input with R more
    values on each side, as many as the layers reach. One plane is for all channels but alpha, which is the last one where there
    is one, and by which the rest is multiplied; or there is one for each channel. `tables` are `loops.tables.LayerTables`.
    """
    next_part = new_zeros(np.int64, 1, 1)
    for _ in prange(luma.shape[0] * (luma.shape[1] // _HEIGHT + 1) * (luma.shape[2] // _WIDTH + 1)):
        _parts(luma, luma.shape[0], tables, next_part, 0, 0, first_row, channels, alpha, out)


@compiled_loop
def pass_chain(source, tables, top, size, out):
    """Send planes (C, H + 2 R, W + 2 R) through a chain of convolutions, into rows (M * H, W), plane after plane.

    The planes have R more values on each side, as many as the chain reaches, zeros beyond the picture. The first of the H rows
    is row `top` of a picture of `size` rows, beyond which all that the convolutions make is zero.
    """
    next_part = new_zeros(np.int64, 1, 1)
    for _ in prange((source.shape[1] // _HEIGHT + 1) * (source.shape[2] // _WIDTH + 1)):
        _parts(source, 1, tables, next_part, top, size, 0, 1, False, out)

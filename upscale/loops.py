"""All compiled loops, over arrays that are handed in; `loops_numpy` holds their equals without Numba.

Pictures come as planes of flat rows: (P, H, W * step), where `step` is the number of interleaved channels. No loop knows
about kernels, padding or files: `nearest` and `transposed` plan, these only multiply, add and store. All of them stand in
this one file because Numba's cache does not notice a change in another one. Every sum runs in one fixed order without
fused multiply-adds, so that the result depends neither on the number of threads nor on the engine.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator, assignment, operator"

import numba
import numpy as np
from numba import prange

#: False where no cache folder can be written: the loops are then compiled in each process.
CACHED = True

#: Output rows that one thread does in one go: enough that its buffers and the rows around them weigh little.
_PART = 16


def _compiled(function):
    """Compile a loop at its first call, for all cores, and keep the machine code where a cache folder can be written."""
    global CACHED
    try:
        return numba.njit(parallel=True, cache=True)(function)
    except RuntimeError:  # Numba found no folder for its cache
        CACHED = False
        return numba.njit(parallel=True)(function)


@numba.njit(inline="always")
def _finish(values, rounded, limits):
    """Round half up and clip in place, for integers, and count what was clipped; floats stay as they are."""
    clipped = 0
    if rounded:
        for x in range(values.size):
            value = np.floor(values[x] + limits[2])
            clipped += (value < limits[0]) | (value > limits[1])
            values[x] = min(max(value, limits[0]), limits[1])
    return clipped


@numba.njit(inline="always")
def _extend(line, sources, left, width, step):
    """Fill a line beyond the border: each position there repeats the input column that `sources` names, or stays 0."""
    for at in range(sources.size):
        if (at < left or at >= left + width) and sources[at] >= 0:
            for c in range(step):
                line[at * step + c] = line[(left + sources[at]) * step + c]


@_compiled
def nearest(source, vertical, horizontal, step, out):
    """Duplicate every value of (H, W * step) over its block of out, (H * vertical, W * horizontal * step)."""
    height, flat = source.shape
    width = flat // step
    for y in prange(height):
        row, first = source[y], out[y * vertical]
        # Factor 2, and 1 and 3 channels, stand apart: as constants they let LLVM turn the copies into wide stores.
        if horizontal == 1:
            for x in range(flat):
                first[x] = row[x]
        elif step == 1 and horizontal == 2:
            for x in range(width):
                first[2 * x] = row[x]
                first[2 * x + 1] = row[x]
        elif step == 1:
            for x in range(width):
                for i in range(horizontal):
                    first[x * horizontal + i] = row[x]
        elif step == 3:
            for x in range(width):
                a, b, c = row[3 * x], row[3 * x + 1], row[3 * x + 2]
                for i in range(horizontal):
                    at = 3 * (x * horizontal + i)
                    first[at] = a
                    first[at + 1] = b
                    first[at + 2] = c
        else:
            for x in range(width):
                for i in range(horizontal):
                    for c in range(step):
                        first[(x * horizontal + i) * step + c] = row[x * step + c]
        for i in range(1, vertical):
            out[y * vertical + i, :] = first


@_compiled
def separable(source, step, base, rows, columns, rounded, limits, out):
    """Transposed convolution of each plane by one kernel of rank 1; `rows` and `columns` are tables of `gather`.

    Each row of output is first summed over its vertical taps into one line of floats as wide as the input, which stays in
    the core's cache; each horizontal phase is then a sum of shifted pieces of that line, stored `stride` pixels apart.
    """
    planes, flat = source.shape[0], source.shape[2]
    out_rows, out_width = out.shape[1], out.shape[2] // step
    stride = columns.start.shape[0]
    parts = (out_rows + _PART - 1) // _PART
    clipped = 0
    for n in prange(planes * parts):
        plane, part = n // parts, n % parts
        line = np.zeros(columns.source.size * step, limits.dtype)
        body = line[columns.left * step : columns.left * step + flat]
        lanes = np.empty((out_width + stride - 1) // stride * step, limits.dtype)
        for y in range(part * _PART, min((part + 1) * _PART, out_rows)):
            body[:] = 0
            for t in range(rows.line.shape[1]):
                if rows.line[y, t] >= 0:
                    w = rows.weight[y, t]
                    row = source[plane, rows.source[rows.line[y, t]]]
                    for x in range(flat):
                        body[x] += w * body.dtype.type(row[x])
            _extend(line, columns.source, columns.left, flat // step, step)
            target = out[plane, y]
            for p in range(min(stride, out_width)):
                many = (out_width - p + stride - 1) // stride
                lane = lanes[: many * step]
                lane[:] = base[0, : many * step]
                for t in range(columns.number[p]):
                    w = columns.weight[p, t]
                    begin = columns.start[p, t] * step
                    piece = line[begin : begin + many * step]
                    for x in range(many * step):
                        lane[x] += w * piece[x]
                clipped += _finish(lane, rounded, limits)
                for j in range(many):
                    for c in range(step):
                        target[(j * stride + p) * step + c] = lane[j * step + c]
            for e in range(columns.edge.size):  # columns with weights of their own
                pixel = lanes[:step]
                pixel[:] = base[0, :step]
                for t in range(columns.edge_at.shape[1]):
                    if columns.edge_at[e, t] >= 0:
                        for c in range(step):
                            pixel[c] += columns.edge_weight[e, t] * line[columns.edge_at[e, t] * step + c]
                clipped += _finish(pixel, rounded, limits)
                for c in range(step):
                    target[columns.edge[e] * step + c] = pixel[c]
    return clipped


@_compiled
def dense(source, step, weights, groups, base, rows, columns, gain, rounded, limits, out):
    """Transposed convolution by any kernel, with channels mixed within groups; see `gather` for the tables.

    A part is some rows of one output plane. Its sums are kept as floats, one lane a horizontal phase, while one input channel
    after the other is converted to lines with zeros around them and added tap by tap.
    """
    flat = source.shape[2]
    out_planes, out_rows, out_width = out.shape[0], out.shape[1], out.shape[2] // step
    channels, out_channels = weights.shape[0] // groups, weights.shape[1]
    stride = columns.start.shape[0]
    longest = (out_width + stride - 1) // stride * step
    left = columns.left * step
    parts = (out_rows + _PART - 1) // _PART
    clipped = 0
    for n in prange(out_planes * parts):
        plane, part = n // parts, n % parts
        batch, m = plane // (groups * out_channels), plane % (groups * out_channels)
        first_weight = m // out_channels * channels
        first_plane = batch * weights.shape[0] + first_weight
        begin, end = part * _PART, min((part + 1) * _PART, out_rows)
        lowest, highest = rows.source.size, -1
        for y in range(begin, end):
            for t in range(rows.line.shape[1]):
                if rows.line[y, t] >= 0:
                    lowest, highest = min(lowest, rows.line[y, t]), max(highest, rows.line[y, t])
        lines = np.zeros((max(highest - lowest + 1, 0), columns.source.size * step), limits.dtype)
        sums = np.empty((end - begin, stride, longest), limits.dtype)
        sums[:] = base[m % base.shape[0]]
        edges = np.empty((end - begin, columns.edge.size, step), limits.dtype)
        edges[:] = base[m % base.shape[0], :step]
        weight = np.empty(1, limits.dtype)
        for channel in range(channels):
            kernel = weights[first_weight + channel, m % out_channels]
            for i in range(lines.shape[0]):
                row, line = source[first_plane + channel, rows.source[lowest + i]], lines[i]
                for x in range(flat):
                    line[left + x] = row[x]
                _extend(line, columns.source, columns.left, flat // step, step)
            for y in range(begin, end):
                for t in range(rows.line.shape[1]):
                    if rows.line[y, t] < 0:
                        continue
                    line = lines[rows.line[y, t] - lowest]
                    taps, gains = kernel[rows.tap[y, t]], gain[m % gain.shape[0], rows.kind[y]]
                    for p in range(min(stride, out_width)):
                        many = (out_width - p + stride - 1) // stride * step
                        lane = sums[y - begin, p, :many]
                        for s in range(columns.number[p]):
                            weight[0] = taps[columns.tap[p, s]] / gains[columns.kind[p]]
                            w = weight[0]
                            at = columns.start[p, s] * step
                            piece = line[at : at + many]
                            for x in range(many):
                                lane[x] += w * piece[x]
                    for e in range(columns.edge.size):
                        for s in range(columns.edge_at.shape[1]):
                            if columns.edge_at[e, s] >= 0:
                                weight[0] = taps[columns.edge_tap[e, s]] / gains[columns.edge_kind[e]]
                                for c in range(step):
                                    edges[y - begin, e, c] += weight[0] * line[columns.edge_at[e, s] * step + c]
        for y in range(begin, end):
            target = out[plane, y]
            for p in range(min(stride, out_width)):
                many = (out_width - p + stride - 1) // stride
                lane = sums[y - begin, p]
                clipped += _finish(lane[: many * step], rounded, limits)
                for j in range(many):
                    for c in range(step):
                        target[(j * stride + p) * step + c] = lane[j * step + c]
            for e in range(columns.edge.size):
                clipped += _finish(edges[y - begin, e], rounded, limits)
                for c in range(step):
                    target[columns.edge[e] * step + c] = edges[y - begin, e, c]
    return clipped


@_compiled
def premultiply(pixels):
    """Multiply the colours of (H, W, C) by its last channel, opacity, in place."""
    height, width, channels = pixels.shape
    for y in prange(height):
        for x in range(width):
            for c in range(channels - 1):
                pixels[y, x, c] *= pixels[y, x, channels - 1]


@_compiled
def unpremultiply(pixels, bias, least, most):
    """Divide the colours of (H, W, C) by its last channel, opacity, and add the bias; clip opacity to most.

    Where opacity is not above least, nothing is seen: the pixel becomes 0.
    """
    height, width, channels = pixels.shape
    for y in prange(height):
        for x in range(width):
            alpha = pixels[y, x, channels - 1]
            for c in range(channels - 1):
                pixels[y, x, c] = pixels[y, x, c] / alpha + bias[c] if alpha > least else 0
            pixels[y, x, channels - 1] = min(alpha, most) if alpha > least else 0


@_compiled
def store(values, rounded, limits, out):
    """Round and clip (H, W) into out; return how many were clipped."""
    clipped = 0
    for y in prange(values.shape[0]):
        clipped += _finish(values[y], rounded, limits)
        for x in range(values.shape[1]):
            out[y, x] = values[y, x]
    return clipped


@numba.njit(inline="always")
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
    else:  # Paeth: whichever neighbour is nearest to left + up - corner
        for x in range(size):
            a, b, c = np.int16(left[x]), np.int16(up[x]), np.int16(corner[x])
            to_left, to_up = np.int16(abs(np.int16(b - c))), np.int16(abs(np.int16(a - c)))
            to_corner = np.int16(abs(np.int16(np.int16(a - c) + np.int16(b - c))))
            guess = c
            if to_up <= to_corner:
                guess = b
            if to_left <= to_up and to_left <= to_corner:
                guess = a
            rest[x] = np.uint8(np.int16(now[x]) - guess)
    for x in range(size):
        cost += abs(np.int32(np.int8(rest[x])))
    return cost


@_compiled
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

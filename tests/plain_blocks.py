"""Plain Numba versions of the building blocks in `upscale.loops`: the same arguments, the same results to the bit.

`benchmarks/vectors.py` puts them in the blocks' place to measure what each block gains, and the tests compare with them.
"""

import numpy as np
from numba import types
from numba.extending import overload

from upscale.loops import _fma, _inner

#: Columns that are summed at once.
CHUNK = 4096


@_inner
def copy(row, target, streamed):
    for x in range(target.size):
        target[x] = row[x]


@_inner
def no_blocks(phase_rows, shifts, size, stride, many, target):
    """Stand for `_weave_blocks` where its caller shall do all by itself."""
    return 0


@_inner
def repeat(row, size, factor, many, target):
    for x in range(many):
        for i in range(factor):
            for b in range(size):
                target[(x * factor + i) * size + b] = row[x * size + b]


@_inner
def spread_1(row, stride, many, target):
    for x in range(many):
        target[x * stride] = row[x]


@_inner
def spread_2(row, stride, many, target):
    for x in range(many):
        to = x * stride * 2
        target[to], target[to + 1] = row[2 * x], row[2 * x + 1]


@_inner
def spread_3(row, stride, many, target):
    for x in range(many):
        to = x * stride * 3
        target[to], target[to + 1], target[to + 2] = row[3 * x], row[3 * x + 1], row[3 * x + 2]


@_inner
def spread_4(row, stride, many, target):
    for x in range(many):
        to = x * stride * 4
        target[to], target[to + 1] = row[4 * x], row[4 * x + 1]
        target[to + 2], target[to + 3] = row[4 * x + 2], row[4 * x + 3]


@_inner
def weave(phase_rows, shifts, step, target):
    """Interleave phase rows pixel by pixel."""
    stride, width = phase_rows.shape[0], target.size // step
    for p in range(min(stride, width)):
        row, part, many = phase_rows[p, shifts[p] * step :], target[p * step :], (width - p + stride - 1) // stride
        if step == 1:
            spread_1(row, stride, many, part)
        elif step == 2:
            spread_2(row, stride, many, part)
        elif step == 3:
            spread_3(row, stride, many, part)
        elif step == 4:
            spread_4(row, stride, many, part)
        else:
            for x in range(many):
                for c in range(step):
                    part[x * stride * step + c] = row[x * step + c]


@_inner
def add_1(sums, a, wa):
    for x in range(sums.size):
        sums[x] = _fma(wa, a[x], sums[x])


@_inner
def add_2(sums, a, b, wa, wb):
    for x in range(sums.size):
        sums[x] = _fma(wb, b[x], _fma(wa, a[x], sums[x]))


@_inner
def add_4(sums, a, b, c, d, wa, wb, wc, wd):
    for x in range(sums.size):
        sums[x] = _fma(wd, d[x], _fma(wc, c[x], _fma(wb, b[x], _fma(wa, a[x], sums[x]))))


@_inner
def add_taps(sums, data, offsets, number, at, weights, row):
    """Add `number` taps to sums: weights[t, row] times data[offsets[t] + at :]; up to four taps in each pass over sums."""
    n, t = sums.size, 0
    while t < number:
        a, left = offsets[t] + at, number - t
        if left == 1:
            add_1(sums, data[a : a + n], weights[t, row])
            return
        b = offsets[t + 1] + at
        if left < 4:
            add_2(sums, data[a : a + n], data[b : b + n], weights[t, row], weights[t + 1, row])
            t += 2
            continue
        c, d = offsets[t + 2] + at, offsets[t + 3] + at
        add_4(
            sums, data[a : a + n], data[b : b + n], data[c : c + n], data[d : d + n],
            weights[t, row], weights[t + 1, row], weights[t + 2, row], weights[t + 3, row],
        )  # fmt: skip
        t += 4


def add_rows(rows, data, offsets, numbers, together, weights, size, sums, limits, out):
    """Stand for `_add_rows`, which begins with the row `sums`, or with what stands in the rows `sums` where out is None."""


@overload(add_rows, jit_options={"_nrt": False})
def _add_rows(rows, data, offsets, numbers, together, weights, size, sums, limits, out):
    def in_place(rows, data, offsets, numbers, together, weights, size, sums, limits, out):
        for row in range(rows):
            for begin in range(0, size, CHUNK):
                part = sums[row, begin : min(begin + CHUNK, size)]
                add_taps(part, data, offsets[row], numbers[row], begin, weights, row)

    def from_zero(rows, data, offsets, numbers, together, weights, size, sums, limits, out):
        for row in range(rows):
            for begin in range(0, size, CHUNK):
                part = out[row, begin : min(begin + CHUNK, size)]
                part[:] = 0
                add_taps(part, data, offsets[row], numbers[row], begin, weights, row)

    return in_place if isinstance(out, types.NoneType) else from_zero


def to_sample(value, low, high, half, like):
    """Round half up and clip, for integers; return the sample and whether it was clipped."""


@overload(to_sample, inline="always")
def _to_sample(value, low, high, half, like):
    if isinstance(like, types.Float):
        return lambda value, low, high, half, like: (value, False)

    def integer(value, low, high, half, like):
        value = np.floor(value + half)
        kept = min(max(value, low), high)
        return kept, kept != value

    return integer


@_inner
def store_1(begun, a, wa, limits, out):
    clipped, low, high, half, like = np.int32(0), limits[0], limits[1], limits[2], out.dtype.type(0)
    for x in range(out.size):
        out[x], changed = to_sample(_fma(wa, a[x], begun[x]), low, high, half, like)
        clipped = np.int32(clipped + changed)
    return np.int64(clipped)


@_inner
def store_2(begun, a, b, wa, wb, limits, out):
    clipped, low, high, half, like = np.int32(0), limits[0], limits[1], limits[2], out.dtype.type(0)
    for x in range(out.size):
        out[x], changed = to_sample(_fma(wb, b[x], _fma(wa, a[x], begun[x])), low, high, half, like)
        clipped = np.int32(clipped + changed)
    return np.int64(clipped)


@_inner
def store_4(begun, a, b, c, d, wa, wb, wc, wd, limits, out):
    clipped, low, high, half, like = np.int32(0), limits[0], limits[1], limits[2], out.dtype.type(0)
    for x in range(out.size):
        total = _fma(wd, d[x], _fma(wc, c[x], _fma(wb, b[x], _fma(wa, a[x], begun[x]))))
        out[x], changed = to_sample(total, low, high, half, like)
        clipped = np.int32(clipped + changed)
    return np.int64(clipped)


@_inner
def into_row(data, offsets, number, at, weights, row, begun, room, limits, out):
    """Add `number` taps to `begun` and store the samples in out; return how many were clipped."""
    n, last = out.size, number % 4
    last = 1 if last == 3 else 4 if last == 0 else last  # taps of the last pass, which stores
    t = max(number - last, 0)
    if t > 0 or number == 0:
        for x in range(n):
            room[x] = begun[x]
        add_taps(room, data, offsets, t, at, weights, row)
        begun = room
    if number == 0:
        return store_1(begun, begun, begun.dtype.type(0), limits, out)
    a = data[offsets[t] + at : offsets[t] + at + n]
    if last == 1:
        return store_1(begun, a, weights[t, row], limits, out)
    b = data[offsets[t + 1] + at : offsets[t + 1] + at + n]
    if last == 2:
        return store_2(begun, a, b, weights[t, row], weights[t + 1, row], limits, out)
    c, d = offsets[t + 2] + at, offsets[t + 3] + at
    return store_4(
        begun, a, b, data[c : c + n], data[d : d + n],
        weights[t, row], weights[t + 1, row], weights[t + 2, row], weights[t + 3, row], limits, out,
    )  # fmt: skip


@_inner
def into_rows(data, offsets, number, weights, start, room, rounded, limits, out):
    size, clipped = out.shape[1], 0
    for begin in range(0, size, CHUNK):
        end = min(begin + CHUNK, size)
        for row in range(out.shape[0]):
            clipped += into_row(
                data, offsets, number, begin, weights, row, start[begin:end], room[0, : end - begin], limits,
                out[row, begin:end],
            )  # fmt: skip
    return clipped


@_inner
def add_5(sums, a, b, c, d, e, va, vb, vc, vd, ve):
    for k in range(sums.size):
        sums[k] = _fma(ve, e[k], _fma(vd, d[k], _fma(vc, c[k], _fma(vb, b[k], _fma(va, a[k], sums[k])))))


@_inner
def correction(pixels, at, wide, order, turned, weights, begin, size, made, to):
    middle, sums, differs = pixels[np.uint64(at)], made[to : to + size], False
    for y in range(-2, 3):
        for x in range(-2, 3):
            differs |= pixels[np.uint64(at + y * wide + x)] != middle
    sums[:] = 0
    if not differs:
        return
    for y in range(5):
        row, n = at + (y - 2) * wide, turned + 5 * y
        a, b, c = begin + order[np.uint64(n)], begin + order[np.uint64(n + 1)], begin + order[np.uint64(n + 2)]
        d, e = begin + order[np.uint64(n + 3)], begin + order[np.uint64(n + 4)]
        add_5(
            sums, weights[a : a + size], weights[b : b + size], weights[c : c + size], weights[d : d + size],
            weights[e : e + size], pixels[np.uint64(row - 2)] - middle, pixels[np.uint64(row - 1)] - middle,
            pixels[np.uint64(row)] - middle, pixels[np.uint64(row + 1)] - middle, pixels[np.uint64(row + 2)] - middle,
        )  # fmt: skip


#: Block of `upscale.loops` -> (what replaces it, the loops that it is measured in).
BLOCKS = {
    "_adder": ({"_add_rows": add_rows, "_into_rows": into_rows}, ("separable", "dense")),
    "_weave_blocks (phases)": ({"_weave": weave}, ("separable", "dense")),
    "_weave_blocks (nearest)": ({"_weave_blocks": no_blocks}, ("nearest",)),
    "_weave_blocks + _repeat": ({"_weave_blocks": no_blocks, "_repeat": repeat}, ("nearest",)),
    "_copy": ({"_copy": copy}, ("nearest", "dense")),
    "_correction": ({"_correction": correction}, ("correct",)),
}

"""Passes over rows: sums of weighted taps, rounding and storing, and the interleaving of phases.

Four taps, or six where there are only six, are added in one pass over a row of sums, in a fixed order; a pair of rows with the
same input shares passes of eight. The last pass over integers rounds and stores. LLVM turns these loops into vector
instructions; each number of taps has a loop of its own, since a loop over the taps inside would not be.
"""

# What Numba compiles has no types that a checker could follow.
# mypy: ignore-errors

import numpy as np
from numba import types
from numba.extending import overload

from upscale.loops.numba_private import inner
from upscale.loops.vectors import fma

#: Columns that are summed at once: few enough that sums stay in the cache from one pass over the taps to the next.
CHUNK = 4096


@inner
def _add_1(sums, a, wa):
    for x in range(sums.size):
        sums[x] = fma(wa, a[x], sums[x])


@inner
def _add_2(sums, a, b, wa, wb):
    for x in range(sums.size):
        sums[x] = fma(wb, b[x], fma(wa, a[x], sums[x]))


@inner
def _add_4(sums, a, b, c, d, wa, wb, wc, wd):
    for x in range(sums.size):
        sums[x] = fma(wd, d[x], fma(wc, c[x], fma(wb, b[x], fma(wa, a[x], sums[x]))))


@inner
def _add_6(sums, a, b, c, d, e, f, wa, wb, wc, wd, we, wf):
    for x in range(sums.size):
        first = fma(wc, c[x], fma(wb, b[x], fma(wa, a[x], sums[x])))
        sums[x] = fma(wf, f[x], fma(we, e[x], fma(wd, d[x], first)))


@inner
def _add_taps(data, offsets, number, at, weights, row, sums):
    """Add `number` taps to sums: weights[t, row] times data[offsets[t] + at :]. Each pass over sums adds up to four."""
    n, t = sums.size, 0
    while t < number:
        a, left = offsets[t] + at, number - t
        if left == 1:
            _add_1(sums, data[a : a + n], weights[t, row])
            return
        b = offsets[t + 1] + at
        if left < 4:
            _add_2(sums, data[a : a + n], data[b : b + n], weights[t, row], weights[t + 1, row])
            t += 2
            continue
        c, d = offsets[t + 2] + at, offsets[t + 3] + at
        if left == 6:
            e, f = offsets[t + 4] + at, offsets[t + 5] + at
            _add_6(
                sums,
                data[a : a + n],
                data[b : b + n],
                data[c : c + n],
                data[d : d + n],
                data[e : e + n],
                data[f : f + n],
                weights[t, row],
                weights[t + 1, row],
                weights[t + 2, row],
                weights[t + 3, row],
                weights[t + 4, row],
                weights[t + 5, row],
            )
            return
        _add_4(
            sums,
            data[a : a + n],
            data[b : b + n],
            data[c : c + n],
            data[d : d + n],
            weights[t, row],
            weights[t + 1, row],
            weights[t + 2, row],
            weights[t + 3, row],
        )
        t += 4


@inner
def add_rows(data, offsets, numbers, weights, size, sums):
    """Add numbers[row] taps at offsets[row] to the first `size` columns of each row of sums."""
    for row in range(sums.shape[0]):
        for begin in range(0, size, CHUNK):
            chunk = sums[row, begin : min(begin + CHUNK, size)]
            _add_taps(data, offsets[row], numbers[row], begin, weights, row, chunk)


@inner
def _add_8_to_both(sums, others, a, b, c, d, e, f, g, h, wa, wb, wc, wd, we, wf, wg, wh, va, vb, vc, vd, ve, vf, vg, vh):
    for x in range(sums.size):
        one = fma(wd, d[x], fma(wc, c[x], fma(wb, b[x], fma(wa, a[x], sums[x]))))
        other = fma(vd, d[x], fma(vc, c[x], fma(vb, b[x], fma(va, a[x], others[x]))))
        sums[x] = fma(wh, h[x], fma(wg, g[x], fma(wf, f[x], fma(we, e[x], one))))
        others[x] = fma(vh, h[x], fma(vg, g[x], fma(vf, f[x], fma(ve, e[x], other))))


@inner
def add_row_pair(data, offsets, number, weights, row, other, size, sums):
    """Add taps to two rows of sums as `add_rows` does; the data are the same, the weights are not.

    Eight taps are read once for both rows. For 49 taps, that takes about 0.85 of the time of one row after the other.
    """
    together = number // 8 * 8
    for begin in range(0, size, CHUNK):
        n = min(begin + CHUNK, size) - begin
        first, second = sums[row, begin : begin + n], sums[other, begin : begin + n]
        for t in range(0, together, 8):
            a, b, c, d = offsets[t] + begin, offsets[t + 1] + begin, offsets[t + 2] + begin, offsets[t + 3] + begin
            e, f, g, h = offsets[t + 4] + begin, offsets[t + 5] + begin, offsets[t + 6] + begin, offsets[t + 7] + begin
            _add_8_to_both(
                first,
                second,
                data[a : a + n],
                data[b : b + n],
                data[c : c + n],
                data[d : d + n],
                data[e : e + n],
                data[f : f + n],
                data[g : g + n],
                data[h : h + n],
                weights[t + 0, row],
                weights[t + 1, row],
                weights[t + 2, row],
                weights[t + 3, row],
                weights[t + 4, row],
                weights[t + 5, row],
                weights[t + 6, row],
                weights[t + 7, row],
                weights[t + 0, other],
                weights[t + 1, other],
                weights[t + 2, other],
                weights[t + 3, other],
                weights[t + 4, other],
                weights[t + 5, other],
                weights[t + 6, other],
                weights[t + 7, other],
            )
        left, rest = offsets[together:number], weights[together:number]
        _add_taps(data, left, number - together, begin, rest, row, first)
        _add_taps(data, left, number - together, begin, rest, other, second)


def _to_sample(value, low, high, half, like):
    """Round half up and clip, where `like` is an integer; return the sample and whether it was clipped."""


@overload(_to_sample, inline="always")
def _choose_to_sample(value, low, high, half, like):
    if isinstance(like, types.Float):
        return lambda value, low, high, half, like: (value, False)

    def rounded(value, low, high, half, like):
        value = np.floor(value + half)
        kept = min(max(value, low), high)
        return kept, kept != value

    return rounded


@inner
def store_row(sums, limits, out):
    """Store sums in out; round and clip integers, and return how many were clipped."""
    clipped, low, high, half, like = np.int32(0), limits[0], limits[1], limits[2], out.dtype.type(0)
    for x in range(out.size):
        out[x], changed = _to_sample(sums[x], low, high, half, like)
        clipped = np.int32(clipped + changed)
    return np.int64(clipped)


@inner
def _store_1(sums, a, wa, limits, out):
    clipped, low, high, half, like = np.int32(0), limits[0], limits[1], limits[2], out.dtype.type(0)
    for x in range(out.size):
        out[x], changed = _to_sample(fma(wa, a[x], sums[x]), low, high, half, like)
        clipped = np.int32(clipped + changed)
    return np.int64(clipped)


@inner
def _store_2(sums, a, b, wa, wb, limits, out):
    clipped, low, high, half, like = np.int32(0), limits[0], limits[1], limits[2], out.dtype.type(0)
    for x in range(out.size):
        out[x], changed = _to_sample(fma(wb, b[x], fma(wa, a[x], sums[x])), low, high, half, like)
        clipped = np.int32(clipped + changed)
    return np.int64(clipped)


@inner
def _store_4(sums, a, b, c, d, wa, wb, wc, wd, limits, out):
    clipped, low, high, half, like = np.int32(0), limits[0], limits[1], limits[2], out.dtype.type(0)
    for x in range(out.size):
        total = fma(wd, d[x], fma(wc, c[x], fma(wb, b[x], fma(wa, a[x], sums[x]))))
        out[x], changed = _to_sample(total, low, high, half, like)
        clipped = np.int32(clipped + changed)
    return np.int64(clipped)


@inner
def _store_6(sums, a, b, c, d, e, f, wa, wb, wc, wd, we, wf, limits, out):
    clipped, low, high, half, like = np.int32(0), limits[0], limits[1], limits[2], out.dtype.type(0)
    for x in range(out.size):
        total = fma(wc, c[x], fma(wb, b[x], fma(wa, a[x], sums[x])))
        total = fma(wf, f[x], fma(we, e[x], fma(wd, d[x], total)))
        out[x], changed = _to_sample(total, low, high, half, like)
        clipped = np.int32(clipped + changed)
    return np.int64(clipped)


@inner
def _sum_into_row(data, offsets, number, at, weights, row, start, scratch, limits, out):
    """Add taps to `start` as `_add_taps` does and store the sums in out; return how many were clipped.

    The last pass over the taps stores, so that no pass only copies.
    """
    if number == 0:
        return store_row(start, limits, out)
    n, last = out.size, 6 if number == 6 else (4, 1, 2, 1)[number % 4]
    t, sums = number - last, start
    if t > 0:
        for x in range(n):
            scratch[x] = start[x]
        _add_taps(data, offsets, t, at, weights, row, scratch)
        sums = scratch
    a = data[offsets[t] + at : offsets[t] + at + n]
    if last == 1:
        return _store_1(sums, a, weights[t, row], limits, out)
    b = data[offsets[t + 1] + at : offsets[t + 1] + at + n]
    if last == 2:
        return _store_2(sums, a, b, weights[t, row], weights[t + 1, row], limits, out)
    c, d = offsets[t + 2] + at, offsets[t + 3] + at
    if last == 6:
        e, f = offsets[t + 4] + at, offsets[t + 5] + at
        return _store_6(
            sums,
            a,
            b,
            data[c : c + n],
            data[d : d + n],
            data[e : e + n],
            data[f : f + n],
            weights[t, row],
            weights[t + 1, row],
            weights[t + 2, row],
            weights[t + 3, row],
            weights[t + 4, row],
            weights[t + 5, row],
            limits,
            out,
        )
    return _store_4(
        sums,
        a,
        b,
        data[c : c + n],
        data[d : d + n],
        weights[t, row],
        weights[t + 1, row],
        weights[t + 2, row],
        weights[t + 3, row],
        limits,
        out,
    )


@inner
def sum_into_rows(data, offsets, number, weights, start, scratch, limits, out):
    """Add `number` taps to `start` and store the sums in each row of out; return how many were clipped."""
    clipped = 0
    for begin in range(0, out.shape[1], CHUNK):
        end = min(begin + CHUNK, out.shape[1])
        for row in range(out.shape[0]):
            clipped += _sum_into_row(
                data,
                offsets,
                number,
                begin,
                weights,
                row,
                start[begin:end],
                scratch[: end - begin],
                limits,
                out[row, begin:end],
            )
    return clipped


@inner
def _spread_1(row, stride, many, target):
    for x in range(many):
        target[x * stride] = row[x]


@inner
def _spread_2(row, stride, many, target):
    for x in range(many):
        to = x * stride * 2
        target[to], target[to + 1] = row[2 * x], row[2 * x + 1]


@inner
def _spread_3(row, stride, many, target):
    for x in range(many):
        to = x * stride * 3
        target[to], target[to + 1], target[to + 2] = row[3 * x], row[3 * x + 1], row[3 * x + 2]


@inner
def _spread_4(row, stride, many, target):
    for x in range(many):
        to = x * stride * 4
        target[to], target[to + 1] = row[4 * x], row[4 * x + 1]
        target[to + 2], target[to + 3] = row[4 * x + 2], row[4 * x + 3]


@inner
def interleave_phases(phase_rows, shifts, step, target):
    """Interleave phase rows pixel by pixel: pixel x * stride + p of target is pixel x + shifts[p] of row p.

    Pixels have `step` samples. The usual numbers of samples have loops of their own, which take half the time.
    """
    stride, width = phase_rows.shape[0], target.size // step
    for p in range(min(stride, width)):
        row, part, many = phase_rows[p, shifts[p] * step :], target[p * step :], (width - p + stride - 1) // stride
        if stride == 1:
            _spread_1(row, 1, target.size, target)
        elif step == 1:
            _spread_1(row, stride, many, part)
        elif step == 2:
            _spread_2(row, stride, many, part)
        elif step == 3:
            _spread_3(row, stride, many, part)
        elif step == 4:
            _spread_4(row, stride, many, part)
        else:
            for x in range(many):
                for c in range(step):
                    part[x * stride * step + c] = row[x * step + c]

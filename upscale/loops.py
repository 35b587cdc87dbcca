"""All compiled loops, over arrays that are handed in; `loops_numpy` holds their equals without Numba.

Pictures come as planes of flat rows: (P, H, W * step), where `step` is the number of interleaved channels. No loop knows
about kernels, padding or files: `nearest` and `transposed` plan, these only multiply, add and store. All of them stand in
this one file because Numba's cache does not notice a change in another one. Every sum runs in one fixed order, so that the
result depends neither on the number of threads nor on the engine or the processor: products of 32-bit floats are added as
they are (fused), those of 64-bit floats rounded before.

Almost all is plain Numba. Where LLVM code is written by hand, a comment above says the same in Python, and
`benchmarks/vectors.py` measures what it gains. An intrinsic is a Python function that runs at compile time and emits LLVM
instructions: `builder.add(a, b)` does not add, it writes an add; `index(3)` is the constant 3 of that type; a vector type
holds several elements, which LLVM splits into registers; `if_then` and `for_range` open blocks of code, and the Python loops
around them unroll.
"""

# What Numba compiles, and what builds code for LLVM, has no types that a checker could follow.
# mypy: ignore-errors

import contextlib

import numba
import numpy as np
from llvmlite import ir
from numba import prange, types
from numba.core import cgutils, entrypoints
from numba.core.errors import TypingError
from numba.core.imputils import impl_ret_borrowed
from numba.core.registry import cpu_target
from numba.core.runtime import rtsys
from numba.extending import intrinsic, overload

#: False where no cache folder can be written: the loops are then compiled in each process.
CACHED = True

#: Outputs of more bytes than this are expected to leave the caches before they are read.
_CACHES = 1 << 25


def _compiled(function):
    """Compile a loop at its first call, for all cores, and keep the machine code where a cache folder can be written."""
    global CACHED
    try:
        loop = numba.njit(parallel=True, cache=True)(function)
    except RuntimeError:  # Numba found no folder for its cache
        CACHED = False
        return numba.njit(parallel=True)(function)
    cache = loop._cache

    def load(signature, context):
        # What comes out of the cache needs Numba's runtime, and none of what Numba imports first, for a fifth of a second, to
        # compile.
        rtsys.initialize(context)
        return cache._load_overload(signature, context)

    # A cache on a full disk, or one that was damaged, costs time and nothing else.
    cache.load_overload = _forgiving(load, cache.load_overload)
    cache.save_overload = _forgiving(cache.save_overload)
    return loop


def _forgiving(*methods):
    """Call the first of some methods that works; None where none does."""

    def call(*arguments):
        for method in methods:
            with contextlib.suppress(Exception):  # as many kinds as pickle and the system have
                return method(*arguments)
        return None

    return call


def prepare():
    """Do what the first call of any loop would do first."""
    rtsys.initialize(cpu_target.target_context)
    entrypoints.init_all()
    numba.typeof(np.empty(0))


#: For what other loops call. `_inner` functions are compiled without reference counting, which costs as much as a row. They
#: must not create arrays; `_making` functions may.
_inner = numba.njit(_nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
_making = numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)


def _pointer(context, builder, signature, arguments, which, at, kind):
    """Return a pointer to the byte at offset `at` of an array argument, as a pointer to `kind`."""
    array = context.make_array(signature.args[which])(context, builder, arguments[which])
    begin = builder.bitcast(array.data, ir.IntType(8).as_pointer())
    return builder.bitcast(builder.gep(begin, [at]), kind.as_pointer())


# def _borrowed(array): return array
@intrinsic
def _borrowed(typing_context, array):
    """Return the array without its reference count, which threads that slice the same array would all write to.

    The caller must keep the array alive for as long as the result is used.
    """

    def generate(context, builder, signature, arguments):
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        view.meminfo = cgutils.get_null_value(view.meminfo.type)
        return view._getvalue()

    return array(array), generate


# def _flat(array): return array.reshape(array.size)
@intrinsic
def _flat(typing_context, array):
    """Return a contiguous array as a 1-D view.

    NumPy's `reshape` would make Numba import half of itself when a loop comes from the cache.
    """
    if array.layout != "C":
        raise TypingError(f"{array} is not contiguous")
    row = types.Array(array.dtype, 1, "C", readonly=not array.mutable)

    def generate(context, builder, signature, arguments):
        given = context.make_array(array)(context, builder, arguments[0])
        return impl_ret_borrowed(
            context, builder, row, _array(context, builder, row, given.data, [given.nitems], given.meminfo)
        )

    return row(array), generate


# def _empty(kind, rows, columns): return np.empty((rows, columns), kind)
@intrinsic
def _empty(typing_context, kind, rows, columns):
    """Return a new 2-D array.

    NumPy's `empty` would make Numba import half of itself when a loop comes from the cache.
    """
    made = types.Array(kind.dtype, 2, "C")

    def generate(context, builder, signature, arguments):
        _, *shape = arguments
        size = builder.mul(builder.mul(*shape), shape[0].type(made.dtype.bitwidth // 8))
        meminfo = context.nrt.meminfo_alloc_aligned(builder, size=size, align=ir.IntType(32)(64))
        data = builder.bitcast(context.nrt.meminfo_data(builder, meminfo), context.get_data_type(made.dtype).as_pointer())
        return _array(context, builder, made, data, shape, meminfo)

    return made(kind, types.intp, types.intp), generate


def _array(context, builder, kind, data, shape, meminfo=None):
    """Return the LLVM structure of a contiguous array."""
    from numba.np.arrayobj import populate_array

    array, size = context.make_array(kind)(context, builder), shape[0].type(kind.dtype.bitwidth // 8)
    strides = [size] if len(shape) == 1 else [builder.mul(shape[1], size), size]
    populate_array(array, data, cgutils.pack_array(builder, shape), cgutils.pack_array(builder, strides), size, meminfo)
    return array._getvalue()


@_making
def _zeros(kind, rows, columns):
    """Return a new 2-D array of zeros."""
    made = _empty(kind, rows, columns)
    flat = _flat(made)
    for i in range(flat.size):
        flat[i] = 0
    return made


def _loads(context, builder, signature, arguments, kind):
    """Return two functions that load a `kind` from a byte offset of an array argument, and store one there.

    The offset need not be aligned.
    """

    def load(which, at):
        return builder.load(_pointer(context, builder, signature, arguments, which, at, kind), align=1)

    def store(value, which, at):
        builder.store(value, _pointer(context, builder, signature, arguments, which, at, kind), align=1)

    return load, store


# def _fetch_add(counter, more):
#     old = counter[0, 0]
#     counter[0, 0] += more  # the two lines are one atomic step
#     return old
@intrinsic
def _fetch_add(typing_context, counter, more):
    """Add atomically to a counter that all threads share; return its old value.

    Threads fetch the next part of the work with it, so that a slow or busy core does fewer parts. The first parallel iteration
    on each thread fetches parts until none is left, and the thread's other iterations find none.
    """

    def generate(context, builder, signature, arguments):
        shared = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.atomic_rmw("add", shared.data, arguments[1], "monotonic")

    return types.int64(counter, types.int64), generate


# def _repeat(row, size, factor, many, target):
#     for x in range(many):
#         for i in range(factor):
#             target[(x * factor + i) * size :][:size] = row[x * size :][:size]
@intrinsic
def _repeat(typing_context, row, size, factor, many, target):
    """Copy each of the first `many` pixels of a row `factor` times into a target; pixels have `size` bytes.

    A pixel is loaded as 16 bytes and stored as 16 bytes that hold as many copies as fit, or in several pieces if it is larger.
    The next pixel overwrites the excess. So row and target must be valid for 16 bytes past the last pixel.
    """

    def generate(context, builder, signature, arguments):
        _, size, factor, many, _ = arguments
        load, store = _loads(context, builder, signature, arguments, ir.VectorType(ir.IntType(8), 16))
        integer = size.type
        block = builder.mul(size, factor)
        for known in (1, 2, 3, 4, 5, 6, 7, 8, 0):
            copies = 16 // known if known else 1
            chosen = builder.icmp_signed("==", size, integer(known)) if known else builder.icmp_signed(">", size, integer(8))
            with builder.if_then(chosen), cgutils.for_range(builder, many) as pixel:
                begin, to = builder.mul(pixel.index, size), builder.mul(pixel.index, block)
                if known:
                    piece = load(0, begin)
                    mask = [i % known for i in range(16)]
                    piece = builder.shuffle_vector(piece, piece, ir.Constant(ir.VectorType(ir.IntType(32), 16), mask))
                    with cgutils.for_range_slice(builder, integer(0), block, integer(copies * known)) as (at, _):
                        store(piece, 4, builder.add(to, at))
                else:
                    copies, pieces = (block, size), (size, integer(16))
                    with (
                        cgutils.for_range_slice(builder, integer(0), *copies) as (copy, _),
                        cgutils.for_range_slice(builder, integer(0), *pieces) as (at, _),
                    ):
                        store(load(0, builder.add(begin, at)), 4, builder.add(builder.add(to, copy), at))
        return context.get_dummy_value()

    integer = types.intp
    return types.void(row, integer, integer, integer, target), generate


# def _copy(row, target, streamed): target[:] = row
@intrinsic
def _copy(typing_context, row, target, streamed):
    """Copy a row of bytes. With `streamed`, stores bypass the caches, which would first read the memory that is overwritten.

    That pays for outputs that are larger than the caches.
    """

    def generate(context, builder, signature, arguments):
        row, target = (context.make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 1))
        index, kind = builder.extract_value(target.shape, 0).type, ir.VectorType(ir.IntType(8), 64)
        size = builder.mul(builder.extract_value(target.shape, 0), index(signature.args[1].dtype.bitwidth // 8))
        begin, end = (builder.bitcast(array.data, ir.IntType(8).as_pointer()) for array in (row, target))
        # Such stores need addresses that are multiples of 64. The bytes before the first and after the last are copied plainly.
        address = builder.ptrtoint(end, index)
        before = builder.and_(builder.neg(address), index(63))
        vectors = builder.sdiv(builder.sub(size, before), index(64))
        with builder.if_else(builder.and_(arguments[2], builder.icmp_signed(">", vectors, index(0)))) as (then, otherwise):
            with then:
                behind = builder.add(before, builder.mul(vectors, index(64)))
                for at, many in ((index(0), before), (behind, builder.sub(size, behind))):
                    cgutils.raw_memcpy(builder, builder.gep(end, [at]), builder.gep(begin, [at]), many, index(1))
                with cgutils.for_range(builder, vectors) as vector:
                    at = builder.add(before, builder.mul(vector.index, index(64)))
                    source, to = (builder.bitcast(builder.gep(data, [at]), kind.as_pointer()) for data in (begin, end))
                    stored = builder.store(builder.load(source, align=1), to, align=64)
                    stored.set_metadata("nontemporal", builder.module.add_metadata([ir.IntType(32)(1)]))
            with otherwise:
                cgutils.raw_memcpy(builder, end, begin, size, index(1))
        return context.get_dummy_value()

    return types.void(row, target, types.boolean), generate


# def _fma(weight, value, total): return total + weight * value  # rounded once for float32
@intrinsic
def _fma(typing_context, weight, value, total):
    """Return total + weight * value. For 32-bit floats, the product is not rounded before it is added (fused).

    No Python expression does that. 64-bit products are rounded first, because not every processor can fuse those. LLVM turns
    loops of this into vector instructions.
    """

    def generate(context, builder, signature, arguments):
        weight, value, total = arguments
        kind, double = total.type, ir.DoubleType()
        if kind == double:
            return builder.fadd(total, builder.fmul(weight, value))
        triple, _, features = context.codegen().magic_tuple()
        if "+fma" in features or "x86" not in triple:
            fused = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), "llvm.fma.f32")
            return builder.call(fused, [weight, value, total])
        # Processors without the instruction: 64-bit floats represent products of 32-bit floats exactly.
        weight, value, total = (builder.fpext(number, double) for number in (weight, value, total))
        return builder.fptrunc(builder.fadd(total, builder.fmul(weight, value)), kind)

    return total(total, total, total), generate


#: Columns that are summed at once: few enough that sums stay in the cache from one pass over the taps to the next.
_CHUNK = 4096


@_inner
def _add_1(sums, a, wa):
    for x in range(sums.size):
        sums[x] = _fma(wa, a[x], sums[x])


@_inner
def _add_2(sums, a, b, wa, wb):
    for x in range(sums.size):
        sums[x] = _fma(wb, b[x], _fma(wa, a[x], sums[x]))


@_inner
def _add_4(sums, a, b, c, d, wa, wb, wc, wd):
    for x in range(sums.size):
        sums[x] = _fma(wd, d[x], _fma(wc, c[x], _fma(wb, b[x], _fma(wa, a[x], sums[x]))))


@_inner
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
        _add_4(
            sums, data[a : a + n], data[b : b + n], data[c : c + n], data[d : d + n],
            weights[t, row], weights[t + 1, row], weights[t + 2, row], weights[t + 3, row],
        )  # fmt: skip
        t += 4


@_inner
def _add_rows(data, offsets, numbers, weights, size, sums):
    """Add numbers[row] taps at offsets[row] to the first `size` columns of each row of sums."""
    for row in range(sums.shape[0]):
        for begin in range(0, size, _CHUNK):
            chunk = sums[row, begin : min(begin + _CHUNK, size)]
            _add_taps(data, offsets[row], numbers[row], begin, weights, row, chunk)


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


@_inner
def _store(sums, limits, out):
    """Store sums in out; round and clip integers, and return how many were clipped."""
    clipped, low, high, half, like = np.int32(0), limits[0], limits[1], limits[2], out.dtype.type(0)
    for x in range(out.size):
        out[x], changed = _to_sample(sums[x], low, high, half, like)
        clipped = np.int32(clipped + changed)
    return np.int64(clipped)


@_inner
def _store_1(sums, a, wa, limits, out):
    clipped, low, high, half, like = np.int32(0), limits[0], limits[1], limits[2], out.dtype.type(0)
    for x in range(out.size):
        out[x], changed = _to_sample(_fma(wa, a[x], sums[x]), low, high, half, like)
        clipped = np.int32(clipped + changed)
    return np.int64(clipped)


@_inner
def _store_2(sums, a, b, wa, wb, limits, out):
    clipped, low, high, half, like = np.int32(0), limits[0], limits[1], limits[2], out.dtype.type(0)
    for x in range(out.size):
        out[x], changed = _to_sample(_fma(wb, b[x], _fma(wa, a[x], sums[x])), low, high, half, like)
        clipped = np.int32(clipped + changed)
    return np.int64(clipped)


@_inner
def _store_4(sums, a, b, c, d, wa, wb, wc, wd, limits, out):
    clipped, low, high, half, like = np.int32(0), limits[0], limits[1], limits[2], out.dtype.type(0)
    for x in range(out.size):
        total = _fma(wd, d[x], _fma(wc, c[x], _fma(wb, b[x], _fma(wa, a[x], sums[x]))))
        out[x], changed = _to_sample(total, low, high, half, like)
        clipped = np.int32(clipped + changed)
    return np.int64(clipped)


@_inner
def _into_row(data, offsets, number, at, weights, row, start, scratch, limits, out):
    """Add taps to `start` as `_add_taps` does and store the sums in out; return how many were clipped.

    The last pass over the taps stores, so that no pass only copies.
    """
    if number == 0:
        return _store(start, limits, out)
    n, last = out.size, (4, 1, 2, 1)[number % 4]
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
    return _store_4(
        sums, a, b, data[c : c + n], data[d : d + n],
        weights[t, row], weights[t + 1, row], weights[t + 2, row], weights[t + 3, row], limits, out,
    )  # fmt: skip


@_inner
def _into_rows(data, offsets, number, weights, start, scratch, limits, out):
    """Add `number` taps to `start` and store the sums in each row of out; return how many were clipped."""
    clipped = 0
    for begin in range(0, out.shape[1], _CHUNK):
        end = min(begin + _CHUNK, out.shape[1])
        for row in range(out.shape[0]):
            clipped += _into_row(
                data, offsets, number, begin, weights, row, start[begin:end], scratch[: end - begin], limits,
                out[row, begin:end],
            )  # fmt: skip
    return clipped


@_inner
def _spread_1(row, stride, many, target):
    for x in range(many):
        target[x * stride] = row[x]


@_inner
def _spread_2(row, stride, many, target):
    for x in range(many):
        to = x * stride * 2
        target[to], target[to + 1] = row[2 * x], row[2 * x + 1]


@_inner
def _spread_3(row, stride, many, target):
    for x in range(many):
        to = x * stride * 3
        target[to], target[to + 1], target[to + 2] = row[3 * x], row[3 * x + 1], row[3 * x + 2]


@_inner
def _spread_4(row, stride, many, target):
    for x in range(many):
        to = x * stride * 4
        target[to], target[to + 1] = row[4 * x], row[4 * x + 1]
        target[to + 2], target[to + 3] = row[4 * x + 2], row[4 * x + 3]


@_inner
def _interleave(phase_rows, shifts, step, target):
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


@_inner
def _span(lines, begin, end):
    """Find the first and the last line that rows of output take."""
    lowest, highest = np.int64(1) << 62, np.int64(-1)
    for y in range(begin, end):
        for t in range(lines.shape[1]):
            if lines[y, t] >= 0:
                lowest, highest = min(lowest, lines[y, t]), max(highest, lines[y, t])
    return lowest, highest


@_inner
def _alike(lines, begin, end):
    """Count the rows of output, from `begin` on, that take the same lines."""
    y = begin + 1
    while y < end:
        for t in range(lines.shape[1]):
            if lines[y, t] != lines[begin, t]:
                return y - begin
        y += 1
    return y - begin


@_inner
def _repeated(values, row):
    """Fill a row with the same few values again and again."""
    if values.size == 1:
        row[:] = values[0]
        return
    for x in range(0, row.size - values.size + 1, values.size):
        for c in range(values.size):
            row[x + c] = values[c]


@_inner
def _convert(row, line, at):
    """Convert a row to floats in a line, from place `at` on, with zeros around."""
    before, inside, behind = line[:at], line[at : at + row.size], line[at + row.size :]
    before[:] = 0
    for x in range(row.size):
        inside[x] = row[x]
    behind[:] = 0


@_inner
def _extend(line, sources, left, width, step):
    """Fill a line beyond the border: each position there repeats the input column that `sources` names, or stays 0."""
    for i in range(sources.size - width):
        at = i if i < left else width + i
        if sources[at] >= 0:
            for c in range(step):
                line[at * step + c] = line[(left + sources[at]) * step + c]


@_inner
def _nearest_part(source, vertical, horizontal, size, out, begin, end, streamed):
    """Duplicate rows `begin` to `end`; see `nearest`."""
    flat = source.shape[1]
    for y in range(begin, end):
        row, first = source[y], out[y * vertical]
        if horizontal == 1:
            _copy(row, first, False)
        else:
            many = max(0, (flat - (size + 15) // 16 * 16) // size + 1)
            _repeat(row, size, horizontal, many, first)
            for x in range(many, flat // size):
                for i in range(horizontal):
                    for b in range(size):
                        first[(x * horizontal + i) * size + b] = row[x * size + b]
        for i in range(1, vertical):
            _copy(first, out[y * vertical + i], streamed)


@_compiled
def nearest(source, vertical, horizontal, size, out):
    """Duplicate pixels of `size` bytes: (H, W * size) over their blocks of out, (H * vertical, W * horizontal * size)."""
    taken, streamed = _zeros(np.int64, 1, 1), out.size > _CACHES
    part = max(1, min(16, source.shape[0] // 64))
    parts = (source.shape[0] + part - 1) // part
    for _ in prange(parts):
        n = _fetch_add(taken, 1)
        while n < parts:
            _nearest_part(source, vertical, horizontal, size, out, n * part, min((n + 1) * part, source.shape[0]), streamed)
            n = _fetch_add(taken, 1)


@_inner
def _part(rows):
    """Choose how many rows of output one thread does in one go: few enough for many cores, many enough to share their input."""
    return max(16, min(64, rows // 64))


@_making
def _separable_part(source, step, base, rows, columns, limits, out, begin, end):
    """Compute rows `begin` to `end` of one plane; see `separable`."""
    source, out = _borrowed(source), _borrowed(out)
    size, (stride, taps) = out.shape[1], columns.start.shape
    phase_size = (size // step + stride - 1) // stride * step + step
    clipped = 0
    # Fields are taken out of their tuples once: references to them would be counted at each use.
    tapped, line_source, row_weight, number = rows.line, rows.source, rows.weight, columns.number
    column_source, column_start, shift, column_weight = columns.source, columns.start, columns.shift, columns.weight
    edge, edge_at, edge_weight = columns.edge, columns.edge_at, columns.edge_weight
    left, width = columns.left, source.shape[1] // step

    # Phases may read up to two pixels past the end of a line, into columns that the output does not have.
    line, terms = _empty(limits.dtype, 1, (column_source.size + 2) * step)[0], row_weight.shape[0]
    phase_rows, shifts = _empty(limits.dtype, stride, phase_size), _empty(np.int64, 1, stride)[0]
    beside, across = _empty(np.int64, stride, taps), _empty(limits.dtype, terms * taps, stride)
    for p in range(stride):
        shifts[p] = shift[p]
        for t in range(taps):
            beside[p, t] = (column_start[p, t] - shift[p]) * step
            for r in range(terms):
                across[r * taps + t, p] = column_weight[r, p, t]
    next_line = _span(tapped, begin, end)[0]
    kept = 1  # wide lines at a time
    for y in range(begin, end):
        first, last = _span(tapped, y, y + 1)
        kept = max(kept, last - first + 1)
    wide = _empty(limits.dtype, kept * terms, size)
    flat_wide = _flat(wide)
    start, sums = _empty(limits.dtype, 1, size)[0], _empty(limits.dtype, 1, min(size, _CHUNK))[0]
    _repeated(base, start)
    below, down = _empty(np.int64, 1, tapped.shape[1] * terms)[0], _empty(limits.dtype, tapped.shape[1] * terms, 4)
    y = begin
    while y < end:
        many, many_taps, last = _alike(tapped, y, min(y + 4, end)), 0, next_line - 1
        for t in range(tapped.shape[1]):
            if tapped[y, t] >= 0:
                for r in range(terms):
                    below[many_taps] = (tapped[y, t] % kept * terms + r) * wide.shape[1]
                    for i in range(many):
                        down[many_taps, i] = row_weight[r, y + i, t]
                    many_taps += 1
                last = max(last, tapped[y, t])
        for at in range(next_line, last + 1):
            _convert(source[line_source[at]], line, left * step)
            _extend(line, column_source, left, width, step)
            for r in range(terms):
                row = wide[at % kept * terms + r]
                phase_rows[:] = 0
                _add_rows(line, beside, number, across[r * taps :], phase_size, phase_rows)
                _interleave(phase_rows, shifts, step, row)
                for e in range(edge.size):  # columns with weights of their own
                    for c in range(step):
                        value = limits.dtype.type(0)
                        for t in range(edge_at.shape[1]):
                            if edge_at[e, t] >= 0:
                                value += edge_weight[r, e, t] * line[edge_at[e, t] * step + c]
                        row[edge[e] * step + c] = value
        next_line = last + 1
        clipped += _into_rows(flat_wide, below, many_taps, down, start, sums, limits, out[y : y + many])
        y += many
    return clipped


@_making
def _dense_part(source, step, weights, base, rows, columns, gain, out, begin, end):
    """Compute rows `begin` to `end` of one plane from the planes (C, H, W * step) and weights (C, kH, kW); see `dense`."""
    source, out = _borrowed(source), _borrowed(out)
    size, (stride, taps) = out.shape[1], columns.start.shape
    phase_size = (size // step + stride - 1) // stride * step + step
    channels = source.shape[0]
    most = max(1, 4 // stride)  # rows at once
    # Fields are taken out of their tuples once: references to them would be counted at each use.
    tapped, line_source, row_tap, row_kind = rows.line, rows.source, rows.tap, rows.kind
    column_source, column_start, shift = columns.source, columns.start, columns.shift
    column_tap, column_kind, number = columns.tap, columns.kind, columns.number
    edge, edge_at, edge_tap, edge_kind = columns.edge, columns.edge_at, columns.edge_tap, columns.edge_kind
    left, width = columns.left, source.shape[2] // step

    lowest, highest = _span(tapped, begin, end)
    # Phases may read up to two pixels past the end of a line, into columns that the output does not have.
    lines = _empty(base.dtype, max(highest - lowest + 1, 0), (column_source.size + 2) * step)
    flat_lines, long = _flat(lines), lines.shape[1]
    sums = _empty(base.dtype, (end - begin if channels > 1 else most) * stride, phase_size)
    edges = _empty(base.dtype, end - begin, edge.size * step)
    for y in range(end - begin):
        _repeated(base, edges[y])
    shifts = _empty(np.int64, 1, stride)[0]
    for p in range(stride):
        shifts[p] = shift[p]
    beside, across = (
        _empty(np.int64, most * stride, tapped.shape[1] * taps),
        _empty(base.dtype, tapped.shape[1] * taps, most * stride),
    )
    numbers, weight = _empty(np.int64, 1, most * stride)[0], _empty(base.dtype, 1, 1)[0]
    for channel in range(channels):
        for i in range(lines.shape[0]):
            _convert(source[channel, line_source[lowest + i]], lines[i], left * step)
            _extend(lines[i], column_source, left, width, step)
        y = begin
        while y < end:
            many = _alike(tapped, y, min(y + most, end))
            numbers[:] = 0
            for i in range(many):
                kind = row_kind[y + i]
                for t in range(tapped.shape[1]):
                    if tapped[y, t] < 0:
                        continue
                    line, tap = tapped[y, t] - lowest, row_tap[y + i, t]
                    for p in range(stride):
                        row = i * stride + p
                        for s in range(number[p]):
                            beside[row, numbers[row]] = line * long + (column_start[p, s] - shift[p]) * step
                            across[numbers[row], row] = weights[channel, tap, column_tap[p, s]] / gain[kind, column_kind[p]]
                            numbers[row] += 1
                    for e in range(edge.size):
                        for s in range(edge_at.shape[1]):
                            if edge_at[e, s] >= 0:
                                weight[0] = weights[channel, tap, edge_tap[e, s]] / gain[kind, edge_kind[e]]
                                for c in range(step):
                                    edges[y + i - begin, e * step + c] += weight[0] * lines[line, edge_at[e, s] * step + c]
            first = (y - begin) * stride if channels > 1 else 0
            begun = sums[first : first + many * stride]
            if channel == 0:
                for row in range(many * stride):
                    _repeated(base, begun[row])
            _add_rows(flat_lines, beside, numbers, across, phase_size, begun)
            if channel == channels - 1:
                for i in range(many):
                    _interleave(begun[i * stride : (i + 1) * stride], shifts, step, out[y + i])
                    for e in range(edge.size):  # columns with weights of their own
                        for c in range(step):
                            out[y + i, edge[e] * step + c] = edges[y + i - begin, e * step + c]
            y += many


@_compiled
def separable(source, step, base, rows, columns, rounded, limits, out):
    """Transposed convolution of each plane by one kernel of low rank; `rows` and `columns` are tables of `gather`.

    Each input row is first summed over its horizontal taps, into one phase row for each phase; these are interleaved to a row
    as wide as the output, for each term of the kernel. Output rows are then sums of a few of these rows, which stay in the
    core's cache meanwhile. The type of out says whether sums are rounded, as `rounded` does for the NumPy loops.
    """
    part = _part(out.shape[1])
    parts = (out.shape[1] + part - 1) // part
    many, taken, clipped = out.shape[0] * parts, _zeros(np.int64, 1, 1), _zeros(np.int64, 1, 1)
    for _ in prange(many):
        n = _fetch_add(taken, 1)
        while n < many:
            plane, begin = n // parts, n % parts * part
            end = min(begin + part, out.shape[1])
            done = _separable_part(source[plane], step, base[0], rows, columns, limits, out[plane], begin, end)
            _fetch_add(clipped, done)
            n = _fetch_add(taken, 1)
    return clipped[0, 0]


@_compiled
def dense(source, step, weights, groups, base, rows, columns, gain, out):
    """Transposed convolution of floats by any kernel, with channels mixed within groups; see `gather` for the tables.

    A part is some rows of one output plane. One input channel after the other is converted to lines with zeros around them, and
    all its taps are added to phase rows of sums, which are interleaved after the last channel.
    """
    channels, out_channels = weights.shape[0] // groups, weights.shape[1]
    part = 16  # rows of sums that stay in the cache from one channel to the next
    parts = (out.shape[1] + part - 1) // part
    many, taken = out.shape[0] * parts, _zeros(np.int64, 1, 1)
    for _ in prange(many):
        n = _fetch_add(taken, 1)
        while n < many:
            plane, begin = n // parts, n % parts * part
            end = min(begin + part, out.shape[1])
            batch, m = plane // (groups * out_channels), plane % (groups * out_channels)
            first = m // out_channels * channels
            planes = source[batch * weights.shape[0] + first : batch * weights.shape[0] + first + channels]
            _dense_part(
                planes, step, weights[first : first + channels, m % out_channels], base[m % base.shape[0]], rows, columns,
                gain[m % gain.shape[0]], out[plane], begin, end,
            )  # fmt: skip
            n = _fetch_add(taken, 1)


@_inner
def _orient(above, here, below, turned):
    """Choose the flips and the turn by which a guide grows to the right and, less so, downwards; see `bank.orders`."""
    for x in range(turned.size):
        right = (above[x + 2] + here[x + 2]) + (here[x + 2] + below[x + 2])
        left = (above[x] + here[x]) + (here[x] + below[x])
        down = (below[x] + below[x + 1]) + (below[x + 1] + below[x + 2])
        up = (above[x] + above[x + 1]) + (above[x + 1] + above[x + 2])
        across, along = right - left, down - up
        turned[x] = np.int64(across < 0) + 2 * np.int64(along < 0) + 4 * np.int64(abs(along) > abs(across))


@_inner
def _further(guide, at, first, second, threshold, begin, node):
    """Make one comparison and go on to the next one's node."""
    difference = guide[np.uint64(at + first[begin + node])] - guide[np.uint64(at + second[begin + node])]
    return 2 * node + 1 + np.int64(difference > threshold[node])


@_inner
def _choose(guide, at, turned, bank, chosen):
    """Follow each pixel's comparisons to a class, from place `at` of a guide on.

    Four pixels go down side by side, since each has to wait for what it compared before.
    """
    first, second, threshold, nodes = _flat(bank.first), _flat(bank.second), bank.threshold, bank.threshold.size
    for x in range(0, turned.size, 4):
        here = at + x
        if x + 4 <= turned.size:
            begin_0, begin_1, begin_2, begin_3 = (
                turned[x] * nodes, turned[x + 1] * nodes, turned[x + 2] * nodes, turned[x + 3] * nodes,
            )  # fmt: skip
            node_0 = node_1 = node_2 = node_3 = np.int64(0)
            while node_0 < nodes:
                node_0 = _further(guide, here, first, second, threshold, begin_0, node_0)
                node_1 = _further(guide, here + 1, first, second, threshold, begin_1, node_1)
                node_2 = _further(guide, here + 2, first, second, threshold, begin_2, node_2)
                node_3 = _further(guide, here + 3, first, second, threshold, begin_3, node_3)
            chosen[x], chosen[x + 1], chosen[x + 2], chosen[x + 3] = node_0, node_1, node_2, node_3
        else:
            for i in range(x, turned.size):
                node = np.int64(0)
                while node < nodes:
                    node = _further(guide, at + i, first, second, threshold, turned[i] * nodes, node)
                chosen[i] = node
    for x in range(turned.size):
        chosen[x] = bank.leaf[chosen[x] - nodes]


@_inner
def _add_5(sums, a, b, c, d, e, va, vb, vc, vd, ve):
    for k in range(sums.size):
        sums[k] = _fma(ve, e[k], _fma(vd, d[k], _fma(vc, c[k], _fma(vb, b[k], _fma(va, a[k], sums[k])))))


@_inner
def _correction(pixels, at, wide, order, turned, weights, begin, sums):
    """Sum the differences of the 5 x 5 values around pixel `at` from the middle one, times their weights.

    Rows of pixels are `wide` apart. The weights of neighbour n begin at begin + order[turned + n]. Where all values are equal,
    no weights are read.
    """
    middle, differ, size = pixels[np.uint64(at)], False, sums.size
    for y in range(-2, 3):
        for x in range(-2, 3):
            differ |= pixels[np.uint64(at + y * wide + x)] != middle
    sums[:] = 0
    if not differ:
        return
    for y in range(5):
        row, n = at + (y - 2) * wide, turned + 5 * y
        a, b, c = begin + order[np.uint64(n)], begin + order[np.uint64(n + 1)], begin + order[np.uint64(n + 2)]
        d, e = begin + order[np.uint64(n + 3)], begin + order[np.uint64(n + 4)]
        _add_5(
            sums, weights[a : a + size], weights[b : b + size], weights[c : c + size], weights[d : d + size],
            weights[e : e + size], pixels[np.uint64(row - 2)] - middle, pixels[np.uint64(row - 1)] - middle,
            pixels[np.uint64(row)] - middle, pixels[np.uint64(row + 1)] - middle, pixels[np.uint64(row + 2)] - middle,
        )  # fmt: skip


@_making
def _correct_part(pixels, guide, bank, first_row, out, begin, end, left, right):
    """Add the corrections of rows `begin` to `end`, columns `left` to `right` of input; see `correct`."""
    pixels, guide, out = _borrowed(pixels), _borrowed(guide), _borrowed(out)
    channels, wide = pixels.shape[0], pixels.shape[2]
    width, factor, size, weights = right - left, bank.factor, bank.size, bank.weights
    order, block, blocks = _flat(bank.row), _flat(bank.block), factor * factor
    # Three rows of corrections at a time, of which the blocks of the middle one are the sums.
    made = _empty(pixels.dtype, 3, (width + 2) * channels * size)
    flat_made, long = _flat(made), made.shape[1]
    turned, chosen = _empty(np.int64, 3, width + 2), _empty(np.int64, 1, width + 2)[0]
    sources, parts = _empty(np.int64, 1, 9)[0], _empty(np.int64, 1, 9)[0]
    for y in range(begin - 1, end + 1):
        row = (y + 3) % 3
        first = (y + 3) * wide + left + 2
        _orient(guide[y + 2, left + 1 :], guide[y + 3, left + 1 :], guide[y + 4, left + 1 :], turned[row])
        _choose(_flat(guide), first, turned[row], bank, chosen)
        for x in range(width + 2):
            place = chosen[x] * 25 * size
            for c in range(channels):
                sums = made[row, (x * channels + c) * size : (x * channels + c + 1) * size]
                _correction(_flat(pixels[c]), first + x, wide, order, turned[row, x] * 25, weights, place, sums)
        if y <= begin:
            continue
        for x in range(width):
            for n in range(9):
                source, column = (y + 1 + n // 3) % 3, x + n % 3
                sources[n] = source * long + column * channels * size
                parts[n] = (turned[source, column] * 9 + n) * blocks
            for p in range(factor):
                line = (y - 1) * factor + p - first_row
                if line < 0 or line >= out.shape[0]:
                    continue
                for q in range(factor):
                    for c in range(channels):
                        total = pixels.dtype.type(0)
                        for n in range(9):
                            total += flat_made[np.uint64(sources[n] + c * size + block[parts[n] + p * factor + q])]
                        out[line, ((left + x) * factor + q) * channels + c] += total


@_compiled
def correct(pixels, guide, bank, first_row, out):
    """Add corrections to rows of sums, (rows, W * factor * channels), the first of which is row `first_row` of all.

    Planes (channels, H + 6, W + 6) hold the input with 3 more values on each side, as does the guide, (H + 6, W + 6), in whose
    grey levels the comparisons of `bank`, a `bank.Tables`, are.
    """
    height, width, taken = pixels.shape[1] - 6, pixels.shape[2] - 6, _zeros(np.int64, 1, 1)
    # The corrections of a part's three rows stay in the cache, beside the weights.
    column = pixels.shape[0] * bank.size * 3 * pixels.itemsize
    high, broad = 64, max(64, min(256, (1 << 18) // column))
    across = (width + broad - 1) // broad
    many = (height + high - 1) // high * across
    for _ in prange(many):
        n = _fetch_add(taken, 1)
        while n < many:
            begin, left = n // across * high, n % across * broad
            end, right = min(begin + high, height), min(left + broad, width)
            _correct_part(pixels, guide, bank, first_row, out, begin, end, left, right)
            n = _fetch_add(taken, 1)


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


@_inner
def _store_row(values, row, limits, out):
    return _store(values[row], limits, out[row])


@_compiled
def store(values, rounded, limits, out):
    """Round and clip (H, W) into out; return how many were clipped."""
    clipped = _zeros(np.int64, 1, 1)
    for y in prange(values.shape[0]):
        _fetch_add(clipped, _store_row(values, y, limits, out))
    return clipped[0, 0]


@_inner
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

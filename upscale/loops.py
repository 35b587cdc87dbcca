"""All compiled loops, over arrays that are handed in; `loops_numpy` holds their equals without Numba.

Pictures come as planes of flat rows: (P, H, W * step), where `step` is the number of interleaved channels. No loop knows
about kernels, padding or files: `nearest` and `transposed` plan, these only multiply, add and store. All of them stand in
this one file because Numba's cache does not notice a change in another one. Every sum runs in one fixed order, so that the
result depends neither on the number of threads nor on the engine or the processor: products of 32-bit floats are added as
they are (fused), those of 64-bit floats rounded before.

What LLVM does not find by itself is written in its own language, as intrinsics: sums that stay in registers over all taps
(`_adder`), pixels that are shuffled from several lanes into one row (`_weave_blocks`), copies past the caches (`_copy`).
Their vectors are 64 bytes long; where registers are shorter, LLVM takes several.
"""

# What Numba compiles, and what builds code for LLVM, has no types that a checker could follow.
# mypy: ignore-errors

import contextlib
import functools
import math

import numba
import numpy as np
from llvmlite import ir
from numba import prange, types
from numba.core import cgutils, entrypoints
from numba.core.errors import TypingError
from numba.core.imputils import impl_ret_borrowed
from numba.core.registry import cpu_target
from numba.core.runtime import rtsys
from numba.extending import intrinsic

#: False where no cache folder can be written: the loops are then compiled in each process.
CACHED = True

#: Bytes of output that no cache is expected to hold until someone reads them.
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


#: For what other loops call. Without an account of references, which would count those to each array at each call and take
#: as long as a row does; so these make no arrays.
_inner = numba.njit(_nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
_making = numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)


def _pointer(context, builder, signature, arguments, which, at, kind):
    """Point to what lies `at` bytes into an array argument, whatever its alignment."""
    array = context.make_array(signature.args[which])(context, builder, arguments[which])
    begin = builder.bitcast(array.data, ir.IntType(8).as_pointer())
    return builder.bitcast(builder.gep(begin, [at]), kind.as_pointer())


@intrinsic
def _borrowed(typing_context, array):
    """View an array without a count of references, which threads that slice the same array would fight over.

    Only for what the caller holds for as long as the view lives.
    """

    def generate(context, builder, signature, arguments):
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        view.meminfo = cgutils.get_null_value(view.meminfo.type)
        return view._getvalue()

    return array(array), generate


@intrinsic
def _flat(typing_context, array):
    """View a contiguous array as one long row."""
    if array.layout != "C":
        raise TypingError(f"{array} is not contiguous")
    row = types.Array(array.dtype, 1, "C", readonly=not array.mutable)

    def generate(context, builder, signature, arguments):
        given = context.make_array(array)(context, builder, arguments[0])
        return impl_ret_borrowed(
            context, builder, row, _array(context, builder, row, given.data, [given.nitems], given.meminfo)
        )

    return row(array), generate


@intrinsic
def _empty(typing_context, kind, rows, columns):
    """Make an array (rows, columns) of some kind of numbers.

    In the place of NumPy's, for which Numba would import half of itself when a loop comes from the cache.
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
    """Put a contiguous array together."""
    from numba.np.arrayobj import populate_array

    array, size = context.make_array(kind)(context, builder), shape[0].type(kind.dtype.bitwidth // 8)
    strides = [size] if len(shape) == 1 else [builder.mul(shape[1], size), size]
    populate_array(array, data, cgutils.pack_array(builder, shape), cgutils.pack_array(builder, strides), size, meminfo)
    return array._getvalue()


@_making
def _zeros(kind, rows, columns):
    """Make an array as `_empty` does, of zeros."""
    made = _empty(kind, rows, columns)
    flat = _flat(made)
    for i in range(flat.size):
        flat[i] = 0
    return made


def _loads(context, builder, signature, arguments, kind):
    """Make functions that load from and store to a place in an array argument, counted in bytes, whatever its alignment."""

    def load(which, at):
        return builder.load(_pointer(context, builder, signature, arguments, which, at, kind), align=1)

    def store(value, which, at):
        builder.store(value, _pointer(context, builder, signature, arguments, which, at, kind), align=1)

    return load, store


@intrinsic
def _count(typing_context, count, more):
    """Add to an integer that all threads share, and return what it was before.

    By one that says which part of the work is the next, each thread does as many as it gets to: whichever of the parallel
    iterations runs first on a thread goes on until no part is left, and the thread's others find none. In equal shares, all
    would wait for the one whose core is the slower kind, or is busy with something else.
    """

    def generate(context, builder, signature, arguments):
        shared = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.atomic_rmw("add", shared.data, arguments[1], "monotonic")

    return types.int64(count, types.int64), generate


@intrinsic
def _repeat(typing_context, row, size, factor, many, target):
    """Lay the first `many` pixels of `size` bytes of a row into a target, `factor` times each.

    A pixel is read as a piece of 16 bytes and written as one that holds as many copies as fit, or as several pieces where it is
    larger; the next pixel overwrites what is too much. So both must go on for 16 bytes after the last.
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


@intrinsic
def _weave_blocks(typing_context, lanes, shifts, size, stride, many, target):
    """Lay `many` pixels of `size` bytes of each lane side by side; return how many of each were laid: all or none.

    Lanes are rows, of which each begins some pixels behind its first, or one row that stands for all of them. This is done in
    whole blocks of vectors, each of which is shuffled together from all lanes; the last block ends with the last pixel,
    overlapping the one before. There are blocks for 2 to 4 lanes and the usual sizes; others, and less than a block, are left
    to the caller. Lanes must go on for 64 bytes after the last pixel.
    """

    def generate(context, builder, signature, arguments):
        _, _, size, stride, many, _ = arguments
        index = size.type
        load, store = _loads(context, builder, signature, arguments, ir.VectorType(ir.IntType(8), 64))
        single = signature.args[0].ndim == 1
        lanes = context.make_array(signature.args[0])(context, builder, arguments[0])
        begins = [index(0)]
        if not single:
            row, begins = builder.extract_value(lanes.strides, 0), []
            shifts = context.make_array(signature.args[1])(context, builder, arguments[1])
            for lane in range(4):  # of which those beyond the stride are not used
                shift = builder.load(builder.gep(shifts.data, [index(lane)]))
                begins.append(builder.add(builder.mul(row, index(lane)), builder.mul(shift, size)))
        done = cgutils.alloca_once_value(builder, index(0))
        usual = (
            (1, 2, 3, 4, 6, 8, 12, 16)
            if single
            else [signature.args[0].dtype.bitwidth // 8 * samples for samples in (1, 2, 3, 4)]
        )
        for pixel, fixed in ((pixel, fixed) for pixel in usual for fixed in (2, 3, 4)):
            vectors = pixel * fixed // math.gcd(64, pixel * fixed)
            pixels = 64 * vectors // (pixel * fixed)
            alike = builder.and_(builder.icmp_signed("==", size, index(pixel)), builder.icmp_signed("==", stride, index(fixed)))
            with builder.if_then(builder.and_(alike, builder.icmp_signed(">=", many, index(pixels)))):
                builder.store(many, done)
                last = builder.sub(many, index(pixels))
                with cgutils.for_range_slice(builder, index(0), many, index(pixels)) as (begin, _):
                    begin = builder.select(builder.icmp_signed("<", begin, last), begin, last)
                    for v in range(vectors):
                        # Where each byte of the vector comes from: the lane, and the place in its part of the block.
                        places = [
                            ((at // pixel) % fixed, at // (pixel * fixed) * pixel + at % pixel)
                            for at in range(64 * v, 64 * v + 64)
                        ]
                        first = min(at for _, at in places)
                        vector = None
                        for lane in range(1 if single else fixed):
                            at = builder.add(builder.mul(begin, index(pixel)), index(first))
                            piece = load(0, builder.add(begins[lane], at))
                            mask = [
                                at - first if single or lane == 0 else 64 + at - first if mine == lane else i
                                for i, (mine, at) in enumerate(places)
                            ]
                            mask = ir.Constant(ir.VectorType(ir.IntType(32), 64), mask)
                            vector = builder.shuffle_vector(piece if lane == 0 else vector, piece, mask)
                        store(vector, 5, builder.add(builder.mul(begin, index(pixel * fixed)), index(64 * v)))
        return builder.load(done)

    integer = types.intp
    return integer(lanes, shifts, integer, integer, integer, target), generate


@intrinsic
def _copy(typing_context, row, target, streamed):
    """Copy a row; `streamed` past the caches, which would first read what is then overwritten: for large outputs."""

    def generate(context, builder, signature, arguments):
        row, target = (context.make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 1))
        index, kind = builder.extract_value(target.shape, 0).type, ir.VectorType(ir.IntType(8), 64)
        size = builder.mul(builder.extract_value(target.shape, 0), index(signature.args[1].dtype.bitwidth // 8))
        begin, end = (builder.bitcast(array.data, ir.IntType(8).as_pointer()) for array in (row, target))
        # Such stores must lie at a multiple of 64; what is before the first and behind the last is copied plainly.
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


def _multiply_add(context, builder, weight, value, total):
    """Add products to a total, of floats or of vectors of them: 32-bit products unrounded, others as they are rounded."""
    kind = total.type
    element, count = (kind.element, kind.count) if isinstance(kind, ir.VectorType) else (kind, 0)
    if isinstance(element, ir.DoubleType):
        return builder.fadd(total, builder.fmul(weight, value))
    triple, _, features = context.codegen().magic_tuple()
    if "+fma" in features or "x86" not in triple:
        name = f"llvm.fma.v{count}f32" if count else "llvm.fma.f32"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, (kind, kind, kind)), name)
        return builder.call(function, [weight, value, total])
    wide = ir.VectorType(ir.DoubleType(), count) if count else ir.DoubleType()  # which hold products of 32-bit floats
    weight, value, total = (builder.fpext(value, wide) for value in (weight, value, total))
    return builder.fptrunc(builder.fadd(total, builder.fmul(weight, value)), kind)


@intrinsic
def _fma(typing_context, weight, value, total):
    """Compute total + weight * value: fused for 32-bit floats, the product rounded first for 64-bit ones."""

    def generate(context, builder, signature, arguments):
        return _multiply_add(context, builder, *arguments)

    return total(total, total, total), generate


def _everywhere(builder, vector, value):
    """Fill a vector with one value."""
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.IntType(32)(0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None))


#: Vectors of 64 bytes that `_adder` sums at once, for 1 to 4 rows: what fits into 16 registers of 32 bytes, or into 32 of 64.
_VECTORS = {1: (4, 4), 2: (3, 6), 3: (2, 4), 4: (1, 3)}

#: Bytes beyond its end that a line may be read and written.
_BEYOND = 64 * 6


def _adder(many):
    """Make the heart of every transposed convolution: all taps of `many` rows of sums, for some vectors of their places.

    Each piece of input, once loaded, is used by all rows, and the sums stay in registers from the first tap to the last, and on
    until they are rounded. Products of 32-bit floats are not rounded before they are added: most processors do both at once.
    """

    @intrinsic
    def add(typing_context, data, offsets, number, begin, end, weights, first, sums, limits, out):
        """Add `number` taps to places of sums[first:], from `begin` on: weights[t, row] times data offsets[t] further on.

        With out, which is as many rows, sums is one row that all begin with, and what they come to is stored in out; integers
        are rounded and clipped to `limits`. Vectors follow one another until the next would begin at `end` or beyond; returns
        where that is, and how many samples were clipped.
        """

        def generate(context, builder, signature, arguments):
            _, _, number, begin, end, _, first, *_ = arguments
            arrays = [
                context.make_array(kind)(context, builder, value) if isinstance(kind, types.Array) else None
                for kind, value in zip(signature.args, arguments, strict=True)
            ]
            data, offsets, _, _, _, weights, _, sums, limits, out = arrays
            builder.function.attributes.add("noinline")  # or each caller would compile it anew
            size, floats = signature.args[0].dtype.bitwidth // 8, context.get_value_type(signature.args[0].dtype)
            places = 64 // size
            vector, flags, index = ir.VectorType(floats, places), ir.IntType(places), begin.type
            vectors = _VECTORS[many]["+avx512f" in context.codegen().magic_tuple()[2]]
            rows = [builder.add(first, index(row)) for row in range(many)]

            def function(name, result, *takes):
                return cgutils.get_or_insert_function(builder.module, ir.FunctionType(result, takes), name)

            def place(array, width, row, column):
                across = builder.sdiv(builder.extract_value(array.strides, 0), index(width))
                return builder.gep(array.data, [builder.add(builder.mul(row, across), column)])

            def pieces(pointer, kind):
                return [builder.bitcast(builder.gep(pointer, [index(v * places)]), kind.as_pointer()) for v in range(vectors)]

            def everywhere(value):
                return _everywhere(builder, vector, value)

            def finish(value, made):
                """Make samples of a vector; return them and how many were clipped."""
                kind = ir.VectorType(context.get_value_type(made), places)
                if isinstance(made, types.Float):
                    change = {-1: builder.fptrunc, 0: lambda value, _: value, 1: builder.fpext}
                    return change[(made.bitwidth > 8 * size) - (made.bitwidth < 8 * size)](value, kind), index(0)
                low, high, half, beneath = (everywhere(builder.load(builder.gep(limits.data, [index(i)]))) for i in range(4))
                value = builder.fadd(value, half)
                if not made.signed:  # the conversion below rounds down what is not below 0
                    high = beneath
                else:
                    value = builder.call(function(f"llvm.floor.v{places}f{8 * size}", vector, vector), [value])
                kept = builder.select(builder.fcmp_ordered(">", value, low), value, low)
                kept = builder.select(builder.fcmp_ordered("<", kept, high), kept, high)
                changed = builder.bitcast(builder.fcmp_unordered("!=", value, kept), flags)
                count = builder.call(function(f"llvm.ctpop.i{places}", flags, flags), [changed])
                return (builder.fptosi if made.signed else builder.fptoui)(kept, kind), builder.zext(count, index)

            totals = [cgutils.alloca_once(builder, vector) for _ in range(many * vectors)]
            clipped = cgutils.alloca_once_value(builder, index(0))
            with cgutils.for_range_slice(builder, begin, end, index(vectors * places)) as (at, _):
                if out is None:
                    begun = [piece for row in rows for piece in pieces(place(sums, size, row, at), vector)]
                else:
                    begun = pieces(builder.gep(sums.data, [at]), vector) * many
                for total, piece in zip(totals, begun, strict=True):
                    builder.store(builder.load(piece, align=size), total)
                with cgutils.for_range(builder, number) as tap:
                    offset = builder.load(builder.gep(offsets.data, [tap.index]))
                    source = builder.gep(data.data, [builder.add(offset, at)])
                    inputs = [builder.load(piece, align=size) for piece in pieces(source, vector)]
                    for r, row in enumerate(rows):
                        weight = everywhere(builder.load(place(weights, size, tap.index, row)))
                        for total, piece in zip(totals[r * vectors : (r + 1) * vectors], inputs, strict=True):
                            builder.store(_multiply_add(context, builder, weight, piece, builder.load(total)), total)
                if out is None:
                    for total, piece in zip(totals, begun, strict=True):
                        builder.store(builder.load(total), piece, align=size)
                else:
                    made = signature.args[-1].dtype
                    width, kind = made.bitwidth // 8, ir.VectorType(context.get_value_type(made), places)
                    targets = [piece for row in rows for piece in pieces(place(out, width, row, at), kind)]
                    finished = [finish(builder.load(total), made) for total in totals]
                    for (samples, count), target in zip(finished, targets, strict=True):
                        builder.store(samples, target, align=width)
                        builder.store(builder.add(builder.load(clipped), count), clipped)
            return context.make_tuple(builder, signature.return_type, [at, builder.load(clipped)])

        integer = types.intp
        result = types.UniTuple(integer, 2)
        takes = (data, offsets, integer, integer, integer, weights, integer, sums, limits, out)
        return result(*takes), generate

    return add


_add_1, _add_2, _add_3, _add_4 = (_adder(many) for many in (1, 2, 3, 4))


@intrinsic
def _correction(typing_context, pixels, at, wide, order, turned, weights, begin, size, made, to):
    """Weigh how far the 5 x 5 values around place `at` are from the middle one, and store what they come to in made[to:].

    `wide` lies between two rows of values; order[turned:] says how far behind `begin` the weights of each value are. They are
    `size`, a multiple of 48. Where all values are the same, no weights are looked at.
    """

    def generate(context, builder, signature, arguments):
        arrays = (context.make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 3, 5, 8))
        pixels, order, weights, made = (array.data for array in arrays)
        _, at, wide, _, turned, _, begin, size, _, to = arguments
        index, floats, width = at.type, pixels.type.pointee, signature.args[0].dtype.bitwidth // 8
        places = 64 // width
        vector, four = ir.VectorType(floats, places), ir.VectorType(floats, 4)
        totals = [cgutils.alloca_once(builder, vector) for _ in range(3)]

        def pieces(data, *at):
            first = builder.gep(data, [functools.reduce(builder.add, at)])
            return [builder.bitcast(builder.gep(first, [index(v * places)]), vector.as_pointer()) for v in range(3)]

        middle = builder.load(builder.gep(pixels, [at]))
        corners = [builder.gep(pixels, [builder.add(at, builder.mul(wide, index(y)))]) for y in range(-2, 3)]
        differ = []
        for corner in corners:
            beginning = builder.load(builder.bitcast(builder.gep(corner, [index(-2)]), four.as_pointer()), align=width)
            last = builder.load(builder.gep(corner, [index(2)]))
            flags = builder.fcmp_unordered("!=", beginning, _everywhere(builder, four, middle))
            differ.append(builder.icmp_unsigned("!=", builder.bitcast(flags, ir.IntType(4)), ir.IntType(4)(0)))
            differ.append(builder.fcmp_unordered("!=", last, middle))
        with cgutils.for_range_slice(builder, index(0), size, index(3 * places)) as (part, _):
            for total in totals:
                builder.store(ir.Constant(vector, None), total)
            with builder.if_then(functools.reduce(builder.or_, differ)):
                for n in range(25):
                    value = builder.load(builder.gep(corners[n // 5], [index(n % 5 - 2)]))
                    value = _everywhere(builder, vector, builder.fsub(value, middle))
                    row = builder.load(builder.gep(order, [builder.add(turned, index(n))]))
                    for total, piece in zip(totals, pieces(weights, begin, row, part), strict=True):
                        weight = builder.load(piece, align=width)
                        builder.store(_multiply_add(context, builder, value, weight, builder.load(total)), total)
            for total, piece in zip(totals, pieces(made, to, part), strict=True):
                builder.store(builder.load(total), piece, align=width)
        return context.get_dummy_value()

    integer = types.intp
    return types.void(pixels, integer, integer, order, integer, weights, integer, integer, made, integer), generate


#: A 0 that is not a constant: Numba would compile a function anew for each.
_ZERO = np.int64(0)


@_inner
def _add(many, data, offsets, number, begin, end, weights, first, sums, limits, out):
    if many == 1:
        return _add_1(data, offsets, number, begin, end, weights, first, sums, limits, out)
    if many == 2:
        return _add_2(data, offsets, number, begin, end, weights, first, sums, limits, out)
    if many == 3:
        return _add_3(data, offsets, number, begin, end, weights, first, sums, limits, out)
    return _add_4(data, offsets, number, begin, end, weights, first, sums, limits, out)


@_inner
def _add_rows(rows, data, offsets, numbers, together, weights, size, sums, limits, out):
    """Add numbers[row] taps at offsets[row] to `size` places of each row; `together` where all rows' are the same."""
    row = 0
    while row < rows:
        many = _at_once(rows - row) if together else 1
        _add(many, data, offsets[row], numbers[row], _ZERO, size, weights, row, sums, limits, out)
        row += many


@_inner
def _into_rows(data, offsets, number, weights, start, room, rounded, limits, out):
    """Add `number` taps to `start` and store what they come to in up to 4 rows of out; count what was clipped.

    The last places, which do not fill vectors, go by way of room.
    """
    many, size, beyond = out.shape[0], out.shape[1], _BEYOND // start.itemsize
    x, clipped = 0, 0
    if size >= beyond:
        x, clipped = _add(many, data, offsets, number, _ZERO, size - beyond + 1, weights, _ZERO, start, limits, out)
    _add(many, data, offsets, number, x, size, weights, _ZERO, start, limits, room)
    for i in range(many):
        clipped += _finish(room, i, x, size, rounded, limits, out, x)
    return clipped


@_inner
def _at_once(left):
    """Choose of how many rows the sums are made together, where so many are left."""
    return 3 if left == 3 or left == 5 or left == 6 else min(left, 4)


@_inner
def _finish(values, row, begin, end, rounded, limits, out, to):
    """Store places of a row of values at out[row, to:]; round integers half up, clip them, and return how many were."""
    clipped = np.int32(0)
    if rounded:
        low, high, half = limits[0], limits[1], limits[2]
        for x in range(end - begin):
            value = np.floor(values[row, begin + x] + half)
            kept = min(max(value, low), high)
            clipped = np.int32(clipped + (value != kept))
            out[row, to + x] = kept
    else:
        for x in range(end - begin):
            out[row, to + x] = values[row, begin + x]
    return np.int64(clipped)


@_inner
def _weave(lanes, shifts, step, target):
    """Lay pixels of `step` samples side by side, one from each lane in turn, each beginning with pixel `shifts` of its lane."""
    stride, width = lanes.shape[0], target.size // step
    if stride == 1:
        lane = lanes[0, shifts[0] * step :]
        for x in range(target.size):
            target[x] = lane[x]
        return
    done = _weave_blocks(lanes, shifts, lanes.itemsize * step, stride, width // stride, target)
    for x in range(done, (width + stride - 1) // stride):
        for p in range(min(stride, width - x * stride)):
            for c in range(step):
                target[(x * stride + p) * step + c] = lanes[p, (x + shifts[p]) * step + c]


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
            done = _weave_blocks(row, None, size, horizontal, max(0, (flat - 64) // size), first)
            many = max(done, (flat - (size + 15) // 16 * 16) // size + 1)
            _repeat(row[done * size :], size, horizontal, many - done, first[done * horizontal * size :])
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
        n = _count(taken, 1)
        while n < parts:
            _nearest_part(source, vertical, horizontal, size, out, n * part, min((n + 1) * part, source.shape[0]), streamed)
            n = _count(taken, 1)


@_inner
def _part(rows):
    """Choose how many rows of output one thread does in one go: few enough for many cores, many enough to share their input."""
    return max(16, min(64, rows // 64))


@_making
def _separable_part(source, step, base, rows, columns, rounded, limits, out, begin, end):
    """Compute rows `begin` to `end` of one plane; see `separable`."""
    source, out = _borrowed(source), _borrowed(out)
    size, (stride, taps) = out.shape[1], columns.start.shape
    lane_size = (size // step + stride - 1) // stride * step + step
    beyond, clipped = _BEYOND // limits.itemsize, 0
    # Fields are taken out of their tuples once: references to them would be counted at each use.
    tapped, line_source, row_weight, number, together = rows.line, rows.source, rows.weight, columns.number, columns.together
    column_source, column_start, shift, column_weight = columns.source, columns.start, columns.shift, columns.weight
    edge, edge_at, edge_weight = columns.edge, columns.edge_at, columns.edge_weight
    left, width = columns.left, source.shape[1] // step

    line, terms = _zeros(limits.dtype, 1, column_source.size * step + 2 * beyond)[0], row_weight.shape[0]
    lanes, zeros = _empty(limits.dtype, stride, lane_size + beyond), _zeros(limits.dtype, 1, lane_size + beyond)[0]
    shifts = _zeros(np.int64, 1, max(4, stride))[0]
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
    wide = _empty(limits.dtype, kept * terms, size + beyond)
    wide[:, size:] = 0
    flat_wide = _flat(wide)
    start = _zeros(limits.dtype, 1, size + beyond)[0]
    _repeated(base, start)
    below, down = _empty(np.int64, 1, tapped.shape[1] * terms)[0], _empty(limits.dtype, tapped.shape[1] * terms, 4)
    sums = _empty(limits.dtype, 4, size + beyond)
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
                row = wide[at % kept * terms + r, :size]
                _add_rows(stride, line, beside, number, together, across[r * taps :], lane_size, zeros, limits, lanes)
                _weave(lanes, shifts, step, row)
                for e in range(edge.size):  # columns with weights of their own
                    for c in range(step):
                        value = limits.dtype.type(0)
                        for t in range(edge_at.shape[1]):
                            if edge_at[e, t] >= 0:
                                value += edge_weight[r, e, t] * line[edge_at[e, t] * step + c]
                        row[edge[e] * step + c] = value
        next_line = last + 1
        clipped += _into_rows(flat_wide, below, many_taps, down, start, sums, rounded, limits, out[y : y + many])
        y += many
    return clipped


@_making
def _dense_part(source, step, weights, base, rows, columns, gain, out, begin, end, streamed):
    """Compute rows `begin` to `end` of one plane from the planes (C, H, W * step) and weights (C, kH, kW); see `dense`."""
    source, out = _borrowed(source), _borrowed(out)
    size, (stride, taps) = out.shape[1], columns.start.shape
    lane_size = (size // step + stride - 1) // stride * step + step
    channels, beyond = source.shape[0], _BEYOND // base.itemsize
    most = max(1, 4 // stride)  # rows at once
    # Fields are taken out of their tuples once: references to them would be counted at each use.
    tapped, line_source, row_tap, row_kind = rows.line, rows.source, rows.tap, rows.kind
    column_source, column_start, shift, together = columns.source, columns.start, columns.shift, columns.together
    column_tap, column_kind, number = columns.tap, columns.kind, columns.number
    edge, edge_at, edge_tap, edge_kind = columns.edge, columns.edge_at, columns.edge_tap, columns.edge_kind
    left, width = columns.left, source.shape[2] // step

    lowest, highest = _span(tapped, begin, end)
    lines = _zeros(base.dtype, max(highest - lowest + 1, 0), column_source.size * step + 2 * beyond)
    flat_lines, long = _flat(lines), lines.shape[1]
    sums = _empty(base.dtype, (end - begin if channels > 1 else most) * stride, lane_size + beyond)
    edges = _empty(base.dtype, end - begin, edge.size * step)
    for y in range(end - begin):
        _repeated(base, edges[y])
    shifts = _zeros(np.int64, 1, max(4, stride))[0]
    for p in range(stride):
        shifts[p] = shift[p]
    beside, across = (
        _empty(np.int64, most * stride, tapped.shape[1] * taps),
        _empty(base.dtype, tapped.shape[1] * taps, most * stride),
    )
    numbers, weight = _empty(np.int64, 1, most * stride)[0], _empty(base.dtype, 1, 1)[0]
    row_of_sums = _empty(base.dtype, 1, size)[0]
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
            _add_rows(many * stride, flat_lines, beside, numbers, together, across, lane_size, begun, None, None)
            if channel == channels - 1:
                for i in range(many):
                    _weave(begun[i * stride : (i + 1) * stride], shifts, step, row_of_sums)
                    for e in range(edge.size):  # columns with weights of their own
                        for c in range(step):
                            row_of_sums[edge[e] * step + c] = edges[y + i - begin, e * step + c]
                    _copy(row_of_sums, out[y + i], streamed)
            y += many


@_compiled
def separable(source, step, base, rows, columns, rounded, limits, out):
    """Transposed convolution of each plane by one kernel of low rank; `rows` and `columns` are tables of `gather`.

    Each row of input is first summed over its horizontal taps into a wide line of floats for each term of the kernel, a lane
    for each phase, woven. Rows of output are then sums of a few of these lines, which stay in the core's cache meanwhile, and
    up to 4 that take the same lines are made at once.
    """
    part = _part(out.shape[1])
    parts = (out.shape[1] + part - 1) // part
    many, taken, clipped = out.shape[0] * parts, _zeros(np.int64, 1, 1), _zeros(np.int64, 1, 1)
    for _ in prange(many):
        n = _count(taken, 1)
        while n < many:
            plane, begin = n // parts, n % parts * part
            end = min(begin + part, out.shape[1])
            done = _separable_part(source[plane], step, base[0], rows, columns, rounded, limits, out[plane], begin, end)
            _count(clipped, done)
            n = _count(taken, 1)
    return clipped[0, 0]


@_compiled
def dense(source, step, weights, groups, base, rows, columns, gain, out):
    """Transposed convolution of floats by any kernel, with channels mixed within groups; see `gather` for the tables.

    A part is some rows of one output plane. One input channel after the other is converted to lines with zeros around them, and
    all taps of a row of output, or of those that take the same lines, are added at once. Sums are kept as floats meanwhile, one
    lane for each phase, and woven at the end.
    """
    channels, out_channels = weights.shape[0] // groups, weights.shape[1]
    part = 16  # rows of sums that stay in the cache from one channel to the next
    parts = (out.shape[1] + part - 1) // part
    streamed = out.size * out.itemsize > _CACHES
    many, taken = out.shape[0] * parts, _zeros(np.int64, 1, 1)
    for _ in prange(many):
        n = _count(taken, 1)
        while n < many:
            plane, begin = n // parts, n % parts * part
            end = min(begin + part, out.shape[1])
            batch, m = plane // (groups * out_channels), plane % (groups * out_channels)
            first = m // out_channels * channels
            planes = source[batch * weights.shape[0] + first : batch * weights.shape[0] + first + channels]
            _dense_part(
                planes, step, weights[first : first + channels, m % out_channels], base[m % base.shape[0]], rows, columns,
                gain[m % gain.shape[0]], out[plane], begin, end, streamed,
            )  # fmt: skip
            n = _count(taken, 1)


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
                to = row * long + (x * channels + c) * size
                _correction(_flat(pixels[c]), first + x, wide, order, turned[row, x] * 25, weights, place, size, flat_made, to)
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
        n = _count(taken, 1)
        while n < many:
            begin, left = n // across * high, n % across * broad
            end, right = min(begin + high, height), min(left + broad, width)
            _correct_part(pixels, guide, bank, first_row, out, begin, end, left, right)
            n = _count(taken, 1)


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
    clipped = _zeros(np.int64, 1, 1)
    for y in prange(values.shape[0]):
        _count(clipped, _finish(values, y, 0, values.shape[1], rounded, limits, out, 0))
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

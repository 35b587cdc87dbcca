"""The hand-written LLVM building blocks of the loops: what no plain Numba loop expresses, or what gains at least 1.25 times.

`python benchmarks/vectors.py` measures them in the whole loop against the plain versions in `tests/plain_blocks.py`.

What a reader who knows Numba, but not LLVM, needs:

* An *intrinsic* is a Python function that runs when Numba compiles a call of it. It returns the types of the call, and a
  function that emits the instructions for it.
* `builder.add(a, b)` does not add: it writes an add into the machine code, and returns the *value* that will be its result. A
  value (`ir.Value`) has a type and no number. `index(3)` is the constant 3 of the type `index`.
* A *vector* type has several elements, for example 16 bytes. LLVM puts it into as many registers as it takes. A *shuffle* picks
  elements of two vectors in the order of a constant mask.
* Code stands in *blocks* that end with a jump. `builder.if_then(...)` and `cgutils.for_range(...)` open blocks: what is
  emitted in the `with` statement runs under that condition, or in that loop. A Python loop around them writes its body several
  times.
* Pointers count in elements of what they point to; `gep` moves one, `bitcast` changes what it points to. `align=1` allows any
  address.

Reads and writes may go past a row's end, as far as a docstring says.
"""

# Code for LLVM has no types that a checker could follow.
# mypy: ignore-errors

import math

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from upscale.loops.numba_private import fuses_products, has_wide_vectors
from upscale.loops.tables import CORRECTION_MULTIPLE


def _pointer(context, builder, signature, arguments, which, at, kind):
    """Return a pointer to the byte at offset `at` of an array argument, as a pointer to `kind`."""
    array = context.make_array(signature.args[which])(context, builder, arguments[which])
    begin = builder.bitcast(array.data, ir.IntType(8).as_pointer())
    return builder.bitcast(builder.gep(begin, [at]), kind.as_pointer())


def _loads(context, builder, signature, arguments, kind):
    """Return two functions that load a `kind` from a byte offset of an array argument, and store one there.

    The offset need not be aligned.
    """

    def load(which, at):
        return builder.load(_pointer(context, builder, signature, arguments, which, at, kind), align=1)

    def store(value, which, at):
        builder.store(value, _pointer(context, builder, signature, arguments, which, at, kind), align=1)

    return load, store


# def repeat_pixels(row, size, factor, many, target):
#     for x in range(many):
#         for i in range(factor):
#             target[(x * factor + i) * size :][:size] = row[x * size :][:size]
@intrinsic
def repeat_pixels(typing_context, row, size, factor, many, target):
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


# def interleave_blocks(phase_rows, shifts, size, stride, many, target):
#     for x in range(many):
#         for p in range(stride):
#             target[(x * stride + p) * size :][:size] = phase_rows[p][(x + shifts[p]) * size :][:size]
#     return many  # or 0, where nothing was written
@intrinsic
def interleave_blocks(typing_context, phase_rows, shifts, size, stride, many, target):
    """Interleave phase rows pixel by pixel; return how many pixels of each were written, which is `many` or 0.

    Pixels have `size` bytes. Whole blocks of vectors of 64 bytes are shuffled together from all rows; the last block ends with
    the last pixel and overlaps the one before. There are blocks for strides of 2 to 4 and pixels of 1 to 4 samples; the caller
    does the others. Rows must be valid for 64 bytes past the last pixel, and there are at least 4 shifts.
    """

    def generate(context, builder, signature, arguments):
        _, _, size, stride, many, _ = arguments
        index, width = size.type, signature.args[0].dtype.bitwidth // 8
        load, store = _loads(context, builder, signature, arguments, ir.VectorType(ir.IntType(8), 64))
        rows, shifts = (context.make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 1))
        row_bytes, begins = builder.extract_value(rows.strides, 0), []
        for p in range(4):  # of which those beyond the stride are not used
            shift = builder.load(builder.gep(shifts.data, [index(p)]))
            begins.append(builder.add(builder.mul(row_bytes, index(p)), builder.mul(shift, size)))
        done = cgutils.alloca_once_value(builder, index(0))
        for pixel, fixed in ((samples * width, fixed) for samples in (1, 2, 3, 4) for fixed in (2, 3, 4)):
            vectors = pixel * fixed // math.gcd(64, pixel * fixed)
            pixels = 64 * vectors // (pixel * fixed)
            known = builder.and_(builder.icmp_signed("==", size, index(pixel)), builder.icmp_signed("==", stride, index(fixed)))
            with builder.if_then(builder.and_(known, builder.icmp_signed(">=", many, index(pixels)))):
                builder.store(many, done)
                last = builder.sub(many, index(pixels))
                with cgutils.for_range_slice(builder, index(0), many, index(pixels)) as (begin, _):
                    begin = builder.select(builder.icmp_signed("<", begin, last), begin, last)
                    for v in range(vectors):
                        vector = _shuffled(builder, load, begins[:fixed], begin, pixel, v)
                        store(vector, 5, builder.add(builder.mul(begin, index(pixel * fixed)), index(64 * v)))
        return builder.load(done)

    integer = types.intp
    return integer(phase_rows, shifts, integer, integer, integer, target), generate


def _shuffled(builder, load, begins, begin, pixel, number):
    """Emit vector `number` of a block that begins with pixel `begin` of each row; `begins` are the rows' offsets in bytes."""
    stride, index = len(begins), begin.type
    # The row of each byte of the vector, and its offset in the row's part of the block.
    sources = [
        ((at // pixel) % stride, at // (pixel * stride) * pixel + at % pixel) for at in range(64 * number, 64 * number + 64)
    ]
    first = min(offset for _, offset in sources)
    vector = None
    for row, row_begin in enumerate(begins):
        at = builder.add(builder.mul(begin, index(pixel)), index(first))
        piece = load(0, builder.add(row_begin, at))
        mask = [offset - first + (64 if row else 0) if row in (0, of) else i for i, (of, offset) in enumerate(sources)]
        mask = ir.Constant(ir.VectorType(ir.IntType(32), 64), mask)
        vector = builder.shuffle_vector(piece if row == 0 else vector, piece, mask)
    return vector


# def copy_row(row, target, streamed): target[:] = row
@intrinsic
def copy_row(typing_context, row, target, streamed):
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


#: Vectors of 64 bytes that `sum_taps` sums at once, for so many rows: as many as fit in 16 registers of 32 bytes, or 32 of 64.
_VECTORS = {1: (4, 4), 2: (3, 6), 3: (2, 4), 4: (1, 3), 6: (1, 3)}
#: Bytes past the end of a row that `sum_taps` may read and write.
PADDING = 64 * 6


def _multiply_add(context, builder, weight, value, total):
    """Emit total + weight * value of floats, or of vectors of 16 32-bit or 8 64-bit ones; see `fma`."""
    kind, vector = total.type, isinstance(total.type, ir.VectorType)
    double = ir.VectorType(ir.DoubleType(), kind.count) if vector else ir.DoubleType()
    if (kind.element if vector else kind) == ir.DoubleType():
        return builder.fadd(total, builder.fmul(weight, value))
    if fuses_products(context):
        name = f"llvm.fma.v{kind.count}f32" if vector else "llvm.fma.f32"
        fused = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), name)
        return builder.call(fused, [weight, value, total])
    # Processors without the instruction: 64-bit floats represent products of 32-bit floats exactly.
    weight, value, total = (builder.fpext(number, double) for number in (weight, value, total))
    return builder.fptrunc(builder.fadd(total, builder.fmul(weight, value)), kind)


# def fma(weight, value, total): return total + weight * value  # rounded once for float32
@intrinsic
def fma(typing_context, weight, value, total):
    """Return total + weight * value. For 32-bit floats, the product is not rounded before it is added (fused).

    No Python expression does that. 64-bit products are rounded first, because not every processor can fuse those. LLVM turns
    loops of this into vector instructions.
    """

    def generate(context, builder, signature, arguments):
        return _multiply_add(context, builder, *arguments)

    return total(total, total, total), generate


def _fill_vector(builder, vector, value):
    """Return a vector of one value."""
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.IntType(32)(0))
    return builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None))


def _call(builder, name, result, *arguments):
    """Call one of LLVM's own functions."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def _to_samples(context, builder, sums, limits, made):
    """Convert a vector of sums to samples of Numba's type `made`; return them, and how many were clipped.

    Integers are rounded half up and clipped to limits, which are as of `operators.rounding.Rounding`.
    """
    floats, many = sums.type.element, sums.type.count
    samples, bits = ir.VectorType(context.get_value_type(made), many), 64 if floats == ir.DoubleType() else 32
    if isinstance(made, types.Float):
        change = {-1: builder.fptrunc, 0: lambda value, _: value, 1: builder.fpext}
        return change[(made.bitwidth > bits) - (made.bitwidth < bits)](sums, samples), ir.IntType(64)(0)
    load = lambda i: builder.load(builder.gep(limits.data, [ir.IntType(64)(i)]))  # noqa: E731
    low, high, half, beneath = (_fill_vector(builder, sums.type, load(i)) for i in range(4))
    value = builder.fadd(sums, half)
    if made.signed:
        value = _call(builder, f"llvm.floor.v{many}f{bits}", value.type, value)
    else:  # the conversion below rounds down what is not below 0
        high = beneath
    kept = builder.select(builder.fcmp_ordered(">", value, low), value, low)
    kept = builder.select(builder.fcmp_ordered("<", kept, high), kept, high)
    changed = builder.bitcast(builder.fcmp_unordered("!=", value, kept), ir.IntType(many))
    count = builder.zext(_call(builder, f"llvm.ctpop.i{many}", changed.type, changed), ir.IntType(64))
    return (builder.fptosi if made.signed else builder.fptoui)(kept, samples), count


# def sum_taps(data, offsets, number, begin, end, weights, first, sums, limits, out):
#     for x in range(begin, end):
#         for r in range(rows):
#             total = sums[first + r, x] if out is None else sums[x]
#             for t in range(number):
#                 total = fma(weights[t, first + r], data[offsets[t] + x], total)
#             if out is None:
#                 sums[first + r, x] = total
#             else:
#                 out[first + r, x] = total  # rounded and clipped to limits
def _make_sum_taps(rows):
    """Make the heart of every transposed convolution: all taps of some rows of sums, for some columns at a time.

    Each vector of inputs is loaded once for all rows. The sums stay in registers from the first tap to the last, and until they
    are rounded and stored. A plain loop stores them after every few taps: LLVM keeps no array of sums in registers. All of this
    writes the code of one loop, so it stands in one function.
    """

    @intrinsic
    def sum_taps(typing_context, data, offsets, number, begin, end, weights, first, sums, limits, out):
        """Add `number` taps to columns begin, ... of sums[first:]: weights[t, row] times data[offsets[t] + column].

        With out, sums is one row with which all begin, and the sums are stored in out[first:]. Else out and limits are None.
        Columns are summed in blocks, the last of which begins before `end`: rows must be valid for `PADDING` bytes past their
        end. Returns the first column that was not summed, and how many samples were clipped.
        """

        def generate(context, builder, signature, arguments):
            _, _, number, begin, end, _, first, *_ = arguments
            data, offsets, _, _, _, weights, _, sums, limits, out = (
                context.make_array(kind)(context, builder, value) if isinstance(kind, types.Array) else None
                for kind, value in zip(signature.args, arguments, strict=True)
            )
            builder.function.attributes.add("noinline")  # or each caller would compile it anew
            dtype, index = signature.args[0].dtype, begin.type
            size, many = dtype.bitwidth // 8, 512 // dtype.bitwidth
            vector, vectors = ir.VectorType(context.get_value_type(dtype), many), _VECTORS[rows][has_wide_vectors(context)]
            numbers = [builder.add(first, index(row)) for row in range(rows)]

            def element(array, width, row, column):
                stride = builder.sdiv(builder.extract_value(array.strides, 0), index(width))
                return builder.gep(array.data, [builder.add(builder.mul(row, stride), column)])

            def pieces(pointer, kind):
                return [builder.bitcast(builder.gep(pointer, [index(v * many)]), kind.as_pointer()) for v in range(vectors)]

            totals = [cgutils.alloca_once(builder, vector) for _ in range(rows * vectors)]
            clipped = cgutils.alloca_once_value(builder, index(0))
            with cgutils.for_range_slice(builder, begin, end, index(vectors * many)) as (at, _):
                if out is None:
                    begun = [piece for row in numbers for piece in pieces(element(sums, size, row, at), vector)]
                else:
                    begun = pieces(builder.gep(sums.data, [at]), vector) * rows
                for total, piece in zip(totals, begun, strict=True):
                    builder.store(builder.load(piece, align=size), total)
                with cgutils.for_range(builder, number) as tap:
                    offset = builder.load(builder.gep(offsets.data, [tap.index]))
                    source = builder.gep(data.data, [builder.add(offset, at)])
                    inputs = [builder.load(piece, align=size) for piece in pieces(source, vector)]
                    for r, row in enumerate(numbers):
                        weight = _fill_vector(builder, vector, builder.load(element(weights, size, tap.index, row)))
                        for total, piece in zip(totals[r * vectors : (r + 1) * vectors], inputs, strict=True):
                            builder.store(_multiply_add(context, builder, weight, piece, builder.load(total)), total)
                if out is None:
                    for total, piece in zip(totals, begun, strict=True):
                        builder.store(builder.load(total), piece, align=size)
                else:
                    made = signature.args[-1].dtype
                    width, kind = made.bitwidth // 8, ir.VectorType(context.get_value_type(made), many)
                    targets = [piece for row in numbers for piece in pieces(element(out, width, row, at), kind)]
                    for total, target in zip(totals, targets, strict=True):
                        samples, count = _to_samples(context, builder, builder.load(total), limits, made)
                        builder.store(samples, target, align=width)
                        builder.store(builder.add(builder.load(clipped), count), clipped)
            return context.make_tuple(builder, signature.return_type, [at, builder.load(clipped)])

        integer = types.intp
        taken = (data, offsets, integer, integer, integer, weights, integer, sums, limits, out)
        return types.UniTuple(integer, 2)(*taken), generate

    return sum_taps


#: `sum_taps` for 1 to 4 rows, and for 6.
sum_taps_1, sum_taps_2, sum_taps_3, sum_taps_4, sum_taps_6 = (_make_sum_taps(rows) for rows in (1, 2, 3, 4, 6))


# def sum_weighted(around, order, turned, weights, begin, made, to):
#     made[to : to + CORRECTION_MULTIPLE] = 0
#     for n in range(25):
#         row = begin + order[turned + n]
#         for k in range(CORRECTION_MULTIPLE):
#             made[to + k] = fma(around[n] - around[12], weights[row + k], made[to + k])
@intrinsic
def sum_weighted(typing_context, around, order, turned, weights, begin, made, to):
    """Sum the differences of 25 values from the middle one, times `CORRECTION_MULTIPLE` weights of each, in made[to:].

    The weights of value n begin at begin + order[turned + n]. The sums stay in registers, which no plain loop achieves:
    LLVM keeps the 25 differences in registers instead, or checks for each row of weights that it does not overlap the sums.
    """

    def generate(context, builder, signature, arguments):
        arrays = (context.make_array(signature.args[i])(context, builder, arguments[i]) for i in (0, 1, 3, 5))
        around, order, weights, made = (array.data for array in arrays)
        _, _, turned, _, begin, _, to = arguments
        dtype = signature.args[0].dtype
        index, many = begin.type, 512 // dtype.bitwidth
        vector = ir.VectorType(context.get_value_type(dtype), many)
        steps = range(0, CORRECTION_MULTIPLE, many)

        def vectors(data, at):
            return [builder.bitcast(builder.gep(data, [builder.add(at, index(k))]), vector.as_pointer()) for k in steps]

        middle, totals = builder.load(builder.gep(around, [index(12)])), [ir.Constant(vector, None) for _ in steps]
        for n in range(25):
            value = builder.fsub(builder.load(builder.gep(around, [index(n)])), middle)
            value = _fill_vector(builder, vector, value)
            row = builder.add(begin, builder.load(builder.gep(order, [builder.add(turned, index(n))])))
            for i, piece in enumerate(vectors(weights, row)):
                weight = builder.load(piece, align=dtype.bitwidth // 8)
                totals[i] = _multiply_add(context, builder, value, weight, totals[i])
        for total, piece in zip(totals, vectors(made, to), strict=True):
            builder.store(total, piece, align=dtype.bitwidth // 8)
        return context.get_dummy_value()

    integer = types.intp
    return types.void(around, order, integer, weights, integer, made, integer), generate

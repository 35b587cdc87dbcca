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

Reads and writes may go up to 16 bytes past a row's end where a docstring says so.
"""

# Code for LLVM has no types that a checker could follow.
# mypy: ignore-errors

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from upscale.loops.numba_private import fuses_products
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
            value = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.IntType(32)(0))
            value = builder.shuffle_vector(value, value, ir.Constant(ir.VectorType(ir.IntType(32), many), None))
            row = builder.add(begin, builder.load(builder.gep(order, [builder.add(turned, index(n))])))
            for i, piece in enumerate(vectors(weights, row)):
                weight = builder.load(piece, align=dtype.bitwidth // 8)
                totals[i] = _multiply_add(context, builder, value, weight, totals[i])
        for total, piece in zip(totals, vectors(made, to), strict=True):
            builder.store(total, piece, align=dtype.bitwidth // 8)
        return context.get_dummy_value()

    integer = types.intp
    return types.void(around, order, integer, weights, integer, made, integer), generate

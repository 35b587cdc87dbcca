"""What the loops use of Numba beyond its documented API: cache, runtime, compiler events, arrays without NumPy's code.

Each use has a fallback that works, more slowly, where a release of Numba lacks the name; a test takes the names away. With them
a cached loop is ready 0.2 s earlier, and an index that cannot be read is replaced instead of making every start compile again.
"""

# mypy: ignore-errors

import contextlib
import functools
import os
import sys
import zlib
from pathlib import Path

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

try:
    from numba.core import cgutils
    from numba.core.errors import TypingError
    from numba.core.imputils import impl_ret_borrowed
except ImportError:
    cgutils = None

#: False where machine code can neither be kept in a folder nor lies in one: the loops are then compiled in each process.
CACHED = True
#: Loops whose machine code could not be written into a folder that can be.
unsaved = set()


def compiled_loop(function):
    """Compile a loop at its first call, for all cores, and keep the machine code where a cache folder can be written.

    It runs without Python's lock: several threads may call it at once, where Numba's own threads allow that.
    """
    return _compiled(function, parallel=True)


def serial_loop(function):
    """Compile a loop like `compiled_loop`, but for one core: several threads may always call it at once."""
    return _compiled(function)


def _compiled(function, **options):
    global CACHED
    kept = True
    try:
        loop = numba.njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:  # Numba found no folder for its cache
        loop, kept = numba.njit(nogil=True, **options)(function), False
    with contextlib.suppress(AttributeError, ImportError, RuntimeError):  # another release's cache works in its own way
        if kept:
            _improve(loop._cache)
        prepared = _prepared_cache(function)
        if prepared is not None:
            _improve(prepared)
            _load_first(prepared, loop, kept)
            kept = True
    CACHED = CACHED and kept
    return loop


def _prepared_cache(function):
    """Return the cache in a folder that has the loop's machine code and cannot be written, or None.

    Numba passes over such folders. The image of a container has one if it was compiled by another user, or is read-only.
    """
    from numba.core import caching

    for name in ("UserProvidedCacheLocator", "InTreeCacheLocator")[not numba.config.CACHE_DIR :]:
        locator = getattr(caching, name, None) or getattr(caching, f"_{name}")
        folder = locator(function, function.__code__.co_filename).get_cache_path()
        if os.path.isdir(folder) and not os.access(folder, os.W_OK):
            readable = type("Readable", (locator,), {"ensure_cache_path": lambda self: None})
            implementation = type("Implementation", (caching.CompileResultCacheImpl,), {"_locator_classes": [readable]})
            cache = type("Prepared", (caching.FunctionCache,), {"_impl_class": implementation})(function)
            if os.path.exists(cache._cache_file._index_path):
                return cache
    return None


def _load_first(prepared, loop, kept):
    """Have a loop look into one cache before its own, in which alone it keeps what it compiles, if it has one."""
    own, load_own = loop._cache, loop._cache.load_overload
    if not kept:
        prepared.save_overload = lambda signature, data: None
        loop._cache = prepared
        return

    def load(signature, context):
        found = prepared.load_overload(signature, context)
        return load_own(signature, context) if found is None else found

    own.load_overload = load


def _improve(cache):
    """Have a loop's cache notice changes in all files of this folder, survive damage, and load without what compiling needs.

    Numba's own cache looks at the file of the function only, although functions of other files are compiled in; it lets out
    whatever unpickling a damaged index raises; and before it loads, it imports what it would need to compile.
    """
    file, load_quickly = cache._cache_file, cache._load_overload
    if not hasattr(file, "_source_stamp"):
        raise AttributeError("_source_stamp")
    file._source_stamp = _stamp()
    load_fully, save = cache.load_overload, cache.save_overload

    def load(signature, context):
        if _start_runtime(context):
            with contextlib.suppress(Exception):  # what the quick way lacks, the full way brings
                return load_quickly(signature, context)
        return _repaired(cache, load_fully, signature, context)

    cache.load_overload = load
    cache.save_overload = lambda signature, data: _repaired(cache, save, signature, data, failed=lambda: unsaved.add(cache))


def _repaired(cache, method, *arguments, failed=lambda: None):
    """Call a method of a cache; where its index or files cannot be read, empty the cache and call the method once more.

    A class that was renamed in another release, a full disk or a damaged file costs time and nothing else.
    """
    for _ in range(2):
        try:
            return method(*arguments)
        except Exception:  # as many kinds as pickle and the system have
            with contextlib.suppress(OSError):
                cache.flush()
    failed()
    return None


@functools.cache
def _stamp():
    """Return a checksum of all files of this folder: functions of one file are compiled into the loops of another."""
    checksum = 0
    for path in sorted(Path(__file__).parent.glob("*.py")):
        checksum = zlib.crc32(path.read_bytes(), checksum)
    return "upscale", checksum


def _start_runtime(context):
    """Start the memory management that all loops need; return whether that could be done without the rest of Numba."""
    try:
        from numba.core.runtime import rtsys

        rtsys.initialize(context)
    except (ImportError, AttributeError):
        return False
    return True


def prepare():
    """Do what the first call of any loop would do first, so that it can be done while something else is."""
    with contextlib.suppress(ImportError, AttributeError):
        from numba.core import entrypoints
        from numba.core.registry import cpu_target

        _start_runtime(cpu_target.target_context)
        entrypoints.init_all()
    _type_arrays_quickly()
    numba.typeof(np.empty(0))


def _type_arrays_quickly():
    """Have Numba find the types of arrays without importing `numpy.ma`, which takes a tenth of a second.

    Where nobody has imported it, no array is a masked one, which Numba would refuse.
    """
    with contextlib.suppress(ImportError, AttributeError):
        from numba.core.typing.typeof import typeof_impl
        from numba.np import numpy_support

        full = typeof_impl.dispatch(np.ndarray)

        def typed(array, context):
            if array.dtype.kind not in "biufc" or "numpy.ma" in sys.modules:
                return full(array, context)
            dtype, layout = numpy_support.from_dtype(array.dtype), numpy_support.map_layout(array)
            return types.Array(dtype, array.ndim, layout, readonly=not array.flags.writeable)

        typeof_impl.register(np.ndarray, typed)


@contextlib.contextmanager
def compiler_events(begin, end):
    """Call functions without arguments when Numba begins and ends to compile something within the block."""
    try:
        from numba.core import event
    except ImportError:
        yield
        return

    class Listener(event.Listener):
        def on_start(self, event):
            begin()

        def on_end(self, event):
            end()

    with event.install_listener("numba:compile", Listener()):
        yield


def fuses_products(context):
    """Return whether the processor that is compiled for adds a product to a number with one rounding."""
    triple, _, features = context.codegen().magic_tuple()
    return "+fma" in features or "x86" not in triple


def has_wide_vectors(context):
    """Return whether the processor that is compiled for has 32 registers of 64 bytes (AVX-512)."""
    return "+avx512f" in context.codegen().magic_tuple()[2]


#: Decorators for what the loops call. `inner` functions are compiled without reference counting, which costs as much as a row;
#: they must not create arrays, `making` functions may.
inner = numba.njit(_nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True)
making = numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True)


# def borrow(array): return array
@intrinsic
def borrow(typing_context, array):
    """Return the array without its reference count, which threads that slice the same array would all write to.

    The caller must keep the array alive for as long as the result is used.
    """

    def generate(context, builder, signature, arguments):
        view = context.make_array(signature.args[0])(context, builder, arguments[0])
        view.meminfo = cgutils.get_null_value(view.meminfo.type)
        return view._getvalue()

    return array(array), generate


# def as_row(array): return array.reshape(array.size)
@intrinsic
def as_row(typing_context, array):
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


# def new_array(kind, rows, columns): return np.empty((rows, columns), kind)
@intrinsic
def new_array(typing_context, kind, rows, columns):
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


@making
def new_zeros(kind, rows, columns):
    """Return a new 2-D array of zeros."""
    made = new_array(kind, rows, columns)
    flat = as_row(made)
    for i in range(flat.size):
        flat[i] = 0
    return made


# def fetch_add(counter, more):
#     old = counter[0, 0]
#     counter[0, 0] += more  # the two lines are one atomic step
#     return old
@intrinsic
def fetch_add(typing_context, counter, more):
    """Add atomically to a counter that all threads share; return its old value.

    Threads fetch the next part of the work with it, so that a slow or busy core does fewer parts. The first parallel iteration
    on each thread fetches parts until none is left, and the thread's other iterations find none.
    """

    def generate(context, builder, signature, arguments):
        shared = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.atomic_rmw("add", shared.data, arguments[1], "monotonic")

    return types.int64(counter, types.int64), generate


if cgutils is None:  # plain versions, with which a cached loop is ready later

    @numba.njit
    def borrow(array):
        """Return the array."""
        return array

    @numba.njit
    def as_row(array):
        """Return a contiguous array as a 1-D view."""
        return array.reshape(array.size)

    @numba.njit
    def new_array(kind, rows, columns):
        """Return a new 2-D array."""
        return np.empty((rows, columns), kind)

    @numba.njit
    def new_zeros(kind, rows, columns):
        """Return a new 2-D array of zeros."""
        return np.zeros((rows, columns), kind)

"""What the loops use of Numba beyond its documented API: the cache of machine code, starting the runtime, compiler events.

Each use has a fallback that works, more slowly, where a release of Numba lacks the name; a test takes the names away. With them
a cached loop is ready 0.2 s earlier, and an index that cannot be read is replaced instead of making every start compile again.
"""

# mypy: ignore-errors

import contextlib
import zlib
from pathlib import Path

import numba
import numpy as np

#: False where no cache folder can be written: the loops are then compiled in each process.
CACHED = True


def compiled(function):
    """Compile a loop at its first call, for all cores, and keep the machine code where a cache folder can be written."""
    global CACHED
    try:
        loop = numba.njit(parallel=True, cache=True)(function)
    except RuntimeError:  # Numba found no folder for its cache
        CACHED = False
        return numba.njit(parallel=True)(function)
    with contextlib.suppress(AttributeError):  # another release's cache works in its own way
        _improve(loop._cache)
    return loop


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
    cache.save_overload = lambda signature, data: _repaired(cache, save, signature, data)


def _repaired(cache, method, *arguments):
    """Call a method of a cache; where its index or files cannot be read, empty the cache and call the method once more.

    A class that was renamed in another release, a full disk or a damaged file costs time and nothing else.
    """
    for _ in range(2):
        try:
            return method(*arguments)
        except Exception:  # as many kinds as pickle and the system have
            with contextlib.suppress(OSError):
                cache.flush()
    return None


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
    numba.typeof(np.empty(0))


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

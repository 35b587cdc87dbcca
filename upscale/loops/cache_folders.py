"""Where Numba keeps machine code, and what that code depends on, found out in half a millisecond without importing Numba."""

import contextlib
import os
import sys
import zlib
from collections.abc import Iterator

#: The folder of the loops.
_SOURCES = os.path.dirname(os.path.abspath(__file__))
#: What machine code depends on, of a processor as Linux describes it; the rest of the lines varies by time and core.
_PROCESSOR = ("vendor_id", "cpu family", "model", "model name", "stepping", "flags", "Features", "CPU ", "isa", "cpu", "uarch")
#: Numba's environment variables that replace the processor's description.
_TARGET = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")


def readable_folders() -> list[str]:
    """List the folders from which loops are loaded: prepared ones that cannot be written, and the one that new code goes to."""
    folders = _folders()
    own = writable_folder()
    prepared = [f for f in folders[:-1] if f != own and os.path.isdir(f) and not _may_be_written(f)]
    return [*prepared, own] if own is not None else prepared


def writable_folder() -> str | None:
    """Return the folder that new machine code goes to, which may not exist yet; None where nothing can be written."""
    return next(filter(_may_be_written, _folders()), None)


def _folders() -> list[str]:
    """List the folders that Numba tries, in its order: `NUMBA_CACHE_DIR`, the package's own, and the user's."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    return [*([os.path.abspath(given)] if given else []), os.path.join(_SOURCES, "__pycache__"), _user_folder()]


def _user_folder() -> str:
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        return os.path.join(os.environ.get("LOCALAPPDATA", home), "numba", "Cache")
    if sys.platform == "darwin":
        return os.path.join(home, "Library", "Caches", "numba")
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache"), "numba")


def _may_be_written(folder: str) -> bool:
    """Return whether a folder can be written, or made."""
    while not os.path.lexists(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)


def cache_key() -> str:
    """Return a checksum of what makes Numba compile anew: the loops, the libraries, Python and the processor."""
    return f"{zlib.crc32(repr([*_dependencies()]).encode()):08x}"


def _dependencies() -> Iterator[object]:
    import numpy  # which whoever enlarges has imported

    yield sys.version, numpy.__version__, _SOURCES
    yield sorted(_sources(), key=str)
    yield _release("numba"), _release("llvmlite")
    yield _processor(), [os.environ.get(name) for name in _TARGET]


def _release(package: str) -> bytes | None:
    """Identify the release of a package without importing it; its metadata would take ten times as long to find."""
    for folder in sys.path:
        with contextlib.suppress(OSError), open(os.path.join(folder, package, "_version.py"), "rb", buffering=0) as file:
            return file.read()
    return None


def _sources() -> Iterator[object]:
    with os.scandir(_SOURCES) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                found = entry.stat()
                yield entry.name, found.st_size, int(found.st_mtime)  # the layers of a container's image keep whole seconds


def _processor() -> object:
    """Describe the processor that machine code is made for."""
    try:
        with open("/proc/cpuinfo", "rb", buffering=0) as file:
            first = file.read(1 << 14).split(b"\n\n")[0].decode("ascii", "replace")
        return [line for line in first.splitlines() if line.startswith(_PROCESSOR) and not line.startswith("cpu MHz")]
    except OSError:  # not Linux
        pass
    # Windows describes the processor in the environment, macOS in the name of its kernel.
    system = os.uname() if hasattr(os, "uname") else ()
    return os.environ.get("PROCESSOR_IDENTIFIER"), [*system[3:]]

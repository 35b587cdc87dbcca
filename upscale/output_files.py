"""Outputs that appear whole or not at all, and standard input and output."""

import contextlib
import functools
import io
import os
import re
import stat
import sys
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from upscale.errors import FileError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: What stands for standard input or output.
DASH = "-"


def os_error_text(error: OSError) -> str:
    """Describe in a few words what the system refused."""
    return (error.strerror or str(error) or type(error).__name__).lower()


def same_file(source: str, target: str) -> bool:
    """Return whether two paths are one file; either may stand for standard input or output."""
    try:
        one = os.fstat(sys.stdin.fileno()) if source == DASH else os.stat(source)
        other = os.fstat(sys.stdout.fileno()) if target == DASH else os.stat(target)
    except (OSError, ValueError, AttributeError):
        return False
    return stat.S_ISREG(one.st_mode) and os.path.samestat(one, other)


def is_regular(path: str) -> bool:
    """Return whether a path is a regular file, or nothing yet: one that is replaced and not written to."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return True


def read_standard_input(begin: bytes = b"") -> io.BytesIO:
    """Read all of standard input, of which some bytes may have been read already.

    Raises
    ------
    FileError
        Where it is empty or cannot be read.
    """
    if sys.stdin is None:
        raise FileError("standard input is closed; name an INPUT")
    try:
        data = begin + sys.stdin.buffer.read()
    except OSError as error:
        raise FileError(f"standard input: cannot be read: {os_error_text(error)}") from error
    if not data:
        raise FileError("standard input is empty; name an INPUT and an OUTPUT, or see upscale --help")
    return io.BytesIO(data)


def write_through(path: str, data: memoryview) -> None:
    """Write to standard output, or to a path that is a device or a pipe.

    Raises
    ------
    FileError
        Where that is refused.
    BrokenPipeError
        Where the reader has gone.
    """
    try:
        if path == DASH:
            if sys.stdout is None:
                raise FileError("standard output is closed; name an OUTPUT")
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            with open(path, "wb") as file:
                file.write(data)
    except BrokenPipeError:
        raise
    except OSError as error:
        name = "standard output" if path == DASH else path
        raise FileError(f"{name}: cannot be written: {os_error_text(error)}") from error


def write(path: str, data: bytes) -> None:
    """Write a file, whole or not at all; or to a path that is a device or a pipe.

    Raises
    ------
    FileError
        Where that is refused.
    BrokenPipeError
        Where the reader has gone.
    """
    if not is_regular(path):
        write_through(path, memoryview(data))
        return
    check_place(path)
    with replacing(path) as file:
        file.write(data)


def check_place(path: str) -> None:
    """Check that a file can be made at `path`, before the work for it is done.

    Raises
    ------
    FileError
        Where its folder is missing or cannot be written to.
    """
    folder = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(folder):
        raise FileError(f"{path}: there is no folder {folder}; create it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FileError(f"{path}: the folder {folder} is not writable")
    try:
        os.lstat(path)
    except FileNotFoundError:
        pass
    except OSError as error:  # a name that is too long
        raise FileError(f"{path}: cannot be written: {os_error_text(error)}") from error


_PART = re.compile(r"\.upscale-([0-9a-f]{8})([0-9a-f]{8})-[0-9a-z]+\.part")


def new_token() -> str:
    """Make up a name part that no other unfinished file has."""
    return os.urandom(6).hex()


def part_of(path: str, token: str) -> str:
    """Name the unfinished file that is to become `path`.

    It lies beside its place, since only a move within one file system is a single step. The name is short, since names have a
    limit, and says on which machine, and since which boot of it, the file is being written.
    """
    return os.path.join(os.path.dirname(os.path.realpath(path)), f".upscale-{''.join(_machine())}-{token}.part")


@functools.cache
def _machine() -> tuple[str, str]:
    """Identify this machine and its current boot."""
    facts = []
    for name in ("/proc/sys/kernel/random/boot_id", "/etc/machine-id"):
        try:
            with open(name, encoding="ascii") as file:
                facts.append(file.read().strip())
        except (OSError, ValueError):
            facts.append("")
    node = os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
    host = f"{node} {facts[1]}"
    start, machine = (f"{zlib.crc32(text.encode('utf-8', 'replace')):08x}" for text in (facts[0] or host, host))
    return start, machine


def remove_leftovers(folder: str) -> int:
    """Remove the unfinished files in a folder that nobody writes any more, and count them.

    Whoever writes one holds a lock on it, which the system takes back when the process ends, however it ends. Locks are asked
    only about files of this very machine, whose name they bear: on a network file system another machine's locks may not be
    seen, so that its files are left to it.
    """
    removed = 0
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _PART.fullmatch(entry.name)
            if found and (found[1] == _machine()[0] or found[2] == _machine()[1]) and _is_abandoned(entry.path):
                with contextlib.suppress(OSError):  # somebody else was sooner
                    os.unlink(entry.path)
                    removed += 1
    return removed


def _is_abandoned(part: str) -> bool:
    if fcntl is None:  # Windows, which does not remove what is open
        return True
    try:
        with open(part, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    except OSError:  # locked; or there are no locks here, and nobody can know
        return False


def _made(part: str) -> int:
    """Make an unfinished file and lock it."""
    while True:
        # O_EXCL: never into a file that somebody else put there. Mode 666: the umask takes its bits off.
        handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        if fcntl is None:
            return handle
        with contextlib.suppress(OSError):  # no locks on this file system: then nobody takes it for abandoned either
            fcntl.flock(handle, fcntl.LOCK_EX)
        # Between the two steps above somebody may have found it without its lock, and removed it.
        if os.fstat(handle).st_nlink:
            return handle
        os.close(handle)


@contextlib.contextmanager
def replacing(path: str, token: str = "", *, overwrite: bool = True) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of `path` when the block ends well, and vanishes when it does not.

    The permissions follow the umask, or are those of the file that is replaced; of a symbolic link, the target is replaced.

    Parameters
    ----------
    path : str
    token : str
        Of `new_token`, for whoever has to know the unfinished file's name.
    overwrite : bool
        Whether a file that is there may be replaced.

    Raises
    ------
    FileError
        Where the folder cannot be written to, the disk is full, or a file is there that may not be replaced.
    """
    target = os.path.realpath(path)
    part = part_of(path, token or new_token())
    try:
        try:
            handle = _made(part)
        except OSError as error:
            raise FileError(f"{path}: its folder is not writable: {os_error_text(error)}") from error
        with os.fdopen(handle, "w+b") as file:
            with contextlib.suppress(OSError, AttributeError):
                os.fchmod(handle, stat.S_IMODE(os.stat(target).st_mode))
            yield file
            if os.name == "posix":  # while it is still locked
                file.flush()
                _move(part, target, overwrite)
        if os.name != "posix":  # where what is open cannot be moved
            _move(part, target, overwrite)
    except FileExistsError:
        raise FileError(f"{path}: already exists and is kept (--no-overwrite)") from None
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {os_error_text(error)}") from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(part)


def _move(part: str, target: str, overwrite: bool) -> None:
    if overwrite:
        os.replace(part, target)
        return
    try:
        os.link(part, target)  # which fails where there is one, in a single step
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise FileExistsError(target) from None
        os.replace(part, target)


class OutputFolders:
    """Output folders, made and cleaned of what dead processes left when they are first needed."""

    def __init__(self) -> None:
        self._ready: set[str] = set()

    def prepare(self, path: str) -> None:
        """Make the folder of a path.

        Raises
        ------
        FileError
            Where that is refused.
        """
        folder = os.path.dirname(path)
        if folder in self._ready and os.path.isdir(folder or "."):  # nobody has removed it since
            return
        try:
            os.makedirs(folder or ".", exist_ok=True)
        except OSError as error:
            raise FileError(f"{folder}: the folder cannot be created: {os_error_text(error)}") from error
        remove_leftovers(folder or ".")
        self._ready.add(folder)

"""Outputs that appear whole or not at all, and standard input and output."""

import contextlib
import io
import os
import stat
import sys
from collections.abc import Iterator
from typing import BinaryIO

from upscale.errors import FileError

#: What stands for standard input or output.
DASH = "-"


def why(error: OSError) -> str:
    """Say in a few words what the system refused."""
    return (error.strerror or str(error) or type(error).__name__).lower()


def same_file(source: str, target: str) -> bool:
    """Say whether two paths are one file; either may stand for standard input or output."""
    try:
        one = os.fstat(sys.stdin.fileno()) if source == DASH else os.stat(source)
        other = os.fstat(sys.stdout.fileno()) if target == DASH else os.stat(target)
    except (OSError, ValueError, AttributeError):
        return False
    return stat.S_ISREG(one.st_mode) and os.path.samestat(one, other)


def is_regular(path: str) -> bool:
    """Say whether a path is a regular file, or nothing yet: one that is replaced and not written to."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return True


def read_standard_input() -> io.BytesIO:
    """Read all of standard input.

    Raises
    ------
    FileError
        Where it is empty or cannot be read.
    """
    if sys.stdin is None:
        raise FileError("standard input: is closed; name an INPUT")
    try:
        data = sys.stdin.buffer.read()
    except OSError as error:
        raise FileError(f"standard input: cannot be read: {why(error)}") from error
    if not data:
        raise FileError("standard input: empty; name an INPUT and an OUTPUT, or see upscale --help")
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
                raise FileError("standard output: is closed; name an OUTPUT")
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        else:
            with open(path, "wb") as file:
                file.write(data)
    except BrokenPipeError:
        raise
    except OSError as error:
        name = "standard output" if path == DASH else path
        raise FileError(f"{name}: cannot be written: {why(error)}") from error


def check_place(path: str) -> None:
    """Check that a file can be made at `path`, before the work for it is done.

    Raises
    ------
    FileError
        Where its folder is missing or cannot be written to.
    """
    folder = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(folder):
        raise FileError(f"{path}: there is no folder {folder}; make it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FileError(f"{path}: the folder {folder} cannot be written to")


@contextlib.contextmanager
def replacing(path: str) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of `path` when the block ends well, and vanishes when it does not.

    The permissions follow the umask, or are those of the file that is replaced; of a symbolic link, the target is replaced.

    Raises
    ------
    FileError
        Where the folder cannot be written to, or the disk is full.
    """
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    # Beside its place, since only a move within one file system is a single step. Short, since names have a limit.
    part = os.path.join(folder, f".upscale-{os.getpid()}-{os.urandom(4).hex()}.part")
    try:
        try:
            # O_EXCL: never into a file that somebody else put there. Mode 666: the umask takes its bits off.
            handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        except OSError as error:
            raise FileError(f"{path}: its folder cannot be written to: {why(error)}") from error
        with os.fdopen(handle, "w+b") as file:
            with contextlib.suppress(OSError, AttributeError):
                os.fchmod(handle, stat.S_IMODE(os.stat(target).st_mode))
            yield file
        os.replace(part, target)
    except OSError as error:
        raise FileError(f"{path}: cannot be written: {why(error)}") from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(part)

"""The package's own exceptions, and what turns a library's exceptions into them."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager


class UpscaleError(Exception):
    """Base class of all errors of this package; the message is one line that says what to do."""


class ArgumentError(UpscaleError, ValueError):
    """An argument or option has an invalid value."""


class KernelError(ArgumentError):
    """A kernel cannot do what is asked of it, with any picture or with this one."""


class FileError(UpscaleError):
    """A file cannot be read, decoded or written; the message names it."""


@contextmanager
def prefix_errors(what: str, kind: type[UpscaleError] = ArgumentError) -> Iterator[None]:
    """Name an option or a file in what is wrong with it; `kind` is what an `ArgumentError` becomes."""
    try:
        yield
    except ArgumentError as error:
        raise kind(f"{what}: {error}") from error


#: What the system reports of a position that a damaged file names and no file can have.
_IMPOSSIBLE_POSITION = (errno.EINVAL, errno.EOVERFLOW)

#: What only programmers write: names with an underscore or of an exception, values in angle brackets, NULL and None, and what
#: Python says of indices and of `struct`.
_IDENTIFIER = re.compile(r"index out of range|requires a buffer|\w_\w|\w+(?:Error|Exception)\b|<\w.*>|\bN(?:ULL|one)\b")


@contextmanager
def library_errors(verdict: str = "damaged") -> Iterator[None]:
    """Turn whatever a library raises on a file's data into an `ArgumentError`, "damaged: ...".

    Use it around single calls of a library, never around code of this package: its faults would be reported as the user's.
    These pass unchanged: the package's own errors, input and output errors of the system, a lack of memory, and the
    exceptions of a faulty program (`NameError`, `AssertionError`).

    Parameters
    ----------
    verdict : str
        How the message begins.

    Raises
    ------
    ArgumentError
        Its text does not name the library's exception.
    """
    try:
        yield
    except (UpscaleError, MemoryError, NameError, AssertionError):
        raise
    except OSError as error:
        if error.errno is not None and error.errno not in _IMPOSSIBLE_POSITION:
            raise
        raise ArgumentError(f"{verdict}: {_text_of(error)}") from error
    except Exception as error:  # on damaged data, decoders raise anything: struct.error, IndexError, ...
        raise ArgumentError(f"{verdict}: {_text_of(error)}") from error


def _text_of(error: Exception) -> str:
    """Return an exception's text on one line; a bare key, as in a `KeyError`, or a function's name helps nobody."""
    text = "" if isinstance(error, LookupError) or _IDENTIFIER.search(str(error)) else " ".join(str(error).split())
    return text or "its data cannot be decoded"


def show_traceback() -> None:
    """Print the traceback of the error that is being handled, if the environment variable UPSCALE_TRACEBACK is set."""
    if os.environ.get("UPSCALE_TRACEBACK"):
        import traceback

        traceback.print_exc()

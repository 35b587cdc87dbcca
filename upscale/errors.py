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

#: What libraries say in many ways of data that are too short, and of a wrong checksum. These patterns are compiled where they
#: are needed: to compile them all at the start would take as long as to enlarge a sprite.
_TOO_SHORT = (
    r"(?i)truncat|\bEOF|end of (?:the )?(?:file|data|stream|image)|unexpected end|premature|incomplete|too (?:short|small)"
    r"|not enough|buffer is not large|fill whole buffer|requires? (?:a buffer|\d+)|unpack requires"
)
_CHECKSUM = r"(?i)checksum|\bcrc\b|bad crc|adler"
#: Words about Python and NumPy, or about a library's own code, in which users need no reason.
_JARGON = (
    r"(?i)\b(?:arrays?|arguments?|codec|dtypes?|instances?|iterable|literal|objects?|operands?|unpack|reshape|shapes?|subscript\w*)\b"
    r"|bytes-like|must be (?:str|int|real|an integer)|_\w*\(|\w+_\w+|<|\berror (?:code )?-\d|\b[a-z]+\(\)|[A-Z]\w+Error"
)
#: Exceptions of Python whose texts are about a program.
_PROGRAM = (AttributeError, BufferError, LookupError, TypeError, ArithmeticError, RecursionError, UnicodeError, StopIteration)


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
        In plain words: of the library's own, only what `damage` and `refusal` take.
    """
    try:
        yield
    except (UpscaleError, MemoryError, NameError, AssertionError):
        raise
    except OSError as error:
        if error.errno is not None and error.errno not in _IMPOSSIBLE_POSITION:
            raise
        raise ArgumentError(f"{verdict}: {_reason(verdict, error)}") from error
    except Exception as error:  # on damaged data, decoders raise anything: struct.error, IndexError, ...
        raise ArgumentError(f"{verdict}: {_reason(verdict, error)}") from error


def _reason(verdict: str, error: Exception) -> str:
    return damage(error) if verdict == "damaged" else refusal(error)


def damage(error: Exception) -> str:
    """Say in plain words what an exception of a decoder says about its data.

    Decoders describe damage in the words of their own code, of which only two things help a user.
    """
    text = "" if isinstance(error, LookupError) else str(error)
    if isinstance(error, UnicodeError):
        return "its text is not in UTF-8"
    if isinstance(error, EOFError) or re.search(_TOO_SHORT, text):
        return "its data end too early"
    return "a checksum is wrong" if re.search(_CHECKSUM, text) else "its data cannot be decoded"


def refusal(error: Exception) -> str:
    """Return on one line why a library, such as an encoder, refuses what it gets, unless that is about a program's code."""
    text = "" if isinstance(error, _PROGRAM) else " ".join(str(error).split())
    return text if text and len(text) <= 200 and not re.search(_JARGON, text) else "its library gives no reason that helps"


def show_traceback() -> None:
    """Print the traceback of the error that is being handled, if the environment variable UPSCALE_TRACEBACK is set."""
    if os.environ.get("UPSCALE_TRACEBACK"):
        import traceback

        traceback.print_exc()

"""Running a command: its errors become one line and an exit status."""

import contextlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from upscale import signals
from upscale.errors import ArgumentError, FileError, UpscaleError, show_traceback
from upscale.output_files import os_error_text

#: Keeps the exception that ended a command, and its frames, alive: freeing LLVM objects that an interrupt left half-built would
#: free them twice.
_interrupted: list[BaseException] = []


def run(command: click.Command, name: str, arguments: list[str]) -> int:
    """Run a command.

    Parameters
    ----------
    command : click.Command
    name : str
        The program's.
    arguments : list of str
        Without the program's name.

    Returns
    -------
    int
        0 all done, 1 something failed, 2 wrong usage, 130 interrupted, 143 terminated.
    """
    signals.interrupt()
    try:
        status = command.main(arguments, prog_name=name, standalone_mode=False)
        return status if isinstance(status, int) else 0
    except BrokenPipeError:
        # The reader has seen enough. Python would complain once more when it flushes the stream at exit.
        sys.stdout = None
        return 1
    except signals.Interrupted as signalled:
        signals.arrived()
        _interrupted.append(signalled)
        return _fail(name, f"{signalled.ending}, {signalled.left}", 128 + signalled.number)
    except Exception as error:
        show_traceback()
        return _fail(name, *_explained(name, error))


def _explained(name: str, error: Exception) -> tuple[str, int]:
    """Describe an error on one line, and choose the exit status."""
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx is not None else name
        return f"{error.format_message()} (see {command} --help)", 2
    if isinstance(error, UpscaleError):
        return str(error), 1
    if isinstance(error, OSError):
        return f"{error.filename or 'standard output, or a file'}: {os_error_text(error)}", 1
    if isinstance(error, MemoryError):
        return "not enough memory", 1
    # A fault of ours; a traceback would help nobody who only has the command.
    return f"internal error, please report it: {type(error).__name__}: {error}", 1


@contextmanager
def as_usage_error(what: str) -> Iterator[None]:
    """Make what is wrong with a value wrong usage, and name the option or argument."""
    try:
        yield
    except ArgumentError as error:
        raise click.UsageError(f"{what}: {error}") from error


def say(text: str, *, err: bool = False) -> None:
    """Print a text, whatever bytes the names of files in it have.

    Raises
    ------
    FileError
        Where standard output, or standard error, is closed or full.
    BrokenPipeError
        Where the reader has gone.
    """
    stream = f"standard {'error' if err else 'output'}"
    if (sys.stderr if err else sys.stdout) is None:
        raise FileError(f"{stream}: is closed")
    try:
        click.echo(text.encode("utf-8", "backslashreplace").decode(), err=err)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FileError(f"{stream}: cannot be written: {os_error_text(error)}") from error


def note(name: str, text: str) -> None:
    """Print what a user should know, on a line of standard error; that nobody reads it is no reason to fail."""
    with contextlib.suppress(FileError, BrokenPipeError):
        say(f"{name}: {' '.join(text.split())}", err=True)


def _fail(name: str, text: str, status: int) -> int:
    note(name, text)
    return status

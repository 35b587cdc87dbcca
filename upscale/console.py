"""Running a command: its errors become one line and an exit status."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from upscale import signals
from upscale.errors import ArgumentError, UpscaleError


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
    except click.UsageError as error:
        return _fail(name, f"{error.format_message()} (see {name} --help)", 2)
    except UpscaleError as error:
        return _fail(name, str(error), 1)
    except signals.Interrupted as signalled:
        return _fail(name, f"{signalled.ending}, nothing was written", 128 + signalled.number)
    except BrokenPipeError:
        # The reader has seen enough. Python would complain once more when it flushes the stream at exit.
        sys.stdout = None
        return 1
    except MemoryError:
        return _fail(name, "there is not enough memory", 1)
    except Exception as error:  # a fault of ours; a traceback would help nobody who only has the command
        return _fail(name, f"internal error, please report it: {type(error).__name__}: {error}", 1)


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Make what is wrong with a value wrong usage, and name the option or argument."""
    try:
        yield
    except ArgumentError as error:
        raise click.UsageError(f"{what}: {error}") from error


def _fail(name: str, text: str, status: int) -> int:
    click.echo(f"{name}: {' '.join(text.split())}", err=True)
    return status

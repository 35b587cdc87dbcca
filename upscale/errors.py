"""The package's own exceptions."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


class UpscaleError(Exception):
    """Base of every error that the package raises on purpose; its text is one line that says what to do."""


class ArgumentError(UpscaleError, ValueError):
    """An argument or option has a value that cannot work, whatever the picture."""


class KernelError(ArgumentError):
    """A kernel cannot do what is asked of it, with any picture or with this one."""


class FileError(UpscaleError):
    """A file cannot be read, understood or written; the text names it."""


@contextmanager
def naming(what: str, kind: type[UpscaleError] = ArgumentError) -> Iterator[None]:
    """Name an option or a file in what is wrong with it; `kind` is what an `ArgumentError` becomes."""
    try:
        yield
    except ArgumentError as error:
        raise kind(f"{what}: {error}") from error


def show_traceback() -> None:
    """Print the traceback of the error that is being handled, if the environment variable UPSCALE_TRACEBACK is set."""
    if os.environ.get("UPSCALE_TRACEBACK"):
        import traceback

        traceback.print_exc()

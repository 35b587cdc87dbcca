"""What stands among the paths of a command line and was not meant as one: factors, commands, mistyped or swapped names."""

import os
from collections.abc import Sequence

import click

from upscale.commands.option_types import is_factor
from upscale.suggestions import closest_file, did_you_mean

#: Words before the paths, as other programs need them.
_VERBS = ("enlarge", "upscale", "upsample", "resize", "scale", "run")
#: Commands of this package that are programs of their own.
_PROGRAMS = ("learn", "kernel", "compare")


def asks_for_help(paths: Sequence[str]) -> bool:
    """Return whether the only word is help, and no file."""
    return list(paths) == ["help"] and not os.path.lexists("help")


def check_words(paths: Sequence[str]) -> None:
    """Refuse what was not meant as a path.

    Parameters
    ----------
    paths : sequence of str
        The command's arguments besides its options.

    Raises
    ------
    click.UsageError
        Where one of them is no file or folder, but a factor or the name of a command.
    """
    for path in paths:
        if is_factor(path) and not os.path.lexists(path):
            raise click.UsageError(f"there is no file {path}; did you mean --factor {path}? For a new folder, write {path}/")
    first = paths[0] if paths else ""
    if first in _PROGRAMS and not os.path.lexists(first):
        raise click.UsageError(f"there is no file {first}; did you mean upscale-{first}?")
    if first in _VERBS and not os.path.lexists(first):
        raise click.UsageError(
            f"there is no file {first}, and upscale needs no subcommand: {' '.join(['upscale', *paths[1:]])}"
        )


def missing_input(source: str, output: str) -> str:
    """Describe an input that is missing, and what was probably meant.

    Parameters
    ----------
    source, output : str
        The paths INPUT and OUTPUT.
    """
    text = f"{source}: no such file"
    found = closest_file(source)
    if os.path.isfile(output) and found in ("", output):
        return f"{text}, and {output} is given as OUTPUT{did_you_mean(f'upscale {output} {source}')}"
    return text + did_you_mean(found)

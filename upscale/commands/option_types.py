"""Readers of the command's options: text to value, or ArgumentError. Nothing here needs NumPy."""

import re
from collections.abc import Callable
from typing import Any

import click

from upscale.errors import ArgumentError
from upscale.kernels import kernel_spec, number_text
from upscale.pictures import formats


class Parsed(click.ParamType):  # type: ignore[type-arg]  # generic in new releases of click only
    """An option whose text one function reads, raising ArgumentError."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name, self._parse = name, parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read a text; a default that is a value already stays."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ArgumentError as error:
            self.fail(str(error), param, ctx)


def _whole(text: str) -> int:
    """Read digits; int() would take signs, underscores and blanks as well."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1


def factor(text: str) -> tuple[int, int]:
    """Read N or WIDTHxHEIGHT as (vertical, horizontal)."""
    numbers = [_whole(part) for part in text.lower().split("x")]
    if len(numbers) > 2 or min(numbers) < 1:
        raise ArgumentError(f"{text!r} is no factor; give a whole number of at least 1, or WIDTHxHEIGHT such as 3x2")
    return numbers[-1], numbers[0]


def padding(text: str) -> Any:
    """Read same, N, VERTICAL,HORIZONTAL or TOP,BOTTOM,LEFT,RIGHT."""
    if text == "same":
        return text
    numbers = [_whole(part.strip()) for part in text.split(",")]
    if len(numbers) not in (1, 2, 4) or min(numbers) < 0:
        raise ArgumentError(f"{text!r} is no padding; give same, N, VERTICAL,HORIZONTAL or TOP,BOTTOM,LEFT,RIGHT")
    if len(numbers) == 4:
        return (numbers[0], numbers[1]), (numbers[2], numbers[3])
    return (numbers[0], numbers[0]), (numbers[-1], numbers[-1])


def pair(least: int) -> Callable[[str], tuple[int, int]]:
    """Make a reader of N or VERTICAL,HORIZONTAL."""

    def parse(text: str) -> tuple[int, int]:
        numbers = [_whole(part.strip()) for part in text.split(",")]
        if len(numbers) > 2 or min(numbers) < least:
            raise ArgumentError(f"{text!r} must be N or VERTICAL,HORIZONTAL, whole numbers of at least {least}")
        return numbers[0], numbers[-1]

    return parse


def memory(text: str) -> int:
    """Read a number of bytes, with k, M, G or T behind for powers of 1000, or Ki, Mi, Gi or Ti for powers of 1024."""
    found = re.fullmatch(r"\s*([0-9.]+)\s*(?:([KMGT])(I?))?B?\s*", text.upper())
    try:
        number = float(found[1]) * (1024 if found[3] else 1000) ** " KMGT".find(found[2] or " ") if found else 0.0
    except ValueError:  # more than one point
        number = 0.0
    if not 1 <= number < 1e18:
        raise ArgumentError(f"{text!r} is no size of memory; give bytes, or 500M or 8G")
    return int(number)


def bias(text: str) -> tuple[str, str] | tuple[float, ...]:
    """Read numbers, or a file and the name of an array in it."""
    file = kernel_spec.file_and_name(text)
    if file is not None:
        return file
    rows = number_text.parse_rows(text, "bias")
    if len(rows) != 1:
        raise ArgumentError(f"{text!r} must be a number, or one for each output channel, with commas between")
    return rows[0]


#: Simple names.
COLOURS = {"black": "000000", "white": "ffffff", "grey": "808080", "gray": "808080", "red": "ff0000", "green": "008000",
           "blue": "0000ff", "yellow": "ffff00", "cyan": "00ffff", "magenta": "ff00ff"}  # fmt: skip


def colour(text: str) -> tuple[int, int, int]:
    """Read #rrggbb, #rgb or a simple name."""
    digits = COLOURS.get(text.lower(), text.removeprefix("#"))
    if len(digits) == 3:
        digits = "".join(2 * d for d in digits)
    try:
        if not digits.isalnum():
            raise ValueError
        red, green, blue = bytes.fromhex(digits)
    except ValueError:
        raise ArgumentError(f"{text!r} is no colour; give #rrggbb or one of {', '.join(COLOURS)}") from None
    return red, green, blue


def format(text: str) -> str:
    """Read a format's name as a suffix."""
    suffix = "." + text.lower().removeprefix(".")
    formats.of_suffix(suffix, text)
    return suffix

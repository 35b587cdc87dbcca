"""The types of the commands' options: text to value, or an error that names what is accepted. Nothing here needs NumPy."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import click

from upscale.choices import METHOD_SYNONYMS, METHODS
from upscale.errors import ArgumentError
from upscale.kernels import kernel_spec, number_text, presets, shipped
from upscale.pictures import formats
from upscale.suggestions import closest, did_you_mean


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


class WholeNumber(click.ParamType):  # type: ignore[type-arg]
    """A whole number within a range.

    Parameters
    ----------
    least : int
    most : int, optional
    hint : str
        What a message adds, such as what happens without the option.
    """

    name = "number"

    def __init__(self, least: int, most: int | None = None, hint: str = "") -> None:
        self.min, self.max, self._hint = least, most, f"; {hint}" if hint else ""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read a number in digits."""
        number: int = value if isinstance(value, int) else _whole(value.strip())
        if number < self.min or (self.max is not None and number > self.max):
            span = f"of at least {self.min}" if self.max is None else f"from {self.min} to {self.max}"
            self.fail(f"{value!r} is not a whole number {span}{self._hint}", param, ctx)
        return number


class OneOf(click.Choice):  # type: ignore[type-arg]
    """One of a few names, in any case."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(names, case_sensitive=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Find the name."""
        names: list[str] = list(self.choices)
        if value.strip().lower() in names:
            return value.strip().lower()
        self.fail(self.unknown(value, names), param, ctx)

    def unknown(self, value: str, names: list[str]) -> str:
        """Return what is accepted instead of a value."""
        if match := closest(value, names):
            return f"there is no {value!r}{did_you_mean(match)}"
        return f"give {', '.join(names[:-1])} or {names[-1]}, not {value!r}"


class Method(OneOf):
    """The name of a method, as this or another program calls it."""

    def __init__(self) -> None:
        super().__init__(METHODS)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Find the method."""
        name = value.strip().lower().replace("_", "-").replace(" ", "-")
        return METHOD_SYNONYMS.get(name) or super().convert(value, param, ctx)

    def unknown(self, value: str, names: list[str]) -> str:
        """Return which method or kernel was probably meant."""
        if re.match(r"(de|up)?-?conv|trans|fraction", value.lower()):
            return f"there is no method {value!r}{did_you_mean('tconv')}"
        name = value.partition(":")[0].lower()
        if name in presets.PRESETS or name in shipped.SHIPPED:
            return f"{value} is a kernel, not a method; did you mean --kernel {value}?"
        if name not in presets.SYNONYMS and (match := closest(value, [*METHOD_SYNONYMS, *names])):
            return f"there is no method {value!r}{did_you_mean(METHOD_SYNONYMS.get(match, match))}"
        if match := kernel_spec.closest_name(value):
            return f"there is no method {value!r}{did_you_mean(f'--kernel {match}')}"
        return f"there is no method {value!r}; give nn, or tconv with a kernel (see --list-kernels)"


def _whole(text: str) -> int:
    """Read digits; int() would accept signs, underscores and blanks too."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1


def factor(text: str) -> tuple[int, int]:
    """Read N or WIDTHxHEIGHT, such as 4, 4x, x4, 4.0, 400% or 3x2, as (vertical, horizontal)."""
    plain = text.strip().lower().replace("×", "x")
    plain = plain.removeprefix("x") if plain.startswith("x") else plain.removesuffix("x")
    numbers = [_times(part.strip()) for part in plain.split("x")]
    if len(numbers) > 2 or min(numbers) < 1:
        raise ArgumentError(f"{text!r} is not a factor; give a whole number such as 4, or WIDTHxHEIGHT such as 3x2")
    return numbers[-1], numbers[0]


def _times(text: str) -> int:
    """Read 4, 4.0 or 400%."""
    percent = _whole(text.removesuffix("%")) if text.endswith("%") else -1
    if percent >= 0 and percent % 100 == 0:
        return percent // 100
    return _whole(re.sub(r"\.0*$", "", text))


def is_factor(text: str) -> bool:
    """Return whether a text can be read as a factor."""
    try:
        return bool(factor(text))
    except ArgumentError:
        return False


def padding(text: str) -> Any:
    """Read same, N, VERTICAL,HORIZONTAL or TOP,BOTTOM,LEFT,RIGHT."""
    if text == "same":
        return text
    numbers = [_whole(part.strip()) for part in text.split(",")]
    if len(numbers) not in (1, 2, 4) or min(numbers) < 0:
        raise ArgumentError(
            f"{text!r} is not a padding; give same, N, VERTICAL,HORIZONTAL or TOP,BOTTOM,LEFT,RIGHT (0 crops nothing)"
        )
    if len(numbers) == 4:
        return (numbers[0], numbers[1]), (numbers[2], numbers[3])
    return (numbers[0], numbers[0]), (numbers[-1], numbers[-1])


def pair(least: int) -> Callable[[str], tuple[int, int]]:
    """Make a reader of N or VERTICAL,HORIZONTAL."""

    def parse(text: str) -> tuple[int, int]:
        numbers = [_whole(part.strip()) for part in text.split(",")]
        if len(numbers) > 2 or min(numbers) < least:
            raise ArgumentError(f"{text!r} is not N or VERTICAL,HORIZONTAL with whole numbers of at least {least}")
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
        raise ArgumentError(f"{text!r} is not a memory size; give bytes, or a size such as 500M or 8G")
    return int(number)


def bias(text: str) -> tuple[str, str] | tuple[float, ...]:
    """Read numbers, or a file and the name of an array in it."""
    file = kernel_spec.file_and_name(text)
    if file is not None:
        return file
    try:
        (numbers,) = number_text.parse_rows(text, "bias")
    except (ArgumentError, ValueError) as error:  # the latter for several rows
        reason = str(error) if isinstance(error, ArgumentError) else f"{text!r} has several rows"
        raise ArgumentError(f"{reason}; give one number, one per output channel such as 0.1,0,0, or a file") from None
    return numbers


def address(text: str) -> str:
    """Read the address of a Dask scheduler."""
    if not re.fullmatch(r"\w+://.+:\d+", text):
        raise ArgumentError(f"{text!r} is not an address; give one such as tcp://HOST:8786")
    return text


def closest_suffix(suffix: str) -> str:
    """Return the suffix of a format that was probably meant; an empty text if none is similar."""
    return closest(suffix, formats.FORMATS, 0.75)  # less similar ones are formats of their own, such as .heic and .ico


def format(text: str) -> str:
    """Read a format's name as a suffix."""
    suffix = "." + text.strip().lower().removeprefix(".")
    if suffix not in formats.FORMATS:
        accepted = did_you_mean(closest_suffix(suffix)[1:]) or f"; give one of {' '.join(s[1:] for s in formats.FORMATS)}"
        raise ArgumentError(f"{text!r} is not a format that can be written{accepted}")
    return suffix

"""Wrong usage in plain words: which option or argument, what is wrong with it, and what was probably meant."""

import re
from collections.abc import Iterator, Sequence

import click

from upscale.commands.option_types import is_factor
from upscale.suggestions import closest, did_you_mean

#: What other programs call options, and the options here.
_ELSEWHERE = {
    **dict.fromkeys(("-s", "--times", "--upscale", "--magnify"), "--factor"),
    **dict.fromkeys(("--width", "--height", "--geometry", "--dimensions", "--percent"), "--size"),
    **dict.fromkeys(("--max-size", "--max-width", "--max-height", "--bounds", "--within"), "--fit"),
    **dict.fromkeys(("--mp", "--mpix", "--pixels"), "--megapixels"),
    **dict.fromkeys(("--filter", "--interpolation", "--resample", "--resampling"), "--kernel"),
    **dict.fromkeys(("--color", "--colour", "--bg", "--fill", "--matte"), "--background"),
    **dict.fromkeys(("--border", "--boundary", "--padding-mode"), "--edge"),
    **dict.fromkeys(("--page", "--index"), "--frame"),
    **dict.fromkeys(("--type", "--ext", "--extension"), "--format"),
    **dict.fromkeys(("--jobs", "--workers", "--processes"), "--threads"),
    "--force": "--overwrite",
    "--resume": "--skip-existing",
    "--presets": "--list-kernels",
}


def explain(error: click.UsageError, ctx: click.Context, words: Sequence[str]) -> str:
    """Describe what is wrong with a command's arguments.

    Parameters
    ----------
    error : click.UsageError
        From parsing them.
    ctx : click.Context
    words : sequence of str
        The arguments.
    """
    if isinstance(error, click.NoSuchOption):
        return _unknown_option(error.option_name, ctx, words)
    if isinstance(error, click.BadOptionUsage):
        return _wrong_value(error, ctx)
    if isinstance(error, click.BadParameter) and error.param is not None:
        name = _name(error.param)
        if isinstance(error, click.MissingParameter):
            return f"{name} is missing{_example(ctx)}"
        return f"{name}: {error.message.removesuffix('.')}"
    if extra := re.match(r"Got unexpected extra arguments? \((.*)\)$", error.message):
        numbers = [word for word in extra[1].split() if is_factor(word)] if "--factor" in _names(ctx) else []
        return f"there are too many arguments: {extra[1]}{did_you_mean(f'--factor {numbers[0]}' if numbers else '')}"
    return error.format_message()


def check_dashes(ctx: click.Context, words: Sequence[str]) -> None:
    """Refuse a long option with one dash: click reads -output as the option -o with the value utput.

    Raises
    ------
    click.UsageError
        Where there is one.
    """
    names = _names(ctx)
    for word in words:
        if word == "--":
            return
        name = word.partition("=")[0]
        if len(name) > 2 and f"-{name}" in names:
            raise click.UsageError(f"there is no option {name}{did_you_mean(names[f'-{name}'])}", ctx)


def _unknown_option(option: str, ctx: click.Context, words: Sequence[str]) -> str:
    names = _names(ctx)
    if re.match(r"-\.?[0-9]", option):
        word = next((word for word in words if word.startswith(option)), option)
        meant = word.removeprefix("-")
        if is_factor(meant) and "--factor" in names:
            return f"there is no option {word}{did_you_mean(f'--factor {meant}')}"
        return f"there is no option {word}; put -- before negative numbers"
    meant = _ELSEWHERE.get(option, "")
    if meant not in names:
        meant = closest(option, [name for name in names if name.startswith("--")]) if len(option) > 2 else ""
    return f"there is no option {option}{did_you_mean(names.get(meant, ''))}"


def _wrong_value(error: click.BadOptionUsage, ctx: click.Context) -> str:
    """Describe an option that needs a value, or takes none."""
    name = _names(ctx).get(error.option_name, error.option_name)
    option = next((option for option in _options(ctx) if name in (*option.opts, *option.secondary_opts)), None)
    if option is None or option.is_flag:
        return f"{name} takes no value"
    value = option.metavar or "|".join(getattr(option.type, "choices", ()))
    return f"{name} needs a value: {name} {value}"


def _options(ctx: click.Context) -> Iterator[click.Option]:
    return (p for p in ctx.command.get_params(ctx) if isinstance(p, click.Option))


def _names(ctx: click.Context) -> dict[str, str]:
    """Map all names of a command's options to those that its help lists."""
    names = {}
    for option in _options(ctx):
        negative = {name: name for name in option.secondary_opts}
        for alias in getattr(option, "aliases", ()):
            names[alias] = option.secondary_opts[0] if alias.startswith("--no-") and negative else _name(option)
        names |= dict.fromkeys(option.opts, _name(option)) | negative
    return names


def _name(parameter: click.Parameter) -> str:
    """Return what a help calls an option or argument."""
    if isinstance(parameter, click.Argument):
        return (parameter.metavar or parameter.human_readable_name).strip("[].")
    return max(parameter.opts, key=len)


def _example(ctx: click.Context) -> str:
    """Quote the first example of a command in its help or in that of its group."""
    context: click.Context | None = ctx
    while context is not None:
        for line in (context.command.epilog or "").splitlines():
            if line.strip().startswith(f"{ctx.command_path} "):
                return f"; for example: {line.strip()}"
        context = context.parent
    return ""

"""Write the reference of all commands into docs/commands.md from what click knows of them: `python docs/make_reference.py`.

What stands above the mark in the page is written by hand and stays.
"""

import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from upscale.commands import compare, enlarge, kernel, learn

#: Name to command; a group of commands brings its own along.
COMMANDS: dict[str, click.Command] = {
    "upscale": enlarge.command,
    "upscale-learn": learn.command,
    "upscale-kernel": kernel.command,
    "upscale-compare": compare.command,
}
PAGE = Path(__file__).parent / "commands.md"
MARK = "<!-- What follows is written by docs/make_reference.py. -->\n"
#: What is literal in a help text: quoted, in braces, an option, a suffix or a colour.
_CODE = re.compile(r"""("[^"]*"|\{\w+\}|(?<![\w-])--?[a-z0-9][\w-]*|\*?\.\w{2,}\b|#\w+)""")


def page(above: str) -> str:
    """Put the page together: what is written by hand, and every command."""
    parts = [line for name, command in COMMANDS.items() for line in _command(name, command, 2)]
    return above + MARK + "\n" + "\n\n".join(parts) + "\n"


def above() -> str:
    """Read what is written by hand."""
    return PAGE.read_text().split(MARK)[0]


def _command(name: str, command: click.Command, level: int) -> Iterator[str]:
    context = click.Context(command, info_name=name, **command.context_settings)
    yield f"{'#' * level} {name}"
    yield _block("text", " ".join([name, *command.collect_usage_pieces(context)]))
    yield from _prose(command.help or "")
    yield from _prose(command.epilog or "")
    options = {p.name: p for p in command.get_params(context) if isinstance(p, click.Option) and not p.hidden}
    groups = getattr(command, "groups", {})
    for title, names in groups.items():
        yield f"{'#' * (level + 1)} {title}"
        yield from (_option(options.pop(n)) for n in names if n in options)
    if options:
        yield "Other options:" if groups else "Options:"
        yield from map(_option, options.values())
    if isinstance(command, click.Group):
        for each, sub in command.commands.items():
            yield from _command(f"{name} {each}", sub, level + 1)


def _option(option: click.Option) -> str:
    value = _metavar(option)
    # Old releases of click have --help's names in no order.
    names = sorted((*option.opts, *option.secondary_opts), key=lambda name: name.startswith("--"))
    if value:
        names[-1] += f" {value}"
    text, _, default = re.sub(r"\s+", " ", option.help or "").partition(" [default: ")
    parts = [_marked(text)]
    if option.required:
        parts.append("Required.")
    kind: Any = option.type
    if getattr(kind, "min", None) and kind.max is None:
        parts.append(f"At least {kind.min}.")
    if default:
        parts.append(f"Default: {_marked(default.removesuffix(']'))}.")
    elif option.show_default and not option.is_flag:
        parts.append(f"Default: `{option.default}`.")
    return f"- {', '.join(f'`{name}`' for name in names)}\n\n{_filled(' '.join(parts), '  ')}"


def _metavar(option: click.Option) -> str:
    """Name the value as the help does, which click's releases say in different ways."""
    if option.is_flag or option.count:
        return ""
    if option.metavar:
        return option.metavar
    kind: Any = option.type
    return "|".join(kind.choices) if isinstance(kind, click.Choice) else kind.name.upper()


def _prose(text: str) -> Iterator[str]:
    """Yield the paragraphs of a text; those that click leaves as they are become blocks."""
    for paragraph in inspect.cleandoc(text.partition("\f")[0]).split("\n\n"):
        if not paragraph.startswith("\b\n"):
            yield from [_filled(_escaped(" ".join(paragraph.split())))] if paragraph else []
            continue
        first, *rest = paragraph.removeprefix("\b\n").splitlines()
        if first.endswith(":"):
            yield first
        yield _block("sh", textwrap.dedent("\n".join(rest if first.endswith(":") else [first, *rest])))


def _block(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"


def _marked(text: str) -> str:
    """Set what is literal as code."""
    return "".join(f"`{part}`" if i % 2 else _escaped(part) for i, part in enumerate(_CODE.split(text)))


def _escaped(text: str) -> str:
    """Let nothing be taken for markup."""
    return re.sub(r"([\\`*_<\[\]|])", r"\\\1", text)


def _filled(text: str, indent: str = "") -> str:
    return textwrap.fill(
        text, 120, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )


if __name__ == "__main__":
    PAGE.write_text(page(above()))

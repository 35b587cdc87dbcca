"""What a shell offers where a value is typed: names, files and folders. Nothing here needs NumPy."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import click

from upscale.kernels import presets, shipped

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


def offer(names: Iterable[str] = (), also: str = "") -> Complete:
    """Make what completes a value, for `shell_complete` of an option or argument.

    Parameters
    ----------
    names : iterable of str
        What the value may be; of a mapping, the values say what each is.
    also : str
        "file" or "dir": what the shell looks for besides.
    """
    offered = names if isinstance(names, Mapping) else dict.fromkeys(names)

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem

        # The shells' scripts forget names that came before a file.
        found = [CompletionItem(incomplete, type=also)] if also else []
        return found + [CompletionItem(name, help=text) for name, text in offered.items() if name.startswith(incomplete)]

    return complete


files = offer(also="file")
folders = offer(also="dir")
_KERNELS = {name: preset.good for name, preset in presets.PRESETS.items()} | {
    name: row.good for name, row in shipped.SHIPPED.items()
}
kernels = offer(_KERNELS, also="file")


def kernel_lists(ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Complete the last of several kernels between commas, of which nn may be one."""
    before, comma, _ = incomplete.rpartition(",")
    names = {f"{before}{comma}{name}": text for name, text in {"nn": "every value duplicated", **_KERNELS}.items()}
    return offer(names, also="" if comma else "file")(ctx, param, incomplete)

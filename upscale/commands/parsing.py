"""Commands and options as click parses them, with errors in plain words and names of options that no help lists."""

from typing import Any

import click

from upscale.commands import usage_errors
from upscale.suggestions import closest, did_you_mean


class Option(click.Option):
    """An option with more names, which work and which no help lists.

    Parameters
    ----------
    *arguments, **settings
        As of `click.Option`.
    aliases : tuple of str
        The other names. Those that begin with --no- belong to the negative flag of a pair.
    """

    def __init__(self, *arguments: Any, aliases: tuple[str, ...] = (), **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.aliases = aliases

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Add the option under all of its names."""
        listed = self.opts, self.secondary_opts
        self.opts = [*self.opts, *(name for name in self.aliases if not name.startswith("--no-"))]
        self.secondary_opts = [*self.secondary_opts, *(name for name in self.aliases if name.startswith("--no-"))]
        super().add_to_parser(parser, ctx)
        self.opts, self.secondary_opts = listed


class _PlainErrors(click.Command):
    """A command whose errors name an argument, and what to do about it, in plain words."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; while a shell completes them, nothing is wrong."""
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        args = ["--help" if word == "-help" else word for word in args]
        words = list(args)
        usage_errors.check_dashes(ctx, words)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            raise click.UsageError(usage_errors.explain(error, ctx, words), ctx) from error


class Command(_PlainErrors):
    """A command."""


class Group(_PlainErrors, click.Group):
    """A command that has commands of its own."""

    command_class = Command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the command that the first argument names."""
        if not ctx.resilient_parsing and self.get_command(ctx, args[0]) is None:
            accepted = did_you_mean(closest(args[0], self.commands)) or f"; give one of {', '.join(self.commands)}"
            raise click.UsageError(f"there is no command {args[0]!r}{accepted}", ctx)
        return super().resolve_command(ctx, args)

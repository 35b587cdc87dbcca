"""The help of the command `upscale`: its options in groups, the everyday ones or all."""

import click

from upscale.commands.parsing import Command

#: The options by what they are for, in the order of the help.
GROUPS = {
    "Enlargement": ("method", "factor", "fit", "size", "megapixels", "tile"),
    "Transposed convolution": (
        "kernel",
        "normalize",
        "padding",
        "output_padding",
        "dilation",
        "groups",
        "bias",
        "edge",
        "linear",
    ),
    "Files": (
        "format",
        "quality",
        "lossless",
        "compression",
        "depth",
        "background",
        "to_rgb",
        "strip",
        "frame",
        "layout",
        "chroma",
        "codec",
        "crf",
    ),
    "Many files": (
        "recursive",
        "files_from",
        "null",
        "name",
        "parents",
        "skip_existing",
        "update",
        "no_overwrite",
        "overwrite",
        "dry_run",
        "watch",
        "fail_fast",
        "json",
        "scheduler",
    ),
    "Running": (
        "output",
        "engine",
        "threads",
        "max_memory",
        "reject_truncated",
        "max_pixels",
        "max_output_pixels",
        "max_factor",
        "quiet",
        "verbose",
        "list_kernels",
        "precompile",
        "version",
        "_click_default_help",
        "help",
        "help_all",
    ),
}

#: The options that `--help` shows; `--help-all` shows the others too.
EVERYDAY = {
    *("method", "factor", "fit", "size", "kernel", "normalize"),
    *("format", "quality", "lossless", "background", "frame"),
    *("recursive", "name", "skip_existing", "overwrite", "dry_run", "watch", "json"),
    *("output", "threads", "quiet", "verbose", "list_kernels", "version", "_click_default_help", "help", "help_all"),
}
#: The key in a context's `meta` under which `--help-all` notes that all options are wanted.
_ALL = "upscale.help_all"


class GroupedCommand(Command):
    """A command whose help groups the options."""

    groups = GROUPS

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under the titles of their groups: the everyday ones, or all."""
        parameters = {p.name: p for p in self.get_params(ctx)}
        for title, names in self.groups.items():
            shown = [name for name in names if name in parameters and (_ALL in ctx.meta or name in EVERYDAY)]
            found = (parameters[name].get_help_record(ctx) for name in shown)
            if records := [record for record in found if record is not None]:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples; without `--help-all`, say that there are more options."""
        if _ALL not in ctx.meta:
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text("upscale --help-all lists all options: padding, borders, compression, limits and more.")
        super().format_epilog(ctx, formatter)


def show_all_options(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    """Print the help with all options, and end the command."""
    if wanted and not ctx.resilient_parsing:
        ctx.meta[_ALL] = True
        click.echo(ctx.get_help(), color=ctx.color)
        ctx.exit()

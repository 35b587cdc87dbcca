"""The options of the command `upscale`, their groups in its help, and checks of them that need no file."""

from collections.abc import Callable
from typing import Any

import click

from upscale import __version__
from upscale.choices import COMPRESSIONS, DEPTHS, EDGES, ENGINES, LAYOUTS, METHODS, MOST_OUTPUT_PIXELS, MOST_PIXELS
from upscale.commands import completion, option_types
from upscale.commands.option_types import Parsed
from upscale.kernels import kernel_spec
from upscale.pictures import formats

#: The options by what they are for, in the order of the help.
GROUPS = {
    "Enlargement": ("method", "factor"),
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
        "fail_fast",
        "json",
        "scheduler",
    ),
    "Running": (
        "output",
        "engine",
        "threads",
        "max_memory",
        "max_pixels",
        "max_output_pixels",
        "quiet",
        "verbose",
        "list_kernels",
        "precompile",
        "version",
        "_click_default_help",
        "help",
    ),
}


class GroupedCommand(click.Command):
    """A command whose help groups the options."""

    groups = GROUPS

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under the titles of their groups."""
        parameters = {p.name: p for p in self.get_params(ctx)}
        for title, names in self.groups.items():
            with formatter.section(title):
                found = (parameters[name].get_help_record(ctx) for name in names if name in parameters)
                formatter.write_dl([record for record in found if record is not None])


def _precompile(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    """Compile all loops, print how many there are and where, and end the command."""
    if not wanted or ctx.resilient_parsing:
        return
    from upscale.operators.precompile import precompile

    done = precompile()
    click.echo(f"{done.loaded + done.compiled} loops are ready in {done.folder}, {done.compiled} of them compiled now")
    ctx.exit()


#: The argument and options of `upscale`, in the order in which click parses them.
_OPTIONS = (
    click.argument("paths", nargs=-1, metavar="[INPUT... OUTPUT]", shell_complete=completion.files),
    click.option(
        "-o", "--output", metavar="OUTPUT", shell_complete=completion.files, help="Where to write; all paths are inputs then."
    ),
    click.option(
        "-m",
        "--method",
        type=click.Choice(METHODS),
        default="nn",
        show_default=True,
        help="nn: nearest-neighbour unpooling, every value duplicated. tconv: transposed convolution, a sum of copies "
        "of a kernel.",
    ),
    click.option(
        "-f",
        "--factor",
        type=Parsed("factor", option_types.factor),
        metavar="N|WxH",
        help="How many times larger; 3x2 is 3 times wider and 2 times higher. The stride of tconv.  [default: the "
        "kernel's own, or 2]",
    ),
    click.option(
        "-k",
        "--kernel",
        type=Parsed("kernel", kernel_spec.parse_kernel),
        metavar="KERNEL",
        shell_complete=completion.kernels,
        help=f"The weights: {kernel_spec.ACCEPTED}. FILE:NAME picks one of several tensors.",
    ),
    click.option(
        "--normalize/--no-normalize",
        default=None,
        help="Divide the weights by what reaches each place: brightness is kept, and there is no checkerboard.  "
        "[default: presets are normalised, your own kernels are not]",
    ),
    click.option(
        "--padding",
        type=Parsed("padding", option_types.padding),
        metavar="same|N|N,N|T,B,L,R",
        shell_complete=completion.offer(["same"]),
        help="What is cut off the operator's whole output. same: the output is exactly factor times the input. "
        "0: nothing.  [default: the kernel's own, or same]",
    ),
    click.option(
        "--output-padding",
        type=Parsed("pair", option_types.pair(0)),
        default="0",
        show_default=True,
        metavar="N|N,N",
        help="How much longer the whole output is, at the end.",
    ),
    click.option(
        "--dilation",
        type=Parsed("pair", option_types.pair(1)),
        default="1",
        show_default=True,
        metavar="N|N,N",
        help="Distance between the kernel's weights.",
    ),
    click.option(
        "--groups",
        type=click.IntRange(min=1),
        metavar="N",
        help="Groups of channels of a kernel that mixes channels.  [default: the kernel's own, or 1]",
    ),
    click.option(
        "--bias",
        type=Parsed("bias", option_types.bias),
        metavar="NUMBERS|FILE",
        shell_complete=completion.files,
        help="Added to each output channel; 1 is full scale for pictures of 8 and 16 bits.",
    ),
    click.option(
        "--edge",
        type=click.Choice(EDGES),
        default="zero",
        show_default=True,
        help="What lies beyond the border; wrap keeps seamless tiles seamless.",
    ),
    click.option("--linear", is_flag=True, help="Filter in linear light: by the file's own curve, else sRGB's."),
    click.option(
        "--format",
        type=Parsed("format", option_types.format),
        metavar="FORMAT",
        shell_complete=completion.offer(s[1:] for s in formats.FORMATS),
        help="Format of an output without a suffix, or of all outputs in a folder: "
        f"{' '.join(s[1:] for s in formats.FORMATS)}. Standard output keeps the input's.",
    ),
    click.option(
        "--background",
        type=Parsed("colour", option_types.colour),
        metavar="COLOUR",
        shell_complete=completion.offer(option_types.COLOURS),
        help="Lay a transparent picture on this colour: #rrggbb or a simple name.",
    ),
    click.option(
        "--depth",
        type=click.Choice(DEPTHS),
        callback=lambda ctx, param, value: value and int(value),
        help="Round samples to 8 bits, for formats that hold no more; or widen them to 16 before they mix.",
    ),
    click.option("--to-rgb", is_flag=True, help="Convert CMYK, Lab and other colour spaces by the embedded profile."),
    click.option(
        "--quality",
        type=click.IntRange(0, 100),
        metavar="0-100",
        help="Of JPEG, WebP and AVIF.  [default: JPEG 92, AVIF 90, WebP lossless]",
    ),
    click.option("--lossless", is_flag=True, help="Write WebP and AVIF without loss."),
    click.option(
        "--compression",
        type=click.Choice(COMPRESSIONS),
        default="balanced",
        show_default=True,
        help="Of PNG and TIFF: the soonest, near the smallest at nearly that speed, or the smallest.",
    ),
    click.option("--strip", is_flag=True, help="Leave out all metadata but what colours need."),
    click.option(
        "--frame", type=click.IntRange(min=0), metavar="N", help="Take one frame of an animation, or one page, from 0."
    ),
    click.option(
        "--layout",
        type=click.Choice(LAYOUTS),
        default="hwc",
        show_default=True,
        help="Of .npy arrays: chw is (C, H, W) or (N, C, H, W).",
    ),
    click.option(
        "--engine",
        type=click.Choice(ENGINES),
        default="auto",
        show_default=True,
        help="What computes: Numba's compiled loops, or NumPy for small pictures. The results are equal (of 32-bit "
        "floats, the last bit may differ).",
    ),
    click.option(
        "-j",
        "--threads",
        type=click.IntRange(min=1),
        metavar="N",
        help="How many threads work at once.  [default: one for each core]",
    ),
    click.option(
        "--max-memory",
        type=Parsed("memory", option_types.memory),
        metavar="SIZE",
        help="What the pictures under way may take together, such as 8G.  [default: 70 % of what is free]",
    ),
    click.option(
        "--max-pixels",
        type=click.IntRange(min=1),
        default=MOST_PIXELS,
        show_default=True,
        metavar="N",
        help="Refuse inputs of more pixels, which may be an attack.",
    ),
    click.option(
        "--max-output-pixels",
        type=click.IntRange(min=1),
        default=MOST_OUTPUT_PIXELS,
        show_default=True,
        metavar="N",
        help="Refuse outputs of more pixels.",
    ),
    click.option("-r", "--recursive", is_flag=True, help="Take the folders in INPUT folders too."),
    click.option(
        "--files-from",
        metavar="FILE|-",
        shell_complete=completion.files,
        help="Read more inputs from a file or standard input, one a line.",
    ),
    click.option("-0", "null", is_flag=True, help="The names of --files-from are separated by NUL, as find -print0 does."),
    click.option(
        "--name",
        metavar="TEMPLATE",
        help='Name outputs in a folder, such as "{stem}@{factor}x{suffix}"; also {method} and {kernel}.',
    ),
    click.option("--parents", is_flag=True, help="Keep the folders by which inputs are named under OUTPUT."),
    click.option("--skip-existing", is_flag=True, help="Leave outputs that are there and have the right size."),
    click.option("--update", is_flag=True, help="Leave outputs that are there and not older than their inputs."),
    click.option("--no-overwrite", is_flag=True, help="Fail where an output is there already."),
    click.option(
        "--overwrite",
        is_flag=True,
        help="Replace files in folders of inputs that have an output's name and may be made by hand.",
    ),
    click.option("-n", "--dry-run", is_flag=True, help="Only say what would be done, with sizes and memory."),
    click.option("--fail-fast", is_flag=True, help="Begin nothing more once something has failed."),
    click.option(
        "--scheduler", metavar="ADDRESS", help="Work on a Dask cluster that shares the files, such as tcp://HOST:8786."
    ),
    click.option("--json", is_flag=True, help="Say on standard output what became of each file, as JSON, one a line."),
    click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors."),
    click.option("-v", "--verbose", is_flag=True, help="Say sizes, method, engine and seconds by stage."),
    click.option("--list-kernels", is_flag=True, help="List presets and shipped kernels with what each is good and bad at."),
    click.option(
        "--precompile",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_precompile,
        help="Compile all loops now, into the cache that later runs load them from, and exit: for images of containers.",
    ),
    click.version_option(__version__, prog_name="upscale", message="%(prog)s %(version)s"),
)


def enlarge_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a function with the argument and options of `upscale`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def check_options(values: dict[str, Any], given: set[str]) -> None:
    """Check that options do not contradict each other.

    Parameters
    ----------
    values : dict
        All options by name.
    given : set of str
        The names of those that stand on the command line.

    Raises
    ------
    click.UsageError
        Where two of them cannot be combined.
    """
    if values["method"] == "nn":
        for name in GROUPS["Transposed convolution"]:
            if name in given:
                raise click.UsageError(f"--{name.replace('_', '-')} goes with --method tconv, not with nn")
    elif values["kernel"] is None:
        raise click.UsageError(f"--method tconv needs --kernel: {kernel_spec.ACCEPTED}")
    for one, other in (
        ("lossless", "quality"),
        ("quiet", "verbose"),
        ("no_overwrite", "skip_existing"),
        ("no_overwrite", "update"),
        ("no_overwrite", "overwrite"),
    ):
        if one in given and other in given:
            raise click.UsageError(f"--{one.replace('_', '-')} and --{other.replace('_', '-')} exclude each other")

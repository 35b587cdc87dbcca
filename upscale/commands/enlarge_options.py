"""The options of the command `upscale`, their groups in its help, and checks of them that need no file."""

from collections.abc import Callable
from typing import Any

import click

from upscale import __version__
from upscale.choices import (
    COLOURS,
    COMPRESSIONS,
    DEPTHS,
    EDGES,
    ENGINES,
    LAYOUTS,
    MOST_FACTOR,
    MOST_OUTPUT_PIXELS,
    MOST_PIXELS,
    parse_colour,
)
from upscale.commands import completion, option_types
from upscale.commands.option_types import Method, OneOf, Parsed, WholeNumber
from upscale.commands.parsing import Command, Option
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
        "max_factor",
        "quiet",
        "verbose",
        "list_kernels",
        "precompile",
        "version",
        "_click_default_help",
        "help",
    ),
}


class GroupedCommand(Command):
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
        "-o",
        "--output",
        metavar="OUTPUT",
        shell_complete=completion.files,
        help="Output path; all positional paths are then inputs.",
    ),
    click.option(
        "-m",
        "--method",
        type=Method(),
        default="nn",
        help="nn: nearest-neighbour unpooling, every value duplicated. tconv: transposed convolution, a sum of copies "
        "of a kernel.  [default: nn, or tconv with --kernel]",
    ),
    click.option(
        "-f",
        "--factor",
        cls=Option,
        aliases=("--scale", "--zoom", "--ratio", "--stride", "-x"),
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
        cls=Option,
        aliases=("--normalise", "--no-normalise"),
        default=None,
        help="Make the weights reaching each output pixel sum to 1: brightness is kept, and there is no checkerboard.  "
        "[default: presets are normalised, your own kernels are not]",
    ),
    click.option(
        "--padding",
        type=Parsed("padding", option_types.padding),
        metavar="same|N|N,N|T,B,L,R",
        shell_complete=completion.offer(["same"]),
        help="Crop the full output, as PyTorch's padding does. same: the output is exactly factor times the input. "
        "0: nothing is cropped.  [default: the kernel's own, or same]",
    ),
    click.option(
        "--output-padding",
        type=Parsed("pair", option_types.pair(0)),
        default="0",
        show_default=True,
        metavar="N|N,N",
        help="Extra rows and columns at the bottom and right, as in PyTorch.",
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
        type=WholeNumber(1),
        metavar="N",
        help="Number of channel groups, as in PyTorch, for a kernel that mixes channels.  [default: the kernel's own, or 1]",
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
        type=OneOf(EDGES),
        default="zero",
        show_default=True,
        help="What lies beyond the border; wrap keeps seamless tiles seamless.",
    ),
    click.option("--linear", is_flag=True, help="Filter in linear light, using the file's transfer curve, otherwise sRGB's."),
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
        type=Parsed("colour", parse_colour),
        metavar="COLOUR",
        shell_complete=completion.offer(COLOURS),
        help="Flatten transparency onto this colour: #rrggbb or a simple name.",
    ),
    click.option(
        "--depth",
        type=OneOf(DEPTHS),
        callback=lambda ctx, param, value: value and int(value),
        help="Round samples to 8 bits, for formats that support no more; or convert them to 16 bits before filtering.",
    ),
    click.option("--to-rgb", is_flag=True, help="Convert CMYK, Lab and other colour spaces by the embedded profile."),
    click.option(
        "--quality",
        type=WholeNumber(0, 100),
        metavar="0-100",
        help="Of JPEG, WebP and AVIF.  [default: JPEG 92, AVIF 90, WebP lossless]",
    ),
    click.option("--lossless", is_flag=True, help="Write WebP and AVIF without loss."),
    click.option(
        "--compression",
        type=OneOf(COMPRESSIONS),
        default="balanced",
        show_default=True,
        help="PNG and TIFF: fastest, balanced, or smallest file (slow).",
    ),
    click.option("--strip", is_flag=True, help="Drop all metadata except colour information."),
    click.option(
        "--frame",
        type=WholeNumber(0, hint="0 is the first"),
        metavar="N",
        help="Take one frame of an animation, or one page, from 0.",
    ),
    click.option(
        "--layout",
        type=OneOf(LAYOUTS),
        default="hwc",
        show_default=True,
        help="Of .npy arrays: chw is (C, H, W) or (N, C, H, W).",
    ),
    click.option(
        "--engine",
        type=OneOf(ENGINES),
        default="auto",
        show_default=True,
        help="What computes: Numba's compiled loops, or NumPy for small pictures. The results are equal (of 32-bit "
        "floats, the last bit may differ).",
    ),
    click.option(
        "-j",
        "--threads",
        type=WholeNumber(1, hint="without the option, one thread for each core works"),
        metavar="N",
        help="How many threads work at once.  [default: one for each core]",
    ),
    click.option(
        "--max-memory",
        type=Parsed("memory", option_types.memory),
        metavar="SIZE",
        help="Memory limit for all images in progress, such as 8G.  [default: 70 % of what is free]",
    ),
    click.option(
        "--max-pixels",
        type=WholeNumber(1),
        default=MOST_PIXELS,
        show_default=True,
        metavar="N",
        help="Refuse inputs of more pixels, possible decompression bombs.",
    ),
    click.option(
        "--max-output-pixels",
        type=WholeNumber(1),
        default=MOST_OUTPUT_PIXELS,
        show_default=True,
        metavar="N",
        help="Refuse outputs of more pixels.",
    ),
    click.option(
        "--max-factor",
        type=WholeNumber(1),
        default=MOST_FACTOR,
        show_default=True,
        metavar="N",
        help="Refuse larger factors, which are mostly sizes or percentages.",
    ),
    click.option("-r", "--recursive", is_flag=True, help="Include subfolders."),
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
        help='Name outputs in a folder, such as "{stem}@{factor}x{suffix}"; also {method}, {kernel} and {ext} of INPUT.',
    ),
    click.option("--parents", is_flag=True, help="Recreate each input's folder path under OUTPUT."),
    click.option(
        "--skip-existing", is_flag=True, help="Skip files whose output exists at the expected size and with the same settings."
    ),
    click.option("--update", is_flag=True, help="Skip files whose output exists and is not older than the input."),
    click.option("--no-overwrite", is_flag=True, help="Fail where an output exists already."),
    click.option("--overwrite", is_flag=True, help="Replace outputs that upscale did not make, too."),
    click.option("-n", "--dry-run", is_flag=True, help="Only print what would be done, with sizes and memory."),
    click.option("--fail-fast", is_flag=True, help="Stop after the first failure."),
    click.option(
        "--scheduler",
        type=Parsed("address", option_types.address),
        metavar="ADDRESS",
        help="Work on a Dask cluster that shares the files, such as tcp://HOST:8786.",
    ),
    click.option("--json", is_flag=True, help="Print one JSON object per file (JSON Lines)."),
    click.option("-q", "--quiet", is_flag=True, help="Print errors only."),
    click.option("-v", "--verbose", is_flag=True, help="Print sizes, method, engine and seconds by stage."),
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
    """Check that options do not contradict each other; a kernel alone makes the method tconv.

    Parameters
    ----------
    values : dict
        All options by name; the method may change.
    given : set of str
        The names of those that stand on the command line.

    Raises
    ------
    click.UsageError
        Where two of them cannot be combined.
    """
    if values["kernel"] is not None and "method" not in given:
        values["method"] = "tconv"
    if values["method"] == "nn":
        if values["kernel"] is not None:
            raise click.UsageError("--method nn takes no --kernel; leave one of the two out")
        for name in GROUPS["Transposed convolution"]:
            if name in given:
                raise click.UsageError(f"--{name.replace('_', '-')} needs a kernel, such as --kernel bicubic; nn has none")
    elif values["kernel"] is None:
        raise click.UsageError(
            "--method tconv needs a kernel: a preset such as --kernel bicubic (--list-kernels lists them), "
            f'a file ({", ".join("*" + suffix for suffix in kernel_spec.SUFFIXES)}), or numbers such as --kernel "1,2,1"'
        )
    for one, other in (
        ("lossless", "quality"),
        ("quiet", "verbose"),
        ("no_overwrite", "skip_existing"),
        ("no_overwrite", "update"),
        ("no_overwrite", "overwrite"),
    ):
        if one in given and other in given:
            raise click.UsageError(f"--{one.replace('_', '-')} and --{other.replace('_', '-')} cannot be combined")

"""The options of the command `upscale`, and checks of them that need no file."""

from collections.abc import Callable
from typing import Any

import click

from upscale import __version__, target_size, tile_grid
from upscale.choices import (
    CHROMAS,
    CODECS,
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
from upscale.commands.enlarge_help import GROUPS, show_all_options
from upscale.commands.option_types import Method, OneOf, Parsed, WholeNumber
from upscale.commands.parsing import Option
from upscale.kernels import kernel_spec
from upscale.pictures import formats


def _precompile(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    """Compile all loops, print how many there are and where, and end the command."""
    if not wanted or ctx.resilient_parsing:
        return
    from upscale.operators.precompile import precompile

    done = precompile()
    click.echo(f"{done.loaded + done.compiled} loops are ready in {done.folder}, {done.compiled} of them newly compiled")
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
        help="nn: nearest-neighbour unpooling, which duplicates every value. tconv: transposed convolution, a sum of "
        "weighted copies of a kernel.  [default: nn, or tconv with --kernel]",
    ),
    click.option(
        "-f",
        "--factor",
        cls=Option,
        aliases=("--scale", "--zoom", "--ratio", "--stride", "-x"),
        type=Parsed("factor", option_types.factor),
        metavar="N|WxH",
        help="How many times larger: 4, or 3x2 for 3 times as wide and twice as high. For tconv, the stride.  "
        "[default: the kernel's own, or 2]",
    ),
    click.option(
        "--fit",
        type=Parsed("fit", target_size.parse_fit),
        metavar="WxH|Wx|xH",
        help="Instead of a factor: enlarge each picture by the largest whole factor whose result fits into this size.",
    ),
    click.option(
        "--size",
        cls=Option,
        aliases=("--resize",),
        type=Parsed("size", target_size.parse_size),
        metavar="WxH|Wx|xH|N%",
        help="Instead of a factor: make exactly this size, by enlarging by the next larger whole factor and then reducing. "
        "Wx, xH and N% keep the aspect ratio. nn makes whole multiples only.",
    ),
    click.option(
        "--megapixels",
        type=Parsed("megapixels", target_size.parse_megapixels),
        metavar="N",
        help="Instead of a factor: make N million pixels, as --size does.",
    ),
    click.option(
        "-k",
        "--kernel",
        type=Parsed("kernel", kernel_spec.parse_kernel),
        metavar="KERNEL",
        shell_complete=completion.kernels,
        help=f"The kernel: {kernel_spec.ACCEPTED}. FILE:NAME picks one of several tensors.",
    ),
    click.option(
        "--normalize/--no-normalize",
        cls=Option,
        aliases=("--normalise", "--no-normalise"),
        default=None,
        help="Make the weights reaching each output pixel sum to 1, which keeps brightness and avoids checkerboards.  "
        "[default: the kernel's own setting, which is on for learned kernels and for presets except zero]",
    ),
    click.option(
        "--padding",
        type=Parsed("padding", option_types.padding),
        metavar="same|N|N,N|T,B,L,R",
        shell_complete=completion.offer(["same"]),
        help="Rows and columns to crop at each side, as in PyTorch: N, or vertical,horizontal. same: to exactly factor times "
        "the input. 0: none.  "
        "[default: the kernel's own, or same]",
    ),
    click.option(
        "--output-padding",
        type=Parsed("pair", option_types.pair(0)),
        default="0",
        show_default=True,
        metavar="N|N,N",
        help="Add rows and columns at the bottom and right, as in PyTorch.",
    ),
    click.option(
        "--dilation",
        type=Parsed("pair", option_types.pair(1)),
        default="1",
        show_default=True,
        metavar="N|N,N",
        help="Distance between the kernel's weights, as in PyTorch.",
    ),
    click.option(
        "--groups",
        type=WholeNumber(1),
        metavar="N",
        help="Number of channel groups, as in PyTorch, for kernels of 4 dimensions.  [default: the kernel's own, or 1]",
    ),
    click.option(
        "--bias",
        type=Parsed("bias", option_types.bias),
        metavar="NUMBERS|FILE",
        shell_complete=completion.files,
        help="Numbers to add to the output channels; 1 is full scale for pictures of 8 and 16 bits. FILE may be FILE:NAME.",
    ),
    click.option(
        "--edge",
        type=OneOf(EDGES),
        default="zero",
        show_default=True,
        help="What lies beyond the input's border: zeros, its outermost pixels, its mirror image, or the input again.",
    ),
    click.option(
        "--tile",
        type=Parsed("tile", tile_grid.parse_tiles),
        metavar="WxH[+N[+M]]",
        help="Enlarge each tile of a sprite sheet on its own, so that neighbours do not bleed into it: WxH pixels, N between "
        "tiles, M around all. Makes --edge replicate the default.",
    ),
    click.option("--linear", is_flag=True, help="Filter in linear light, by the file's transfer curve or else sRGB's."),
    click.option(
        "--format",
        type=Parsed("format", option_types.format),
        metavar="FORMAT",
        shell_complete=completion.offer(s[1:] for s in formats.FORMATS),
        help="Output format, for a folder, stdout or an OUTPUT without suffix: "
        f"{' '.join(s[1:] for s in formats.FORMATS)}.  [default: the input's]",
    ),
    click.option(
        "--background",
        type=Parsed("colour", parse_colour),
        metavar="COLOUR",
        shell_complete=completion.offer(COLOURS),
        help="Flatten transparency onto this colour: #rrggbb, or a name such as white.",
    ),
    click.option(
        "--depth",
        type=OneOf(DEPTHS),
        callback=lambda ctx, param, value: value and int(value),
        help="8: round samples to 8 bits. 16: convert them to 16 bits before filtering.",
    ),
    click.option(
        "--to-rgb", is_flag=True, help="Convert CMYK, Lab and others to RGB, by the embedded profile or else a plain formula."
    ),
    click.option(
        "--quality",
        type=WholeNumber(0, 100),
        metavar="0-100",
        help="Quality of JPEG, AVIF, and lossy WebP and JPEG XL.  [default: JPEG 92, AVIF 90, WebP and JPEG XL lossless]",
    ),
    click.option("--lossless", is_flag=True, help="Write AVIF lossless, as WebP and JPEG XL are by default; videos, too."),
    click.option(
        "--compression",
        type=OneOf(COMPRESSIONS),
        default="balanced",
        show_default=True,
        help="Compression effort for PNG and compressed TIFF; small is slow.",
    ),
    click.option("--strip", is_flag=True, help="Drop the mark of upscale, and all metadata except colour information."),
    click.option(
        "--frame",
        type=WholeNumber(0, hint="0 is the first"),
        metavar="N",
        help="Use only this frame or page, counted from 0.",
    ),
    click.option(
        "--layout",
        type=OneOf(LAYOUTS),
        default="hwc",
        show_default=True,
        help="Axes of .npy arrays; chw is (C, H, W) or (N, C, H, W).",
    ),
    click.option(
        "--chroma",
        type=OneOf(CHROMAS),
        default="same",
        show_default=True,
        help="Chroma of videos: 444 makes it as large as luma, instead of keeping it subsampled.",
    ),
    click.option(
        "--codec",
        type=OneOf(CODECS),
        help="Codec of videos such as .mp4 and .mkv.  [default: h264; in .webm vp9]",
    ),
    click.option(
        "--crf",
        type=WholeNumber(0, 63),
        metavar="N",
        help="Quality of videos, in the scale of the codec, where less is better.  [default: h264 16, h265 18, vp9 20, av1 22]",
    ),
    click.option(
        "--engine",
        type=OneOf(ENGINES),
        default="auto",
        show_default=True,
        help="Compute with Numba or NumPy; auto takes NumPy for small pictures. Results are the same (up to the last "
        "bit of 32-bit floats).",
    ),
    click.option(
        "-j",
        "--threads",
        type=WholeNumber(1, hint="the default is one per core"),
        metavar="N",
        help="Number of threads; for many files, of processes.  [default: one per core]",
    ),
    click.option(
        "--max-memory",
        type=Parsed("memory", option_types.memory),
        metavar="SIZE",
        help="Memory limit for all pictures in progress, such as 8G or 8GiB.  [default: 70 % of free memory]",
    ),
    click.option(
        "--reject-truncated",
        is_flag=True,
        help="Refuse JPEG, PNG and GIF files that end too early, even where viewers show them.",
    ),
    click.option(
        "--max-pixels",
        type=WholeNumber(1),
        default=MOST_PIXELS,
        show_default=True,
        metavar="N",
        help="Refuse inputs with more pixels, which may be decompression bombs.",
    ),
    click.option(
        "--max-output-pixels",
        type=WholeNumber(1),
        default=MOST_OUTPUT_PIXELS,
        show_default=True,
        metavar="N",
        help="Refuse outputs with more pixels.",
    ),
    click.option(
        "--max-factor",
        type=WholeNumber(1),
        default=MOST_FACTOR,
        show_default=True,
        metavar="N",
        help="Refuse larger factors: usually a size or percentage, typed by mistake.",
    ),
    click.option("-r", "--recursive", is_flag=True, help="Include subfolders, and keep them in OUTPUT."),
    click.option(
        "--files-from",
        metavar="FILE|-",
        shell_complete=completion.files,
        help="Read more input paths from a file or stdin, one per line.",
    ),
    click.option("-0", "null", is_flag=True, help="Paths in --files-from are NUL-separated, as from find -print0."),
    click.option(
        "--name",
        metavar="TEMPLATE",
        help='Names of outputs in a folder, such as "{stem}@{factor}x{suffix}"; also {method}, {kernel} and {ext}, the suffix '
        "of the input without its dot.",
    ),
    click.option("--parents", is_flag=True, help="Keep the folders of named files: a/b.png becomes OUTPUT/a/b.png."),
    click.option(
        "--skip-existing",
        is_flag=True,
        help="Skip files whose output exists, has the right size and was made with the same settings.",
    ),
    click.option("--update", is_flag=True, help="Skip files whose output is not older than the input."),
    click.option("--no-overwrite", is_flag=True, help="Keep existing outputs, and report their inputs as failed."),
    click.option("--overwrite", is_flag=True, help="In a folder, also replace files that upscale did not make."),
    click.option("-n", "--dry-run", is_flag=True, help="Print what would be done, with sizes and memory."),
    click.option(
        "--watch",
        is_flag=True,
        help="Keep running: also enlarge pictures that come to the folders or change, until Ctrl-C.",
    ),
    click.option("--fail-fast", is_flag=True, help="Start no more files after the first failure."),
    click.option(
        "--scheduler",
        type=Parsed("address", option_types.address),
        metavar="ADDRESS",
        help="Run on the Dask cluster at ADDRESS, such as tcp://HOST:8786. It must see the same files.",
    ),
    click.option("--json", is_flag=True, help="Print one JSON object per file (JSON Lines)."),
    click.option("-q", "--quiet", is_flag=True, help="Print errors only, and no notes or progress."),
    click.option("-v", "--verbose", is_flag=True, help="Print sizes, method, engine and timings."),
    click.option("--list-kernels", is_flag=True, help="List all kernels, with what each is good and bad at."),
    click.option(
        "--precompile",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_precompile,
        help="Compile all loops with Numba into the cache and exit, for container images.",
    ),
    click.version_option(__version__, prog_name="upscale", message="%(prog)s %(version)s"),
    click.option(
        "--help-all",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=show_all_options,
        help="Show all options and exit.",
    ),
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
            raise click.UsageError("--method nn and --kernel cannot be combined; drop one of them")
        for name in GROUPS["Transposed convolution"]:
            if name in given:
                raise click.UsageError(f"--{name.replace('_', '-')} needs a kernel, such as --kernel bicubic; nn has no kernel")
    elif values["kernel"] is None:
        raise click.UsageError(
            "--method tconv needs a kernel: a preset such as --kernel bicubic (--list-kernels lists them), "
            f'a file ({", ".join("*" + suffix for suffix in kernel_spec.SUFFIXES)}), or numbers such as --kernel "1,2,1"'
        )
    if values["tile"] is not None and values["edge"] == "zero":
        if "edge" in given:
            raise click.UsageError("--tile and --edge zero cannot be combined: zeros would be seen at the edges of all tiles")
        values["edge"] = "replicate"
    sizes = [name for name in ("factor", "fit", "size", "megapixels") if name in given]
    if len(sizes) > 1:
        raise click.UsageError(f"--{sizes[0]} and --{sizes[1]} cannot be combined; drop one of them")
    for one, other in (
        ("lossless", "quality"),
        ("quiet", "verbose"),
        ("no_overwrite", "skip_existing"),
        ("no_overwrite", "update"),
        ("no_overwrite", "overwrite"),
        ("watch", "dry_run"),
        ("watch", "fail_fast"),
        ("watch", "files_from"),
        ("watch", "scheduler"),
    ):
        if one in given and other in given:
            raise click.UsageError(f"--{one.replace('_', '-')} and --{other.replace('_', '-')} cannot be combined")

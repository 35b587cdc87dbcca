"""The command `upscale`: options, words on the screen, exit status.

NumPy, Pillow and Numba are imported only when there is work: help, version and wrong options are answered at once.
"""

import os.path
import signal
import sys
from types import FrameType
from typing import Any, NoReturn

import click

from upscale import __version__, formats, kernel_source, option_types, presets
from upscale.choices import COMPRESSIONS, DEPTHS, EDGES, ENGINES, LAYOUTS, METHODS
from upscale.errors import ArgumentError, UpscaleError
from upscale.files import DASH, is_regular, same_file
from upscale.option_types import Parsed

#: The options by what they are for, in the order of the help.
_GROUPS = {
    "Enlarging": ("method", "factor"),
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
    "Running": ("list_kernels", "engine", "quiet", "verbose", "version", "_click_default_help", "help"),
}

_EXAMPLES = """\b
Examples:
  upscale sample_images/potion.png large.png --factor 8
  upscale sample_images/lake.png large.jpg --method tconv --kernel bicubic
  upscale sample_images/lake.png soft.png -m tconv -k "1,3,3,1; 3,9,9,3; 3,9,9,3; 1,3,3,1"
  upscale --factor 3x2 < sample_images/lake.png > wide.png
  for f in sample_images/*.png; do upscale "$f" "large_${f##*/}" --factor 4; done
"""


class _Command(click.Command):
    """A command whose help groups the options."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in _GROUPS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [r for p in self.get_params(ctx) if p.name in names and (r := p.get_help_record(ctx)) is not None]
                )


@click.command(
    cls=_Command, epilog=_EXAMPLES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.argument("paths", nargs=-1, metavar="[INPUT OUTPUT]")  # fmt: skip
@click.option("-m", "--method", type=click.Choice(METHODS), default="nn", show_default=True,
              help="nn: nearest-neighbour unpooling, every value duplicated. tconv: transposed convolution, a sum of copies "
              "of a kernel.")  # fmt: skip
@click.option("-f", "--factor", type=Parsed("factor", option_types.factor), metavar="N|WxH",
              help="How many times larger; 3x2 is 3 times wider and 2 times higher. The stride of tconv.  [default: the "
              "kernel's own, or 2]")  # fmt: skip
@click.option("-k", "--kernel", type=Parsed("kernel", kernel_source.identify), metavar="KERNEL",
              help=f"{kernel_source.ACCEPTED}. FILE:NAME picks one of several tensors.")  # fmt: skip
@click.option("--normalize/--no-normalize", default=None,
              help="Divide the weights by what reaches each place: brightness is kept, and there is no checkerboard.  "
              "[default: presets are normalised, your own kernels are not]")  # fmt: skip
@click.option("--padding", type=Parsed("padding", option_types.padding), metavar="same|N|N,N|T,B,L,R",
              help="What is cut off the operator's whole output. same: the output is exactly factor times the input. "
              "0: nothing.  [default: the kernel's own, or same]")  # fmt: skip
@click.option("--output-padding", type=Parsed("pair", option_types.pair(0)), default="0", show_default=True, metavar="N|N,N",
              help="How much longer the whole output is, at the end.")  # fmt: skip
@click.option("--dilation", type=Parsed("pair", option_types.pair(1)), default="1", show_default=True, metavar="N|N,N",
              help="Distance between the kernel's weights.")  # fmt: skip
@click.option("--groups", type=click.IntRange(min=1), metavar="N",
              help="Groups of channels of a kernel that mixes channels.  [default: the kernel's own, or 1]")  # fmt: skip
@click.option("--bias", type=Parsed("bias", option_types.bias), metavar="NUMBERS|FILE",
              help="Added to each output channel; 1 is full scale for pictures of 8 and 16 bits.")  # fmt: skip
@click.option("--edge", type=click.Choice(EDGES), default="zero", show_default=True,
              help="What lies beyond the border; wrap keeps seamless tiles seamless.")  # fmt: skip
@click.option("--linear", is_flag=True, help="Filter in linear light: by the file's own curve, else sRGB's.")
@click.option("--format", type=Parsed("format", option_types.format), metavar="FORMAT",
              help=f"Format of an output without a suffix: {' '.join(s[1:] for s in formats.FORMATS)}. "
              "Standard output keeps the input's.")  # fmt: skip
@click.option("--background", type=Parsed("colour", option_types.colour), metavar="COLOUR",
              help="Lay a transparent picture on this colour: #rrggbb or a simple name.")  # fmt: skip
@click.option("--depth", type=click.Choice(DEPTHS), callback=lambda ctx, param, value: value and int(value),
              help="Round samples to 8 bits, for formats that hold no more; or widen them to 16 before they mix.")  # fmt: skip
@click.option("--to-rgb", is_flag=True, help="Convert CMYK, Lab and other colour spaces by the embedded profile.")
@click.option("--quality", type=click.IntRange(0, 100), metavar="0-100",
              help="Of JPEG, WebP and AVIF.  [default: JPEG 92, AVIF 90, WebP lossless]")  # fmt: skip
@click.option("--lossless", is_flag=True, help="Write WebP and AVIF without loss.")
@click.option("--compression", type=click.Choice(COMPRESSIONS), default="balanced", show_default=True,
              help="Of PNG and TIFF: the soonest, near the smallest at nearly that speed, or the smallest.")  # fmt: skip
@click.option("--strip", is_flag=True, help="Leave out all metadata but what colours need.")
@click.option("--frame", type=click.IntRange(min=0), metavar="N", help="Take one frame of an animation, or one page, from 0.")
@click.option("--layout", type=click.Choice(LAYOUTS), default="hwc", show_default=True,
              help="Of .npy arrays: chw is (C, H, W) or (N, C, H, W).")  # fmt: skip
@click.option("--engine", type=click.Choice(ENGINES), default="auto", show_default=True,
              help="What computes: Numba's compiled loops, or NumPy for small pictures. The results are equal.")  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Say sizes, method, engine and seconds by stage.")  # fmt: skip
@click.option("--list-kernels", is_flag=True, help="List the presets with what each is good and bad at.")
@click.version_option(__version__, prog_name="upscale", message="%(prog)s %(version)s")
@click.pass_context
def command(ctx: click.Context, /, paths: tuple[str, ...], format: str | None, list_kernels: bool, **options: Any) -> None:
    """Make a picture larger by a whole factor: INPUT is enlarged into OUTPUT, whose suffix decides its format.

    A path of - is standard input or output, and so are both when no path is given. Arrays (.npy) of shape (H, W) or
    (H, W, C) may stand for pictures.
    """
    if list_kernels:
        click.echo(presets.table())
        return
    if not paths:
        if sys.stdin is None or sys.stdout is None or sys.stdin.isatty() or sys.stdout.isatty():
            click.echo(ctx.get_help())
            return
        paths = (DASH, DASH)
    given = {n for n in options if ctx.get_parameter_source(n) is click.core.ParameterSource.COMMANDLINE}
    target = _checked(paths, format, options, given)
    from upscale.job import Job, Options

    try:
        Job(paths[0], paths[1], target, Options(**options), lambda line: click.echo(line, err=True)).run()
    except ArgumentError as error:
        raise click.UsageError(str(error)) from error


def _checked(paths: tuple[str, ...], wanted: str | None, options: dict[str, Any], given: set[str]) -> formats.Format | None:
    """Check what can be checked before anything is read; find the output's format, None where it is the input's."""
    if len(paths) == 1:
        stem, suffix = os.path.splitext(paths[0])
        raise click.UsageError(f"OUTPUT is missing: upscale {paths[0]} {os.path.basename(stem)}_large{suffix}")
    if len(paths) > 2:
        raise click.UsageError(f"one INPUT and one OUTPUT, not {len(paths)} paths; enlarge several pictures in a loop")
    source, output = paths
    if options["method"] == "nn":
        for name in _GROUPS["Transposed convolution"]:
            if name in given:
                raise click.UsageError(f"--{name.replace('_', '-')} goes with --method tconv, not with nn")
    elif options["kernel"] is None:
        raise click.UsageError(f"--method tconv needs --kernel: {kernel_source.ACCEPTED}")
    if options["lossless"] and options["quality"] is not None:
        raise click.UsageError("--lossless and --quality exclude each other")
    if options["quiet"] and options["verbose"]:
        raise click.UsageError("--quiet and --verbose exclude each other")
    if source == DASH and sys.stdin is not None and sys.stdin.isatty():
        raise click.UsageError("INPUT is -, but standard input is a terminal")
    if output == DASH and sys.stdout is not None and sys.stdout.isatty():
        raise click.UsageError("OUTPUT is -, but standard output is a terminal")
    if output != DASH and os.path.isdir(output):
        raise click.UsageError(f"OUTPUT {output} is a folder; name a file in it")
    if same_file(source, output):
        raise click.UsageError(f"OUTPUT {output} is the same file as INPUT; an input is never overwritten")
    kernel, bias = options["kernel"], options["bias"]
    files = {"--kernel": kernel.path if kernel else "", "--bias": bias[0] if bias and isinstance(bias[0], str) else ""}
    for name, path in files.items():
        if path and same_file(path, output):
            raise click.UsageError(f"OUTPUT {output} is the same file as {name}; an input is never overwritten")

    suffix = os.path.splitext(output)[1]
    if suffix.lower() in formats.FORMATS and output != DASH:
        found = formats.of_suffix(suffix, output)
        if wanted and formats.FORMATS[wanted] is not found:
            raise click.UsageError(f"--format {wanted[1:]} clashes with the suffix of OUTPUT {output}")
        return found
    if wanted:
        return formats.FORMATS[wanted]
    if output == DASH or not is_regular(output):
        return None
    try:
        return formats.of_suffix(suffix, f"OUTPUT {output}")
    except ArgumentError as error:
        raise click.UsageError(str(error)) from None


class _Terminated(BaseException):
    """A signal that asks to end; not an Exception, so that nothing on its way takes it for an error."""

    def __init__(self, number: int) -> None:
        self.number = number


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise _Terminated(number)


def run(arguments: list[str]) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : list of str
        Without the program's name.

    Returns
    -------
    int
        0 all done, 1 something failed, 2 wrong usage, 130 interrupted, 143 terminated.
    """
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _terminate)
    try:
        command.main(arguments, prog_name="upscale", standalone_mode=False)
        return 0
    except click.UsageError as error:
        return _fail(f"{error.format_message()} (see upscale --help)", 2)
    except UpscaleError as error:
        return _fail(str(error), 1)
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted, nothing was written", 130)
    except _Terminated as signalled:
        return _fail("terminated, nothing was written", 128 + signalled.number)
    except BrokenPipeError:
        # The reader has seen enough. Python would complain once more when it flushes the stream at exit.
        sys.stdout = None
        return 1
    except MemoryError:
        return _fail("there is not enough memory", 1)
    except Exception as error:  # a fault of ours; a traceback would help nobody who only has the command
        return _fail(f"internal error, please report it: {type(error).__name__}: {error}", 1)


def _fail(text: str, status: int) -> int:
    click.echo(f"upscale: {' '.join(text.split())}", err=True)
    return status

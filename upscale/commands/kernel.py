"""The command `upscale-kernel`: inspect, convert and create kernels, and draw what they do step by step."""

import os.path
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from upscale import __version__
from upscale.commands import completion, console, option_types
from upscale.commands.option_types import Parsed, WholeNumber
from upscale.commands.parsing import Group, Option
from upscale.errors import ArgumentError
from upscale.kernels import kernel_spec, number_text
from upscale.kernels.kernel_spec import KernelSpec

if TYPE_CHECKING:
    from upscale.kernels.kernel import Kernel

_EXAMPLES = """\b
Examples:
  upscale-kernel show bicubic
  upscale-kernel show "1,1,1; 1,1,1; 1,1,1" --factor 2 -o kernel.png
  upscale-kernel convert model.pt:up.weight up.npz --bias model.pt:up.bias --factor 2 --padding 1
  upscale-kernel make lanczos3 --factor 4 -o lanczos3.npy
  upscale-kernel explain "2,0; 4,1" --kernel "4,2,1; 1,0,3; 0,5,2" --factor 2 -o steps.gif
"""

_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(
    cls=Group,
    epilog=_EXAMPLES,
    context_settings=_SETTINGS,
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
)
@click.version_option(__version__, prog_name="upscale-kernel", message="%(prog)s %(version)s")
@click.pass_context
def command(ctx: click.Context) -> None:
    """Inspect, convert and create kernels.

    KERNEL is anything that upscale --kernel accepts: a preset, a learned kernel, a file, or rows of numbers.
    """
    if ctx.invoked_subcommand is None:
        console.say(ctx.get_help())


def _channels(text: str) -> tuple[int, int]:
    try:
        return option_types.pair(0)(text if text.count(",") == 1 else "")
    except ArgumentError:
        raise ArgumentError(f"{text!r} is not a pair of channels; give IN,OUT, counted from 0") from None


def _factor(text: str) -> Callable[[Any], Any]:
    return click.option(
        "-f",
        "--factor",
        cls=Option,
        aliases=("--scale", "--stride"),
        type=Parsed("factor", option_types.factor),
        metavar="N|WxH",
        help=text,
    )


def _normalizing(text: str) -> Callable[[Any], Any]:
    aliases = ("--normalise", "--no-normalise")
    return click.option("--normalize/--no-normalize", cls=Option, aliases=aliases, default=None, help=text)


_normalize = _normalizing("Make the weights reaching each output pixel sum to 1.  [default: the kernel's own setting]")


@command.command(context_settings=_SETTINGS)
@click.argument("kernel", type=Parsed("kernel", kernel_spec.parse_kernel), shell_complete=completion.kernels)
@_factor("The stride.  [default: the kernel's own, or 2]")
@_normalize
@click.option(
    "--channels",
    type=Parsed("channels", _channels),
    metavar="IN,OUT",
    help="If the kernel mixes channels: which input and output channel to show, from 0.  [default: 0,0]",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    shell_complete=completion.files,
    help="Draw a .png, .svg or .pdf figure. Needs matplotlib.",
)
def show(
    kernel: KernelSpec,
    factor: tuple[int, int] | None,
    normalize: bool | None,
    channels: tuple[int, int] | None,
    output: str | None,
) -> None:
    """Describe KERNEL, or draw it.

    The text lists sums, the gain of each phase, symmetry, rank, overlap and a verdict. The figure (-o) shows the weights, the
    taps of each phase, the overlap, and the responses to waves, to an edge and to a single value. docs/operators.md explains
    these terms.
    """
    if output is not None:
        from upscale.figures.matplotlib_files import SUFFIXES

        _check_output(output, SUFFIXES, kernel)
    from upscale.figures.kernel_analysis import analyse
    from upscale.figures.kernel_report import report

    name = _name(kernel)
    with console.as_usage_error(f"KERNEL {kernel.label}"):
        read = _read(kernel, factor, normalize)
        if channels is not None and read.channels is None:
            raise ArgumentError("has the same weights for all channels, so --channels does not apply")
        analysis = analyse(read, factor, channels or (0, 0))
        if output is None:
            console.say(report(analysis, " ".join(name.split())))
            return
        from upscale.figures import kernel_figure, matplotlib_files

        with matplotlib_files.drawing():
            matplotlib_files.save(output, kernel_figure.draw(analysis, name))


@command.command(context_settings=_SETTINGS)
@click.argument("source", metavar="IN", type=Parsed("kernel", kernel_spec.parse_kernel), shell_complete=completion.files)
@click.argument("target", metavar="[OUT]", required=False, shell_complete=completion.files)
@click.option("-o", "--output", metavar="OUT", shell_complete=completion.files, help="Same as the argument OUT.")
@_factor("Stride to store in .npz: the factor that the weights were made for.  [default: IN's own]")
@click.option(
    "--padding",
    type=Parsed("padding", option_types.padding),
    metavar="same|N|N,N|T,B,L,R",
    help="Padding to store in .npz.  [default: IN's own]",
)
@click.option("--groups", type=WholeNumber(1), metavar="N", help="Channel groups to store in .npz.  [default: IN's own]")
@click.option(
    "--bias",
    type=Parsed("bias", option_types.bias),
    metavar="NUMBERS|FILE",
    shell_complete=completion.files,
    help="Bias to store, for each output channel; .txt, .csv, .json and .npy cannot store it.",
)
@_normalizing("Store in .npz that the kernel is to be normalised, or not.  [default: IN's own setting]")
def convert(source: KernelSpec, target: str | None, output: str | None, **values: Any) -> None:
    """Convert the kernel IN to the format of OUT's suffix.

    .npz keeps everything; what another format cannot store is reported. FILE:NAME picks a tensor in .safetensors, .pt and .pth
    files, in IN and OUT. To write a preset, use upscale-kernel make.
    """
    if target is not None and output is not None:
        raise click.UsageError(f"OUT is given twice, as {target} and as --output {output}")
    if target is None and output is None:
        raise click.UsageError(f"OUT is missing; for example: upscale-kernel convert {source.text} kernel.npz")
    if source.depends_on_factor:
        raise click.UsageError(
            f"IN {source.text} is not a file; use: upscale-kernel make {source.text} --factor 2 -o {target or output}"
        )
    path, name = _kernel_file(output or target or "", source, values["bias"])
    from upscale.kernels.load import load, with_groups_and_bias
    from upscale.kernels.write_files import write_kernel

    given = {"factor": values["factor"], "padding": values["padding"], "normalized": values["normalize"]}
    with console.as_usage_error(f"IN {source.label}"):
        kernel = with_groups_and_bias(load(source), values["groups"], values["bias"])
        kernel = kernel.replaced(**{key: value for key, value in given.items() if value is not None})
        _check_use(kernel)
    _told(path, write_kernel(path, kernel, name))


@command.command(context_settings=_SETTINGS)
@click.argument("preset", metavar="PRESET", type=Parsed("kernel", kernel_spec.parse_kernel), shell_complete=completion.kernels)
@_factor("The stride.  [default: 2]")
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    shell_complete=completion.files,
    help="Output file; its suffix decides the format.",
)
def make(preset: KernelSpec, factor: tuple[int, int] | None, output: str) -> None:
    """Write a preset or a learned kernel, for one factor, to a file."""
    if not preset.depends_on_factor:
        raise click.UsageError(f"PRESET {preset.label} is a kernel file already; use upscale-kernel convert")
    path, name = _kernel_file(output, preset, None)
    from upscale.kernels.load import load
    from upscale.kernels.write_files import write_kernel

    with console.as_usage_error(f"PRESET {preset.label}"):
        kernel = load(preset, factor)
    _told(path, write_kernel(path, kernel, name))


@command.command(context_settings=_SETTINGS)
@click.argument("input", metavar="INPUT", shell_complete=completion.files)
@click.option(
    "-k",
    "--kernel",
    required=True,
    type=Parsed("kernel", kernel_spec.parse_kernel),
    metavar="KERNEL",
    shell_complete=completion.kernels,
    help="Any kernel of 2 dimensions that upscale --kernel accepts, or a deep one.",
)
@_factor("The stride.  [default: the kernel's own, or 2]")
@click.option(
    "--padding",
    type=Parsed("padding", option_types.padding),
    metavar="same|N|N,N|T,B,L,R",
    help="Crop the full output, as PyTorch's padding does; cropped cells are drawn pale.  [default: the kernel's own, or same]",
)
@_normalize
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="FILE",
    shell_complete=completion.files,
    help="A .png, .svg or .pdf sheet, or a .gif animation. Needs matplotlib.",
)
def explain(
    input: str, kernel: KernelSpec, factor: tuple[int, int] | None, padding: Any, normalize: bool | None, output: str
) -> None:
    """Draw the transposed convolution of a small array step by step.

    Each step shows one input value, its weighted copy of the kernel, and the sum so far. INPUT is a .npy file, or numbers such
    as "2,0; 4,1". For a deep kernel, the drawing shows what each layer makes instead, and INPUT may also be a picture of up to
    160x160 pixels.
    """
    from upscale.figures.matplotlib_files import SUFFIXES

    _check_output(output, (*SUFFIXES, ".gif"), kernel, input)
    with console.as_usage_error(f"KERNEL {kernel.label}"):
        read = _read(kernel, factor, normalize)
    if read.layers is not None:
        _explain_layers(input, read, _name(kernel), output)
        return
    values: Any = None if input.lower().endswith(".npy") else _typed(input)
    import numpy as np

    from upscale.figures import matplotlib_files
    from upscale.figures.operator_steps import check_kernel, compute_steps
    from upscale.figures.operator_steps_figure import draw_frames, draw_sheet
    from upscale.kernels.read_files import read_array
    from upscale.operators.parameters import make_operator

    with console.as_usage_error(f"KERNEL {kernel.label}"):
        check_kernel(read)
        planned = make_operator(read, factor, padding, output_padding=(0, 0), dilation=(1, 1), edge="zero", normalize=normalize)
    with console.as_usage_error(f"INPUT {input}"):
        steps = compute_steps(read_array(input) if values is None else np.array(values), planned)
    name = "a kernel" if kernel.kind == "typed" else _name(kernel)
    with matplotlib_files.drawing():
        if output.lower().endswith(".gif"):
            milliseconds = [1500] * (len(steps.captions) - 1) + [4000]
            matplotlib_files.save_animation(output, draw_frames(steps, name), milliseconds)
        else:
            matplotlib_files.save(output, draw_sheet(steps, name))


def _explain_layers(input: str, kernel: "Kernel", name: str, output: str) -> None:
    """Draw the layers of a deep kernel."""
    import numpy as np

    from upscale.figures import matplotlib_files
    from upscale.figures.layer_maps import compute_maps
    from upscale.figures.layer_maps_figure import draw_maps
    from upscale.kernels.read_files import read_array
    from upscale.pictures.luma import luma_of
    from upscale.pictures.reading import first_picture

    if output.lower().endswith(".gif"):
        raise click.UsageError(f"--output {output}: the layers of a deep kernel are drawn as .png, .svg or .pdf")
    if input.lower().endswith(".npy"):
        values = read_array(input)
    elif os.path.exists(input):
        values = luma_of(first_picture(input)) / np.float32(255)
    else:
        values = np.array(_typed(input))
    with console.as_usage_error(f"INPUT {input}"):
        maps = compute_maps(values, kernel)
    with matplotlib_files.drawing():
        matplotlib_files.save(output, draw_maps(maps, name))


def _read(source: KernelSpec, factor: tuple[int, int] | None, normalize: bool | None) -> "Kernel":
    from upscale.kernels.load import load

    kernel = load(source, factor)
    return kernel if normalize is None else kernel.with_normalized(normalize)


def _name(source: KernelSpec) -> str:
    """Call a kernel by what a figure has room for."""
    if source.kind == "file":
        return os.path.basename(source.path) + (f":{source.name}" if source.name else "")
    return "typed kernel" if source.kind == "typed" else source.text


def _check_output(path: str, suffixes: tuple[str, ...], kernel: KernelSpec, *inputs: str) -> None:
    """Check a figure's path before anything is computed."""
    if os.path.splitext(path)[1].lower() not in suffixes:
        raise click.UsageError(f"--output {path}: its suffix must be one of {', '.join(suffixes)}")
    _check_inputs(path, kernel.path, *inputs)


def _check_inputs(path: str, *inputs: str) -> None:
    from upscale.output_files import check_place, same_file

    for other in inputs:
        if other and same_file(other, path):
            raise click.UsageError(f"OUT {path} is the same file as {other}; an input is never overwritten")
    check_place(path)


def _kernel_file(text: str, source: KernelSpec, bias: Any) -> tuple[str, str]:
    """Split OUT into a kernel file's path and the name of a tensor in it, and check it."""
    try:
        _check_inputs(kernel_spec.parse_kernel_file(text)[0], source.path, bias[0] if bias and isinstance(bias[0], str) else "")
        return kernel_spec.parse_kernel_file(text, to_write=True)
    except ArgumentError as error:
        raise click.UsageError(f"OUT {error}") from error


def _told(path: str, notes: list[str]) -> None:
    for text in notes:
        console.note("upscale-kernel", f"{path}: {text}")


def _check_use(kernel: "Kernel") -> None:
    """Check that a kernel that is written can be used."""
    from upscale.figures.kernel_analysis import analyse
    from upscale.operators.parameters import make_operator

    make_operator(kernel, None, None, output_padding=(0, 0), dilation=(1, 1), edge="zero", normalize=None)
    if kernel.normalized:
        analyse(kernel)


def _typed(text: str) -> tuple[tuple[float, ...], ...]:
    with console.as_usage_error("INPUT"):
        return number_text.parse_rows(text, "array")


def run(arguments: list[str]) -> int:
    """Run the command with arguments, without the program's name; see `console.run`."""
    return console.run(command, "upscale-kernel", arguments)

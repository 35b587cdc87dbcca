"""The command `upscale-learn`: a kernel from pictures."""

import os
import sys
import time
from contextlib import ExitStack
from typing import Any

import click

from upscale import __version__
from upscale.choices import pluralize
from upscale.commands import completion, console, option_types
from upscale.commands.option_types import Parsed, WholeNumber
from upscale.commands.parsing import Command, Option
from upscale.errors import ArgumentError, FileError

_EXAMPLES = """\b
Examples:
  upscale-learn photos -o mine.npz
  upscale photo.jpg large.png --kernel mine.npz
  upscale-learn photos -o best.npz --deep
  upscale-learn photos -o jpeg.npz --deep --downscale bicubic+jpeg:75
  upscale-learn originals -o scanner.npz --low scans
"""


@click.command(
    cls=Command, epilog=_EXAMPLES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.argument("paths", nargs=-1, required=True, metavar="PICTURE_OR_FOLDER...", shell_complete=completion.files)
@click.option("-o", "--output", required=True, metavar="KERNEL.npz", shell_complete=completion.files, help="File to write.")
@click.option(
    "-f",
    "--factor",
    cls=Option,
    aliases=("--scale", "--zoom", "--ratio", "--stride", "-x"),
    type=Parsed("factor", option_types.factor),
    default="2",
    show_default=True,
    metavar="N",
    help="Factor of the kernel.",
)
@click.option(
    "--size",
    type=WholeNumber(1),
    metavar="N",
    help="Width and height of the kernel: an odd multiple of the factor.  [default: 9 x factor]",
)
@click.option(
    "--deep",
    is_flag=True,
    help="Learn the last layer of a short chain of convolutions: the best quality. The convolutions are those of the shipped "
    "kernel deep, or of deep-jpeg if --downscale adds noise or JPEG.",
)
@click.option("--features", is_flag=True, help="With --deep: train the convolutions, too, which takes long. Needs PyTorch.")
@click.option("--minutes", type=WholeNumber(1), metavar="N", help="With --features: about how long to train.  [default: 60]")
@click.option(
    "--steps",
    type=WholeNumber(1),
    metavar="N",
    help="With --features: number of steps, for a result that can be repeated exactly.",
)
@click.option(
    "--seed", type=WholeNumber(0), default=0, show_default=True, metavar="N", help="With --features: of the random numbers."
)
@click.option("--adaptive", is_flag=True, help="Also learn corrections that are chosen for each pixel: better, but slower.")
@click.option(
    "--downscale",
    default="bicubic",
    show_default=True,
    metavar="HOW",
    shell_complete=completion.offer(["bicubic", "box", "lanczos", "gaussian:"], also="file"),
    help="How to make low-resolution copies: bicubic, box, lanczos, gaussian:S (deviation in pixels) or a kernel file; add "
    "+jpeg:Q to save them as JPEG of quality Q, and before that +blur:S and +noise:S to worsen them by up to S.",
)
@click.option(
    "--low",
    metavar="FOLDER",
    shell_complete=completion.folders,
    help="Folder of existing low-resolution copies with the same file names.",
)
@click.option(
    "--validate",
    metavar="FOLDER",
    shell_complete=completion.folders,
    help="Measure quality on these pictures.  [default: a tenth of the pictures, held out]",
)
@click.option(
    "--sample",
    type=WholeNumber(1),
    default=1_000_000,
    show_default=True,
    metavar="N",
    help="Use at most this many pixels of each picture.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
@click.version_option(__version__, prog_name="upscale-learn", message="%(prog)s %(version)s")
def command(paths: tuple[str, ...], output: str, low: str | None, validate: str | None, quiet: bool, **values: Any) -> None:
    """Learn the kernel that enlarges your own kind of pictures best.

    Each picture, including those in subfolders, is downscaled. The kernel that restores the originals best (least squared
    error) is saved. Use it with upscale --kernel KERNEL.npz.
    """
    began = time.perf_counter()
    factor = _checked_factor(output, low, values)
    from upscale.output_files import check_place

    check_place(output)
    found = _found(paths)
    low_copies = [_low_copy(f.path, f.folder, low) for f in found] if low is not None else None
    checked = [f.path for f in _found((validate,))] if validate is not None else []
    from upscale.kernels.write_files import write_kernel
    from upscale.learning.from_files import LearnRequest

    request = LearnRequest(
        [f.path for f in found],
        low_copies,
        factor,
        values["size"],
        values["downscale"],
        checked,
        values["sample"],
        values["adaptive"],
        values["deep"],
        __version__,
    )
    features = _trained(request, values, quiet) if values["features"] else None
    result = _learned(request, features, quiet)
    write_kernel(output, result.kernel)
    if not quiet:
        _report(output, factor, result, time.perf_counter() - began, bool(checked))


def _checked_factor(output: str, low: str | None, values: dict[str, Any]) -> int:
    """Check options that do not depend on pictures; return the factor."""
    vertical, horizontal = values["factor"]
    if vertical != horizontal:
        raise click.UsageError("--factor: a kernel is learned for one factor in both directions; give a single number")
    for option in ("adaptive", "size"):
        if values["deep"] and values[option]:
            raise click.UsageError(f"--deep and --{option} cannot be combined")
    if values["features"] and not values["deep"]:
        raise click.UsageError("--features belongs to --deep")
    for option in ("minutes", "steps", "seed"):
        if values[option] and not values["features"]:
            raise click.UsageError(f"--{option} belongs to --deep --features")
    if values["minutes"] and values["steps"]:
        raise click.UsageError("give either --minutes or --steps")
    if os.path.splitext(output)[1].lower() != ".npz":
        raise click.UsageError(f"--output {output}: the name of a learned kernel must end in .npz")
    if (
        low is not None
        and click.get_current_context().get_parameter_source("downscale") is click.core.ParameterSource.COMMANDLINE
    ):
        raise click.UsageError("--low and --downscale cannot be combined")
    from upscale.learning.downscale import parse_downscale
    from upscale.learning.least_squares import taps_of

    try:
        with console.as_usage_error(f"--factor {vertical}" if values["size"] is None else f"--size {values['size']}"):
            taps_of(values["size"], vertical)
        parse_downscale(values["downscale"])
    except ArgumentError as error:
        raise click.UsageError(str(error)) from error
    return int(vertical)


def _report(output: str, factor: int, result: Any, seconds: float, validated: bool) -> None:
    """Print what was learned, and how well it does on pictures that it was not learned from."""
    for note in result.notes[:10]:
        click.echo(f"upscale-learn: skipped: {' '.join(note.split())}", err=True)
    if len(result.notes) > 10:
        click.echo(f"upscale-learn: skipped {len(result.notes) - 10} more pictures", err=True)
    side, found, layers = result.kernel.shape[0], result.kernel.corrections, result.kernel.layers
    added = "" if found is None else f" weights and {found.classes} corrections"
    if layers is not None:
        last = layers.weights.shape[-1]
        added = f" weights and {last}x{last} after {len(layers.convolutions)} convolutions"
    click.echo(
        f"{output}: {side}x{side}{added} for factor {factor}, learned from {pluralize(result.pictures, 'picture')} "
        f"({result.samples:,} pixels) in {seconds:.1f} s; ridge {result.ridge:g}"
    )
    if not result.measured:
        click.echo("there is only one picture, so quality was not measured; use --validate FOLDER")
        return
    whose = "from --validate" if validated else "held out, by a kernel learned without them"
    click.echo(f"on {pluralize(result.measured, 'picture')} {whose}:")
    click.echo(f"{'':10}{'PSNR':>9}{'SSIM':>9}")
    for name, (psnr, ssim) in result.quality.items():
        click.echo(f"{name:10}{psnr:9.2f}{ssim:9.4f}")


def _found(paths: tuple[str, ...]) -> list[Any]:
    """Find the pictures; what is named and cannot be found is an error."""
    from upscale.batch.find_inputs import Search

    search = Search("", recursive=True)
    found = [f for path in paths for f in search.files(path, alone=True)]
    if search.failed:
        raise FileError(search.failed[0][1])
    if not found:
        raise FileError(f"{paths[0]}: contains no pictures")
    return found


def _low_copy(path: str, folder: str, low: str) -> str:
    copy = os.path.join(low, folder, os.path.basename(path))
    if not os.path.isfile(copy):
        name = os.path.join(folder, os.path.basename(path))
        raise FileError(f"--low {low}: there is no {name}, the low-resolution copy of {path}")
    return copy


def _trained(request: Any, values: dict[str, Any], quiet: bool) -> Any:
    """Train features, with progress on a terminal, until they are done or the user stops it."""
    from upscale import signals
    from upscale.learning.learn_features import TrainingRequest, train_on_files

    training = TrainingRequest(values["steps"] or 0, float(values["minutes"] or 60), values["seed"])
    shown, ending = not quiet and sys.stderr is not None and sys.stderr.isatty(), list[int]()
    bar: Any = None

    def begin(steps: int) -> None:
        nonlocal bar
        running.enter_context(signals.recorded(ending.append))  # before, there is nothing to keep
        if not quiet:
            console.note("upscale-learn", f"training features in {steps} steps; Ctrl-C ends it and keeps the best so far")
        if shown:
            bar = click.progressbar(
                length=steps, file=sys.stderr, show_pos=True, label="training", item_show_func=lambda text: text
            )

    def report(step: int, psnr: float | None) -> None:
        if bar is not None and (step % 10 == 0 or psnr is not None):
            bar.update(step - bar.pos, None if psnr is None else f"held out {psnr:.2f} dB")

    with ExitStack() as running:
        found = train_on_files(request, training, begin=begin, report=report, stopped=lambda: bool(ending))
    if bar is not None:
        bar.render_finish()
    if not quiet:
        console.note("upscale-learn", f"features of step {found.steps}: {found.psnr:.2f} dB on held-out pictures, factor 2")
    return found.layers


def _learned(request: Any, features: Any, quiet: bool) -> Any:
    from upscale.learning import from_files

    if quiet or sys.stderr is None or not sys.stderr.isatty():
        return from_files.learn_from_files(request, features=features)
    with click.progressbar(length=from_files.count_steps(request), file=sys.stderr, show_pos=True, label="learning") as bar:
        result = from_files.learn_from_files(request, lambda: bar.update(1), features)
        bar.update((bar.length or 0) - bar.pos)  # the steps of skipped pictures
        return result


def run(arguments: list[str]) -> int:
    """Run the command with arguments, without the program's name; see `console.run`."""
    return console.run(command, "upscale-learn", arguments)

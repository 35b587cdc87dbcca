"""The command `upscale`: options, words on the screen, exit status.

NumPy, Pillow and Numba are imported only when there is work: help, version and wrong options are answered at once.
"""

import os.path
import re
import sys
from typing import TYPE_CHECKING, Any

import click

from upscale import __version__, signals, threads
from upscale.choices import (
    COMPRESSIONS,
    DEPTHS,
    EDGES,
    ENGINES,
    LAYOUTS,
    METHODS,
    MOST_OUTPUT_PIXELS,
    MOST_PIXELS,
    factor_text,
)
from upscale.commands import completion, console, option_types
from upscale.commands.option_types import Parsed
from upscale.errors import ArgumentError, FileError
from upscale.kernels import kernel_spec, presets, shipped
from upscale.output_files import DASH, Folders, is_regular, same_file, why
from upscale.pictures import formats

if TYPE_CHECKING:
    from upscale.batch.options import Options
    from upscale.batch.plan import Naming, Plan
    from upscale.operators.enlarge import Request

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
        "version",
        "_click_default_help",
        "help",
    ),
}

_EXAMPLES = """\b
Examples:
  upscale sample_images/potion.png large.png --factor 8
  upscale sample_images/lake.png large.jpg --method tconv --kernel bicubic
  upscale sample_images/lake.png soft.png -m tconv -k "1,3,3,1; 3,9,9,3; 3,9,9,3; 1,3,3,1" --normalize
  upscale --factor 3x2 < sample_images/lake.png > wide.png
  upscale sample_images large --factor 4
  upscale "sample_images/*.png" sprites --format webp --name "{stem}@{factor}x{suffix}" --skip-existing
"""


class _Command(click.Command):
    """A command whose help groups the options."""

    groups = _GROUPS

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        parameters = {p.name: p for p in self.get_params(ctx)}
        for title, names in self.groups.items():
            with formatter.section(title):
                found = (parameters[name].get_help_record(ctx) for name in names if name in parameters)
                formatter.write_dl([record for record in found if record is not None])


@click.command(
    cls=_Command, epilog=_EXAMPLES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.argument("paths", nargs=-1, metavar="[INPUT... OUTPUT]", shell_complete=completion.files)
@click.option("-o", "--output", metavar="OUTPUT", shell_complete=completion.files,
              help="Where to write; all paths are inputs then.")  # fmt: skip
@click.option("-m", "--method", type=click.Choice(METHODS), default="nn", show_default=True,
              help="nn: nearest-neighbour unpooling, every value duplicated. tconv: transposed convolution, a sum of copies "
              "of a kernel.")  # fmt: skip
@click.option("-f", "--factor", type=Parsed("factor", option_types.factor), metavar="N|WxH",
              help="How many times larger; 3x2 is 3 times wider and 2 times higher. The stride of tconv.  [default: the "
              "kernel's own, or 2]")  # fmt: skip
@click.option("-k", "--kernel", type=Parsed("kernel", kernel_spec.parse_kernel), metavar="KERNEL",
              shell_complete=completion.kernels,
              help=f"The weights: {kernel_spec.ACCEPTED}. FILE:NAME picks one of several tensors.")  # fmt: skip
@click.option("--normalize/--no-normalize", default=None,
              help="Divide the weights by what reaches each place: brightness is kept, and there is no checkerboard.  "
              "[default: presets are normalised, your own kernels are not]")  # fmt: skip
@click.option("--padding", type=Parsed("padding", option_types.padding), metavar="same|N|N,N|T,B,L,R",
              shell_complete=completion.offer(["same"]),
              help="What is cut off the operator's whole output. same: the output is exactly factor times the input. "
              "0: nothing.  [default: the kernel's own, or same]")  # fmt: skip
@click.option("--output-padding", type=Parsed("pair", option_types.pair(0)), default="0", show_default=True, metavar="N|N,N",
              help="How much longer the whole output is, at the end.")  # fmt: skip
@click.option("--dilation", type=Parsed("pair", option_types.pair(1)), default="1", show_default=True, metavar="N|N,N",
              help="Distance between the kernel's weights.")  # fmt: skip
@click.option("--groups", type=click.IntRange(min=1), metavar="N",
              help="Groups of channels of a kernel that mixes channels.  [default: the kernel's own, or 1]")  # fmt: skip
@click.option("--bias", type=Parsed("bias", option_types.bias), metavar="NUMBERS|FILE", shell_complete=completion.files,
              help="Added to each output channel; 1 is full scale for pictures of 8 and 16 bits.")  # fmt: skip
@click.option("--edge", type=click.Choice(EDGES), default="zero", show_default=True,
              help="What lies beyond the border; wrap keeps seamless tiles seamless.")  # fmt: skip
@click.option("--linear", is_flag=True, help="Filter in linear light: by the file's own curve, else sRGB's.")
@click.option("--format", type=Parsed("format", option_types.format), metavar="FORMAT",
              shell_complete=completion.offer(s[1:] for s in formats.FORMATS),
              help="Format of an output without a suffix, or of all outputs in a folder: "
              f"{' '.join(s[1:] for s in formats.FORMATS)}. Standard output keeps the input's.")  # fmt: skip
@click.option("--background", type=Parsed("colour", option_types.colour), metavar="COLOUR",
              shell_complete=completion.offer(option_types.COLOURS),
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
              help="What computes: Numba's compiled loops, or NumPy for small pictures. The results are equal (of 32-bit "
              "floats, the last bit may differ).")  # fmt: skip
@click.option("-j", "--threads", type=click.IntRange(min=1), metavar="N",
              help="How many threads work at once.  [default: one for each core]")  # fmt: skip
@click.option("--max-memory", type=Parsed("memory", option_types.memory), metavar="SIZE",
              help="What the pictures under way may take together, such as 8G.  [default: 70 % of what is free]")  # fmt: skip
@click.option("--max-pixels", type=click.IntRange(min=1), default=MOST_PIXELS, show_default=True, metavar="N",
              help="Refuse inputs of more pixels, which may be an attack.")  # fmt: skip
@click.option("--max-output-pixels", type=click.IntRange(min=1), default=MOST_OUTPUT_PIXELS, show_default=True, metavar="N",
              help="Refuse outputs of more pixels.")  # fmt: skip
@click.option("-r", "--recursive", is_flag=True, help="Take the folders in INPUT folders too.")
@click.option("--files-from", metavar="FILE|-", shell_complete=completion.files,
              help="Read more inputs from a file or standard input, one a line.")  # fmt: skip
@click.option("-0", "null", is_flag=True, help="The names of --files-from are separated by NUL, as find -print0 does.")
@click.option("--name", metavar="TEMPLATE",
              help='Name outputs in a folder, such as "{stem}@{factor}x{suffix}"; also {method} and {kernel}.')  # fmt: skip
@click.option("--parents", is_flag=True, help="Keep the folders by which inputs are named under OUTPUT.")
@click.option("--skip-existing", is_flag=True, help="Leave outputs that are there and have the right size.")
@click.option("--update", is_flag=True, help="Leave outputs that are there and not older than their inputs.")
@click.option("--no-overwrite", is_flag=True, help="Fail where an output is there already.")
@click.option("--overwrite", is_flag=True,
              help="Replace files in folders of inputs that have an output's name and may be made by hand.")  # fmt: skip
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be done, with sizes and memory.")
@click.option("--fail-fast", is_flag=True, help="Begin nothing more once something has failed.")
@click.option("--scheduler", metavar="ADDRESS", help="Work on a Dask cluster that shares the files, such as tcp://HOST:8786.")
@click.option("--json", is_flag=True, help="Say on standard output what became of each file, as JSON, one a line.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Say sizes, method, engine and seconds by stage.")  # fmt: skip
@click.option("--list-kernels", is_flag=True, help="List presets and shipped kernels with what each is good and bad at.")
@click.version_option(__version__, prog_name="upscale", message="%(prog)s %(version)s")
@click.pass_context
def command(ctx: click.Context, /, paths: tuple[str, ...], list_kernels: bool, **values: Any) -> int:
    """Make pictures larger by a whole factor.

    INPUT is enlarged into OUTPUT, whose suffix decides its format. Several inputs, folders or patterns are enlarged into the
    folder OUTPUT. A path of - is standard input or output, and so are both when no path is given. Arrays (.npy) of shape
    (H, W) or (H, W, C) may stand for pictures.
    """
    if list_kernels:
        click.echo(presets.table())
        click.echo(shipped.table())
        return 0
    inputs, output = list(paths), values.pop("output")
    if not inputs and output is None and values["files_from"] is None:
        if sys.stdin is None or sys.stdout is None or sys.stdin.isatty() or sys.stdout.isatty():
            click.echo(ctx.get_help())
            return 0
        inputs, output = [DASH], DASH
    if "" in (*inputs, output):
        raise click.UsageError("a path is empty; perhaps a variable is not set")
    _check_folder((*inputs, output or DASH))
    given = {n for n in values if ctx.get_parameter_source(n) is click.core.ParameterSource.COMMANDLINE}
    _check_clashes(values, given)
    if output is None:
        output = _last_path(inputs, values["files_from"])
    if values["files_from"] is not None:
        inputs += _listed(values["files_from"], values["null"], inputs)
    elif values["null"]:
        raise click.UsageError("-0 goes with --files-from")
    if not inputs and values["files_from"] is None:
        raise click.UsageError("INPUT is missing")
    from upscale.batch.options import Options

    options = Options(**{name: values[name] for name in Options._fields})
    if values["threads"]:
        threads.use(values["threads"])
    try:
        if len(inputs) == 1 and values["files_from"] is None and _is_one_picture(inputs[0]):
            return _enlarge_one(inputs[0], output, options, values)
        return _enlarge_many(inputs, output, options, values)
    except ArgumentError as error:
        raise click.UsageError(str(error)) from error


def _check_folder(paths: tuple[str, ...]) -> None:
    """Check that relative paths mean something."""
    try:
        os.getcwd()
    except OSError:
        if not all(os.path.isabs(path) or path == DASH for path in paths):
            raise FileError("the current folder is gone; name whole paths") from None


def _check_clashes(values: dict[str, Any], given: set[str]) -> None:
    """Check what options say of each other."""
    if values["method"] == "nn":
        for name in _GROUPS["Transposed convolution"]:
            if name in given:
                raise click.UsageError(f"--{name.replace('_', '-')} goes with --method tconv, not with nn")
    elif values["kernel"] is None:
        raise click.UsageError(f"--method tconv needs --kernel: {kernel_spec.ACCEPTED}")
    for one, other in (
        ("lossless", "quality"), ("quiet", "verbose"), ("no_overwrite", "skip_existing"), ("no_overwrite", "update"),
        ("no_overwrite", "overwrite"),
    ):  # fmt: skip
        if one in given and other in given:
            raise click.UsageError(f"--{one.replace('_', '-')} and --{other.replace('_', '-')} exclude each other")


def _last_path(inputs: list[str], files_from: str | None) -> str:
    """Take OUTPUT off the paths."""
    if len(inputs) == 1 and files_from is None:
        if os.path.isdir(inputs[0]):
            raise click.UsageError(f"OUTPUT is missing: upscale {inputs[0]} large/")
        stem, suffix = os.path.splitext(inputs[0])
        raise click.UsageError(f"OUTPUT is missing: upscale {inputs[0]} {os.path.basename(stem)}_large{suffix}")
    if not inputs:
        raise click.UsageError("OUTPUT is missing: name a folder")
    return inputs.pop()


def _listed(path: str, null: bool, inputs: list[str]) -> list[str]:
    """Read the names of inputs, one a line or with NUL between."""
    if path == DASH and DASH in inputs:
        raise click.UsageError("standard input is the list of inputs, and cannot be an INPUT as well")
    try:
        if path == DASH:
            data = sys.stdin.buffer.read() if sys.stdin is not None else b""
        else:
            with open(path, "rb") as file:
                data = file.read()
    except OSError as error:
        raise FileError(f"--files-from {path}: cannot be read: {why(error)}") from error
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    names = data.split(b"\0") if null else [line.removesuffix(b"\r") for line in lines if line.strip()]
    # A list is no command line: what is named - in it is a file.
    return [os.path.join(".", DASH) if n == b"-" else os.fsdecode(n) for n in names if n]


def _is_one_picture(path: str) -> bool:
    return path == DASH or (not os.path.isdir(path) and (os.path.exists(path) or not any(c in path for c in "*?[")))


def _enlarge_one(source: str, output: str, options: "Options", values: dict[str, Any]) -> int:
    """Enlarge one picture in this process."""
    if values["json"] and output == DASH:
        raise click.UsageError("--json and an OUTPUT of - would both write to standard output")
    if values["scheduler"] is not None:
        raise click.UsageError("--scheduler goes with several inputs or a folder")
    into_folder = output != DASH and (os.path.isdir(output) or output.endswith(("/", os.sep)))
    if into_folder:
        if source == DASH:
            raise click.UsageError(f"OUTPUT {output} is a folder; name a file in it")
        from upscale.batch import plan

        naming = _naming(output, options, values)
        output = naming.path(plan.Found(source, os.path.dirname(source), ""))
    else:
        for name in ("name", "parents"):
            if values[name] not in (None, False):
                raise click.UsageError(f"--{name} goes with an OUTPUT that is a folder")
    target = _target(source, output, options, values["format"], keeps=into_folder)
    from upscale.batch.enlarge_file import Job, Task
    from upscale.batch.options import request

    if into_folder and not options.dry_run:
        Folders().prepare(output)
    looks_on = not values["quiet"] and sys.stderr is not None and sys.stderr.isatty()
    tell = (lambda line: click.echo(f"upscale: {line}", err=True)) if looks_on else None
    task = Task(source, output, target)
    asked = request(options)
    if not values["quiet"]:
        _tell_of_bias(asked, options)
    job = Job(task, options, asked, tell=tell)
    result = job.run()
    if not values["quiet"]:
        for note in result.notes:
            click.echo(" ".join(f"upscale: {job.name}: {note}".split()), err=True)
    for line in result.report if values["verbose"] else ():
        click.echo(line, err=True)
    if values["json"] or options.dry_run or result.status == "skipped":
        from upscale.batch import report

        if values["json"]:
            console.say(report.line_of_json(task, result))
        elif options.dry_run or values["verbose"]:
            console.say(report.one_line(report.planned(task, result)), err=not options.dry_run)
    return 0


def _tell_of_bias(asked: "Request", options: "Options") -> None:
    """Tell of a layer's bias that lies beside its weights and was not asked for."""
    kernel = asked.operator.kernel if asked.operator is not None else None
    if kernel is not None and kernel.bias_tensor and kernel.bias is None and options.kernel is not None:
        bias = f"{options.kernel.path}:{kernel.bias_tensor}"
        console.note("upscale", f"{options.kernel.path}: holds {kernel.bias_tensor} as well, which --bias {bias} adds")


def _target(source: str, output: str, options: "Options", wanted: str | None, *, keeps: bool) -> formats.Format | None:
    """Check what can be checked before anything is read; find the output's format, None where it is the input's.

    Where an output `keeps` the name of its input, it need not have a suffix that is known.
    """
    if source == DASH and sys.stdin is not None and sys.stdin.isatty():
        raise click.UsageError("INPUT is -, but standard input is a terminal")
    if output == DASH and sys.stdout is not None and sys.stdout.isatty():
        raise click.UsageError("OUTPUT is -, but standard output is a terminal")
    if same_file(source, output):
        raise click.UsageError(f"OUTPUT {output} is the same file as INPUT; an input is never overwritten")
    for name, path in _other_files(options).items():
        if same_file(path, output):
            raise click.UsageError(f"OUTPUT {output} is the same file as {name}; an input is never overwritten")

    suffix = os.path.splitext(output)[1]
    if suffix.lower() in formats.FORMATS and output != DASH:
        found = formats.of_suffix(suffix, output)
        if wanted and formats.FORMATS[wanted] is not found:
            raise click.UsageError(f"--format {wanted[1:]} clashes with the suffix of OUTPUT {output}")
        return found
    if wanted:
        return formats.FORMATS[wanted]
    if output == DASH or keeps or not is_regular(output):
        return None
    if not suffix and source != DASH and not os.path.lexists(source):  # perhaps a folder, mistyped
        raise FileError(f"{source}: there is no such file")
    try:
        return formats.of_suffix(suffix, f"OUTPUT {output}")
    except ArgumentError as error:
        raise click.UsageError(str(error)) from None


def _other_files(options: "Options") -> dict[str, str]:
    """Say which files are read besides the inputs, by their options."""
    kernel, bias = options.kernel, options.bias
    files = {"--kernel": kernel.path if kernel else "", "--bias": bias[0] if bias and isinstance(bias[0], str) else ""}
    return {name: path for name, path in files.items() if path}


def _naming(output: str, options: "Options", values: dict[str, Any]) -> "Naming":
    """Say how outputs in a folder are named."""
    from upscale.batch import plan

    template = "{stem}{suffix}" if values["name"] is None else values["name"]
    plan.check_template(template)
    vertical, horizontal = options.factor or (2, 2)
    if options.factor is None and options.kernel is not None and "{factor}" in template:
        from upscale.batch.options import request

        vertical, horizontal = request(options).factor
    kernel = "nn"
    if options.kernel is not None:
        text = os.path.splitext(os.path.basename(options.kernel.path))[0] or options.kernel.text
        kernel = "typed" if options.kernel.kind == "typed" else re.sub(r'[\\/:*?"<>|\0]', "-", text)
    fields = {"factor": factor_text((vertical, horizontal)), "method": options.method, "kernel": kernel}
    return plan.Naming(output, template, values["format"] or "", values["parents"], fields)


def _enlarge_many(inputs: list[str], output: str, options: "Options", values: dict[str, Any]) -> int:
    """Enlarge many pictures into a folder, in processes of their own."""
    if DASH in inputs:
        raise click.UsageError("- is one picture; it does not go with other inputs")
    there = output.rstrip("/" + os.sep) or output
    if output == DASH or (os.path.lexists(there) and not os.path.isdir(there)):
        raise click.UsageError(f"OUTPUT {output} must be a folder for several inputs")
    if os.path.splitext(output)[1].lower() in formats.FORMATS and not os.path.isdir(output):
        raise click.UsageError(f"OUTPUT {output} is named as one picture; several inputs or a folder need a folder")
    in_place = len(inputs) == 1 and os.path.isdir(inputs[0]) and os.path.isdir(output) and os.path.samefile(inputs[0], output)
    if in_place and values["name"] is None:
        raise click.UsageError('INPUT and OUTPUT are one folder: name the results, such as --name "{stem}_large{suffix}"')
    from upscale.batch import plan
    from upscale.batch.report import Report

    found = plan.make(
        inputs, _naming(output, options, values), recursive=values["recursive"], forbidden=_other_files(options).values()
    )
    _check_use(found, options)
    report = Report(found, quiet=values["quiet"], verbose=values["verbose"], json=values["json"], dry_run=options.dry_run)
    try:
        if values["fail_fast"] and found.failed:
            report.begin()
        elif values["scheduler"] is not None:
            from upscale.batch import cluster

            report.begin()
            cluster.run(found, options, values["scheduler"], fail_fast=values["fail_fast"], report=report)
        else:
            from upscale.batch.local import Batch

            batch = Batch(found, options, threads.count(), fail_fast=values["fail_fast"], report=report)
            with batch:
                if options.kernel is not None:
                    from upscale.batch.options import request

                    asked = request(options)  # what is wrong with it is told once, and before anything is done
                    if not values["quiet"]:
                        _tell_of_bias(asked, options)
                report.begin()
                batch.run()
    except signals.Interrupted as signalled:
        report.end(f"{signalled.ending}: ")
        return 128 + signalled.number
    except BrokenPipeError:
        report.end("standard output was closed: ")
        raise
    report.end()
    return 1 if report.failed else 0


def _check_use(found: "Plan", options: "Options") -> None:
    """Refuse an option that no output's format has a use for."""
    from upscale.batch.options import unfit

    targets = {t.target for t in found.tasks}
    if targets and None not in targets:
        texts = [unfit(options, t) for t in targets if t is not None]
        if all(texts):
            raise click.UsageError(texts[0])


def run(arguments: list[str]) -> int:
    """Run the command with arguments, without the program's name; see `console.run`."""
    return console.run(command, "upscale", arguments)

"""The command `upscale`: one file or many, what is printed, and the exit status.

NumPy, Pillow and Numba are imported only when there is work, so that help, version and wrong options are answered at once.
"""

import os.path
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from upscale import signals, threads
from upscale.choices import DEFAULT_FACTOR, format_factor
from upscale.commands import console, path_mistakes
from upscale.commands.enlarge_help import GroupedCommand
from upscale.commands.enlarge_options import check_options, enlarge_options
from upscale.commands.factor_limit import check_factor
from upscale.commands.option_types import closest_suffix
from upscale.errors import ArgumentError, FileError
from upscale.kernels import presets, shipped
from upscale.output_files import DASH, OutputFolders, is_regular, os_error_text, same_file
from upscale.pictures import formats
from upscale.suggestions import closest_file, did_you_mean

if TYPE_CHECKING:
    from upscale.batch.options import Options
    from upscale.batch.plan import Naming, Plan
    from upscale.batch.task import FileResult, Task
    from upscale.operators.requests import Requests

_EXAMPLES = """\b
Examples:
  upscale sample_images/potion.png large.png --factor 8
  upscale sample_images/cat.png large.jpg --kernel bicubic
  upscale sample_images/cat.png soft.png -k "1,2,1; 2,4,2; 1,2,1" --normalize
  upscale sample_images large --factor 4 --skip-existing
  upscale --factor 3x2 < sample_images/cat.png > wide.png
"""


@click.command(
    cls=GroupedCommand, epilog=_EXAMPLES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@enlarge_options
@click.pass_context
def command(ctx: click.Context, /, paths: tuple[str, ...], list_kernels: bool, **values: Any) -> int:
    """Enlarge pictures by a whole-number factor.

    The suffix of OUTPUT decides the format. With several inputs, a folder or a pattern, OUTPUT is a folder. Use - for stdin or
    stdout; without paths, upscale reads stdin and writes stdout. NumPy arrays (.npy) of shape (H, W) or (H, W, C) work too.
    """
    if list_kernels:
        click.echo(presets.table())
        click.echo(shipped.table())
        return 0
    if path_mistakes.asks_for_help(paths):
        click.echo(ctx.get_help())
        return 0
    inputs, output = list(paths), values.pop("output")
    if not inputs and output is None and values["files_from"] is None:
        if sys.stdin is None or sys.stdout is None or sys.stdin.isatty() or sys.stdout.isatty():
            click.echo(ctx.get_help())
            return 0
        inputs, output = [DASH], DASH
    if "" in (*inputs, output):
        raise click.UsageError("a path is empty; is a shell variable not set?")
    path_mistakes.check_words(paths)
    _check_folder((*inputs, output or DASH))
    given = {n for n in values if ctx.get_parameter_source(n) is click.core.ParameterSource.COMMANDLINE}
    check_options(values, given)
    if output is None:
        output = _last_path(inputs, values["files_from"])
    if values["files_from"] is not None:
        inputs += _listed(values["files_from"], values["null"], inputs)
    elif values["null"]:
        raise click.UsageError("-0 needs --files-from")
    if not inputs and values["files_from"] is None:
        raise click.UsageError("INPUT is missing")
    check_factor(values["factor"], values["max_factor"], inputs, recursive=values["recursive"])
    from upscale.batch.options import Options

    values["target_size"] = values["fit"] or values["size"] or values["megapixels"]
    options = Options(**{name: values[name] for name in Options._fields})
    if values["threads"]:
        threads.use(values["threads"])
    try:
        if values["watch"]:
            return _watch(inputs, output, options, values)
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
            raise FileError("the current folder no longer exists; use absolute paths") from None


def _last_path(inputs: list[str], files_from: str | None) -> str:
    """Take OUTPUT off the paths."""
    if len(inputs) == 1 and files_from is None:
        if os.path.isdir(inputs[0]):
            raise click.UsageError(f"OUTPUT is missing; for example: upscale {inputs[0]} large/")
        stem, suffix = os.path.splitext(inputs[0])
        raise click.UsageError(f"OUTPUT is missing; for example: upscale {inputs[0]} {os.path.basename(stem)}_large{suffix}")
    if not inputs:
        raise click.UsageError("OUTPUT is missing; name a folder")
    return inputs.pop()


def _listed(path: str, null: bool, inputs: list[str]) -> list[str]:
    """Read the names of inputs, one a line or with NUL between."""
    if path == DASH and DASH in inputs:
        raise click.UsageError("standard input is the list of inputs; it cannot also be an INPUT")
    try:
        if path == DASH:
            data = sys.stdin.buffer.read() if sys.stdin is not None else b""
        else:
            with open(path, "rb") as file:
                data = file.read()
    except OSError as error:
        raise FileError(f"--files-from {path}: cannot be read: {os_error_text(error)}") from error
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise FileError(f"--files-from {path}: is UTF-16; save it as UTF-8")
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    names = data.split(b"\0") if null else [line.removesuffix(b"\r") for line in lines if line.strip()]
    # A list is no command line: what is named - in it is a file.
    return [os.path.join(".", DASH) if n == b"-" else os.fsdecode(n) for n in names if n]


def _is_one_picture(path: str) -> bool:
    return path == DASH or (not os.path.isdir(path) and (os.path.exists(path) or not any(c in path for c in "*?[")))


def _enlarge_one(source: str, output: str, options: "Options", values: dict[str, Any]) -> int:
    """Enlarge one picture in this process."""
    if values["json"] and output == DASH:
        raise click.UsageError("--json and OUTPUT - cannot be combined: both write to standard output")
    if values["scheduler"] is not None:
        raise click.UsageError("--scheduler needs several inputs or a folder")
    from upscale.batch.make_requests import make_requests

    requests, substitute = None, ""
    into_folder = output != DASH and (os.path.isdir(output) or output.endswith(("/", os.sep)))
    if into_folder:
        if source == DASH:
            raise click.UsageError(f"OUTPUT {output} is a folder, but standard input has no name; give a file")
        from upscale.batch.find_inputs import Found

        requests = make_requests(options) if _name_needs_kernel(options, values) else None
        naming = _naming(output, options, values, requests)
        substitute = naming.substitute(source)
        output = naming.path(Found(source, os.path.dirname(source), ""), substitute)
    else:
        for name in ("name", "parents"):
            if values[name] not in (None, False):
                raise click.UsageError(f"--{name} needs an OUTPUT that is a folder")
    with _failure_as_json(source, output, values):
        target = _target(source, output, options, values["format"], keeps=into_folder)
        _check_input(source, output, options, target)
        from upscale.batch.output_suffix import substitution_note
        from upscale.batch.run_log import RunLog
        from upscale.batch.run_task import run_task
        from upscale.batch.task import Task

        if into_folder and not options.dry_run:
            OutputFolders().prepare(output)
        looks_on = not values["quiet"] and sys.stderr is not None and sys.stderr.isatty()
        log = RunLog((lambda line: click.echo(f"upscale: {line}", err=True)) if looks_on else None)
        if substitute:
            log.note(substitution_note(os.path.splitext(source)[1].lower(), substitute, 1))
        task = Task(source, output, target, protected=into_folder)
        requests = requests or make_requests(options)
        if not values["quiet"]:
            _note_unused_bias(requests, options)
        result = run_task(task, options, requests, log)
    _print_result(task, result, options, values)
    return 0


@contextmanager
def _failure_as_json(source: str, output: str, values: dict[str, Any]) -> Iterator[None]:
    """Print the JSON object of a single picture that failed, if --json is given; the error goes on."""
    try:
        yield
    except (FileError, MemoryError) as error:
        if values["json"]:
            from upscale.batch.report import line_of_json
            from upscale.batch.task import FileResult, Task

            text = str(error) if isinstance(error, FileError) else f"{source}: not enough memory"
            console.say(line_of_json(Task(source, output, None), FileResult("failed", text)))
        raise


def _check_input(source: str, output: str, options: "Options", target: formats.Format | None) -> None:
    """Check an option that the output's format has no use for, and that the input exists, before anything is imported."""
    from upscale.batch.options import unused_option

    if target is not None and (text := unused_option(options, target)):
        raise click.UsageError(text)
    if source != DASH and not os.path.lexists(source):
        raise FileError(path_mistakes.missing_input(source, output))


def _print_result(task: "Task", result: "FileResult", options: "Options", values: dict[str, Any]) -> None:
    """Print what came of a single picture."""
    if not values["quiet"]:
        for note in result.notes:
            click.echo(" ".join(f"upscale: {task.name}: {note}".split()), err=True)
    for line in result.report if values["verbose"] else ():
        click.echo(line, err=True)
    if values["json"] or options.dry_run or result.status == "skipped":
        from upscale.batch import report

        if values["json"]:
            console.say(report.line_of_json(task, result))
        elif options.dry_run or values["verbose"]:
            console.say(report.one_line(report.planned(task, result)), err=not options.dry_run)


def _note_unused_bias(requests: "Requests", options: "Options") -> None:
    """Print a note about a layer's bias that is stored beside its weights and was not asked for."""
    operator = requests.fixed.operator if requests.fixed is not None else None
    kernel = operator.kernel if operator is not None else None
    if kernel is not None and kernel.bias_tensor and kernel.bias is None and options.kernel is not None:
        bias = f"{options.kernel.path}:{kernel.bias_tensor}"
        console.note(
            "upscale", f"{options.kernel.path}: also contains {kernel.bias_tensor}, which is not used; --bias {bias} adds it"
        )


def _target(source: str, output: str, options: "Options", wanted: str | None, *, keeps: bool) -> formats.Format | None:
    """Check what can be checked before anything is read; find the output's format, None where it is the input's.

    Where an output `keeps` the name of its input, it need not have a suffix that is known.
    """
    if source == DASH and sys.stdin is not None and sys.stdin.isatty():
        raise click.UsageError("INPUT is -, but standard input is a terminal; redirect a file into it")
    if output == DASH and sys.stdout is not None and sys.stdout.isatty():
        raise click.UsageError("OUTPUT is -, but standard output is a terminal; redirect it into a file")
    if same_file(source, output):
        other = '--name, such as "{stem}_large{suffix}"' if keeps else "another OUTPUT"
        raise click.UsageError(f"OUTPUT {output} is the same file as INPUT, which is never overwritten; give {other}")
    for name, path in _other_files(options).items():
        if same_file(path, output):
            raise click.UsageError(f"OUTPUT {output} is the same file as {name}; an input is never overwritten")

    suffix = os.path.splitext(output)[1]
    if suffix.lower() in formats.WRITTEN and output != DASH:
        found = formats.of_suffix(suffix, output)
        if wanted and formats.FORMATS[wanted] is not found:
            raise click.UsageError(f"--format {wanted[1:]} conflicts with the suffix of OUTPUT {output}")
        return found
    if wanted:
        return formats.FORMATS[wanted]
    if output == DASH or keeps or not is_regular(output):
        return None
    if not suffix and source != DASH and not os.path.lexists(source):  # perhaps a folder, mistyped
        raise FileError(path_mistakes.missing_input(source, output))
    known = " ".join(formats.FORMATS)
    if suffix in ("", "."):
        named = f"{output.removesuffix('.')}.png"
        raise click.UsageError(f"OUTPUT {output} has no suffix: call it {named}, add --format png, or use one of {known}")
    accepted = did_you_mean(closest_suffix(suffix)) or f", or use one of {known}"
    raise click.UsageError(f"OUTPUT {output}: {suffix} cannot be written; choose a format with --format{accepted}")


def _other_files(options: "Options") -> dict[str, str]:
    """List the files that are read besides the inputs, by their options."""
    kernel, bias = options.kernel, options.bias
    files = {"--kernel": kernel.path if kernel else "", "--bias": bias[0] if bias and isinstance(bias[0], str) else ""}
    return {name: path for name, path in files.items() if path}


def _name_needs_kernel(options: "Options", values: dict[str, Any]) -> bool:
    """Return whether outputs are named by a factor that only the kernel's file says."""
    return options.factor is None and options.kernel is not None and "{factor}" in (values["name"] or "")


def _naming(output: str, options: "Options", values: dict[str, Any], requests: "Requests | None") -> "Naming":
    """Collect how outputs in a folder are named."""
    from upscale.batch import plan

    template = "{stem}{suffix}" if values["name"] is None else values["name"]
    if not template.strip():
        raise click.UsageError(f"--name is empty; its fields are {' '.join('{' + field + '}' for field in plan.FIELDS)}")
    plan.check_template(template, one_factor=options.target_size is None)
    fixed = requests.fixed if requests is not None else None
    factor = fixed.total_factor if fixed is not None else options.factor or DEFAULT_FACTOR
    kernel = "nn" if options.kernel is None else options.kernel.file_label
    fields = {"factor": format_factor(factor), "method": options.method, "kernel": kernel}
    return plan.Naming(output, template, values["format"] or "", values["parents"], fields, options.to_rgb)


def _check_output_folder(inputs: list[str], output: str, values: dict[str, Any]) -> None:
    """Check that OUTPUT may be the folder of several outputs."""
    if DASH in inputs:
        raise click.UsageError("- (standard input) is a single picture and cannot be combined with other inputs")
    there = output.rstrip("/" + os.sep) or output
    if output == DASH or (os.path.lexists(there) and not os.path.isdir(there)):
        raise click.UsageError(f"OUTPUT {output} must be a folder for {_described(inputs)}")
    stem, suffix = os.path.splitext(output)
    if suffix.lower() in formats.WRITTEN and not os.path.isdir(output):
        raise click.UsageError(
            f"OUTPUT {output} looks like a picture file; for {_described(inputs)} it must be a folder, such as {stem}/"
        )
    in_place = len(inputs) == 1 and os.path.isdir(inputs[0]) and os.path.isdir(output) and os.path.samefile(inputs[0], output)
    if in_place and values["name"] is None:
        raise click.UsageError(
            'INPUT and OUTPUT are the same folder: choose other names, such as --name "{stem}_large{suffix}"'
        )


def _described(inputs: list[str]) -> str:
    """Name what there is instead of a single input."""
    return {0: "several inputs", 1: "a folder or pattern"}.get(len(inputs), f"{len(inputs)} inputs")


def _enlarge_many(inputs: list[str], output: str, options: "Options", values: dict[str, Any]) -> int:
    """Enlarge many pictures into a folder, in processes of their own."""
    _check_output_folder(inputs, output, values)
    from upscale.batch import plan
    from upscale.batch.make_requests import make_requests
    from upscale.batch.report import Report

    requests = make_requests(options) if _name_needs_kernel(options, values) else None
    naming = _naming(output, options, values, requests)
    found = plan.make(inputs, naming, recursive=values["recursive"], forbidden=_other_files(options).values())
    _check_use(found, options)
    if values["files_from"] is None and not (found.tasks or found.failed or found.results):
        found.failed.append((inputs[0], f"{', '.join(inputs)}: no pictures found"))
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
                # After the processes were started, since they take a while: what is wrong with a kernel is reported once, and
                # before anything is done.
                if options.kernel is not None:
                    requests = requests or make_requests(options)
                    if not values["quiet"]:
                        _note_unused_bias(requests, options)
                report.begin()
                batch.run()
    except signals.Interrupted as signalled:
        signals.arrived()
        report.end(f"{signalled.ending}: ")
        return 128 + signalled.number
    except BrokenPipeError:
        report.end("standard output was closed: ")
        raise
    report.end()
    return 1 if report.failed else 0


def _watch(folders: list[str], output: str, options: "Options", values: dict[str, Any]) -> int:
    """Enlarge what is in folders and what comes, until a signal asks to end."""
    for folder in folders:
        if folder == DASH or os.path.isfile(folder):
            name = "- is standard input" if folder == DASH else f"{folder} is a file"
            raise click.UsageError(f"--watch needs a folder as INPUT, and {name}; give the folder in which files change")
        if not os.path.isdir(folder):
            raise FileError(f"{folder}: no such folder to watch{did_you_mean(closest_file(folder))}")
    _check_output_folder(folders, output, values)
    from upscale.batch import folder_events
    from upscale.batch.options import unused_option

    folder_events.check_installed()
    if values["format"] is not None and (text := unused_option(options, formats.FORMATS[values["format"]])):
        raise click.UsageError(text)
    from upscale.batch.make_requests import make_requests
    from upscale.batch.watch_folders import FolderWatch
    from upscale.batch.watch_report import WatchReport

    requests = make_requests(options)  # what is wrong with a kernel is reported once, and before anything is done
    if not values["quiet"]:
        _note_unused_bias(requests, options)
    report = WatchReport(quiet=values["quiet"], verbose=values["verbose"], json=values["json"])
    naming, forbidden = _naming(output, options, values, requests), _other_files(options).values()
    watching = FolderWatch(folders, naming, options, recursive=values["recursive"], forbidden=forbidden, report=report)
    files = watching.files
    try:
        watching.run(threads.count())
    except signals.Interrupted as signalled:
        signals.arrived()
        report.end(signalled.ending if files.unfinished else "watching ended", files.failed, files.unfinished)
        return 128 + signalled.number if files.unfinished else int(files.failed > 0)
    except BrokenPipeError:
        report.end("standard output was closed", files.failed, files.unfinished)
        raise


def _check_use(found: "Plan", options: "Options") -> None:
    """Refuse an option that no output's format has a use for."""
    from upscale.batch.options import unused_option

    targets = {t.target for t in found.tasks}
    if targets and None not in targets:
        texts = [unused_option(options, t) for t in targets if t is not None]
        if all(texts):
            raise click.UsageError(texts[0])


def run(arguments: list[str]) -> int:
    """Run the command with arguments, without the program's name; see `console.run`."""
    return console.run(command, "upscale", arguments)

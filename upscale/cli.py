"""The command `upscale`: options, words on the screen, exit status.

NumPy, Pillow and Numba are imported only when there is work: help, version and wrong options are answered at once.
"""

import gc
import os.path
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from upscale import __version__, formats, kernel_source
from upscale.engines import ENGINES, Engine
from upscale.errors import ArgumentError, FileError, UpscaleError
from upscale.files import DASH, check_place, is_regular, read_standard_input, replacing, same_file, write_through

if TYPE_CHECKING:
    from upscale.methods import Request
    from upscale.pictures import Header

#: The options by what they are for, in the order of the help.
_GROUPS = {
    "Enlarging": ("method", "factor", "kernel", "padding"),
    "Files": ("format", "background", "frame"),
    "Running": ("engine", "quiet", "verbose", "version", "_click_default_help", "help"),
}

_EXAMPLES = """\b
Examples:
  upscale sample_images/potion.png large.png --factor 8
  upscale sample_images/lake.png large.jpg --method tconv --kernel bicubic
  upscale sample_images/lake.png soft.png -m tconv -k "1,3,3,1; 3,9,9,3; 3,9,9,3; 1,3,3,1"
  upscale --factor 3x2 < sample_images/lake.png > wide.png
  for f in sample_images/*.png; do upscale "$f" "large_${f##*/}" --factor 4; done
"""


class _Parsed(click.ParamType):  # type: ignore[type-arg]  # generic in new releases of click only
    """An option whose text one function reads, raising ArgumentError."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name, self._parse = name, parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ArgumentError as error:
            self.fail(str(error), param, ctx)


def _whole(text: str) -> int:
    """Read digits; int() would take signs, underscores and blanks as well."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1


def _factor(text: str) -> tuple[int, int]:
    numbers = [_whole(part) for part in text.lower().split("x")]
    if len(numbers) > 2 or min(numbers) < 1:
        raise ArgumentError(f"{text!r} is no factor; give a whole number of at least 1, or WIDTHxHEIGHT such as 3x2")
    return numbers[-1], numbers[0]


def _padding(text: str) -> Any:
    if text == "same":
        return text
    numbers = [_whole(part.strip()) for part in text.split(",")]
    if len(numbers) not in (1, 2, 4) or min(numbers) < 0:
        raise ArgumentError(f"{text!r} is no padding; give same, N, VERTICAL,HORIZONTAL or TOP,BOTTOM,LEFT,RIGHT")
    if len(numbers) == 4:
        return (numbers[0], numbers[1]), (numbers[2], numbers[3])
    return (numbers[0], numbers[0]), (numbers[-1], numbers[-1])


_COLOURS = {"black": "000000", "white": "ffffff", "grey": "808080", "gray": "808080", "red": "ff0000", "green": "008000",
            "blue": "0000ff", "yellow": "ffff00", "cyan": "00ffff", "magenta": "ff00ff"}  # fmt: skip


def _colour(text: str) -> tuple[int, int, int]:
    digits = _COLOURS.get(text.lower(), text.removeprefix("#"))
    if len(digits) == 3:
        digits = "".join(2 * d for d in digits)
    try:
        red, green, blue = bytes.fromhex(digits)
    except ValueError:
        raise ArgumentError(f"{text!r} is no colour; give #rrggbb or one of {', '.join(_COLOURS)}") from None
    return red, green, blue


def _format(text: str) -> str:
    suffix = "." + text.lower().removeprefix(".")
    formats.of_suffix(suffix, text)
    return suffix


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
@click.argument("paths", nargs=-1, metavar="[INPUT OUTPUT]")
@click.option("-m", "--method", type=click.Choice(["nn", "tconv"]), default="nn", show_default=True,
              help="nn: nearest-neighbour unpooling, every value duplicated. tconv: transposed convolution, a sum of copies "
              "of a kernel.")  # fmt: skip
@click.option("-f", "--factor", type=_Parsed("factor", _factor), default="2", show_default=True, metavar="N|WxH",
              help="How many times larger; 3x2 is 3 times wider and 2 times higher. The stride of tconv.")  # fmt: skip
@click.option("-k", "--kernel", type=_Parsed("kernel", kernel_source.identify), metavar="KERNEL",
              help=f"For tconv: {kernel_source.ACCEPTED}.")  # fmt: skip
@click.option("--padding", type=_Parsed("padding", _padding), default="same", show_default=True, metavar="same|N|N,N|T,B,L,R",
              help="For tconv: what is cut off the operator's whole output. same: the output is exactly factor times the "
              "input. 0: nothing.")  # fmt: skip
@click.option("--format", type=_Parsed("format", _format), metavar="FORMAT",
              help=f"Format of an output without a suffix: {' '.join(s[1:] for s in formats.FORMATS)}. "
              "Standard output keeps the input's.")  # fmt: skip
@click.option("--background", type=_Parsed("colour", _colour), metavar="COLOUR",
              help="Lay a transparent picture on this colour: #rrggbb or a simple name.")  # fmt: skip
@click.option("--frame", type=click.IntRange(min=0), metavar="N", help="Take one frame of an animation, or one page, from 0.")
@click.option("--engine", type=click.Choice(ENGINES), default="auto", show_default=True,
              help="What computes: Numba's compiled loops, or NumPy for small pictures. The results are equal.")  # fmt: skip
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("-v", "--verbose", is_flag=True, help="Say sizes, method, engine and seconds by stage.")
@click.version_option(__version__, prog_name="upscale", message="%(prog)s %(version)s")
@click.pass_context
def command(ctx: click.Context, /, paths: tuple[str, ...], **options: Any) -> None:
    """Make a picture larger by a whole factor: INPUT is enlarged into OUTPUT, whose suffix decides its format.

    A path of - is standard input or output, and so are both when no path is given. Arrays (.npy) of shape (H, W) or
    (H, W, C) may stand for pictures.
    """
    given = {n for n in options if ctx.get_parameter_source(n) is click.core.ParameterSource.COMMANDLINE}
    if not paths:
        if sys.stdin is None or sys.stdin.isatty() or sys.stdout.isatty():
            click.echo(ctx.get_help())
            return
        paths = (DASH, DASH)
    target = _checked(paths, options, given)
    _Job(paths[0], paths[1], target, options).run()


def _checked(paths: tuple[str, ...], options: dict[str, Any], given: set[str]) -> formats.Format | None:
    """Check what can be checked before anything is read; find the output's format, None where it is the input's."""
    if len(paths) == 1:
        stem, suffix = os.path.splitext(paths[0])
        raise click.UsageError(f"OUTPUT is missing: upscale {paths[0]} {os.path.basename(stem)}_large{suffix}")
    if len(paths) > 2:
        raise click.UsageError(f"one INPUT and one OUTPUT, not {len(paths)} paths; enlarge several pictures in a loop")
    source, output = paths
    if options["method"] == "nn":
        for name in ("kernel", "padding"):
            if name in given:
                raise click.UsageError(f"--{name} goes with --method tconv, not with nn")
    elif options["kernel"] is None:
        raise click.UsageError(f"--method tconv needs --kernel: {kernel_source.ACCEPTED}")
    if options["quiet"] and options["verbose"]:
        raise click.UsageError("--quiet and --verbose exclude each other")
    if source == DASH and sys.stdin.isatty():
        raise click.UsageError("INPUT is -, but standard input is a terminal")
    if output == DASH and sys.stdout.isatty():
        raise click.UsageError("OUTPUT is -, but standard output is a terminal")
    if output != DASH and os.path.isdir(output):
        raise click.UsageError(f"OUTPUT {output} is a folder; name a file in it")
    if same_file(source, output):
        raise click.UsageError(f"OUTPUT {output} is the same file as INPUT; an input is never overwritten")

    suffix, wanted = os.path.splitext(output)[1], options["format"]
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


class _Job:
    """One picture's way from file to file."""

    def __init__(self, source: str, output: str, target: formats.Format | None, options: dict[str, Any]) -> None:
        self._source, self._output, self._target, self._options = source, output, target, options
        self._name = "standard input" if source == DASH else source
        self._stages: list[str] = []
        self._engine = "none"
        self._notices = ExitStack()

    def run(self) -> None:
        began = time.perf_counter()
        with self._stage("start"):
            from upscale import pictures
            from upscale.methods import Request, enlarge_picture

            gc.enable()  # which the entry point turned off
        options = self._options
        streamed = self._output == DASH or not is_regular(self._output)
        if not streamed:
            check_place(self._output)
        try:
            kernel = options["kernel"].load(options["factor"]) if options["kernel"] else None
        except ArgumentError as error:
            raise click.UsageError(f"--kernel {options['kernel'].text}: {error}") from None
        request = Request(options["method"], options["factor"], kernel, options["padding"])
        with self._stage("read"):
            file = read_standard_input() if self._source == DASH else self._source
            picture = pictures.read(
                file,
                self._name,
                frame=options["frame"],
                check=lambda header: self._check(header, request),
                note=self._note,
            )
        target = self._target or self._kept_format(picture.format)
        size = picture.samples.shape[:2]
        try:
            if options["background"]:
                picture = picture.flattened(options["background"])
            if kernel is not None:
                picture = picture.filterable()
            picture = pictures.fitted(picture, target, alpha_hint="lay it on a colour with --background COLOUR")
            if target.name == "GIF" and kernel is None:  # before, so that each block stays one colour
                picture = self._quantised(picture)
            with self._stage("enlarge"), self._notices:
                picture = enlarge_picture(picture, request, options["engine"], floats=target is formats.NPY, watch=self._watch)
            if target.name == "GIF":
                picture = self._quantised(picture)
        except ArgumentError as error:
            raise FileError(f"{self._name}: {error}") from error
        with self._stage("write"):
            if streamed:
                write_through(self._output, pictures.encoded(picture, target, self._output))
            else:
                with replacing(self._output) as out:
                    pictures.write(picture, target, out, self._output)
        if options["verbose"]:
            self._report(request, size, picture.samples.shape[:2], target, time.perf_counter() - began)

    def _quantised(self, picture: Any) -> Any:
        from upscale import pictures

        picture, lost = pictures.quantised(picture)
        if lost:
            self._note(lost)
        return picture

    def _kept_format(self, name: str) -> formats.Format:
        found = formats.of_name(name)
        if found is None:
            raise FileError(f"{self._name}: {name} pictures cannot be written; choose another with --format")
        return found

    def _check(self, header: "Header", request: "Request") -> None:
        """Refuse an output that the format or the memory cannot hold, before anything is allocated."""
        from upscale import memory

        height, width = request.size(header.size)
        target = self._target or self._kept_format(header.format)
        if max(height, width) > target.longest:
            raise FileError(f"would become {width}x{height}; {target.name} holds at most {target.longest} pixels a side")
        pixel = header.pixel_bytes * (
            4 if request.kernel is not None and (target is formats.NPY or header.pixel_bytes == 1) else 1
        )
        # Pillow keeps a copy of its own to encode, with colours in 4 bytes a pixel.
        need = height * width * (pixel if target is formats.NPY else pixel + max(pixel, 4 if pixel == 3 else pixel))
        have = memory.available()
        if have is not None and need > have:
            raise FileError(f"would become {width}x{height}, which takes {_gigabytes(need)}; {_gigabytes(have)} are free")

    def _watch(self, engine: Engine) -> None:
        self._engine = f"{engine.name} ({engine.why})"
        if engine.name == "numba":
            loops = engine.loops()
            if not loops.CACHED:
                self._engine += "; no cache folder can be written, so it compiles each time"
            if sys.stderr.isatty() and not self._options["quiet"]:
                from upscale.compiling import noticed

                text = "upscale: compiling a loop for this machine, once; it is kept for the next run"
                self._notices.enter_context(noticed(lambda: click.echo(text, err=True)))

    def _note(self, text: str) -> None:
        if not self._options["quiet"]:
            click.echo(f"upscale: {self._name}: {text}", err=True)

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self._stages.append(f"{name} {time.perf_counter() - began:.3f}")

    def _report(
        self,
        request: "Request",
        size: tuple[int, ...],
        out_size: tuple[int, ...],
        target: formats.Format,
        seconds: float,
    ) -> None:
        vertical, horizontal = request.factor
        method = f"{request.method}, {horizontal}x{vertical}"
        if request.kernel is not None:
            height, width = request.kernel.shape
            normalized = ", normalised" if request.kernel.normalized else ""
            method += (
                f", kernel {self._options['kernel'].text} ({width}x{height}{normalized}), padding {self._options['padding']}"
            )
        output = "standard output" if self._output == DASH else self._output
        for line in (
            f"input: {self._name}: {size[1]}x{size[0]}",
            f"output: {output}: {out_size[1]}x{out_size[0]}, {target.name}",
            f"method: {method}",
            f"engine: {self._engine}",
            *_shift_note(request),
            f"seconds: {', '.join(self._stages)}, in all {seconds:.3f}",
        ):
            click.echo(line, err=True)


def _shift_note(request: "Request") -> list[str]:
    """Say where `same` padding differs from what PyTorch's users are used to."""
    if request.kernel is None or request.padding != "same":
        return []
    from upscale.transposed import same_begin

    surplus = [max(k - f, 0) for k, f in zip(request.kernel.shape, request.factor, strict=True)]
    if not any(total % 2 for total in surplus):
        return []
    begin = [same_begin(k, f) for k, f in zip(request.kernel.shape, request.factor, strict=True)]
    mirrored = ",".join(f"{total - b},{b}" for total, b in zip(surplus, begin, strict=True))
    return [
        "padding: same cuts the smaller half off the beginning, as TensorFlow's SAME does; PyTorch's usual layer cuts the "
        f"larger half, one output pixel further: --padding {mirrored}"
    ]


def _gigabytes(number: int) -> str:
    return f"{number / 1e9:,.1f} GB"


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

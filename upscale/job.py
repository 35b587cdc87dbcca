"""One picture's way from file to file."""

import gc
import io
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from upscale import formats
from upscale.engines import Engine, Work, begin, choose
from upscale.errors import ArgumentError, FileError
from upscale.files import DASH, check_place, is_regular, read_standard_input, replacing, write_through

if TYPE_CHECKING:
    from upscale.kernel import Kernel
    from upscale.kernel_source import KernelSource
    from upscale.methods import Request
    from upscale.picture import Contents
    from upscale.transfer import Transfer
    from upscale.transposed import Operator

#: As many pixels as Pillow decodes: more are taken for an attack.
_MOST_PIXELS = 178_956_970
#: Pixels of an output that nobody means: a factor mistyped. It would fill any disk.
_MOST_OUTPUT = 1 << 36
#: Bytes of what is under way in bands.
_BANDS = 1 << 27


class Options(NamedTuple):
    """What the command line asks for; the names and values are its options'."""

    method: str
    factor: tuple[int, int] | None
    kernel: "KernelSource | None"
    normalize: bool | None
    padding: Any
    output_padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int | None
    bias: Any
    edge: str
    linear: bool
    background: tuple[int, int, int] | None
    depth: int | None
    to_rgb: bool
    quality: int | None
    lossless: bool
    compression: str
    strip: bool
    frame: int | None
    layout: str
    engine: str
    quiet: bool
    verbose: bool


class Job:
    """Enlarge one picture.

    Parameters
    ----------
    source, output : str
        Paths, or - for standard input and output.
    target : Format or None
        None keeps the input's.
    options : Options
    say : callable
        Called with each line that a user is to see.

    Attributes
    ----------
    name : str
        What errors call the source.
    output : str
    options : Options
    notices : ExitStack
        Held open while loops run, which may have to be compiled.
    """

    def __init__(
        self, source: str, output: str, target: formats.Format | None, options: Options, say: Callable[[str], None]
    ) -> None:
        self._source, self.output, self._target, self.options, self._say = source, output, target, options, say
        self.name = "standard input" if source == DASH else source
        self._stages: dict[str, float] = {}
        self._notes: list[str] = []
        self._engine = "none"
        self.notices = ExitStack()

    def run(self) -> None:
        """Read, enlarge and write.

        Raises
        ------
        ArgumentError
            Where options clash with each other or with the kernel.
        FileError
            Where a file cannot be read, enlarged or written.
        """
        began = time.perf_counter()
        with self.stage("start"):
            from upscale import pictures
            from upscale.methods import Request
            from upscale.transfer import Transfer

            gc.enable()  # which the entry point turned off
        options = self.options
        streamed = self.output == DASH or not is_regular(self.output)
        if not streamed:
            check_place(self.output)
        operator = self._operator() if options.kernel is not None else None
        request = Request(operator.factor if operator else options.factor or (2, 2), operator, options.linear)
        with pictures.opened(read_standard_input() if self._source == DASH else self._source, self.name) as stream:
            with self.stage("read"):
                source = pictures.Source(
                    stream, self.name, layout=options.layout, cut=options.depth == 8, note=self.note
                )  # fmt: skip
            target = self._target or self._kept_format(source.contents.format)
            self._check_options(target)
            work = Transfer(self, source, request, target)
            self._check(source.contents, request, target)
            self._begin_engine(source.contents, request)
            if streamed:
                buffer = io.BytesIO()
                work.run(buffer)
                write_through(self.output, buffer.getbuffer())
            else:
                with replacing(self.output) as out:
                    work.run(out)
        for note in dict.fromkeys(self._notes):  # only now: what failed has one line, its error
            self._say(note)
        if options.verbose:
            self._report(request, source.contents, work, target, time.perf_counter() - began)

    def _begin_engine(self, contents: "Contents", request: "Request") -> None:
        """Start Numba before anything is decoded, where it will be needed."""
        height, width = request.size(contents.size)
        size, pixels = height * width * contents.pixel_bytes, contents.size[0] * contents.size[1]
        if request.operator is None:
            work = Work("nn", pixels, size)
        else:
            work = Work("tconv", pixels, min(size, 4 * height * width), request.operator.taps)
        if choose(self.options.engine, work).name == "numba":
            begin()

    def _operator(self) -> "Operator":
        from upscale.methods import operator

        options, source = self.options, self.options.kernel
        assert source is not None
        with _naming(f"--kernel {source.label}"):
            kernel = source.read() or source.sampled(options.factor or (2, 2))
        if options.groups is not None or options.bias is not None:
            with _naming("--groups" if options.bias is None else "--bias"):
                kernel = self._with_more(kernel)
        with _naming(f"--kernel {source.label}"):
            return operator(
                kernel, options.factor, options.padding, output_padding=options.output_padding, dilation=options.dilation,
                edge=options.edge, normalize=options.normalize,
            )  # fmt: skip

    def _with_more(self, kernel: "Kernel") -> "Kernel":
        """Give a kernel the groups and the bias of the command line."""
        from upscale import kernel_files
        from upscale.kernel import Kernel

        groups, bias = self.options.groups or kernel.groups, self.options.bias
        if bias is None:
            bias = kernel.bias
        elif isinstance(bias[0], str):
            bias = kernel_files.read_bias(*bias)
        return Kernel(
            kernel.weights, normalized=kernel.normalized, factor=kernel.factor, padding=kernel.padding, bias=bias,
            groups=groups, title=kernel.title,
        )  # fmt: skip

    def _kept_format(self, name: str) -> formats.Format:
        found = formats.of_name(name)
        if found is None:
            raise FileError(f"{self.name}: {name} pictures cannot be written; choose another with --format")
        return found

    def _check(self, contents: "Contents", request: "Request", target: formats.Format) -> None:
        """Refuse an output that the format or the memory cannot hold, before anything is allocated."""
        from upscale import memory

        if contents.size[0] * contents.size[1] > _MOST_PIXELS and contents.format != formats.NPY.pillow:
            raise FileError(
                f"{self.name}: {contents.size[1]}x{contents.size[0]} are more than {_MOST_PIXELS} pixels: perhaps an attack"
            )
        try:
            height, width = request.size(contents.size)
        except ArgumentError as error:
            raise FileError(f"{self.name}: {error}") from error
        if max(height, width) > target.longest:
            raise FileError(
                f"{self.name}: would become {width}x{height}; {target.name} holds at most {target.longest} pixels a side"
            )
        if height * width > _MOST_OUTPUT:
            raise FileError(
                f"{self.name}: would become {width}x{height}, more than {_MOST_OUTPUT} pixels; choose a smaller factor"
            )
        pixel = contents.pixel_bytes
        need = contents.size[0] * contents.size[1] * pixel
        if target.name == "PNG":  # in bands
            need = 2 * need + min(_BANDS, 4 * height * width * pixel)
        else:
            if request.operator is not None and (target is formats.NPY or pixel == 1):
                pixel *= 4
            # Pillow keeps a copy of its own to encode, with colours in 4 bytes a pixel.
            need += height * width * (pixel if target is formats.NPY else pixel + (4 if pixel == 3 else pixel))
        have = memory.available()
        if have is not None and need > have:
            raise FileError(
                f"{self.name}: would become {width}x{height}, which takes {_gigabytes(need)}; {_gigabytes(have)} are free"
            )

    def _check_options(self, target: formats.Format) -> None:
        """Refuse options that the output's format has no use for: whoever gives one expects something of it."""
        options = self.options
        lossy = ("JPEG", "WebP", "AVIF")
        if options.lossless and target.name == "JPEG":
            raise ArgumentError("--lossless: JPEG always loses something; write .png or .webp")
        if options.quality is not None and target.name not in lossy:
            raise ArgumentError(f"--quality: {target.name} has none; it goes with {', '.join(lossy)}")
        if options.compression != "balanced" and target.name not in ("PNG", "TIFF"):
            raise ArgumentError(f"--compression: {target.name} has no choice of it; it goes with PNG and TIFF")

    def watch(self, engine: Engine) -> None:
        """Remember the engine, and have a long first compilation told on a terminal."""
        self._engine = f"{engine.name} ({engine.why})"
        if engine.name == "numba":
            loops = engine.loops()
            if not loops.CACHED:
                self._engine += "; no cache folder can be written, so it compiles each time"
            if sys.stderr.isatty() and not self.options.quiet:
                from upscale.compiling import noticed

                text = "upscale: compiling a loop for this machine, once; it is kept for the next run"
                self.notices.enter_context(noticed(lambda: self._say(text)))

    def note(self, text: str) -> None:
        """Keep a line for the user until the job has succeeded."""
        if not self.options.quiet:
            self._notes.append(" ".join(f"upscale: {self.name}: {text}".split()))

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the seconds of a block for the report."""
        began = time.perf_counter()
        yield
        self._stages[name] = self._stages.get(name, 0.0) + time.perf_counter() - began

    def _report(
        self, request: "Request", contents: "Contents", work: "Transfer", target: formats.Format, seconds: float
    ) -> None:
        size, out_size = contents.size, work.size
        frames = f", {work.total} frames" if work.total > 1 else ""
        vertical, horizontal = request.factor
        method = f"{self.options.method}, factor {horizontal}x{vertical}"
        notes = []
        if request.operator is not None:
            kernel = request.operator.kernel
            assert self.options.kernel is not None
            normalized = ", normalised" if kernel.normalized else ""
            named = f"{self.options.kernel.label} ({kernel.shape[1]}x{kernel.shape[0]}{normalized})"
            method += f", kernel {named}, padding {request.operator.padding}"
            notes = _shift_note(request.operator)
        output = "standard output" if self.output == DASH else self.output
        for line in (
            f"input: {self.name}: {size[1]}x{size[0]}",
            f"output: {output}: {out_size[1]}x{out_size[0]}, {target.name}{frames}",
            f"method: {method}",
            f"engine: {self._engine}",
            *notes,
            f"seconds: {', '.join(f'{k} {v:.3f}' for k, v in self._stages.items())}, in all {seconds:.3f}",
        ):
            self._say(" ".join(line.split()))


@contextmanager
def _naming(option: str) -> Iterator[None]:
    """Name the option in what is wrong with its value."""
    try:
        yield
    except ArgumentError as error:
        raise ArgumentError(f"{option}: {error}") from error


def _shift_note(operator: "Operator") -> list[str]:
    """Say where `same` padding differs from what PyTorch's users are used to."""
    surplus = [max(operator.surplus(i), 0) for i in (0, 1)]
    if operator.padding != "same" or not any(total % 2 for total in surplus):
        return []
    mirrored = ",".join(f"{total - operator.begin(i)},{operator.begin(i)}" for i, total in enumerate(surplus))
    return [
        "padding: same cuts the smaller half off the beginning, as TensorFlow's SAME does; PyTorch's usual layer cuts the "
        f"larger half, one output pixel further: --padding {mirrored}"
    ]


def _gigabytes(number: int) -> str:
    return f"{number / 1e9:,.1f} GB"

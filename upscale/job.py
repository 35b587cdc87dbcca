"""One picture's way from file to file."""

import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from upscale import formats
from upscale.engines import Engine
from upscale.errors import ArgumentError, FileError, KernelError
from upscale.files import DASH, check_place, is_regular, read_standard_input, replacing, write_through

if TYPE_CHECKING:
    from upscale.kernel import Kernel
    from upscale.kernel_source import KernelSource
    from upscale.methods import Enlarged, Request
    from upscale.pictures import Header, Picture
    from upscale.transposed import Operator

#: Above this share of clipped samples a user is warned.
_CLIPPED = 0.01


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
    """

    def __init__(
        self, source: str, output: str, target: formats.Format | None, options: Options, say: Callable[[str], None]
    ) -> None:
        self._source, self._output, self._target, self._options, self._say = source, output, target, options, say
        self._name = "standard input" if source == DASH else source
        self._stages: list[str] = []
        self._notes: list[str] = []
        self._engine = "none"
        self._notices = ExitStack()

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
        with self._stage("start"):
            from upscale import pictures
            from upscale.methods import Request, enlarge_picture

            gc.enable()  # which the entry point turned off
        options = self._options
        streamed = self._output == DASH or not is_regular(self._output)
        if not streamed:
            check_place(self._output)
        operator = self._operator() if options.kernel is not None else None
        request = Request(operator.factor if operator else options.factor or (2, 2), operator, options.linear)
        with self._stage("read"):
            picture = pictures.read(
                read_standard_input() if self._source == DASH else self._source, self._name, frame=options.frame,
                layout=options.layout, check=lambda header: self._check(header, request), note=self._note,
            )  # fmt: skip
        size = picture.samples.shape[:2]
        target = self._target or self._kept_format(picture.format)
        try:
            enlarged = self._enlarge(picture, request, target, enlarge_picture)
        except ArgumentError as error:
            text = str(error)
            if options.kernel is not None:
                if isinstance(error, KernelError) and options.kernel.kind == "typed":
                    raise
                text = text.replace("the kernel", f"the kernel {options.kernel.label}", 1)
            raise FileError(f"{self._name}: {text}") from error
        with self._stage("write"):
            if streamed:
                write_through(self._output, pictures.encoded(enlarged, target, self._output))
            else:
                with replacing(self._output) as out:
                    pictures.write(enlarged, target, out, self._output)
        for note in dict.fromkeys(self._notes):  # only now: what failed has one line, its error
            self._say(note)
        if options.verbose:
            self._report(request, size, enlarged.samples.shape[:2], target, time.perf_counter() - began)

    def _operator(self) -> "Operator":
        from upscale.methods import operator

        options, source = self._options, self._options.kernel
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

        groups, bias = self._options.groups or kernel.groups, self._options.bias
        if bias is None:
            bias = kernel.bias
        elif isinstance(bias[0], str):
            bias = kernel_files.read_bias(*bias)
        return Kernel(
            kernel.weights, normalized=kernel.normalized, factor=kernel.factor, padding=kernel.padding, bias=bias,
            groups=groups, title=kernel.title,
        )  # fmt: skip

    def _enlarge(
        self, picture: "Picture", request: "Request", target: formats.Format, enlarge: Callable[..., "Enlarged"]
    ) -> "Picture":
        """Convert the picture to what its target holds and enlarge it; what cannot be held is told before the work."""
        from upscale import pictures

        if self._options.background:
            picture = picture.flattened(self._options.background)
        if request.operator is not None:
            picture = picture.filterable()
        picture = pictures.fitted(picture, target)
        if target.name == "GIF" and request.operator is None:  # before, so that each block stays one colour
            picture = self._quantised(picture)
        with self._stage("enlarge"), self._notices:
            enlarged = enlarge(picture, request, self._options.engine, floats=target is formats.NPY, watch=self._watch)
        for note in enlarged.notes:
            self._note(note)
        if enlarged.clipped > _CLIPPED:
            self._note(_clipping(enlarged.clipped, request))
        picture = pictures.fitted(enlarged.picture, target)
        return self._quantised(picture) if target.name == "GIF" else picture

    def _quantised(self, picture: "Picture") -> "Picture":
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
        pixel = header.pixel_bytes
        if request.operator is not None and (target is formats.NPY or pixel == 1):
            pixel *= 4
        # Pillow keeps a copy of its own to encode, with colours in 4 bytes a pixel.
        need = height * width * (pixel if target is formats.NPY else pixel + (4 if pixel == 3 else pixel))
        have = memory.available()
        if have is not None and need > have:
            raise FileError(f"would become {width}x{height}, which takes {_gigabytes(need)}; {_gigabytes(have)} are free")

    def _watch(self, engine: Engine) -> None:
        """Remember the engine, and have a long first compilation told on a terminal."""
        self._engine = f"{engine.name} ({engine.why})"
        if engine.name == "numba":
            loops = engine.loops()
            if not loops.CACHED:
                self._engine += "; no cache folder can be written, so it compiles each time"
            if sys.stderr.isatty() and not self._options.quiet:
                from upscale.compiling import noticed

                text = "upscale: compiling a loop for this machine, once; it is kept for the next run"
                self._notices.enter_context(noticed(lambda: self._say(text)))

    def _note(self, text: str) -> None:
        if not self._options.quiet:
            self._notes.append(" ".join(f"upscale: {self._name}: {text}".split()))

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self._stages.append(f"{name} {time.perf_counter() - began:.3f}")

    def _report(
        self, request: "Request", size: tuple[int, ...], out_size: tuple[int, ...], target: formats.Format, seconds: float
    ) -> None:
        vertical, horizontal = request.factor
        method = f"{self._options.method}, factor {horizontal}x{vertical}"
        notes = []
        if request.operator is not None:
            kernel = request.operator.kernel
            assert self._options.kernel is not None
            normalized = ", normalised" if kernel.normalized else ""
            named = f"{self._options.kernel.label} ({kernel.shape[1]}x{kernel.shape[0]}{normalized})"
            method += f", kernel {named}, padding {request.operator.padding}"
            notes = _shift_note(request.operator)
        output = "standard output" if self._output == DASH else self._output
        for line in (
            f"input: {self._name}: {size[1]}x{size[0]}",
            f"output: {output}: {out_size[1]}x{out_size[0]}, {target.name}",
            f"method: {method}",
            f"engine: {self._engine}",
            *notes,
            f"seconds: {', '.join(self._stages)}, in all {seconds:.3f}",
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


def _clipping(share: float, request: "Request") -> str:
    """Say how much was clipped, and what would help."""
    assert request.operator is not None
    kernel, (vertical, horizontal) = request.operator.kernel, request.operator.factor
    if kernel.normalized:
        help = "--kernel mitchell overshoots less" if kernel.bias is None else "a smaller --bias clips less"
        return f"{share:.1%} of the samples were clipped, though the kernel's gain is 1: {help}"
    weights = kernel.weights if kernel.channels is None else kernel.weights.sum(0)
    sums = weights.sum((-2, -1)).reshape(-1) / (vertical * horizontal)
    gain = float(sums[abs(sums - 1).argmax()])
    help = "--normalize makes it 1" if abs(gain) > 1e-6 else "--bias 0.5 shows what is below 0 as well"
    return f"{share:.1%} of the samples were clipped: the kernel's gain is {gain:.3g}; {help}"


def _gigabytes(number: int) -> str:
    return f"{number / 1e9:,.1f} GB"

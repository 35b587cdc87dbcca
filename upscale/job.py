"""One picture's way from file to file."""

import gc
import io
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from upscale import formats
from upscale.engines import Engine
from upscale.errors import ArgumentError, FileError, KernelError
from upscale.files import DASH, check_place, is_regular, read_standard_input, replacing, write_through

if TYPE_CHECKING:
    from upscale.kernel import Kernel
    from upscale.kernel_source import KernelSource
    from upscale.methods import Enlarging, Request
    from upscale.picture import Contents, Frame, Picture
    from upscale.pictures import Source
    from upscale.transposed import Operator

#: Above this share of clipped samples a user is warned.
_CLIPPED = 0.01
#: As many pixels as Pillow decodes: more are taken for an attack.
_MOST_PIXELS = 178_956_970
#: Pixels of an output that nobody means: a factor mistyped. It would fill any disk.
_MOST_OUTPUT = 1 << 36
#: Bytes of a band that is computed in one go, and of what is under way in bands altogether.
_BAND, _BANDS = 1 << 24, 1 << 27


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
    """

    def __init__(
        self, source: str, output: str, target: formats.Format | None, options: Options, say: Callable[[str], None]
    ) -> None:
        self._source, self._output, self._target, self._options, self._say = source, output, target, options, say
        self._name = "standard input" if source == DASH else source
        self._stages: dict[str, float] = {}
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
            from upscale.methods import Request

            gc.enable()  # which the entry point turned off
        options = self._options
        streamed = self._output == DASH or not is_regular(self._output)
        if not streamed:
            check_place(self._output)
        operator = self._operator() if options.kernel is not None else None
        request = Request(operator.factor if operator else options.factor or (2, 2), operator, options.linear)
        with pictures.opened(read_standard_input() if self._source == DASH else self._source, self._name) as stream:
            with self._stage("read"):
                source = pictures.Source(
                    stream, self._name, layout=options.layout, cut=options.depth == 8, note=self._note
                )  # fmt: skip
            target = self._target or self._kept_format(source.contents.format)
            work = _Work(self, source, request, target)
            self._check(source.contents, request, target)
            if streamed:
                buffer = io.BytesIO()
                work.run(buffer)
                write_through(self._output, buffer.getbuffer())
            else:
                with replacing(self._output) as out:
                    work.run(out)
        for note in dict.fromkeys(self._notes):  # only now: what failed has one line, its error
            self._say(note)
        if options.verbose:
            self._report(request, source.contents, work, target, time.perf_counter() - began)

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

    def _kept_format(self, name: str) -> formats.Format:
        found = formats.of_name(name)
        if found is None:
            raise FileError(f"{self._name}: {name} pictures cannot be written; choose another with --format")
        return found

    def _check(self, contents: "Contents", request: "Request", target: formats.Format) -> None:
        """Refuse an output that the format or the memory cannot hold, before anything is allocated."""
        from upscale import memory

        if contents.size[0] * contents.size[1] > _MOST_PIXELS and contents.format != formats.NPY.pillow:
            raise FileError(
                f"{self._name}: {contents.size[1]}x{contents.size[0]} are more than {_MOST_PIXELS} pixels: perhaps an attack"
            )
        try:
            height, width = request.size(contents.size)
        except ArgumentError as error:
            raise FileError(f"{self._name}: {error}") from error
        if max(height, width) > target.longest:
            raise FileError(
                f"{self._name}: would become {width}x{height}; {target.name} holds at most {target.longest} pixels a side"
            )
        if height * width > _MOST_OUTPUT:
            raise FileError(
                f"{self._name}: would become {width}x{height}, more than {_MOST_OUTPUT} pixels; choose a smaller factor"
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
                f"{self._name}: would become {width}x{height}, which takes {_gigabytes(need)}; {_gigabytes(have)} are free"
            )

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
        self._stages[name] = self._stages.get(name, 0.0) + time.perf_counter() - began

    def _report(self, request: "Request", contents: "Contents", work: "_Work", target: formats.Format, seconds: float) -> None:
        size, out_size = contents.size, work.size
        frames = f", {work.total} frames" if work.total > 1 else ""
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
            f"output: {output}: {out_size[1]}x{out_size[0]}, {target.name}{frames}",
            f"method: {method}",
            f"engine: {self._engine}",
            *notes,
            f"seconds: {', '.join(f'{k} {v:.3f}' for k, v in self._stages.items())}, in all {seconds:.3f}",
        ):
            self._say(" ".join(line.split()))


class _Work:
    """The frames of one file on their way into another."""

    def __init__(self, job: Job, source: "Source", request: "Request", target: formats.Format) -> None:
        from upscale.fitting import Wishes

        self._job, self._source, self._request, self._target = job, source, request, target
        self._options, self._note = job._options, job._note
        self._contents = contents = source.contents
        self._wishes = Wishes(self._options.background, self._options.depth, self._options.to_rgb)
        self.size: tuple[int, ...] = (0, 0)
        self.total = self._total_of(contents)
        # The very same parts on a larger canvas are the very same animation, to the last index and tick. GIF's have
        # palettes, in which nothing can be mixed.
        alone = request.operator is None or (target.name == "PNG" and not request.operator.mixes)
        self._as_parts = (
            contents.parts is not None and target.pillow == contents.format and alone
            and self._options.frame is None and self._wishes == Wishes()
        )  # fmt: skip
        animated = contents.kind == target.several == "animation" and self._options.frame is None
        self._plays = contents.plays if animated else None
        self._turn = 1

    def _total_of(self, contents: "Contents") -> int:
        """Say how many frames come out.

        Raises
        ------
        FileError
            Where the target cannot hold them.
        """
        name, frame = self._job._name, self._options.frame
        if frame is not None:
            if contents.format == formats.NPY.pillow:
                raise FileError(f"{name}: --frame: an array has no frames")
            if not 0 <= frame < contents.total:
                raise FileError(f"{name}: --frame {frame}: it has the frames 0 to {contents.total - 1}")
            return 1
        if contents.total == 1 or contents.kind == "sizes" != self._target.several:
            return 1
        if contents.kind != self._target.several:
            raise FileError(
                f"{name}: has {contents.total} {'pages' if contents.kind == 'pages' else 'frames'}, of which "
                f"{self._target.name} holds one: name it with --frame N (0 to {contents.total - 1})"
            )
        if contents.format != self._target.pillow:
            kind = "an animated PNG (APNG)" if self._target.name == "PNG" else f"a {self._target.name} animation"
            self._note(f"becomes {kind} of {contents.total} frames")
        return contents.total

    def run(self, file: BinaryIO) -> None:
        """Decode, enlarge and encode one frame after another."""
        from upscale import pictures

        frames = self._source.frames(self._chosen())
        writer: Any = None
        for number in range(self.total):
            with self._job._stage("read"):
                frame = next(frames, None)
            if frame is None:
                raise FileError(f"{self._job._name}: damaged: frame {number} is missing")
            if writer is None:
                self._turn = pictures.orientation(frame.picture)
                if self._turn != 1 and self._as_parts:  # parts would have to be turned about the canvas
                    self._as_parts = False
                    return self.run(file)
            with self._job._notices:
                enlarging, frame = self._enlarging(frame)
                with pictures.encoding(self._job._output, self._target):
                    if writer is None:
                        writer = self._writer(file, enlarging)
                        self._add_cover(writer)
                    self._add(writer, frame, enlarging)
        with self._job._stage("write"), pictures.encoding(self._job._output, self._target):
            writer.close()

    def _chosen(self) -> "Callable[[], Iterator[Frame]]":
        contents, wanted = self._contents, self._options.frame
        if self._as_parts:
            assert contents.parts is not None
            return contents.parts
        return contents.frames if wanted is None else lambda: islice(contents.frames(), wanted, None)

    def _writer(self, file: BinaryIO, enlarging: "Enlarging") -> Any:
        from upscale import pictures
        from upscale.saving import Output

        options = self._options
        size = self._contents.size[::-1] if self._turn >= 5 else self._contents.size
        self.size = self._request.size(size) if self._as_parts else enlarging.shape[:2]
        output = Output(
            (self.size[0], self.size[1]), self.total, self._plays, options.quality, options.lossless,
            options.compression, self._request.operator is not None, options.strip,
            self._contents.extras if self._as_parts else b"",
            enlarging.loops, note=self._note,
        )  # fmt: skip
        return pictures.writer(self._target, file, output)

    def _enlarging(self, frame: "Frame") -> "tuple[Enlarging, Frame]":
        """Convert a frame to what its target holds and plan its enlargement; what cannot be held is told before the work."""
        from upscale.methods import Enlarging

        job, options = self._job, self._options
        try:
            picture = self._prepared(frame.picture)
            enlarging = Enlarging(picture, self._request, options.engine, floats=self._target is formats.NPY, watch=job._watch)
        except ArgumentError as error:
            raise self._explained(error) from error
        for note in enlarging.notes:
            self._note(note)
        vertical, horizontal = self._request.factor
        return enlarging, frame._replace(left=frame.left * horizontal, top=frame.top * vertical)

    def _explained(self, error: ArgumentError) -> Exception:
        kernel, text = self._options.kernel, str(error)
        if kernel is not None:
            if isinstance(error, KernelError) and kernel.kind == "typed":
                return error
            text = text.replace("the kernel", f"the kernel {kernel.label}", 1)
        return FileError(f"{self._job._name}: {text}")

    def _prepared(self, picture: "Picture") -> "Picture":
        from upscale import metadata, pictures
        from upscale.fitting import fitted, wished
        from upscale.modes import filterable, whole

        way = pictures.orientation(picture) if not self._as_parts and self._turns_alone() else self._turn
        height, width = self._request.size(picture.samples.shape[:2] if way < 5 else picture.samples.shape[1::-1])
        picture = pictures.upright(picture, way)
        picture = metadata.made_true(picture, (height, width), way != 1, self._note)
        if self._options.strip:
            picture = metadata.stripped(picture)
        picture = wished(picture, self._wishes)
        self._before = picture
        if self._request.operator is not None:
            picture = filterable(picture)
        picture = fitted(picture, self._target)
        if self._target.name == "GIF" and self._request.operator is None and not self._as_parts:
            picture = self._quantised(picture)  # before, so that each block stays one colour
        if self._target.name == "PNG" and self._plays is not None and not self._as_parts:
            picture = whole(picture)  # all frames must be alike
        if picture.mode == "P" and "bits" not in picture.info:
            picture = picture.with_info(bits=_index_bits(picture))
        return metadata.held(picture, self._target, self._note)

    def _turns_alone(self) -> bool:
        """Say whether each frame may be turned on its own, as pages are."""
        return self._contents.kind != "animation"

    def _quantised(self, picture: "Picture") -> "Picture":
        from upscale.palettes import quantised

        picture, lost = quantised(picture, self._before)
        if lost:
            self._note(lost)
        return picture

    def _add_cover(self, writer: Any) -> None:
        cover = self._contents.cover
        if cover is None or self._options.frame is not None:
            return
        if self._target.name != "PNG":
            self._note(f"the picture that it shows where nothing moves is no frame, and {self._target.name} does not hold it")
            return
        from upscale.picture import Frame

        enlarging, _ = self._enlarging(Frame(self._source.decoded(cover)))
        writer.add_cover(enlarging.whole())

    def _add(self, writer: Any, frame: "Frame", enlarging: "Enlarging") -> None:
        """Compute and encode one frame, in bands where the format takes them."""
        from upscale.fitting import fitted, rekeyed

        result = enlarging.result
        keyed = enlarging.blocks is None and self._before.base in ("L", "RGB") and "transparency" in self._before.info
        keyed = keyed and self._target.name == "PNG" and self._plays is None and result.base in ("LA", "RGBA")
        if self._target.name == "PNG" and result.mode in self._target.modes and not keyed:
            size = enlarging.shape[0], enlarging.shape[1]
            with self._job._stage("enlarge and write"):
                if enlarging.blocks is None:
                    writer.add_bands(frame._replace(picture=result), enlarging.bands(_BAND), size)
                else:
                    writer.add_bands(frame._replace(picture=result), [enlarging.source], size, enlarging.blocks)
        else:
            with self._job._stage("enlarge"):
                whole = enlarging.whole()
            try:
                picture = rekeyed(whole, self._before) if keyed else fitted(whole, self._target)
                if self._target.name == "GIF" and not self._as_parts:
                    picture = self._quantised(picture)
            except ArgumentError as error:
                raise self._explained(error) from error
            with self._job._stage("write"):
                writer.add(frame._replace(picture=picture))
        if enlarging.clipped > _CLIPPED:
            assert self._options.kernel is not None
            self._note(_clipping(enlarging.clipped, self._request, self._options.kernel.label))


def _index_bits(picture: "Picture") -> int:
    """Find the fewest bits that hold a picture's indices and its palette."""
    most = max(int(picture.samples.max()), len(picture.palette) - 1 if picture.palette is not None else 0)
    return next(bits for bits in (1, 2, 4, 8) if most < 1 << bits)


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


def _clipping(share: float, request: "Request", label: str) -> str:
    """Say how much was clipped by the kernel that a user calls so, and what would help."""
    assert request.operator is not None
    kernel, (vertical, horizontal) = request.operator.kernel, request.operator.factor
    if kernel.normalized:
        softer = "mitchell overshoots less" if label != "mitchell" else "bilinear does not overshoot"
        help = f"--kernel {softer}" if kernel.bias is None else "a smaller --bias clips less"
        return f"{share:.1%} of the samples were clipped, though the kernel's gain is 1: {help}"
    weights = kernel.weights if kernel.channels is None else kernel.weights.sum(0)
    sums = weights.sum((-2, -1)).reshape(-1) / (vertical * horizontal)
    gain = float(sums[abs(sums - 1).argmax()])
    help = "--normalize makes it 1" if abs(gain) > 1e-6 else "--bias 0.5 shows what is below 0 as well"
    return f"{share:.1%} of the samples were clipped: the kernel's gain is {gain:.3g}; {help}"


def _gigabytes(number: int) -> str:
    return f"{number / 1e9:,.1f} GB"

"""One picture's way from file to file."""

import contextlib
import io
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from upscale.batch.options import Options, unfit
from upscale.errors import ArgumentError, FileError, UpscaleError
from upscale.loops.engine import Engine, Work, begin, choose
from upscale.output_files import DASH, check_place, is_regular, read_standard_input, replacing, write_through
from upscale.pictures import formats

if TYPE_CHECKING:
    from upscale.batch.enlarge_frames import Transfer
    from upscale.operators.enlarge import Request
    from upscale.operators.transposed import Operator
    from upscale.pictures.picture import FileContents
    from upscale.pictures.reading import Source

#: Bytes of what is under way in bands.
_BANDS = 1 << 27
#: What `read` is told of a file's identity; it changes when somebody writes the file.
_Identity = tuple[int, int, int, int]


class Task(NamedTuple):
    """A picture and what it is to become.

    Attributes
    ----------
    source, output : str
        Paths, or - for standard input and output.
    target : Format or None
        None keeps the input's.
    protected : bool
        The output is a file that was there already, in a folder that was searched for inputs: perhaps it was made by hand. It
        is replaced with --overwrite only.
    """

    source: str
    output: str
    target: formats.Format | None
    protected: bool = False


class Result(NamedTuple):
    """What became of a task.

    Attributes
    ----------
    status : str
        "written", "skipped", "failed", or "planned" where nothing was to be done.
    error : str
        Why it failed, on one line that names the file.
    notes : tuple of str
        What a user should know.
    report : tuple of str
        All there is to tell, line by line.
    size, out_size : (int, int)
        Width and height before and after.
    format : str
    frames : int
    bytes_in, bytes_out : int
        Of the files.
    memory : int
        Bytes that it needs at most, roughly.
    engine : str
    seconds : float
    """

    status: str
    error: str = ""
    notes: tuple[str, ...] = ()
    report: tuple[str, ...] = ()
    size: tuple[int, int] = (0, 0)
    out_size: tuple[int, int] = (0, 0)
    format: str = ""
    frames: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    memory: int = 0
    engine: str = ""
    seconds: float = 0.0


class Job:
    """Enlarge one picture.

    Parameters
    ----------
    task : Task
    options : Options
    request : Request
    tell : callable
        Called with a line that a user is to see at once.
    admit : callable
        Called with the bytes that the picture needs, before they are taken.
    strict : bool
        Whether options that the output's format has no use for are an error, and not meant for other files.
    token : str
        Of `files.new_token`, for whoever has to know the unfinished file's name.

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
        self, task: Task, options: Options, request: "Request", *, tell: Callable[[str], None] | None = None,
        admit: Callable[[int], None] = lambda need: None, strict: bool = True, token: str = "",
    ) -> None:  # fmt: skip
        self._source, self.output, self._target, self._protected = task
        self.options, self._request, self._tell, self._admit, self._strict, self._token = (
            options, request, tell, admit, strict, token,
        )  # fmt: skip
        self.name = "standard input" if self._source == DASH else self._source
        self._stages: dict[str, float] = {}
        self._notes: dict[str, None] = {}
        self._engine = "none"
        self.notices = ExitStack()

    def run(self) -> Result:
        """Read, enlarge and write, as far as the options want it.

        Raises
        ------
        ArgumentError
            Where options clash with the picture's format.
        FileError
            Where a file cannot be read, enlarged or written.
        """
        began = time.perf_counter()
        with self.stage("start"):
            from upscale.batch.enlarge_frames import Transfer
            from upscale.pictures import reading
        options = self.options
        streamed = self.output == DASH or not is_regular(self.output)
        if streamed and not self._strict:  # one of many, for which nobody may wait
            raise FileError(f"{self.output}: is there, and no file that can be replaced")
        exists = not streamed and os.path.exists(self.output)
        if exists and options.no_overwrite:
            raise FileError(f"{self.output}: exists already, and --no-overwrite was given")
        outdated = exists and options.update and self._is_newer()
        if exists and options.update and not outdated and not options.skip_existing:
            return Result("skipped", seconds=time.perf_counter() - began)
        if not streamed and not options.dry_run:
            check_place(self.output)
        with reading.opened(read_standard_input() if self._source == DASH else self._source, self.name) as stream:
            identity = _identity(stream)
            with self.stage("read"):
                source = self._opened(stream)
            contents, request = source.contents, self._request
            target = self._target or self._kept_format(contents.format)
            self._check_options(target)
            work = Transfer(self, source, request, target)
            size, need = self._check(contents, request, target)
            result = Result(
                "planned", size=contents.upright_size[::-1], out_size=(size[1], size[0]), format=target.name,
                frames=work.total, bytes_in=identity[2] if identity else 0, memory=need, notes=tuple(self._notes),
            )  # fmt: skip
            if exists and options.skip_existing and not outdated and self._is_done(contents, request):
                return result._replace(status="skipped", seconds=time.perf_counter() - began)
            if exists and self._protected and not options.overwrite:
                why = ", and has another size than is asked for" if options.skip_existing else ""
                leaves = "" if options.skip_existing else ", --skip-existing leaves it"
                raise FileError(
                    f"{self.name}: its output {self.output} is there already, in a folder of inputs, and may be made by "
                    f"hand{why}: --overwrite replaces it{leaves}, or choose another folder or --name"
                )
            if options.dry_run:
                return result
            self._admit(need)
            self._begin_engine(contents, request)
            if streamed:
                buffer = io.BytesIO()
                work.run(buffer)
                write_through(self.output, buffer.getbuffer())
                written = buffer.tell()
            else:
                with replacing(self.output, self._token, overwrite=not options.no_overwrite) as out:
                    work.run(out)
                    written = out.seek(0, 2)
                    if identity != _identity(stream):
                        raise FileError(f"{self.name}: changed while it was read; nothing was written")
        seconds = time.perf_counter() - began
        return result._replace(
            status="written", notes=tuple(self._notes), report=tuple(self._report(contents, work, target, seconds)),
            out_size=(work.size[1], work.size[0]), bytes_out=written, engine=self._engine, seconds=seconds,
        )  # fmt: skip

    def _opened(self, stream: BinaryIO) -> "Source":
        from upscale.pictures import reading

        options = self.options
        return reading.Source(
            stream, self.name, layout=options.layout, allow_8_bit=options.depth == 8, max_pixels=options.max_pixels,
            note=self.note
        )  # fmt: skip

    def _is_newer(self) -> bool:
        """Say whether the source is newer than the output."""
        try:
            return os.stat(self._source).st_mtime_ns > os.stat(self.output).st_mtime_ns
        except OSError:
            return True

    def _is_done(self, contents: "FileContents", request: "Request") -> bool:
        """Return whether the output is a picture of the size that is asked for."""
        from upscale.pictures import reading

        try:
            with reading.opened(self.output, self.output) as stream:
                found = reading.Source(
                    stream, self.output, layout=self.options.layout, allow_8_bit=True, max_pixels=1 << 62,
                    note=lambda text: None,
                ).contents.upright_size  # fmt: skip
        except UpscaleError:
            return False
        return found == request.size(contents.upright_size)

    def _begin_engine(self, contents: "FileContents", request: "Request") -> None:
        """Start Numba before anything is decoded, where it will be needed."""
        height, width = request.size(contents.upright_size)
        size, pixels = height * width * contents.pixel_bytes, contents.size[0] * contents.size[1]
        if request.operator is None:
            work = Work("nn", pixels, size)
        else:
            work = Work("tconv", pixels, min(size, 4 * height * width), request.operator.taps)
        if choose(self.options.engine, work).name == "numba":
            begin()

    def _kept_format(self, name: str) -> formats.Format:
        found = formats.of_name(name)
        if found is None:
            raise FileError(f"{self.name}: {name} pictures cannot be written; choose another with --format")
        return found

    def _check(self, contents: "FileContents", request: "Request", target: formats.Format) -> tuple[tuple[int, int], int]:
        """Refuse an output that the format or the memory cannot hold, before anything is allocated.

        Returns
        -------
        ((int, int), int)
            The output's height and width, and the bytes that the picture needs.
        """
        from upscale.memory import available, in_bytes

        options = self.options
        if contents.size[0] * contents.size[1] > options.max_pixels and contents.format != formats.NPY.pillow:
            raise FileError(
                f"{self.name}: {contents.size[1]}x{contents.size[0]} are more than {options.max_pixels} pixels: perhaps an "
                "attack; --max-pixels allows more"
            )
        try:
            height, width = request.size(contents.upright_size)
        except ArgumentError as error:
            raise FileError(f"{self.name}: {error}") from error
        if max(height, width) > target.longest:
            raise FileError(
                f"{self.name}: would become {width}x{height}; {target.name} holds at most {target.longest} pixels a side"
            )
        if height * width > options.max_output_pixels:
            raise FileError(
                f"{self.name}: would become {width}x{height}, more than {options.max_output_pixels} pixels; choose a smaller "
                "factor, or allow more with --max-output-pixels"
            )
        pixel = contents.pixel_bytes
        need = contents.size[0] * contents.size[1] * pixel
        if target.name == "PNG":  # in bands
            need = 2 * need + min(_BANDS, 4 * height * width * pixel)
        else:
            if request.operator is not None and (target == formats.NPY or pixel == 1):
                pixel *= 4
            # Pillow keeps a copy of its own to encode, with colours in 4 bytes a pixel; of most animations all frames.
            kept = contents.total if target.pillow in ("WEBP", "AVIF", "ICO") and options.frame is None else 1
            need += kept * height * width * (pixel if target == formats.NPY else pixel + (4 if pixel == 3 else pixel))
        for have, what in ((available(), "are free"), (options.max_memory, "are allowed by --max-memory")):
            if have is not None and need > have:
                raise FileError(
                    f"{self.name}: would become {width}x{height}, which takes {in_bytes(need)}; {in_bytes(have)} {what}"
                )
        return (height, width), need

    def _check_options(self, target: formats.Format) -> None:
        """Refuse options that the output's format has no use for: whoever gives one expects something of it."""
        text = unfit(self.options, target)
        if text and (self._strict or self.options.lossless):
            raise ArgumentError(text)

    def watch(self, engine: Engine) -> None:
        """Remember the engine, and have a long first compilation told on a terminal."""
        self._engine = f"{engine.name} ({engine.why})"
        if engine.name == "numba":
            loops = engine.loops()
            if not loops.CACHED:
                self._engine += "; no cache folder can be written, so it compiles each time"
            if self._tell is not None:
                from upscale.loops.compile_notice import noticed

                tell = self._tell
                text = "compiling a loop for this machine, once; it is kept for the next run"
                self.notices.enter_context(noticed(lambda: tell(text)))

    def note(self, text: str) -> None:
        """Keep a line for the user until the job has succeeded."""
        self._notes[" ".join(text.split())] = None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the seconds of a block for the report."""
        began = time.perf_counter()
        yield
        self._stages[name] = self._stages.get(name, 0.0) + time.perf_counter() - began

    def _report(self, contents: "FileContents", work: "Transfer", target: formats.Format, seconds: float) -> Iterator[str]:
        request, size, out_size = self._request, contents.upright_size, work.size
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
            yield " ".join(line.split())


def _identity(stream: BinaryIO) -> _Identity | None:
    """Tell an open file's state from all others; None for what is no file on a disk."""
    with contextlib.suppress(OSError, AttributeError):
        found = os.fstat(stream.fileno())
        if stat.S_ISREG(found.st_mode):
            return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
    return None


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

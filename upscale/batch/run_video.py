"""One task whose input is a video: checked, enlarged frame by frame, written."""

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from upscale.batch import file_checks
from upscale.batch.frame_plan import FramePlan
from upscale.batch.options import Options, unused_option
from upscale.batch.run_log import RunLog, verbose_report
from upscale.batch.task import FileResult, Task
from upscale.batch.video_progress import VideoProgress
from upscale.errors import ArgumentError, FileError, prefix_errors
from upscale.loops.engine import CHOOSER
from upscale.output_files import DASH, check_place, os_error_text, replacing
from upscale.pictures import formats
from upscale.pictures.decoder_errors import file_errors
from upscale.pictures.picture import FileContents
from upscale.video import y4m
from upscale.video.layout import Planes
from upscale.video.planes import FrameEnlarger
from upscale.video.streams import enlarge_stream, memory_of

if TYPE_CHECKING:
    from upscale.operators.methods import Request
    from upscale.video.detect import OpenVideo

#: How many frames a stream is taken to have whose length is not known, for the choice of the engine.
_MANY = 100
#: Options that are about pictures, with what they are instead of their default.
_OF_PICTURES = ("background", "depth", "to_rgb", "frame")


class _Run(NamedTuple):
    """A video on its way."""

    task: Task
    options: Options
    log: RunLog
    reader: y4m.Reader
    header: y4m.Header
    enlarger: FrameEnlarger
    total: int
    streamed: bool


def run_video(
    task: Task,
    options: Options,
    request: "Request",
    log: RunLog,
    video: "OpenVideo",
    state: file_checks.OutputState,
    *,
    admit: Callable[[int], None],
    one_of_many: bool,
    token: str,
    writes: BinaryIO | None,
) -> FileResult:
    """Read, enlarge and write a video, as far as the options want it.

    Parameters
    ----------
    video : OpenVideo
    state : OutputState
        What stands at the output's path.
    task, options, request, log, admit, one_of_many, token, writes
        As of `run_task`.

    Raises
    ------
    ArgumentError
        Where options clash with the video.
    FileError
        Where it cannot be read, enlarged or written. On a pipe, frames before a damaged one were written.
    """
    began = time.perf_counter()
    target = _target_of(task)
    _check_options(task.name, options, target, one_of_many=one_of_many)
    identity = file_checks.identity(video.stream)
    with log.stage("read"), file_errors(task.name):
        reader = y4m.Reader(video.stream, video.begin)
        total = _count_frames(video.stream, reader) if identity else 0
    layout = reader.header.layout

    def watch(engine: Any, loops: Any) -> None:
        if engine.name != log.engine:
            log.use_engine(engine, loops)

    with prefix_errors(task.name, ArgumentError if not one_of_many else FileError):
        enlarger = FrameEnlarger(layout, request, options.engine, full_chroma=options.chroma == "444", watch=watch)
    if options.chroma == "444" and layout.planes == 1:
        log.note("has no chroma, so --chroma 444 changes nothing")
    for note in enlarger.notes:
        log.note(note)
    memory = memory_of(enlarger)
    plan = FramePlan(total, False, None, enlarger.result.size, memory, ())
    contents = FileContents(target.pillow, layout.size, layout.dtype.itemsize, lambda: iter(()))
    file_checks.check_limits(task.name, contents, plan, target, options)
    result = FileResult(
        "planned",
        notes=log.notes,
        started=log.started,
        size=layout.size[::-1],
        stored_size=layout.size[::-1],
        out_size=enlarger.result.size[::-1],
        format=target.name,
        frames=total,
        bytes_in=identity[2] if identity else 0,
        memory=memory,
    )
    run = _Run(task, options, log, reader, reader.header.enlarged(enlarger.result), enlarger, total, state.streamed)
    if state.may_be_done and _is_done(run):
        log.note("its output does not record its settings, so only its size was checked")
        return result._replace(status="skipped", notes=log.notes, seconds=time.perf_counter() - began)
    file_checks.check_protected(task, state, options)
    if not state.streamed and not (options.dry_run and task.protected):
        check_place(task.output)
    if options.dry_run:
        return result
    admit(memory)
    CHOOSER.expect((total or _MANY) * layout.planes)

    def check() -> None:
        file_checks.check_unchanged(task.name, identity, video.stream)
        file_checks.check_output_unchanged(task, state, options)

    with log.notices, _opened_output(task, options, state, token, writes) as out:
        frames, written = _enlarge(run, out)
        check()
    result = result._replace(
        status="written",
        notes=log.notes,
        frames=frames,
        bytes_in=reader.bytes,
        bytes_out=written,
        engine=log.engine,
        engine_reason=log.engine_reason,
        seconds=time.perf_counter() - began,
    )
    return result._replace(report=tuple(verbose_report(task, options, request, result, log)))


def _target_of(task: Task) -> formats.Format:
    found = task.target or formats.VIDEOS[".y4m"]
    if found != formats.VIDEOS[".y4m"]:
        raise FileError(f"{task.name}: is a video, which cannot be written as {found.name}; choose an OUTPUT that ends in .y4m")
    return found


def _check_options(name: str, options: Options, target: formats.Format, *, one_of_many: bool) -> None:
    """Refuse options that are about pictures."""
    text = "" if one_of_many else unused_option(options, target)
    given = [option for option in _OF_PICTURES if getattr(options, option) not in (None, False)]
    if not text and given:
        text = f"{name}: --{given[0].replace('_', '-')} does not apply to video"
    if text:
        raise FileError(text) if one_of_many else ArgumentError(text)


def _count_frames(stream: BinaryIO, reader: y4m.Reader) -> int:
    """Count the frames of a file, as if none had parameters of its own."""
    size = os.fstat(stream.fileno()).st_size - reader.bytes
    if not size:
        raise ArgumentError("is a video without frames")
    return -(-size // (reader.header.layout.frame_bytes + len(b"FRAME\n")))


def _is_done(run: _Run) -> bool:
    """Return whether the output is a complete video with the parameters and as many frames as it would get."""
    try:
        source, output = _scanned(run.task.source), _scanned(run.task.output)
    except (OSError, ArgumentError):
        return False
    return output == (run.header, source[1])


def _scanned(path: str) -> tuple[y4m.Header, int]:
    """Find a file's parameters and how many frames it has, all of them complete."""
    with open(path, "rb") as file:
        reader = y4m.Reader(file)
        while reader.skip():
            pass
    return reader.header, reader.frames


@contextlib.contextmanager
def _opened_output(
    task: Task, options: Options, state: file_checks.OutputState, token: str, writes: BinaryIO | None
) -> Iterator[BinaryIO]:
    """Open the output: a file that appears when it is complete, or a stream that gets each frame at once."""
    if writes is not None:
        yield writes
    elif not state.streamed:
        with replacing(task.output, token, overwrite=not options.no_overwrite) as file:
            yield file
    elif task.output == DASH:
        if sys.stdout is None:
            raise FileError("standard output is closed; name an OUTPUT")
        with _write_errors("standard output"):
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
    else:
        with _write_errors(task.output), open(task.output, "wb") as file:
            yield file


@contextlib.contextmanager
def _write_errors(name: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FileError(f"{name}: cannot be written: {os_error_text(error)}") from error


def _enlarge(run: _Run, out: BinaryIO) -> tuple[int, int]:
    """Enlarge all frames; return how many there are, and how many bytes were written."""
    written = 0

    def read(planes: Planes) -> bytes | None:
        with file_errors(run.task.name):
            try:
                return run.reader.read(planes)
            except ArgumentError as error:
                if not run.streamed or not run.reader.frames:
                    raise
                raise ArgumentError(f"{error}; the output ends with frame {run.reader.frames}") from error

    def write(line: bytes, planes: Planes) -> None:
        nonlocal written
        if not written:  # a stream without frames gets no header
            out.write(run.header.line())
            written = len(run.header.line())
        written += y4m.write_frame(out, line, planes)
        if run.streamed:  # another program waits for it
            out.flush()

    with run.log.stage("enlarge"), VideoProgress(run.total, shown=run.log.watched) as progress:
        frames = enlarge_stream(read, run.enlarger, write, progress.advance)
    return frames, written

"""One task whose input is a video: checked, enlarged frame by frame, written."""

import contextlib
import io
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
from upscale.choices import format_factor
from upscale.errors import ArgumentError, FileError, prefix_errors
from upscale.loops.engine import CHOOSER
from upscale.output_files import DASH, check_place, os_error_text, replacing
from upscale.pictures import formats
from upscale.pictures.decoder_errors import file_errors
from upscale.pictures.picture import FileContents
from upscale.signals import Interrupted
from upscale.video import y4m
from upscale.video.layout import Planes
from upscale.video.planes import FrameEnlarger
from upscale.video.streams import enlarge_stream, memory_of

if TYPE_CHECKING:
    from upscale.operators.requests import Requests
    from upscale.video.containers import ContainerReader
    from upscale.video.detect import OpenVideo

#: How many frames a stream is taken to have whose length is not known, for the choice of the engine.
_MANY = 100
#: How many enlarged frames encoders look ahead, at most.
_FRAMES_OF_ENCODERS = 80
#: Options that are about pictures, with what they are instead of their default.
_OF_PICTURES = ("background", "depth", "to_rgb", "frame")


class _Run(NamedTuple):
    """A video on its way."""

    task: Task
    options: Options
    log: RunLog
    target: formats.Format
    reader: "y4m.Reader | ContainerReader"
    enlarger: FrameEnlarger
    total: int
    streamed: bool


def run_video(
    task: Task,
    options: Options,
    requests: "Requests",
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
    task, options, requests, log, admit, one_of_many, token, writes
        As of `run_task`.

    Raises
    ------
    ArgumentError
        Where options clash with the video.
    FileError
        Where it cannot be read, enlarged or written. On a pipe, frames before a damaged one were written.
    """
    began = time.perf_counter()
    target = _target_of(task, is_container=not video.begin)
    _check_options(task.name, options, target, one_of_many=one_of_many)
    identity = file_checks.identity(video.stream)
    if not video.begin and state.streamed:
        raise FileError(f"{task.name}: {target.name} can only be written to a file; name an OUTPUT")
    with log.stage("read"), file_errors(task.name):
        reader, total, turned = _open(task, video, bool(identity), log.note)
    layout = reader.layout
    with prefix_errors(task.name, FileError):
        request = requests.of(_shown(layout.size, turned=turned)[::-1])
    if turned and request.factor[0] != request.factor[1]:
        raise FileError(f"{task.name}: is turned by players, so both sides need the same factor")

    def watch(engine: Any, loops: Any) -> None:
        if engine.name != log.engine:
            log.use_engine(engine, loops)

    with prefix_errors(task.name, ArgumentError if not one_of_many else FileError):
        enlarger = FrameEnlarger(layout, request, options.engine, full_chroma=options.chroma == "444", watch=watch)
    if options.chroma == "444" and layout.planes == 1:
        log.note("has no chroma, so --chroma 444 changes nothing")
    for note in enlarger.notes:
        log.note(note)
    memory = memory_of(enlarger) + (0 if video.begin else _FRAMES_OF_ENCODERS * enlarger.result.frame_bytes)
    plan = FramePlan(total, False, None, enlarger.result.size, memory, ())
    contents = FileContents(target.pillow, layout.size, layout.dtype.itemsize, lambda: iter(()))
    file_checks.check_limits(task.name, contents, plan, target, options)
    result = FileResult(
        "planned",
        notes=log.notes,
        started=log.started,
        size=_shown(layout.size, turned=turned),
        stored_size=layout.size[::-1],
        out_size=_shown(enlarger.result.size, turned=turned),
        factor=format_factor(request.factor),
        format=target.name,
        frames=total,
        bytes_in=identity[2] if identity else 0,
        memory=memory,
    )
    run = _Run(task, options, log, target, reader, enlarger, total, state.streamed)
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
        bytes_in=identity[2] if identity else getattr(reader, "bytes", 0),
        bytes_out=written,
        engine=log.engine,
        engine_reason=log.engine_reason,
        seconds=time.perf_counter() - began,
    )
    return result._replace(report=tuple(verbose_report(task, options, request, result, log)))


def _target_of(task: Task, *, is_container: bool) -> formats.Format:
    """Find the output's format: frames stay uncompressed, and encoded video stays encoded."""
    own = os.path.splitext(task.source)[1].lower() if is_container else ".y4m"
    found = task.target or formats.VIDEOS.get(own)
    if found is None or not found.video or (found == formats.VIDEOS[".y4m"]) == is_container:
        named = f" as {found.name}" if found is not None else f" as {own}"
        accepted = "in .mp4, .mkv, .mov or .webm" if is_container else "in .y4m"
        raise FileError(f"{task.name}: is a video, which cannot be written{named}; choose an OUTPUT that ends {accepted}")
    return found


def _open(
    task: Task, video: "OpenVideo", is_file: bool, note: Callable[[str], None]
) -> "tuple[y4m.Reader | ContainerReader, int, bool]":
    """Open a video; return it, how many frames it has or 0, and whether players show its rows as columns."""
    if video.begin:
        reader = y4m.Reader(video.stream, video.begin)
        return reader, _count_frames(video.stream, reader) if is_file else 0, False
    from upscale.video.containers import ContainerReader

    opened = ContainerReader(task.source)
    for what in opened.not_kept:
        note(f"it loses its {what}, which cannot be copied")
    return opened, opened.total, opened.is_turned


def _shown(size: tuple[int, int], *, turned: bool) -> tuple[int, int]:
    """Return width and height as a player shows them."""
    return size if turned else size[::-1]


def _check_options(name: str, options: Options, target: formats.Format, *, one_of_many: bool) -> None:
    """Refuse options that are about pictures."""
    text = "" if one_of_many else unused_option(options, target)
    refused = _OF_PICTURES if target == formats.VIDEOS[".y4m"] else (*_OF_PICTURES, "strip")
    given = [option for option in refused if getattr(options, option) not in (None, False)]
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
        if isinstance(run.reader, y4m.Reader):
            (header, frames), output = _scanned(run.task.source), _scanned(run.task.output)
            return output == (header.enlarged(run.enlarger.result), frames)
        there = type(run.reader)(run.task.output)
    except (OSError, ArgumentError):
        return False
    done = there.layout.size == run.enlarger.result.size and there.total == run.total
    there.close()
    return done


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
    reader = run.reader

    def read(planes: Planes) -> Any:
        with file_errors(run.task.name):
            try:
                return reader.read(planes)
            except ArgumentError as error:
                if not run.streamed or not reader.frames:
                    raise
                raise ArgumentError(f"{error}; the output ends with frame {reader.frames}") from error

    counted: Any = _Counted(out)
    with run.log.stage("enlarge"), VideoProgress(run.total, shown=run.log.watched) as progress:
        with prefix_errors(run.task.output, FileError):
            writer = _writer(run, counted)
            try:
                frames = enlarge_stream(read, run.enlarger, writer.write, progress.advance)
            except Interrupted as signalled:
                if run.streamed and counted.most:
                    signalled.left = "the output ends early"
                raise
            writer.finish()
        if not isinstance(reader, y4m.Reader):
            reader.close()
    return frames, counted.most


def _writer(run: _Run, out: BinaryIO) -> Any:
    if isinstance(run.reader, y4m.Reader):
        return y4m.Writer(out, run.reader.header.enlarged(run.enlarger.result), flushes=run.streamed)
    from upscale.video import codecs, containers, pixel_formats

    name, options = run.reader.pixel_format, run.options
    stored = pixel_formats.with_full_chroma(name) if options.chroma == "444" else name
    size = run.enlarger.result.size
    encoding = codecs.choose(run.target.name, options.codec, stored, size, crf=options.crf, lossless=options.lossless)
    return containers.ContainerWriter(out, run.target.name, run.reader, size, stored, encoding, run.log.note)


class _Counted(io.RawIOBase):
    """A file that knows how far it has been written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.most, self._at = file, 0, 0

    def write(self, data: Any) -> int:
        """Write bytes."""
        self._file.write(data)
        self._at += len(data)
        self.most = max(self.most, self._at)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position."""
        self._at = self._file.seek(offset, whence)
        return self._at

    def tell(self) -> int:
        """Return the position."""
        return self._at

    def flush(self) -> None:
        """Hand over what is buffered."""
        self._file.flush()

    def writable(self) -> bool:
        """Return that it can be written to."""
        return True

    def seekable(self) -> bool:
        """Return whether positions can be chosen."""
        return self._file.seekable()

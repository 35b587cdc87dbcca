"""One task, a file from input to output: opened, planned, checked, enlarged, written."""

import contextlib
import io
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from upscale.batch import file_checks
from upscale.batch.frame_plan import plan_frames
from upscale.batch.options import Options
from upscale.batch.run_log import RunLog, verbose_report
from upscale.batch.settings_digest import settings_digest
from upscale.batch.task import FileResult, Task
from upscale.choices import format_factor
from upscale.errors import ArgumentError, FileError
from upscale.loops.engine import CHOOSER, Work
from upscale.output_files import DASH, check_place, replacing, write_through
from upscale.pictures.output_mark import add_mark
from upscale.video.detect import find_video

if TYPE_CHECKING:
    from upscale.batch.enlarge_frames import FileRun
    from upscale.operators.methods import Request
    from upscale.operators.requests import Requests
    from upscale.pictures import reading


def run_task(
    task: Task,
    options: Options,
    requests: "Requests",
    log: RunLog,
    *,
    admit: Callable[[int], None] = lambda memory: None,
    one_of_many: bool = False,
    token: str = "",
    reads: BinaryIO | None = None,
    writes: BinaryIO | None = None,
) -> FileResult:
    """Read, enlarge and write a file, as far as the options want it.

    Parameters
    ----------
    task : Task
    options : Options
    requests : Requests
    log : RunLog
    admit : callable
        Called with the bytes that the picture needs, before they are taken; returns when they may be.
    one_of_many : bool
        Whether the file belongs to a batch: options that its format has no use for may be meant for others.
    token : str
        Of `output_files.new_token`, for whoever has to know the unfinished file's name.
    reads, writes : binary file, optional
        Open files in place of the task's source and output, whose names then only stand in messages.

    Raises
    ------
    ArgumentError
        Where options clash with the picture's format.
    FileError
        Where a file cannot be read, enlarged or written.
    """
    began = time.perf_counter()
    with log.stage("start"):
        from upscale.pictures import reading
    if writes is None:
        state = file_checks.check_output(task, options, one_of_many=one_of_many)
    else:
        state = file_checks.OutputState(streamed=True, exists=False, up_to_date=False, may_be_done=False, mark=None)
    if state.up_to_date:
        return FileResult("skipped", started=log.started, seconds=time.perf_counter() - began)
    video, source = find_video(task.source, reads)
    if video is not None:
        from upscale.batch.run_video import run_video

        with contextlib.ExitStack() as stack:
            if source == task.source != DASH:
                stack.enter_context(video.stream)
            return run_video(
                *(task, options, requests, log, video, state),
                admit=admit,
                one_of_many=one_of_many,
                token=token,
                writes=writes,
            )
    with reading.opened(source, task.name) as stream:
        identity = file_checks.identity(stream)
        run, opened = _plan(task, options, requests, log, stream, one_of_many=one_of_many)
        request = run.request
        result = _planned_result(run, identity[2] if identity else 0)
        digest = "" if options.strip else settings_digest(options, request, run.target.name)
        if file_checks.is_done(task, state, run.contents, request, digest, options):
            if state.mark is None:
                log.note("its output does not record its settings, so only its size was checked")
            return result._replace(status="skipped", notes=log.notes, seconds=time.perf_counter() - began)
        file_checks.check_protected(task, state, options)
        if not state.streamed and not (options.dry_run and task.protected):  # the folders of a batch are not made in a dry run
            check_place(task.output)
        if options.dry_run:
            return result
        admit(run.plan.memory)
        run = run._replace(numba=_starts_numba(run))

        def check() -> None:
            file_checks.check_unchanged(task.name, identity, stream)
            file_checks.check_output_unchanged(task, state, options)

        size, written = _write(run, opened, state, token, digest, check, writes)
    result = result._replace(
        status="written",
        notes=log.notes,
        out_size=size[::-1],
        bytes_out=written,
        engine=log.engine,
        engine_reason=log.engine_reason,
        seconds=time.perf_counter() - began,
    )
    return result._replace(report=tuple(verbose_report(task, options, request, result, log)))


def _planned_result(run: "FileRun", bytes_in: int) -> FileResult:
    """Return what is known of the result before anything is decoded."""
    return FileResult(
        "planned",
        notes=run.log.notes,
        started=run.log.started,
        size=run.contents.upright_size[::-1],
        stored_size=run.contents.size[::-1],
        out_size=run.plan.size[::-1],
        factor=format_factor(run.request.total_factor),
        format=run.target.name,
        frames=run.plan.total,
        bytes_in=bytes_in,
        memory=run.plan.memory,
    )


def _plan(
    task: Task, options: Options, requests: "Requests", log: RunLog, stream: BinaryIO, *, one_of_many: bool
) -> "tuple[FileRun, reading.Source]":
    """Open a picture and decide all that can be decided before it is decoded; check it against options and limits."""
    from upscale.batch.enlarge_frames import FileRun
    from upscale.pictures import reading

    with log.stage("read"):
        source = reading.Source(
            stream,
            task.name,
            layout=options.layout,
            allow_8_bit=options.depth == 8,
            max_pixels=options.max_pixels,
            note=log.note,
            reject_truncated=options.reject_truncated,
        )
    contents = source.contents
    target = file_checks.target_of(task, contents, options, log.note)
    file_checks.check_options(task.name, options, target, one_of_many=one_of_many)
    request = _request(task.name, contents.upright_size, requests, options, log)
    plan = plan_frames(task.name, contents, request, target, options)
    for note in plan.notes:
        log.note(note)
    file_checks.check_limits(task.name, contents, plan, target, options)
    return FileRun(task, options, request, target, contents, plan, log, requests), source


def _request(name: str, size: tuple[int, int], requests: "Requests", options: Options, log: RunLog) -> "Request":
    """Find the request for a file's first picture, of a height and width."""
    try:
        request = requests.of(size)
    except ArgumentError as error:
        raise FileError(f"{name}: {error}") from error
    wanted = options.target_size
    if wanted is not None and wanted.stretches(size):
        high, wide = (made / before for made, before in zip(request.size(size), size, strict=True))
        log.note(f"stretched to {wide:.4g} times the width and {high:.4g} times the height, since {wanted.label} has both")
    return request


def _write(
    run: "FileRun",
    source: "reading.Source",
    state: file_checks.OutputState,
    token: str,
    digest: str,
    check: Callable[[], None],
    writes: BinaryIO | None,
) -> tuple[tuple[int, int], int]:
    """Enlarge all frames into the output, and mark it; return its height and width, and its bytes.

    `check` is called before the output appears.
    """
    from upscale.batch.enlarge_frames import enlarge_frames

    def fill(file: BinaryIO) -> tuple[tuple[int, int], int]:
        size = enlarge_frames(run, source, file)
        if digest:
            add_mark(file, run.target, digest)
        return size, file.seek(0, 2)

    output = run.task.output
    if state.streamed:
        buffer = io.BytesIO()
        filled = fill(buffer)
        if writes is not None:
            writes.write(buffer.getbuffer())
        else:
            write_through(output, buffer.getbuffer())
        return filled
    with replacing(output, token, overwrite=not run.options.no_overwrite) as out:
        filled = fill(out)
        check()
    return filled


def _starts_numba(run: "FileRun") -> bool:
    """Start Numba before anything is decoded, if it will be needed; return whether it will."""
    (height, width), contents, operator = run.plan.size, run.contents, run.request.operator
    samples, pixels = height * width * contents.pixel_bytes, contents.size[0] * contents.size[1]
    families: tuple[str, ...]
    if operator is None:
        work, families = Work("nn", pixels, samples), ("nearest",)
    else:
        work, families = Work("tconv", pixels, min(samples, 4 * height * width), operator.taps), ("separable", "dense")
    if run.target.name == "PNG":
        work = work.for_png(samples)
    if CHOOSER.choose(run.options.engine, work).name != "numba":
        return False
    if run.options.engine != "numba" and not CHOOSER.can_start(families):
        return False
    CHOOSER.start_early()
    return True

"""Checks of one file before it is enlarged: that its output may be written, that it fits the limits and the memory."""

import contextlib
import os
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from upscale.batch.available_memory import available, format_bytes
from upscale.batch.frame_plan import FramePlan
from upscale.batch.options import Options, unused_option
from upscale.batch.task import Task
from upscale.errors import ArgumentError, FileError, UpscaleError
from upscale.output_files import DASH, is_regular
from upscale.pictures import formats
from upscale.pictures.output_mark import is_cut_off, read_mark
from upscale.pictures.picture import FileContents

if TYPE_CHECKING:
    from upscale.operators.methods import Request


#: Bits of a file's mode that allow somebody to write to it.
_WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


class OutputState(NamedTuple):
    """What stands at an output's path, and what that means for the task.

    Attributes
    ----------
    streamed : bool
        It is standard output, a pipe or a device: written to, and not replaced.
    exists : bool
        It is a file that is there.
    up_to_date : bool
        Nothing is to be done, by --update: it is there and not older than its input.
    may_be_done : bool
        Nothing is to be done, by --skip-existing, if it has the requested size and was made with the same settings.
    mark : str or None
        The digest of the settings that it was made with, or an empty text for an empty file; None where it does not show that
        this program made it.
    identity : Identity or None
        Identifies the file and its state; None if it does not exist.
    """

    streamed: bool
    exists: bool
    up_to_date: bool
    may_be_done: bool
    mark: str | None
    identity: "Identity | None" = None


def check_output(task: Task, options: Options, *, one_of_many: bool) -> OutputState:
    """Look at what is there at an output's path.

    Parameters
    ----------
    task : Task
    options : Options
    one_of_many : bool
        Whether the task belongs to a batch, in which nobody waits for the reader of a pipe.

    Raises
    ------
    FileError
        Where the output must not or cannot be written.
    """
    output = task.output
    streamed = output == DASH or not is_regular(output)
    if streamed and one_of_many:
        raise FileError(f"{output}: exists and is not a regular file; choose another name")
    exists = not streamed and os.path.exists(output)
    if exists and options.no_overwrite:
        raise FileError(f"{output}: already exists (--no-overwrite)")
    update, skip_existing = (options.update and not task.renew, options.skip_existing and not task.renew)
    outdated = exists and update and _is_newer(task.source, output)
    up_to_date = exists and update and not outdated and not skip_existing
    mark = None
    if exists and (task.protected or skip_existing):
        # An empty file, as after a power failure: there is nothing to lose.
        mark = read_mark(output, whole=False) if os.path.getsize(output) else ""
    found = _file_state(output) if exists else None
    return OutputState(streamed, exists, up_to_date, exists and skip_existing and not outdated, mark, found)


def check_protected(task: Task, state: OutputState, options: Options) -> None:
    """Refuse to replace a file that this program did not make or that was changed since, where the user did not name it.

    Raises
    ------
    FileError
        Where the output is such a file, or is read-only, and --overwrite was not given.
    """
    if not state.exists or not task.protected or options.overwrite:
        return
    why = "" if os.stat(task.output).st_mode & _WRITABLE else "is read-only"
    if not why and (state.mark is None or (state.mark and read_mark(task.output, whole=True) is None)):
        why = "is not recognised as an unchanged output of upscale"
        if options.skip_existing:
            why += ", nor as a complete picture of the right size"
    if why:
        raise FileError(
            f"{task.name}: its output {task.output} already exists and {why}; "
            "replace it with --overwrite, or choose another folder or --name"
        )


def _is_newer(source: str, output: str) -> bool:
    try:
        return os.stat(source).st_mtime_ns > os.stat(output).st_mtime_ns
    except OSError:
        return True


def is_done(task: Task, state: OutputState, contents: FileContents, request: "Request", digest: str, options: Options) -> bool:
    """Return whether --skip-existing leaves an output: it has the right size, and no other settings."""
    if not state.may_be_done or state.mark not in (None, digest):
        return False
    if state.mark is None and is_cut_off(task.output):
        return False
    from upscale.pictures import reading

    output, quiet = task.output, lambda text: None
    try:
        with reading.opened(output, output) as stream:
            found = reading.Source(stream, output, layout=options.layout, allow_8_bit=True, max_pixels=1 << 62, note=quiet)
    except UpscaleError:
        return False
    return found.contents.upright_size == request.size(contents.upright_size)


def target_of(task: Task, contents: FileContents, options: Options, note: Callable[[str], None]) -> formats.Format:
    """Find the output's format: the task's, or that of the input; on standard output another one if that cannot be written.

    Raises
    ------
    FileError
        Where the input's format cannot be written.
    """
    found = task.target or formats.of_name(contents.format)
    if found is None and task.output == DASH:
        found = formats.substitute(contents.mode, contents.kind, to_rgb=options.to_rgb)
        note(f"{contents.format} can be read but not written: the output is {found.name}")
    if found is None:
        raise FileError(f"{task.name}: {contents.format} cannot be written; choose another format with --format")
    if found.video:
        raise FileError(f"{task.name}: is a picture, which cannot be written as {found.name}; choose a format for pictures")
    return found


def check_options(name: str, options: Options, target: formats.Format, *, one_of_many: bool) -> None:
    """Refuse options that the output's format has no use for, unless they may be meant for other files of a batch.

    Raises
    ------
    ArgumentError
        If there is one.
    FileError
        If --lossless does not apply to one of many files.
    """
    text = unused_option(options, target)
    if text and one_of_many and options.lossless:
        raise FileError(f"{name}: {text}")
    if text and not one_of_many:
        raise ArgumentError(text)


def check_limits(name: str, contents: FileContents, plan: FramePlan, target: formats.Format, options: Options) -> None:
    """Refuse an input or output that is larger than the limits, the format or the memory allow.

    Raises
    ------
    FileError
        Where it is; nothing was allocated.
    """
    if contents.size[0] * contents.size[1] > options.max_pixels and contents.format != formats.NPY.pillow:
        raise FileError(
            f"{name}: {contents.size[1]}x{contents.size[0]} is more than {options.max_pixels:,} pixels: possible "
            "decompression bomb; if you trust it, raise --max-pixels"
        )
    height, width = plan.size
    if max(height, width) > target.longest:
        raise FileError(
            f"{name}: the output would be {width}x{height}; {target.name} is limited to {target.longest} "
            "pixels a side; choose another format"
        )
    if height * width > options.max_output_pixels:
        raise FileError(
            f"{name}: would become {width}x{height}, more than {options.max_output_pixels} pixels; choose a smaller "
            "factor, or raise --max-output-pixels"
        )
    allowed = ((available(), "are free; choose a smaller factor"), (options.max_memory, "are allowed; raise --max-memory"))
    for have, what in allowed:
        if have is not None and plan.memory > have:
            raise FileError(
                f"{name}: would become {width}x{height}, which needs {format_bytes(plan.memory)} of memory; "
                f"{format_bytes(have)} {what}"
            )


#: Device, inode, size and time of a file: they change when somebody writes it.
Identity = tuple[int, int, int, int]


def identity(stream: BinaryIO) -> Identity | None:
    """Return the identity and state of an open file; None if it is not a file on a disk."""
    with contextlib.suppress(OSError, AttributeError):
        found = os.fstat(stream.fileno())
        if stat.S_ISREG(found.st_mode):
            return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
    return None


def _file_state(path: str) -> Identity | None:
    try:
        with open(path, "rb") as file:
            return identity(file)
    except OSError:  # it cannot be read
        return None


def check_output_unchanged(task: Task, state: OutputState, options: Options) -> None:
    """Check that nobody else wrote an output's place while the output was computed; another batch may have.

    Raises
    ------
    FileError
        Where somebody did, and the place is protected.
    """
    if not task.protected or options.overwrite or not os.path.lexists(task.output):
        return
    if (not state.exists or _file_state(task.output) != state.identity) and read_mark(task.output, whole=True) is None:
        raise FileError(
            f"{task.name}: its output {task.output} was written by another program in the meantime, so it is kept; "
            "--overwrite replaces it"
        )


def check_unchanged(name: str, before: Identity | None, stream: BinaryIO) -> None:
    """Check that nobody wrote a file while it was read.

    Raises
    ------
    FileError
        Where somebody did.
    """
    if before != identity(stream):
        raise FileError(f"{name}: changed while being read; nothing was written, try again")

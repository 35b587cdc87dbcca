"""The report of a batch for users and scripts: progress bar, lines, JSON, and the totals at the end."""

import contextlib
import json
import re
import sys
import time
from typing import Any

import click

from upscale import __version__
from upscale.batch.available_memory import format_bytes
from upscale.batch.plan import Plan
from upscale.batch.task import FileResult, Task
from upscale.choices import pluralize
from upscale.errors import FileError
from upscale.output_files import os_error_text

#: What the verbose report says of files that are not inputs, by their status in JSON.
IGNORED = {"not a picture": "not a picture", "named as an output": "named as an output, ignored"}


def one_line(text: str) -> str:
    """Make a text fit one line on any screen: names may hold line ends, commands for terminals, and bytes that are not text."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in " ".join(text.split()))


def line_of_json(task: Task, result: FileResult) -> str:
    """Describe a result as one JSON object; docs/batch.md lists the keys."""
    values: dict[str, Any] = {"input": task.source, "output": task.output, "status": result.status, "version": __version__}
    if result.started:
        values["started"] = result.started
    if result.error:
        values["error"] = one_line(result.error)
    if result.notes:
        values["notes"] = [one_line(n) for n in result.notes]
    if result.format:
        values |= {
            "size": result.size,
            "stored_size": result.stored_size,
            "output_size": result.out_size,
            "factor": result.factor,
            "format": result.format,
            "frames": result.frames,
            "bytes": result.bytes_in,
            "memory": result.memory,
        }
    if result.status == "written":
        values |= {"output_bytes": result.bytes_out, "engine": result.engine}
        if result.engine_reason:
            values["engine_reason"] = result.engine_reason
    if result.seconds:
        values["seconds"] = round(result.seconds, 4)
    return json.dumps(values)


class Report:
    """Report results as they come, and the totals.

    Parameters
    ----------
    plan : Plan
    quiet, verbose, json : bool
    dry_run : bool

    Attributes
    ----------
    failed : int
        How many tasks and inputs have failed.
    notices : bool
        Whether a user looks on who wants to know what takes long.
    """

    def __init__(self, plan: Plan, *, quiet: bool, verbose: bool, json: bool, dry_run: bool) -> None:
        self._plan = plan
        self._quiet, self._verbose, self._json, self._dry_run = quiet, verbose, json, dry_run
        self.notices = not quiet and sys.stderr is not None and sys.stderr.isatty()
        self._counts = {"written": 0, "planned": 0, "skipped": 0, "failed": 0}
        self._errors: dict[str, list[str]] = {}
        self._notes: dict[str, list[str]] = {}
        self._shown: set[str] = set()
        self._planned: dict[str, str] = {}
        self._bytes = self._pixels = self._most_memory = 0
        self._began = time.perf_counter()
        self._bar: Any = None

    @property
    def failed(self) -> int:
        """How many tasks and inputs have failed."""
        return self._counts["failed"]

    def begin(self) -> None:
        """Print what the plan already says, and begin the progress bar."""
        plan = self._plan
        self._sizes = dict(zip((t.output for t in plan.tasks), plan.sizes, strict=True))
        for note in plan.notes:
            self._line(f"upscale: {note}")
        for name, error in plan.failed:
            self.result(Task(name, "", None), FileResult("failed", error))
        for status, names in (("not a picture", plan.others), ("named as an output", plan.results)):
            for name in names:
                if self._json:
                    print_line(ignored_json(name, status))
                if self._verbose:
                    self._line(f"{name}: {IGNORED[status]}")
        shared = self._json and sys.stdout is not None and sys.stdout.isatty()  # with the JSON lines
        if self.notices and not shared and not self._dry_run and plan.tasks:
            self._bar = click.progressbar(
                length=max(1, sum(plan.sizes) + len(plan.sizes)),
                file=sys.stderr,
                show_percent=True,
                show_eta=True,
                item_show_func=lambda item: item,
                bar_template="%(bar)s %(info)s",
                width=24,
            )
            self._bar.__enter__()
            self._bar.render_progress()

    def result(self, task: Task, result: FileResult) -> None:
        """Report what came of a task."""
        self._counts[result.status] += 1
        self._bytes += result.bytes_out
        self._most_memory = max(self._most_memory, result.memory)
        if result.status in ("written", "planned"):
            self._pixels += result.out_size[0] * result.out_size[1] * result.frames
        if result.error:
            self._errors.setdefault(self._cause(result.error), []).append(one_line(f"upscale: {result.error}"))
        if self._json:
            print_line(line_of_json(task, result))
        elif self._dry_run and not result.error:
            self._planned[task.output] = planned(task, result)
        if self._verbose and not self._dry_run and not result.error:
            self._line(verbose_line(task, result))
        for note in result.notes:
            if self._verbose:
                self._line(f"upscale: {task.source}: {note}")
            else:
                self._notes.setdefault(kind_of_note(note), []).append(f"{task.source}: {note}")
        if self._bar is not None:
            self._bar.update(self._sizes.get(task.output, 0) + 1, self._position())

    def tick(self) -> None:
        """Move the progress bar's clock."""
        if self._bar is not None:
            self._bar.update(0, self._position())

    def notice(self, text: str) -> None:
        """Print a line for the user at once, and once only."""
        if text not in self._shown:
            self._shown.add(text)
            self._line(f"upscale: {text}")

    def end(self, ending: str = "") -> None:
        """Print notes, errors and totals; `ending` says what cut the batch short."""
        if self._bar is not None:
            self._bar.render_finish()
            self._bar = None
        for task in self._plan.tasks:  # in their order, and not in that in which they were looked at
            if task.output in self._planned:
                print_line(one_line(self._planned[task.output]))
        if not self._quiet:
            for texts in self._notes.values():
                more = f" (and {pluralize(len(texts) - 1, 'more file')})" if len(texts) > 1 else ""
                self._line(f"upscale: {texts[0]}{more}")
        with contextlib.suppress(OSError):
            for texts in self._errors.values():
                more = f" (and {pluralize(len(texts) - 1, 'more file')})" if len(texts) > 1 else ""
                click.echo(texts[0] + more, err=True)
        self._line(f"upscale: {self._totals(ending)}")

    def _cause(self, error: str) -> str:
        """Return what an error has in common with those of other files.

        A --max-memory that is too small has the same cause for every file. What is wrong with a file itself stays a line of its
        own, since a user needs its name.
        """
        return "--max-memory" if "--max-memory" in error and not self._verbose else error

    def _totals(self, ending: str) -> str:
        counts = self._counts
        seconds = max(time.perf_counter() - self._began, 1e-9)
        done = "planned" if self._dry_run else "written"
        parts = [f"{counts[done]} {'to be written' if self._dry_run else done}"]
        parts += [f"{counts[k]} {k}" for k in ("skipped", "failed") if counts[k]]
        undone = len(self._plan.tasks) + len(self._plan.failed) - sum(counts.values())
        others = len(self._plan.others)
        parts += [f"{undone} not done"] if undone else []
        parts += [f"{others} not {'a picture' if others == 1 else 'pictures'}"] if others else []
        named = len(self._plan.results)
        parts += [f"{named} ignored (named as {'an output' if named == 1 else 'outputs'})"] if named else []
        text = f"{ending}{', '.join(parts)}"
        megapixels = self._pixels / 1e6
        if self._dry_run:
            return f"{text}; {megapixels:,.4g} megapixels, at most {format_bytes(self._most_memory)} of memory for one picture"
        if counts["written"]:
            text += f"; {format_bytes(self._bytes)}, {megapixels:,.4g} megapixels in {seconds:.3g} s: "
            text += f"{format_bytes(self._bytes / seconds)}/s, {megapixels / seconds:,.3g} megapixels/s"
        return text

    def _position(self) -> str:
        done, rate = sum(self._counts.values()), self._pixels / 1e6 / max(time.perf_counter() - self._began, 1e-9)
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{done}/{len(self._plan.tasks) + len(self._plan.failed)}{failed}, {rate:,.3g} megapixels/s"

    def _line(self, text: str) -> None:
        """Write a line for people, above the progress bar; that nobody reads it is no reason to stop."""
        if self._quiet:
            return
        with contextlib.suppress(OSError):
            if self._bar is not None:
                click.echo("\r\033[K", err=True, nl=False)
            click.echo(one_line(text), err=True)
            if self._bar is not None:
                self._bar.update(0, self._position())


def print_line(text: str) -> None:
    """Write a line for scripts, at once.

    Raises
    ------
    FileError
        Where standard output cannot be written.
    BrokenPipeError
        Where its reader has gone.
    """
    try:
        click.echo(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FileError(f"standard output: cannot be written: {os_error_text(error)}") from error


def kind_of_note(note: str) -> str:
    """Return what a note has in common with those of other files."""
    return re.sub(r"[\d.]+", "0", note)


def ignored_json(name: str, status: str) -> str:
    """Describe a file that is no input as one JSON object."""
    return json.dumps({"input": name, "status": status})


def verbose_line(task: Task, result: FileResult) -> str:
    """Describe what came of a picture, and how."""
    if result.status == "skipped":
        return planned(task, result)
    sizes = f"{size_text(result.size)}{result.stored_as} -> {size_text(result.out_size)}"
    engine = f"{result.seconds:.3f} s, {result.engine_and_reason}"
    return f"{task.source} -> {task.output}: {sizes}, factor {result.factor}, {result.format}, {engine}"


def planned(task: Task, result: FileResult) -> str:
    """Describe what would become of a picture."""
    source, output = task.source, task.output
    if result.format:  # the input was opened
        source += f" ({size_text(result.size)}{result.stored_as})"
        output += f" ({size_text(result.out_size)}, factor {result.factor}, {result.format})"
    if result.status == "skipped":
        return f"{source} -> {output}: skipped, already exists"
    return f"{source} -> {output}, {format_bytes(result.memory)} of memory"


def size_text(size: tuple[int, int]) -> str:
    """Write width and height."""
    return f"{size[0]}x{size[1]}"

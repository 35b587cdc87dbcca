"""The report of watching for users and scripts: a line for each file at once, and the totals at the end."""

import contextlib
import sys

import click

from upscale.batch.available_memory import format_bytes
from upscale.batch.report import (
    IGNORED,
    ignored_json,
    kind_of_note,
    line_of_json,
    one_line,
    print_line,
    size_text,
    verbose_line,
)
from upscale.batch.task import FileResult, Task


class WatchReport:
    """Report results as they come, and the totals.

    What it keeps does not grow with the number of files.

    Parameters
    ----------
    quiet, verbose, json : bool

    Attributes
    ----------
    notices : bool
        Whether a user looks on who wants to know what takes long.
    """

    def __init__(self, *, quiet: bool, verbose: bool, json: bool) -> None:
        self._quiet, self._verbose, self._json = quiet, verbose, json
        self.notices = not quiet and sys.stderr is not None and sys.stderr.isatty()
        self._written = self._skipped = self._bytes = self._pixels = 0
        self._kinds: set[str] = set()  # of notes
        self._last_error = ""

    def line(self, text: str) -> None:
        """Print a line for people; that nobody reads it is no reason to stop."""
        if not self._quiet:
            _say(text)

    def note(self, text: str) -> None:
        """Print a line for people, unless one of its kind was printed before."""
        self._note(text, text, always=False)

    def _note(self, note: str, text: str, *, always: bool) -> None:
        kind = kind_of_note(note)
        if always or kind not in self._kinds:
            self._kinds.add(kind)
            self.line(f"upscale: {text}")

    def notice(self, text: str) -> None:
        """Print a line about what takes long, once."""
        self.note(text)

    def tick(self) -> None:
        """Do nothing: there is no bar that moves."""

    def result(self, task: Task, result: FileResult) -> None:
        """Report what came of a file."""
        if self._json:
            print_line(line_of_json(task, result))
        if result.error:
            if result.error != self._last_error:  # that of several files at once
                _say(f"upscale: {result.error}")
            self._last_error = result.error
            return
        self._last_error = ""
        if result.status == "written":
            self._written += 1
            self._bytes += result.bytes_out
            self._pixels += result.out_size[0] * result.out_size[1] * result.frames
        else:
            self._skipped += 1
        if self._verbose:
            self.line(verbose_line(task, result))
        elif result.status == "written" and not self._json:
            sizes = f": {size_text(result.size)} -> {size_text(result.out_size)}" if result.format else ""
            self.line(f"{task.source} -> {task.output}{sizes}")
        for note in result.notes:
            self._note(note, f"{task.source}: {note}", always=self._verbose)

    def ignored(self, name: str, status: str) -> None:
        """Report a file that is no input."""
        if self._json:
            print_line(ignored_json(name, status))
        if self._verbose:
            self.line(f"{name}: {IGNORED[status]}")

    def end(self, ending: str, failed: int, unfinished: int) -> None:
        """Print the totals.

        Parameters
        ----------
        ending : str
            What has ended the watching.
        failed, unfinished : int
            How many of the files that are there could not be enlarged, and how many were not.
        """
        counts = {"written": self._written, "skipped": self._skipped, "failed": failed, "not done": unfinished}
        text = ", ".join(f"{number} {what}" for what, number in counts.items() if number or what == "written")
        if self._written:
            text += f"; {format_bytes(self._bytes)}, {self._pixels / 1e6:,.4g} megapixels"
        self.line(f"upscale: {ending}: {text}")


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        click.echo(one_line(text), err=True)

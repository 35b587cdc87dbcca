"""Watch folders: enlarge the pictures in them, then those that come or change, until a signal asks to end.

Events of the file system only say that something has changed. What there is to be done comes from looking at the folders, as
every batch does, so that events that are lost, or that a file system does not have, cost time and nothing else.
"""

import os
import stat
import time
from collections.abc import Collection, Hashable, Iterable
from typing import NamedTuple, NoReturn

from upscale.batch import plan
from upscale.batch.find_inputs import file_id
from upscale.batch.folder_events import FolderEvents
from upscale.batch.local import Batch
from upscale.batch.options import Options
from upscale.batch.task import FileResult, Task
from upscale.batch.watch import FileState, Watch
from upscale.batch.watch_report import WatchReport

#: Seconds between two steps: while files may become complete, and otherwise.
_SOON, _TICK = 0.05, 0.25
#: Seconds between two looks at folders whose events are reported, and at those of which none are.
_LOOKS, _LOOKS_WITHOUT_EVENTS = 10.0, 1.0
#: The share of the time that looking at large folders may take.
_LOOKING = 0.1
#: Seconds without work after which all processes but one end.
_REST = 30.0


class _Item(NamedTuple):
    """What is to be done about a file.

    Attributes
    ----------
    task : Task
        Without an output where there is nothing to be enlarged.
    error : str
        Why it cannot be enlarged, whatever it contains.
    ignored : str
        Why it is no input.
    """

    task: Task
    error: str = ""
    ignored: str = ""


class _Folder:
    """A folder that is watched, which may come and go."""

    def __init__(self, path: str, recursive: bool) -> None:
        self.path = path
        self._recursive = recursive
        self._id: tuple[int, int] | None = None
        self.events: FolderEvents | None = None

    def check(self, batch: Batch) -> str:
        """Look whether the folder is there, and listen to its events if so; return what has become of it: gone, back or new."""
        found = file_id(self.path) if os.path.isdir(self.path) else None
        before = self._id
        if found == before and not (found and self.events and self.events.lost):
            return ""
        self.stop()
        self._id = found
        if found is None:
            return "gone"
        self.events = FolderEvents(self.path, self._recursive, batch.wake)
        return "new" if before else "back"

    @property
    def is_there(self) -> bool:
        return self._id is not None

    def stop(self) -> None:
        if self.events is not None:
            self.events.stop()
            self.events = None


class FolderWatch:
    """Enlarge what is in folders, and what comes.

    Parameters
    ----------
    folders : iterable of str
        Must exist when watching begins.
    naming : Naming
    options : Options
    recursive : bool
        Whether folders in folders are watched.
    forbidden : collection of str
        Other files that must not be written over.
    report : WatchReport

    Attributes
    ----------
    files : Watch
        What is known of the files.
    """

    def __init__(
        self,
        folders: Iterable[str],
        naming: plan.Naming,
        options: Options,
        *,
        recursive: bool,
        forbidden: Collection[str],
        report: WatchReport,
    ) -> None:
        self.files = Watch()
        self.notices = report.notices
        self._folders = [_Folder(folder, recursive) for folder in folders]
        self._naming, self._options, self._recursive, self._forbidden = naming, options, recursive, forbidden
        self._report = report
        self._items: dict[Hashable, _Item] = {}
        # The outputs that were written, as they were then: formats without a mark cannot show that nobody has changed them.
        self._outputs: dict[str, FileState | None] = {}
        self._anew = True  # the next look is the first one, or the first one after a folder was gone
        self._next_look = self._earliest_look = 0.0
        self._said = self._noted = False

    def run(self, threads: int) -> NoReturn:
        """Watch until a signal comes.

        Parameters
        ----------
        threads : int
            How many threads may work at once, and at most as many processes.

        Raises
        ------
        Interrupted
            Where a signal asks to end.
        """
        empty = plan.Plan([], [], [], [], [], [])
        batch = Batch(empty, self._options, threads, fail_fast=False, report=self)
        worked = time.monotonic()
        try:
            with batch:
                while True:
                    self._check_folders(batch)
                    if self._is_look_due():
                        self._look()
                    self._begin(batch)
                    if batch.busy:
                        worked = time.monotonic()
                    elif time.monotonic() - worked > _REST:
                        batch.rest()
                    batch.step(_SOON if self.files.waiting and batch.free else _TICK)
        finally:
            for folder in self._folders:
                folder.stop()

    def result(self, task: Task, result: FileResult) -> None:
        """Receive what came of a task."""
        if result.status == "written":
            self._outputs[task.output] = _state(task.output)
        if self.files.end(_key(task), _state(task.source), result.error, time.monotonic()):
            self._report.result(task, result)

    def notice(self, text: str) -> None:
        """Receive a line for the user."""
        self._report.notice(text)

    def tick(self) -> None:
        """Do nothing: the report has nothing that moves."""

    def _check_folders(self, batch: Batch) -> None:
        for folder in self._folders:
            became = folder.check(batch)
            if became == "gone":
                self._report.line(f"upscale: {folder.path}: the folder is gone; waiting for it to return")
            elif became:
                if became == "back" and self._said:
                    self._report.line(f"upscale: {folder.path}: the folder is back")
                self._anew, self._next_look = True, 0.0
        events = [folder.events for folder in self._folders if folder.events is not None]
        if not self._noted and (errors := [e.error for e in events if e.error]):
            self._noted = True
            self._report.line(
                f"upscale: the system reports no changes ({errors[0]}); the folders are looked through every second instead"
            )
        if not self._said and all(e.listening or e.error for e in events):
            self._said = True
            names = ", ".join(folder.path for folder in self._folders)
            self._report.line(f"upscale: watching {names}; Ctrl-C ends it")

    def _is_look_due(self) -> bool:
        events = [folder.events for folder in self._folders if folder.events is not None]
        now = time.monotonic()
        if now < self._earliest_look or not events:
            return False
        return now >= self._next_look or any(e.changed for e in events)

    def _look(self) -> None:
        """Look at all files that are there."""
        began = time.monotonic()
        for folder in self._folders:
            if folder.events is not None:
                folder.events.changed = False  # before looking: what changes while looking calls for another look
        paths = [folder.path for folder in self._folders]
        in_place = file_id(self._naming.output) in (file_id(path) for path in paths)
        found = plan.make(paths, self._naming, recursive=self._recursive, forbidden=self._forbidden, watching=True)
        for note in found.notes:
            self._report.note(note)
        items = [_Item(task) for task in found.tasks]
        items += [_Item(Task(name, "", None), error=error) for name, error in found.failed]
        for status, names in (("not a picture", found.others), ("named as an output", found.results)):
            items += [_Item(Task(name, "", None), ignored=status) for name in names]
        if in_place:
            outputs = {_place(output) for output in self._outputs}
            items = [item for item in items if _place(item.task.source) not in outputs]
        states = {_key(item.task): (item, state) for item in items if (state := _state(item.task.source))}
        # If a folder has gone, perhaps just now, nothing is known of what was in it.
        gone = tuple(os.path.join(path, "") for path in paths if not os.path.isdir(path))
        unseen = {key: item for key, item in self._items.items() if item.task.source.startswith(gone)}
        self._items = unseen | {key: item for key, (item, _) in states.items()}
        now = time.monotonic()
        self.files.look({key: state for key, (_, state) in states.items()}, now, anew=self._anew, unseen=unseen)
        self._forget_outputs(in_place)
        self._anew = False
        took = time.monotonic() - began
        has_events = all(folder.events is not None and not folder.events.error for folder in self._folders)
        self._earliest_look = now + took / _LOOKING
        self._next_look = max(self._earliest_look, now + (_LOOKS if has_events else _LOOKS_WITHOUT_EVENTS))

    def _forget_outputs(self, in_place: bool) -> None:
        """Forget outputs whose inputs are gone; where they could be taken for inputs, only when they are gone themselves."""
        made = {item.task.output for item in self._items.values()}
        for output in [output for output in self._outputs if output not in made]:
            if not (in_place and os.path.lexists(output)):
                del self._outputs[output]

    def _begin(self, batch: Batch) -> None:
        """Begin what is complete, as far as processes are free."""
        while batch.free and (ready := self.files.ready(now := time.monotonic(), batch.free)):
            for key in ready:
                item = self._items.get(key)
                # It may have changed since the last look, or have gone and returned.
                if not self.files.see(key, _state(item.task.source) if item is not None else None, now) or item is None:
                    continue
                renew = self.files.begin(key)
                if item.error or item.ignored:
                    self._end_without_work(key, item)
                    continue
                output = item.task.output
                is_own = self._outputs.get(output) == _state(output) is not None
                batch.begin(item.task._replace(renew=renew, protected=not is_own), self.files.waiting)

    def _end_without_work(self, key: Hashable, item: _Item) -> None:
        reported = self.files.end(key, _state(item.task.source), item.error, time.monotonic())
        if item.ignored:
            self._report.ignored(item.task.source, item.ignored)
        elif reported:
            self._report.result(item.task, FileResult("failed", item.error))


def _key(task: Task) -> Hashable:
    return task.source, task.output


def _place(path: str) -> str:
    """Name a file in one way only, however its folder is named."""
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)


def _state(path: str) -> FileState | None:
    """Look at a file; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        try:
            found = os.lstat(path)  # a link that leads nowhere
        except (OSError, ValueError):
            return None
    modified = found.st_mtime_ns if stat.S_ISREG(found.st_mode) else 0
    return FileState(found.st_size, modified, found.st_ino, os.access(path, os.R_OK))

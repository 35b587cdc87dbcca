"""Which files of watched folders are to be enlarged, and when: those that are new or have changed, once they are complete.

All that is known here was seen by others: nothing in this module opens a file, looks at the clock or waits.
"""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

#: Seconds for which a file must not change before it is taken to be complete; the second one is for each byte, since what takes
#: long to copy also stalls for longer, and the last one is the most.
_QUIET, _QUIET_PER_BYTE, _LONGEST_QUIET = 0.3, 1 / 20e6, 5.0


class FileState(NamedTuple):
    """What is seen of a file without opening it; it differs where the file may have other contents.

    Attributes
    ----------
    size : int
        Bytes.
    modified : int
        Nanoseconds.
    number : int
        Of the file in its file system, which is another one where a new file was renamed into its place.
    readable : bool
        Whether it may be opened.
    """

    size: int
    modified: int
    number: int = 0
    readable: bool = True


def quiet_time(size: int) -> float:
    """Return for how many seconds a file of so many bytes must not change before it is taken to be complete.

    An empty file is one whose copying has just begun, as far as one can know.
    """
    return min(_QUIET + size * _QUIET_PER_BYTE, _LONGEST_QUIET) if size else _LONGEST_QUIET


@dataclass(slots=True)
class _File:
    """A file that is there.

    Attributes
    ----------
    state : FileState
    since : float
        When it was first seen in this state.
    is_renewed : bool
        It has come or changed while it was watched.
    done : FileState or None
        In which it was begun last.
    running : bool
        It has been begun, and its result is not known.
    error : str
        What was reported of it last, if that was a failure.
    """

    state: FileState
    since: float
    is_renewed: bool
    done: FileState | None = None
    running: bool = False
    error: str = ""


class Watch:
    """The files that are watched. A key stands for an input and what it is to become.

    Times are seconds of any clock that never goes back.
    """

    def __init__(self) -> None:
        self._files: dict[Hashable, _File] = {}
        self._waiting: dict[Hashable, None] = {}  # in the order in which they are to be begun

    @property
    def waiting(self) -> int:
        """How many files are to be begun."""
        return len(self._waiting)

    @property
    def unfinished(self) -> int:
        """How many files are to be begun or to be finished."""
        return len(self._waiting) + sum(file.running for file in self._files.values())

    @property
    def failed(self) -> int:
        """How many of the files that are there could not be enlarged."""
        return sum(bool(file.error) for file in self._files.values())

    def look(
        self, found: Mapping[Hashable, FileState], now: float, *, anew: bool = False, unseen: Collection[Hashable] = ()
    ) -> None:
        """Learn all files that are there.

        Parameters
        ----------
        found : mapping of FileState
        now : float
        anew : bool
            Watching has just begun, or the folder has returned: files that were not known are not taken for new ones.
        unseen : collection of hashable
            Files of which nothing can be known now, and which are not forgotten.
        """
        known = self._files.items()
        for key in [key for key, file in known if key not in found and key not in unseen and not file.running]:
            self.see(key, None, now)
        for key, state in found.items():
            if key in self._files:
                self.see(key, state, now)
            else:
                self._files[key] = _File(state, now, not anew)
                self._waiting[key] = None

    def see(self, key: Hashable, state: FileState | None, now: float) -> bool:
        """Learn the state of a known file, or that it is gone; return whether it is unchanged."""
        file = self._files.get(key)
        if file is None:
            return False
        if state == file.state:
            return True
        self._waiting.pop(key, None)
        if state is not None:
            file.state, file.since, file.is_renewed = state, now, True
            if state != file.done:
                self._waiting[key] = None
        elif not file.running:
            del self._files[key]
        return False

    def ready(self, now: float, most: int) -> list[Hashable]:
        """Return files that are complete as far as is known, in the order in which they came; so many at most."""
        return list(islice((key for key in self._waiting if self._is_ready(self._files[key], now)), most))

    def _is_ready(self, file: _File, now: float) -> bool:
        return not file.running and now - file.since >= quiet_time(file.state.size)

    def begin(self, key: Hashable) -> bool:
        """Learn that a file which is `ready` is being enlarged; return whether it has come or changed meanwhile."""
        file = self._files[key]
        file.done, file.running = file.state, True
        del self._waiting[key]
        return file.is_renewed

    def end(self, key: Hashable, state: FileState | None, error: str, now: float) -> bool:
        """Learn what came of a file that was begun, and return whether that is to be reported.

        Not to be reported are failures of files that are gone or have changed in the meantime, which were not complete and will
        be begun again, and those that were reported before.

        Parameters
        ----------
        key : hashable
        state : FileState or None
            In which the file is now.
        error : str
            Why it could not be enlarged; empty where it was.
        now : float
        """
        file = self._files[key]
        file.running = False
        if state is None and not error:  # it went afterwards, perhaps with its folder: the next look knows
            file.error = ""
            return True
        changed = not self.see(key, state, now) or state != file.done
        if error and (changed or error == file.error):
            return False
        file.error = error
        return True

"""Marks that a loop's machine code is in Numba's cache, so that a command knows without importing Numba.

A loop's name has the types that it is compiled for, such as "separable uint8"; `Work.loops` lists those that a piece of work
needs. A mark is an empty file beside the machine code, in a folder that is named by what the code depends on: after an update,
or on another processor, there are no marks, and the loops count as not compiled.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterable

from upscale.loops.cache_folders import cache_key, readable_folders, writable_folder

#: Seconds between two looks at the folder.
_INTERVAL = 1.0
_SUFFIX = ".ready"


class ReadyLoops:
    """The marks that this process has seen; it looks for new ones when asked, at most once a second.

    Parameters
    ----------
    clock : callable
        Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._names: frozenset[str] = frozenset()
        self._looked: float | None = None
        self._key = ""

    def folder(self) -> str | None:
        """Return the folder for new marks, which may not exist yet; None where no machine code can be kept."""
        parent = writable_folder()
        return None if parent is None else self._in(parent)

    def _in(self, parent: str) -> str:
        self._key = self._key or cache_key()
        return os.path.join(parent, f"upscale-{self._key}")

    def missing(self, loops: frozenset[str]) -> frozenset[str]:
        """Return those of the loops that are not marked as compiled."""
        if not loops <= self._names:
            self._look()
        return loops - self._names

    def has_any(self, families: tuple[str, ...]) -> bool:
        """Return whether a loop whose name begins so is marked as compiled."""
        if not any(name.startswith(families) for name in self._names):
            self._look()
        return any(name.startswith(families) for name in self._names)

    def _look(self) -> None:
        now = self._clock()
        if self._looked is not None and now - self._looked < _INTERVAL:
            return
        self._looked = now
        for parent in readable_folders():
            with contextlib.suppress(OSError):
                found = os.listdir(self._in(parent))
                self._names |= {name.removesuffix(_SUFFIX).replace("-", " ") for name in found if name.endswith(_SUFFIX)}

    def mark(self, loops: Iterable[str]) -> None:
        """Mark loops whose machine code was saved."""
        folder = self.folder()
        if folder is None:
            return
        with contextlib.suppress(OSError):  # then they are compiled without a mark, and NumPy is used
            os.makedirs(folder, exist_ok=True)
            for name in loops:
                with open(os.path.join(folder, name.replace(" ", "-") + _SUFFIX), "wb"):
                    pass

"""Compiling in a process of its own, which outlives the command that starts it, so that no command waits for compiling.

It is started once NumPy has cost a noticeable time, which may be the sum of several commands. Commands and that process know of
each other by three small files beside the marks of `ready_loops`: the time lost so far, the process that is compiling, and why
the last one failed.
"""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

from upscale.loops.ready_loops import ReadyLoops

#: The environment variable that turns it off with 0.
VARIABLE = "UPSCALE_BACKGROUND_COMPILE"
#: How many seconds must be lost before it is started.
WORTH = 1.0
#: Seconds after which a process that has compiled nothing more is taken for dead, and after which a failure is forgotten.
_STALE, _FORGOTTEN = 600, 86400
_CODE = "import sys; sys.path[:] = {!r}; from upscale.operators.precompile_in_background import main; main()"


class BackgroundCompile:
    """Whether loops are being compiled in the background, and the decision to do so.

    Parameters
    ----------
    ready : ReadyLoops
    """

    def __init__(self, ready: ReadyLoops) -> None:
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None
        self._refused = False

    def is_possible(self) -> bool:
        """Return whether a process may be started, and could keep what it compiles."""
        if self._refused or os.environ.get(VARIABLE) == "0" or not sys.executable:
            return False
        return self._ready.folder() is not None

    def failure(self) -> str:
        """Return why loops could not be compiled; empty if they could, or were not tried within a day."""
        return self._read("failed") if self._age("failed") < _FORGOTTEN else ""

    def is_running(self) -> bool:
        """Return whether a process is compiling, whoever started it."""
        if self._process is not None:
            self._process.poll()  # or one that was killed would still seem to live
        if self._age("compiling") > _STALE:
            return False
        pid, _, host = self._read("compiling").partition(" ")
        # Other machines may share the folder. Windows has no harmless signal to try.
        if os.name != "posix" or not pid.isdigit() or host != _host():
            return True
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            return False
        except OSError:  # another user's
            pass
        return True

    def add_lost(self, seconds: float, expected: float, loops: frozenset[str]) -> bool:
        """Count time that is lost to loops that are not compiled, and have them compiled if that is worth it.

        Parameters
        ----------
        seconds : float
            Lost by the work that is about to be done.
        expected : float
            Lost by it and what follows in this process.
        loops : frozenset of str

        Returns
        -------
        bool
            Whether loops are being compiled now.
        """
        if self.is_running():
            return True
        try:
            before = float(self._read("lost") or 0)
        except ValueError:
            before = 0.0
        try:
            os.makedirs(self._path(""), exist_ok=True)
            if before + max(seconds, expected) >= WORTH:
                return self._start(loops)
            self._path("lost").write_text(f"{before + seconds:.3f}", "ascii")
        except OSError:  # a folder that only looked writable, or no more processes
            self._refused = True
        return False

    def _start(self, loops: frozenset[str]) -> bool:
        lock = self._path("compiling")
        if lock.exists():  # of a process that is dead
            lock.unlink(missing_ok=True)
        try:
            handle = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:  # another command was faster
            return True
        with os.fdopen(handle, "w", encoding="ascii") as file:
            try:
                self._process = _detached([sys.executable, "-P", "-c", _CODE.format(sys.path), *sorted(loops)])
            except OSError:
                lock.unlink(missing_ok=True)
                raise
            file.write(f"{self._process.pid} {_host()}")
        for name in ("lost", "failed"):
            self._path(name).unlink(missing_ok=True)
        return True

    def go_on(self) -> None:
        """Show that the process that compiles, this one, is alive."""
        with contextlib.suppress(OSError):
            os.utime(self._path("compiling"))

    def end(self, failure: str) -> None:
        """Record that the process that compiles, this one, has ended, and why it failed if it did."""
        with contextlib.suppress(OSError):
            if failure:
                self._path("failed").write_text(" ".join(failure.split()), "utf-8")
            else:
                self._path("failed").unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._path("compiling").unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        folder = self._ready.folder()
        if folder is None:
            raise FileNotFoundError("no cache folder is writable")
        return Path(folder, name)

    def _read(self, name: str) -> str:
        try:
            return self._path(name).read_text("utf-8")
        except (OSError, ValueError):
            return ""

    def _age(self, name: str) -> float:
        try:
            return max(0.0, time.time() - self._path(name).stat().st_mtime)
        except OSError:
            return float("inf")


def _host() -> str:
    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")


def _detached(command: list[str]) -> "subprocess.Popen[bytes]":
    """Start a process that holds nothing of this one's: no terminal, no pipe that somebody reads to its end, no folder."""
    environment = dict(os.environ)
    if environment.get("NUMBA_CACHE_DIR"):
        environment["NUMBA_CACHE_DIR"] = os.path.abspath(environment["NUMBA_CACHE_DIR"])
    flags = ("CREATE_NO_WINDOW", "CREATE_NEW_PROCESS_GROUP", "BELOW_NORMAL_PRIORITY_CLASS")  # Windows only
    nothing = subprocess.DEVNULL
    return subprocess.Popen(
        command,
        stdin=nothing,
        stdout=nothing,
        stderr=nothing,
        cwd=os.path.abspath(os.sep),
        env=environment,
        start_new_session=True,
        creationflags=sum(getattr(subprocess, flag, 0) for flag in flags),
    )

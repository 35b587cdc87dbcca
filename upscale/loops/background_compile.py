"""Compiling in a process of its own, which outlives the command that starts it, so that no command waits for compiling.

It is started once NumPy has cost a noticeable time, which may be the sum of several commands. Commands and that process know of
each other by three small files beside the marks of `ready_loops`: the time lost so far, the process that is compiling, and why
the last one failed.
"""

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING

from upscale.loops.ready_loops import ReadyLoops

if TYPE_CHECKING:
    import subprocess

#: The environment variable that turns it off with 0.
VARIABLE = "UPSCALE_BACKGROUND_COMPILE"
#: How many seconds must be lost before it is started.
WORTH = 1.0
#: How much the process gives way to others; and how many seconds a command must expect to lose, for it not to: compiling takes
#: less, so that the command itself waits for the loops, to use them for the rest of its work.
_NICENESS, _URGENT = 5, 10.0
#: Seconds for which a process that was seen is not looked for again.
_SEEN = 1.0
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
        self._seen = float("-inf")

    def is_possible(self) -> bool:
        """Return whether a process may be started, and could keep what it compiles."""
        if self._refused or os.environ.get(VARIABLE) == "0" or not sys.executable:
            return False
        return self._ready.folder() is not None

    def failure(self) -> str:
        """Return why loops could not be compiled; empty if they could, or were not tried within a day."""
        return self._read("failed") if self._age("failed") < _FORGOTTEN else ""

    def is_running(self) -> bool:
        """Return whether a process is compiling, whoever started it, or was a second ago."""
        if time.monotonic() - self._seen >= _SEEN and self._is_alive():
            self._seen = time.monotonic()
        return time.monotonic() - self._seen < _SEEN

    def _is_alive(self) -> bool:
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
            Lost by the work that is about to be done; several commands' add up.
        expected : float
            Lost by this process in all, if it does what it expects to.
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
            if max(before + seconds, expected) >= WORTH:
                return self._start(loops, 0 if expected >= _URGENT else _NICENESS)
            with open(self._path("lost"), "w", encoding="ascii") as file:
                file.write(f"{before + seconds:.3f}")
        except OSError:  # a folder that only looked writable, or no more processes
            self._refused = True
        return False

    def _start(self, loops: frozenset[str], niceness: int) -> bool:
        try:
            handle = self._new_lock()
        except FileExistsError:
            if self._is_alive():  # another command was faster
                return True
            self._remove("compiling")
            handle = self._new_lock()
        with os.fdopen(handle, "w", encoding="ascii") as file:
            try:
                self._process = _detached([sys.executable, "-P", "-c", _CODE.format(sys.path), str(niceness), *sorted(loops)])
            except OSError:
                self._remove("compiling")
                raise
            file.write(f"{self._process.pid} {_host()}")
        self._remove("lost")
        self.forget_failure()
        return True

    def _new_lock(self) -> int:
        return os.open(self._path("compiling"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)

    def go_on(self) -> None:
        """Show that the process that compiles, this one, is alive."""
        with contextlib.suppress(OSError):
            os.utime(self._path("compiling"))

    def end(self, failure: str) -> None:
        """Record that the process that compiles, this one, has ended, and why it failed if it did."""
        if failure:
            with contextlib.suppress(OSError), open(self._path("failed"), "w", encoding="utf-8") as file:
                file.write(" ".join(failure.split()))
        self._remove("compiling")

    def forget_failure(self) -> None:
        """Let loops be compiled in the background again, since they have been compiled or are about to be."""
        self._remove("failed")

    def _path(self, name: str) -> str:
        folder = self._ready.folder()
        if folder is None:
            raise FileNotFoundError("no cache folder is writable")
        return os.path.join(folder, name)

    def _remove(self, name: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self._path(name))

    def _read(self, name: str) -> str:
        try:
            with open(self._path(name), encoding="utf-8") as file:
                return file.read()
        except (OSError, ValueError):
            return ""

    def _age(self, name: str) -> float:
        try:
            return max(0.0, time.time() - os.stat(self._path(name)).st_mtime)
        except OSError:
            return float("inf")


def _host() -> str:
    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")


def _detached(command: list[str]) -> "subprocess.Popen[bytes]":
    """Start a process that holds nothing of this one's: no terminal, no pipe that somebody reads to its end, no folder."""
    import subprocess  # which commands that compile nothing do without

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

"""A notice that loops are being compiled, which takes seconds the first time and then never again."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

#: Keeps the listener of `log_compiling`.
_logging = ExitStack()


@contextmanager
def compile_notice(show: Callable[[], None], after: float = 1.0) -> Iterator[None]:
    """Call `show` once if Numba is compiling within the block and has been for `after` seconds in all.

    Loops that are loaded from the cache, or that merely run for long, do not count. Without Numba, nothing is called.
    """
    try:
        from upscale.loops.numba_private import compiler_events
    except ImportError:
        yield
        return
    stopwatch = _Stopwatch(show, after)
    with compiler_events(stopwatch.begin, stopwatch.end):
        try:
            yield
        finally:
            stopwatch.cancel()


def log_compiling(cached: bool, after: float = 1.0) -> None:
    """Log one warning in this process, once Numba has been compiling for `after` seconds; it must have been imported.

    A warning, since it is shown where a program has not set up logging: otherwise its user would wait and not know for what.

    Parameters
    ----------
    cached : bool
        Whether machine code is kept for the next process.
    after : float
    """
    import logging

    from upscale.loops.numba_private import compiler_events

    kept = "once; later runs load them from the cache" if cached else "in each process, since no cache folder is writable"
    text = f"upscale is compiling its loops for this processor, {kept}"
    stopwatch = _Stopwatch(lambda: logging.getLogger("upscale").warning(text), after)
    _logging.enter_context(compiler_events(stopwatch.begin, stopwatch.end))


class _Stopwatch:
    """Call a function once, when something has been running for some seconds in all."""

    def __init__(self, show: Callable[[], None], after: float) -> None:
        self._show, self._left = show, after
        self._running, self._began = 0, 0.0
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        self._running += 1
        if self._running == 1 and self._left > 0:
            self._began = time.monotonic()
            self._timer = threading.Timer(self._left, self._over)
            self._timer.daemon = True
            self._timer.start()

    def end(self) -> None:
        self._running -= 1
        if not self._running and self._timer is not None:
            self.cancel()
            self._left -= time.monotonic() - self._began

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _over(self) -> None:
        self._left = 0.0
        self._show()

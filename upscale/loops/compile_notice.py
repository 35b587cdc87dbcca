"""Telling that a loop is being compiled, which takes seconds the first time and then never again."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import event


class _Listener(event.Listener):
    def __init__(self, tell: Callable[[], None], after: float) -> None:
        self._running = 0
        self._timer = threading.Timer(after, tell)
        self._timer.daemon = True

    def on_start(self, event: Any) -> None:
        if not self._running and not self._timer.is_alive() and not self._timer.finished.is_set():
            self._timer.start()
        self._running += 1

    def on_end(self, event: Any) -> None:
        self._running -= 1

    def stop(self) -> None:
        self._timer.cancel()


@contextmanager
def noticed(tell: Callable[[], None], after: float = 1.0) -> Iterator[None]:
    """Call `tell` once if Numba is compiling within the block and has been for `after` seconds.

    Loops that come from the cache, or that merely run for long, are not told.
    """
    listener = _Listener(tell, after)
    with event.install_listener("numba:compile", listener):
        try:
            yield
        finally:
            listener.stop()

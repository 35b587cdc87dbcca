"""A notice that a loop is being compiled, which takes seconds the first time and then never again."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def compile_notice(show: Callable[[], None], after: float = 1.0) -> Iterator[None]:
    """Call `show` once if Numba is compiling within the block and has been for `after` seconds.

    Loops that are loaded from the cache, or that merely run for long, do not count. Without Numba, nothing is called.
    """
    try:
        from upscale.loops.numba_private import compiler_events
    except ImportError:
        yield
        return
    running = 0
    timer = threading.Timer(after, show)
    timer.daemon = True

    def begin() -> None:
        nonlocal running
        if not running and not timer.is_alive() and not timer.finished.is_set():
            timer.start()
        running += 1

    def end() -> None:
        nonlocal running
        running -= 1

    with compiler_events(begin, end):
        try:
            yield
        finally:
            timer.cancel()

"""Signals that ask the process to end: where they interrupt, where they are only recorded, and where they come too late."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

#: Seconds after which a signal is taken to be lost: some C code that imports modules drops whatever is raised within it.
_LOST_AFTER = 5.0
_ENDING_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interrupted(BaseException):
    """A signal that asks to end; not an Exception, so that nothing on its way takes it for an error.

    Attributes
    ----------
    number : int
    ending : str
        What has happened, for a user.
    left : str
        What became of the output.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.ending = "interrupted" if number == signal.SIGINT else "terminated"
        self.left = "nothing was written"


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    ignore()
    if hasattr(signal, "setitimer"):
        # Not by a thread, whose start would wait for ever where the signal came as another one was being started.
        signal.signal(signal.SIGALRM, lambda alarm, frame: _raise(number))
        signal.setitimer(signal.ITIMER_REAL, _LOST_AFTER, _LOST_AFTER)
    _raise(number)


def _raise(number: int) -> NoReturn:
    raise Interrupted(number)


def arrived() -> None:
    """Do not raise `Interrupted` once more; to be called where it is caught."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)


def interrupt() -> None:
    """Have signals raise `Interrupted`, once: what is cleaned up afterwards is not interrupted again, unless it takes long."""
    chosen = [n for n in _ENDING_SIGNALS if signal.getsignal(n) in (signal.SIG_DFL, signal.default_int_handler)]
    for number in chosen:
        signal.signal(number, _interrupt)
    report = sys.unraisablehook

    def unraisable(found: Any) -> None:
        """Send the signal once more where it came within a finalizer, out of which nothing can be raised."""
        if not isinstance(found.exc_value, Interrupted):
            report(found)
            return
        for number in chosen:
            signal.signal(number, _interrupt)
        again = threading.Timer(0.01, os.kill, (os.getpid(), found.exc_value.number))
        again.daemon = True
        again.start()

    sys.unraisablehook = unraisable


def ignore() -> None:
    """Let signals pass from now on, since all is being ended already."""
    for number in _ENDING_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def recorded(record: Callable[[int], None]) -> Iterator[None]:
    """Have signals call a function within the block, which must do no more than record them."""

    def handle(number: int, frame: FrameType | None) -> None:
        ignore()
        record(number)

    before = {number: signal.getsignal(number) for number in _ENDING_SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is handle:  # nothing has come
                signal.signal(number, handler)


@contextmanager
def blocked() -> Iterator[None]:
    """Keep signals from processes that are started in the block, for ever; here they come when the block ends."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

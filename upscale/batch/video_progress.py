"""The progress of a video on a terminal: frames, frames a second, and the time that is left."""

import contextlib
import sys
import time
from typing import Self

import click

#: Seconds between two lines.
_EVERY = 0.5


class VideoProgress:
    """A line on standard error that is written again and again, and removed at the end.

    Parameters
    ----------
    total : int
        How many frames there are; 0 if nobody knows.
    shown : bool
        Whether a user looks on.
    """

    def __init__(self, total: int, *, shown: bool) -> None:
        self._total, self._shown = total, shown
        self._frames, self._began = 0, time.perf_counter()
        self._next = self._began + _EVERY

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._shown and self._frames:
            self._write("\r\033[K")

    def advance(self) -> None:
        """Count a frame."""
        self._frames += 1
        now = time.perf_counter()
        if self._shown and now >= self._next:
            self._next = now + _EVERY
            self._write(f"\r\033[K{progress_text(self._frames, self._total, now - self._began)}")

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # that nobody reads it is no reason to stop
            click.echo(text, err=True, nl=False)
            if sys.stderr is not None:
                sys.stderr.flush()


def progress_text(frames: int, total: int, seconds: float) -> str:
    """Describe how far a video is.

    Examples
    --------
    >>> progress_text(50, 200, 2.0)
    '50/200 frames, 25.0 frames/s, 0:06 left'
    >>> progress_text(50, 0, 2.0)
    '50 frames, 25.0 frames/s'
    """
    rate = frames / max(seconds, 1e-9)
    if not total:
        return f"{frames} frames, {rate:.1f} frames/s"
    left = round(max(0, total - frames) / rate)
    clock = f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02}" if left >= 3600 else f"{left // 60}:{left % 60:02}"
    return f"{frames}/{total} frames, {rate:.1f} frames/s, {clock} left"

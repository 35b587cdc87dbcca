"""All frames of a stream: read, enlarged and written at the same time, in a few buffers."""

import contextlib
from collections.abc import Callable
from typing import Any

from upscale.video.layout import Planes
from upscale.video.overlap import ReadAhead, WriteBehind
from upscale.video.planes import FrameEnlarger

#: How many frames are in memory before, and after they are enlarged: two are in the hands of threads, and one waits.
BUFFERS = 3


def memory_of(enlarger: FrameEnlarger) -> int:
    """Estimate how many bytes the frames in memory take at most."""
    return BUFFERS * (enlarger.layout.frame_bytes + enlarger.result.frame_bytes) + enlarger.result.frame_bytes


def enlarge_stream(
    read: Callable[[Planes], Any],
    enlarger: FrameEnlarger,
    write: Callable[[Any, Planes], None],
    done: Callable[[], None] = lambda: None,
) -> int:
    """Enlarge all frames of a stream.

    Parameters
    ----------
    read : callable
        Fills the planes of a frame, and returns what belongs to the frame besides; None at the end. Called by one thread.
    enlarger : FrameEnlarger
    write : callable
        Called with that, and with the enlarged planes, in the order of the frames, by another thread.
    done : callable
        Called after each frame.

    Returns
    -------
    int
        How many frames.

    Raises
    ------
    Exception
        Whatever reading or writing raises; frames that were read before are written.
    """
    frames = 0
    with contextlib.ExitStack() as stack:
        ahead = ReadAhead(read, [enlarger.layout.new_planes() for _ in range(BUFFERS)])
        stack.callback(ahead.close)
        behind = WriteBehind(lambda item: write(item.about, item.planes), [_Enlarged(enlarger) for _ in range(BUFFERS)])
        stack.callback(behind.close)
        for planes, about in ahead:
            item = behind.free()
            enlarger.enlarge(planes, item.planes)
            item.about = about
            behind.put(item)
            frames += 1
            done()
        behind.finish()
        if ahead.error is not None:
            raise ahead.error
    return frames


class _Enlarged:
    """A buffer for an enlarged frame and what belongs to it."""

    def __init__(self, enlarger: FrameEnlarger) -> None:
        self.planes, self.about = enlarger.result.new_planes(), None

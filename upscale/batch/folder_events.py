"""Events of a folder's file system, by the package watchfiles: something has changed, whatever it is."""

import os
import threading
from collections.abc import Callable

from upscale.errors import ArgumentError

#: Milliseconds: the pause that ends a group of events, the longest group, and how often the thread looks whether it is to end.
_PAUSE, _GROUP, _ROUND = 50, 400, 500

#: Seconds to wait for the thread's end, which takes a pause as a rule.
_LONGEST_STOP = 2.0


def check_installed() -> None:
    """Check that the package watchfiles is installed.

    Raises
    ------
    ArgumentError
        Where it is not.
    """
    try:
        import watchfiles  # noqa: F401
    except ImportError:
        raise ArgumentError('--watch needs the package watchfiles; run pip install "upscale[watch]"') from None


class FolderEvents:
    """Listen to the events of a folder in a thread, until `stop`.

    Parameters
    ----------
    folder : str
    recursive : bool
        Whether folders in the folder matter.
    wake : callable
        Called by the thread whenever one of the attributes has changed.

    Attributes
    ----------
    listening : bool
        Whether the system reports events by now.
    changed : bool
        Whether something has changed since the owner set this to false.
    lost : bool
        Whether the folder itself was removed; no more events come then, even if there is one of that name again.
    error : str
        Why the system reports no events.
    """

    def __init__(self, folder: str, recursive: bool, wake: Callable[[], None]) -> None:
        self.listening = self.changed = self.lost = False
        self.error = ""
        self._folder, self._recursive, self._wake = folder, recursive, wake
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Listen no more, and wait for the thread: one that still runs when Python ends can take the process down."""
        self._stop.set()
        self._thread.join(_LONGEST_STOP)

    def _listen(self) -> None:
        from watchfiles import Change, watch

        itself = {self._folder, os.path.abspath(self._folder), os.path.realpath(self._folder)}
        try:
            for changes in watch(
                self._folder,
                watch_filter=None,
                debounce=_GROUP,
                step=_PAUSE,
                rust_timeout=_ROUND,
                yield_on_timeout=True,
                stop_event=self._stop,
                raise_interrupt=False,
                recursive=self._recursive,
                ignore_permission_denied=True,
            ):
                if changes or not self.listening:
                    self.listening = self.changed = True
                    self.lost |= any(change == Change.deleted and path in itself for change, path in changes)
                    self._wake()
        except Exception as error:  # no such folder any more, no more watches allowed, a name that is not text
            self.error = " ".join(str(error).split()) or type(error).__name__
            self._wake()

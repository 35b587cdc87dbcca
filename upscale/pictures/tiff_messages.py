"""What tifffile logs and Pillow warns of while a TIFF file is read or written, as notes."""

import contextlib
import logging
import re
import warnings
from collections.abc import Callable, Iterator

#: How tifffile logs an exception: its name means nothing to a user, its text may.
_EXCEPTION = re.compile(r" raised \w+\(['\"]?(.*?)['\"]?\)$")
_CAUSE = re.compile(r", due to \w+\(.*$")


class Messages(logging.Handler):
    """Turn tifffile's log and Pillow's warnings into notes, each line once.

    Parameters
    ----------
    note : callable
        Called with a line.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._note, self._seen = note, set[str]()

    def emit(self, record: logging.LogRecord) -> None:
        """Note a record of the log."""
        self._add(record.getMessage())

    def _add(self, text: str) -> None:
        text = _CAUSE.sub("", _EXCEPTION.sub(r": \1", " ".join(text.split())))[:120]
        if text not in self._seen:
            self._seen.add(text)
            self._note(f"possibly damaged: its decoder reports {text!r}")

    @contextlib.contextmanager
    def collected(self) -> Iterator[None]:
        """Collect what is logged and warned of within a block; before and after it, other handlers get it."""
        logger = logging.getLogger("tifffile")
        before = logger.handlers, logger.propagate
        logger.handlers, logger.propagate = [self], False
        caught: list[warnings.WarningMessage] = []
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                yield
        finally:
            logger.handlers, logger.propagate = before
            for warning in caught:
                if issubclass(warning.category, UserWarning):  # others are not about the file
                    self._add(str(warning.message))

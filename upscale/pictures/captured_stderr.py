"""What C libraries print to standard error by themselves, kept from the user's screen."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def capture_stderr() -> Iterator[list[str]]:
    """Capture what decoders such as libtiff and libpng print; the lines are in the list once the block has ended."""
    lines: list[str] = []
    try:
        kept = os.dup(2)
    except OSError:  # standard error is closed
        yield lines
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    # What a decoder prints about one picture fits into a pipe; the rest is lost, and nobody waits for it.
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    os.dup2(writing, 2)
    os.close(writing)
    try:
        yield lines
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        with contextlib.suppress(OSError):
            text = os.read(reading, 1 << 16).decode("utf-8", "replace")
            lines += [line.strip() for line in text.splitlines() if line.strip()]
        os.close(reading)

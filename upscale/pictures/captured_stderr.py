"""What C libraries write to standard error by themselves, kept from the user's screen."""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def decoder_heard() -> Iterator[list[str]]:
    """Catch what decoders such as libtiff and libpng print; the list holds the lines once the block has ended."""
    lines: list[str] = []
    try:
        kept = os.dup(2)
    except OSError:  # standard error is closed
        yield lines
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    # A pipe holds what a decoder says of one picture; what does not fit is lost, and nobody waits for it.
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

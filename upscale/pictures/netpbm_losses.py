"""What follows the first picture of a Netpbm file, of which Pillow reads only that one (Netpbm's ppm(5), pgm(5) and pbm(5))."""

import re
from collections.abc import Callable
from typing import BinaryIO

#: Magic number, width, height, and the largest value or a float's scale; comments may stand anywhere between them.
_SPACE = rb"(?:\s|#[^\n]*\n)+"
_HEADER = re.compile(rb"(P[1-6fF])%b(\d+)%b(\d+)" % (_SPACE, _SPACE))
_LARGEST = re.compile(rb"%b(-?[\d.]+)" % _SPACE)
_FURTHER = re.compile(rb"\s*(?:#[^\n]*\n\s*)*P[1-7fF]\s")
#: Bytes after a picture that are nobody's data.
_PADDING = 16
_LONGEST_HEADER = 1 << 12


def note_losses(stream: BinaryIO, note: Callable[[str], None]) -> None:
    """Note further pictures and other data after the first one.

    Parameters
    ----------
    stream : binary file
        Seekable; its position is restored.
    note : callable
        Called with a line where there are any.
    """
    before = stream.tell()
    stream.seek(0)
    head = stream.read(_LONGEST_HEADER)
    end = _end_of_first(head)
    if end is None:  # numbers as text: a letter begins the next picture
        further = re.search(rb"\sP[1-6]\s", head + stream.read())
        rest = head[:0] if further is None else b"P1 "
    else:
        stream.seek(end)
        rest = stream.read()
    stream.seek(before)
    if _FURTHER.match(rest):
        note("the pictures after its first one were dropped")
    elif len(rest.strip(b"\0 \t\r\n")) > _PADDING:
        note(f"{len(rest)} bytes of other data after its end were dropped")


def _end_of_first(head: bytes) -> int | None:
    """Return where the first picture ends; None if its samples are text."""
    found = _HEADER.match(head)
    if found is None or found[1] in (b"P1", b"P2", b"P3"):
        return None
    width, height, at = int(found[2]), int(found[3]), found.end()
    if found[1] == b"P4":
        return at + 1 + -(-width // 8) * height
    largest = _LARGEST.match(head, at)
    if largest is None:
        return None
    size = 4 if found[1] in (b"PF", b"Pf") else 1 if float(largest[1]) < 256 else 2
    return largest.end() + 1 + width * height * size * (3 if found[1] in (b"P6", b"PF") else 1)

"""Boxes, of which JPEG 2000 and JPEG XL files are made: length, type and contents (ISO/IEC 14496-12, 4.2)."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from upscale.errors import ArgumentError


class Box(NamedTuple):
    """A box, and where in the file it and its contents lie.

    Attributes
    ----------
    kind : bytes
        Its type.
    begin, contents, end : int
        Where it begins, where its contents begin, and where both end, in bytes.
    """

    kind: bytes
    begin: int
    contents: int
    end: int


def read_boxes(data: bytes, begin: int = 0, end: int | None = None) -> Iterator[Box]:
    """List the boxes of a file, or of a box's contents.

    Parameters
    ----------
    data : bytes
    begin, end : int
        Where the first box begins and the last one ends; by default, the whole file.

    Raises
    ------
    ArgumentError
        Where a box has an impossible length.
    """
    at, end = begin, len(data) if end is None else end
    while at + 8 <= end:
        length, contents = int.from_bytes(data[at : at + 4], "big"), at + 8
        kind = data[at + 4 : at + 8]
        if length == 1:
            length, contents = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        elif length == 0:  # to the end
            length = end - at
        if length < contents - at or at + length > end:
            raise ArgumentError("damaged: the file ends inside a box, or a box has a wrong length")
        yield Box(kind, at, contents, at + length)
        at += length


def write_box(kind: bytes, *contents: bytes) -> bytes:
    """Make a box."""
    length = 8 + sum(map(len, contents))
    if length < 1 << 32:
        return b"".join((struct.pack(">I", length), kind, *contents))
    return b"".join((struct.pack(">I", 1), kind, struct.pack(">Q", length + 8), *contents))

"""PFM in colour, which Pillow does not read (Netpbm's pfm(5)): floats whose rows go upwards."""

import re
from typing import BinaryIO

import numpy as np

from upscale.errors import ArgumentError
from upscale.pictures.picture import FileContents, Frame, Picture

#: How a file begins: its size, and a number that is negative where the lowest byte of a sample comes first.
_HEADER = re.compile(rb"PF\s+(\d{1,9})\s+(\d{1,9})\s+(-?[0-9.]+(?:[eE][-+]?\d+)?)\s")


def read(stream: BinaryIO) -> FileContents:
    """Read the header of a file.

    Parameters
    ----------
    stream : binary file
        Seekable; stays open until the picture has been decoded.

    Raises
    ------
    ArgumentError
        Where it is damaged.
    """
    found = _HEADER.match(stream.read(128))
    if found is None or not int(found[1]) * int(found[2]):
        raise ArgumentError("damaged: its header has no size")
    size, order = (int(found[2]), int(found[1])), "<" if found[3].startswith(b"-") else ">"
    frames = lambda: iter([Frame(_decode(stream, found.end(), size, order))])  # noqa: E731
    return FileContents("PPM", size, 12, frames)


def _decode(stream: BinaryIO, at: int, size: tuple[int, int], order: str) -> Picture:
    stream.seek(at)
    data = stream.read(12 * size[0] * size[1])
    if len(data) < 12 * size[0] * size[1]:
        raise ArgumentError("damaged: the file ends inside its samples")
    samples = np.frombuffer(data, f"{order}f4").astype(np.float32).reshape(*size, 3)
    return Picture(np.ascontiguousarray(samples[::-1]), "RGB;F")

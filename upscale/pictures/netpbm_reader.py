"""Portable float maps in colour (PFM), which Pillow does not read."""

import math
import re
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from upscale.errors import ArgumentError
from upscale.pictures.picture import FileContents, Frame, Picture
from upscale.pictures.read_exactly import read_exactly

_HEADER = re.compile(rb"PF\s+(\d{1,9})\s+(\d{1,9})\s+([-+0-9.eE]{1,40})\s")
_LONGEST_HEADER = 128


def read(stream: BinaryIO, note: Callable[[str], None]) -> FileContents:
    """Read the header of a PFM file; the samples are decoded when they are requested.

    Parameters
    ----------
    stream : binary file
        Seekable; stays open until the picture has been decoded.
    note : callable
        Not called: nothing is lost.

    Raises
    ------
    ArgumentError
        Where the file is damaged.
    """
    found = _HEADER.match(stream.read(_LONGEST_HEADER))
    width, height = (int(found[1]), int(found[2])) if found else (0, 0)
    try:
        scale = float(found[3]) if found else 0.0
    except ValueError:
        scale = 0.0
    if found is None or not width * height or not scale or not math.isfinite(scale):
        raise ArgumentError("damaged: its header is not a PFM header")
    dtype, begin = np.dtype("<f4" if scale < 0 else ">f4"), found.end()

    def frames() -> Any:
        stream.seek(begin)
        data = read_exactly(stream, height * width * 12, "samples")
        samples = np.frombuffer(data, dtype).reshape(height, width, 3)[::-1]  # rows go upwards
        yield Frame(Picture(np.ascontiguousarray(samples, np.float32), "RGB;F"))

    return FileContents("PPM", (height, width), 12, frames, mode="RGB;F")

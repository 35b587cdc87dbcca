"""Portable float maps in colour (PFM), which Pillow does not read."""

import math
import re
from typing import Any, BinaryIO

import numpy as np

from upscale.errors import ArgumentError
from upscale.pictures.picture import FileContents, Frame, Picture

_HEADER = re.compile(rb"PF\s+(\d{1,9})\s+(\d{1,9})\s+([-+0-9.eE]{1,40})\s")
_LONGEST_HEADER = 128


def read(stream: BinaryIO) -> FileContents:
    """Read the header of a PFM file; the samples are decoded when they are requested.

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
        raise ArgumentError("damaged: its header is no PFM header")
    dtype, begin = np.dtype("<f4" if scale < 0 else ">f4"), found.end()

    def frames() -> Any:
        stream.seek(begin)
        data = stream.read(height * width * 12)
        if len(data) < height * width * 12:
            raise ArgumentError("damaged: the file ends inside its samples")
        samples = np.frombuffer(data, dtype).reshape(height, width, 3)[::-1]  # rows go upwards
        yield Frame(Picture(np.ascontiguousarray(samples, np.float32), "RGB;F"))

    return FileContents("PPM", (height, width), 12, frames, mode="RGB;F")

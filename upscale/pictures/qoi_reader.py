"""QOI pictures: Pillow leaves out what a run adds to the table of colours, and takes a hundred times as long."""

import struct
from typing import Any, BinaryIO

import numpy as np

from upscale.errors import ArgumentError, library_errors
from upscale.pictures.picture import FileContents, Frame, Picture

_HEADER = 14
#: How the data end (the QOI specification); imagecodecs does not notice that they are cut.
_END = b"\0\0\0\0\0\0\0\x01"


def read(stream: BinaryIO) -> FileContents:
    """Read the header of a QOI file; the pixels are decoded when they are requested.

    Raises
    ------
    ArgumentError
        Where the file is damaged.
    """
    head = stream.read(_HEADER)
    if len(head) < _HEADER:
        raise ArgumentError("damaged: the file ends inside its header")
    width, height, channels = struct.unpack_from(">IIB", head, 4)
    if channels not in (3, 4) or not width * height:
        raise ArgumentError("damaged: its header has no size, or a wrong number of channels")
    mode = "RGB" if channels == 3 else "RGBA"

    def frames() -> Any:
        import imagecodecs

        stream.seek(0)
        data = stream.read()
        if _END not in data[_HEADER:]:
            raise ArgumentError("damaged: the file ends inside its samples")
        with library_errors():
            samples = imagecodecs.qoi_decode(data)
        yield Frame(Picture(np.ascontiguousarray(samples), mode))

    return FileContents("QOI", (height, width), channels, frames, mode=mode)

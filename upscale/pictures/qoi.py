"""QOI, the Quite OK Image Format (qoiformat.org), by imagecodecs: Pillow takes a hundred times as long."""

import struct
from collections.abc import Callable
from typing import BinaryIO

import numpy as np

from upscale.errors import ArgumentError, library_errors
from upscale.pictures.picture import FileContents, Frame, Picture
from upscale.pictures.read_exactly import read_exactly
from upscale.pictures.write_options import WriteOptions

_HEADER = 14
_END = b"\0\0\0\0\0\0\0\1"
#: By the number of channels.
_MODES = {3: "RGB", 4: "RGBA"}


def read(stream: BinaryIO, note: Callable[[str], None]) -> FileContents:
    """Read the header of a QOI file.

    Parameters
    ----------
    stream : binary file
        Seekable; stays open until the picture has been decoded.
    note : callable
        Not called: nothing is lost.

    Raises
    ------
    ArgumentError
        Where it is damaged.
    """
    header = read_exactly(stream, _HEADER, "header")
    width, height, channels, space = struct.unpack(">4xIIBB", header)
    if not width * height or channels not in _MODES or space > 1:
        raise ArgumentError("damaged: its header has impossible values")
    info = {"gamma": 1.0} if space else {}
    return FileContents("QOI", (height, width), channels, lambda: iter([Frame(_decode(stream, _MODES[channels], info))]))


def _decode(stream: BinaryIO, mode: str, info: dict[str, float]) -> Picture:
    import imagecodecs

    stream.seek(0)
    data = stream.read()
    if _END not in data[-1024:]:  # the decoder would repeat the last pixel
        raise ArgumentError("damaged: the file ends inside its samples")
    with library_errors():
        samples = np.asarray(imagecodecs.qoi_decode(data))
    return Picture(np.ascontiguousarray(samples), mode, None, info)


class Writer:
    """Encode one picture, as `write_options.Writer` says."""

    def __init__(self, file: BinaryIO, options: WriteOptions) -> None:
        self._file = file

    def add(self, frame: Frame) -> None:
        """Encode the picture, RGB or RGBA."""
        import imagecodecs

        with library_errors("cannot be written as QOI"):
            self._file.write(imagecodecs.qoi_encode(frame.picture.samples))

    def close(self) -> None:
        """Do nothing: the file is complete."""

"""NumPy's .npy files: arrays in place of pictures."""

import math
from typing import BinaryIO

import numpy as np

from upscale.errors import ArgumentError, library_errors
from upscale.pictures.picture import FileContents, Frame, Picture
from upscale.pictures.write_options import WriteOptions

#: How a file begins.
MAGIC = b"\x93NUMPY"


def read(stream: BinaryIO, layout: str) -> FileContents:
    """Read the header of a .npy file; the array is read when it is requested.

    Parameters
    ----------
    stream : binary file
        Seekable; stays open until the array has been read.
    layout : {"hwc", "chw"}
        "hwc" is (H, W) or (H, W, C); "chw" is (C, H, W) or (N, C, H, W).

    Raises
    ------
    ArgumentError
        Where the file is damaged, or its array has another shape or a dtype that is not a number's.
    """
    with library_errors():
        version = np.lib.format.read_magic(stream)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(stream)
    wanted = "(H, W) or (H, W, C)" if layout == "hwc" else "(C, H, W) or (N, C, H, W)"
    if len(shape) not in ((2, 3) if layout == "hwc" else (3, 4)) or 0 in shape:
        hint = "" if layout == "chw" or len(shape) != 4 else "; --layout chw reads (N, C, H, W)"
        raise ArgumentError(f"an array must be {wanted} and not empty, but its shape is {shape}{hint}")
    if min(shape) < 0:
        raise ArgumentError("damaged: its array has a negative size")
    # What the file stores is known before anything is allocated, whatever its header claims.
    at = stream.tell()
    if stream.seek(0, 2) - at < math.prod(shape) * dtype.itemsize:
        raise ArgumentError("damaged: the file ends inside the array")
    if dtype.hasobject:
        raise ArgumentError("contains Python objects, not samples")
    height, width = shape[:2] if layout == "hwc" else shape[-2:]
    pixel_bytes = math.prod(shape) * dtype.itemsize // (height * width)
    return FileContents.of_array((height, width), pixel_bytes, lambda: _read_array(stream, layout))


def _read_array(stream: BinaryIO, layout: str) -> Picture:
    stream.seek(0)
    with library_errors():
        array = np.lib.format.read_array(stream, allow_pickle=False)
    if layout == "hwc":
        return Picture(np.array(array, order="C", copy=None))
    planes = array.reshape(-1, *array.shape[-2:])
    return Picture(np.array(np.moveaxis(planes, 0, 2), order="C"), leading=array.shape[:-3])


class Writer:
    """Write one array, as `write_options.Writer` says."""

    def __init__(self, file: BinaryIO, options: WriteOptions) -> None:
        self._file = file

    def add(self, frame: Frame) -> None:
        """Write the frame's samples, in the layout that they came in."""
        samples, leading = frame.picture.samples, frame.picture.leading
        if leading is not None:
            samples = np.moveaxis(samples, 2, 0).reshape(*leading, -1, *samples.shape[:2])
        np.lib.format.write_array(self._file, samples, allow_pickle=False)

    def close(self) -> None:
        """Do nothing: an array is complete once it is written."""

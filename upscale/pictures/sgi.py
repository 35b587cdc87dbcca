"""SGI files of 16 bits a sample, which Pillow cuts to 8 (Silicon Graphics' image file format, Haeberli, version 1.00)."""

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError

_MODES = {1: "I;16", 3: "RGB;16", 4: "RGBA;16"}


def read(stream: BinaryIO) -> tuple[NDArray[np.uint16], str]:
    """Decode a file.

    Parameters
    ----------
    stream : binary file
        Seekable.

    Returns
    -------
    (ndarray, str)
        Samples of shape (H, W) or (H, W, C), and their mode.

    Raises
    ------
    ArgumentError
        Where it is damaged, or of a kind that is not known.
    """
    stream.seek(0)
    data = stream.read()
    head = np.frombuffer(data[:12].ljust(12, b"\0"), ">u2")
    packed, width, height, channels = data[2], int(head[3]), int(head[4]), int(head[5])
    if channels not in _MODES or not width * height:
        raise ArgumentError(f"has {channels} channels of 16 bits, which no picture has")
    rows = height * channels
    if packed:
        starts = np.frombuffer(data, ">u4", rows, 512)
        lengths = np.frombuffer(data, ">u4", rows, 512 + 4 * rows)
        planes = np.stack([_unpacked(data[s : s + n], width) for s, n in zip(starts, lengths, strict=True)])
    else:
        planes = np.frombuffer(data, ">u2", rows * width, 512)
    # Plane by plane, and in each the rows upwards.
    samples = np.moveaxis(planes.reshape(channels, height, width)[:, ::-1], 0, 2).astype(np.uint16)
    return np.ascontiguousarray(samples[..., 0] if channels == 1 else samples), _MODES[channels]


def _unpacked(row: bytes, width: int) -> NDArray[np.uint16]:
    """Undo the run lengths of one row: a count with a high bit is followed by as many samples, one without by one to repeat."""
    words = np.frombuffer(row[: len(row) // 2 * 2], ">u2")
    out = np.empty(width, np.uint16)
    at = filled = 0
    while at < len(words) and (count := int(words[at]) & 127):
        literal = bool(words[at] & 128)
        if filled + count > width or at + 1 + (count if literal else 1) > len(words):
            raise ArgumentError("damaged: a row of it does not end where it should")
        out[filled : filled + count] = words[at + 1 : at + 1 + count] if literal else words[at + 1]
        at += 1 + (count if literal else 1)
        filled += count
    if filled < width:
        raise ArgumentError("damaged: a row of it is too short")
    return out

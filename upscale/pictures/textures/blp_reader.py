"""Blizzard's textures (BLP) with a palette or plain colours: Pillow ignores their alpha. It reads the compressed ones."""

import struct
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError
from upscale.pictures.picture import FileContents, Frame, Picture
from upscale.pictures.read_exactly import read_exactly

Array = NDArray[Any]

_FIRST, _SECOND = b"BLP1", b"BLP2"
_PLAIN_OR_BLOCKS = 1
#: Encodings of the second version: a palette, or blue, green, red and alpha.
_PALETTE, _BGRA = 1, 3
_PALETTE_BYTES = 1024
#: Where the lists of positions begin, by version; the list of sizes and the palette follow.
_LISTS = {_FIRST: 28, _SECOND: 20}
_LISTS_BYTES = 128


def read(stream: BinaryIO, note: Callable[[str], None]) -> FileContents | None:
    """Read the header of a BLP file; None for one that Pillow reads completely.

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
    head = read_exactly(stream, _LISTS[_FIRST] + _LISTS_BYTES, "header")
    version = head[:4]
    (compression,) = struct.unpack_from("<I", head, 4)
    if version == _FIRST:
        encoding = _PALETTE
        alpha_bits, width, height = struct.unpack_from("<III", head, 8)
    else:
        encoding, alpha_bits = head[8], head[9]
        width, height = struct.unpack_from("<II", head, 12)
    if compression != _PLAIN_OR_BLOCKS or encoding not in (_PALETTE, _BGRA):
        return None
    if alpha_bits not in (0, 1, 4, 8) or not width * height:
        raise ArgumentError("damaged: its header gives no size or a wrong number of alpha bits")
    at = _LISTS[version]
    (begin,), palette_at = struct.unpack_from("<I", head, at), at + _LISTS_BYTES

    def frames() -> Any:
        stream.seek(palette_at)
        palette = np.frombuffer(read_exactly(stream, _PALETTE_BYTES, "samples"), np.uint8).reshape(256, 4)
        stream.seek(begin)
        if encoding == _BGRA:
            samples = np.frombuffer(read_exactly(stream, 4 * width * height, "samples"), np.uint8).reshape(height, width, 4)
            samples = samples[..., [2, 1, 0, 3] if alpha_bits else [2, 1, 0]]
        else:
            samples = palette[np.frombuffer(read_exactly(stream, width * height, "samples"), np.uint8), 2::-1].reshape(
                height, width, 3
            )
            if alpha_bits:
                alpha = _alpha(
                    read_exactly(stream, (width * height * alpha_bits + 7) // 8, "samples"), alpha_bits, width * height
                )
                samples = np.concatenate((samples, alpha.reshape(height, width, 1)), axis=2)
        yield Frame(Picture(np.ascontiguousarray(samples), mode))

    mode = "RGBA" if alpha_bits else "RGB"
    return FileContents("BLP", (height, width), len(mode), frames, mode=mode)


def _alpha(data: bytes, bits: int, count: int) -> Array:
    """Unpack alpha of some bits, the lowest first."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    values = (np.frombuffer(data, np.uint8)[:, None] >> shifts) & np.uint8((1 << bits) - 1)
    return values.reshape(-1)[:count] * np.uint8(255 // ((1 << bits) - 1))

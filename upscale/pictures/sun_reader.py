"""Sun raster files: Pillow takes the first byte of 32 bits for the last, and rows of an odd number of bytes for even ones."""

import struct
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError
from upscale.pictures.picture import FileContents, Frame, Picture
from upscale.pictures.read_exactly import read_exactly

Array = NDArray[Any]

_HEADER = struct.Struct(">4x7I")
_OLD, _STANDARD, _RUN_LENGTHS, _RGB, _FROM_TIFF, _FROM_IFF = range(6)
_NO_MAP, _RGB_MAP = 0, 1
#: The byte before a run: a length less one and a value, or 0 if the byte stands for itself.
_RUN = 0x80


class Header(NamedTuple):
    """The fields of the header, without the signature."""

    width: int
    height: int
    depth: int
    length: int
    kind: int
    map_kind: int
    map_length: int

    @property
    def mode(self) -> str:
        """The mode of the picture."""
        return "RGB" if self.depth > 8 else "P" if self.map_length else "1" if self.depth == 1 else "L"


def read(stream: BinaryIO, note: Callable[[str], None]) -> FileContents:
    """Read the header of a Sun raster file; the pixels are decoded when they are requested.

    Parameters
    ----------
    stream : binary file
        Seekable; stays open until the picture has been decoded.
    note : callable
        Not called: nothing is lost.

    Raises
    ------
    ArgumentError
        Where the file is damaged or not supported.
    """
    header = Header(*_HEADER.unpack(read_exactly(stream, _HEADER.size, "header")))
    if not header.width * header.height:
        raise ArgumentError("damaged: its width or height is 0")
    has_known_map = header.map_kind == _RGB_MAP or not header.map_length
    if header.depth not in (1, 4, 8, 24, 32) or header.kind > _FROM_IFF or not has_known_map:
        raise ArgumentError(
            f"is a Sun raster file that is not supported: {header.depth} bits per pixel, type {header.kind}, colour map "
            f"type {header.map_kind}; convert it to PNG first"
        )

    def frames() -> Any:
        stream.seek(_HEADER.size)
        yield Frame(_decode(stream.read(), header))

    return FileContents("SUN", (header.height, header.width), max(1, header.depth // 8), frames, mode=header.mode)


def _decode(data: bytes, header: Header) -> Picture:
    width, height, depth = header.width, header.height, header.depth
    stride = (width * depth + 15) // 16 * 2
    stored = data[header.map_length :]
    if header.kind == _RUN_LENGTHS:
        stored = _expanded(stored, stride * height)
    if len(stored) < stride * height:
        raise ArgumentError("damaged: the file ends inside its samples")
    rows = np.frombuffer(stored, np.uint8, stride * height).reshape(height, stride)
    if depth > 8:
        pixels = rows[:, : width * depth // 8].reshape(height, width, -1)[..., -3:]  # unused bytes come first
        return Picture(np.ascontiguousarray(pixels if header.kind == _RGB else pixels[..., ::-1]), "RGB")
    if depth < 8:
        shifts = np.arange(8 - depth, -1, -depth, dtype=np.uint8)
        rows = ((rows[..., None] >> shifts) & np.uint8((1 << depth) - 1)).reshape(height, -1)
    samples = np.ascontiguousarray(rows[:, :width])
    if header.mode == "P":
        colours = np.frombuffer(data, np.uint8, header.map_length // 3 * 3).reshape(3, -1).T[:256]
        return Picture(samples, "P", np.ascontiguousarray(colours))
    if header.mode == "1":
        return Picture(samples == 0, "1")  # ink is 1
    return Picture(samples * np.uint8(17) if depth == 4 else samples, "L")


def _expanded(data: bytes, size: int) -> bytes:
    """Undo the run lengths, up to a size."""
    parts, done, at = [], 0, 0
    while done < size and at < len(data):
        escape = data.find(_RUN, at)
        part = data[at : len(data) if escape < 0 else escape]
        at += len(part)
        if escape >= 0:
            count = data[escape + 1] if escape + 1 < len(data) else 0
            part += data[escape + 2 : escape + 3] * (count + 1) if count else bytes((_RUN,))
            at += 3 if count else 2
        parts.append(part)
        done += len(part)
    return b"".join(parts)

"""FLI and FLC animations: what Pillow leaves out of them, the chunk before the frames and the palettes of later frames."""

import io
import struct
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Palette = NDArray[np.uint8]

_HEADER, _CHUNK = 128, struct.Struct("<IH")
_PREFIX, _FRAME = 0xF100, 0xF1FA
_COLOURS, _COLOURS_OF_6_BITS = 4, 11
_FRAME_HEADER = 16


def is_fli(stream: BinaryIO) -> bool:
    """Return whether a file begins as one of the two versions."""
    head = stream.read(6)
    stream.seek(0)
    return head[4:] in (b"\x11\xaf", b"\x12\xaf")


def without_prefix(stream: BinaryIO) -> BinaryIO:
    """Return a file without the chunk that may precede the frames, where Pillow would look for the first of them."""
    stream.seek(_HEADER)
    head = stream.read(_CHUNK.size)
    stream.seek(0)
    if len(head) < _CHUNK.size:
        return stream
    size, kind = _CHUNK.unpack(head)
    if kind != _PREFIX:
        return stream
    data = stream.read()
    return io.BytesIO(data[:_HEADER] + data[_HEADER + size :])


def read(stream: BinaryIO, count: int) -> list[Palette]:
    """Return the palette of each frame, shape (256, 3), as long as the file is complete.

    Parameters
    ----------
    stream : binary file
        Without a chunk before the frames.
    count : int
        How many frames.
    """
    stream.seek(0)
    data = stream.read()
    palette: Palette = np.arange(256, dtype=np.uint8)[:, None].repeat(3, axis=1)  # as Pillow
    palettes: list[Palette] = []
    at = _HEADER
    while len(palettes) < count and at + _FRAME_HEADER <= len(data):
        size, kind, chunks = struct.unpack_from("<IHH", data, at)
        if kind == _FRAME:
            palette = _changed(palette, data[at + _FRAME_HEADER : at + size], chunks)
            palettes.append(palette)
        if size < _CHUNK.size:
            break
        at += size
    return palettes


def _changed(palette: Palette, frame: bytes, chunks: int) -> Palette:
    """Return the palette after a frame."""
    at = 0
    for _ in range(chunks):
        if at + _CHUNK.size > len(frame):
            break
        size, kind = _CHUNK.unpack_from(frame, at)
        if kind in (_COLOURS, _COLOURS_OF_6_BITS):
            palette = _with_packets(palette.copy(), frame[at + _CHUNK.size : at + size], 2 * (kind == _COLOURS_OF_6_BITS))
        at += max(size, _CHUNK.size)
    return palette


def _with_packets(palette: Palette, data: bytes, shift: int) -> Any:
    """Set the colours of packets: how many are skipped, how many follow (0 for 256), and their values."""
    at, index = 2, 0
    for _ in range(int.from_bytes(data[:2], "little")):
        if at + 2 > len(data):
            break
        index += data[at]
        number = min(data[at + 1] or 256, 256 - index)
        values = np.frombuffer(data[at + 2 : at + 2 + 3 * number], np.uint8)
        colours = (values[: len(values) // 3 * 3] << np.uint8(shift)).reshape(-1, 3)
        palette[index : index + len(colours)] = colours
        at, index = at + 2 + 3 * number, index + number
    return palette

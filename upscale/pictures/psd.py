"""Photoshop pictures: where Pillow looks for compressed samples, corrected.

Pillow 12 takes the table of the rows' lengths to be as long as its mode has channels. It has a length for each row of all
channels of the file, so pictures with more, such as masks, would be decoded from the wrong place.
"""

import struct
from typing import Any, BinaryIO

_HEADER = 26
_RUN_LENGTHS = 1


def correct_offsets(image: Any, stream: BinaryIO) -> None:
    """Move the tiles of a PSD image that Pillow opened to where its samples begin, whatever Pillow made of them.

    Parameters
    ----------
    image : PIL.PsdImagePlugin.PsdImageFile
    stream : binary file
        From which it was opened.
    """
    if not image.tile:
        return
    before = stream.tell()
    stream.seek(12)
    channels, height = struct.unpack(">HI", stream.read(6))
    at = _HEADER
    for _ in range(3):  # colours, resources, and layers
        stream.seek(at)
        at += 4 + int.from_bytes(stream.read(4), "big")
    stream.seek(at)
    compression = int.from_bytes(stream.read(2), "big")
    stream.seek(before)
    if compression == _RUN_LENGTHS:
        shift = at + 2 + 2 * channels * height - image.tile[0].offset
        image.tile = [tile._replace(offset=tile.offset + shift) for tile in image.tile]

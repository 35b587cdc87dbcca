"""What precedes the pixels of a Photoshop file: the palette, the image resources, and what the layers say of the whole."""

import struct
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from upscale.errors import ArgumentError

_RESOLUTION, _IPTC, _ICC, _TRANSPARENT_INDEX, _VERSION, _EXIF, _XMP = 1005, 1028, 1039, 1047, 1057, 1058, 1060
#: Blocks that contain the layers of pictures of more than 8 bits, and those that say that the merged picture has alpha.
_LAYERS, _MERGED_ALPHA = (b"Layr", b"Lr16", b"Lr32"), (b"Mtrn", b"Mt16", b"Mt32")


class Sections(NamedTuple):
    """The sections of a file before its pixels.

    Attributes
    ----------
    colours : bytes
        The palette of indexed colour.
    info : dict
        Metadata, as in `Picture.info`.
    layers : int
    has_transparency : bool
        Whether the first channel behind the colours is alpha.
    has_merged : bool
        Whether there is a merged picture, besides the layers.
    pixels_at : int
        Where that begins.
    """

    colours: bytes
    info: dict[str, Any]
    layers: int
    has_transparency: bool
    has_merged: bool
    pixels_at: int


def read(stream: BinaryIO) -> Sections:
    """Read the three sections behind the header.

    Raises
    ------
    ArgumentError
        Where the file ends in one of them.
    """
    colours = _bytes(stream, _size(stream))
    resources = dict(_resources(_bytes(stream, _size(stream))))
    size = _size(stream)
    begin = stream.tell()
    layers, has_transparency = _layers(stream, begin + size) if size else (0, False)
    version = resources.get(_VERSION, b"")
    has_merged = version[4:5] != b"\0"
    return Sections(colours, _info(resources), layers, has_transparency, has_merged, begin + size)


def _bytes(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise ArgumentError("damaged: the file ends before its samples")
    return data


def _size(stream: BinaryIO) -> int:
    return int.from_bytes(_bytes(stream, 4), "big")


def _resources(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the numbers and contents of image resources, up to the first broken one."""
    at = 0
    while at + 12 <= len(data):
        (number,) = struct.unpack_from(">H", data, at + 4)
        size_at = at + 6 + (data[at + 6] + 2) // 2 * 2
        size = int.from_bytes(data[size_at : size_at + 4], "big")
        content = data[size_at + 4 : size_at + 4 + size]
        if len(content) < size:
            return
        yield number, content
        at = size_at + 4 + size + size % 2


def _info(resources: dict[int, bytes]) -> dict[str, Any]:
    info: dict[str, Any] = {}
    for number, key in ((_ICC, "icc_profile"), (_XMP, "xmp")):
        if resources.get(number):
            info[key] = resources[number]
    if exif := resources.get(_EXIF):
        info["exif"] = b"Exif\0\0" + exif.removeprefix(b"Exif\0\0")
    if iptc := resources.get(_IPTC):
        info["photoshop"] = struct.pack(">4sHHI", b"8BIM", _IPTC, 0, len(iptc)) + iptc + bytes(len(iptc) % 2)
    resolution = resources.get(_RESOLUTION, b"")
    if len(resolution) >= 16:  # always per inch; the units are those that Photoshop shows
        across, _, _, down = struct.unpack_from(">IHHI", resolution)
        if across and down:
            info["dpi"] = (across / 65536, down / 65536)
    index = int.from_bytes(resources.get(_TRANSPARENT_INDEX, b"\xff\xff"), "big")
    if index < 256:
        info["transparency"] = index
    return info


def _layers(stream: BinaryIO, end: int) -> tuple[int, bool]:
    """Return how many layers there are, and whether the merged picture has alpha."""
    size = _size(stream)
    begin, count = stream.tell(), 0
    if size >= 2:
        count = int.from_bytes(stream.read(2), "big", signed=True)  # negative where there is alpha
    has_alpha = count < 0
    stream.seek(begin + size)
    at = begin + size + 4 + int.from_bytes(stream.read(4), "big")
    while at + 12 <= end:
        stream.seek(at)
        block = stream.read(14)
        if len(block) < 12 or block[:4] not in (b"8BIM", b"8B64"):
            break
        has_alpha = has_alpha or block[4:8] in _MERGED_ALPHA
        if block[4:8] in _LAYERS and len(block) == 14:
            count = int.from_bytes(block[12:], "big", signed=True)
            has_alpha = has_alpha or count < 0
        at += 12 + (int.from_bytes(block[8:12], "big") + 3) // 4 * 4
    return abs(count), has_alpha

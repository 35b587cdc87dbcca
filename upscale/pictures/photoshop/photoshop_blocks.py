"""Photoshop's image resources: blocks of metadata, of which one is IPTC, in APP13 segments of JPEG and in a tag of TIFF.

The layout is that of Adobe's Photoshop File Formats Specification, "Image Resource Blocks".
"""

import struct
from collections.abc import Iterable

_HEADER = b"Photoshop 3.0\0"
#: Bytes of blocks that fit into a segment.
_LONGEST = 65533 - len(_HEADER)
#: Blocks that show the picture as it was: thumbnails of both kinds.
_THUMBNAILS = (1033, 1036)


def read_segments(segments: Iterable[tuple[str, bytes]]) -> bytes:
    """Join the blocks of a JPEG file's segments, without thumbnails.

    Parameters
    ----------
    segments : iterable of (str, bytes)
        Names, such as "APP13", and data, as Pillow's `applist`.

    Returns
    -------
    bytes
        The blocks; all of them as they are if they are damaged, and empty if there are none.
    """
    return without_thumbnails(
        b"".join(content[len(_HEADER) :] for name, content in segments if name == "APP13" and content.startswith(_HEADER))
    )


def without_thumbnails(data: bytes) -> bytes:
    """Remove thumbnails from blocks; all of them stay as they are if they are damaged."""
    kept, at = [], 0
    while at < len(data):
        head = data[at : at + 7]
        name = (head[6] if len(head) == 7 else 0) + 1
        size_at = at + 6 + name + name % 2
        if head[:4] != b"8BIM" or len(data) < size_at + 4:
            return data
        (size,) = struct.unpack_from(">I", data, size_at)
        end = size_at + 4 + size + size % 2
        if size_at + 4 + size > len(data):
            return data
        if struct.unpack_from(">H", head, 4)[0] not in _THUMBNAILS:
            kept.append(data[at:end])
        at = end
    return b"".join(kept)


def write_segments(blocks: bytes) -> bytes:
    """Lay out blocks as APP13 segments, each with its marker and length."""
    parts = [blocks[at : at + _LONGEST] for at in range(0, len(blocks), _LONGEST)]
    return b"".join(b"\xff\xed" + struct.pack(">H", 2 + len(_HEADER) + len(part)) + _HEADER + part for part in parts)

"""The boxes around a JPEG XL codestream, which hold EXIF and XMP (ISO/IEC 18181-2)."""

import struct
from typing import NamedTuple

from upscale.errors import ArgumentError, library_errors
from upscale.pictures.boxes import read_boxes, write_box
from upscale.pictures.jpeg_xl.jxl_header import MAGIC

SIGNATURE = b"\0\0\0\x0cJXL \r\n\x87\n"
_TYPE = write_box(b"ftyp", b"jxl \0\0\0\0jxl ")
_EXIF, _XMP = b"Exif", b"xml "
#: Boxes that an enlarged picture does not have, and what users call them.
_LOST = {b"jhgm": "gain map for HDR screens", b"jumb": "JUMBF data (content credentials)"}


class Contents(NamedTuple):
    """What is in a file.

    Attributes
    ----------
    codestream : bytes
    exif : bytes or None
        Beginning with its TIFF header.
    xmp : bytes or None
    level : bytes
        The box that says which features a decoder needs; empty where there is none.
    lost : tuple of str
        What else is in it and is not kept.
    """

    codestream: bytes
    exif: bytes | None = None
    xmp: bytes | None = None
    level: bytes = b""
    lost: tuple[str, ...] = ()


def read_container(data: bytes) -> Contents:
    """Read a file, a codestream alone or one with boxes.

    Raises
    ------
    ArgumentError
        Where it is damaged.
    """
    if data.startswith(MAGIC):
        return Contents(data)
    parts: list[bytes] = []
    found: dict[bytes, bytes] = {}
    level = b""
    for box in read_boxes(data):
        kind, contents = box.kind, data[box.contents : box.end]
        if kind == b"brob" and contents[:4] in (_EXIF, _XMP, *_LOST):
            kind, contents = contents[:4], _unpacked(contents)
        if kind == b"jxlc":
            parts = [contents]
        elif kind == b"jxlp":
            parts.append(contents[4:])
        elif kind == b"jxll":
            level = data[box.begin : box.end]
        elif kind in (_EXIF, _XMP, *_LOST):
            found.setdefault(kind, contents)
    exif = found.get(_EXIF, b"")
    exif = exif[4 + int.from_bytes(exif[:4], "big") :].removeprefix(b"Exif\0\0")
    lost = tuple(name for kind, name in _LOST.items() if kind in found)
    return Contents(b"".join(parts), exif or None, found.get(_XMP), level, lost)


def _unpacked(contents: bytes) -> bytes:
    """Decompress a box; what cannot be decompressed is no metadata, and costs no pixel."""
    import imagecodecs

    try:
        with library_errors():
            return bytes(imagecodecs.brotli_decode(contents[4:]))
    except ArgumentError:
        return b""


def write_container(contents: Contents) -> bytes:
    """Make a file with boxes."""
    parts = [SIGNATURE, _TYPE, contents.level]
    if contents.exif is not None:
        parts.append(write_box(_EXIF, struct.pack(">I", 0), contents.exif))
    if contents.xmp is not None:
        parts.append(write_box(_XMP, contents.xmp))
    return b"".join((*parts, write_box(b"jxlc", contents.codestream)))

"""The mark that output files carry: that this program made them, and with which settings.

Each format stores it where the format allows what readers do not know, and where a program that edits the picture drops it:

======  ==========================================================================================
PNG     the chunk ``upSC`` before the end: private, ancillary, and not to be copied by editors
GIF     an application block, ``UPSCALE 1.0``, before the end
JPEG    an APP10 segment before the first segment that is not APPn or a comment
WebP    the RIFF chunk ``UPSC`` at the end
AVIF    a ``free`` box at the end
TIFF    24 bytes at the end, which no directory refers to
======  ==========================================================================================

The other formats have no such place.
"""

import re
from typing import BinaryIO

from upscale.pictures.formats import Format
from upscale.pictures.png_format import MARK_CHUNK, chunk

#: Formats that can store the mark, by what Pillow calls them.
SUPPORTED = ("PNG", "GIF", "JPEG", "WEBP", "AVIF", "TIFF")

_TEXT = b"upscale "
#: Digits of the digest of the settings.
DIGITS = 16
_PNG_END = chunk(b"IEND")
_GIF_HEAD, _GIF_END = b"!\xff\x0bUPSCALE 1.0\x18", b"\0;"
#: Marker and length of the JPEG segment.
_JPEG_HEAD = b"\xff\xea" + (2 + len(_TEXT) + DIGITS).to_bytes(2, "big")
_DIGEST = b"upscale ([0-9a-f]{16})"
#: How files end that store the mark at their end.
_ENDINGS = {
    "PNG": re.compile(rb"\0\0\0\x18" + re.escape(MARK_CHUNK) + _DIGEST + b".{4}" + re.escape(_PNG_END) + rb"\Z", re.DOTALL),
    "GIF": re.compile(re.escape(_GIF_HEAD) + _DIGEST + re.escape(_GIF_END) + rb"\Z"),
    "WEBP": re.compile(b"UPSC\\x18\\0\\0\\0" + _DIGEST + rb"\Z"),
    "AVIF": re.compile(b"\\0\\0\\0 free" + _DIGEST + rb"\Z"),
    "TIFF": re.compile(_DIGEST + rb"\Z"),
}
#: Longer than each of them, in bytes.
_LONGEST_ENDING = 64


def add_mark(file: BinaryIO, target: Format, digest: str) -> None:
    """Add the mark to a complete file; does nothing where the format cannot store it.

    Parameters
    ----------
    file : binary file
        Seekable, readable and writeable; is at its end afterwards.
    target : Format
    digest : str
        Of the settings: 16 hexadecimal digits.
    """
    mark = _TEXT + digest.encode("ascii")
    kind = target.pillow
    if kind == "JPEG":
        at = _end_of_jpeg_head(file)
        file.seek(at)
        rest = file.read()
        file.seek(at)
        file.write(_JPEG_HEAD + mark + rest)
    elif kind in _ENDINGS:
        length = file.seek(0, 2)
        file.seek(max(0, length - _LONGEST_ENDING))
        ending = file.read()
        before = _ENDINGS[kind].search(ending)  # copied from a GIF file that was enlarged before
        replaced = len(ending) - before.start() if before else {"PNG": len(_PNG_END), "GIF": 1}.get(kind, 0)
        file.seek(length - replaced)
        file.write(_ending(kind, mark))
        file.truncate()
        if kind == "WEBP":
            length = file.tell() - 8
            file.seek(4)
            file.write(length.to_bytes(4, "little"))
    file.seek(0, 2)


def _ending(kind: str, mark: bytes) -> bytes:
    """Make what ends a file, with the mark in it."""
    if kind == "PNG":
        return chunk(MARK_CHUNK, mark) + _PNG_END
    if kind == "GIF":
        return _GIF_HEAD + mark + _GIF_END
    if kind == "WEBP":
        return b"UPSC" + len(mark).to_bytes(4, "little") + mark
    if kind == "AVIF":
        return (8 + len(mark)).to_bytes(4, "big") + b"free" + mark
    return mark


def read_mark(path: str) -> str | None:
    """Return the digest in a file's mark.

    Returns
    -------
    str or None
        None where there is no file, or it has no mark or cannot be read.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(12)
            kind = _kind_of(head)
            if kind == "JPEG":
                file.seek(_end_of_jpeg_head(file) - len(_JPEG_HEAD) - len(_TEXT) - DIGITS)
                found = re.fullmatch(re.escape(_JPEG_HEAD) + _DIGEST, file.read(len(_JPEG_HEAD) + len(_TEXT) + DIGITS))
            elif kind:
                file.seek(max(0, file.seek(0, 2) - _LONGEST_ENDING))
                found = _ENDINGS[kind].search(file.read())
            else:
                found = None
    except (OSError, ValueError):
        return None
    return found[1].decode("ascii") if found else None


def _kind_of(head: bytes) -> str:
    """Find the format of a file's first 12 bytes; an empty text where it cannot store the mark."""
    if head.startswith(b"\x89PNG"):
        return "PNG"
    if head.startswith(b"GIF8"):
        return "GIF"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "TIFF"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    return "AVIF" if head[4:10] == b"ftypav" else ""


def _end_of_jpeg_head(file: BinaryIO) -> int:
    """Find the first segment of a JPEG file that is neither APPn nor a comment."""
    at = 2
    while True:
        file.seek(at)
        head = file.read(4)
        if len(head) < 4 or head[0] != 0xFF or not (0xE0 <= head[1] <= 0xEF or head[1] == 0xFE):
            return at
        at += 2 + int.from_bytes(head[2:], "big")

"""The mark that output files carry: that this program made them, with which settings, and that nobody has changed them since.

The mark is the text ``upscale``, 16 digits for the settings, 8 for the checksum of all other bytes (CRC-32), and 12 for the
length of the file, all hexadecimal. A file that was edited is not taken for an output, whatever the editor keeps. Each format
stores it where the format allows what readers do not know:

======  ==========================================================================================
PNG     the chunk ``upSC`` before the end: private, ancillary, and not to be copied by editors
GIF     an application block, ``UPSCALE 1.0``, before the end
JPEG    an APP10 segment before the first segment that is not APPn or a comment
WebP    the RIFF chunk ``UPSC`` at the end
AVIF    a ``free`` box at the end, in .jxl and .jp2 too
TIFF    44 bytes at the end, which no directory refers to
======  ==========================================================================================

The other formats have no such place.
"""

import re
from typing import BinaryIO, NamedTuple

from upscale.pictures.formats import Format
from upscale.pictures.png.png_format import MARK_CHUNK, chunk

#: Bytes of the mark.
_LENGTH = 44
_MARK = b"upscale ([0-9a-f]{16})([0-9a-f]{8})([0-9a-f]{12})"
_PNG_END, _GIF_END = chunk(b"IEND"), b";"
_GIF_HEAD = b"!\xff\x0bUPSCALE 1.0" + bytes([_LENGTH])
_JPEG_HEAD = b"\xff\xea" + (2 + _LENGTH).to_bytes(2, "big")
#: Patterns of what stands before and after the mark in files that store it at their end; compiled when they are needed.
_ENDINGS = {
    "PNG": (re.escape(_LENGTH.to_bytes(4, "big") + MARK_CHUNK), b".{4}" + re.escape(_PNG_END)),
    "GIF": (re.escape(_GIF_HEAD), b"\0;"),
    "WEBP": (re.escape(b"UPSC" + _LENGTH.to_bytes(4, "little")), b""),
    **dict.fromkeys(("AVIF", "JXL", "JPEG2000"), (re.escape((8 + _LENGTH).to_bytes(4, "big") + b"free"), b"")),
    "TIFF": (b"", b""),
}
#: Longer than each of them, in bytes.
_LONGEST_ENDING = 96
#: Bytes that are read at a time.
_BLOCK = 1 << 20


class _Mark(NamedTuple):
    """A mark as it was found, and where what stores it begins and ends in the file."""

    digest: str
    checksum: int
    length: int
    begin: int
    end: int


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
    kind = target.pillow
    length = file.seek(0, 2)
    if kind == "JPEG":
        begin = _end_of_jpeg_head(file)
        mark = _text(digest, _checksum(file, begin, begin), length + len(_JPEG_HEAD) + _LENGTH)
        _insert(file, begin, _JPEG_HEAD + mark)
    elif kind in _ENDINGS and target.metadata:  # a codestream of JPEG 2000 alone has no boxes
        file.seek(max(0, length - _LONGEST_ENDING))
        ending = file.read()
        before = _search_ending(kind, ending)  # copied from a GIF file that was enlarged before
        begin = length - (len(ending) - before.start() if before else {"PNG": len(_PNG_END), "GIF": 1}.get(kind, 0))
        length = begin + len(_ending(kind, bytes(_LENGTH)))
        if kind == "WEBP":
            file.seek(4)
            file.write((length - 8).to_bytes(4, "little"))
        elif kind == "GIF":
            file.seek(0)
            file.write(b"GIF89a")  # which has application blocks
        file.seek(begin)
        file.truncate()
        mark = _text(digest, _checksum(file, begin, begin), length)
        file.seek(begin)
        file.write(_ending(kind, mark))
    file.seek(0, 2)


def _insert(file: BinaryIO, begin: int, data: bytes) -> None:
    """Insert bytes into a file; what is behind them is moved block by block, the last one first, since it may be large."""
    end = file.seek(0, 2)
    while end > begin:
        start = max(begin, end - _BLOCK)
        file.seek(start)
        block = file.read(end - start)
        file.seek(start + len(data))
        file.write(block)
        end = start
    file.seek(begin)
    file.write(data)


def _search_ending(kind: str, ending: bytes) -> "re.Match[bytes] | None":
    before, after = _ENDINGS[kind]
    if b"upscale " not in ending:
        return None
    return re.search(before + _MARK + after + rb"\Z", ending, re.DOTALL)


def _text(digest: str, checksum: int, length: int) -> bytes:
    return f"upscale {digest}{checksum:08x}{length:012x}".encode("ascii")


def _ending(kind: str, mark: bytes) -> bytes:
    """Make what ends a file, with the mark in it."""
    if kind == "PNG":
        return chunk(MARK_CHUNK, mark) + _PNG_END
    if kind == "GIF":
        return _GIF_HEAD + mark + b"\0" + _GIF_END
    if kind == "WEBP":
        return b"UPSC" + len(mark).to_bytes(4, "little") + mark
    if kind in ("AVIF", "JXL", "JPEG2000"):
        return (8 + len(mark)).to_bytes(4, "big") + b"free" + mark
    return mark


def _checksum(file: BinaryIO, begin: int, end: int) -> int:
    """Compute the checksum of a file without the bytes from `begin` to `end`."""
    from zlib_ng import zlib_ng  # several times as fast as Python's zlib

    file.seek(0)
    checksum, at = 0, 0
    while data := file.read(min(_BLOCK, begin - at) if at < begin else _BLOCK):
        checksum, at = zlib_ng.crc32(data, checksum), at + len(data)
        if at == begin:
            at = file.seek(end)
    return int(checksum)


def read_mark(path: str, *, whole: bool) -> str | None:
    """Return the digest of the settings in a file's mark.

    Parameters
    ----------
    path : str
    whole : bool
        Whether the checksum of the whole file is compared, and not only its length.

    Returns
    -------
    str or None
        None where there is no file, it cannot be read, it has no mark, or it was changed afterwards.
    """
    try:
        with open(path, "rb") as file:
            mark = _find(file)
            if mark is None or file.seek(0, 2) != mark.length:
                return None
            if whole and _checksum(file, mark.begin, mark.end) != mark.checksum:
                return None
    except (OSError, ValueError):
        return None
    return mark.digest


def _find(file: BinaryIO) -> _Mark | None:
    kind, length = _kind_of(file.read(12)), file.seek(0, 2)
    if kind == "JPEG":
        end = _end_of_jpeg_head(file)
        begin = end - len(_JPEG_HEAD) - _LENGTH
        file.seek(max(0, begin))
        found = re.fullmatch(re.escape(_JPEG_HEAD) + _MARK, file.read(end - begin))
    elif kind:
        at = max(0, length - _LONGEST_ENDING)
        file.seek(at)
        found = _search_ending(kind, file.read())
        begin, end = (at + found.start(), length) if found else (0, 0)
    else:
        return None
    return _Mark(found[1].decode("ascii"), int(found[2], 16), int(found[3], 16), begin, end) if found else None


def is_cut_off(path: str) -> bool:
    """Return whether a file lacks the end that its format prescribes: it is not complete, whoever wrote it."""
    with open(path, "rb") as file:
        kind, length = _kind_of(head := file.read(12)), file.seek(0, 2)
        file.seek(max(0, length - _LONGEST_ENDING))
        ending = file.read()
    if kind == "PNG":
        return _PNG_END[:8] not in ending
    if kind == "GIF":
        return b"\0;" not in ending  # the end of a block, and that of the file
    if kind == "JPEG":
        return b"\xff\xd9" not in ending
    return kind == "WEBP" and length < 8 + int.from_bytes(head[4:8], "little")


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
    if head.startswith((b"\0\0\0\x0cJXL ", b"\0\0\0\x0cjP  ")):
        return "JXL" if head[4:5] == b"J" else "JPEG2000"
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

"""What a JPEG file has besides its picture and the metadata that are read: videos, further pictures, data of programs.

An enlarged picture does not keep them. The layout is that of ITU-T T.81, annex B; names of segments are those that their
programs write.
"""

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

from upscale.pictures.gain_map import GAIN_MAPS

Note = Callable[[str], None]

#: A marker, after fill bytes: no stuffed zero, and none of those that restart the decoder.
_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
#: Beginnings of segments that are read, say nothing about the picture, describe its encoding or its further pictures, or are
#: the mark of outputs.
_KNOWN = re.compile(
    rb"JFIF\0|JFXX\0|Exif\0|http://ns\.adobe\.com/xap/1\.0/\0|ICC_PROFILE\0|MPF\0|Photoshop 3\.0\0|Adobe|Ducky|AVI1|ocad|\0*$"
    rb"|upscale [0-9a-f]{36}$",
    re.IGNORECASE,
)
#: Other segments that users may miss.
_NAMED = (
    (re.compile(rb"http://ns\.adobe\.com/xmp/extension/"), "more XMP than fits into one segment"),
    (re.compile(rb"JP.{10}jumb", re.DOTALL), "content credentials or other JUMBF data"),
    (re.compile(rb"FPXR\0"), "FlashPix data"),
    (re.compile(rb"urn:iso:std:iso:ts:21496|hdrgm"), ""),  # of a gain map, which is noted by its XMP
)
#: Bytes after the end of a picture that are nobody's data.
_PADDING = 16
#: How Samsung marks a video, and the box with which an MP4 file begins (ISO/IEC 14496-12); it may follow a gain map.
_VIDEO = re.compile(rb"MotionPhoto_Data|\0\0\0.ftyp(?:mp4|iso|avc|qt  |hvc|3g|M4V)", re.DOTALL)


def note_losses(stream: BinaryIO, further: bool, note: Note) -> None:
    """Note what a JPEG file has that is not read.

    Parameters
    ----------
    stream : binary file
        Seekable; its position is restored.
    further : bool
        Whether pictures after the first one are read, or reported, by another module.
    note : callable
        Called with a line for each kind of loss.
    """
    before = stream.tell()
    stream.seek(0)
    data = stream.read()
    stream.seek(before)
    lost: dict[str, None] = {}
    end = 0
    for marker, begin, end in _segments(data):
        if 0xE0 <= marker <= 0xEF:
            lost[_name(marker, data[begin : min(end, begin + 64)])] = None
            further |= any(namespace in data[begin:end] for namespace in GAIN_MAPS)
    names = [name for name in lost if name]
    if names:
        note(f"data of its programs were dropped: {', '.join(names)}")
    rest = data[end:] if data[end - 2 : end] == b"\xff\xd9" else b""
    if text := _what_follows(rest, further):
        note(text)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the marker, the beginning and the end of each segment up to the end of the picture."""
    at = 2
    while at + 2 <= len(data):
        found = _MARKER.search(data, at)
        if found is None:
            return
        marker, at = data[found.end() - 1], found.end()
        if marker in (_EOI, _SOI):
            yield marker, at, at
            if marker == _EOI:
                return
        else:
            begin, at = at + 2, at + int.from_bytes(data[at : at + 2], "big")
            yield marker, begin, at
        if marker == _SOS:  # compressed data have no end marker; to look for other markers would take as long as decoding
            at = max(at, data.find(bytes((0xFF, _EOI)), at))


def _name(marker: int, content: bytes) -> str:
    """Return what to call a segment; empty where it is known, or its program does not matter."""
    if _KNOWN.match(content):
        return ""
    for pattern, name in _NAMED:
        if pattern.match(content):
            return name
    text = re.match(rb"[A-Za-z][\w .:/-]{1,30}", content)
    return f"APP{marker - 0xE0}" + (f" ({text[0].decode().strip()})" if text else "")


def _what_follows(rest: bytes, further: bool) -> str:
    """Say what follows the end of the picture."""
    if len(rest.strip(b"\0")) <= _PADDING or rest.count(rest[:1]) == len(rest):
        return ""
    if _VIDEO.search(rest):
        return "the video of its motion photo was dropped"
    if re.match(rb"[\0\xff]*\xff\xd8\xff", rest):
        return "" if further else "another picture after the end of the first one was dropped"
    return f"{len(rest)} bytes of other data after its end were dropped"

"""JPEG files that end inside their last scan, or just before their end marker: decoded as viewers do.

Names of markers, and of what a scan stores, are those of ITU-T T.81.
"""

import io
import re
from typing import BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from upscale.errors import ArgumentError
from upscale.pictures.decoder_errors import pillow_errors

_END_OF_IMAGE, _START_OF_SCAN, _PROGRESSIVE = 0xD9, 0xDA, 0xC2
#: SOF0 to SOF15, without the three other markers of that range.
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
#: A marker that ends a scan: neither a byte of data, nor a fill byte, nor a restart marker.
_AFTER_SCAN = re.compile(rb"\xff[^\0\xff\xd0-\xd7]")
_RESTART = re.compile(rb"\xff([\xd0-\xd7])")
_COEFFICIENTS = 64
#: What may have followed; decoders take a missing end for zeros. Pixels that are the same with all of these were there.
_FOLLOWING = (bytes(range(1, 200, 3)), bytes(range(254, 50, -3)))


class Completed(NamedTuple):
    """A truncated picture, decoded.

    Attributes
    ----------
    image : PIL.Image.Image
    missing : str
        What the file lacks.
    """

    image: Image.Image
    missing: str


class _Scans(NamedTuple):
    """Where the last scan of a truncated file ends, and whether it is the only one."""

    end: int
    single: bool


def complete(stream: BinaryIO) -> Completed | None:
    """Decode a JPEG file that ends inside its last scan.

    Parameters
    ----------
    stream : binary file
        Seekable.

    Returns
    -------
    Completed or None
        None where the file is not truncated.

    Raises
    ------
    ArgumentError
        Where whole scans are missing, or the file is also damaged.
    """
    stream.seek(0)
    data = stream.read()
    scans = _find_scans(data)
    if scans is None:
        return None
    data = data[: scans.end].rstrip(b"\xff")  # half of a marker, or of a byte that is stored as two
    end = bytes((0xFF, _END_OF_IMAGE))
    image = _decoded(data + end)
    samples = np.asarray(image)
    differs = np.zeros(len(samples), bool)
    marker = _next_restart_marker(data)
    for following in (*_FOLLOWING, *(marker + following for following in _FOLLOWING)):
        other = np.asarray(_decoded(data + following + end))
        differs |= (other != samples).reshape(len(samples), -1).any(1)
    if not differs.any():
        return Completed(image, "it lacks the JPEG end marker, but no pixels")
    if scans.single:
        rows = len(differs) - int(differs.argmax())
        if rows == len(differs):
            raise ArgumentError("damaged: the file ends inside its first rows of pixels")
        return Completed(
            image, f"the last {rows} of its {len(differs)} rows of pixels are missing, wholly or in part, and grey"
        )
    return Completed(image, "the end of its last scan is missing, and with it some detail or colour")


def _decoded(data: bytes) -> Image.Image:
    with pillow_errors():
        image = Image.open(io.BytesIO(data), formats=["JPEG"])
        image.load()
    return image


def _next_restart_marker(data: bytes) -> bytes:
    """Return the marker without which decoders ignore what follows, if the file ends before one; they are numbered in turn."""
    before = _RESTART.findall(data, data.rindex(bytes((0xFF, _START_OF_SCAN))))
    return bytes((0xFF, 0xD0 + (before[-1][0] + 1) % 8 if before else 0xD0))


def _find_scans(data: bytes) -> _Scans | None:
    """Find the end of the last scan; None where the end marker follows it.

    Raises
    ------
    ArgumentError
        Where the scans do not make up the whole picture.
    """
    at, count, progressive = 2, 0, False
    # How many low bits of each coefficient are still to come, by component.
    missing: dict[int, list[int]] = {}
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            raise ArgumentError("damaged: there are bytes between its JPEG segments")
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker == _END_OF_IMAGE:
            return None
        segment = data[at + 4 : at + 2 + length]
        if len(segment) < length - 2 or length < 2:
            break
        if marker in _START_OF_FRAME:
            progressive = marker == _PROGRESSIVE
            missing = {identifier: [16] * _COEFFICIENTS for identifier in segment[6::3]}
        at += 2 + length
        if marker == _START_OF_SCAN:
            count += 1
            _note_scan(segment, missing, progressive)
            following = _AFTER_SCAN.search(data, at)
            at = following.start() if following else len(data)
    if data[at : at + 2] == bytes((0xFF, _END_OF_IMAGE)):
        return None
    if not missing or any(any(bits) for bits in missing.values()):
        raise ArgumentError("damaged: the file ends before its last scan")
    return _Scans(at, count == 1 and not progressive)


def _note_scan(segment: bytes, missing: dict[int, list[int]], progressive: bool) -> None:
    """Note which coefficients of which components a scan has, and how many low bits it leaves out."""
    components = segment[0] if segment else 0
    if len(segment) < 4 + 2 * components:
        raise ArgumentError("damaged: the header of a scan is wrong")
    first, last, bits = segment[1 + 2 * components : 4 + 2 * components]
    if not progressive:
        first, last, bits = 0, _COEFFICIENTS - 1, 0
    for i in range(components):
        coefficients = missing.get(segment[1 + 2 * i], [])
        coefficients[first : last + 1] = [bits & 15] * len(coefficients[first : last + 1])

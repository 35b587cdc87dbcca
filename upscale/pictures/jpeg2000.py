"""JPEG 2000: what Pillow and OpenJPEG leave out, which is metadata and the meaning of alpha; and its encoder.

The boxes of a .jp2 file are those of ITU-T T.800, annex I; EXIF and XMP have boxes of the type `uuid`, as ExifTool writes them.
"""

import contextlib
import struct
from typing import Any, BinaryIO

from upscale.errors import ArgumentError, library_errors
from upscale.pictures.boxes import Box, read_boxes, write_box
from upscale.pictures.picture import ALPHA, Picture

_SIGNATURE = b"\0\0\0\x0cjP  "
_EXIF = b"JpgTiffExif->JP2"
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
#: How comments begin that encoders write about themselves.
_ENCODERS = (b"Created by OpenJPEG", b"Kakadu-", b"LEAD Technologies")
#: Methods of a colour box: a number for the colour space, or a profile.
_NUMBER, _PROFILE = 1, 2


def read_metadata(stream: BinaryIO) -> dict[str, Any]:
    """Read colour profile, EXIF and XMP of a .jp2 file, by the keys of `formats.METADATA`; what is damaged is left out."""
    stream.seek(0)
    data = stream.read()
    info: dict[str, Any] = {}
    if not data.startswith(_SIGNATURE):  # a codestream alone
        return info
    with contextlib.suppress(ArgumentError):
        for box in read_boxes(data):
            contents = data[box.contents : box.end] if box.kind == b"uuid" else b""
            if box.kind == b"jp2h":
                for inner in read_boxes(data, box.contents, box.end):
                    if inner.kind == b"colr" and data[inner.contents : inner.contents + 1] == bytes([_PROFILE]):
                        info.setdefault("icc_profile", data[inner.contents + 3 : inner.end])
            elif contents.startswith(_EXIF):
                info["exif"] = b"Exif\0\0" + contents[16:].removeprefix(b"Exif\0\0")
            elif contents.startswith(_XMP):
                info["xmp"] = contents[16:]
    return info


def is_encoders_comment(comment: bytes) -> bool:
    """Return whether a comment only names the program that encoded the file."""
    return comment.startswith(_ENCODERS)


def without_profile(data: bytes) -> bytes:
    """Return a file without its colour profile, which imagecodecs would apply to the samples: sRGB or grey takes its place."""
    if not data.startswith(_SIGNATURE):
        return data
    parts = []
    for box in read_boxes(data):
        if box.kind == b"jp2h":
            inner = list(read_boxes(data, box.contents, box.end))
            grey = any(b.kind == b"ihdr" and data[b.contents + 8 : b.contents + 10] in (b"\0\1", b"\0\2") for b in inner)
            number = write_box(b"colr", bytes([_NUMBER, 0, 0]), struct.pack(">I", 17 if grey else 16))
            profiles = [b.kind == b"colr" and data[b.contents : b.contents + 1] == bytes([_PROFILE]) for b in inner]
            kept = [number if p else data[b.begin : b.end] for b, p in zip(inner, profiles, strict=True)]
            parts.append(write_box(b"jp2h", *kept))
        else:
            parts.append(data[box.begin : box.end])
    return b"".join(parts)


def encode(picture: Picture, *, boxes: bool, threads: int) -> bytes:
    """Encode a picture without loss.

    Parameters
    ----------
    picture : Picture
        Grey or RGB, with or without alpha, of 8 or 16 bits.
    boxes : bool
        Whether to write a .jp2 file, which has metadata, or a codestream alone.
    threads : int

    Raises
    ------
    ArgumentError
        Where the encoder refuses it.
    """
    import imagecodecs

    form = "jp2" if boxes else "j2k"
    with library_errors("cannot be written as JPEG 2000"):
        data = bytes(imagecodecs.jpeg2k_encode(picture.samples, level=0, codecformat=form, reversible=True, numthreads=threads))
    return _with_metadata(data, picture) if boxes else data


def _with_metadata(data: bytes, picture: Picture) -> bytes:
    """Add what the encoder leaves out to a .jp2 file: which channel is alpha, colour profile, resolution, EXIF and XMP."""
    parts, info = [], picture.info
    for box in read_boxes(data):
        if box.kind == b"jp2h":
            parts.append(_header(data, box, picture))
            if "exif" in info:
                parts.append(write_box(b"uuid", _EXIF, info["exif"].removeprefix(b"Exif\0\0")))
            if "xmp" in info:
                parts.append(write_box(b"uuid", _XMP, info["xmp"]))
        else:
            parts.append(data[box.begin : box.end])
    return b"".join(parts)


def _header(data: bytes, header: Box, picture: Picture) -> bytes:
    profile = picture.info.get("icc_profile")
    parts = []
    for box in read_boxes(data, header.contents, header.end):
        if box.kind == b"colr" and profile:
            parts.append(write_box(b"colr", bytes([_PROFILE, 0, 0]), profile))
        elif box.kind != b"cdef":
            parts.append(data[box.begin : box.end])
    if picture.base in ALPHA:
        colours = picture.samples.shape[2] - 1
        channels = [struct.pack(">HHH", i, 0, i + 1) for i in range(colours)]  # each is a colour, counted from 1
        channels.append(struct.pack(">HHH", colours, 1, 0))  # opacity, of the whole picture
        parts.append(write_box(b"cdef", struct.pack(">H", len(channels)), *channels))
    if resolution := _resolution(picture.info.get("dpi", (0, 0))):
        parts.append(write_box(b"res ", write_box(b"resc", resolution)))
    return write_box(b"jp2h", *parts)


def _resolution(dpi: tuple[float, float]) -> bytes:
    """Write dots per inch as dots per metre: numbers, denominators, powers of ten, exact to 0.01 dpi; empty for none."""
    numbers, powers = [], []
    for value in reversed(dpi):  # the vertical one first
        power = next((p for p in (2, 3, 4, 5) if round(float(value) * 10 ** (4 - p)) <= 65535), 5)
        numbers.append(round(float(value) * 10 ** (4 - power)))
        powers.append(power)
    if not all(1 <= number <= 65535 for number in numbers):
        return b""
    return struct.pack(">HHHHbb", numbers[0], 254, numbers[1], 254, *powers)

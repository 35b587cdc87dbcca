"""JPEG files that Pillow does not decode: those of more than 8 bits per sample, and lossless ones."""

import io
import struct
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from upscale.errors import ArgumentError, library_errors
from upscale.pictures import metadata
from upscale.pictures.decoder_errors import pillow_errors
from upscale.pictures.formats import mode_of
from upscale.pictures.orientation import orientation
from upscale.pictures.photoshop import photoshop_blocks
from upscale.pictures.picture import FileContents, Frame, Picture

#: Markers of frames (ITU-T T.81, table B.1), which all begin alike; that of the lossless process.
_FRAMES = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)))
_LOSSLESS = 0xC3
#: Markers without a length.
_BARE = frozenset((0x01, *range(0xD0, 0xD9)))
_MODELS = {1: "L", 3: "RGB"}


class FrameHeader(NamedTuple):
    """What a frame's header says, and where it begins in the file."""

    at: int
    marker: int
    bits: int
    height: int
    width: int
    channels: int


def frame_header(data: bytes) -> FrameHeader | None:
    """Return the first frame header of a JPEG file; None where there is none."""
    at = 2
    while at + 10 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker in _FRAMES:
            return FrameHeader(at, marker, *struct.unpack_from(">BHHB", data, at + 4))
        at += 1 if marker == 0xFF else 2 if marker in _BARE else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def read(stream: BinaryIO, note: Callable[[str], None]) -> FileContents | None:
    """Read the headers of a JPEG file; None for one that Pillow decodes.

    Parameters
    ----------
    stream : binary file
        Seekable; stays open until the picture has been decoded.
    note : callable
        Not called: nothing is lost.

    Raises
    ------
    ArgumentError
        Where the file is not supported.
    """
    header = frame_header(stream.read(1 << 20))
    if header is None or not header.height * header.width or (header.bits == 8 and header.marker != _LOSSLESS):
        return None
    base = _MODELS.get(header.channels)
    if base is None or not 8 <= header.bits <= 16:
        raise ArgumentError(
            f"is a JPEG file that is not supported: {header.channels} channels of {header.bits} bits; convert it to TIFF first"
        )
    mode = mode_of(base, np.dtype(np.uint8 if header.bits == 8 else np.uint16)) or ""
    stream.seek(0)
    info = _info(stream.read(), header)

    def frames() -> Any:
        stream.seek(0)
        yield Frame(_decode(stream.read(), header, mode, info))

    size, pixel_bytes = (header.height, header.width), header.channels * (1 if header.bits == 8 else 2)
    return FileContents("JPEG", size, pixel_bytes, frames, orientation=orientation(info), mode=mode)


def _info(data: bytes, header: FrameHeader) -> dict[str, Any]:
    """Collect the metadata with Pillow, which opens a file that claims 8 bits."""
    from PIL import Image

    claimed = data[: header.at + 4] + b"\x08" + data[header.at + 5 :]
    with pillow_errors():
        image = Image.open(io.BytesIO(claimed), formats=["JPEG"])
    info = metadata.of_image(image)
    if blocks := photoshop_blocks.read_segments(getattr(image, "applist", ())):
        info["photoshop"] = blocks
    return info


def _decode(data: bytes, header: FrameHeader, mode: str, info: dict[str, Any]) -> Picture:
    import imagecodecs

    with library_errors():
        samples = imagecodecs.jpeg_decode(data)
    if (
        samples.shape[:2] != (header.height, header.width)
        or samples.size != samples.shape[0] * samples.shape[1] * header.channels
    ):
        raise ArgumentError("damaged: its decoded size differs from its header")
    if 8 < header.bits < 16:
        samples = np.floor(samples * (65535 / ((1 << header.bits) - 1)) + 0.5).astype(np.uint16)
    return Picture(np.ascontiguousarray(samples), mode, None, info)

"""Icons and cursors (ICO, CUR): every size in its best depth, with the mask that makes pixels transparent.

Pillow takes the picture with the fewest colours of a size, and ignores the masks of cursors and of 32 bits.
"""

import io
import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError
from upscale.pictures.bmp import bmp_reader
from upscale.pictures.mode_conversion import to_rgba
from upscale.pictures.picture import FileContents, Frame, Picture
from upscale.pictures.png import png_reader

Array = NDArray[Any]
Note = Callable[[str], None]

_ENTRY = struct.Struct("<BBBBHHII")
_CURSOR = 2
_PNG = b"\x89PNG\r\n\x1a\n"
#: Samples per pixel, by PNG's number of the colour type.
_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_BGRA = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)


class _Icon(NamedTuple):
    """One picture: what it is, its size in pixels, its bits a pixel, and its bytes in the file."""

    size: tuple[int, int]
    bits: int
    data: bytes


def read(stream: BinaryIO, note: Note) -> FileContents:
    """Read the directory of an icon or a cursor; pictures are decoded when they are requested.

    Parameters
    ----------
    stream : binary file
        Seekable.
    note : callable
        Called with a line for what is lost.

    Raises
    ------
    ArgumentError
        Where the file is damaged or not supported.
    """
    data = stream.read()
    kind, number = struct.unpack_from("<HH", data.ljust(6, b"\0"), 2)
    if not number or len(data) < 6 + number * _ENTRY.size:
        raise ArgumentError("damaged: the file ends inside its directory")
    entries = [_ENTRY.unpack_from(data, 6 + i * _ENTRY.size) for i in range(number)]
    icons = [_parsed(data, size, at) for *_, size, at in entries]
    best: dict[tuple[int, int], _Icon] = {}
    for icon in icons:
        if icon.size not in best or icon.bits > best[icon.size].bits:
            best[icon.size] = icon
    chosen = sorted(best.values(), reverse=True)  # the largest first: it is the one for programs that take one

    def frames() -> Iterator[Frame]:
        if len(icons) > len(chosen):
            note(f"{len(icons) - len(chosen)} of its pictures, which repeat others with fewer colours, were dropped")
        if kind == _CURSOR:
            note("its hotspot was dropped")
        for icon in chosen:
            yield Frame(_decode(icon, note))

    form, several = ("CUR" if kind == _CURSOR else "ICO"), ("sizes" if len(chosen) > 1 else "picture")
    return FileContents(form, chosen[0].size, 4, frames, several, len(chosen), mode="RGBA")


def _parsed(data: bytes, size: int, at: int) -> _Icon:
    """Parse the header of one picture; a size in the directory may be wrong."""
    if at >= len(data):
        raise ArgumentError("damaged: a picture in it begins beyond the end of the file")
    if data.startswith(_PNG, at):
        own = data[at : at + size] if size else data[at:]
        if len(own) < 26:
            raise ArgumentError("damaged: the file ends inside a picture")
        width, height, depth, colour = struct.unpack_from(">IIBB", own, 16)
        return _Icon((height, width), depth * _PNG_CHANNELS.get(colour, 4), own)
    own = data[at:]
    header = bmp_reader.parse(own, 0, 0)
    if header.width < 1 or header.height < 2:
        raise ArgumentError("damaged: a picture in it has no size")
    return _Icon((header.height // 2, header.width), header.bits, own)


def _decode(icon: _Icon, note: Note) -> Picture:
    if icon.data.startswith(_PNG):
        picture = next(png_reader.read(io.BytesIO(icon.data), note, note).frames()).picture
        return picture._replace(info={k: v for k, v in picture.info.items() if k == "transparency"})
    header = bmp_reader.parse(icon.data, 0, 0)
    header = header._replace(height=header.height // 2)  # it counts the mask
    if header.bits == 32 and len(header.masks) == 3:
        header = header._replace(masks=_BGRA)
    bmp_reader.refuse_unsupported(header)
    picture = bmp_reader.decode(icon.data, header, lambda text: None)
    if picture.base == "RGBA":
        return picture
    # Without alpha, or with one that is 0 everywhere, the mask counts.
    picture = to_rgba(picture)
    mask = _mask(icon.data, header)
    if mask is None:
        note("its mask is missing, so the picture was treated as opaque")
        return picture
    samples = picture.samples.copy()
    inverting = int((mask & samples[..., :3].any(axis=2)).sum())
    if inverting:
        note(f"{inverting} pixels that invert the screen became transparent")
    samples[mask, 3] = 0
    return picture.with_samples(samples)


def _mask(data: bytes, header: bmp_reader.Header) -> Array | None:
    """Return the mask behind the samples, True where the screen shows through; None where the file ends before."""
    at = header.pixels_at + (header.width * header.bits + 31) // 32 * 4 * header.height
    stride = (header.width + 31) // 32 * 4
    stored = data[at : at + stride * header.height]
    if len(stored) < stride * header.height:
        return None
    bits = np.unpackbits(np.frombuffer(stored, np.uint8).reshape(header.height, stride), axis=1, count=header.width)
    return (bits if header.top_down else bits[::-1]).astype(bool)

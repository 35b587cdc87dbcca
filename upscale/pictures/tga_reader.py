"""Targa files: 15 and 16 bits, colour maps, alpha as the file declares it, and runs that go on in the next row.

Pillow reads some of these wrongly: it takes a set attribute bit of 16 bits as transparent, and knows attributes of 32 bits only
of the newer version of the format. The layout is that of Truevision's TGA File Format Specification, version 2.0.
"""

import struct
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError
from upscale.pictures.alpha_channel import note_dropped, without_empty_alpha
from upscale.pictures.bmp import bit_fields
from upscale.pictures.decoder_errors import pillow_errors
from upscale.pictures.picture import FileContents, Frame, Picture

Array = NDArray[Any]
Note = Callable[[str], None]

_HEADER = struct.Struct("<BBBHHBHHHHBB")
_MAPPED, _COLOUR, _GREY, _RUNS = 1, 2, 3, 8
#: Bits a pixel, by the kind of picture.
_DEPTHS = {_MAPPED: (8, 16), _COLOUR: (15, 16, 24, 32), _GREY: (8, 16)}
_MAP_DEPTHS = (15, 16, 24, 32)
_RIGHT_TO_LEFT, _TOP_DOWN = 16, 32
_FOOTER = b"TRUEVISION-XFILE.\0"
#: Where the extension area says what alpha means, and what it may say.
_ATTRIBUTES_AT, _EXTENSION = 494, 495
_NO_ALPHA, _IGNORED, _PREMULTIPLIED = 0, 1, 4
#: Red, green, blue and alpha of 15 and 16 bits.
_FIELDS = (0x7C00, 0x3E0, 0x1F, 0x8000)
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
#: Pillow's modes and raw modes of the pixels that its decoder of run lengths returns, by bytes a pixel.
_RAW = {1: ("L", "L"), 2: ("I;16", "I;16"), 3: ("RGB", "RGB"), 4: ("RGBA", "RGBA")}


class Header(NamedTuple):
    """The fields of the file's header."""

    name_length: int
    has_map: int
    kind: int
    map_first: int
    map_length: int
    map_depth: int
    left: int
    bottom: int
    width: int
    height: int
    depth: int
    flags: int

    @property
    def model(self) -> int:
        """The kind without the compression."""
        return self.kind & ~_RUNS

    @property
    def attribute_bits(self) -> int:
        """How many bits a pixel, or an entry of the map, has besides its colour."""
        return self.flags & 15

    @property
    def pixels_at(self) -> int:
        """Where the samples begin."""
        entry = (self.map_depth + 7) // 8
        return _HEADER.size + self.name_length + (self.map_length * entry if self.has_map else 0)


def _header_of(head: bytes) -> Header | None:
    """Return the header if a file of these first bytes is of a kind that this module reads."""
    if len(head) < _HEADER.size:
        return None
    header = Header(*_HEADER.unpack_from(head))
    plausible = header.has_map in (0, 1) and header.width and header.height and header.flags < 64
    if not plausible or header.kind not in (1, 2, 3, 9, 10, 11) or header.depth not in _DEPTHS[header.model]:
        return None
    if header.has_map:
        return header if header.map_length and header.map_depth in _MAP_DEPTHS else None
    return None if header.model == _MAPPED else header


def read(stream: BinaryIO, note: Note) -> FileContents | None:
    """Read the header of a Targa file; None where the file is not one that this module reads, which no signature says.

    Parameters
    ----------
    stream : binary file
        Seekable; stays open until the picture has been decoded.
    note : callable
        Called with a line for what is lost.
    """
    header = _header_of(stream.read(_HEADER.size))
    if header is None:
        return None

    def frames() -> Any:
        stream.seek(0)
        yield Frame(decode(stream.read(), header, note))

    pixel_bytes = {_MAPPED: 1 if header.depth == 8 else 4, _COLOUR: 4, _GREY: header.depth // 8}[header.model]
    return FileContents("TGA", (header.height, header.width), pixel_bytes, frames)


def decode(data: bytes, header: Header, note: Note) -> Picture:
    """Decode a whole file.

    Raises
    ------
    ArgumentError
        Where it is damaged.
    """
    pixels = _pixels(data, header)
    if not header.flags & _TOP_DOWN:
        pixels = pixels[::-1]
    if header.flags & _RIGHT_TO_LEFT:
        pixels = pixels[:, ::-1]
    if header.model == _MAPPED:
        return _mapped(np.ascontiguousarray(pixels), data, header, note)
    samples = np.ascontiguousarray(pixels) if header.model == _GREY else _colours(pixels, header.depth)
    samples, premultiplied = _checked_alpha(samples, data, header, header.depth, note)
    channels = samples.shape[2]
    picture = Picture(np.ascontiguousarray(samples[..., 0] if channels == 1 else samples), _MODES[channels])
    return picture.with_info(associated=True) if premultiplied else picture


def _pixels(data: bytes, header: Header) -> Array:
    """Return the pixels' bytes in the order of the file, shape (H, W, bytes a pixel)."""
    size, total = (header.depth + 7) // 8, header.width * header.height
    stored = data[header.pixels_at :]
    if header.kind & _RUNS:
        from PIL import Image

        # As a single row, since runs may go on in the next row.
        mode, raw = _RAW[size]
        with pillow_errors():
            stored = Image.frombytes(mode, (total, 1), stored, "tga_rle", raw, 1, 8 * size).tobytes()
    if len(stored) < total * size:
        raise ArgumentError("damaged: the file ends inside its samples")
    return np.frombuffer(stored, np.uint8, total * size).reshape(header.height, header.width, size)


def _attributes(data: bytes) -> int | None:
    """Return what the extension area of the newer version says of alpha; None where there is none."""
    if not data.endswith(_FOOTER):
        return None
    (at,) = struct.unpack_from("<I", data, len(data) - 26)
    return data[at + _ATTRIBUTES_AT] if 0 < at <= len(data) - _EXTENSION else None


def _colours(pixels: Array, depth: int) -> Array:
    """Convert the bytes of pixels, or of a map's entries, to RGB, or to RGBA where there are bits for it."""
    if pixels.shape[-1] == 2:
        words = np.ascontiguousarray(pixels).view("<u2")[..., 0]
        return bit_fields.unpack(words, _FIELDS[: 3 if depth == 15 else 4])
    return pixels[..., [2, 1, 0, 3][: pixels.shape[-1]]]


def _checked_alpha(samples: Array, data: bytes, header: Header, depth: int, note: Note) -> tuple[Array, bool]:
    """Drop alpha that the file does not declare as such; return the samples, and whether colours are multiplied by alpha.

    Many files with 32 bits and alpha declare that they have no attributes; so do some whose fourth byte is 0.
    """
    if samples.shape[-1] in (1, 3):
        return samples, False
    attributes = _attributes(data)
    if attributes in (_NO_ALPHA, _IGNORED) or (depth == 16 and header.model != _GREY and not header.attribute_bits):
        note_dropped(samples[..., -1], "the attribute bits", note)
        return samples[..., :-1], False
    kept = without_empty_alpha(samples, note)
    return kept, attributes == _PREMULTIPLIED and kept is samples


def _mapped(pixels: Array, data: bytes, header: Header, note: Note) -> Picture:
    """Make a picture of indices and of the map; one of more than 256 colours becomes RGB."""
    size = (header.map_depth + 7) // 8
    begin = header.pixels_at - header.map_length * size
    entries = np.frombuffer(data[begin : begin + header.map_length * size], np.uint8).reshape(-1, size)
    colours, premultiplied = _checked_alpha(_colours(entries, header.map_depth), data, header, header.map_depth, note)
    table = np.zeros((header.map_first + len(colours), colours.shape[1]), np.uint8)
    table[header.map_first :] = colours
    indices = pixels[..., 0] if pixels.shape[2] == 1 else pixels.view("<u2")[..., 0]
    if pixels.shape[2] == 1 and not premultiplied:
        info = {"transparency": table[:256, 3].tobytes()} if table.shape[1] == 4 else {}
        return Picture(indices, "P", np.ascontiguousarray(table[:256, :3]), info)
    if indices.max() >= len(table):
        raise ArgumentError("damaged: pixels use colours that its colour map does not contain")
    picture = Picture(table[indices], _MODES[table.shape[1]])
    return picture.with_info(associated=True) if premultiplied else picture

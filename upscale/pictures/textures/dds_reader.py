"""DDS textures: block compressions, bit fields and plain samples; of cube maps, volumes and mip levels, the first picture."""

import math
import struct
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError, library_errors
from upscale.pictures.alpha_channel import note_dropped
from upscale.pictures.bmp import bit_fields
from upscale.pictures.formats import mode_of
from upscale.pictures.picture import FileContents, Frame, Picture
from upscale.pictures.read_exactly import read_exactly
from upscale.pictures.textures import dds_formats
from upscale.pictures.textures.dds_formats import Layout

Array = NDArray[Any]
Note = Callable[[str], None]

_CHANNELS = {"L": 1, "LA": 2, "RG": 2, "RGB": 3, "RGBA": 4, "A": 1, "P": 1}
#: Models that pictures lack, and which take their place.
_BASES = {"RG": "RGB", "A": "LA"}
_CUBE, _VOLUME, _DX10_CUBE = 0x200, 0x200000, 4
_PALETTE_BYTES = 1024
#: The sign of the two values that a block of BC4 begins with.
_ZERO_IF_SIGNED = 128
#: Fewer bytes of blocks are refused by older versions of imagecodecs.
_LEAST_BYTES = 256
_SIGNS = np.array([_ZERO_IF_SIGNED, _ZERO_IF_SIGNED, 0, 0, 0, 0, 0, 0], np.uint8)


def read(stream: BinaryIO, note: Note) -> FileContents:
    """Read the header of a DDS file; the pixels are decoded when they are requested.

    Parameters
    ----------
    stream : binary file
        Seekable; stays open until the picture has been decoded.
    note : callable
        Called with a line for what is lost.

    Raises
    ------
    ArgumentError
        Where the file is damaged or not supported.
    """
    head = stream.read(dds_formats.HEADER + dds_formats.DX10_HEADER)
    if len(head) < dds_formats.HEADER:
        raise ArgumentError("damaged: the file ends inside its header")
    height, width = struct.unpack_from("<II", head, 12)
    if not height * width:
        raise ArgumentError("damaged: its width or height is 0")
    layout, begin = dds_formats.layout_of(head)

    def frames() -> Any:
        _note_others(head, note)
        stream.seek(begin)
        yield Frame(_decode(stream, layout, (height, width), note))

    base, dtype = _BASES.get(layout.base, layout.base), _dtype(layout)
    pixel_bytes = max(1, _CHANNELS[base]) * dtype.itemsize
    return FileContents("DDS", (height, width), pixel_bytes, frames, mode=mode_of(base, dtype) or "")


def _dtype(layout: Layout) -> np.dtype[Any]:
    """Return the dtype of the picture's samples: half floats become floats."""
    stored = bit_fields.sample_type(layout.masks) if layout.masks else layout.dtype
    return np.dtype(np.float32) if np.dtype(stored).kind == "f" else np.dtype(stored)


def _note_others(head: bytes, note: Note) -> None:
    """Note what else the file contains."""
    depth, levels = struct.unpack_from("<II", head, 24)
    caps = struct.unpack_from("<I", head, 112)[0]
    is_cube, layers = bool(caps & _CUBE), 1
    if head[84:88] == b"DX10":
        flags, layers = struct.unpack_from("<II", head, 136)
        is_cube = is_cube or bool(flags & _DX10_CUBE)
    if is_cube:
        note("only the first face of the cube map was read")
    elif layers > 1:
        note(f"only the first of its {layers} layers was read")
    elif caps & _VOLUME and depth > 1:
        note(f"only the first of its {depth} slices was read")
    if levels > 1:
        note("its smaller copies (mip levels) were dropped")


def _decode(stream: BinaryIO, layout: Layout, size: tuple[int, int], note: Note) -> Picture:
    if layout.kind == "palette":
        return _with_palette(stream, size)
    if layout.kind == "blocks":
        samples = _blocks(stream, layout, size)
        if layout.signed and layout.number != 6:
            note(f"its signed values (-1 to 1) were mapped to 1 to 255; 0 became {_ZERO_IF_SIGNED}")
    elif layout.kind == "fields":
        samples = bit_fields.unpack(_words(stream, layout.number, size), layout.masks)
    else:
        dtype = np.dtype(layout.dtype).newbyteorder("<")
        samples = np.frombuffer(
            read_exactly(stream, math.prod(size) * _CHANNELS[layout.base] * dtype.itemsize, "samples"), dtype
        )
        samples = samples.reshape(*size, -1)
    samples = samples.reshape(*size, -1).astype(_dtype(layout))
    if layout.base == "RG":
        blue = np.full_like(samples[..., :1], _ZERO_IF_SIGNED if layout.signed else 0)
        samples = np.concatenate((samples, blue), axis=2)
        note("it has only red and green")
    elif layout.base == "A":
        samples = np.concatenate((np.zeros_like(samples), samples), axis=2)
    base = _BASES.get(layout.base, layout.base)
    if layout.opaque and base in ("LA", "RGBA"):
        note_dropped(samples[..., -1], "the alpha values", note)
        samples, base = samples[..., :-1], base[:-1]
    picture = Picture(samples).with_samples(samples[..., 0] if samples.shape[2] == 1 else samples, base)
    return picture.with_info(associated=True) if layout.premultiplied and picture.has_alpha else picture


def _blocks(stream: BinaryIO, layout: Layout, size: tuple[int, int]) -> Array:
    """Decode blocks of 4x4 pixels."""
    import imagecodecs

    down, across = (-(-side // 4) for side in size)
    data = read_exactly(stream, down * across * (8 if layout.number in (1, 4) else 16), "samples")
    if layout.signed and layout.number != 6:  # signed values with an offset of 128, which interpolate as unsigned ones do
        data = (np.frombuffer(data, np.uint8).reshape(-1, 8) ^ _SIGNS).tobytes()
    data = data.ljust(_LEAST_BYTES, b"\0")
    shape = (4 * down, 4 * across) + ((_CHANNELS[layout.base],) if layout.base != "L" else ())
    with library_errors():
        whole: Any = imagecodecs.bcn_decode(data, -6 if layout.number == 6 and layout.signed else layout.number, shape=shape)
    decoded: Array = whole[: size[0], : size[1]]
    return decoded


def _words(stream: BinaryIO, bits: int, size: tuple[int, int]) -> Array:
    """Read pixels as words."""
    data = np.frombuffer(read_exactly(stream, math.prod(size) * bits // 8, "samples"), np.uint8)
    if bits != 24:
        return data.view(f"<u{bits // 8}").reshape(size)
    padded = np.zeros((math.prod(size), 4), np.uint8)
    padded[:, :3] = data.reshape(-1, 3)
    return padded.view("<u4").reshape(size)


def _with_palette(stream: BinaryIO, size: tuple[int, int]) -> Picture:
    palette = np.frombuffer(read_exactly(stream, _PALETTE_BYTES, "samples"), np.uint8).reshape(256, 4)
    indices = np.frombuffer(read_exactly(stream, math.prod(size), "samples"), np.uint8).reshape(size)
    info = (
        {}
        if (palette[:, 3] == palette[0, 3]).all() and palette[0, 3] in (0, 255)
        else {"transparency": palette[:, 3].tobytes()}
    )
    return Picture(indices, "P", np.ascontiguousarray(palette[:, :3]), info)

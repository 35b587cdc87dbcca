"""Photoshop pictures (PSD): the merged picture in all of Photoshop's modes and depths, with its alpha and its metadata.

Pillow reads 8 bits only, inverts pictures of 1 bit, takes any fourth channel as alpha, and leaves metadata out. The layout is
that of Adobe's Photoshop File Formats Specification.
"""

import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError, library_errors
from upscale.pictures.formats import mode_of
from upscale.pictures.orientation import orientation
from upscale.pictures.photoshop import psd_sections
from upscale.pictures.photoshop.psd_sections import Sections
from upscale.pictures.picture import CHANNELS, FileContents, Frame, Picture
from upscale.pictures.read_exactly import read_exactly

Array = NDArray[Any]
Note = Callable[[str], None]

_HEADER = struct.Struct(">4sH6xHIIHH")
_BITMAP, _INDEXED, _RGB, _CMYK, _MULTICHANNEL, _DUOTONE, _LAB = 0, 2, 3, 4, 7, 8, 9
#: Colour model and number of channels, by Photoshop's number of the mode.
_MODELS = {
    _BITMAP: ("1", 1), 1: ("L", 1), _INDEXED: ("P", 1), _RGB: ("RGB", 3), _CMYK: ("CMYK", 4), _DUOTONE: ("L", 1),
    _LAB: ("LAB", 3),
}  # fmt: skip
_DTYPES = {1: "u1", 8: "u1", 16: ">u2", 32: ">f4"}
_RAW, _RUN_LENGTHS = 0, 1
_WITH_ALPHA = {"L": "LA", "RGB": "RGBA"}


class Header(NamedTuple):
    """The header of a file; `number` is Photoshop's of the mode."""

    signature: bytes
    version: int
    channels: int
    height: int
    width: int
    depth: int
    number: int

    @property
    def model(self) -> tuple[str, int]:
        """The colour model, and how many channels it has."""
        if self.number == _MULTICHANNEL:
            return ("L", 1) if self.channels == 1 else (CHANNELS, self.channels)
        return _MODELS[self.number]


def read(stream: BinaryIO, note: Note) -> FileContents:
    """Read what precedes the pixels of a PSD file; they are decoded when they are requested.

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
    header = Header(*_HEADER.unpack(read_exactly(stream, _HEADER.size, "header")))
    if header.depth not in _DTYPES or (header.depth == 1) != (header.number == _BITMAP):
        raise ArgumentError(f"damaged: no PSD file has {header.depth} bits per sample in mode {header.number}")
    if header.number != _MULTICHANNEL and header.number not in _MODELS:
        raise ArgumentError(f"is a PSD file that is not supported: its mode has the number {header.number}; save it as TIFF")
    if not 0 < header.model[1] <= header.channels or not header.height * header.width:
        raise ArgumentError("damaged: its header has too few channels, or no size")
    sections = psd_sections.read(stream)
    if sections.layers and not sections.has_merged:
        raise ArgumentError(
            "contains only layers: it was saved without Photoshop's Maximize Compatibility; save it again with that option, "
            "or as TIFF"
        )
    has_alpha = sections.has_transparency and header.channels > header.model[1] and header.model[0] in _WITH_ALPHA
    base = _WITH_ALPHA[header.model[0]] if has_alpha else header.model[0]

    def frames() -> Iterator[Frame]:
        _note_losses(header, sections, has_alpha, note)
        yield Frame(_decode(stream, header, sections, base))

    dtype = np.dtype("bool" if header.depth == 1 else _DTYPES[header.depth]).newbyteorder("=")
    pixel_bytes = (header.model[1] + has_alpha) * dtype.itemsize
    mode, turned = mode_of(base, dtype) or CHANNELS, orientation(sections.info)
    return FileContents("PSD", (header.height, header.width), pixel_bytes, frames, orientation=turned, mode=mode)


def _note_losses(header: Header, sections: Sections, has_alpha: bool, note: Note) -> None:
    if sections.layers > 1:
        note(f"its {sections.layers} layers were merged")
    if header.number == _DUOTONE:
        note("the inks of its duotone were dropped; its grey values were kept")
    others = header.channels - header.model[1] - has_alpha
    if others and sections.has_transparency and not has_alpha:
        note(f"its transparency was dropped, because it is not supported for {header.model[0]}")
        others -= 1
    if others:
        note(f"{others} of its channels, masks or spot colours, {'were' if others > 1 else 'was'} dropped")


def _decode(stream: BinaryIO, header: Header, sections: Sections, base: str) -> Picture:
    wanted = header.channels if base == CHANNELS else len(base) if base not in ("1", "P") else 1
    planes = _planes(stream, header, sections.pixels_at, wanted)
    info = dict(sections.info)
    if base == "1":
        bits = np.unpackbits(planes[0], axis=1, count=header.width)
        return Picture(bits == 0, "1", None, info)  # ink is 1
    samples = np.moveaxis(planes, 0, 2)
    samples = samples.astype(samples.dtype.newbyteorder("="))
    if base == "P":
        if len(sections.colours) < 768:
            raise ArgumentError("damaged: its palette is too short")
        palette = np.frombuffer(sections.colours, np.uint8, 768).reshape(3, 256).T
        return Picture(np.ascontiguousarray(samples[..., 0]), "P", np.ascontiguousarray(palette), info)
    info.pop("transparency", None)
    if base == "CMYK":  # as light, not as ink
        samples = np.iinfo(samples.dtype).max - samples
    elif base in ("LA", "RGBA"):
        samples = _without_white(samples)
    samples = np.ascontiguousarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    return Picture(samples, mode_of(base, samples.dtype) or CHANNELS, None, info)


def _planes(stream: BinaryIO, header: Header, at: int, wanted: int) -> Array:
    """Return the first channels, shape (wanted, H, W), or bytes of 8 pixels for 1 bit."""
    dtype = np.dtype(_DTYPES[header.depth])
    columns = (header.width + 7) // 8 if header.depth == 1 else header.width
    row, rows = columns * dtype.itemsize, wanted * header.height
    stream.seek(at)
    compression = int.from_bytes(stream.read(2), "big")
    if compression == _RAW:
        data = stream.read(rows * row)
    elif compression == _RUN_LENGTHS:
        data = _unpacked(stream, header, rows, row)
    else:
        raise ArgumentError(
            f"is a PSD file that is not supported: its compression has the number {compression}; save it as TIFF"
        )
    if len(data) < rows * row:
        raise ArgumentError("damaged: the file ends inside its samples")
    return np.frombuffer(data, dtype).reshape(wanted, header.height, columns)


def _unpacked(stream: BinaryIO, header: Header, rows: int, row: int) -> bytes:
    """Undo the run lengths of the first rows; the table of their lengths has those of all channels."""
    import imagecodecs

    table = stream.read(2 * header.channels * header.height)
    lengths = np.frombuffer(table, ">u2", len(table) // 2)[:rows].tolist()
    data, out, at = stream.read(sum(lengths)), [], 0
    for length in lengths:
        with library_errors():
            unpacked = imagecodecs.packbits_decode(data[at : at + length])
        if len(unpacked) < row:
            raise ArgumentError("damaged: one of its rows is too short")
        out.append(unpacked[:row])  # some programs write a byte too many
        at += length
    return b"".join(out)


def _without_white(samples: Array) -> Array:
    """Return colours without the white that Photoshop lays under transparent pictures, unless they cannot have it."""
    full = 1.0 if samples.dtype.kind == "f" else float(np.iinfo(samples.dtype).max)
    colours, alpha = samples[..., :-1].astype(np.float64), samples[..., -1:].astype(np.float64)
    over = colours - (full - alpha)
    if (over < -full / 200).any():  # darker than the white that would shine through
        return samples
    mixed = (alpha > 0) & (alpha < full)
    colours = np.where(mixed, np.clip(over * full / np.where(mixed, alpha, 1), 0, full), colours)
    colours = colours if samples.dtype.kind == "f" else np.floor(colours + 0.5)
    return np.concatenate((colours, alpha), axis=2).astype(samples.dtype)

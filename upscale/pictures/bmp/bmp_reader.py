"""BMP and DIB files of the kinds that Pillow does not read, or not completely.

Those are bit fields of any width, alpha of 1 and 4 bits, run lengths, 2 bits a pixel, headers of OS/2, and palettes that are
too long. Pillow reads all others. The layout is that of Microsoft's [MS-WMF] and of IBM's OS/2 Presentation Manager.
"""

import struct
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError
from upscale.pictures.alpha_channel import note_dropped, without_empty_alpha
from upscale.pictures.bmp import bit_fields, bmp_runs
from upscale.pictures.formats import mode_of
from upscale.pictures.picture import FileContents, Frame, Picture

Array = NDArray[Any]
Note = Callable[[str], None]

#: Bytes of a file's header, before the picture's own.
_FILE_HEADER = 14
#: The oldest header, of 16-bit sizes; headers of Windows; all others between are OS/2's.
_CORE, _WINDOWS = 12, (40, 52, 56, 108, 124)
_LONGEST_HEADER = 124
#: Most bytes of a colour profile.
_LONGEST_PROFILE = 1 << 24
_PLAIN, _RLE8, _RLE4, _FIELDS, _JPEG, _PNG, _ALPHA_FIELDS = range(7)
_OS2_HUFFMAN, _OS2_RLE24 = 3, 4
_DEFAULT_FIELDS = {16: (0x7C00, 0x3E0, 0x1F), 32: (0xFF0000, 0xFF00, 0xFF)}
_UNUSED_BYTE = 0xFF000000
_PER_INCH = 39.3701  # as Pillow, so that what it writes comes back
_ENDS = "damaged: the file ends inside its header"


class Header(NamedTuple):
    """A picture's header.

    Attributes
    ----------
    size : int
        Of the header, in bytes.
    width, height : int
    top_down : bool
        Whether the first row is the highest.
    bits, compression, colours : int
        Colours of the palette, 0 for as many as the bits allow.
    pixels_per_metre : (int, int)
    masks : tuple of int
        Of red, green, blue, and alpha if there is any; empty for pixels without fields.
    palette_at, pixels_at : int
        Positions in the file.
    """

    size: int
    width: int
    height: int
    top_down: bool
    bits: int
    compression: int
    colours: int
    pixels_per_metre: tuple[int, int]
    masks: tuple[int, ...]
    palette_at: int
    pixels_at: int

    @property
    def is_os2(self) -> bool:
        """Whether it is the second version of OS/2, whose compressions have other numbers."""
        return self.size not in (_CORE, *_WINDOWS)

    @property
    def base(self) -> str:
        """The colour model."""
        return ("RGBA" if len(self.masks) == 4 else "RGB") if self.bits > 8 else "P"


def read(stream: BinaryIO, note: Note) -> FileContents | None:
    """Read the header of a BMP or DIB file; None for a file that Pillow reads completely.

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
    head = stream.read(_FILE_HEADER + _LONGEST_HEADER + 16)
    is_file = head.startswith(b"BM")
    if len(head) < _FILE_HEADER:
        raise ArgumentError(_ENDS)
    header = parse(head, _FILE_HEADER if is_file else 0, struct.unpack_from("<I", head, 10)[0] if is_file else 0)
    if header.width < 1 or header.height < 1:
        raise ArgumentError("damaged: its width or height is not positive")
    if _is_for_pillow(header):
        return None
    refuse_unsupported(header)

    def frames() -> Any:
        stream.seek(0)
        data = stream.read()
        info: dict[str, Any] = {}
        if profile := profile_of(stream):
            info["icc_profile"] = profile
        if any(header.pixels_per_metre):
            info["dpi"] = tuple(v / _PER_INCH for v in header.pixels_per_metre)
        return iter([Frame(decode(data, header, note).with_info(**info))])

    channels = {"P": 1, "RGB": 3, "RGBA": 4}[header.base]
    dtype = np.dtype(bit_fields.sample_type(header.masks) if header.masks else np.uint8)
    mode = mode_of(header.base, dtype) or ""
    form = "BMP" if is_file else "DIB"
    return FileContents(form, (header.height, header.width), channels * dtype.itemsize, frames, mode=mode)


def parse(head: bytes, at: int, pixels_at: int) -> Header:
    """Parse a header.

    Parameters
    ----------
    head : bytes
        The beginning of the file, or all of it.
    at : int
        Where the header begins.
    pixels_at : int
        Where the samples begin; 0 for behind the palette.

    Raises
    ------
    ArgumentError
        Where the file ends inside the header, or no header has its size.
    """
    (size,) = struct.unpack_from("<I", head.ljust(at + 4, b"\0"), at)
    if not (size == _CORE or 16 <= size <= 64 or size in _WINDOWS):
        raise ArgumentError(f"damaged: no BMP header has a size of {size} bytes")
    if len(head) < at + size:
        raise ArgumentError(_ENDS)
    if size == _CORE:
        width, height, _, bits = struct.unpack_from("<4H", head, at + 4)
        palette_at = at + size
        default = pixels_at or palette_at + (3 << bits if bits <= 8 else 0)
        return Header(size, width, height, False, bits, _PLAIN, 0, (0, 0), _default_fields(bits), palette_at, default)
    fields = head[at : at + size].ljust(_LONGEST_HEADER, b"\0")
    width, height, _, bits, compression, _, x, y, colours = struct.unpack_from("<iiHHIIIII", fields, 4)
    masks, palette_at = _default_fields(bits), at + size
    if size in _WINDOWS and compression in (_FIELDS, _ALPHA_FIELDS):
        number = 4 if compression == _ALPHA_FIELDS or size >= 56 else 3
        if size == 40:  # the masks follow the header
            palette_at += 4 * number
        masks = struct.unpack_from(f"<{number}I", head.ljust(at + 56, b"\0"), at + 40)
        if not any(masks):  # some programs leave them out
            masks = (*_DEFAULT_FIELDS.get(bits, masks), _UNUSED_BYTE) if bits == 32 else _DEFAULT_FIELDS.get(bits, masks)
    default = pixels_at or palette_at + (4 * (colours or 1 << bits) if bits <= 8 else 4 * colours)
    masks = masks[: 4 if masks[3:] != (0,) else 3]
    return Header(size, width, abs(height), height < 0, bits, compression, colours, (x, y), masks, palette_at, default)


def _default_fields(bits: int) -> tuple[int, ...]:
    return _DEFAULT_FIELDS.get(bits, ())


def _is_for_pillow(header: Header) -> bool:
    if header.size not in (_CORE, *_WINDOWS, 64):
        return False
    if header.bits == 24:
        return header.compression in (_PLAIN, _FIELDS) and not header.is_os2
    return header.bits in (1, 4, 8) and header.compression == _PLAIN and header.colours <= 256


def refuse_unsupported(header: Header) -> None:
    """Refuse a picture of a kind that is not supported, or does not exist."""
    bits, compression = header.bits, header.compression
    what = ""
    if header.is_os2 and compression == _OS2_HUFFMAN:
        what = "its samples have OS/2's Huffman compression"
    elif not header.is_os2 and compression in (_JPEG, _PNG):
        what = f"it contains a {'JPEG' if compression == _JPEG else 'PNG'} file in place of samples"
    elif bits == 64:
        what = "it has 64 bits per pixel"
    if what:
        raise ArgumentError(f"is a BMP file that is not supported: {what}; convert it to PNG first")
    allowed = {_PLAIN: (1, 2, 4, 8, 16, 24, 32), _RLE8: (8,), _RLE4: (4,), _FIELDS: (16, 32), _ALPHA_FIELDS: (16, 32)}
    if header.is_os2:
        allowed = {_PLAIN: allowed[_PLAIN], _RLE8: (8,), _RLE4: (4,), _OS2_RLE24: (24,)}
    if bits not in allowed.get(compression, ()):
        raise ArgumentError(f"damaged: no BMP file has {bits} bits per pixel with compression {compression}")


def decode(data: bytes, header: Header, note: Note) -> Picture:
    """Decode a picture.

    Parameters
    ----------
    data : bytes
        The whole file.
    header : Header
    note : callable
        Called with a line for what is lost.

    Raises
    ------
    ArgumentError
        Where the file ends too early.
    """
    if header.compression in (_RLE8, _RLE4) or (header.is_os2 and header.compression == _OS2_RLE24):
        rows = _from_runs(data, header, note)
    else:
        rows = _plain_rows(data, header)
    if not header.top_down:
        rows = rows[::-1]
    if header.bits <= 8:
        return _with_palette(np.ascontiguousarray(rows), data, header)
    if header.bits == 24:
        return Picture(np.ascontiguousarray(rows[..., ::-1]), "RGB")
    if bit_fields.widest(header.masks) > 16:
        note("its samples of more than 16 bits were rounded to 16")
    samples = bit_fields.unpack(rows, header.masks)
    if len(header.masks) == 4:
        samples = without_empty_alpha(samples, note)
    elif header.bits == 32 and header.compression == _PLAIN:
        note_dropped(rows >> 24, "the fourth bytes", note)
    return Picture(samples).with_samples(samples, "RGBA" if samples.shape[2] == 4 else "RGB")


def _from_runs(data: bytes, header: Header, note: Note) -> Array:
    runs = bmp_runs.decode(data[header.pixels_at :], header.width, header.height, header.bits)
    if runs.skipped:
        what = "black" if header.bits == 24 else "the first colour of the palette"
        note(f"{runs.skipped} pixels that the file does not store became {what}")
    if runs.outside:
        note(f"{runs.outside} pixels outside the picture were dropped")
    return runs.pixels


def _plain_rows(data: bytes, header: Header) -> Array:
    """Cut samples into rows of 4 bytes' multiples: indices, colours or words, in the order of the file."""
    width, height, bits = header.width, header.height, header.bits
    stride = (width * bits + 31) // 32 * 4
    # The last row's padding may be missing.
    needed = stride * (height - 1) + (width * bits + 7) // 8
    stored = data[header.pixels_at : header.pixels_at + stride * height]
    if len(stored) < needed:
        raise ArgumentError("damaged: the file ends inside its samples")
    rows = np.frombuffer(stored.ljust(stride * height, b"\0"), np.uint8).reshape(height, stride)
    if bits < 8:
        per_byte = 8 // bits
        shifts = np.arange(per_byte - 1, -1, -1, dtype=np.uint8) * np.uint8(bits)
        rows = ((rows[..., None] >> shifts) & np.uint8((1 << bits) - 1)).reshape(height, -1)
    elif bits == 24:
        return rows[:, : 3 * width].reshape(height, width, 3)
    elif bits > 8:
        rows = rows.view(f"<u{bits // 8}")
    return rows[:, :width]


def _with_palette(indices: Array, data: bytes, header: Header) -> Picture:
    entry = 3 if header.size == _CORE else 4
    number = min(header.colours or 1 << header.bits, 1 << header.bits)
    stored = data[header.palette_at : min(header.palette_at + number * entry, header.pixels_at)]
    palette = np.frombuffer(stored[: len(stored) // entry * entry], np.uint8).reshape(-1, entry)[:, 2::-1]
    grey = np.arange(len(palette), dtype=np.uint8)[:, None]
    if len(palette) == 256 and (palette == grey).all():
        return Picture(indices, "L")
    return Picture(indices, "P", np.ascontiguousarray(palette))


def profile_of(stream: BinaryIO) -> bytes:
    """Read the colour profile of a BMP file, which the fifth version of its header has (BITMAPV5HEADER); Pillow does not."""
    before = stream.tell()
    stream.seek(_FILE_HEADER)
    header = stream.read(_LONGEST_HEADER)
    profile = b""
    if len(header) == 124 and header[:4] == struct.pack("<I", 124) and header[56:60] == b"DEBM":  # "MBED", as a number
        at, size = struct.unpack_from("<II", header, 112)
        stream.seek(_FILE_HEADER + at)
        profile = stream.read(min(size, _LONGEST_PROFILE))
        profile = profile if len(profile) == size else b""
    stream.seek(before)
    return profile

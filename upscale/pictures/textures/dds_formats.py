"""How pixels are stored in DDS files: the formats that their headers name (Microsoft's "Programming guide for DDS")."""

import struct
from typing import NamedTuple

from upscale.errors import ArgumentError

_ALPHA_PIXELS, _ALPHA_ONLY, _FOURCC, _PALETTE, _RGB, _LUMINANCE = 0x1, 0x2, 0x4, 0x20, 0x40, 0x20000
#: Bytes of the header with its signature, and of the one that newer files have behind it.
HEADER, DX10_HEADER = 128, 20


class Layout(NamedTuple):
    """A pixel format.

    Attributes
    ----------
    kind : {"blocks", "fields", "plain", "palette"}
    base : str
        The colour model of the picture; "RG" for red and green, "A" for alpha alone.
    number : int
        Of a compression of blocks (BC1 to BC7), or bits a pixel.
    dtype : str
        Of the plain samples in the file.
    masks : tuple of int
        The channels' bits in a pixel.
    signed : bool
        Blocks hold values from -1 to 1; BC6 has two variants.
    premultiplied, opaque : bool
        What the file says of alpha.
    """

    kind: str
    base: str
    number: int = 0
    dtype: str = "u1"
    masks: tuple[int, ...] = ()
    signed: bool = False
    premultiplied: bool = False
    opaque: bool = False


def _blocks(number: int, base: str, *, signed: bool = False, premultiplied: bool = False) -> Layout:
    return Layout("blocks", base, number, "f2" if number == 6 else "u1", signed=signed, premultiplied=premultiplied)


def _plain(base: str, dtype: str) -> Layout:
    return Layout("plain", base, dtype=dtype)


def _fields(bits: int, *masks: int) -> Layout:
    return Layout("fields", "RGBA" if len(masks) == 4 else "RGB", bits, masks=masks)


_BY_FOURCC = {
    b"DXT1": _blocks(1, "RGBA"), b"DXT2": _blocks(2, "RGBA", premultiplied=True), b"DXT3": _blocks(2, "RGBA"),
    b"DXT4": _blocks(3, "RGBA", premultiplied=True), b"DXT5": _blocks(3, "RGBA"), b"ATI1": _blocks(4, "L"),
    b"BC4U": _blocks(4, "L"), b"BC4S": _blocks(4, "L", signed=True), b"ATI2": _blocks(5, "RG"), b"BC5U": _blocks(5, "RG"),
    b"BC5S": _blocks(5, "RG", signed=True),
}  # fmt: skip
#: Numbers of D3DFORMAT in place of four characters.
_BY_D3D_NUMBER = {
    36: _plain("RGBA", "u2"), 111: _plain("L", "f2"), 112: _plain("RG", "f2"), 113: _plain("RGBA", "f2"),
    114: _plain("L", "f4"), 115: _plain("RG", "f4"), 116: _plain("RGBA", "f4"),
}  # fmt: skip
_BGRA, _BGRX = _fields(32, 0xFF0000, 0xFF00, 0xFF, 0xFF000000), _fields(32, 0xFF0000, 0xFF00, 0xFF)
#: Numbers of DXGI_FORMAT. Those for sRGB and those without a type store the same samples.
_BY_DXGI_NUMBER = {
    2: _plain("RGBA", "f4"), 6: _plain("RGB", "f4"), 10: _plain("RGBA", "f2"), 11: _plain("RGBA", "u2"), 16: _plain("RG", "f4"),
    24: _fields(32, 0x3FF, 0xFFC00, 0x3FF00000, 0xC0000000), 34: _plain("RG", "f2"), 35: _plain("RG", "u2"),
    41: _plain("L", "f4"), 49: _plain("RG", "u1"), 54: _plain("L", "f2"), 56: _plain("L", "u2"), 61: _plain("L", "u1"),
    65: _plain("A", "u1"), 85: _fields(16, 0xF800, 0x7E0, 0x1F), 86: _fields(16, 0x7C00, 0x3E0, 0x1F, 0x8000),
    115: _fields(16, 0xF00, 0xF0, 0xF, 0xF000), 191: _fields(16, 0xF000, 0xF00, 0xF0, 0xF),
    **dict.fromkeys((27, 28, 29), _plain("RGBA", "u1")), **dict.fromkeys((87, 90, 91), _BGRA),
    **dict.fromkeys((88, 92, 93), _BGRX),
    **dict.fromkeys((70, 71, 72), _blocks(1, "RGBA")), **dict.fromkeys((73, 74, 75), _blocks(2, "RGBA")),
    **dict.fromkeys((76, 77, 78), _blocks(3, "RGBA")), **dict.fromkeys((79, 80), _blocks(4, "L")),
    81: _blocks(4, "L", signed=True), **dict.fromkeys((82, 83), _blocks(5, "RG")), 84: _blocks(5, "RG", signed=True),
    **dict.fromkeys((94, 95), _blocks(6, "RGB")), 96: _blocks(6, "RGB", signed=True),
    **dict.fromkeys((97, 98, 99), _blocks(7, "RGBA")),
}  # fmt: skip
_PREMULTIPLIED, _OPAQUE = 2, 3


def layout_of(head: bytes) -> tuple[Layout, int]:
    """Return the layout of the pixels, and where they begin.

    Parameters
    ----------
    head : bytes
        The beginning of the file, `HEADER` and `DX10_HEADER` bytes or more if it has as many.

    Raises
    ------
    ArgumentError
        Where it is not supported.
    """
    flags, fourcc, bits, *masks = struct.unpack_from("<I4s5I", head, 80)
    if flags & _FOURCC:
        if fourcc == b"DX10":
            return _dx10_layout(head), HEADER + DX10_HEADER
        number = int.from_bytes(fourcc, "little")
        found = _BY_FOURCC.get(fourcc) or _BY_D3D_NUMBER.get(number)
        if found is None:
            raise _unsupported(repr(fourcc.decode("ascii")) if fourcc.isalnum() else f"number {number}")
        return found, HEADER
    if flags & _RGB and bits in (8, 16, 24, 32) and any(masks):
        has_alpha = flags & _ALPHA_PIXELS and masks[3]
        return _fields(bits, *masks[: 4 if has_alpha else 3]), HEADER
    if flags & _LUMINANCE and bits in (8, 16):
        return _luminance(bits, masks[0], masks[3] if flags & _ALPHA_PIXELS else None), HEADER
    if flags & _PALETTE:
        return Layout("palette", "P", 8), HEADER
    if flags & _ALPHA_ONLY and bits == 8:
        return _plain("A", "u1"), HEADER
    raise _unsupported(f"of flags {flags:#x} and {bits} bits")


def _luminance(bits: int, grey: int, alpha: int | None) -> Layout:
    """Return the layout of grey; some programs leave its masks out, or shift them."""
    if not 0 < grey < 1 << bits or (alpha is not None and not 0 < alpha < 1 << bits):
        half = bits // 2
        grey, alpha = ((1 << bits) - 1, None) if alpha is None else ((1 << half) - 1, (1 << half) - 1 << half)
    return Layout("fields", "L" if alpha is None else "LA", bits, masks=(grey,) if alpha is None else (grey, alpha))


def _dx10_layout(head: bytes) -> Layout:
    if len(head) < HEADER + DX10_HEADER:
        raise ArgumentError("damaged: the file ends inside its header")
    number, _, _, _, alpha = struct.unpack_from("<5I", head, HEADER)
    found = _BY_DXGI_NUMBER.get(number)
    if found is None:
        raise _unsupported(f"number {number} of DXGI")
    alpha &= 7
    return found._replace(premultiplied=alpha == _PREMULTIPLIED, opaque=alpha == _OPAQUE)


def _unsupported(which: str) -> ArgumentError:
    return ArgumentError(f"is a DDS texture that is not supported: its pixel format {which}; convert it to PNG or TIFF first")

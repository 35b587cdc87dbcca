"""What the picture formats hold: one table from suffix to format. Needs nothing, so that wrong names are told at once."""

from typing import NamedTuple

from upscale.errors import ArgumentError


class Format(NamedTuple):
    """A kind of file that can be written.

    Attributes
    ----------
    name : str
        What users call it.
    pillow : str
        What Pillow calls it, or NPY.
    modes : tuple of str
        Pillow's modes that it holds as they are.
    longest : int
        The longest side it can have.
    """

    name: str
    pillow: str
    modes: tuple[str, ...]
    longest: int


_PNG = Format("PNG", "PNG", ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"), 2**31 - 1)
_TIFF = Format("TIFF", "TIFF", ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I", "F"), 2**31 - 1)
_JPEG = Format("JPEG", "JPEG", ("L", "RGB", "CMYK"), 65500)
_GIF = Format("GIF", "GIF", ("L", "P"), 65535)
_WEBP = Format("WebP", "WEBP", ("RGB", "RGBA"), 16383)
_BMP = Format("BMP", "BMP", ("1", "L", "P", "RGB"), 2**31 - 1)
_TGA = Format("TGA", "TGA", ("L", "LA", "P", "RGB", "RGBA"), 65535)
_PPM = ("1", "L", "RGB", "I;16")
NPY = Format("NPY", "NPY", (), 2**62)

#: Suffixes of pictures that are written, and of arrays.
FORMATS: dict[str, Format] = {
    ".png": _PNG,
    ".gif": _GIF,
    ".webp": _WEBP,
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".bmp": _BMP,
    ".tga": _TGA,
    ".pbm": Format("PBM", "PPM", ("1",), 2**31 - 1),
    ".pgm": Format("PGM", "PPM", ("L", "I;16"), 2**31 - 1),
    ".ppm": Format("PPM", "PPM", ("RGB",), 2**31 - 1),
    ".pnm": Format("PNM", "PPM", _PPM, 2**31 - 1),
    ".pfm": Format("PFM", "PPM", ("F",), 2**31 - 1),
    ".npy": NPY,
}

#: For each mode, modes that hold the same picture exactly, the nearest first.
WIDER: dict[str, tuple[str, ...]] = {
    "1": ("L", "RGB", "RGBA"),
    "L": ("RGB", "RGBA"),
    "LA": ("RGBA",),
    "P": ("RGB", "RGBA"),
    "PA": ("RGBA",),
    "RGB": ("RGBA",),
}


def of_suffix(suffix: str, what: str) -> Format:
    """Find the format of a suffix such as ".png".

    Parameters
    ----------
    suffix : str
        With its dot, in any case.
    what : str
        What had this suffix, for the error.

    Raises
    ------
    ArgumentError
        Where no such format is written.
    """
    try:
        return FORMATS[suffix.lower()]
    except KeyError:
        raise ArgumentError(f"{what}: no format has the suffix {suffix!r}; use one of {' '.join(FORMATS)}") from None


def of_name(name: str) -> Format | None:
    """Find the format that writes what was read as `name`, one of Pillow's names or NPY."""
    if name == "PPM":
        return FORMATS[".pnm"]
    return next((f for f in FORMATS.values() if f.pillow == name), None)

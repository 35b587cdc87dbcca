"""TIFF's tags: their numbers, their values with checked types, and the metadata that they make up.

The names and numbers of tags are those of TIFF 6.0 and of Exif 2.32.
"""

import numbers
import re
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np

from upscale.errors import ArgumentError, library_errors
from upscale.pictures import exif

Note = Callable[[str], None]
Tags = Mapping[int, Any]

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
ORIENTATION, SAMPLES, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 274, 277, 282, 283, 296
PLANAR, COLOUR_MAP, SUB_IFDS, EXTRA_SAMPLES, SAMPLE_FORMAT, XMP, DEPTH, ICC_PROFILE = 284, 320, 330, 338, 339, 700, 32997, 34675
EXIF, GPS, COPYRIGHT, INTEROPERABILITY = 34665, 34853, 33432, 40965
#: The kind of a page: 1 marks a reduced copy of another page.
SUBFILE_TYPE = 254
_DESCRIPTION = 270
RESOLUTION = (X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT)
#: Tags whose values the reader needs.
NEEDED = (
    *(WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, ORIENTATION, SAMPLES, *RESOLUTION),
    *(PLANAR, COLOUR_MAP, SUB_IFDS, EXTRA_SAMPLES, SAMPLE_FORMAT, XMP, DEPTH, ICC_PROFILE, SUBFILE_TYPE, _DESCRIPTION),
)
#: Tags that describe how the file is laid out, and those with an entry of their own in `Picture.info`.
LAYOUT = frozenset((
    254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280, 281, 282, 283, 284, 285, 288, 289, 292,
    293, 296, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 330, 332, 338, 339, 340, 341, 347, 512, 513, 514, 529, 530, 531,
    532, 700, 32995, 32996, 32997, 32998, 34675,
))  # fmt: skip
#: Texts: description, make, model, software, date, artist, copyright.
TEXTS = (270, 271, 272, 305, 306, 315, 316, COPYRIGHT)
#: GeoTIFF's tags of how large a pixel is on the ground.
SCALES = (33550, 34264)
#: Photometric interpretations of a sensor's samples: a colour filter array (TIFF/EP), and linear colours (DNG).
SENSOR = (32803, 34892)
#: Photoshop's blocks of metadata, and its layers.
PHOTOSHOP, PHOTOSHOP_LAYERS = 34377, 37724
#: The first number of private tags.
PRIVATE = 32768
#: Kept as they are, like private tags: page name and number, and what colours mean (transfer function, white point, primaries).
TRANSFER_FUNCTION = 301
_KEPT = (285, 297, TRANSFER_FUNCTION, 318, 319)

#: Descriptions that programs read sizes from: tifffile's and OME's.
_SIZES_IN_DESCRIPTION = re.compile(r'\s*(\{"shape"|<\?xml.*<OME |<OME )', re.DOTALL)
#: Descriptions of ImageJ in which the resolution has a unit.
_IMAGEJ = re.compile(r"ImageJ=.*^unit=(?!pixel)", re.DOTALL | re.MULTILINE)
_LONGEST_PRIVATE = 1 << 24
#: Names of the lossless compressions, as Pillow calls them.
_LOSSLESS = {1: "raw", 5: "tiff_lzw", 8: "tiff_adobe_deflate", 32773: "packbits", 32946: "tiff_deflate"}


def whole_number(tags: Tags, tag: int, default: int = 0) -> int:
    """Return a tag's value, a single whole number; the default where it has none."""
    value = tags.get(tag)
    return value if isinstance(value, int) else default


def whole_numbers(tags: Tags, tag: int, default: tuple[int, ...]) -> tuple[int, ...]:
    """Return a tag's values, whole numbers; the default where it has none."""
    value = tags.get(tag)
    values = value if isinstance(value, tuple) else (value,)
    return values if values and all(isinstance(v, int) for v in values) else default


def pixel_bytes(tags: Tags) -> int:
    """Return how many bytes a decoded pixel takes."""
    bits, samples = max(whole_numbers(tags, BITS, (1,))), whole_number(tags, SAMPLES, 1)
    # A palette with more than 256 colours is applied: 3 samples of 16 bits.
    return 6 if tags.get(PHOTOMETRIC) == 3 and bits > 8 else samples * -(-bits // 8)


def orientation_of(tags: Tags) -> int | None:
    """Return the orientation, 2 to 8 as in EXIF; None where the page is upright."""
    found = whole_number(tags, ORIENTATION)
    return found if 2 <= found <= 8 else None


def has_unit_of_imagej(tags: Tags) -> bool:
    """Return whether the first page's description says that resolutions are pixels in a unit of length, as ImageJ writes it."""
    return bool(_IMAGEJ.match(str(tags.get(_DESCRIPTION))))


def info_of(tags: Tags, in_unit: bool = False) -> dict[str, Any]:
    """Collect the metadata of a page that are not EXIF, as in `Picture.info`.

    Parameters
    ----------
    tags : Tags
    in_unit : bool
        As `has_unit_of_imagej`.
    """
    info: dict[str, Any] = {}
    for tag, key in ((ICC_PROFILE, "icc_profile"), (XMP, "xmp")):
        value = tags.get(tag)
        if isinstance(value, bytes) and value:
            info[key] = value
    compression = whole_number(tags, COMPRESSION, 1)
    if compression in _LOSSLESS:
        info["compression"] = _LOSSLESS[compression]
    x = _positive(tags.get(X_RESOLUTION))
    y = _positive(tags.get(Y_RESOLUTION, tags.get(X_RESOLUTION)))
    if x is not None and y is not None:
        unit = tags.get(RESOLUTION_UNIT, 2)
        if unit == 1:  # it is only the shape of a pixel, if nothing else has the unit
            info["tiff"] = {"resolution": (x, y)} | ({"density": (x, y)} if in_unit else {})
        else:
            info["dpi"] = (x * 2.54, y * 2.54) if unit == 3 else (x, y)
    turned = orientation_of(tags)
    if turned is not None:
        info["orientation"] = turned
    if whole_number(tags, SUBFILE_TYPE) in (1, 2, 3):
        info["tiff"] = {**info.get("tiff", {}), "subfiletype": tags[SUBFILE_TYPE]}
    return info


def _positive(value: Any) -> float | None:
    """Return a value as a float if it is a finite number above 0, else None."""
    number = float(value) if isinstance(value, numbers.Real) else 0.0
    return number if 0 < number < float("inf") else None


def exif_of(source: Any, note: Note) -> bytes | None:
    r"""Make EXIF of a page's tags, without those of its layout and private ones.

    Parameters
    ----------
    source : PIL.Image.Exif
    note : callable
        Called with a line for what is left out.

    Returns
    -------
    bytes or None
        Beginning with ``b"Exif\0\0"``; None where there is nothing to keep, or it is damaged.
    """
    from PIL import Image

    kept = Image.Exif()
    kept.endian = source.endian
    try:
        for tag in list(source):
            if tag in LAYOUT or (tag >= PRIVATE and tag not in (EXIF, GPS, COPYRIGHT)):
                continue
            with library_errors():
                value = dict(source.get_ifd(tag)) if tag in (EXIF, GPS) else source[tag]
            if tag == _DESCRIPTION and _SIZES_IN_DESCRIPTION.match(str(value)):
                note("its description has sizes that no longer apply, and was dropped")
                continue
            if tag in TEXTS and isinstance(value, str):  # Pillow reads Latin-1, whatever it is, and would write ASCII only
                value = value.encode("latin-1") if value.isascii() or max(value) <= "\xff" else value.encode()
            with library_errors():
                kept[tag] = value
        with library_errors():
            return kept.tobytes() if len(kept) else None
    except ArgumentError:
        note("its EXIF is damaged and was dropped")
        return None


def private_tag(page: Any, code: int, stream: BinaryIO) -> list[tuple[int, int, int, bytes]]:
    """Read one of the tags that programs of many kinds add.

    Parameters
    ----------
    page : tifffile.TiffPage
    code : int
    stream : binary file
        From which the page was read.

    Returns
    -------
    list of (int, int, int, bytes)
        Code, type, count, and the value with the low byte first; empty where the tag is missing.

    Raises
    ------
    ArgumentError
        Where the tag is damaged, too long, or of an unknown type.
    """
    with library_errors():
        tag = page.tags.get(code)
        if tag is None:
            return []
        kind, count, length, at = int(tag.dtype), int(tag.count), int(tag.valuebytecount), int(tag.valueoffset)
        low_first = page.parent.byteorder == "<"
    if length > _LONGEST_PRIVATE or kind not in exif.SIZES:
        raise ArgumentError("too long, or of a rare type")
    if not 0 <= at <= stream.seek(0, 2) - length or length != exif.SIZES[kind] * count:
        raise ArgumentError("damaged: a value exceeds the end of the file")
    stream.seek(at)
    raw = stream.read(length)
    return [(code, kind, count, raw if low_first else byteswapped(raw, kind))]


def private_codes(tags: Tags) -> list[int]:
    """Return the numbers of the tags that are kept with their values as they are: private ones, and a few others."""
    private = [t for t in tags if t >= PRIVATE and t not in LAYOUT and t not in (EXIF, GPS, COPYRIGHT, INTEROPERABILITY)]
    return private + [t for t in _KEPT if t in tags]


def byteswapped(raw: bytes, kind: int) -> bytes:
    """Reverse the bytes of each number of a tag's value, of a length that fits its type."""
    size = {5: 4, 10: 4}.get(kind, exif.SIZES[kind])
    return np.frombuffer(raw, f"u{size}").byteswap().tobytes() if size > 1 else raw

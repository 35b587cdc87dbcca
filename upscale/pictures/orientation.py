"""The EXIF orientation of a picture: found in its metadata, and undone by turning the samples."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from upscale.pictures import exif
from upscale.pictures.picture import Array, Picture

_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:=[\"']|>)\s*)([1-8])")


def orientation(info: Mapping[str, Any]) -> int:
    """Find how a picture is to be turned, 1 to 8 as in EXIF; 1 where nothing says so.

    Parameters
    ----------
    info : mapping
        Metadata as in `Picture.info`: the entry `orientation` counts first, then EXIF, then XMP.
    """
    if "orientation" in info:
        return int(info["orientation"])
    if "exif" in info:
        found = exif.orientation(info["exif"])
        if found is not None:
            return found
    if isinstance(info.get("xmp"), bytes):
        match = _XMP_ORIENTATION.search(info["xmp"])
        return int(match[2]) if match else 1
    return 1


def upright(picture: Picture, orientation: int) -> Picture:
    """Turn a picture so that it is shown upright.

    Parameters
    ----------
    picture : Picture
    orientation : int
        1 to 8 as in EXIF: what was done to the upright picture.
    """
    if orientation == 1:
        return picture
    a = picture.samples
    turned: Array = {
        2: lambda: a[:, ::-1], 3: lambda: a[::-1, ::-1], 4: lambda: a[::-1], 5: lambda: a.swapaxes(0, 1),
        6: lambda: a.swapaxes(0, 1)[:, ::-1], 7: lambda: a[::-1, ::-1].swapaxes(0, 1), 8: lambda: a.swapaxes(0, 1)[::-1],
    }[orientation]()  # fmt: skip
    picture = picture._replace(samples=np.ascontiguousarray(turned)).with_info(orientation=None)
    if orientation >= 5 and "dpi" in picture.info:
        return picture.with_info(dpi=tuple(reversed(picture.info["dpi"])))
    return picture


def upright_xmp(xmp: bytes) -> bytes:
    """Change XMP so that it says that the picture is stored upright."""
    return _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)

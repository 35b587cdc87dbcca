"""The EXIF orientation of a picture: found in its metadata, and undone by turning the samples."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from upscale.pictures import exif
from upscale.pictures.picture import Array, Picture

_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:=[\"']|>)\s*)([1-8])")


def orientation(info: Mapping[str, Any]) -> int:
    """Return the orientation in a picture's metadata, 1 to 8 as in EXIF; 1 where there is none.

    Parameters
    ----------
    info : mapping
        As in `Picture.info`. The entry `orientation` takes precedence, then EXIF, then XMP.
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
        1 to 8 as in EXIF: how the stored picture was made from the upright one.

    Returns
    -------
    Picture
        Its entry `orientation` is removed, and its resolution turned with it.
    """
    if orientation == 1:
        return picture
    a = picture.samples
    turned: Array = {
        2: a[:, ::-1],
        3: a[::-1, ::-1],
        4: a[::-1],
        5: a.swapaxes(0, 1),
        6: a.swapaxes(0, 1)[:, ::-1],
        7: a[::-1, ::-1].swapaxes(0, 1),
        8: a.swapaxes(0, 1)[::-1],
    }[orientation]
    picture = picture._replace(samples=np.ascontiguousarray(turned)).with_info(orientation=None)
    if orientation >= 5 and "dpi" in picture.info:
        return picture.with_info(dpi=tuple(reversed(picture.info["dpi"])))
    return picture


def upright_xmp(xmp: bytes) -> bytes:
    """Return XMP with an orientation of 1, for a picture that is stored upright."""
    return _XMP_ORIENTATION.sub(rb"\g<1>1", xmp)


def mark_upright(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata with an orientation of 1, for a picture that its decoder has turned upright."""
    changed = dict(info)
    if "exif" in changed:
        changed["exif"] = exif.reset_orientation(changed["exif"])
    if "xmp" in changed:
        changed["xmp"] = upright_xmp(changed["xmp"])
    return changed

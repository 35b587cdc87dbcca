"""What a comparison shows: which pixels, how large, and as which image of 8 bits."""

from typing import TYPE_CHECKING

import numpy as np

from upscale.errors import ArgumentError
from upscale.pictures import mode_conversion
from upscale.pictures.picture import CHANNELS, Picture

if TYPE_CHECKING:
    from PIL.Image import Image

#: (left, top, width, height) in input pixels.
Crop = tuple[int, int, int, int]

#: Panels of at most so many pixels a side show the whole picture; other default crops make panels of so many.
WHOLE, SIDE = 512, 384
#: A page shows at most so many pixels by default, wide and high: about a window on a laptop.
PAGE = (1200, 640)
#: Both hold at 2x for smaller factors, where differences between kernels are hard to see at 1x.
_CLEAR_FACTOR = 4
#: By default, a panel's longer side is shown with at least as many pixels.
LEAST = 256


def check_crop(crop: Crop, size: tuple[int, int], path: str) -> Crop:
    """Return a crop that lies within a picture.

    Parameters
    ----------
    crop : (int, int, int, int)
    size : (int, int)
        Width and height of the picture.
    path : str
        Its file, for the message.

    Raises
    ------
    ArgumentError
        If it does not.
    """
    left, top, width, height = crop
    if left + width > size[0] or top + height > size[1]:
        raise ArgumentError(f"--crop {','.join(map(str, crop))}: is not within {path}, which is {size[0]}x{size[1]}")
    return crop


def default_crop(size: tuple[int, int], factor: tuple[int, int], *, page: bool = False) -> Crop:
    """Choose the whole picture if its enlargement is small, otherwise its middle; a `page` without a sheet has more room.

    Examples
    --------
    >>> default_crop((32, 32), (8, 8))
    (0, 0, 32, 32)
    >>> default_crop((500, 333), (2, 2))
    (202, 118, 96, 96)
    >>> default_crop((500, 333), (2, 2), page=True)
    (0, 6, 500, 320)
    """
    if page:
        width, height = (min(n, max(1, most // f)) for n, most, f in zip(size, PAGE, reversed(factor), strict=True))
        return (size[0] - width) // 2, (size[1] - height) // 2, width, height
    zoom = 1 if max(factor) >= _CLEAR_FACTOR else 2
    horizontal, vertical = factor[1] * zoom, factor[0] * zoom
    if max(size[0] * horizontal, size[1] * vertical) <= WHOLE:
        return 0, 0, *size
    width, height = min(size[0], max(1, SIDE // horizontal)), min(size[1], max(1, SIDE // vertical))
    return (size[0] - width) // 2, (size[1] - height) // 2, width, height


def default_zoom(crop: Crop, factor: tuple[int, int]) -> int:
    """Choose the smallest zoom with which the longer side of a panel has at least `LEAST` pixels.

    Examples
    --------
    >>> default_zoom((0, 0, 40, 40), (2, 2)), default_zoom((0, 0, 32, 32), (8, 8))
    (4, 1)
    """
    return -(-LEAST // min(LEAST, max(crop[2] * factor[1], crop[3] * factor[0])))


def crop_picture(picture: Picture, area: Crop, factor: tuple[int, int] = (1, 1)) -> Picture:
    """Cut a crop, given in input pixels, out of the input or out of an enlargement by a factor, (vertical, horizontal)."""
    left, top, width, height = area
    rows = slice(top * factor[0], (top + height) * factor[0])
    columns = slice(left * factor[1], (left + width) * factor[1])
    return picture._replace(samples=np.ascontiguousarray(picture.samples[rows, columns]))


def to_displayable(picture: Picture) -> "Image":
    """Convert a picture to an image of 8 bits, RGB or RGBA; floats are clipped to 0..1.

    Raises
    ------
    ArgumentError
        If it has channels that are not colours, or samples whose full scale is not known.
    """
    if picture.mode == CHANNELS:
        channels = picture.samples.shape[2] if picture.samples.ndim == 3 else 1
        raise ArgumentError(f"{channels} channels of {picture.samples.dtype} cannot be shown; grey and colours can")
    kind, profile = mode_conversion.describe_mode(picture.mode), picture.info.get("icc_profile")
    if picture.samples.dtype.kind == "f":
        scaled = np.clip(np.nan_to_num(picture.samples, nan=0, posinf=1, neginf=0), 0, 1) * 255
        picture = picture.with_samples(np.floor(scaled + 0.5).astype(np.uint8))
    try:
        picture = mode_conversion.to_rgb(mode_conversion.at_depth(picture, 8))
    except ArgumentError:
        raise ArgumentError(f"{kind} cannot be shown in 8 bits of RGB") from None
    image = mode_conversion.widened(picture, "RGBA" if picture.has_alpha else "RGB").to_image()
    if profile and picture.base in ("P", "PA", "RGB", "RGBA") and picture.info.get("icc_profile") == profile:
        image.info["icc_profile"] = profile
    return image

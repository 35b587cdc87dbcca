"""Luma: the brightness of pictures, as papers on enlargement measure it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError
from upscale.pictures.mode_conversion import widened
from upscale.pictures.picture import Picture

Array = NDArray[Any]

#: Luma of black; white is 235 (ITU-R BT.601).
_BLACK = 16
#: Weights of red, green and blue of 0..255 in luma above black (ITU-R BT.601).
_WEIGHTS = np.array([65.481, 128.553, 24.966]) / 255


def luma_of(picture: Picture) -> Array:
    """Compute the luma of a colour picture by ITU-R BT.601; grey is taken as it is.

    Parameters
    ----------
    picture : Picture
        Grey, RGB or with a palette, of any depth; or a bare array of up to 4 channels. Alpha is ignored.

    Returns
    -------
    ndarray, shape (H, W)
        16..235 for colours and 0..255 for grey: uint8 for 8-bit samples, else float32 on the same scale.

    Raises
    ------
    ArgumentError
        Where luma is not defined for its colours, or values are not finite.
    """
    if picture.base in ("1", "P", "PA"):
        picture = widened(picture, "RGBA")
    samples = picture.samples
    if picture.base not in ("", "L", "LA", "RGB", "RGBA") or (samples.ndim == 3 and samples.shape[2] > 4):
        raise ArgumentError(f"luma is defined for grey and RGB, not for {picture.mode or 'arrays of many channels'}")
    channels = samples.reshape(*samples.shape[:2], -1)
    channels = channels[..., :3] if channels.shape[2] >= 3 else channels[..., :1]
    if samples.dtype.kind not in "uif":
        raise ArgumentError(f"luma is not defined for samples of {samples.dtype}")
    with np.errstate(all="ignore"):  # values that are not finite are refused below
        scaled = channels * (255 / picture.max_value)
        luma = _BLACK + scaled @ _WEIGHTS if channels.shape[2] == 3 else scaled[..., 0]
    if not np.isfinite(luma).all():
        raise ArgumentError("contains NaN")
    return np.floor(luma + 0.5).astype(np.uint8) if samples.dtype == np.uint8 else luma.astype(np.float32)

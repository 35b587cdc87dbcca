"""Low-resolution twins of pictures: what a kernel learns to undo."""

import io
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from upscale.errors import ArgumentError

Array = NDArray[Any]

#: Pillow's filters, which widen when they make smaller, so that nothing aliases.
FILTERS = {
    "bicubic": Image.Resampling.BICUBIC, "box": Image.Resampling.BOX, "lanczos": Image.Resampling.LANCZOS,
}  # fmt: skip
#: What stands before the quality of a JPEG.
_JPEG = "+jpeg:"


def downscaled(high: Array, factor: int, how: str) -> Array:
    """Make a picture smaller by a whole factor.

    Parameters
    ----------
    high : ndarray, shape (H, W)
        Multiples of the factor. Bytes become bytes, rounded; anything else becomes float32.
    factor : int
    how : str
        One of `FILTERS`; `gaussian:S`, a Gaussian of S input pixels; or a file with a kernel of two dimensions, which is
        normalised. With `+jpeg:Q` behind it, the small picture then is a JPEG of quality Q, 1 to 100, of 8 bits.

    Raises
    ------
    ArgumentError
        Where there is no such way.
    FileError
        Where the file cannot be read.
    """
    how, jpeg, quality = how.partition(_JPEG)
    if jpeg:
        if not quality.isdecimal() or not 1 <= int(quality) <= 100:
            raise ArgumentError(f"--downscale {how}{jpeg}{quality}: give a quality from 1 to 100, such as {how}{jpeg}75")
        return _as_jpeg(downscaled(high, factor, how), int(quality))
    height, width = high.shape[0] // factor, high.shape[1] // factor
    if how in FILTERS:
        image = Image.fromarray(high if high.dtype == np.uint8 else high.astype(np.float32))
        return np.asarray(image.resize((width, height), FILTERS[how]))
    if how.startswith("gaussian:"):
        try:
            deviation = float(how.removeprefix("gaussian:"))
        except ValueError:
            deviation = 0.0
        if not 0.1 <= deviation <= 100:
            raise ArgumentError(f"--downscale {how}: give a width from 0.1 to 100, such as gaussian:1.2")
        # As long as it reaches, and centred between the pixels that become one.
        length = factor + 2 * math.ceil(4 * deviation)
        axis = np.exp(-(((np.arange(length) - (length - 1) / 2) / deviation) ** 2) / 2)
        return _weighted(_weighted(high, axis[:, None], factor, 1), axis[None], 1, factor, high.dtype)
    from upscale.kernels import kernel_spec
    from upscale.kernels.read_files import read_kernel

    file = kernel_spec.file_and_name(how)
    if file is None:
        raise ArgumentError(f"--downscale {how}: give {', '.join(FILTERS)}, gaussian:S or a kernel's file")
    weights = read_kernel(*file).weights
    if weights.ndim != 2 or not weights.sum():
        raise ArgumentError(f"--downscale {how}: a kernel of two dimensions is needed whose weights do not sum to 0")
    return _weighted(high, weights, factor, factor, high.dtype)


def _as_jpeg(low: Array, quality: int) -> Array:
    """Give a picture the blocks and ripples of a JPEG."""
    file = io.BytesIO()
    Image.fromarray(np.clip(np.floor(low + 0.5), 0, 255).astype(np.uint8)).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def _weighted(high: Array, weights: Array, down: int, across: int, dtype: Any = np.float32) -> Array:
    """Sum a window of weights around each block of down x across pixels; beyond the border the outermost values go on."""
    weights = weights / weights.sum()
    pads = [(max(0, k - n) // 2, max(0, k - n + 1) // 2) for k, n in zip(weights.shape, (down, across), strict=True)]
    padded = np.pad(high.astype(np.float32), pads, mode="edge")
    total = np.zeros((high.shape[0] // down, high.shape[1] // across), np.float32)
    for (y, x), weight in np.ndenumerate(weights):
        total += np.float32(weight) * padded[y::down, x::across][: total.shape[0], : total.shape[1]]
    return np.clip(np.floor(total + 0.5), 0, 255).astype(np.uint8) if dtype == np.uint8 else total

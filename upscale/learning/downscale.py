"""Low-resolution copies of pictures, whose enlargement a kernel learns."""

import io
import math
import re
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from upscale.argument_checks import AnyArray, as_array
from upscale.errors import ArgumentError
from upscale.kernels.kernel_spec import file_and_name
from upscale.kernels.read_files import read_kernel

Array = NDArray[Any]
#: From a high-resolution picture (H, W), whose sides are multiples of the factor, and the factor to (H / factor, W / factor).
Downscaler = Callable[[Array, int], Array]

#: Pillow's filters, which widen when they downscale, so that nothing aliases.
FILTERS = {"bicubic": Image.Resampling.BICUBIC, "box": Image.Resampling.BOX, "lanczos": Image.Resampling.LANCZOS}
#: What may follow: it worsens the copy.
_WORSE = re.compile(r"(?:\+blur:([^+]*))?(?:\+noise:([^+]*))?(?:\+jpeg:([^+]*))?$")
#: What precedes the standard deviation of a Gaussian, and its least and greatest value.
_GAUSSIAN, _DEVIATIONS = "gaussian:", (0.1, 100)


def parse_downscale(how: str) -> Downscaler:
    """Return the function that makes low-resolution copies.

    Parameters
    ----------
    how : str
        One of `FILTERS`; `gaussian:S`, a Gaussian with a standard deviation of S pixels of the original; or a file with a
        kernel of two dimensions, which is normalised. It may be followed, in this order, by what worsens the copy: `+blur:S`,
        a Gaussian with a standard deviation of up to S pixels of the copy; `+noise:S`, normally distributed noise with a
        standard deviation of up to S grey levels of 8 bits; and `+jpeg:Q` or `+jpeg:LOW-HIGH`, an 8-bit JPEG of quality Q, 1 to
        100, or between two qualities. What is a range is drawn for each picture, the same each time for the same copy.

    Returns
    -------
    callable
        From a picture (H, W) and a factor, of which the sides are multiples, to its copy. Bytes become bytes, rounded; anything
        else becomes float32.

    Raises
    ------
    ArgumentError
        If it is not supported.
    FileError
        If the file cannot be read.
    """
    worse = _WORSE.search(how)
    assert worse is not None
    plain = how[: worse.start()]
    if plain in FILTERS:
        downscaler: Downscaler = _by_pillow(FILTERS[plain])
    elif plain.startswith(_GAUSSIAN):
        downscaler = _by_gaussian(plain)
    else:
        downscaler = _by_kernel(plain)
    blur, noise, jpeg = worse.groups()
    if blur or noise:
        downscaler = _blurred(downscaler, *(_deviation(text, how) for text in (blur, noise)))
    return _as_jpeg(downscaler, *_qualities(jpeg, plain)) if jpeg else downscaler


def has_noise(how: str) -> bool:
    """Say whether copies get what is not in the picture: noise, or the blocks and ripples of a JPEG."""
    worse = _WORSE.search(how)
    return worse is not None and any(worse.groups()[1:])


def _deviation(text: str | None, how: str) -> float:
    """Parse what follows blur or noise; 0 if there is none."""
    if text is None:
        return 0.0
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= _DEVIATIONS[1]:
        raise ArgumentError(f"--downscale {how}: give blur and noise a deviation from 0 to 100, such as +blur:0.5+noise:2")
    return found


def _qualities(text: str, plain: str) -> tuple[int, int]:
    """Parse one JPEG quality, or two."""
    low, dash, high = text.partition("-")
    ends = low, high if dash else low
    if not all(end.isdecimal() and 1 <= int(end) <= 100 for end in ends) or int(ends[0]) > int(ends[1]):
        raise ArgumentError(f"--downscale {plain}+jpeg:{text}: give a quality from 1 to 100, such as {plain}+jpeg:75 or 30-95")
    return int(ends[0]), int(ends[1])


def make_pair(picture: AnyArray, factor: int, downscaler: Downscaler) -> tuple[Array, Array]:
    """Crop a picture (H, W) to multiples of the factor; return its low-resolution copy, and the picture.

    Raises
    ------
    ArgumentError
        If the picture has another shape.
    """
    high = as_array(picture, "a picture")
    if high.ndim != 2:
        raise ArgumentError(f"pictures to learn from must have the shape (H, W), not {high.shape}")
    height, width = (n // factor * factor for n in high.shape)
    high = high[:height, :width]
    return downscaler(high, factor), high


def _by_pillow(filter: Image.Resampling) -> Downscaler:
    def downscale(high: Array, factor: int) -> Array:
        image = Image.fromarray(high if high.dtype == np.uint8 else high.astype(np.float32))
        return np.asarray(image.resize((high.shape[1] // factor, high.shape[0] // factor), filter))

    return downscale


def _by_gaussian(how: str) -> Downscaler:
    try:
        deviation = float(how.removeprefix(_GAUSSIAN))
    except ValueError:
        deviation = 0.0
    if not _DEVIATIONS[0] <= deviation <= _DEVIATIONS[1]:
        raise ArgumentError(f"--downscale {how}: give a sigma from 0.1 to 100, such as gaussian:1.2")

    def downscale(high: Array, factor: int) -> Array:
        length = factor + 2 * math.ceil(4 * deviation)  # centred between the pixels that become one
        weights = np.exp(-(((np.arange(length) - (length - 1) / 2) / deviation) ** 2) / 2)
        return _weighted(_weighted(high, weights[:, None], factor, 1), weights[None], 1, factor, high.dtype)

    return downscale


def _by_kernel(how: str) -> Downscaler:
    file = file_and_name(how)
    if file is None:
        raise ArgumentError(f"--downscale {how}: give {', '.join(FILTERS)}, gaussian:S or a kernel file")
    weights = read_kernel(*file).weights
    if weights.ndim != 2 or not weights.sum():
        raise ArgumentError(f"--downscale {how}: the kernel must have two dimensions and weights that do not sum to 0")
    return lambda high, factor: _weighted(high, weights, factor, factor, high.dtype)


def _blurred(plain: Downscaler, blur: float, noise: float) -> Downscaler:
    """Make copies slightly blurred and noisy."""

    def downscale(high: Array, factor: int) -> Array:
        low = plain(high, factor)
        random, worse = _random_for(low), low.astype(np.float32)
        deviation = random.uniform(0, blur)
        if deviation > 0:
            offsets = np.arange(-math.ceil(4 * deviation), math.ceil(4 * deviation) + 1)
            weights = np.exp(-((offsets / deviation) ** 2) / 2)
            worse = _weighted(_weighted(worse, weights[:, None], 1, 1), weights[None], 1, 1)
        worse += random.normal(0, 1, worse.shape).astype(np.float32) * random.uniform(0, noise)
        return _rounded(worse) if low.dtype == np.uint8 else worse

    return downscale


def _random_for(low: Array) -> np.random.Generator:
    """Return random numbers that are always the same for a copy."""
    return np.random.default_rng(zlib.crc32(low.tobytes()))


def _as_jpeg(plain: Downscaler, lowest: int, highest: int) -> Downscaler:
    """Give copies the blocks and ripples of a JPEG."""

    def downscale(high: Array, factor: int) -> Array:
        low, file = _rounded(plain(high, factor)), io.BytesIO()
        quality = lowest if lowest == highest else int(_random_for(low).integers(lowest, highest + 1))
        Image.fromarray(low).save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file))

    return downscale


def _rounded(samples: Array) -> Array:
    rounded: Array = np.clip(np.floor(samples.astype(np.float32) + 0.5), 0, 255).astype(np.uint8)
    return rounded


def _weighted(high: Array, weights: Array, down: int, across: int, dtype: Any = np.float32) -> Array:
    """Sum a window of weights around each block of down x across pixels; beyond the border the outermost values repeat."""
    weights = weights / weights.sum()
    pads = [(max(0, k - n) // 2, max(0, k - n + 1) // 2) for k, n in zip(weights.shape, (down, across), strict=True)]
    padded = np.pad(high.astype(np.float32), pads, mode="edge")
    total = np.zeros((high.shape[0] // down, high.shape[1] // across), np.float32)
    for (y, x), weight in np.ndenumerate(weights):
        total += np.float32(weight) * padded[y::down, x::across][: total.shape[0], : total.shape[1]]
    return _rounded(total) if dtype == np.uint8 else total

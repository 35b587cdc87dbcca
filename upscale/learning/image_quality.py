"""The quality of a picture, compared with another: PSNR and SSIM."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def psnr(one: Array, other: Array, border: int, full: float = 255) -> float:
    """Compute the peak signal-to-noise ratio in decibels; infinite for equal pictures.

    Parameters
    ----------
    one, other : ndarray, shape (H, W)
    border : int
        Pixels at each side that are left out.
    full : float
        The greatest value of a sample.
    """
    difference = (one.astype(np.float64) - other)[border : one.shape[0] - border, border : one.shape[1] - border]
    error = float(np.mean(difference**2))
    return 10 * float(np.log10(full**2 / error)) if error else float("inf")


def ssim(one: Array, other: Array, border: int, full: float = 255) -> float:
    """Compute the mean structural similarity, 1 for equal pictures.

    Gaussian window of 11 x 11 pixels with a standard deviation of 1.5, and constants, of Wang, Bovik, Sheikh and Simoncelli,
    "Image quality assessment: from error visibility to structural similarity" (2004). Only windows that lie inside the picture
    count.

    Parameters
    ----------
    one, other, border, full
        As for `psnr`; inside the border, at least 11 x 11 pixels.
    """
    inside = (slice(border, one.shape[0] - border), slice(border, one.shape[1] - border))
    a, b = (p[inside].astype(np.float64) for p in (one, other))
    mean_a, mean_b = _blurred(a), _blurred(b)
    var_a, var_b = _blurred(a * a) - mean_a**2, _blurred(b * b) - mean_b**2
    both = _blurred(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * full) ** 2, (0.03 * full) ** 2
    similarity = (2 * mean_a * mean_b + c1) * (2 * both + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return float(similarity.mean())


def _blurred(values: Array) -> Array:
    """Sum windows of 11 x 11 pixels, weighted by a Gaussian: (H - 10, W - 10)."""
    window = np.exp(-(((np.arange(11) - 5) / 1.5) ** 2) / 2)
    window /= window.sum()
    height, width = values.shape[0] - 10, values.shape[1] - 10
    rows = sum(w * values[i : i + height] for i, w in enumerate(window))
    result: Array = sum(w * rows[:, i : i + width] for i, w in enumerate(window))
    return result

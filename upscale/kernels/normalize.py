"""What the weights of each phase of a kernel sum to, and normalising them.

Along one axis, kernel taps k, k + stride, k + 2 stride, ... reach output positions of one remainder modulo the stride, and no
others: they are one phase. See Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016), chapter 4.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.choices import format_factor
from upscale.errors import KernelError

Array = NDArray[Any]

#: Below this share of its sum of magnitudes, a sum of weights is rounding noise and cannot be divided by.
CANCELLED = 1e-6


def phase_sums(weights: Array, factor: tuple[int, int], groups: int = 1) -> Array:
    """Sum the weights of each phase: the brightness there, away from the border, of an enlarged picture of ones.

    Parameters
    ----------
    weights : ndarray, shape (kH, kW) or (C, M / groups, kH, kW)
    factor : (int, int)
        Vertical and horizontal.
    groups : int

    Returns
    -------
    ndarray, shape (factor[0], factor[1]) or (M, factor[0], factor[1])
        With 4 dimensions, the sums over all input channels of a group.

    Examples
    --------
    >>> phase_sums(np.ones((3, 3)), (2, 2))
    array([[4., 2.],
           [2., 1.]])
    """
    if weights.ndim == 4:  # (C, M / groups, ...) to (M, ...)
        grouped = weights.reshape(groups, -1, *weights.shape[1:]).sum(axis=1).reshape(-1, *weights.shape[2:])
        return np.array([phase_sums(each, factor) for each in grouped])
    sums, (rows, columns) = np.zeros(factor), _phases(weights, factor)
    np.add.at(sums, (rows[:, None], columns), weights)
    return sums


def normalize_phases(weights: Array, factor: tuple[int, int], groups: int = 1) -> Array:
    """Divide the weights of each phase by their sum. The result is the normalised kernel, except at borders.

    Parameters
    ----------
    weights, factor, groups
        As for `phase_sums`.

    Returns
    -------
    ndarray, shape of the weights

    Raises
    ------
    KernelError
        If the weights of a phase sum to 0.

    Examples
    --------
    >>> normalize_phases(np.ones((1, 3)), (1, 2))
    array([[0.5, 1. , 0.5]])
    """
    height, width = weights.shape[-2:]
    factor = min(factor[0], height), min(factor[1], width)  # any larger one gives each row or column a phase of its own
    gain, magnitude = phase_sums(weights, factor, groups), phase_sums(np.abs(weights), factor, groups)
    if (np.abs(gain) < CANCELLED * magnitude).any():
        raise KernelError("the kernel cannot be normalised: the weights that reach some output pixels sum to zero")
    divisor = np.where(magnitude == 0, 1.0, gain)  # a phase that no tap reaches stays 0
    rows, columns = _phases(weights, factor)
    spread = divisor[..., rows[:, None], columns]
    if weights.ndim == 4:  # each input channel by the sums of the outputs of its own group
        spread = np.repeat(spread.reshape(groups, *weights.shape[1:]), weights.shape[0] // groups, axis=0)
    result: Array = weights / spread
    return result


def check_every_phase(
    shape: tuple[int, int], factor: tuple[int, int], dilation: tuple[int, int] = (1, 1), weights: Array | None = None
) -> None:
    """Check that a kernel to be normalised reaches every phase: an output pixel without weights stays black.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the kernel.
    factor, dilation : (int, int)
        Vertical and horizontal.
    weights : ndarray, shape (kH, kW) or (C, M / groups, kH, kW), optional
        They are looked at for zeros; None for a preset, which has none that matter.

    Raises
    ------
    KernelError
        If a phase has no weight, or only weights of 0.

    Examples
    --------
    >>> check_every_phase((1, 3), (2, 2))
    Traceback (most recent call last):
    upscale.errors.KernelError: cannot be normalised: 3x1 weights do not reach every output pixel at factor 2; give at least 2x2
    """
    (height, width), (vertical, horizontal) = shape, factor
    if height < vertical or width < horizontal:
        raise KernelError(
            f"cannot be normalised: {width}x{height} weights do not reach every output pixel at factor "
            f"{format_factor(factor)}; give at least {horizontal}x{vertical}"
        )
    if any(math.gcd(step, stride) > 1 for step, stride in zip(dilation, factor, strict=True)):
        raise KernelError(
            f"cannot be normalised: weights at a distance of {format_factor(dilation)} do not reach every output pixel at "
            f"factor {format_factor(factor)}; choose a --dilation that has no common divisor with the factor"
        )
    if weights is not None and dilation == (1, 1):
        taken = np.abs(weights).reshape(-1, height, width).sum(axis=0)
        if not phase_sums(taken, factor).all():
            raise KernelError("cannot be normalised: some output pixels get only zero weights")


def _phases(weights: Array, factor: tuple[int, int]) -> tuple[Array, Array]:
    """Return the phase of each row and each column of weights."""
    height, width = weights.shape[-2:]
    return np.arange(height) % factor[0], np.arange(width) % factor[1]

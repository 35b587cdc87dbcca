"""The phases of a kernel: which of its taps reach the same places of the output, and what they add up to.

Tap k along one axis reaches output positions of one remainder by the stride alone, so that the taps k, k + stride, k + 2 stride
... meet, and no others. See Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016), chapter 4.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.errors import KernelError

Array = NDArray[Any]

#: Below this share of its sum of magnitudes, a sum of weights is rounding noise and cannot be divided by.
CANCELLED = 1e-6


def gains(weights: Array, factor: tuple[int, int], groups: int = 1) -> Array:
    """Sum the taps of each phase: how bright a flat picture of ones becomes there, away from the border.

    Parameters
    ----------
    weights : ndarray, shape (kH, kW) or (C, M / groups, kH, kW)
    factor : (int, int)
        Vertical and horizontal.
    groups : int

    Returns
    -------
    ndarray, shape (factor[0], factor[1]) or (M, factor[0], factor[1])

    Examples
    --------
    >>> gains(np.ones((3, 3)), (2, 2))
    array([[4., 2.],
           [2., 1.]])
    """
    if weights.ndim == 4:  # what all input channels of a group bring: (C, M / groups, ...) to (M, ...)
        grouped = weights.reshape(groups, -1, *weights.shape[1:]).sum(axis=1).reshape(-1, *weights.shape[2:])
        return np.array([gains(each, factor) for each in grouped])
    summed, (rows, columns) = np.zeros(factor), _phases(weights, factor)
    np.add.at(summed, (rows[:, None], columns), weights)
    return summed


def evened(weights: Array, factor: tuple[int, int], groups: int = 1) -> Array:
    """Divide the weights by what each phase adds up to, so that each adds up to 1: normalised, but for the borders.

    Parameters
    ----------
    weights, factor, groups
        As for `gains`.

    Raises
    ------
    KernelError
        Where the weights of a phase add up to nothing.

    Examples
    --------
    >>> evened(np.ones((1, 3)), (1, 2))
    array([[0.5, 1. , 0.5]])
    """
    height, width = weights.shape[-2:]
    factor = min(factor[0], height), min(factor[1], width)  # any larger one gives each row or column a phase of its own
    gain, magnitude = gains(weights, factor, groups), gains(np.abs(weights), factor, groups)
    if (np.abs(gain) < CANCELLED * magnitude).any():
        raise KernelError("the kernel cannot be normalised: in one phase its weights add up to nothing")
    divisor = np.where(magnitude == 0, 1.0, gain)  # where no tap reaches, there is nothing to divide
    rows, columns = _phases(weights, factor)
    spread = divisor[..., rows[:, None], columns]
    if weights.ndim == 4:  # each input channel by the gain of the outputs of its own group
        spread = np.repeat(spread.reshape(groups, *weights.shape[1:]), weights.shape[0] // groups, axis=0)
    result: Array = weights / spread
    return result


def _phases(weights: Array, factor: tuple[int, int]) -> tuple[Array, Array]:
    """Give the phase of each row and each column of weights."""
    height, width = weights.shape[-2:]
    return np.arange(height) % factor[0], np.arange(width) % factor[1]

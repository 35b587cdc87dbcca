"""The `Kernel` value: weights of a transposed convolution and what belongs to them."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upscale.errors import ArgumentError
from upscale.presets import PRESETS, length, sample

#: Longest side of a kernel that a user hands in.
LONGEST = 1024


class Kernel:
    """Weights of a transposed convolution that applies to each channel alike.

    Parameters
    ----------
    weights : array_like, shape (kH, kW)
        Finite numbers, at least one, at most 1024 a side; kept as float64.
    normalized : bool
        Divide the weights by the transposed convolution of all ones, so that a flat picture stays flat.

    Raises
    ------
    ArgumentError
        Where the weights are not such an array.

    Examples
    --------
    >>> Kernel([[1, 2, 1], [2, 4, 2], [1, 2, 1]]).shape
    (3, 3)
    """

    def __init__(self, weights: ArrayLike, *, normalized: bool = False) -> None:
        array = _numbers(weights)
        if array.ndim != 2:
            raise ArgumentError(f"a kernel has 2 dimensions (height, width), this one has {array.ndim}: {array.shape}")
        if max(array.shape) > LONGEST:
            raise ArgumentError(f"a kernel has at most {LONGEST} weights a side, this one is {_size(array)}")
        self.shape: tuple[int, int] = array.shape
        self.normalized = normalized
        self._weights: NDArray[np.float64] | None = array
        self._axes = _split(array)
        self._preset: tuple[str, tuple[int, int]] | None = None

    @classmethod
    def preset(cls, name: str, factor: tuple[int, int]) -> "Kernel":
        """Sample a preset for a factor.

        Parameters
        ----------
        name : str
            A key of `upscale.presets.PRESETS`.
        factor : (int, int)
            Vertical and horizontal.

        Returns
        -------
        Kernel
            Normalised and of rank 1.
        """
        kernel = cls.__new__(cls)
        kernel.shape = length(PRESETS[name], factor[0]), length(PRESETS[name], factor[1])
        kernel.normalized = True
        # Sampled when needed: at an absurd factor the output's size is refused first.
        kernel._weights, kernel._axes, kernel._preset = None, None, (name, factor)
        return kernel

    @property
    def weights(self) -> NDArray[np.float64]:
        """The weights, (kH, kW), before any normalising."""
        if self._weights is None:
            assert self.axes is not None
            self._weights = np.outer(*self.axes)
        return self._weights

    @property
    def axes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """The vertical and the horizontal factor of a kernel of rank 1, else None."""
        if self._axes is None and self._preset is not None:
            name, (vertical, horizontal) = self._preset
            self._axes = np.array(sample(PRESETS[name], vertical)), np.array(sample(PRESETS[name], horizontal))
        return self._axes


def _size(array: NDArray[Any]) -> str:
    height, width = array.shape
    return f"{width}x{height}"


def _numbers(weights: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(weights)
    if array.dtype.kind not in "biuf":
        raise ArgumentError(f"a kernel is made of real numbers, not of {array.dtype}")
    if not array.size:
        raise ArgumentError(f"the kernel has no elements: its shape is {array.shape}")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ArgumentError("the kernel contains NaN or infinity")
    if np.abs(array).max() > np.finfo(np.float32).max:
        raise ArgumentError("the kernel has weights beyond what 32-bit floats hold")
    return array


def _split(weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Write a kernel of rank 1 as the outer product of two axes, exactly where its weights are whole or dyadic numbers."""
    y, x = np.unravel_index(np.abs(weights).argmax(), weights.shape)
    if weights[y, x] == 0:
        return None
    row = weights[y]
    if (row == np.rint(row)).all() and np.abs(row).max() < 2**53:
        row = row / np.gcd.reduce(row.astype(np.int64))  # makes the other axis whole as well
    column = weights[:, x] / row[x]
    # Weights that were stored as float32 are off by up to 6e-8 each.
    equal = np.abs(np.outer(column, row) - weights).max() <= 2.0**-21 * np.abs(weights).max()
    return (column, row) if equal else None

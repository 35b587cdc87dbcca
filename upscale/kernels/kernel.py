"""The `Kernel` value: weights of a transposed convolution and what belongs to them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from upscale.arguments import as_array, factor_pair, is_same, paddings
from upscale.errors import ArgumentError
from upscale.kernels.corrections import Bank
from upscale.kernels.presets import Filter

#: Longest side of a kernel that a user hands in.
LONGEST = 1024

Sides = tuple[tuple[int, int], tuple[int, int]]


class Kernel:
    """Weights of a transposed convolution, and everything that belongs to them.

    Parameters
    ----------
    weights : array_like, shape (kH, kW) or (C, M / groups, kH, kW)
        Finite numbers, kept as float64, at most 1024 a side. With 2 dimensions they apply to each channel alike; with 4
        they make M channels of C.
    normalized : bool
        Divide the weights by the transposed convolution of all ones, so that a flat picture stays flat.
    factor : int or (int, int), optional
        The stride that the weights were made for; (vertical, horizontal).
    padding : "same", int, (int, int) or ((top, bottom), (left, right)), optional
        What they want cut off; None leaves it to the caller.
    bias : array_like, shape (M,), or (1,) for weights of 2 dimensions, optional
        Added to each output channel; 1 is full scale.
    groups : int
        For weights of 4 dimensions.
    title : str
    training : str
        What it was learned from, as JSON; empty where it was not learned.
    bank : Bank, optional
        What makes it adaptive: corrections, one of which is chosen for each input pixel. For weights of 2 dimensions that are
        normalised, and the bank's factor both ways.

    Attributes
    ----------
    shape : (int, int)
        Height and width, (kH, kW).
    normalized, factor, padding, bias, groups, title, training, bank
        As they were given; factor and padding as pairs, and the bias as an array.

    Raises
    ------
    ArgumentError
        Where values do not fit each other.

    Examples
    --------
    The weights are applied as they are, which leaves a checkerboard, unless they are normalised.

    >>> import numpy as np
    >>> import upscale
    >>> kernel = upscale.Kernel([[1, 2, 3]], factor=(1, 2))
    >>> upscale.enlarge(np.ones((1, 3)), None, "tconv", kernel)
    array([[1., 2., 4., 2., 4., 2.]])
    >>> upscale.enlarge(np.ones((1, 3)), None, "tconv", kernel.with_normalized(True))
    array([[1., 1., 1., 1., 1., 1.]])
    >>> kernel.shape, kernel.factor, kernel.normalized
    ((1, 3), (1, 2), False)
    """

    def __init__(
        self, weights: ArrayLike, *, normalized: bool = False, factor: int | Sequence[int] | None = None,
        padding: Any = None, bias: ArrayLike | None = None, groups: int = 1, title: str = "",
        training: str = "", bank: Bank | None = None,
    ) -> None:  # fmt: skip
        array = numbers(weights, "the kernel")
        if array.ndim not in (2, 4):
            raise ArgumentError(
                f"a kernel has 2 dimensions (kH, kW) or 4 (C, M / groups, kH, kW), this one has {array.ndim}: {array.shape}"
            )
        if max(array.shape[-2:]) > LONGEST:
            raise ArgumentError(
                f"a kernel has at most {LONGEST} weights a side, this one is {array.shape[-1]}x{array.shape[-2]}"
            )
        if groups < 1 or (array.ndim == 2 and groups > 1) or (array.ndim == 4 and array.shape[0] % groups):
            raise ArgumentError(f"groups={groups} does not fit a kernel of shape {array.shape}")
        self.shape: tuple[int, int] = array.shape[-2:]
        self.normalized = normalized
        self.factor = None if factor is None else factor_pair(factor)
        self.padding: str | Sides | None = padding if is_same(padding) else paddings(padding)
        self.groups, self.title, self.training, self.bank = groups, title, training, bank
        if bank is not None and (array.ndim != 2 or not normalized or self.factor != (bank.factor, bank.factor)):
            raise ArgumentError("a bank of corrections goes with a normalised kernel of 2 dimensions, made for the same factor")
        self.bias = None if bias is None else np.atleast_1d(numbers(bias, "the bias"))
        wanted = 1 if array.ndim == 2 else array.shape[1] * groups
        if self.bias is not None and self.bias.shape != (wanted,):
            raise ArgumentError(f"the bias of a kernel of shape {array.shape} must be ({wanted},), not {self.bias.shape}")
        #: The name of a bias that the weights' file holds as well, and which is not in here.
        self.beside = ""
        self._weights: NDArray[np.float64] | None = array
        self._axes, self._exact = _split(array) if array.ndim == 2 else (None, True)
        self._preset: tuple[Filter, tuple[int, int]] | None = None
        #: How many outer products were looked for, and what was found.
        self._terms: tuple[int, tuple[NDArray[np.float64], NDArray[np.float64]] | None] | None = None

    @classmethod
    def preset(cls, filter: Filter, factor: tuple[int, int]) -> "Kernel":
        """Sample a preset for a factor.

        Parameters
        ----------
        filter : Filter
            From `upscale.presets.named`.
        factor : (int, int)
            Vertical and horizontal.

        Returns
        -------
        Kernel
            Of rank 1; normalised, but for the bed of nails.
        """
        kernel = cls.__new__(cls)
        kernel.shape = filter.length(factor[0]), filter.length(factor[1])
        kernel.normalized = filter.normalized
        kernel.factor, kernel.padding, kernel.bias, kernel.groups, kernel.title = factor, None, None, 1, filter.name
        kernel.training, kernel.bank = "", None
        # Sampled when needed: at an absurd factor the output's size is refused first.
        kernel._weights, kernel._axes, kernel._exact, kernel._preset = None, None, True, (filter, factor)
        kernel._terms, kernel.beside = None, ""
        return kernel

    def with_normalized(self, normalized: bool) -> "Kernel":
        """Copy the kernel with its weights normalised, or not."""
        kernel = self.__class__.__new__(self.__class__)
        kernel.__dict__.update(self.__dict__, normalized=normalized)
        return kernel

    def replaced(self, **changes: Any) -> "Kernel":
        """Copy the kernel with other values of its parameters, which are checked anew."""
        kept: dict[str, Any] = {
            "weights": self.weights, "normalized": self.normalized, "factor": self.factor, "padding": self.padding,
            "bias": self.bias, "groups": self.groups, "title": self.title, "training": self.training, "bank": self.bank,
        }  # fmt: skip
        kernel = Kernel(**(kept | changes))
        kernel.beside = self.beside
        return kernel

    def repeated(self, times: int) -> "Kernel":
        """Set a kernel of 4 dimensions beside itself, for so many pictures whose channels stand side by side."""
        bias = None if self.bias is None else np.tile(self.bias, times)
        return self.replaced(weights=np.tile(self.weights, (times, 1, 1, 1)), bias=bias, groups=self.groups * times)

    @property
    def weights(self) -> NDArray[np.float64]:
        """The weights, (kH, kW) or (C, M / groups, kH, kW), before any normalising."""
        if self._weights is None:
            assert self.axes is not None
            self._weights = np.outer(*self.axes)
        return self._weights

    @property
    def axes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """The vertical and the horizontal factor of a kernel of rank 1, else None."""
        if self._axes is None and self._preset is not None:
            filter, (vertical, horizontal) = self._preset
            self._axes = np.array(filter.sample(vertical)), np.array(filter.sample(horizontal))
        return self._axes

    def axes_for(self, computed: DTypeLike) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Give `axes` where their product equals the weights to the rounding of the floats that are computed in."""
        return self.axes if self._exact or computed == np.float32 else None

    def terms(self, computed: DTypeLike, most: int) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Write a kernel of 2 dimensions as a sum of at most so many outer products, to the rounding of what is computed in.

        More than one are only looked for where 32-bit floats are computed in.

        Returns
        -------
        (ndarray, ndarray) or None
            Vertical (terms, kH) and horizontal (terms, kW); None where there are no so few.
        """
        if (axes := self.axes_for(computed)) is not None:
            return axes[0][None], axes[1][None]
        if most < 2 or computed != np.float32 or self.weights.ndim != 2:
            return None
        if self._terms is None or (self._terms[1] is None and self._terms[0] < most):
            self._terms = most, _terms(self.weights, most)
        found = self._terms[1]
        return found if found is not None and len(found[0]) <= most else None

    @property
    def channels(self) -> tuple[int, int] | None:
        """How many channels a kernel of 4 dimensions takes and makes; None for one that applies to each alike."""
        if self._weights is None or self._weights.ndim == 2:
            return None
        return self._weights.shape[0], self._weights.shape[1] * self.groups


def numbers(value: ArrayLike, name: str) -> NDArray[np.float64]:
    """Read finite real numbers, at least one, that 32-bit floats hold.

    Raises
    ------
    ArgumentError
        Where there are others; the text begins with `name`.
    """
    array = as_array(value, name)
    if array.dtype.kind not in "biuf":
        raise ArgumentError(f"{name} is made of real numbers, not of {array.dtype}")
    if not array.size:
        raise ArgumentError(f"{name} has no elements: its shape is {array.shape}")
    with np.errstate(all="ignore"):  # what is too large for float64 becomes infinity, which is told below
        array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ArgumentError(f"{name} contains NaN or infinity")
    if np.abs(array).max() > np.finfo(np.float32).max:
        raise ArgumentError(f"{name} has numbers beyond what 32-bit floats hold")
    return array


def _split(weights: NDArray[np.float64]) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]] | None, bool]:
    """Write a kernel of rank 1 as the outer product of two axes, and say whether that is exact to the rounding of float64.

    It is exact where the weights are whole or dyadic numbers. Weights that were stored as float32 are off by up to 6e-8 each,
    so that as much is allowed, of each weight and not of the largest.
    """
    y, x = np.unravel_index(np.abs(weights).argmax(), weights.shape)
    if weights[y, x] == 0:
        return None, True
    row = weights[y]
    if (row == np.rint(row)).all() and np.abs(row).max() < 2**53:
        row = row / np.gcd.reduce(row.astype(np.int64))  # makes the other axis whole as well
    column = weights[:, x] / row[x]
    difference, size = np.abs(np.outer(column, row) - weights), np.abs(weights)
    if (difference > 2.0**-21 * size).any():
        return None, True
    return (column, row), bool((difference <= 2.0**-50 * size).all())


def _terms(weights: NDArray[np.float64], most: int) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Write weights as a sum of at most so many outer products of columns and rows; None where that takes more.

    Each is what the largest weight that is left has for its column and row (cross approximation with full pivoting; Bebendorf,
    "Approximation of boundary element matrices", 2000). Unlike singular vectors, these come out the same on every machine.
    """
    rest, size = weights.copy(), np.abs(weights)
    if not size.any():
        return None
    columns, rows = list[NDArray[np.float64]](), list[NDArray[np.float64]]()
    while len(rows) < most:
        y, x = np.unravel_index(np.abs(rest).argmax(), rest.shape)
        columns.append(rest[:, x].copy())
        rows.append(rest[y] / rest[y, x])
        rest -= np.outer(columns[-1], rows[-1])
        rest[y], rest[:, x] = 0, 0
        if np.abs(rest).max() <= 2.0**-22 * size.max():  # weights that were stored as float32 leave half of that
            # Terms that cancel each other would round off more than the weights themselves do.
            spent = sum(np.abs(c).sum() * np.abs(r).sum() for c, r in zip(columns, rows, strict=True))
            return (np.array(columns), np.array(rows)) if spent <= 4 * size.sum() else None
    return None

"""The `Corrections` of an adaptive kernel: a regression tree that chooses one of several linear models for each pixel.

Each input pixel looks at the 5 x 5 values around it. They are first flipped and transposed until they grow brighter to the
right and, less so, downwards. A binary tree of comparisons of two of them then leads to a leaf, and each leaf has a class. The
correction of a class is a linear model, a matrix: the differences of the 25 values from the middle one, multiplied by it, are
what the pixel adds to its own block of factor x factor output values and to the 8 blocks around. So every output value is the
single kernel's, plus the sum of 9 corrections. Where neighbours have one class and one orientation, all this is a transposed
convolution by one kernel of 7 x 7 blocks, or as large as the single one.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upscale.argument_checks import as_array
from upscale.errors import ArgumentError

Array = NDArray[Any]

#: Input pixels a side that choose a correction and are its inputs, and blocks a side that it adds to.
SIDE, BLOCKS = 5, 3
#: Greatest depth of the tree.
DEEPEST = 16
#: Weights are whole multiples of this or, if that takes more than 16 bits, of twice, four times, ... as much.
_UNIT = 2.0**-14


class Corrections:
    """Corrections of a single kernel, one of which is chosen for each input pixel.

    Parameters
    ----------
    compared : array_like of int, shape (nodes, 2)
        Which two of the 25 pixels each node compares, counted row by row. The number of nodes is a power of two less one, and
        they are in the order of a heap: the children of node n are 2 n + 1, and 2 n + 2 if the first value exceeds the second
        by more than the threshold.
    thresholds : array_like, shape (nodes,)
        In grey levels of 8 bits.
    leaves : array_like of int, shape (nodes + 1,)
        The class of each leaf of the tree.
    weights : array_like, shape (classes, 25, 9 * factor ** 2)
        Factors of the differences from the middle value; the results are 3 x 3 blocks, row by row. Rounded to multiples of
        2 ** -14, or of more if they are large, so that they fit in 16 bits.
    factor : int

    Attributes
    ----------
    compared, leaves : ndarray of int64
    thresholds : ndarray of float32
    weights : ndarray of int16
        In multiples of `unit`.
    unit : float
    factor : int

    Raises
    ------
    ArgumentError
        If they do not fit each other.
    """

    def __init__(self, compared: ArrayLike, thresholds: ArrayLike, leaves: ArrayLike, weights: ArrayLike, factor: int) -> None:
        self.compared, self.leaves = (_whole(a, name) for a, name in ((compared, "compared"), (leaves, "leaves")))
        self.thresholds = _real(thresholds, "thresholds").astype(np.float32)
        given = _real(weights, "weights").astype(np.float64)
        nodes = len(self.thresholds) if self.thresholds.ndim == 1 else -1
        if nodes < 0 or nodes & (nodes + 1) or nodes >= 1 << DEEPEST or self.compared.shape != (nodes, 2):
            raise ArgumentError("the comparisons of the corrections do not form a complete tree")
        if factor < 1 or given.ndim != 3 or given.shape[1:] != (SIDE**2, (BLOCKS * factor) ** 2) or not len(given):
            raise ArgumentError(
                f"the corrections' weights {given.shape} are not (classes, {SIDE**2}, {(BLOCKS * factor) ** 2})"
            )
        if self.leaves.shape != (nodes + 1,) or self.leaves.max() >= len(given) or self.compared.max(initial=0) >= SIDE**2:
            raise ArgumentError("a comparison or class of the corrections is out of range")
        if not np.isfinite(given).all() or np.isnan(self.thresholds).any():
            raise ArgumentError("the corrections contain NaN or infinity")
        self.factor = factor
        self.unit = _UNIT * 2.0 ** max(0, int(np.ceil(np.log2(max(np.abs(given).max() / _UNIT / 32767, 1e-9)))))
        self.weights = np.rint(given / self.unit).astype(np.int16)

    @property
    def classes(self) -> int:
        """Number of corrections."""
        return len(self.weights)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Corrections):
            return NotImplemented
        arrays = ("compared", "thresholds", "leaves", "weights")
        same = (self.factor, self.unit) == (other.factor, other.unit)
        return same and all(np.array_equal(getattr(self, name), getattr(other, name)) for name in arrays)

    def __hash__(self) -> int:
        return hash((self.factor, self.unit, self.weights.shape))


def orders(side: int) -> Array:
    """Return how each of the 8 orientations reorders the pixels of a square (side, side), counted row by row.

    Orientation 1 flips left and right, 2 flips up and down, 4 then transposes; others are sums of these.

    Returns
    -------
    ndarray of int, shape (8, side ** 2)
        Indices of the pixels in their new order.

    Examples
    --------
    >>> orders(2)[[1, 4]].tolist()
    [[1, 0, 3, 2], [0, 2, 1, 3]]
    """
    made = []
    for orientation in range(8):
        square: Array = np.arange(side**2).reshape(side, side)
        if orientation & 2:
            square = square[::-1]
        if orientation & 1:
            square = square[:, ::-1]
        made.append((square.T if orientation & 4 else square).ravel())
    return np.array(made)


def _real(value: ArrayLike, name: str) -> Array:
    array = as_array(value, name)
    if array.dtype.kind not in "biuf":
        raise ArgumentError(f"the corrections' {name} must be real numbers")
    return array


def _whole(value: ArrayLike, name: str) -> Array:
    array = as_array(value, name)
    if array.dtype.kind not in "ui" or (array < 0).any():
        raise ArgumentError(f"the corrections' {name} must be whole numbers of at least 0")
    return array.astype(np.int64)

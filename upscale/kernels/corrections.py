"""The `Bank` of an adaptive kernel: corrections of a single kernel, and the comparisons that choose one for each pixel.

Each input pixel looks at the 5 x 5 values around it. They are first flipped and turned until they grow brighter to the right
and, less so, downwards; comparisons of two of them, one after another, then lead to a class. The class' correction is a matrix:
the differences of the 25 values from the middle one, multiplied by it, are what the pixel adds to its own block of factor x
factor output values and to the 8 blocks around. So every output value is the single kernel's, and the sum of 9 corrections.
Where neighbours have one class and one orientation, all this is a transposed convolution by one kernel of 7 x 7 blocks, or as
large as the single one.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from upscale.arguments import as_array
from upscale.errors import ArgumentError

Array = NDArray[Any]

#: Input pixels a side that choose a correction and are weighed by it, and blocks a side that it adds to.
SIDE, BLOCKS = 5, 3
#: Most comparisons that lead to a class.
DEEPEST = 16
#: Weights are whole multiples of this or, where 16 bits do not hold that, of twice, four times, ... as much.
_UNIT = 2.0**-14
#: Floats of a correction come in pieces of so many: what the loops take at once.
_PIECE = 48


class Tables(NamedTuple):
    """A bank as the loops take it; all offsets are places in flat rows."""

    first: Array  #: (8, nodes) what is compared, for each orientation, from the middle on
    second: Array  #: (8, nodes) with what
    threshold: Array  #: (nodes,) how much greater the first must be to go on to the right
    leaf: Array  #: (nodes + 1,) the class that each way ends at
    row: Array  #: (8, 25) where, in a correction, the `size` weights begin that each of the 25 values as they lie is weighed by
    weights: Array  #: (classes * 25 * size,) flat
    size: int  #: floats of a correction, a multiple of what the loops take at once
    block: Array  #: (8, 9, factor ** 2) where in a correction a block's values from each neighbour lie
    factor: int


class Bank:
    """Corrections of a single kernel, chosen for each input pixel.

    Parameters
    ----------
    compared : array_like of int, shape (nodes, 2)
        Two of the 25 places, counted row by row; nodes are a power of two less one, in the order of a heap: those after node n
        are 2 n + 1 and 2 n + 2, the latter where the first value exceeds the second by more than the threshold.
    thresholds : array_like, shape (nodes,)
        In grey levels of 8 bits.
    leaves : array_like of int, shape (nodes + 1,)
        The class that each way ends at.
    weights : array_like, shape (classes, 25, 9 * factor ** 2)
        Of the differences from the middle value; what they make are 3 x 3 blocks, row by row. Rounded to multiples of 2 ** -14,
        or of more where they are large, so that 16 bits hold them.
    factor : int

    Raises
    ------
    ArgumentError
        Where they do not fit each other.
    """

    def __init__(self, compared: ArrayLike, thresholds: ArrayLike, leaves: ArrayLike, weights: ArrayLike, factor: int) -> None:
        self.compared, self.leaves = (_whole(a, name) for a, name in ((compared, "compared"), (leaves, "leaves")))
        self.thresholds = as_array(thresholds, "thresholds").astype(np.float32)
        given = as_array(weights, "weights").astype(np.float64)
        nodes = len(self.thresholds) if self.thresholds.ndim == 1 else -1
        if nodes < 0 or nodes & (nodes + 1) or nodes >= 1 << DEEPEST or self.compared.shape != (nodes, 2):
            raise ArgumentError("a bank's comparisons do not make a whole tree")
        if given.ndim != 3 or given.shape[1:] != (SIDE**2, (BLOCKS * factor) ** 2) or not len(given):
            raise ArgumentError(f"a bank's weights {given.shape} are not (classes, {SIDE**2}, {(BLOCKS * factor) ** 2})")
        if self.leaves.shape != (nodes + 1,) or self.leaves.max() >= len(given) or self.compared.max(initial=0) >= SIDE**2:
            raise ArgumentError("a bank's comparisons or classes lie beyond what there is")
        if not np.isfinite(given).all() or np.isnan(self.thresholds).any():
            raise ArgumentError("a bank contains NaN or infinity")
        self.factor = factor
        self.unit = _UNIT * 2.0 ** max(0, int(np.ceil(np.log2(max(np.abs(given).max() / _UNIT / 32767, 1e-9)))))
        #: In whole multiples of `unit`.
        self.weights = np.rint(given / self.unit).astype(np.int16)

    @property
    def classes(self) -> int:
        """How many corrections there are."""
        return len(self.weights)

    def tables(self, width: int, dtype: DTypeLike) -> Tables:
        """Lay the bank out for the loops.

        Parameters
        ----------
        width : int
            Of the rows that the offsets count in.
        dtype : dtype
            Of the weights.
        """
        order = orders(SIDE)
        y, x = np.divmod(order, SIDE)
        offset = (y - SIDE // 2) * width + x - SIDE // 2
        size = -(-self.weights.shape[2] // _PIECE) * _PIECE
        weights = np.zeros((*self.weights.shape[:2], size), dtype)
        weights[..., : self.weights.shape[2]] = self.weights * self.unit
        f = self.factor
        inverse = np.argsort(orders(BLOCKS * f), axis=1)
        # A neighbour's correction to this block lies on the side that faces it.
        facing = (
            inverse.reshape(8, BLOCKS, f, BLOCKS, f)[:, ::-1, :, ::-1].transpose(0, 1, 3, 2, 4).reshape(8, BLOCKS**2, f * f)
        )
        return Tables(
            np.ascontiguousarray(offset[:, self.compared[:, 0]]), np.ascontiguousarray(offset[:, self.compared[:, 1]]),
            self.thresholds, self.leaves, np.argsort(order, axis=1) * size, weights.ravel(), size,
            np.ascontiguousarray(facing), f,
        )  # fmt: skip


def orders(side: int) -> Array:
    """List for each of the 8 orientations which values of a square (side, side), row by row, it puts in which order.

    Orientation 1 flips left and right, 2 flips up and down, 4 then transposes; others are sums of these.

    Returns
    -------
    ndarray of int, shape (8, side ** 2)

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


def _whole(value: ArrayLike, name: str) -> Array:
    array = as_array(value, name)
    if array.dtype.kind not in "ui" or (array < 0).any():
        raise ArgumentError(f"a bank's {name} are whole numbers of at least 0")
    return array.astype(np.int64)

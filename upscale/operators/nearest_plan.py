"""Nearest-neighbour unpooling: every value is duplicated over its block."""

from __future__ import annotations  # so that `help` shows the short names of types

from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from upscale.argument_checks import as_array, check_copyable, check_picture_shape, factor_pair, output_array, read_only_view
from upscale.loops.engine import CHOOSER, Work

if TYPE_CHECKING:
    from upscale.argument_checks import AnyArray
    from upscale.choices import Pair

Array = NDArray[Any]
Sample = TypeVar("Sample", bound=np.generic)


def _as_bytes(array: Array) -> Array:
    """View (H, W) or (H, W, C) of any dtype as rows of bytes."""
    return array.reshape(len(array), -1).view(np.uint8)


class NearestPlan:
    """Enlargement of one picture by duplication; clips nothing and has nothing to note.

    Parameters
    ----------
    source : ndarray, shape (H, W) or (H, W, C)
        C-contiguous, of any dtype without Python objects.
    factor : (int, int)
        Vertical and horizontal.

    Attributes
    ----------
    shape, dtype, work, min_rows
        As in `transposed_plan.TransposedPlan`.
    """

    clipped, min_rows = 0, 16

    def __init__(self, source: Array, factor: tuple[int, int]) -> None:
        self.shape = (source.shape[0] * factor[0], source.shape[1] * factor[1], *source.shape[2:])
        self.dtype = source.dtype
        self.notes = list[str]()
        size = source.nbytes * factor[0] * factor[1]
        self.work = Work("nn", source.shape[0] * source.shape[1], size, loops=frozenset({"nearest"}))
        self._factor = factor
        self._source = source

    def rows_needed(self, rows: slice) -> tuple[int, int]:
        """Return which input rows are needed for rows of the result: the first one, and the one after the last."""
        return rows.start // self._factor[0], -(-rows.stop // self._factor[0])

    def fill(self, loops: ModuleType, out: Array, first_row: int = 0) -> None:
        """Compute rows `first_row` and following into `out`, with one of the engines' loops; both are whole blocks."""
        vertical, horizontal = self._factor
        begin = first_row // vertical
        source = _as_bytes(self._source[begin : begin + len(out) // vertical])
        size = source.shape[1] // self._source.shape[1]
        loops.nearest(read_only_view(source), vertical, horizontal, size, _as_bytes(out))


@overload
def unpool_nearest(array: NDArray[Sample], factor: Pair, out: NDArray[Sample] | None = None) -> NDArray[Sample]: ...
@overload
def unpool_nearest(array: AnyArray, factor: Pair, out: Array | None = None) -> Array: ...
def unpool_nearest(array: AnyArray, factor: Pair, out: Array | None = None) -> Array:
    """Duplicate every value of an array over its factor x factor block.

    Parameters
    ----------
    array : array_like, shape (H, W) or (H, W, C)
        Of any dtype except Python objects; values are copied bit for bit.
    factor : int or (int, int)
        How many times larger, at least 1; (vertical, horizontal).
    out : ndarray, optional
        Array to write the result to, and return: C-contiguous, of the result's shape and dtype.

    Returns
    -------
    ndarray, shape (H * vertical, W * horizontal) or (H * vertical, W * horizontal, C)
        Same dtype as the array.

    Raises
    ------
    ArgumentError
        If a shape, dtype or value is invalid.

    Examples
    --------
    >>> import upscale
    >>> upscale.unpool_nearest([[1, 2]], 2)
    array([[1, 1, 2, 2],
           [1, 1, 2, 2]])
    >>> upscale.unpool_nearest([["a", "b"]], (1, 3))
    array([['a', 'a', 'a', 'b', 'b', 'b']], dtype='<U1')
    """
    source = np.ascontiguousarray(as_array(array, "array"))
    check_picture_shape(source)
    check_copyable(source)
    plan = NearestPlan(source, factor_pair(factor))
    result = output_array(out, plan.shape, plan.dtype, source)
    plan.fill(CHOOSER.load("auto", plan.work)[1], result)
    return result

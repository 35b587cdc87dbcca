"""Antialiased reduction of an enlargement to a size that is no whole multiple of the picture's."""

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.loops.tables import ReductionTaps

Array = NDArray[Any]

#: Lobes of the Lanczos filter, as in Pillow's `Resampling.LANCZOS`.
_LOBES = 3


class Reduction:
    """The reduction of floats (H, W, C) to a smaller height and width.

    Output pixel i lies at (i + 1/2) * r of the input along an axis, where r is how many times smaller the output is. The filter
    is Lanczos's with 3 lobes (Duchon 1979), stretched by r. For the blocks of nn, it is the box of width r: the mean of what
    an output pixel covers. Weights beyond the border are left out, and all are divided by their sum.

    Parameters
    ----------
    size : (int, int)
        Height and width before.
    reduced : (int, int)
        Height and width after; neither is larger.
    blocks : bool
        Whether the input is made of blocks of one value.
    dtype : dtype
        Of the floats.
    """

    def __init__(self, size: tuple[int, int], reduced: tuple[int, int], *, blocks: bool, dtype: "np.dtype[Any]") -> None:
        self._taps = [_taps(*sizes, blocks, dtype) for sizes in zip(size, reduced, strict=True)]

    def rows_needed(self, rows: slice) -> slice:
        """Return the rows of the input that rows of the output are made of."""
        start, weight = self._taps[0]
        return slice(int(start[rows.start]), int(start[rows.stop - 1]) + weight.shape[1])

    def apply(self, loops: ModuleType, values: Array, rows: slice) -> Array:
        """Reduce the rows of the input that `rows_needed` says, (H, W, C), to rows of the output."""
        (start, weight), columns = self._taps
        channels = values.shape[2]
        begin = self.rows_needed(rows).start
        out = np.empty((rows.stop - rows.start, len(columns.start), channels), values.dtype)
        taps = ReductionTaps(start[rows] - begin, np.ascontiguousarray(weight[rows]))
        loops.reduce(values.reshape(len(values), -1), channels, taps, columns, out.reshape(len(out), -1))
        return out


def nearest_before(size: int, reduced: int) -> Array:
    """Find the input pixel in which the middle of each output pixel lies, along one axis."""
    places: Array = (2 * np.arange(reduced) + 1) * size // (2 * reduced)
    return places


def _taps(size: int, reduced: int, blocks: bool, dtype: "np.dtype[Any]") -> ReductionTaps:
    """Compute the weights along one axis."""
    if size == reduced:
        return ReductionTaps(np.arange(size), np.ones((size, 1), dtype))
    ratio = size / reduced
    support = ratio / 2 if blocks else _LOBES * ratio
    middle = (np.arange(reduced) + 0.5) * ratio
    number = min(int(2 * np.ceil(support)) + 1, size)
    start = np.clip(np.floor(middle - support).astype(np.int64), 0, size - number)
    places = start[:, None] + np.arange(number)
    if blocks:  # how much of each input pixel the output pixel covers
        least, most = (middle - support)[:, None], (middle + support)[:, None]
        weights = np.clip(np.minimum(places + 1, most) - np.maximum(places, least), 0, None)
    else:
        distance = (places + 0.5 - middle[:, None]) / ratio
        weights = np.where(np.abs(distance) < _LOBES, np.sinc(distance) * np.sinc(distance / _LOBES), 0)
    return ReductionTaps(start, (weights / weights.sum(axis=1, keepdims=True)).astype(dtype))

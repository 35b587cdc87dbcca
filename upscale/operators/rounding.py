"""From floats to samples: which floats are computed in, and how they are rounded and clipped."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]


class Rounding(NamedTuple):
    """How the loops store sums.

    Attributes
    ----------
    rounded : bool
        Whether they are rounded half up and clipped; floats are stored as they are.
    limits : ndarray, shape (4,)
        In the floats that are computed in: the lowest and the highest result, the half that rounds up, and the highest float
        that is truncated to the highest result.
    """

    rounded: bool
    limits: Array


def rounding_to(dtype: np.dtype[Any], computed: DTypeLike) -> Rounding:
    """Find how floats of the type `computed` become samples of a dtype."""
    if dtype.kind == "f":
        return Rounding(False, np.zeros(4, computed))
    info = np.iinfo(dtype)
    highest = np.array(info.max, computed)
    if float(highest) > info.max:  # a float just above the largest integer would wrap around
        highest = np.nextafter(highest, np.zeros((), computed))
    beneath = np.nextafter(np.array(float(info.max) + 1, computed), np.zeros((), computed))
    return Rounding(True, np.array([info.min, highest, 0.5, beneath], computed))


def compute_dtype(source: np.dtype[Any], result: np.dtype[Any], *, alpha: bool) -> np.dtype[Any]:
    """Choose the floats to compute in: 32 bits where they store every sample exactly.

    Parameters
    ----------
    source, result : dtype
        Of the samples before and after.
    alpha : bool
        Whether colours are multiplied by an alpha channel: products of two 16-bit samples have 32 bits.
    """
    wide = any(dtype.itemsize >= 4 and dtype != np.float32 for dtype in (source, result))
    return np.dtype(np.float64 if wide or (alpha and source.itemsize == 2) else np.float32)

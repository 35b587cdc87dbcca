"""What some pictures need before and after the weighted sums: linear light, and colours for transparent pixels."""

from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from upscale.operators.parameters import Operator

if TYPE_CHECKING:
    from upscale.pictures.tone_curves import Curve

Array = NDArray[Any]


def to_floats(loops: ModuleType, block: Array, computed: DTypeLike, curve: "Curve | None", *, alpha: bool) -> Array:
    """Convert samples (H, W, C) to the floats that are summed.

    Parameters
    ----------
    loops : module
    block : ndarray, shape (H, W, C)
    computed : dtype
    curve : Curve or None
        Decode colours to linear light.
    alpha : bool
        Multiply the colours by the last channel.
    """
    floats: Array = block.astype(computed, order="C")  # the loops are compiled for this order
    if curve is not None:
        colours = block.shape[2] - alpha
        floats[..., :colours] = curve.decode(block[..., :colours])
    if alpha:
        loops.premultiply(floats)
    return floats


def nearest_pixels(operator: Operator, source: tuple[int, ...], result: tuple[int, ...]) -> tuple[Array, Array]:
    """For each output row and column, find the nearest source row and column."""
    rows, columns = (
        np.clip(
            (np.arange(result[i]) + operator.crop_begin(i) - operator.total_crop(i) // 2) // operator.factor[i],
            0,
            source[i] - 1,
        )
        for i in (0, 1)
    )
    return rows, columns

"""The corrections of an adaptive kernel as tables for the loops."""

import numpy as np
from numpy.typing import DTypeLike

from upscale.kernels.corrections import BLOCKS, SIDE, Corrections, orders
from upscale.loops.tables import CORRECTION_MULTIPLE, CorrectionTables


def correction_tables(corrections: Corrections, width: int, dtype: DTypeLike) -> CorrectionTables:
    """Lay corrections out for the loops.

    Parameters
    ----------
    corrections : Corrections
    width : int
        Of the rows of pixels that offsets are counted in.
    dtype : dtype
        Of the weights.
    """
    order = orders(SIDE)
    y, x = np.divmod(order, SIDE)
    offset = (y - SIDE // 2) * width + x - SIDE // 2
    classes, inputs, outputs = corrections.weights.shape
    size = -(-outputs // CORRECTION_MULTIPLE) * CORRECTION_MULTIPLE
    weights = np.zeros((classes, inputs, size), dtype)
    weights[..., :outputs] = corrections.weights * corrections.unit
    f = corrections.factor
    inverse = np.argsort(orders(BLOCKS * f), axis=1).reshape(8, BLOCKS, f, BLOCKS, f)
    # A neighbour's correction to this block lies on the side that faces it.
    facing = inverse[:, ::-1, :, ::-1].transpose(0, 1, 3, 2, 4).reshape(8, BLOCKS**2, f * f)
    return CorrectionTables(
        first=np.ascontiguousarray(offset[:, corrections.compared[:, 0]]),
        second=np.ascontiguousarray(offset[:, corrections.compared[:, 1]]),
        threshold=corrections.thresholds,
        leaf=corrections.leaves,
        row=np.argsort(order, axis=1) * size,
        weights=weights.ravel(),
        size=size,
        block=np.ascontiguousarray(facing),
        factor=f,
    )

"""The corrections of an adaptive kernel as a stage after the weighted sums."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from upscale.kernels.corrections import Corrections
from upscale.operators.correction_tables import correction_tables
from upscale.operators.tap_tables import beyond

Array = NDArray[Any]

#: Grey in front of which transparent pixels are judged, in grey levels of 8 bits.
_GREY = 127.5
#: How many input pixels around one decide its correction and receive it.
_REACH = 3


class CorrectionStage:
    """The corrections of an adaptive kernel, added to bands of sums.

    Parameters
    ----------
    corrections : Corrections
    source : ndarray, shape (H, W) or (H, W, C)
    edge : str
        What lies beyond the border: one of `choices.EDGES`; zeros would be seen as edges, so the outermost values are repeated.
    convert : callable
        From samples (H, W, C) to the floats that are summed.
    computed : dtype
        Of these floats.
    alpha : bool
        Whether the last channel is alpha.
    batch : int
        How many pictures' channels stand side by side; each picture chooses its own corrections.
    """

    def __init__(
        self,
        corrections: Corrections,
        source: Array,
        edge: str,
        convert: Callable[[ModuleType, Array], Array],
        computed: DTypeLike,
        *,
        alpha: bool,
        batch: int,
    ) -> None:
        self._source, self._edge, self._convert = source, "replicate" if edge == "zero" else edge, convert
        self._alpha, self._batch = alpha, batch
        self._tables = correction_tables(corrections, source.shape[1] + 2 * _REACH, computed)

    def rows_needed(self, rows: slice) -> Array:
        """Return the input row for each row of a block from which a band of output rows is corrected."""
        factor = self._tables.factor
        first, last = rows.start // factor, -(-rows.stop // factor)
        return beyond(np.arange(first - _REACH, last + _REACH), len(self._source), self._edge)

    def add(self, loops: ModuleType, sums: Array, first_row: int) -> None:
        """Add corrections to a band of sums (rows, W' * C) that begins with output row `first_row`."""
        factor, width = self._tables.factor, self._source.shape[1]
        first = first_row // factor
        rows = self.rows_needed(slice(first_row, first_row + len(sums)))
        columns = beyond(np.arange(-_REACH, width + _REACH), width, self._edge)
        block = self._source[rows].reshape(len(rows), width, -1)[:, columns]
        planes = np.ascontiguousarray(np.moveaxis(self._convert(loops, block), 2, 0))
        channels = block.shape[2] // self._batch
        pixels = sums.reshape(len(sums), -1, block.shape[2])
        for number in range(self._batch):
            part = slice(number * channels, (number + 1) * channels)
            target = sums if self._batch == 1 else np.ascontiguousarray(pixels[..., part]).reshape(len(sums), -1)
            guide = np.ascontiguousarray(luma_for_tree(block[..., part], self._alpha))
            loops.correct(planes[part], guide, self._tables, first_row - first * factor, target)
            if self._batch > 1:
                pixels[..., part] = target.reshape(len(sums), -1, channels)


def luma_for_tree(block: Array, alpha: bool) -> Array:
    """Compute the values that an adaptive kernel's tree compares: luma in grey levels of 8 bits.

    Parameters
    ----------
    block : ndarray, shape (H, W, C)
        uint8 with values up to 255, other integers up to 65535, or floats up to 1.
    alpha : bool
        Whether the last channel is alpha: pixels are judged in front of a medium grey.

    Returns
    -------
    ndarray of float32, shape (H, W)
        Of 3 colour channels, luma by ITU-R BT.601; of others, their mean.
    """
    full_scale = {"u1": 255.0, "f4": 1.0, "f8": 1.0}.get(block.dtype.str[1:], 65535.0)
    samples = block.astype(np.float32)
    colours = samples[..., :-1] if alpha else samples
    shares = (0.299, 0.587, 0.114) if colours.shape[2] == 3 else (1 / colours.shape[2],) * colours.shape[2]
    luma: Array = colours[..., 0] * np.float32(shares[0])
    for c in range(1, len(shares)):
        luma += colours[..., c] * np.float32(shares[c])
    luma *= np.float32(255 / full_scale)
    if alpha:
        luma -= np.float32(_GREY)
        luma *= samples[..., -1] / np.float32(full_scale)
        luma += np.float32(_GREY)
    return luma

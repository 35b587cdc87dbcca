"""The layers of a deep kernel as a stage after the weighted sums."""

import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.kernels.layers import Layers
from upscale.loops.engine import CHOOSER, Work
from upscale.operators.layer_tables import layer_tables
from upscale.operators.tap_tables import beyond

Array = NDArray[Any]

#: Luma of red, green and blue (ITU-R BT.601).
_LUMA = (0.299, 0.587, 0.114)


class LayerStage:
    """The layers of a deep kernel, whose correction is added to bands of sums.

    Parameters
    ----------
    layers : Layers
    source : ndarray, shape (H, W) or (H, W, C)
    edge : str
        What lies beyond the border: one of `choices.EDGES`; zeros would be seen as edges, so the outermost values are repeated.
    convert : callable
        From samples (H, W, C) to the floats that are summed: colours are multiplied by alpha.
    white : (float, float)
        Full scale of these floats before that: of colours, which the layers' biases are for, and of alpha.
    alpha : bool
        Whether the last channel is alpha.
    batch : int
        How many pictures' channels stand side by side; each picture has its own luma.
    """

    def __init__(
        self,
        layers: Layers,
        source: Array,
        edge: str,
        convert: Callable[[ModuleType, Array], Array],
        white: tuple[float, float],
        *,
        alpha: bool,
        batch: int,
    ) -> None:
        self._source, self._edge, self._convert = source, "replicate" if edge == "zero" else edge, convert
        self._white, self._alpha, self._batch = white, alpha, batch
        self._tables, self._reach = layer_tables(layers, white[0]), layers.reach

    def rows_needed(self, rows: slice) -> Array:
        """Return the input row for each row of a block from which a band of output rows is corrected."""
        factor = self._tables.factor
        first, last = rows.start // factor, -(-rows.stop // factor)
        return beyond(np.arange(first - self._reach, last + self._reach), len(self._source), self._edge)

    def add(self, loops: ModuleType, sums: Array, first_row: int) -> None:
        """Add the correction to a band of sums (rows, W' * C) that begins with output row `first_row`."""
        factor, width = self._tables.factor, self._source.shape[1]
        rows = self.rows_needed(slice(first_row, first_row + len(sums)))
        columns = beyond(np.arange(-self._reach, width + self._reach), width, self._edge)
        inside = slice(self._reach, self._reach + width)
        floats = self._convert(loops, self._source[rows].reshape(len(rows), width, -1))
        channels = floats.shape[2] // self._batch
        pixels = sums.reshape(len(sums), -1, floats.shape[2])
        for number in range(self._batch):
            part = slice(number * channels, (number + 1) * channels)
            guide = luma(floats[..., part], self._white, alpha=self._alpha)
            planes = np.empty((len(guide), len(rows), len(columns)), np.float32)
            planes[..., inside] = guide
            for at in (*range(self._reach), *range(self._reach + width, len(columns))):
                planes[..., at] = guide[..., columns[at]]
            target = sums if self._batch == 1 else np.ascontiguousarray(pixels[..., part]).reshape(len(sums), -1)
            loops.add_layers(planes, self._tables, first_row % factor, channels, self._alpha, target)
            if self._batch > 1:
                pixels[..., part] = target.reshape(len(sums), -1, channels)


def features_of(layers: Layers, picture: Array, white: float) -> Array:
    """Compute the features that the convolutions of a deep kernel find in a picture, with its border repeated beyond it.

    Parameters
    ----------
    layers : Layers
    picture : ndarray, shape (H, W)
    white : float
        Full scale of the picture, which the biases are for.

    Returns
    -------
    ndarray of float32, shape (C, H, W)
        Less those of a flat picture.
    """
    channels = len(layers.slopes[-1])
    # A transposed convolution that lays the features of a pixel side by side in a square, one in each phase.
    side = math.isqrt(channels - 1) + 1
    phases = np.eye(channels, side**2).reshape(channels, 1, side, side)
    only = layers.with_weights(phases, side)
    planes = np.pad(picture.astype(np.float32), only.reach, mode="edge")[None]
    height, width = picture.shape
    found = np.zeros((height * side, width * side), np.float32)
    work = Work("tconv", picture.size, found.size, only.multiplications, loops=frozenset({"add_layers float32"}))
    CHOOSER.load("auto", work)[1].add_layers(planes, layer_tables(only, white), 0, 1, False, found)
    square = found.reshape(height, side, width, side).transpose(1, 3, 0, 2)
    return square.reshape(-1, height, width)[:channels]


def luma(floats: Array, white: tuple[float, float], *, alpha: bool) -> Array:
    """Compute what the layers of a deep kernel see: luma of colours, otherwise each channel.

    Parameters
    ----------
    floats : ndarray, shape (H, W, C)
    white : (float, float)
        Full scale of colours and of alpha.
    alpha : bool
        Whether the last channel is alpha, by which the colours were multiplied: the picture is seen in front of a medium grey.

    Returns
    -------
    ndarray of float32, shape (1, H, W) or (C, H, W)
        In the scale of the colours.
    """
    colours = floats[..., :-1] if alpha else floats
    if colours.shape[2] == 3:
        total = colours[..., 0] * floats.dtype.type(_LUMA[0])
        for c in (1, 2):
            total += colours[..., c] * floats.dtype.type(_LUMA[c])
        planes = total[None]
    else:
        planes = np.moveaxis(colours, 2, 0)
    if alpha:
        share = floats[..., -1] * floats.dtype.type(1 / white[1])
        planes = planes * floats.dtype.type(1 / white[1]) + (1 - share) * floats.dtype.type(white[0] / 2)
    made: Array = planes.astype(np.float32)
    return made

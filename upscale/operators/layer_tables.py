"""The layers of a deep kernel, or the chain of a small network, as tables for the loops."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.kernels.chain import Chain
from upscale.kernels.layers import Layers
from upscale.loops.tables import LayerTables

Array = NDArray[Any]


def layer_tables(layers: Layers, white: float) -> LayerTables:
    """Lay the layers out for the loops; `white` is what a bias of 1 means in the samples' numbers."""
    sides = [a.shape[2] for a in layers.convolutions] + [layers.taps]
    counts = [sides[0] ** 2 - 1] + [len(a) for a in layers.convolutions] + [layers.factor**2]
    weights = [_in_order(a) for a in layers.convolutions] + [_phases(layers)]
    weights[0] = np.delete(weights[0], sides[0] ** 2 // 2, axis=0)  # a pixel does not differ from itself
    biases = [a * np.float32(white) for a in layers.biases]
    tables = _tables(sides, counts, [1, *sides[1:]], weights, layers.slopes, biases, layers.factor)
    return tables._replace(flat=_flat_features(tables)) if layers.has_biases else tables


def _flat_features(tables: LayerTables) -> Array:
    """Compute the features of a flat picture to the bit as the loops do: its differences are 0, all pixels are equal."""
    made: Array = np.zeros(0, np.float32)
    values = made
    for n in range(len(tables.side) - 1):
        side, made = tables.side[n], tables.bias[n].copy()
        if n:  # in each row of a filter, each channel has a tap in each column
            taps = tables.weights[tables.tap[n] : tables.tap[n + 1]].astype(np.float64)  # 64-bit floats hold unrounded products
            for weights, value in zip(taps, np.tile(np.repeat(values, side), side), strict=True):
                made[:] = weights * value + made
        made = np.where(made > 0, made, made * tables.slopes[n])
        values = made[: tables.channels[n + 1]]
    return made


def chain_tables(chain: Chain, white: float) -> LayerTables:
    """Lay the convolutions of a chain out for the loops; `white` is what a bias of 1 means in the samples' numbers."""
    sides = [a.shape[2] for a in chain.weights] + [1]
    counts = [chain.channels[0]] + [len(a) for a in chain.weights] + [0]
    weights = [_in_order(a) for a in chain.weights]
    return _tables(sides, counts, sides, weights, chain.slopes, [a * np.float32(white) for a in chain.biases], 0)


def _tables(
    sides: list[int],
    counts: list[int],
    rings: list[int],
    weights: list[Array],
    slopes: list[Array],
    biases: list[Array],
    factor: int,
) -> LayerTables:
    most = max(counts[1:])
    return LayerTables(
        side=np.array(sides),
        channels=np.array(counts),
        ring=np.array(rings),
        row=np.cumsum([0, *(ring * count for ring, count in zip(rings, counts, strict=False)), counts[-1]]),
        tap=np.cumsum([0, *map(len, weights)]),
        most=max(map(len, weights)),
        weights=np.ascontiguousarray(np.concatenate([np.pad(a, ((0, 0), (0, most - a.shape[1]))) for a in weights])),
        slopes=_rows(slopes, most),
        bias=_rows([*biases, *([np.zeros(0, np.float32)] * 2)], most),
        flat=np.zeros(most, np.float32),
        factor=factor,
        differences=factor > 0,
        zeros=factor == 0,
    )


def _rows(arrays: list[Array], most: int) -> Array:
    """Lay arrays out as rows that end with zeros."""
    return np.array([np.pad(a, (0, most - a.size)) for a in arrays], np.float32)


def _in_order(convolution: Array) -> Array:
    """Arrange weights (M, C, k, k) as the loops sum them: (k * C * k, M), row by row, then by channel."""
    return convolution.transpose(2, 1, 3, 0).reshape(-1, len(convolution))


def _phases(layers: Layers) -> Array:
    """Arrange the weights of the transposed convolution likewise: (n * C * n, factor ** 2).

    Phase p takes the input at offset d times the weight at p + (size - factor) / 2 - factor * d, as for `same` padding.
    """
    n, f = layers.taps, layers.factor
    blocks = layers.weights[:, 0].reshape(-1, n, f, n, f)[:, ::-1, :, ::-1]
    return blocks.transpose(1, 0, 3, 2, 4).reshape(-1, f * f)

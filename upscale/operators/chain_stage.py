"""Small networks as a stage: the chain of convolutions before the weighted sums, and networks that are made for luma."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.kernels.kernel import Kernel
from upscale.kernels.presets import named
from upscale.operators.layer_stage import luma
from upscale.operators.layer_tables import chain_tables
from upscale.operators.parameters import Operator
from upscale.operators.stages import nearest_pixels
from upscale.operators.tap_sums import TapSums, renumbered, unrounded

Array = NDArray[Any]

#: The kernel of what networks for luma leave to others: the differences of the colours from luma, and alpha.
_OTHERS = "bicubic"


def kernel_of_others(factor: tuple[int, int]) -> Kernel:
    """Return the kernel for what a network does not enlarge."""
    filter = named(_OTHERS)
    assert filter is not None
    return Kernel.preset(filter, factor)


class ChainStage:
    """The chain of a small network, and the weighted sums of what it makes.

    Parameters
    ----------
    operator : Operator
        Whose kernel has a chain; with zeros beyond the border.
    size : (int, int)
        Height and width of the picture.
    sums : TapSums
        Of the kernel's weights.
    unit : float
        What a bias of 1 means in the samples' numbers.
    """

    def __init__(self, operator: Operator, size: tuple[int, int], sums: TapSums, unit: float) -> None:
        kernel, chain = operator.kernel, operator.kernel.chain
        assert chain is not None
        self._height, self._sums, self._reach = size[0], sums, chain.reach
        self._tables = chain_tables(chain, unit)
        self._added = nearest_pixels(operator, size, operator.size(size)) if kernel.adds_input else None
        #: Multiplications for an output sample.
        self.taps = chain.multiplications * size[0] * size[1] / (np.prod(operator.size(size)) * kernel.weights.shape[1])

    def rows_needed(self, band: slice) -> Array:
        """Return the input rows from which a band of output rows is computed."""
        rows = self._sums.rows_of(band)
        used = rows.source[rows.line[rows.line >= 0]]
        first, stop = (int(used.min()), int(used.max()) + 1) if used.size else (0, 0)
        needed = np.arange(max(0, first - self._reach), min(self._height, stop + self._reach))
        return needed if self._added is None else np.union1d(needed, self._added[0][band])

    def compute(self, loops: ModuleType, planes: Array, first: int, band: slice, out: Array) -> None:
        """Compute a band of output planes (M, rows, W') from input rows `first` and following, (C, H, W)."""
        needed, rows = renumbered(self._sums.rows_of(band))
        self._sums.add_planes(loops, self._features(loops, planes, first, needed).astype(out.dtype, copy=False), rows, out)
        if self._added is not None:
            down, across = self._added
            out += planes[:, down[band] - first][:, :, across]

    def _features(self, loops: ModuleType, planes: Array, first: int, rows: Array) -> Array:
        """Compute rows of what the chain makes: (M, rows, W)."""
        top, reach, (channels, _, width) = int(rows.min()), self._reach, planes.shape
        height = int(rows.max()) + 1 - top
        padded = np.zeros((channels, height + 2 * reach, width + 2 * reach), np.float32)
        begin, end = max(0, top - reach), min(self._height, top + height + reach)
        padded[:, begin - top + reach : end - top + reach, reach : reach + width] = planes[:, begin - first : end - first]
        made = np.empty((int(self._tables.channels[-2]) * height, width), np.float32)
        loops.pass_chain(padded, self._tables, top, self._height, made)
        return np.ascontiguousarray(made.reshape(-1, height, width)[:, rows - top])


class LumaNetworkStage:
    """A network for one channel, applied to the luma of a colour picture: what it differs by from bicubic is added to sums.

    Parameters
    ----------
    operator : Operator
        Of the network; its output is as large as the operator's for `same` padding.
    source : ndarray, shape (H, W, C)
    convert : callable
        From samples (H, W, C) to the floats that are summed: colours are multiplied by alpha.
    white : (float, float)
        Full scale of these floats before that: of colours, and of alpha.
    alpha : bool
        Whether the last channel is alpha.
    """

    def __init__(
        self,
        operator: Operator,
        source: Array,
        convert: Callable[[ModuleType, Array], Array],
        white: tuple[float, float],
        *,
        alpha: bool,
    ) -> None:
        self._source, self._convert, self._white, self._alpha = source, convert, white, alpha
        size, kernel = (source.shape[0], source.shape[1]), operator.kernel
        bias = np.zeros(1, np.float32) if kernel.bias is None else (kernel.bias * white[0]).astype(np.float32)
        self._network = ChainStage(operator, size, TapSums(operator, size, 1, bias), white[0])
        self.taps = self._network.taps / source.shape[2]
        others = Operator(kernel_of_others(operator.factor), operator.factor)
        self._others = TapSums(others, size, 1, np.zeros(1, np.float32))

    def rows_needed(self, rows: slice) -> Array:
        """Return the input rows from which a band of output rows is computed."""
        taps = self._others.rows_of(rows)
        return np.union1d(self._network.rows_needed(rows), taps.source[taps.line[taps.line >= 0]])

    def add(self, loops: ModuleType, sums: Array, first_row: int) -> None:
        """Add to a band of sums (rows, W' * C) that begins with output row `first_row`."""
        band = slice(first_row, first_row + len(sums))
        needed = self.rows_needed(band)
        first, stop = int(needed.min()), int(needed.max()) + 1
        block = self._convert(loops, self._source[first:stop].reshape(stop - first, self._source.shape[1], -1))
        planes = luma(block, self._white, alpha=self._alpha)
        width = sums.shape[1] // block.shape[2]
        made, plain = np.empty((2, 1, len(sums), width), np.float32)
        self._network.compute(loops, planes, first, band, made)
        chosen, rows = renumbered(self._others.rows_of(band))
        self._others.add(loops, planes[0][chosen - first], rows, unrounded(np.float32), plain[0])
        pixels = sums.reshape(len(sums), width, -1)
        difference = (made - plain)[0][..., None]
        if self._alpha:
            pixels[..., :-1] += difference * pixels[..., -1:]
        else:
            pixels += difference

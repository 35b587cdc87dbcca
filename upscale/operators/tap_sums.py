"""The weighted sums of a transposed convolution for one size of picture: tables of taps, and the loop that fits the kernel."""

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from upscale.argument_checks import read_only_view
from upscale.loops.tables import RowTaps
from upscale.operators.parameters import Operator
from upscale.operators.rounding import Rounding
from upscale.operators.tap_tables import gain_table, tables, weighted_tables

Array = NDArray[Any]


class TapSums:
    """The sums of one kernel's taps over pictures of one size.

    Parameters
    ----------
    operator : Operator
    size : (int, int)
        Height and width of the input.
    channels : int
        Of the input. A kernel of 2 dimensions applies to each of them, interleaved as they are; one of 4 dimensions takes
        planes.
    bias : ndarray, shape (M,)
        What the sums of each output channel begin with, of the floats that are computed in.

    Attributes
    ----------
    rows : RowTaps
        Of all output rows.
    low_rank : bool
        Whether the kernel is summed in two passes, as a sum of outer products; only that loop rounds.
    taps : float
        Multiplications for an output sample, about.

    Raises
    ------
    KernelError
        Where the kernel cannot be normalised.
    """

    def __init__(self, operator: Operator, size: tuple[int, int], channels: int, bias: Array) -> None:
        kernel, axes, computed = operator.kernel, operator.axes(size), bias.dtype
        self._step = channels if kernel.channels is None else 1
        self._groups = 1 if kernel.channels is None else kernel.groups
        self._base = bias[None] if kernel.channels is None else bias[:, None]
        terms = kernel.terms(computed, operator.max_rank)
        self.low_rank = terms is not None
        if terms is not None:
            self.rows, self._columns = weighted_tables(*axes, terms, kernel.normalized, computed)
            self.taps = len(terms[0]) * (self.rows.line.shape[1] + self._columns.start.shape[1] / axes[0].stride)
            return
        self.rows, self._columns = tables(*axes, kernel.normalized)
        self._weights = kernel.weights if kernel.channels is not None else kernel.weights[None, None]
        self._gain = gain_table(*axes, self._weights, kernel.groups) if kernel.normalized else np.ones((1, 1, 1))
        self.taps = self.rows.line.shape[1] * self._columns.start.shape[1] * self._weights.shape[0] / kernel.groups

    def rows_of(self, band: slice) -> RowTaps:
        """Cut the taps of a band of output rows out of the table."""
        rows = self.rows
        return rows._replace(
            line=rows.line[band],
            tap=rows.tap[band],
            gain_row=rows.gain_row[band],
            # Contiguous as those of the whole table are, so that the compiled loops see one type of array and not two.
            weight=np.ascontiguousarray(rows.weight[:, band]),
        )

    def add(self, loops: ModuleType, source: Array, rows: RowTaps, rounding: Rounding, out: Array) -> int:
        """Compute output rows from input rows of interleaved channels, and return how many samples were clipped.

        Parameters
        ----------
        loops : module
        source : ndarray, shape (H, W, channels) or (H, W)
        rows : RowTaps
        rounding : Rounding
            Only used by kernels of low rank; others need floats as output.
        out : ndarray, shape (rows, W' * channels)
        """
        planes = read_only_view(source.reshape(1, len(source), -1))
        if self.low_rank:
            return int(loops.separable(planes, self._step, self._base, rows, self._columns, *rounding, out[None]))
        self.add_planes(loops, planes, rows, out[None])
        return 0

    def add_planes(self, loops: ModuleType, planes: Array, rows: RowTaps, out: Array) -> None:
        """Compute output planes (M, rows, W') of floats from input planes (C, H, W) by all of the kernel's weights."""
        loops.dense(
            read_only_view(planes), self._step, self._weights, self._groups, self._base, rows, self._columns, self._gain, out
        )


def renumbered(rows: RowTaps) -> tuple[Array, RowTaps]:
    """Return the input rows that taps need, at least one, and the taps with these rows numbered from 0."""
    used, line = np.unique(rows.line, return_inverse=True)
    needed = rows.source[used[used >= 0]] if used[-1] >= 0 else np.zeros(1, np.int64)
    line = line.reshape(rows.line.shape) - np.count_nonzero(used < 0)
    return needed, rows._replace(line=line, source=np.arange(len(needed)))


def unrounded(computed: DTypeLike) -> Rounding:
    """Return the rounding that leaves floats as they are."""
    return Rounding(False, np.zeros(4, computed))

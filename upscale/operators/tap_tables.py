"""Transposed convolution as a gather: each output value picks its phase and sums that phase's taps over its neighbourhood.

Along one axis, output position o lies at ``t = o + begin`` of the operator's whole output. Kernel tap k reaches it where
``(t - k * dilation) % stride == 0``, from input position ``(t - k * dilation) // stride``: which taps those are depends on
``o % stride`` alone, the phase of o. See Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016),
chapter 4. This module lays that out in tables, so that the loops only look up, multiply and add.
"""

import functools
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from upscale.errors import KernelError
from upscale.kernels.normalize import CANCELLED
from upscale.loops.tables import NO_WEIGHTS, ColumnTaps, RowTaps

Array = NDArray[Any]


class Axis:
    """The gather along one axis.

    Parameters
    ----------
    size, out_size : int
        Of the input and of the output.
    kernel : int
        Number of taps.
    stride, dilation : int
    begin : int
        How much of the operator's whole output is cut off before the output.
    edge : str
        One of `choices.EDGES`.
    """

    def __init__(
        self, size: int, out_size: int, kernel: int, stride: int, begin: int, dilation: int = 1, edge: str = "zero"
    ) -> None:
        phases: list[list[int]] = [[] for _ in range(stride)]
        for k in reversed(range(kernel)):  # from the last tap to the first, so that the input positions ascend
            phases[(k * dilation - begin) % stride].append(k)
        self.number = np.array([len(taps) for taps in phases])
        most = max(1, int(self.number.max()))
        self.tap = np.array([taps + [0] * (most - len(taps)) for taps in phases])
        self.stride, self.kernel = stride, kernel
        exists = np.arange(most) < self.number[:, None]
        start = np.where(exists, (np.arange(stride)[:, None] + begin - self.tap * dilation) // stride, 0)
        many = (out_size - np.arange(stride) + stride - 1) // stride
        used = exists & (many > 0)[:, None]
        first = min(0, int(start[used].min(initial=0)))
        last = max(size - 1, int((start + many[:, None] - 1)[used].max(initial=0)))
        self.left = -first
        self.start = np.where(used, start - first, 0)
        #: Input position of each line position, -1 for zeros.
        self.source = beyond(np.arange(first, last + 1), size, edge)

        # The same, position by position of the output.
        at = np.arange(out_size)
        phase = at % stride
        position = self.start[phase] + (at // stride)[:, None]
        inside = exists[phase] & (self.source[np.where(exists[phase], position, 0)] >= 0)
        self.position = np.where(inside, position, -1)
        self.position_tap = self.tap[phase]
        self.at_border = np.flatnonzero((exists[phase] & ~inside).any(axis=1))
        #: Kinds of output positions by the taps that reach them: one a phase, then one for each position at a border.
        self.kind = phase.copy()
        self.kind[self.at_border] = stride + np.arange(self.at_border.size)
        self._exists = exists

    def shifts(self) -> tuple[Array, bool]:
        """Say how much further each phase takes its input than the first one, and whether from there on all take the same."""
        shift = self.start[:, 0] - self.start[0, 0]
        alike = bool(self._exists.all() and (self.start - shift[:, None] == self.start[0]).all())
        together = alike and 0 <= shift.min() <= shift.max() <= 1
        return (shift if together else np.zeros_like(shift)), together

    def reached(self) -> Array:
        """Say which kernel taps reach each kind of position: (kinds, kernel) of 0 and 1."""
        table = np.zeros((self.stride + self.at_border.size, self.kernel))
        phases = np.arange(self.stride)[:, None]
        np.maximum.at(table, (np.broadcast_to(phases, self.tap.shape), self.tap), self._exists)
        position = self.position[self.at_border]
        kinds = np.broadcast_to(self.kind[self.at_border][:, None], position.shape)
        np.maximum.at(table, (kinds, self.position_tap[self.at_border]), position >= 0)
        return table

    def gains(self, weights: Array) -> Array:
        """Sum the weights (kernel,) that reach each kind of position."""
        reached = self.reached()
        return _divisors(reached @ weights, reached @ np.abs(weights))


#: The same, remembered: pictures of a batch and frames of an animation are often of one size.
axis = functools.lru_cache(maxsize=16)(Axis)


def beyond(positions: Array, size: int, edge: str) -> Array:
    """Map positions beyond the border to positions inside, or to -1 where zeros lie there.

    Examples
    --------
    >>> beyond(np.arange(-3, 6), 3, "reflect").tolist()
    [1, 2, 1, 0, 1, 2, 1, 0, 1]
    """
    if edge == "replicate":
        return np.clip(positions, 0, size - 1)
    if edge == "wrap":
        return positions % size
    if edge == "reflect":  # the outermost values are not repeated
        period = max(1, 2 * size - 2)
        folded = positions % period
        return np.where(folded < size, folded, period - folded)
    return np.where((positions >= 0) & (positions < size), positions, -1)


def _divisors(gain: Array, magnitude: Array) -> Array:
    """Check sums of weights that will be divided by; 1 where no tap reaches, so that the result stays 0."""
    if not magnitude.any() or (np.abs(gain) < CANCELLED * magnitude).any():
        raise KernelError(
            "the kernel cannot be normalised: the weights of one phase, or at a border, sum to zero; use --no-normalize"
        )
    return np.where(magnitude == 0, 1.0, gain)


def tables(vertical: Axis, horizontal: Axis, normalized: bool) -> tuple[RowTaps, ColumnTaps]:
    """Lay out both axes for the loops, without the weights that only kernels of low rank keep in the tables."""
    border = horizontal.at_border if normalized else horizontal.at_border[:0]
    phase_shift, same_input = horizontal.shifts()
    rows = RowTaps(
        line=vertical.position,
        source=vertical.source,
        tap=vertical.position_tap,
        gain_row=vertical.kind * normalized,
        weight=NO_WEIGHTS,
    )
    columns = ColumnTaps(
        start=horizontal.start,
        tap=horizontal.tap,
        number=horizontal.number,
        gain_column=np.arange(horizontal.stride) * normalized,
        weight=NO_WEIGHTS,
        border=border,
        border_position=horizontal.position[border],
        border_tap=horizontal.position_tap[border],
        border_gain_column=horizontal.kind[border],
        border_weight=NO_WEIGHTS,
        source=horizontal.source,
        left=horizontal.left,
        phase_shift=phase_shift,
        same_input=same_input,
    )
    return rows, columns


def weighted_tables(
    vertical: Axis, horizontal: Axis, weights: tuple[Array, Array], normalized: bool, dtype: DTypeLike
) -> tuple[RowTaps, ColumnTaps]:
    """Lay out both axes with the weights of a kernel that is a sum of outer products, (terms, kH) and (terms, kW).

    Where they are normalised, the weights are divided and not the results, so that dyadic ones stay exact; that takes a kernel
    of one term.
    """
    rows, columns = tables(vertical, horizontal, normalized)
    v, h = weights
    assert len(v) == 1 or not normalized
    down, across = (
        axis.gains(w[0]) if normalized else np.ones(1) for axis, w in zip((vertical, horizontal), weights, strict=True)
    )
    return (
        rows._replace(weight=(v[:, rows.tap] / down[rows.gain_row][:, None]).astype(dtype, order="C")),
        columns._replace(
            weight=(h[:, columns.tap] / across[columns.gain_column][:, None]).astype(dtype, order="C"),
            border_weight=(h[:, columns.border_tap] / across[columns.border_gain_column * normalized][:, None]).astype(
                dtype, order="C"
            ),
        ),
    )


def gain_table(vertical: Axis, horizontal: Axis, weights: Array, groups: int) -> Array:
    """Sum weights (C, M / groups, kH, kW) over a group's input channels and over the taps that reach each kind of position.

    Returns
    -------
    ndarray, shape (M, kinds of rows, kinds of columns)
    """
    down, across = vertical.reached(), horizontal.reached()
    grouped = weights.reshape(groups, -1, *weights.shape[1:])
    gain, magnitude = (w.sum(axis=1).reshape(-1, *weights.shape[2:]) for w in (grouped, np.abs(grouped)))
    return _divisors(down @ gain @ across.T, down @ magnitude @ across.T)

"""Numbers about a kernel at a factor, without a picture: phase sums, symmetry, rank, step and frequency response."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.choices import DEFAULT_FACTOR, format_factor
from upscale.errors import ArgumentError, KernelError
from upscale.kernels.kernel import Kernel
from upscale.kernels.normalize import normalize_phases, phase_sums
from upscale.operators.enlarge import enlarge
from upscale.operators.parameters import Operator
from upscale.operators.transposed_plan import TransposedPlan

Array = NDArray[Any]

#: Why a kernel cannot be normalised, for messages.
CANCELS = "in one phase or at a border its weights sum to zero"
#: How much weights may differ and still count as equal, as a share of the largest: those of 32 bits are off by 6e-8.
_EQUAL = 1e-6
#: Largest factor.
_LARGEST = 1024


def analyse(kernel: Kernel, factor: tuple[int, int] | None = None, channels: tuple[int, int] = (0, 0)) -> "KernelAnalysis":
    """Analyse a kernel at a factor.

    Parameters
    ----------
    kernel : Kernel
    factor : (int, int), optional
        Vertical and horizontal; the kernel's own, or 2, if not given.
    channels : (int, int)
        Of a kernel that mixes channels: the input and the output channel whose weights are analysed, from 0.

    Raises
    ------
    ArgumentError
        If there are no such channels, or the kernel is made for another factor or cannot be normalised.
    """
    if factor and kernel.factor and factor != kernel.factor:
        raise ArgumentError(f"is made for factor {format_factor(kernel.factor)}, not for {format_factor(factor)}")
    factor = factor or kernel.factor or DEFAULT_FACTOR
    if max(factor) > _LARGEST:
        raise ArgumentError(f"is for factor {format_factor(factor)}; at most {_LARGEST} can be examined")
    applied = normalize_phases(kernel.weights, factor, kernel.groups) if kernel.normalized else kernel.weights
    weights, summed = _choose_channels(kernel.weights, channels, kernel.groups)
    found = KernelAnalysis(
        kernel=kernel,
        operator=Operator(kernel, factor, kernel.padding or "same"),
        channels=channels,
        weights=weights,
        summed_weights=summed,
        applied_weights=_choose_channels(applied, channels, kernel.groups)[0],
    )
    if kernel.normalized and not found.can_be_normalized:
        raise KernelError(f"cannot be normalised: {CANCELS}")
    return found


def _choose_channels(weights: Array, channels: tuple[int, int], groups: int) -> tuple[Array, Array]:
    """Return the weights (kH, kW) between two channels, and the sum of those of all input channels for the same output."""
    if weights.ndim == 2:
        return weights, weights
    (taken, made), number, each = channels, weights.shape[0], weights.shape[1]
    if not (0 <= taken < number and 0 <= made < each * groups):
        raise ArgumentError(f"takes channels 0 to {number - 1} and makes 0 to {each * groups - 1}, not {taken},{made}")
    group = weights.reshape(groups, number // groups, *weights.shape[1:])[made // each, :, made % each]
    if taken // (number // groups) != made // each:
        raise ArgumentError(f"has no weights from channel {taken} to {made}: they are of different groups")
    return group[taken % (number // groups)], group.sum(axis=0)


@dataclass(frozen=True, eq=False)
class KernelAnalysis:
    """Numbers about a kernel at a factor, from `analyse`; each is computed when it is first used.

    Attributes
    ----------
    kernel : Kernel
    operator : Operator
    channels : (int, int)
        The input and the output channel that the weights below are between, if the kernel mixes channels.
    weights : ndarray, shape (kH, kW)
        Before any normalising.
    summed_weights : ndarray, shape (kH, kW)
        The sum of the weights of all input channels for the same output channel.
    applied_weights : ndarray, shape (kH, kW)
        The weights, each phase summing to 1 if the kernel is normalised.
    """

    kernel: Kernel
    operator: Operator
    channels: tuple[int, int]
    weights: Array
    summed_weights: Array
    applied_weights: Array

    @property
    def factor(self) -> tuple[int, int]:
        """Vertical and horizontal."""
        return self.operator.factor

    @cached_property
    def gains(self) -> Array:
        """The sum of each phase's weights before any normalising, (factor[0], factor[1]): what a picture of ones becomes."""
        return phase_sums(self.summed_weights, self.factor)

    @cached_property
    def tap_counts(self) -> Array:
        """How many weights of one input channel, not counting zeros, reach the pixels of each phase: (factor[0], factor[1])."""
        return phase_sums((self.weights != 0).astype(np.float64), self.factor)

    @cached_property
    def can_be_normalized(self) -> bool:
        """Whether the operator can normalise the weights."""
        size = [-(-n // f) + 2 for n, f in zip(self.weights.shape, self.factor, strict=True)]
        several = self.kernel.weights.ndim == 4
        alone = {"corrections": None, "layers": None, "chain": None, "adds_input": False}
        normalized = self.kernel.replaced(normalized=True, **alone)
        try:
            TransposedPlan(
                np.ones((*size, self.kernel.weights.shape[0]) if several else size),
                self.operator._replace(kernel=normalized),
                np.float64,
            )
        except KernelError:
            return False
        return True

    @cached_property
    def sums_to_zero(self) -> bool:
        """Whether the sum of all weights is 0."""
        return bool(abs(self.summed_weights.sum()) <= _EQUAL * np.abs(self.summed_weights).sum())

    @cached_property
    def phases_sum_to_zero(self) -> bool:
        """Whether the weights of every phase sum to 0."""
        return bool(np.abs(self.gains).max() <= _EQUAL * np.abs(self.summed_weights).sum())

    @cached_property
    def mean_gain(self) -> float | None:
        """The mean of the sums of the phases' applied weights, by which responses are divided; None if they sum to zero."""
        total = float(self.applied_weights.sum())
        if abs(total) <= _EQUAL * np.abs(self.applied_weights).sum():
            return None
        return total / (self.factor[0] * self.factor[1])

    @cached_property
    def ripple(self) -> float:
        """Peak to peak of what the phases of a bright area settle at, in per cent of the mean gain; 0 if there is none."""
        settled = phase_sums(self.applied_weights, self.factor)
        return 0.0 if self.mean_gain is None else 100 * float(np.ptp(settled)) / abs(self.mean_gain)

    @cached_property
    def unevenness(self) -> float:
        """Peak to peak of the gains, in per cent of their mean; infinite if that is 0."""
        mean = abs(float(self.gains.mean()))
        return float("inf") if self.sums_to_zero else 100 * float(np.ptp(self.gains)) / mean

    def overlap(self, size: tuple[int, int]) -> Array:
        """Enlarge a picture of ones, (height, width), before any normalising: where copies overlap, borders included."""
        vertical, horizontal = self.operator.axes(size)
        table = vertical.reached() @ self.summed_weights @ horizontal.reached().T
        spread: Array = table[vertical.kind[:, None], horizontal.kind]
        return spread

    @cached_property
    def symmetries(self) -> list[str]:
        """The flips and rotations that leave the weights as they are."""
        w = self.weights
        turned = {"left-right": w[:, ::-1], "up-down": w[::-1], "diagonal": w.T, "half turn": w[::-1, ::-1]}
        close = _EQUAL * np.abs(w).max()
        found = [name for name, t in turned.items() if t.shape == w.shape and np.allclose(t, w, rtol=0, atol=close)]
        return [name for name in found if name != "half turn" or not {"left-right", "up-down"} & set(found)]

    @cached_property
    def rank(self) -> int:
        """Of how many outer products of two vectors the weights are the sum; 1 is separable."""
        values = np.linalg.svd(self.weights, compute_uv=False)
        return int((values > _EQUAL * values[0]).sum()) if values[0] else 0

    @cached_property
    def shift(self) -> tuple[float, float] | None:
        """How far the enlarged picture moves, down and right, in output pixels; None if much of the weights cancels."""
        w = self.applied_weights
        if abs(w.sum()) <= 0.2 * np.abs(w).sum():
            return None
        down, right = (
            w.sum(axis=1 - i) @ np.arange(n) / w.sum() - self.operator.crop_begin(i) - (self.factor[i] - 1) / 2
            for i, n in enumerate(w.shape)
        )
        return float(down), float(right)

    def profiles(self, axis: int) -> Array:
        """Sum the weights over the other axis, for each of its phases: the kernel of a picture that changes along `axis` alone.

        Returns
        -------
        ndarray, shape (phases of the other axis, taps)
            Normalised if the kernel is.
        """
        weights = self.applied_weights if axis else self.applied_weights.T
        profiles = np.zeros((self.factor[1 - axis], weights.shape[1]))
        np.add.at(profiles, np.arange(len(weights)) % len(profiles), weights)
        return profiles

    def positions(self, axis: int, number: int) -> Array:
        """Return the positions of the first outputs that input pixel 0 reaches, in input pixels from its middle: (number,)."""
        at: Array = (np.arange(number) - self.operator.crop_begin(axis) - (self.factor[axis] - 1) / 2) / self.factor[axis]
        return at

    def step_response(self, axis: int) -> tuple[Array, Array]:
        """Enlarge an edge from 0 to 1, without dividing by the mean gain.

        Returns
        -------
        (ndarray, ndarray)
            Positions in input pixels, (n,), where the edge lies at -0.5; and values, (phases of the other axis, n).
        """
        profiles, factor = self.profiles(axis), self.factor[axis]
        # The running sums over the taps of a phase, which stay as they are after its last tap.
        periods = max(-(-n // f) for n, f in zip(self.weights.shape, self.factor, strict=True)) + 2  # the same along both axes
        padded = np.pad(profiles, ((0, 0), (0, periods * factor - profiles.shape[1])))
        sums = padded.reshape(len(profiles), periods, factor).cumsum(axis=1).reshape(len(profiles), -1)
        before = periods * factor
        return self.positions(axis, before + sums.shape[1]) - periods, np.pad(sums, ((0, 0), (before, 0)))

    def corrected_step_response(self) -> tuple[Array, Array] | None:
        """Enlarge an upright edge by an adaptive or deep kernel, corrections or layers included; None for any other kernel.

        Returns
        -------
        (ndarray, ndarray) or None
            As `step_response`.
        """
        reach = self.kernel.layers.reach if self.kernel.layers is not None else 3
        if self.kernel.corrections is None and self.kernel.layers is None:
            return None
        factor, half = self.factor[1], self.weights.shape[1] // self.factor[1] + reach
        edge = np.zeros((2 * half + 1, 2 * half))
        edge[:, half:] = 1
        rows: Any = enlarge(edge, None, "tconv", self.kernel)
        positions = (np.arange(rows.shape[1]) - (factor - 1) / 2) / factor - half
        return positions, rows[half * factor : half * factor + factor]

    @cached_property
    def overshoot(self) -> float:
        """How far an enlarged edge leaves the range between its two sides, in per cent of its height; the most of all edges.

        The height is the mean gain. Each position is compared with the value that its phase settles at: how far these differ is
        `ripple`.
        """
        steps = [(self.step_response(axis)[1], self.factor[axis]) for axis in (0, 1)]
        if (corrected := self.corrected_step_response()) is not None:
            steps = [(corrected[1], self.factor[1])]
        found = 0.0
        for values, factor in steps:
            settled = np.tile(values[:, -factor:], values.shape[1] // factor) / (self.mean_gain or 1)
            values = values[:, -settled.shape[1] :] / (self.mean_gain or 1)
            beyond = np.maximum(values - np.maximum(settled, 0), np.minimum(settled, 0) - values)
            found = max(found, float(beyond.max()))
        return 100 * found

    def frequency_response(self, direction: str, cycles: Array) -> Array:
        """Compute the magnitude of enlarged waves, divided by the mean gain.

        Parameters
        ----------
        direction : {"horizontal", "vertical", "diagonal"}
        cycles : ndarray, shape (n,)
            Cycles per input pixel, along each axis for "diagonal". The input has none above 0.5: lower ones appear there again.

        Returns
        -------
        ndarray, shape (n,)
            1 is as a flat picture.
        """
        weights = self.applied_weights
        down, right = (np.arange(n) / f for n, f in zip(weights.shape, self.factor, strict=True))
        turns = {"horizontal": (0, 1), "vertical": (1, 0), "diagonal": (1, 1)}[direction]
        rows = np.exp(-2j * np.pi * turns[0] * np.outer(cycles, down))
        columns = np.exp(-2j * np.pi * turns[1] * np.outer(cycles, right))
        found: Array = np.abs(np.einsum("fy,yx,fx->f", rows, weights, columns, optimize=True))
        return found / (self.factor[0] * self.factor[1] * abs(self.mean_gain or 1))

"""What can be said of a kernel at a factor, without a picture: sums, phases, overlap, symmetry, rank, responses, a verdict."""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.choices import factor_text
from upscale.errors import ArgumentError, KernelError
from upscale.kernels.kernel import Kernel
from upscale.kernels.phase_sums import normalize_phases, phase_sums
from upscale.operators.enlarge import enlarge
from upscale.operators.operator import Operator
from upscale.operators.transposed import TransposedPlan

Array = NDArray[Any]

#: Unevenness in per cent below which sums are equal but for rounding, and below which 8 bits do not show it.
_EVEN, _UNSEEN = 0.01, 0.4
#: How much weights may differ and still be called equal, as a share of the largest: those of 32 bits are off by 6e-8.
_EQUAL = 1e-6
_MATRIX = 8
_LARGEST = 1024
_NOTHING = "in one phase or at a border its weights add up to nothing"


class Facts:
    """What can be said of a kernel at a factor.

    Parameters
    ----------
    kernel : Kernel
    factor : (int, int), optional
        Vertical and horizontal; by default the kernel's own, or 2.
    channels : (int, int)
        Of a kernel that mixes channels: which input channel's weights for which output channel, from 0.

    Attributes
    ----------
    weights : ndarray, shape (kH, kW)
        As they are, of the channels chosen.
    operator : Operator

    Raises
    ------
    ArgumentError
        Where there are no such channels, or the kernel is made for another factor or cannot be normalised.
    """

    def __init__(self, kernel: Kernel, factor: tuple[int, int] | None = None, channels: tuple[int, int] = (0, 0)) -> None:
        if factor and kernel.factor and factor != kernel.factor:
            raise ArgumentError(f"is made for factor {factor_text(kernel.factor)}, not for {factor_text(factor)}")
        self.kernel, self.factor, self.channels = kernel, factor or kernel.factor or (2, 2), channels
        if max(self.factor) > _LARGEST:
            raise ArgumentError(f"is for factor {factor_text(self.factor)}; at most {_LARGEST} can be examined")
        self.operator = Operator(kernel, self.factor, kernel.padding or "same")
        even = normalize_phases(kernel.weights, self.factor, kernel.groups) if kernel.normalized else kernel.weights
        self.weights, self._overlapping = self._chosen(kernel.weights)
        self._effective, _ = self._chosen(even)
        if kernel.normalized and not self.normalizes:
            raise KernelError(f"cannot be normalised: {_NOTHING}")

    def _chosen(self, weights: Array) -> tuple[Array, Array]:
        """Pick the weights between the channels chosen, and the sum of those of all input channels for the same output."""
        if weights.ndim == 2:
            return weights, weights
        (taken, made), groups = self.channels, self.kernel.groups
        many, each = weights.shape[0], weights.shape[1]
        if not (0 <= taken < many and 0 <= made < each * groups):
            raise ArgumentError(f"takes channels 0 to {many - 1} and makes 0 to {each * groups - 1}, not {taken},{made}")
        group = weights.reshape(groups, many // groups, *weights.shape[1:])[made // each, :, made % each]
        if taken // (many // groups) != made // each:
            raise ArgumentError(f"has no weights from channel {taken} to {made}: they are of different groups")
        return group[taken % (many // groups)], group.sum(axis=0)

    @cached_property
    def gains(self) -> Array:
        """What each phase adds up to, before any normalising: (factor[0], factor[1])."""
        return phase_sums(self._overlapping, self.factor)

    @cached_property
    def copies(self) -> Array:
        """How many weights of one input channel, but zeros, reach the places of each phase: (factor[0], factor[1])."""
        return phase_sums((self.weights != 0).astype(np.float64), self.factor)

    @cached_property
    def normalizes(self) -> bool:
        """Whether the operator can normalise the weights."""
        size = [-(-n // f) + 2 for n, f in zip(self.weights.shape, self.factor, strict=True)]
        channels = self.kernel.channels
        try:
            ones = np.ones(size if channels is None else (*size, channels[0]))
            TransposedPlan(
                ones, self.operator._replace(kernel=self.kernel.replaced(normalized=True, corrections=None)), np.float64
            )
        except KernelError:
            return False
        return True

    @cached_property
    def cancels(self) -> bool:
        """Whether all weights together add up to nothing."""
        return bool(abs(self._overlapping.sum()) <= _EQUAL * np.abs(self._overlapping).sum())

    @cached_property
    def blank(self) -> bool:
        """Whether the weights of each phase add up to nothing."""
        return bool(np.abs(self.gains).max() <= _EQUAL * np.abs(self._overlapping).sum())

    @cached_property
    def uneven(self) -> float:
        """Peak to peak of what each phase adds up to, in per cent of the mean; infinite where that is 0."""
        mean = abs(float(self.gains.mean()))
        return float("inf") if self.cancels else 100 * float(np.ptp(self.gains)) / mean

    def overlap(self, size: tuple[int, int]) -> Array:
        """Enlarge a picture of ones, (height, width), before any normalising: where copies overlap, borders included."""
        vertical, horizontal = self.operator.axes(size)
        table = vertical.reached() @ self._overlapping @ horizontal.reached().T
        spread: Array = table[vertical.kind[:, None], horizontal.kind]
        return spread

    @cached_property
    def symmetries(self) -> list[str]:
        """The flips and turns that leave the weights as they are."""
        w = self.weights
        turned = {
            "left-right": w[:, ::-1], "up-down": w[::-1], "diagonal": w.T, "half turn": w[::-1, ::-1],
        }  # fmt: skip
        close = _EQUAL * np.abs(w).max()
        found = [name for name, t in turned.items() if t.shape == w.shape and np.allclose(t, w, rtol=0, atol=close)]
        return [name for name in found if name != "half turn" or not {"left-right", "up-down"} & set(found)]

    @cached_property
    def rank(self) -> int:
        """Of how many outer products of two vectors the weights are the sum; 1 is separable."""
        sizes = np.linalg.svd(self.weights, compute_uv=False)
        return int((sizes > _EQUAL * sizes[0]).sum()) if sizes[0] else 0

    @cached_property
    def shift(self) -> tuple[float, float] | None:
        """How far what is enlarged moves, down and to the right, in output pixels; None where much of the weights cancels."""
        if abs(self._effective.sum()) <= 0.2 * np.abs(self._effective).sum():
            return None
        down, across = (
            self._effective.sum(axis=1 - i) @ np.arange(n) / self._effective.sum()
            - self.operator.crop_begin(i)
            - (self.factor[i] - 1) / 2
            for i, n in enumerate(self.weights.shape)
        )
        return float(down), float(across)

    def lines(self, axis: int) -> Array:
        """Sum the weights over the other axis, phase by phase of it: what a picture that changes along `axis` alone meets.

        Returns
        -------
        ndarray, shape (phases of the other axis, taps)
            Normalised where the kernel is.
        """
        weights = self._effective if axis else self._effective.T
        lines = np.zeros((self.factor[1 - axis], weights.shape[1]))
        np.add.at(lines, np.arange(len(weights)) % len(lines), weights)
        return lines

    def positions(self, axis: int, number: int) -> Array:
        """Give the first outputs that the input pixel 0 reaches, as places in input pixels from its middle."""
        at: Array = (np.arange(number) - self.operator.crop_begin(axis) - (self.factor[axis] - 1) / 2) / self.factor[axis]
        return at

    def step(self, axis: int) -> tuple[Array, Array]:
        """Enlarge an edge from 0 to 1.

        Returns
        -------
        (ndarray, ndarray)
            Places in input pixels, of which the edge's is -0.5; and values, a row for each phase of the other axis.
        """
        lines, factor = self.lines(axis), self.factor[axis]
        # Sums over the taps of a phase so far, which stay when there are no more.
        periods = -(-lines.shape[1] // factor) + 2
        padded = np.pad(lines, ((0, 0), (0, periods * factor - lines.shape[1])))
        sums = padded.reshape(len(lines), periods, factor).cumsum(axis=1).reshape(len(lines), -1)
        before = 2 * factor
        return self.positions(axis, before + sums.shape[1]) - 2, np.pad(sums, ((0, 0), (before, 0)))

    def corrected_step(self) -> tuple[Array, Array] | None:
        """Enlarge an edge by an adaptive kernel with its corrections; None for any other kernel."""
        if self.kernel.corrections is None:
            return None
        factor, half = self.factor[1], self.weights.shape[1] // self.factor[1] + 3
        edge = np.zeros((2 * half + 1, 2 * half))
        edge[:, half:] = 1
        rows: Any = enlarge(edge, None, "tconv", self.kernel)
        places = (np.arange(rows.shape[1]) - (factor - 1) / 2) / factor - half
        return places, rows[half * factor : half * factor + factor]

    @cached_property
    def overshoot(self) -> float:
        """How far an edge's enlargement leaves the range between its two sides, in per cent of its height; the most of all.

        Each place is compared with what it settles at, so that a checkerboard does not count.
        """
        steps = [(self.step(axis)[1], self.factor[axis]) for axis in (0, 1)]
        if (corrected := self.corrected_step()) is not None:
            steps = [(corrected[1], self.factor[1])]
        found = 0.0
        for values, factor in steps:
            settled = np.tile(values[:, -factor:], values.shape[1] // factor)
            values = values[:, -settled.shape[1] :]
            there = np.abs(settled) > _EQUAL * np.abs(values).max()
            if there.any():
                relative = values[there] / settled[there]
                found = max(found, float(relative.max()) - 1, -float(relative.min()))
        return 100 * found

    def frequency(self, direction: str, cycles: Array) -> Array:
        """Compute how strongly waves come through, relative to a flat picture.

        Parameters
        ----------
        direction : {"horizontal", "vertical", "diagonal"}
        cycles : ndarray
            Cycles per input pixel, along both axes for "diagonal". From 0.5 on, they are what the input did not hold.

        Returns
        -------
        ndarray
            Magnitudes; 1 is unchanged.
        """
        weights = self._effective
        down, across = (np.arange(n) / f for n, f in zip(weights.shape, self.factor, strict=True))
        turns = {"horizontal": (0, 1), "vertical": (1, 0), "diagonal": (1, 1)}[direction]
        rows = np.exp(-2j * np.pi * turns[0] * np.outer(cycles, down))
        columns = np.exp(-2j * np.pi * turns[1] * np.outer(cycles, across))
        total = weights.sum()
        found: Array = np.abs(np.einsum("fy,yx,fx->f", rows, weights, columns, optimize=True))
        return found / abs(total) if abs(total) > _EQUAL * np.abs(weights).sum() else found

    @cached_property
    def verdict(self) -> list[str]:
        """What to expect of it, in sentences."""
        if self.copies.min() == 0:
            return ["Some places are reached by no weight but 0: expect black between; take a kernel that reaches all phases."]
        if self.blank:
            return ["Its weights add up to nothing: flat places become black and edges remain; it cannot be normalised."]
        helps = "--normalize removes it" if self.normalizes else f"it cannot be normalised: {_NOTHING}"
        if self.cancels and not self.kernel.normalized:
            low, high = f"{self.gains.min():.4g}", f"{self.gains.max():.4g}"
            return [f"Phases add up to {low} to {high}, all of them to nothing: expect a checkerboard; {helps}."]
        said = []
        if self.kernel.normalized:
            before = f" (an uneven overlap of {percent(self.uneven)} is divided out)" if _EVEN <= self.uneven < np.inf else ""
            said.append(f"Normalised: no checkerboard, and brightness is kept{before}.")
        elif self.uneven >= _EVEN:
            seen = "expect a checkerboard" if self.uneven >= _UNSEEN else "a checkerboard that 8 bits hardly show"
            said.append(f"Uneven overlap {percent(self.uneven)}: {seen}; {helps}.")
        else:
            said.append("Even overlap: no checkerboard.")
        gain = float(self.gains.mean())
        if not self.kernel.normalized and abs(gain - 1) > _UNSEEN / 100:
            helps = "; --normalize keeps brightness" if self.normalizes else ""
            said.append(f"Flat places become {gain:.4g} times as bright{helps}.")
        if self.overshoot >= 1:
            said.append(f"Edges overshoot by {percent(self.overshoot)}: halos.")
        if self.shift is not None and max(map(abs, self.shift)) >= _EVEN:
            down, across = self.shift
            moves = [
                f"{abs(v):.3g} {way[v > 0]}"
                for v, way in ((across, ("left", "right")), (down, ("up", "down")))
                if abs(v) >= _EVEN
            ]
            said.append(f"The picture moves, in output pixels, {' and '.join(moves)}.")
        return said

    def report(self, name: str) -> str:
        """Tell all of it in lines for a terminal."""
        kernel, (height, width) = self.kernel, self.weights.shape
        kind = "normalised" if kernel.normalized else "as it is, not normalised"
        lines = [f"kernel: {name}, {width}x{height} for factor {factor_text(self.factor)}, {kind}"]
        if kernel.channels is not None:
            taken, made = kernel.channels
            groups = f" in {kernel.groups} groups" if kernel.groups > 1 else ""
            lines += [f"channels: {taken} to {made}{groups}", *self._of_channels()]
            lines.append(f"below: the weights from channel {self.channels[0]} to channel {self.channels[1]}")
        if kernel.corrections is not None:
            classes = kernel.corrections.classes
            lines.append(f"corrections: {classes}, one chosen for each pixel; what follows is of the single kernel, but edge")
        if kernel.bias is not None:
            lines.append(f"bias: {' '.join(f'{b:.4g}' for b in kernel.bias)}")
        if max(height, width) <= _MATRIX:
            lines += ["weights:", *_matrix(self.weights)]
        weights, few, many = self.weights, int(self.copies.min()), int(self.copies.max())
        lines.append(f"sum: {weights.sum():.6g}, of weights from {weights.min():.4g} to {weights.max():.4g}")
        copies = f"{few if few == many else f'{few} to {many}'} {'reach' if many > 1 else 'reaches'}"
        lines.append(f"copies: {copies} each place")
        if not self.cancels and self.uneven < _EVEN:
            lines.append(f"gain: {self.gains.mean():.6g} in {'each phase' if self.gains.size > 1 else 'the only phase'}")
        elif self.gains.size <= _MATRIX**2:
            lines += ["gain of each phase:", *_matrix(self.gains)]
        else:
            lines.append(f"gain of the {self.gains.size} phases: {self.gains.min():.4g} to {self.gains.max():.4g}")
        if not self.cancels:
            lines.append(f"overlap: {'even' if self.uneven < _EVEN else f'{percent(self.uneven)} peak to peak'}")
        lines.append(f"symmetry: {', '.join(self.symmetries) or 'none'}")
        separable = self.rank == 1 and min(height, width) > 1
        lines.append(f"rank: {self.rank}{f', separable: {height} + {width} weights for {height * width}' if separable else ''}")
        if not self.cancels:
            lines.append(f"edge: overshoots by {percent(self.overshoot)}")
        return "\n".join([*lines, f"verdict: {' '.join(self.verdict)}"])

    def _of_channels(self) -> list[str]:
        """Say what a flat picture of ones becomes in each output channel of a kernel that mixes channels."""
        every = phase_sums(self.kernel.weights, self.factor, self.kernel.groups)
        lines = []
        for made, gains in enumerate(every[:16]):
            mean = float(gains.mean())
            uneven = f", uneven by {percent(100 * float(np.ptp(gains)) / abs(mean))}" if mean else ""
            lines.append(f"  to channel {made}: ones become {gains.min():.4g} to {gains.max():.4g}{uneven}")
        return lines + ([f"  and {len(every) - 16} more"] if len(every) > 16 else [])


def percent(value: float) -> str:
    """Write a share, without digits that say nothing.

    Examples
    --------
    >>> percent(133.33), percent(7.04), percent(1e-13)
    ('133 %', '7.0 %', '0 %')
    """
    return (
        f"{value:.0f} %"
        if value >= 9.95
        else f"{value:.1f} %"
        if value >= 0.05
        else f"{value:.2g} %"
        if value > 1e-6
        else "0 %"
    )


def _matrix(values: Array) -> list[str]:
    written = [[f"{v:.4g}" for v in row] for row in values]
    width = max(len(cell) for row in written for cell in row)
    return ["  " + "  ".join(cell.rjust(width) for cell in row) for row in written]

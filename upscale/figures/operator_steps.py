"""The operator drawn step by step: an input value, its weighted copy of the kernel, and the sum that grows."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.choices import factor_text
from upscale.errors import ArgumentError
from upscale.figures.matplotlib_files import COLOURS, new_figure, plain, short
from upscale.kernels.kernel import Kernel
from upscale.operators.operator import Operator, out_size
from upscale.operators.transposed import TransposedPlan

Array = NDArray[Any]

#: What can still be read: input values, and output values a side.
MOST_VALUES, LONGEST = 25, 16
_HUGE = 1e300
_FILL, _PALE = "#fbe3d3", "#c9c9c9"
#: A cell's side in inches, and the room between two arrays in cells.
_CELL, _GAP = 0.42, 1.6


class Step(NamedTuple):
    """One input value's part.

    Attributes
    ----------
    at : (int, int)
        Row and column of the value.
    value : float
    copy : ndarray
        The kernel times the value, where it comes to lie on the whole output; NaN elsewhere.
    total : ndarray
        The sum so far.
    """

    at: tuple[int, int]
    value: float
    copy: Array
    total: Array


def check(kernel: Kernel) -> None:
    """Check that a kernel can be drawn step by step.

    Raises
    ------
    ArgumentError
        Where it has more than 2 dimensions, a bias or corrections.
    """
    if kernel.channels is not None or kernel.corrections is not None or kernel.bias is not None:
        raise ArgumentError("only a kernel of 2 dimensions, without a bias and without corrections, can be drawn step by step")


class Steps:
    """A transposed convolution of a small array, taken apart.

    Parameters
    ----------
    values : ndarray, shape (H, W)
        At most `MOST_VALUES`.
    operator : Operator
        By zeros beyond the border, of a kernel that `check` lets pass.

    Attributes
    ----------
    steps : list of Step
        In the order of the values, row by row.
    kept : (slice, slice)
        Where the result lies on the whole output.
    overlap : ndarray or None
        What the sum is divided by in the end, where the kernel is normalised.
    result : ndarray

    Raises
    ------
    ArgumentError
        Where there is too much to be drawn, or the kernel cannot be normalised.
    """

    def __init__(self, values: Array, operator: Operator) -> None:
        kernel, factor = operator.kernel, operator.factor
        if values.ndim != 2 or values.dtype.kind not in "biuf" or not np.isfinite(values).all():
            raise ArgumentError(f"must be an array (H, W) of finite numbers, not {values.shape} of {values.dtype}")
        if not 1 <= values.size <= MOST_VALUES:
            raise ArgumentError(f"has {values.size} values; at most {MOST_VALUES} can be drawn")
        begin = tuple(operator.crop_begin(i) for i in (0, 1))
        size = operator.size(values.shape)
        whole = [
            max(out_size(values.shape[i], kernel.shape[i], factor[i], (0, 0)), begin[i] + size[i]) for i in (0, 1)
        ]  # `same` padding may reach beyond the last copy
        if max(whole) > LONGEST:
            raise ArgumentError(f"would become {whole[1]}x{whole[0]}; at most {LONGEST}x{LONGEST} values can be drawn")
        self.values, self.operator = values.astype(np.float64), operator
        TransposedPlan(self.values, operator, np.float64)  # which refuses what cannot be normalised
        self.kept = slice(begin[0], begin[0] + size[0]), slice(begin[1], begin[1] + size[1])
        self.steps: list[Step] = []
        total, ones = np.zeros(whole), np.zeros(whole)
        if not float(np.abs(self.values).max()) * float(np.abs(kernel.weights).sum()) * values.size < _HUGE:
            raise ArgumentError("holds numbers that are too large to be drawn")
        for (y, x), value in np.ndenumerate(self.values):
            place = tuple(slice(n * f, n * f + k) for n, f, k in zip((y, x), factor, kernel.shape, strict=True))
            copy = np.full(whole, np.nan)
            copy[place] = value * kernel.weights
            total = total.copy()
            total[place] += copy[place]
            ones[place] += kernel.weights
            self.steps.append(Step((y, x), float(value), copy, total))
        self.overlap = ones if kernel.normalized else None
        if self.overlap is not None:
            with np.errstate(all="ignore"):  # of places that are cut off
                total = np.where(np.abs(ones) > 1e-9 * np.abs(kernel.weights).sum(), total / ones, 0)
        self.whole = total
        self.result: Array = total[self.kept]

    @property
    def captions(self) -> list[str]:
        """What each frame shows, the last one too."""
        found = [f"{n}. row {s.at[0]}, column {s.at[1]}: add {s.value:g} times the kernel" for n, s in enumerate(self.steps, 1)]
        if self.overlap is not None:
            found.append(f"{len(self.steps) + 1}. normalise: divide by what ones become")
        return found

    def sheet(self, name: str) -> Any:
        """Draw all steps in one figure.

        To be called within `figures.drawing`.
        """
        captions = self.captions
        columns = 1 if len(captions) <= 5 else 2 if len(captions) <= 12 else 3
        rows = -(-len(captions) // columns)
        figure = new_figure(*(n * side + extra for n, side, extra in zip((columns, rows), self._size(), (0, 0.6), strict=True)))
        figure.suptitle(self._title(name), fontsize=12)
        every = figure.subplots(rows, columns, squeeze=False).T.ravel()  # down the columns
        for number, axes in enumerate(every):
            if number < len(captions):
                self._draw(axes, number)
            else:
                axes.set_axis_off()
        return figure

    def frames(self, name: str) -> Iterator[Any]:
        """Draw a figure for each step, all of one size; see `sheet`."""
        for number in range(len(self.captions)):
            width, height = self._size()
            figure = new_figure(width, height + 0.5)
            figure.suptitle(self._title(name), fontsize=11)
            self._draw(figure.subplots(), number)
            yield figure

    def _title(self, name: str) -> str:
        kernel, factor = self.operator.kernel, factor_text(self.operator.factor)
        kind = ", normalised" if kernel.normalized else ""
        return f"Transposed convolution, stride {factor}, by {plain(name)} ({kernel.shape[1]} x {kernel.shape[0]}{kind})"

    def _size(self) -> tuple[float, float]:
        """Compute a panel's size in inches: four arrays side by side, of cells that numbers fit in."""
        shapes = self.values.shape, self.operator.kernel.shape, self.whole.shape
        cells = sum(shape[1] for shape in shapes) + self.whole.shape[1] + 3 * _GAP
        return max(6.0, _CELL * cells), max(1.8, _CELL * (max(shape[0] for shape in shapes) + 2.4))

    def _draw(self, axes: Any, number: int) -> None:
        """Draw one step: the input, the kernel, its weighted copy, the sum."""
        axes.set_title(self.captions[number], fontsize=11, loc="left")
        divides = number == len(self.steps)
        step = self.steps[min(number, len(self.steps) - 1)]
        here = np.zeros(self.values.shape, bool)
        here[step.at] = not divides
        reached = np.isfinite(step.copy)
        cut = self.result.shape != self.whole.shape
        frame = "; framed: what is kept" if cut else ""
        weights = self.operator.kernel.weights
        if divides:
            assert self.overlap is not None
            parts = [
                ("sum", step.total, np.zeros(self.whole.shape, bool), "÷"),
                ("what ones become", self.overlap, np.zeros(self.whole.shape, bool), "="),
                (f"result{frame}", self.whole, np.ones(self.whole.shape, bool), ""),
            ]
        else:
            parts = [
                ("input", self.values, here, "×"),
                ("kernel", weights, np.zeros(weights.shape, bool), "="),
                ("weighted copy", step.copy, reached, "→"),
                (f"sum so far{frame}", step.total, reached, ""),
            ]
        left = 0.0
        for label, values, lit, sign in parts:
            axes.text(left, -0.35, label, fontsize=9, color="#555555")
            cells(axes, values, left, lit, self.kept if not sign and cut else None)
            left += values.shape[1] + _GAP
            axes.text(left - _GAP / 2, values.shape[0] / 2, sign, ha="center", va="center", fontsize=14)
        heights = self.values.shape[0], weights.shape[0], self.whole.shape[0]
        axes.set_xlim(-0.3, max(left - _GAP + 0.3, self._size()[0] / _CELL - 0.3))
        axes.set_ylim(max(heights) + 0.3, -1.1)
        axes.set_aspect("equal")
        axes.set_anchor("W")
        axes.set_axis_off()


def _texts(values: Array) -> dict[tuple[int, int], str]:
    """Write numbers with as few decimals as are exact, at most 4, or else to three digits."""
    finite = {(y, x): float(v) for (y, x), v in np.ndenumerate(values) if np.isfinite(v)}
    largest = max(map(abs, finite.values())) or 1.0
    for decimals in range(5):
        texts = {at: f"{v:.{decimals}f}" for at, v in finite.items()}
        exact = all(abs(float(texts[at]) - v) <= 1e-9 * largest for at, v in finite.items())
        if exact and max(map(len, texts.values())) <= 7:
            return {at: (t.rstrip("0").rstrip(".") if decimals else t) if float(t) else "0" for at, t in texts.items()}
    return {at: short(v, largest) for at, v in finite.items()}


def cells(axes: Any, values: Array, left: float, lit: Array, kept: tuple[slice, slice] | None = None) -> None:
    """Draw an array of numbers as cells.

    Parameters
    ----------
    axes : matplotlib Axes
        In units of cells.
    values : ndarray, shape (H, W)
        A NaN is drawn as an empty cell.
    left : float
        Where the array begins; its upper edge lies at 0.
    lit : ndarray of bool, shape (H, W)
        The cells that stand out.
    kept : (slice, slice), optional
        Rows and columns that are framed; numbers in the others are pale.
    """
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    pale = np.full(values.shape, kept is not None)
    if kept is not None:
        pale[kept] = False
    texts = _texts(values)
    longest = max(map(len, texts.values()))
    size = {1: 10.0, 2: 10.0, 3: 9.0, 4: 8.0, 5: 7.0}.get(longest, 6.0)
    for (y, x), text in texts.items():
        colour = "#9a9a9a" if pale[y, x] else "black"
        axes.text(left + x + 0.5, y + 0.52, text, ha="center", va="center", color=colour, fontsize=size)
    for on, fill, edge in ((False, "white", _PALE), (True, _FILL, COLOURS[1])):
        boxes = [Rectangle((left + x, y), 1, 1) for y, x in zip(*np.nonzero(lit == on), strict=True)]
        axes.add_collection(PatchCollection(boxes, facecolor=fill, edgecolor=edge, linewidth=0.8))
    if kept is not None:
        down, across = kept
        corner, size_of = (left + across.start, down.start), (across.stop - across.start, down.stop - down.start)
        axes.add_patch(Rectangle(corner, *size_of, facecolor="none", edgecolor="black", linewidth=1.8))

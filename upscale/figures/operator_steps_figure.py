"""The operator drawn step by step: an input value, its weighted copy of the kernel, and the sum that grows."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.choices import format_factor
from upscale.figures.matplotlib_files import COLOURS, new_figure, plain, short
from upscale.figures.operator_steps import OperatorSteps

Array = NDArray[Any]

#: Colours of the cells that stand out, and of the lines of the others.
_FILL, _PALE = "#fbe3d3", "#c9c9c9"
#: A cell's side in inches, and the space between two arrays in cells.
_CELL, _GAP = 0.42, 1.6


def draw_sheet(steps: OperatorSteps, name: str) -> Any:
    """Draw all steps in one figure; call it within `matplotlib_files.drawing`.

    Parameters
    ----------
    steps : OperatorSteps
    name : str
        What the kernel is called.

    Returns
    -------
    matplotlib Figure
    """
    number = len(steps.captions)
    columns = 1 if number <= 5 else 2 if number <= 12 else 3
    rows = -(-number // columns)
    width, height = _panel_size(steps)
    figure = new_figure(columns * width, rows * height + 0.6)
    figure.suptitle(_title(steps, name), fontsize=12)
    every = figure.subplots(rows, columns, squeeze=False).T.ravel()  # down the columns
    for index, axes in enumerate(every):
        if index < number:
            _draw_step(axes, steps, index)
        else:
            axes.set_axis_off()
    return figure


def draw_frames(steps: OperatorSteps, name: str) -> Iterator[Any]:
    """Draw a figure for each step, all of one size; see `draw_sheet`."""
    width, height = _panel_size(steps)
    for index in range(len(steps.captions)):
        figure = new_figure(width, height + 0.5)
        figure.suptitle(_title(steps, name), fontsize=11)
        _draw_step(figure.subplots(), steps, index)
        yield figure


def draw_cells(axes: Any, values: Array, left: float, highlighted: Array, kept: tuple[slice, slice] | None = None) -> None:
    """Draw an array of numbers as cells.

    Parameters
    ----------
    axes : matplotlib Axes
        In units of cells.
    values : ndarray, shape (H, W)
        A NaN is drawn as an empty cell.
    left : float
        Where the array begins; its upper edge lies at 0.
    highlighted : ndarray of bool, shape (H, W)
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
        boxes = [Rectangle((left + x, y), 1, 1) for y, x in zip(*np.nonzero(highlighted == on), strict=True)]
        axes.add_collection(PatchCollection(boxes, facecolor=fill, edgecolor=edge, linewidth=0.8))
    if kept is not None:
        down, across = kept
        corner, size_of = (left + across.start, down.start), (across.stop - across.start, down.stop - down.start)
        axes.add_patch(Rectangle(corner, *size_of, facecolor="none", edgecolor="black", linewidth=1.8))


def _title(steps: OperatorSteps, name: str) -> str:
    kernel, factor = steps.operator.kernel, format_factor(steps.operator.factor)
    kind = ", normalised" if kernel.normalized else ""
    return f"Transposed convolution, stride {factor}, by {plain(name)} ({kernel.shape[1]} x {kernel.shape[0]}{kind})"


def _panel_size(steps: OperatorSteps) -> tuple[float, float]:
    """Return the width and height of a panel in inches: four arrays side by side, of cells in which numbers fit."""
    shapes = steps.values.shape, steps.operator.kernel.shape, steps.full.shape
    cells = sum(shape[1] for shape in shapes) + steps.full.shape[1] + 3 * _GAP
    return max(6.0, _CELL * cells), max(1.8, _CELL * (max(shape[0] for shape in shapes) + 2.4))


def _draw_step(axes: Any, steps: OperatorSteps, index: int) -> None:
    """Draw one step: the input, the kernel, its weighted copy, the sum; or the division at the end."""
    axes.set_title(steps.captions[index], fontsize=11, loc="left")
    cropped = steps.result.shape != steps.full.shape
    parts = _division(steps, cropped) if index == len(steps.steps) else _addition(steps, index, cropped)
    left = 0.0
    for label, values, highlighted, sign in parts:
        axes.text(left, -0.35, label, fontsize=9, color="#555555")
        draw_cells(axes, values, left, highlighted, steps.kept if not sign and cropped else None)
        left += values.shape[1] + _GAP
        axes.text(left - _GAP / 2, values.shape[0] / 2, sign, ha="center", va="center", fontsize=14)
    heights = steps.values.shape[0], steps.operator.kernel.shape[0], steps.full.shape[0]
    axes.set_xlim(-0.3, max(left - _GAP + 0.3, _panel_size(steps)[0] / _CELL - 0.3))
    axes.set_ylim(max(heights) + 0.3, -1.1)
    axes.set_aspect("equal")
    axes.set_anchor("W")
    axes.set_axis_off()


#: An array's label, its values, the cells that stand out, and the sign that follows it.
_Part = tuple[str, Array, Array, str]


def _addition(steps: OperatorSteps, index: int, cropped: bool) -> list[_Part]:
    step, weights = steps.steps[index], steps.operator.kernel.weights
    here, reached = np.zeros(steps.values.shape, bool), np.isfinite(step.copy)
    here[step.at] = True
    return [
        ("input", steps.values, here, "×"),
        ("kernel", weights, np.zeros(weights.shape, bool), "="),
        ("weighted copy", step.copy, reached, "→"),
        (f"sum so far{'; framed: what is kept' if cropped else ''}", step.total, reached, ""),
    ]


def _division(steps: OperatorSteps, cropped: bool) -> list[_Part]:
    assert steps.overlap is not None
    none = np.zeros(steps.full.shape, bool)
    return [
        ("sum", steps.steps[-1].total, none, "÷"),
        ("what ones become", steps.overlap, none, "="),
        (f"result{'; framed: what is kept' if cropped else ''}", steps.full, ~none, ""),
    ]


def _texts(values: Array) -> dict[tuple[int, int], str]:
    """Write finite numbers with as few decimals as are exact, at most 4, or else to three digits: (row, column) to text."""
    finite = {(y, x): float(v) for (y, x), v in np.ndenumerate(values) if np.isfinite(v)}
    largest = max(map(abs, finite.values())) or 1.0
    for decimals in range(5):
        texts = {at: f"{v:.{decimals}f}" for at, v in finite.items()}
        exact = all(abs(float(texts[at]) - v) <= 1e-9 * largest for at, v in finite.items())
        if exact and max(map(len, texts.values())) <= 7:
            return {at: (t.rstrip("0").rstrip(".") if decimals else t) if float(t) else "0" for at, t in texts.items()}
    return {at: short(v, largest) for at, v in finite.items()}

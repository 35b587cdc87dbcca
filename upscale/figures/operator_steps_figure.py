"""The operator drawn step by step: an input value, its weighted copy of the kernel, and the sum that grows."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.choices import format_factor
from upscale.figures.layout import POINT, SMALL, TITLE, Panel, em_width, fitting_size, wrapped
from upscale.figures.matplotlib_files import COLOURS, new_figure, plain, short
from upscale.figures.operator_steps import OperatorSteps

Array = NDArray[Any]

#: Colours of the cells that stand out, and of the lines of the others.
_FILL, _PALE = "#fbe3d3", "#c9c9c9"
#: A cell's side in inches; in cells, the space between two arrays and above them, for their labels.
_CELL, _GAP, _LABEL = 0.42, 1.6, 0.75
#: The figure's margin, the space between panels and that of a caption, in inches.
_MARGIN, _BETWEEN, _CAPTION = 0.3, 0.3, 0.28


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
    return _draw(steps, name, list(range(number)), columns)


def draw_frames(steps: OperatorSteps, name: str) -> Iterator[Any]:
    """Draw a figure for each step, all of one size; see `draw_sheet`."""
    for index in range(len(steps.captions)):
        yield _draw(steps, name, [index], 1)


def _draw(steps: OperatorSteps, name: str, indices: list[int], columns: int) -> Any:
    """Draw some of the steps in one figure, down the columns."""
    width, height = _panel_size(steps)
    rows, inner = -(-len(indices) // columns), columns * width + (columns - 1) * _BETWEEN
    lines = [(line, TITLE) for line in wrapped(_title(steps, name), TITLE, inner * POINT)]
    header = 1.25 * TITLE * len(lines) / POINT + 0.15
    figure = new_figure(inner + 2 * _MARGIN, header + rows * height + 2 * _MARGIN, layout=None)
    Panel(figure, _MARGIN, _MARGIN, inner, header).write(lines)
    for n, index in enumerate(indices):
        left = _MARGIN + n // rows * (width + _BETWEEN)
        _draw_step(Panel(figure, left, _MARGIN + header + n % rows * height, width, height), steps, index)
    return figure


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
    size = fitting_size(texts.values(), _CELL * POINT, _CELL * POINT, most=10, least=0)
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
    """Return the width and height of a panel in inches, in which every step's arrays, their labels and its caption fit."""
    rows = max(steps.values.shape[0], steps.operator.kernel.shape[0], steps.full.shape[0])
    # The last cell's line takes some space too.
    width = max(_CELL * (max(_width(_parts(steps, i)) for i in range(len(steps.captions))) + 0.1), 6.0)
    return width, _CAPTION + _CELL * (_LABEL + rows) + _BETWEEN


def _width(parts: "list[_Part]") -> float:
    """Return the width of arrays side by side, in cells."""
    return sum(map(_slot, parts)) + _GAP * (len(parts) - 1)


def _slot(part: "_Part") -> float:
    """Return the width of an array or its label, whichever is wider, in cells."""
    label, values, _, _ = part
    return max(float(values.shape[1]), em_width(label) * SMALL / POINT / _CELL)


def _draw_step(panel: Panel, steps: OperatorSteps, index: int) -> None:
    """Draw one step: the input, the kernel, its weighted copy, the sum; or the division at the end."""
    panel.write([(steps.captions[index], TITLE)])
    rows, columns = (panel.height - _CAPTION - _BETWEEN) / _CELL, panel.width / _CELL
    axes = panel.axes(0, _CAPTION, panel.width, panel.height - _CAPTION - _BETWEEN)
    axes.set(xlim=(-0.05, columns - 0.05), ylim=(rows - _LABEL + 0.05, -_LABEL + 0.05))
    axes.set_axis_off()
    left = 0.0
    for part in _parts(steps, index):
        label, values, highlighted, sign = part
        axes.text(left, -0.2, label, fontsize=SMALL, color="#555555")
        framed = not sign and steps.result.shape != steps.full.shape
        draw_cells(axes, values, left, highlighted, steps.kept if framed else None)
        middle = left + values.shape[1] + (_slot(part) - values.shape[1] + _GAP) / 2
        axes.text(middle, values.shape[0] / 2, sign, ha="center", va="center", fontsize=14)
        left += _slot(part) + _GAP


#: An array's label, its values, the cells that stand out, and the sign that follows it.
_Part = tuple[str, Array, Array, str]


def _parts(steps: OperatorSteps, index: int) -> list[_Part]:
    """Return the arrays of one step."""
    framed = " (framed: the output)" if steps.result.shape != steps.full.shape else ""
    if index == len(steps.steps):
        assert steps.overlap is not None
        none = np.zeros(steps.full.shape, bool)
        return [
            ("sum", steps.steps[-1].total, none, "÷"),
            ("sum of weights", steps.overlap, none, "="),
            (f"result{framed}", steps.full, ~none, ""),
        ]
    step, weights = steps.steps[index], steps.operator.kernel.weights
    here, reached = np.zeros(steps.values.shape, bool), np.isfinite(step.copy)
    here[step.at] = True
    return [
        ("input", steps.values, here, "×"),
        ("kernel", weights, np.zeros(weights.shape, bool), "="),
        ("weighted copy", step.copy, reached, "→"),
        (f"sum so far{framed}", step.total, reached, ""),
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

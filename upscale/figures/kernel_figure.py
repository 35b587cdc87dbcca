"""A kernel as a figure: weights, phases and overlap as colours and numbers; the curves are those of `kernel_curves`."""

import io
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.choices import format_factor
from upscale.errors import UpscaleError
from upscale.figures import kernel_curves
from upscale.figures.kernel_analysis import KernelAnalysis, analyse
from upscale.figures.kernel_report import EVEN, percent, verdict
from upscale.figures.layout import POINT, SMALL, TITLE, Panel, draw_numbers, em_width, fitting_size, wrapped
from upscale.figures.matplotlib_files import drawing, new_figure, plain
from upscale.kernels.kernel import Kernel
from upscale.kernels.normalize import phase_sums

Array = NDArray[Any]

#: Most phases a side that are drawn.
_PHASES = 8
#: Input pixels a side of the picture of ones, at least and at most.
_ONES, _MOST_ONES = 6, 64
#: The figure's width, its margin and the space between panels, in inches.
_WIDTH, _MARGIN, _GAP = 15.0, 0.35, 0.4
#: Above an array in its panel, title, a note, and the colour bar's exponent; the array; below, tick labels and axis label.
_ABOVE, _PLOT, _BELOW = 0.58, 3.15, 0.5
#: What is beside an array: tick labels and axis label at the left, a colour bar at the right.
_LEFT, _BAR = 0.55, 0.78
#: The height of the panels of curves.
_CURVES = 4.6
#: Longer than this many times the other side, an array is drawn with cells that are not square.
_LONG = 3


@lru_cache(maxsize=4)  # a notebook asks twice, for the figure and for HTML that has it
def kernel_png(kernel: Kernel, name: str) -> bytes | None:
    """Draw a kernel as a PNG file, by `draw`, for a notebook.

    Returns
    -------
    bytes or None
        None if matplotlib cannot be used, or the kernel is one that cannot be drawn.
    """
    try:
        import matplotlib  # noqa: F401  # with the notebook's own backend, which `drawing` replaces in a command
    except (ImportError, ValueError):
        return None
    file = io.BytesIO()
    try:
        with drawing():
            draw(analyse(kernel), name).savefig(file, format="png", dpi=80)
    except UpscaleError:
        return None
    return file.getvalue()


def draw(analysis: KernelAnalysis, name: str) -> Any:
    """Draw a kernel; call it within `matplotlib_files.drawing`.

    Parameters
    ----------
    analysis : KernelAnalysis
    name : str
        What the kernel is called.

    Returns
    -------
    matplotlib Figure
    """
    kernel, (height, width) = analysis.kernel, analysis.weights.shape
    kind = "normalised" if kernel.normalized else "not normalised"
    if kernel.channels is not None:
        kind += f", channel {analysis.channels[0]} to {analysis.channels[1]} of {kernel.channels[0]} to {kernel.channels[1]}"
    if kernel.corrections is not None:
        kind += f"; without its {kernel.corrections.classes} corrections, except for the edge"
    if kernel.layers is not None:
        kind += f"; without its {len(kernel.layers.convolutions) + 1} layers, except for the edge"
    title = f"{plain(name)}: {width} x {height} weights for factor {format_factor(analysis.factor)}, {kind}"
    inner = _WIDTH - 2 * _MARGIN
    lines = [(line, 14.0) for line in wrapped(title, 14, inner * POINT)]
    lines += [(line, TITLE) for line in wrapped(" ".join(verdict(analysis)), TITLE, inner * POINT)]
    header = sum(size for _, size in lines) * 1.25 / POINT + 0.25
    first = _ABOVE + _PLOT + _BELOW
    figure = new_figure(_WIDTH, _MARGIN + header + first + _GAP + _CURVES + _MARGIN, layout=None)
    Panel(figure, _MARGIN, _MARGIN, inner, header).write(lines)
    each = (inner - 2 * _GAP) / 3
    arrays, curves = (_weights, _phases, _overlap), (kernel_curves.frequency, kernel_curves.step, kernel_curves.impulse)
    for top, height, functions in ((_MARGIN + header, first, arrays), (_MARGIN + header + first + _GAP, _CURVES, curves)):
        for column, function in enumerate(functions):
            function(Panel(figure, _MARGIN + column * (each + _GAP), top, each, height), analysis)
    return figure


def _array_axes(panel: Panel, values: Array, x: str, y: str) -> tuple[Any, tuple[float, float]]:
    """Add axes for an array as large as the panel's plot permits: the axes, and a cell's width and height in points."""
    (rows, columns), width = values.shape, panel.width - _LEFT - _BAR
    cell = _cell(width, _PLOT, rows, columns)
    axes = panel.axes(_LEFT, _ABOVE, cell[0] * columns, cell[1] * rows)
    axes.set_xlabel(x, fontsize=SMALL)
    axes.set_ylabel(y, fontsize=SMALL)
    return axes, (cell[0] * POINT, cell[1] * POINT)


def _cell(width: float, height: float, rows: float, columns: float) -> tuple[float, float]:
    """Return the size of cells that fill a box: square ones, unless the array is too long for them."""
    wide, high = width / columns, height / rows
    if max(rows, columns) > _LONG * min(rows, columns):
        return wide, high
    return min(wide, high), min(wide, high)


def _finish(panel: Panel, axes: Any, image: Any) -> None:
    """Set whole ticks, and add a bar of colours as high as the image."""
    from matplotlib.ticker import MaxNLocator

    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1))
    wide, high = panel.figure.get_size_inches()
    box = axes.get_position()
    bar = panel.axes(box.x1 * wide - panel.left + 0.1, _ABOVE, 0.13, box.height * high)
    panel.figure.colorbar(image, cax=bar)
    bar.yaxis.set_major_locator(MaxNLocator(5))
    bar.ticklabel_format(scilimits=(-3, 4), useOffset=False)
    bar.yaxis.offsetText.set_fontsize(SMALL)


def _weights(panel: Panel, analysis: KernelAnalysis) -> None:
    weights = analysis.weights
    before = ", before normalising" if _is_changed(analysis) else ""
    panel.write([("Weights", TITLE), (f"sum {weights.sum():.4g}, rank {analysis.rank}{before}", SMALL)])
    axes, cell = _array_axes(panel, weights, "kernel column", "kernel row")
    image = _heat(axes, weights, _largest(weights))
    draw_numbers(axes, weights, np.abs(weights) > 0.6 * _largest(weights), cell)
    _finish(panel, axes, image)


def _is_changed(analysis: KernelAnalysis) -> bool:
    """Whether normalising changes the weights, away from the border too."""
    return not np.allclose(analysis.weights, analysis.applied_weights, rtol=EVEN / 100, atol=0)


def _largest(weights: Array) -> float:
    return float(np.abs(weights).max()) or 1.0


def _heat(axes: Any, values: Array, limit: float, corner: tuple[float, float] = (0, 0)) -> Any:
    """Draw weights as colours, red above 0 and blue below; the middle of the first cell lies at `corner`."""
    left, top = corner[0] - 0.5, corner[1] - 0.5
    extent = (left, left + values.shape[1], top + values.shape[0], top)
    return axes.imshow(
        values, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest", aspect="auto", extent=extent, origin="upper"
    )


def _phases(panel: Panel, analysis: KernelAnalysis) -> None:
    """Draw the taps of each phase as a block of its own, with its sum above if there is room."""
    from matplotlib.patches import Rectangle

    weights, sums = analysis.weights, phase_sums(analysis.weights, analysis.factor)
    rows, columns = (min(f, _PHASES) for f in analysis.factor)
    tall, wide = (-(-n // f) for n, f in zip(weights.shape, analysis.factor, strict=True))
    # In inches: the plot, the space between blocks, and above each one that for its caption.
    width, height, gap = panel.width - 0.4, _PLOT + _BELOW, 0.1
    captions, size = _captions(sums[:rows, :columns], (width - (columns - 1) * gap) / columns * POINT)
    above, widest = (0.05, 0.0) if size is None else (1.4 * size / POINT, max(map(em_width, captions)) * size / POINT)
    cell = _cell(width - (columns - 1) * gap, height - rows * (above + gap), rows * tall, columns * wide)
    axes = panel.axes(0, _ABOVE - 0.15, width, height)
    axes.set_axis_off()
    step = (max(wide * cell[0], widest) + gap, tall * cell[1] + above + gap)
    for y in range(rows):
        for x in range(columns):
            block = weights[y :: analysis.factor[0], x :: analysis.factor[1]]
            left, top = x * step[0] / cell[0], (y * step[1] + above) / cell[1]
            corner = left + 0.5, top + 0.5
            if block.size:
                _heat(axes, block, _largest(weights), corner)
                dark = np.abs(block) > 0.6 * _largest(weights)
                draw_numbers(axes, block, dark, (cell[0] * POINT, cell[1] * POINT), corner)
            # A frame, for taps may be as white as the paper, or missing.
            axes.add_patch(Rectangle((left, top), wide, tall, facecolor="none", edgecolor="#b0b0b0"))
            if size is not None:
                axes.text(left, top - 0.03 / cell[1], captions[y * columns + x], va="bottom", fontsize=size)
    axes.set(xlim=(-0.02 / cell[0], width / cell[0]), ylim=(height / cell[1], 0), aspect="auto")
    title = "Taps of each phase" + ("" if size is None else " and their sums")
    notes = ["before normalising"] if _is_changed(analysis) else []
    notes += [f"the first {columns} x {rows} phases"] if max(analysis.factor) > _PHASES else []
    panel.write([(title, TITLE), (", ".join(notes), SMALL)])


def _captions(sums: Array, width: float) -> tuple[list[str], float | None]:
    """Return the captions of the phases, row by row, and the font size at which they fit; None if they do not."""
    for form in ("phase {y},{x}: sum {total:.4g}", "{y},{x}: sum {total:.4g}", "{total:.4g}"):
        captions = [form.format(y=y, x=x, total=total) for (y, x), total in np.ndenumerate(sums)]
        if (size := fitting_size(captions, width, np.inf, SMALL, least=7.0)) is not None:
            return captions, size
    return captions, None


def _overlap(panel: Panel, analysis: KernelAnalysis) -> None:
    height, width = (
        min(_MOST_ONES, max(_ONES, -(-n // f) + 2)) for n, f in zip(analysis.weights.shape, analysis.factor, strict=True)
    )  # so that there is an inside
    ones = analysis.overlap((height, width))
    said = (
        "weights sum to zero"
        if analysis.sums_to_zero
        else "even inside"
        if analysis.unevenness < EVEN
        else f"{percent(analysis.unevenness)} peak to peak inside"
    )
    said += "" if analysis.kernel.channels is None else ", all input channels together"
    before = ", before normalising" if analysis.kernel.normalized else ""
    panel.write([(f"Overlap: {width} x {height} ones enlarged{before}", TITLE), (said, SMALL)])
    axes, cell = _array_axes(panel, ones, "output column", "output row")
    low, high = min(0.0, ones.min()), ones.max() if ones.any() else 1.0
    image = axes.imshow(ones, cmap="cividis", interpolation="nearest", vmin=low, vmax=high, aspect="auto")
    draw_numbers(axes, ones, ones < (low + high) / 2, cell)
    _finish(panel, axes, image)

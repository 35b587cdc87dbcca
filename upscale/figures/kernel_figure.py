"""A kernel as a figure: weights, phases, overlap, frequencies, an edge and a single value."""

import io
import textwrap
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.choices import format_factor
from upscale.errors import UpscaleError
from upscale.figures.kernel_analysis import KernelAnalysis, analyse
from upscale.figures.kernel_report import EVEN, percent, verdict
from upscale.figures.matplotlib_files import COLOURS, GREY, drawing, new_figure, plain, short
from upscale.kernels.kernel import Kernel

Array = NDArray[Any]

#: Most cells a side whose numbers are readable, and most phases a side that are drawn.
_READABLE, _PHASES = 8, 8
#: Input pixels a side of the picture of ones, at least and at most.
_ONES, _MOST_ONES = 6, 64


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
    figure = new_figure(15, 10)
    kernel, (height, width) = analysis.kernel, analysis.weights.shape
    kind = "normalised" if kernel.normalized else "not normalised"
    if kernel.channels is not None:
        kind += f", channel {analysis.channels[0]} to {analysis.channels[1]} of {kernel.channels[0]} to {kernel.channels[1]}"
    if kernel.corrections is not None:
        kind += f"; without its {kernel.corrections.classes} corrections, but for the edge"
    figure.suptitle(
        f"{plain(name)}: {width} x {height} weights for factor {format_factor(analysis.factor)}, {kind}\n"
        + textwrap.fill(" ".join(verdict(analysis)), 140),
        fontsize=13,
    )
    (weights, phases, overlap), (frequency, step, impulse) = figure.subplots(2, 3)
    _weights(figure, weights, analysis)
    _phases(figure, phases, analysis)
    _overlap(figure, overlap, analysis)
    _frequency(frequency, analysis)
    _step(step, analysis)
    _impulse(impulse, analysis)
    return figure


def _heat(axes: Any, values: Array, limit: float) -> Any:
    """Draw weights as colours, red above 0 and blue below, with their numbers if they are readable."""
    image = axes.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest", aspect=_aspect(values))
    if max(values.shape) <= _READABLE:
        _numbers(axes, values, np.abs(values) > 0.6 * limit)
    return image


def _aspect(values: Array) -> str:
    """Return the aspect of the axes: square cells, unless the array is too long for them."""
    return "auto" if max(values.shape) > 8 * min(values.shape) else "equal"


def _numbers(axes: Any, values: Array, dark: Array) -> None:
    size = 10 if max(values.shape) <= 5 else 7
    largest = float(np.nanmax(np.abs(values))) or 1
    for (y, x), value in np.ndenumerate(values):
        if np.isfinite(value):
            text = short(value, largest)
            axes.text(x, y, text, ha="center", va="center", fontsize=size, color="white" if dark[y, x] else "black")


def _weights(figure: Any, axes: Any, analysis: KernelAnalysis) -> None:
    image = _heat(axes, analysis.weights, float(np.abs(analysis.weights).max()) or 1)
    axes.set_title(f"Weights, sum {analysis.weights.sum():.4g}, rank {analysis.rank}")
    axes.set_xlabel("kernel column")
    axes.set_ylabel("kernel row")
    _whole_ticks(axes)
    figure.colorbar(image, ax=axes, shrink=0.8)


def _phases(figure: Any, axes: Any, analysis: KernelAnalysis) -> None:
    """Draw the taps of each phase as a block of its own."""
    rows, columns = (min(f, _PHASES) for f in analysis.factor)
    tall, wide = (-(-n // f) for n, f in zip(analysis.weights.shape, analysis.factor, strict=True))
    mosaic = np.full((rows * (tall + 1) - 1, columns * (wide + 1) - 1), np.nan)
    gains, small = analysis.gains, max(rows, columns) <= 4
    for y in range(rows):
        for x in range(columns):
            block = analysis.weights[y :: analysis.factor[0], x :: analysis.factor[1]]
            top, left = y * (tall + 1), x * (wide + 1)
            mosaic[top : top + block.shape[0], left : left + block.shape[1]] = block
            if small:
                text = f"phase {y},{x}: {gains[y, x]:.4g}"
                axes.text(left - 0.5, top - 0.6, text, va="bottom", fontsize=9 if columns <= 2 else 7)
    limit = float(np.abs(analysis.weights).max()) or 1
    axes.imshow(mosaic, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest", aspect=_aspect(mosaic))
    if max(mosaic.shape) <= 2 * _READABLE:
        _numbers(axes, mosaic, np.abs(np.nan_to_num(mosaic)) > 0.6 * limit)
    axes.set_axis_off()
    cut = "" if max(analysis.factor) <= _PHASES else f", the first {rows} x {columns}"
    sums = ", and what they add up to" if small else ""
    axes.set_title(f"Taps of each phase{sums}{cut}", pad=24)


def _overlap(figure: Any, axes: Any, analysis: KernelAnalysis) -> None:
    height, width = (
        min(_MOST_ONES, max(_ONES, -(-n // f) + 2)) for n, f in zip(analysis.weights.shape, analysis.factor, strict=True)
    )  # so that there is an inside
    ones = analysis.overlap((height, width))
    low, high = min(0.0, ones.min()), max(ones.max(), 1e-12)
    image = axes.imshow(ones, cmap="cividis", interpolation="nearest", vmin=low, vmax=high, aspect=_aspect(ones))
    if max(ones.shape) <= 1.5 * _READABLE:
        _numbers(axes, ones, ones < (ones.max() + min(0.0, ones.min())) / 2)
    said = (
        "no mean"
        if analysis.sums_to_zero
        else "even inside"
        if analysis.unevenness < EVEN
        else f"peak to peak {percent(analysis.unevenness)} inside"
    )
    before = ", before normalising" if analysis.kernel.normalized else ""
    axes.set_title(f"Overlap: {width} x {height} ones enlarged{before}\n{said}")
    axes.set_xlabel("output column")
    axes.set_ylabel("output row")
    _whole_ticks(axes)
    figure.colorbar(image, ax=axes, shrink=0.8)


def _frequency(axes: Any, analysis: KernelAnalysis) -> None:
    end = max(analysis.factor) / 2
    cycles = np.linspace(0, end, 500)
    square = analysis.factor[0] == analysis.factor[1] and "diagonal" in analysis.symmetries
    directions = ("horizontal", "diagonal") if square else ("horizontal", "vertical", "diagonal")
    for direction, colour in zip(directions, COLOURS, strict=False):
        label = "horizontal and vertical" if square and direction == "horizontal" else direction
        axes.plot(cycles, analysis.frequency_response(direction, cycles), color=colour, label=label)
    axes.plot([0, 0.5, 0.5, end], [1, 1, 0, 0], color=GREY, linestyle="--", label="ideal")
    axes.axvspan(0.5, end, color=GREY, alpha=0.12)
    top = axes.get_ylim()[1]
    axes.set_ylim(0, max(1.15, top))
    if end > 0.5:
        text = "what the input did not hold:\nseen as steps and ripples"
        axes.text(0.5 + 0.02 * end, 0.98 * max(1.15, top), text, va="top", fontsize=8, color="#555555")
    axes.set_xlim(0, end)
    axes.set_title("Frequency response")
    axes.set_xlabel("cycles per input pixel")
    axes.set_ylabel("strength (1: as a flat picture)")
    _legend(axes)


def _step(axes: Any, analysis: KernelAnalysis) -> None:
    positions, values = analysis.step_response(1)
    corrected = analysis.corrected_step_response()
    axes.step([positions[0], -0.5, -0.5, positions[-1]], [0, 0, 1, 1], color=GREY, linestyle="--", label="edge, as nn makes it")
    for number, row in enumerate(values):
        axes.plot(
            positions,
            row,
            color=COLOURS[0],
            marker="." if positions.size < 60 else "",
            alpha=1 if number == 0 else 0.4,
            label=("single kernel" if corrected else "rows of output") if number == 0 else None,
        )
    if corrected is not None:
        for number, row in enumerate(corrected[1]):
            axes.plot(corrected[0], row, color=COLOURS[1], marker=".", label="with its corrections" if number == 0 else None)
    axes.set_xlim(max(positions[0], -6.5), min(positions[-1], 5.5))
    axes.set_title(f"Step response: overshoot {percent(analysis.overshoot)}")
    axes.set_xlabel("place, in input pixels")
    _legend(axes)


def _impulse(axes: Any, analysis: KernelAnalysis) -> None:
    """Draw what a single value becomes along the row and the column through the largest weight."""
    weights = analysis.weights
    gain = float(weights.sum()) / (analysis.factor[0] * analysis.factor[1])
    y, x = np.unravel_index(np.abs(weights).argmax(), weights.shape)
    down, across = (analysis.positions(axis, n) for axis, n in enumerate(weights.shape))
    square = analysis.factor[0] == analysis.factor[1]
    equal = square and weights.shape[0] == weights.shape[1] and y == x and bool(np.allclose(weights[y], weights[:, x]))
    far = max(1.5, np.abs(down).max(), np.abs(across).max()) + 0.25
    line = np.linspace(-far, far, 800)
    # The ideal response along the same lines; the largest weight may lie beside the middle.
    if abs(gain) > 0:
        axes.plot(line, gain * np.sinc(line) * np.sinc(down[y]), color=GREY, linestyle="--", label="ideal (sinc) on this line")
    lines = [("along row and column" if equal else "along the row", across, weights[y], COLOURS[0])]
    if not equal:
        lines.append(("along the column", down, weights[:, x], COLOURS[1]))
    for label, positions, values, colour in lines:
        axes.vlines(positions, 0, values, color=colour, linewidth=1)
        axes.plot(positions, values, "o", color=colour, markersize=4, label=label)
    axes.axhline(0, color="black", linewidth=0.5)
    axes.set_title("Impulse response: what a single 1 becomes")
    axes.set_xlabel("distance from its middle, in input pixels")
    _legend(axes)


def _legend(axes: Any) -> None:
    """Put the legend below the lines, where it hides nothing."""
    axes.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=4, frameon=False, columnspacing=1.2)


def _whole_ticks(axes: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))

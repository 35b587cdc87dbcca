"""A kernel as a figure: weights, phases, overlap, frequencies, an edge and a single value."""

import textwrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.choices import factor_text
from upscale.figures.kernel_analysis import Facts, percent
from upscale.figures.matplotlib_files import COLOURS, GREY, new_figure, plain, short

Array = NDArray[Any]

#: Most cells a side whose numbers can still be read, and most phases a side that are drawn.
_READABLE, _PHASES = 8, 8
#: Input pixels a side of the picture of ones, at least and at most.
_ONES, _MOST_ONES = 6, 64


def draw(facts: Facts, name: str) -> Any:
    """Draw a kernel, within `figures.drawing`.

    Parameters
    ----------
    facts : Facts
    name : str
        What the kernel is called.

    Returns
    -------
    matplotlib Figure
    """
    figure = new_figure(15, 10)
    kernel, (height, width) = facts.kernel, facts.weights.shape
    kind = "normalised" if kernel.normalized else "not normalised"
    if kernel.channels is not None:
        kind += f", channel {facts.channels[0]} to {facts.channels[1]} of {kernel.channels[0]} to {kernel.channels[1]}"
    if kernel.corrections is not None:
        kind += f"; without its {kernel.corrections.classes} corrections, but for the edge"
    figure.suptitle(
        f"{plain(name)}: {width} x {height} weights for factor {factor_text(facts.factor)}, {kind}\n"
        + textwrap.fill(" ".join(facts.verdict), 140),
        fontsize=13,
    )
    (weights, phases, overlap), (frequency, step, impulse) = figure.subplots(2, 3)
    _weights(figure, weights, facts)
    _phases(figure, phases, facts)
    _overlap(figure, overlap, facts)
    _frequency(frequency, facts)
    _step(step, facts)
    _impulse(impulse, facts)
    return figure


def _heat(axes: Any, values: Array, limit: float) -> Any:
    """Show weights as colours: red above 0, blue below, and the numbers where they can be read."""
    image = axes.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest", aspect=_aspect(values))
    if max(values.shape) <= _READABLE:
        _numbers(axes, values, np.abs(values) > 0.6 * limit)
    return image


def _aspect(values: Array) -> str:
    """Draw square cells, where that leaves something to be seen."""
    return "auto" if max(values.shape) > 8 * min(values.shape) else "equal"


def _numbers(axes: Any, values: Array, dark: Array) -> None:
    size = 10 if max(values.shape) <= 5 else 7
    largest = float(np.nanmax(np.abs(values))) or 1
    for (y, x), value in np.ndenumerate(values):
        if np.isfinite(value):
            text = short(value, largest)
            axes.text(x, y, text, ha="center", va="center", fontsize=size, color="white" if dark[y, x] else "black")


def _weights(figure: Any, axes: Any, facts: Facts) -> None:
    image = _heat(axes, facts.weights, float(np.abs(facts.weights).max()) or 1)
    axes.set_title(f"Weights, sum {facts.weights.sum():.4g}, rank {facts.rank}")
    axes.set_xlabel("kernel column")
    axes.set_ylabel("kernel row")
    _whole_ticks(axes)
    figure.colorbar(image, ax=axes, shrink=0.8)


def _phases(figure: Any, axes: Any, facts: Facts) -> None:
    """Show the taps of each phase as a block of its own."""
    rows, columns = (min(f, _PHASES) for f in facts.factor)
    high, wide = (-(-n // f) for n, f in zip(facts.weights.shape, facts.factor, strict=True))
    mosaic = np.full((rows * (high + 1) - 1, columns * (wide + 1) - 1), np.nan)
    gains, small = facts.gains, max(rows, columns) <= 4
    for y in range(rows):
        for x in range(columns):
            block = facts.weights[y :: facts.factor[0], x :: facts.factor[1]]
            top, left = y * (high + 1), x * (wide + 1)
            mosaic[top : top + block.shape[0], left : left + block.shape[1]] = block
            if small:
                text = f"phase {y},{x}: {gains[y, x]:.4g}"
                axes.text(left - 0.5, top - 0.6, text, va="bottom", fontsize=9 if columns <= 2 else 7)
    limit = float(np.abs(facts.weights).max()) or 1
    axes.imshow(mosaic, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest", aspect=_aspect(mosaic))
    if max(mosaic.shape) <= 2 * _READABLE:
        _numbers(axes, mosaic, np.abs(np.nan_to_num(mosaic)) > 0.6 * limit)
    axes.set_axis_off()
    cut = "" if max(facts.factor) <= _PHASES else f", the first {rows} x {columns}"
    sums = ", and what they add up to" if small else ""
    axes.set_title(f"Taps of each phase{sums}{cut}", pad=24)


def _overlap(figure: Any, axes: Any, facts: Facts) -> None:
    height, width = (
        min(_MOST_ONES, max(_ONES, -(-n // f) + 2)) for n, f in zip(facts.weights.shape, facts.factor, strict=True)
    )  # so that there is an inside
    ones = facts.overlap((height, width))
    low, high = min(0.0, ones.min()), max(ones.max(), 1e-12)
    image = axes.imshow(ones, cmap="cividis", interpolation="nearest", vmin=low, vmax=high, aspect=_aspect(ones))
    if max(ones.shape) <= 1.5 * _READABLE:
        _numbers(axes, ones, ones < (ones.max() + min(0.0, ones.min())) / 2)
    said = (
        "no mean" if facts.cancels else "even inside" if facts.uneven < 0.01 else f"peak to peak {percent(facts.uneven)} inside"
    )
    before = ", before normalising" if facts.kernel.normalized else ""
    axes.set_title(f"Overlap: {width} x {height} ones enlarged{before}\n{said}")
    axes.set_xlabel("output column")
    axes.set_ylabel("output row")
    _whole_ticks(axes)
    figure.colorbar(image, ax=axes, shrink=0.8)


def _frequency(axes: Any, facts: Facts) -> None:
    end = max(facts.factor) / 2
    cycles = np.linspace(0, end, 500)
    square = facts.factor[0] == facts.factor[1] and "diagonal" in facts.symmetries
    directions = ("horizontal", "diagonal") if square else ("horizontal", "vertical", "diagonal")
    for direction, colour in zip(directions, COLOURS, strict=False):
        label = "horizontal and vertical" if square and direction == "horizontal" else direction
        axes.plot(cycles, facts.frequency(direction, cycles), color=colour, label=label)
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


def _step(axes: Any, facts: Facts) -> None:
    places, values = facts.step(1)
    corrected = facts.corrected_step()
    axes.step([places[0], -0.5, -0.5, places[-1]], [0, 0, 1, 1], color=GREY, linestyle="--", label="edge, as nn makes it")
    for number, row in enumerate(values):
        axes.plot(places, row, color=COLOURS[0], marker="." if places.size < 60 else "", alpha=1 if number == 0 else 0.4,
                  label=("single kernel" if corrected else "rows of output") if number == 0 else None)  # fmt: skip
    if corrected is not None:
        for number, row in enumerate(corrected[1]):
            axes.plot(corrected[0], row, color=COLOURS[1], marker=".", label="with its corrections" if number == 0 else None)
    axes.set_xlim(max(places[0], -6.5), min(places[-1], 5.5))
    axes.set_title(f"Step response: overshoot {percent(facts.overshoot)}")
    axes.set_xlabel("place, in input pixels")
    _legend(axes)


def _impulse(axes: Any, facts: Facts) -> None:
    """Show what a single value becomes along the row and the column through the largest weight."""
    weights = facts.weights
    gain = float(weights.sum()) / (facts.factor[0] * facts.factor[1])
    y, x = np.unravel_index(np.abs(weights).argmax(), weights.shape)
    down, across = (facts.positions(axis, n) for axis, n in enumerate(weights.shape))
    square = facts.factor[0] == facts.factor[1]
    alike = square and weights.shape[0] == weights.shape[1] and y == x and bool(np.allclose(weights[y], weights[:, x]))
    far = max(1.5, np.abs(down).max(), np.abs(across).max()) + 0.25
    wide = np.linspace(-far, far, 800)
    # The ideal one of both axes, along the line through the largest weight, which may lie beside the middle.
    if abs(gain) > 0:
        axes.plot(wide, gain * np.sinc(wide) * np.sinc(down[y]), color=GREY, linestyle="--", label="ideal (sinc) on this line")
    lines = [("along row and column" if alike else "along the row", across, weights[y], COLOURS[0])]
    if not alike:
        lines.append(("along the column", down, weights[:, x], COLOURS[1]))
    for label, places, line, colour in lines:
        axes.vlines(places, 0, line, color=colour, linewidth=1)
        axes.plot(places, line, "o", color=colour, markersize=4, label=label)
    axes.axhline(0, color="black", linewidth=0.5)
    axes.set_title("Impulse response: what a single 1 becomes")
    axes.set_xlabel("distance from its middle, in input pixels")
    _legend(axes)


def _legend(axes: Any) -> None:
    """Say which line is which, below them, where nothing is hidden."""
    axes.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=4, frameon=False, columnspacing=1.2)


def _whole_ticks(axes: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))

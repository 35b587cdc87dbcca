"""Curves of a kernel's figure: what waves, an edge and a single value become, divided by the kernel's gain."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.figures.kernel_analysis import KernelAnalysis
from upscale.figures.kernel_report import EVEN, UNSEEN, edge
from upscale.figures.layout import SMALL, TITLE, Panel
from upscale.figures.matplotlib_files import COLOURS, GREY

Array = NDArray[Any]

#: Where a plot lies in its panel, in inches: left, top, and what is left free at the right and below.
_LEFT, _TOP, _RIGHT, _BELOW = 0.75, 0.72, 0.1, 0.85
#: Most input pixels on either side of the edge that are drawn.
_NEAR = 24.0


def frequency(panel: Panel, analysis: KernelAnalysis) -> None:
    """Draw the magnitude of enlarged waves, each curve up to the highest frequency that its output can contain."""
    panel.write([("Frequency response", TITLE), *_scaling(analysis)])
    axes = _axes(panel, "cycles per input pixel (diagonal: along each axis)", "magnitude (1 = as a flat picture)")
    down, across = (f / 2 for f in analysis.factor)
    same = _directions_are_equal(analysis)
    curves = [("horizontal and vertical" if same else "horizontal", "horizontal", across)]
    curves += [] if same else [("vertical", "vertical", down)]
    curves += [("diagonal", "diagonal", min(down, across))]
    top, end = 1.0, max(down, across)
    for (label, direction, last), colour in zip(curves, COLOURS, strict=False):
        cycles = np.linspace(0, last, 500)
        values = analysis.frequency_response(direction, cycles)
        axes.plot(cycles, values, color=colour, label=label)
        top = max(top, float(values.max()))
    if analysis.mean_gain is None:
        axes.set_ylabel("magnitude", fontsize=SMALL)
    else:
        axes.plot([0, 0.5, 0.5, end], [1, 1, 0, 0], color=GREY, linestyle="--", label="ideal", zorder=1)
    if end > 0.5:
        axes.axvspan(0.5, end, color=GREY, alpha=0.12, linewidth=0)
        # In three lines, for at factor 2 there is only half of the width; and above the curves.
        text = "above the input's\nNyquist frequency: seen as\njagged edges and ripples"
        axes.text(0.5 + 0.02 * end, 0.98, text, va="top", fontsize=8, color="#444444", transform=axes.get_xaxis_transform())
    axes.set(xlim=(0, end), ylim=(0, top / 0.84))
    _legend(axes)


def step(panel: Panel, analysis: KernelAnalysis) -> None:
    """Draw what an edge becomes, in every phase of the other axis."""
    corrected = analysis.corrected_step_response()
    added = "layers" if analysis.kernel.layers is not None else "corrections"
    with_ = f" (with {added})" if corrected else ""
    said = [] if analysis.mean_gain is None else [(edge(analysis) + with_, SMALL)]
    panel.write([("Step response", TITLE), *said, *_scaling(analysis)])
    axes = _axes(panel, "position (input pixels)", "brightness (dark side 0, bright side 1)")
    if _directions_are_equal(analysis):
        lines = [("base kernel" if corrected else "horizontal and vertical", analysis.step_response(1))]
    else:
        lines = [("horizontal", analysis.step_response(1)), ("vertical", analysis.step_response(0))]
    if corrected is not None:
        lines.append((f"with {added}", corrected))
    taps = [analysis.positions(axis, n)[[0, -1]] for axis, n in enumerate(analysis.weights.shape)]
    first, last = max(min(t[0] for t in taps) - 2, -0.5 - _NEAR), min(max(t[1] for t in taps) + 2, -0.5 + _NEAR)
    axes.step([first, -0.5, last], [0, 1, 1], where="post", color=GREY, linestyle="--", label="edge enlarged by nn", zorder=1)
    for (label, (positions, values)), colour in zip(lines, COLOURS, strict=False):
        near = (positions >= first - 1) & (positions <= last + 1)
        # Phases of a separable kernel are the same curve, but for rounding.
        for number, row in enumerate(np.unique((values / (analysis.mean_gain or 1)).round(9), axis=0)):
            marker = "." if near.sum() < 60 else ""
            axes.plot(positions[near], row[near], color=colour, marker=marker, label=label if number == 0 else None)
    axes.set_xlim(first, last)
    _legend(axes)


def impulse(panel: Panel, analysis: KernelAnalysis) -> None:
    """Draw what a single value becomes, along the row and the column of the largest weight."""
    weights = analysis.applied_weights / (analysis.mean_gain or 1)
    y, x = np.unravel_index(np.abs(weights).argmax(), weights.shape)
    note = "along the row and the column of the largest weight"
    panel.write([("Impulse response: a single 1 enlarged", TITLE), (note, SMALL), *_scaling(analysis)])
    axes = _axes(panel, "position (input pixels)", "brightness")
    down, across = (analysis.positions(axis, n) for axis, n in enumerate(weights.shape))
    same = _directions_are_equal(analysis) and bool(np.allclose(weights[y], weights[:, x]))
    lines = [("row and column" if same else "row", across, weights[y], down[y], "--")]
    if not same:
        lines.append(("column", down, weights[:, x], across[x], ":"))
    far = max(1.5, np.abs(down).max(), np.abs(across).max()) + 0.25
    sampled = np.linspace(-far, far, 800)
    beside: list[float] = []
    for (label, positions, values, offset, style), colour in zip(lines, COLOURS, strict=False):
        if _is_comparable(analysis) and not np.isclose(np.sinc(offset), beside).any():
            # The largest weight may lie beside the middle, so the ideal is cut there too.
            ideal = "ideal (sinc)" if same or np.isclose(*np.abs((down[y], across[x]))) else f"ideal, {label}"
            axes.plot(sampled, np.sinc(sampled) * np.sinc(offset), color=GREY, linestyle=style, label=ideal, zorder=1)
            beside.append(float(np.sinc(offset)))
        axes.vlines(positions, 0, values, color=colour, linewidth=1)
        axes.plot(positions, values, "o", color=colour, markersize=4, label=label)
    axes.axhline(0, color="black", linewidth=0.5)
    axes.set_xlim(-far, far)
    _legend(axes)


def _axes(panel: Panel, x: str, y: str) -> Any:
    axes = panel.axes(_LEFT, _TOP, panel.width - _LEFT - _RIGHT, panel.height - _TOP - _BELOW)
    axes.set_xlabel(x, fontsize=SMALL)
    axes.set_ylabel(y, fontsize=SMALL)
    axes.ticklabel_format(axis="y", scilimits=(-3, 4), useOffset=False)
    axes.yaxis.offsetText.set_fontsize(SMALL)
    return axes


def _legend(axes: Any) -> None:
    """Put the legend below the plot, where it hides nothing."""
    axes.legend(fontsize=SMALL, loc="upper center", bbox_to_anchor=(0.45, -0.16), ncols=4, frameon=False, columnspacing=1.2)


def _scaling(analysis: KernelAnalysis) -> list[tuple[str, float]]:
    """Write by what a curve is divided, if that is not 1."""
    gain = analysis.mean_gain
    if gain is None:
        return [("not scaled: the weights sum to zero", SMALL)]
    taken, made = analysis.channels
    whose = "the kernel's gain" if analysis.kernel.channels is None else f"the gain from channel {taken} to channel {made}"
    return [] if abs(gain - 1) < UNSEEN / 100 else [(f"divided by {whose}, {gain:.4g}", SMALL)]


def _directions_are_equal(analysis: KernelAnalysis) -> bool:
    """Whether rows and columns are treated alike, so that one curve stands for both."""
    return analysis.factor[0] == analysis.factor[1] and "diagonal" in analysis.symmetries


def _is_comparable(analysis: KernelAnalysis) -> bool:
    """Whether the ideal, which is symmetric and shifts nothing, is what a kernel may be compared with."""
    shift = analysis.shift
    still = analysis.mean_gain is not None and shift is not None and max(map(abs, shift)) < EVEN
    return still and {"left-right", "up-down"} <= set(analysis.symmetries)

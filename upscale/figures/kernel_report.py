"""The numbers of a `KernelAnalysis` as text: a report for a terminal, and a verdict in sentences."""

from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.choices import format_factor
from upscale.figures.kernel_analysis import CANCELS, KernelAnalysis
from upscale.kernels.layers import Layers
from upscale.kernels.normalize import phase_sums

Array = NDArray[Any]

#: Unevenness in per cent below which sums are equal except for rounding, and below which 8 bits do not show it.
EVEN, UNSEEN = 0.01, 0.4
#: Longest side of a matrix that is printed.
_MATRIX = 8
#: Most output channels that are listed.
_CHANNELS = 16


def report(analysis: KernelAnalysis, name: str) -> str:
    """Describe a kernel in lines for a terminal.

    Parameters
    ----------
    analysis : KernelAnalysis
    name : str
        What the kernel is called.
    """
    lines = [*_header(analysis, name), *_weights(analysis), *_overlap(analysis)]
    (height, width), rank = analysis.weights.shape, analysis.rank
    separable = rank == 1 and min(height, width) > 1
    lines.append(f"symmetry: {', '.join(analysis.symmetries) or 'none'}")
    lines.append(f"rank: {rank}{f', separable: {height} + {width} weights instead of {height * width}' if separable else ''}")
    if analysis.mean_gain is not None:
        lines.append(f"edge: {edge(analysis)}")
    return "\n".join([*lines, f"verdict: {' '.join(verdict(analysis))}"])


def verdict(analysis: KernelAnalysis) -> list[str]:
    """Write what to expect of a kernel, in sentences."""
    if analysis.tap_counts.min() == 0:
        small = any(n < f for n, f in zip(analysis.weights.shape, analysis.factor, strict=True))
        remedy = "Use a kernel at least as large as the stride." if small else "Give each phase a weight other than 0."
        return [f"Some output pixels get only zero weights: expect black gaps. {remedy}"]
    if analysis.phases_sum_to_zero:
        return ["Weights sum to zero: flat areas become black and only edges remain; it cannot be normalised."]
    help_ = "--normalize removes it" if analysis.can_be_normalized else f"it cannot be normalised: {CANCELS}"
    if analysis.sums_to_zero and not analysis.kernel.normalized:
        low, high = f"{analysis.gains.min():.4g}", f"{analysis.gains.max():.4g}"
        return [f"Phases sum to {low} to {high}, together to zero: expect a checkerboard; {help_}."]
    uneven, sentences = analysis.unevenness, []
    if analysis.kernel.normalized:
        before = f" (an uneven overlap of {percent(uneven)} is divided out)" if EVEN <= uneven < np.inf else ""
        sentences.append(f"Normalised: no checkerboard, and brightness is kept{before}.")
    elif uneven >= EVEN:
        seen = "expect a checkerboard" if uneven >= UNSEEN else "a checkerboard that is hardly visible in 8 bits"
        sentences.append(f"Uneven overlap {percent(uneven)}: {seen}; {help_}.")
    else:
        sentences.append("Even overlap: no checkerboard.")
    gain = float(analysis.gains.mean())
    if not analysis.kernel.normalized and abs(gain - 1) > UNSEEN / 100:
        help_ = "; --normalize keeps brightness" if analysis.can_be_normalized else ""
        sentences.append(f"Flat areas become {gain:.4g} times as bright{help_}.")
    if analysis.mean_gain is not None and analysis.overshoot >= 1:
        sentences.append(f"Edges overshoot by {percent(analysis.overshoot)}: halos.")
    return sentences + _shift(analysis)


def edge(analysis: KernelAnalysis) -> str:
    """Write what an enlarged edge looks like: how far it overshoots and, where the phases differ, the ripple beside it."""
    overshoot = f"overshoot {percent(analysis.overshoot)}"
    if analysis.ripple < EVEN:
        return overshoot
    kind = "black gaps" if analysis.tap_counts.min() == 0 else "checkerboard"
    return f"{overshoot}, ripple {percent(analysis.ripple)} ({kind})"


def percent(value: float) -> str:
    """Write a share, without digits that say nothing.

    Examples
    --------
    >>> percent(133.33), percent(7.04), percent(1e-13)
    ('133 %', '7.0 %', '0 %')
    """
    if value >= 9.95:
        return f"{value:.0f} %"
    if value >= 0.05:
        return f"{value:.1f} %"
    return f"{value:.2g} %" if value > 1e-6 else "0 %"


def _header(analysis: KernelAnalysis, name: str) -> list[str]:
    kernel, (height, width) = analysis.kernel, analysis.weights.shape
    kind = "normalised" if kernel.normalized else "not normalised"
    lines = [f"kernel: {name}, {width}x{height} for factor {format_factor(analysis.factor)}, {kind}"]
    if kernel.chain is not None:
        side, count = 2 * kernel.chain.reach + 1, kernel.chain.multiplications
        lines.append(
            f"network: convolutions {_shapes(kernel.chain.weights)} before these weights; they see {side}x{side} pixels"
        )
        lines.append(f"they take {count} multiplications per input pixel")
    if kernel.channels is not None:
        taken, made = kernel.channels
        groups = f" in {kernel.groups} groups" if kernel.groups > 1 else ""
        lines += [f"channels: {taken} to {made}{groups}", *_output_channels(analysis)]
        lines.append(f"below: weights from channel {analysis.channels[0]} to channel {analysis.channels[1]}")
    if kernel.corrections is not None:
        classes = kernel.corrections.classes
        lines.append(f"corrections: {classes}, one chosen for each pixel; figures below are for the base kernel, except 'edge'")
    if kernel.layers is not None:
        lines += _layers(kernel.layers)
    if kernel.bias is not None:
        lines.append(f"bias: {' '.join(f'{b:.4g}' for b in kernel.bias)}")
    return lines


def _layers(layers: Layers) -> list[str]:
    """Write what a deep kernel's layers are, and what they take."""
    arrays = [*layers.convolutions, *layers.slopes, *(layers.biases if layers.has_biases else []), layers.weights]
    side, number = 2 * layers.reach + 1, sum(a.size for a in arrays)
    height, width = layers.weights.shape[2:]
    return [
        f"layers: convolutions {_shapes(layers.convolutions)}, each with {'biases and ' * layers.has_biases}PReLU",
        f"then a transposed convolution {width}x{height} {len(layers.weights)} to 1, added to the single kernel's output",
        f"each output pixel sees {side}x{side} input pixels and takes {layers.multiplications:.0f} multiplications; "
        f"{number} weights",
        "figures below are for the single kernel without the layers, except 'edge'",
    ]


def _shapes(convolutions: list[Array]) -> str:
    """Write the size and the channels of convolutions; of equal ones only once."""
    shapes = [f"{a.shape[2]}x{a.shape[2]} {a.shape[1]} to {a.shape[0]}" for a in convolutions]
    runs = [(shape, len(list(same))) for shape, same in groupby(shapes)]
    return ", ".join(f"{shape}{f' ({many} times)' if many > 1 else ''}" for shape, many in runs)


def _output_channels(analysis: KernelAnalysis) -> list[str]:
    """Write the gain of each output channel of a kernel that mixes channels."""
    kernel = analysis.kernel
    every = phase_sums(kernel.weights, analysis.factor, kernel.groups)
    lines = []
    for made, gains in enumerate(every[:_CHANNELS]):
        mean = float(gains.mean())
        uneven = f", uneven by {percent(100 * float(np.ptp(gains)) / abs(mean))}" if mean else ""
        lines.append(f"  to channel {made}: gain {gains.min():.4g} to {gains.max():.4g}{uneven}")
    return lines + ([f"  and {len(every) - _CHANNELS} more"] if len(every) > _CHANNELS else [])


def _weights(analysis: KernelAnalysis) -> list[str]:
    weights, fewest, most = analysis.weights, int(analysis.tap_counts.min()), int(analysis.tap_counts.max())
    lines = ["weights:", *_matrix(weights)] if max(weights.shape) <= _MATRIX else []
    lines.append(f"sum: {weights.sum():.6g}, weights from {weights.min():.4g} to {weights.max():.4g}")
    lines.append(f"copies per output pixel: {fewest if fewest == most else f'{fewest} to {most}'}")
    return lines


def _overlap(analysis: KernelAnalysis) -> list[str]:
    gains, even, lines = analysis.gains, analysis.unevenness < EVEN, []
    if not analysis.sums_to_zero and even:
        lines.append(f"gain: {gains.mean():.6g} in {'each phase' if gains.size > 1 else 'the only phase'}")
    elif gains.size <= _MATRIX**2:
        lines += ["gain of each phase:", *_matrix(gains)]
    else:
        lines.append(f"gain of the {gains.size} phases: {gains.min():.4g} to {gains.max():.4g}")
    if not analysis.sums_to_zero:
        lines.append(f"overlap: {'even' if even else f'{percent(analysis.unevenness)} peak to peak'}")
    return lines


def _shift(analysis: KernelAnalysis) -> list[str]:
    """Write by how much the image is shifted, if it is: a sentence or nothing."""
    if analysis.shift is None or max(map(abs, analysis.shift)) < EVEN:
        return []
    down, right = analysis.shift
    moves = [
        (f"{abs(v):.3g}", directions[v > 0])
        for v, directions in ((right, ("left", "right")), (down, ("up", "down")))
        if abs(v) >= EVEN
    ]
    (first, direction), *second = moves
    unit = "output pixel" if float(first) <= 1 else "output pixels"
    others = [f" and {way}" if much == first else f" and {much} {way}" for much, way in second]
    return [f"Shifts the image {first} {unit} {direction}{''.join(others)}."]


def _matrix(values: Array) -> list[str]:
    cells = [[f"{v:.4g}" for v in row] for row in values]
    width = max(len(cell) for row in cells for cell in row)
    return ["  " + "  ".join(cell.rjust(width) for cell in row) for row in cells]

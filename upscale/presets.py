"""The preset kernels: one table from a name to a function of distance and its support.

A preset is a classical interpolation filter ``h(x)``, x in input pixels, sampled at the output pixels' distances:
tap i of a k-tap kernel for a whole factor lies ``(i - (k - 1) / 2) / factor`` from the centre. ``k - factor`` is even,
so that ``same`` padding crops equally on both sides and nothing shifts by half a pixel.

Nothing here needs NumPy, so that the command line can list the names at once.
"""

import math
from collections.abc import Callable
from typing import NamedTuple


class Preset(NamedTuple):
    """An interpolation filter.

    Attributes
    ----------
    value : callable
        The filter's value at a distance of at least 0, in input pixels.
    support : float
        Its half width in input pixels: the value is 0 at and beyond it.
    about : str
        What it is good and bad at.
    """

    value: Callable[[float], float]
    support: float
    about: str


def _sinc(x: float) -> float:
    return math.sin(math.pi * x) / (math.pi * x) if x else 1.0


def _cubic(x: float, a: float = -0.5) -> float:
    # Keys, "Cubic convolution interpolation for digital image processing", IEEE ASSP 29 (1981), equation 15 for a = -1/2.
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a


PRESETS: dict[str, Preset] = {
    "box": Preset(lambda x: 1.0, 0.5, "the same picture as nn"),
    "bilinear": Preset(lambda x: 1 - x, 1, "soft, no overshoot"),
    "bicubic": Preset(_cubic, 2, "sharper, slight halos at hard edges (Keys, a = -0.5)"),
    "lanczos3": Preset(lambda x: _sinc(x) * _sinc(x / 3), 3, "sharpest of these, halos at hard edges"),
}


def length(preset: Preset, factor: int) -> int:
    """Count the taps of a preset's one-dimensional kernel for a factor."""
    # The outermost distance (k - 1) / 2 / factor must stay inside the support.
    size = math.ceil(2 * preset.support * factor + 1) - 1
    return size - (size - factor) % 2


def sample(preset: Preset, factor: int) -> list[float]:
    """Sample a preset into the taps of a one-dimensional kernel.

    Parameters
    ----------
    preset : Preset
        An entry of `PRESETS`.
    factor : int
        How many times larger, at least 1.

    Returns
    -------
    list of float
        k taps, k - factor even, not normalised.

    Examples
    --------
    >>> sample(PRESETS["bilinear"], 2)
    [0.25, 0.75, 0.75, 0.25]
    """
    size = length(preset, factor)
    return [preset.value(abs(2 * i - (size - 1)) / (2 * factor)) for i in range(size)]

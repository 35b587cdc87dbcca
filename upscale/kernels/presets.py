"""The preset kernels: one table from name to a function of distance and its support.

A preset is a classical interpolation filter ``h(x)``, x in input pixels, sampled at the output pixels' distances:
tap i of a k-tap kernel for a whole factor lies ``(i - (k - 1) / 2) / factor`` from the centre. ``k - factor`` is even,
so ``same`` padding crops both sides equally and nothing shifts by half a pixel.

Nothing here needs NumPy, so that the command line can list the names at once.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

from upscale.errors import ArgumentError


class Preset(NamedTuple):
    """An interpolation filter.

    Attributes
    ----------
    value : callable
        Maps a distance of at least 0, in input pixels, and the parameter (0 if there is none) to the filter's value.
    support : callable
        Maps the parameter to the half width in input pixels; at and beyond it, the value is 0 or left out.
    good, bad : str
        What it is good and bad at.
    parameter : str
        What the parameter is; empty if there is none.
    default : float
        Value of the parameter if none is given.
    span : (float, float)
        Least and greatest value of the parameter.
    length : int
        Number of taps at every factor; 0: as many as lie within the support.
    normalized : bool
        Divide the weights that reach each output pixel by their sum.
    """

    value: Callable[[float, float], float]
    support: Callable[[float], float]
    good: str
    bad: str
    parameter: str = ""
    default: float = 0.0
    span: tuple[float, float] = (0.0, 0.0)
    length: int = 0
    normalized: bool = True


def _sinc(x: float) -> float:
    return math.sin(math.pi * x) / (math.pi * x) if x else 1.0


def _keys(x: float, a: float) -> float:
    # Keys, "Cubic convolution interpolation for digital image processing", IEEE Trans. ASSP 29 (1981), with his -1/2 as a.
    if x < 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a


def _cubic(x: float, b: float, c: float) -> float:
    # Mitchell and Netravali, "Reconstruction filters in computer graphics", SIGGRAPH 1988, equation 8.
    if x < 1:
        return ((12 - 9 * b - 6 * c) * x**3 + (-18 + 12 * b + 6 * c) * x * x + (6 - 2 * b)) / 6
    return ((-b - 6 * c) * x**3 + (6 * b + 30 * c) * x * x + (-12 * b - 48 * c) * x + (8 * b + 24 * c)) / 6


def _lanczos(lobes: int, good: str, bad: str) -> Preset:
    # Duchon, "Lanczos filtering in one and two dimensions", J. Applied Meteorology 18 (1979).
    return Preset(lambda x, _: _sinc(x) * _sinc(x / lobes), lambda _: lobes, good, bad)


_BICUBIC = Preset(
    _keys,
    lambda _: 2,
    "photos in general: sharp and fast",
    "slight halos at sharp edges",
    parameter="a, the slope at distance 1; OpenCV uses -0.75",
    default=-0.5,
    span=(-3, 0),
)

#: All presets by name.
PRESETS: dict[str, Preset] = {
    "box": Preset(lambda x, _: 1.0, lambda _: 0.5, "same result as nn, as a transposed convolution", "blocks"),
    "bilinear": Preset(lambda x, _: 1 - x, lambda _: 1, "no halos, fast", "soft, with visible creases along the pixel grid"),
    "hamming": Preset(
        # A sinc under the window of Hamming, "Digital Filters" (1977).
        lambda x, _: _sinc(x) * (0.54 + 0.46 * math.cos(math.pi * x)),
        lambda _: 1,
        "as fast as bilinear, but sharper",
        "visible steps on slanted edges",
    ),
    "bicubic": _BICUBIC,
    "catmull-rom": _BICUBIC._replace(parameter="", default=-0.5),
    "mitchell": Preset(
        lambda x, _: _cubic(x, 1 / 3, 1 / 3), lambda _: 2, "a balance of blur, halos and steps", "slightly soft"
    ),
    "bspline": Preset(lambda x, _: _cubic(x, 1, 0), lambda _: 2, "smoothest: no halos, no creases", "blurs strongly"),
    "lanczos2": _lanczos(2, "similar to bicubic", "halos at sharp edges"),
    "lanczos3": _lanczos(3, "fine detail in photos", "halos and ripples at sharp edges"),
    "lanczos4": _lanczos(4, "finest detail", "more ripples; slowest of the presets"),
    "gaussian": Preset(
        lambda x, sigma: math.exp(-x * x / (2 * sigma * sigma)),
        lambda sigma: max(0.5, 4 * sigma),
        "blur of a chosen width, no halos",
        "blurs",
        parameter="standard deviation in input pixels",
        default=0.5,
        span=(0.05, 16),
    ),
    "zero": Preset(
        lambda x, _: 1.0,
        lambda _: 0.0,
        "studying the operator (each value once, with zeros between)",
        "dark, since it is not normalised",
        length=1,
        normalized=False,
    ),
}

#: What other programs and papers call the presets, for messages.
SYNONYMS = {
    "linear": "bilinear",
    "triangle": "bilinear",
    "tent": "bilinear",
    "cubic": "bicubic",
    "catrom": "catmull-rom",
    "b-spline": "bspline",
    "lanczos": "lanczos3",
    "gauss": "gaussian",
}


class Filter(NamedTuple):
    """A preset with its parameter.

    Attributes
    ----------
    name : str
    parameter : float
    """

    name: str
    parameter: float

    @property
    def normalized(self) -> bool:
        """Whether the weights that reach each output pixel are divided by their sum."""
        return PRESETS[self.name].normalized

    def length(self, factor: int) -> int:
        """Return the number of taps of the one-dimensional kernel for a factor."""
        preset = PRESETS[self.name]
        if preset.length:
            return preset.length
        # The outermost distance (k - 1) / 2 / factor must stay inside the support.
        size = math.ceil(2 * preset.support(self.parameter) * factor + 1) - 1
        return size - (size - factor) % 2

    def sample(self, factor: int) -> list[float]:
        """Return the taps of the one-dimensional kernel for a factor, before any normalising.

        Examples
        --------
        >>> named("bilinear").sample(2)
        [0.25, 0.75, 0.75, 0.25]
        """
        size = self.length(factor)
        value = PRESETS[self.name].value
        return [value(abs(2 * i - (size - 1)) / (2 * factor), self.parameter) for i in range(size)]


def named(text: str) -> Filter | None:
    """Return the preset that ``name`` or ``name:parameter`` means, or None if there is no preset of that name.

    Raises
    ------
    ArgumentError
        If the parameter is not a number, is out of range, or the preset has none.
    """
    name, colon, number = text.partition(":")
    preset = PRESETS.get(name)
    if preset is None:
        return None
    if not colon:
        return Filter(name, preset.default)
    if not preset.parameter:
        raise ArgumentError(f"preset {name} has no parameter; give {name} alone, not {text!r}")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    low, high = preset.span
    if not low <= value <= high:
        raise ArgumentError(
            f"preset {name}: its parameter ({preset.parameter}) must lie between {low:g} and {high:g}, not {number!r}"
        )
    return Filter(name, value)


def table() -> str:
    """List all presets with what each is good and bad at."""
    lines = []
    for name, preset in PRESETS.items():
        written = f"{name}[:{preset.default:g}]" if preset.parameter else name
        lines.append(f"{written:16}good: {preset.good}")
        lines.append(f"{'':16}bad: {preset.bad}")
        if preset.parameter:
            lines.append(f"{'':16}parameter: {preset.parameter}")
    return "\n".join(lines)

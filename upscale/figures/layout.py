"""Where things stand in a figure, in inches, and font sizes at which texts fit: what matplotlib's layouts do not promise."""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.figures.matplotlib_files import short

Array = NDArray[Any]

#: Points in an inch, and the smallest font size that can be read.
POINT, SMALLEST = 72, 5.0
#: Font sizes: of titles, and of everything else.
TITLE, SMALL = 11.5, 9.0
#: The height of a line, as a multiple of its font size.
_LINE = 1.25


@lru_cache(maxsize=4096)
def em_width(text: str) -> float:
    """Measure a line of text in matplotlib's default font, as a multiple of its font size."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    return float(text_to_path.get_text_width_height_descent(text, FontProperties(size=100), ismath=False)[0]) / 100


def fitting_size(texts: Iterable[str], width: float, height: float, most: float, least: float = SMALLEST) -> float | None:
    """Choose the font size at which each of some lines fits into a box.

    Parameters
    ----------
    texts : iterable of str
    width, height : float
        Of the box, in points.
    most, least : float
        The largest size, and the smallest.

    Returns
    -------
    float or None
        None if they do not fit at `least`.
    """
    longest = max((em_width(text) for text in texts), default=0.0)
    size = min(most, 0.84 * width / max(longest, 0.1), 0.6 * height)
    return size if size >= least else None


def wrapped(text: str, size: float, width: float) -> list[str]:
    """Break a text between words into lines of at most `width` points."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and em_width(longer) * size <= 0.98 * width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def draw_numbers(
    axes: Any, values: Array, dark: Array, cell: tuple[float, float], corner: tuple[float, float] = (0, 0)
) -> None:
    """Write numbers into cells, or none at all where they would be too small to read.

    Parameters
    ----------
    axes : matplotlib Axes
        In units of cells, whose middles are whole numbers apart.
    values : ndarray, shape (H, W)
    dark : ndarray of bool, shape (H, W)
        The cells whose colour is dark.
    cell : (float, float)
        Width and height of a cell, in points.
    corner : (float, float)
        The middle of the upper left cell, x and y.
    """
    largest = float(np.abs(values).max(initial=0)) or 1
    texts = {at: short(float(value), largest) for at, value in np.ndenumerate(values)}
    size = fitting_size(texts.values(), *cell, most=10)
    if size is None:
        return
    for (y, x), text in texts.items():
        colour = "white" if dark[y, x] else "black"
        axes.text(corner[0] + x, corner[1] + y, text, ha="center", va="center", fontsize=size, color=colour)


class Panel(NamedTuple):
    """A part of a figure; all lengths are inches, from its upper left corner.

    Attributes
    ----------
    figure : matplotlib Figure
    left, top, width, height : float
        Where it lies in the figure.
    """

    figure: Any
    left: float
    top: float
    width: float
    height: float

    def axes(self, left: float, top: float, width: float, height: float) -> Any:
        """Add axes, whose ticks and labels come on top of this size."""
        wide, high = self.figure.get_size_inches()
        bottom = high - self.top - top - height
        axes = self.figure.add_axes(((self.left + left) / wide, bottom / high, width / wide, height / high))
        axes.tick_params(labelsize=SMALL)
        return axes

    def write(self, lines: Iterable[tuple[str, float]]) -> float:
        """Write lines from the top down, each with its font size, which shrinks where a line is too long.

        Returns
        -------
        float
            The height that they take.
        """
        wide, high = self.figure.get_size_inches()
        below = 0.0
        for text, most in lines:
            size = min(most, 0.98 * self.width * POINT / max(em_width(text), 0.1))
            at = self.left / wide, 1 - (self.top + below) / high
            self.figure.text(*at, text, fontsize=size, va="top", color="black" if most >= TITLE else "#444444")
            below += _LINE * most / POINT
        return below

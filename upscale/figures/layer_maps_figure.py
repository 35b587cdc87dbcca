"""The layers of a deep kernel drawn: the maps that each convolution makes of a picture, and what they add in the end."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.figures.layer_maps import LayerMaps
from upscale.figures.layout import POINT, SMALL, TITLE, Panel, wrapped
from upscale.figures.matplotlib_files import new_figure, plain

Array = NDArray[Any]

#: The figure's width, its margin, the height of a caption, and the space between maps and below a row, in inches.
_WIDTH, _MARGIN, _CAPTION, _BETWEEN, _BELOW = 12.0, 0.3, 0.2, 0.08, 0.2
#: Maps in a row.
_ROW = 16


def draw_maps(found: LayerMaps, name: str) -> Any:
    """Draw the layers of a deep kernel; call it within `matplotlib_files.drawing`.

    Parameters
    ----------
    found : LayerMaps
    name : str
        What the kernel is called.

    Returns
    -------
    matplotlib Figure
    """
    inner, shape = _WIDTH - 2 * _MARGIN, found.luma.shape[0] / found.luma.shape[1]
    small, large = (inner + _BETWEEN) / _ROW - _BETWEEN, (inner + _BETWEEN) / 4 - _BETWEEN
    lines = [(line, TITLE) for line in wrapped(_title(found, name), TITLE, inner * POINT)]
    header = 1.25 * TITLE * len(lines) / POINT + 0.1
    rows = [-(-len(maps) // _ROW) for maps in found.maps]
    heights = [_CAPTION + many * (small * shape + _BETWEEN) + _BELOW for many in rows]
    figure = new_figure(_WIDTH, header + sum(heights) + _CAPTION + large * shape + 2 * _MARGIN, layout=None)
    Panel(figure, _MARGIN, _MARGIN, inner, header).write(lines)
    top = _MARGIN + header
    for number, (maps, height) in enumerate(zip(found.maps, heights, strict=True)):
        panel = Panel(figure, _MARGIN, top, inner, height)
        panel.write([(_caption(found, number), SMALL)])
        for n, values in enumerate(maps):
            most = float(np.abs(values).max()) or 1.0
            left, below = n % _ROW * (small + _BETWEEN), _CAPTION + n // _ROW * (small * shape + _BETWEEN)
            _show(panel.axes(left, below, small, small * shape), values, (-most, most))
        top += height
    low, high = float(found.luma.min()), float(found.luma.max())
    most = float(np.abs(found.correction).max()) or 1.0
    parts = (
        ("luma of the input", found.luma, (low, high)),
        ("the single kernel's output", found.single, (low, high)),
        ("plus the transposed convolution of the last maps", found.correction, (-most, most)),
        ("is the result", found.result, (low, high)),
    )
    for n, (text, values, limits) in enumerate(parts):
        panel = Panel(figure, _MARGIN + n * (large + _BETWEEN), top, large, _CAPTION + large * shape)
        panel.write([(text, SMALL)])
        _show(panel.axes(0, _CAPTION, large, large * shape), values, limits)
    return figure


def _show(axes: Any, values: Array, limits: tuple[float, float]) -> None:
    """Show an array: grey, or blue below 0 and red above where the limits are the same on both sides."""
    colours = "RdBu_r" if limits[0] == -limits[1] else "gray"
    axes.imshow(
        values, cmap=colours, vmin=limits[0], vmax=max(limits[1], limits[0] + 1e-9), interpolation="nearest", aspect="auto"
    )
    axes.set(xticks=[], yticks=[])


def _title(found: LayerMaps, name: str) -> str:
    side = 2 * found.layers.reach + 1
    return (
        f"{plain(name)}: {len(found.maps)} convolutions and a transposed convolution for factor {found.layers.factor}; "
        f"each output pixel sees {side} x {side} input pixels"
    )


def _caption(found: LayerMaps, number: int) -> str:
    made, taken, side, _ = found.layers.convolutions[number].shape
    key = "; red: above 0, blue: below, each map scaled by itself" if number == 0 else ""
    return f"{number + 1}. convolution {side} x {side}, {taken} to {made} channels, PReLU{key}"

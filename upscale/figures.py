"""What all figures share: matplotlib, which is optional, and files that are whole or absent."""

import io
import math
import os.path
from collections.abc import Iterable
from typing import Any

from upscale.errors import FileError
from upscale.files import check_place, replacing

#: Suffixes of figures.
SUFFIXES = (".png", ".svg", ".pdf")
#: Lines, in this order: colours that those can tell apart who do not see all of them (Okabe and Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
GREY = "#8a8a8a"


def new_figure(width: float, height: float) -> Any:
    """Make an empty figure, of a size in inches, that no window belongs to.

    Raises
    ------
    FileError
        Where matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise FileError("figures need the library matplotlib: pip install matplotlib") from None
    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def save(path: str, figure: Any, *, dpi: int = 150) -> None:
    """Write a figure in the format of its suffix, the same bytes for the same figure.

    Raises
    ------
    FileError
        Where it cannot be written.
    """
    import matplotlib

    suffix = os.path.splitext(path)[1].lower()
    undated: dict[str, Any] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(suffix, {})
    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "upscale"}):
        figure.savefig(file, format=suffix[1:], dpi=dpi, metadata=undated)
    check_place(path)
    with replacing(path) as out:
        out.write(file.getbuffer())


def save_animation(path: str, figures: Iterable[Any], milliseconds: list[int], *, dpi: int = 100) -> None:
    """Write figures of one size, one after another, as a GIF that goes on for ever.

    Raises
    ------
    FileError
        Where it cannot be written.
    """
    import numpy as np
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    frames = []
    for figure in figures:
        figure.set_dpi(dpi)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        frames.append(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3]).quantize(64))
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=milliseconds, loop=0)
    check_place(path)
    with replacing(path) as out:
        out.write(file.getbuffer())


def short(value: float, largest: float) -> str:
    """Write a number of a table to three digits of the table's largest.

    Examples
    --------
    >>> short(0.7519531, 0.7519531), short(-0.0609741, 0.7519531), short(2.0, 2.0)
    ('0.752', '-0.061', '2')
    """
    decimals = max(0, 2 - math.floor(math.log10(largest)))
    text = f"{value + 0.0:.{decimals}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) if float(text) else "0"

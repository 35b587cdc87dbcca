"""What all figures share: matplotlib, which is optional, and files that are whole or absent."""

import contextlib
import io
import logging
import math
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, Literal

from upscale.errors import FileError
from upscale.output_files import write

#: Suffixes of figures.
SUFFIXES = (".png", ".svg", ".pdf")
#: Colours of lines, in this order, that colour-blind readers can distinguish (Okabe and Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
GREY = "#8a8a8a"


@contextlib.contextmanager
def drawing() -> Iterator[None]:
    """Draw with matplotlib's default settings, not the user's, and without its warnings.

    Raises
    ------
    FileError
        If matplotlib is not installed.
    """
    if "matplotlib" not in sys.modules:
        os.environ["MPLBACKEND"] = "agg"  # no window is opened, and the user's backend may be missing
        logging.getLogger("matplotlib").setLevel(logging.CRITICAL)
    try:
        import matplotlib
    except ImportError:
        raise FileError("figures need the library matplotlib: pip install matplotlib") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of letters that its fonts lack, and of figures that are too small
        settings = matplotlib.rcParamsDefault | {"svg.hashsalt": "upscale"}
        del settings["backend"]  # which would not be set back, and which no figure here uses
        with matplotlib.rc_context(settings):
            yield


def new_figure(width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> Any:
    """Make an empty white figure without a window; width and height are in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout=layout, facecolor="white")


def save(path: str, figure: Any, *, dpi: int = 150) -> None:
    """Write a figure in the format of its suffix, the same bytes for the same figure.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    suffix = os.path.splitext(path)[1].lower()
    undated: dict[str, Any] = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(suffix, {})
    file = io.BytesIO()
    figure.savefig(file, format=suffix[1:], dpi=dpi, metadata=undated)
    write(path, file.getvalue())


def save_animation(path: str, figures: Iterable[Any], milliseconds: list[int], *, dpi: int = 100) -> None:
    """Write figures of one size, one after another, as a GIF that repeats for ever.

    Raises
    ------
    FileError
        If it cannot be written.
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
    write(path, file.getvalue())


def plain(text: str, most: int = 60) -> str:
    """Prepare a text for matplotlib: without mathematics and unprintable characters, and cut in the middle if it is long."""
    text = "".join(c if c.isprintable() else "?" for c in text)
    if len(text) > most:
        text = f"{text[: most // 2]}...{text[-most // 2 :]}"
    return text.replace("$", r"\$")


def short(value: float, largest: float) -> str:
    """Write a number of a table to as many decimals as give the table's largest number three digits.

    Examples
    --------
    >>> short(0.7519531, 0.7519531), short(-0.0609741, 0.7519531), short(2.0, 2.0), short(3e38, 3e38)
    ('0.752', '-0.061', '2', '3e38')
    """
    if not 1e-2 <= largest < 1e5:
        return f"{value:.2g}".replace("e+", "e").replace("e0", "e").replace("e-0", "e-")
    text = f"{value:.{max(0, 2 - math.floor(math.log10(largest)))}f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) if float(text) else "0"

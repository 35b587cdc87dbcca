"""A kernel as HTML, for notebooks."""

import base64
import html

from upscale.kernels.low_rank import Floats

#: Longest side of weights that are shown as numbers.
_READABLE = 12


def kernel_html(text: str, png: bytes | None, weights: Floats | None) -> str:
    """Write a kernel as HTML.

    Parameters
    ----------
    text : str
        The kernel in words.
    png : bytes, optional
        A figure of it.
    weights : ndarray, optional
        Shown without a figure, if they are 2-dimensional and few.

    Returns
    -------
    str
        In which `text` is escaped.
    """
    shown = f"<pre>{html.escape(text)}</pre>"
    if png is not None:
        return f'{shown}<img alt="the kernel" width="900" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
    if weights is None or weights.ndim != 2 or max(weights.shape) > _READABLE:
        return shown
    rows = ("".join(f"<td>{weight:.4g}</td>" for weight in row) for row in weights.tolist())
    return shown + "<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>"

"""The page of a comparison: one HTML file that needs no network, with a slider between any two pictures."""

import base64
import io
import re
from html import escape
from pathlib import Path

from upscale.figures.comparison import Comparison, Panel


def render_page(comparison: Comparison) -> str:
    """Fill in `comparison_page.html`: names and numbers are escaped, pictures are PNGs in data URIs.

    Returns
    -------
    str
        Valid HTML, which shows all pictures even without its script.
    """
    width, height = size = comparison.enlarged[0].image.size
    parts = {
        "source": escape(comparison.source),
        "details": escape(comparison.details),
        "width": str(width),
        "height": str(height),
        "measured": "PSNR and SSIM are of the whole picture; the best are bold." if comparison.measured else "",
        "table": _table(comparison),
        "figures": "\n".join(_figure(panel, size) for panel in comparison.panels),
    }
    template = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def _table(comparison: Comparison) -> str:
    """Write a row for each enlargement: its name and its numbers."""
    heads, first = ("PSNR, dB", "SSIM", "seconds"), 0 if comparison.measured else 2
    rows = ["<tr><th></th>" + "".join(f'<th scope="col">{head}</th>' for head in heads[first:]) + "</tr>"]
    for panel in comparison.enlarged:
        cells = [f'<th scope="row">{escape(panel.name)}</th>']
        for text, best in list(zip(panel.numbers, (*comparison.best, ""), strict=True))[first:]:
            marked = f"<strong>{text}</strong>" if text and text == best else escape(text) or "&ndash;"
            cells.append(f"<td>{marked}</td>")
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f"<thead>{rows[0]}</thead>\n<tbody>\n" + "\n".join(rows[1:]) + "\n</tbody>"


def _figure(panel: Panel, size: tuple[int, int]) -> str:
    """Write a picture, shown in a size in which all are equally large; its file has its own size."""
    name, file = escape(panel.name), io.BytesIO()
    profile = panel.image.info.get("icc_profile")
    panel.image.save(file, "PNG", optimize=True, **({"icc_profile": profile} if profile else {}))
    data = base64.b64encode(file.getvalue()).decode("ascii")
    return (
        f'<figure data-name="{name}"{" data-enlarged" if panel.enlarged else ""}><figcaption>{name}</figcaption>'
        f'<img src="data:image/png;base64,{data}" alt="{name}" width="{size[0]}" height="{size[1]}"></figure>'
    )

"""The page of a comparison: one HTML file that needs no network, with a slider between any two pictures."""

import base64
import io
import re
from html import escape
from pathlib import Path

from upscale.compare import Comparison, Panel


def rendered(comparison: Comparison) -> str:
    """Fill in `page.html`: names and numbers are escaped, pictures are PNGs in data URIs.

    Returns
    -------
    str
        HTML that is valid, and shows all pictures, without its script too.
    """
    width, height = comparison.enlarged[0].image.size
    best = comparison.best
    parts = {
        "source": escape(comparison.source),
        "details": escape(comparison.details),
        "width": str(width),
        "height": str(height),
        "best": "The best PSNR and SSIM are bold." if best[0] else "",
        "measured": "" if comparison.enlarged[0].psnr is not None else "unmeasured",
        "rows": "\n".join(_row(panel, best) for panel in comparison.panels),
        "figures": "\n".join(_figure(panel) for panel in comparison.panels),
    }
    template = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def _row(panel: Panel, best: tuple[str, str]) -> str:
    name = escape(panel.name)
    cells = [
        f"<td><strong>{text}</strong></td>" if text and text == most else f"<td>{text}</td>"
        for text, most in zip(panel.numbers, (*best, ""), strict=True)
    ]
    buttons = "".join(f'<td><button type="button" data-side="{side}">{side}</button></td>' for side in ("left", "right"))
    return f'<tr data-name="{name}"><th scope="row">{name}</th>{"".join(cells)}{buttons}</tr>'


def _figure(panel: Panel) -> str:
    name, file = escape(panel.name), io.BytesIO()
    profile = panel.image.info.get("icc_profile")
    panel.image.save(file, "PNG", optimize=True, **({"icc_profile": profile} if profile else {}))
    data = base64.b64encode(file.getvalue()).decode("ascii")
    size = f'width="{panel.image.width}" height="{panel.image.height}"'
    return (
        f'<figure data-name="{name}"><figcaption>{name}</figcaption>'
        f'<img src="data:image/png;base64,{data}" alt="{name}" {size}></figure>'
    )

"""Make the pictures of README.md and docs/ from the sample pictures: `python docs/make_images.py`."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

import upscale
from upscale.figures import kernel_figure, matplotlib_files, operator_steps_figure
from upscale.figures.kernel_analysis import analyse
from upscale.figures.operator_steps import compute_steps
from upscale.kernels.kernel_spec import parse_kernel
from upscale.kernels.load import load
from upscale.kernels.presets import PRESETS
from upscale.operators.parameters import Operator

ROOT = Path(__file__).parent.parent
GAP, LINE, CAPTION = 12, 22, 44


def sheet(rows: list[list[tuple[str, Image.Image]]], titles: list[str] | None = None) -> Image.Image:
    """Put captioned pictures side by side at 100 %, on white; rows may have titles."""
    width = max(sum(max(picture.width, CAPTION) + GAP for _, picture in row) + GAP for row in rows)
    above = LINE if titles else 0
    heights = [max(picture.height for _, picture in row) + LINE + GAP + above for row in rows]
    out = Image.new("RGB", (width, sum(heights) + GAP), "white")
    draw, font = ImageDraw.Draw(out), ImageFont.load_default(13)
    y = GAP
    for number, (row, height) in enumerate(zip(rows, heights, strict=True)):
        if titles:
            draw.text((GAP, y), titles[number], fill="black", font=ImageFont.load_default(15))
        x = GAP
        for caption, picture in row:
            draw.text((x, y + above), caption, fill="#444444" if titles else "black", font=font)
            shown = picture.convert("RGBA")
            out.paste(shown, (x, y + above + LINE), shown)
            x += max(picture.width, CAPTION) + GAP
        y += height
    return out


def hero() -> Image.Image:
    """Show before and after by both methods."""
    potion = Image.open(ROOT / "sample_images/potion.png")
    lake = Image.open(ROOT / "sample_images/lake.png").crop((176, 204, 240, 268))
    return sheet(
        [
            [
                ("before", potion),
                ("--factor 7", upscale.enlarge(potion, 7)),
                ("before", lake),
                ("--factor 4", upscale.enlarge(lake, 4)),
                ("--method tconv --kernel bicubic --factor 4", upscale.enlarge(lake, 4, "tconv", "bicubic")),
            ]
        ]
    )


def gallery() -> Image.Image:
    """Show every preset on the same crop."""
    crop = Image.open(ROOT / "sample_images/lake.png").crop((196, 212, 244, 252))
    shown = [("before", crop)]
    shown += [(name, upscale.enlarge(crop, 4, "tconv", name)) for name in PRESETS if name != "catmull-rom"]
    return sheet([shown[i : i + 4] for i in range(0, len(shown), 4)])


def checkerboard() -> Image.Image:
    """Show what an uneven overlap does, and what normalising does about it, both equally bright."""
    crop = Image.open(ROOT / "sample_images/lake.png").crop((300, 60, 360, 110))
    gain = 9 / 4  # of 3 x 3 ones at factor 2
    dark = upscale.enlarge(crop.point(lambda v: v / gain / 1.4), 2, "tconv", np.ones((3, 3)))
    even = upscale.enlarge(crop.point(lambda v: v / 1.4), 2, "tconv", np.ones((3, 3)), normalize=True)
    shown = [('--kernel "1,1,1; 1,1,1; 1,1,1"', dark), ("the same with --normalize", even)]
    return sheet([[(caption, upscale.enlarge(picture, 2)) for caption, picture in shown]])


def learned() -> Image.Image:
    """Show what the shipped kernels do to pictures that were made smaller, and to others."""
    lake = Image.open(ROOT / "sample_images/lake.png").convert("RGB")
    crop, file = lake.crop((176, 204, 220, 244)), io.BytesIO()
    lake.save(file, "JPEG", quality=50)
    noise = np.random.default_rng(0).normal(0, 10, (*crop.size[::-1], 3))
    soft = np.asarray(crop.filter(ImageFilter.GaussianBlur(0.8))) + noise
    pictures = {
        "a picture that was made smaller": lake.crop((132, 168, 220, 248)).resize((44, 40), Image.Resampling.BICUBIC),
        "a picture as it was painted": crop,
        "out of a JPEG of quality 50": Image.open(file).crop((176, 204, 220, 244)),
        "soft and noisy, as a scan": Image.fromarray(np.clip(soft, 0, 255).astype(np.uint8)),
        "pixel art": Image.open(ROOT / "sample_images/potion.png").convert("RGBA"),
    }
    kernels = ("nn", "bicubic", "learned", "adaptive", "adaptive-jpeg")

    def enlarged(picture: Image.Image, kernel: str) -> Image.Image:
        twice = upscale.enlarge(picture, 2) if kernel == "nn" else upscale.enlarge(picture, 2, "tconv", kernel)
        return upscale.enlarge(twice, 2)

    return sheet([[(kernel, enlarged(picture, kernel)) for kernel in kernels] for picture in pictures.values()], [*pictures])


SMALL = np.array([[1, 3, 2, 0], [4, 2, 1, 1], [0, 1, 5, 3], [2, 1, 4, 8]], float)
WIDE = np.array([[1, 3, 2, 0, 1], [4, 2, 1, 1, 0], [0, 1, 5, 3, 2], [2, 1, 4, 8, 1], [1, 0, 2, 1, 3]], float)
BINOMIAL = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], float)
LECTURE = "4,2,1; 1,0,3; 0,5,2"


def row(figure_axes: object, parts: list[tuple[str, np.ndarray, tuple[slice, slice] | None, str]]) -> None:
    """Draw arrays of numbers side by side: label, values, the cells that stand out, and the sign behind."""
    axes, left = figure_axes, 0.0
    for label, values, lit, sign in parts:
        mask = np.zeros(values.shape, bool)
        if lit is not None:
            mask[lit] = True
        axes.text(left, -0.35, label, fontsize=9, color="#555555")
        operator_steps_figure.draw_cells(axes, values, left, mask)
        left += values.shape[1] + 1.6
        axes.text(left - 0.8, values.shape[0] / 2, sign, ha="center", va="center", fontsize=14)
    axes.set_xlim(-0.3, left - 1)
    axes.set_ylim(max(v.shape[0] for _, v, _, _ in parts) + 0.3, -1.1)
    axes.set_aspect("equal")
    axes.set_anchor("W")
    axes.set_axis_off()


def pooling() -> object:
    """Show what both kinds of pooling keep, and what unpooling makes of it."""
    blocks = SMALL.reshape(2, 2, 2, 2)
    corner, place = (slice(0, 2), slice(0, 2)), (slice(0, 1), slice(0, 1))
    figure = matplotlib_files.new_figure(6.6, 4.2)
    for axes, name, pooled in zip(
        figure.subplots(2, 1), ("max", "average"), (blocks.max(axis=(1, 3)), blocks.mean(axis=(1, 3))), strict=True
    ):
        back = upscale.unpool_nearest(pooled, 2)
        parts = [
            ("input", SMALL, corner, "→"),
            (f"{name} pooling", pooled, place, "→"),
            ("nearest unpooling", back, corner, ""),
        ]
        row(axes, parts)
    return figure


def strided() -> object:
    """Show two steps of a convolution of stride 2."""
    windows = np.lib.stride_tricks.sliding_window_view(WIDE, (3, 3))[::2, ::2]
    sums = (windows * BINOMIAL).sum(axis=(2, 3))
    figure = matplotlib_files.new_figure(7.2, 4.8)
    for number, axes in enumerate(figure.subplots(2, 1)):
        made = np.where(np.arange(4).reshape(2, 2) <= number, sums, np.nan)
        window, place = (slice(0, 3), slice(2 * number, 2 * number + 3)), (slice(0, 1), slice(number, number + 1))
        row(axes, [("input", WIDE, window, "×"), ("kernel", BINOMIAL, None, "→"), ("sum of products", made, place, "")])
    return figure


def lecture() -> object:
    """Show a transposed convolution of stride 2 step by step."""
    weights = load(parse_kernel(LECTURE))
    steps = compute_steps(np.array([[2.0, 0], [4, 1]]), Operator(weights, (2, 2), ((0, 0), (0, 0))))
    return operator_steps_figure.draw_sheet(steps, "a kernel")


def shown() -> object:
    """Show what `upscale-kernel show` draws."""
    return kernel_figure.draw(analyse(load(parse_kernel("bicubic"), (2, 2)), (2, 2)), "bicubic")


def save(picture: Image.Image, name: str) -> None:
    """Write a picture to docs/images."""
    picture.save(ROOT / "docs/images" / name, optimize=True)


if __name__ == "__main__":
    save(hero(), "before_after.png")
    save(gallery(), "presets.png")
    save(checkerboard(), "checkerboard.png")
    save(learned(), "learned.png")
    with matplotlib_files.drawing():
        for name, figure in (("pooling", pooling()), ("strided", strided()), ("steps", lecture()), ("kernel", shown())):
            path = ROOT / f"docs/images/{name}.png"
            matplotlib_files.save(str(path), figure, dpi=90 if name != "kernel" else 64)
            picture = Image.open(path).convert("RGB")
            save(picture if name == "kernel" else picture.quantize(128, dither=Image.Dither.NONE), path.name)

"""Make the pictures of README.md and docs/ from the sample pictures: `python docs/make_images.py`."""

import io
from pathlib import Path

import numpy as np
from matplotlib.patches import Rectangle
from PIL import Image, ImageDraw, ImageFilter, ImageFont

import upscale
from upscale.figures import kernel_figure, layer_maps_figure, matplotlib_files, operator_steps_figure
from upscale.figures.kernel_analysis import analyse
from upscale.figures.layer_maps import compute_maps
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


def cat() -> Image.Image:
    """Open the photograph."""
    return Image.open(ROOT / "sample_images/cat.png")


def enlarged(picture: Image.Image, kernel: str, factor: int) -> Image.Image:
    """Enlarge by the name of a kernel, or nn."""
    return upscale.enlarge(picture, factor) if kernel == "nn" else upscale.enlarge(picture, factor, "tconv", kernel)


def crop(picture: Image.Image, kernel: str, factor: int, box: tuple[int, int, int, int]) -> Image.Image:
    """Enlarge a whole picture, so that borders are not seen, and cut out what was `box` in it."""
    left, top, right, bottom = box
    return enlarged(picture, kernel, factor).crop((left * factor, top * factor, right * factor, bottom * factor))


EYE = (128, 78, 192, 142)


def hero() -> Image.Image:
    """Show before and after by both methods."""
    potion = Image.open(ROOT / "sample_images/potion.png")
    return sheet(
        [
            [
                ("32 x 32", potion),
                ("--factor 8", upscale.enlarge(potion, 8)),
                ("64 x 64 pixels of a photo, magnified", crop(cat(), "nn", 4, EYE)),
                ("--kernel deep --factor 4", crop(cat(), "deep", 4, EYE)),
            ]
        ]
    )


def as_jpeg(picture: Image.Image, quality: int) -> Image.Image:
    """Save a picture as JPEG and read it again."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


def choices() -> dict[str, Image.Image]:
    """Show for each kind of picture what the kernel that suits it does better than another one."""
    altar = Image.open(ROOT / "sample_images/altar.png").convert("RGBA")
    distance = np.hypot(*np.meshgrid(np.arange(24.0) + 2, np.arange(24.0) + 2))
    mask = Image.fromarray(np.where(distance < 20, 190, 70).astype(np.uint8))
    quarter = cat().resize((111, 75), Image.Resampling.BICUBIC)
    pairs = {
        "sprites": (altar, ("bicubic", "nn"), (0, 0, 32, 32), 6),
        "downscaled": (quarter, ("bicubic", "deep"), (29, 17, 53, 41), 4),
        "jpeg": (as_jpeg(cat(), 60), ("bicubic", "deep-jpeg"), (224, 196, 272, 244), 4),
        "photos": (cat(), ("nn", "bicubic"), (128, 80, 176, 128), 4),
        "masks": (mask, ("lanczos3", "bilinear"), (0, 0, 24, 24), 8),
    }
    return {
        name: sheet(
            [
                [
                    (f"{k}, factor {factor}", upscale.enlarge(crop(picture, k, factor, box), 1 + (name == "downscaled")))
                    for k in kernels
                ]
            ]
        )
        for name, (picture, kernels, box, factor) in pairs.items()
    }


def gallery() -> Image.Image:
    """Show every preset on the same crop."""
    box = (156, 94, 180, 114)
    shown = [("before", cat().crop(box))]
    shown += [(name, crop(cat(), name, 8, box)) for name in PRESETS if name != "catmull-rom"]
    return sheet([shown[i : i + 4] for i in range(0, len(shown), 4)])


def checkerboard() -> Image.Image:
    """Show what an uneven overlap does, and what normalising does about it, both equally bright."""
    part = cat().crop((300, 90, 360, 140))
    gain = 9 / 4  # of 3 x 3 ones at factor 2
    dark = upscale.enlarge(part.point(lambda v: v / gain / 1.4), 2, "tconv", np.ones((3, 3)))
    even = upscale.enlarge(part.point(lambda v: v / 1.4), 2, "tconv", np.ones((3, 3)), normalize=True)
    shown = [('--kernel "1,1,1; 1,1,1; 1,1,1"', dark), ("the same with --normalize", even)]
    return sheet([[(caption, upscale.enlarge(picture, 3)) for caption, picture in shown]])


def text() -> Image.Image:
    """Write some letters."""
    page = Image.new("RGB", (88, 80), "white")
    draw = ImageDraw.Draw(page)
    for y, size, line in ((2, 20, "Kernel"), (26, 14, "stride = 2"), (44, 12, "convolution"), (60, 10, "output padding")):
        draw.text((3, y), line, fill="black", font=ImageFont.load_default(size))
    return page


def drawing() -> Image.Image:
    """Draw lines and areas, antialiased."""
    page = Image.new("RGB", (352, 320), "#fff6e0")
    draw = ImageDraw.Draw(page)
    draw.ellipse((40, 40, 250, 250), fill="#e9a23b", outline="black", width=10)
    for n in range(6):
        draw.line((10, 310 - 30 * n, 340, 290 - 52 * n), fill="#24527a", width=5)
    draw.polygon([(200, 300), (330, 180), (335, 305)], fill="#b03a48", outline="black", width=6)
    return page.resize((88, 80), Image.Resampling.BOX)


def learned() -> Image.Image:
    """Show what the shipped kernels do to downscaled pictures, and to others."""
    noise = np.random.default_rng(0).normal(0, 10, (300, 444, 3))
    soft = np.asarray(cat().filter(ImageFilter.GaussianBlur(0.8))) + noise
    box = (132, 84, 176, 124)
    half = cat().resize((222, 150), Image.Resampling.BICUBIC)
    small = (0, 0, 44, 40)
    pictures = {
        "a photo, downscaled to half its size": (half, (60, 34, 104, 74)),
        "text, downscaled to half its size": (text().resize((44, 40), Image.Resampling.BICUBIC), small),
        "a drawing, downscaled to half its size": (drawing().resize((44, 40), Image.Resampling.BICUBIC), small),
        "a photo as it is": (cat(), box),
        "JPEG of quality 50": (as_jpeg(cat(), 50), box),
        "soft and noisy, like a scan": (Image.fromarray(np.clip(soft, 0, 255).astype(np.uint8)), box),
        "pixel art": (Image.open(ROOT / "sample_images/potion.png").convert("RGBA"), (0, 0, 32, 32)),
    }
    kernels = ("nn", "bicubic", "lanczos3", "adaptive", "deep", "deep-jpeg")
    rows = [[(k, upscale.enlarge(crop(p, k, 2, part), 2)) for k in kernels] for p, part in pictures.values()]
    return sheet(rows, [*pictures])


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
            ("nearest-neighbour unpooling", back, corner, ""),
        ]
        row(axes, parts)
    return figure


#: Pale colours of four values or channels, and the colour of cells that none of them reaches.
TINTS = np.array(["#cfe3f3", "#fbdcc7", "#c9ebdc", "#f0d3e3"])
NONE = np.array([[[["white"]]]])


def coloured_row(axes: object, top: float, title: str, parts: list[tuple[str, np.ndarray, np.ndarray, str]]) -> None:
    """Draw arrays of numbers side by side: label, values, the colours in each cell, (H, W, rows, columns), and a sign."""
    left = 0.0
    axes.text(left, top - 1.2, title, fontsize=10.5)
    for label, values, colours, sign in parts:
        axes.text(left, top - 0.3, label, fontsize=9, color="#555555")
        for (y, x), value in np.ndenumerate(values):
            cell = np.broadcast_to(colours, (*values.shape, *colours.shape[2:]))[y, x]
            high, wide = 1 / len(cell), 1 / cell.shape[1]
            for (j, i), colour in np.ndenumerate(cell):
                axes.add_patch(Rectangle((left + x + i * wide, top + y + j * high), wide, high, color=colour, linewidth=0))
            axes.add_patch(Rectangle((left + x, top + y), 1, 1, facecolor="none", edgecolor="#a9a9a9", linewidth=0.8))
            ink = "#9a9a9a" if value == 0 else "black"
            axes.text(left + x + 0.5, top + y + 0.52, f"{value:g}", ha="center", va="center", fontsize=10, color=ink)
        left += values.shape[1] + (1.6 if sign.strip() else 0.9)
        if sign.strip():
            axes.text(left - 0.8, top + values.shape[0] / 2, sign, ha="center", va="center", fontsize=14)


def unpooling() -> object:
    """Show what each kind of unpooling makes of the same values; colours say where a value comes from."""
    pooled, places = (a[0] for a in upscale.max_pool2d(SMALL[None], 2, return_indices=True))
    own = TINTS.reshape(2, 2, 1, 1)
    at = np.zeros((4, 4), int)
    at.flat[places] = np.arange(4).reshape(2, 2) + 1
    back = np.array(["white", *TINTS])[at][:, :, None, None]
    nails = np.full((4, 4, 1, 1), "white", TINTS.dtype)
    nails[::2, ::2] = own
    kernel = np.array([[0.25, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 0.25]])
    sums = upscale.conv_transpose2d(pooled[None], kernel[None, None], stride=2)[0]
    reached = np.empty((5, 5, 2, 2), TINTS.dtype)  # by the copies above or below, to the left or right of the middle
    for y, x, j, i in np.ndindex(*reached.shape):
        reached[y, x, j, i] = TINTS[2 * min(1, (y + j) // 3) + min(1, (x + i) // 3)]
    channels = upscale.pixel_unshuffle(np.arange(1.0, 17).reshape(1, 4, 4), 2)
    shuffled = upscale.pixel_shuffle(channels, 2)[0]
    figure = matplotlib_files.new_figure(7.2, 11.4)
    axes = figure.subplots()
    coloured_row(axes, 0, "Max pooling", [("input", SMALL, back, "→"), ("largest values", pooled, own, "")])
    coloured_row(
        axes,
        6.6,
        "Three ways to place these values",
        [
            ("nearest neighbour", upscale.unpool_nearest(pooled, 2), own.repeat(2, 0).repeat(2, 1), " "),
            ("bed of nails", upscale.unpool_bed_of_nails(pooled, 2), nails, " "),
            ("max unpooling", upscale.max_unpool2d(pooled[None], places[None], 2)[0], back, ""),
        ],
    )
    coloured_row(
        axes,
        13.2,
        "Transposed convolution",
        [
            ("input", pooled, own, "×"),
            ("kernel", kernel, NONE, "→"),
            ("sum of copies, stride 2", sums, reached, ""),
        ],
    )
    coloured_row(
        axes,
        20.8,
        "Pixel shuffle, the last step of sub-pixel convolution",
        [(f"channel {n}", channel, TINTS[n].reshape(1, 1, 1, 1), " " if n < 3 else "→") for n, channel in enumerate(channels)]
        + [("one channel", shuffled, np.tile(own, (2, 2, 1, 1)), "")],
    )
    axes.set_xlim(-0.1, 17.1)
    axes.set_ylim(25.0, -1.8)
    axes.set_aspect("equal")
    axes.set_anchor("W")
    axes.set_axis_off()
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


def layers() -> object:
    """Show what `upscale-kernel explain` draws for a deep kernel."""
    luma = np.asarray(cat().convert("L").crop((150, 70, 246, 142)))
    return layer_maps_figure.draw_maps(compute_maps(luma, load(parse_kernel("deep"), (2, 2))), "deep")


def save(picture: Image.Image, name: str) -> None:
    """Write a picture to docs/images."""
    picture.save(ROOT / "docs/images" / name, optimize=True)


if __name__ == "__main__":
    save(hero(), "before_after.png")
    save(gallery(), "presets.png")
    save(checkerboard(), "checkerboard.png")
    save(learned(), "learned.png")
    for kind, pair in choices().items():
        save(pair, f"for_{kind}.png")
    with matplotlib_files.drawing():
        figures = {
            "pooling": pooling(),
            "unpooling": unpooling(),
            "strided": strided(),
            "steps": lecture(),
            "kernel": shown(),
            "layers": layers(),
        }
        for name, figure in figures.items():
            path = ROOT / f"docs/images/{name}.png"
            matplotlib_files.save(str(path), figure, dpi=64 if name == "kernel" else 90)
            picture = Image.open(path).convert("RGB")
            save(picture if name in ("kernel", "layers") else picture.quantize(128, dither=Image.Dither.NONE), path.name)

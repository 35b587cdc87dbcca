"""Make the pictures of README.md and docs/ from the sample pictures: `python docs/make_images.py`."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

import upscale
from upscale.presets import PRESETS

ROOT = Path(__file__).parent.parent
GAP, LINE, CAPTION = 12, 22, 44


def sheet(rows: list[list[tuple[str, Image.Image]]]) -> Image.Image:
    """Put captioned pictures side by side at 100 %, on white."""
    width = max(sum(max(picture.width, CAPTION) + GAP for _, picture in row) + GAP for row in rows)
    heights = [max(picture.height for _, picture in row) + LINE + GAP for row in rows]
    out = Image.new("RGB", (width, sum(heights) + GAP), "white")
    draw, font = ImageDraw.Draw(out), ImageFont.load_default(13)
    y = GAP
    for row, height in zip(rows, heights, strict=True):
        x = GAP
        for caption, picture in row:
            draw.text((x, y), caption, fill="black", font=font)
            shown = picture.convert("RGBA")
            out.paste(shown, (x, y + LINE), shown)
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
    """Show what an uneven overlap does, and what normalising does about it."""
    crop = Image.open(ROOT / "sample_images/lake.png").crop((300, 60, 360, 110)).point(lambda v: v // 3)
    options = {"method": "tconv", "kernel": np.ones((3, 3))}
    shown = [
        ('--kernel "1,1,1; 1,1,1; 1,1,1"', upscale.enlarge(crop, 2, **options)),
        ("the same with --normalize", upscale.enlarge(crop, 2, normalize=True, **options)),
    ]
    return sheet([[(caption, upscale.enlarge(picture, 2)) for caption, picture in shown]])


def learned() -> Image.Image:
    """Show what the shipped kernels do to pictures that were made smaller, and to others."""
    lake, potion = (Image.open(ROOT / "sample_images" / name).convert("RGB") for name in ("lake.png", "potion.png"))
    crop, file = lake.crop((176, 204, 256, 268)), io.BytesIO()
    lake.save(file, "JPEG", quality=50)
    noise = np.random.default_rng(0).normal(0, 10, (*crop.size[::-1], 3))
    soft = np.asarray(crop.filter(ImageFilter.GaussianBlur(0.8))) + noise
    pictures = {
        "made smaller": lake.crop((96, 144, 256, 272)).resize((80, 64), Image.Resampling.BICUBIC),
        "as it was painted": crop,
        "from a JPEG of quality 50": Image.open(file).crop((176, 208, 256, 272)),
        "soft and noisy, as a scan": Image.fromarray(np.clip(soft, 0, 255).astype(np.uint8)),
        "pixel art": potion,
    }
    return sheet(
        [
            [
                (caption if kernel == "bicubic" else kernel, upscale.enlarge(upscale.enlarge(picture, 2, "tconv", kernel), 2))
                for kernel in ("bicubic", "lanczos3", "learned", "adaptive", "adaptive-jpeg")
            ]
            for caption, picture in pictures.items()
        ]
    )


def save(picture: Image.Image, name: str) -> None:
    """Write a picture to docs/images."""
    picture.save(ROOT / "docs/images" / name, optimize=True)


if __name__ == "__main__":
    save(hero(), "before_after.png")
    save(gallery(), "presets.png")
    save(checkerboard(), "checkerboard.png")
    save(learned(), "learned.png")

"""The deflate loop beside libraries, on one core, over the filtered rows of enlarged pictures: `python benchmarks/deflate.py`.

With pictures as arguments, it uses those instead of the ones it makes.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from in_process import in_turn
from numpy.typing import NDArray
from pictures import photograph
from PIL import Image
from zlib_ng import zlib_ng

import upscale
from upscale.loops import compiled
from upscale.pictures.png import png_deflate, png_filters

Array = NDArray[Any]

SAMPLES = Path(__file__).parent.parent / "sample_images"


def pictures() -> dict[str, tuple[Array, str]]:
    """Return four kinds of pictures of about a megapixel, with their colour models."""
    rng = np.random.default_rng(0)
    photo = np.asarray(Image.open(SAMPLES / "cat.png").convert("RGB").resize((1184, 800), Image.Resampling.BICUBIC))
    # A page of text: dark marks on paper that is not quite even, and blurred by the scanner.
    marks = rng.random((100, 140)) < 0.3
    marks[::3] = False
    page = Image.fromarray(np.where(marks, 40, 235).astype(np.uint8)).resize((1400, 1000), Image.Resampling.BICUBIC)
    scan = np.clip(np.asarray(page) + rng.normal(0, 1.5, (1000, 1400)), 0, 255).astype(np.uint8)
    deep = np.clip(photograph(700, 1000) * 257.0 + rng.normal(0, 60, (700, 1000, 3)), 0, 65535).astype(np.uint16)
    y, x = np.mgrid[0:800, 0:1184]
    inside = np.clip(400 - np.hypot(y - 400, x - 592), 0, 20) / 20
    alpha = np.dstack((np.where(inside[..., None] > 0, photo, 0), (255 * inside).astype(np.uint8)))
    return {
        "photograph": (photo, "RGB"),
        "scan": (scan, "L"),
        "16 bits": (deep, "RGB"),
        "alpha": (alpha.astype(np.uint8), "RGBA"),
    }


def filtered(picture: Array, base: str, method: str) -> tuple[Array, Callable[[], int]]:
    """Return a picture's rows, enlarged and filtered, in one piece, and what deflates them as `--compression fast` does."""
    if method.startswith("nearest"):
        factor = int(method[-1])
        size, blocks, samples = (factor * picture.shape[0], factor * picture.shape[1]), (factor, factor), picture
    else:
        samples = upscale.enlarge(picture, 2, "tconv", "bicubic", engine="numba")
        size, blocks = samples.shape[:2], (1, 1)
    depth = 8 * samples.dtype.itemsize
    filtering = png_filters.Filtering(depth, base, size, blocks, smooth=blocks == (1, 1), loops=compiled)
    band = png_filters.Band(filtering, filtering.as_bytes(samples), None)
    deflating = png_deflate.Deflating("fast", filtering, smooth=blocks == (1, 1), loops=compiled)
    choice = deflating.choose(band, png_deflate.Choice())
    return band.whole(0).reshape(-1), lambda: len(deflating.deflated(band, choice)[0])


def by_zlib_ng(data: Array, level: int, strategy: int) -> int:
    packer = zlib_ng.compressobj(level, zlib_ng.DEFLATED, -15, 9, strategy)
    return len(packer.compress(data)) + len(packer.flush())


def encoders(data: Array, ours: Callable[[], int]) -> dict[str, Callable[[], int]]:
    """Return functions that deflate the data and return how many bytes that takes."""
    found: dict[str, Callable[[], int]] = {
        "upscale": ours,
        "zlib-ng, runs": lambda: by_zlib_ng(data, 1, zlib_ng.Z_RLE),
        "zlib-ng, level 4": lambda: by_zlib_ng(data, 4, zlib_ng.Z_DEFAULT_STRATEGY),
        "libdeflate, level 1": lambda: len(imagecodecs.deflate_encode(data, level=1)),
    }
    try:
        from isal import igzip_lib
    except ImportError:
        return found
    return found | {"ISA-L, level 1": lambda: len(igzip_lib.compress(data, level=1))}


def report(paths: tuple[str, ...] = ()) -> str:
    """Return the result as Markdown."""
    enlarged = pictures()
    if paths:
        enlarged = {}
        for path in paths:
            image = Image.open(path)
            mode = image.mode if image.mode in ("L", "RGB", "RGBA") else "RGB"
            enlarged[Path(path).name] = np.asarray(image.convert(mode)), mode
    lines = [
        "On one core. MB/s counts the filtered rows. Speed-up and size are relative to zlib-ng with run lengths only "
        "(`runs`).\n",
        "| picture | enlarged by | encoder | MB/s | speed-up | size |",
        "|---|---|---|---|---|---|",
    ]
    for name, (picture, base) in enlarged.items():
        for method in ("bicubic x2", "nearest x2", "nearest x4"):
            data, ours = filtered(picture, base, method)
            jobs = encoders(data, ours)
            sizes = {job: function() for job, function in jobs.items()}
            times = in_turn(jobs, 5)
            base_time, base_size = times["zlib-ng, runs"], sizes["zlib-ng, runs"]
            for job in jobs:
                speed, ratio = data.size / times[job] / 1e6, base_time / times[job]
                lines.append(f"| {name} | {method} | {job} | {speed:.0f} | {ratio:.2f} | {sizes[job] / base_size:.3f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(report(tuple(sys.argv[1:])))

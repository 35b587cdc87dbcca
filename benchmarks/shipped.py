"""The kernels that come with the package: `python benchmarks/shipped.py TEST`, a folder of pictures.

PSNR for copies that were downscaled by bicubic, and for such that then became JPEGs; and seconds, the median of 5.
"""

import statistics
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

import upscale
from upscale.batch.plan import Search
from upscale.kernels import shipped
from upscale.learning import from_files, image_quality
from upscale.learning.downscale import make_pair, parse_downscale

NAMES = ("bicubic", "lanczos3", *shipped.SHIPPED)
CAT = Path(__file__).parents[1] / "sample_images" / "cat.png"


def main() -> None:
    """Print both tables as Markdown."""
    pictures = [from_files.luma(f.path) for f in Search("", recursive=True).files(sys.argv[1], alone=True)]
    print("| factor | downscaled by | " + " | ".join(NAMES) + " |\n" + "|---" * (len(NAMES) + 2) + "|")
    for factor in shipped.FACTORS:
        for downscale in shipped.DOWNSCALING.values():
            pairs = [make_pair(picture, factor, parse_downscale(downscale)) for picture in pictures]
            cells = []
            for name in NAMES:
                found = [image_quality.psnr(upscale.enlarge(low, factor, "tconv", name), high, factor) for low, high in pairs]
                cells.append(f"{np.mean(found):.2f}")
            print(f"| x{factor} | {downscale} | " + " | ".join(cells) + " |", flush=True)
    print("\n| 1920 x 1080, x2 | " + " | ".join(NAMES) + " |\n" + "|---" * (len(NAMES) + 1) + "|")
    for mode in ("L", "RGB"):
        tile = np.asarray(Image.open(CAT).convert(mode))
        repeats = (-(-1080 // tile.shape[0]), -(-1920 // tile.shape[1]), *(1,) * (tile.ndim - 2))
        picture = np.ascontiguousarray(np.tile(tile, repeats)[:1080, :1920])
        times: dict[str, list[float]] = {name: [] for name in NAMES}
        for turn in range(6):
            for name in NAMES:
                began = time.perf_counter()
                upscale.enlarge(picture, 2, "tconv", name, engine="numba")
                if turn:  # the first compiles, or wakes threads
                    times[name].append(time.perf_counter() - began)
        print(f"| {mode} | " + " | ".join(f"{statistics.median(times[name]):.3f}" for name in NAMES) + " |")


if __name__ == "__main__":
    main()

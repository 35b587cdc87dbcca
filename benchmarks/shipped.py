"""The kernels that come with the package: `python benchmarks/shipped.py TEST`, a folder of pictures.

PSNR for copies that were downscaled by bicubic, and for such that then became JPEGs or noisy; seconds, the median of 5; and how
fast the layers of the deep kernel are beside a product of two matrices of 2048 x 2048 32-bit floats.
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
from upscale.loops import compiled
from upscale.operators.layer_tables import layer_tables

NAMES = ("bicubic", "lanczos3", *shipped.SHIPPED)
#: How the copies were made, for each factor, and for factor 2 only.
DOWNSCALING = ("bicubic", "bicubic+jpeg:75")
FOR_2 = ("bicubic+jpeg:30", "bicubic+jpeg:50", "bicubic+jpeg:90", "bicubic+noise:5")
CAT = Path(__file__).parents[1] / "sample_images" / "cat.png"


def main() -> None:
    """Print both tables as Markdown."""
    pictures = [from_files.luma(f.path) for f in Search("", recursive=True).files(sys.argv[1], alone=True)]
    print("| factor | downscaled by | " + " | ".join(NAMES) + " |\n" + "|---" * (len(NAMES) + 2) + "|")
    for factor in shipped.SHIPPED["deep"].factors:
        for downscale in (*DOWNSCALING, *(FOR_2 if factor == 2 else ())):
            pairs = [make_pair(picture, factor, parse_downscale(downscale)) for picture in pictures]
            cells = []
            for name in NAMES:
                if name in shipped.SHIPPED and factor not in shipped.SHIPPED[name].factors:
                    cells.append("")
                    continue
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
    print("\nGFLOP/s: " + ", ".join(f"{what} {rate:.0f}" for what, rate in speeds().items()))


def speeds() -> dict[str, float]:
    """Measure the layers of the deep kernel and a matrix product in turn, in 10^9 additions and multiplications a second."""
    layers = upscale.Kernel.load("deep", 2).layers
    matrix = np.random.default_rng(0).random((2048, 2048), np.float32)
    luma = np.random.default_rng(0).random((1, 1080 + 2 * layers.reach, 1920 + 2 * layers.reach), np.float32)
    out, tables = np.zeros((2160, 3840), np.float32), layer_tables(layers, 255)
    jobs = {
        "layers": (lambda: compiled.add_layers(luma, tables, 0, 1, False, out), 2 * layers.multiplications * out.size),
        "matrix product": (lambda: matrix @ matrix, 2 * 2048**3),
    }
    found: dict[str, list[float]] = {what: [] for what in jobs}
    for turn in range(8):
        for what, (run, operations) in jobs.items():
            began = time.perf_counter()
            run()
            if turn:
                found[what].append(operations / (time.perf_counter() - began) / 1e9)
    return {what: statistics.median(rates) for what, rates in found.items()}


if __name__ == "__main__":
    main()

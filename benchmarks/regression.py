"""A few numbers in seconds' time, to see whether a change made something slower: `python benchmarks/regression.py`.

Ratios to what the same machine needs for something fixed, so that they can be compared from run to run. Nothing is judged.
"""

import os

import numpy as np
from in_process import in_turn
from pictures import photograph
from PIL import Image

import upscale
from upscale.loops import compiled
from upscale.loops.engine import CHOOSER
from upscale.pictures.png import png_filters


def report() -> str:
    """Return the result as Markdown."""
    CHOOSER.has_numba()  # starts it; until then, small pictures go through NumPy
    picture = photograph(540, 960)
    image = Image.fromarray(picture)
    out, filled = (np.empty((2160, 3840, 3), np.uint8) for _ in range(2))
    planes = np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32)
    weights = np.random.default_rng(0).random((1, 1, 14, 14), dtype=np.float32).repeat(3, 0)
    matrix = np.random.default_rng(0).random((1000, 1000), dtype=np.float32)

    def filter_rows() -> None:
        filtering = png_filters.Filtering(8, "RGB", (540, 960), (1, 1), smooth=True, loops=compiled)
        png_filters.Band(filtering, filtering.as_bytes(picture), None).whole(0)

    cases = {
        "nearest x4": (lambda: upscale.unpool_nearest(picture, 4, out=out), "filling the output", lambda: filled.fill(1)),
        "bicubic x4": (
            lambda: upscale.enlarge(picture, 4, method="tconv", kernel="bicubic", out=out),
            *("Pillow's bicubic", lambda: image.resize((3840, 2160), Image.Resampling.BICUBIC)),
        ),
        "bicubic x4 by NumPy": (
            lambda: upscale.enlarge(picture, 4, method="tconv", kernel="bicubic", engine="numpy"),
            *("Pillow's bicubic", lambda: image.resize((3840, 2160), Image.Resampling.BICUBIC)),
        ),
        "dense 14x14 x2": (
            lambda: upscale.conv_transpose2d(planes, weights, stride=2, groups=3),
            *("a product of matrices of 1000", lambda: matrix @ matrix),
        ),
        "PNG filters": (filter_rows, "copying the picture", lambda: picture.copy()),
    }
    lines = ["| loop | milliseconds | times as long as | |", "|---|---|---|---|"]
    for name, (ours, against, theirs) in cases.items():
        times = in_turn({"ours": ours, "theirs": theirs}, 7)
        ratio = times["ours"] / times["theirs"]
        lines.append(f"| {name} | {1e3 * times['ours']:.2f} | {against} | {ratio:.2f} |")
    return f"{os.cpu_count()} cores\n\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(report())

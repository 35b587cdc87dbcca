"""Layers of stride 1 in `conv_transpose2d`: the loop for any stride beside that of chains: `python benchmarks/stride_1.py`."""

import statistics
import time

import numpy as np

import upscale
from upscale.operators import conv_transpose

#: Input channels, output channels, weights a side, height, width.
SHAPES = (
    *((1, 1, 3, 1080, 1920), (3, 3, 3, 540, 960), (3, 16, 3, 540, 960), (16, 16, 3, 540, 960), (16, 3, 5, 540, 960)),
    *((64, 64, 3, 128, 128), (64, 64, 3, 32, 32), (8, 8, 7, 256, 256), (128, 128, 3, 16, 16), (16, 16, 1, 540, 960)),
)


def main() -> None:
    """Print a row for each shape as Markdown."""
    rng, suits = np.random.default_rng(0), {"dense": lambda shape: False, "chain": lambda shape: True}
    print("| channels | weights | input | dense (ms) | chain (ms) | times as fast |\n|---|---|---|---|---|---|")
    for taken, made, side, height, width in SHAPES:
        x, w = rng.random((taken, height, width), np.float32), rng.random((taken, made, side, side), np.float32)
        times: dict[str, list[float]] = {name: [] for name in suits}
        for turn in range(8):
            for name, chosen in suits.items():
                conv_transpose.suits_chain = chosen
                began = time.perf_counter()
                upscale.conv_transpose2d(x, w, padding=side // 2, engine="numba")
                if turn:
                    times[name].append(1000 * (time.perf_counter() - began))
        dense, chain = (statistics.median(times[name]) for name in suits)
        print(f"| {taken} to {made} | {side}x{side} | {width}x{height} | {dense:.2f} | {chain:.2f} | {dense / chain:.2f} |")


if __name__ == "__main__":
    main()

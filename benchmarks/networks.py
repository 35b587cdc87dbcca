"""Layers of networks beside PyTorch's, with one thread and with two: `python benchmarks/networks.py`.

Needs the extra `peers`.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

import upscale
from upscale import threads


def main() -> None:
    """Print a row for each layer as Markdown."""
    x = np.random.default_rng(0).random((8, 64, 128, 128), np.float32)
    weight, part = np.random.default_rng(1).random((64, 64, 3, 3), np.float32), x[:2]
    values, indices = upscale.max_pool2d(x, 2, return_indices=True)
    layers: dict[str, Callable[[Any, Any, Any, Any, Any], object]] = {
        "max_pool2d(2)": lambda f, x, *_: f.max_pool2d(x, 2),
        "max_pool2d(2), indices": lambda f, x, *_: f.max_pool2d(x, 2, return_indices=True),
        "max_pool2d(3, 2, 1), indices": lambda f, x, *_: f.max_pool2d(x, 3, 2, 1, return_indices=True),
        "max_unpool2d(2)": lambda f, x, w, v, i: f.max_unpool2d(v, i, 2),
        "avg_pool2d(2)": lambda f, x, *_: f.avg_pool2d(x, 2),
        "avg_pool2d(3, 1, 1)": lambda f, x, *_: f.avg_pool2d(x, 3, 1, 1),
        "pixel_shuffle(2)": lambda f, x, *_: f.pixel_shuffle(x, 2),
        "pixel_unshuffle(2)": lambda f, x, *_: f.pixel_unshuffle(x, 2),
        "conv2d 3x3, batch of 2": lambda f, x, w, *_: f.conv2d(x[: len(part)], w, padding=1),
        "conv2d 3x3, batch of 2, stride 2": lambda f, x, w, *_: f.conv2d(x[: len(part)], w, stride=2, padding=1),
    }
    arrays = x, weight, values, indices
    tensors = tuple(map(torch.from_numpy, arrays))
    print("| layer | threads | upscale (ms) | PyTorch (ms) |\n|---|---|---|---|")
    for name, layer in layers.items():
        for number in (1, 2):
            torch.set_num_threads(number)
            threads.use(number)
            times: dict[Any, list[float]] = {upscale: [], F: []}
            for turn in range(6):
                for functions, given in ((upscale, arrays), (F, tensors)):
                    began = time.perf_counter()
                    layer(functions, *given)
                    if turn:
                        times[functions].append(1000 * (time.perf_counter() - began))
            ours, theirs = (statistics.median(times[functions]) for functions in (upscale, F))
            print(f"| {name} | {number} | {ours:.1f} | {theirs:.1f} |", flush=True)


if __name__ == "__main__":
    main()

"""How the loops grow with threads: `python benchmarks/threads.py`."""

import numba
import numpy as np
from in_process import in_turn
from pictures import photograph

import upscale


def measured() -> dict[str, list[tuple[int, float]]]:
    """Measure: job -> [(threads, seconds)], on 2 megapixels of RGB."""
    picture = photograph(1080, 1920)
    out = np.empty((4320, 7680, 3), np.uint8)
    planes = np.ascontiguousarray(picture.transpose(2, 0, 1)[None], np.float32)
    weights = np.random.default_rng(0).random((1, 1, 14, 14), dtype=np.float32).repeat(3, 0)
    jobs = {
        "nearest x4": lambda: upscale.unpool_nearest(picture, 4, out=out),
        "bicubic x4": lambda: upscale.enlarge(picture, 4, method="tconv", kernel="bicubic", out=out),
        "dense 14x14 x2": lambda: upscale.conv_transpose2d(planes, weights, stride=2, groups=3),
    }
    result: dict[str, list[tuple[int, float]]] = {name: [] for name in jobs}
    most = numba.config.NUMBA_NUM_THREADS
    for threads in sorted({1, 2, *(1 << i for i in range(2, 7) if 1 << i <= most), most}):
        if threads <= most:
            numba.set_num_threads(threads)
            for name, seconds in in_turn(jobs, 9).items():
                result[name].append((threads, seconds))
    return result


def table(measurements: dict[str, list[tuple[int, float]]]) -> str:
    """Lay the measurements out as Markdown."""
    lines = ["| job | threads | milliseconds | speed-up |", "|---|---|---|---|"]
    for job, points in measurements.items():
        lines += [f"| {job} | {n} | {1e3 * t:.2f} | {points[0][1] / t:.2f} |" for n, t in points]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(measured()))

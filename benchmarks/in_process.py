"""The loops against other libraries, in this process, over sizes of output: `python benchmarks/in_process.py`."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import peers
from pictures import photograph

from upscale.loops.engine import CHOOSER

#: Megapixels of output, RGB.
SIZES = (0.01, 0.1, 1, 8, 64, 250, 1000)
JOBS = {"nearest x4": (4, None), "bilinear x2": (2, "bilinear"), "bicubic x2": (2, "bicubic")}
#: Who takes longer than this is not asked for more.
PATIENCE = 0.3
#: Libraries whose outputs are floats are spared the memory of the largest sizes.
WIDE = {"torch": 64, "scikit-image": 8, "SciPy": 64}


def in_turn(functions: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Give the median seconds of each function, called in turn after a first call that does not count."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(rounds + 1):
        for name, function in functions.items():
            began = time.perf_counter()
            function()
            if turn:
                times[name].append(time.perf_counter() - began)
    return {name: statistics.median(t) for name, t in times.items()}


def measured() -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Measure: job -> library -> [(megapixels of output, seconds)]."""
    CHOOSER.has_numba()  # starts it, as in a program that enlarges many pictures
    result: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for job, (factor, preset) in JOBS.items():
        lines: dict[str, list[tuple[float, float]]] = {}
        for size in SIZES:
            side = max(1, round((size * 1e6) ** 0.5 / factor))
            functions = peers.functions(photograph(side, side), factor, preset)
            for name in list(functions):
                seen = lines.get(name, [])
                slow = len(seen) < SIZES.index(size) or (seen and seen[-1][1] > PATIENCE)
                if slow or size > WIDE.get(name, 1000):
                    del functions[name]
            for name, seconds in in_turn(functions, 2 if size >= 64 else 7).items():
                lines.setdefault(name, []).append((side * side * factor**2 / 1e6, seconds))
        result[job] = lines
    return result


def table(measurements: dict[str, dict[str, list[tuple[float, float]]]]) -> str:
    """Format the measurements as Markdown."""
    names = list(dict.fromkeys(name for lines in measurements.values() for name in lines))
    rows = ["| job | output MP | " + " | ".join(names) + " |", "|---" * (len(names) + 2) + "|"]
    for job, lines in measurements.items():
        for i, (size, _) in enumerate(lines["upscale"]):
            cells = [f"{1e3 * lines[n][i][1]:,.2f}" if i < len(lines.get(n, [])) else "" for n in names]
            rows.append(f"| {job} | {size:,.2f} | " + " | ".join(cells) + " |")
    return (
        "Median milliseconds, for 8-bit RGB. Where a cell is empty, the library was too slow, or would have needed too much "
        "memory.\n\n" + "\n".join(rows) + "\n"
    )


if __name__ == "__main__":
    print(table(measured()))

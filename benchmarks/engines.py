"""When starting Numba pays off: the whole command by each engine, in turn: `python benchmarks/engines.py`.

The constants of upscale/loops/engine.py stand for what this prints.
"""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from timing import UPSCALE, medians

CASES = {
    "nn x4": ["--factor", "4"],
    "tconv bilinear x2": ["--method", "tconv", "--kernel", "bilinear", "--factor", "2"],
    "tconv bicubic x2": ["--method", "tconv", "--kernel", "bicubic", "--factor", "2"],
    "tconv bicubic x4": ["--method", "tconv", "--kernel", "bicubic", "--factor", "4"],
}
SIDES = (256, 512, 768, 1024, 1448, 2048)


def report(sides: tuple[int, ...] = SIDES) -> str:
    """Return the result as Markdown."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for mode in ("L", "RGB"):
            for side in sides:
                source = str(Path(folder) / "in.bmp")
                y, x = np.mgrid[0:side, 0:side]
                picture = np.stack([x * 255 // side, y * 255 // side, (x + y) % 256], -1).astype(np.uint8)
                Image.fromarray(picture).convert(mode).save(source)
                for name, options in CASES.items():
                    # To /dev/null as BMP: the encoder's time would hide what is compared.
                    command = [UPSCALE, source, "/dev/null", "--format", "bmp", *options]
                    times = medians({engine: [*command, "--engine", engine] for engine in ("numpy", "numba")}, rounds=3)
                    size = side * side * int(options[-1]) ** 2 / 1e6
                    numbers = side * side / 1e6, size, times["numpy"], times["numba"], times["numpy"] / times["numba"]
                    rows.append(f"| {name} | {mode} | " + " | ".join(f"{n:.2f}" for n in numbers) + " |")
    head = "| job | mode | input MP | output MP | NumPy s | Numba s | ratio |\n|---|---|---|---|---|---|---|\n"
    return "Whole command, BMP to a null device. From a ratio of 1 on, Numba is faster.\n\n" + head + "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(report())

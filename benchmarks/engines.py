"""When starting Numba pays off: the whole command by each engine, in turn: `python benchmarks/engines.py`.

The constants of upscale/loops/engine.py stand for what this prints.
"""

import tempfile
from pathlib import Path
from types import ModuleType

import numpy as np
from in_process import in_turn
from pictures import photograph
from PIL import Image
from timing import UPSCALE, medians

from upscale.loops import compiled, numpy_loops
from upscale.pictures.png import png_deflate, png_filters

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
    text = "Whole commands, from BMP to a null device. Where the ratio is above 1, Numba is faster.\n\n"
    return text + head + "\n".join(rows) + "\n\n" + png_report()


def png_report() -> str:
    """Return what a byte of PNG takes each engine, filtered and deflated in one thread, as Markdown."""
    picture = photograph(800, 1200)
    rows = []
    for blocks in ((1, 1), (2, 2)):
        size = picture.shape[0] * blocks[0], picture.shape[1] * blocks[1]
        times = in_turn(
            {
                "NumPy": lambda size=size, blocks=blocks: _compress(picture, size, blocks, numpy_loops),  # type: ignore[misc]
                "Numba": lambda size=size, blocks=blocks: _compress(picture, size, blocks, compiled),  # type: ignore[misc]
            },
            5,
        )
        one, other = (1e9 * seconds / (size[0] * size[1] * 3) for seconds in times.values())
        rows.append(f"| {'tconv' if blocks == (1, 1) else 'nn x2'} | {one:.1f} | {other:.1f} | {one - other:.1f} |")
    head = "| rows of | NumPy ns | Numba ns | difference |\n|---|---|---|---|\n"
    return "Nanoseconds to filter and compress one byte for PNG, one band after another.\n\n" + head + "\n".join(rows) + "\n"


def _compress(picture: np.ndarray, size: tuple[int, int], blocks: tuple[int, int], loops: ModuleType) -> None:
    smooth = blocks == (1, 1)
    filtering = png_filters.Filtering(8, "RGB", size, blocks, smooth=smooth, loops=loops)
    deflating = png_deflate.Deflating("fast", filtering, smooth=smooth, loops=loops)
    height = filtering.rows_of(1 << 20)
    previous, choice = None, png_deflate.Choice()
    for at in range(0, len(picture), height):
        rows = filtering.as_bytes(picture[at : at + height])
        band = png_filters.Band(filtering, rows, previous)
        previous, choice = rows[-1], deflating.choose(band, choice)
        deflating.deflated(band, choice)


if __name__ == "__main__":
    print(report())

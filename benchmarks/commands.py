"""The whole command against others, from PNG to PNG, over sizes of output: `python benchmarks/commands.py`."""

import os
import subprocess
import tempfile
from pathlib import Path

import peers
from pictures import photograph
from PIL import Image
from timing import UPSCALE, medians

Image.MAX_IMAGE_PIXELS = None

#: Megapixels of output, and rounds.
SIZES = ((0.05, 5), (1, 5), (8, 3), (32, 3), (100, 2))
#: What only decoding the input takes, by whoever is fastest.
FLOOR = "floor"
#: Who is so many times slower than the fastest other one is not waited for again.
BEHIND = 3


def measured() -> dict[str, list[tuple[float, dict[str, tuple[float, float]]]]]:
    """Measure: job -> [(megapixels, {command: (seconds, file over Pillow's default)})]."""
    result: dict[str, list[tuple[float, dict[str, tuple[float, float]]]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        source, out = str(Path(folder) / "in.png"), str(Path(folder) / "out.png")
        for job, factor, options in (
            ("nearest x4", 4, ["--factor", "4"]),
            ("bicubic x2", 2, ["--factor", "2", "--method", "tconv", "--kernel", "bicubic"]),
        ):
            ruled_out: set[str] = set()
            for size, rounds in SIZES:
                side = max(1, round((size * 1e6) ** 0.5 / factor))
                Image.fromarray(photograph(side, side)).save(source)
                others = peers.commands(source, out, factor, "nn" if factor == 4 else "tconv")
                jobs = {"upscale": [UPSCALE, source, out, *options], **others}
                sizes = {}
                for name, command in jobs.items():
                    if name not in ruled_out or name == "Pillow, default":
                        done = subprocess.run(command, check=name == "upscale", capture_output=True)
                        if done.returncode:  # too large for its limits, for one
                            ruled_out.add(name)
                        sizes[name] = os.path.getsize(out)
                jobs = {name: command for name, command in jobs.items() if name not in ruled_out}
                times = medians(jobs | peers.decoders(source), rounds)
                decoded = min(times.pop(name) for name in peers.decoders(source))
                best = min(seconds for name, seconds in times.items() if name != "upscale")
                if size >= 8:
                    ruled_out |= {name for name, seconds in times.items() if name != "upscale" and seconds > BEHIND * best}
                cells = {name: (seconds, sizes[name] / sizes["Pillow, default"]) for name, seconds in times.items()}
                cells[FLOOR] = decoded, 0.0
                result.setdefault(job, []).append((side * side * factor**2 / 1e6, cells))
    return result


def table(measurements: dict[str, list[tuple[float, dict[str, tuple[float, float]]]]]) -> str:
    """Format the measurements as Markdown."""
    names = list(dict.fromkeys(name for rows in measurements.values() for _, cells in rows for name in cells))
    lines = ["| job | output MP | " + " | ".join(names) + " |", "|---" * (len(names) + 2) + "|"]
    for job, rows in measurements.items():
        for size, cells in rows:
            texts = [_cell(*cells[n]) if n in cells else "" for n in names]
            lines.append(f"| {job} | {size:,.2f} | " + " | ".join(texts) + " |")
    return "Seconds, and the file size relative to the one at Pillow's default level.\n\n" + "\n".join(lines) + "\n"


def _cell(seconds: float, size: float) -> str:
    return f"{seconds:.2f} s, {size:.2f}" if size else f"{seconds:.2f} s"


if __name__ == "__main__":
    print(table(measured()))

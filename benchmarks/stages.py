"""Where a command's time goes, stage by stage: `python benchmarks/stages.py`."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pictures import photograph
from PIL import Image
from timing import UPSCALE

JOBS = {
    "nearest x4, 2 MP": (1414, ["--factor", "4"]),
    "bicubic x2, 0.4 MP": (626, ["--factor", "2", "-m", "tconv", "-k", "bicubic"]),
    "bicubic x2, 2 MP": (1414, ["--factor", "2", "-m", "tconv", "-k", "bicubic"]),
    "bicubic x4, 2 MP": (1414, ["--factor", "4", "-m", "tconv", "-k", "bicubic"]),
    "bicubic x4, 8 MP": (2828, ["--factor", "4", "-m", "tconv", "-k", "bicubic"]),
}


def measured(rounds: int = 5) -> dict[str, dict[str, float]]:
    """Measure: job -> stage -> median seconds; `process` is what Python's own start and end take."""
    result = {}
    with tempfile.TemporaryDirectory() as folder:
        for job, (side, options) in JOBS.items():
            source, out = str(Path(folder) / "in.png"), str(Path(folder) / "out.png")
            Image.fromarray(photograph(side, side)).save(source)
            seen: list[dict[str, float]] = []
            for _ in range(rounds + 1):
                began = time.perf_counter()
                done = subprocess.run([UPSCALE, source, out, *options, "-v"], check=True, capture_output=True, text=True)
                whole = time.perf_counter() - began
                line = next(line for line in done.stderr.splitlines() if line.startswith("seconds: "))
                pairs = [part.rsplit(" ", 1) for part in line.removeprefix("seconds: ").split(", ")]
                stages = {name: float(seconds) for name, seconds in pairs}
                inside = stages.pop("total")
                stages["between (engine's start)"] = max(0.0, inside - sum(stages.values()))
                seen.append({"process": whole - inside, **stages})
            result[job] = {stage: statistics.median(s.get(stage, 0.0) for s in seen[1:]) for stage in seen[-1]}
    return result


def table(measurements: dict[str, dict[str, float]]) -> str:
    """Lay the measurements out as Markdown."""
    stages = list(dict.fromkeys(stage for row in measurements.values() for stage in row))
    lines = ["| job | " + " | ".join(stages) + " | total |", "|---" * (len(stages) + 2) + "|"]
    for job, row in measurements.items():
        cells = [f"{row.get(stage, 0):.3f}" for stage in stages]
        lines.append(f"| {job} | " + " | ".join(cells) + f" | {sum(row.values()):.3f} |")
    return "Seconds, PNG to PNG.\n\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table(measured()))

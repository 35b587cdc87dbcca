"""Peak memory of whole commands, beside the decoded input: `python benchmarks/memory.py`."""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from timing import UPSCALE

MAKE = "import sys; sys.path.insert(0, sys.argv[3]); from pictures import photograph; from PIL import Image; " \
    "n = int(sys.argv[2]); Image.fromarray(photograph(n, n)).save(sys.argv[1], compress_level=1)"  # fmt: skip
PEAK = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); " \
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"  # fmt: skip
SIDES = (1000, 3000, 10000)
JOBS = {"nearest x4": ["--factor", "4"], "bicubic x4": ["--factor", "4", "-m", "tconv", "-k", "bicubic"]}


def measured() -> list[tuple[str, int, float, float]]:
    """Measure: (job, side, megabytes of input, megabytes at the peak); PNG to PNG.

    This process stays small, for a child's peak counts what its parent held when it was started.
    """
    rows = []
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 400_000
    with tempfile.TemporaryDirectory() as folder:
        source, out = str(Path(folder) / "in.png"), str(Path(folder) / "out.png")
        for side in SIDES:
            subprocess.run([sys.executable, "-c", MAKE, source, str(side), str(Path(__file__).parent)], check=True)
            for job, options in JOBS.items():
                command = [sys.executable, "-c", PEAK, UPSCALE, source, out, *options]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                rows.append((job, side, side * side * 3 / 1e6, int(done.stdout) * 1024 / 1e6))
    return rows


def table(rows: list[tuple[str, int, float, float]]) -> str:
    """Format the measurements as Markdown."""
    lines = ["| job | picture | decoded MB | output MB | peak MB |", "|---|---|---|---|---|"]
    for job, side, size, peak in rows:
        lines.append(f"| {job} | {side} x {side} RGB | {size:,.0f} | {16 * size:,.0f} | {peak:,.0f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table(measured()))

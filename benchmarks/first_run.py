"""What a new user waits for, while no loop is compiled: `python benchmarks/first_run.py`, or with names of jobs."""

import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pictures import photograph
from PIL import Image
from timing import UPSCALE

#: The sides of the picture, or None for the folder of samples, and the options.
JOBS = {
    "nearest x2, 2 MP": (1448, ["--factor", "2"]),
    "nearest x4, 2 MP": (1448, ["--factor", "4"]),
    "bicubic x2, 2 MP": (1448, ["--factor", "2", "--kernel", "bicubic"]),
    "adaptive x2, 2 MP": (1448, ["--factor", "2", "--kernel", "adaptive"]),
    "nearest x4, 8 MP": (2896, ["--factor", "4"]),
    "bicubic x2, 8 MP": (2896, ["--factor", "2", "--kernel", "bicubic"]),
    "bicubic x2, sample_images": (None, ["--factor", "2", "--kernel", "bicubic", "--quiet"]),
}
SAMPLES = Path(__file__).parent.parent / "sample_images"
GOAL = 1.5
#: Rounds, and seconds after which no other is begun.
ROUNDS, ENOUGH = 3, 15.0
#: Commands that a user may need until loops are compiled.
_TRIES = 9


class NewUser:
    """A home without a cache, and what runs in it."""

    def __init__(self, folder: Path, command: list[str]) -> None:
        self._cache, self._command = folder / "cache", command
        self._environment = {
            **os.environ,
            "HOME": str(folder),
            "NUMBA_CACHE_DIR": str(self._cache),
            "UPSCALE_BACKGROUND_COMPILE": "1",
        }

    def seconds(self, *options: str) -> float:
        """Run the command and return how long it takes."""
        began = time.perf_counter()
        subprocess.run([*self._command, *options], env=self._environment, check=True, capture_output=True)
        return time.perf_counter() - began

    def is_compiling(self) -> bool:
        """Return whether the background process runs."""
        return any(self._cache.glob("upscale-*/compiling"))

    def stop_compiling(self) -> None:
        """End the background process, which would disturb the next round."""
        for path in self._cache.glob("upscale-*/compiling"):
            with contextlib.suppress(OSError, ValueError):
                os.kill(int(path.read_text().split()[0]), signal.SIGTERM)

    def has_loops(self) -> bool:
        """Return whether loops were compiled in the background."""
        return any(self._cache.glob("upscale-*/*.ready"))

    def wait(self) -> float:
        """Wait for the background process, and return how long that took."""
        began = time.perf_counter()
        while self.is_compiling():
            time.sleep(0.1)
        return time.perf_counter() - began


def _job(folder: Path, command: list[str]) -> list[str]:
    """Measure one job, and return its cells."""
    first, second, began = [], [], time.perf_counter()
    while True:
        with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as home:
            user = NewUser(Path(home), command)
            first.append(user.seconds())
            second.append(user.seconds())
            if len(first) < ROUNDS and time.perf_counter() - began < ENOUGH:
                user.stop_compiling()
                continue
            commands = 2
            while not user.is_compiling() and not user.has_loops() and commands < _TRIES:
                user.seconds()
                commands += 1
            waited, later = user.wait(), ""
            if user.has_loops():
                later = f"{statistics.median(user.seconds() for _ in range(5)):.2f}"
            started = f"{waited:.0f}" if later else ""
        with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as home:
            compiling = NewUser(Path(home), command).seconds("--engine", "numba")
        one, other = statistics.median(first), statistics.median(second)
        return [f"{one:.2f}", f"{other:.2f}", f"{one / other:.2f}", started, later, f"{compiling:.1f}"]


def report(wanted: tuple[str, ...] = ()) -> str:
    """Return the result as Markdown, of all jobs or some."""
    rows = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for job, (side, options) in JOBS.items():
            if wanted and job not in wanted:
                continue
            source, out = SAMPLES, folder / "out"
            if side is not None:
                source, out = folder / "in.png", folder / "out.png"
                Image.fromarray(photograph(side, side)).save(source)
            rows.append(f"| {job} | " + " | ".join(_job(folder, [UPSCALE, str(source), str(out), *options])) + " |")
    head = (
        f"Seconds, PNG to PNG; the goal is a first command of at most {GOAL} times the second.\n\n"
        "| job | first | second | ratio | compiled after | then | first with `--engine numba` |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.stdout.write(report(tuple(sys.argv[1:])))

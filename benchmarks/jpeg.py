"""Time, size and peak memory of JPEG, encoded as a whole by Pillow and in bands: `python benchmarks/jpeg.py [PICTURE...]`."""

import io
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from pictures import photograph
from PIL import Image

from upscale import threads
from upscale.pictures.jpeg.jpeg_writer import Writer
from upscale.pictures.picture import Frame, Picture
from upscale.pictures.write_options import WriteOptions

SIDES = (1000, 1500, 2800, 5800)
WHOLE = "whole, Pillow"
#: What is compared, and the number of threads.
JOBS = {WHOLE: 0, "bands, 1 thread": 1, "bands, 2 threads": 2}
#: Rows that are there at a time where peak memory is measured.
ROWS = 256


def encoded(job: str, samples: np.ndarray) -> int:
    """Encode a picture that is in memory, and return how many bytes it becomes."""
    file = io.BytesIO()
    if job == WHOLE:
        Image.fromarray(samples).save(file, "JPEG", quality=92, subsampling=0)
    else:
        threads.use(JOBS[job])
        Writer(file, WriteOptions(samples.shape[:2])).add(Frame(Picture(samples, "RGB")))
    return file.tell()


def times(samples: np.ndarray, rounds: int) -> dict[str, tuple[float, int]]:
    """Encode a picture by all in turn; gives median seconds, and bytes."""
    seconds: dict[str, list[float]] = {job: [] for job in JOBS}
    sizes = {job: encoded(job, samples) for job in JOBS}
    for _ in range(rounds):
        for job in JOBS:
            began = time.perf_counter()
            encoded(job, samples)
            seconds[job].append(time.perf_counter() - began)
    return {job: (statistics.median(seconds[job]), sizes[job]) for job in JOBS}


def print_peak(job: str, side: int) -> None:
    """Encode a picture whose rows are computed as they are needed; prints the growth of this process at its peak, in bytes."""
    rows = photograph(ROWS, side)
    encoded(job, rows)
    before = _peak()
    pieces = (np.roll(rows, y, 1)[: side - y] for y in range(0, side, ROWS))
    with open("/dev/null", "wb") as file:
        if job == WHOLE:
            samples = np.empty((side, side, 3), np.uint8)
            for number, piece in enumerate(pieces):
                samples[number * ROWS : number * ROWS + len(piece)] = piece
            Image.fromarray(samples).save(file, "JPEG", quality=92, subsampling=0)
        else:
            Writer(file, WriteOptions((side, side))).add_bands(Frame(Picture(rows, "RGB")), pieces, (side, side))
    print(_peak() - before)


def _peak() -> int:
    """Read this process's peak; what `getrusage` returns may be that of the process which started it."""
    return 1024 * int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])


def peak(job: str, side: int) -> int:
    """Measure the growth of a process in which one picture is encoded."""
    done = subprocess.run([sys.executable, __file__, "--peak", job, str(side)], check=True, capture_output=True, text=True)
    return int(done.stdout)


def report(pictures: tuple[str, ...] = (), rounds: int = 15) -> str:
    """Return the result as Markdown."""
    lines = [
        "| picture | encoded | ms | times as fast | bytes | of the whole's | memory, MB |",
        "|---|---|---|---|---|---|---|",
    ]
    peaks = {} if pictures else {(job, side): peak(job, side) for side in SIDES for job in JOBS}
    for source in pictures or SIDES:
        if isinstance(source, str):
            samples, name = np.asarray(Image.open(source).convert("RGB")), Path(source).name
        else:
            samples, name = photograph(source, source), "photograph"
        measured = times(samples, rounds)
        seconds, size = measured[WHOLE]
        for job, (s, n) in measured.items():
            memory = f"{peaks[job, source] / 1e6:,.0f}" if (job, source) in peaks else ""
            label = f"{name} {samples.shape[1]} x {samples.shape[0]}"
            lines.append(f"| {label} | {job} | {1000 * s:.1f} | {seconds / s:.2f} | {n:,} | {n / size:.5f} | {memory} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak"]:
        print_peak(sys.argv[2], int(sys.argv[3]))
    else:
        Image.MAX_IMAGE_PIXELS = None
        print(report(tuple(sys.argv[1:])))

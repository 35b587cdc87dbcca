"""How the time of a whole command depends on the number of cores: `python benchmarks/scaling.py`.

One and two threads are measured. More are modelled: starting (Python, NumPy, Numba) uses one core; a single thread decodes the
input; bands are computed, filtered and compressed by all threads. So the command takes the start, and then the longer one of
decoding and of all work divided by the number of threads.
"""

import io
import os
import tempfile
from pathlib import Path

from in_process import in_turn
from pictures import photograph
from PIL import Image
from timing import UPSCALE, medians

from upscale.loops import compiled
from upscale.pictures.png import png_reader

Image.MAX_IMAGE_PIXELS = None

#: Megapixels of input.
SIZES = (8, 33)
JOBS = {"bicubic x2": ["--factor", "2", "--kernel", "bicubic"], "nearest x4": ["--factor", "4"]}
#: Cores that are modelled.
CORES = (4, 8, 32)


def report() -> str:
    """Return the measurement and the model as Markdown."""
    head = "| job | input MP | start | decode | 1 thread | 2 threads | 2, model | " + " | ".join(f"{n}, model" for n in CORES)
    lines = [head + " | no faster from |", "|---" * (8 + len(CORES)) + "|"]
    with tempfile.TemporaryDirectory() as folder:
        small, source, out = (str(Path(folder) / name) for name in ("small.png", "in.png", "out.png"))
        Image.fromarray(photograph(64, 64)).save(small)
        for size in SIZES:
            side = round((size * 1e6) ** 0.5)
            Image.fromarray(photograph(side, side)).save(source)
            data = Path(source).read_bytes()
            decode = in_turn({"decode": lambda data=data: _decode(data)}, 3)["decode"]  # type: ignore[misc]
            for job, options in JOBS.items():
                commands = {
                    "start": [UPSCALE, small, out, *options, "--engine", "numba"],
                    **{str(n): [UPSCALE, source, out, *options, "-j", str(n)] for n in (1, 2)},
                }
                times = medians(commands, 5)
                work = times["1"] - times["start"]
                model = [times["start"] + max(decode, work / n) for n in (2, *CORES)]
                cells = [times["start"], decode, times["1"], times["2"], *model]
                numbers = " | ".join(f"{seconds:.2f}" for seconds in cells)
                lines.append(f"| {job} | {size} | {numbers} | {work / decode:.0f} |")
    return f"Seconds; {os.cpu_count()} cores are there.\n\n" + "\n".join(lines) + "\n"


def _decode(data: bytes) -> None:
    """Decode a picture in bands, as the command does, on this thread."""
    contents = png_reader.read(io.BytesIO(data), print, print)
    assert contents.stream is not None
    _, stream = contents.stream(lambda: io.BytesIO())
    stream.start(compiled)
    stream.wait(len(stream.samples))
    stream.close()


if __name__ == "__main__":
    print(report())

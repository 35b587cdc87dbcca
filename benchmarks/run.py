"""Run every benchmark and write docs/performance.md and its plots, in a quarter of an hour: `python benchmarks/run.py`.

With names of benchmarks, the others keep what stands there: `python benchmarks/run.py memory stages`.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import batch
import commands
import deflate
import engines
import first_run
import in_process
import jpeg
import memory
import plots
import png
import scaling
import stages
import start
import threads
from timing import UPSCALE, machine

TARGET = Path(__file__).parent.parent / "docs" / "performance.md"

HEAD = """# Performance

`python benchmarks/run.py` (needs the extra `bench`) writes this page. In each run, the candidates take turns, and their
medians are compared. The machines are shared and noisy, so look at the ratios. Each section names the command that repeats it.
"""


def _in_process() -> str:
    measured = in_process.measured()
    picture = f"![Time against output, by library]({plots.sizes('in-process', measured)})"
    return f"{picture}\n\n{in_process.table(measured)}"


def _commands() -> str:
    measured = commands.measured()
    lines = {
        job: {n: [(size, cells[n][0]) for size, cells in rows if n in cells] for n in rows[0][1]}
        for job, rows in measured.items()
    }
    picture = f"![Time against output, by command]({plots.sizes('commands', lines)})"
    return f"{picture}\n\n{commands.table(measured)}"


def _threads() -> str:
    measured = threads.measured()
    return f"![Speed by threads]({plots.threads(measured)})\n\n{threads.table(measured)}"


def _memory() -> str:
    measured = memory.measured()
    return f"![Peak memory]({plots.memory(measured)})\n\n{memory.table(measured)}"


def _stages() -> str:
    measured = stages.measured()
    return f"![Stages of a command]({plots.stages(measured)})\n\n{stages.table(measured)}"


#: Title, what to know, and who measures; memory comes first, while this process is small.
SECTIONS: dict[str, tuple[str, str, Callable[[], str]]] = {
    "memory": (
        "Memory",
        "PNG is read and written in bands, so memory holds neither the whole input nor the whole output. Numba itself takes\n"
        "about 100 MB. JPEG is written in bands, but read as a whole; other formats are read and written as a whole.",
        _memory,
    ),
    "batch": ("Many files", "docs/scale.md explains what this means in practice.", batch.report),
    "start": (
        "Starting",
        "Small pictures do not start Numba, and NumPy and Pillow are imported only when there is work.",
        start.report,
    ),
    "first_run": (
        "The first run",
        "While no loop is compiled, NumPy's engine does the work. Once it has lost a second in all, the loops that were\n"
        "missing are compiled in the background: `compiled after` so many seconds; `then` is a command after that. Empty\n"
        "cells: nine commands lost too little for it. The last column is a command that waits for its loops. A large\n"
        "`adaptive` picture changes to the loops before it is complete, so that the second command is faster.",
        first_run.report,
    ),
    "in_process": (
        "Loops against other libraries",
        "Measured in a process in which Numba is already running. For bicubic, SciPy and scikit-image compute splines, the\n"
        "others cubic convolution. torch's results are floats that still have to be rounded and clipped. Output arrays are\n"
        "reused if the library allows it; for the others, allocating memory takes much of the time at the largest sizes.",
        _in_process,
    ),
    "commands": (
        "Whole commands",
        "From a PNG file to a PNG file. Where a cell is empty, the command was too slow to measure, or refused pictures of\n"
        "that size. `floor` is the fastest decoder of the input (OpenCV, imagecodecs, Pillow or vips, on one thread) and its\n"
        "start: enlarging and writing come on top for all others, while `upscale` does all of it at once.",
        _commands,
    ),
    "stages": (
        "Where the time goes",
        "`process` is Python's own start and exit. The time between the stages is mostly the start of Numba, which begins\n"
        "while the picture is decoded. PNG is decoded, enlarged, filtered, compressed and written at once.",
        _stages,
    ),
    "scaling": (
        "More cores",
        "Starting takes one core, and one thread decodes PNG, since each of its pixels needs the one before. All else is done\n"
        "by all threads. So a command is no faster than its start and the decoder, which it reaches at `no faster from` cores.",
        scaling.report,
    ),
    "threads": ("Threads", "Only the loops, on 2 megapixels of RGB. `dense` is a kernel that is not separable.", _threads),
    "png": (
        "Compressing PNG",
        "Bands of rows are compressed in one of these ways:\n\n"
        "- `fast`: only repetitions at one distance are used (see the next section);\n"
        "- `balanced`: the same, or a full search for repetitions, whichever is better for a sample of the rows;\n"
        "- `small`: both, with three settings in all; the smallest result is kept.",
        png.report,
    ),
    "deflate": (
        "The deflate loop",
        "With Numba, `upscale` compresses PNG by a loop of its own. It makes new Huffman codes for each block, and looks for\n"
        "repetitions at one distance only. Pixels that become blocks are compressed by another loop, without making them.\n"
        "For pictures that a full search makes smaller, such as sprites, zlib-ng is used instead (except with `fast`).",
        deflate.report,
    ),
    "jpeg": (
        "Encoding JPEG",
        "Pictures of more than 4 MiB of samples are encoded in bands, which restart markers join. Decoders read the same\n"
        "pixels. `memory` is what a process grows by that encodes rows as they are computed. Two threads are no faster than\n"
        "one while other programs keep the cores busy.",
        jpeg.report,
    ),
    "engines": (
        "When starting Numba pays off",
        "`upscale/loops/engine.py` chooses the engine: Numba, if NumPy is estimated to be slower by more than\n"
        "the time that Numba takes to start, and always for tconv if the input has 2 megapixels or more.",
        engines.report,
    ),
}


def kept(title: str) -> str | None:
    """Find a section as it stands."""
    text = TARGET.read_text() if TARGET.exists() else ""
    found = re.search(rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", text, re.S | re.M)
    return found.group(0).rstrip() + "\n" if found else None


def main() -> None:
    """Measure what is asked for and write the page."""
    wanted = set(sys.argv[1:]) or set(SECTIONS)
    if unknown := wanted - set(SECTIONS):
        raise SystemExit(f"{', '.join(sorted(unknown))}: there are {', '.join(SECTIONS)}")
    subprocess.run([UPSCALE, "--precompile"], check=True)  # or commands would be timed with NumPy
    parts = [HEAD]
    for name, (title, text, measure) in SECTIONS.items():
        before = kept(title)
        if name in wanted or before is None:
            print(f"{name} ...", file=sys.stderr, flush=True)
            before = f"## {title}\n\n`python benchmarks/{name}.py`, on {machine()}.\n{text}\n\n{measure().rstrip()}\n"
        parts.append(before)
        TARGET.write_text("\n".join([*parts, *(k for t in list(SECTIONS.values())[len(parts) - 1 :] if (k := kept(t[0])))]))


if __name__ == "__main__":
    main()

"""Run every benchmark and write docs/performance.md and its plots, in a quarter of an hour: `python benchmarks/run.py`.

With names of benchmarks, the others keep what stands there: `python benchmarks/run.py memory stages`.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import batch
import commands
import engines
import in_process
import memory
import plots
import png
import stages
import start
import threads
from timing import machine

TARGET = Path(__file__).parent.parent / "docs" / "performance.md"

HEAD = """# Performance

Written by `python benchmarks/run.py` (extra `bench`). Everything is timed in turn in one run, and medians are compared:
machines are shared and noisy, so read the ratios. Each section names the command that measures it again.
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
        "PNG is written in bands: the decoded input is held, and of the output a few bands. While a picture is decoded, its\n"
        "compressed data are held too, which a noisy picture such as these feels.",
        _memory,
    ),
    "batch": ("Many files", "See docs/scale.md for what follows from it.", batch.report),
    "start": (
        "Starting",
        "Numba is not started for a small picture, and NumPy and Pillow only when there is work.",
        start.report,
    ),
    "in_process": (
        "Loops against other libraries",
        "In one process in which Numba runs already. SciPy and scikit-image compute splines where the others have a cubic\n"
        "convolution; torch's results are floats that still have to be rounded and clipped. Outputs are handed in where a\n"
        "library takes them; fresh memory is a good part of the time of others at the largest sizes.",
        _in_process,
    ),
    "commands": (
        "Whole commands",
        "From a PNG file to a PNG file. Empty cells were too far behind, or refused so large a picture.",
        _commands,
    ),
    "stages": (
        "Where the time goes",
        "`process` is Python's own start and end; what lies between the stages is mostly Numba's start, which begins while\n"
        "the picture is decoded. Where bands are enlarged, they are filtered, deflated and written by other threads meanwhile.",
        _stages,
    ),
    "threads": ("Threads", "Loops alone, on 2 megapixels of RGB.", _threads),
    "png": (
        "Packing PNG",
        "A band of rows is packed by run lengths (`fast`), by the better of run lengths and a search as a\n"
        "piece of it shows (`balanced`), or by the smallest of three ways (`small`).",
        png.report,
    ),
    "engines": (
        "From where on Numba pays",
        "The rule that chooses an engine stands in `upscale/loops/engine.py`: Numba, when NumPy is estimated\n"
        "to take longer by more than Numba's start; and for tconv from 2 megapixels of input on, whatever the estimate.",
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

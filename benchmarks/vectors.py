"""What each building block of the loops gains over plain Numba, in the whole loop: `python benchmarks/vectors.py`.

Two copies of the loops run in turn on one thread: as they are, and with one block replaced by its plain version of
`tests/plain_blocks.py`. Both must give the same bytes. Names of blocks choose some of them; `--megapixels 0.4,128`,
`--factors 2,4` and `--dtypes uint8` choose cases, `--all` all of them, `--threads 2` more threads. `NUMBA_CPU_NAME` and
`NUMBA_CPU_FEATURES` choose the processor, as in `CPUS` of `tests/loops/test_loops.py`. Times are those of the processor, which
what else the machine does disturbs less; compile seconds are those of a loop's first call, with nothing in the cache.
"""

import argparse
import functools
import importlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np
from pictures import photograph

from upscale.kernels.kernel import Kernel
from upscale.kernels.kernel_spec import parse_kernel
from upscale.kernels.load import load
from upscale.loops import vectors
from upscale.operators.correction_tables import correction_tables
from upscale.operators.parameters import Operator
from upscale.operators.transposed_plan import TransposedPlan

sys.path.append(str(Path(__file__).parent.parent / "tests"))
import plain_blocks

MEGAPIXELS, FACTORS, DTYPES = (0.4, 2, 8, 32, 128), (2, 3, 4), ("uint8", "float32")
QUICK = (0.4, 8, 32)
#: Corrections take a second for some megapixels; larger pictures show nothing new.
MOST = {"correct": 8}
Array = np.ndarray
Job = tuple[Array, Callable[[ModuleType], Any]]


def variant(replacing: dict[str, Any], folder: str) -> ModuleType:
    """Import the loops once more, with an empty cache of their own and some of their building blocks replaced."""
    mine = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith("upscale.loops.")}
    before, numba.config.CACHE_DIR = numba.config.CACHE_DIR, tempfile.mkdtemp(dir=folder)
    for name, function in replacing.items():
        home = importlib.import_module("upscale.loops." + ("vectors" if hasattr(vectors, name) else "numba_private"))
        assert hasattr(home, name), name
        setattr(home, name, function)  # before the loops import it
    module = importlib.import_module("upscale.loops.compiled")
    numba.config.CACHE_DIR = before
    for name in [name for name in sys.modules if name.startswith("upscale.loops.")]:
        del sys.modules[name]
    sys.modules.update(mine)
    return module


def _source(megapixels: float, factor: int, dtype: str, channels: int) -> Array:
    side = max(8, round((megapixels * 1e6) ** 0.5 / factor))
    return np.ascontiguousarray(photograph(side, side + 3)[..., :channels]).astype(dtype)


def nearest(source: Array, factor: int) -> Job:
    """Prepare a call: its output, and a function that calls the loop of a module."""
    out = np.zeros((len(source) * factor, source.shape[1] * factor, source.shape[2]), source.dtype)
    given, taken = (a.reshape(len(a), -1).view(np.uint8) for a in (source, out))
    given.flags.writeable = False
    return out, lambda module: module.nearest(given, factor, factor, source.shape[2] * source.itemsize, taken)


def convolved(kernel: str, source: Array, factor: int) -> Job:
    """Prepare a call of `separable`, or of `dense` for a kernel of full rank, 4 taps an axis and phase."""
    if kernel == "dense":
        weights = np.random.default_rng(1).random((4 * factor, 4 * factor)) / 16
        chosen = Kernel(weights)
    else:
        chosen = load(parse_kernel(kernel), (factor, factor))
    plan = TransposedPlan(source, Operator(chosen, (factor, factor)), source.dtype)
    out = np.zeros(plan.shape, plan.dtype)
    return out, lambda module: plan.fill(module, out)


def correct(source: Array, factor: int) -> Job:
    """Prepare a call with the tables of the kernel `adaptive`."""
    kernel = load(parse_kernel("adaptive"), (factor, factor))
    assert kernel.corrections is not None
    tables = correction_tables(kernel.corrections, source.shape[1] + 6, np.float32)
    wide = np.pad(source.astype(np.float32), ((3, 3), (3, 3), (0, 0)), mode="edge")
    planes, guide = np.ascontiguousarray(np.moveaxis(wide, 2, 0)), np.ascontiguousarray(wide.mean(2))
    out = np.zeros((len(source) * factor, source.shape[1] * factor * source.shape[2]), np.float32)

    def call(module: ModuleType) -> None:
        out[:] = 0  # what is added to
        module.correct(planes, guide, tables, 0, out)

    return out, call


#: Loop -> what is measured of it: a name, how it is prepared, and the dtypes that the loop itself takes.
JOBS: dict[str, list[tuple[str, Callable[[Array, int], Job], tuple[str, ...]]]] = {
    "nearest": [("nearest", nearest, DTYPES)],
    "separable": [(name, functools.partial(convolved, name), DTYPES) for name in ("bilinear", "bicubic", "lanczos3")],
    "dense": [("dense 4x4", functools.partial(convolved, "dense"), ("float32",))],
    "correct": [("correct", correct, ("float32",))],
}


def compared(modules: tuple[ModuleType, ModuleType], job: Job, seconds: float) -> tuple[bool, list[float], list[float]]:
    """Run both in turn: whether all bytes are equal, and the seconds of the first call and the median of later ones of each."""
    out, call = job
    first, outputs = [], []
    for module in modules:
        out[:] = 0
        began = time.process_time()
        call(module)
        first.append(time.process_time() - began)
        outputs.append(out.tobytes())
    times: tuple[list[float], list[float]] = ([], [])
    began = time.perf_counter()
    while len(times[0]) < 5 or (time.perf_counter() - began < seconds and len(times[0]) < 99):
        for i in (0, 1) if len(times[0]) % 2 else (1, 0):
            start = time.process_time()
            call(modules[i])
            times[i].append(time.process_time() - start)
    return outputs[0] == outputs[1], first, [statistics.median(t) for t in times]


def report(
    blocks: tuple[str, ...] = (), megapixels: tuple[float, ...] = QUICK, factors: tuple[int, ...] = FACTORS,
    dtypes: tuple[str, ...] = DTYPES, channels: tuple[int, ...] = (3,), threads: int = 1, seconds: float = 0.5,
) -> str:  # fmt: skip
    """Return the result as Markdown."""
    numba.set_num_threads(threads)
    rows, summary = [], []
    with tempfile.TemporaryDirectory() as folder:
        for block, plains, loop in ((b, plain, name) for b, (plain, names) in plain_blocks.BLOCKS.items() for name in names):
            if blocks and block not in blocks:
                continue
            modules, ratios, compiling = (variant({}, folder), variant(plains, folder)), [], [0.0, 0.0]
            for name, prepare, taken in JOBS[loop]:
                for dtype in (d for d in dtypes if d in taken):
                    for number, size, factor in ((c, s, f) for c in channels for s in megapixels for f in factors):
                        if size > MOST.get(loop, size):
                            continue
                        job = prepare(_source(size, factor, dtype, number), factor)
                        same, first, medians = compared(modules, job, seconds)
                        assert same, f"{block}, {name}, {dtype}, x{factor}, {size} MP: the results differ"
                        ratios.append(medians[1] / medians[0])
                        compiling = [c + max(0.0, f - m) for c, f, m in zip(compiling, first, medians, strict=True)]
                        case = f"| {block} | {name} | {dtype} | {number} | x{factor} | {size:g} | "
                        rows.append(case + f"{1e3 * medians[0]:.2f} | {1e3 * medians[1]:.2f} | {ratios[-1]:.2f} |")
                        print(rows[-1], file=sys.stderr, flush=True)
            if ratios:
                summary.append(
                    f"| {block} | {loop} | {statistics.median(ratios):.2f} | {min(ratios):.2f} to {max(ratios):.2f} | "
                    f"{compiling[0]:.1f} | {compiling[1]:.1f} |"
                )
    cpu = os.environ.get("NUMBA_CPU_NAME") or "this machine's processor"
    return (
        f"Compiled for {cpu}, {threads} thread(s); the ratio says how many times as long the plain version takes.\n\n"
        "| block | loop | median ratio | range | compile s | plain compile s |\n|---|---|---|---|---|---|\n"
        + "\n".join(summary)
        + "\n\n| block | job | dtype | channels | factor | output MP | ms | plain ms | ratio |\n"
        + "|---|---|---|---|---|---|---|---|---|\n" + "\n".join(rows) + "\n"
    )  # fmt: skip


def main() -> None:
    """Read the command line and print the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("blocks", nargs="*", help=f"some of: {', '.join(plain_blocks.BLOCKS)}")
    parser.add_argument("--megapixels", type=lambda text: tuple(map(float, text.split(","))), default=QUICK)
    parser.add_argument("--factors", type=lambda text: tuple(map(int, text.split(","))), default=FACTORS)
    parser.add_argument("--dtypes", type=lambda text: tuple(text.split(",")), default=DTYPES)
    parser.add_argument("--channels", type=lambda text: tuple(map(int, text.split(","))), default=(3,))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--all", action="store_true", help="all sizes, factors, dtypes, and 1, 3 and 4 channels")
    given = parser.parse_args()
    if unknown := set(given.blocks) - set(plain_blocks.BLOCKS):
        parser.error(f"no such block: {', '.join(sorted(unknown))}")
    chosen = (given.megapixels, given.factors, given.dtypes, given.channels)
    sizes = (MEGAPIXELS, FACTORS, DTYPES, (1, 3, 4)) if given.all else chosen
    print(report(tuple(given.blocks), *sizes, threads=given.threads))


if __name__ == "__main__":
    main()

"""Compile loops in advance, every one for every type of samples or only some, so that no later run has to."""

from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from upscale.argument_checks import read_only_view
from upscale.errors import FileError
from upscale.kernels.chain import Chain
from upscale.kernels.kernel import Kernel
from upscale.kernels.load import load_kernel
from upscale.loops.background_compile import BackgroundCompile
from upscale.loops.engine import CHOOSER
from upscale.loops.ready_loops import ReadyLoops
from upscale.operators.nearest_plan import NearestPlan
from upscale.operators.parameters import Operator
from upscale.operators.transposed_plan import TransposedPlan

#: What samples of pictures and arrays may be, once half floats are converted.
_DTYPES = ("uint8", "uint16", "float32", "float64", "int32", "int8", "int16", "uint32", "int64", "uint64")
_FACTOR = (2, 2)
#: Loops, and what runs them all.
_Job = tuple[frozenset[str], Callable[[ModuleType], None]]


class Precompiled(NamedTuple):
    """What came of compiling in advance.

    Attributes
    ----------
    loaded, compiled : int
        How many pieces of machine code were in the cache, and how many were not.
    folder : str
        The cache.
    """

    loaded: int
    compiled: int
    folder: str


def precompile(
    wanted: frozenset[str] | None = None,
    progress: Callable[[], None] = lambda: None,
) -> Precompiled:
    """Compile loops, or load what is in the cache, and mark them as compiled.

    Parameters
    ----------
    wanted : frozenset of str, optional
        Names of loops with their types, as in `ready_loops`; by default all.
    progress : callable
        Called before each step.

    Raises
    ------
    FileError
        If Numba cannot be used, or no folder can be written in which machine code would be kept.
    """
    if not CHOOSER.has_numba():
        raise FileError(f"nothing can be compiled: {CHOOSER.unusable}")
    from upscale.loops import compiled

    if not compiled.CACHED:
        raise FileError("no cache folder is writable; set NUMBA_CACHE_DIR to a writable folder")
    jobs: list[_Job] = [(plan.work.loops, partial(_fill, plan)) for plan in _plans()]
    jobs.append((frozenset({"png"}), _write_png))  # last, since a picture can do without while it is enlarged
    left = frozenset().union(*(loops for loops, _ in jobs)) if wanted is None else wanted
    ready = ReadyLoops()
    # What needs the fewest other loops comes first.
    for loops, run in sorted(jobs, key=lambda job: len(job[0] - left)):
        if wanted is not None and not loops & left:
            continue
        progress()
        run(compiled)
        if compiled.are_saved():  # type: ignore[no-untyped-call]
            ready.mark(loops)
        left -= loops
    BackgroundCompile(ready).forget_failure()
    statistics = [loop.stats for loop in compiled.LOOPS]
    loaded, made = (sum(getattr(s, name).total() for s in statistics) for name in ("cache_hits", "cache_misses"))
    return Precompiled(loaded, made, statistics[0].cache_path)


def _fill(plan: NearestPlan | TransposedPlan, loops: ModuleType) -> None:
    plan.fill(loops, np.empty(plan.shape, plan.dtype))


def _plans() -> Iterator[NearestPlan | TransposedPlan]:
    """Yield small enlargements that use every loop with every type."""
    yield NearestPlan(np.zeros((2, 2), np.uint8), _FACTOR)
    rank_2 = np.outer(np.arange(1.0, 17), np.arange(2.0, 18))
    rank_2[0, 0] += 1
    kernels = (
        load_kernel("bicubic", _FACTOR),
        load_kernel("adaptive", _FACTOR),
        load_kernel("deep", _FACTOR),
        Kernel(np.arange(9.0).reshape(3, 3) ** 2, factor=_FACTOR),  # too small for two passes
        Kernel(rank_2, factor=_FACTOR),
        Kernel(np.ones((1, 4, 2, 2)), factor=_FACTOR, chain=Chain([np.ones((1, 4, 1, 1))], [[0]], [[1]])),
    )
    for dtype in ("float32", "float64"):
        source = np.ones((8, 8, 4), dtype)
        yield TransposedPlan(source, Operator(kernels[0], _FACTOR), source.dtype, reduced=(12, 12))
    for dtype in _DTYPES:
        source = np.ones((8, 8, 4), dtype)
        for kernel in kernels:
            for result in {np.dtype(dtype), np.dtype(np.float32) if source.dtype.kind != "f" else source.dtype}:
                for alpha in (False, True):
                    yield TransposedPlan(source, Operator(kernel, _FACTOR), result, alpha=alpha)


def _write_png(loops: ModuleType) -> None:
    """Filter rows for PNG, which can be written to or not, as can be the row above them, deflate them, and undo the filters."""
    rows, kinds = np.zeros((2, 4), np.uint8), np.zeros(1, np.uint8)
    views: tuple[Any, ...] = ((rows, rows[0]), (read_only_view(rows), rows[0]), (read_only_view(rows), read_only_view(rows[0])))
    for below, above in views:
        loops.png_filter(below, above, 1, kinds, 1, np.empty((2, 5), np.uint8))
    loops.deflate(np.zeros(9, np.uint8), 1, 3, np.empty(1100, np.uint8))
    loops.deflate_blocks(np.zeros(18, np.uint8)[:-8].reshape(2, 5), 4, 2, 2, np.empty(2200, np.uint8))
    loops.png_unfilter(read_only_view(np.zeros((2, 5), np.uint8)), np.zeros(4, np.uint8), 1, rows)

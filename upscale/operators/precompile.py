"""Compile every loop for every type of samples in advance, so that no later run compiles any: for images of containers."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from upscale.argument_checks import read_only_view
from upscale.errors import FileError
from upscale.kernels.kernel import Kernel
from upscale.kernels.load import load_kernel
from upscale.loops.engine import CHOOSER
from upscale.operators.nearest_plan import NearestPlan
from upscale.operators.parameters import Operator
from upscale.operators.transposed_plan import TransposedPlan

#: What samples of pictures and arrays may be, once half floats are converted.
_DTYPES = ("uint8", "uint16", "float32", "float64", "int32", "int8", "int16", "uint32", "int64", "uint64")
_FACTOR = (2, 2)


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


def precompile() -> Precompiled:
    """Compile all loops for all types of samples, or load what is in the cache.

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
    for plan in _plans():
        plan.fill(compiled, np.empty(plan.shape, plan.dtype))
    _write_png(compiled)
    statistics = [loop.stats for loop in compiled.LOOPS]
    loaded, made = (sum(getattr(s, name).total() for s in statistics) for name in ("cache_hits", "cache_misses"))
    return Precompiled(loaded, made, statistics[0].cache_path)


def _plans() -> Iterator[NearestPlan | TransposedPlan]:
    """Yield small enlargements that use every loop with every type."""
    yield NearestPlan(np.zeros((2, 2), np.uint8), _FACTOR)
    rank_2 = np.outer(np.arange(1.0, 17), np.arange(2.0, 18))
    rank_2[0, 0] += 1
    kernels = (
        load_kernel("bicubic", _FACTOR),
        load_kernel("adaptive", _FACTOR),
        Kernel(np.arange(9.0).reshape(3, 3) ** 2, factor=_FACTOR),  # too small for two passes
        Kernel(rank_2, factor=_FACTOR),
    )
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

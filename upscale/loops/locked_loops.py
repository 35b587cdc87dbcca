"""The compiled loops, of which only one runs at a time: for Numba's workqueue layer, which only one thread may use."""

# What Numba compiles has no types that a checker could follow.
# mypy: ignore-errors

import functools
import os
import threading

from upscale.loops import compiled
from upscale.loops.compiled import CACHED, deflate, deflate_blocks, png_unfilter, use_threads

__all__ = [
    "CACHED",
    "SAFE_IN_THREADS",
    "add_layers",
    "correct",
    "deflate",
    "deflate_blocks",
    "dense",
    "nearest",
    "pass_chain",
    "png_filter",
    "png_unfilter",
    "premultiply",
    "reduce",
    "separable",
    "store",
    "unpremultiply",
    "use_threads",
]

SAFE_IN_THREADS = False
_lock = threading.Lock()
# The layer survives a fork, but a loop that another thread was compiling or running would not.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


def _locked(loop):
    """Have a loop wait for the one that another thread runs."""

    @functools.wraps(loop)
    def call(*arguments):
        with _lock:
            return loop(*arguments)

    return call


add_layers = _locked(compiled.add_layers)
correct = _locked(compiled.correct)
dense = _locked(compiled.dense)
nearest = _locked(compiled.nearest)
pass_chain = _locked(compiled.pass_chain)
png_filter = _locked(compiled.png_filter)
premultiply = _locked(compiled.premultiply)
reduce = _locked(compiled.reduce)
separable = _locked(compiled.separable)
store = _locked(compiled.store)
unpremultiply = _locked(compiled.unpremultiply)

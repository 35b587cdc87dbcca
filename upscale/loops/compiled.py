"""The compiled loops under one name, with the functions and arguments of `numpy_loops`; importing it starts Numba.

Pictures come as planes of flat rows: (P, H, W * step), where `step` is the number of interleaved channels. No loop knows about
kernels, padding or files: `operators` plans, these only multiply, add and store. Every sum runs in one fixed order, so that
the result does not depend on the number of threads. Products of 32-bit floats are added unrounded (fused), those of 64-bit
floats are rounded first.

Each loop is one parallel loop over parts of the work. Threads fetch the number of the next part from a counter that they
share, so that a thread whose core is slower, or taken away, does fewer. Only
`deflate`, `deflate_blocks` and `png_unfilter` run on one thread, beside others.
"""

# What Numba compiles has no types that a checker could follow.
# mypy: ignore-errors

import numba

from upscale.loops import numba_private
from upscale.loops.alpha import premultiply, store, unpremultiply
from upscale.loops.corrections import correct
from upscale.loops.deflate import deflate
from upscale.loops.deflate_blocks import deflate_blocks
from upscale.loops.dense import dense
from upscale.loops.layers import add_layers, pass_chain
from upscale.loops.nearest import nearest
from upscale.loops.numba_private import prepare
from upscale.loops.png_filter import png_filter
from upscale.loops.png_unfilter import png_unfilter
from upscale.loops.reduction import reduce
from upscale.loops.separable import separable

__all__ = [
    "CACHED",
    "LOOPS",
    "SAFE_IN_THREADS",
    "add_layers",
    "are_saved",
    "correct",
    "deflate",
    "deflate_blocks",
    "dense",
    "has_safe_threads",
    "nearest",
    "pass_chain",
    "png_filter",
    "png_unfilter",
    "premultiply",
    "prepare",
    "reduce",
    "separable",
    "store",
    "unpremultiply",
    "use_threads",
]

#: All of them.
LOOPS = (
    *(add_layers, correct, deflate, deflate_blocks, dense, nearest, pass_chain, png_filter, png_unfilter, premultiply),
    *(reduce, separable, store, unpremultiply),
)
#: Whether several threads may call loops at once.
SAFE_IN_THREADS = True
#: Whether the machine code is kept for the next process.
CACHED = numba_private.CACHED


def are_saved():
    """Return whether all machine code that was compiled so far was written to the cache: the disk may be full."""
    return not numba_private.unsaved


def use_threads(number):
    """Run the loops on at most so many threads from now on; 0 leaves that to Numba, or to the program that uses it."""
    if number:
        numba.set_num_threads(min(number, numba.config.NUMBA_NUM_THREADS))


def has_safe_threads():
    """Return whether several threads may call loops at once, after starting Numba's own threads.

    Numba's workqueue layer, which it takes where there is no OpenMP, ends the process if they do.
    """
    numba.get_num_threads()
    return numba.threading_layer() != "workqueue"

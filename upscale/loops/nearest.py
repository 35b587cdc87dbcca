"""Nearest-neighbour unpooling: every pixel is copied over its block."""

# What Numba compiles has no types that a checker could follow.
# mypy: ignore-errors

import numpy as np
from numba import prange

from upscale.loops.numba_private import compiled_loop, fetch_add, inner, new_zeros
from upscale.loops.vectors import copy_row, repeat_pixels

#: Outputs of more bytes than this are expected to leave the caches before they are read.
_CACHES = 1 << 25


@inner
def _repeat(row, size, factor, target):
    """Copy each pixel of a row `factor` times. Where both numbers are constants, LLVM shuffles many pixels at once."""
    for x in range(row.size // size):
        for i in range(factor):
            for b in range(size):
                target[np.uint64((x * factor + i) * size + b)] = row[np.uint64(x * size + b)]


@inner
def _nearest_part(source, vertical, horizontal, size, out, begin, end, streamed):
    """Duplicate rows `begin` to `end`; see `nearest`."""
    flat = source.shape[1]
    for y in range(begin, end):
        row, first = source[y], out[y * vertical]
        if horizontal == 1:
            copy_row(row, first, False)
        elif size == 1 and horizontal == 2:
            _repeat(row, 1, 2, first)
        elif size == 1 and horizontal == 3:
            _repeat(row, 1, 3, first)
        elif size == 1 and horizontal == 4:
            _repeat(row, 1, 4, first)
        elif size == 3 and horizontal == 2:
            _repeat(row, 3, 2, first)
        else:
            many = max(0, (flat - (size + 15) // 16 * 16) // size + 1)
            repeat_pixels(row, size, horizontal, many, first)
            _repeat(row[many * size :], size, horizontal, first[many * size * horizontal :])
        for i in range(1, vertical):
            copy_row(first, out[y * vertical + i], streamed)


@compiled_loop
def nearest(source, vertical, horizontal, size, out):
    """Duplicate pixels of `size` bytes: (H, W * size) over their blocks of out, (H * vertical, W * horizontal * size)."""
    next_part, streamed = new_zeros(np.int64, 1, 1), out.size > _CACHES
    part = max(1, min(16, source.shape[0] // 64))
    parts = (source.shape[0] + part - 1) // part
    for _ in prange(parts):
        n = fetch_add(next_part, 1)
        while n < parts:
            _nearest_part(source, vertical, horizontal, size, out, n * part, min((n + 1) * part, source.shape[0]), streamed)
            n = fetch_add(next_part, 1)

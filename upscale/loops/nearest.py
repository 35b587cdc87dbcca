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
def _nearest_part(source, vertical, horizontal, size, out, begin, end, streamed):
    """Duplicate rows `begin` to `end`; see `nearest`."""
    flat = source.shape[1]
    for y in range(begin, end):
        row, first = source[y], out[y * vertical]
        if horizontal == 1:
            copy_row(row, first, False)
        else:
            many = max(0, (flat - (size + 15) // 16 * 16) // size + 1)
            repeat_pixels(row, size, horizontal, many, first)
            for x in range(many, flat // size):
                for i in range(horizontal):
                    for b in range(size):
                        first[(x * horizontal + i) * size + b] = row[x * size + b]
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

"""Colours multiplied by alpha and divided by it again, and floats stored as samples."""

# What Numba compiles has no types that a checker could follow.
# mypy: ignore-errors

import numpy as np
from numba import prange

from upscale.loops.numba_private import compiled_loop, fetch_add, inner, new_zeros
from upscale.loops.tap_passes import store_row


@compiled_loop
def premultiply(pixels):
    """Multiply the colours of (H, W, C) by its last channel, alpha, in place."""
    height, width, channels = pixels.shape
    for y in prange(height):
        for x in range(width):
            for c in range(channels - 1):
                pixels[y, x, c] *= pixels[y, x, channels - 1]


@compiled_loop
def unpremultiply(pixels, bias, least, most):
    """Divide the colours of (H, W, C) by its last channel, alpha, and add the bias; clip alpha to most.

    Where alpha is not above least, nothing is visible: the pixel becomes 0.
    """
    height, width, channels = pixels.shape
    for y in prange(height):
        for x in range(width):
            alpha = pixels[y, x, channels - 1]
            for c in range(channels - 1):
                pixels[y, x, c] = pixels[y, x, c] / alpha + bias[c] if alpha > least else 0
            pixels[y, x, channels - 1] = min(alpha, most) if alpha > least else 0


@inner
def _store_one(values, row, limits, out):
    return store_row(values[row], limits, out[row])


@compiled_loop
def store(values, rounded, limits, out):
    """Round and clip (H, W) into out; return how many were clipped."""
    clipped = new_zeros(np.int64, 1, 1)
    for y in prange(values.shape[0]):
        fetch_add(clipped, _store_one(values, y, limits, out))
    return clipped[0, 0]

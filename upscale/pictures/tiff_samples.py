"""Samples as TIFF stores them, in bits and signs that NumPy or the modes lack, and back."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def stretched(samples: Array, bits: int) -> Array:
    """Scale samples of `bits` bits to the whole range of their dtype, at most 32 bits wide; `packed` is the reverse."""
    full, largest, wide = int(np.iinfo(samples.dtype).max), (1 << bits) - 1, f"u{2 * max(2, samples.dtype.itemsize)}"
    return ((samples.astype(wide) * (2 * full) + largest) // (2 * largest)).astype(samples.dtype)


def packed(samples: Array, bits: int) -> Array | None:
    """Scale uint16 samples back to `bits` bits; None where they need more by now, or no encoder packs so many bits."""
    import imagecodecs

    try:
        imagecodecs.packints_encode(np.zeros(8, samples.dtype), bits)
    except NotImplementedError:  # before 2026
        return None
    full, largest = int(np.iinfo(samples.dtype).max), (1 << bits) - 1
    scaled = ((samples.astype(np.uint32) * (2 * largest) + full) // (2 * full)).astype(samples.dtype)
    return scaled if np.array_equal(stretched(scaled, bits), samples) else None


def with_other_lab_signs(samples: Array) -> Array:
    """Convert Lab's a and b from signed numbers, as in TIFF, to numbers with an offset, as in `Picture`, or back."""
    half = 1 << (8 * samples.dtype.itemsize - 1)
    converted: Array = samples ^ np.array([0, half, half], samples.dtype)
    return converted

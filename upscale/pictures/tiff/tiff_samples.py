"""Samples as TIFF stores them, in bits and signs that NumPy or the modes lack, and back."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def stretched(samples: Array, bits: int) -> Array:
    """Scale samples of `bits` bits to the whole range of their dtype, at most 32 bits wide; `packed` is the reverse."""
    full, largest, wide = int(np.iinfo(samples.dtype).max), (1 << bits) - 1, f"u{2 * max(2, samples.dtype.itemsize)}"
    return ((samples.astype(wide) * (2 * full) + largest) // (2 * largest)).astype(samples.dtype)


def unstretched(samples: Array, bits: int) -> Array:
    """Scale samples of the whole range of their dtype back to `bits` bits, rounded to nearest: the reverse of `stretched`."""
    full, largest, wide = int(np.iinfo(samples.dtype).max), (1 << bits) - 1, f"u{2 * max(2, samples.dtype.itemsize)}"
    return ((samples.astype(wide) * (2 * largest) + full) // (2 * full)).astype(samples.dtype)


def is_odd_depth(bits: int, samples: Array) -> bool:
    """Return whether samples of `bits` bits fit their unsigned dtype, at most 32 bits wide, and no narrower one."""
    whole = 8 * samples.dtype.itemsize
    return samples.dtype.kind == "u" and whole <= 32 and (0 if whole == 8 else whole // 2) < bits < whole


def packable(samples: Array, bits: int, order: str) -> Array | None:
    """Return samples that tifffile packs correctly into `bits` bits; None if the encoder does not support so many.

    Packed samples have no byte order, but tifffile hands them over in the file's, and the encoder takes their bytes as they
    are.
    """
    import imagecodecs

    try:
        probe = imagecodecs.packints_encode(np.array([1], f"{order}u{samples.dtype.itemsize}"), bits)
        plain = imagecodecs.packints_encode(np.array([1], samples.dtype), bits)
    except NotImplementedError:  # before 2026
        return None
    return samples if probe == plain else samples.byteswap()


def corrected_bytes(samples: Array, bits: int, order: str) -> Array:
    """Correct the bytes of decoded samples: the decoder exchanges those of 24 bits where the file has the high byte first."""
    import imagecodecs

    if bits != 24 or order != ">" or samples.dtype.kind not in "ui":
        return samples
    probe = imagecodecs.packints_decode(b"\0\0\1", samples.dtype.newbyteorder(">"), 24)
    return samples if probe[0] == 1 else samples.byteswap()


def with_other_lab_signs(samples: Array) -> Array:
    """Convert Lab's a and b from signed numbers, as in TIFF, to numbers with an offset, as in `Picture`, or back."""
    half = 1 << (8 * samples.dtype.itemsize - 1)
    converted: Array = samples ^ np.array([0, half, half], samples.dtype)
    return converted

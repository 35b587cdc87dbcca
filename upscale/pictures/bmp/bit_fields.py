"""Channels that share a word, as the masks of BMP, DDS and Targa describe them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError

Array = NDArray[Any]

#: Wider fields are looked up in no table.
_WIDEST_TABLE = 16


def widest(masks: Sequence[int]) -> int:
    """Return the number of bits of the widest field."""
    return max(_bits(mask) for mask in masks)


def _bits(mask: int) -> int:
    return mask.bit_length() - _shift(mask) if mask else 0


def _shift(mask: int) -> int:
    """Return how many bits lie below a field."""
    return (mask & -mask).bit_length() - 1


def sample_type(masks: Sequence[int]) -> Any:
    """Return the dtype of the samples: 8 bits if they hold every field, else 16."""
    return np.uint8 if widest(masks) <= 8 else np.uint16


def unpack(words: Array, masks: Sequence[int]) -> Array:
    """Extract channels, and scale each so that its largest value becomes the largest one of the samples.

    Parameters
    ----------
    words : ndarray, shape (...)
        Unsigned integers in any byte order.
    masks : sequence of int
        The bits of each channel; a channel with mask 0 is 0.

    Returns
    -------
    ndarray, shape (..., C)
        Values rounded to nearest: uint8, or uint16 where a field has more than 8 bits.

    Raises
    ------
    ArgumentError
        Where the bits of a channel are not next to each other.
    """
    dtype = sample_type(masks)
    out = np.zeros((*words.shape, len(masks)), dtype)
    for channel, mask in enumerate(masks):
        if mask == 0:
            continue
        largest = mask >> _shift(mask)
        if largest & (largest + 1):
            raise ArgumentError("is not supported: the bits of one channel are not contiguous")
        values = (words & words.dtype.type(mask)) >> words.dtype.type(_shift(mask))
        if _bits(mask) <= _WIDEST_TABLE:
            out[..., channel] = _scaled(np.arange(largest + 1, dtype=np.uint64), largest, dtype)[values]
        else:
            out[..., channel] = _scaled(values.astype(np.uint64), largest, dtype)
    return out


def _scaled(values: Array, largest: int, dtype: Any) -> Array:
    full = int(np.iinfo(dtype).max)
    return ((values * np.uint64(2 * full) + np.uint64(largest)) // np.uint64(2 * largest)).astype(dtype)

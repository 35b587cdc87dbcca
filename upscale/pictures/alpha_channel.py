"""Alpha of old formats, in which a channel is often there and seldom meant."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Note = Callable[[str], None]


def without_empty_alpha(samples: Array, note: Note) -> Array:
    """Drop an alpha channel that is 0 everywhere, with a note: other programs take such a picture as opaque.

    Parameters
    ----------
    samples : ndarray, shape (..., C)
        The last channel is alpha.
    note : callable
    """
    if samples[..., -1].any():
        return samples
    note("its alpha is 0 everywhere and was ignored, as in other programs")
    return np.ascontiguousarray(samples[..., :-1])


def note_dropped(values: Array, what: str, note: Note) -> None:
    """Note that values were dropped, `what` in the plural, unless they are equal everywhere and so say nothing."""
    if values.size and (values != values.flat[0]).any():
        note(f"{what} of its pixels were dropped, because this file does not use them as alpha")

"""Checks of arguments that several public functions take."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from upscale.errors import ArgumentError


def as_array(value: Any, name: str) -> NDArray[Any]:
    """Make an array of what a caller hands in.

    Raises
    ------
    ArgumentError
        Where it is none, as ragged lists; the text begins with `name`.
    """
    try:
        return np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:  # the last from a tensor that records gradients
        ragged = "inhomogeneous" in str(error)
        reason = "its rows have different lengths" if ragged else " ".join(str(error).split())[:150]
        raise ArgumentError(f"{name} is not a rectangular array: {reason}") from None


def pair(value: Any, name: str) -> tuple[int, int]:
    """Read a whole number, or two of them, as (vertical, horizontal).

    Raises
    ------
    ArgumentError
        Where it is neither; the text begins with `name`.
    """
    both = _both(value)
    if len(both) != 2 or any(isinstance(v, bool) or not isinstance(v, (int, np.integer)) for v in both):
        raise ArgumentError(f"{name} must be a whole number or (vertical, horizontal), not {value!r}")
    return int(both[0]), int(both[1])


def factor_pair(value: Any) -> tuple[int, int]:
    """Read a factor as (vertical, horizontal).

    Raises
    ------
    ArgumentError
        Where it is not made of whole numbers of at least 1.
    """
    factor = pair(value, "factor")
    if min(factor) < 1:
        raise ArgumentError(f"factor must be at least 1, not {value!r}")
    return factor


def output_array(out: NDArray[Any] | None, shape: tuple[int, ...], dtype: DTypeLike, source: NDArray[Any]) -> NDArray[Any]:
    """Make the array for a result, or check the one that was handed in.

    Raises
    ------
    ArgumentError
        Where `out` has another shape or dtype, is not C-contiguous or writeable, or overlaps the source.
    """
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray) or out.shape != shape or out.dtype != dtype:
        found = f"{out.shape} of {out.dtype}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ArgumentError(f"out must be an array {shape} of {np.dtype(dtype)}, not {found}")
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise ArgumentError("out must be C-contiguous and writeable")
    if np.may_share_memory(out, source):
        raise ArgumentError("out must not overlap the input")
    return out


def check_picture_shape(array: NDArray[Any]) -> None:
    """Check that an array is a picture.

    Raises
    ------
    ArgumentError
        Where it is not (H, W) or (H, W, C), or empty.
    """
    if array.ndim not in (2, 3):
        raise ArgumentError(f"a picture's array is (H, W) or (H, W, C), not {array.shape}")
    if not array.size:
        raise ArgumentError(f"the array is empty: its shape is {array.shape}")


def is_same_padding(padding: Any) -> bool:
    """Return whether padding is "same" or not given at all; an array has no truth value of its own."""
    return padding is None or (isinstance(padding, str) and padding == "same")


def paddings(value: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """Read padding as a number, (vertical, horizontal) or ((top, bottom), (left, right)).

    Raises
    ------
    ArgumentError
        Where it is none of them, or negative.
    """
    both = _both(value)
    if len(both) != 2:
        raise ArgumentError(
            f"padding must be a number, (vertical, horizontal) or ((top, bottom), (left, right)), not {value!r}"
        )
    pads = pair(both[0], "padding"), pair(both[1], "padding")
    if min(*pads[0], *pads[1]) < 0:
        raise ArgumentError(f"padding must not be negative, not {value!r}")
    return pads


def _both(value: Any) -> tuple[Any, ...]:
    """Let one value stand for both axes."""
    if isinstance(value, np.ndarray) and value.ndim:
        value = value.tolist()
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value, value)


def read_only_view(array: NDArray[Any]) -> NDArray[Any]:
    """View an array as read-only, so that the compiled loops see one type of input and not two."""
    view = array.view()
    view.flags.writeable = False
    return view

"""Checks of arguments that several public functions take."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from upscale.errors import ArgumentError

#: Main memory, among the kinds of devices that DLPack numbers.
_DLPACK_CPU = 1


class SupportsDLPack(Protocol):
    """An array of any library, by DLPack."""

    def __dlpack__(self, *, stream: None = None) -> Any: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...


#: What `as_array` makes an array of, for type checkers.
AnyArray = ArrayLike | SupportsDLPack


def as_array(value: Any, name: str) -> NDArray[Any]:
    """Make a NumPy array of what a caller hands in: the one place that knows other libraries' arrays.

    Parameters
    ----------
    value : array_like
        Also a tensor that records gradients or lies on another device, and whatever has `__array__`, `__array_interface__` or
        `__dlpack__`. Where the library can, memory is shared and not copied.
    name : str
        What the caller calls it.

    Raises
    ------
    ArgumentError
        If it is not an array, such as lists of different lengths; the text begins with `name`.
    """
    try:
        return _converted(_on_host(value))
    except (ValueError, TypeError, RuntimeError, BufferError) as error:
        if "inhomogeneous" in str(error):
            raise ArgumentError(f"{name} is not a rectangular array: its rows have different lengths") from None
        reason = " ".join(str(error).split())[:150]
        raise ArgumentError(f"{name} cannot be read as an array: {reason or type(value).__name__}") from None


def _on_host(value: Any) -> Any:
    """Bring a tensor to what NumPy can read: without its gradients, in main memory, and of a dtype that NumPy has."""
    if callable(getattr(value, "detach", None)) and callable(getattr(value, "cpu", None)):
        value = value.detach().cpu()
        return value.float() if str(getattr(value, "dtype", "")).endswith("bfloat16") else value
    return value


def _converted(value: Any) -> NDArray[Any]:
    if not hasattr(value, "__dlpack__"):
        return np.asarray(value)
    if not any(hasattr(value, name) for name in ("__array__", "__array_interface__", "__array_struct__")):
        return _from_dlpack(value)
    try:
        return np.asarray(value)
    except TypeError:  # from a library that does not copy between devices without being asked
        return _from_dlpack(value)


def _from_dlpack(value: Any) -> NDArray[Any]:
    """Read an array by DLPack, by way of main memory if it lies on another device."""
    kind, _ = value.__dlpack_device__()
    if kind == _DLPACK_CPU:
        return np.from_dlpack(value)
    try:
        return np.from_dlpack(value, device="cpu", copy=True)
    except TypeError:  # NumPy before 2.1, or a library that cannot copy between devices
        raise TypeError("it is on another device, such as a GPU; copy it to main memory first") from None


def is_whole_number(value: Any) -> bool:
    """Return whether a value is an integer of Python or NumPy; True and False are not."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


#: How numbers of one, two or three axes are written, and those of the two sides of each axis.
_AXES = {1: "(number,)", 2: "(vertical, horizontal)", 3: "(depth, vertical, horizontal)"}
_SIDES = {
    1: "((left, right),)",
    2: "((top, bottom), (left, right))",
    3: "((front, back), (top, bottom), (left, right))",
}


def axis_numbers(value: Any, name: str, axes: int) -> tuple[int, ...]:
    """Read a whole number, or one for each of 1, 2 or 3 axes.

    Raises
    ------
    ArgumentError
        Where it is neither; the text begins with `name`.
    """
    each = _each(value, axes)
    if len(each) != axes or not all(map(is_whole_number, each)):
        raise ArgumentError(f"{name} must be a whole number or {_AXES[axes]}, not {value!r}")
    return tuple(map(int, each))


def pair(value: Any, name: str) -> tuple[int, int]:
    """Read a whole number, or two of them, as (vertical, horizontal); see `axis_numbers`."""
    vertical, horizontal = axis_numbers(value, name, 2)
    return vertical, horizontal


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


def check_copyable(array: NDArray[Any]) -> None:
    """Check that the values of an array can be copied byte by byte.

    Raises
    ------
    ArgumentError
        Where they are Python objects, or have no bytes.
    """
    if array.dtype.hasobject or not array.dtype.itemsize:
        raise ArgumentError(f"an array of {array.dtype} cannot be enlarged")


def check_picture_shape(array: NDArray[Any]) -> None:
    """Check that an array is a picture.

    Raises
    ------
    ArgumentError
        Where it is not (H, W) or (H, W, C), or empty.
    """
    if array.ndim not in (2, 3):
        raise ArgumentError(f"a picture's array must have the shape (H, W) or (H, W, C), not {array.shape}")
    if not array.size:
        raise ArgumentError(f"the array is empty: its shape is {array.shape}")


def is_same_padding(padding: Any) -> bool:
    """Return whether padding is "same" or not given at all; an array has no truth value of its own."""
    return padding is None or (isinstance(padding, str) and padding == "same")


def axis_paddings(value: Any, axes: int) -> tuple[tuple[int, int], ...]:
    """Read padding as a number, one for each of 1, 2 or 3 axes, or two for each axis, of its beginning and its end.

    Raises
    ------
    ArgumentError
        Where it is none of them, or negative.
    """
    each = _each(value, axes)
    if len(each) != axes:
        raise ArgumentError(f"padding must be a number, {_AXES[axes]} or {_SIDES[axes]}, not {value!r}")
    pads = tuple(pair(sides, "padding") for sides in each)
    if min(map(min, pads)) < 0:
        raise ArgumentError(f"padding must not be negative, not {value!r}")
    return pads


def paddings(value: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """Read padding as a number, (vertical, horizontal) or ((top, bottom), (left, right)); see `axis_paddings`."""
    vertical, horizontal = axis_paddings(value, 2)
    return vertical, horizontal


def _each(value: Any, axes: int) -> tuple[Any, ...]:
    """Let one value stand for all axes."""
    if isinstance(value, np.ndarray) and value.ndim:
        value = value.tolist()
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value,) * axes


def read_only_view(array: NDArray[Any]) -> NDArray[Any]:
    """View an array as read-only, so that the compiled loops see one type of input and not two."""
    view = array.view()
    view.flags.writeable = False
    return view

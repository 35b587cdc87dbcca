"""Max and average pooling of arrays of many channels, as deep-learning frameworks have them.

NumPy is fast enough here: each step compares, or adds, whole rows of some planes that stay in the cache. A window's values go
through two passes, down its columns and along its rows.
"""

from __future__ import annotations  # so that `help` shows the short names of types

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from upscale.argument_checks import is_whole_number
from upscale.choices import Pair
from upscale.errors import ArgumentError
from upscale.loops.numpy_parts import run_parts
from upscale.operators.pool_windows import Windows, pool_windows, surrounded

if TYPE_CHECKING:
    from upscale.argument_checks import AnyArray

Array = NDArray[Any]
Sample = TypeVar("Sample", bound=np.generic)

#: Input values of a part, which stay in the cache; and for large windows, of which there are few, the values of a step, so many
#: that Python does not count, and the most input values of a part.
_AT_ONCE, _STEP, _MOST = 1 << 16, 1 << 13, 1 << 20


@overload
def max_pool2d(
    input: NDArray[Sample],
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
) -> NDArray[Sample]: ...
@overload
def max_pool2d(
    input: AnyArray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
    return_indices: Literal[False] = False,
) -> Array: ...
@overload
def max_pool2d(
    input: NDArray[Sample],
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
    *,
    return_indices: Literal[True],
) -> tuple[NDArray[Sample], NDArray[np.int64]]: ...
@overload
def max_pool2d(
    input: AnyArray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
    *,
    return_indices: Literal[True],
) -> tuple[Array, NDArray[np.int64]]: ...
@overload
def max_pool2d(
    input: AnyArray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any: ...
def max_pool2d(
    input: AnyArray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Reduce each window to its largest value, with the meaning of ``torch.nn.functional.max_pool2d``.

    A window that contains NaN becomes NaN. Zeros of both signs are equal.

    Parameters
    ----------
    input : array_like, shape (N, C, H, W) or (C, H, W)
        Of real numbers of any dtype.
    kernel_size : int or (int, int)
        Size of the windows; pairs are vertical, horizontal.
    stride : int or (int, int), optional
        How far apart windows lie; by default `kernel_size`.
    padding : int or (int, int)
        How far windows may begin before the input and end behind it, at most half a window. No value there is ever chosen.
    dilation : int or (int, int)
        How far apart the values of a window lie.
    ceil_mode : bool
        Whether the last window may end beyond input and padding, if it begins before their end.
    return_indices : bool
        Whether to also return where the largest values lie, for `max_unpool2d`.

    Returns
    -------
    ndarray, shape (N, C, H', W') or (C, H', W')
        Of the input's dtype. ``H' = (H + 2 * padding - dilation * (kernel_size - 1) - 1) / stride + 1``, rounded down, or up
        with `ceil_mode`.
    ndarray of int64, of the same shape
        Only with `return_indices`: ``row * W + column`` of the first largest value of each window; if that is NaN, of the last
        NaN.

    Raises
    ------
    ArgumentError
        If shapes or values do not fit together.

    Examples
    --------
    >>> import upscale
    >>> values, indices = upscale.max_pool2d([[[1, 3, 2, 0], [4, 2, 1, 1]]], 2, return_indices=True)
    >>> values, indices
    (array([[[4, 2]]]), array([[[4, 2]]]))
    """
    x, vertical, horizontal = pool_windows(input, kernel_size, stride, padding, dilation, ceil_mode)
    shape = (*x.shape[:-2], vertical.number, horizontal.number)
    values, lowest = np.empty(shape, x.dtype), _lowest(x.dtype)
    x = np.ascontiguousarray(x, x.dtype.newbyteorder("="))
    if not return_indices:
        _by_parts(lambda *part: [_fold_windows(np.maximum, *part)], x, vertical, horizontal, lowest, [values])
        return values
    taps = np.empty(shape, np.min_scalar_type(vertical.kernel * horizontal.kernel))
    _by_parts(_largest, x, vertical, horizontal, lowest, [values, taps])
    return values, _indices(taps, vertical, horizontal)


def avg_pool2d(
    input: AnyArray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """Reduce each window to the mean of its values, with the meaning of ``torch.nn.functional.avg_pool2d``.

    Integers are averaged as floats; PyTorch would drop the fraction.

    Parameters
    ----------
    input : array_like, shape (N, C, H, W) or (C, H, W)
        float32 and float64 are computed as such, other real numbers in float32.
    kernel_size : int or (int, int)
        Size of the windows; pairs are vertical, horizontal.
    stride : int or (int, int), optional
        How far apart windows lie; by default `kernel_size`.
    padding : int or (int, int)
        How many zeros are added at each side, at most half a window.
    ceil_mode : bool
        Whether the last window may end beyond input and padding, if it begins before their end.
    count_include_pad : bool
        Whether zeros of the padding count as values of a window; what `ceil_mode` adds never counts.
    divisor_override : int, optional
        Divides the sum of each window, instead of the number of its values; not 0.

    Returns
    -------
    ndarray, shape (N, C, H', W') or (C, H', W')
        ``H' = (H + 2 * padding - kernel_size) / stride + 1``, rounded down, or up with `ceil_mode`.

    Raises
    ------
    ArgumentError
        If shapes or values do not fit together.

    Examples
    --------
    >>> import upscale
    >>> upscale.avg_pool2d([[[1, 3, 2, 0], [4, 2, 1, 1]]], 2)
    array([[[2.5, 1. ]]], dtype=float32)
    """
    x, vertical, horizontal = pool_windows(input, kernel_size, stride, padding, 1, ceil_mode)
    if divisor_override is not None and (not is_whole_number(divisor_override) or divisor_override == 0):
        raise ArgumentError(f"divisor_override must be a whole number other than 0, not {divisor_override!r}")
    x = np.ascontiguousarray(x, np.float64 if x.dtype == np.float64 else np.float32)
    result = np.empty((*x.shape[:-2], vertical.number, horizontal.number), x.dtype)
    _by_parts(lambda *part: [_fold_windows(np.add, *part)], x, vertical, horizontal, 0, [result])
    inside = not count_include_pad
    counts = np.multiply.outer(vertical.lengths(inside), horizontal.lengths(inside))
    result /= counts.astype(x.dtype) if divisor_override is None else x.dtype.type(divisor_override)
    return result


#: What pools a part: from what its windows cover, (P, H, W), and the taps down and across, to arrays (P, H', W').
_PoolPart = Callable[[Array, list[slice], list[slice]], list[Array]]


def _by_parts(pool: _PoolPart, x: Array, vertical: Windows, horizontal: Windows, fill: Any, results: list[Array]) -> None:
    """Pool some planes after others, or some rows of windows of one plane, by several threads, into arrays (..., H', W')."""
    planes = x.reshape(-1, *x.shape[-2:])
    made = [result.reshape(-1, *result.shape[-2:]) for result in results]
    area = planes[0].size
    many = max(1, _AT_ONCE // area, min(_STEP // (len(planes[0]) * horizontal.number), _MOST // area))
    rows = vertical.number if many > 1 else max(1, _AT_ONCE // (x.shape[-1] * vertical.stride))
    parts = [(n, y) for n in range(0, len(planes), many) for y in range(0, vertical.number, rows)]
    across = horizontal.taps(horizontal.number)

    def work(left: Iterator[tuple[int, int]]) -> int:
        for n, y in left:
            here = slice(y, min(y + rows, vertical.number))
            block = surrounded(planes[n : n + many], vertical, horizontal, here, fill)
            pooled = pool(block, vertical.taps(here.stop - y), across)
            for result, values in zip(made, pooled, strict=True):
                result[n : n + many, here] = values
        return 0

    run_parts(work, parts, min(x.size, _AT_ONCE))


def _fold(combine: np.ufunc, values: Array, taps: list[slice], axis: int) -> Array:
    """Combine what taps take along axis 1 or 2, from the first to the last."""
    total, *others = (values[:, tap] if axis == 1 else values[:, :, tap] for tap in taps)
    if others:
        total = combine(total, others[0])
    for other in others[1:]:
        combine(total, other, out=total)
    return total


def _fold_windows(combine: np.ufunc, block: Array, down: list[slice], across: list[slice]) -> Array:
    return _fold(combine, _fold(combine, block, down, 1), across, 2)


def _largest(block: Array, down: list[slice], across: list[slice]) -> list[Array]:
    """Return the largest value of each window, and which it is: the first one, counted row by row, or the last NaN."""
    row_values = _fold(np.maximum, block, across, 2)
    values = _fold(np.maximum, row_values, down, 1)
    dtype = np.min_scalar_type(len(down) * len(across))
    columns = _earliest(((block[:, :, tap], dtype.type(n)) for n, tap in enumerate(across)), row_values)
    rows = ((row_values[:, tap], columns[:, tap] + dtype.type(n * len(across))) for n, tap in enumerate(down))
    taps = _earliest(rows, values)
    if block.dtype.kind == "f" and (missing := np.isnan(values)).any():
        # Turned by 180 degrees, the last NaN is the first one.
        turned = np.isnan(block)[:, ::-1, ::-1]
        last = len(down) * len(across) - 1 - _largest(turned, down, across)[1][:, ::-1, ::-1]
        taps = np.where(missing, last, taps)
    return [values, taps]


def _earliest(candidates: Iterator[tuple[Array, Any]], largest: Array) -> Array:
    """Return the smallest number of those candidates whose value is the largest; numbers are unsigned integers.

    Others get the largest number there is, which takes no branch; so do all beside a NaN.
    """
    best: Array | None = None
    for values, number in candidates:
        chosen = np.negative((values != largest).view(np.uint8).astype(number.dtype, copy=False))
        chosen |= number
        best = chosen if best is None else np.minimum(best, chosen, out=best)
    assert best is not None
    return best


def _indices(taps: Array, vertical: Windows, horizontal: Windows) -> NDArray[np.int64]:
    """Turn the number of each window's value, counted row by row, into its index in the plane of the input."""
    width = horizontal.size
    within = np.add.outer(
        np.arange(vertical.kernel) * vertical.dilation * width, np.arange(horizontal.kernel) * horizontal.dilation
    )
    begin = np.add.outer(vertical.begin() * width, horizontal.begin())
    indices: NDArray[np.int64] = within.ravel().astype(np.int64)[taps]
    indices += begin
    if vertical.padding or horizontal.padding:
        # Where all values are the lowest, as is the padding, the first of them is chosen.
        first = np.add.outer(vertical.first_inside() * width, horizontal.first_inside())
        np.copyto(indices, first, where=taps == 0)
    return indices


def _lowest(dtype: np.dtype[Any]) -> Any:
    """Return the value that is never larger than another one."""
    return -np.inf if dtype.kind == "f" else False if dtype.kind == "b" else np.iinfo(dtype).min

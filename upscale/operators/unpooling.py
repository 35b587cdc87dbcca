"""Unpooling that leaves zeros: max unpooling, which puts values back to where they were, and bed-of-nails unpooling."""

from __future__ import annotations  # so that `help` shows the short names of types

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from upscale.argument_checks import as_array, check_copyable, check_picture_shape, factor_pair, is_whole_number, output_array
from upscale.choices import Pair
from upscale.errors import ArgumentError
from upscale.operators.conv_arguments import AXES, real_array
from upscale.operators.pool_windows import pool_numbers

if TYPE_CHECKING:
    from upscale.argument_checks import AnyArray

Array = NDArray[Any]
Sample = TypeVar("Sample", bound=np.generic)


@overload
def max_unpool2d(
    input: NDArray[Sample],
    indices: AnyArray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    output_size: Sequence[int] | None = None,
) -> NDArray[Sample]: ...
@overload
def max_unpool2d(
    input: AnyArray,
    indices: AnyArray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    output_size: Sequence[int] | None = None,
) -> Array: ...
def max_unpool2d(
    input: AnyArray,
    indices: AnyArray,
    kernel_size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    output_size: Sequence[int] | None = None,
) -> Array:
    """Put the values of max pooling back to where they were, with the meaning of ``torch.nn.functional.max_unpool2d``.

    All other values become 0. If several values of a plane have one index, the last of them, row by row, is kept. (PyTorch
    leaves open which.)

    Parameters
    ----------
    input : array_like, shape (N, C, H, W) or (C, H, W)
        Of real numbers of any dtype.
    indices : array_like of int, of the same shape
        ``row * W' + column`` in the plane of the output, as `max_pool2d` returns them.
    kernel_size, stride, padding : int or (int, int)
        Those of the pooling; `stride` is by default `kernel_size`. They only determine the size of the output.
    output_size : sequence of int, optional
        (H', W'), or the whole shape, of the output: less than `stride` from the size that follows from the other parameters,
        because pooling turns several sizes into one.

    Returns
    -------
    ndarray, shape (N, C, H', W') or (C, H', W')
        Of the input's dtype. By default, ``H' = (H - 1) * stride - 2 * padding + kernel_size``.

    Raises
    ------
    ArgumentError
        If shapes or values do not fit together, or an index lies outside the output.

    Examples
    --------
    >>> import upscale
    >>> values, indices = upscale.max_pool2d([[[1, 3, 2, 0], [4, 2, 1, 1]]], 2, return_indices=True)
    >>> upscale.max_unpool2d(values, indices, 2)
    array([[[0, 0, 2, 0],
            [4, 0, 0, 0]]])
    """
    x, at = real_array(input, "input"), as_array(indices, "indices")
    if x.ndim not in (3, 4):
        raise ArgumentError(f"input must be (N, C, {AXES[2]}) or (C, {AXES[2]}), not {x.shape}")
    if at.dtype.kind not in "iu":
        raise ArgumentError(f"indices must be integers, not {at.dtype}")
    if at.shape != x.shape:
        raise ArgumentError(f"indices must have the shape {x.shape} of the input, not {at.shape}")
    height, width = _output_size(x, *pool_numbers(kernel_size, stride, padding), output_size)
    least, most = int(at.min()), int(at.max())
    if least < 0 or most >= height * width:
        wrong = least if least < 0 else most
        raise ArgumentError(f"index {wrong} is outside the output of {height} x {width}; indices are row * {width} + column")
    result = np.zeros((*x.shape[:-2], height, width), x.dtype)
    planes = (a.reshape(-1, x.shape[-2] * x.shape[-1]) for a in (x, at))
    for made, values, places in zip(result.reshape(-1, height * width), *planes, strict=True):
        made[places] = values
    return result


def _output_size(
    x: Array, kernels: tuple[int, ...], strides: tuple[int, ...], pads: tuple[int, ...], wanted: Any
) -> tuple[int, int]:
    """Compute the size of the output of `max_unpool2d`, or check what is wanted."""
    numbers = zip(x.shape[-2:], kernels, strides, pads, strict=True)
    sizes = [(size - 1) * stride - 2 * pad + kernel for size, kernel, stride, pad in numbers]
    if wanted is not None:
        asked = wanted.tolist() if isinstance(wanted, np.ndarray) else wanted
        whole = isinstance(asked, Sequence) and all(map(is_whole_number, asked))
        if not whole or len(asked) not in (2, x.ndim) or tuple(asked[:-2]) not in ((), x.shape[:-2]):
            raise ArgumentError(f"output_size must be (H, W) or the shape of the output for input {x.shape}, not {wanted!r}")
        ranges = [(max(1, size - stride + 1), size + stride - 1) for size, stride in zip(sizes, strides, strict=True)]
        for name, size, (least, most) in zip(("height", "width"), asked[-2:], ranges, strict=True):
            if not least <= size <= most:
                raise ArgumentError(f"output_size {wanted!r}: the {name} must be {least} to {most}, not {size}")
        sizes = [int(size) for size in asked[-2:]]
    if min(sizes) < 1:
        raise ArgumentError(f"padding {pads} leaves a {sizes[0]} x {sizes[1]} output for input {x.shape}")
    return sizes[0], sizes[1]


@overload
def unpool_bed_of_nails(array: NDArray[Sample], factor: Pair, out: NDArray[Sample] | None = None) -> NDArray[Sample]: ...
@overload
def unpool_bed_of_nails(array: AnyArray, factor: Pair, out: Array | None = None) -> Array: ...
def unpool_bed_of_nails(array: AnyArray, factor: Pair, out: Array | None = None) -> Array:
    """Put every value of an array into the upper left corner of its factor x factor block, and zeros around it.

    That is what `enlarge` does with the kernel ``"zero"``.

    Parameters
    ----------
    array : array_like, shape (H, W) or (H, W, C)
        Of any dtype except Python objects.
    factor : int or (int, int)
        How many times larger, at least 1; (vertical, horizontal).
    out : ndarray, optional
        Array to write the result to, and return: C-contiguous, of the result's shape and dtype.

    Returns
    -------
    ndarray, shape (H * vertical, W * horizontal) or (H * vertical, W * horizontal, C)
        Same dtype as the array.

    Raises
    ------
    ArgumentError
        If a shape, dtype or value is invalid.

    Examples
    --------
    >>> import upscale
    >>> upscale.unpool_bed_of_nails([[1, 2]], 2)
    array([[1, 0, 2, 0],
           [0, 0, 0, 0]])
    """
    source = as_array(array, "array")
    check_picture_shape(source)
    check_copyable(source)
    vertical, horizontal = factor_pair(factor)
    shape = (source.shape[0] * vertical, source.shape[1] * horizontal, *source.shape[2:])
    result = output_array(out, shape, source.dtype, source)
    result[...] = np.zeros((), source.dtype)
    result[::vertical, ::horizontal] = source
    return result

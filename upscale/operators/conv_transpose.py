"""The operator on arrays of many channels along one, two or three axes, as deep-learning frameworks have it."""

from __future__ import annotations  # so that `help` shows the short names of types

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from upscale.argument_checks import axis_numbers, axis_paddings, output_array
from upscale.choices import EngineName, Pair
from upscale.errors import ArgumentError
from upscale.loops.engine import CHOOSER, Work
from upscale.operators.conv_arguments import conv_arguments
from upscale.operators.conv_planes import Taps, pass_chain, suits_chain, sum_taps
from upscale.operators.parameters import out_size
from upscale.operators.tap_tables import Axis, axis, tables

if TYPE_CHECKING:
    from upscale.argument_checks import AnyArray


def conv_transpose1d(
    input: AnyArray,
    weight: AnyArray,
    bias: AnyArray | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | Sequence[Sequence[int]] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
    *,
    out: NDArray[Any] | None = None,
    engine: EngineName = "auto",
) -> NDArray[Any]:
    """Apply the transposed convolution along one axis, with the meaning of ``torch.nn.functional.conv_transpose1d``.

    All parameters are those of `conv_transpose2d`, for one axis; `padding` may be ((left, right),).

    Parameters
    ----------
    input : array_like, shape (N, C, L) or (C, L)
    weight : array_like, shape (C, M / groups, k)
    bias : array_like, shape (M,), optional
    stride, padding, output_padding, dilation : int
    groups : int
    out : ndarray, optional
    engine : {"auto", "numba", "numpy"}

    Returns
    -------
    ndarray, shape (N, M, L') or (M, L')

    Raises
    ------
    ArgumentError
        If shapes or values do not fit together.

    Examples
    --------
    >>> import upscale
    >>> upscale.conv_transpose1d([[1, 2]], [[[1, 3, 1]]], stride=2)
    array([[1., 3., 3., 6., 2.]], dtype=float32)
    """
    return _transposed(1, input, weight, bias, stride, padding, output_padding, groups, dilation, out, engine)


def conv_transpose2d(
    input: AnyArray,
    weight: AnyArray,
    bias: AnyArray | None = None,
    stride: Pair = 1,
    padding: Pair | Sequence[Sequence[int]] = 0,
    output_padding: Pair = 0,
    groups: int = 1,
    dilation: Pair = 1,
    *,
    out: NDArray[Any] | None = None,
    engine: EngineName = "auto",
) -> NDArray[Any]:
    """Apply the two-dimensional transposed convolution, with the meaning of ``torch.nn.functional.conv_transpose2d``.

    The output is the sum of copies of the kernel weighted by the input values, laid `stride` apart.

    Parameters
    ----------
    input : array_like, shape (N, C, H, W) or (C, H, W)
        float32 and float64 are computed as such, integers in float32.
    weight : array_like, shape (C, M / groups, kH, kW)
    bias : array_like, shape (M,), optional
        Added to every value of its output channel.
    stride, output_padding, dilation : int or (int, int)
        Vertical and horizontal.
    padding : int, (int, int) or ((top, bottom), (left, right))
        How much of the full output is cropped at each side.
    groups : int
        Number of channel groups: group g of the input channels only affects group g of the output channels.
    out : ndarray, optional
        Array to write the result to, and return: C-contiguous, of the result's shape and dtype.
    engine : {"auto", "numba", "numpy"}
        Which loops to use; results are the same, up to the last bit of 32-bit floats.

    Returns
    -------
    ndarray, shape (N, M, H', W') or (M, H', W')
        With ``H' = (H - 1) * stride - top - bottom + dilation * (kH - 1) + output_padding + 1``.

    Raises
    ------
    ArgumentError
        If shapes or values do not fit together.

    Examples
    --------
    Each input value adds a weighted copy of the kernel to the output.

    >>> import numpy as np
    >>> import upscale
    >>> upscale.conv_transpose2d([[[2, 0], [4, 1]]], [[[[4, 2, 1], [1, 0, 3], [0, 5, 2]]]])[0]
    array([[ 8.,  4.,  2.,  0.],
           [18., 12., 12.,  1.],
           [ 4., 11., 16.,  3.],
           [ 0., 20., 13.,  2.]], dtype=float32)

    A layer from 3 channels to 6, to twice the size.

    >>> upscale.conv_transpose2d(np.ones((1, 3, 8, 8)), np.ones((3, 6, 4, 4)), stride=2, padding=1).shape
    (1, 6, 16, 16)
    """
    return _transposed(2, input, weight, bias, stride, padding, output_padding, groups, dilation, out, engine)


def conv_transpose3d(
    input: AnyArray,
    weight: AnyArray,
    bias: AnyArray | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] | Sequence[Sequence[int]] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
    *,
    out: NDArray[Any] | None = None,
    engine: EngineName = "auto",
) -> NDArray[Any]:
    """Apply the three-dimensional transposed convolution, with the meaning of ``torch.nn.functional.conv_transpose3d``.

    All parameters are those of `conv_transpose2d`, for three axes: depth, vertical, horizontal. `padding` may be
    ((front, back), (top, bottom), (left, right)).

    Parameters
    ----------
    input : array_like, shape (N, C, D, H, W) or (C, D, H, W)
    weight : array_like, shape (C, M / groups, kD, kH, kW)
    bias : array_like, shape (M,), optional
    stride, padding, output_padding, dilation : int or (int, int, int)
    groups : int
    out : ndarray, optional
    engine : {"auto", "numba", "numpy"}

    Returns
    -------
    ndarray, shape (N, M, D', H', W') or (M, D', H', W')

    Raises
    ------
    ArgumentError
        If shapes or values do not fit together.

    Examples
    --------
    A video of 5 frames to twice the size and twice as many frames.

    >>> import numpy as np
    >>> import upscale
    >>> upscale.conv_transpose3d(np.ones((3, 5, 8, 8)), np.ones((3, 3, 4, 4, 4)), stride=2, padding=1).shape
    (3, 10, 16, 16)
    """
    return _transposed(3, input, weight, bias, stride, padding, output_padding, groups, dilation, out, engine)


def _transposed(
    axes: int,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: Any,
    dilation: Any,
    out: NDArray[Any] | None,
    engine: str,
) -> NDArray[Any]:
    """Apply the operator along 1, 2 or 3 axes; fewer than 3 are those of one slice, and of one row."""
    given = conv_arguments(axes, True, input, weight, bias, stride, dilation, groups, engine)
    x, w, groups, dtype = given.x, given.weight, given.groups, given.dtype
    extra, pads = axis_numbers(output_padding, "output_padding", axes), axis_paddings(padding, axes)
    if min(extra) < 0:
        raise ArgumentError(f"output_padding {output_padding} must not be negative")
    numbers = list(zip(x.shape[-axes:], w.shape[2:], given.stride, pads, given.dilation, extra, strict=True))
    sizes = [out_size(*each) for each in numbers]
    if min(sizes) < 1:
        left = " x ".join(map(str, sizes))
        raise ArgumentError(f"padding {padding} leaves a {left} output for input {x.shape} and weight {w.shape}")
    channels = len(given.bias)
    result = output_array(out, (*x.shape[: -axes - 1], channels, *sizes), dtype, x)
    if axes == 2 and (*given.stride, *given.dilation, groups) == (1,) * 5 and dtype == np.float32:
        turned = w.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
        if suits_chain(turned.shape):
            work = Work("tconv", x.size, result.size, w[:, 0].size, loops=frozenset({"pass_chain"}))
            batch = np.ascontiguousarray(x, dtype).reshape(-1, *x.shape[-3:])
            begin = w.shape[2] - 1 - pads[0][0], w.shape[3] - 1 - pads[1][0]
            made = result.reshape(len(batch), channels, *sizes)
            pass_chain(CHOOSER.load(engine, work)[1], batch, turned, given.bias, begin, made)
            return result
    missing = (1,) * (3 - axes)
    numbers = [(1, 1, 1, (0, 0), 1, 0)] * len(missing) + numbers
    sizes = [*missing, *sizes]
    depth, vertical, horizontal = (
        axis(size, made, kernel, step, begin, spread)
        for made, (size, kernel, step, (begin, _), spread, _) in zip(sizes, numbers, strict=True)
    )
    taps = Taps(_slices(depth), *tables(vertical, horizontal, False))
    many = depth.position.shape[1] * vertical.position.shape[1] * taps.columns.start.shape[1] * w.shape[0] / groups
    _, loops = CHOOSER.load(engine, Work("tconv", x.size, result.size, many, loops=frozenset({f"dense {dtype}"})))
    planes = np.ascontiguousarray(x, dtype).reshape(-1, w.shape[0], *missing, *x.shape[-axes:])
    kernels = w.reshape(*w.shape[:2], *missing, *w.shape[2:])
    sum_taps(loops, planes, kernels, groups, given.bias, taps, result.reshape(-1, channels, *sizes))
    return result


def _slices(depth: Axis) -> list[list[tuple[int, int]]]:
    """List the taps of each output slice, as `Taps` has them."""
    return [
        [(int(depth.source[position]), int(tap)) for position, tap in zip(positions, kernel, strict=True) if position >= 0]
        for positions, kernel in zip(depth.position, depth.position_tap, strict=True)
    ]

"""Convolution of arrays of many channels along one, two or three axes, as deep-learning frameworks have it.

It is the adjoint of `conv_transpose`, and uses the same loops: horizontally, they take one input value after the other, so for
a stride of s, the columns of the input are sorted by their number modulo s.
"""

from __future__ import annotations  # so that `help` shows the short names of types

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from upscale.argument_checks import axis_paddings, output_array
from upscale.choices import EngineName, Pair
from upscale.errors import ArgumentError
from upscale.loops.engine import CHOOSER, Work
from upscale.loops.tables import NO_WEIGHTS, ColumnTaps, RowTaps
from upscale.operators.conv_arguments import ConvArguments, conv_arguments
from upscale.operators.conv_planes import Taps, pass_chain, suits_chain, sum_taps

if TYPE_CHECKING:
    from upscale.argument_checks import AnyArray

#: The size of an axis, then the kernel's, stride, padding at the beginning, dilation, and the size of the result.
_AxisNumbers = tuple[int, int, int, int, int, int]


def conv1d(
    input: AnyArray,
    weight: AnyArray,
    bias: AnyArray | None = None,
    stride: int | Sequence[int] = 1,
    padding: Literal["same", "valid"] | int | Sequence[int] | Sequence[Sequence[int]] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    out: NDArray[Any] | None = None,
    engine: EngineName = "auto",
) -> NDArray[Any]:
    """Convolve along one axis, with the meaning of ``torch.nn.functional.conv1d``.

    All parameters are those of `conv2d`, for one axis; `padding` may be ((left, right),).

    Parameters
    ----------
    input : array_like, shape (N, C, L) or (C, L)
    weight : array_like, shape (M, C / groups, k)
    bias : array_like, shape (M,), optional
    stride, dilation : int
    padding : int or {"same", "valid"}
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
    >>> upscale.conv1d([[1, 2, 4, 8]], [[[-1, 1]]])  # differences
    array([[1., 2., 4.]], dtype=float32)
    """
    return _convolution(1, input, weight, bias, stride, padding, dilation, groups, out, engine)


def conv2d(
    input: AnyArray,
    weight: AnyArray,
    bias: AnyArray | None = None,
    stride: Pair = 1,
    padding: Literal["same", "valid"] | Pair | Sequence[Sequence[int]] = 0,
    dilation: Pair = 1,
    groups: int = 1,
    *,
    out: NDArray[Any] | None = None,
    engine: EngineName = "auto",
) -> NDArray[Any]:
    """Apply the two-dimensional convolution of networks, with the meaning of ``torch.nn.functional.conv2d``.

    Each output value is the sum of a window of the input times the kernel, which is not rotated; windows lie `stride` apart.
    `conv_transpose2d` with the same arguments is its adjoint: the inner products ``<conv2d(x, w), y>`` and
    ``<x, conv_transpose2d(y, w)>`` are equal.

    Parameters
    ----------
    input : array_like, shape (N, C, H, W) or (C, H, W)
        float32 and float64 are computed as such, integers in float32.
    weight : array_like, shape (M, C / groups, kH, kW)
    bias : array_like, shape (M,), optional
        Added to every value of its output channel.
    stride, dilation : int or (int, int)
        Vertical and horizontal.
    padding : int, (int, int), ((top, bottom), (left, right)), "same" or "valid"
        How many zeros are added at each side. "same" makes the output as large as the input, at stride 1; if the number of
        zeros is odd, the last one is at the end. "valid" means 0.
    groups : int
        Number of channel groups: group g of the input channels only affects group g of the output channels.
    out : ndarray, optional
        Array to write the result to, and return: C-contiguous, of the result's shape and dtype.
    engine : {"auto", "numba", "numpy"}
        Which loops to use; results are the same, up to the last bit of 32-bit floats.

    Returns
    -------
    ndarray, shape (N, M, H', W') or (M, H', W')
        With ``H' = (H + top + bottom - dilation * (kH - 1) - 1) // stride + 1``.

    Raises
    ------
    ArgumentError
        If shapes or values do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> import upscale
    >>> upscale.conv2d(np.arange(16).reshape(1, 4, 4), np.ones((1, 1, 2, 2)), stride=2)
    array([[[10., 18.],
            [42., 50.]]], dtype=float32)
    """
    return _convolution(2, input, weight, bias, stride, padding, dilation, groups, out, engine)


def conv3d(
    input: AnyArray,
    weight: AnyArray,
    bias: AnyArray | None = None,
    stride: int | Sequence[int] = 1,
    padding: Literal["same", "valid"] | int | Sequence[int] | Sequence[Sequence[int]] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    out: NDArray[Any] | None = None,
    engine: EngineName = "auto",
) -> NDArray[Any]:
    """Apply the three-dimensional convolution of networks, with the meaning of ``torch.nn.functional.conv3d``.

    All parameters are those of `conv2d`, for three axes: depth, vertical, horizontal. `padding` may be
    ((front, back), (top, bottom), (left, right)).

    Parameters
    ----------
    input : array_like, shape (N, C, D, H, W) or (C, D, H, W)
    weight : array_like, shape (M, C / groups, kD, kH, kW)
    bias : array_like, shape (M,), optional
    stride, dilation : int or (int, int, int)
    padding : int, (int, int, int) or {"same", "valid"}
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
    >>> import numpy as np
    >>> import upscale
    >>> upscale.conv3d(np.ones((1, 4, 4, 4)), np.ones((1, 1, 2, 2, 2)), stride=2).ravel()
    array([8., 8., 8., 8., 8., 8., 8., 8.])
    """
    return _convolution(3, input, weight, bias, stride, padding, dilation, groups, out, engine)


def _convolution(
    axes: int,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: Any,
    out: NDArray[Any] | None,
    engine: str,
) -> NDArray[Any]:
    """Convolve along 1, 2 or 3 axes; fewer than 3 are those of one slice, and of one row."""
    given = conv_arguments(axes, False, input, weight, bias, stride, dilation, groups, engine)
    x, w, groups, dtype = given.x, given.weight, given.groups, given.dtype
    pads = _zeros_around(padding, given, axes)
    numbers = [
        (size, kernel, step, sides[0], spread, (size + sum(sides) - spread * (kernel - 1) - 1) // step + 1)
        for size, kernel, step, sides, spread in zip(
            x.shape[-axes:], w.shape[2:], given.stride, pads, given.dilation, strict=True
        )
    ]
    sizes = [number[-1] for number in numbers]
    if min(sizes) < 1:
        raise ArgumentError(f"input {x.shape} with padding {padding} is smaller than weight {w.shape} of dilation {dilation}")
    channels = len(given.bias)
    result = output_array(out, (*x.shape[: -axes - 1], channels, *sizes), dtype, x)
    plain = axes == 2 and (*given.dilation, groups) == (1, 1, 1) and dtype == np.float32
    if plain and suits_chain(w.shape, given.stride):
        work = Work("tconv", x.size, result.size, w[0].size, loops=frozenset({"pass_chain"}))
        batch = np.ascontiguousarray(x, dtype).reshape(-1, *x.shape[-3:])
        made = result.reshape(len(batch), channels, *sizes)
        pass_chain(CHOOSER.load(engine, work)[1], batch, w, given.bias, (pads[0][0], pads[1][0]), made, given.stride)
        return result
    missing = (1,) * (3 - axes)
    depth, vertical, horizontal = [(1, 1, 1, 0, 1, 1)] * len(missing) + numbers
    _, loops = CHOOSER.load(engine, Work("tconv", x.size, result.size, w[0].size, loops=frozenset({f"dense {dtype}"})))
    planes, columns = _by_column_tables(np.ascontiguousarray(x, dtype), horizontal)
    planes = planes.reshape(-1, x.shape[-axes - 1], *missing, *x.shape[-axes:-1], planes.shape[-1])
    # The loops take weights by input channel.
    kernels = w.reshape(groups, -1, *w.shape[1:2], *missing, *w.shape[2:]).swapaxes(1, 2)
    kernels = kernels.reshape(-1, *kernels.shape[2:])
    taps = Taps(_slices(depth), _row_tables(vertical), columns)
    sum_taps(loops, planes, kernels, groups, given.bias, taps, result.reshape(-1, channels, *missing, *sizes))
    return result


def _zeros_around(padding: Any, given: ConvArguments, axes: int) -> tuple[tuple[int, int], ...]:
    """Return how many zeros lie before and behind the input along each axis."""
    if not isinstance(padding, str):
        return axis_paddings(padding, axes)
    if padding == "valid":
        return ((0, 0),) * axes
    if padding != "same":
        raise ArgumentError(f"padding must be numbers, 'same' or 'valid', not {padding!r}")
    if max(given.stride) > 1:
        raise ArgumentError(f"padding 'same' needs stride 1, not {given.stride}")
    surplus = [spread * (kernel - 1) for kernel, spread in zip(given.weight.shape[2:], given.dilation, strict=True)]
    return tuple((n // 2, n - n // 2) for n in surplus)


def _slices(numbers: _AxisNumbers) -> list[list[tuple[int, int]]]:
    """List the taps of each output slice, as `Taps` has them."""
    size, kernel, stride, begin, dilation, made = numbers
    reached = [[(o * stride - begin + k * dilation, k) for k in range(kernel)] for o in range(made)]
    return [[(at, k) for at, k in pairs if 0 <= at < size] for pairs in reached]


def _row_tables(numbers: _AxisNumbers) -> RowTaps:
    size, kernel, stride, begin, dilation, made = numbers
    line = np.arange(made)[:, None] * stride - begin + np.arange(kernel) * dilation
    return RowTaps(
        line=np.where((line >= 0) & (line < size), line, -1),
        source=np.arange(size),
        tap=np.broadcast_to(np.arange(kernel), line.shape).copy(),
        gain_row=np.zeros(made, np.int64),
        weight=NO_WEIGHTS,
    )


def _by_column_tables(x: NDArray[Any], numbers: _AxisNumbers) -> tuple[NDArray[Any], ColumnTaps]:
    """Add zeros to rows (..., W), sort their columns by their number modulo the stride, and list where each tap begins."""
    size, kernel, stride, begin, dilation, made = numbers
    each = -(-((made - 1) * stride + (kernel - 1) * dilation + 1) // stride)
    kept = max(0, min(size, each * stride - begin))
    padded = np.zeros((*x.shape[:-1], each * stride), x.dtype)
    padded[..., begin : begin + kept] = x[..., :kept]
    rows = padded.reshape(*x.shape[:-1], each, stride).swapaxes(-1, -2).reshape(*x.shape[:-1], each * stride)
    reached, none = np.arange(kernel) * dilation, np.zeros((0, kernel), np.int64)
    return rows, ColumnTaps(
        start=(reached % stride * each + reached // stride)[None],
        tap=np.arange(kernel)[None],
        number=np.array([kernel]),
        gain_column=np.zeros(1, np.int64),
        weight=NO_WEIGHTS,
        border=none[:, 0],
        border_position=none,
        border_tap=none,
        border_gain_column=none[:, 0],
        border_weight=NO_WEIGHTS,
        source=np.arange(each * stride),
        left=0,
        phase_shift=np.zeros(1, np.int64),
        same_input=True,
    )

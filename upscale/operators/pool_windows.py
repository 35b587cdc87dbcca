"""The windows of pooling along one axis: how many there are, where they lie, and what is laid around the input for them."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.argument_checks import axis_numbers
from upscale.errors import ArgumentError
from upscale.operators.conv_arguments import AXES, real_array

Array = NDArray[Any]


class Windows(NamedTuple):
    """The windows along one axis; value k of window n lies at ``n * stride - padding + k * dilation`` of the input."""

    size: int  #: of the input
    kernel: int
    stride: int
    padding: int
    dilation: int
    number: int

    @property
    def reach(self) -> int:
        """How many input values lie between a window's first and last value, including both."""
        return self.dilation * (self.kernel - 1) + 1

    def taps(self, number: int) -> list[slice]:
        """Return for each value of a window where it lies for so many windows, the first of which begins at 0."""
        last = (number - 1) * self.stride + 1
        return [slice(k, k + last, self.stride) for k in range(0, self.reach, self.dilation)]

    def begin(self) -> Array:
        """Return where in the input windows begin, below 0 in the padding."""
        return np.arange(self.number) * self.stride - self.padding

    def first_inside(self) -> Array:
        """Return where in the input the first value of each window lies that does not precede it."""
        begin = self.begin()
        return np.where(begin < 0, begin % self.dilation, begin)

    def lengths(self, inside: bool) -> Array:
        """Count the values of each window, within the input or within the input and its padding, if windows have no gaps."""
        begin = self.begin()
        end = np.minimum(begin + self.kernel, self.size + self.padding)
        lengths: Array = np.minimum(end, self.size) - np.maximum(begin, 0) if inside else end - begin
        return lengths


def pool_windows(
    input: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> tuple[Array, Windows, Windows]:
    """Check the arguments of pooling, and find its windows.

    Returns
    -------
    (ndarray, Windows, Windows)
        The input as (C, H, W) or (N, C, H, W), the vertical and the horizontal windows.

    Raises
    ------
    ArgumentError
        If shapes or values do not fit together.
    """
    x = real_array(input, "input")
    if x.ndim not in (3, 4):
        raise ArgumentError(f"input must be (N, C, {AXES[2]}) or (C, {AXES[2]}), not {x.shape}")
    kernels, strides, pads = pool_numbers(kernel_size, stride, padding)
    dilations = axis_numbers(dilation, "dilation", 2)
    if min(dilations) < 1:
        raise ArgumentError(f"dilation {dilation} must be at least 1")
    both = [_windows(*numbers, ceil_mode) for numbers in zip(x.shape[-2:], kernels, strides, pads, dilations, strict=True)]
    if any(pad > kernel // 2 for pad, kernel in zip(pads, kernels, strict=True)):
        raise ArgumentError(f"padding {padding} must be at most half of kernel_size {kernel_size}")
    if min(windows.number for windows in both) < 1:
        raise ArgumentError(f"input {x.shape} with padding {padding} is smaller than kernel_size {kernel_size}")
    return x, both[0], both[1]


def pool_numbers(kernel_size: Any, stride: Any, padding: Any) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Read kernel_size, stride, which is kernel_size if it is None, and padding, as (vertical, horizontal).

    Raises
    ------
    ArgumentError
        If they are not whole numbers, or too small.
    """
    kernels = axis_numbers(kernel_size, "kernel_size", 2)
    strides = kernels if stride is None else axis_numbers(stride, "stride", 2)
    pads = axis_numbers(padding, "padding", 2)
    if min(*kernels, *strides) < 1:
        raise ArgumentError(f"kernel_size {kernel_size} and stride {strides} must be at least 1")
    if min(pads) < 0:
        raise ArgumentError(f"padding {padding} must not be negative")
    return kernels, strides, pads


def _windows(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> Windows:
    """Find the windows along an axis.

    With `ceil_mode`, a last window may go on beyond the padding, but begins within the input or the padding before it.
    """
    left_over = size + 2 * padding - dilation * (kernel - 1) - 1
    number = (left_over + (stride - 1 if ceil_mode else 0)) // stride + 1
    if ceil_mode and (number - 1) * stride >= size + padding:
        number -= 1
    return Windows(size, kernel, stride, padding, dilation, number)


def surrounded(planes: Array, vertical: Windows, horizontal: Windows, rows: slice, fill: Any) -> Array:
    """Return what some rows of windows cover of planes (P, H, W), with `fill` wherever that lies beyond the input.

    Where nothing does, the result is a view.
    """
    begin = rows.start * vertical.stride - vertical.padding
    height = (rows.stop - rows.start - 1) * vertical.stride + vertical.reach
    width = (horizontal.number - 1) * horizontal.stride + horizontal.reach
    first, last = max(begin, 0), min(begin + height, vertical.size)
    kept = min(width - horizontal.padding, horizontal.size)
    if (last - first, kept) == (height, width):
        return planes[:, first:last, :kept]
    block = np.full((len(planes), height, width), fill, planes.dtype)
    if last > first:
        block[:, first - begin : last - begin, horizontal.padding : horizontal.padding + kept] = planes[:, first:last, :kept]
    return block

"""The parameters of a transposed convolution: their checks, and the sizes that follow from them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from upscale.choices import DEFAULT_FACTOR, EDGES
from upscale.errors import ArgumentError
from upscale.kernels.kernel import Kernel
from upscale.operators.tap_tables import Axis, axis

#: "same", or how much of the full output is cropped at each side: ((top, bottom), (left, right)).
Crop = str | tuple[tuple[int, int], tuple[int, int]]

#: How much longer a multiplication of a kernel's rank-1 terms takes than one of all its weights at once.
_TERM = 1.5
#: How far a kernel may reach and be padded, in output pixels.
_FARTHEST = 1 << 20


def out_size(size: int, kernel: int, stride: int, padding: tuple[int, int], dilation: int = 1, extra: int = 0) -> int:
    """Compute one axis' output size; `extra` is the output padding."""
    return (size - 1) * stride - sum(padding) + dilation * (kernel - 1) + extra + 1


class Operator(NamedTuple):
    """A transposed convolution, whatever the picture.

    Attributes
    ----------
    kernel : Kernel
    factor : (int, int)
        The stride; pairs are vertical, horizontal.
    padding : Crop
    output_padding, dilation : (int, int)
    edge : str
        What lies beyond the border: one of `choices.EDGES`.
    """

    kernel: Kernel
    factor: tuple[int, int]
    padding: Crop = "same"
    output_padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    edge: str = "zero"

    def size(self, size: Sequence[int]) -> tuple[int, int]:
        """Compute (height, width) of the enlargement of a picture.

        Raises
        ------
        ArgumentError
            Where the padding cuts everything off.
        """
        if isinstance(self.padding, str):
            return size[0] * self.factor[0], size[1] * self.factor[1]
        shape, padding = self.kernel.shape, self.padding
        height, width = (
            out_size(size[i], shape[i], self.factor[i], padding[i], self.dilation[i], self.output_padding[i]) for i in (0, 1)
        )
        if height < 1 or width < 1:
            raise ArgumentError(f"padding {padding} crops the whole output; use less padding")
        return height, width

    def total_crop(self, axis: int) -> int:
        """Compute how much longer than factor times the input the full output is; negative where it is shorter."""
        return self.dilation[axis] * (self.kernel.shape[axis] - 1) + 1 + self.output_padding[axis] - self.factor[axis]

    def crop_begin(self, axis: int) -> int:
        """Compute how much is cropped at the beginning; for `same` padding half of the total crop, rounded down."""
        return max(self.total_crop(axis), 0) // 2 if isinstance(self.padding, str) else self.padding[axis][0]

    @property
    def taps(self) -> float:
        """About how many multiplications a sample of output takes."""
        down, across = self._taps
        return down + across / self.factor[0] if self.kernel.factors_1d is not None else down * across

    @property
    def max_rank(self) -> int:
        """The highest rank at which summing a kernel's outer products is faster than summing all of its weights at once.

        Normalising divides by sums that are no product of rows and columns, but for a single term.
        """
        down, across = self._taps
        return 1 if self.kernel.normalized else int(down * across / (_TERM * (down + across / self.factor[0])))

    @property
    def _taps(self) -> tuple[int, int]:
        down, across = (-(-self.kernel.shape[i] // self.factor[i]) for i in (0, 1))
        return down, across

    @property
    def mixes_neighbours(self) -> bool:
        """Whether neighbouring pixels mix: not by a box as large as the stride, which only duplicates."""
        kernel = self.kernel
        spread = (*self.output_padding, *self.dilation)
        alone = kernel.shape == self.factor and self.padding == "same" and spread == (0, 0, 1, 1)
        plain = kernel.normalized and kernel.channels is None and kernel.bias is None
        return not (alone and plain and np.ptp(kernel.weights) == 0)

    def axes(self, size: Sequence[int]) -> tuple[Axis, Axis]:
        """Find which taps reach which output pixels of a picture, along both axes."""
        out = self.size(size)
        vertical, horizontal = (
            axis(size[i], out[i], self.kernel.shape[i], self.factor[i], self.crop_begin(i), self.dilation[i], self.edge)
            for i in (0, 1)
        )
        return vertical, horizontal


def make_operator(
    kernel: Kernel,
    factor: tuple[int, int] | None,
    padding: Any,
    *,
    output_padding: tuple[int, int],
    dilation: tuple[int, int],
    edge: str,
    normalize: bool | None,
) -> Operator:
    """Put a kernel and the parameters of the operator together; where one is None, the kernel's own holds.

    Raises
    ------
    ArgumentError
        Where they clash.
    """
    kernel.check_factor(factor)
    if edge not in EDGES:
        raise ArgumentError(f"edge must be one of {', '.join(EDGES)}, not {edge!r}")
    if min(dilation) < 1 or min(output_padding) < 0:
        raise ArgumentError(f"dilation {dilation} must be at least 1 and output_padding {output_padding} at least 0")
    for i in (0, 1):
        if (dilation[i] - 1) * (kernel.shape[i] - 1) > _FARTHEST or output_padding[i] > _FARTHEST:
            raise ArgumentError(f"dilation {dilation} and output_padding {output_padding} reach more than {_FARTHEST} pixels")
    if normalize is not None:
        kernel = kernel.with_normalized(bool(normalize))
    padding = padding or kernel.padding or "same"
    if isinstance(padding, tuple) and max(max(sides) for sides in padding) > _FARTHEST:
        raise ArgumentError(f"padding {padding} crops more than {_FARTHEST} pixels")
    if kernel.corrections is not None or kernel.layers is not None:  # they add where the kernel's own output lies
        plain = padding == "same" and (*output_padding, *dilation) == (0, 0, 1, 1)
        if not plain or not kernel.normalized:
            named = "an adaptive" if kernel.layers is None else "a deep"
            raise ArgumentError(f"{named} kernel needs padding 'same', no output_padding, dilation 1 and normalized weights")
    if kernel.chain is not None:
        _check_chain(kernel, edge, padding, output_padding, dilation)
    return Operator(kernel, factor or kernel.factor or DEFAULT_FACTOR, padding, output_padding, dilation, edge)


def _check_chain(kernel: Kernel, edge: str, padding: Crop, output_padding: tuple[int, int], dilation: tuple[int, int]) -> None:
    """Check what a network's parameters may be: its convolutions have zeros beyond the border."""
    if kernel.normalized:
        raise ArgumentError("a network cannot be normalised")
    if edge != "zero":
        raise ArgumentError(f"a network has zeros beyond the border, not edge {edge!r}")
    if kernel.adds_input and (padding not in ("same", kernel.padding) or (*output_padding, *dilation) != (0, 0, 1, 1)):
        raise ArgumentError("a network that adds its input has padding of its own, no output_padding and dilation 1")

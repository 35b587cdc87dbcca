"""Transposed convolution of a picture: sizes, plan, and bands of output rows."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from upscale.arguments import pair
from upscale.engines import Work
from upscale.errors import ArgumentError
from upscale.gather import Axis, Rows, gain_table, tables, weighted_tables
from upscale.kernel import Kernel

Array = NDArray[Any]
#: "same", or how much is cut off the operator's whole output: ((top, bottom), (left, right)).
Padding = str | tuple[tuple[int, int], tuple[int, int]]

#: Values of a band of floats between the stages of an alpha picture; 8 MB stay in most processors' caches.
_BAND = 1 << 21


def out_size(size: int, kernel: int, stride: int, padding: tuple[int, int], dilation: int = 1, extra: int = 0) -> int:
    """Compute one axis' output size; `extra` is the output padding."""
    return (size - 1) * stride - sum(padding) + dilation * (kernel - 1) + extra + 1


def same_begin(kernel: int, factor: int) -> int:
    """Compute what `same` padding cuts off before the output along one axis: half of the surplus, rounded down."""
    return max(kernel - factor, 0) // 2


def enlarged_size(size: Sequence[int], kernel: Sequence[int], factor: Sequence[int], padding: Padding) -> tuple[int, int]:
    """Compute (height, width) of a picture's enlargement.

    Raises
    ------
    ArgumentError
        Where the padding cuts everything off.
    """
    if isinstance(padding, str):
        return size[0] * factor[0], size[1] * factor[1]
    height, width = (out_size(size[i], kernel[i], factor[i], padding[i]) for i in (0, 1))
    if height < 1 or width < 1:
        raise ArgumentError(f"padding {padding} cuts off all of the output: {width}x{height} would be left")
    return height, width


class Plan:
    """Enlargement of one picture by a kernel that applies to each channel alike.

    Parameters
    ----------
    source : ndarray, shape (H, W) or (H, W, C)
        C-contiguous; 8- to 64-bit integers, float32 or float64.
    kernel : Kernel
    factor : (int, int)
        Vertical and horizontal stride.
    padding : Padding
    dtype : dtype
        Of the result; integers are rounded half up and clipped.
    alpha : bool
        The last channel is opacity: the colours are weighted by it.

    Attributes
    ----------
    shape : tuple
        Of the result, as many dimensions as the source.
    dtype : dtype
    work : Work
        What computing it takes.
    """

    def __init__(
        self, source: Array, kernel: Kernel, factor: tuple[int, int], padding: Padding, dtype: DTypeLike, *,
        alpha: bool = False,
    ) -> None:  # fmt: skip
        self.dtype = np.dtype(dtype)
        self._source, self._kernel, self._alpha = source, kernel, alpha
        self._step = 1 if source.ndim == 2 else source.shape[2]
        self.shape = (*enlarged_size(source.shape[:2], kernel.shape, factor, padding), *source.shape[2:])
        vertical, horizontal = (
            Axis(
                source.shape[i], self.shape[i], kernel.shape[i], factor[i],
                same_begin(kernel.shape[i], factor[i]) if isinstance(padding, str) else padding[i][0],
            )
            for i in (0, 1)
        )  # fmt: skip
        computed = np.result_type(_computed(source.dtype), _computed(self.dtype))
        self._rounded, self._limits = limits(self.dtype, computed)
        self._base = np.zeros((1, self._step * -(-self.shape[1] // factor[1])), computed)
        if kernel.axes is not None:
            self._rows, self._columns = weighted_tables(vertical, horizontal, kernel.axes, kernel.normalized, computed)
            taps = self._rows.line.shape[1] / factor[1] + self._columns.start.shape[1]
        else:
            self._rows, self._columns = tables(vertical, horizontal, kernel.normalized)
            self._weights = kernel.weights[None, None]
            self._gain = gain_table(vertical, horizontal, self._weights, 1) if kernel.normalized else np.ones((1, 1, 1))
            taps = self._rows.line.shape[1] * self._columns.start.shape[1]
        self.work = Work("tconv", source.shape[0] * source.shape[1], int(np.prod(self.shape)), taps)

    def fill(self, loops: ModuleType, out: Array, first_row: int = 0) -> None:
        """Compute rows `first_row` and following into `out`, (rows, W) or (rows, W, C), with one of the engines' loops."""
        rows = self._rows
        flat = out.reshape(len(out), -1)
        if not self._alpha:
            band = slice(first_row, first_row + len(out))
            self._gather(loops, self._source, _cut(rows, band), self._rounded, flat)
            return
        height = max(1, _BAND // flat.shape[1])
        for begin in range(0, len(out), height):
            part = flat[begin : begin + height]
            piece = _cut(rows, slice(first_row + begin, first_row + begin + len(part)))
            # Only the input rows that this band needs are converted.
            used, line = np.unique(piece.line, return_inverse=True)
            needed = rows.source[used[used >= 0]]
            floats = np.empty((max(1, len(needed)), *self._source.shape[1:]), self._limits.dtype)
            loops.premultiply(frozen(self._source[needed]), floats)
            nothing = np.count_nonzero(used < 0)
            piece = piece._replace(line=line.reshape(piece.line.shape) - nothing, source=np.arange(len(floats)))
            sums = np.empty(part.shape, self._limits.dtype)
            self._gather(loops, floats, piece, False, sums)
            pixels = (len(part), -1, self._step)
            loops.unpremultiply(sums.reshape(pixels), self._rounded, self._limits, part.reshape(pixels))

    def _gather(self, loops: ModuleType, source: Array, rows: Rows, rounded: bool, out: Array) -> None:
        planes = frozen(source.reshape(1, len(source), -1))
        if self._kernel.axes is not None:
            loops.separable(planes, self._step, self._base, rows, self._columns, rounded, self._limits, out[None])
        else:
            loops.dense(
                planes, self._step, self._weights, 1, self._base, rows, self._columns, self._gain, rounded, self._limits,
                out[None],
            )  # fmt: skip


def _cut(rows: Rows, band: slice) -> Rows:
    return rows._replace(line=rows.line[band], tap=rows.tap[band], kind=rows.kind[band], weight=rows.weight[band])


def limits(dtype: np.dtype[Any], computed: DTypeLike) -> tuple[bool, Array]:
    """Say whether results are rounded, and give the lowest and the highest result and the half that rounds up."""
    if dtype.kind == "f":
        return False, np.zeros(3, computed)
    info = np.iinfo(dtype)
    highest = np.array(info.max, computed)
    if float(highest) > info.max:  # a float just above the largest integer would wrap around
        highest = np.nextafter(highest, np.zeros((), computed))
    return True, np.array([info.min, highest, 0.5], computed)


def _computed(dtype: np.dtype[Any]) -> type[np.floating[Any]]:
    """Choose the floats to compute in: 32 bits where they hold every sample exactly."""
    return np.float64 if dtype.itemsize >= 4 and dtype != np.float32 else np.float32


def frozen(array: Array) -> Array:
    """View an array as read-only, so that the compiled loops see one type of input and not two."""
    view = array.view()
    view.flags.writeable = False
    return view


def paddings(value: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """Read padding as a number, (vertical, horizontal) or ((top, bottom), (left, right)).

    Raises
    ------
    ArgumentError
        Where it is none of them, or negative.
    """
    both = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value, value)
    if len(both) != 2:
        raise ArgumentError(
            f"padding must be a number, (vertical, horizontal) or ((top, bottom), (left, right)), not {value!r}"
        )
    pads = pair(both[0], "padding"), pair(both[1], "padding")
    if min(*pads[0], *pads[1]) < 0:
        raise ArgumentError(f"padding must not be negative, not {value!r}")
    return pads

"""Transposed convolution of each tile on its own, as if it had been cut out, so that neighbours do not bleed into it."""

from collections.abc import Iterator
from itertools import pairwise
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from upscale.errors import ArgumentError
from upscale.operators.parameters import Operator
from upscale.operators.tap_tables import beyond
from upscale.operators.transposed_plan import TransposedPlan
from upscale.tile_grid import TileGrid

Array = NDArray[Any]

#: How many input pixels away a pixel counts for the corrections of adaptive kernels.
_CORRECTION_REACH = 3


class TiledPlan:
    """Enlargement of one picture, tile by tile; what lies between the tiles is duplicated.

    All tiles are enlarged at once: they are laid out farther apart, each with what `edge` says lies beyond its border, as far
    as the kernel reaches.

    Parameters
    ----------
    source, operator, dtype, **options
        As of `TransposedPlan`.
    tiles : TileGrid

    Attributes
    ----------
    shape, dtype, work, clipped, notes, min_rows
        As of `TransposedPlan`.

    Raises
    ------
    ArgumentError
        Where the tiles do not fill the picture, or cannot be enlarged each on its own.
    """

    def __init__(self, source: Array, operator: Operator, dtype: DTypeLike, tiles: TileGrid, **options: Any) -> None:
        if operator.edge == "zero" or operator.kernel.chain is not None:
            what = "a network has zeros beyond the border" if operator.kernel.chain is not None else "edge must not be zero"
            raise ArgumentError(f"{tiles.label}: {what}, which would be seen at each tile; use edge replicate, reflect or wrap")
        height, width = source.shape[:2]
        begins = tiles.begins((height, width))
        if operator.size((height, width)) != (height * operator.factor[0], width * operator.factor[1]):
            raise ArgumentError(f"{tiles.label}: needs padding same")
        axes = [_Axis(begins[i], (tiles.height, tiles.width)[i], _reach(operator, i)) for i in (0, 1)]
        rows, columns = (axis.apart(operator.edge) for axis in axes)
        self._plan = TransposedPlan(np.ascontiguousarray(source[rows][:, columns]), operator, dtype, **options)
        self._source, self._factor = source, operator.factor
        #: Which row and column of the plan's result each of the output is; -1 between tiles.
        self._rows, self._columns = (
            axis.places(n, f) for axis, n, f in zip(axes, (height, width), operator.factor, strict=True)
        )
        self.shape = (height * operator.factor[0], width * operator.factor[1], *self._plan.shape[2:])
        self.dtype, self.work, self.notes, self.min_rows = (
            self._plan.dtype,
            self._plan.work,
            self._plan.notes,
            self._plan.min_rows,
        )
        if self._plan.shape[2:] != source.shape[2:] and (self._rows.min() < 0 or self._columns.min() < 0):
            raise ArgumentError(f"{tiles.label}: a kernel that changes the number of channels needs tiles without spacing")

    @property
    def clipped(self) -> int:
        """How many samples had to be clipped so far."""
        return self._plan.clipped

    def rows_needed(self, rows: slice) -> tuple[int, int]:
        """Return which input rows are needed for rows of the result: all, since tiles have been laid out."""
        return 0, len(self._source)

    def fill(self, loops: ModuleType, out: Array, first_row: int = 0) -> None:
        """Compute rows `first_row` and following into `out`, rows of the result, with one of the engines' loops."""
        inside = np.flatnonzero(self._columns >= 0)
        for begin, end in _runs(self._rows[first_row : first_row + len(out)]):
            rows = out[begin:end]
            first = int(self._rows[first_row + begin])
            if first < 0 or len(inside) < len(self._columns):
                numbers = np.arange(first_row + begin, first_row + end) // self._factor[0]
                rows[...] = self._source[numbers].repeat(self._factor[1], axis=1)
            if first >= 0:
                made = np.empty((end - begin, *self._plan.shape[1:]), self.dtype)
                self._plan.fill(loops, made, first)
                rows[:, inside] = made[:, self._columns[inside]]


def laid_out_size(operator: Operator, tiles: TileGrid, size: tuple[int, int]) -> tuple[int, int]:
    """Return the height and width of a picture whose tiles were laid out farther apart."""
    height, width = (
        len(begins) * (length + 2 * _reach(operator, i))
        for i, (begins, length) in enumerate(zip(tiles.begins(size), (tiles.height, tiles.width), strict=True))
    )
    return height, width


def _reach(operator: Operator, axis: int) -> int:
    """Return how many input pixels away, along an axis, a pixel still counts, or more."""
    kernel = operator.kernel
    reaches = [operator.dilation[axis] * kernel.shape[axis] // operator.factor[axis] + 1]
    if kernel.corrections is not None:
        reaches.append(_CORRECTION_REACH)
    if kernel.layers is not None:
        reaches.append(kernel.layers.reach)
    return max(reaches)


class _Axis(NamedTuple):
    """Tiles along one axis: where they begin, their length, and how far the kernel reaches beyond them."""

    begins: range
    length: int
    reach: int

    def apart(self, edge: str) -> Array:
        """Return which input row, or column, each of the tiles laid out farther apart is."""
        one = beyond(np.arange(-self.reach, self.length + self.reach), self.length, edge)
        found: Array = (np.array(self.begins)[:, None] + one).reshape(-1)
        return found

    def places(self, size: int, factor: int) -> Array:
        """Return where each output row, or column, lies in the enlargement of the tiles laid out farther apart."""
        places = np.full(size * factor, -1)
        for number, first in enumerate(self.begins):
            begin = (number * (self.length + 2 * self.reach) + self.reach) * factor
            places[first * factor : (first + self.length) * factor] = np.arange(begin, begin + self.length * factor)
        return places


def _runs(places: Array) -> Iterator[tuple[int, int]]:
    """Yield the begin and end of each run of places that follow each other, or of -1."""
    steps = np.diff(places)
    breaks = np.flatnonzero((steps != 1) & ~((steps == 0) & (places[1:] < 0))) + 1
    edges = [0, *breaks.tolist(), len(places)]
    yield from pairwise(edges)

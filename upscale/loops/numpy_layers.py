"""The loops over the layers of deep kernels and over chains in plain NumPy; see `numpy_loops`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from upscale.loops.numpy_parts import run_parts

if TYPE_CHECKING:
    from upscale.loops.tables import LayerTables

Array = NDArray[Any]

#: Input pixels of a part: all of its values, as 64-bit floats, stay in the cache.
_HEIGHT, _WIDTH = 24, 64


def add_layers(luma: Array, tables: "LayerTables", first_row: int, channels: int, alpha: bool, out: Array) -> None:
    """Add what the layers of a deep kernel make to rows of sums; see the compiled loop."""
    reach, factor = int((tables.side // 2).sum()), tables.factor
    height, width = (n - 2 * reach for n in luma.shape[1:])
    rows = out.reshape(len(out), -1, channels)
    colours = channels - alpha

    def work(parts: Iterator[tuple[int, int, int]]) -> int:
        for plane, top, left in parts:
            block = luma[plane, top : top + _HEIGHT + 2 * reach, left : left + _WIDTH + 2 * reach]
            made = _layers(block[None], tables, 0, 0, width, 0)
            many, wide = made.shape[1:]
            added = made.reshape(factor, factor, many, wide).transpose(2, 0, 3, 1).reshape(many * factor, wide * factor)
            line = top * factor - first_row
            low, high = max(0, line), min(len(out), line + len(added))
            if low >= high:
                continue
            target, values = rows[low:high, left * factor : (left + wide) * factor], added[low - line : high - line, :, None]
            if len(luma) > 1:
                target[..., plane : plane + 1] += values
            else:
                target[..., :colours] += values * target[..., colours:] if alpha else values
        return 0

    places = [
        (plane, top, left)
        for plane in range(len(luma))
        for top in range(0, height, _HEIGHT)
        for left in range(0, width, _WIDTH)
    ]
    run_parts(work, places, _HEIGHT * _WIDTH * 16)


def pass_chain(source: Array, tables: "LayerTables", top: int, size: int, out: Array) -> None:
    """Send planes through a chain of convolutions; see the compiled loop."""
    reach = int((tables.side // 2).sum())
    height, width = (n - 2 * reach for n in source.shape[1:])
    planes = out.reshape(-1, height, width)

    def work(parts: Iterator[tuple[int, int]]) -> int:
        for above, left in parts:
            block = source[:, above : above + _HEIGHT + 2 * reach, left : left + _WIDTH + 2 * reach]
            made = _layers(block, tables, top + above - reach, left - reach, width, size)
            planes[:, above : above + _HEIGHT, left : left + _WIDTH] = made
        return 0

    places = [(above, left) for above in range(0, height, _HEIGHT) for left in range(0, width, _WIDTH)]
    run_parts(work, places, _HEIGHT * _WIDTH * 16)


def _layers(given: Array, tables: "LayerTables", top: int, left: int, width: int, size: int) -> Array:
    """Send planes (C, H, W) through all layers; return what the last one makes, (M, H - 2 R, W - 2 R).

    The planes' first pixel lies at row `top` and column `left` of a picture of `size` rows and `width` columns, beyond which
    the layers of a chain make zeros.
    """
    for n, side in enumerate(tables.side[: len(tables.side) - (tables.factor == 0)]):
        weights = tables.weights[tables.tap[n] : tables.tap[n + 1], : tables.channels[n + 1]].astype(np.float64)
        high, wide = (length - side + 1 for length in given.shape[1:])
        made = np.empty((weights.shape[1], high, wide), np.float32)
        made[:] = tables.bias[n, : len(made), None, None]
        memory = np.empty(made.shape)
        # As 64-bit floats, which hold products of 32-bit ones unrounded.
        first = n == 0 and tables.differences
        pieces = _differences(given[0], side) if first else _windows(given.astype(np.float64), side)
        for weight, piece in zip(weights, pieces, strict=True):
            np.multiply(weight[:, None, None], piece, out=memory)
            np.add(memory, made, out=memory)
            made[...] = memory
        if n < len(tables.side) - 1:
            slopes = tables.slopes[n, : len(made), None, None]
            made = np.where(made > 0, made, made * slopes)
            if n == len(tables.side) - 2:
                made -= tables.flat[: len(made), None, None]
        top, left = top + side // 2, left + side // 2
        if tables.zeros:
            made[:, [y for y in range(high) if not 0 <= top + y < size]] = 0
            made[:, :, [x for x in range(wide) if not 0 <= left + x < width]] = 0
        given = made
    return given


def _windows(planes: Array, side: int) -> Iterator[Array]:
    """Yield what each tap multiplies: row by row, then by channel, then from left to right."""
    height, width = (size - side + 1 for size in planes.shape[1:])
    for dy in range(side):
        for plane in planes:
            for dx in range(side):
                yield plane[dy : dy + height, dx : dx + width]


def _differences(luma: Array, side: int) -> Iterator[Array]:
    """Yield the differences of the values around each pixel from its own, as 64-bit floats that were rounded to 32 bits."""
    reach = side // 2
    middle = luma[reach : len(luma) - reach, reach : luma.shape[1] - reach]
    for number, piece in enumerate(_windows(luma[None], side)):
        if number != side * side // 2:
            yield (piece - middle).astype(np.float64)

"""PNG's filters: rows of samples to rows of bytes that deflate well."""

from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: Samples of a pixel by colour model.
_CHANNELS = {"1": 1, "L": 1, "P": 1, "LA": 2, "RGB": 3, "RGBA": 4}


class Filtering:
    """Filter the bands of one frame.

    Parameters
    ----------
    depth : int
        Bits a sample: 1, 2, 4, 8 or 16.
    base : str
        The colour model.
    size : (int, int)
        Height and width, blocks included.
    blocks : (int, int)
        Height and width of the block of pixels that each incoming sample stands for.
    smooth : bool
        Whether neighbouring pixels mix.
    loops : module
        One of the engines' loops.
    """

    def __init__(
        self, depth: int, base: str, size: tuple[int, int], blocks: tuple[int, int], *, smooth: bool, loops: ModuleType
    ) -> None:
        self._depth, self._loops = depth, loops
        self._step = max(1, _CHANNELS[base] * depth // 8)
        # Grey samples of few bits are scaled to 8 bits.
        self._scale = 255 // ((1 << depth) - 1) if base == "L" else 1
        self._bytes = -(-size[1] * _CHANNELS[base] * depth // 8)
        # Samples of less than a byte are expanded first: their blocks do not end on bytes.
        self._blocks = blocks
        self._expands = depth < 8 and blocks != (1, 1)
        # Neighbours predict mixed pixels well; rows of other pictures may repeat more without a filter.
        self._choices: tuple[tuple[int, ...], ...] = ((1, 2, 4), (1, 2, 4) if smooth else (0, 2))
        # Numbers of colours say nothing of their neighbours. A search finds most where no row is filtered.
        if base in ("1", "P") or depth < 8:
            self._choices = ((0, 2), (0,))

    @property
    def widths(self) -> tuple[int, int]:
        """How many bytes wide a pixel and a block of equal pixels are; the same where there are none, or not of whole bytes."""
        return self._step, self._step * (1 if self._expands else self._blocks[1])

    @property
    def row_bytes(self) -> int:
        """Bytes of a filtered row."""
        return self._bytes + 1

    def kinds(self, variant: int) -> tuple[int, ...]:
        """Return the filters that a variant tries."""
        return self._choices[variant]

    def rows_of(self, size: int) -> int:
        """Return how many incoming rows make a band of at most `size` bytes."""
        return max(1, size // ((self._bytes + 1) * self._blocks[0]))

    def bands(self, bands: Iterable[Array]) -> Iterator["Band"]:
        """Yield each band, which is filtered once the variant is chosen."""
        previous: Array | None = None
        for band in bands:
            rows = self._as_bytes(band)
            if previous is None:
                previous = np.zeros(rows.shape[1], np.uint8)
            yield Band(self, rows, previous)
            previous = rows[-1].copy()

    def _as_bytes(self, band: Array) -> Array:
        """Lay out rows as PNG stores them before filtering; blocks stay single samples where they are whole bytes."""
        if self._expands:
            band = band.repeat(self._blocks[0], 0).repeat(self._blocks[1], 1)
        if band.dtype == bool:
            return np.packbits(band, axis=1)
        if self._depth < 8:
            return _packed(band, self._depth, self._scale)
        if band.dtype == np.uint16:
            band = band.astype(">u2")
        return np.ascontiguousarray(band.reshape(len(band), -1)).view(np.uint8)

    def filtered(self, rows: Array, previous: Array, variant: int) -> Array:
        """Filter rows of bytes by one of the two variants.

        Returns
        -------
        ndarray, shape (rows, 1 + bytes of a row)
            uint8; the filter's type precedes each row.
        """
        kinds = self._choices[variant]
        height, width = rows.shape
        vertical, horizontal = (1, 1) if self._expands else self._blocks
        filtered = np.empty((height, 1 + width), np.uint8)
        self._loops.png_filter(rows, previous, self._step, np.array(kinds, np.uint8), horizontal, filtered)
        if (vertical, horizontal) == (1, 1):
            return filtered
        return _in_blocks(filtered, vertical, horizontal, self._step)


class Band:
    """Rows of bytes, filtered by either variant on request; a band is valid until the next one is made."""

    def __init__(self, filtering: Filtering, rows: Array, previous: Array) -> None:
        self._filtering, self._rows, self._previous = filtering, rows, previous
        self._made: dict[tuple[int, ...], Array] = {}

    def whole(self, variant: int) -> Array:
        """Filter all of it by one of the two variants, as `Filtering.filtered`."""
        kinds = self._filtering.kinds(variant)
        if kinds not in self._made:
            self._made[kinds] = self._filtering.filtered(self._rows, self._previous, variant)
        return self._made[kinds]

    def piece(self, variant: int, size: int) -> Array | None:
        """Filter about `size` bytes from the band's middle; None where the band has no more.

        The piece begins with the first row of a block, since the filtered bytes of the other rows are all zeros.
        """
        height, many = len(self._rows), self._filtering.rows_of(size)
        if many >= height:
            return None
        at = height // 2
        part = self._rows[at : at + many]
        row = self._filtering.filtered(part, self._rows[at - 1] if at else self._previous, variant).reshape(-1)
        begin = max(0, self._filtering.row_bytes - size) // 2
        return row[begin : begin + size]


def _packed(band: Array, depth: int, scale: int) -> Array:
    """Pack samples of less than 8 bits into bytes, the first one in the highest bits."""
    height, width = band.shape
    each = 8 // depth
    padded = np.zeros((height, -(-width // each), each), np.uint8)
    padded.reshape(height, -1)[:, :width] = band // scale
    shifts = np.arange(8 - depth, -1, -depth, dtype=np.uint8)
    packed: Array = np.bitwise_or.reduce(padded << shifts, axis=2)
    return packed


def _in_blocks(filtered: Array, vertical: int, horizontal: int, step: int) -> Array:
    """Turn filtered rows into those of the picture with blocks instead of pixels.

    Within a block, Sub and Paeth predict the value to the left and Up the value above, which are equal: all of these
    differences are 0. At the beginning of a block, they are those of the pixels without blocks.
    """
    height, width = len(filtered), (filtered.shape[1] - 1) // step
    out = np.zeros((height, vertical, 1 + width * horizontal * step), np.uint8)
    out[:, 1:, 0] = 2
    out[:, 0, 0] = filtered[:, 0]
    blocks = out[:, 0, 1:].reshape(height, width, horizontal, step)
    values = filtered[:, 1:].reshape(height, width, step)
    assert np.shares_memory(blocks, out)
    sparse = (filtered[:, 0] == 1) | (filtered[:, 0] == 4)
    for i in range(step):  # byte by byte, in long strides: copying three bytes at a time takes longer
        blocks[:, :, 0, i] = values[:, :, i]
    dense = ~sparse
    if dense.any():
        blocks[dense, :, 1:] = values[dense][:, :, None]
    return out.reshape(height * vertical, -1)

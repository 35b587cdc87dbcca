"""PNG's filters: rows of samples to rows of bytes that deflate well."""

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

    Attributes
    ----------
    step : int
        Bytes of a pixel, at least 1.
    blocks : (int, int)
    expands : bool
        Whether samples become blocks before they are filtered.
    has_alpha : bool
    """

    def __init__(
        self, depth: int, base: str, size: tuple[int, int], blocks: tuple[int, int], *, smooth: bool, loops: ModuleType
    ) -> None:
        self._depth, self._loops = depth, loops
        self.step = max(1, _CHANNELS[base] * depth // 8)
        # Grey samples of few bits are scaled to 8 bits.
        self._scale = 255 // ((1 << depth) - 1) if base == "L" else 1
        self._bytes = -(-size[1] * _CHANNELS[base] * depth // 8)
        # Samples of less than a byte are expanded first: their blocks do not end on bytes.
        self.blocks = blocks
        self.expands = depth < 8 and blocks != (1, 1)
        self.has_alpha = base in ("LA", "RGBA")
        # Neighbours predict mixed pixels well; rows of other pictures may repeat more without a filter.
        self._choices: tuple[tuple[int, ...], ...] = ((1, 2, 4), (1, 2, 4) if smooth else (0, 2))
        # Numbers of colours say nothing of their neighbours. A search finds most where no row is filtered.
        if base in ("1", "P") or depth < 8:
            self._choices = ((0, 2), (0,))

    @property
    def row_bytes(self) -> int:
        """Bytes of a filtered row."""
        return self._bytes + 1

    def kinds(self, variant: int) -> tuple[int, ...]:
        """Return the filters that a variant tries."""
        return self._choices[variant]

    def rows_of(self, size: int) -> int:
        """Return how many incoming rows make a band of at most `size` bytes."""
        return max(1, size // ((self._bytes + 1) * self.blocks[0]))

    def as_bytes(self, band: Array) -> Array:
        """Lay out rows as PNG stores them before filtering; blocks stay single samples where they are whole bytes."""
        if self.expands:
            band = band.repeat(self.blocks[0], 0).repeat(self.blocks[1], 1)
        if band.dtype == bool:
            return np.packbits(band, axis=1)
        if self._depth < 8:
            return _packed(band, self._depth, self._scale)
        if band.dtype == np.uint16:
            band = band.astype(">u2")
        return np.ascontiguousarray(band.reshape(len(band), -1)).view(np.uint8)

    def filtered(self, rows: Array, previous: Array, variant: int) -> Array:
        """Filter rows of bytes by one of the two variants; blocks stay single pixels.

        Returns
        -------
        ndarray, shape (rows, 1 + bytes of a row)
            uint8; the filter's type precedes each row. 8 bytes behind it may be read.
        """
        kinds = self._choices[variant]
        height, width = rows.shape
        filtered = np.empty(height * (1 + width) + 8, np.uint8)[:-8].reshape(height, 1 + width)
        horizontal = 1 if self.expands else self.blocks[1]
        self._loops.png_filter(rows, previous, self.step, np.array(kinds, np.uint8), horizontal, filtered)
        return filtered

    def in_blocks(self, filtered: Array) -> Array:
        """Turn filtered rows of single pixels into those of the picture with blocks."""
        if self.expands or self.blocks == (1, 1):
            return filtered
        return _in_blocks(filtered, *self.blocks, self.step)


class Band:
    """Rows of bytes, filtered by either variant on request.

    Parameters
    ----------
    filtering : Filtering
    rows : ndarray
        As `Filtering.as_bytes` makes them.
    previous : ndarray or None
        The row above the first one; None where there is none.
    """

    def __init__(self, filtering: Filtering, rows: Array, previous: Array | None) -> None:
        self._filtering, self._rows = filtering, rows
        self._previous = np.zeros(rows.shape[1], np.uint8) if previous is None else previous
        self._filtered: dict[tuple[int, ...], Array] = {}
        self._whole: dict[tuple[int, ...], Array] = {}

    @property
    def size(self) -> int:
        """Bytes of the filtered rows, with blocks."""
        return len(self._rows) * (1 if self._filtering.expands else self._filtering.blocks[0]) * self._filtering.row_bytes

    def filtered(self, variant: int) -> Array:
        """Filter it by one of the two variants, as `Filtering.filtered`."""
        kinds = self._filtering.kinds(variant)
        if kinds not in self._filtered:
            self._filtered[kinds] = self._filtering.filtered(self._rows, self._previous, variant)
        return self._filtered[kinds]

    def whole(self, variant: int) -> Array:
        """Filter it by one of the two variants, with blocks."""
        kinds = self._filtering.kinds(variant)
        if kinds not in self._whole:
            self._whole[kinds] = self._filtering.in_blocks(self.filtered(variant))
        return self._whole[kinds]

    def part(self, size: int) -> "Band | None":
        """Return the rows in the middle that make about `size` bytes; None where the band has no more.

        The other rows of blocks, whose filtered bytes are all zeros, come on top.
        """
        many = self._filtering.rows_of(size * self._filtering.blocks[0])
        if many >= len(self._rows):
            return None
        at = len(self._rows) // 2
        at = min(at, len(self._rows) - many)
        return Band(self._filtering, self._rows[at : at + many], self._rows[at - 1] if at else self._previous)


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

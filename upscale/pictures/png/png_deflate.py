"""How the bands of a PNG picture are deflated: by the engine's own loop, or by a search that finds more.

Each band becomes blocks of a raw deflate stream (RFC 1951) that others may follow, and refers to no earlier band.
"""

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.pictures.png.png_filters import Band, Filtering

Array = NDArray[Any]


class _Way(NamedTuple):
    """A way of deflating a band.

    Attributes
    ----------
    variant : int
        Which filters are tried: see `png_filters.Filtering`.
    level : int
        How long zlib-ng searches for repetitions; 0 for those at one distance, by the engine's loop.
    """

    variant: int
    level: int


class Choice(NamedTuple):
    """The ways in which a band is deflated, of which the best result counts.

    Attributes
    ----------
    ways : tuple of _Way
    valid : int
        For how many bands in a row the choice was made.
    left : int
        For how many of them it holds from here on.
    """

    ways: tuple[_Way, ...] = ()
    valid: int = 0
    left: int = 0


#: The fastest way, and the smallest where pixels mix; a search finds the repetitions of sprites.
_RUNS, _SEARCH, _BEST = _Way(0, 0), _Way(1, 6), _Way(1, 9)
#: Of pictures with much noise, a shorter search finds all but 2 % in two thirds of the time; of sprites, it does not.
_QUICK = _Way(0, 4)
#: Which ways are tried, by the option `compression`.
_WAYS = {"fast": (_RUNS,), "balanced": (_RUNS, _Way(0, 6), _SEARCH), "small": (_RUNS, _Way(0, 9), _BEST)}
#: Where pixels mix, a shorter search finds most of it in a third of the time.
_SMOOTH_WAYS = _WAYS | {"balanced": (_RUNS, _Way(1, 4))}
#: So many successive bands are deflated in the way that suits a piece of the first one, at most: of mixed pixels at once, of
#: others twice as many each time that the next choice is the same.
_SAME_WAY = 8
#: Bytes of a band on which the ways are tried, not counting rows that repeat the one above.
_TRIAL = 1 << 14
#: A slower way must make a band smaller than this share of what a faster one does.
_WORTH = 0.95
#: From so many zeros on that a block adds to a pixel, the loop for blocks is used: with fewer, the loop for rows of bytes makes
#: smaller files. So it does with alpha, since it leaves out what is the same in the pixel before (`benchmarks/deflate.py`).
_LEAST_ZEROS = 4
#: The greatest distance that the engine's loops take.
_FARTHEST = 24_576


class Deflating:
    """Deflate the bands of one frame.

    Parameters
    ----------
    compression : str
        One of `choices.COMPRESSIONS`.
    filtering : Filtering
        Of the same frame.
    smooth : bool
        Whether neighbouring pixels mix.
    loops : module
        One of the engines' loops.
    """

    def __init__(self, compression: str, filtering: Filtering, *, smooth: bool, loops: ModuleType) -> None:
        self._ways = (_SMOOTH_WAYS if smooth else _WAYS)[compression]
        self._tries, self._quick = compression == "balanced", () if smooth else (_QUICK,)
        self._smooth, self._loops = smooth, loops
        self._step, self._blocks = filtering.step, (1, 1) if filtering.expands else filtering.blocks
        block = self._step * self._blocks[1]
        self._repetitions = repetitions(self._step, block)
        fits = block - self._step >= _LEAST_ZEROS and block <= _FARTHEST
        self._knows_blocks = loops.deflate_blocks is not None and fits and not filtering.has_alpha

    def choose(self, band: Band, before: Choice) -> Choice:
        """Choose how a band is deflated, from the choice for the band before it."""
        if before.left > 0:
            return before._replace(left=before.left - 1)
        ways = self._promising(band) if self._tries else self._ways
        valid = 2 * before.valid if ways == before.ways else 1
        valid = _SAME_WAY if self._smooth else min(valid, _SAME_WAY)
        return Choice(ways, valid, valid - 1)

    def _promising(self, band: Band) -> tuple[_Way, ...]:
        """Choose the way that suits a piece of a band; all of them where the band is no larger than a piece."""
        part = band.part(_TRIAL)
        if part is None:
            return self._ways
        chosen, least = self._ways[0], len(self._packed(part, self._ways[0])[0])
        for way in self._quick + self._ways[1:]:  # from the fastest to the slowest
            size = len(self._packed(part, way)[0])
            if size < _WORTH * least:
                chosen, least = way, size
        return (chosen,)

    def deflated(self, band: Band, choice: Choice) -> tuple[bytes, int, int]:
        """Deflate a band in that one of the chosen ways which makes it smallest.

        Returns
        -------
        (bytes, int, int)
            The blocks, and checksum (Adler-32) and length of the data in them.
        """
        from zlib_ng import zlib_ng

        made = ((*self._packed(band, way), way.variant) for way in choice.ways)
        data, checksum, variant = min(made, key=lambda result: len(result[0]))
        return data, zlib_ng.adler32(band.whole(variant)) if checksum is None else checksum, band.size

    def _packed(self, band: Band, way: _Way) -> tuple[bytes, int | None]:
        """Deflate a band; return the blocks, and the checksum of the data if it is known."""
        if way.level == 0 and self._knows_blocks:
            rows = band.filtered(way.variant)
            room = 2 * rows.size + 6 * (rows.size // self._step) + band.size // 32
            out = np.empty(room + 4 * (self._step + 4) * len(rows) * self._blocks[0] + 2048, np.uint8)
            size, checksum = self._loops.deflate_blocks(rows, self._step, *self._blocks, out)
            return out[:size].tobytes(), checksum
        rows = band.whole(way.variant)
        if way.level == 0:
            flat = rows.reshape(-1)
            out = np.empty(flat.size + flat.size // 1000 + 1024, np.uint8)
            return out[: self._loops.deflate(flat, *self._repetitions, out)].tobytes(), None
        from zlib_ng import zlib_ng

        # Flushed, so that the blocks end on a byte.
        packer = zlib_ng.compressobj(way.level, zlib_ng.DEFLATED, -15, 9)
        return packer.compress(rows) + packer.flush(zlib_ng.Z_FULL_FLUSH), None


def repetitions(pixel: int, block: int) -> tuple[int, int]:
    """Choose the repetitions that the engine's loop looks for in filtered rows of blocks of equal pixels.

    Within a block, all differences but the first pixel's are 0, and so they are in the block before.

    Returns
    -------
    (int, int)
        The distance, and how many equal bytes it takes. For the pictures of `benchmarks/deflate.py`, shorter repetitions make
        files at most 1 % smaller, or even larger, and take longer; only the zeros of a block are worth it, from 4 on.
    """
    zeros = block - pixel
    distance = block if zeros and block <= _FARTHEST else 1
    return distance, zeros if 4 <= zeros < 8 else 8


def joined_adler32(first: int, second: int, length: int) -> int:
    """Compute the Adler-32 checksum of two pieces from theirs and the second's length (RFC 1950, 8.2)."""
    prime = 65521
    low = (first % 65536 + second % 65536 - 1) % prime
    high = (first // 65536 + second // 65536 + (first % 65536 - 1) * length) % prime
    return high * 65536 + low

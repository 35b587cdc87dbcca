"""How the bands of a PNG picture are deflated: by the engine's own loop, or by a search that finds more.

Each band becomes blocks of a raw deflate stream (RFC 1951) that others may follow, and refers to no earlier band.
"""

from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.pictures.png_filters import Band

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


Task = tuple[tuple[Array, int], ...]

#: The fastest way, and the smallest where pixels mix; a search finds the repetitions of sprites.
_RUNS, _SEARCH, _BEST = _Way(0, 0), _Way(1, 6), _Way(1, 9)
#: Which ways are tried, by the option `compression`.
_WAYS = {"fast": (_RUNS,), "balanced": (_RUNS, _Way(0, 6), _SEARCH), "small": (_RUNS, _Way(0, 9), _BEST)}
#: Where pixels mix, a shorter search finds most of it in a third of the time.
_SMOOTH_WAYS = _WAYS | {"balanced": (_RUNS, _Way(1, 4))}
#: So many successive bands are deflated in the way that suits a piece of the first one, at most: of mixed pixels at once, of
#: others twice as many each time that the next choice is the same.
_SAME_WAY = 8
#: Bytes of a band on which the ways are tried.
_TRIAL = 1 << 14
#: A search takes several times as long: it must make a band smaller than this share.
_WORTH = 0.95
#: The greatest distance that the engine's loop takes.
_FARTHEST = 24_576


class Deflating:
    """Deflate the bands of one frame.

    Parameters
    ----------
    compression : str
        One of `choices.COMPRESSIONS`.
    widths : (int, int)
        Bytes of a pixel and of a block of equal ones, as `png_filters.Filtering.widths` says.
    smooth : bool
        Whether neighbouring pixels mix.
    loops : module
        One of the engines' loops.
    """

    def __init__(self, compression: str, widths: tuple[int, int], *, smooth: bool, loops: ModuleType) -> None:
        self._ways = (_SMOOTH_WAYS if smooth else _WAYS)[compression]
        self._tries = compression == "balanced"
        self._smooth, self._loops = smooth, loops
        self._repetitions = repetitions(*widths)

    def tasks(self, bands: Iterable[Band]) -> Iterator[Task]:
        """Yield the arguments of `deflated` for each band: filtered rows and a level for each way that is promising."""
        chosen: tuple[_Way, ...] = ()
        valid = bands_left = 0
        for band in bands:
            if bands_left == 0:
                before, chosen = chosen, self._promising(band) if self._tries else self._ways
                valid = 2 * valid if chosen == before else 1
                valid = bands_left = _SAME_WAY if self._smooth else min(valid, _SAME_WAY)
            yield tuple((band.whole(way.variant), way.level) for way in chosen)
            bands_left -= 1

    def _promising(self, band: Band) -> tuple[_Way, ...]:
        """Choose the way that makes a piece of a band smallest; all of them where the band is no larger than a piece."""
        pieces = [band.piece(way.variant, _TRIAL) for way in self._ways]
        sizes = [len(self._packed(p, way.level)) for p, way in zip(pieces, self._ways, strict=True) if p is not None]
        if len(sizes) < len(self._ways):
            return self._ways
        search = min(sizes[1:])
        return (self._ways[sizes.index(search, 1)],) if search < _WORTH * sizes[0] else self._ways[:1]

    def deflated(self, *ways: tuple[Array, int]) -> tuple[bytes, int, int]:
        """Deflate a band in the way that makes it smallest.

        Returns
        -------
        (bytes, int, int)
            The blocks, and checksum (Adler-32) and length of the data in them.
        """
        from zlib_ng import zlib_ng

        data, rows = min(((self._packed(*way), way[0]) for way in ways), key=lambda r: len(r[0]))
        return data, zlib_ng.adler32(rows), rows.size

    def _packed(self, rows: Array, level: int) -> bytes:
        if level == 0:
            flat = rows.reshape(-1)
            out = np.empty(flat.size + flat.size // 1000 + 1024, np.uint8)
            return out[: self._loops.deflate(flat, *self._repetitions, out)].tobytes()
        from zlib_ng import zlib_ng

        # Flushed, so that the blocks end on a byte.
        packer = zlib_ng.compressobj(level, zlib_ng.DEFLATED, -15, 9)
        data: bytes = packer.compress(rows) + packer.flush(zlib_ng.Z_FULL_FLUSH)
        return data


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

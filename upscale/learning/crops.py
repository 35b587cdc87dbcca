"""Crops of pairs of pictures, bounded in number, to learn corrections from."""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.kernels.corrections import SIDE

Array = NDArray[Any]
#: Low and high resolution, (H, W) and (H * factor, W * factor).
Pair = tuple[Array, Array]

#: Low-resolution pixels that are kept at most.
MOST = 1_500_000
#: Low-resolution pixels at each side of a crop that are not learned from, since their neighbours are not known.
MARGIN = SIDE // 2
#: Side of a crop, about.
_CROP = 96


class Crops:
    """Crops of pairs of pictures, evenly spread over all pictures, and bounded in number.

    Parameters
    ----------
    most : int
        Low-resolution pixels to keep at most.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most, self._step, self._seen, self._kept = most, 1, 0, list[tuple[int, Pair]]()

    def add(self, low: Array, high: Array) -> None:
        """Cut a pair into crops and keep some of them; if there are too many, every other one is discarded."""
        factor = high.shape[0] // low.shape[0]
        ys, xs = (np.linspace(0, n, max(1, round(n / _CROP)) + 1).astype(int) for n in low.shape)
        for top, bottom in pairwise(ys):
            for left, right in pairwise(xs):
                if self._seen % self._step == 0 and min(bottom - top, right - left) > 2 * MARGIN:
                    large = high[top * factor : bottom * factor, left * factor : right * factor]
                    self._kept.append((self._seen, (low[top:bottom, left:right].copy(), large.copy())))
                self._seen += 1
        while sum(crop.size for _, (crop, _) in self._kept) > self._most and len(self._kept) > 1:
            self._step *= 2
            self._kept = [(n, pair) for n, pair in self._kept if n % self._step == 0]

    @property
    def pairs(self) -> list[Pair]:
        """The crops that are kept, low and high resolution."""
        return [pair for _, pair in self._kept]

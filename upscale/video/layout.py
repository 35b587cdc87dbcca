"""The layout of a video's frames: their planes, the depth of the samples, and where chroma samples lie."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

#: The samples of a frame: luma or grey, then perhaps Cb and Cr, then perhaps alpha.
Planes = list[NDArray[Any]]


class Layout(NamedTuple):
    """The layout of frames.

    Attributes
    ----------
    size : (int, int)
        Height and width of luma.
    planes : int
        1 for grey, 3 with chroma, 4 with alpha too.
    depth : int
        Bits of a sample, 8 to 16; more than 8 are stored in 16.
    subsampling : (int, int)
        How many rows, and columns, of luma share a chroma sample.
    siting : (float, float)
        How far below and to the right of the middle of these luma pixels the chroma sample lies, in distances between chroma
        samples: (0, 0) is the middle, (0, -0.25) is on the left one of two columns.
    """

    size: tuple[int, int]
    planes: int = 3
    depth: int = 8
    subsampling: tuple[int, int] = (1, 1)
    siting: tuple[float, float] = (0.0, 0.0)

    @property
    def plane_sizes(self) -> list[tuple[int, int]]:
        """Height and width of each plane; of an odd size, chroma's last samples are shared by fewer luma pixels."""
        (height, width), (down, across) = self.size, self.subsampling
        chroma = -(-height // down), -(-width // across)
        return [self.size if number in (0, 3) else chroma for number in range(self.planes)]

    @property
    def dtype(self) -> "np.dtype[Any]":
        """The dtype of the samples."""
        return np.dtype(np.uint8 if self.depth == 8 else np.uint16)

    @property
    def frame_bytes(self) -> int:
        """How many bytes the samples of a frame take."""
        return sum(height * width for height, width in self.plane_sizes) * self.dtype.itemsize

    def new_planes(self) -> Planes:
        """Make arrays for the samples of a frame."""
        return [np.empty(size, self.dtype) for size in self.plane_sizes]

    def enlarged(self, factor: tuple[int, int], *, full_chroma: bool) -> "Layout":
        """Return the layout of enlarged frames, with the same subsampling and siting, or with chroma as large as luma."""
        size = self.size[0] * factor[0], self.size[1] * factor[1]
        return self._replace(size=size, subsampling=(1, 1), siting=(0.0, 0.0)) if full_chroma else self._replace(size=size)


def cosited(period: int) -> float:
    """Return the siting of a chroma sample that lies on the first of so many luma samples.

    Examples
    --------
    >>> cosited(1), cosited(2), cosited(4)
    (0.0, -0.25, -0.375)
    """
    return 0.5 / period - 0.5

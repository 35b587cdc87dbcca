"""The `Chain` of a small network: convolutions that a picture's channels pass before the weights of a kernel.

With a chain, a kernel is a network such as FSRCNN (Dong et al. 2016) or ESPCN (Shi et al. 2016): convolutions of stride 1, each
followed by a rectifier, and a transposed convolution in the end. A convolution followed by a pixel shuffle is one, too.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from upscale.errors import ArgumentError
from upscale.kernels.layers import check_convolution, real_numbers


class Chain:
    """Convolutions of stride 1, with zeros beyond the border and an output as large as the input, each with a rectifier.

    Parameters
    ----------
    weights : sequence of array_like, shape (M, C, k, k)
        k is odd, and C is as many channels as the one before makes. As in PyTorch, they are correlations.
    biases : sequence of array_like, shape (M,)
        1 is full scale.
    slopes : sequence of array_like, shape (M,)
        What negative results are multiplied by: 0 is ReLU, and 1 leaves them as they are.

    Attributes
    ----------
    weights, biases, slopes : list of ndarray of float32

    Raises
    ------
    ArgumentError
        If they do not fit each other, or are not finite.
    """

    def __init__(self, weights: Sequence[ArrayLike], biases: Sequence[ArrayLike], slopes: Sequence[ArrayLike]) -> None:
        self.weights = [real_numbers(a, "convolutions") for a in weights]
        self.biases, self.slopes = (
            [real_numbers(a, name) for a in given] for given, name in ((biases, "biases"), (slopes, "slopes"))
        )
        if not self.weights or not len(self.weights) == len(self.biases) == len(self.slopes):
            raise ArgumentError("a chain has at least 1 convolution, and biases and slopes for each")
        channels = self.weights[0].shape[1] if self.weights[0].ndim == 4 else 1
        for number, (array, bias, slope) in enumerate(zip(self.weights, self.biases, self.slopes, strict=True)):
            channels = check_convolution(number, array, slope, channels)
            if bias.shape != (channels,):
                raise ArgumentError(f"layer {number}: its bias {bias.shape} is not ({channels},)")

    @property
    def channels(self) -> tuple[int, int]:
        """The numbers of channels that it takes and makes."""
        return int(self.weights[0].shape[1]), len(self.weights[-1])

    @property
    def reach(self) -> int:
        """How many pixels away, along each axis, a pixel still counts."""
        return sum(int(a.shape[2]) // 2 for a in self.weights)

    @property
    def multiplications(self) -> int:
        """Multiplications for a pixel."""
        return sum(a.size for a in self.weights)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Chain):
            return NotImplemented
        pairs = zip((self.weights, self.biases, self.slopes), (other.weights, other.biases, other.slopes), strict=True)
        return all(len(one) == len(two) and all(map(np.array_equal, one, two)) for one, two in pairs)

    def __hash__(self) -> int:
        return hash(tuple(a.shape for a in self.weights))

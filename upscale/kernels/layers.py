"""The `Layers` of a deep kernel: a short chain of convolutions that ends in a transposed convolution.

The output is that of the single kernel plus a correction, which is computed from luma x and added to each colour channel:

    out = K * x + T(f(x) - f(0))

f are convolutions, each followed by a rectifier with one slope per channel (PReLU, He et al. 2015); T is a transposed
convolution of what they make, the features. The first layer sees only differences of pixels from the one in its middle. So f(0)
is what f makes of any flat area, and flat areas stay exactly flat.

Without biases, f(0) is 0, and a picture that is brighter by c and has a times the contrast, a > 0, has a times the correction.
Biases tell weak differences, such as noise and the blocks of a JPEG, from strong ones; they depend on what white is.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from upscale.argument_checks import as_array, read_only_view
from upscale.errors import ArgumentError

Array = NDArray[Any]

#: The most layers, channels, and weights a side.
_LAYERS, CHANNELS, SIDE = 64, 256, 31


class Layers:
    """Convolutions and a transposed convolution, which correct a single kernel.

    Parameters
    ----------
    convolutions : sequence of array_like, shape (M, C, k, k)
        k is odd; the first has C = 1, and each of the others as many channels as the one before makes. As in PyTorch, they are
        correlations: weights are not flipped.
    slopes : sequence of array_like, shape (M,)
        Of each convolution's results: what negative ones are multiplied by.
    weights : array_like, shape (C, 1, n * factor, n * factor)
        Of the transposed convolution, as in PyTorch; n is odd.
    factor : int
    biases : sequence of array_like, shape (M,), optional
        Of each convolution, where white is 1; none are zeros.

    Attributes
    ----------
    convolutions, slopes, biases : list of ndarray of float32
    weights : ndarray of float32
    factor : int

    Raises
    ------
    ArgumentError
        If they do not fit each other, or are not finite.
    """

    def __init__(
        self,
        convolutions: Sequence[ArrayLike],
        slopes: Sequence[ArrayLike],
        weights: ArrayLike,
        factor: int,
        biases: Sequence[ArrayLike] = (),
    ) -> None:
        self.convolutions = [real_numbers(a, "convolutions") for a in convolutions]
        self.slopes = [real_numbers(a, "slopes") for a in slopes]
        self.weights, self.factor = real_numbers(weights, "weights"), factor
        if not 1 <= len(self.convolutions) <= _LAYERS or len(self.slopes) != len(self.convolutions):
            raise ArgumentError(f"a deep kernel has 1 to {_LAYERS} convolutions, and slopes for each")
        self.biases = [real_numbers(a, "biases") for a in biases or [np.zeros(a.shape[:1]) for a in self.convolutions]]
        if [a.shape for a in self.biases] != [a.shape[:1] for a in self.convolutions]:
            raise ArgumentError("a deep kernel has biases for each channel that its convolutions make, or none")
        channels = 1
        for number, (convolution, slope) in enumerate(zip(self.convolutions, self.slopes, strict=True)):
            channels = check_convolution(number, convolution, slope, channels)
        if self.convolutions[0].shape[2] == 1:
            raise ArgumentError("layer 0: its filters of 1x1 see no difference")
        side = self.weights.shape[-1]
        taps = side // max(1, factor)
        if factor < 1 or self.weights.shape != (channels, 1, side, side) or side % factor or not taps % 2 or taps > SIDE:
            raise ArgumentError(
                f"the transposed convolution's weights {self.weights.shape} are not ({channels}, 1, n * {factor}, "
                f"n * {factor}) with an odd n"
            )

    @property
    def has_biases(self) -> bool:
        """Whether a bias is not 0."""
        return any(a.any() for a in self.biases)

    @property
    def taps(self) -> int:
        """Weights along each axis of a phase of the transposed convolution."""
        return int(self.weights.shape[-1]) // self.factor

    @property
    def reach(self) -> int:
        """How many input pixels away, along each axis, a pixel still counts."""
        return sum(int(a.shape[2]) // 2 for a in self.convolutions) + self.taps // 2

    @property
    def multiplications(self) -> float:
        """Multiplications for an output pixel."""
        return (sum(a.size for a in self.convolutions) + self.weights.size) / self.factor**2

    def with_weights(self, weights: ArrayLike, factor: int, convolutions: int | None = None) -> "Layers":
        """Return the convolutions, all or the first few, before another transposed convolution."""
        first = slice(convolutions)
        return Layers(self.convolutions[first], self.slopes[first], weights, factor, self.biases[first])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Layers):
            return NotImplemented
        return self.factor == other.factor and all(
            len(one) == len(two) and all(map(np.array_equal, one, two))
            for one, two in (
                (self.convolutions, other.convolutions),
                (self.slopes, other.slopes),
                (self.biases, other.biases),
                ([self.weights], [other.weights]),
            )
        )

    def __hash__(self) -> int:
        return hash((self.factor, len(self.convolutions), self.weights.shape))


def check_convolution(number: int, weights: Array, slopes: Array, channels: int) -> int:
    """Check one convolution that takes so many channels; return how many it makes.

    Raises
    ------
    ArgumentError
        If it does not fit; the text names the layer by its number.
    """
    shape = weights.shape
    if len(shape) != 4 or shape[2] != shape[3] or not shape[2] % 2 or shape[1] != channels:
        raise ArgumentError(f"layer {number}: its weights {shape} are not (M, {channels}, k, k) with an odd k")
    if slopes.shape != shape[:1]:
        raise ArgumentError(f"layer {number}: its slopes {slopes.shape} are not ({shape[0]},)")
    if max(shape[:2]) > CHANNELS or shape[2] > SIDE:
        raise ArgumentError(f"layer {number}: {shape} exceeds {CHANNELS} channels or {SIDE} weights a side")
    return int(shape[0])


def real_numbers(value: ArrayLike, name: str) -> Array:
    """Convert finite real numbers, at least one, to 32-bit floats.

    Raises
    ------
    ArgumentError
        If there are others; the text says of which layers' what.
    """
    array = as_array(value, name)
    if array.dtype.kind not in "biuf" or not array.size:
        raise ArgumentError(f"the layers' {name} must be real numbers")
    with np.errstate(all="ignore"):  # what is too large becomes infinity
        array = array.astype(np.float32, order="C")
    if not np.isfinite(array).all():
        raise ArgumentError(f"the layers' {name} contain NaN, infinity, or numbers that are too large for 32-bit floats")
    return read_only_view(array)

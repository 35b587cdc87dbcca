"""Least squares for a deep kernel whose features are given: its transposed convolution and its single kernel, together.

Each output pixel of a phase, less the input pixel that it belongs to, is the sum of the features around that pixel and of the
differences of the pixels around it from it, weighted by the weights of that phase. Since only differences count, flat areas
stay flat. All phases have the same inputs; see `least_squares`.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from upscale.argument_checks import AnyArray, as_array
from upscale.choices import DEFAULT_FACTOR
from upscale.errors import ArgumentError
from upscale.kernels.kernel import Kernel
from upscale.kernels.layers import Layers
from upscale.kernels.load import load_kernel
from upscale.learning.downscale import has_noise
from upscale.learning.least_squares import TAPS, factor_between, kernel_of
from upscale.learning.train_features import FACTOR
from upscale.operators.layer_stage import features_of

Array = NDArray[Any]

#: The single kernel's weights are multiples of this, so that those of each phase sum to 1 exactly.
_UNIT = 2.0**-14
#: Samples that are multiplied at a time, which bounds the memory.
_ROWS = 1 << 14


class LayerEquations(NamedTuple):
    """Normal equations of pairs of pictures: of the features around a pixel, and the differences of 9 x 9 pixels from it.

    Attributes
    ----------
    layers : Layers
        Which make the features.
    factor : int
    products : ndarray, shape (n, n)
    targets : ndarray, shape (n, factor ** 2)
    squares : float
        Sum of squares of all outputs.
    samples : int
        Number of input pixels that were summed.
    """

    layers: Layers
    factor: int
    products: Array
    targets: Array
    squares: float = 0.0
    samples: int = 0

    @classmethod
    def empty(cls, layers: Layers, factor: int) -> "LayerEquations":
        """Return the sums of no pictures."""
        n = len(layers.slopes[-1]) * feature_taps(factor) ** 2 + TAPS**2 - 1
        return cls(layers, factor, np.zeros((n, n)), np.zeros((n, factor**2)))

    def __add__(self, other: Any) -> "LayerEquations":
        return self._replace(
            products=self.products + other.products,
            targets=self.targets + other.targets,
            squares=self.squares + other.squares,
            samples=self.samples + other.samples,
        )

    @property
    def weights_per_phase(self) -> tuple[int, str]:
        """How many weights a phase has, as a number and as users know it."""
        return len(self.products), str(len(self.products))

    def with_symmetries(self) -> "LayerEquations":
        """Return the sums as they are: flips and rotations change features."""
        return self

    def solve(self, ridge: float) -> Array:
        """Solve for the weights, (n, factor ** 2).

        Parameters
        ----------
        ridge : float
            Added to the diagonal of the products, as a share of it: features and differences vary differently much.

        Raises
        ------
        ArgumentError
            If the pictures do not determine the weights, as flat ones.
        """
        scale = np.sqrt(self.products.diagonal())
        if not scale.any():
            raise ArgumentError("the pictures are too few or too uniform to learn from")
        scale = np.where(scale > 0, scale, 1)  # a feature that is never seen gets no weight
        system = self.products / scale / scale[:, None] + max(ridge, 1e-12) * np.eye(len(scale))
        found: Array = np.linalg.solve(system, self.targets / scale[:, None]) / scale[:, None]
        return found

    def error(self, weights: Array) -> float:
        """Return the mean squared error of weights (n, factor ** 2) on these pictures."""
        total = self.squares - 2 * (weights * self.targets).sum() + (weights * (self.products @ weights)).sum()
        return float(total / max(1, self.samples * self.factor**2))

    def kernel(self, ridge: float, title: str = "") -> Kernel:
        """Solve, and arrange the weights as a deep kernel; they are rounded to fewer bits, which make its file small."""
        return deep_kernel_of(self.layers, self.solve(ridge), self.factor, title)


def deep_kernel_of(layers: Layers, weights: Array, factor: int, title: str = "") -> Kernel:
    """Arrange the weights of all phases, (n, factor ** 2), as a deep kernel; they are rounded to fewer bits.

    They are those of the features around a pixel, channel by channel, then those of the differences from it.
    """
    n, f = feature_taps(factor), factor
    count = len(layers.slopes[-1]) * n**2
    blocks = weights[:count].reshape(-1, n, n, f, f)[:, ::-1, ::-1]
    enlarging = blocks.transpose(0, 1, 3, 2, 4).reshape(-1, 1, n * f, n * f)
    others = np.rint(weights[count:] / _UNIT) * _UNIT
    single = kernel_of(np.insert(others, TAPS**2 // 2, 1 - others.sum(axis=0), axis=0), f, TAPS, title)
    return single.replaced(layers=layers.with_weights(rounded(enlarging), f))


def feature_taps(factor: int) -> int:
    """Return the taps of a phase along each axis, of the features.

    3 are enough for the factor that features are trained for, and fast; for others, more make up for that.
    """
    return 3 if factor == FACTOR else 5


def rounded(weights: Array) -> Array:
    """Round weights to 16-bit floats."""
    with np.errstate(over="ignore"):  # infinity is refused
        return weights.astype(np.float16).astype(np.float32)


def shipped_features(downscale: str) -> Layers:
    """Return the layers of the shipped deep kernel for such copies, of which only the convolutions matter."""
    layers = load_kernel("deep-jpeg" if has_noise(downscale) else "deep", DEFAULT_FACTOR).layers
    assert layers is not None
    return layers


def layer_equations(low: AnyArray, high: AnyArray, layers: Layers, *, most: int | None = None) -> LayerEquations:
    """Return the normal equations of one pair of pictures.

    Parameters
    ----------
    low : array_like, shape (H, W)
    high : array_like, shape (H * factor, W * factor)
    layers : Layers
        For any factor; only their convolutions matter.
    most : int, optional
        Sum at most about so many input pixels, in rows evenly spread over the picture.

    Raises
    ------
    ArgumentError
        If the shapes do not fit, or the picture is smaller than the differences reach.
    """
    small, large = (np.ascontiguousarray(as_array(a, "a picture"), np.float32) for a in (low, high))
    factor, margin = factor_between(small.shape, large.shape), TAPS // 2
    height, width = (n - 2 * margin for n in small.shape)
    if min(height, width) < 1:
        raise ArgumentError(
            f"a picture of {small.shape[1]}x{small.shape[0]} is smaller than the {TAPS}x{TAPS} pixels that the kernel needs"
        )
    inside = slice(margin, -margin)
    taps = feature_taps(factor)
    reach = margin - taps // 2
    features = features_of(layers, small, 255)[:, reach : len(small) - reach, reach : small.shape[1] - reach]
    around = sliding_window_view(features, (taps, taps), axis=(1, 2)).transpose(1, 2, 0, 3, 4)
    pixels, middle = sliding_window_view(small, (TAPS, TAPS)), small[inside, inside]
    outputs = large.reshape(len(small), factor, -1, factor).transpose(0, 2, 1, 3)[inside, inside]
    rows = np.arange(height)
    if most is not None and height * width > most:
        rows = np.unique(np.linspace(0, height - 1, max(1, most // width)).round().astype(int))
    total = LayerEquations.empty(layers, factor)
    step = max(1, _ROWS // width)
    for at in range(0, len(rows), step):
        part = rows[at : at + step]
        many, own = len(part) * width, middle[part].reshape(-1, 1)
        others = np.delete(pixels[part].reshape(many, -1), TAPS**2 // 2, axis=1) - own
        x = np.concatenate((around[part].reshape(many, -1), others), axis=1)
        y = outputs[part].reshape(many, -1) - own
        total += LayerEquations(
            layers,
            factor,
            products=(x.T @ x).astype(np.float64),
            targets=(x.T @ y).astype(np.float64),
            squares=float(np.einsum("ij,ij->", y, y, dtype=np.float64)),
            samples=many,
        )
    return total

"""Least squares for the kernel of a transposed convolution: from pairs of pictures to normal equations to a `Kernel`.

Each output pixel of phase (y % factor, x % factor) is the sum of the `taps` x `taps` input values around its own, weighted by
the weights of that phase. All phases have the same inputs, so one matrix of their products serves all of them:

    G = sum of x x^T,  B = sum of x y^T,  (G + ridge) W = B, with the weights of each phase summing to 1,

where x are the inputs around an input pixel and y its factor x factor outputs. G and B are summed picture by picture. Flipping
and rotating a picture permutes the rows and columns of G and B, so one picture gives the sums of all 8.
"""

from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from upscale.argument_checks import AnyArray, as_array
from upscale.errors import ArgumentError
from upscale.kernels.kernel import Kernel

Array = NDArray[Any]

#: Taps of a phase along each axis, unless another size is requested.
TAPS = 9
#: What is added to the diagonal of G, as shares of its mean; the one with the least held-out error is used.
RIDGES = (0.0, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2)
#: Samples for each weight of a phase below which nothing is learned.
_SAMPLES = 10
#: Patches that are multiplied at a time, which bounds the memory.
_ROWS = 1 << 20


class NormalEquations(NamedTuple):
    """Normal equations of pairs of pictures.

    Attributes
    ----------
    factor, taps : int
    products : ndarray, shape (taps ** 2, taps ** 2)
        G.
    targets : ndarray, shape (taps ** 2, factor ** 2)
        B.
    squares : float
        Sum of squares of all outputs.
    samples : int
        Number of input pixels that were summed.
    """

    factor: int
    taps: int
    products: Array
    targets: Array
    squares: float = 0.0
    samples: int = 0

    @classmethod
    def empty(cls, factor: int, taps: int) -> "NormalEquations":
        """Return the sums of no pictures."""
        return cls(factor, taps, np.zeros((taps**2, taps**2)), np.zeros((taps**2, factor**2)))

    def __add__(self, other: Any) -> "NormalEquations":
        return self._replace(
            products=self.products + other.products,
            targets=self.targets + other.targets,
            squares=self.squares + other.squares,
            samples=self.samples + other.samples,
        )

    def with_symmetries(self) -> "NormalEquations":
        """Add the sums of the 7 other pictures that flips and rotations make."""
        taps: Array = np.arange(self.taps**2).reshape(self.taps, self.taps)
        phases: Array = np.arange(self.factor**2).reshape(self.factor, self.factor)
        products, targets = np.zeros_like(self.products), np.zeros_like(self.targets)
        for turns in range(4):
            for flipped in (False, True):
                turned = (np.rot90(a, turns) for a in (taps, phases))
                tap, phase = (a.T.ravel() if flipped else a.ravel() for a in turned)
                products += self.products[np.ix_(tap, tap)]
                targets += self.targets[np.ix_(tap, phase)]
        return self._replace(products=products, targets=targets, squares=8 * self.squares, samples=8 * self.samples)

    def solve(self, ridge: float) -> Array:
        """Solve for the weights, (taps ** 2, factor ** 2), those of each phase summing to 1.

        Parameters
        ----------
        ridge : float
            Added to the diagonal of G, as a share of its mean.

        Raises
        ------
        ArgumentError
            If the pictures do not determine the weights, as flat ones.
        """
        n = len(self.products)
        mean = np.trace(self.products) / n
        # Scaled to a mean of 1; the last row is the Lagrange multiplier of the sum.
        system = np.zeros((n + 1, n + 1))
        system[:n, :n] = self.products / (mean or 1) + ridge * np.eye(n)
        system[n, :n] = system[:n, n] = 1
        right = np.vstack((self.targets / (mean or 1), np.ones((1, self.factor**2))))
        if not mean or np.linalg.cond(system) > 1e13:
            raise ArgumentError("the pictures are too few or too uniform to learn from")
        weights: Array = np.linalg.solve(system, right)[:n]
        return weights

    @property
    def weights_per_phase(self) -> tuple[int, str]:
        """How many weights a phase has, as a number and as users know it."""
        return self.taps**2, f"{self.taps}x{self.taps}"

    def kernel(self, ridge: float, title: str = "") -> Kernel:
        """Solve, with all symmetries, and arrange the weights as a kernel."""
        return kernel_of(self.with_symmetries().solve(ridge), self.factor, self.taps, title)

    def error(self, weights: Array) -> float:
        """Return the mean squared error of weights (taps ** 2, factor ** 2) on these pictures."""
        total = self.squares - 2 * (weights * self.targets).sum() + (weights * (self.products @ weights)).sum()
        return float(total / max(1, self.samples * self.factor**2))


def normal_equations(low: AnyArray, high: AnyArray, taps: int, *, most: int | None = None) -> NormalEquations:
    """Return the normal equations of one pair of pictures.

    Parameters
    ----------
    low : array_like, shape (H, W)
    high : array_like, shape (H * factor, W * factor)
    taps : int
        Odd.
    most : int, optional
        Sum at most about so many input pixels, in rows evenly spread over the picture.

    Raises
    ------
    ArgumentError
        If the shapes do not fit, or the picture is smaller than `taps`.
    """
    small, large = (np.ascontiguousarray(as_array(a, "a picture"), np.float32) for a in (low, high))
    factor = factor_between(small.shape, large.shape)
    if min(small.shape) < taps:
        raise ArgumentError(
            f"a picture of {small.shape[1]}x{small.shape[0]} is smaller than the {taps}x{taps} pixels that the kernel needs"
        )
    # Subtracting a constant does not change the error, since the weights sum to 1, and keeps float32 sums exact.
    mean = np.float32(small.mean())
    windows = sliding_window_view(small - mean, (taps, taps))
    height, width = windows.shape[:2]
    reach = taps // 2
    inside = slice(reach * factor, (reach + height) * factor), slice(reach * factor, (reach + width) * factor)
    blocks = (large - mean)[inside].reshape(height, factor, width, factor).transpose(0, 2, 1, 3)
    rows = np.arange(height)
    if most is not None and height * width > most:
        rows = np.unique(np.linspace(0, height - 1, max(1, most // width)).round().astype(int))
    total = NormalEquations.empty(factor, taps)
    step = max(1, _ROWS // width)
    for at in range(0, len(rows), step):
        part = rows[at : at + step]
        x = windows[part].reshape(-1, taps**2)
        y = blocks[part].reshape(-1, factor**2)
        total += NormalEquations(
            factor,
            taps,
            products=(x.T @ x).astype(np.float64),
            targets=(x.T @ y).astype(np.float64),
            squares=float(np.einsum("ij,ij->", y, y, dtype=np.float64)),
            samples=len(x),
        )
    return total


def factor_between(small: tuple[int, ...], large: tuple[int, ...]) -> int:
    """Return how many times as large one shape is as another.

    Raises
    ------
    ArgumentError
        If it is not a whole number of times as large.
    """
    if len(small) != 2 or len(large) != 2:
        raise ArgumentError(f"pictures to learn from must have the shape (H, W), not {small} and {large}")
    factor = large[0] // max(1, small[0])
    if factor < 1 or (small[0] * factor, small[1] * factor) != large:
        raise ArgumentError(
            f"a picture of {large[1]}x{large[0]} is not a whole number of times as large as its low-resolution copy of "
            f"{small[1]}x{small[0]}"
        )
    return factor


def taps_of(size: int | None, factor: int) -> int:
    """Return the number of taps of a phase along each axis, for a kernel of some side; `TAPS` for None.

    Raises
    ------
    ArgumentError
        If such a kernel cannot be centred.
    """
    if factor < 2:
        raise ArgumentError("a kernel is learned for a factor of at least 2")
    if size is None:
        return TAPS
    taps = size // factor
    if size % factor or taps % 2 == 0 or taps < 1 or size > 1024:
        near = sorted({factor * max(1, taps // 2 * 2 + d) for d in (-1, 1) if taps // 2 * 2 + d > 0})
        raise ArgumentError(
            f"a kernel of side {size} cannot be centred for factor {factor}; use an odd multiple of the factor, such as "
            f"{' or '.join(map(str, near))}"
        )
    return taps


def kernel_of(weights: Array, factor: int, taps: int, title: str = "") -> Kernel:
    """Arrange the weights of all phases, (taps ** 2, factor ** 2), as one normalised kernel.

    The weight of input offset d for phase p lies at p + (size - factor) / 2 - factor * d: adding copies of the kernel reverses
    the order of the offsets.
    """
    blocks = weights.reshape(taps, taps, factor, factor)[::-1, ::-1]
    laid = blocks.transpose(0, 2, 1, 3).reshape(taps * factor, taps * factor)
    return Kernel(laid, normalized=True, factor=factor, title=title)


class Equations(Protocol):
    """Normal equations of a kind of kernel."""

    @property
    def samples(self) -> int:
        """Number of input pixels that were summed."""

    @property
    def weights_per_phase(self) -> tuple[int, str]:
        """How many weights a phase has, as a number and as users know it."""

    def with_symmetries(self) -> Self:
        """Add the sums of flipped and rotated pictures, where they follow from these."""

    def solve(self, ridge: float) -> Array:
        """Solve for the weights, (weights per phase, factor ** 2)."""

    def error(self, weights: Array) -> float:
        """Return the mean squared error of weights on these pictures."""

    def kernel(self, ridge: float, title: str = "") -> Kernel:
        """Solve, and arrange the weights as a kernel."""

    def __add__(self, other: Any) -> Self: ...


def best_ridge(train: Equations, held_out: Equations) -> float:
    """Return the ridge whose weights have the least error on held-out pictures."""
    train, held_out = train.with_symmetries(), held_out.with_symmetries()
    errors = {}
    for ridge in RIDGES:
        try:
            errors[ridge] = held_out.error(train.solve(ridge))
        except ArgumentError:  # the pictures are too flat for so small a ridge
            continue
    if not errors:
        train.solve(RIDGES[-1])  # raises the reason
    return min(errors, key=lambda ridge: (errors[ridge], ridge))


def check_samples(equations: Equations) -> None:
    """Check that there are enough samples for the weights.

    Raises
    ------
    ArgumentError
        If there are not; the text says how many are needed.
    """
    number, text = equations.weights_per_phase
    need = _SAMPLES * number
    if equations.samples < need:
        raise ArgumentError(
            f"there are only {equations.samples} samples to learn from; {text} weights per phase need {need}: give "
            "more or larger pictures, or a smaller size"
        )

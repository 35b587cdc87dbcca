"""Learn the kernel of a transposed convolution by least squares: from pairs of pictures to normal equations to a `Kernel`.

Each output pixel of phase (y % factor, x % factor) is the sum of `taps` x `taps` input values around its own, weighted by the
weights of that phase. All phases see the same inputs, so that one matrix of their products serves them all:

    G = sum of x x^T,  B = sum of x y^T,  (G + ridge) W = B, with the weights of each phase summing to 1,

where x are the inputs around a place and y its factor x factor outputs. G and B are summed picture by picture. A picture that
is flipped or turned is as good a picture: this permutes the rows and columns of G and B, so that all 8 are had for one.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from upscale.arguments import as_array, factor_pair
from upscale.errors import ArgumentError
from upscale.kernels.kernel import Kernel
from upscale.learning.downscale import downscaled
from upscale.learning.learn_corrections import Crops, learn_bank

Array = NDArray[Any]

#: Input pixels that the weights of a phase reach, a side, unless another size is asked for.
TAPS = 9
#: What is added to the diagonal of G, as shares of its mean; the one with the least held-out error is taken.
RIDGES = (0.0, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)
#: Samples for each weight of a phase below which nothing is learned.
_SAMPLES = 10
#: Rows of patches at a time: what they take stays bounded.
_ROWS = 1 << 20


class Sums(NamedTuple):
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
        How many places were summed.
    """

    factor: int
    taps: int
    products: Array
    targets: Array
    squares: float = 0.0
    samples: int = 0

    @classmethod
    def none(cls, factor: int, taps: int) -> "Sums":
        """Begin with nothing."""
        return cls(factor, taps, np.zeros((taps**2, taps**2)), np.zeros((taps**2, factor**2)))

    def __add__(self, other: Any) -> "Sums":
        return self._replace(
            products=self.products + other.products, targets=self.targets + other.targets,
            squares=self.squares + other.squares, samples=self.samples + other.samples,
        )  # fmt: skip

    def turned(self) -> "Sums":
        """Add the sums of the 7 other pictures that flipping and turning makes."""
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

    def solved(self, ridge: float) -> Array:
        """Solve for the weights, shape (taps ** 2, factor ** 2), those of each phase summing to 1.

        Raises
        ------
        ArgumentError
            Where the pictures do not say enough, as flat ones.
        """
        n = len(self.products)
        mean = np.trace(self.products) / n
        # In the scale of 1, with Lagrange's multiplier for the sum in the last row.
        system = np.zeros((n + 1, n + 1))
        system[:n, :n] = self.products / (mean or 1) + ridge * np.eye(n)
        system[n, :n] = system[:n, n] = 1
        right = np.vstack((self.targets / (mean or 1), np.ones((1, self.factor**2))))
        if not mean or np.linalg.cond(system) > 1e13:
            raise ArgumentError("the pictures are too few or too flat to learn from: their values say nothing of the weights")
        weights: Array = np.linalg.solve(system, right)[:n]
        return weights

    def error(self, weights: Array) -> float:
        """Compute the mean squared error that weights make on these pictures."""
        total = self.squares - 2 * (weights * self.targets).sum() + (weights * (self.products @ weights)).sum()
        return float(total / max(1, self.samples * self.factor**2))


def sums(low: ArrayLike, high: ArrayLike, taps: int, *, most: int | None = None) -> Sums:
    """Sum up one pair of pictures.

    Parameters
    ----------
    low : array_like, shape (H, W)
    high : array_like, shape (H * factor, W * factor)
    taps : int
        Odd.
    most : int, optional
        How many places at most are summed: rows evenly spread over the picture.

    Raises
    ------
    ArgumentError
        Where the shapes do not fit, or the picture is smaller than the kernel reaches.
    """
    small, large = (np.ascontiguousarray(as_array(a, "a picture"), np.float32) for a in (low, high))
    factor = _factor_of(small.shape, large.shape)
    if min(small.shape) < taps:
        raise ArgumentError(
            f"a picture of {small.shape[1]}x{small.shape[0]} is smaller than the {taps}x{taps} pixels that are weighed"
        )
    # A constant is added to no weights' error, since they sum to 1; without one, float32 sums lose nothing.
    middle = np.float32(small.mean())
    windows = sliding_window_view(small - middle, (taps, taps))
    height, width = windows.shape[:2]
    reach = taps // 2
    inside = slice(reach * factor, (reach + height) * factor), slice(reach * factor, (reach + width) * factor)
    blocks = (large - middle)[inside].reshape(height, factor, width, factor).transpose(0, 2, 1, 3)
    rows = np.arange(height)
    if most is not None and height * width > most:
        rows = np.unique(np.linspace(0, height - 1, max(1, most // width)).round().astype(int))
    total = Sums.none(factor, taps)
    step = max(1, _ROWS // width)
    for at in range(0, len(rows), step):
        part = rows[at : at + step]
        x = windows[part].reshape(-1, taps**2)
        y = blocks[part].reshape(-1, factor**2)
        total += Sums(
            factor, taps, (x.T @ x).astype(np.float64), (x.T @ y).astype(np.float64),
            float(np.einsum("ij,ij->", y, y, dtype=np.float64)), len(x),
        )  # fmt: skip
    return total


def _factor_of(small: tuple[int, ...], large: tuple[int, ...]) -> int:
    if len(small) != 2 or len(large) != 2:
        raise ArgumentError(f"pictures to learn from have the shape (H, W), not {small} and {large}")
    factor = large[0] // max(1, small[0])
    if factor < 1 or (small[0] * factor, small[1] * factor) != large:
        raise ArgumentError(
            f"a picture of {large[1]}x{large[0]} is no whole number of times as large as its twin of {small[1]}x{small[0]}"
        )
    return factor


def taps_of(size: int | None, factor: int) -> int:
    """Find how many taps a phase has, a side, for a kernel of some size.

    Raises
    ------
    ArgumentError
        Where such a kernel cannot be centred.
    """
    if factor < 2:
        raise ArgumentError("a kernel is learned for a factor of at least 2")
    if size is None:
        return TAPS
    taps = size // factor
    if size % factor or taps % 2 == 0 or taps < 1 or size > 1024:
        near = sorted({factor * max(1, taps // 2 * 2 + d) for d in (-1, 1) if taps // 2 * 2 + d > 0})
        raise ArgumentError(
            f"a kernel of {size} cannot be centred for factor {factor}: an odd number of times the factor can, such as "
            f"{' or '.join(map(str, near))}"
        )
    return taps


def kernel_of(weights: Array, factor: int, taps: int, title: str = "") -> Kernel:
    """Lay the weights of all phases, (taps ** 2, factor ** 2), out as one normalised kernel.

    The weight of input offset d for phase p stands at p + (size - factor) / 2 - factor * d: the copies of the kernel turn the
    order of offsets around.
    """
    blocks = weights.reshape(taps, taps, factor, factor)[::-1, ::-1]
    laid = blocks.transpose(0, 2, 1, 3).reshape(taps * factor, taps * factor)
    return Kernel(laid, normalized=True, factor=factor, title=title)


def best_ridge(train: Sums, held_out: Sums) -> float:
    """Choose the ridge whose weights make the least error on pictures that they were not learned from."""
    errors = {}
    for ridge in RIDGES:
        try:
            errors[ridge] = held_out.error(train.solved(ridge))
        except ArgumentError:  # too flat for as little
            continue
    if not errors:
        train.solved(RIDGES[-1])  # says why
    return min(errors, key=lambda ridge: (errors[ridge], ridge))


def enough(found: Sums, taps: int) -> None:
    """Check that there are samples enough for the weights.

    Raises
    ------
    ArgumentError
        Where there are not; the text says how many are needed.
    """
    need = _SAMPLES * taps**2
    if found.samples < need:
        raise ArgumentError(
            f"there are {found.samples} samples to learn from, and {taps}x{taps} weights a phase need {need}: give more or "
            "larger pictures, or a smaller size"
        )


def learn_kernel(
    pictures: Iterable[ArrayLike | tuple[ArrayLike, ArrayLike]], factor: int = 2, size: int | None = None, *,
    downscale: str = "bicubic", ridge: float | None = None, adaptive: bool = False, title: str = "learned",
) -> Kernel:  # fmt: skip
    """Learn the kernel that enlarges low-resolution pictures into their high-resolution twins with the least squared error.

    Parameters
    ----------
    pictures : iterable
        High-resolution pictures, arrays (H, W), whose sides are cut to multiples of the factor and whose twins are made by
        `downscale`; or pairs (low, high) of arrays (H, W) and (H * factor, W * factor). They are taken one after another.
        At least 2, one of which is held out to choose the ridge, unless that is given.
    factor : int
        At least 2.
    size : int, optional
        The kernel's side: an odd number of times the factor. 9 times, unless given.
    downscale : str
        As `twins.downscaled` takes it.
    ridge : float, optional
        Added to the normal equations' diagonal, as a share of its mean; without it, every tenth picture chooses.
    adaptive : bool
        Learn a bank of corrections as well, from values in grey levels of 8 bits.
    title : str

    Returns
    -------
    Kernel
        Normalised, which knows its factor.

    Raises
    ------
    ArgumentError
        Where a value cannot work, or the pictures are too few, too small or too flat.

    Examples
    --------
    >>> import numpy as np
    >>> import upscale
    >>> rng = np.random.default_rng(0)
    >>> pictures = [rng.random((90, 80), np.float32) for _ in range(3)]
    >>> kernel = upscale.learn_kernel(pictures, factor=2, size=6)
    >>> kernel.shape, kernel.factor
    ((6, 6), (2, 2))
    >>> upscale.enlarge(pictures[0], 2, "tconv", kernel).shape
    (180, 160)
    """
    if factor_pair(factor)[0] != factor_pair(factor)[1]:
        raise ArgumentError("a kernel is learned for one factor, the same both ways")
    factor = factor_pair(factor)[0]
    taps = taps_of(size, factor)
    train, held_out = Sums.none(factor, taps), Sums.none(factor, taps)
    crops = Crops()
    for number, picture in enumerate(pictures):
        low, high = picture if isinstance(picture, tuple) else twin(picture, factor, downscale)
        found = sums(low, high, taps)
        if found.factor != factor:
            raise ArgumentError(f"pair {number}: its factor is {found.factor}, not {factor}")
        if number % 10 == 1 and ridge is None:
            held_out += found
        else:
            train += found
        if adaptive:
            crops.add(as_array(low, "a picture"), as_array(high, "a picture"))
    enough(train + held_out, taps)
    if ridge is None:
        ridge = best_ridge(train.turned(), held_out.turned()) if held_out.samples and train.samples else RIDGES[1]
    kernel = kernel_of((train + held_out).turned().solved(ridge), factor, taps, title)
    return kernel.replaced(corrections=learn_bank(crops.pairs, kernel).bank) if adaptive else kernel


def twin(picture: ArrayLike, factor: int, downscale: str) -> tuple[Array, Array]:
    """Cut a picture to multiples of the factor, and make its low-resolution twin."""
    high = as_array(picture, "a picture")
    if high.ndim != 2:
        raise ArgumentError(f"pictures to learn from have the shape (H, W), not {high.shape}")
    height, width = (n // factor * factor for n in high.shape)
    high = high[:height, :width]
    return downscaled(high, factor, downscale), high

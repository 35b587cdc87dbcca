"""The public function that learns a kernel from arrays."""

from __future__ import annotations  # so that `help` shows the short names of types

from collections.abc import Iterable
from typing import TYPE_CHECKING

from upscale.argument_checks import as_array, factor_pair
from upscale.errors import ArgumentError
from upscale.kernels.kernel import Kernel
from upscale.learning.crops import Crops
from upscale.learning.downscale import Downscaler, make_pair, parse_downscale
from upscale.learning.learn_corrections import learn_corrections
from upscale.learning.least_squares import (
    RIDGES,
    NormalEquations,
    best_ridge,
    check_samples,
    kernel_of,
    normal_equations,
    taps_of,
)

if TYPE_CHECKING:
    from upscale.argument_checks import AnyArray


def learn_kernel(
    pictures: Iterable[AnyArray | tuple[AnyArray, AnyArray]],
    factor: int = 2,
    size: int | None = None,
    *,
    downscale: str = "bicubic",
    ridge: float | None = None,
    adaptive: bool = False,
    title: str = "learned",
) -> Kernel:
    """Learn the kernel that enlarges low-resolution pictures into their high-resolution originals with the least squared error.

    Parameters
    ----------
    pictures : iterable
        High-resolution pictures, arrays (H, W), whose sides are cropped to multiples of the factor and which `downscale` makes
        low-resolution copies of; or pairs (low, high) of arrays (H, W) and (H * factor, W * factor). They are read one after
        another. At least 2, one of which is held out to choose the ridge, unless that is given.
    factor : int
        At least 2.
    size : int, optional
        The kernel's side: an odd number of times the factor; 9 times if not given.
    downscale : str
        How low-resolution copies are made: "bicubic", "box", "lanczos", "gaussian:S" with a standard deviation of S pixels, or
        a kernel's file; followed by "+jpeg:Q" for copies that are JPEGs of quality Q.
    ridge : float, optional
        Added to the diagonal of the normal equations, as a share of its mean; if not given, every tenth picture is held out
        and chooses it.
    adaptive : bool
        Learn corrections too, from values in grey levels of 8 bits.
    title : str

    Returns
    -------
    Kernel
        Normalised, with its factor.

    Raises
    ------
    ArgumentError
        If a value cannot work, or the pictures are too few, too small or too flat.
    FileError
        If the kernel's file for downscaling cannot be read.

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
    # Most of these lines document a public function.
    if factor_pair(factor)[0] != factor_pair(factor)[1]:
        raise ArgumentError("a kernel is learned for one factor, the same in both directions")
    factor = factor_pair(factor)[0]
    taps = taps_of(size, factor)
    train, held_out = NormalEquations.empty(factor, taps), NormalEquations.empty(factor, taps)
    crops = Crops()
    for number, (low, high) in enumerate(_pairs(pictures, factor, downscale)):
        found = normal_equations(low, high, taps)
        if found.factor != factor:
            raise ArgumentError(f"pair {number}: its factor is {found.factor}, not {factor}")
        if number % 10 == 1 and ridge is None:
            held_out += found
        else:
            train += found
        if adaptive:
            crops.add(as_array(low, "a picture"), as_array(high, "a picture"))
    check_samples(train + held_out)
    if ridge is None:
        both = held_out.samples and train.samples
        ridge = best_ridge(train.with_symmetries(), held_out.with_symmetries()) if both else RIDGES[1]
    kernel = kernel_of((train + held_out).with_symmetries().solve(ridge), factor, taps, title)
    return kernel.replaced(corrections=learn_corrections(crops.pairs, kernel).corrections) if adaptive else kernel


def _pairs(
    pictures: Iterable[AnyArray | tuple[AnyArray, AnyArray]], factor: int, downscale: str
) -> Iterable[tuple[AnyArray, AnyArray]]:
    """Yield pairs (low, high); `downscale` is only parsed if one must be made."""
    downscaler: Downscaler | None = None
    for picture in pictures:
        if isinstance(picture, tuple):
            yield picture
        else:
            downscaler = downscaler or parse_downscale(downscale)
            yield make_pair(picture, factor, downscaler)

"""The public function that learns a kernel from arrays."""

from __future__ import annotations  # so that `help` shows the short names of types

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from upscale.argument_checks import as_array, factor_pair
from upscale.errors import ArgumentError
from upscale.kernels.kernel import Kernel
from upscale.learning.crops import Crops
from upscale.learning.downscale import Downscaler, make_pair, parse_downscale
from upscale.learning.learn_corrections import learn_corrections
from upscale.learning.learn_layers import LayerEquations, layer_equations, shipped_features
from upscale.learning.least_squares import (
    RIDGES,
    Equations,
    NormalEquations,
    best_ridge,
    check_samples,
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
    deep: bool = False,
    title: str = "learned",
) -> Kernel:
    """Learn the kernel that enlarges low-resolution pictures into their high-resolution originals with the least squared error.

    Parameters
    ----------
    pictures : iterable
        High-resolution pictures, arrays (H, W), which are cropped to multiples of the factor and downscaled by `downscale`; or
        pairs (low, high) of arrays (H, W) and (H * factor, W * factor). They are read one after another. At least 2, unless
        `ridge` is given: one of them is held out to choose it.
    factor : int
        At least 2.
    size : int, optional
        Side of the kernel: an odd multiple of the factor, by default 9 * factor.
    downscale : str
        How to make low-resolution copies: "bicubic", "box", "lanczos", "gaussian:S" with a standard deviation of S pixels, or a
        kernel file; followed by "+jpeg:Q" to save them as JPEG of quality Q.
    ridge : float, optional
        Added to the diagonal of the normal equations, as a share of its mean. By default it is chosen on every tenth picture,
        which is held out for that.
    adaptive : bool
        Learn corrections too; the pictures must be in grey levels of 8 bits.
    deep : bool
        Learn a deep kernel that has the features of a shipped one; not together with `adaptive` or `size`. They are those of
        deep, or of deep-jpeg where `downscale` adds noise or JPEG: the pictures must then be in grey levels of 8 bits.
    title : str

    Returns
    -------
    Kernel
        Normalised, with its factor.

    Raises
    ------
    ArgumentError
        If a value is invalid, or the pictures are too few, too small or too uniform.
    FileError
        If the kernel file for downscaling cannot be read.

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
    if deep and (adaptive or size is not None):
        raise ArgumentError("a deep kernel is not adaptive, and has a size of its own")
    factor = factor_pair(factor)[0]
    taps, layers = taps_of(size, factor), shipped_features(downscale) if deep else None
    none: Equations = NormalEquations.empty(factor, taps) if layers is None else LayerEquations.empty(layers, factor)
    train = held_out = none
    crops = Crops()
    for number, (low, high) in enumerate(_pairs(pictures, factor, downscale)):
        found: Any = normal_equations(low, high, taps) if layers is None else layer_equations(low, high, layers)
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
        ridge = best_ridge(train, held_out) if both else RIDGES[1]
    kernel = (train + held_out).kernel(ridge, title)
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

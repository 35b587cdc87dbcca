"""A deep kernel taken apart on a small picture: what each of its layers makes, and what they add to the single kernel."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError
from upscale.kernels.kernel import Kernel
from upscale.kernels.layers import Layers
from upscale.operators.enlarge import enlarge
from upscale.operators.layer_stage import features_of

Array = NDArray[Any]

#: Longest side of a picture that is drawn, in pixels.
LONGEST = 160


class LayerMaps(NamedTuple):
    """What the layers of a deep kernel make of a picture.

    Attributes
    ----------
    luma : ndarray, shape (H, W)
    maps : list of ndarray, shape (M, H, W)
        The channels that each convolution makes, after its rectifier.
    single, correction, result : ndarray, shape (H * factor, W * factor)
        The single kernel's output, what is added, and the sum.
    layers : Layers
    """

    luma: Array
    maps: list[Array]
    single: Array
    correction: Array
    result: Array
    layers: Layers


def compute_maps(values: Array, kernel: Kernel) -> LayerMaps:
    """Send a picture through a deep kernel, and keep what each layer makes.

    Parameters
    ----------
    values : ndarray, shape (H, W)
        Finite numbers, at most `LONGEST` a side; for kernels with biases, white is 1.
    kernel : Kernel
        Deep.

    Raises
    ------
    ArgumentError
        If the picture is too large, or not one of finite numbers.
    """
    if values.ndim != 2 or not values.size or max(values.shape) > LONGEST:
        raise ArgumentError(f"must be a grey picture or an array of at most {LONGEST} x {LONGEST}, not {values.shape}")
    if values.dtype.kind not in "biuf" or not np.isfinite(values).all():
        raise ArgumentError("must contain finite numbers only")
    layers, luma = kernel.layers, values.astype(np.float32)
    assert layers is not None
    maps = []
    for number in range(1, len(layers.convolutions) + 1):
        channels = len(layers.slopes[number - 1])
        maps.append(features_of(layers.with_weights(np.ones((channels, 1, 1, 1)), 1, number), luma, 1))
    single: Any = enlarge(luma, None, "tconv", kernel.replaced(layers=None))
    result: Any = enlarge(luma, None, "tconv", kernel)
    return LayerMaps(luma, maps, single, result - single, result, layers)

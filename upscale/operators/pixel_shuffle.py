"""Pixel shuffle: channels become pixels, and back; with a convolution before it, it is sub-pixel convolution."""

from __future__ import annotations  # so that `help` shows the short names of types

from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from upscale.argument_checks import as_array, is_whole_number
from upscale.errors import ArgumentError

if TYPE_CHECKING:
    from upscale.argument_checks import AnyArray

Sample = TypeVar("Sample", bound=np.generic)


@overload
def pixel_shuffle(input: NDArray[Sample], upscale_factor: int) -> NDArray[Sample]: ...
@overload
def pixel_shuffle(input: AnyArray, upscale_factor: int) -> NDArray[Any]: ...
def pixel_shuffle(input: AnyArray, upscale_factor: int) -> NDArray[Any]:
    """Interleave each r * r channels as the pixels of one, with the meaning of ``torch.nn.functional.pixel_shuffle``.

    This is the last step of sub-pixel convolution, and ONNX's DepthToSpace in mode CRD: channel ``c * r * r + i * r + j``
    becomes pixel (i, j) of each r x r block of channel c.

    Parameters
    ----------
    input : array_like, shape (..., C * r * r, H, W)
        Of any dtype.
    upscale_factor : int
        r, at least 1.

    Returns
    -------
    ndarray, shape (..., C, H * r, W * r)
        Of the input's dtype; always a copy.

    Raises
    ------
    ArgumentError
        If a shape or the factor is invalid.

    Examples
    --------
    >>> import upscale
    >>> upscale.pixel_shuffle([[[1, 5]], [[2, 6]], [[3, 7]], [[4, 8]]], 2)
    array([[[1, 2, 5, 6],
            [3, 4, 7, 8]]])
    """
    x, r = _arguments(input, upscale_factor, "upscale_factor")
    *batch, channels, height, width = x.shape
    if channels % r**2:
        raise ArgumentError(f"input {x.shape} has {channels} channels, which upscale_factor {r} squared does not divide")
    blocks = x.reshape(*batch, channels // r**2, r, r, height, width)
    n = len(batch)
    ordered = blocks.transpose(*range(n), n, n + 3, n + 1, n + 4, n + 2)
    return np.array(ordered, order="C").reshape(*batch, channels // r**2, height * r, width * r)


@overload
def pixel_unshuffle(input: NDArray[Sample], downscale_factor: int) -> NDArray[Sample]: ...
@overload
def pixel_unshuffle(input: AnyArray, downscale_factor: int) -> NDArray[Any]: ...
def pixel_unshuffle(input: AnyArray, downscale_factor: int) -> NDArray[Any]:
    """Split each channel into r * r smaller ones, the inverse of `pixel_shuffle`, as ``torch.nn.functional.pixel_unshuffle``.

    Parameters
    ----------
    input : array_like, shape (..., C, H * r, W * r)
        Of any dtype.
    downscale_factor : int
        r, at least 1.

    Returns
    -------
    ndarray, shape (..., C * r * r, H, W)
        Of the input's dtype; always a copy.

    Raises
    ------
    ArgumentError
        If a shape or the factor is invalid.

    Examples
    --------
    >>> import upscale
    >>> upscale.pixel_unshuffle([[[1, 2, 5, 6], [3, 4, 7, 8]]], 2).tolist()
    [[[1, 5]], [[2, 6]], [[3, 7]], [[4, 8]]]
    """
    x, r = _arguments(input, downscale_factor, "downscale_factor")
    *batch, channels, height, width = x.shape
    if height % r or width % r:
        raise ArgumentError(f"input {x.shape} is {height} x {width} large, which downscale_factor {r} does not divide")
    blocks = x.reshape(*batch, channels, height // r, r, width // r, r)
    n = len(batch)
    ordered = blocks.transpose(*range(n), n, n + 2, n + 4, n + 1, n + 3)
    return np.array(ordered, order="C").reshape(*batch, channels * r**2, height // r, width // r)


def _arguments(input: Any, factor: Any, name: str) -> tuple[NDArray[Any], int]:
    """Check the shape and the factor."""
    x = as_array(input, "input")
    if x.ndim < 3:
        raise ArgumentError(f"input must be (..., C, H, W), not {x.shape}")
    if not is_whole_number(factor) or factor < 1:
        raise ArgumentError(f"{name} must be a whole number of at least 1, not {factor!r}")
    return x, int(factor)

"""Colours as TIFF stores them that no mode has: YCbCr, palettes of 8-bit colours, and samples whose meaning is missing."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError

Array = NDArray[Any]

#: Photometric interpretations: white is 0, black is 0, RGB, palette, CMYK, YCbCr, and Lab with unsigned a and b.
WHITE_IS_0, BLACK_IS_0, RGB, PALETTE, CMYK, YCBCR, ICC_LAB = 0, 1, 2, 3, 5, 6, 9
#: CCITT's compressions, whose pictures are black on white if they do not say otherwise, and JPEG's.
CCITT, JPEG = (2, 3, 4, 32771), (6, 7, 33007, 34892)
#: Compressions whose decoders return RGB: JPEG XR, WebP, JPEG XL; JPEG does if the channels are interleaved.
_RETURNING_RGB = (22610, 34934, 50001, 50002, 52546)
#: JPEG 2000 as Aperio's scanners store YCbCr, whatever the photometric interpretation says.
APERIO_YCBCR = 33003
#: What the TIFF specification presumes (CCIR 601).
_COEFFICIENTS = (0.299, 0.587, 0.114)


def guessed_photometric(compression: int, channels: int, extra: int, has_palette: bool) -> int:
    """Guess what samples mean where a page does not say so, as other readers do.

    Parameters
    ----------
    compression, channels : int
    extra : int
        How many of the channels are none of the colour model's.
    has_palette : bool
    """
    if has_palette:
        return PALETTE
    if compression in CCITT:
        return WHITE_IS_0
    if channels - extra == 3:
        return YCBCR if compression in JPEG else RGB
    return CMYK if channels - extra == 4 else BLACK_IS_0


def is_ycbcr(photometric: int, compression: int, planar: bool) -> bool:
    """Return whether tifffile decodes a page to YCbCr, and not to RGB."""
    if photometric != YCBCR:
        return compression == APERIO_YCBCR
    return compression not in _RETURNING_RGB and (compression not in JPEG or planar)


def rgb_of_ycbcr(
    samples: Array, bits: int, coefficients: tuple[float, ...], reference: tuple[float, ...], note: Callable[[str], None]
) -> Array:
    """Convert YCbCr to RGB (TIFF 6.0, section 21).

    Parameters
    ----------
    samples : ndarray, shape (H, W, 3 or more)
        Of unsigned integers. Channels after the third stay as they are.
    bits : int
        Of a sample.
    coefficients : tuple of float
        The tag YCbCrCoefficients, or empty.
    reference : tuple of float
        The tag ReferenceBlackWhite, or empty.
    note : callable
        Called with a line where the tags make no sense.

    Raises
    ------
    ArgumentError
        Where the samples are not unsigned.
    """
    if samples.dtype.kind != "u" or samples.dtype.itemsize > 2:
        raise ArgumentError(f"not supported: YCbCr of {samples.dtype}; convert it to RGB first")
    full, half = (1 << bits) - 1, 1 << (bits - 1)
    usual = (0, full, half, full, half, full)
    coefficients, reference = coefficients or _COEFFICIENTS, reference or usual
    spans = [white - black for black, white in zip(reference[::2], reference[1::2], strict=False)]
    if len(coefficients) != 3 or not all(0 < c < 1 for c in coefficients) or len(reference) != 6 or 0 in spans:
        note("its tags about YCbCr make no sense, so the usual values are taken")
        coefficients, reference, spans = _COEFFICIENTS, usual, [full, full - half, full - half]
    red, green, blue = coefficients
    y, cb, cr = (
        (samples[..., channel].astype(np.float32) - reference[2 * channel]) * ((full if channel == 0 else full // 2) / span)
        for channel, span in enumerate(spans)
    )
    r, b = y + (2 - 2 * red) * cr, y + (2 - 2 * blue) * cb
    g = (y - red * r - blue * b) / green
    converted = np.stack([r, g, b], axis=-1)
    np.clip(np.floor(converted + 0.5, out=converted), 0, full, out=converted)
    return np.concatenate([converted.astype(samples.dtype), samples[..., 3:]], axis=-1)


def colour_map(values: Any) -> Array | None:
    """Return a palette's colours, uint16 of shape (N, 3), of the tag's value; None where it is damaged.

    Some programs store 8-bit colours, against the specification; as libtiff does, they are recognised by their sizes.
    """
    colours = np.asarray(() if values is None else values)
    if not colours.size or colours.size % 3 or colours.dtype.kind not in "iu":
        return None
    colours = np.ascontiguousarray(colours.astype(np.uint16).reshape(3, -1).T)
    return colours * np.uint16(257) if colours.max() < 256 else colours

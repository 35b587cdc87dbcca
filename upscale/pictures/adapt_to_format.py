"""Pictures converted to what a format supports, where that loses nothing or the user requested it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError
from upscale.pictures.formats import FORMATS, NPY, WIDER, Format, mode_of
from upscale.pictures.mode_conversion import at_depth, describe_mode, filterable, flattened, to_rgb, unassociated, widened
from upscale.pictures.picture import ALPHA, CHANNELS, Picture

Array = NDArray[np.uint8]


class ConversionOptions(NamedTuple):
    """Conversions that the user requests.

    Attributes
    ----------
    background : (int, int, int) or None
        Transparent pictures are flattened onto this colour, of 8-bit values.
    depth : int or None
        Bits a sample.
    to_rgb : bool
        Whether pictures of other colour spaces become RGB.
    """

    background: tuple[int, int, int] | None = None
    depth: int | None = None
    to_rgb: bool = False


def apply_options(picture: Picture, options: ConversionOptions) -> Picture:
    """Convert a picture as the user requests; arrays and pictures without a colour model stay as they are.

    Raises
    ------
    ArgumentError
        Where that is not possible.
    """
    if not picture.mode or picture.mode == CHANNELS:
        return picture
    if options.depth:
        picture = at_depth(picture, options.depth)
    if options.to_rgb:
        picture = to_rgb(picture)
    if options.background:
        picture = flattened(picture, options.background)
    return picture


def adapt(picture: Picture, target: Format) -> Picture:
    """Convert a picture to a mode that the target format stores, where that loses nothing.

    Pictures for formats of palettes stay as they are: `quantize` converts them.

    Raises
    ------
    ArgumentError
        Where the target cannot store it; the text says what helps.
    """
    if target == NPY:
        return filterable(picture) if picture.mode in ("P", "PA") or "transparency" in picture.info else picture
    if picture.leading:
        raise ArgumentError(
            f"is a stack of {picture.leading[0]} arrays, which {target.name} does not support; write .npy instead"
        )
    if picture.mode == CHANNELS:
        if target.any_channels:
            return picture
        channels = picture.samples.shape[2] if picture.samples.ndim == 3 else 1
        raise ArgumentError(
            f"has {channels} channels of {picture.samples.dtype}, which {target.name} does not support; write .npy or .tiff"
        )
    if not picture.mode:
        picture = _as_picture(picture, target)
        if picture.mode == CHANNELS:
            return picture
    if not target.any_channels:
        picture = unassociated(picture)
    if picture.mode in target.modes and (not picture.has_alpha or _stores_transparency(picture, target)):
        return picture
    if picture.mode == "I" and "I;16" in target.modes and 0 <= picture.samples.min() <= picture.samples.max() <= 65535:
        return picture._replace(samples=picture.samples.astype(np.uint16), mode="I;16")
    if target.palette_only and picture.mode in ("1", "L", "LA", "PA", "P", "RGB", "RGBA"):
        return picture
    if picture.base == "YCbCr":  # as every viewer shows it
        return adapt(to_rgb(picture), target)
    for base in WIDER.get(picture.base, ()):
        name = "uint8" if picture.base == "1" else str(picture.samples.dtype)
        if mode_of(base, name) in target.modes and (base in ALPHA or not picture.has_alpha):
            return widened(picture, base)
    raise ArgumentError(_refusal(picture, target))


def _refusal(picture: Picture, target: Format) -> str:
    """Return why a format cannot store a picture, and what helps."""
    if picture.base in ("CMYK", "LAB", "HSV"):
        kind = describe_mode(picture.mode)
        return f"has {kind}, which {target.name} does not support; convert them with --to-rgb, or write .tiff"
    if picture.samples.dtype == np.uint16:
        unsupported = f"has 16 bits per sample, which {target.name} does not support"
        return f"{unsupported}; round to 8 bits with --depth 8, or write .png or .tiff"
    if picture.has_alpha and not any(m in ALPHA for m in target.modes) and not target.palette_only:
        return f"has transparency, which {target.name} does not support; flatten it with --background COLOUR"
    holding = [suffix for suffix, form in FORMATS.items() if picture.mode in form.modes]
    return (
        f"has {describe_mode(picture.mode)}, which {target.name} does not support; write one of {' '.join([*holding, '.npy'])}"
    )


def _stores_transparency(picture: Picture, target: Format) -> bool:
    """Return whether the target stores a picture's transparency in its mode: as alpha, as a colour, or in the palette."""
    if picture.base in ALPHA:
        return True
    return target.colour_key or (target.palette_only and picture.mode == "P" and isinstance(picture.info["transparency"], int))


def _as_picture(picture: Picture, target: Format) -> Picture:
    """Return an array as a picture with a mode."""
    array = picture.samples
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    dtype = array.dtype.newbyteorder("=")
    base = {2: "LA", 3: "RGB", 4: "RGBA"}.get(array.shape[2], "") if array.ndim == 3 else "1" if dtype.kind == "b" else "L"
    mode = mode_of(base, dtype.name)
    if mode is None and (not target.any_channels or dtype.kind not in "iuf" or dtype.itemsize > 8):
        raise ArgumentError(
            f"is an array {array.shape} of {array.dtype}, which {target.name} does not support; write .npy instead"
        )
    return Picture(np.ascontiguousarray(array, dtype), mode or CHANNELS)


def restore_colour_key(picture: Picture, source: Picture) -> Picture:
    """Replace an alpha channel by the source's transparent colour and low bit depth again.

    The picture stays as it is if any pixel is partly transparent, or an opaque one has the transparent colour.

    Parameters
    ----------
    picture : Picture
        LA or RGBA, enlarged.
    source : Picture
        The picture before: 1, L or RGB in any depth, with `transparency`.
    """
    key, alpha = np.asarray(source.info["transparency"]), picture.samples[..., -1]
    clear = alpha == 0
    colours = np.where(clear[..., None], key.astype(picture.samples.dtype), picture.samples[..., :-1])
    opaque_key = (colours == key).all(axis=2) & ~clear
    if opaque_key.any() or not (clear | (alpha == picture.max_value)).all():
        return picture
    bits = source.info.get("bits")
    if bits and (colours % (255 // ((1 << bits) - 1))).any():
        bits = None
    samples = colours[..., 0] if colours.shape[2] == 1 else colours
    base = "RGB" if colours.shape[2] == 3 else "L"
    return picture.with_samples(samples, base, transparency=source.info["transparency"], bits=bits)

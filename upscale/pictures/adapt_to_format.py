"""What a target format holds: pictures made to fit it where that loses nothing, or where the user asked for the loss."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError
from upscale.pictures.formats import FORMATS, NPY, WIDER, Format, mode_of
from upscale.pictures.mode_conversion import at_depth, filterable, flattened, named, to_rgb, unassociated, widened
from upscale.pictures.picture import ALPHA, CHANNELS, Picture

Array = NDArray[np.uint8]


class Wishes(NamedTuple):
    """Conversions that the user asks for.

    Attributes
    ----------
    background : (int, int, int) or None
        Transparent pictures are laid on this colour.
    depth : int or None
        Bits a sample.
    to_rgb : bool
        Whether other colour spaces may become RGB.
    """

    background: tuple[int, int, int] | None = None
    depth: int | None = None
    to_rgb: bool = False


def wished(picture: Picture, wishes: Wishes) -> Picture:
    """Do what the user asks for.

    Raises
    ------
    ArgumentError
        Where it cannot be done.
    """
    if not picture.mode or picture.mode == CHANNELS:
        return picture
    if wishes.depth:
        picture = at_depth(picture, wishes.depth)
    if wishes.to_rgb:
        picture = to_rgb(picture)
    if wishes.background:
        picture = flattened(picture, wishes.background)
    return picture


def fitted(picture: Picture, target: Format) -> Picture:
    """Convert a picture to a mode that the target format holds, where that loses nothing; GIF is left to `palettes`.

    Raises
    ------
    ArgumentError
        Where the target cannot hold it.
    """
    if target == NPY:
        return filterable(picture) if picture.mode in ("P", "PA") or "transparency" in picture.info else picture
    if picture.leading:
        raise ArgumentError(f"a batch of {picture.leading[0]} arrays is no {target.name} picture; write .npy instead")
    if picture.mode == CHANNELS:
        if target.name == "TIFF":
            return picture
        channels = picture.samples.shape[2] if picture.samples.ndim == 3 else 1
        raise ArgumentError(
            f"has {channels} channels of {picture.samples.dtype}, which {target.name} cannot hold; write .npy or .tiff"
        )
    if not picture.mode:
        picture = _as_picture(picture, target)
        if picture.mode == CHANNELS:
            return picture
    if target.name != "TIFF":
        picture = unassociated(picture)
    if picture.mode in target.modes and (not picture.has_alpha or _holds_transparency(picture, target)):
        return picture
    if picture.mode == "I" and "I;16" in target.modes and 0 <= picture.samples.min() <= picture.samples.max() <= 65535:
        return picture._replace(samples=picture.samples.astype(np.uint16), mode="I;16")
    if target.name == "GIF" and picture.mode in ("1", "L", "LA", "PA", "P", "RGB", "RGBA"):
        return picture
    if picture.base == "YCbCr":  # as every viewer shows it
        return fitted(to_rgb(picture), target)
    for base in WIDER.get(picture.base, ()):
        name = "uint8" if picture.base == "1" else str(picture.samples.dtype)
        if mode_of(base, name) in target.modes and (base in ALPHA or not picture.has_alpha):
            return widened(picture, base)
    raise ArgumentError(_refusal(picture, target))


def _refusal(picture: Picture, target: Format) -> str:
    """Say why a format cannot hold a picture, and what would help."""
    if picture.base in ("CMYK", "LAB", "HSV"):
        return f"{target.name} cannot hold {named(picture.mode)}: --to-rgb converts the colours, or write .tiff"
    if picture.samples.dtype == np.uint16:
        return f"{target.name} cannot hold 16 bits a sample: --depth 8 rounds them to 8, or write .png or .tiff"
    if picture.has_alpha and not any(m in ALPHA for m in target.modes) and target.name != "GIF":
        return f"it has transparency, which {target.name} cannot hold; lay it on a colour with --background COLOUR"
    holding = [suffix for suffix, form in FORMATS.items() if picture.mode in form.modes]
    return f"{target.name} cannot hold {named(picture.mode)}; write one of {' '.join([*holding, '.npy'])}"


def _holds_transparency(picture: Picture, target: Format) -> bool:
    """Say whether the target holds a picture's transparency in its own mode: as a channel, a colour key or in the palette."""
    if picture.base in ALPHA:
        return True
    return target.name == "PNG" or (
        target.name == "GIF" and picture.mode == "P" and isinstance(picture.info["transparency"], int)
    )


def _as_picture(picture: Picture, target: Format) -> Picture:
    """Give an array the mode of a picture."""
    array = picture.samples
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    dtype = array.dtype.newbyteorder("=")
    base = {2: "LA", 3: "RGB", 4: "RGBA"}.get(array.shape[2], "") if array.ndim == 3 else "1" if dtype.kind == "b" else "L"
    mode = mode_of(base, dtype.name)
    if mode is None and (target.name != "TIFF" or dtype.kind not in "iuf" or dtype.itemsize > 8):
        raise ArgumentError(f"{target.name} cannot hold an array {array.shape} of {array.dtype}; write .npy instead")
    return Picture(np.ascontiguousarray(array, dtype), mode or CHANNELS)


def rekeyed(picture: Picture, source: Picture) -> Picture:
    """Go back to a colour key, and to few bits, where a picture made opacity out of one and nothing else has come of it.

    Parameters
    ----------
    picture : Picture
        LA or RGBA, enlarged.
    source : Picture
        Before: 1, L or RGB in any depth, with `transparency`.
    """
    key, opacity = np.asarray(source.info["transparency"]), picture.samples[..., -1]
    clear = opacity == 0
    colours = np.where(clear[..., None], key.astype(picture.samples.dtype), picture.samples[..., :-1])
    taken = (colours == key).all(axis=2) & ~clear
    if taken.any() or not (clear | (opacity == picture.full)).all():
        return picture
    bits = source.info.get("bits")
    if bits and (colours % (255 // ((1 << bits) - 1))).any():
        bits = None
    samples = colours[..., 0] if colours.shape[2] == 1 else colours
    base = "RGB" if colours.shape[2] == 3 else "L"
    return picture.with_samples(samples, base, transparency=source.info["transparency"], bits=bits)

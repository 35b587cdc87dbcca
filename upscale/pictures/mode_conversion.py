"""From one mode to another: colour models, depth, opacity, background. Exact wherever the target holds the source."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError
from upscale.pictures.formats import WIDER
from upscale.pictures.picture import Picture

Array = NDArray[Any]

#: Metadata that tell how samples are stored, and are no longer true when they have changed.
_STORED: Mapping[str, None] = {"transparency": None, "bits": None, "associated": None}


def widened(picture: Picture, base: str) -> Picture:
    """Convert to a colour model of `formats.WIDER`, which holds the same picture; opacity that it does not hold is dropped.

    Parameters
    ----------
    picture : Picture
    base : {"L", "LA", "RGB", "RGBA"}

    Raises
    ------
    ArgumentError
        Where the picture has colours that the model lacks.
    """
    if base == picture.base and "transparency" not in picture.info:
        return picture
    if base != picture.base and base not in WIDER.get(picture.base, ()):
        raise ArgumentError(f"{picture.mode} pictures cannot become {base}")
    straight = unassociated(picture)
    colours, opacity = _separated(straight)
    wanted = 1 if base in ("L", "LA") else 3
    if colours.shape[2] != wanted:
        colours = np.repeat(colours, wanted, axis=2)
    if base in ("LA", "RGBA"):
        full = np.full((*colours.shape[:2], 1), picture.full if picture.base != "1" else 255, colours.dtype)
        colours = np.concatenate((colours, full if opacity is None else opacity), axis=2)
    return straight.with_samples(colours[..., 0] if colours.shape[2] == 1 else colours, base, **_STORED)


def _separated(picture: Picture) -> tuple[Array, Array | None]:
    """Take a picture apart into colours (H, W, 1 or 3) and opacity (H, W, 1)."""
    samples, key = picture.samples, picture.info.get("transparency")
    if picture.base in ("P", "PA"):
        assert picture.palette is not None
        indices = samples if samples.ndim == 2 else samples[..., 0]
        palette = np.zeros((256, 4), np.uint8)  # an index beyond the palette is black, as in Pillow
        palette[:, 3] = 255
        palette[: len(picture.palette), :3] = picture.palette[:256]
        if isinstance(key, bytes):
            palette[: len(key), 3] = np.frombuffer(key[:256], np.uint8)
        elif key is not None:
            palette[key, 3] = 0
        found = palette[indices]
        if picture.base == "PA":
            return found[..., :3], samples[..., 1:]
        return found[..., :3], None if key is None else found[..., 3:]
    if picture.base == "1":
        samples = samples * np.uint8(255)
    if samples.ndim == 2:
        samples = samples[..., None]
    if picture.base in ("LA", "RGBA"):
        return samples[..., :-1], samples[..., -1:]
    if key is None:
        return samples, None
    full = np.asarray(picture.full if picture.base != "1" else 255, samples.dtype)
    return samples, np.where((samples == np.asarray(key)).all(axis=2, keepdims=True), np.zeros_like(full), full)


def filterable(picture: Picture) -> Picture:
    """Convert to samples that may be mixed: no palette indices, no bits, no colour key, no angles of hue."""
    if picture.mode in ("P", "PA"):
        return widened(picture, "RGBA" if picture.has_alpha else "RGB")
    if picture.mode == "HSV":
        return to_rgb(picture)
    if picture.base in ("1", "L", "RGB") and "transparency" in picture.info:
        return widened(picture, "RGBA" if picture.base == "RGB" else "LA")
    if picture.mode == "1":
        return widened(picture, "L")
    return picture.with_info(bits=None)


def whole(picture: Picture) -> Picture:
    """Convert any grey, colour or palette picture to RGBA of its depth, the form in which frames are laid on each other."""
    return widened(picture, "RGBA") if picture.base != "RGBA" else unassociated(picture)


def canvas(picture: Picture, size: tuple[int, int]) -> Array:
    """Make an empty canvas, all transparent, for pictures of a kind."""
    return np.zeros((*size, 4), picture.samples.dtype)


def laid_over(top: Array, under: Array, full: int) -> Array:
    """Lay RGBA samples over others of the same type (Porter and Duff 1984, "over", with colours not weighted by opacity)."""
    a, b = top[..., 3:].astype(np.float64), under[..., 3:].astype(np.float64)
    alpha = a + b * (full - a) / full
    colours = top[..., :3] * a + under[..., :3] * (b * (full - a) / full)
    mixed = np.concatenate((colours / np.maximum(alpha, 1e-9), alpha), axis=2)
    return np.where(a == full, top, np.where(a == 0, under, np.floor(mixed + 0.5).astype(top.dtype)))


def unassociated(picture: Picture) -> Picture:
    """Divide colours by opacity where the file stores them multiplied by it."""
    if not picture.info.get("associated"):
        return picture
    samples = picture.samples
    colours, opacity = samples[..., :-1].astype(np.float64), samples[..., -1:].astype(np.float64)
    divided = np.divide(colours * picture.full, opacity, out=colours, where=opacity > 0)
    if samples.dtype.kind != "f":
        divided = np.floor(np.minimum(divided, picture.full) + 0.5)
    return picture.with_samples(np.concatenate((divided.astype(samples.dtype), samples[..., -1:]), axis=2), associated=None)


def flattened(picture: Picture, colour: tuple[int, int, int]) -> Picture:
    """Lay the picture on a background of 8-bit values; one without transparency stays as it is."""
    if not picture.has_alpha:
        return picture
    top = whole(picture)
    full = top.full
    ground = np.asarray(colour, np.float64) * (full / 255)
    opacity = top.samples[..., 3:] / full
    mixed = top.samples[..., :3] * opacity + ground * (1 - opacity)
    if top.samples.dtype.kind != "f":
        mixed = np.floor(mixed + 0.5)
    return top.with_samples(mixed.astype(top.samples.dtype), "RGB")


def at_depth(picture: Picture, depth: int) -> Picture:
    """Convert samples to 8 or 16 bits; full scale stays full scale.

    Raises
    ------
    ArgumentError
        For floats and 32-bit integers beyond 16 bits, whose full scale is not known.
    """
    samples = picture.samples
    if picture.base in ("P", "PA") and depth == 8:
        return picture
    if picture.base in ("YCbCr", "HSV"):
        picture = to_rgb(picture)
        samples = picture.samples
    if picture.base in ("1", "P", "PA"):
        picture = filterable(picture)
        samples = picture.samples
    if samples.dtype == np.int32 and 0 <= samples.min() <= samples.max() <= 65535:
        samples = samples.astype(np.uint16)
    wanted = np.uint8 if depth == 8 else np.uint16
    if samples.dtype == wanted:
        return picture.with_samples(samples)
    if picture.mode not in ("L", "LA", "RGB", "RGBA", "CMYK", "LAB") and samples.dtype != np.uint16:
        raise ArgumentError(f"--depth {depth}: the full scale of {named(picture.mode)} is not known")
    key = picture.info.get("transparency")
    if key is not None:  # as a channel: after rounding, other colours might be the key's
        deep = widened(picture, "RGBA" if picture.base == "RGB" else "LA")
        return at_depth(deep, depth)
    scaled = (samples.astype(np.uint32) * 255 + 32767) // 65535 if depth == 8 else samples * np.uint32(257)
    if picture.base == "LAB":  # a and b are signed numbers of 8 bits before the point, stored with half the range added
        signed = samples[..., 1:].astype(np.uint32)
        scaled[..., 1:] = np.minimum((signed + 128) // 256, 255) if depth == 8 else signed * 256
    return picture.with_samples(scaled.astype(wanted), bits=None)


def to_rgb(picture: Picture) -> Picture:
    """Convert CMYK, Lab, YCbCr and HSV to RGB: through the embedded profile where there is one, else by plain formulas.

    Raises
    ------
    ArgumentError
        Where the profile cannot be used, or the samples have more than 8 bits.
    """
    if picture.base not in ("CMYK", "LAB", "YCbCr", "HSV"):
        return picture
    if picture.samples.dtype != np.uint8:
        raise ArgumentError(f"--to-rgb converts 8 bits a sample; add --depth 8 for {named(picture.mode)}")
    image = picture.to_image()
    profile = picture.info.get("icc_profile")
    if picture.base == "LAB" or (picture.base == "CMYK" and profile):
        import io

        from PIL import ImageCms

        try:
            own = io.BytesIO(profile or b"")
            source: Any = ImageCms.createProfile("LAB") if picture.base == "LAB" else ImageCms.getOpenProfile(own)
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError) as error:
            raise ArgumentError(f"--to-rgb: its colour profile cannot be used: {error}") from error
        assert converted is not None
        image = converted
        picture = picture.with_info(icc_profile=None)
    elif picture.base in ("YCbCr", "HSV"):
        image = image.convert("RGB")
    else:
        image = image.convert("RGB")
        picture = picture.with_info(icc_profile=None)
    return picture.with_samples(np.asarray(image), "RGB", **_STORED)


def named(mode: str) -> str:
    """Name a mode in a sentence."""
    known = {"I": "32-bit integers", "I;16": "16-bit grey", "F": "floats", "P": "palette pictures", "1": "1-bit pictures"}
    if mode in known:
        return known[mode]
    base, _, depth = mode.partition(";")
    return f"{base} pictures" if not depth else f"{base} pictures of {'16 bits' if depth == '16' else 'floats'}"

"""Conversions from one mode to another: colour models, depth, alpha, background; exact wherever the new mode allows it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError, library_errors
from upscale.pictures.formats import WIDER
from upscale.pictures.picture import Picture

Array = NDArray[Any]

#: Metadata of how samples are stored, which are no longer true when the samples change.
_STORED: Mapping[str, None] = {"transparency": None, "bits": None, "associated": None}


def widened(picture: Picture, base: str) -> Picture:
    """Convert to a colour model of `formats.WIDER`, which stores the same picture; one without alpha drops the alpha.

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
    if picture.base == "1":
        picture = picture.with_samples(picture.samples * np.uint8(255), "L")
    straight = unassociated(picture)
    colours, alpha = _separated(straight)
    channels = 1 if base in ("L", "LA") else 3
    if colours.shape[2] != channels:
        colours = np.repeat(colours, channels, axis=2)
    if base in ("LA", "RGBA"):
        if alpha is None:
            alpha = np.full((*colours.shape[:2], 1), picture.max_value, colours.dtype)
        colours = np.concatenate((colours, alpha), axis=2)
    return straight.with_samples(colours[..., 0] if colours.shape[2] == 1 else colours, base, **_STORED)


def _separated(picture: Picture) -> tuple[Array, Array | None]:
    """Separate a picture of any mode but 1 into colours (H, W, 1 or 3) and alpha (H, W, 1)."""
    if picture.palette is not None:
        return _looked_up(picture, picture.palette)
    samples, key = picture.samples, picture.info.get("transparency")
    if samples.ndim == 2:
        samples = samples[..., None]
    if picture.base in ("LA", "RGBA"):
        return samples[..., :-1], samples[..., -1:]
    if key is None:
        return samples, None
    opaque = np.asarray(picture.max_value, samples.dtype)
    return samples, np.where((samples == np.asarray(key)).all(axis=2, keepdims=True), np.zeros_like(opaque), opaque)


def _looked_up(picture: Picture, colours: Array) -> tuple[Array, Array | None]:
    """Look up the colours (H, W, 3) of indices in a palette, and their alpha (H, W, 1)."""
    samples, key = picture.samples, picture.info.get("transparency")
    palette = np.zeros((256, 4), np.uint8)  # an index beyond the palette is black, as in Pillow
    palette[:, 3] = 255
    palette[: len(colours), :3] = colours[:256]
    if isinstance(key, bytes):
        palette[: len(key), 3] = np.frombuffer(key[:256], np.uint8)
    elif key is not None:
        palette[key, 3] = 0
    found = palette[samples if samples.ndim == 2 else samples[..., 0]]
    if picture.base == "PA":
        return found[..., :3], samples[..., 1:]
    return found[..., :3], None if key is None else found[..., 3:]


def filterable(picture: Picture) -> Picture:
    """Convert to samples that can be mixed: no palette indices, no bits, no transparent colour, no angles of hue."""
    if picture.mode in ("P", "PA"):
        return widened(picture, "RGBA" if picture.has_alpha else "RGB")
    if picture.mode == "HSV":
        return to_rgb(picture)
    if picture.base in ("1", "L", "RGB") and "transparency" in picture.info:
        return widened(picture, "RGBA" if picture.base == "RGB" else "LA")
    if picture.mode == "1":
        return widened(picture, "L")
    return picture.with_info(bits=None)


def to_rgba(picture: Picture) -> Picture:
    """Convert any grey, RGB or palette picture to RGBA of its depth, the mode in which frames are composited."""
    return widened(picture, "RGBA") if picture.base != "RGBA" else unassociated(picture)


def composite(top: Array, under: Array, max_value: int) -> Array:
    """Lay RGBA samples over others of the same dtype.

    It is "over" of Porter and Duff (1984), for colours that are not multiplied by alpha.

    Parameters
    ----------
    top, under : ndarray, shape (H, W, 4)
        Integers.
    max_value : int
        The sample of an opaque pixel.
    """
    a, b = top[..., 3:].astype(np.float64), under[..., 3:].astype(np.float64)
    alpha = a + b * (max_value - a) / max_value
    colours = top[..., :3] * a + under[..., :3] * (b * (max_value - a) / max_value)
    mixed = np.concatenate((colours / np.maximum(alpha, 1e-9), alpha), axis=2)
    return np.where(a == max_value, top, np.where(a == 0, under, np.floor(mixed + 0.5).astype(top.dtype)))


def unassociated(picture: Picture) -> Picture:
    """Divide colours by alpha where the file stores them multiplied by it."""
    if not picture.info.get("associated"):
        return picture
    samples = picture.samples
    colours, alpha = samples[..., :-1].astype(np.float64), samples[..., -1:].astype(np.float64)
    divided = np.divide(colours * picture.max_value, alpha, out=colours, where=alpha > 0)
    if samples.dtype.kind != "f":
        divided = np.floor(np.minimum(divided, picture.max_value) + 0.5)
    return picture.with_samples(np.concatenate((divided.astype(samples.dtype), samples[..., -1:]), axis=2), associated=None)


def flattened(picture: Picture, colour: tuple[int, int, int]) -> Picture:
    """Flatten a picture onto a colour of 8-bit values; one without transparency stays as it is."""
    if not picture.has_alpha:
        return picture
    top = to_rgba(picture)
    background = np.asarray(colour, np.float64) * (top.max_value / 255)
    alpha = top.samples[..., 3:] / top.max_value
    mixed = top.samples[..., :3] * alpha + background * (1 - alpha)
    if top.samples.dtype.kind != "f":
        mixed = np.floor(mixed + 0.5)
    return top.with_samples(mixed.astype(top.samples.dtype), "RGB")


def at_depth(picture: Picture, depth: int) -> Picture:
    """Convert samples to 8 or 16 bits; the largest value becomes the largest value.

    Raises
    ------
    ArgumentError
        For floats, and 32-bit integers beyond 16 bits: which value is white is not known.
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
    if "bits" in picture.info.get("tiff", {}):  # a depth of the file's own, such as 12 bits
        picture = picture.with_info(tiff={k: v for k, v in picture.info["tiff"].items() if k != "bits"})
    if samples.dtype == wanted:
        return picture.with_samples(samples)
    if picture.mode not in ("L", "LA", "RGB", "RGBA", "CMYK", "LAB") and samples.dtype != np.uint16:
        raise ArgumentError(
            f"--depth {depth}: the full scale of {describe_mode(picture.mode)} is unknown; scale them to 8 or 16 bits first"
        )
    key = picture.info.get("transparency")
    if key is not None:  # as alpha: after rounding, other colours might equal the transparent one
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
        raise ArgumentError(f"--to-rgb supports 8 bits per sample; add --depth 8 for {describe_mode(picture.mode)}")
    image = picture.to_image()
    profile = picture.info.get("icc_profile")
    if picture.base == "LAB" or (picture.base == "CMYK" and profile):
        import io

        from PIL import ImageCms

        own = io.BytesIO(profile or b"")
        with library_errors("--to-rgb: its colour profile cannot be used"):
            source: Any = ImageCms.createProfile("LAB") if picture.base == "LAB" else ImageCms.getOpenProfile(own)
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        assert converted is not None  # None is for conversions in place
        image = converted
        picture = picture.with_info(icc_profile=None)
    elif picture.base in ("YCbCr", "HSV"):
        image = image.convert("RGB")
    else:
        image = image.convert("RGB")
        picture = picture.with_info(icc_profile=None)
    return picture.with_samples(np.asarray(image), "RGB", **_STORED)


def describe_mode(mode: str) -> str:
    """Describe the samples of a mode for a message."""
    known = {"I": "32-bit integers", "I;16": "16-bit grey", "F": "floats", "P": "palette colours", "1": "1-bit samples"}
    if mode in known:
        return known[mode]
    base, _, depth = mode.partition(";")
    return f"{base} samples" if not depth else f"{base} samples of {'16 bits' if depth == '16' else 'floats'}"

"""Tone curves: from stored samples to linear light and back, by the curve that a file declares."""

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: Steps at which a profile's curve is inverted; between them it is interpolated.
_STEPS = 1 << 16


class Curve:
    """The transfer curve of each colour channel.

    Parameters
    ----------
    light : list of ndarray
        For each channel, the light, 0..1, of evenly spaced samples; ascending.
    maximum : int
        The largest sample, 255 or 65535.
    """

    def __init__(self, light: list[Array], maximum: int) -> None:
        self._light, self._maximum = light, maximum
        self._samples = np.linspace(0, maximum, len(light[0]))
        whole = np.arange(maximum + 1)
        self._decoded = [np.interp(whole, self._samples, channel).astype(np.float32) for channel in light]
        # For 8 bits, samples at evenly spaced square roots of light: over these, curves are nearly straight, so that the
        # nearest entry is off by some hundredths of a level at most.
        roots = np.linspace(0, 1, _STEPS) ** 2
        self._encoded = [np.interp(roots, c, self._samples).astype(np.float32) for c in light] if maximum == 255 else None

    def decode(self, samples: Array) -> Array:
        """Convert integer samples (..., channels) to light, float32 in 0..1."""
        out = np.empty(samples.shape, np.float32)
        for c in range(samples.shape[-1]):
            out[..., c] = self._decoded[c % len(self._light)][samples[..., c]]
        return out

    def encode(self, light: Array) -> Array:
        """Convert light (..., channels) to samples; light outside 0..1 stays outside, so that clipping can be counted."""
        out = np.empty_like(light)
        for c in range(light.shape[-1]):
            one = light[..., c]
            if self._encoded is not None:
                root = np.sqrt(np.clip(one, 0, 1)) * np.float32(_STEPS - 1) + np.float32(0.5)
                out[..., c] = self._encoded[c % len(self._light)][root.astype(np.int32)]
            else:
                out[..., c] = np.interp(one, self._light[c % len(self._light)], self._samples)
            beyond = (one < 0) | (one > 1)
            out[..., c][beyond] = one[beyond] * self._maximum
        return out


def curve_of(info: Mapping[str, Any], maximum: int) -> Curve:
    """Return the curve of a picture: its profile's, else its gamma's, else that of sRGB.

    Parameters
    ----------
    info : mapping
        Metadata with Pillow's keys `icc_profile`, `srgb` and `gamma`.
    maximum : int
        The largest sample, 255 or 65535.
    """
    samples = np.linspace(0, 1, _STEPS)
    profile = info.get("icc_profile")
    light = profile_curves(profile, samples) if profile else None
    if light is None and "srgb" not in info and info.get("gamma", 0) > 0 and not profile:
        light = [samples ** (1 / info["gamma"])]
    return Curve(light or [srgb(samples)], maximum)


def srgb(samples: Array) -> Array:
    """Convert samples in 0..1 to light in 0..1 by IEC 61966-2-1."""
    return np.where(samples <= 0.04045, samples / 12.92, ((samples + 0.055) / 1.055) ** 2.4)


def profile_curves(profile: bytes, samples: Array) -> list[Array] | None:
    """Read the tone curves of an ICC profile of RGB or grey (ICC.1:2022, 10.6 and 10.18).

    Parameters
    ----------
    profile : bytes
    samples : ndarray
        In 0..1, ascending.

    Returns
    -------
    list of ndarray, or None
        For each channel, the light of the samples. None where the profile has look-up tables instead, or is damaged.
    """
    tags = _profile_tags(profile)
    names = [b"kTRC"] if b"kTRC" in tags else [b"rTRC", b"gTRC", b"bTRC"]
    with np.errstate(all="ignore"):  # numbers that make no curve are refused below
        curves = [_tone_curve(tags.get(name, b""), samples) for name in names]
    # A curve that does not ascend from dark to light cannot be inverted.
    found = [c for c in curves if c is not None and np.isfinite(c).all() and (np.diff(c) >= 0).all() and c[0] < c[-1]]
    return found if len(found) == len(names) else None


def _profile_tags(profile: bytes) -> dict[bytes, bytes]:
    """Return the data of a profile's tags by their names; nothing where the table of tags is cut off."""
    if len(profile) < 132:
        return {}
    count = min(int.from_bytes(profile[128:132], "big"), 200)
    if len(profile) < 132 + 12 * count:
        return {}
    tags = {}
    for i in range(count):
        name, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * i)
        tags[name] = profile[offset : offset + size]
    return tags


def _tone_curve(tag: bytes, x: Array) -> Array | None:
    """Return the light of samples from 0 to 1 by a tone curve; None where it is cut off, or of another kind."""
    if tag[:4] == b"curv" and len(tag) >= 12:
        count = int.from_bytes(tag[8:12], "big")
        if len(tag) < 12 + 2 * count:
            return None
        table = np.frombuffer(tag, ">u2", count, 12)
        if count == 0:
            return x
        if count == 1:
            return np.asarray(x ** (table[0] / 256))
        return np.interp(x, np.linspace(0, 1, count), table / 65535)
    if tag[:4] != b"para" or len(tag) < 10:
        return None
    kind = int.from_bytes(tag[8:10], "big")
    number = (1, 3, 4, 5, 7)[min(kind, 4)]
    if len(tag) < 12 + 4 * number:
        return None
    parameters = np.zeros(7)
    parameters[:number] = np.frombuffer(tag, ">i4", number, 12) / 65536
    g, a, b, c, d, e, f = parameters
    if kind == 0:
        return np.asarray(x**g)
    power = np.maximum(a * x + b, 0) ** g
    if kind in (1, 2):
        return np.where(x >= -b / a, power + c, c)
    return np.where(x >= d, power + e, c * x + f)

"""FFmpeg's pixel formats: the planar ones that are enlarged, and which of them stores the samples of each other one exactly."""

import re

from upscale.errors import ArgumentError
from upscale.video.layout import Layout, cosited

#: Formats that are packed or have other names, with a planar one of the same samples.
_SAME = {
    "nv12": "yuv420p", "nv21": "yuv420p", "nv16": "yuv422p", "nv24": "yuv444p", "p010le": "yuv420p10le", "yuyv422": "yuv422p",
    "uyvy422": "yuv422p", "yuvj420p": "yuv420p", "yuvj422p": "yuv422p", "yuvj444p": "yuv444p", "rgb24": "gbrp", "bgr24": "gbrp",
    "bgr0": "gbrp", "rgb0": "gbrp", "0rgb": "gbrp", "0bgr": "gbrp", "rgba": "gbrap", "bgra": "gbrap", "argb": "gbrap",
    "abgr": "gbrap", "rgb48le": "gbrp16le", "rgba64le": "gbrap16le", "pal8": "gbrap",
}  # fmt: skip
_PLANAR = re.compile(r"(?:(yuva?)(420|422|444|411)p|(gbra?p)|(gray))(?:(9|10|12|14|16)le)?")
_SUBSAMPLING = {"420": (2, 2), "422": (1, 2), "411": (1, 4), "444": (1, 1)}


def planar(name: str) -> str:
    """Return the planar format with the samples of a pixel format.

    Raises
    ------
    ArgumentError
        Where there is none that can be enlarged.
    """
    found = _SAME.get(name, name)
    if _PLANAR.fullmatch(found) is None:
        raise ArgumentError(f"has the pixel format {name}, which is not supported; convert it with ffmpeg first")
    return found


def layout_of(name: str, size: tuple[int, int], *, centred: bool) -> Layout:
    """Describe the frames of a planar format.

    Parameters
    ----------
    name : str
        Of `planar`.
    size : (int, int)
        Height and width.
    centred : bool
        Whether chroma lies in the middle of 2 x 2 luma pixels, as in JPEG, and not on the left, as in most video.
    """
    found = _PLANAR.fullmatch(name)
    assert found is not None
    alpha = bool(found[1] == "yuva" or found[3] == "gbrap")
    subsampling = _SUBSAMPLING.get(found[2] or "444", (1, 1))
    siting = (0.0, 0.0) if centred else (0.0, cosited(subsampling[1]))
    return Layout(size, 1 if found[4] else 3 + alpha, int(found[5] or 8), subsampling, siting)


def with_full_chroma(name: str) -> str:
    """Return the planar format with chroma as large as luma."""
    return re.sub("420|422|411", "444", name)


def is_rgb(name: str) -> bool:
    """Return whether a planar format stores green, blue and red."""
    return name.startswith("gbr")

"""Other tools for the same job: functions in this process, and commands. Those that are not installed are skipped."""

import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

PILLOW = (
    "import sys; from PIL import Image; Image.MAX_IMAGE_PIXELS = None; a = Image.open(sys.argv[1]); f = int(sys.argv[3]);"
    "a.resize((a.width * f, a.height * f), Image.Resampling[sys.argv[4]]).save(sys.argv[2], **eval(sys.argv[5]))"
)


def functions(picture: np.ndarray, factor: int, preset: str | None) -> dict[str, Callable[[], Any]]:
    """Make functions that enlarge (H, W, 3) bytes: nearest where there is no preset, else bilinear or bicubic.

    SciPy and scikit-image have splines where others have a cubic convolution; torch clips nothing and works on floats.
    """
    import upscale

    height, width = picture.shape[0] * factor, picture.shape[1] * factor
    out = np.empty((height, width, 3), np.uint8)
    made: dict[str, Callable[[], Any]] = {
        "upscale": lambda: (
            upscale.unpool_nearest(picture, factor, out=out)
            if preset is None
            else upscale.enlarge(picture, factor, method="tconv", kernel=preset, out=out)
        )
    }
    if find_spec("cv2"):
        import cv2

        theirs = np.empty_like(out)
        flag = {None: cv2.INTER_NEAREST, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}[preset]
        made["OpenCV"] = lambda: cv2.resize(picture, (width, height), dst=theirs, interpolation=flag)
    from PIL import Image

    image, resample = Image.fromarray(picture), Image.Resampling[(preset or "nearest").upper()]
    made["Pillow"] = lambda: image.resize((width, height), resample)
    if find_spec("torch"):
        import torch
        import torch.nn.functional as F

        tensor = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))[None].float()
        options = {} if preset is None else {"align_corners": False}
        made["torch"] = lambda: F.interpolate(tensor, scale_factor=factor, mode=preset or "nearest", **options)
    if find_spec("skimage"):
        from skimage.transform import resize

        order = {None: 0, "bilinear": 1, "bicubic": 3}[preset]
        made["scikit-image"] = lambda: resize(picture, (height, width), order=order, preserve_range=True, anti_aliasing=False)
    if find_spec("scipy"):
        from scipy import ndimage

        spline = {None: 0, "bilinear": 1, "bicubic": 3}[preset]
        made["SciPy"] = lambda: ndimage.zoom(picture, (factor, factor, 1), order=spline, grid_mode=True, mode="nearest")
    return made


def commands(source: str, out: str, factor: int, method: str) -> dict[str, list[str]]:
    """Give the commands that a user could run instead of ours, nearest or bicubic, from file to PNG."""
    nearest = method == "nn"
    resample = "NEAREST" if nearest else "BICUBIC"
    found = {
        "Pillow, default": [sys.executable, "-c", PILLOW, source, out, str(factor), resample, "{}"],
        "Pillow, run-length": [
            *[sys.executable, "-c", PILLOW, source, out, str(factor), resample],
            "dict(compress_level=1, compress_type=3)",
        ],
    }
    magick = shutil.which("magick") or shutil.which("convert")
    if magick:
        how = ["-scale"] if nearest else ["-filter", "catrom", "-resize"]
        found["ImageMagick"] = [magick, source, *how, f"{factor}00%", out]
    if shutil.which("gm"):
        how = ["-sample"] if nearest else ["-filter", "Catrom", "-resize"]
        found["GraphicsMagick"] = ["gm", "convert", source, *how, f"{factor}00%", out]
    if shutil.which("vips"):
        zoom = ["zoom", source, out, str(factor), str(factor)]
        found["vips"] = ["vips", *(zoom if nearest else ["resize", source, out, str(factor), "--kernel", "cubic"])]
    if shutil.which("ffmpeg"):
        scale = f"scale=iw*{factor}:ih*{factor}:flags={'neighbor' if nearest else 'bicubic'}"
        found["ffmpeg"] = ["ffmpeg", "-loglevel", "error", "-y", "-i", source, "-vf", scale, out]
    return found


def decoders(source: str) -> dict[str, list[str]]:
    """Make commands that do nothing but start and decode a picture, on one thread."""
    made = {
        "decode by Pillow": "import numpy, sys; from PIL import Image; Image.MAX_IMAGE_PIXELS = None;"
        "numpy.asarray(Image.open(sys.argv[1]))",
        "decode by imagecodecs": "import imagecodecs, sys; imagecodecs.png_decode(open(sys.argv[1], 'rb').read())",
    }
    if find_spec("cv2"):
        made["decode by OpenCV"] = "import cv2, sys; cv2.setNumThreads(1); assert cv2.imread(sys.argv[1], -1) is not None"
    jobs = {name: [sys.executable, "-c", code, source] for name, code in made.items()}
    if shutil.which("vips"):
        jobs["decode by vips"] = ["vips", "--vips-concurrency=1", "avg", source]
    return jobs

"""What a picture's file says besides its samples, and how each format is told to keep it."""

from collections.abc import Mapping
from typing import Any

from PIL import Image, PngImagePlugin

#: EXIF tag of how the picture is to be turned.
ORIENTATION = 0x0112
#: Keys of Pillow's `info` that are kept where the output format holds them.
_KEPT = ("icc_profile", "dpi", "comment", "transparency", "xmp", "gamma", "chromaticity", "srgb")
#: TIFF tags that describe the picture and not how its file is laid out: description, maker, model, software, date, artist,
#: host, copyright.
_DESCRIPTIVE = (270, 271, 272, 305, 306, 315, 316, 33432)
#: TIFF compressions that lose nothing and that Pillow writes for any mode.
_LOSSLESS_TIFF = ("raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits")


def read(image: Image.Image, upright: Image.Image) -> dict[str, Any]:
    """Collect the metadata of a loaded image, and what Pillow corrected of them when it turned the image upright.

    Returns
    -------
    dict
        Pillow's own keys; `exif` as bytes without orientation, `text` as a dict of PNG texts, `compression` of a TIFF.
    """
    info = {k: image.info[k] for k in _KEPT if image.info.get(k) is not None}
    exif = image.getexif()
    if image.format == "TIFF":  # here it is the file's own directory
        for tag in [t for t in exif if t not in _DESCRIPTIVE]:
            del exif[tag]
        if image.info.get("compression") in _LOSSLESS_TIFF:
            info["compression"] = image.info["compression"]
    exif.pop(ORIENTATION, None)
    if len(exif):
        info["exif"] = exif.tobytes()
    text = getattr(image, "text", None)
    if text:
        info["text"] = {k: upright.info.get(k, v) for k, v in text.items()}
    if "xmp" in info:
        info["xmp"] = upright.info.get("xmp", info["xmp"])
    return info


def save_options(target: str, info: Mapping[str, Any]) -> dict[str, Any]:
    """Choose the arguments of `Image.save` that keep metadata and lose no sample.

    Parameters
    ----------
    target : str
        Pillow's name of the output format.
    info : dict
        As `read` gives it.
    """
    keep = {"PNG": ("icc_profile", "dpi", "exif"), "JPEG": ("icc_profile", "dpi", "exif", "comment", "xmp"),
            "WEBP": ("icc_profile", "exif", "xmp"), "TIFF": ("icc_profile", "dpi", "exif"), "GIF": ("comment",),
            "BMP": ("dpi",)}.get(target, ())  # fmt: skip
    options = {k: info[k] for k in keep if k in info}
    if target == "PNG":
        options |= {"pnginfo": _png_chunks(info), "compress_level": 1, "compress_type": 3}
    elif target == "JPEG":
        options |= {"quality": 92, "subsampling": 0}
    elif target == "WEBP":
        options |= {"lossless": True, "exact": True}
    elif target == "TIFF":
        # Pillow writes nested EXIF directories only where it lays out the file itself, without libtiff.
        options["compression"] = "raw" if "exif" in info else info.get("compression", "tiff_adobe_deflate")
    elif target == "GIF" and "transparency" in info:
        options["transparency"] = info["transparency"]
    return options


def _png_chunks(info: Mapping[str, Any]) -> PngImagePlugin.PngInfo:
    chunks = PngImagePlugin.PngInfo()
    if "gamma" in info:
        chunks.add(b"gAMA", round(info["gamma"] * 100000).to_bytes(4, "big"))
    if "chromaticity" in info:
        chunks.add(b"cHRM", b"".join(round(v * 100000).to_bytes(4, "big") for v in info["chromaticity"]))
    if "srgb" in info:
        chunks.add(b"sRGB", bytes([info["srgb"]]))
    for key, value in info.get("text", {}).items():
        if isinstance(value, PngImagePlugin.iTXt):
            chunks.add_itxt(key, value, value.lang or "", value.tkey or "")
        else:
            chunks.add_text(key, value)
    if "xmp" in info and "XML:com.adobe.xmp" not in info.get("text", {}):
        chunks.add_itxt("XML:com.adobe.xmp", info["xmp"].decode("utf-8", "replace"))
    return chunks

"""Metadata, what a file says besides its samples: collected, corrected, and reduced to what a format supports."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from upscale.pictures import user_comment
from upscale.pictures.formats import METADATA, Format
from upscale.pictures.gain_map import without_gain_map
from upscale.pictures.motion_photo import without_video
from upscale.pictures.picture import Picture
from upscale.pictures.png.png_format import COLOUR_CHUNKS
from upscale.pictures.xmp_parts import without_extension

if TYPE_CHECKING:
    from PIL import Image

#: x and y of white, red, green and blue (IEC 61966-2-1).
_SRGB = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)

Note = Callable[[str], None]

#: Tags that only TIFF has, and what users call them.
_TIFF_TAGS = {"IPTC": {33723}, "GeoTIFF keys": {33922, 34735, 34736, 34737}, "page name or number": {285, 297}}


def of_image(image: "Image.Image") -> dict[str, Any]:
    """Collect the metadata of an image that Pillow opened, with the keys of `formats.METADATA`."""
    info = {k: image.info[k] for k in ("icc_profile", "dpi", "comment", "xmp", "gamma", "transparency") if image.info.get(k)}
    if image.info.get("transparency") == 0:
        info["transparency"] = 0
    if isinstance(info.get("comment"), str):
        info["comment"] = info["comment"].encode()
    if "dpi" in info and not all(math.isfinite(v) and v >= 0 for v in info["dpi"]):
        del info["dpi"]
    exif = image.info.get("exif")
    if isinstance(exif, bytes) and len(exif) > 6:
        info["exif"] = b"Exif\0\0" + exif.removeprefix(b"Exif\0\0")
    if not isinstance(info.get("xmp", b""), bytes):
        del info["xmp"]
    return info


def update_for_enlargement(picture: Picture, size: tuple[int, int], upright: bool, note: Note) -> Picture:
    """Update the metadata that an enlarged picture changes: size, orientation, pixels per unit of length, gain maps.

    Parameters
    ----------
    picture : Picture
    size : (int, int)
        Height and width of the result.
    upright : bool
        Whether the picture was turned upright by its orientation.
    note : callable
        Called with a line for what is left out.
    """
    changes: dict[str, Any] = {}
    own = picture.info.get("tiff", {})
    if "density" in own:  # pixels in a unit of length, of which an enlarged picture has more
        factors = (n / m for n, m in zip(size[::-1], picture.samples.shape[1::-1], strict=True))
        changes["tiff"] = {**own, "resolution": tuple(v * f for v, f in zip(own["density"], factors, strict=True))}
    if "xmp" in picture.info and (xmp := without_gain_map(picture.info["xmp"])) is not None:
        note("its gain map for HDR screens was dropped")
        picture = picture.with_info(xmp=xmp)
    if "xmp" in picture.info:
        picture = picture.with_info(xmp=without_extension(without_video(picture.info["xmp"])))
    if "exif" not in picture.info and not upright:
        return picture.with_info(**changes)
    from upscale.pictures import exif
    from upscale.pictures.orientation import upright_xmp

    if "exif" in picture.info:
        changes["exif"] = exif.update_exif(picture.info["exif"], size[::-1], upright, note)
    if upright:
        changes["turned"] = True
        if "xmp" in picture.info:
            changes["xmp"] = upright_xmp(picture.info["xmp"])
    return picture.with_info(**changes)


def stripped(picture: Picture) -> Picture:
    """Remove all metadata but those that define how the colours look."""
    info = {k: v for k, v in picture.info.items() if k not in METADATA or k in ("icc_profile", "gamma", "chromaticity")}
    if "chunks" in info:
        info["chunks"] = tuple(c for c in info["chunks"] if c[0] in COLOUR_CHUNKS)
    if "tiff" in info:
        info["tiff"] = {k: v for k, v in info["tiff"].items() if k != "tags"}
    return picture._replace(info=info)


def _is_srgb(info: dict[str, Any]) -> bool:
    """Return whether the curve and the primaries that a file declares, if any, are those of sRGB."""
    primaries = info.get("chromaticity", _SRGB)
    near = abs(info.get("gamma", 0.45455) - 0.45455) < 0.01
    return "srgb" in info or (near and all(abs(v - w) < 0.002 for v, w in zip(primaries, _SRGB, strict=True)))


def keep_supported(picture: Picture, target: Format, note: Note) -> Picture:
    """Keep the metadata that a format supports, under the names that it uses, and note in one line what is left out."""
    info = dict(picture.info)
    text, comment = info.get("text", {}), info.get("comment")
    if "comment" in target.metadata and comment is None and "Comment" in text and "text" not in target.metadata:
        info["comment"] = text["Comment"].encode()
        text = {k: v for k, v in text.items() if k != "Comment"}
        info["text"] = text
    if user_comment.KEY in text and "text" not in target.metadata and "exif" in target.metadata:
        commented = user_comment.with_user_comment(info.get("exif"), text[user_comment.KEY])
        if commented is not None:
            info["exif"], text = commented, {k: v for k, v in text.items() if k != user_comment.KEY}
            info["text"] = text
    if not text:
        info.pop("text", None)
    lost = [k for k in METADATA if k in info and k not in target.metadata]
    # A curve and primaries that are those of sRGB are the default, so leaving them out changes nothing.
    usual = _is_srgb(info)
    names = [METADATA[k] for k in lost if not (usual and k in ("gamma", "chromaticity"))]
    if target.pillow != "TIFF" and (codes := {tag[0] for tag in info.get("tiff", {}).get("tags", ())}):
        named = [name for name, its_codes in _TIFF_TAGS.items() if codes & its_codes]
        names += named + ["other TIFF tags"] * bool(codes.difference(*_TIFF_TAGS.values()))
    if names:
        note(f"metadata dropped, because {target.name} cannot store it: {', '.join(names)}")
    return picture._replace(info={k: v for k, v in info.items() if k not in lost})

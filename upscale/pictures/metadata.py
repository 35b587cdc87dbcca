"""What a picture's file says besides its samples: what stays true, and what each format holds."""

import struct
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from upscale.pictures.formats import METADATA, Format
from upscale.pictures.picture import Picture
from upscale.pictures.write_options import Output

if TYPE_CHECKING:
    from PIL import Image

Info = Mapping[str, Any]
Chunk = tuple[bytes, bytes]
Note = Callable[[str], None]

#: PNG chunks of colour, which stand before the palette.
_COLOUR_CHUNKS = (b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"mDCv", b"cLLi")
#: PNG chunks that are only true of the colour model and depth that they were written for.
_OF_MODEL: tuple[bytes, ...] = (b"sBIT", b"bKGD", b"hIST", b"PLTE")
#: PNG chunks that are only true of the very values that samples had.
_OF_VALUES: tuple[bytes, ...] = (b"sBIT", b"hIST")
_XMP_KEY = "XML:com.adobe.xmp"
#: Bytes that fit into one segment of a JPEG file.
_LONGEST_JPEG = {"exif": 65533, "xmp": 65504, "comment": 65533}


def of_image(image: "Image.Image") -> dict[str, Any]:
    """Collect the metadata of an image that Pillow opened, with the keys of `formats.METADATA`."""
    info = {k: image.info[k] for k in ("icc_profile", "dpi", "comment", "xmp", "gamma", "transparency") if image.info.get(k)}
    if image.info.get("transparency") == 0:
        info["transparency"] = 0
    if isinstance(info.get("comment"), str):
        info["comment"] = info["comment"].encode()
    exif = image.info.get("exif")
    if isinstance(exif, bytes) and len(exif) > 6:
        info["exif"] = b"Exif\0\0" + exif.removeprefix(b"Exif\0\0")
    if not isinstance(info.get("xmp", b""), bytes):
        del info["xmp"]
    return info


def made_true(picture: Picture, size: tuple[int, int], upright: bool, note: Note) -> Picture:
    """Correct what metadata say of size and orientation.

    Parameters
    ----------
    picture : Picture
    size : (int, int)
        Height and width of the result.
    upright : bool
        Whether the picture was turned as its orientation asked.
    note : callable
        Called with a line for what had to be left out.
    """
    if "exif" not in picture.info and not upright:
        return picture
    from upscale.pictures import exif
    from upscale.pictures.orientation import upright_xmp

    changes: dict[str, Any] = {}
    if "exif" in picture.info:
        changes["exif"] = exif.fitted(picture.info["exif"], size[::-1], upright, note)
    if upright:
        changes["turned"] = True
        if "xmp" in picture.info:
            changes["xmp"] = upright_xmp(picture.info["xmp"])
    return picture.with_info(**changes)


def stripped(picture: Picture) -> Picture:
    """Take away all that colours do not need to look as they did."""
    info = {k: v for k, v in picture.info.items() if k not in METADATA or k in ("icc_profile", "gamma", "chromaticity")}
    if "chunks" in info:
        info["chunks"] = tuple(c for c in info["chunks"] if c[0] in _COLOUR_CHUNKS)
    if "tiff" in info:
        info["tiff"] = {k: v for k, v in info["tiff"].items() if k != "tags"}
    return picture._replace(info=info)


def held(picture: Picture, target: Format, note: Note) -> Picture:
    """Keep the metadata that a format holds, in its own terms, and say on one line what it does not hold."""
    info = dict(picture.info)
    text, comment = info.get("text", {}), info.get("comment")
    if "comment" in target.holds and comment is None and "Comment" in text and "text" not in target.holds:
        info["comment"] = text["Comment"].encode()
        text = {k: v for k, v in text.items() if k != "Comment"}
        info["text"] = text
    if not text:
        info.pop("text", None)
    # Of a curve and of primaries that are taken for granted, nothing is lost.
    usual = "srgb" in info or abs(info.get("gamma", 0.45455) - 0.45455) < 0.01
    lost = [k for k in METADATA if k in info and k not in target.holds]
    names = [METADATA[k] for k in lost if not (usual and k in ("gamma", "chromaticity"))]
    if names:
        note(f"{target.name} does not hold its {', '.join(names)}, left out")
    return picture._replace(info={k: v for k, v in info.items() if k not in lost})


def png_chunks(info: Info, model: tuple[str, int], smooth: bool) -> tuple[list[Chunk], list[Chunk]]:
    """Make PNG's chunks of metadata.

    Parameters
    ----------
    info : mapping
        Where `chunks` are in it, a PNG file's own, they are taken as they are.
    model : (str, int)
        Colour model and depth of what is written.
    smooth : bool
        Whether samples were mixed, so that what was said of their values is no longer true.

    Returns
    -------
    (list, list)
        The chunks before the palette and those after it, each as kind and data.
    """
    if "chunks" in info:
        untrue = _OF_VALUES if smooth else ()
        untrue += () if info.get("model") == model else _OF_MODEL
        chunks = [c for c in info["chunks"] if c[0] not in untrue]
        if info.get("turned"):
            chunks = [c for c in chunks if c[0] != b"pHYs" and not _is_turned_text(c)]
            chunks += _made({k: info[k] for k in ("dpi", "xmp") if k in info})
        elif "exif" in info and any(c[0] in (b"tEXt", b"zTXt") and c[1].startswith(b"Raw profile type exif") for c in chunks):
            return _in_order(chunks)  # that is the EXIF
    else:
        chunks = _made(info)
    if "exif" in info:
        chunks.append((b"eXIf", info["exif"].removeprefix(b"Exif\0\0")))
    return _in_order(chunks)


def _in_order(chunks: list[Chunk]) -> tuple[list[Chunk], list[Chunk]]:
    return [c for c in chunks if c[0] in _COLOUR_CHUNKS], [c for c in chunks if c[0] not in _COLOUR_CHUNKS]


def _is_turned_text(chunk: Chunk) -> bool:
    """Say whether a text speaks of the orientation that the picture had."""
    return chunk[0] in (b"tEXt", b"zTXt", b"iTXt") and chunk[1].startswith((_XMP_KEY.encode(), b"Raw profile type "))


def _made(info: Info) -> list[Chunk]:
    chunks = []
    if "gamma" in info:
        chunks.append((b"gAMA", round(info["gamma"] * 100000).to_bytes(4, "big")))
    if "chromaticity" in info:
        chunks.append((b"cHRM", struct.pack(">8I", *(round(v * 100000) for v in info["chromaticity"]))))
    if "icc_profile" in info:
        chunks.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(info["icc_profile"])))
    elif "srgb" in info:
        chunks.append((b"sRGB", bytes([info["srgb"]])))
    if "dpi" in info:
        chunks.append((b"pHYs", struct.pack(">IIB", *(min(round(float(v) / 0.0254), (1 << 31) - 1) for v in info["dpi"]), 1)))
    texts = dict(info.get("text", {}))
    if "comment" in info:
        texts["Comment"] = info["comment"].decode("utf-8", "replace")
    for key, text in texts.items():
        try:
            chunks.append((b"tEXt", key.encode("latin-1") + b"\0" + text.encode("latin-1")))
        except UnicodeEncodeError:
            chunks.append((b"iTXt", key.encode("latin-1", "replace") + b"\0\0\0\0\0" + text.encode()))
    if "xmp" in info:
        chunks.append((b"iTXt", _XMP_KEY.encode() + b"\0\0\0\0\0" + info["xmp"]))
    return chunks


def save_options(target: str, picture: Picture, output: Output) -> dict[str, Any]:
    """Choose the arguments of `Image.save` that keep metadata and lose no more than is asked for.

    Parameters
    ----------
    target : str
        Pillow's name of the output format.
    picture : Picture
    output : Output
    """
    info = picture.info
    options: dict[str, Any] = {}
    if target == "JPEG":
        options = {k: info[k] for k in ("icc_profile", "dpi", "exif", "comment", "xmp") if k in info}
        for key, longest in _LONGEST_JPEG.items():
            if len(options.get(key, b"")) > longest:
                output.note(f"JPEG holds at most {longest} bytes of {METADATA[key]}, left out")
                del options[key]
        if "dpi" in options:
            rounded = tuple(round(float(v)) for v in options["dpi"])
            if not 1 <= min(rounded) <= max(rounded) <= 65535:
                output.note("JPEG holds no such resolution, left out")
                del options["dpi"]
            else:
                options["dpi"] = rounded
        quality = 92 if output.quality is None else output.quality
        options |= {"quality": quality, "subsampling": 0}
    elif target in ("WEBP", "AVIF"):
        options = {k: info[k] for k in ("icc_profile", "exif", "xmp") if k in info}
        if target == "WEBP" and (output.lossless or output.quality is None):
            options |= {"lossless": True, "exact": True}
        elif target == "WEBP":
            options |= {"quality": output.quality, "exact": True, "method": 4}
        else:
            options |= {"quality": 90 if output.quality is None else output.quality, "subsampling": "4:4:4"}
            options["max_threads"] = output.threads
    elif target == "BMP":
        options = {k: info[k] for k in ("dpi",) if k in info}
    return options

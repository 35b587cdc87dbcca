"""What the picture formats support: one table from suffix to format. It imports little, so that usage errors come at once."""

import os
import re
from typing import Any, NamedTuple

from upscale.errors import ArgumentError

#: Modes, Pillow's and those of more than 8 bits a sample that it lacks: colour model and dtype of the samples.
MODES: dict[str, tuple[str, str]] = {
    **{m: (m, "uint8") for m in ("L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV")},
    "1": ("1", "bool"),
    "I;16": ("L", "uint16"),
    "I": ("L", "int32"),
    "F": ("L", "float32"),
    **{f"{m};16": (m, "uint16") for m in ("LA", "RGB", "RGBA", "CMYK", "LAB")},
    **{f"{m};F": (m, "float32") for m in ("LA", "RGB", "RGBA")},
}
_BY_SAMPLES = {value: mode for mode, value in MODES.items()}


def base_of(mode: str) -> str:
    """Return a mode's colour model, which is the name of its mode of 8 bits."""
    return MODES[mode][0] if mode in MODES else mode


def mode_of(base: str, dtype: Any) -> str | None:
    """Return the mode of a colour model with samples of a dtype, None where there is none."""
    return _BY_SAMPLES.get((base, str(dtype)))


class Format(NamedTuple):
    """A kind of file that can be written.

    Attributes
    ----------
    name : str
        What users call it.
    pillow : str
        What Pillow calls it, or NPY.
    modes : tuple of str
        Modes that it stores as they are.
    longest : int
        Its largest height or width, in pixels.
    several : str
        Which kind of several pictures it stores: "animation", "pages", "sizes" of an icon, or "" for none.
    metadata : tuple of str
        Which of `METADATA` it supports.
    palette_only : bool
        Colour pictures are reduced to a palette.
    any_channels : bool
        It stores any number of channels, of most dtypes, and colours multiplied by alpha.
    colour_key : bool
        A transparent colour stays one, instead of an alpha channel.
    streamed : bool
        Its writer takes bands of rows (`add_bands`), so that the output is never in memory as a whole.
    blocks : bool
        `add_bands` also takes the samples of a nearest-neighbour enlargement, and how large a block each of them becomes.
    one_mode : bool
        All frames of an animation have the same mode.
    cover : bool
        An animation may have a picture that is not a frame (`add_cover`).
    kept_until_end : bool
        All frames stay in memory until the last one has been added.
    video : bool
        It stores frames of video, and no pictures.
    """

    name: str
    pillow: str
    modes: tuple[str, ...]
    longest: int
    several: str = ""
    metadata: tuple[str, ...] = ()
    palette_only: bool = False
    any_channels: bool = False
    colour_key: bool = False
    streamed: bool = False
    blocks: bool = False
    one_mode: bool = False
    cover: bool = False
    kept_until_end: bool = False
    video: bool = False


#: Metadata of files, by the keys of `Picture.info`, and what users call them.
METADATA = {
    "icc_profile": "colour profile",
    "exif": "EXIF",
    "xmp": "XMP",
    "dpi": "resolution",
    "text": "texts",
    "comment": "comment",
    "gamma": "gamma",
    "chromaticity": "chromaticities",
    "photoshop": "IPTC and Photoshop data",
    "exr": "OpenEXR attributes",
    "radiance": "lines of the Radiance header",
}
_SIDE = 2**31 - 1
_DEEP = ("I;16", "LA;16", "RGB;16", "RGBA;16")
_PNG = Format(
    "PNG",
    "PNG",
    ("1", "L", "LA", "P", "RGB", "RGBA", *_DEEP),
    _SIDE,
    "animation",
    tuple(key for key in METADATA if key not in ("photoshop", "exr", "radiance")),
    colour_key=True,
    streamed=True,
    blocks=True,
    one_mode=True,
    cover=True,
)
_TIFF_MODES = tuple(m for m in MODES if m not in ("PA", "HSV", "YCbCr"))
_TIFF = Format(
    "TIFF", "TIFF", _TIFF_MODES, _SIDE, "pages", ("icc_profile", "exif", "xmp", "dpi", "photoshop"), any_channels=True
)
_JPEG = Format(
    "JPEG",
    "JPEG",
    ("L", "RGB", "CMYK"),
    65500,
    metadata=("icc_profile", "exif", "xmp", "dpi", "comment", "photoshop"),
    streamed=True,
)
_GIF = Format("GIF", "GIF", ("L", "P"), 65535, "animation", ("xmp", "comment"), palette_only=True)
_WEBP = Format("WebP", "WEBP", ("RGB", "RGBA"), 16383, "animation", ("icc_profile", "exif", "xmp"), kept_until_end=True)
_AVIF = Format("AVIF", "AVIF", ("RGB", "RGBA"), 65535, "animation", ("icc_profile", "exif", "xmp"), kept_until_end=True)
_BMP = Format("BMP", "BMP", ("1", "L", "P", "RGB", "RGBA"), _SIDE, metadata=("dpi",))
_ICO = Format("ICO", "ICO", ("1", "L", "LA", "P", "RGB", "RGBA"), 256, "sizes", kept_until_end=True)
_TGA = Format("TGA", "TGA", ("L", "LA", "P", "RGB", "RGBA"), 65535)
_PNM = Format("PNM", "PPM", ("1", "L", "RGB", "I;16", "RGB;16"), _SIDE)
#: What Pillow calls PPM: PNM, and PFM.
_NETPBM = _PNM._replace(modes=(*_PNM.modes, "F", "RGB;F"))
_LOSSLESS_8 = ("L", "LA", "RGB", "RGBA")
_JP2 = Format("JPEG 2000", "JPEG2000", (*_LOSSLESS_8, *_DEEP), _SIDE, metadata=("icc_profile", "exif", "xmp", "dpi"))
_J2K = Format("JPEG 2000 codestream", "JPEG2000", _JP2.modes, _SIDE)
_QOI = Format("QOI", "QOI", ("RGB", "RGBA"), _SIDE)
_DDS = Format("DDS", "DDS", _LOSSLESS_8, _SIDE)
_JXL = Format(
    "JPEG XL",
    "JXL",
    (*_LOSSLESS_8, *_DEEP, "F", "LA;F", "RGB;F", "RGBA;F"),
    2**30,
    "animation",
    ("icc_profile", "exif", "xmp"),
    one_mode=True,
    kept_until_end=True,
)
_EXR = Format("OpenEXR", "EXR", ("F", "LA;F", "RGB;F", "RGBA;F"), _SIDE, metadata=("chromaticity", "exr"), any_channels=True)
_HDR = Format("Radiance HDR", "HDR", ("RGB;F",), 10**9 - 1, metadata=("chromaticity", "radiance"))
NPY = Format("NPY", "NPY", (), 2**62)

#: Suffixes of pictures that are written, and of arrays.
FORMATS: dict[str, Format] = {
    ".png": _PNG,
    ".apng": _PNG,
    ".gif": _GIF,
    ".webp": _WEBP,
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".avif": _AVIF,
    ".bmp": _BMP,
    ".ico": _ICO,
    ".tga": _TGA,
    ".jxl": _JXL,
    ".jp2": _JP2,
    ".j2k": _J2K,
    ".qoi": _QOI,
    ".dds": _DDS,
    ".exr": _EXR,
    ".hdr": _HDR,
    ".pbm": Format("PBM", "PPM", ("1",), _SIDE),
    ".pgm": Format("PGM", "PPM", ("L", "I;16"), _SIDE),
    ".ppm": Format("PPM", "PPM", ("RGB", "RGB;16"), _SIDE),
    ".pnm": _PNM,
    ".pfm": Format("PFM", "PPM", ("F", "RGB;F"), _SIDE),
    ".npy": NPY,
}

#: Suffixes of videos.
VIDEOS: dict[str, Format] = {
    ".y4m": Format("YUV4MPEG2", "Y4M", (), _SIDE, video=True),
    ".mp4": Format("MP4", "MP4", (), 16384, video=True),
    ".m4v": Format("MP4", "MP4", (), 16384, video=True),
    ".mov": Format("QuickTime", "MOV", (), 16384, video=True),
    ".mkv": Format("Matroska", "MKV", (), 65535, video=True),
    ".webm": Format("WebM", "WEBM", (), 16383, video=True),
}

#: Suffixes of all that is written.
WRITTEN = FORMATS | VIDEOS

#: Suffixes of pictures that are read only.
READ_ONLY = frozenset((
    ".avifs", ".blp", ".bw", ".cur", ".dcx", ".dib", ".fit", ".fits", ".flc", ".fli", ".ftc", ".ftu", ".gbr",
    ".heic", ".heics", ".heif", ".heifs", ".hif", ".icb", ".icns", ".im", ".j2c", ".jfif", ".jpc", ".jpe",
    ".jpf", ".jpx", ".mpo", ".msp", ".pcd", ".pcx", ".psd", ".pxr", ".ras", ".rgb", ".rgba", ".sgi", ".vda",
    ".vst", ".xbm", ".xpm",
))  # fmt: skip


#: A suffix that files of data have too; pictures with it are recognised by their first bytes.
_AMBIGUOUS = ".hdr"


def has_picture_suffix(path: str) -> bool:
    """Return whether a file has the suffix of a picture that can be read, of an array, or of a stream of frames."""
    suffix = os.path.splitext(path)[1].lower()
    return (suffix in FORMATS and suffix != _AMBIGUOUS) or suffix in READ_ONLY or suffix == ".y4m"


def begins_like_picture(head: bytes) -> bool:
    """Return whether the first 32 bytes of a file, or more, are those of a picture that can be read, or of an array."""
    return _SIGNATURE.match(head) is not None


def is_heif(head: bytes) -> bool:
    """Return whether the first 64 bytes of a file are those of HEIF or HEIC, and not of AVIF, which has the same boxes."""
    return _HEIF.match(head) is not None


_HEIF = re.compile(rb".{4}ftyp(?:hei[cmsx]|hev[cmsx]|m[is]f1(?!.{0,48}avi[fs]))", re.DOTALL)

#: How pictures begin that are recognised by their first bytes.
_SIGNATURE = re.compile(
    rb"\x89PNG\r\n\x1a\n|GIF8[79]a|\xff\xd8\xff|RIFF....WEBP|II\*\0|MM\0\*|II\+\0|MM\0\+|....ftyp(?:avi[fs]|hei[cmsx]|hev[cmsx]|m[is]f1)|BM....\0\0\0\0"
    rb"|\x93NUMPY|8BPS\0\x01|DDS \x7c|icns|\0\0[\1\2]\0[\1-\xff]\0|\0\0\0\x0cjP  \r\n\x87\n|\xffO\xffQ|qoif"
    rb"|\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n|v/1\x01|#\?R(?:ADIANCE|GBE)"
    rb"|P[1-6f][ \t\r\n]+[0-9#]|PF\s+[0-9]|\x01\xda[\0\1][\1\2]", re.DOTALL,
)  # fmt: skip

#: For each colour model, models that store the same picture exactly, the nearest first.
WIDER: dict[str, tuple[str, ...]] = {
    "1": ("L", "RGB", "LA", "RGBA"),
    "L": ("RGB", "LA", "RGBA"),
    "LA": ("RGBA",),
    "P": ("RGB", "RGBA"),
    "PA": ("RGBA",),
    "RGB": ("RGBA",),
}


def suffix_of(target: Format) -> str:
    """Return the usual suffix of a format."""
    return next(suffix for suffix, found in FORMATS.items() if found == target)


def of_suffix(suffix: str, what: str) -> Format:
    """Find the format of a suffix such as ".png".

    Parameters
    ----------
    suffix : str
        With its dot, in any case.
    what : str
        What has this suffix, for the error.

    Raises
    ------
    ArgumentError
        Where no format that can be written has this suffix.
    """
    try:
        return WRITTEN[suffix.lower()]
    except KeyError:
        raise ArgumentError(f"{what}: no format has the suffix {suffix!r}; use one of {' '.join(FORMATS)}") from None


def substitute(mode: str, kind: str, *, to_rgb: bool) -> Format:
    """Choose the format for the output of a file whose own format can only be read: PNG, or TIFF where PNG cannot store it.

    Parameters
    ----------
    mode, kind : str
        As of `picture.FileContents`.
    to_rgb : bool
        Whether other colour models are converted to RGB.
    """
    png = MODES.get(mode, ("", ""))[1] in ("bool", "uint8", "uint16") and (to_rgb or base_of(mode) in (*WIDER, "RGBA"))
    return _PNG if (png or mode.startswith("I;16")) and kind != "pages" else _TIFF


def of_name(name: str) -> Format | None:
    """Return the format that writes what was read as `name`, one of Pillow's names or NPY; None where there is none."""
    return next((f for f in (_NETPBM, *FORMATS.values()) if f.pillow == name), None)

"""Formats that cannot be read, by suffix and by their first bytes, and what to do with such a file instead.

A file of such a format fails and is named: a folder of camera RAW files must not become a folder of enlarged previews, nor be
skipped silently. The first bytes are those that the formats' specifications prescribe, or that their programs write.
"""

import os
import re
from typing import NamedTuple

from upscale.errors import ArgumentError
from upscale.pictures import formats

#: So many bytes at the beginning of a file are compared.
HEAD_BYTES = 132


class Unsupported(NamedTuple):
    """A format that cannot be read.

    Attributes
    ----------
    kind : str
        What such a file is, as "a camera RAW file".
    advice : str
        What the user can do.
    suffixes : tuple of str
        In lower case, with their dots.
    signature : bytes
        A pattern of the first bytes; empty where there is none.
    ignored_in_folders : bool
        Such a file is not a picture, and a folder with one in it is nothing unusual.
    """

    kind: str
    advice: str
    suffixes: tuple[str, ...]
    signature: bytes = b""
    ignored_in_folders: bool = False


_TO_PNG = "save it as PNG with the program that made it"
RAW = Unsupported(
    "a camera RAW file",
    "develop it first, for example with darktable or RawTherapee, and save a 16-bit TIFF",
    (
        *(
            ".3fr",
            ".ari",
            ".arw",
            ".bay",
            ".cap",
            ".cr2",
            ".cr3",
            ".crw",
            ".dcr",
            ".dng",
            ".erf",
            ".fff",
            ".gpr",
            ".iiq",
            ".k25",
        ),
        *(
            ".kdc",
            ".mdc",
            ".mef",
            ".mos",
            ".mrw",
            ".nef",
            ".nrw",
            ".orf",
            ".pef",
            ".ptx",
            ".pxn",
            ".r3d",
            ".raf",
            ".raw",
            ".rw2",
        ),
        *(".rwl", ".rwz", ".sr2", ".srf", ".srw", ".x3f"),
    ),
    rb"II\*\0.{4}CR|FUJIFILMCCD-RAW|IIR[OS]|MMOR|IIU\0|.{4}ftypcrx|\0MRM|FOVb|II\x1a\0\0\0HEAPCCDR",
)
#: Videos, which are read where their suffix says what they are; see `upscale.video`.
VIDEO = Unsupported(
    "a video",
    "give a file with the suffix of a video, such as .mp4, or pipe it through ffmpeg as docs/video.md describes",
    (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".wmv"),
    rb".{4}ftyp(?:isom|iso[2-9]|mp4[12]|qt  |M4V |avc1|3gp)|\x1aE\xdf\xa3|RIFF.{4}AVI ",
    ignored_in_folders=True,
)
_FORMATS: tuple[Unsupported, ...] = (
    RAW,
    Unsupported(
        "a JPEG XR picture", "convert it to TIFF first, for example with JxrDecApp", (".jxr", ".wdp", ".hdp"), rb"II\xbc"
    ),
    Unsupported("a JPEG-LS picture", "convert it to PNG first", (".jls",), rb"\xff\xd8\xff\xf7"),
    Unsupported("a DPX or Cineon picture", "convert it to TIFF first", (".dpx", ".cin"), rb"SDPX|XPDS|\x80\x2a\x5f\xd7"),
    Unsupported("a DICOM picture", "convert it to TIFF or .npy first", (".dcm", ".dicom"), rb".{128}DICM"),
    Unsupported(
        "an SVG drawing",
        "render it at the size that you want, for example with rsvg-convert or Inkscape",
        (".svg", ".svgz"),
        rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.{0,100}?-->\s*)?(?:<!DOCTYPE svg|<svg)",
    ),
    Unsupported("a PDF document", "render its pages first, for example with pdftoppm -png", (".pdf", ".ai"), rb"%PDF-"),
    Unsupported(
        "a PostScript document",
        "render it first, for example with Ghostscript",
        (".ps", ".eps", ".epsf", ".epsi"),
        rb"%!PS|\xc5\xd0\xd3\xc6",
    ),
    Unsupported("a DjVu document", "convert its pages first, for example with ddjvu", (".djvu", ".djv"), rb"AT&TFORM"),
    Unsupported("a Windows metafile", _TO_PNG, (".wmf", ".emf"), rb"\xd7\xcd\xc6\x9a|\x01\0\0\0.{36} EMF"),
    Unsupported("a GIMP picture", "export it as PNG from GIMP", (".xcf",), rb"gimp xcf"),
    Unsupported(
        "a Krita or OpenRaster picture",
        "export it as PNG",
        (".kra", ".ora"),
        rb"PK\x03\x04.{26}mimetype(?:application/x-krita|image/openraster)",
    ),
    Unsupported(
        "an Aseprite sprite",
        "export it as PNG, for example with aseprite -b sprite.aseprite --save-as sprite.png",
        (".aseprite",),
        rb".{4}\xe0\xa5.{6}[\x08\x10\x20]\0",
    ),
    Unsupported("a large Photoshop picture (PSB)", "save it as TIFF", (".psb",), rb"8BPS\0\x02"),
    Unsupported(
        "a file of a painting program",
        _TO_PNG,
        (".clip", ".pdn", ".afphoto", ".procreate", ".sai", ".sai2", ".pspimage", ".cdr"),
        rb"CSFCHUNK|PDN3",
    ),
    Unsupported(
        "a compressed texture",
        "convert it to PNG first",
        (".ktx", ".ktx2", ".pvr", ".astc", ".basis", ".vtf", ".pkm"),
        rb"\xabKTX |\x13\xab\xa1\x5c|VTF\0|PVR\x03",
    ),
    Unsupported("an array of OS/2 bitmaps", _TO_PNG, (), rb"BA.{12}(?:BM|CI|CP|IC|PT)"),
    Unsupported("a PAM picture", "convert it to PNG first, for example with pamtopng", (".pam",), rb"P7\n"),
    Unsupported("an IFF ILBM picture", "convert it to PNG first", (".iff", ".lbm", ".ilbm"), rb"FORM.{4}(?:ILBM|PBM )"),
    Unsupported("an MNG or JNG picture", "convert it to PNG first", (".mng", ".jng"), rb"\x8a[MJ]NG\r\n|\x8bJNG\r\n"),
    Unsupported("a FLIF, BPG or WBMP picture", "convert it to PNG first", (".flif", ".bpg", ".wbmp"), rb"FLIF|BPG\xfb"),
    Unsupported(
        "a web page",
        "open it to see what went wrong with the download",
        (".html", ".htm", ".xhtml"),
        rb"(?i:\s*(?:<!doctype html|<html|<head|<body))",
        ignored_in_folders=True,
    ),
    VIDEO,
)
_BY_SUFFIX = {suffix: unsupported for unsupported in _FORMATS for suffix in unsupported.suffixes}


def find(name: str, head: bytes) -> Unsupported | None:
    """Find the format of a file that cannot be read.

    Parameters
    ----------
    name : str
        Its path.
    head : bytes
        Its first `HEAD_BYTES`, or as many as there are.

    Returns
    -------
    Unsupported or None
        None where neither its suffix nor its beginning is that of such a format.
    """
    by_suffix = _BY_SUFFIX.get(os.path.splitext(name)[1].lower())
    if by_suffix is not None:
        return by_suffix
    # Only RAW files also begin like a picture; to compile all patterns would take a tenth of the time of a small picture.
    candidates = _FORMATS
    if formats.begins_like_picture(head):
        candidates = (RAW,) if head[:2] in (b"II", b"MM") else ()
    return next((u for u in candidates if u.signature and re.match(u.signature, head, re.DOTALL)), None)


def message(unsupported: Unsupported) -> str:
    """Return what such a file is and what to do, for a text that begins with its name."""
    return f"is {unsupported.kind}, which upscale cannot read; {unsupported.advice}"


def check(name: str, head: bytes) -> None:
    """Check that a file may be read, as far as its name and its beginning show.

    Raises
    ------
    ArgumentError
        Where it is empty, or of a format that cannot be read.
    """
    if not head:
        raise ArgumentError("is empty; copy or download it again")
    unsupported = find(name, head)
    if unsupported is not None:
        raise ArgumentError(message(unsupported))

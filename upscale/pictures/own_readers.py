"""Formats that Pillow does not read, or reads in part or wrongly: which module of this package reads them."""

import re
from collections.abc import Callable
from importlib import import_module
from typing import BinaryIO

from upscale.pictures import formats
from upscale.pictures.picture import FileContents

Note = Callable[[str], None]

#: Modules by how a file begins. Each has a function `read(stream, note)`, which returns None for a file that Pillow reads
#: completely.
_BY_PREFIX = (
    (b"\xff\xd8\xff", "jpeg.deep_jpeg_reader"),
    (b"8BPS\0\x01", "photoshop.psd_reader"),
    (b"DDS \x7c\0\0\0", "textures.dds_reader"),
    (b"qoif", "qoi"),
    (b"\x59\xa6\x6a\x95", "sun_reader"),
    (b"BLP1", "textures.blp_reader"),
    (b"BLP2", "textures.blp_reader"),
    (b"SIMPLE", "fits"),
    (b"\xff\x0a", "jpeg_xl.jxl_reader"),
    (b"\0\0\0\x0cJXL ", "jpeg_xl.jxl_reader"),
    (b"v/1\1", "exr_format"),
    (b"#?RADIANCE", "radiance"),
    (b"#?RGBE", "radiance"),
)
_BY_PATTERN = (
    # BMP, and DIB, which has no file header: the header's size, and 1 plane.
    (re.compile(rb"BM|\x0c\0\0\0.{4}\x01\0|[\x10-\x7c]\0\0\0.{8}\x01\0", re.DOTALL), "bmp.bmp_reader"),
    # Icons and cursors, at least one.
    (re.compile(rb"\0\0[\x01\x02]\0(?!\0\0)", re.DOTALL), "icon_reader"),
    (re.compile(rb"PF\s"), "netpbm_reader"),
    # PCX: its version, its encoding and its bits; and DCX.
    (re.compile(rb"\n[\0\x02-\x05][\0\x01][\x01\x02\x04\x08]|\xb1\x68\xde\x3a"), "pcx_reader"),
)
#: How animations begin (FLI, FLC). A Targa file may begin in the same way, because it has no signature.
_ANIMATION = re.compile(rb".{4}[\x11\x12]\xaf", re.DOTALL)
#: The number of bytes that are compared.
_HEAD = 64


def read(stream: BinaryIO, note: Note) -> FileContents | None:
    """Read a file with the module of its format; None where there is none, or Pillow reads the file completely.

    Parameters
    ----------
    stream : binary file
        At its beginning, seekable; stays open until the last frame has been taken.
    note : callable
        Called with a line for what is lost.

    Raises
    ------
    ArgumentError
        Where the file is damaged or not supported.
    """
    head = stream.read(_HEAD)
    stream.seek(0)
    name = _module(head)
    if name is None:
        return None
    contents: FileContents | None = import_module(f"upscale.pictures.{name}").read(stream, note)
    if contents is None:
        stream.seek(0)
    return contents


def _module(head: bytes) -> str | None:
    """Choose the module by the first bytes of a file."""
    for prefix, name in _BY_PREFIX:
        if head.startswith(prefix):
            return name
    for pattern, name in _BY_PATTERN:
        if pattern.match(head):
            return name
    if formats.is_heif(head):
        return "heif_reader"
    return None if _ANIMATION.match(head) else "tga_reader"

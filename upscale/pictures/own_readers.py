"""Formats of which Pillow reads a part, or reads some wrongly: which module of this package takes their place."""

import re
from collections.abc import Callable
from typing import BinaryIO

from upscale.pictures.picture import FileContents

Note = Callable[[str], None]

#: How BMP files begin, and those without a file header (DIB): with the header's size, and 1 plane.
_BMP = re.compile(rb"BM|\x0c\0\0\0.{4}\x01\0|[\x10-\x7c]\0\0\0.{8}\x01\0", re.DOTALL)
_PSD = b"8BPS\0\x01"
_DDS = b"DDS \x7c\0\0\0"
#: A PCX file: its version, its encoding and its bits; and DCX.
_PCX = re.compile(rb"\n[\0\x02-\x05][\0\x01][\x01\x02\x04\x08]|\xb1\x68\xde\x3a")
#: How files begin that a Targa file might begin with too, which has no signature: icons and cursors, and animations (FLI, FLC).
_NO_TARGA = re.compile(rb"\0\0[\x01\x02]\0[^\0]\0|.{4}[\x11\x12]\xaf", re.DOTALL)
#: So many bytes are compared.
_HEAD = 32


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
    contents = None
    if _BMP.match(head):
        from upscale.pictures import bmp_reader

        contents = bmp_reader.read(stream, note)
    elif head.startswith(_DDS):
        from upscale.pictures import dds_reader

        contents = dds_reader.read(stream, note)
    elif head.startswith(_PSD):
        from upscale.pictures import psd_reader

        contents = psd_reader.read(stream, note)
    elif _PCX.match(head):
        from upscale.pictures import pcx_reader

        contents = pcx_reader.read(stream, note)
    elif not _NO_TARGA.match(head):
        from upscale.pictures import tga_reader

        header = tga_reader.header_of(head)
        contents = tga_reader.read(stream, header, note) if header else None
    if contents is None:
        stream.seek(0)
    return contents

"""Formats that Pillow does not read, or reads in part or wrongly: which module of this package reads them."""

import re
from collections.abc import Callable
from typing import BinaryIO

from upscale.pictures import formats
from upscale.pictures.picture import FileContents

Note = Callable[[str], None]

#: How BMP files begin, and those without a file header (DIB): with the header's size, and 1 plane.
_BMP = re.compile(rb"BM|\x0c\0\0\0.{4}\x01\0|[\x10-\x7c]\0\0\0.{8}\x01\0", re.DOTALL)
_JPEG, _QOI, _SUN = b"\xff\xd8\xff", b"qoif", b"\x59\xa6\x6a\x95"
#: Icons and cursors, of which the number is not 0.
_ICON = re.compile(rb"\0\0[\x01\x02]\0(?!\0\0)", re.DOTALL)
_PFM = re.compile(rb"PF\s")
_BLP = (b"BLP1", b"BLP2")
_PSD = b"8BPS\0\x01"
_DDS = b"DDS \x7c\0\0\0"
#: A PCX file: its version, its encoding and its bits; and DCX.
_PCX = re.compile(rb"\n[\0\x02-\x05][\0\x01][\x01\x02\x04\x08]|\xb1\x68\xde\x3a")
#: How animations begin (FLI, FLC); a Targa file might begin so too, for it has no signature.
_NO_TARGA = re.compile(rb".{4}[\x11\x12]\xaf", re.DOTALL)
_JPEG_XL = (b"\xff\x0a", b"\0\0\0\x0cJXL ")
_EXR, _RADIANCE, _FITS = b"v/1\1", (b"#?RADIANCE", b"#?RGBE"), b"SIMPLE"
#: So many bytes are compared.
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
    contents = _read(head, stream, note)
    if contents is None:
        stream.seek(0)
    return contents


def _read(head: bytes, stream: BinaryIO, note: Note) -> FileContents | None:
    if _BMP.match(head):
        from upscale.pictures import bmp_reader

        return bmp_reader.read(stream, note)
    if head.startswith(_JPEG):
        from upscale.pictures import deep_jpeg_reader

        return deep_jpeg_reader.read(stream)
    if head.startswith(_PSD):
        from upscale.pictures import psd_reader

        return psd_reader.read(stream, note)
    if head.startswith(_DDS):
        from upscale.pictures import dds_reader

        return dds_reader.read(stream, note)
    if head.startswith(_QOI):
        from upscale.pictures import qoi

        return qoi.read(stream)
    if head.startswith(_SUN):
        from upscale.pictures import sun_reader

        return sun_reader.read(stream)
    if head.startswith(_BLP):
        from upscale.pictures import blp_reader

        return blp_reader.read(stream)
    if _ICON.match(head):
        from upscale.pictures import icon_reader

        return icon_reader.read(stream, note)
    if _PFM.match(head):
        from upscale.pictures import netpbm_reader

        return netpbm_reader.read(stream)
    if _PCX.match(head):
        from upscale.pictures import pcx_reader

        return pcx_reader.read(stream, note)
    if head.startswith(_FITS):
        from upscale.pictures import fits

        return fits.read(stream, note)
    return _read_modern(head, stream, note) or (None if _NO_TARGA.match(head) else _read_targa(head, stream, note))


def _read_modern(head: bytes, stream: BinaryIO, note: Note) -> FileContents | None:
    """Read one of the formats that Pillow does not know."""
    if head.startswith(_JPEG_XL):
        from upscale.pictures import jxl_reader

        return jxl_reader.read(stream, note)
    if head.startswith(_EXR):
        from upscale.pictures import exr_format

        return exr_format.read(stream, note)
    if head.startswith(_RADIANCE):
        from upscale.pictures import radiance

        return radiance.read(stream)
    if formats.is_heif(head):
        from upscale.pictures import heif_reader

        return heif_reader.read(stream, note)
    return None


def _read_targa(head: bytes, stream: BinaryIO, note: Note) -> FileContents | None:
    from upscale.pictures import tga_reader

    header = tga_reader.header_of(head)
    return tga_reader.read(stream, header, note) if header else None

"""The writer for each format, and the errors of encoders as one line."""

import contextlib
from collections.abc import Iterator
from typing import BinaryIO

from upscale.errors import ArgumentError, FileError
from upscale.pictures.formats import NPY, Format
from upscale.pictures.write_options import WriteOptions, Writer


def make_writer(target: Format, file: BinaryIO, options: WriteOptions) -> Writer:
    """Make the writer of a format; the module of one format is imported when it is needed.

    Parameters
    ----------
    target : Format
    file : binary file
        Seekable; stays open.
    options : WriteOptions
    """
    if target == NPY:
        from upscale.pictures import npy

        return npy.Writer(file, options)
    if target.name == "PNG":
        from upscale.pictures.png import png_writer

        return png_writer.Writer(file, options)
    if target.name == "GIF":
        from upscale.pictures.gif import gif_writer

        return gif_writer.Writer(file, options)
    if target.name == "TIFF":
        from upscale.pictures.tiff import tiff_writer

        return tiff_writer.Writer(file, options)
    if target.name == "JPEG":
        from upscale.pictures.jpeg import jpeg_writer

        return jpeg_writer.Writer(file, options)
    if target.name == "QOI":
        from upscale.pictures import qoi

        return qoi.Writer(file, options)
    if target.name == "JPEG XL":
        from upscale.pictures.jpeg_xl import jxl_writer

        return jxl_writer.Writer(file, options)
    if target.name == "OpenEXR":
        from upscale.pictures import exr_format

        return exr_format.Writer(file, options)
    if target.name == "Radiance HDR":
        from upscale.pictures import radiance

        return radiance.Writer(file, options)
    from upscale.pictures import pillow_formats

    return pillow_formats.Writer(file, options, target)


@contextlib.contextmanager
def encoder_errors(name: str) -> Iterator[None]:
    """Name the output in an `ArgumentError` of a writer, which becomes a `FileError`."""
    try:
        yield
    except ArgumentError as error:
        raise FileError(f"{name}: {error}") from error

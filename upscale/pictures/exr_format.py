"""OpenEXR: floats of 16 or 32 bits in named channels, read and written by the package OpenEXR, which is an extra.

Its files are scene-referred: linear light, colours multiplied by alpha, and as many channels, layers and parts as a renderer
likes. See "Technical Introduction to OpenEXR".
"""

import contextlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError, library_errors
from upscale.pictures.captured_stderr import capture_stderr
from upscale.pictures.decoder_errors import Note
from upscale.pictures.formats import mode_of
from upscale.pictures.picture import ALPHA, CHANNELS, FileContents, Frame, Picture
from upscale.pictures.write_options import WriteOptions

_MISSING = 'OpenEXR files need the package OpenEXR; run pip install "upscale[exr]"'
#: Attributes of how pixels are stored, and those that a larger picture makes untrue; the writer makes them anew.
_STRUCTURE = frozenset((
    "channels", "compression", "dataWindow", "displayWindow", "lineOrder", "type", "tiles", "chunkCount", "name", "version",
    "view", "multiView", "preview", "chromaticities", "pixelAspectRatio", "screenWindowCenter", "screenWindowWidth",
    "maxSamplesPerPixel",
))  # fmt: skip
#: Channels that are a picture, the fullest first, and its colour model.
_MODELS = ((("R", "G", "B", "A"), "RGBA"), (("R", "G", "B"), "RGB"), (("Y", "A"), "LA"), (("Y",), "L"))
_NAMES = {base: names for names, base in _MODELS}


def _library() -> Any:
    try:
        import OpenEXR
    except ImportError:
        raise ArgumentError(_MISSING) from None
    return OpenEXR


def read(stream: BinaryIO, note: Note) -> FileContents:
    """Read the headers of an OpenEXR file; its parts are pages.

    Parameters
    ----------
    stream : binary file
        Seekable; stays open until the last page has been taken.
    note : callable
        Called with a line for channels and windows that are not kept.

    Raises
    ------
    ArgumentError
        Where OpenEXR is not installed, the file is damaged, or its pixels are not those of pictures.
    """
    library = _library()
    with _opened(library, stream, header_only=True) as file, library_errors():
        headers = [_plain(part.header) for part in file.parts]
    if not headers:
        raise ArgumentError("damaged: its header cannot be read")
    for header in headers:
        _check_header(header)
    height, width = _size(headers[0])
    # All parts are decoded at once.
    pixel_bytes = 4 * sum(len(header["channels"]) for header in headers)
    kind = "pages" if len(headers) > 1 else "picture"
    mode = {"RGBA": "RGBA;F", "RGB": "RGB;F", "LA": "LA;F"}.get(_model(_names(headers[0]))[1], "F")
    total = len(headers)
    return FileContents("EXR", (height, width), pixel_bytes, lambda: _frames(stream, total, note), kind, total, mode=mode)


@contextlib.contextmanager
def _opened(library: Any, stream: BinaryIO, *, header_only: bool) -> Iterator[Any]:
    """Open a file with OpenEXR, which prints what is wrong with it, and leaves parts out that it cannot decode."""
    printed = io.StringIO()
    with _path_of(stream) as path, contextlib.redirect_stdout(printed), capture_stderr():
        try:
            with library_errors():
                file = library.File(path, separate_channels=True, header_only=header_only)
        except ArgumentError as error:  # the path may be that of a temporary copy
            raise ArgumentError(str(error).replace(f" '{path}'", "")) from error
    with file:
        yield file


@contextlib.contextmanager
def _path_of(stream: BinaryIO) -> Iterator[str]:
    """Give a path with the contents of a file: older versions of OpenEXR read no open files."""
    name = getattr(stream, "name", None)
    if isinstance(name, str) and os.path.isfile(name):
        yield name
        return
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "picture.exr")
        stream.seek(0)
        with open(path, "wb") as file:
            shutil.copyfileobj(stream, file)
        yield path


def _plain(header: Mapping[str, Any]) -> dict[str, Any]:
    """Copy a header, with the names and the steps of its channels, which are gone when the file is closed."""
    channels = [(channel.name, channel.xSampling, channel.ySampling) for channel in header["channels"]]
    return {**header, "channels": channels}


def _size(header: Mapping[str, Any]) -> tuple[int, int]:
    (left, top), (right, bottom) = (np.asarray(corner).tolist() for corner in header["dataWindow"])
    return bottom - top + 1, right - left + 1


def _names(header: Mapping[str, Any]) -> list[str]:
    return [name for name, _, _ in header["channels"]]


def _model(names: list[str]) -> tuple[tuple[str, ...], str]:
    """Choose the channels that are the picture, and its colour model; all, and no model, where they are not a picture."""
    return next((model for model in _MODELS if set(model[0]) <= set(names)), (tuple(names), ""))


def _check_header(header: Mapping[str, Any]) -> None:
    if "deep" in str(header.get("type")):
        raise ArgumentError("has deep samples (several per pixel), which are not supported; flatten them first")
    if any((horizontal, vertical) != (1, 1) for _, horizontal, vertical in header["channels"]):
        names = ", ".join(_names(header))
        raise ArgumentError(
            f"stores some channels at a lower resolution ({names}), which is not supported; convert it to RGB first, for "
            "example with oiiotool"
        )


def _frames(stream: BinaryIO, total: int, note: Note) -> Iterator[Frame]:
    library = _library()
    with _opened(library, stream, header_only=False) as file, library_errors():
        parts = [(_plain(p.header), {name: np.array(c.pixels) for name, c in p.channels.items()}) for p in file.parts]
    if len(parts) < total:
        raise ArgumentError("damaged: the file ends inside its pixels, or they cannot be decoded")
    for header, channels in parts:
        yield Frame(_picture(header, channels, note))


def _picture(header: Mapping[str, Any], channels: Mapping[str, NDArray[Any]], note: Note) -> Picture:
    names, base = _model(list(channels))
    if dropped := [name for name in channels if name not in names]:
        note(f"its other channels were dropped: {', '.join(dropped)}")
    arrays = [channels[name] for name in names]
    kinds = {array.dtype.kind for array in arrays}
    if kinds not in ({"f"}, {"u"}):
        raise ArgumentError(f"has both floats and whole numbers in its channels ({', '.join(names)}), which is not supported")
    half = all(array.dtype == np.float16 for array in arrays)
    samples = np.stack(arrays, axis=2)
    samples = samples.astype(np.float32 if samples.dtype.kind == "f" else np.uint32)
    if len(arrays) == 1:
        samples, base = samples[..., 0], "L"
    info: dict[str, Any] = {"exr_storage": (names, half, header.get("compression"))}
    if base in ALPHA:
        info["associated"] = True
    if attributes := {k: v for k, v in header.items() if k not in _STRUCTURE}:
        info["exr"] = attributes
    if "chromaticities" in header:  # red, green, blue, white; PNG has white first
        values = tuple(float(v) for v in header["chromaticities"])
        info["chromaticity"] = (*values[6:], *values[:6])
    if "MIPMAP" in str(header.get("tiles")) or "RIPMAP" in str(header.get("tiles")):
        note("its reduced copies were dropped")
    windows = [np.asarray(header[key]).ravel().tolist() for key in ("dataWindow", "displayWindow")]
    if windows[0] != windows[1]:
        note(f"its data window {windows[0]} was enlarged; its display window {windows[1]} was dropped")
    return Picture(np.ascontiguousarray(samples), mode_of(base, samples.dtype) or CHANNELS, None, info)


class Writer:
    """Encode one picture, as `write_options.Writer` says: without loss, and with the channels' names that it was read with."""

    def __init__(self, file: BinaryIO, options: WriteOptions) -> None:
        self._file, self._note = file, options.note

    def add(self, frame: Frame) -> None:
        """Encode a picture of floats, or channels of floats or 32-bit whole numbers."""
        library, picture = _library(), self._associated(frame.picture)
        samples = picture.samples if picture.samples.ndim == 3 else picture.samples[..., None]
        if samples.dtype not in (np.float16, np.float32, np.uint32):
            raise ArgumentError(f"has channels of {samples.dtype}, which OpenEXR does not support; write .npy or .tiff")
        names, half, compression = picture.info.get("exr_storage", ((), False, None))
        if len(names) != samples.shape[2]:
            numbered = tuple(f"channel{n:03}" for n in range(samples.shape[2]))
            names = _NAMES.get(picture.base, ("Y",) if len(numbered) == 1 else numbered)
        if half:  # as the source was, if that loses nothing
            with np.errstate(over="ignore"):
                rounded = samples.astype(np.float16)
            samples = rounded if np.array_equal(rounded, samples, equal_nan=True) else samples
        header = self._header(library, picture, compression)
        channels = {name: np.ascontiguousarray(samples[..., n]) for n, name in enumerate(names)}
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "picture.exr")
            with library_errors("cannot be written as OpenEXR"), library.File(header, channels) as file:
                file.write(path)
            with open(path, "rb") as written:
                shutil.copyfileobj(written, self._file)

    def _associated(self, picture: Picture) -> Picture:
        """Multiply colours by alpha where that has not been done."""
        if picture.base not in ALPHA or picture.info.get("associated"):
            return picture
        self._note("its colours were multiplied by alpha, as OpenEXR stores them")
        samples = picture.samples.copy()
        samples[..., :-1] *= samples[..., -1:]
        return picture._replace(samples=samples)

    def _header(self, library: Any, picture: Picture, compression: Any) -> dict[str, Any]:
        header = dict(picture.info.get("exr", {}))
        lossless = (library.NO_COMPRESSION, library.RLE_COMPRESSION, library.ZIPS_COMPRESSION, library.PIZ_COMPRESSION)
        header["compression"] = compression if compression in lossless else library.ZIP_COMPRESSION
        header["type"] = library.scanlineimage
        if "chromaticity" in picture.info:
            values = picture.info["chromaticity"]
            header["chromaticities"] = tuple(float(v) for v in (*values[2:], *values[:2]))
        return header

    def close(self) -> None:
        """Do nothing: the file is complete."""

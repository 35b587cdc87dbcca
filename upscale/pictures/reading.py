"""Files to `Contents`, and the writer for each format: which module reads and writes what."""

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np

from upscale.errors import ArgumentError, FileError
from upscale.output_files import why
from upscale.pictures.formats import NPY, Format
from upscale.pictures.picture import Contents, Frame, Picture
from upscale.pictures.write_options import Output, Writer

Note = Callable[[str], None]

_NPY_MAGIC = b"\x93NUMPY"
_TIFF_MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class Source:
    """An open file and what it holds.

    Parameters
    ----------
    stream : binary file
        Seekable; stays open until the last frame has been taken.
    name : str
        What errors call it.
    layout : str
        Of an array: one of `choices.LAYOUTS`.
    cut : bool
        Whether samples of more than 8 bits may be read as 8 where there is no decoder that keeps them.
    most : int
        Of how many pixels a picture is taken for an attack, if it has more.
    note : callable
        Called with a line for what is wrong with the file but not fatal.

    Attributes
    ----------
    contents : Contents

    Raises
    ------
    FileError
        Where the file cannot be read, or is no picture.
    """

    def __init__(self, stream: BinaryIO, name: str, *, layout: str, cut: bool, most: int, note: Note) -> None:
        self._name, self._note = name, note
        with self._guarded():
            self.contents = _contents(stream, layout, cut, most, note)

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turn whatever decoders let out into one plain error, and their warnings into notes."""
        with _errors_of(self._name), _noted(self._note):
            yield

    def frames(self, source: Callable[[], Iterator[Frame]]) -> Iterator[Frame]:
        """Decode one frame after another out of one of the contents' sources; damage becomes a `FileError`."""
        with self._guarded():
            frames = source()
        while True:
            with self._guarded():
                frame = next(frames, None)
            if frame is None:
                return
            yield frame

    def decoded(self, source: Callable[[], Picture]) -> Picture:
        """Decode a single picture out of one of the contents' sources."""
        with self._guarded():
            return source()


@contextlib.contextmanager
def opened(file: str | BinaryIO, name: str) -> Iterator[BinaryIO]:
    """Open a path, or take an open file, as one that can be sought in.

    Raises
    ------
    FileError
        Where there is nothing to open.
    """
    with contextlib.ExitStack() as stack:
        with _errors_of(name):
            stream = stack.enter_context(open(file, "rb")) if isinstance(file, str) else file
            if not stream.seekable():  # a pipe by its name
                stream = io.BytesIO(stream.read())
        yield stream


@contextlib.contextmanager
def _errors_of(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise FileError(f"{name}: there is no such file") from None
    except IsADirectoryError:
        raise FileError(f"{name}: is a folder; name a picture in it") from None
    except FileError as error:
        raise FileError(f"{name}: {error}") from error
    except ArgumentError as error:
        raise FileError(f"{name}: {error}") from error
    except OSError as error:
        kind = type(error).__name__
        if kind == "UnidentifiedImageError":
            raise FileError(f"{name}: not a picture that can be read, or damaged at its beginning") from None
        verb = "damaged" if error.errno is None else "cannot be read"
        raise FileError(f"{name}: {verb}: {why(error)}") from error
    except MemoryError:
        raise FileError(f"{name}: there is not enough memory to decode it") from None
    except Exception as error:  # decoders let anything out on damaged files: struct.error, IndexError, ...
        if type(error).__name__ == "DecompressionBombError":
            raise FileError(f"{name}: has too many pixels: perhaps an attack; --max-pixels allows more") from error
        raise FileError(f"{name}: damaged: {type(error).__name__}: {error}") from error


@contextlib.contextmanager
def _noted(note: Note) -> Iterator[None]:
    """Turn Pillow's warnings into notes; its guard against huge pictures only warns at half of what it refuses."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        if not issubclass(warning.category, DeprecationWarning) and warning.category.__name__ != "DecompressionBombWarning":
            note(" ".join(str(warning.message).split()))


def _contents(stream: BinaryIO, layout: str, cut: bool, most: int, note: Note) -> Contents:
    magic = stream.read(8)
    stream.seek(0)
    if magic[:6] == _NPY_MAGIC:
        return _array_contents(stream, layout)
    if magic == b"\x89PNG\r\n\x1a\n":
        from upscale.pictures import png_reader

        return png_reader.read(stream, note)
    from PIL import Image

    # Pillow warns of more pixels than this, and refuses twice as many.
    Image.MAX_IMAGE_PIXELS = (most + 1) // 2
    if magic[:4] == b"GIF8":
        from upscale.pictures import gif

        return gif.read(stream, note)
    if magic[:4] in _TIFF_MAGICS:
        from upscale.pictures import tiff

        return tiff.read(stream, most, note)
    from upscale.pictures import pillow_formats

    return pillow_formats.read(stream, cut)


def _array_contents(stream: BinaryIO, layout: str) -> Contents:
    version = np.lib.format.read_magic(stream)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(stream)
    wanted = "(H, W) or (H, W, C)" if layout == "hwc" else "(C, H, W) or (N, C, H, W)"
    if len(shape) not in ((2, 3) if layout == "hwc" else (3, 4)) or 0 in shape:
        hint = "" if layout == "chw" or len(shape) != 4 else "; --layout chw reads (N, C, H, W)"
        raise ArgumentError(f"an array must be {wanted} and not empty, this one is {shape}{hint}")
    # What the file holds is known before anything is allocated, whatever its header claims.
    at = stream.tell()
    if stream.seek(0, 2) - at < int(np.prod([float(n) for n in shape])) * dtype.itemsize:
        raise ArgumentError("damaged: the file ends within the array")
    if dtype.hasobject:
        raise ArgumentError("holds Python objects, which are no samples")
    height, width = shape[:2] if layout == "hwc" else shape[-2:]
    pixel = int(np.prod(shape)) * dtype.itemsize // (height * width)
    return Contents.of_array((height, width), pixel, lambda: _read_array(stream, layout))


def _read_array(stream: BinaryIO, layout: str) -> Picture:
    stream.seek(0)
    array = np.lib.format.read_array(stream, allow_pickle=False)
    if layout == "hwc":
        return Picture(np.array(array, order="C", copy=None))
    planes = array.reshape(-1, *array.shape[-2:])
    return Picture(np.array(np.moveaxis(planes, 0, 2), order="C"), leading=array.shape[:-3])


class _ArrayWriter:
    """Write an array, as `saving.Writer` says."""

    def __init__(self, file: BinaryIO, output: Output) -> None:
        self._file = file

    def add(self, frame: Frame) -> None:
        samples, leading = frame.picture.samples, frame.picture.leading
        if leading is not None:
            samples = np.moveaxis(samples, 2, 0).reshape(*leading, -1, *samples.shape[:2])
        np.lib.format.write_array(self._file, samples, allow_pickle=False)

    def close(self) -> None:
        pass


def writer(target: Format, file: BinaryIO, output: Output) -> Writer:
    """Make the writer of a format."""
    if target == NPY:
        return _ArrayWriter(file, output)
    if target.name == "PNG":
        from upscale.pictures import png_writer

        return png_writer.Writer(file, output)
    if target.name == "GIF":
        from upscale.pictures import gif

        return gif.Writer(file, output)
    if target.name == "TIFF":
        from upscale.pictures import tiff

        return tiff.Writer(file, output)
    from upscale.pictures import pillow_formats

    return pillow_formats.Writer(file, output, target)


@contextlib.contextmanager
def encoding(name: str, target: Format) -> Iterator[None]:
    """Turn what encoders let out into one plain error about the output."""
    try:
        yield
    except (FileError, MemoryError):
        raise
    except ArgumentError as error:
        raise FileError(f"{name}: {error}") from error
    except Exception as error:  # encoders let out as many kinds as decoders
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise FileError(f"{name}: cannot be written as {target.name}: {error}") from error

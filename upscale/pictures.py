"""Files to `Picture`s and back."""

import contextlib
import io
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from upscale import metadata
from upscale.errors import ArgumentError, FileError
from upscale.files import why
from upscale.formats import FORMATS, NPY, WIDER, Format

Array = NDArray[Any]

#: Modes whose last channel is opacity.
ALPHA = ("LA", "RGBA", "PA")
CHANNELS = "channels"
_NPY_MAGIC = b"\x93NUMPY"


class Picture(NamedTuple):
    """A decoded picture, upright.

    Attributes
    ----------
    samples : ndarray, shape (H, W) or (H, W, C)
        C-contiguous, in native byte order but for arrays that only nn enlarges.
    mode : str
        Pillow's mode; empty for a bare array; `CHANNELS` for what a kernel made that is neither grey nor colour.
    format : str
        Pillow's name of the file's format, or NPY.
    palette : (str, bytes) or None
        The colours' mode and values, of modes P and PA.
    info : mapping
        Metadata, as `metadata.read` gives them.
    leading : tuple of int or None
        Of an array laid out as (..., C, H, W), the axes before C, which are folded into the channels here.
    """

    samples: Array
    mode: str = ""
    format: str = NPY.pillow
    palette: tuple[str, bytes] | None = None
    info: Mapping[str, Any] = MappingProxyType({})
    leading: tuple[int, ...] | None = None

    @property
    def has_alpha(self) -> bool:
        """Whether some pixels may be transparent."""
        return self.mode in ALPHA or "transparency" in self.info

    @classmethod
    def of_image(cls, image: Image.Image, info: dict[str, Any]) -> "Picture":
        """Take the samples of a loaded Pillow image."""
        palette = None
        if image.palette is not None and image.mode in ("P", "PA"):
            palette = image.palette.mode, image.palette.tobytes()
        samples = np.asarray(image)
        samples = np.ascontiguousarray(samples, samples.dtype.newbyteorder("="))
        mode = "I;16" if image.mode.startswith("I;16") else image.mode
        return cls(samples, mode, image.format or "", palette, info)

    def to_image(self) -> Image.Image:
        """Make a Pillow image without metadata other than colour-key transparency; it may share the samples."""
        height, width = self.samples.shape[:2]
        if self.mode == "1":
            image = Image.fromarray(self.samples)
        else:
            image = Image.frombuffer(self.mode, (width, height), np.ascontiguousarray(self.samples), "raw", self.mode, 0, 1)
        if self.palette is not None:
            image.putpalette(self.palette[1], self.palette[0])
        if "transparency" in self.info:
            image.info["transparency"] = self.info["transparency"]
        return image

    def converted(self, mode: str) -> "Picture":
        """Convert to another mode with Pillow, which keeps all colours where `WIDER` lists the mode."""
        image = self.to_image().convert(mode)
        info = {k: v for k, v in self.info.items() if k != "transparency"}
        if "transparency" in image.info:
            info["transparency"] = image.info["transparency"]
        return Picture.of_image(image, info)._replace(format=self.format)

    def filterable(self) -> "Picture":
        """Convert to samples that may be mixed: no palette indices, no bits, no colour key, no angles of hue."""
        if self.mode in ("P", "PA", "HSV") or (self.mode in ("L", "RGB") and "transparency" in self.info):
            if self.mode == "L":
                return self.converted("LA")
            return self.converted("RGBA" if self.has_alpha else "RGB")
        return self.converted("L") if self.mode == "1" else self

    def flattened(self, colour: tuple[int, int, int]) -> "Picture":
        """Lay the picture on a background; one without transparency stays as it is."""
        if not self.has_alpha:
            return self
        top = self.converted("RGBA").to_image()
        image = Image.alpha_composite(Image.new("RGBA", top.size, (*colour, 255)), top).convert("RGB")
        info = {k: v for k, v in self.info.items() if k != "transparency"}
        return Picture.of_image(image, info)._replace(format=self.format)


class Header(NamedTuple):
    """What a file says of its picture before anything is decoded.

    Attributes
    ----------
    format : str
    size : (int, int)
        Height and width.
    pixel_bytes : int
        Bytes that a decoded pixel takes.
    """

    format: str
    size: tuple[int, int]
    pixel_bytes: int


def read(
    file: str | BinaryIO,
    name: str,
    *,
    frame: int | None = None,
    layout: str = "hwc",
    check: Callable[[Header], None],
    note: Callable[[str], None],
) -> Picture:
    """Read a picture or an array.

    Parameters
    ----------
    file : str or binary file
        A path, or an open file that can be sought in.
    name : str
        What errors call it.
    frame : int, optional
        Which frame of an animation, or page, to take.
    layout : str
        Of an array: one of `choices.LAYOUTS`.
    check : callable
        Called with the `Header` before the picture is decoded; may raise.
    note : callable
        Called with a line for what is wrong with the file but not fatal.

    Raises
    ------
    FileError
        Where the file cannot be read, or is no picture.
    """
    try:
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(open(file, "rb")) if isinstance(file, str) else file
            if not stream.seekable():  # a pipe by its name
                file = stream = io.BytesIO(stream.read())
            magic = stream.read(len(_NPY_MAGIC))
            stream.seek(0)
            with _noted(note):
                if magic == _NPY_MAGIC:
                    if frame is not None:
                        raise ArgumentError("--frame: an array has no frames")
                    return _read_array(file, layout, check)
                return _read_image(stream, frame, check)
    except FileNotFoundError:
        raise FileError(f"{name}: there is no such file") from None
    except IsADirectoryError:
        raise FileError(f"{name}: is a folder; name a picture in it") from None
    except UnidentifiedImageError:
        raise FileError(f"{name}: not a picture that can be read, or damaged at its beginning") from None
    except Image.DecompressionBombError as error:
        raise FileError(f"{name}: too large to be decoded safely: {error}") from error
    except (ArgumentError, FileError) as error:
        raise FileError(f"{name}: {error}") from error
    except OSError as error:
        reason = why(error)
        verb = "damaged" if error.errno is None else "cannot be read"
        raise FileError(f"{name}: {verb}: {reason}") from error
    except MemoryError:
        raise FileError(f"{name}: there is not enough memory to decode it") from None
    except Exception as error:  # Pillow's decoders let anything out on damaged files: struct.error, IndexError, ...
        raise FileError(f"{name}: damaged: {type(error).__name__}: {error}") from error


@contextlib.contextmanager
def _noted(note: Callable[[str], None]) -> Iterator[None]:
    """Turn Pillow's warnings into notes; its guard against huge pictures only warns at half of what it refuses."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield
    for text in dict.fromkeys(str(w.message) for w in caught):
        note(" ".join(text.split()))


def _read_array(file: str | BinaryIO, layout: str, check: Callable[[Header], None]) -> Picture:
    # A mapped file shows its true size before anything is allocated, whatever its header claims.
    array = np.load(file, mmap_mode="r" if isinstance(file, str) else None, allow_pickle=False)
    wanted = "(H, W) or (H, W, C)" if layout == "hwc" else "(C, H, W) or (N, C, H, W)"
    if array.ndim not in ((2, 3) if layout == "hwc" else (3, 4)) or not array.size:
        hint = "" if layout == "chw" or array.ndim != 4 else "; --layout chw reads (N, C, H, W)"
        raise ArgumentError(f"an array must be {wanted} and not empty, this one is {array.shape}{hint}")
    height, width = array.shape[:2] if layout == "hwc" else array.shape[-2:]
    check(Header(NPY.pillow, (height, width), array.nbytes // (height * width)))
    if layout == "hwc":
        return Picture(np.array(array, order="C"))
    planes = array.reshape(-1, height, width)
    return Picture(np.array(np.moveaxis(planes, 0, 2), order="C"), leading=array.shape[:-3])


def _read_image(stream: BinaryIO, frame: int | None, check: Callable[[Header], None]) -> Picture:
    with Image.open(stream) as image:
        frames = getattr(image, "n_frames", 1)
        if frame is not None and not 0 <= frame < frames:
            raise ArgumentError(f"--frame {frame}: it has the frames 0 to {frames - 1}")
        # The other pictures of an MPO are the same scene for other eyes or screens.
        if frames > 1 and frame is None and image.format != "MPO":
            raise ArgumentError(
                f"has {frames} frames, of which one can be enlarged: name it with --frame N (0 to {frames - 1})"
            )
        if frame is not None:
            image.seek(frame)
        _refuse_cut_samples(image)
        check(Header(image.format or "", image.size[::-1], Image.getmodebands(image.mode) * _sample_bytes(image.mode)))
        if image.format == "TIFF":
            with _decoder_heard():
                image.load()
        image.load()
        upright = _upright(image)
        info = metadata.read(image, upright)
        upright.format = image.format
        return Picture.of_image(upright, info)


@contextlib.contextmanager
def _decoder_heard() -> Iterator[None]:
    """Turn what libtiff writes to standard error by itself into a warning, which becomes a note, or is dropped by an error."""
    try:
        number = sys.stderr.fileno()
        kept = os.dup(number)
    except (OSError, ValueError, AttributeError):  # no such stream, or not one of the system's
        yield
        return
    import tempfile  # takes milliseconds that other formats need not wait for

    with tempfile.TemporaryFile() as heard:
        sys.stderr.flush()
        os.dup2(heard.fileno(), number)
        try:
            yield
        finally:
            os.dup2(kept, number)
            os.close(kept)
        heard.seek(0)
        said = heard.read(2000).decode("utf-8", "replace").splitlines()
    if said:
        warnings.warn(f"perhaps damaged: its decoder says {said[0].strip()!r}", stacklevel=2)


def _upright(image: Image.Image) -> Image.Image:
    """Turn an image as its EXIF orientation says."""
    if image.getexif().get(metadata.ORIENTATION, 1) == 1:
        return image
    from PIL import ImageOps  # takes milliseconds that most pictures need not wait for

    return ImageOps.exif_transpose(image)


def _sample_bytes(mode: str) -> int:
    return 2 if mode.startswith("I;16") else 4 if mode in ("I", "F") else 1


def _refuse_cut_samples(image: Image.Image) -> None:
    """Refuse what Pillow would cut to 8 bits without a word: the raw mode of the first tile tells the file's own depth."""
    tiles = getattr(image, "tile", None)
    if image.mode.startswith(("I", "F")) or not tiles:
        return
    arguments = tiles[0].args
    words = arguments if isinstance(arguments, tuple) else (arguments,)
    deep = any(isinstance(w, str) and re.search(r";(10|12|14|16|32)", w) for w in words)
    deep = deep or (image.format == "PPM" and any(isinstance(w, int) and w > 255 for w in words[1:]))
    if deep:
        raise ArgumentError(
            f"has more than 8 bits a sample in {image.mode}, which would be cut to 8; hand it in as a .npy array"
        )


def fitted(picture: Picture, target: Format) -> Picture:
    """Convert a picture to a mode that the target format holds, where that loses nothing; GIF is left to `quantised`.

    Raises
    ------
    ArgumentError
        Where the target cannot hold it.
    """
    if target is NPY:
        return picture.filterable() if picture.mode in ("P", "PA") or "transparency" in picture.info else picture
    if picture.leading:
        raise ArgumentError(f"a batch of {picture.leading[0]} arrays is no {target.name} picture; write .npy instead")
    if picture.mode == CHANNELS:
        if target.name == "TIFF":
            return picture
        channels = picture.samples.shape[2] if picture.samples.ndim == 3 else 1
        raise ArgumentError(f"the kernel makes {channels} channels of it, which {target.name} cannot hold; write .npy or .tiff")
    if not picture.mode:
        picture = _as_picture(picture, target)
    transparent = picture.has_alpha
    if picture.mode in target.modes and not (transparent and not _holds_transparency(picture, target)):
        return picture
    if picture.mode == "I" and "I;16" in target.modes and 0 <= picture.samples.min() <= picture.samples.max() <= 65535:
        return picture._replace(samples=picture.samples.astype(np.uint16), mode="I;16")
    if target.name == "GIF" and picture.mode in ("1", "LA", "PA", "RGB", "RGBA"):
        return picture
    for mode in WIDER.get(picture.mode, ()):
        if mode in target.modes and (mode in ALPHA or not transparent):
            return picture.converted(mode)
    if transparent and not any(m in ALPHA for m in target.modes) and target.name != "GIF":
        raise ArgumentError(
            f"it has transparency, which {target.name} cannot hold; lay it on a colour with --background COLOUR"
        )
    holding = [suffix for suffix, form in FORMATS.items() if picture.mode in form.modes]
    raise ArgumentError(f"{target.name} cannot hold {_named(picture)}; write one of {' '.join([*holding, '.npy'])}")


def _named(picture: Picture) -> str:
    return {"I": "32-bit integers", "I;16": "16-bit samples", "F": "floats"}.get(picture.mode, f"{picture.mode} pictures")


def _holds_transparency(picture: Picture, target: Format) -> bool:
    """Say whether the target holds a picture's transparency in its own mode: as a channel, a colour key or in the palette."""
    if picture.mode in ALPHA:
        return True
    return target.name == "PNG" or (
        target.name == "GIF" and picture.mode == "P" and isinstance(picture.info["transparency"], int)
    )


def _as_picture(picture: Picture, target: Format) -> Picture:
    """Give an array the mode of a picture."""
    array = picture.samples
    key = (array.dtype.newbyteorder("=").name, array.shape[2] if array.ndim == 3 else 0)
    modes = {
        ("bool", 0): "1", ("uint8", 0): "L", ("uint8", 2): "LA", ("uint8", 3): "RGB", ("uint8", 4): "RGBA",
        ("uint16", 0): "I;16", ("int32", 0): "I", ("float32", 0): "F",
    }  # fmt: skip
    if array.ndim == 3 and array.shape[2] == 1:
        array, key = array[..., 0], (key[0], 0)
    if key not in modes:
        raise ArgumentError(f"{target.name} cannot hold an array {array.shape} of {array.dtype}; write .npy instead")
    return Picture(np.ascontiguousarray(array, array.dtype.newbyteorder("=")), modes[key], NPY.pillow)


def quantised(picture: Picture) -> tuple[Picture, str | None]:
    """Reduce a picture to a palette for GIF: exactly where it has at most 256 colours, else to the best that Pillow finds.

    Returns
    -------
    (Picture, str or None)
        And a line that says what was lost.
    """
    if picture.mode in ("L", "P"):
        return picture, None
    if picture.mode == "1":
        return picture.converted("L"), None
    image = picture.converted("RGBA" if picture.has_alpha else "RGB").to_image()
    lost = None
    clear = None
    if image.mode == "RGBA":
        alpha = np.asarray(image)[..., 3]
        if ((alpha > 0) & (alpha < 255)).any():
            lost = "GIF has no partial transparency: pixels less than half opaque became transparent"
        clear = alpha < 128
        # Colours that nobody sees must not take places in the palette.
        image = Image.fromarray(np.where(clear[..., None], np.uint8(0), np.asarray(image)[..., :3]))
    room = 256 if clear is None or not clear.any() else 255
    colours = image.getcolors(room)
    if colours is None:
        lost = "; ".join(filter(None, (f"GIF holds 256 colours: reduced to the best {room}", lost)))
    # Without dithering, equal pixels stay equal: enlarged blocks stay blocks.
    flat = image.quantize(room, Image.Quantize.MEDIANCUT) if colours is None else _indexed(image)
    info = {k: v for k, v in picture.info.items() if k != "transparency"}
    result = Picture.of_image(flat, info)._replace(format=picture.format)
    if clear is not None and clear.any():
        assert result.palette is not None
        result = result._replace(
            samples=np.where(clear, np.uint8(room), result.samples),
            palette=("RGB", result.palette[1].ljust(3 * room, b"\0") + b"\0\0\0"),
            info={**info, "transparency": room},
        )
    return result, lost


def _indexed(image: Image.Image) -> Image.Image:
    """Give an RGB image of few colours exactly these as its palette; Pillow's own search may take a near one."""
    values = np.asarray(image).astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    colours, indices = np.unique(values, return_inverse=True)
    flat = Image.fromarray(indices.reshape(values.shape).astype(np.uint8)).convert("L")
    flat.putpalette(colours.astype(">u4").view(np.uint8).reshape(-1, 4)[:, 1:].tobytes())
    return flat


def write(picture: Picture, target: Format, file: BinaryIO, name: str) -> None:
    """Encode a picture that fits the target's modes into a file that errors call `name`.

    Raises
    ------
    FileError
        Where the encoder refuses it.
    """
    if target is NPY:
        samples = picture.samples
        if picture.leading is not None:
            samples = np.moveaxis(samples, 2, 0).reshape(*picture.leading, -1, *samples.shape[:2])
        np.lib.format.write_array(file, samples, allow_pickle=False)
        return
    try:
        if picture.mode == CHANNELS:
            file.write(_channels_tiff(picture.samples))
            return
        picture.to_image().save(file, target.pillow, **metadata.save_options(target.pillow, picture.info))
    except Exception as error:  # encoders let out as many kinds as decoders
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None):
            raise
        raise FileError(f"{name}: cannot be written as {target.name}: {error}") from error


def _channels_tiff(samples: Array) -> memoryview:
    """Encode channels that have no Pillow mode."""
    import tifffile

    colour = "rgb" if samples.ndim == 3 and samples.shape[2] == 3 else "minisblack"
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, samples, photometric=colour, planarconfig="contig", compression="zlib", metadata=None)
    return buffer.getbuffer()


def encoded(picture: Picture, target: Format, name: str) -> memoryview:
    """Encode a picture in memory, for places where one cannot go back to correct what was written."""
    buffer = io.BytesIO()
    write(picture, target, buffer, name)
    return buffer.getbuffer()

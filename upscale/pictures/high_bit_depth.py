"""Samples of depths that Pillow does not keep, in formats that it reads otherwise: Netpbm, SGI, JPEG 2000 and AVIF."""

import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError, library_errors
from upscale.pictures import jpeg2000, metadata
from upscale.pictures.captured_stderr import capture_stderr
from upscale.pictures.decoder_errors import pillow_errors
from upscale.pictures.formats import mode_of
from upscale.pictures.picture import Frame, Picture

#: Colour model by number of channels.
_MODELS = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_SGI_MODES = {1: "I;16", 3: "RGB;16", 4: "RGBA;16"}
#: Bytes of an SGI file's header.
_SGI_HEADER = 512
#: Where in a file the number of bits is looked for, in bytes.
_SEARCHED = 1 << 16


def decoder_of(image: Any, stream: BinaryIO, *, allow_8_bit: bool) -> Callable[[], Picture] | None:
    """Return a function that decodes a picture whose samples have a depth that Pillow does not keep; None if it does.

    Parameters
    ----------
    image : PIL.Image.Image
        Opened, not loaded.
    stream : binary file
        From which it was opened. The function may raise `ArgumentError` where the file is damaged.
    allow_8_bit : bool
        Whether samples of more than 8 bits may be cut to 8.
    """
    info = metadata.of_image(image)
    if image.format == "JPEG2000" and image.mode in ("L", "LA", "RGB", "RGBA", "I;16"):
        bits = _jpeg2000_bits(stream)
        # Pillow shifts samples of other depths than 8 and 16, so that white would be grey.
        if (
            bits < 8
            or (8 < bits < 16 and image.mode == "I;16")
            or (8 < bits <= 16 and image.mode != "I;16" and not allow_8_bit)
        ):
            return lambda: _by_imagecodecs("jpeg2k_decode", stream, bits, info)
    if allow_8_bit:
        return None
    if image.format == "PPM" and image.mode == "RGB" and image.tile and isinstance(image.tile[0].args, tuple):
        maximum = image.tile[0].args[-1]
        if isinstance(maximum, int) and maximum > 255:
            return lambda: _read_netpbm(image, stream, maximum)
    if image.format == "SGI" and image.tile and _is_sgi16(stream):
        return lambda: Picture(*read_sgi(stream), None, info)
    if image.format == "AVIF" and getattr(image, "n_frames", 1) == 1:
        bits = _avif_bits(stream)
        return (lambda: _by_imagecodecs("avif_decode", stream, bits, info)) if bits > 8 else None
    return None


def frames_of(image: Any, stream: BinaryIO) -> Callable[[], Iterator[Frame]] | None:
    """Return a function that decodes an AVIF animation of more than 8 bits; None for all other files.

    Parameters
    ----------
    image : PIL.Image.Image
        Opened, not loaded.
    stream : binary file
        From which it was opened. The function may raise `ArgumentError` where the file is damaged.
    """
    if image.format != "AVIF" or getattr(image, "n_frames", 1) == 1 or (bits := _avif_bits(stream)) == 8:
        return None
    return lambda: _avif_frames(image, stream, bits)


def _avif_frames(image: Any, stream: BinaryIO, bits: int) -> Iterator[Frame]:
    samples = _decoded("avif_decode", stream, bits)  # all at once: single frames make the decoder crash
    info = metadata.of_image(image)
    for number, frame in enumerate(samples):
        with pillow_errors():
            image.seek(number)
            image.load()
        yield Frame(_scaled(frame, bits, info), (round(1000 * float(image.info.get("duration", 0))), 1_000_000))


def refuse_cut_samples(image: Any) -> None:
    """Refuse an image that Pillow would cut to 8 bits without a warning.

    Parameters
    ----------
    image : PIL.Image.Image
        Opened, not loaded: the raw mode of its first tile shows the file's own depth.

    Raises
    ------
    ArgumentError
        Where samples would be cut.
    """
    tiles = getattr(image, "tile", None)
    if image.mode.startswith(("I", "F")) or not tiles:
        return
    arguments = tiles[0].args
    words = arguments if isinstance(arguments, tuple) else (arguments,)
    # In BGR;16, the number is that of a pixel's bits.
    deep = any(isinstance(w, str) and re.search(r"^(?!BGR).*;(10|12|14|16|32)", w) for w in words)
    if deep:
        raise ArgumentError(
            f"has more than 8 bits per sample in {image.mode}, but only 8 can be read from this format: accept that with "
            "--depth 8, or convert it to .tiff or .npy first"
        )


def _by_imagecodecs(decoder: str, stream: BinaryIO, bits: int, info: dict[str, Any]) -> Picture:
    """Decode a picture with samples of some bits, and scale them to 16, or to 8 if they have fewer."""
    return _scaled(_decoded(decoder, stream, bits, has_profile="icc_profile" in info), bits, info)


def _decoded(decoder: str, stream: BinaryIO, bits: int, *, has_profile: bool = False) -> NDArray[Any]:
    import imagecodecs

    stream.seek(0)
    data = stream.read()
    if decoder == "jpeg2k_decode" and has_profile:
        data = jpeg2000.without_profile(data)
    with capture_stderr(), library_errors():
        samples: NDArray[Any] = getattr(imagecodecs, decoder)(data)
    if samples.dtype != (np.uint16 if bits > 8 else np.uint8):
        raise ArgumentError(f"its {bits}-bit samples cannot be decoded; --depth 8 reads them as 8 bits")
    return samples


def _scaled(samples: NDArray[Any], bits: int, info: dict[str, Any]) -> Picture:
    base = _MODELS.get(samples.shape[2] if samples.ndim == 3 else 1)
    if samples.ndim not in (2, 3) or base is None:
        raise ArgumentError(f"its {bits}-bit samples cannot be decoded; --depth 8 reads them as 8 bits")
    return Picture(scale_to_whole(samples, bits), mode_of(base, samples.dtype) or "", None, info)


def scale_to_whole(samples: NDArray[Any], bits: int) -> NDArray[Any]:
    """Scale samples of some bits so that the largest value becomes that of their dtype; others are rounded to nearest."""
    largest = np.iinfo(samples.dtype).max
    if largest != (1 << bits) - 1:
        samples = np.floor(samples * (largest / ((1 << bits) - 1)) + 0.5).astype(samples.dtype)
    return np.ascontiguousarray(samples)


def _jpeg2000_bits(stream: BinaryIO) -> int:
    """Read the bits of the first component from the image size marker (ITU-T T.800, A.5.1)."""
    stream.seek(0)
    data = stream.read(_SEARCHED)
    at = data.find(b"\xff\x4f\xff\x51")  # after the codestream's first marker, and not in a colour profile
    return (data[at + 42] & 127) + 1 if 0 <= at < len(data) - 42 else 8


def _avif_bits(stream: BinaryIO) -> int:
    """Read the bits of a sample from the codec's configuration (AV1 in ISOBMFF, 2.3.3)."""
    stream.seek(0)
    data = stream.read(_SEARCHED)
    at = data.find(b"av1C")
    flags = data[at + 6] if 0 <= at < len(data) - 6 else 0
    return 8 if not flags & 64 else 12 if flags & 32 else 10


def _read_netpbm(image: Any, stream: BinaryIO, maximum: int) -> Picture:
    """Read a PPM file of more than 8 bits: words with the high byte first, or numbers as text (Netpbm's ppm(5))."""
    stream.seek(0)
    plain = stream.read(2) == b"P3"
    stream.seek(image.tile[0].offset)
    count = image.width * image.height * 3
    if plain:
        words = re.sub(rb"#[^\n]*", b"", stream.read()).split()[:count]
        if not all(word.isdigit() and len(word) < 19 for word in words):
            raise ArgumentError("damaged: a sample is not a number")
        values = np.array(words, np.uint64)
    else:
        data = stream.read(2 * count)
        values = np.frombuffer(data[: len(data) // 2 * 2], ">u2").astype(np.uint64)
    if len(values) < count:
        raise ArgumentError("damaged: the file ends inside the samples")
    if values.max() > maximum:
        raise ArgumentError("damaged: a sample is larger than the file's own maximum")
    scaled = (values * 65535 + maximum // 2) // maximum
    return Picture(scaled.astype(np.uint16).reshape(image.height, image.width, 3), "RGB;16")


def _is_sgi16(stream: BinaryIO) -> bool:
    stream.seek(3)
    return stream.read(1) == b"\2"


def read_sgi(stream: BinaryIO) -> tuple[NDArray[np.uint16], str]:
    """Decode an SGI file of 16 bits a sample (Silicon Graphics' image file format, Haeberli, version 1.00).

    Parameters
    ----------
    stream : binary file
        Seekable.

    Returns
    -------
    (ndarray, str)
        Samples of shape (H, W) or (H, W, C), and their mode.

    Raises
    ------
    ArgumentError
        Where it is damaged, or has another number of channels than a picture.
    """
    stream.seek(0)
    data = stream.read()
    if len(data) < _SGI_HEADER:
        raise ArgumentError("damaged: the file ends inside its header")
    packed = data[2]
    width, height, channels = np.frombuffer(data, ">u2", 3, 6).tolist()
    if channels not in _SGI_MODES or not width * height:
        raise ArgumentError(f"has {channels} channels of 16 bits, so it is not a picture")
    rows = height * channels
    if len(data) - _SGI_HEADER < (8 * rows if packed else 2 * rows * width):
        raise ArgumentError("damaged: the file ends inside its samples")
    if packed:
        starts = np.frombuffer(data, ">u4", rows, _SGI_HEADER).tolist()
        lengths = np.frombuffer(data, ">u4", rows, _SGI_HEADER + 4 * rows).tolist()
        planes = np.stack([_unpacked_row(data[s : s + n], width) for s, n in zip(starts, lengths, strict=True)])
    else:
        planes = np.frombuffer(data, ">u2", rows * width, _SGI_HEADER)
    # Plane by plane, and in each the rows from the lowest to the highest.
    samples = np.moveaxis(planes.reshape(channels, height, width)[:, ::-1], 0, 2).astype(np.uint16)
    return np.ascontiguousarray(samples[..., 0] if channels == 1 else samples), _SGI_MODES[channels]


def _unpacked_row(row: bytes, width: int) -> NDArray[np.uint16]:
    """Undo the run lengths of a row: a count with bit 7 precedes as many samples, one without precedes a sample to repeat."""
    words = np.frombuffer(row[: len(row) // 2 * 2], ">u2")
    out = np.empty(width, np.uint16)
    at = filled = 0
    while at < len(words) and (count := int(words[at]) & 127):
        literal = bool(words[at] & 128)
        if filled + count > width or at + 1 + (count if literal else 1) > len(words):
            raise ArgumentError("damaged: a row does not end where it should")
        out[filled : filled + count] = words[at + 1 : at + 1 + count] if literal else words[at + 1]
        at += 1 + (count if literal else 1)
        filled += count
    if filled < width:
        raise ArgumentError("damaged: a row is too short")
    return out

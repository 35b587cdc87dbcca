"""Radiance HDR: RGB in four bytes a pixel, three mantissas with one exponent (Ward, "Real Pixels", Graphics Gems II, 1991)."""

import re
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError, library_errors
from upscale.pictures.picture import FileContents, Frame, Picture
from upscale.pictures.write_options import WriteOptions

Quads = NDArray[np.uint8]

#: Most bytes of the lines before the pixels.
_LONGEST_HEADER = 1 << 16
_FORMAT = b"FORMAT=32-bit_rle_rgbe"
_SIZE = re.compile(rb"([-+][XY]) +(\d{1,9}) +([-+][XY]) +(\d{1,9})[ \t\r]*\n")
#: The orientation by the axes of a line of the file, as in EXIF: how the stored picture was made from the upright one.
_ORIENTATIONS = {
    b"-Y+X": 1, b"-Y-X": 2, b"+Y-X": 3, b"+Y+X": 4, b"+X-Y": 5, b"+X+Y": 8, b"-X+Y": 7, b"-X-Y": 6,
}  # fmt: skip
_PRIMARIES = b"PRIMARIES="
#: What is darker is stored as black, as by Radiance itself.
_DARKEST = 1e-32
#: Exponents are stored with this added, and mantissas are of 8 bits.
_BIAS = 128 + 8


def read(stream: BinaryIO, note: Callable[[str], None]) -> FileContents:
    """Read the header of a Radiance HDR file.

    Parameters
    ----------
    stream : binary file
        Seekable; stays open until the picture has been decoded.
    note : callable
        Not called: nothing is lost.

    Raises
    ------
    ArgumentError
        Where it is damaged, or its colours are not RGB.
    """
    head = stream.read(_LONGEST_HEADER)
    text, separator, rest = head.partition(b"\n\n")
    size = _SIZE.match(rest)
    if not separator or size is None or size[1][1:] == size[3][1:] or not int(size[2]) * int(size[4]):
        raise ArgumentError("damaged: its header has no size")
    lines = text.splitlines()[1:]
    kind = next((line.replace(b" ", b"") for line in lines if line.startswith(b"FORMAT")), _FORMAT)
    if kind != _FORMAT:
        raise ArgumentError("has colours in XYZ, which is not supported; convert it with ra_xyze -r first")
    at = len(text) + len(separator) + size.end()
    shape = int(size[2]), int(size[4])
    turned = _ORIENTATIONS[size[1] + size[3]]
    info: dict[str, Any] = {"orientation": turned} if turned != 1 else {}
    info |= _info_of([line for line in lines if not line.startswith(b"FORMAT")])
    return FileContents(
        "HDR", shape, 12, lambda: iter([Frame(_decode(stream, at, shape, info))]), orientation=turned, mode="RGB;F"
    )


def _info_of(lines: list[bytes]) -> dict[str, Any]:
    """Read the primaries out of a header, and keep its other lines."""
    info: dict[str, Any] = {}
    for line in lines:
        if line.startswith(_PRIMARIES):
            values = line[len(_PRIMARIES) :].split()
            if len(values) == 8 and all(re.fullmatch(rb"\d*\.?\d+", value) for value in values):
                numbers = tuple(map(float, values))
                info["chromaticity"] = (*numbers[6:], *numbers[:6])  # white first, as in PNG
    if kept := tuple(line for line in lines if line.strip() and not line.startswith(_PRIMARIES)):
        info["radiance"] = kept
    return info


def _decode(stream: BinaryIO, at: int, shape: tuple[int, int], info: dict[str, Any]) -> Picture:
    stream.seek(at)
    data = stream.read()
    if data[:2] == b"\2\2" and 8 <= shape[1] < 1 << 15 and int.from_bytes(data[2:4], "big") == shape[1]:
        import imagecodecs

        header = b"#?RADIANCE\n%b\n\n-Y %d +X %d\n" % (_FORMAT, *shape)
        with library_errors():
            samples = np.asarray(imagecodecs.rgbe_decode(header + data))
    else:
        samples = _to_floats(_unpacked(data, shape))
    return Picture(np.ascontiguousarray(samples), "RGB;F", None, info)


def _unpacked(data: bytes, shape: tuple[int, int]) -> Quads:
    """Undo the run lengths of old files, which repeat the pixel before; other files have none."""
    count = shape[0] * shape[1]
    quads = np.frombuffer(data[: len(data) // 4 * 4], np.uint8).reshape(-1, 4)
    runs = (quads[:, :3] == 1).all(axis=1)
    if runs.any():
        # The counts of runs that follow each other are digits to the base 256, the lowest first.
        numbers = np.arange(len(runs))
        last = np.maximum.accumulate(np.where(runs, -1, numbers))
        if last[0] < 0:
            raise ArgumentError("damaged: its first pixel is a repetition")
        digit = np.where(runs, numbers - last - 1, 0)
        times = np.where(runs, quads[:, 3].astype(np.int64) << np.minimum(8 * digit, 32), 1)
        ends = np.cumsum(np.minimum(times, count))
        used = int(np.searchsorted(ends, count)) + 1
        quads = np.repeat(quads[last[:used]], np.minimum(times[:used], count), axis=0)
    if len(quads) < count:
        raise ArgumentError("damaged: the file ends inside its pixels")
    return quads[:count].reshape(*shape, 4)


def _to_floats(quads: Quads) -> NDArray[np.float32]:
    exponents = np.where(quads[..., 3:] > 0, quads[..., 3:].astype(np.int32) - _BIAS, -400)  # 0 is black
    return np.ldexp(quads[..., :3].astype(np.float32), exponents)


class Writer:
    """Encode one picture, as `write_options.Writer` says."""

    def __init__(self, file: BinaryIO, options: WriteOptions) -> None:
        self._file, self._note = file, options.note

    def add(self, frame: Frame) -> None:
        """Encode a picture of RGB floats; what is rounded is noted."""
        import imagecodecs

        picture = frame.picture
        samples = _rounded(picture.samples)
        if not np.array_equal(samples, picture.samples):
            below = ", and negative values became 0" if (picture.samples < 0).any() else ""
            self._note(f"its samples were rounded to 8 bits with a common exponent, as Radiance HDR stores them{below}")
        height, width = samples.shape[:2]
        with library_errors("cannot be written as Radiance HDR"):
            # Run lengths may take more bytes than the pixels.
            data = bytes(imagecodecs.rgbe_encode(samples, out=5 * height * width + 1024))
        lines = list(picture.info.get("radiance", ()))
        if "chromaticity" in picture.info:
            values = picture.info["chromaticity"]
            lines.append(_PRIMARIES + " ".join(f"{float(v):.6g}" for v in (*values[2:], *values[:2])).encode())
        first, _, rest = data.partition(b"\n")
        self._file.write(b"\n".join((first, *lines, rest)))

    def close(self) -> None:
        """Do nothing: the file is complete."""


def _rounded(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round to what the file stores: whole multiples, up to 255, of a power of two that the pixel's largest sample decides.

    Raises
    ------
    ArgumentError
        For values that are not finite, or too large.
    """
    if not np.isfinite(samples).all():
        raise ArgumentError("has values that are not finite, which Radiance HDR does not support; write .exr or .tiff")
    positive = np.maximum(samples, 0)
    largest = positive.max(axis=2, keepdims=True)
    exponents = np.frexp(largest)[1]
    # What would become 256 needs the next exponent.
    exponents += np.floor(np.ldexp(largest, 8 - exponents) + 0.5) > 255
    if exponents.max(initial=0) > 127:
        raise ArgumentError("has values above 1.7e38, which Radiance HDR does not support; write .exr or .tiff")
    mantissas = np.floor(np.ldexp(positive, 8 - exponents) + np.float32(0.5))
    return np.where(largest >= _DARKEST, np.ldexp(mantissas, exponents - 8), np.float32(0)).astype(np.float32)

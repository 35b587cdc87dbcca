"""The formats that Pillow reads and writes: all but those with modules of their own."""

import re
import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from upscale.errors import ArgumentError
from upscale.pictures import metadata
from upscale.pictures.captured_stderr import decoder_heard
from upscale.pictures.formats import Format, mode_of
from upscale.pictures.orientation import orientation
from upscale.pictures.picture import Contents, Frame, Picture
from upscale.pictures.write_options import Output

#: Formats whose pictures follow each other in time.
_ANIMATED = ("WEBP", "AVIF", "FLI", "GIF")
#: Formats that are one picture for a viewer, whatever else lies in them: other views of it, layers, sizes.
_ONE = ("PSD", "ICNS", "CUR")


def read(stream: BinaryIO, cut: bool) -> Contents:
    """Open a file with Pillow.

    Parameters
    ----------
    stream : binary file
        Seekable; stays open until the last frame has been taken.
    cut : bool
        Whether samples of more than 8 bits may be cut to 8, which is all that Pillow keeps of some.

    Raises
    ------
    ArgumentError
        Where samples would be cut that must not be.
    OSError
        And others of Pillow's, where the file is damaged.
    """
    image = Image.open(stream)
    form = image.format or ""
    deep = None if cut else _deep(image, stream)
    if deep is None and not cut:
        _refuse_cut_samples(image)
    count = 1 if form in _ONE else getattr(image, "n_frames", 1)
    pixel_bytes = Image.getmodebands(image.mode) * (2 if image.mode.startswith("I;16") else 4 if image.mode in "IF" else 1)
    several = "animation" if form in _ANIMATED else "views" if form == "MPO" else "pages"
    kind = "picture" if count == 1 else several
    frames: Callable[[], Iterator[Frame]] = lambda: _frames(image, count)  # noqa: E731
    if deep is not None:
        frames = lambda: iter([Frame(deep())])  # noqa: E731
        pixel_bytes *= 2
    elif form == "ICO" and len(_sizes(image)) > 1:
        kind, count, frames = "sizes", len(_sizes(image)), lambda: _icons(image)
    plays = int(image.info.get("loop", 0))
    turned = orientation(metadata.of_image(image))
    return Contents(form, image.size[::-1], pixel_bytes, frames, kind, count, plays=plays, orientation=turned)


def _frames(image: Image.Image, count: int) -> Iterator[Frame]:
    for number in range(count):
        if count > 1:
            image.seek(number)
        image.load()
        info = metadata.of_image(image)
        picture = Picture.of_image(image, info)
        if image.format == "PPM" and image.mode == "I":  # its 16 bits in Pillow's 32
            picture = picture.with_samples(picture.samples.astype(np.uint16), "L")
        duration = image.info.get("duration", 0) if count > 1 else 0
        yield Frame(picture, (round(1000 * float(duration)), 1_000_000))


def _sizes(image: Any) -> list[tuple[int, int]]:
    return sorted(image.info.get("sizes", ()))


def _icons(image: Any) -> Iterator[Frame]:
    for size in reversed(_sizes(image)):  # the largest first: it is the one for programs that take one
        icon = image.ico.getimage(size)
        icon.load()
        yield Frame(Picture.of_image(icon, {}))


def _refuse_cut_samples(image: Image.Image) -> None:
    """Refuse what Pillow would cut to 8 bits without a word: the raw mode of the first tile tells the file's own depth."""
    tiles = getattr(image, "tile", None)
    if image.mode.startswith(("I", "F")) or not tiles:
        return
    arguments = tiles[0].args
    words = arguments if isinstance(arguments, tuple) else (arguments,)
    # Of BGR;16 the number is that of a pixel's bits.
    deep = any(isinstance(w, str) and re.search(r"^(?!BGR).*;(10|12|14|16|32)", w) for w in words)
    # The sixth way of packing blocks holds floats; and only still pictures are decoded by another library than Pillow.
    deep = deep or (image.format == "DDS" and words[0] == 6)
    if deep:
        raise ArgumentError(
            f"has more than 8 bits a sample in {image.mode}, which would be cut to 8: --depth 8 allows it; "
            "or hand it in as a .npy array"
        )


def _deep(image: Any, stream: BinaryIO) -> Callable[[], Picture] | None:
    """Find what decodes a picture whose samples have more bits than Pillow keeps; None where Pillow keeps them."""
    info = metadata.of_image(image)
    if image.format == "PPM" and image.mode == "RGB" and isinstance(image.tile[0].args, tuple):
        maximum = image.tile[0].args[-1]
        if isinstance(maximum, int) and maximum > 255:
            return lambda: _deep_netpbm(image, stream, maximum)
    if image.format == "SGI" and image.tile and _is_sgi16(stream):
        from upscale.pictures import sgi

        return lambda: Picture(*sgi.read(stream), None, info)
    if image.format == "JPEG2000" and image.mode in ("RGB", "RGBA", "LA"):
        bits = _jpeg2000_bits(stream)
        return (lambda: _by_imagecodecs("jpeg2k_decode", stream, bits, info)) if 8 < bits <= 16 else None
    if image.format == "AVIF" and getattr(image, "n_frames", 1) == 1:
        bits = _avif_bits(stream)
        return (lambda: _by_imagecodecs("avif_decode", stream, bits, info)) if bits > 8 else None
    return None


def _by_imagecodecs(decoder: str, stream: BinaryIO, bits: int, info: dict[str, Any]) -> Picture:
    """Decode samples of some bits, and stretch them to 16."""
    import imagecodecs

    stream.seek(0)
    with decoder_heard():
        samples = getattr(imagecodecs, decoder)(stream.read())
    if samples.dtype != np.uint16 or samples.ndim not in (2, 3):
        raise ArgumentError(f"has samples of {bits} bits that cannot be decoded; --depth 8 takes them as 8 bits")
    if bits < 16:
        samples = np.floor(samples * (65535 / ((1 << bits) - 1)) + 0.5).astype(np.uint16)
    base = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[samples.shape[2] if samples.ndim == 3 else 1]
    return Picture(np.ascontiguousarray(samples), mode_of(base, samples.dtype) or "", None, info)


def _is_sgi16(stream: BinaryIO) -> bool:
    stream.seek(3)
    return stream.read(1) == b"\2"


def _jpeg2000_bits(stream: BinaryIO) -> int:
    """Read the bits of the first component out of the image size marker (ITU-T T.800, A.5.1)."""
    stream.seek(0)
    data = stream.read(1 << 16)
    at = data.find(b"\xff\x51")
    return (data[at + 40] & 127) + 1 if 0 <= at < len(data) - 40 else 8


def _avif_bits(stream: BinaryIO) -> int:
    """Read the bits of a sample out of the codec's configuration (AV1 in ISOBMFF, 2.3.3)."""
    stream.seek(0)
    data = stream.read(1 << 16)
    at = data.find(b"av1C")
    flags = data[at + 6] if 0 <= at < len(data) - 6 else 0
    return 8 if not flags & 64 else 12 if flags & 32 else 10


def _deep_netpbm(image: Any, stream: BinaryIO, maximum: int) -> Picture:
    """Read a PPM file of more than 8 bits: words with the high byte first, or numbers in text (Netpbm's ppm(5))."""
    stream.seek(0)
    plain = stream.read(2) == b"P3"
    stream.seek(image.tile[0].offset)
    count = image.width * image.height * 3
    if plain:
        words = re.sub(rb"#[^\n]*", b"", stream.read()).split()[:count]
        values = np.array(words, np.uint64)
    else:
        values = np.frombuffer(stream.read(2 * count), ">u2").astype(np.uint64)
    if len(values) < count:
        raise ArgumentError("damaged: the file ends within the samples")
    if values.max() > maximum:
        raise ArgumentError("damaged: a sample is larger than the file's own maximum")
    scaled = (values * 65535 + maximum // 2) // maximum
    return Picture(scaled.astype(np.uint16).reshape(image.height, image.width, 3), "RGB;16")


class Writer:
    """Encode pictures by `Image.save`, as `saving.Writer` says: one at once, several when all have come."""

    def __init__(self, file: BinaryIO, output: Output, target: Format) -> None:
        self._file, self._output, self._target = file, output, target
        self._pictures: list[Picture] = []
        self._delays: list[tuple[int, int]] = []

    def add(self, frame: Frame) -> None:
        """Encode the next frame, or remember it."""
        if self._output.total == 1 and self._target.pillow != "ICO":
            self._save(frame.picture)
        else:
            self._pictures.append(frame.picture)
            self._delays.append(frame.delay)

    def close(self) -> None:
        """Encode what was remembered."""
        if not self._pictures:
            return
        images = [picture.to_image() for picture in self._pictures]
        options = metadata.save_options(self._target.pillow, self._pictures[0], self._output)
        if self._target.pillow == "ICO":
            # PNG inside; Pillow would otherwise make smaller ones of the first.
            options = {"sizes": [image.size for image in images], "append_images": images[1:]}
        else:
            options |= {"save_all": True, "append_images": images[1:]}
            if self._target.pillow == "WEBP" and any((p.samples[..., 3:] < 255).any() for p in self._pictures):
                # Between whole frames, libwebp leaves behind what should have become transparent.
                options |= {"kmin": 0, "kmax": 1}
            options |= {"duration": _durations(self._delays), "loop": self._output.plays or 0}
        images[0].save(self._file, self._target.pillow, **options)

    def _save(self, picture: Picture) -> None:
        target = self._target
        if target.pillow == "BMP" and picture.mode == "RGBA":
            self._file.write(_bmp(picture))
        elif picture.mode in ("RGB;16", "RGB;F"):
            self._file.write(_netpbm(picture))
        elif target.pillow == "AVIF" and self._output.lossless:
            import imagecodecs

            lost = [k for k in ("icc_profile", "exif", "xmp") if k in picture.info]
            if lost:
                self._output.note("lossless AVIF is written without a colour profile, EXIF and XMP")
            self._file.write(imagecodecs.avif_encode(np.ascontiguousarray(picture.samples), level=100))
        else:
            picture.to_image().save(self._file, target.pillow, **metadata.save_options(target.pillow, picture, self._output))


def _durations(delays: list[tuple[int, int]]) -> list[int]:
    """Round to milliseconds so that the sum does not drift."""
    ends, passed = [], 0.0
    for numerator, denominator in delays:
        passed += 1000 * numerator / (denominator or 100)
        ends.append(round(passed))
    return [end - begin for begin, end in zip([0, *ends], ends, strict=False)]


def _bmp(picture: Picture) -> bytes:
    """Write RGBA as BMP, which needs the fourth version of its header to say which bits are opacity (BITMAPV4HEADER)."""
    height, width = picture.samples.shape[:2]
    x, y = (min(round(float(v) / 0.0254), (1 << 31) - 1) for v in picture.info.get("dpi", (96, 96)))
    samples = picture.samples[::-1, :, [2, 1, 0, 3]].tobytes()
    masks = 0xFF0000, 0xFF00, 0xFF, 0xFF000000
    header = struct.pack("<IiiHHIIiiII4I", 108, width, height, 1, 32, 3, len(samples), x, y, 0, 0, *masks)
    header += b"BGRs".ljust(108 - len(header), b"\0")  # the colours are sRGB's
    return struct.pack("<2sIHHI", b"BM", 14 + 108 + len(samples), 0, 0, 14 + 108) + header + samples


def _netpbm(picture: Picture) -> bytes:
    """Write what Pillow does not: colour in 16 bits as PPM, in floats as PFM, whose rows go upwards."""
    height, width = picture.samples.shape[:2]
    if picture.mode == "RGB;16":
        return f"P6\n{width} {height}\n65535\n".encode() + picture.samples.astype(">u2").tobytes()
    return f"PF\n{width} {height}\n-1.0\n".encode() + picture.samples[::-1].astype("<f4").tobytes()

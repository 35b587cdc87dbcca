"""The formats that Pillow reads and writes: all but those with modules of their own. JPEG is only read here."""

import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError

from upscale.choices import pluralize
from upscale.errors import ArgumentError, damage, library_errors
from upscale.pictures import coding_points, fli_palettes, high_bit_depth, jpeg2000, metadata
from upscale.pictures.bmp import bmp_reader
from upscale.pictures.decoder_errors import Note, not_supported, pillow_errors
from upscale.pictures.formats import Format
from upscale.pictures.jpeg import truncated_jpeg
from upscale.pictures.orientation import orientation
from upscale.pictures.photoshop import photoshop_blocks
from upscale.pictures.picture import FileContents, Frame, Picture
from upscale.pictures.write_options import WriteOptions

#: Formats whose pictures follow each other in time.
_ANIMATED = ("WEBP", "AVIF", "FLI", "GIF")
#: Formats that viewers show as one picture, whatever else is in them: other views of it, sizes.
_ONE = ("ICNS",)
#: Where in an AVIF file its colour space is looked for, in bytes.
_SEARCHED = 1 << 16


def read(stream: BinaryIO, allow_8_bit: bool, note: Note, truncated: Note) -> FileContents:
    """Open a file with Pillow.

    Parameters
    ----------
    stream : binary file
        Seekable; stays open until the last frame has been taken.
    allow_8_bit : bool
        Whether samples of more than 8 bits may be cut to 8, since Pillow keeps no more in some formats.
    note : callable
        Called with a line for what is lost.
    truncated : callable
        Called with what is missing where the file ends too early, but viewers show it.

    Raises
    ------
    ArgumentError
        Where the file is damaged, or samples would be cut that must not be.
    """
    stream = fli_palettes.without_prefix(stream) if fli_palettes.is_fli(stream) else stream
    with pillow_errors():
        image = _open(stream)
        total, bands = getattr(image, "n_frames", 1), len(image.getbands())
    form = image.format or ""
    if form == "JPEG2000":
        image.info.update(jpeg2000.read_metadata(stream))
        if jpeg2000.is_encoders_comment(image.info.get("comment", b"")):
            del image.info["comment"]
    if form == "AVIF" and "icc_profile" not in image.info and (numbers := _avif_colours(stream)):
        image.info.update(coding_points.info_of(*numbers, note))
    decode = high_bit_depth.decoder_of(image, stream, allow_8_bit=allow_8_bit)
    if decode is None and not allow_8_bit:
        high_bit_depth.refuse_cut_samples(image)
    count = 1 if form in _ONE else total
    pixel_bytes = bands * (2 if image.mode.startswith("I;16") else 4 if image.mode in "IF" else 1)
    several = "animation" if form in _ANIMATED else "views" if form == "MPO" else "pages"
    kind = "picture" if count == 1 else several
    frames: Callable[[], Iterator[Frame]] = lambda: _frames(image, count, stream, truncated)  # noqa: E731
    if form == "FLI":
        frames = lambda: _with_palettes(_frames(image, count, stream, truncated), fli_palettes.read(stream, count))  # noqa: E731
    if form == "ICNS" and len(image.info.get("sizes", ())) > 1:
        note(f"only the largest of its {len(image.info['sizes'])} pictures was read")
    if decode is not None:
        frames = lambda: iter([Frame(decode())])  # noqa: E731
        pixel_bytes *= 2
    elif not allow_8_bit and (deep := high_bit_depth.frames_of(image, stream)) is not None:
        frames, pixel_bytes = deep, 2 * pixel_bytes * total
    plays = int(image.info.get("loop", 0))
    if form == "BMP" and (profile := bmp_reader.profile_of(stream)):
        image.info["icc_profile"] = profile
    turned = orientation(metadata.of_image(image))
    size, mode = image.size[::-1], image.mode
    return FileContents(form, size, pixel_bytes, frames, kind, count, plays=plays, orientation=turned, mode=mode)


def _open(stream: BinaryIO) -> Any:
    """Open a file; where no part of Pillow takes it, tell what the one says whose signature it has."""
    try:
        return Image.open(stream)
    except UnidentifiedImageError:
        stream.seek(0)
        head = stream.read(16)
        for factory, accepts in Image.OPEN.values():
            if accepts is None or not accepts(head) or isinstance(accepts(head), str):
                continue
            stream.seek(0)
            try:
                factory(stream, "")
            except (SyntaxError, IndexError, TypeError, KeyError, EOFError, struct.error) as error:
                reason = not_supported(str(error)) if isinstance(error, SyntaxError) else None
                raise ArgumentError(reason or f"damaged: {damage(error)}") from error
        raise


def _frames(image: Image.Image, count: int, stream: BinaryIO, truncated: Note) -> Iterator[Frame]:
    for number in range(count):
        if image.format == "JPEG":
            image = _jpeg(image, stream, truncated)
        else:
            with pillow_errors():
                if count > 1:
                    image.seek(number)
                image.load()
        info = metadata.of_image(image)
        if blocks := photoshop_blocks.read_segments(getattr(image, "applist", ())):
            info["photoshop"] = blocks
        if image.format == "WEBP" and count > 1 and "background" in image.info:
            info["canvas"] = image.info["background"]
        picture = Picture.of_image(image, info)
        if image.format == "PPM" and image.mode == "I":  # Pillow's 32 bits of the file's 16
            picture = picture.with_samples(picture.samples.astype(np.uint16), "L")
        if image.format == "XBM":  # ink is 1, which Pillow takes for white
            picture = picture.with_samples(~picture.samples)
        duration = image.info.get("duration", 0) if count > 1 else 0
        yield Frame(picture, (round(1000 * float(duration)), 1_000_000))


def _avif_colours(stream: BinaryIO) -> tuple[int, int] | None:
    """Read the numbers of an AVIF file's primaries and transfer function (ISO/IEC 14496-12, 12.1.5)."""
    stream.seek(0)
    _, found, numbers = stream.read(_SEARCHED).partition(b"colrnclx")
    return struct.unpack(">HH", numbers[:4]) if found and len(numbers) >= 4 else None


def _jpeg(image: Image.Image, stream: BinaryIO, truncated: Note) -> Image.Image:
    """Decode a JPEG image, even one that ends inside its last scan, which Pillow refuses."""
    try:
        with pillow_errors():
            image.load()
        return image
    except ArgumentError:
        completed = truncated_jpeg.complete(stream)
        if completed is None:
            raise
    truncated(completed.missing)
    return completed.image


def _with_palettes(frames: Iterator[Frame], palettes: list[Any]) -> Iterator[Frame]:
    """Give each frame its palette; the frames behind a damaged place keep Pillow's."""
    for number, frame in enumerate(frames):
        if number < len(palettes):
            frame = frame._replace(picture=frame.picture._replace(palette=palettes[number]))
        yield frame


class Writer:
    """Encode pictures by `Image.save`, as `write_options.Writer` says: a single one at once, several when all are there."""

    def __init__(self, file: BinaryIO, options: WriteOptions, target: Format) -> None:
        self._file, self._options, self._target = file, options, target
        self._pictures: list[Picture] = []
        self._delays: list[tuple[int, int]] = []

    def add(self, frame: Frame) -> None:
        """Encode the next frame, or keep it until `close`."""
        if self._options.total == 1 and self._target.pillow != "ICO":
            self._save(frame.picture)
        else:
            self._pictures.append(frame.picture)
            self._delays.append(frame.delay)

    def close(self) -> None:
        """Encode the frames that were kept."""
        if not self._pictures:
            return
        images = [picture.to_image() for picture in self._pictures]
        options = _save_options(self._target.pillow, self._pictures[0], self._options)
        if self._target.pillow == "ICO":
            # Without sizes, Pillow would make smaller icons of the first one.
            options = {"sizes": [image.size for image in images], "append_images": images[1:]}
        else:
            options |= {"save_all": True, "append_images": images[1:]}
            if self._target.pillow == "WEBP" and any((p.samples[..., 3:] < 255).any() for p in self._pictures):
                # Only key frames: between others, libwebp leaves pixels that should have become transparent.
                options |= {"kmin": 0, "kmax": 1}
            options |= {"duration": _durations(self._delays), "loop": self._options.plays or 0}
            if "canvas" in self._pictures[0].info:
                options["background"] = self._pictures[0].info["canvas"]
            self._note_losses()
        self._save_image(images[0], options)

    def _note_losses(self) -> None:
        """Note what an animation loses in its format."""
        first, *others = self._pictures
        if self._target.pillow == "WEBP" and all(np.array_equal(first.samples, other.samples) for other in others):
            self._options.note("all its frames are equal, so WebP stores a still picture without a duration")
        if self._target.pillow == "AVIF" and self._options.plays:
            self._options.note(f"it plays for ever, not {pluralize(self._options.plays, 'time')}: AVIF cannot store the number")

    def _save_image(self, image: Image.Image, options: dict[str, Any]) -> None:
        with library_errors(f"cannot be written as {self._target.name}"):
            image.save(self._file, self._target.pillow, **options)

    def _save(self, picture: Picture) -> None:
        target = self._target
        if target.pillow == "BMP" and picture.mode == "RGBA":
            self._file.write(_bmp(picture))
        elif target.pillow == "PPM" and picture.mode in ("RGB;16", "RGB;F"):
            self._file.write(_netpbm(picture))
        elif target.pillow == "AVIF" and self._options.lossless:
            import imagecodecs

            lost = [k for k in ("icc_profile", "exif", "xmp") if k in picture.info]
            if lost:
                self._options.note("lossless AVIF is written without colour profile, EXIF and XMP")
            with library_errors("cannot be written as AVIF"):
                data = imagecodecs.avif_encode(np.ascontiguousarray(picture.samples), level=100)
            self._file.write(data)
        elif target.pillow == "JPEG2000":
            self._file.write(jpeg2000.encode(picture, boxes=bool(target.metadata), threads=self._options.threads))
        else:
            self._save_image(picture.to_image(), _save_options(target.pillow, picture, self._options))


def _durations(delays: list[tuple[int, int]]) -> list[int]:
    """Round to milliseconds so that the sum does not drift."""
    ends, passed = [], 0.0
    for numerator, denominator in delays:
        passed += 1000 * numerator / (denominator or 100)
        ends.append(round(passed))
    return [end - begin for begin, end in zip([0, *ends], ends, strict=False)]


def _bmp(picture: Picture) -> bytes:
    """Write RGBA as BMP, which needs the fourth version of its header to say which bits are alpha (BITMAPV4HEADER)."""
    height, width = picture.samples.shape[:2]
    x, y = (min(round(float(v) / 0.0254), (1 << 31) - 1) for v in picture.info.get("dpi", (0, 0)))
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


def _save_options(target: str, picture: Picture, options: WriteOptions) -> dict[str, Any]:
    """Return the arguments of `Image.save` that keep metadata and lose no more than was requested.

    Parameters
    ----------
    target : str
        Pillow's name of the output format.
    picture : Picture
    options : WriteOptions
    """
    info = picture.info
    arguments: dict[str, Any] = {}
    if target in ("WEBP", "AVIF"):
        arguments = {k: info[k] for k in ("icc_profile", "exif", "xmp") if k in info}
        if target == "WEBP" and (options.lossless or options.quality is None):
            arguments |= {"lossless": True, "exact": True}
        elif target == "WEBP":
            arguments |= {"quality": options.quality, "exact": True, "method": 4}
        else:
            arguments |= {"quality": 90 if options.quality is None else options.quality, "subsampling": "4:4:4"}
            arguments["max_threads"] = options.threads
    elif target == "BMP":
        arguments = {"dpi": info.get("dpi", (0, 0))}  # or Pillow would write 96
    return arguments

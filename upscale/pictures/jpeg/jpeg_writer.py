"""A streaming writer of JPEG: baseline, without subsampling, so that a row of blocks is 8 rows of pixels.

Pillow encodes small pictures, and the header of all. Larger ones are encoded in bands, in threads, and joined by restart
markers, so only a few bands are in memory. Bands depend on the size of the picture alone: any number of threads writes the same
bytes.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError, library_errors
from upscale.pictures.formats import FORMATS, METADATA
from upscale.pictures.jpeg import jpeg_bands
from upscale.pictures.ordered_tasks import OrderedTasks
from upscale.pictures.photoshop import photoshop_blocks
from upscale.pictures.picture import Frame, Picture
from upscale.pictures.write_options import WriteOptions

Array = NDArray[np.uint8]

_DEFAULT_QUALITY = 92
#: For each mode: how many samples a pixel has, and what libjpeg calls its colours and those in the file.
_COLOURS = {"L": (1, "GRAYSCALE", "GRAYSCALE"), "RGB": (3, "RGB", "YCBCR"), "CMYK": (4, "CMYK", "CMYK")}
#: Bytes that fit into one segment.
_LONGEST = {"exif": 65533, "xmp": 65504, "comment": 65533}
#: Bytes of samples of a band. Even if all have one colour, they become 4 kB, to which a restart marker and the DC coefficients
#: behind it add 0.3 % at most.
_BAND = 1 << 19
#: Pictures of at most so many bytes of samples are encoded as a whole: importing the encoder of bands and starting threads
#: takes longer than they save.
_SMALL = 1 << 22


class Writer:
    """Encode a picture, as `write_options.Writer` says."""

    def __init__(self, file: BinaryIO, options: WriteOptions) -> None:
        self._file, self._options = file, options

    def add(self, frame: Frame) -> None:
        """Encode the picture."""
        samples = np.ascontiguousarray(frame.picture.samples)
        size = samples.shape[:2]
        rows = _rows_of_band(frame.picture.mode, size)
        self._encode(frame.picture, (samples[y : y + rows] for y in range(0, size[0], rows)), size, rows)

    def add_bands(self, frame: Frame, bands: Iterable[Array], size: tuple[int, int]) -> None:
        """Encode the picture, whose samples come in bands of rows.

        Parameters
        ----------
        frame : Frame
            Its picture's samples are ignored.
        bands : iterable of ndarray
            (rows, W) or (rows, W, C) of uint8, of any heights; each one need only hold until the next is taken.
        size : (int, int)
            Height and width.

        Raises
        ------
        ArgumentError
            Where the encoder refuses the picture.
        """
        rows = _rows_of_band(frame.picture.mode, size)
        self._encode(frame.picture, _copied(bands, size[0], rows), size, rows)

    def close(self) -> None:
        """Do nothing: the file is complete."""

    def _encode(self, picture: Picture, bands: Iterator[Array], size: tuple[int, int], rows: int) -> None:
        longest = FORMATS[".jpg"].longest
        if max(size) > longest:
            raise ArgumentError(f"JPEG is limited to {longest} pixels a side, this output would have {max(size)}")
        settings = _settings(self._options)
        arguments = settings | _metadata(picture, self._options.note)
        if rows >= size[0]:
            self._file.write(_encoded(picture.mode, next(bands), arguments))
            return
        pixel = np.zeros((1, 1, _COLOURS[picture.mode][0]), np.uint8)
        example = _encoded(picture.mode, pixel, arguments)
        tasks = OrderedTasks("jpeg")
        try:
            self._file.write(jpeg_bands.joined_header(example, size, rows))
            results = tasks.run(_band_encoder(picture.mode, settings, example), ((band,) for band in bands))
            for number, encoded in enumerate(results):
                if number:
                    self._file.write(jpeg_bands.restart_marker(number - 1))
                self._file.write(jpeg_bands.entropy_coded(encoded))
            self._file.write(jpeg_bands.END_OF_IMAGE)
        finally:
            tasks.close()


def _rows_of_band(mode: str, size: tuple[int, int]) -> int:
    """Return how many rows are encoded in one go: all of a small picture."""
    (height, width), channels = size, _COLOURS[mode][0]
    return height if height * width * channels <= _SMALL else jpeg_bands.rows_of_band(width, channels, _BAND)


def _copied(pieces: Iterable[Array], height: int, rows: int) -> Iterator[Array]:
    """Copy pieces of rows into bands of `rows` rows each; the last one ends at `height`."""
    band: Array | None = None
    begin = filled = 0
    for piece in pieces:
        used = 0
        while used < len(piece):
            if band is None:
                band, filled = np.empty((min(rows, height - begin), *piece.shape[1:]), np.uint8), 0
            count = min(len(band) - filled, len(piece) - used)
            band[filled : filled + count] = piece[used : used + count]
            filled, used = filled + count, used + count
            if filled == len(band):
                yield band
                band, begin = None, begin + filled


def _encoded(mode: str, samples: Array, arguments: dict[str, Any]) -> bytes:
    """Encode samples by Pillow."""
    file = io.BytesIO()
    with library_errors("cannot be written as JPEG"):
        Picture(samples, mode).to_image().save(file, "JPEG", **arguments)
    return file.getvalue()


def _band_encoder(mode: str, settings: dict[str, Any], example: bytes) -> Callable[[Array], bytes]:
    """Choose what encodes bands: imagecodecs, which lets other threads run, or Pillow if the tables differ from its own.

    Parameters
    ----------
    mode : str
    settings : dict
        As of `_settings`.
    example : bytes
        A pixel, encoded by Pillow.
    """
    import imagecodecs

    channels, colours, stored = _COLOURS[mode]

    def encode(band: Array) -> bytes:
        samples = ~band if mode == "CMYK" else band  # as Adobe's programs do, Pillow stores no ink as 255
        with library_errors("cannot be written as JPEG"):
            data = imagecodecs.jpeg8_encode(
                samples, settings["quality"], colorspace=colours, outcolorspace=stored, subsampling="444"
            )
        return bytes(data)  # which copies nothing

    pixel = np.zeros((1, 1, channels) if channels > 1 else (1, 1), np.uint8)
    same = jpeg_bands.tables(encode(pixel)) == jpeg_bands.tables(example)
    return encode if same else lambda band: _encoded(mode, band, settings)


def _settings(options: WriteOptions) -> dict[str, Any]:
    """Return the arguments of `Image.save` that pixels depend on."""
    return {"quality": _DEFAULT_QUALITY if options.quality is None else options.quality, "subsampling": 0}


def _metadata(picture: Picture, note: Callable[[str], None]) -> dict[str, Any]:
    """Return the arguments of `Image.save` for metadata; what JPEG cannot store is noted."""
    info = picture.info
    arguments = {k: info[k] for k in ("icc_profile", "dpi", "exif", "comment", "xmp") if k in info}
    for key, longest in _LONGEST.items():
        if len(arguments.get(key, b"")) > longest:
            note(f"its {METADATA[key]} was dropped, because JPEG stores at most {longest} bytes of it")
            del arguments[key]
    if "dpi" in arguments:
        rounded = tuple(round(float(v)) for v in arguments["dpi"])
        if not 1 <= min(rounded) <= max(rounded) <= 65535:
            note("its resolution was dropped, because JPEG cannot store it")
            del arguments["dpi"]
        else:
            arguments["dpi"] = rounded
    if "photoshop" in info:
        arguments["extra"] = photoshop_blocks.write_segments(info["photoshop"])
    return arguments

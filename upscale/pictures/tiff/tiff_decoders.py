"""A page of a TIFF file to a `Picture`, by each of the decoders: Pillow, libtiff through Pillow, and tifffile."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import index
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError, library_errors
from upscale.pictures.captured_stderr import capture_stderr
from upscale.pictures.decoder_errors import pillow_errors
from upscale.pictures.formats import mode_of
from upscale.pictures.orientation import upright
from upscale.pictures.picture import CHANNELS, Picture
from upscale.pictures.tiff import tiff_lzw, tiff_tags
from upscale.pictures.tiff.tiff_colours import (
    ICC_LAB,
    PALETTE,
    RGB,
    WHITE_IS_0,
    YCBCR,
    colour_map,
    guessed_photometric,
    is_ycbcr,
    rgb_of_ycbcr,
)
from upscale.pictures.tiff.tiff_messages import Messages
from upscale.pictures.tiff.tiff_samples import corrected_bytes, is_odd_depth, stretched, with_other_lab_signs
from upscale.pictures.tiff.tiff_tags import Tags, whole_number, whole_numbers

Array = NDArray[Any]
Note = Callable[[str], None]

#: Modes that Pillow keeps completely, if a page has as many channels.
_PILLOW_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "LAB")
#: Those that it also decodes rightly if each channel is stored apart.
_PLANAR_MODES = ("1", "L", "P", "RGB", "RGBA", "CMYK")
#: Pillow turns pictures upright; turning by this orientation undoes it, where it is not the same one.
_INVERSE_ORIENTATION = {6: 8, 8: 6}
#: Colour model by photometric interpretation and samples a pixel.
_MODELS = {
    **{(0, 1): "L", (1, 1): "L", (1, 2): "LA", (2, 3): "RGB", (2, 4): "RGBA", (5, 4): "CMYK", (8, 3): "LAB"},
    (ICC_LAB, 3): "LAB",
}
_MEANINGS = {RGB: "RGB", PALETTE: "palette", 5: "CMYK", YCBCR: "YCbCr"}
_LZW, _OLD_JPEG = 5, 6
#: Tags with the lengths of strips, tiles and old-style JPEG.
_BYTE_COUNTS = (279, 325, 514)
#: Compressions that neither library decodes.
_NOT_DECODED = {
    34676: "LogLuv compression is not supported; convert it to a TIFF of 32-bit floats first",
    34677: "LogLuv compression is not supported; convert it to a TIFF of 32-bit floats first",
    32809: "ThunderScan compression is not supported; convert it to an uncompressed TIFF first",
}


def is_complete(image: Any, tags: Tags) -> bool:
    """Return whether Pillow decodes all of a page's samples, and rightly.

    It does not swap the bytes of compressed samples of more than 8 bits in all files, and mixes up the planes of some modes.
    """
    mode = image.mode
    bits = whole_numbers(tags, tiff_tags.BITS, (1,))
    sample_formats = whole_numbers(tags, tiff_tags.SAMPLE_FORMAT, (1,))
    channels = len(image.getbands())
    unsaid = channels if whole_number(tags, tiff_tags.COMPRESSION) == _OLD_JPEG else 1
    same_channels = whole_number(tags, tiff_tags.SAMPLES, unsaid) == channels
    planar = whole_number(tags, tiff_tags.PLANAR, 1) == 2
    known = mode in (_PLANAR_MODES if planar else _PILLOW_MODES) and tiff_tags.PHOTOMETRIC in tags
    if planar and tags.get(tiff_tags.PHOTOMETRIC) == YCBCR:
        return False
    return known and max(bits) <= 8 and set(sample_formats) == {1} and same_channels


def is_raw_ycbcr(tags: Tags) -> bool:
    """Return whether a page is uncompressed YCbCr of 8 bits, whose subsampling and tags Pillow would ignore."""
    layout = [whole_number(tags, code, 1) for code in (tiff_tags.PHOTOMETRIC, tiff_tags.COMPRESSION, tiff_tags.PLANAR)]
    return layout == [YCBCR, 1, 1] and set(whole_numbers(tags, tiff_tags.BITS, (1,))) == {8}


def by_pillow(image: Any, tags: Tags, info: dict[str, Any], messages: Messages) -> Picture:
    """Decode the page that Pillow's image shows."""
    with capture_stderr() as lines, pillow_errors():
        image.load()
    messages.add(lines)
    turned = info.get("orientation", 1)
    picture = upright(Picture.of_image(image, {}), _INVERSE_ORIENTATION.get(turned, turned))
    bits = max(whole_numbers(tags, tiff_tags.BITS, (1,)))
    info = _with_bits(info, bits) if picture.mode in ("L", "P") else info
    colours = colour_map(whole_numbers(tags, tiff_tags.COLOUR_MAP, ()))
    if picture.mode in ("P", "PA") and colours is not None:
        picture, info = picture._replace(palette=(colours >> 8).astype(np.uint8)), _with_colours(info, colours)
    return picture._replace(info=info)


def by_libtiff(stream: BinaryIO, number: int, tags: Tags, info: dict[str, Any], messages: Messages) -> Picture:
    """Decode a page by libtiff, to which Pillow leaves only compressed ones otherwise."""
    from PIL import Image

    with _pillow_uses_libtiff(), pillow_errors():
        image = Image.open(stream, formats=["TIFF"])
        image.seek(number)
    return by_pillow(image, tags, info, messages)


@contextmanager
def _pillow_uses_libtiff() -> Iterator[None]:
    from PIL import TiffImagePlugin

    before = TiffImagePlugin.READ_LIBTIFF
    TiffImagePlugin.READ_LIBTIFF = True
    try:
        yield
    finally:
        TiffImagePlugin.READ_LIBTIFF = before


def by_tifffile(page: Any, info: dict[str, Any], note: Note) -> Picture:
    """Decode a page by tifffile."""
    if int(page.compression) == _LZW:
        _check_lzw(page)
    with library_errors():
        samples = np.asarray(page.asarray())
        extra, compression = tuple(int(e) for e in page.extrasamples), int(page.compression)
        planar, has_palette = page.planarconfig == 2 and page.samplesperpixel > 1, 320 in page.tags
        photometric = int(page.photometric)
        bits = page.bitspersample if isinstance(page.bitspersample, int) else 8 * samples.dtype.itemsize
    if planar:
        samples = np.moveaxis(samples, 0, -1)
    if samples.ndim == 3 and samples.shape[2] == 1:
        samples = samples[..., 0]
    if samples.ndim not in (2, 3) or not samples.size:
        raise ArgumentError(
            "damaged: it has no pixels"
            if not samples.size
            else f"its pixels have the shape {samples.shape}, which is not a picture"
        )
    channels = samples.shape[2] if samples.ndim == 3 else 1
    if tiff_tags.PHOTOMETRIC not in page.tags:
        photometric = guessed_photometric(compression, channels, len(extra), has_palette)
        if photometric in _MEANINGS:
            note(f"its tags do not say what its samples mean; they are taken as {_MEANINGS[photometric]}")
    samples = corrected_bytes(np.ascontiguousarray(samples, samples.dtype.newbyteorder("=")), bits, page.parent.byteorder)
    if samples.dtype == bool and (samples.ndim == 3 or photometric == PALETTE):
        samples = samples.astype(np.uint8)
    if photometric == PALETTE:
        return _of_palette(samples, page, extra, _with_bits(info, bits), note)
    if channels >= 3 and is_ycbcr(photometric, compression, planar):
        samples = rgb_of_ycbcr(samples, bits, _numbers(page, 529), _numbers(page, 532), note)
    if channels >= 3 and (photometric == YCBCR or is_ycbcr(photometric, compression, planar)):
        photometric = RGB
    return _with_mode(samples, photometric, extra, bits, info, note)


def _check_lzw(page: Any) -> None:
    """Refuse a page with data that might end the process.

    Raises
    ------
    ArgumentError
    """
    import imagecodecs

    with library_errors():
        for segment, *_ in page.parent.filehandle.read_segments(page.dataoffsets, page.databytecounts):
            data = bytes(segment or b"")
            if page.fillorder == 2:
                data = bytes(imagecodecs.bitorder_decode(data))
            if not tiff_lzw.is_safe(data):
                raise ArgumentError("damaged: its LZW data contain an invalid code")


def _with_mode(
    samples: Array, photometric: int, extra: tuple[int, ...], bits: int, info: dict[str, Any], note: Note
) -> Picture:
    """Make a picture of samples with one of the modes where one fits, and with `CHANNELS` else."""
    own = dict(info.get("tiff", {}))
    if samples.dtype.kind == "f" and bits < 8 * samples.dtype.itemsize:
        note(f"its floats of {bits} bits are read as {8 * samples.dtype.itemsize} bits, which hold the same values")
    if is_odd := is_odd_depth(bits, samples):
        own["bits"] = bits
    base = _MODELS.get((photometric, samples.shape[2] if samples.ndim == 3 else 1), "")
    if base in ("LA", "RGBA") and extra not in ((1,), (2,)):
        base = ""
    if samples.dtype == bool:
        base = "1"
    mode = mode_of(base, samples.dtype) or CHANNELS
    # The signs of Lab are those of 8 or 16 bits; and ICC's Lab has another range in 16 bits.
    if base == "LAB" and (is_odd or (photometric == ICC_LAB and samples.dtype != np.uint8)):
        mode = CHANNELS
    if is_odd and mode != CHANNELS:
        samples = stretched(samples, bits)
    if mode == CHANNELS:
        own |= {"photometric": photometric, "extrasamples": extra}
    elif base in ("LA", "RGBA") and extra == (1,):
        info = {**info, "associated": True}
    if photometric == WHITE_IS_0 and mode in ("1", "L"):
        samples = ~samples
    if base == "LAB" and mode != CHANNELS:
        if photometric == ICC_LAB:
            own["photometric"] = ICC_LAB
        else:
            samples = with_other_lab_signs(samples)
    return Picture(samples, mode, None, {**info, "tiff": own} if own else info)


def _of_palette(samples: Array, page: Any, extra: tuple[int, ...], info: dict[str, Any], note: Note) -> Picture:
    with library_errors():
        colours = colour_map(page.colormap)
    if colours is None or samples.dtype.kind != "u":
        raise ArgumentError("damaged: its palette is missing")
    indices = samples if samples.ndim == 2 else samples[..., 0]
    if indices.max() >= len(colours):
        raise ArgumentError("damaged: a pixel's index is outside the palette")
    alpha = samples[..., 1:2] if samples.ndim == 3 and extra[:1] == (2,) else samples.reshape(*indices.shape, -1)[..., :0]
    dropped = (samples.shape[2] if samples.ndim == 3 else 1) - 1 - alpha.shape[2]
    if dropped:
        note(f"{dropped} channel{'s' * (dropped > 1)} besides its palette cannot be kept and {_was(dropped)} dropped")
    if samples.dtype == np.uint8:
        info = _with_colours(info, colours)
        kept = np.ascontiguousarray(samples[..., :2] if alpha.shape[2] else indices)
        return Picture(kept, "PA" if alpha.shape[2] else "P", (colours >> 8).astype(np.uint8), info)
    note("its palette has more than 256 colours, so its pixels became 16-bit RGB")
    coloured = np.concatenate([colours[indices], alpha], axis=-1)
    return Picture(coloured, "RGBA;16" if alpha.shape[2] else "RGB;16", None, info)


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


def _with_bits(info: dict[str, Any], bits: int) -> dict[str, Any]:
    return {**info, "bits": bits, "tiff": {**info.get("tiff", {}), "bits": bits}} if bits in (2, 4) else info


def _with_colours(info: dict[str, Any], colours: Array) -> dict[str, Any]:
    """Keep the 16 bits of a palette's colours if 8 do not say the same."""
    low, high = colours & 255, colours >> 8
    if not low.any() or (low == high).all():
        return info
    return {**info, "tiff": {**info.get("tiff", {}), "colormap": np.ascontiguousarray(colours.T)}}


def _numbers(page: Any, code: int) -> tuple[float, ...]:
    """Return the fractions of a tag as numbers, nothing where it is missing or damaged."""
    with library_errors():
        tag = page.tags.get(code)
        value = tag.value if tag is not None else ()
        kind = int(tag.dtype) if tag is not None else 0
    if not isinstance(value, tuple) or not all(isinstance(v, int | float) for v in value):
        return ()
    if kind not in (5, 10):
        return tuple(float(v) for v in value)
    pairs = zip(value[::2], value[1::2], strict=False)
    return tuple(top / bottom if bottom else 0.0 for top, bottom in pairs)


def note_missing_parts(page: Any, size: int, note: Note, messages: Messages) -> bool:
    """Note strips and tiles that a page does not store, and those beyond the end of the file.

    Parameters
    ----------
    page : tifffile.TiffPage
    size : int
        Of the file, in bytes.
    note : callable
    messages : Messages

    Returns
    -------
    bool
        Whether all are stored.

    Raises
    ------
    ArgumentError
        Where none is, and the page does not say so: tifffile would return empty pixels.
    """
    with library_errors():
        expected = math.prod(page.chunked)
        # Whatever the types of their tags are.
        parts = [(index(at), index(length)) for at, length in zip(page.dataoffsets, page.databytecounts, strict=False)]
        says_so = any(code in page.tags for code in _BYTE_COUNTS)
    empty = sum(not at or not length for at, length in parts)
    if empty == len(parts) and not says_so:
        raise ArgumentError("damaged: the positions of its pixels in the file are missing")
    if any(at + length > size for at, length in parts) or len(parts) < expected:
        messages.add(["missing strips"])
    if empty:
        note(f"{empty} of its {expected} strips or tiles {_was(empty)} left empty by its program")
    return not empty and len(parts) >= expected and all(at + length <= size for at, length in parts)


def reason_unsupported(page: Any) -> str:
    """Return why no decoder supports a page, as far as its tags show; empty where one does."""
    import tifffile

    with library_errors():
        compression = int(page.compression)
        if compression in _NOT_DECODED:
            return f"not supported: its {_NOT_DECODED[compression]}"
        if page.dtype is None:
            kind = "its channels have different numbers of bits, or samples of a rare type"
            return f"not supported: {kind}; convert it to an uncompressed TIFF first"
        if page.is_subsampled and (page.planarconfig == 2 or compression not in (6, 7, 33007)):
            return "not supported: subsampled YCbCr of this kind; convert it to RGB first"
        if compression != 1 and compression not in tifffile.TIFF.DECOMPRESSORS:
            names = {c.value: c.name for c in tifffile.COMPRESSION}
            name = names.get(compression, f"number {compression}")
            return f"not supported: its compression ({name}); convert it to an uncompressed TIFF first"
    return ""

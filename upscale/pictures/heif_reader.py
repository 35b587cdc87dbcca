"""HEIF and HEIC: photos of telephones and cameras, decoded by pillow-heif, which not every installation has."""

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from upscale.errors import ArgumentError, library_errors
from upscale.pictures import coding_points
from upscale.pictures.decoder_errors import Note
from upscale.pictures.formats import mode_of
from upscale.pictures.high_bit_depth import scale_to_whole
from upscale.pictures.orientation import mark_upright
from upscale.pictures.picture import FileContents, Frame, Picture

_MISSING = (
    'is a HEIF or HEIC picture; to read such files, run pip install "upscale[heif]", or convert it to PNG first, for example '
    "with heif-convert"
)
_SEQUENCES = (b"hevc", b"hevx", b"hevm", b"hevs", b"msf1")


def read(stream: BinaryIO, note: Note) -> FileContents:
    """Open a HEIF file; its pictures are decoded when they are requested, the one that viewers show first.

    Parameters
    ----------
    stream : binary file
        Seekable.
    note : callable
        Called with a line for what is in the file and not read.

    Raises
    ------
    ArgumentError
        Where pillow-heif is not installed, or the file is damaged.
    """
    try:
        import pillow_heif
    except ImportError:
        raise ArgumentError(_MISSING) from None
    data = stream.read()
    verdict = "damaged, or contains only an image sequence, which is not supported" if data[8:12] in _SEQUENCES else "damaged"
    with library_errors(verdict):
        file = pillow_heif.open_heif(data, convert_hdr_to_8bit=False, hdr_to_16bit=False)
        images = [file[file.primary_index], *(image for n, image in enumerate(file) if n != file.primary_index)]
    _note_losses(images, note)
    first = images[0]
    channels = len(first.mode.partition(";")[0].replace("I", "L"))
    pixel_bytes = channels * (1 if first.info["bit_depth"] == 8 else 2)
    kind = "views" if len(images) > 1 else "picture"
    return FileContents(
        "HEIF", first.size[::-1], pixel_bytes, lambda: _frames(images, note), kind, len(images), mode=_mode_of(first)
    )


def _mode_of(image: Any) -> str:
    """Return the mode of a picture, with samples of 8 or 16 bits."""
    base = image.mode.partition(";")[0].replace("I", "L").replace("a", "A")
    return mode_of(base, "uint8" if image.info["bit_depth"] == 8 else "uint16") or ""


def _note_losses(images: list[Any], note: Note) -> None:
    """Note what is in the file besides pictures."""
    kinds = {str(kind).lower() for image in images for kind in image.info.get("aux", ())}
    if any("gainmap" in kind for kind in kinds):
        note("its gain map for HDR screens was dropped")
    if others := sorted(kind.rpartition(":")[2] for kind in kinds if "gainmap" not in kind):
        note(f"its auxiliary pictures were dropped: {', '.join(others)}")
    if any(image.info.get("depth_images") for image in images):
        note("its depth map was dropped")


def _frames(images: list[Any], note: Note) -> Iterator[Frame]:
    for image in images:
        with library_errors():
            samples = np.array(image)  # rows without padding
        info = _info_of(image, note)
        bits = image.info["bit_depth"]
        if samples.dtype != np.uint8:
            samples = scale_to_whole(samples, bits)
        yield Frame(Picture(np.ascontiguousarray(samples), _mode_of(image), None, info))


def _info_of(image: Any, note: Note) -> dict[str, Any]:
    """Collect the metadata of a picture, with the keys of `formats.METADATA`."""
    found = image.info
    info: dict[str, Any] = {}
    if found.get("exif"):
        info["exif"] = b"Exif\0\0" + found["exif"].removeprefix(b"Exif\0\0")
    if found.get("xmp"):
        info["xmp"] = found["xmp"]
    if found.get("icc_profile"):
        info["icc_profile"] = found["icc_profile"]
    elif nclx := found.get("nclx_profile"):
        primaries, transfer = int(nclx["color_primaries"]), int(nclx["transfer_characteristics"])
        info |= coding_points.info_of(primaries, transfer, note)
    if image.mode.partition(";")[0].endswith("a"):
        info["associated"] = True
    return mark_upright(info)  # the decoder has turned it

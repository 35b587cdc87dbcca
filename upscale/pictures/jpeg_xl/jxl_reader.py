"""JPEG XL read: pixels by libjxl in imagecodecs, and what that does not report by the modules of the codestream's headers."""

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError, library_errors
from upscale.pictures import coding_points
from upscale.pictures.decoder_errors import Note
from upscale.pictures.formats import mode_of
from upscale.pictures.high_bit_depth import scale_to_whole
from upscale.pictures.jpeg_xl.jxl_container import read_container
from upscale.pictures.jpeg_xl.jxl_frames import read_frames
from upscale.pictures.jpeg_xl.jxl_header import ALPHA, BLACK, CHANNELS, GREY, SPOT, Header, read_header
from upscale.pictures.jpeg_xl.jxl_writer import with_colours
from upscale.pictures.orientation import mark_upright
from upscale.pictures.picture import FileContents, Frame, Picture

Samples = NDArray[Any]


def read(stream: BinaryIO, note: Note) -> FileContents:
    """Read the headers of a JPEG XL file; its pixels are decoded when the first frame is requested.

    Parameters
    ----------
    stream : binary file
        Seekable.
    note : callable
        Called with a line for what is in the file and not kept.

    Raises
    ------
    ArgumentError
        Where it is damaged, or has colours or samples that are not supported.
    """
    contents = read_container(stream.read())
    header = read_header(contents.codestream)
    _check(header)
    frames = read_frames(contents.codestream, header)
    for name in contents.lost:
        note(f"its {name} was dropped")
    if dropped := [CHANNELS.get(kind, "unknown") for kind in header.extra if kind not in (ALPHA, SPOT)]:
        note(f"its extra channels were dropped: {', '.join(dropped)}")
    if SPOT in header.extra:
        note("its spot colours were mixed into the picture")  # by the decoder
    # A frame without a duration is a layer of the next one.
    delays = [f.ticks for f in frames if f.shown and (f.ticks or f.is_last)] if header.animated else [0]
    info = _info_of(header, note)
    if contents.exif:
        info["exif"] = b"Exif\0\0" + contents.exif
    if contents.xmp:
        info["xmp"] = contents.xmp
    info = mark_upright(info)  # the decoder turns it
    data = contents.codestream
    if header.xyb and header.profile:  # or the decoder would return linear samples
        data = with_colours(data, header, b"", is_grey=header.colours.space == GREY)
    size = header.size if header.orientation < 5 else header.size[::-1]
    sample_bytes = 4 if header.floats or header.bits > 16 else 1 if header.bits <= 8 else 2
    kind = "animation" if len(delays) > 1 else "picture"
    # All frames are decoded at once, since libjxl would begin anew for each.
    pixel_bytes = header.channels * sample_bytes * len(delays)
    return FileContents(
        "JXL", size, pixel_bytes, lambda: _frames(data, header, delays, info), kind, len(delays), plays=header.plays
    )


def _check(header: Header) -> None:
    if BLACK in header.extra:
        raise ArgumentError("has CMYK colours, which are not supported in JPEG XL; convert it to RGB first")
    if header.colours.space not in (0, GREY) or header.extra.count(ALPHA) > 1:
        raise ArgumentError("has a colour model other than grey and RGB, which is not supported; convert it to RGB first")
    if header.floats and header.bits not in (16, 32):
        raise ArgumentError(f"has floats of {header.bits} bits, which are not supported; convert it to 32 bits first")


def _info_of(header: Header, note: Note) -> dict[str, Any]:
    """Return the colour space of the decoded samples as metadata."""
    info: dict[str, Any] = {"associated": True} if header.associated and ALPHA in header.extra else {}
    colours = header.colours
    if header.profile:
        if header.xyb:
            note("its colours were converted from its profile to sRGB, because lossy JPEG XL stores colours of its own")
        else:
            info["icc_profile"] = header.profile
        return info
    if colours.transfer in coding_points.HDR_CURVES or not (colours.gamma or colours.transfer in coding_points.CURVES):
        number = colours.primaries if isinstance(colours.primaries, int) else coding_points.UNSPECIFIED
        return info | coding_points.info_of(number, colours.transfer, note)
    # Floats are linear by convention, integers sRGB.
    if (colours.transfer == (8 if header.floats else 13)) and colours.primaries == 1 and colours.white == (0.3127, 0.329):
        return info
    curve = (1 / colours.gamma,) if colours.gamma else coding_points.CURVES[colours.transfer]
    primaries = colours.primaries
    points = coding_points.PRIMARIES.get(primaries, ())[:3] if isinstance(primaries, int) else primaries
    if not points:
        return info | coding_points.info_of(0, 0, note)
    info["icc_profile"] = coding_points.make_profile((*points, colours.white), curve, grey=colours.space == GREY)
    return info


def _frames(data: bytes, header: Header, delays: list[int], info: dict[str, Any]) -> Iterator[Frame]:
    import imagecodecs

    with library_errors():
        decoded = np.asarray(imagecodecs.jpegxl_decode(data))
    stack = decoded if len(delays) > 1 else decoded[None]
    if len(stack) != len(delays):
        raise ArgumentError("damaged: the number of its frames differs from its headers")
    for samples, ticks in zip(stack, delays, strict=True):
        yield Frame(_picture(samples, header, info), (ticks * header.ticks[1], header.ticks[0] or 1))


def _picture(samples: Samples, header: Header, info: dict[str, Any]) -> Picture:
    if header.colours.space == GREY and ALPHA not in header.extra and samples.ndim == 3:
        samples = samples[0]  # the others are extra channels
    if samples.dtype.kind == "f":
        samples = samples.astype(np.float32)
    elif samples.dtype == np.uint16:
        samples = scale_to_whole(samples, header.bits)
    elif header.bits < 8:
        samples = np.floor(samples * (255 / ((1 << header.bits) - 1)) + 0.5).astype(np.uint8)
    base = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[samples.shape[2] if samples.ndim == 3 else 1]
    return Picture(np.ascontiguousarray(samples), mode_of(base, samples.dtype) or "", None, info)

"""JPEG XL written: pixels by libjxl in imagecodecs, lossless unless --quality is given; the rest is put into its headers.

The encoder declares 8 bits as sRGB and all others as linear light, shows each frame for a tenth of a second, and writes no
metadata. All that stands in headers before the pixels, which stay as they are: colours only label what is stored without loss.
"""

import math
from fractions import Fraction
from typing import Any, BinaryIO

import numpy as np

from upscale.choices import pluralize
from upscale.errors import ArgumentError, library_errors
from upscale.pictures.jpeg_xl.jxl_bits import BitWriter
from upscale.pictures.jpeg_xl.jxl_container import Contents, read_container, write_container
from upscale.pictures.jpeg_xl.jxl_frames import read_frames
from upscale.pictures.jpeg_xl.jxl_header import GREY, RGB, Header, read_header
from upscale.pictures.jpeg_xl.jxl_icc import write_profile
from upscale.pictures.picture import Frame, Picture
from upscale.pictures.write_options import WriteOptions

#: Most ticks in a second, and most of a frame's duration.
_MOST_TICKS, _LONGEST = 1 << 30, (1 << 32) - 1
_MILLISECONDS = 1000
#: libjxl's effort without loss, for blocks of one colour and for smooth pictures: of a photograph, files are 11% and 3% larger
#: than with 5, in a tenth and in half of the time. And its effort with loss.
_BLOCKS, _SMOOTH, _LOSSY = 2, 4, 5


class Writer:
    """Encode pictures, as `write_options.Writer` says: a single one at once, an animation when all frames are there."""

    def __init__(self, file: BinaryIO, options: WriteOptions) -> None:
        self._file, self._options = file, options
        self._pictures: list[Picture] = []
        self._delays: list[Fraction] = []

    def add(self, frame: Frame) -> None:
        """Encode the picture, or keep the frame until `close`."""
        if self._options.total == 1:
            self._write(frame.picture, frame.picture.samples)
        else:
            self._pictures.append(frame.picture)
            self._delays.append(Fraction(frame.delay[0], frame.delay[1] or 100))

    def close(self) -> None:
        """Encode the frames that were kept."""
        if self._pictures:
            self._write(self._pictures[0], np.stack([picture.samples for picture in self._pictures]))

    def _write(self, picture: Picture, samples: "np.ndarray[Any, np.dtype[Any]]") -> None:
        import imagecodecs

        options, info = self._options, picture.info
        arguments: dict[str, Any] = {"lossless": True, "effort": _SMOOTH if options.smooth else _BLOCKS}
        if options.quality is not None:
            self._check_lossy(picture)
            arguments = {"level": options.quality, "lossless": False, "effort": _LOSSY}
        photometric = "rgb" if picture.base in ("RGB", "RGBA") else None
        with library_errors("cannot be written as JPEG XL"):
            data = bytes(imagecodecs.jpegxl_encode(samples, photometric=photometric, numthreads=options.threads, **arguments))
        contents = read_container(data)
        codestream, header = contents.codestream, read_header(contents.codestream)
        if options.total > 1:
            codestream = self._timed(codestream, header)
            header = read_header(codestream)
        if not header.xyb:
            codestream = self._coloured(codestream, header, picture)
        exif = info["exif"].removeprefix(b"Exif\0\0") if "exif" in info else None
        self._file.write(write_container(Contents(codestream, exif, info.get("xmp"), contents.level)))

    def _check_lossy(self, picture: Picture) -> None:
        """Refuse what the encoder would take for sRGB, or for linear light, although it is not."""
        if picture.samples.dtype == np.uint16:
            raise ArgumentError("--quality: lossy JPEG XL is written with 8 bits; add --depth 8, or leave out --quality")
        if "icc_profile" in picture.info:
            raise ArgumentError(
                "--quality: lossy JPEG XL is written without a colour profile, and this picture has one; leave out --quality, "
                "or write .avif or .jpg"
            )

    def _coloured(self, codestream: bytes, header: Header, picture: Picture) -> bytes:
        profile, is_grey = picture.info.get("icc_profile", b""), picture.base in ("L", "LA")
        if profile and profile[16:20] != (b"GRAY" if is_grey else b"RGB "):
            self._options.note("its colour profile was dropped, because it does not fit the colour model")
            profile = b""
        if not profile and picture.samples.dtype.kind == "f":
            return codestream  # linear
        return with_colours(codestream, header, profile, is_grey=is_grey)

    def _timed(self, codestream: bytes, header: Header) -> bytes:
        """Put durations and the number of loops into the headers."""
        delays, note = self._delays, self._options.note
        ticks = math.lcm(*(delay.denominator for delay in delays))
        if ticks > _MOST_TICKS or max(delays) * ticks > _LONGEST:
            ticks = _MILLISECONDS
        if min(delays) <= 0:
            shortest = "its" if len(delays) == 1 else pluralize(sum(delay <= 0 for delay in delays), "frame")
            note(f"{shortest} without a duration will be shown for one tick, because JPEG XL has no such frames")
            ticks = max(ticks, _MILLISECONDS)
        durations = _rounded([delay * ticks for delay in delays])
        frames = read_frames(codestream, header)
        parts, shown = [], iter(durations)
        for frame in frames:
            data = codestream[frame.begin : frame.end]
            parts.append(_with_duration(data, frame.ticks_at, next(shown)) if frame.shown and frame.ticks else data)
        head = BitWriter()
        head.bits(int.from_bytes(codestream[: header.frames], "little") & ((1 << header.ticks_at[0]) - 1), header.ticks_at[0])
        head.bits(3 | (ticks - 1) << 2, 32)
        head.bits(0, 2)
        head.bits(3 | (self._options.plays or 0) << 2, 34)
        rest = int.from_bytes(codestream[: header.frames], "little") >> (header.ticks_at[1] - 1)  # and whether it has timecodes
        head.bits(rest & ((1 << (header.plain_end - header.ticks_at[1] + 1)) - 1), header.plain_end - header.ticks_at[1] + 1)
        return head.to_bytes() + b"".join(parts)


def _rounded(ends: list[Fraction]) -> list[int]:
    """Round durations to whole ticks of at least 1, so that the sum does not drift."""
    durations, passed, given = [], Fraction(0), 0
    for duration in ends:
        passed += duration
        durations.append(min(max(1, round(passed) - given), _LONGEST))
        given += durations[-1]
    return durations


def _with_duration(frame: bytes, at: int, ticks: int) -> bytes:
    """Replace a frame's duration, one tick, by another one: by whole bytes, so that nothing else moves within a byte."""
    if ticks == 1:
        return frame
    bits, choice = (8, 2) if ticks < 256 else (32, 3)
    affected = at // 8 + 2
    value = int.from_bytes(frame[:affected], "little")
    low, high = value & ((1 << at) - 1), value >> (at + 2)
    value = low | (choice | ticks << 2) << at | high << (at + 2 + bits)
    return value.to_bytes(affected + bits // 8, "little") + frame[affected:]


def with_colours(codestream: bytes, header: Header, profile: bytes, *, is_grey: bool) -> bytes:
    """Replace what a codestream says of its colours.

    Parameters
    ----------
    codestream : bytes
    header : Header
        Its header.
    profile : bytes
        An ICC profile; without one, the colours become sRGB.
    is_grey : bool
    """
    value = int.from_bytes(codestream[: header.frames], "little")
    begin, end = header.colours_at
    head = BitWriter()
    head.bits(value & ((1 << begin) - 1), begin)
    head.bits(not (profile or is_grey), 1)  # RGB in sRGB is the default
    if profile or is_grey:
        head.bits(bool(profile), 1)
        head.enum(GREY if is_grey else RGB)
        if not profile:
            head.enum(1)  # D65
            head.bits(0, 1)
            head.enum(13)  # the curve of sRGB
            head.enum(1)  # relative
    head.bits(value >> end & ((1 << (header.plain_end - end)) - 1), header.plain_end - end)
    if profile:
        write_profile(profile, head)
    return head.to_bytes() + codestream[header.frames :]

"""Frames to a GIF file: the file's own structure where it was one, else blocks made for each frame.

Pillow encodes the indices, of one image at a time.
"""

import io
import struct
from collections.abc import Iterator
from fractions import Fraction
from typing import BinaryIO, NamedTuple

import numpy as np

from upscale.errors import ArgumentError, library_errors
from upscale.pictures.gif.gif_format import (
    APPLICATION,
    COMMENT,
    CONTROL,
    HAS_PALETTE,
    INTERLACED,
    LARGEST,
    LOOPS,
    XMP,
    XMP_END,
    image_blocks,
    read_extension,
    read_screen,
)
from upscale.pictures.picture import DISPOSALS, Frame, Picture
from upscale.pictures.write_options import WriteOptions


class _Pending(NamedTuple):
    """An encoded frame whose control block is written when the next frame is known."""

    delay: int
    disposal: str
    transparency: int | None
    image: bytes


class Writer:
    """Encode a picture, or the frames of an animation, as `write_options.Writer` says.

    Frames that `gif_reader.read` found as parts of a GIF file keep all that the file says; other frames, of modes P and L, get
    new blocks.
    """

    def __init__(self, file: BinaryIO, options: WriteOptions) -> None:
        self._file, self._options = file, options
        self._palette: bytes | None = None
        self._keeps_structure = False
        self._pending: _Pending | None = None
        # In hundredths of a second: when the frames so far end exactly, and the sum of their rounded delays.
        self._time = Fraction(0)
        self._delays = 0

    def add(self, frame: Frame) -> None:
        """Encode the next frame."""
        longest = max(*self._options.size, *frame.picture.samples.shape[:2], frame.left, frame.top)
        if longest > LARGEST:
            raise ArgumentError(f"GIF is limited to {LARGEST} pixels a side, this output would have {longest}")
        kept = frame.picture.info.get("gif")
        if kept and "screen" in kept and self._palette is None:
            self._keeps_structure, self._palette = True, kept["screen"][13:]
            size = struct.pack("<HH", *self._options.size[::-1])
            self._file.write(kept["screen"][:6] + size + kept["screen"][10:])
        if kept and self._keeps_structure:
            self._write_pending()
            self._restore(frame, kept["flags"], kept["controls"])
        else:
            self._encode_new(frame)

    def close(self) -> None:
        """Write what is still to be written; the file stays open."""
        self._write_pending()
        extras = self._options.extras
        self._file.write((_without_texts(extras) if self._options.strip else extras) + b";")

    def _restore(self, frame: Frame, flags: int, controls: list[tuple[int, bytes]]) -> None:
        """Write a part of a GIF file with its extension blocks; control blocks are inserted at their positions."""
        blocks = frame.before
        if self._options.strip:
            blocks = _without_texts(blocks) + b"".join(control for _, control in controls)
            controls = []
        for at, control in reversed(controls):
            blocks = blocks[:at] + control + blocks[at:]
        palette = frame.picture.palette
        self._file.write(blocks)
        self._file.write(_encoded(frame, flags, palette.tobytes() if palette is not None and flags & HAS_PALETTE else b""))

    def _encode_new(self, frame: Frame) -> None:
        """Encode a frame of another origin, and make its palette and its delay."""
        picture, animated = frame.picture, self._options.total > 1
        transparency = picture.info.get("transparency")
        transparency = transparency if isinstance(transparency, int) else None
        if self._pending and transparency is not None and not frame.over and self._pending.disposal == "keep":
            # The frame before must be cleared, or it would show through this one's transparent pixels.
            self._pending = self._pending._replace(disposal="clear")
        self._write_pending()
        if animated and transparency is None and picture.palette is not None and len(picture.palette) < 256:
            # Programs such as Pillow clear to a colour, and not to nothing, where a frame has no transparent index.
            transparency = len(picture.palette)
        palette = _palette(picture, transparency)
        if self._palette is None:
            self._palette = palette
            self._begin(picture)
        colours = palette if picture.palette is None else picture.palette.tobytes()
        shared = len(palette) <= len(self._palette) and self._palette.startswith(colours)
        flags, local = (0, b"") if shared else (_size_flags(palette), palette)
        numerator, denominator = frame.delay
        self._time += Fraction(100 * numerator, denominator or 100)
        delay = round(self._time) - self._delays
        self._delays += delay
        if delay > LARGEST:
            self._options.note(f"GIF delays are limited to {LARGEST / 100} s: one of {delay / 100} s was shortened")
        self._pending = _Pending(min(delay, LARGEST), frame.disposal, transparency, _encoded(frame, flags, local))

    def _begin(self, picture: Picture) -> None:
        """Write all that precedes the first frame."""
        assert self._palette is not None
        height, width = self._options.size
        flags = _size_flags(self._palette) | 7 << 4  # colours of 8 bits
        self._file.write(b"GIF89a" + struct.pack("<HHBBB", width, height, flags, 0, 0) + self._palette)
        plays = self._options.plays
        if self._options.total > 1 and plays is not None and plays != 1:
            repeats = struct.pack("<BH", 1, min(max(plays - 1, 0), LARGEST))
            self._file.write(_block(APPLICATION, LOOPS[0], repeats))
        xmp, comment = (v.encode() if isinstance(v, str) else v for v in map(picture.info.get, ("xmp", "comment")))
        if xmp and 0 in xmp:  # in text of 16 bits; taken for a length, it would end the block
            self._file.write(_block(APPLICATION, XMP, *_sub_blocks(xmp)))
        elif xmp:
            self._file.write(_block(APPLICATION, XMP)[:-1] + xmp + XMP_END)
        if comment:
            self._file.write(_block(COMMENT, *_sub_blocks(comment)))

    def _write_pending(self) -> None:
        if self._pending is None:
            return
        delay, disposal, transparency, image = self._pending
        animated, self._pending = self._options.total > 1, None
        if animated or delay or transparency is not None:
            # "keep" is written as 1: Pillow reads 0 as the disposal of the frame before.
            flags = (DISPOSALS.index(disposal) + 1 << 2 if animated else 0) | (transparency is not None)
            self._file.write(_block(CONTROL, struct.pack("<BHB", flags, delay, transparency or 0)))
        self._file.write(image)


def _block(kind: int, *pieces: bytes) -> bytes:
    return b"".join((b"!", bytes([kind]), *(bytes([len(p)]) + p for p in pieces), b"\0"))


def _without_texts(blocks: bytes) -> bytes:
    """Remove comments and application blocks, but for the number of repeats, from a row of extension blocks."""
    stream, kept = io.BytesIO(blocks), []
    while stream.read(1):
        block = read_extension(stream, stream.tell())
        if block[1] not in (COMMENT, APPLICATION) or block[3:14] in LOOPS:
            kept.append(block)
    return b"".join(kept)


def _sub_blocks(data: bytes) -> Iterator[bytes]:
    return (data[at : at + 255] for at in range(0, len(data), 255))


def _size_flags(palette: bytes) -> int:
    return HAS_PALETTE | (len(palette) // 3).bit_length() - 2


def _palette(picture: Picture, transparency: int | None) -> bytes:
    """Return a picture's colours as bytes, padded to a power of two."""
    colours = picture.palette
    if colours is None:
        used = max(int(picture.samples.max()), transparency or 0) + 1
        ramp = np.arange(max(2, 1 << (used - 1).bit_length()), dtype=np.uint8)
        return ramp.repeat(3).tobytes()
    used = max(len(colours), 2, 0 if transparency is None else transparency + 1)
    return colours.tobytes().ljust(3 << (used - 1).bit_length(), b"\0")


def _encoded(frame: Frame, flags: int, palette: bytes) -> bytes:
    """Encode a frame's indices as an image block."""
    from PIL import Image

    samples, file = frame.picture.samples, io.BytesIO()
    # As greys, and not optimised, Pillow leaves indices as they are.
    with library_errors("cannot be written as GIF"):
        Image.fromarray(samples).save(file, "GIF", optimize=False, interlace=bool(flags & INTERLACED))
    image = next(image_blocks(file, len(read_screen(file))))
    flags = flags & ~INTERLACED | image.flags & INTERLACED  # Pillow does not interlace what is small
    header = struct.pack("<HHHHB", frame.left, frame.top, image.width, image.height, flags)
    return b"".join((b",", header, palette, file.getbuffer()[image.start : image.end]))

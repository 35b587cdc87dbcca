"""GIF files to `Contents` and back: every block as it was, and only the compressed indices decoded and made anew.

The names of blocks and their layout are those of the GIF89a specification (CompuServe, 1990). Pillow decodes and encodes the
indices, of one image at a time; what a viewer shows of an animation is also what Pillow makes of it.
"""

import io
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from upscale.errors import ArgumentError
from upscale.pictures.orientation import orientation
from upscale.pictures.picture import DISPOSALS, Contents, Frame, Picture
from upscale.pictures.write_options import Output

_CONTROL, _COMMENT, _APPLICATION = 0xF9, 0xFE, 0xFF
#: Bits of an image's flags, and of a screen's: whether a palette follows; and whether the rows are interlaced.
_PALETTE, _INTERLACED = 128, 64
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_XMP = b"XMP DataXMP"
#: XMP stands there raw. Whoever takes its bytes for the lengths of sub-blocks lands in this, which leads to its end.
_XMP_END = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
#: More extension blocks than this ahead of one image are no picture's.
_MOST = 1 << 16
_LARGEST = 65535


class _Image(NamedTuple):
    """An image block, and the extension blocks ahead of it; the last one is of no size, and only says how the file ends."""

    blocks: list[bytes]
    start: int
    end: int
    left: int = 0
    top: int = 0
    width: int = 0
    height: int = 0
    flags: int = 0
    palette: bytes = b""


def read(stream: BinaryIO, note: Callable[[str], None]) -> Contents:
    """Read the blocks of a GIF file and find its images; indices are decoded when they are asked for.

    Parameters
    ----------
    stream : binary file
        Seekable; stays open until the last frame has been decoded.
    note : callable
        Called with a line for what is broken but not needed.

    Returns
    -------
    Contents
        Its parts have `info["gif"]`, by which `Writer` restores the file's structure.

    Raises
    ------
    ArgumentError
        Where the file is damaged.
    """
    screen = _screen(stream)
    width, height = struct.unpack("<HH", screen[6:10])
    count, repeats = 0, None
    texts: dict[str, bytes] = {}
    for image in _images(stream, len(screen)):
        for block in image.blocks:
            data = _joined(block) if block[1] in (_COMMENT, _APPLICATION) else b""
            if block[1] == _COMMENT and data:
                texts.setdefault("comment", data)
            elif data.startswith(_XMP):
                raw = block[3 + len(_XMP) :]
                texts.setdefault("xmp", raw[: -len(_XMP_END)] if raw.endswith(_XMP_END) else data[len(_XMP) :])
            elif data.startswith(_LOOPS) and len(data) >= 14 and data[11] == 1 and (repeats is None or not count):
                repeats = int.from_bytes(data[12:14], "little")
        if not count:  # a screen without a size is that of its first image
            width, height = width or image.left + image.width, height or image.top + image.height
        count += image.width > 0
    if not count:
        raise ArgumentError("damaged: a GIF file without an image")
    if image.start == image.end:
        note("the file ends without GIF's end mark")
    return Contents(
        "GIF", (height, width), 1, lambda: _frames(stream, count, texts), "animation" if count > 1 else "picture", count,
        lambda: _parts(stream, screen, texts), plays=1 if repeats is None else repeats and repeats + 1,
        extras=b"".join(image.blocks), orientation=orientation(texts),
    )  # fmt: skip


def _exactly(stream: BinaryIO, length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise ArgumentError("damaged: the file ends within a block")
    return data


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & _PALETTE else 0


def _screen(stream: BinaryIO) -> bytes:
    """Read what stands ahead of all blocks, the global palette with it."""
    stream.seek(0)
    head = _exactly(stream, 13)
    if head[:6] not in (b"GIF87a", b"GIF89a"):
        raise ArgumentError("damaged: no GIF header that is known")
    return head + _exactly(stream, _palette_bytes(head[10]))


def _images(stream: BinaryIO, start: int) -> Iterator[_Image]:
    """Go through the blocks in their order; image data are only located. Somebody else may seek between two images."""
    stream.seek(start)
    blocks: list[bytes] = []
    while (label := stream.read(1)) not in (b"", b";"):
        start = stream.tell()
        if label == b"!":
            blocks.append(_extension(stream, start))
            if len(blocks) > _MOST:
                raise ArgumentError("damaged: an endless row of extension blocks")
        elif label == b",":
            left, top, width, height, flags = struct.unpack("<HHHHB", _exactly(stream, 9))
            palette = _exactly(stream, _palette_bytes(flags))
            if not width * height:
                raise ArgumentError("damaged: an image without pixels")
            start = stream.tell()
            _exactly(stream, 1)
            _pass(stream)  # where the data are cut off, the image may be whole all the same: decoding will tell
            end = stream.tell()
            yield _Image(blocks, start, end, left, top, width, height, flags, palette)
            blocks = []
            stream.seek(end)
        # Pillow passes over anything else, and there are files that need it.
    end = stream.tell()
    yield _Image(blocks, end - len(label), end)


def _extension(stream: BinaryIO, start: int) -> bytes:
    """Read an extension block with its mark."""
    _exactly(stream, 1)
    if not _pass(stream):
        raise ArgumentError("damaged: the file ends within a block")
    end = stream.tell()
    stream.seek(start - 1)
    block = stream.read(end - start + 1)
    if block[1] == _CONTROL and 0 < block[2] < 4:
        raise ArgumentError("damaged: an image is declared wrongly")
    return block


def _pass(stream: BinaryIO) -> bool:
    """Pass over sub-blocks, and tell whether they come to an end before the file does."""
    while length := stream.read(1):
        if not length[0]:
            return True
        stream.seek(length[0], 1)
    return False


def _joined(block: bytes) -> bytes:
    """Join the sub-blocks of an extension block."""
    at, data = 2, bytearray()
    while block[at]:
        data += block[at + 1 : at + 1 + block[at]]
        at += 1 + block[at]
    return bytes(data)


def _parts(stream: BinaryIO, screen: bytes, texts: dict[str, bytes]) -> Iterator[Frame]:
    """Decode each image as it is stored."""
    info: dict[str, Any] = {**texts, "gif": {"screen": screen}}
    for image in _images(stream, len(screen)):
        if not image.width:
            return
        before, controls, control = bytearray(), [], (0, 0, 0)
        for block in image.blocks:
            if block[1] != _CONTROL:
                before += block
                continue
            controls.append((len(before), block))
            if block[2]:
                control = struct.unpack("<BHB", block[3:7])
                if control[0] & 1:
                    info["transparency"] = control[2]
        # The number is disposed of as browsers do: 4 and above, which mean nothing, like 3.
        disposal = DISPOSALS[max(0, min(control[0] >> 2 & 7, 3) - 1)]
        info["gif"] |= {"flags": image.flags, "controls": controls}
        stored = image.palette or screen[13:]
        palette = np.frombuffer(stored, np.uint8).reshape(-1, 3).copy() if stored else None
        # Without any palette, Pillow takes the indices for greys.
        picture = Picture(_decoded(stream, image), "P" if stored else "L", palette, info)
        yield Frame(picture, (control[1], 100), image.left, image.top, disposal, True, bytes(before))
        info = {"gif": {}}


def _decoded(stream: BinaryIO, image: _Image) -> Any:
    """Decode an image's indices: in a file of its own, which has no palette, so that they come as they are."""
    from PIL import Image

    stream.seek(image.start)
    size = struct.pack("<HH", image.width, image.height)
    alone = b"GIF89a" + size + bytes(3) + b"," + bytes(4) + size + bytes([image.flags & _INTERLACED])
    with Image.open(io.BytesIO(alone + stream.read(image.end - image.start)), formats=["GIF"]) as decoder:
        return np.array(decoder)


def _frames(stream: BinaryIO, count: int, texts: dict[str, bytes]) -> Iterator[Frame]:
    """Decode whole pictures as Pillow composes them."""
    from PIL import Image

    stream.seek(0)
    image = Image.open(stream, formats=["GIF"])
    info: dict[str, Any] = {**texts, **{k: v for k, v in image.info.items() if k in ("comment", "transparency")}}
    for number in range(count):
        image.seek(number)
        image.load()
        delay = image.info.get("duration", 0) // 10, 100
        if count == 1:
            yield Frame(Picture.of_image(image, info), delay)
            return
        info.pop("transparency", None)
        # Not by `has_transparency_data`, which fails on colours after greys.
        whole = image.convert("RGBA" if image.mode == "RGBA" or "transparency" in image.info else "RGB")
        yield Frame(Picture.of_image(whole, info), delay)
        info = {}


class _Made(NamedTuple):
    """An encoded frame that still waits for the block that controls it."""

    delay: int
    disposal: str
    transparency: int | None
    image: bytes


class Writer:
    """Encode a picture, or the frames of an animation, as `saving.Writer` says.

    Frames that `read` found as parts of a GIF file keep all that the file says; other frames, of modes P and L, get blocks made
    for them.
    """

    def __init__(self, file: BinaryIO, output: Output) -> None:
        self._file, self._output = file, output
        self._palette: bytes | None = None
        self._stored = False
        self._made: _Made | None = None
        self._time = Fraction(0)
        self._told = 0

    def add(self, frame: Frame) -> None:
        """Encode the next frame."""
        size = (*self._output.size, *frame.picture.samples.shape[:2], frame.left, frame.top)
        if max(size) > _LARGEST:
            raise ArgumentError(f"a GIF file holds at most {_LARGEST} pixels a side, and this one would need {max(size)}")
        kept = frame.picture.info.get("gif")
        if kept and "screen" in kept and self._palette is None:
            self._stored, self._palette = True, kept["screen"][13:]
            place = struct.pack("<HH", *self._output.size[::-1])
            self._file.write(kept["screen"][:6] + place + kept["screen"][10:])
        if kept and self._stored:
            self._finish_made()
            self._restore(frame, kept["flags"], kept["controls"])
        else:
            self._make(frame)

    def close(self) -> None:
        """Write what is still to be written; the file stays open."""
        self._finish_made()
        extras = self._output.extras
        self._file.write((_without_words(extras) if self._output.strip else extras) + b";")

    def _restore(self, frame: Frame, flags: int, controls: list[tuple[int, bytes]]) -> None:
        blocks = frame.before
        if self._output.strip:
            blocks = _without_words(blocks) + b"".join(control for _, control in controls)
            controls = []
        for at, control in reversed(controls):
            blocks = blocks[:at] + control + blocks[at:]
        palette = frame.picture.palette
        self._file.write(blocks)
        self._file.write(_encoded(frame, flags, palette.tobytes() if palette is not None and flags & _PALETTE else b""))

    def _make(self, frame: Frame) -> None:
        picture, animated = frame.picture, self._output.total > 1
        transparency = picture.info.get("transparency")
        transparency = transparency if isinstance(transparency, int) else None
        if self._made and transparency is not None and not frame.over and self._made.disposal == "keep":
            # What this frame does not cover must go, or it would be seen through it.
            self._made = self._made._replace(disposal="clear")
        self._finish_made()
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
        delay = round(self._time) - self._told
        self._told += delay
        if delay > _LARGEST:
            self._output.note(f"GIF holds delays of at most {_LARGEST / 100} s: one of {delay / 100} s was shortened")
        self._made = _Made(min(delay, _LARGEST), frame.disposal, transparency, _encoded(frame, flags, local))

    def _begin(self, picture: Picture) -> None:
        """Write all that stands ahead of the first frame."""
        assert self._palette is not None
        height, width = self._output.size
        flags = _size_flags(self._palette) | 7 << 4  # colours of 8 bits
        self._file.write(b"GIF89a" + struct.pack("<HHBBB", width, height, flags, 0, 0) + self._palette)
        plays = self._output.plays
        if self._output.total > 1 and plays is not None and plays != 1:
            repeats = struct.pack("<BH", 1, min(max(plays - 1, 0), _LARGEST))
            self._file.write(_block(_APPLICATION, _LOOPS[0], repeats))
        xmp, comment = (v.encode() if isinstance(v, str) else v for v in map(picture.info.get, ("xmp", "comment")))
        if xmp and 0 in xmp:  # in text of 16 bits; taken for a length, it would end the block
            self._file.write(_block(_APPLICATION, _XMP, *_cut(xmp)))
        elif xmp:
            self._file.write(_block(_APPLICATION, _XMP)[:-1] + xmp + _XMP_END)
        if comment:
            self._file.write(_block(_COMMENT, *_cut(comment)))

    def _finish_made(self) -> None:
        if self._made is None:
            return
        delay, disposal, transparency, image = self._made
        animated, self._made = self._output.total > 1, None
        if animated or delay or transparency is not None:
            # "keep" gets a number: for Pillow, none means the one of the frame before.
            flags = (DISPOSALS.index(disposal) + 1 << 2 if animated else 0) | (transparency is not None)
            self._file.write(_block(_CONTROL, struct.pack("<BHB", flags, delay, transparency or 0)))
        self._file.write(image)


def _block(kind: int, *pieces: bytes) -> bytes:
    return b"".join((b"!", bytes([kind]), *(bytes([len(p)]) + p for p in pieces), b"\0"))


def _without_words(blocks: bytes) -> bytes:
    """Take comments, and what applications say of anything but repeats, out of a row of extension blocks."""
    stream, kept = io.BytesIO(blocks), []
    while stream.read(1):
        block = _extension(stream, stream.tell())
        if block[1] not in (_COMMENT, _APPLICATION) or block[3:14] in _LOOPS:
            kept.append(block)
    return b"".join(kept)


def _cut(data: bytes) -> Iterator[bytes]:
    return (data[at : at + 255] for at in range(0, len(data), 255))


def _size_flags(palette: bytes) -> int:
    return _PALETTE | (len(palette) // 3).bit_length() - 2


def _palette(picture: Picture, transparency: int | None) -> bytes:
    """Lay out a picture's colours, as many as a power of two."""
    colours = picture.palette
    if colours is None:
        used = max(int(picture.samples.max()), transparency or 0) + 1
        ramp = np.arange(max(2, 1 << (used - 1).bit_length()), dtype=np.uint8)
        return ramp.repeat(3).tobytes()
    used = max(len(colours), 2, 0 if transparency is None else transparency + 1)
    return colours.tobytes().ljust(3 << (used - 1).bit_length(), b"\0")


def _encoded(frame: Frame, flags: int, palette: bytes) -> bytes:
    """Encode a frame's indices, and make them an image block."""
    from PIL import Image

    samples, file = frame.picture.samples, io.BytesIO()
    # As greys, and not optimised, Pillow leaves indices as they are.
    Image.fromarray(samples).save(file, "GIF", optimize=False, interlace=bool(flags & _INTERLACED))
    image = next(_images(file, len(_screen(file))))
    flags = flags & ~_INTERLACED | image.flags & _INTERLACED  # Pillow does not interlace what is small
    place = struct.pack("<HHHHB", frame.left, frame.top, image.width, image.height, flags)
    return b"".join((b",", place, palette, file.getbuffer()[image.start : image.end]))

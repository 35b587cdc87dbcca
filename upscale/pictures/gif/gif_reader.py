"""GIF files to `FileContents`: every block as it was, and only the compressed indices decoded.

Pillow decodes the indices, of one image at a time; how a viewer shows an animation is also Pillow's result.
"""

import io
import struct
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError
from upscale.pictures.decoder_errors import pillow_errors
from upscale.pictures.gif.gif_format import (
    APPLICATION,
    COMMENT,
    CONTROL,
    INTERLACED,
    LOOPS,
    XMP,
    XMP_END,
    ImageBlock,
    image_blocks,
    join_sub_blocks,
    read_screen,
)
from upscale.pictures.orientation import orientation
from upscale.pictures.picture import DISPOSALS, FileContents, Frame, Picture


def read(stream: BinaryIO, truncated: Callable[[str], None]) -> FileContents:
    """Read the blocks of a GIF file and find its images; indices are decoded when they are requested.

    Parameters
    ----------
    stream : binary file
        Seekable; stays open until the last frame has been decoded.
    truncated : callable
        Called with what is missing where the file ends too early.

    Returns
    -------
    FileContents
        Its parts have `info["gif"]`, by which `gif_writer.Writer` restores the file's structure.

    Raises
    ------
    ArgumentError
        Where the file is damaged.
    """
    screen = read_screen(stream)
    width, height = struct.unpack("<HH", screen[6:10])
    count, repeats = 0, None
    texts: dict[str, bytes] = {}
    last = image = None
    for image in image_blocks(stream, len(screen)):
        for block in image.blocks:
            found = _repeats(block)
            if found is not None and (repeats is None or not count):
                repeats = found
            _take_text(block, texts)
        if not count:  # a screen without a size has that of its first image
            width, height = width or image.left + image.width, height or image.top + image.height
        if image.width:
            count, last = count + 1, image
    if image is None or last is None:
        raise ArgumentError("damaged: the GIF file has no image")
    if not last.complete:
        stream = _completed(stream, last, truncated)
    elif image.start == image.end:
        truncated("it lacks the GIF trailer")
    return FileContents(
        "GIF",
        (height, width),
        1,
        lambda: _frames(stream, count, texts),
        "animation" if count > 1 else "picture",
        count,
        lambda: _parts(stream, screen, texts),
        plays=1 if repeats is None else repeats and repeats + 1,
        extras=b"".join(image.blocks),
        orientation=orientation(texts),
    )


def _completed(stream: BinaryIO, last: ImageBlock, truncated: Callable[[str], None]) -> BinaryIO:
    """Complete a file that ends inside its last image, if all pixels are there; where not, decoding will report it."""
    stream.seek(0)
    data = stream.read()
    # Pixels that are the same whatever follows are there. The last sub-block may lack some of its bytes.
    tails = [bytes([filler]) * (last.end - len(data)) + b"\0" for filler in (0, 255)]
    try:
        one, other = (_decoded(io.BytesIO(data + tail), last._replace(end=len(data + tail))) for tail in tails)
        complete = np.array_equal(one, other)
    except ArgumentError:
        complete = False
    if not complete:
        truncated("the file ends inside its last image")
        return stream
    truncated("no pixels are missing, but the file ends inside an image block")
    return io.BytesIO(data + tails[0] + b";")


def _repeats(block: bytes) -> int | None:
    """Return how often an extension block makes the animation repeat, 0 for ever; None for other blocks."""
    data = join_sub_blocks(block) if block[1] == APPLICATION else b""
    if data.startswith(LOOPS) and len(data) >= 14 and data[11] == 1:
        return int.from_bytes(data[12:14], "little")
    return None


def _take_text(block: bytes, texts: dict[str, bytes]) -> None:
    """Add the comment or the XMP of an extension block to the texts, unless there is one already."""
    data = join_sub_blocks(block) if block[1] in (COMMENT, APPLICATION) else b""
    if block[1] == COMMENT and data:
        texts.setdefault("comment", data)
    elif data.startswith(XMP):
        raw = block[3 + len(XMP) :]
        texts.setdefault("xmp", raw[: -len(XMP_END)] if raw.endswith(XMP_END) else data[len(XMP) :])


def _parts(stream: BinaryIO, screen: bytes, texts: dict[str, bytes]) -> Iterator[Frame]:
    """Decode each image as it is stored."""
    info: dict[str, Any] = {**texts, "gif": {"screen": screen}}
    for image in image_blocks(stream, len(screen)):
        if not image.width:
            return
        before, controls, control = bytearray(), [], (0, 0, 0)
        for block in image.blocks:
            if block[1] != CONTROL:
                before += block
                continue
            controls.append((len(before), block))
            if block[2]:
                control = struct.unpack("<BHB", block[3:7])
                if control[0] & 1:
                    info["transparency"] = control[2]
        # As browsers do, disposal methods of 4 and above, which are undefined, are taken for 3.
        disposal = DISPOSALS[max(0, min(control[0] >> 2 & 7, 3) - 1)]
        info["gif"] |= {"flags": image.flags, "controls": controls}
        stored = image.palette or screen[13:]
        palette = np.frombuffer(stored, np.uint8).reshape(-1, 3).copy() if stored else None
        # Without any palette, Pillow takes the indices for greys.
        picture = Picture(_decoded(stream, image), "P" if stored else "L", palette, info)
        yield Frame(picture, (control[1], 100), image.left, image.top, disposal, True, bytes(before))
        info = {"gif": {}}


def _decoded(stream: BinaryIO, image: ImageBlock) -> NDArray[np.uint8]:
    """Decode an image's indices: as a file of its own without a palette, so that they are not looked up."""
    from PIL import Image

    stream.seek(image.start)
    size = struct.pack("<HH", image.width, image.height)
    alone = b"GIF89a" + size + bytes(3) + b"," + bytes(4) + size + bytes([image.flags & INTERLACED])
    file = io.BytesIO(alone + stream.read(image.end - image.start))
    with pillow_errors(), Image.open(file, formats=["GIF"]) as decoder:
        return np.array(decoder)


def _frames(stream: BinaryIO, count: int, texts: dict[str, bytes]) -> Iterator[Frame]:
    """Decode whole pictures as Pillow composes them."""
    from PIL import Image

    stream.seek(0)
    with pillow_errors():
        image = Image.open(stream, formats=["GIF"])
    info: dict[str, Any] = {**texts, **{k: v for k, v in image.info.items() if k in ("comment", "transparency")}}
    for number in range(count):
        with pillow_errors():
            image.seek(number)
            image.load()
        delay = image.info.get("duration", 0) // 10, 100
        if count == 1:
            yield Frame(Picture.of_image(image, info), delay)
            return
        info.pop("transparency", None)
        # Not by `has_transparency_data`, which fails on colours after greys.
        mode = "RGBA" if image.mode == "RGBA" or "transparency" in image.info else "RGB"
        with pillow_errors():
            converted = image.convert(mode)
        yield Frame(Picture.of_image(converted, info), delay)
        info = {}

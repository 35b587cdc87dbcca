"""The blocks of a GIF file, as its reader and its writer share them.

The names of blocks and their layout are those of the GIF89a specification (CompuServe, 1990).
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from upscale.errors import ArgumentError

#: Labels of extension blocks.
CONTROL, COMMENT, APPLICATION = 0xF9, 0xFE, 0xFF
#: Bits of the flags of an image or of the screen: whether a palette follows, and whether the rows are interlaced.
HAS_PALETTE, INTERLACED = 128, 64
#: Application blocks with the number of repeats.
LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
#: The application block with XMP. XMP is stored raw, so its bytes are no lengths of sub-blocks: a reader that takes them for
#: such lands somewhere in `XMP_END`, each byte of which leads to the end of the block.
XMP = b"XMP DataXMP"
XMP_END = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
#: The largest number of 16 bits: sides, positions, delays in hundredths of a second, repeats.
LARGEST = 65535
#: A file with more extension blocks than this before one image is refused.
_MAX_EXTENSIONS = 1 << 16


class ImageBlock(NamedTuple):
    """An image block, and the extension blocks before it.

    Attributes
    ----------
    blocks : list of bytes
        The extension blocks, verbatim.
    start, end : int
        Where the compressed indices lie in the file.
    left, top, width, height : int
        In pixels, on the canvas. The block that ends the file has a size of 0.
    flags : int
    palette : bytes
        The local palette, 3 bytes a colour; empty where there is none.
    complete : bool
        Whether the file has the end of the compressed indices; where not, `end` may be behind the file's.
    """

    blocks: list[bytes]
    start: int
    end: int
    left: int = 0
    top: int = 0
    width: int = 0
    height: int = 0
    flags: int = 0
    palette: bytes = b""
    complete: bool = True


class _TruncatedError(ArgumentError):
    """The file ends inside a block."""

    def __init__(self) -> None:
        super().__init__("damaged: the file ends inside a block")


def read_screen(stream: BinaryIO) -> bytes:
    """Read the header, the logical screen and the global palette, which precede all blocks.

    Raises
    ------
    ArgumentError
        Where they are damaged.
    """
    stream.seek(0)
    head = _read_exactly(stream, 13)
    if head[:6] not in (b"GIF87a", b"GIF89a"):
        raise ArgumentError("damaged: unknown GIF header")
    return head + _read_exactly(stream, _palette_bytes(head[10]))


def image_blocks(stream: BinaryIO, start: int) -> Iterator[ImageBlock]:
    """Yield the image blocks in their order, without their data; the caller may seek between two of them.

    Parameters
    ----------
    stream : binary file
    start : int
        Where the first block begins.

    Yields
    ------
    ImageBlock
        The last one has no size: its extension blocks follow the last image. Its `start` is its `end` where the file has no
        trailer; an extension block in which the file ends is left out.

    Raises
    ------
    ArgumentError
        Where a block is damaged.
    """
    stream.seek(start)
    blocks: list[bytes] = []
    while (label := stream.read(1)) not in (b"", b";"):
        start = stream.tell()
        if label == b"!":
            try:
                blocks.append(read_extension(stream, start))
            except _TruncatedError:
                label = b""
                break
            if len(blocks) > _MAX_EXTENSIONS:
                raise ArgumentError("damaged: its extension blocks never end")
        elif label == b",":
            left, top, width, height, flags = struct.unpack("<HHHHB", _read_exactly(stream, 9))
            palette = _read_exactly(stream, _palette_bytes(flags))
            if not width * height:
                raise ArgumentError("damaged: an image has no pixels")
            start = stream.tell()
            _read_exactly(stream, 1)
            complete = _skip_sub_blocks(stream)
            end = stream.tell()
            yield ImageBlock(blocks, start, end, left, top, width, height, flags, palette, complete)
            blocks = []
            stream.seek(end)
        # Anything else is skipped, byte by byte: Pillow does so too, and there are files that need it.
    end = stream.tell()
    yield ImageBlock(blocks, end - len(label), end)


def read_extension(stream: BinaryIO, start: int) -> bytes:
    """Read an extension block with its mark, "!", which precedes `start`.

    Raises
    ------
    ArgumentError
        Where it is damaged. What is returned has a label and ends with an empty sub-block; of a control block, the first
        sub-block is empty or has at least 4 bytes.
    """
    _read_exactly(stream, 1)
    if not _skip_sub_blocks(stream):
        raise _TruncatedError
    end = stream.tell()
    stream.seek(start - 1)
    block = stream.read(end - start + 1)
    if block[1] == CONTROL and 0 < block[2] < 4:
        raise ArgumentError("damaged: an image descriptor is wrong")
    return block


def join_sub_blocks(block: bytes) -> bytes:
    """Return the data of an extension block of `read_extension`, without the lengths of its sub-blocks."""
    at, data = 2, bytearray()
    while block[at]:
        data += block[at + 1 : at + 1 + block[at]]
        at += 1 + block[at]
    return bytes(data)


def _read_exactly(stream: BinaryIO, length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise _TruncatedError
    return data


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & HAS_PALETTE else 0


def _skip_sub_blocks(stream: BinaryIO) -> bool:
    """Skip sub-blocks, and return whether they end before the file does."""
    while length := stream.read(1):
        if not length[0]:
            return True
        stream.seek(length[0], 1)
    return False

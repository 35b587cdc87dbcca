"""The text chunks of PNG: read, and kept within what other programs read.

The layout of the chunks is that of the PNG specification, third edition (W3C, 2025).
"""

import zlib
from collections.abc import Callable, Iterable, Iterator

from upscale.errors import ArgumentError
from upscale.pictures.png.png_format import TEXT_CHUNKS

Chunk = tuple[bytes, bytes]

#: Profiles and texts that are longer than this when inflated are refused, in bytes.
_MAX_INFLATED = 1 << 26
#: Bytes of compressed text that Pillow inflates in one chunk, and of text that it reads in a file; it refuses files with more.
_PILLOW_INFLATES, _PILLOW_TEXTS = 1 << 20, 1 << 26
#: Bytes in one chunk that libpng reads unless a program raises its limit.
_LIBPNG_CHUNK = 8_000_000


def read_text(kind: bytes, data: bytes) -> tuple[str, str]:
    """Read a text chunk as keyword and text.

    Raises
    ------
    ArgumentError
        Where the chunk is damaged.
    """
    keyword, text, _ = _parts(kind, data)
    try:
        return keyword.decode("latin-1"), text.decode("utf-8" if kind == b"iTXt" else "latin-1")
    except UnicodeDecodeError as error:
        raise ArgumentError("its text is not UTF-8") from error


def inflate(data: bytes) -> bytes:
    """Inflate a profile or a text.

    Raises
    ------
    ArgumentError
        Where the data are damaged, or too long.
    """
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data, _MAX_INFLATED)
    except zlib.error as error:
        raise ArgumentError("its compressed data are wrong") from error
    if not unpacker.eof:
        raise ArgumentError("it is truncated or too long")
    return text


def readable_elsewhere(chunks: Iterable[Chunk], note: Callable[[str], None]) -> Iterator[Chunk]:
    """Drop texts that would make other programs refuse the file, and inflate those that they would not inflate.

    Parameters
    ----------
    chunks : iterable of (bytes, bytes)
        Type and data; chunks that are not texts are kept.
    note : callable
        Called with a line for each text that is dropped.
    """
    total = 0
    for kind, data in chunks:
        if kind not in TEXT_CHUNKS:
            yield kind, data
            continue
        keyword, text, compressed = _parts(kind, data)
        if compressed and len(text) > _PILLOW_INFLATES:
            kind, data = _uncompressed(kind, data, keyword, text)
        if len(data) > _LIBPNG_CHUNK or total + len(text) > _PILLOW_TEXTS:
            name = keyword.decode("latin-1")
            note(f"its text {name!r} was dropped: with {len(text):,} bytes, other programs would refuse the file")
            continue
        total += len(text)
        yield kind, data


def _parts(kind: bytes, data: bytes) -> tuple[bytes, bytes, bool]:
    """Return keyword and text of a text chunk, and whether the text is compressed in it."""
    keyword, _, rest = data.partition(b"\0")
    if kind == b"tEXt":
        return keyword, rest, False
    if kind == b"zTXt":
        return keyword, _of_method(rest[:1], rest[1:]), True
    _language, _, translated = rest[2:].partition(b"\0")
    _keyword, _, text = translated.partition(b"\0")
    return (keyword, _of_method(rest[1:2], text), True) if rest[:1] == b"\1" else (keyword, text, False)


def _of_method(method: bytes, data: bytes) -> bytes:
    """Inflate text that is compressed by a method; there is only one, 0."""
    if method != b"\0":
        raise ArgumentError("its compression method is unknown")
    return inflate(data)


def _uncompressed(kind: bytes, data: bytes, keyword: bytes, text: bytes) -> Chunk:
    """Store the text of a compressed chunk as it is."""
    if kind == b"zTXt":
        return b"tEXt", keyword + b"\0" + text
    language, translated, _ = data[len(keyword) + 3 :].split(b"\0", 2)
    return kind, b"\0".join((keyword + b"\0\0", language, translated, text))

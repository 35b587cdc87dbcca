"""Bands of rows, each encoded as a JPEG file of its own, joined to one file by restart markers (ITU-T T.81).

At a restart marker, a decoder begins anew: it forgets the DC coefficients before, and reads from a whole byte on (F.1.1.5.1,
F.1.2.3). An encoder does the same at the start of a file. So the entropy-coded data of bands with the same tables, with markers
between them, are what an encoder writes that places restart markers itself, bit for bit.
"""

import struct
from collections.abc import Iterator

#: Second bytes of markers (T.81, table B.1): start of frame of baseline DCT, Huffman tables, start of scan, quantisation
#: tables, restart interval, the first of eight restart markers.
_FRAME, _HUFFMAN, _SCAN, _QUANTIZATION, _INTERVAL, _RESTART = 0xC0, 0xC4, 0xDA, 0xDB, 0xDD, 0xD0
END_OF_IMAGE = b"\xff\xd9"
#: Height and width of a block of samples, which is an MCU where no component is subsampled.
BLOCK = 8
#: MCUs that a restart interval has at most: the number has 16 bits (B.2.4.4).
_LONGEST_INTERVAL = 65535


def rows_of_band(width: int, channels: int, size: int) -> int:
    """Return how many rows a band has, at most `size` bytes of samples if a row of blocks has no more.

    Parameters
    ----------
    width : int
        Of the picture, in pixels; at most 65,535.
    channels : int
        Samples a pixel, of 8 bits.
    size : int
        Bytes.

    Returns
    -------
    int
        A multiple of `BLOCK`, with no more blocks than a restart interval can have.
    """
    blocks = min(size // (width * channels * BLOCK), _LONGEST_INTERVAL // _blocks(width))
    return BLOCK * max(1, blocks)


def joined_header(encoded: bytes, size: tuple[int, int], rows: int) -> bytes:
    """Make the header of a whole picture: all segments before the entropy-coded data.

    Parameters
    ----------
    encoded : bytes
        A baseline file with the metadata and tables of the picture, and no subsampling, of any size.
    size : (int, int)
        Height and width of the picture, at most 65,535.
    rows : int
        Height of each band but the last, as `rows_of_band` returns it.
    """
    parts = [encoded[:2]]
    for marker, begin, end in _segments(encoded):
        if marker == _FRAME:  # marker, length, precision, height and width: B.2.2
            parts += [encoded[begin : begin + 5], struct.pack(">HH", *size), encoded[begin + 9 : end]]
            continue
        if marker == _SCAN and rows < size[0]:
            parts.append(struct.pack(">BBHH", 0xFF, _INTERVAL, 4, rows // BLOCK * _blocks(size[1])))
        parts.append(encoded[begin:end])
    return b"".join(parts)


def entropy_coded(encoded: bytes) -> memoryview:
    """Return the entropy-coded data of a baseline file: what stands between the header of its scan and its end marker."""
    *_, (_, _, begin) = _segments(encoded)
    return memoryview(encoded)[begin : -len(END_OF_IMAGE)]


def restart_marker(number: int) -> bytes:
    """Return the marker after a band; they are numbered from 0 to 7 in turn (B.2.1)."""
    return bytes((0xFF, _RESTART + number % 8))


def tables(encoded: bytes) -> list[bytes]:
    """Return what bands must have in common: components, tables and the header of the scan, without the picture's size."""
    found = []
    for marker, begin, end in _segments(encoded):
        if marker in (_HUFFMAN, _SCAN, _QUANTIZATION):
            found.append(encoded[begin:end])
        elif 0xC0 <= marker <= 0xCF:
            found.append(encoded[begin : begin + 5] + encoded[begin + 9 : end])
    return sorted(found)


def _blocks(width: int) -> int:
    return -(-width // BLOCK)


def _segments(encoded: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the second byte of the marker, the begin and the end of each segment, up to the header of the first scan."""
    at, marker = 2, 0
    while marker != _SCAN:
        marker, length = struct.unpack_from(">xBH", encoded, at)
        yield marker, at, at + 2 + length
        at += 2 + length

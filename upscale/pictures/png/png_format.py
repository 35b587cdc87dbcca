"""What PNG's reader, writer and metadata share: the signature, chunks, and lists of chunk names.

The names of chunks, their layout and the colour types are those of the PNG specification, third edition (W3C, 2025).
"""

import struct

SIGNATURE = b"\x89PNG\r\n\x1a\n"

#: The chunk of `output_mark`. The case of its letters says: ancillary, private, and not to be copied by programs that edit the
#: picture and do not know the chunk.
MARK_CHUNK = b"upSC"

#: Chunks of the colour space, which precede the palette.
COLOUR_CHUNKS = (b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"mDCV", b"cLLI", b"mDCv", b"cLLi")
#: Chunks that the writer makes anew from the picture.
REMADE_CHUNKS = (b"tRNS", b"acTL", b"fcTL", b"fdAT", b"PLTE", b"eXIf", MARK_CHUNK)
#: Known chunks that stay true when only the size changes, although their names do not say that they may be copied.
SIZE_INDEPENDENT_CHUNKS = (*COLOUR_CHUNKS, b"bKGD", b"hIST", b"tIME", b"sPLT", b"pCAL", b"sCAL")
#: Chunks of which a file has at most one.
SINGLE_CHUNKS = (b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"iCCP", b"eXIf", b"bKGD", b"sBIT", b"hIST")
#: Chunks that are only true for the colour model and depth that they were written for.
MODEL_CHUNKS = (b"sBIT", b"bKGD", b"hIST", b"PLTE")
#: Chunks that are only true for the exact values that the samples had.
VALUE_CHUNKS = (b"sBIT", b"hIST")
TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
#: The keyword of a text chunk with XMP.
XMP_KEY = "XML:com.adobe.xmp"


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    """Make a chunk of its type and its data: length, type, data, checksum."""
    from zlib_ng import zlib_ng  # ten times as fast as zlib

    checksum = zlib_ng.crc32(data, zlib_ng.crc32(kind))
    return b"".join((struct.pack(">I", len(data)), kind, data, struct.pack(">I", checksum)))

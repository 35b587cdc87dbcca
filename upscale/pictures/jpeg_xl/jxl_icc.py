"""The colour profile inside a JPEG XL codestream (ISO/IEC 18181-1, annex E.4)."""

import struct

from upscale.errors import ArgumentError
from upscale.pictures.jpeg_xl.jxl_bits import BitReader, BitWriter
from upscale.pictures.jpeg_xl.jxl_entropy import Decoder

_HEADER = 128
_CONTEXTS = 41
#: Most bytes of a profile.
_LONGEST = 1 << 26
_DAMAGED = "damaged: its colour profile cannot be decoded"
#: Names of tags and of types by their numbers.
_TAGS = (
    b"cprt", b"wtpt", b"bkpt", b"rXYZ", b"gXYZ", b"bXYZ", b"kXYZ", b"rTRC", b"gTRC", b"bTRC", b"kTRC", b"chad", b"desc",
    b"chrm", b"dmnd", b"dmdd", b"lumi",
)  # fmt: skip
_TYPES = (b"XYZ ", b"desc", b"text", b"mluc", b"para", b"curv", b"sf32", b"gbd ")
_COLOURS = (b"rXYZ", b"gXYZ", b"bXYZ", b"kXYZ", b"wtpt", b"bkpt", b"lumi")


def read_profile(reader: BitReader) -> bytes:
    """Decode a profile.

    Parameters
    ----------
    reader : BitReader
        Where it begins.

    Raises
    ------
    ArgumentError
        Where it is damaged.
    """
    size = reader.long()
    if size > _LONGEST:
        raise ArgumentError(_DAMAGED)
    decoder = Decoder(reader, _CONTEXTS)
    coded = bytearray()
    for n in range(size):
        context = 0 if n <= _HEADER else 1 + _KINDS[coded[-1]] + 8 * _KINDS_BEFORE[coded[-2]]
        value = decoder.number(context)
        if value > 255:
            raise ArgumentError(_DAMAGED)
        coded.append(value)
    decoder.check_end()
    try:
        return _Unpredicted(bytes(coded)).profile()
    except (IndexError, struct.error):
        raise ArgumentError(_DAMAGED) from None


def write_profile(profile: bytes, writer: BitWriter) -> None:
    """Encode a profile: its bytes with a fixed code, since profiles are short."""
    head = bytearray()
    for n, byte in enumerate(profile[:_HEADER]):
        head.append((byte - _predicted_header(profile[:n], len(profile))) & 255)
    rest = profile[_HEADER:]
    commands = b"\0\1" + _varint(len(rest)) if len(profile) > _HEADER else b"\0" if len(profile) == _HEADER else b""
    commands = commands if rest else b""
    coded = _varint(len(profile)) + _varint(len(commands)) + commands + bytes(head) + rest
    writer.long(len(coded))
    writer.bits(0, 1)  # nothing is copied
    writer.bits(1, 3)  # all contexts share one code
    writer.bits(1, 1)  # a prefix code
    writer.bits(15, 4)  # of plain numbers
    writer.bits(1 | 7 << 1 | 127 << 5, 12)  # below 256
    writer.bits(0, 2)  # the lengths of the code of lengths: only that of 8 is not 0
    for symbol in (1, 2, 3, 4, 0, 5, 17, 6, 16, 7, 8, 9, 10, 11, 12, 13, 14, 15):
        writer.bits(2 if symbol == 8 else 0, 2)
    reversed_bits = bytes(int(f"{n:08b}"[::-1], 2) for n in range(256))
    writer.bits(int.from_bytes(coded.translate(reversed_bits), "little"), 8 * len(coded))


def _kind(byte: int) -> tuple[int, int]:
    """Return the classes of a byte as the last one, and as the one before."""
    if chr(byte).isascii() and chr(byte).isalpha():
        return 0, 0
    if chr(byte) in "0123456789.,":
        return 1, 1
    if byte < 16:
        return (2, 3)[byte] if byte < 2 else 4, 2
    if byte > 240:
        return 6 if byte == 255 else 5, 3
    return 7, 4


_KINDS = [_kind(byte)[0] for byte in range(256)]
_KINDS_BEFORE = [_kind(byte)[1] for byte in range(256)]
_USUAL_HEADER = (
    bytes(8) + b"\4\0\0\0mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28) + b"\0\0\xf6\xd6\0\1\0\0\0\0\xd3\x2d" + bytes(48)
)


def _predicted_header(before: bytes, size: int) -> int:
    """Predict the next byte of a profile's first 128 from those before it."""
    n = len(before)
    if n < 4:
        return struct.pack(">I", size)[n]
    if 80 <= n < 84:
        return before[n - 76]
    if 41 <= n < 44:
        for vendor, known in ((b"APPL", 1), (b"MSFT", 1), (b"SGI ", 2), (b"SUNW", 2)):
            if before[40 : 40 + known] == vendor[:known]:
                return vendor[n - 40]
    return _USUAL_HEADER[n]


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(128 | value & 127)
        value >>= 7
    return bytes((*out, value))


class _Unpredicted:
    """A profile made of commands and of data, which are differences from predictions.

    Parameters
    ----------
    coded : bytes
        Sizes, commands and data.
    """

    def __init__(self, coded: bytes) -> None:
        self._coded, self._at = coded, 0
        self._size = self._varint()
        length = self._varint()
        self._end = self._at + length
        self._data = self._end
        self._out = bytearray()

    def profile(self) -> bytes:
        """Carry out the commands."""
        while len(self._out) < min(self._size, _HEADER):
            self._out.append((self._take(1)[0] + _predicted_header(bytes(self._out), self._size)) & 255)
        if self._size > _HEADER:
            self._tag_list()
        while self._at < self._end:
            self._content()
            if len(self._out) > self._size:
                break
        if len(self._out) != self._size or self._data != len(self._coded):
            raise ArgumentError(_DAMAGED)
        return bytes(self._out)

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._coded[self._at]
            self._at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128 or shift > 63:
                return value

    def _take(self, number: int) -> bytes:
        taken = self._coded[self._data : self._data + number]
        if len(taken) < number:
            raise ArgumentError(_DAMAGED)
        self._data += number
        return taken

    def _tag_list(self) -> None:
        number = self._varint()
        if not number:
            return
        number -= 1
        self._out += struct.pack(">I", number)
        begin, size = _HEADER + 12 * number, 0
        while self._at < self._end:
            command = self._coded[self._at]
            self._at += 1
            code = command & 63
            if code == 0:
                return
            name = self._take(4) if code == 1 else b"rTRC" if code == 2 else b"rXYZ" if code == 3 else _TAGS[code - 4]
            begin = self._varint() if command & 64 else begin + size
            size = self._varint() if command & 128 else 20 if name in _COLOURS else size
            names = (name[:1], b"g", b"b") if code in (2, 3) else (name[:1],)
            for n, letter in enumerate(names):
                self._out += struct.pack(">4sII", letter + name[1:], begin + (n * size if code == 3 else 0), size)

    def _content(self) -> None:
        command = self._coded[self._at]
        self._at += 1
        if command == 1:
            self._out += self._take(self._varint())
        elif command in (2, 3):
            self._out += _shuffled(self._take(self._varint()), 2 * command - 2)
        elif command == 4:
            self._predicted()
        elif command == 10:
            self._out += b"XYZ \0\0\0\0" + self._take(12)
        elif 16 <= command < 16 + len(_TYPES):
            self._out += _TYPES[command - 16] + bytes(4)
        else:
            raise ArgumentError(_DAMAGED)

    def _predicted(self) -> None:
        """Add numbers of 1, 2 or 4 bytes that are differences from what those before predict."""
        flags = self._coded[self._at]
        self._at += 1
        width, order = (flags & 3) + 1, flags >> 2 & 3
        stride = self._varint() if flags & 16 else width
        if width == 3 or order == 3 or stride < width or 4 * stride >= len(self._out):
            raise ArgumentError(_DAMAGED)
        number = self._varint()
        differences, begin = _shuffled(self._take(number), width), len(self._out)
        weights = ((1,), (2, -1), (3, -3, 1))[order]
        for n in range(0, number, width):
            at = begin + n
            before = (self._out[at - k * stride : at - k * stride + width] for k in range(1, len(weights) + 1))
            value = sum(w * int.from_bytes(b, "big") for w, b in zip(weights, before, strict=True))
            predicted = (value % (1 << 8 * width)).to_bytes(width, "big")
            # Bytes are added without carrying.
            self._out += bytes((p + d) & 255 for p, d in zip(predicted, differences[n : n + width], strict=False))


def _shuffled(data: bytes, width: int) -> bytes:
    """Interleave `width` rows of bytes, of which the last may be shorter."""
    height = -(-len(data) // width)
    return bytes(byte for column in range(height) for byte in data[column::height])

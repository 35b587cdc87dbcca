"""Numbers of JPEG XL's headers, which begin at any bit (ISO/IEC 18181-1, annex B)."""

from collections.abc import Sequence

from upscale.errors import ArgumentError

#: One of the four choices of a number: a constant, or so many bits and what is added to them.
Choice = int | tuple[int, int]
_ENUM: Sequence[Choice] = (0, 1, (4, 2), (6, 18))


class BitReader:
    """Reads numbers from the lowest bit of each byte to the highest.

    Parameters
    ----------
    data : bytes
    at : int
        Where to begin, in bits.

    Attributes
    ----------
    at : int
        Position of the next bit.
    """

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data, self.at = data, at

    def bits(self, number: int) -> int:
        """Read a whole number of so many bits.

        Raises
        ------
        ArgumentError
            Where the data end before.
        """
        begin, end = self.at >> 3, (self.at + number + 7) >> 3
        if end > len(self._data):
            raise ArgumentError("damaged: the file ends inside its header")
        value = int.from_bytes(self._data[begin:end], "little") >> (self.at & 7)
        self.at += number
        return value & ((1 << number) - 1)

    def flag(self) -> bool:
        """Read a bit."""
        return self.bits(1) == 1

    def choice(self, *choices: Choice) -> int:
        """Read a number of four choices (`U32`)."""
        chosen = choices[self.bits(2)]
        return chosen if isinstance(chosen, int) else self.bits(chosen[0]) + chosen[1]

    def enum(self) -> int:
        """Read the number of a name."""
        return self.choice(*_ENUM)

    def long(self) -> int:
        """Read a number of up to 64 bits (`U64`)."""
        kind = self.bits(2)
        if kind < 3:
            return (0, 1, 17)[kind] + self.bits((0, 4, 8)[kind])
        value, shift = self.bits(12), 12
        while self.flag():
            if shift == 60:
                return value | self.bits(4) << shift
            value |= self.bits(8) << shift
            shift += 8
        return value

    def skip(self, number: int) -> None:
        """Pass over so many bits."""
        self.at += number

    def skip_extensions(self) -> None:
        """Pass over extensions of a header, of which none is known."""
        present = self.long()
        self.skip(sum(self.long() for bit in range(64) if present >> bit & 1))

    def to_byte(self) -> int:
        """Go on to the next whole byte, and return its position in bytes."""
        self.at = -(-self.at // 8) * 8
        return self.at // 8


class BitWriter:
    """Collects numbers that `BitReader` reads.

    Attributes
    ----------
    value : int
        All bits so far, the first one the lowest.
    length : int
        How many.
    """

    def __init__(self) -> None:
        self.value = self.length = 0

    def bits(self, value: int, number: int) -> None:
        """Add a whole number of so many bits."""
        self.value |= value << self.length
        self.length += number

    def enum(self, value: int) -> None:
        """Add the number of a name."""
        if value < 2:
            self.bits(value, 2)
        elif value < 18:
            self.bits(2 | (value - 2) << 2, 6)
        else:
            self.bits(3 | (value - 18) << 2, 8)

    def long(self, value: int) -> None:
        """Add a number of up to 64 bits."""
        if value == 0:
            self.bits(0, 2)
        elif value <= 16:
            self.bits(1 | (value - 1) << 2, 6)
        elif value <= 272:
            self.bits(2 | (value - 17) << 2, 10)
        else:
            self.bits(3 | (value & 4095) << 2, 14)
            value >>= 12
            while value:
                self.bits(1 | (value & 255) << 1, 9)
                value >>= 8
            self.bits(0, 1)

    def to_bytes(self) -> bytes:
        """Return all bits, the last byte filled up with zeros."""
        return self.value.to_bytes(-(-self.length // 8), "little")

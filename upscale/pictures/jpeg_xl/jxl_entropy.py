"""JPEG XL's entropy coding, for profiles and tables of contents (ISO/IEC 18181-1, annex C).

Pixels are decoded by libjxl; but that does not say where frames begin behind a profile, nor what the profile is.
"""

from typing import NamedTuple

from upscale.errors import ArgumentError
from upscale.pictures.jpeg_xl.jxl_bits import BitReader

_DAMAGED = "damaged: its header cannot be decoded"
#: The state in which a stream of asymmetric numeral systems begins and ends, and the precision of its probabilities.
_STATE, _PRECISION = 0x130000, 12
#: By number of bits and value: logarithms of probabilities, plus 1; 13 is a repetition.
_LOGARITHMS = {
    (3, 0): 10, (3, 2): 7, (3, 4): 6, (3, 5): 8, (3, 6): 9, (4, 3): 3, (4, 7): 5, (4, 9): 4, (4, 11): 1, (4, 15): 2,
    (5, 17): 0, (6, 33): 11, (7, 1): 12, (7, 65): 13,
}  # fmt: skip
_REPETITION = 13
#: The order of the lengths of the code for lengths, and by number of bits and value: these lengths.
_LENGTH_ORDER = (1, 2, 3, 4, 0, 5, 17, 6, 16, 7, 8, 9, 10, 11, 12, 13, 14, 15)
_LENGTHS = {(2, 0): 0, (2, 1): 4, (2, 2): 3, (3, 3): 2, (4, 7): 1, (4, 15): 5}
#: Bits of the largest symbol of prefix codes.
_PREFIX_BITS = 15
_MOST_CLUSTERS = 256


class _Config(NamedTuple):
    """How a symbol and the bits after it make a number."""

    split: int
    high: int
    low: int


class _Alias(NamedTuple):
    """A part of an alias table: up to `cutoff` its own symbol, from there on another one."""

    cutoff: int
    other: int
    offset: int


class Decoder:
    """Decodes numbers.

    Parameters
    ----------
    reader : BitReader
        Where the description of the codes begins.
    contexts : int
        How many contexts the numbers have.

    Raises
    ------
    ArgumentError
        Where the description is damaged; the methods raise it too.
    """

    def __init__(self, reader: BitReader, contexts: int) -> None:
        self._reader = reader
        self._least = 1 << 62  # the first symbol that is the length of a copy
        if reader.flag():
            self._least = reader.choice(224, 512, 4096, (15, 8))
            self._shortest = reader.choice(3, 4, (2, 5), (8, 9))
            self._length_config = _read_config(reader, 8)
            contexts += 1
        self._decoded: list[int] = []
        self._copied, self._distance = 0, 0
        self._clusters = _read_clusters(reader, contexts) if contexts > 1 else [0]
        self._by_prefix = reader.flag()
        self._bits = _PREFIX_BITS if self._by_prefix else 5 + reader.bits(2)
        number = max(self._clusters) + 1
        self._configs = [_read_config(reader, self._bits) for _ in range(number)]
        if self._by_prefix:
            sizes = [_read_length(reader, 4) + 1 for _ in range(number)]
            self._prefixes = [_read_prefix_code(reader, size) for size in sizes]
        else:
            self._counts = [_read_counts(reader) for _ in range(number)]
            self._aliases = [_alias_table(counts, self._bits) for counts in self._counts]
            self._state = reader.bits(32)

    def number(self, context: int) -> int:
        """Decode the next number."""
        if self._copied:
            self._copied -= 1
            value = self._decoded[-self._distance] if self._decoded else 0
        else:
            symbol = self._symbol(self._clusters[context])
            if symbol >= self._least:
                self._copied = self._value(self._length_config, symbol - self._least) + self._shortest
                last = self._clusters[-1]
                self._distance = min(self._value(self._configs[last], self._symbol(last)) + 1, len(self._decoded), 1 << 20)
                return self.number(context)
            value = self._value(self._configs[self._clusters[context]], symbol)
        if self._least < 1 << 62:
            self._decoded.append(value)
        return value

    def check_end(self) -> None:
        """Check that the stream ends as it must."""
        if not self._by_prefix and self._state != _STATE:
            raise ArgumentError(_DAMAGED)

    def _symbol(self, cluster: int) -> int:
        if self._by_prefix:
            return _read_code(self._reader, self._prefixes[cluster], _PREFIX_BITS)
        size = _PRECISION - self._bits
        low = self._state & ((1 << _PRECISION) - 1)
        at, within = low >> size, low & ((1 << size) - 1)
        cutoff, other, offset = self._aliases[cluster][at]
        symbol, offset = (at, within) if within < cutoff else (other, offset + within)
        self._state = self._counts[cluster][symbol] * (self._state >> _PRECISION) + offset
        if self._state < 1 << 16:
            self._state = self._state << 16 | self._reader.bits(16)
        return symbol

    def _value(self, config: _Config, symbol: int) -> int:
        if symbol < 1 << config.split:
            return symbol
        known = config.high + config.low
        extra = config.split - known + ((symbol - (1 << config.split)) >> known)
        if extra > 31:
            raise ArgumentError(_DAMAGED)
        low = symbol & ((1 << config.low) - 1)
        high = 1 << config.high | (symbol >> config.low) & ((1 << config.high) - 1)
        return (high << extra | self._reader.bits(extra)) << config.low | low


def _read_config(reader: BitReader, bits: int) -> _Config:
    split = reader.bits(bits.bit_length())
    high = low = 0
    if split != bits:
        high = reader.bits(split.bit_length())
        low = reader.bits(max(split - high, 0).bit_length())
    if high + low > split or split > bits:
        raise ArgumentError(_DAMAGED)
    return _Config(split, high, low)


def _read_length(reader: BitReader, bits: int) -> int:
    """Read a number of up to 2^bits - 1 bits, after the number of its bits."""
    if not reader.flag():
        return 0
    number = reader.bits(bits)
    return (1 << number) + reader.bits(number)


def _read_clusters(reader: BitReader, contexts: int) -> list[int]:
    """Read which contexts share their codes."""
    if reader.flag():
        bits = reader.bits(2)
        return [reader.bits(bits) for _ in range(contexts)]
    moved = reader.flag()
    decoder = Decoder(reader, 1)
    clusters = [decoder.number(0) for _ in range(contexts)]
    decoder.check_end()
    if max(clusters) >= _MOST_CLUSTERS:
        raise ArgumentError(_DAMAGED)
    if moved:  # each one is a place in a list, whose entry then moves to the front
        places = list(range(_MOST_CLUSTERS))
        for n, place in enumerate(clusters):
            clusters[n] = places.pop(place)
            places.insert(0, clusters[n])
    return clusters


def _read_code(reader: BitReader, codes: dict[tuple[int, int], int], most: int) -> int:
    """Read the symbol of a code by number of bits and value, its first bit the lowest."""
    value = length = 0
    while (symbol := codes.get((length, value))) is None:
        if length > most:
            raise ArgumentError(_DAMAGED)
        value |= reader.bits(1) << length
        length += 1
    return symbol


def _read_prefix_code(reader: BitReader, size: int) -> dict[tuple[int, int], int]:
    """Read a code of symbols below `size`, by number of bits and value."""
    if size == 1:
        return {(0, 0): 0}
    skipped = reader.bits(2)
    if skipped == 1:
        number, bits = reader.bits(2) + 1, (size - 1).bit_length()
        symbols = [reader.bits(bits) for _ in range(number)]
        deep = number == 4 and reader.flag()
        lengths = {1: (0,), 2: (1, 1), 3: (1, 2, 2), 4: (1, 2, 3, 3) if deep else (2, 2, 2, 2)}[number]
        if len(set(symbols)) < number or max(symbols) >= size:
            raise ArgumentError(_DAMAGED)
        return _canonical(dict(zip(symbols, lengths, strict=True)))
    space, of_lengths = 32, {}
    for symbol in _LENGTH_ORDER[skipped:]:
        if space <= 0:
            break
        if length := _read_code(reader, _LENGTHS, 4):
            of_lengths[symbol] = length
            space -= 32 >> length
    if space and len(of_lengths) != 1:
        raise ArgumentError(_DAMAGED)
    if len(of_lengths) == 1:
        of_lengths = dict.fromkeys(of_lengths, 0)
    return _canonical(_read_lengths(reader, _canonical(of_lengths), size))


def _read_lengths(reader: BitReader, codes: dict[tuple[int, int], int], size: int) -> dict[int, int]:
    """Read the lengths of a code's symbols, with repetitions of the length before (16) and of 0 (17)."""
    lengths: list[int] = []
    space, before, times, repeated = 1 << _PREFIX_BITS, 8, 0, -1
    while len(lengths) < size and space > 0:
        length = _read_code(reader, codes, 5)
        if length < 16:
            times, new = 0, [length]
            before = length or before
        else:
            value, bits = (before, 2) if length == 16 else (0, 3)
            if value != repeated:
                times, repeated = 0, value
            old = times
            times = ((times - 2 << bits) if times else 0) + reader.bits(bits) + 3
            new = [value] * (times - old)
        lengths += new
        space -= sum(1 << _PREFIX_BITS >> length for length in new if length)
    if space or len(lengths) > size:
        raise ArgumentError(_DAMAGED)
    return {symbol: length for symbol, length in enumerate(lengths) if length}


def _canonical(lengths: dict[int, int]) -> dict[tuple[int, int], int]:
    """Make the code of symbols with these lengths; shorter codes come first, then smaller symbols."""
    codes, code, before = {}, 0, 0
    for symbol, length in sorted(lengths.items(), key=lambda item: (item[1], item[0])):
        code <<= length - before
        reversed_code = int(f"{code:0{length}b}"[::-1], 2) if length else 0
        codes[length, reversed_code] = symbol
        code, before = code + 1, length
    return codes


def _read_counts(reader: BitReader) -> list[int]:
    """Read the probabilities of symbols, as parts of 4096."""
    whole = 1 << _PRECISION
    if reader.flag():
        symbols = [_read_length(reader, 3) for _ in range(1 + reader.bits(1))]
        counts = [0] * (max(symbols) + 1)
        first = whole if len(symbols) == 1 else reader.bits(_PRECISION)
        for symbol, count in zip(symbols, (first, whole - first), strict=False):
            counts[symbol] = count
        if sum(counts) != whole:
            raise ArgumentError(_DAMAGED)
        return counts
    if reader.flag():
        size = _read_length(reader, 3) + 1
        return [whole // size + (n < whole % size) for n in range(size)]
    ones = 0
    while ones < 3 and reader.flag():
        ones += 1
    shift = (1 << ones | reader.bits(ones)) - 1
    return _read_listed_counts(reader, shift, _read_length(reader, 3) + 3)


def _read_listed_counts(reader: BitReader, shift: int, size: int) -> list[int]:
    """Read first the logarithms of the probabilities, then their lower bits; the largest one is what is left."""
    logarithms: list[int | None] = []  # None repeats the probability before
    while len(logarithms) < size:
        found = _read_code(reader, _LOGARITHMS, 7)
        logarithms += [None] * (_read_length(reader, 3) + 4) if found == _REPETITION else [found - 1]
    known = [-1 if value is None else value for value in logarithms]
    largest = known.index(max(known))
    after = logarithms[largest + 1 : largest + 2]
    if max(known) < 0 or len(logarithms) > size or shift > _PRECISION + 1 or after == [None]:
        raise ArgumentError(_DAMAGED)
    counts: list[int] = []
    for n, value in enumerate(logarithms):
        if value is None:
            counts.append(counts[-1] if counts else 0)
        elif n == largest or value < 0:
            counts.append(0)
        else:
            bits = max(0, min(value, shift - ((_PRECISION - value) >> 1)))
            counts.append((1 << value) + (reader.bits(bits) << (value - bits)))
    counts[largest] = (1 << _PRECISION) - sum(counts)
    if counts[largest] <= 0:
        raise ArgumentError(_DAMAGED)
    return counts


def _alias_table(counts: list[int], bits: int) -> list[_Alias]:
    """Divide the whole of the probabilities into 2^bits parts of equal size, of at most two symbols each."""
    number, size = 1 << bits, 1 << (_PRECISION - bits)
    while counts[-1] == 0:
        counts.pop()
    if len(counts) > number:
        raise ArgumentError(_DAMAGED)
    if 1 << _PRECISION in counts:
        only = counts.index(1 << _PRECISION)
        return [_Alias(0, only, size * n) for n in range(number)]
    left = counts + [0] * (number - len(counts))
    over = [n for n, count in enumerate(left) if count > size]
    under = [n for n, count in enumerate(left) if count < size]
    others, offsets = list(range(number)), [0] * number
    while over:
        giver, taker = over.pop(), under.pop()
        left[giver] -= size - left[taker]
        others[taker], offsets[taker] = giver, left[giver]
        if left[giver] < size:
            under.append(giver)
        elif left[giver] > size:
            over.append(giver)
    return [
        _Alias(0, n, 0) if cutoff == size else _Alias(cutoff, others[n], offsets[n] - cutoff) for n, cutoff in enumerate(left)
    ]

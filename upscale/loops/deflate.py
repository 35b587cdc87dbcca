"""Deflate (RFC 1951) for filtered rows of pictures: codes made for each block of bytes, and repetitions at one distance.

Where pixels mix, a search for repetitions finds few, and most of these are runs of one value. Only such are looked for: bytes
that equal those a fixed distance before them. What is left is to count, and to write codes, four of them at a time.
"""

# What Numba compiles has no types that a checker could follow.
# mypy: ignore-errors

import numpy as np

from upscale.loops.huffman import (
    LONGEST,
    SYMBOLS,
    BitWriter,
    assign_codes,
    code_lengths,
    describe,
    put,
    write_description,
)
from upscale.loops.numba_private import inner, new_array, new_zeros, serial_loop
from upscale.loops.words import equal_bytes, load_word, lowest_bit

#: Symbols of a block, after which the next one gets codes of its own; about as many as zlib takes.
BLOCK_SYMBOLS = 32768
#: Bytes of a stored block, at most.
_STORED = 65535
#: The longest match.
LONGEST_MATCH = 258
#: Bytes that are looked at together, and how far the next ones begin if no match of at most 8 bytes begins among them.
_WINDOW, _STEP = 32, 24
#: Where literals are counted that are none: behind the symbols.
_NOWHERE = 300


def _match_symbols():
    """Return the symbol, the number of extra bits and their value for each length of a match (RFC 1951, 3.2.5)."""
    table = np.zeros((LONGEST_MATCH + 1, 3), np.uint16)
    symbol, length = 257, 3
    for extra in (0,) * 8 + (1,) * 4 + (2,) * 4 + (3,) * 4 + (4,) * 4 + (5,) * 4:
        for value in range(1 << extra):
            table[min(length, LONGEST_MATCH)] = symbol, extra, value
            length += 1
        symbol += 1
    table[LONGEST_MATCH] = 285, 0, 0
    return table


MATCH_SYMBOLS = _match_symbols()
EXTRA_BITS = np.zeros(SYMBOLS, np.uint16)
EXTRA_BITS[MATCH_SYMBOLS[:, 0]] = MATCH_SYMBOLS[:, 1]


@inner
def _starts(equal, shortest):
    """Return at which of the lowest 28 bits `shortest` ones or more begin, of which there are 3 to 8.

    Of the last literals before such a place, whole words are read, which must end within the window.
    """
    second = min(shortest - 2, 2)
    equal &= equal >> np.uint64(1)
    equal &= equal >> np.uint64(second)
    return equal & equal >> np.uint64(shortest - 2 - second) & np.uint64((1 << 28) - 1)


@inner
def _match_end(data, at, end, distance):
    """Return the first place from `at` on whose byte differs from the one `distance` before it, or `end`."""
    while at + 8 <= end:
        different = load_word(data, at) ^ load_word(data, at - distance)
        if different != np.uint64(0):
            return at + (lowest_bit(different) >> 3)
        at += 8
    while at < end and data[at] == data[at - distance]:
        at += 1
    return at


@inner
def _count_four(word, first, second, third, fourth):
    """Count four literals, each in a table of its own: an increment would wait for the one before it."""
    low = np.uint64(255)
    first[word & low] += 1
    second[word >> np.uint64(8) & low] += 1
    third[word >> np.uint64(16) & low] += 1
    fourth[word >> np.uint64(24) & low] += 1


@inner
def _count(data, begin, distance, shortest, counts):
    """Count the symbols of a block, as `_write_symbols` will write them, in the first row of `counts`; return where it ends."""
    counts[:] = 0
    first, second, third, fourth = counts[0], counts[1], counts[2], counts[3]
    low, at, symbols = np.uint64(255), begin, 0
    while at < min(distance, data.size):
        first[data[at]] += 1
        at += 1
    while at + _WINDOW <= data.size and symbols < BLOCK_SYMBOLS:
        starts = _starts(equal_bytes(data, at, distance), shortest)
        if starts == np.uint64(0):
            for i in range(0, _STEP, 4):
                _count_four(load_word(data, at + i), first, second, third, fourth)
            at += _STEP
            symbols += _STEP
            continue
        literals = lowest_bit(starts)
        for i in range(0, literals - 3, 4):
            _count_four(load_word(data, at + i), first, second, third, fourth)
        word, left = load_word(data, at + (literals & ~3)), literals & 3
        first[word & low if left > 0 else np.uint64(_NOWHERE)] += 1
        second[word >> np.uint64(8) & low if left > 1 else np.uint64(_NOWHERE)] += 1
        third[word >> np.uint64(16) & low if left > 2 else np.uint64(_NOWHERE)] += 1
        at += literals
        symbols += literals + 1
        match_end = _match_end(data, at + shortest, min(data.size, at + LONGEST_MATCH), distance)
        fourth[MATCH_SYMBOLS[match_end - at, 0]] += 1
        at = match_end
    if symbols < BLOCK_SYMBOLS:
        while at < data.size:
            first[data[at]] += 1
            at += 1
    first[256] += 1
    for symbol in range(SYMBOLS):
        first[symbol] += second[symbol] + third[symbol] + fourth[symbol]
    return at


@inner
def _put_four(out, writer, first, second, third, fourth):
    """Write four codes out of the table. Shifts take the lowest 6 bits of a number: the length of a code, or a sum of them."""
    size, code = np.uint64(63), np.uint64(8)
    begin = first >> code | second >> code << (first & size)
    end = third >> code | fourth >> code << (third & size)
    half = first + second
    return put(out, writer, begin | end << (half & size), half + third + fourth & size)


@inner
def _put_literals(out, writer, table, word):
    """Write the codes of the four lowest bytes of a word."""
    low = np.uint64(255)
    return _put_four(
        out,
        writer,
        np.uint64(table[word & low]),
        np.uint64(table[word >> np.uint64(8) & low]),
        np.uint64(table[word >> np.uint64(16) & low]),
        np.uint64(table[word >> np.uint64(24) & low]),
    )


@inner
def put_one(out, writer, entry):
    """Write one code out of the table."""
    return put(out, writer, np.uint64(entry) >> np.uint64(8), np.uint64(entry) & np.uint64(63))


@inner
def _write_symbols(data, begin, end, distance, shortest, table, distance_bits, distance_size, out, writer):
    """Write the codes of a block and of its end."""
    low, none, at = np.uint64(255), np.uint64(0), begin
    while at < min(distance, end):
        writer = put_one(out, writer, table[data[at]])
        at += 1
    while at + _WINDOW <= data.size and at < end:
        starts = _starts(equal_bytes(data, at, distance), shortest)
        if starts == none:
            for i in range(0, _STEP, 4):
                writer = _put_literals(out, writer, table, load_word(data, at + i))
            at += _STEP
            continue
        literals = lowest_bit(starts)
        for i in range(0, literals - 3, 4):
            writer = _put_literals(out, writer, table, load_word(data, at + i))
        word, left = load_word(data, at + (literals & ~3)), literals & 3
        at += literals
        match_end = _match_end(data, at + shortest, min(data.size, at + LONGEST_MATCH), distance)
        symbol, extra, value = MATCH_SYMBOLS[match_end - at]
        # Up to three literals that are left and the match's length go together: no branch, since none could be foreseen.
        writer = _put_four(
            out,
            writer,
            np.uint64(table[word & low]) if left > 0 else none,
            np.uint64(table[word >> np.uint64(8) & low]) if left > 1 else none,
            np.uint64(table[word >> np.uint64(16) & low]) if left > 2 else none,
            np.uint64(table[symbol]),
        )
        bits = np.uint64(value) | distance_bits << np.uint64(extra)
        writer = put(out, writer, bits, np.uint64(extra) + distance_size)
        at = match_end
    while at < end:
        writer = put_one(out, writer, table[data[at]])
        at += 1
    return put_one(out, writer, table[256])


@inner
def write_stored(data, begin, end, out, writer):
    """Write at most 65,535 bytes as they are in a block, or an empty one, after which the next block begins with a byte."""
    nothing, size = np.uint64(0), end - begin
    writer = put(out, writer, nothing, np.uint64(3))
    if writer.filled:
        writer = put(out, writer, nothing, np.uint64(8) - writer.filled)
    writer = put(out, writer, np.uint64(size | (size ^ 0xFFFF) << 16), np.uint64(32))
    to = writer.at
    for i in range(size):
        out[to + i] = data[begin + i]
    return BitWriter(to + size, writer.pending, writer.filled)


@inner
def distance_symbol(distance):
    """Return the symbol of a distance, the number of its extra bits, and their value (RFC 1951, 3.2.5)."""
    if distance <= 4:
        return distance - 1, 0, 0
    extra = 1
    while distance - 1 >> extra + 2:
        extra += 1
    return 2 * extra + 2 + (distance - 1 >> extra & 1), extra, distance - 1 & (1 << extra) - 1


@serial_loop
def deflate(data, distance, shortest, out):
    """Deflate bytes into `out`; return how many bytes that are. They end on a byte, with an empty stored block.

    Bytes that equal those `distance` (1 to 24,576) before them become matches where there are `shortest` (3 to 8) or more.
    `out` has room for the data, a thousandth of them, and 1,024 bytes.
    """
    counts, scratch = new_array(np.uint32, 4, 320), new_array(np.int64, 4, 320)
    table, own_table = new_array(np.uint32, 1, SYMBOLS)[0], new_array(np.uint32, 1, 19)[0]
    lengths, own = new_zeros(np.uint8, 1, 320)[0], new_array(np.uint8, 1, 19)[0]
    symbols, repeats = new_array(np.uint8, 1, 320)[0], new_array(np.uint8, 1, 320)[0]
    own_counts = new_array(np.uint32, 1, 19)[0]
    symbol_of_distance, distance_extra, distance_value = distance_symbol(distance)
    # The distance's code is one bit, 0. The next distance has the other one, since some decoders want no code to be incomplete.
    distance_bits, distance_size = np.uint64(distance_value << 1), np.uint64(distance_extra + 1)
    writer = BitWriter(np.int64(0), np.uint64(0), np.uint64(0))
    begin = np.int64(0)
    while begin < data.size:
        end = _count(data, begin, distance, shortest, counts)
        code_lengths(counts[0], np.int64(LONGEST), lengths[:SYMBOLS], scratch)
        body, literals = np.int64(0), np.int64(257)
        for symbol in range(SYMBOLS):
            if lengths[symbol]:
                size = np.int64(lengths[symbol])
                if symbol > 256:
                    size += EXTRA_BITS[symbol] + distance_extra + 1
                    literals = symbol + 1
                body += counts[0, symbol] * size
        assign_codes(lengths[:SYMBOLS], table, scratch[0, :16])
        described = lengths[literals : literals + symbol_of_distance + 2]
        described[:] = 0
        described[symbol_of_distance:] = 1
        description = describe(lengths, literals, described.size, symbols, repeats, own_counts, own, own_table, scratch)
        if description.bits + body < 8 * (end - begin) + 32:
            writer = write_description(out, writer, description, symbols, repeats, own, own_table)
            writer = _write_symbols(data, begin, end, distance, shortest, table, distance_bits, distance_size, out, writer)
        else:
            for at in range(begin, end, _STORED):
                writer = write_stored(data, at, min(end, at + _STORED), out, writer)
        begin = end
    return write_stored(data, begin, begin, out, writer).at

"""Huffman codes as deflate stores them (RFC 1951, 3.2.2 and 3.2.7): their lengths, the codes, and the description of a block.

The codes of a block are in a table of numbers `code << 8 | length`, the first bit of a code in its lowest one.
"""

# What Numba compiles has no types that a checker could follow.
# mypy: ignore-errors

from typing import NamedTuple

import numpy as np

from upscale.loops.numba_private import inner
from upscale.loops.words import store_word

#: The longest code: four of them and what is left of a byte fit into 64 bits.
LONGEST = 14
#: Literals, the end of a block, and the lengths of matches.
SYMBOLS = 286
#: In which order the lengths of the codes of code lengths are stored.
_ORDER = np.array([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15])
#: How many bits follow the codes 16, 17 and 18, and the least number of lengths that they repeat.
_REPEAT_BITS, _LEAST = np.array([2, 3, 7]), np.array([3, 3, 11])


class BitWriter(NamedTuple):
    """Where the next bits go: behind those of `pending`, of which `filled` are used, to byte `at`."""

    at: np.int64
    pending: np.uint64
    filled: np.uint64


@inner
def put(out, writer, bits, size):
    """Write up to 56 bits, and whole bytes of them to memory. Up to 8 bytes after these are overwritten.

    Bits and their number are of 64 bits without a sign.
    """
    pending = writer.pending | bits << writer.filled
    filled = writer.filled + size
    store_word(out, writer.at, pending)
    return BitWriter(writer.at + np.int64(filled >> np.uint64(3)), pending >> (filled & np.uint64(0x38)), filled & np.uint64(7))


@inner
def _sort(keys, spare, begins):
    """Sort by the 16 bits above the lowest 9, byte by byte: comparisons could not be foreseen by a processor."""
    source, target = keys, spare
    for shift in (9, 17):
        begins[:256] = 0
        for key in source:
            begins[key >> shift & 255] += 1
        total = np.int64(0)
        for value in range(256):
            many = begins[value]
            begins[value] = total
            total += many
        for key in source:
            value = key >> shift & 255
            target[begins[value]] = key
            begins[value] += 1
        source, target = target, source


@inner
def _build_tree(keys, weight, leaf_parent, node_parent):
    """Build a Huffman tree of sorted weights by two queues (van Leeuwen 1976); `weight` gets the depth of each inner node."""
    leaf, node, many = 0, 0, keys.size
    for made in range(many - 1):
        total = np.int64(0)
        for _ in range(2):
            if leaf < many and (node >= made or keys[leaf] >> 9 <= weight[node]):
                total += keys[leaf] >> 9
                leaf_parent[leaf] = made
                leaf += 1
            else:
                total += weight[node]
                node_parent[node] = made
                node += 1
        weight[made] = total
    weight[many - 2] = 0
    for i in range(many - 3, -1, -1):
        weight[i] = weight[node_parent[i]] + 1


@inner
def code_lengths(counts, longest, lengths, scratch):
    """Find how long the code of each symbol should be, at most `longest` bits; 0 where it does not occur.

    `scratch` is room for 4 rows of 286 numbers of 64 bits. Two symbols or more occur, none more than 65,535 times.
    """
    many = 0
    for symbol in range(lengths.size):
        lengths[symbol] = 0
        if counts[symbol]:
            scratch[0, many] = np.int64(counts[symbol]) << 9 | symbol
            many += 1
    keys = scratch[0, :many]
    _sort(keys, scratch[1, :many], scratch[2])
    depth, leaf_parent = scratch[1], scratch[2]
    _build_tree(keys, depth, leaf_parent, scratch[3])
    # How many codes have each length. Those that are too long are cut, which makes the code overfull ...
    number = scratch[3, : longest + 1]
    number[:] = 0
    for i in range(many):
        number[min(longest, depth[leaf_parent[i]] + 1)] += 1
    used = np.int64(0)
    for length in range(1, longest + 1):
        used += number[length] << (longest - length)
    # ... until a code of the greatest length is put below one that is shorter.
    while used > 1 << longest:
        number[longest] -= 1
        length = longest - 1
        while number[length] == 0:
            length -= 1
        number[length] -= 1
        number[length + 1] += 2
        used -= 1
    i = 0
    for length in range(longest, 0, -1):
        for _ in range(number[length]):
            lengths[keys[i] & 511] = length
            i += 1


@inner
def assign_codes(lengths, table, following):
    """Fill a table with the canonical codes of these lengths (RFC 1951, 3.2.2); `following` is room for 16 numbers."""
    following[:] = 0
    for symbol in range(lengths.size):
        following[lengths[symbol]] += 1
    code, number = np.int64(0), np.int64(0)
    following[0] = 0
    for length in range(1, 16):
        code = (code + number) << 1
        number = following[length]
        following[length] = code
    for symbol in range(lengths.size):
        length = np.int64(lengths[symbol])
        table[symbol] = 0
        if length:
            code, backwards = following[length], np.int64(0)
            following[length] += 1
            for _ in range(length):
                backwards = backwards << 1 | code & 1
                code >>= 1
            table[symbol] = backwards << 8 | length


class Description(NamedTuple):
    """How the lengths of a block's codes are stored: as codes themselves, some of which repeat a length."""

    literals: int  #: How many lengths of literals and matches there are.
    distances: int  #: How many lengths of distances.
    stored: int  #: How many lengths of the codes of lengths.
    many: int  #: How many codes describe them.
    bits: int  #: How many bits all of this takes.


@inner
def describe(lengths, literals, distances, symbols, repeats, counts, own, table, scratch):
    """List the codes that describe `lengths`, in `symbols` and `repeats`, and make these codes; returns a `Description`.

    `own` and `table` become the lengths of these codes, and the codes; the other arrays are room.
    """
    many, at, total = 0, 0, literals + distances
    while at < total:
        length, run = lengths[at], 1
        while at + run < total and lengths[at + run] == length:
            run += 1
        at += run
        if length:
            symbols[many] = length
            many += 1
            run -= 1
        while run >= 3:
            symbol = 16 if length else 18 if run >= 11 else 17
            repeated = min(run, _LEAST[symbol - 16] + (1 << _REPEAT_BITS[symbol - 16]) - 1)
            symbols[many], repeats[many] = symbol, repeated - _LEAST[symbol - 16]
            many += 1
            run -= repeated
        for _ in range(run):
            symbols[many] = length
            many += 1
    counts[:19] = 0
    for i in range(many):
        counts[symbols[i]] += 1
    code_lengths(counts, np.int64(7), own, scratch)
    assign_codes(own, table, scratch[0, :16])
    stored = 19
    while own[_ORDER[stored - 1]] == 0:
        stored -= 1
    bits = 17 + 3 * stored
    for symbol in range(19):
        bits += counts[symbol] * (own[symbol] + (_REPEAT_BITS[symbol - 16] if symbol >= 16 else 0))
    return Description(literals, distances, stored, many, bits)


@inner
def write_description(out, writer, description, symbols, repeats, own, table):
    """Write the beginning of a block with codes of its own, which is not the last one."""
    sizes = (description.literals - 257) << 3 | (description.distances - 1) << 8 | (description.stored - 4) << 13
    writer = put(out, writer, np.uint64(2 << 1 | sizes), np.uint64(17))
    for i in range(description.stored):
        writer = put(out, writer, np.uint64(own[_ORDER[i]]), np.uint64(3))
    for i in range(description.many):
        code = np.uint64(table[symbols[i]])
        writer = put(out, writer, code >> np.uint64(8), code & np.uint64(63))
        if symbols[i] >= 16:
            writer = put(out, writer, np.uint64(repeats[i]), np.uint64(_REPEAT_BITS[symbols[i] - 16]))
    return writer

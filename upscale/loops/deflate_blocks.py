"""Deflate (RFC 1951) for rows of PNG whose pixels are blocks, from the filtered rows of the pixels without blocks.

What blocks add is known without looking: of a row filtered by Sub or Paeth, each pixel is followed by zeros; of the others, by
copies of itself; and rows of zeros, filtered by Up, follow each row. So the time does not depend on the size of the blocks.
"""

# What Numba compiles has no types that a checker could follow.
# mypy: ignore-errors

import numpy as np

from upscale.loops.deflate import BLOCK_SYMBOLS, LONGEST_MATCH, MATCH_SYMBOLS, distance_symbol, put_one, write_stored
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
from upscale.loops.words import load_word

_PRIME = 65521


@inner
def _next_match(left):
    """Return the length of the next match of several that are `left` long together; no match is shorter than 3."""
    most = min(left, LONGEST_MATCH)
    return most - 3 if 0 < left - most < 3 else most


@inner
def _count_matches(length, counts):
    """Count what `_put_matches` writes."""
    while length > 0:
        one = _next_match(length)
        counts[MATCH_SYMBOLS[one, 0]] += 1
        length -= one


@inner
def _count_zeros(length, step, counts):
    """Count what `_put_zeros` writes."""
    literal = min(length, step)
    if length - literal < 3:
        literal = length
    counts[0] += literal
    _count_matches(length - literal, counts)


@inner
def _count_row(row, step, zeros, counts, tokens, many):
    """Count the symbols of one row of pixels; append the length of the match that follows each literal pixel to `tokens`."""
    first, second, third, fourth = counts[0], counts[1], counts[2], counts[3]
    low, width = np.uint64(255), (row.size - 1) // step
    mask = np.uint64(0xFFFFFFFFFFFFFFFF) >> np.uint64(64 - 8 * step)
    kind, block = row[0], step + zeros
    first[kind] += 1
    sparse, x = kind == 1 or kind == 4, 0
    while x < width:
        word = load_word(row, 1 + x * step)
        begin = x
        x += 1
        same = word & mask
        while x < width and load_word(row, 1 + x * step) & mask == same:
            x += 1
        first[word & low] += 1
        if step > 1:
            second[word >> np.uint64(8) & low] += 1
        if step > 2:
            third[word >> np.uint64(16) & low] += 1
        if step > 3:
            fourth[word >> np.uint64(24) & low] += 1
            for c in range(4, step):
                first[word >> np.uint64(8 * c) & low] += 1
        length = (x - begin) * block - step
        if begin == 0 and sparse:  # the bytes before the first pixel are not those of a block
            _count_zeros(zeros, step, first)
            length -= zeros
        tokens[many] = length
        many += 1
        if 0 < length <= LONGEST_MATCH:
            first[MATCH_SYMBOLS[length, 0]] += 1
        else:
            _count_matches(length, first)
    return many


@inner
def _put_matches(out, writer, table, length, distance_bits, distance_size):
    """Write matches at one distance that are `length` long together."""
    while length > 0:
        one = _next_match(length)
        symbol, extra, value = MATCH_SYMBOLS[one]
        code = np.uint64(table[symbol])
        size = code & np.uint64(63)
        bits = code >> np.uint64(8) | np.uint64(value) << size
        size += np.uint64(extra)
        writer = put(out, writer, bits | distance_bits << size, size + distance_size)
        length -= one
    return writer


@inner
def _put_zeros(out, writer, table, length, step, distance_bits, distance_size):
    """Write zeros behind bytes that need not be zeros."""
    literal = min(length, step)
    if length - literal < 3:
        literal = length
    for _ in range(literal):
        writer = put_one(out, writer, table[0])
    return _put_matches(out, writer, table, length - literal, distance_bits, distance_size)


@inner
def _put_pixel(out, writer, table, word, step):
    """Write the literals of a pixel: the `step` lowest bytes of a word."""
    low, size, code = np.uint64(255), np.uint64(63), np.uint64(8)
    while step > 0:
        entry = np.uint64(table[word & low])
        bits, many = entry >> code, entry & size
        if step > 1:
            entry = np.uint64(table[word >> np.uint64(8) & low])
            bits |= entry >> code << many
            many += entry & size
        if step > 2:
            entry = np.uint64(table[word >> np.uint64(16) & low])
            bits |= entry >> code << many
            many += entry & size
        if step > 3:
            entry = np.uint64(table[word >> np.uint64(24) & low])
            bits |= entry >> code << many
            many += entry & size
        writer = put(out, writer, bits, many)
        word >>= np.uint64(32)
        step -= 4
    return writer


@inner
def _put_row(row, step, zeros, tokens, many, table, distances, out, writer):
    """Write one row of pixels; return the number of the next token, too."""
    width, block = (row.size - 1) // step, step + zeros
    sparse = row[0] == 1 or row[0] == 4
    which = 1 if sparse else 0
    distance_bits, distance_size = distances[which, 0], distances[which, 1]
    writer = put_one(out, writer, table[row[0]])
    # Most pixels differ from the one before them: the match behind those, made once.
    symbol, extra, value = MATCH_SYMBOLS[min(zeros, LONGEST_MATCH)]
    code = np.uint64(table[symbol])
    usual_size = code & np.uint64(63)
    usual = code >> np.uint64(8) | np.uint64(value) << usual_size
    usual_size += np.uint64(extra)
    usual, usual_size = usual | distance_bits << usual_size, usual_size + distance_size
    once = zeros if zeros <= LONGEST_MATCH else -1
    x = 0
    while x < width:
        writer = _put_pixel(out, writer, table, load_word(row, 1 + x * step), step)
        length = np.int64(tokens[many])
        covered = step
        if x == 0 and sparse:
            writer = _put_zeros(out, writer, table, zeros, step, distances[0, 0], distances[0, 1])
            covered = block
        if length == once and covered == step:
            writer = put(out, writer, usual, usual_size)
            x += 1
        else:
            writer = _put_matches(out, writer, table, length, distance_bits, distance_size)
            x += (covered + length) // block
        many += 1
    return writer, many


@inner
def _add_checksum(row, step, vertical, zeros, low, high):
    """Add a row of pixels and the rows of zeros that follow it to both sums of Adler-32 (RFC 1950, 8.2)."""
    horizontal = zeros // step + 1
    size = np.int64(1 + (row.size - 1) * horizontal)
    total, places = np.int64(0), np.int64(0)
    copies = 1 if row[0] == 1 or row[0] == 4 else horizontal
    farther = step * (copies * (copies - 1) // 2)  # the places of a pixel's copies, counted from the pixel
    for c in range(step):
        column = row[1 + c :: step]
        values, weighted = np.int64(0), np.int64(0)
        for x in range(column.size):
            values += np.int64(column[x])
            weighted += np.int64(column[x]) * x
        total += values * copies
        places += values * ((1 + c) * copies + farther) + weighted * (step * horizontal * copies)
    total += np.int64(row[0])
    high = (high + size * low + size * total - places) % _PRIME
    low = (low + total) % _PRIME
    for _ in range(vertical - 1):
        high = (high + size * (low + 2)) % _PRIME
        low = (low + 2) % _PRIME
    return low, high


@serial_loop
def deflate_blocks(filtered, step, vertical, horizontal, out):
    """Deflate rows (H, 1 + W * step) as if each pixel of `step` bytes were a block; return the size, and Adler-32 of all rows.

    A pixel has 1 to 8 bytes, and a block 3 more in a row at least and 24,576 at most. 8 bytes behind the rows are read.
    `out` has room for twice the rows and 6 bytes for each pixel; for a 32nd of the rows that are made, which are `vertical`
    times as many, and 4 * (`step` + 4) bytes for each of them; and for 2,048 bytes more.
    """
    counts, scratch = new_array(np.uint32, 4, 320), new_array(np.int64, 4, 320)
    table, own_table = new_array(np.uint32, 1, SYMBOLS)[0], new_array(np.uint32, 1, 19)[0]
    lengths, own = new_zeros(np.uint8, 1, 320)[0], new_array(np.uint8, 1, 19)[0]
    symbols, repeats = new_array(np.uint8, 1, 320)[0], new_array(np.uint8, 1, 320)[0]
    own_counts, distances = new_array(np.uint32, 1, 19)[0], new_array(np.uint64, 2, 2)
    height, width, zeros = filtered.shape[0], (filtered.shape[1] - 1) // step, step * (horizontal - 1)
    at_once = max(1, BLOCK_SYMBOLS // ((step + 1) * width))
    tokens = new_array(np.int64, 1, min(height, at_once) * width)[0]
    near, near_extra, near_value = distance_symbol(step)
    far, far_extra, far_value = distance_symbol(step + zeros)
    # The codes of both distances are one bit: 0 for the pixel before, 1 for the block before.
    distances[0, 0], distances[0, 1] = np.uint64(near_value << 1), np.uint64(near_extra + 1)
    distances[1, 0], distances[1, 1] = np.uint64(far_value << 1 | 1), np.uint64(far_extra + 1)
    writer = BitWriter(np.int64(0), np.uint64(0), np.uint64(0))
    low, high = np.int64(1), np.int64(0)
    for begin in range(0, height, at_once):
        end, many = min(begin + at_once, height), 0
        counts[:] = 0
        first, second, third, fourth = counts[0], counts[1], counts[2], counts[3]
        for y in range(begin, end):
            many = _count_row(filtered[y], step, zeros, counts, tokens, many)
            for _ in range(vertical - 1):
                first[2] += 1
                _count_zeros(width * (step + zeros), step, first)
            low, high = _add_checksum(filtered[y], step, vertical, zeros, low, high)
        first[256] += 1
        for symbol in range(SYMBOLS):
            first[symbol] += second[symbol] + third[symbol] + fourth[symbol]
        code_lengths(first, np.int64(LONGEST), lengths[:SYMBOLS], scratch)
        literals = np.int64(257)
        for symbol in range(257, SYMBOLS):
            if lengths[symbol]:
                literals = symbol + 1
        assign_codes(lengths[:SYMBOLS], table, scratch[0, :16])
        described = lengths[literals : literals + far + 1]
        described[:] = 0
        described[near], described[far] = 1, 1
        description = describe(lengths, literals, described.size, symbols, repeats, own_counts, own, own_table, scratch)
        writer = write_description(out, writer, description, symbols, repeats, own, own_table)
        many = 0
        for y in range(begin, end):
            writer, many = _put_row(filtered[y], step, zeros, tokens, many, table, distances, out, writer)
            for _ in range(vertical - 1):
                writer = put_one(out, writer, table[2])
                writer = _put_zeros(out, writer, table, width * (step + zeros), step, distances[0, 0], distances[0, 1])
        writer = put_one(out, writer, table[256])
    return write_stored(filtered[0], 0, 0, out, writer).at, high << 16 | low

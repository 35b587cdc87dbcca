"""The deflate loop against zlib's inflate, and its parts against plain versions."""

import ctypes
import mmap
import sys
import zlib

import imagecodecs
import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zlib_ng import zlib_ng

from upscale.loops import compiled, huffman, numpy_loops, words


def deflated(data, distance=1, shortest=8, loops=compiled):
    """Deflate bytes, as a raw stream that ends; nothing behind the room that is asked for is written."""
    room = data.size + data.size // 1000 + 1024
    out = np.full(room + 64, 77, np.uint8)
    size = loops.deflate(data, distance, shortest, out[:room])
    assert (out[room:] == 77).all()
    return out[:size].tobytes() + b"\x03\x00"


def inflated(stream):
    unpacker = zlib.decompressobj(-15)
    data = unpacker.decompress(stream) + unpacker.flush()
    assert unpacker.eof
    assert unpacker.unused_data == b""
    return data


def zeros(rng, size):
    return np.zeros(size, np.uint8)


def one_symbol(rng, size):
    return np.full(size, 200, np.uint8)


def two_symbols(rng, size):
    return rng.integers(0, 2, size, np.uint8) * np.uint8(255)


def random(rng, size):
    return rng.integers(0, 256, size, np.uint8)


def residuals(rng, size):
    """What filters leave of photographs."""
    return rng.normal(0, 6, size).round().astype(np.int8).view(np.uint8)


def runs(rng, size):
    """Runs of all lengths, also longer than the longest match."""
    lengths = rng.choice([1, 2, 3, 4, 7, 8, 9, 31, 32, 33, 257, 258, 259, 600], size + 1)
    return rng.integers(0, 3, size + 1, np.uint8).repeat(lengths)[:size]


def repeated(rng, size):
    """Pieces that repeat at distances of 2 to 12, with some errors."""
    data = np.resize(rng.integers(0, 256, rng.integers(2, 13), np.uint8), size)
    wrong = rng.random(size) < 0.02
    data[wrong] = rng.integers(0, 256, wrong.sum(), np.uint8)
    return data


def many_lengths(rng, size):
    """Symbols whose numbers grow like Fibonacci's, so that codes would become longer than allowed."""
    counts = [1, 1]
    while sum(counts) + counts[-1] + counts[-2] <= size:
        counts.append(counts[-1] + counts[-2])
    return rng.permutation(np.repeat(np.arange(len(counts), dtype=np.uint8), counts))[:size]


KINDS = (zeros, one_symbol, two_symbols, random, residuals, runs, repeated, many_lengths)


@given(
    st.sampled_from(KINDS),
    st.integers(0, 70_000),
    st.integers(0, 2**32),
    st.integers(1, 300) | st.just(24_576),
    st.integers(3, 8),
)
@settings(max_examples=150, deadline=None)
def test_zlib_inflates_it(kind, size, seed, distance, shortest):
    data = kind(np.random.default_rng(seed), size)
    assert inflated(deflated(data, distance, shortest)) == data.tobytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0, 1, 2, 3, 31, 32, 33, 65_534, 65_535, 65_536, 65_570, 131_070, 150_000])
def test_at_the_borders_of_blocks(kind, size):
    data = kind(np.random.default_rng(size), size)
    for distance in (1, 3, 6):
        assert inflated(deflated(data, distance, 3)) == data.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_other_libraries_inflate_it(kind):
    data = kind(np.random.default_rng(0), 100_000)
    stream = deflated(data, 6, 3)
    assert zlib_ng.decompress(stream, -15) == data.tobytes()
    assert imagecodecs.deflate_decode(stream, raw=True, out=data.size) == data.tobytes()


@pytest.mark.skipif(sys.platform == "win32", reason="protects memory as POSIX does")
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_beside_the_data_is_read(kind):
    """The pages before and behind them cannot be read: whoever does is ended."""
    page, protect = mmap.PAGESIZE, ctypes.CDLL(None).mprotect
    room = mmap.mmap(-1, 18 * page)
    memory = np.frombuffer(room, np.uint8)
    for at in (0, 17 * page):
        assert protect(ctypes.c_void_p(memory.ctypes.data + at), ctypes.c_size_t(page), 0) == 0
    late = np.arange(35, dtype=np.uint8)  # a repetition that begins near the end of the last window
    late[31:] = late[28:32]
    memory[17 * page - 35 : 17 * page] = late
    assert inflated(deflated(memory[17 * page - 35 : 17 * page], 3, 3)) == late.tobytes()
    for size in (31, 32, 36, 63, 64, 100, 1001, 16 * page):
        for begin in (page, 17 * page - size):
            data = memory[begin : begin + size]
            for shortest in (3, 4, 8):
                data[:] = np.resize(kind(np.random.default_rng(size + shortest), size), size)
                assert inflated(deflated(data, 3, shortest)) == data.tobytes()


def test_bands_follow_each_other():
    one, other = residuals(np.random.default_rng(0), 70_000), runs(np.random.default_rng(1), 1000)
    assert inflated(deflated(one)[:-2] + deflated(other)) == one.tobytes() + other.tobytes()


def test_random_bytes_are_stored():
    data = random(np.random.default_rng(0), 200_000)
    assert len(deflated(data)) <= data.size + 5 * 8 + 2  # 7 blocks, an empty one, and the end


def test_long_runs_take_next_to_nothing():
    assert len(deflated(zeros(None, 1 << 20))) < (1 << 20) / 800


@pytest.mark.parametrize(("kind", "most"), [(residuals, 1.003), (runs, 1.1), (zeros, 1.1)])
def test_it_is_about_as_small_as_zlibs_runs(kind, most):
    data = kind(np.random.default_rng(0), 300_000)
    ours, theirs = (len(deflated(data, loops=loops)) for loops in (compiled, numpy_loops))
    assert ours <= most * theirs


def test_a_distance_finds_blocks_of_pixels():
    """What filters leave of pixels that are three times as wide: two thirds are zeros."""
    pixels = residuals(np.random.default_rng(0), 90_000).reshape(-1, 3)
    data = np.concatenate((pixels, np.zeros((len(pixels), 6), np.uint8)), axis=1).reshape(-1)
    assert len(deflated(data, 9, 3)) < 0.96 * len(deflated(data, 1, 3))


# Blocks of pixels ---------------------------------------------------------------------------------------------------------


def block_rows(filtered, step, vertical, horizontal):
    """Make the filtered rows of blocks of pixels, from their definition."""
    rows = []
    for kind, *row in filtered.tolist():
        pixels = [row[at : at + step] for at in range(0, len(row), step)]
        others = [0] * step if kind in (1, 4) else None
        wide = [value for pixel in pixels for value in pixel + (others or pixel) * (horizontal - 1)]
        rows += [[kind, *wide]] + [[2] + [0] * len(wide)] * (vertical - 1)
    return bytes(value for row in rows for value in row)


def deflated_blocks(filtered, step, vertical, horizontal):
    """Deflate rows of blocks, with as little room as is asked for; the 8 bytes behind the rows are any."""
    memory = np.full(filtered.size + 8, 77, np.uint8)
    rows = memory[:-8].reshape(filtered.shape)
    rows[:] = filtered
    height, width = filtered.shape[0], (filtered.shape[1] - 1) // step
    made = height * vertical
    room = 2 * rows.size + 6 * height * width + made * (1 + width * step * horizontal) // 32 + 4 * (step + 4) * made + 2048
    out = np.full(room + 64, 77, np.uint8)
    size, checksum = compiled.deflate_blocks(rows, step, vertical, horizontal, out[:room])
    assert (out[room:] == 77).all()
    return out[:size].tobytes() + b"\x03\x00", checksum


@given(
    st.sampled_from((zeros, two_symbols, random, residuals, runs)),
    st.sampled_from([1, 2, 3, 4, 6, 8]),
    st.integers(1, 5),
    st.integers(2, 40) | st.just(300),
    st.integers(1, 60),
    st.integers(1, 12),
    st.sampled_from([(1,), (4,), (0,), (2,), (0, 1, 2, 4)]),
    st.integers(0, 2**32),
)
@settings(max_examples=150, deadline=None)
def test_zlib_inflates_blocks(kind, step, vertical, horizontal, width, height, filters, seed):
    if step * (horizontal - 1) < 3:
        horizontal = 5
    rng = np.random.default_rng(seed)
    filtered = np.empty((height, 1 + width * step), np.uint8)
    filtered[:, 1:] = kind(rng, height * width * step).reshape(height, -1)
    filtered[:, 0] = rng.choice(filters, height)
    stream, checksum = deflated_blocks(filtered, step, vertical, horizontal)
    expected = block_rows(filtered, step, vertical, horizontal)
    assert inflated(stream) == expected
    assert checksum == zlib.adler32(expected)


@pytest.mark.parametrize(("width", "horizontal"), [(3000, 4), (30, 8192)], ids=["wide rows", "as far apart as matches may be"])
def test_large_rows_of_blocks(width, horizontal):
    rng = np.random.default_rng(0)
    filtered = residuals(rng, 40 * (3 * width + 1)).reshape(40, -1).copy()
    filtered[:, 0] = rng.choice([1, 2, 4], 40)
    stream, checksum = deflated_blocks(filtered, 3, 3, horizontal)
    expected = block_rows(filtered, 3, 3, horizontal)
    assert inflated(stream) == expected
    assert checksum == zlib.adler32(expected)


def test_blocks_become_smaller_than_rows_of_bytes():
    pixels = residuals(np.random.default_rng(0), 60 * 901).reshape(60, -1).copy()
    pixels[:, 0] = 4
    rows = np.frombuffer(block_rows(pixels, 3, 4, 4), np.uint8)
    assert len(deflated_blocks(pixels, 3, 4, 4)[0]) < 0.99 * len(deflated(rows, 12, 8))


# Huffman codes ------------------------------------------------------------------------------------------------------------


@numba.njit
def lengths_of(counts, longest):
    lengths, scratch = np.full(counts.size, 99, np.uint8), np.full((4, 320), 99, np.int64)
    huffman.code_lengths(counts, longest, lengths, scratch)
    return lengths


def least_bits(counts, longest):
    """The bits that the best code of at most `longest` bits takes (package-merge, Larmore and Hirschberg 1990)."""
    coins = sorted(int(c) for c in counts if c)
    row = coins
    for _ in range(longest - 1):
        row = sorted([*coins, *(a + b for a, b in zip(row[::2], row[1::2], strict=False))])
    return sum(row[: 2 * len(coins) - 2])


@given(st.lists(st.integers(0, 5) | st.integers(0, 65_535), min_size=2, max_size=286), st.sampled_from([7, 14]))
@settings(max_examples=200, deadline=None)
def test_code_lengths(counts, longest):
    counts = np.array(counts[: 19 if longest == 7 else 286], np.uint32)
    if np.count_nonzero(counts) < 2:
        counts[:2] = 1
    lengths = lengths_of(counts, longest)
    assert ((lengths > 0) == (counts > 0)).all()
    assert lengths.max() <= longest
    assert sum(2.0 ** -int(length) for length in lengths[counts > 0]) == 1  # no code is missing, none too many
    bits, best = int((counts * lengths.astype(np.int64)).sum()), least_bits(counts, longest)
    assert bits == best or (lengths.max() == longest and best < bits < 1.1 * best)


# Words --------------------------------------------------------------------------------------------------------------------


@numba.njit
def both_words(data, at, distance, changed):
    words.store_word(changed, at, words.load_word(data, at) + np.uint64(1))
    return words.load_word(data, at), words.equal_bytes(data, at, distance), words.lowest_bit(words.load_word(data, at))


def test_words():
    rng = np.random.default_rng(0)
    for at in range(9, 50):
        data, distance = rng.integers(0, 3, 100, np.uint8), int(rng.integers(1, 10))
        data[at + 7] = 128
        changed = data.copy()
        word, equal, lowest = both_words(data, at, distance, changed)
        number = int.from_bytes(data[at : at + 8].tobytes(), "little")
        assert word == number
        assert equal == sum(int(data[at + i] == data[at + i - distance]) << i for i in range(32))
        assert lowest == next(i for i in range(64) if number >> i & 1)
        assert changed[at : at + 8].tobytes() == (number + 1).to_bytes(8, "little")
        assert np.delete(changed, slice(at, at + 8)).tobytes() == np.delete(data, slice(at, at + 8)).tobytes()

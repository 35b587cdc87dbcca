"""Each hand-written building block of the loops against its plain version: equal to the bit."""

import numba
import numpy as np
import plain_blocks
import pytest

from upscale.loops import numba_private, vectors
from upscale.operators.rounding import rounding_to


@numba.njit
def both_repeat(row, size, factor, many, fast, plain):
    vectors.repeat_pixels(row, size, factor, many, fast)
    plain_blocks.repeat(row, size, factor, many, plain)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17, 32])
def test_repeat(size):
    rng = np.random.default_rng(size)
    for factor in (1, 2, 3, 4, 5, 8, 16, 17, 33):
        for many in (0, 1, 2, 7):
            row = rng.integers(0, 256, many * size + 16, np.uint8)
            fast, plain = (np.full(many * size * factor + 17, 77, np.uint8) for _ in range(2))
            both_repeat(row, size, factor, many, fast, plain)
            used = many * size * factor
            assert np.array_equal(fast[:used], plain[:used])
            assert fast[-1] == 77  # at most 16 bytes past the last pixel were written


@numba.njit
def both_copy(row, streamed, fast, plain):
    vectors.copy_row(row, fast, streamed)
    plain_blocks.copy(row, plain, streamed)


@pytest.mark.parametrize("streamed", [False, True])
def test_copy(streamed):
    rng = np.random.default_rng(0)
    for size in (0, 1, 63, 64, 65, 127, 128, 129, 1000):
        for begin in (0, 1, 17, 63):  # at every kind of address
            row = rng.integers(0, 256, size, np.uint8)
            fast, plain = (np.full(size + 130, 77, np.uint8) for _ in range(2))
            both_copy(row, streamed, fast[begin : begin + size], plain[begin : begin + size])
            assert np.array_equal(fast, plain)


@numba.njit
def both_fma(weight, value, total, fast, plain):
    for i in range(total.size):
        fast[i] = vectors.fma(weight[i], value[i], total[i])
        plain[i] = plain_blocks.fma(weight[i], value[i], total[i])


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.heavy)])
def test_fma(dtype):
    weight, value, total = np.random.default_rng(0).normal(size=(3, 10000)).astype(dtype)
    total[::2] = -weight[::2] * value[::2]  # of a fused sum, only what the product lost is left
    weight[:3], value[:3], total[:3] = (0, 1, np.inf), (-1, np.nan, 0), (-0.0, 1, 1)
    fast, plain = np.empty((2, 10000), dtype)
    both_fma(weight, value, total, fast, plain)
    assert np.array_equal(fast, plain, equal_nan=True)
    assert (fast[4::2] != 0).any() == (dtype == np.float32)


@numba.njit
def both_sum_weighted(around, order, turned, weights, begin, fast, plain, to):
    vectors.sum_weighted(around, order, turned, weights, begin, fast, to)
    plain_blocks.sum_weighted(around, order, turned, weights, begin, plain, to)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sum_weighted(dtype):
    rng = np.random.default_rng(0)
    weights, around = rng.normal(size=5000).astype(dtype), rng.normal(size=25).astype(dtype)
    order = rng.integers(0, 2000, 80)
    fast, plain = np.full((2, 100), 7, dtype)
    both_sum_weighted(around, order, 31, weights, 1001, fast, plain, 17)
    assert np.array_equal(fast, plain)
    assert (fast[[16, 65]] == 7).all()  # no others were written


@numba.njit(parallel=True)
def fetch_all(counter, seen):
    for _ in numba.prange(seen.size):
        n = numba_private.fetch_add(counter, 1)
        seen[n] += 1


def test_fetch_add():
    counter, seen = np.zeros((1, 1), np.int64), np.zeros(100_000, np.int64)
    fetch_all(counter, seen)
    assert counter[0, 0] == len(seen)
    assert (seen == 1).all()  # no thread fetched a number that another one had


@numba.njit
def views(array):
    made, zeros = numba_private.new_array(array.dtype, 3, 5), numba_private.new_zeros(array.dtype, 2, 7)
    made[:] = 1
    return (
        made,
        zeros,
        numba_private.as_row(array).copy(),
        plain_blocks.flat(array).copy(),
        numba_private.borrow(array).sum(),
        array.sum(),
    )


@pytest.mark.parametrize("dtype", [np.float32, *(pytest.param(d, marks=pytest.mark.heavy) for d in (np.float64, np.int64))])
def test_arrays_made_without_numpy(dtype):
    array = np.arange(12, dtype=dtype).reshape(3, 4)
    made, zeros, fast, plain, one, other = views(array)
    assert made.dtype == zeros.dtype == dtype
    assert made.shape == (3, 5) and (made == 1).all() and made.flags.c_contiguous
    assert zeros.shape == (2, 7) and not zeros.any()
    assert np.array_equal(fast, plain) and one == other


PADDING = vectors.PADDING


@numba.njit
def both_interleave(phase_rows, shifts, size, stride, many, fast, plain):
    plain_blocks.interleave_blocks(phase_rows, shifts, size, stride, many, plain)
    return vectors.interleave_blocks(phase_rows, shifts, size, stride, many, fast)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_interleave_blocks(dtype):
    rng = np.random.default_rng(0)
    done = set()
    for stride in (2, 3, 4, 5):
        for samples in (1, 2, 3, 4, 5):
            for many in (0, 1, 15, 16, 17, 63, 64, 100):
                rows = rng.normal(size=(stride, (many + 3) * samples + PADDING)).astype(dtype)
                shifts = rng.integers(0, 3, max(4, stride))
                fast, plain = np.full((2, many * stride * samples + 2), 7, dtype)
                size = samples * rows.itemsize
                written = both_interleave(rows, shifts, size, stride, many, fast, plain)
                assert written in (0, many)
                if written:
                    done.add((stride, samples))
                    assert np.array_equal(fast, plain)
                else:
                    assert (fast == 7).all()
    assert done == {(stride, samples) for stride in (2, 3, 4) for samples in (1, 2, 3, 4)}


def both_sums(rows):
    """Make a function that sums taps of so many rows by the block and by the plain version, with and without an output."""
    fast_block, plain_block = getattr(vectors, f"sum_taps_{rows}"), plain_blocks.SUM_TAPS[f"sum_taps_{rows}"]

    @numba.njit
    def both(data, offsets, number, end, weights, fast, plain, limits, out, plain_out):
        reached, _ = fast_block(data, offsets, number, 0, end, weights, 1, fast, None, None)
        plain_block(data, offsets, number, 0, reached, weights, 1, plain, None, None)
        to, clipped = fast_block(data, offsets, number, 0, end, weights, 1, fast[0], limits, out)
        return reached, to, clipped, plain_block(data, offsets, number, 0, to, weights, 1, fast[0], limits, plain_out)[1]

    return both


@pytest.mark.parametrize(
    ("rows", "dtype", "made"),
    [
        (1, np.float32, np.uint8),
        (4, np.float32, np.int16),
        pytest.param(2, np.float32, np.uint16, marks=pytest.mark.heavy),
        pytest.param(3, np.float64, np.int16, marks=pytest.mark.heavy),
        pytest.param(1, np.float64, np.float32, marks=pytest.mark.heavy),
        pytest.param(4, np.float32, np.float64, marks=pytest.mark.heavy),
    ],
)
def test_sum_taps(rows, dtype, made):
    rng = np.random.default_rng(rows)
    both = both_sums(rows)
    limits = rounding_to(np.dtype(made), dtype).limits
    scale = 300 if np.dtype(made).kind != "f" else 1
    for number in (0, 1, 2, 3, 4, 5, 6, 7, 9, 36):
        for end in (1, 15, 16, 17, 130):
            padding = PADDING // np.dtype(dtype).itemsize
            data = (rng.normal(size=900) * scale).astype(dtype)
            offsets, weights = rng.integers(0, 500, max(number, 1)), rng.normal(size=(max(number, 1), rows + 1)).astype(dtype)
            fast = (rng.normal(size=(rows + 1, end + padding)) * scale).astype(dtype)
            plain = fast.copy()
            out, plain_out = np.zeros((2, rows + 1, end + padding), made)
            reached, to, clipped, plain_clipped = both(data, offsets, number, end, weights, fast, plain, limits, out, plain_out)
            assert end <= reached <= end + padding and to == reached
            assert np.array_equal(fast, plain)
            assert np.array_equal(out, plain_out) and clipped == plain_clipped

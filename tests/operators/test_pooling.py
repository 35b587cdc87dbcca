"""Max and average pooling, against their definitions and torch."""

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import upscale
from upscale.operators import pooling

RNG = np.random.default_rng(13)


def numbers(rng):
    """Draw kernel_size, stride and padding that fit each other."""
    kernel = rng.integers(1, 6, 2)
    return kernel.tolist(), rng.integers(1, 5, 2).tolist(), [int(rng.integers(0, k // 2 + 1)) for k in kernel]


def fits(shape, kernel, stride, padding, dilation, ceil_mode):
    """Return whether there is a window along each axis, and each has a value inside."""
    windows = [naive.pool_windows(*each, ceil_mode) for each in zip(shape[-2:], kernel, stride, padding, dilation, strict=True)]
    inside = [all(any(0 <= at < n for at in w) for w in ws) for ws, n in zip(windows, shape[-2:], strict=True)]
    return all(windows) and all(inside)


def values(rng, shape, dtype):
    """Draw few different values, so that there are ties, and some that are NaN, infinite or the lowest."""
    dtype = np.dtype(dtype)
    drawn = rng.integers(0, 2 if dtype.kind == "b" else 5, shape).astype(dtype)
    if dtype.kind == "f":
        drawn[rng.random(shape) < rng.choice([0, 0.1, 0.6])] = np.nan
        drawn[rng.random(shape) < rng.choice([0, 0.1, 0.9])] = -np.inf
    elif dtype.kind == "i":
        drawn[rng.random(shape) < rng.choice([0, 0.9])] = np.iinfo(dtype).min
    return drawn


DTYPES = ["f4", "f8", "f2", "u1", "i4", "i8", "?", ">f4", ">i2"]


@settings(deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(DTYPES), st.booleans())
def test_max_pooling_equals_its_definition(seed, dtype, ceil_mode):
    rng = np.random.default_rng(seed)
    (kernel, stride, padding), dilation = numbers(rng), rng.integers(1, 4, 2).tolist()
    x = values(rng, (2, 2, *rng.integers(1, 12, 2)), dtype)
    arguments = kernel, stride, padding, dilation, ceil_mode
    if not fits(x.shape, *arguments):
        return
    got, indices = upscale.max_pool2d(x, *arguments, return_indices=True)
    assert (got.dtype, indices.dtype) == (x.dtype, np.int64)
    for at in np.ndindex(2, 2):
        want = naive.max_pool2d(x[at], *arguments)
        np.testing.assert_array_equal(got[at], want[0])
        np.testing.assert_array_equal(indices[at], want[1])
    np.testing.assert_array_equal(upscale.max_pool2d(x, *arguments), got)
    np.testing.assert_array_equal(upscale.max_pool2d(x[1], *arguments, return_indices=True), (got[1], indices[1]))


@settings(deadline=None)
@given(
    st.integers(0, 2**32), st.sampled_from(DTYPES[:6]), st.booleans(), st.booleans(), st.sampled_from([None, 1, 7, -2])
)  # fmt: skip
def test_average_pooling_equals_its_definition(seed, dtype, ceil_mode, count_include_pad, divisor):
    rng = np.random.default_rng(seed)
    arguments = (*numbers(rng), ceil_mode)
    x = rng.integers(0, 50, (2, 2, *rng.integers(1, 12, 2))).astype(dtype)
    if not fits(x.shape, *arguments[:3], (1, 1), ceil_mode):
        return
    got = upscale.avg_pool2d(x, *arguments, count_include_pad, divisor)
    assert got.dtype == (np.float64 if dtype == "f8" else np.float32)
    want = np.array([[naive.avg_pool2d(plane, *arguments, count_include_pad, divisor) for plane in batch] for batch in x])
    np.testing.assert_array_equal(got, want.astype(got.dtype))
    np.testing.assert_array_equal(upscale.avg_pool2d(x[1], *arguments, count_include_pad, divisor), got[1])


def test_the_parts_do_not_show(monkeypatch):
    """Parts are some planes, or some rows of windows of one plane; they may be few, and be done by several threads."""
    x = values(RNG, (3, 5, 60, 70), "f4")
    arguments = 3, 2, 1, 2, True
    whole, mean = upscale.max_pool2d(x, *arguments, return_indices=True), upscale.avg_pool2d(x, 5, 2, 2)
    for at_once in (1, 500, 10_000):
        monkeypatch.setattr(pooling, "_AT_ONCE", at_once)
        monkeypatch.setattr(pooling, "_STEP", 1)
        for got, want in zip(upscale.max_pool2d(x, *arguments, return_indices=True), whole, strict=True):
            np.testing.assert_array_equal(got, want)
        np.testing.assert_array_equal(upscale.avg_pool2d(x, 5, 2, 2), mean)
    monkeypatch.undo()
    large = np.tile(x, (1, 4, 2, 2))
    want = np.concatenate([upscale.max_pool2d(planes, 3) for planes in large.reshape(-1, 1, *large.shape[2:])])
    np.testing.assert_array_equal(upscale.max_pool2d(large, 3).reshape(want.shape), want)


def test_windows_of_more_values_than_a_byte_counts():
    x = RNG.integers(0, 3, (2, 40, 30)).astype(np.float32)
    x[1, 20:, 5] = np.nan
    got, indices = upscale.max_pool2d(x, (19, 16), (7, 3), (9, 8), return_indices=True)
    for n in (0, 1):
        want = naive.max_pool2d(x[n], (19, 16), (7, 3), (9, 8), (1, 1), False)
        np.testing.assert_array_equal(got[n], want[0])
        np.testing.assert_array_equal(indices[n], want[1])


def test_the_input_stays_as_it_is():
    x = RNG.random((2, 6, 6))
    kept = x.copy()
    for kernel in (1, 2):
        pooled = upscale.max_pool2d(x, kernel, 1)
        pooled[...] = -1
        upscale.avg_pool2d(x, kernel, 1)[...] = -1
        assert np.array_equal(x, kept)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"input": np.zeros((5, 5))}, "input must be (N, C, H, W) or (C, H, W), not (5, 5)"),
        ({"input": np.zeros((2, 0, 5))}, "input is empty"),
        ({"input": np.zeros((2, 5, 5), complex)}, "complex128"),
        ({"kernel_size": 0}, "kernel_size 0"),
        ({"kernel_size": (1, 2, 3)}, "(1, 2, 3)"),
        ({"kernel_size": 1.5}, "kernel_size must be a whole number"),
        ({"stride": 0}, "must be at least 1"),
        ({"padding": -1}, "padding -1 must not be negative"),
        ({"padding": 2}, "padding 2 must be at most half of kernel_size 3"),
        ({"kernel_size": 6}, "input (2, 5, 5) with padding 0 is smaller than kernel_size 6"),
    ],
)
def test_errors_say_what_clashes(options, text):
    for function in (upscale.max_pool2d, upscale.avg_pool2d):
        with pytest.raises(upscale.ArgumentError) as caught:
            function(**{"input": np.zeros((2, 5, 5)), "kernel_size": 3} | options)
        assert text in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("divisor", [0, 1.5, True])
def test_wrong_divisors(divisor):
    with pytest.raises(upscale.ArgumentError, match="divisor_override must be a whole number other than 0"):
        upscale.avg_pool2d(np.zeros((1, 2, 2)), 2, divisor_override=divisor)
    with pytest.raises(upscale.ArgumentError, match="dilation 0"):
        upscale.max_pool2d(np.zeros((1, 2, 2)), 2, dilation=0)


@pytest.mark.peers
def test_max_pooling_equals_torchs():
    """Also where it refuses."""
    torch = pytest.importorskip("torch", reason="needs the extra `peers`")
    refused = 0
    for seed in range(2000):
        rng = np.random.default_rng(seed)
        kernel, stride, padding = numbers(rng)
        padding[0] += int(rng.random() < 0.1)
        x = values(rng, (2, 2, *rng.integers(1, 14, 2))[seed % 2 :], rng.choice(["f4", "f8", "f2", "u1", "i4", "i8"]))
        stride = None if rng.random() < 0.2 else stride
        arguments = kernel, stride, padding, rng.integers(1, 4, 2).tolist(), bool(rng.random() < 0.5)
        try:
            want = torch.nn.functional.max_pool2d(torch.from_numpy(x), *arguments, return_indices=True)
        except RuntimeError:
            refused += 1
            with pytest.raises(upscale.ArgumentError):
                upscale.max_pool2d(x, *arguments)
            continue
        got = upscale.max_pool2d(x, *arguments, return_indices=True)
        assert got[0].dtype == x.dtype
        for ours, theirs in zip(got, want, strict=True):
            np.testing.assert_array_equal(ours, theirs.numpy(), err_msg=f"{seed} {x.shape} {arguments}")
    assert 100 < refused < 1000


@pytest.mark.peers
def test_average_pooling_equals_torchs():
    """Also where it refuses."""
    torch = pytest.importorskip("torch", reason="needs the extra `peers`")
    refused = 0
    for seed in range(1500):
        rng = np.random.default_rng(seed)
        kernel, stride, padding = numbers(rng)
        padding[0] += int(rng.random() < 0.1)
        x = rng.normal(size=(2, 2, *rng.integers(1, 14, 2))[seed % 2 :]).astype(rng.choice(["f4", "f8"]))
        divisor = int(rng.integers(-9, 10)) if rng.random() < 0.3 else None
        stride = None if rng.random() < 0.2 else stride
        arguments = kernel, stride, padding, bool(rng.random() < 0.5), bool(rng.random() < 0.5), divisor
        try:
            want = torch.nn.functional.avg_pool2d(torch.from_numpy(x), *arguments).numpy()
        except RuntimeError:
            refused += 1
            with pytest.raises(upscale.ArgumentError):
                upscale.avg_pool2d(x, *arguments)
            continue
        got = upscale.avg_pool2d(x, *arguments)
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        tolerance = 1e-5 if x.dtype == np.float32 else 1e-13
        np.testing.assert_allclose(got, want, tolerance, tolerance, err_msg=f"{seed} {x.shape} {arguments}")
    assert 100 < refused < 500

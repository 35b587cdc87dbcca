"""Pixel shuffle and its inverse, against their definition and torch."""

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import upscale

RNG = np.random.default_rng(15)


@settings(deadline=None)
@given(st.tuples(*[st.integers(1, 4)] * 4), st.sampled_from(["u1", "f4", ">f8", "c8", "U2"]), st.integers(0, 2))
def test_equals_its_definition(numbers, dtype, batch):
    r, channels, height, width = numbers
    x = RNG.integers(0, 99, (*[2] * batch, channels * r * r, height, width)).astype(dtype)
    got = upscale.pixel_shuffle(x, r)
    assert got.dtype == x.dtype and got.shape == (*x.shape[:-3], channels, height * r, width * r)
    assert got.flags.c_contiguous and not np.may_share_memory(got, x)
    for at in np.ndindex(*x.shape[:-3]):
        assert np.array_equal(got[at], naive.pixel_shuffle(x[at], r))
    assert np.array_equal(upscale.pixel_unshuffle(got, r), x)


def test_an_empty_batch():
    assert upscale.pixel_shuffle(np.zeros((0, 4, 2, 3)), 2).shape == (0, 1, 4, 6)
    assert upscale.pixel_unshuffle(np.zeros((0, 1, 4, 6)), 2).shape == (0, 4, 2, 3)


def test_a_transposed_convolution_is_a_convolution_and_a_shuffle():
    """Each phase of the kernel becomes a channel."""
    x, w, r = RNG.random((2, 5, 6)), RNG.random((2, 3, 6, 6)), 2
    turned = w.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
    phases = np.stack([turned[:, :, (r - 1 - i) % r :: r, (r - 1 - j) % r :: r] for i in range(r) for j in range(r)], axis=1)
    channels = upscale.conv2d(x, phases.reshape(-1, *phases.shape[2:]), padding=2)
    assert np.allclose(upscale.pixel_shuffle(channels, r), upscale.conv_transpose2d(x, w, stride=r), atol=1e-12)


@pytest.mark.parametrize(
    ("function", "shape", "factor", "text"),
    [
        ("pixel_shuffle", (4, 4), 2, "input must be (..., C, H, W), not (4, 4)"),
        ("pixel_shuffle", (6, 2, 2), 2, "input (6, 2, 2) has 6 channels, which upscale_factor 2 squared does not divide"),
        ("pixel_shuffle", (4, 2, 2), 0, "upscale_factor must be a whole number of at least 1, not 0"),
        ("pixel_shuffle", (4, 2, 2), (2, 2), "upscale_factor must be a whole number"),
        ("pixel_unshuffle", (1, 3, 4), 2, "input (1, 3, 4) is 3 x 4 large, which downscale_factor 2 does not divide"),
        ("pixel_unshuffle", (1, 4, 3), 2, "does not divide"),
        ("pixel_unshuffle", (1, 4, 4), True, "downscale_factor must be"),
    ],
)
def test_errors_say_what_clashes(function, shape, factor, text):
    with pytest.raises(upscale.ArgumentError) as caught:
        getattr(upscale, function)(np.zeros(shape), factor)
    assert text in str(caught.value)


@pytest.mark.peers
def test_equals_torchs():
    torch = pytest.importorskip("torch", reason="needs the extra `peers`")
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        r, channels, *size = rng.integers(1, 5, 4).tolist()
        x = rng.normal(size=(*rng.integers(1, 3, seed % 3), channels * r * r, *size)).astype(rng.choice(["f4", "f8"]))
        want = torch.nn.functional.pixel_shuffle(torch.from_numpy(x), r)
        got = upscale.pixel_shuffle(x, r)
        assert np.array_equal(got, want.numpy())
        assert np.array_equal(upscale.pixel_unshuffle(got, r), torch.nn.functional.pixel_unshuffle(want, r).numpy())

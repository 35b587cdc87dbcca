"""Max unpooling and bed-of-nails unpooling, against their definitions, pooling and torch."""

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import upscale

RNG = np.random.default_rng(14)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["f4", "f8", "u1", "i8", "?", ">f4"]))
def test_max_unpooling_equals_its_definition(seed, dtype):
    """With indices that occur several times, too."""
    rng = np.random.default_rng(seed)
    shape, stride = rng.integers(1, 6, 4), rng.integers(1, 5, 2)
    kernel = stride + rng.integers(0, 2, 2)
    least = np.maximum((shape[2:] - 1) * stride + kernel - stride + 1, 1)
    size = [int(rng.integers(low, low + 2 * s - 1)) for low, s in zip(least, stride, strict=True)]
    x = rng.integers(0, 99, shape).astype(dtype)
    at = rng.integers(0, size[0] * size[1], shape).astype(rng.choice(["i8", "i4", "u2"]))
    got = upscale.max_unpool2d(x, at, kernel, stride, 0, size)
    assert got.dtype == x.dtype and got.shape == (*shape[:2], *size)
    for n in np.ndindex(*shape[:2]):
        np.testing.assert_array_equal(got[n], naive.max_unpool2d(x[n], at[n], size))
    np.testing.assert_array_equal(upscale.max_unpool2d(x[0], at[0], kernel, stride, output_size=got.shape[1:]), got[0])


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_unpooling_puts_back_what_pooling_took(seed):
    rng = np.random.default_rng(seed)
    x = rng.permutation(2 * 7 * 9).reshape(2, 7, 9) + 1.0
    kernel, stride, padding = int(rng.integers(2, 5)), int(rng.integers(1, 5)), int(rng.integers(0, 2))
    pooled, at = upscale.max_pool2d(x, kernel, stride, padding, return_indices=True)
    back = upscale.max_unpool2d(pooled, at, kernel, stride, padding, (7, 9))
    kept = np.isin(x, pooled)
    np.testing.assert_array_equal(back, np.where(kept, x, 0))
    # What is 0 and positive: pooling again finds the same values.
    np.testing.assert_array_equal(upscale.max_pool2d(back, kernel, stride, padding), pooled)


def test_of_several_values_at_one_index_the_last_one_is_kept():
    got = upscale.max_unpool2d([[[1, 2], [3, 4]]], [[[5, 0], [5, 0]]], 2)
    assert got[0].ravel().tolist() == [4, 0, 0, 0, 0, 3] + [0] * 10


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"input": np.zeros((2, 2))}, "input must be (N, C, H, W) or (C, H, W)"),
        ({"input": np.zeros((0, 2, 2))}, "input is empty"),
        ({"indices": np.zeros((1, 2, 2))}, "indices must be integers, not float64"),
        ({"indices": np.zeros((1, 2, 3), int)}, "indices must have the shape (1, 2, 2) of the input, not (1, 2, 3)"),
        ({"indices": [[[0, 1], [2, 16]]]}, "index 16 is outside the output of 4 x 4; indices are row * 4 + column"),
        ({"indices": [[[0, 1], [2, -1]]]}, "index -1 is outside"),
        ({"output_size": (4,)}, "output_size must be (H, W) or the shape of the output for input (1, 2, 2), not (4,)"),
        ({"output_size": (2, 4, 4)}, "output_size must be (H, W)"),
        ({"output_size": 4}, "output_size must be (H, W)"),
        ({"output_size": (4.0, 4)}, "output_size must be (H, W)"),
        ({"output_size": (6, 4)}, "output_size (6, 4): the height must be 3 to 5, not 6"),
        ({"output_size": (4, 2)}, "the width must be 3 to 5, not 2"),
        ({"kernel_size": 0}, "kernel_size 0"),
        ({"padding": -1}, "padding -1"),
        ({"padding": 2}, "leaves a 0 x 0 output"),
    ],
)
def test_errors_say_what_clashes(change, text):
    arguments = {"input": np.ones((1, 2, 2)), "indices": [[[0, 2], [8, 10]]], "kernel_size": 2} | change
    with pytest.raises(upscale.ArgumentError) as caught:
        upscale.max_unpool2d(**arguments)
    assert text in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["u1", "f2", ">f4", "c8", "U3", "M8[s]", [("a", "u1"), ("b", "f4")]])
@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 2)])
def test_bed_of_nails_equals_its_definition(shape, dtype):
    picture = RNG.integers(1, 9, shape).astype(dtype)
    got = upscale.unpool_bed_of_nails(picture, (2, 3))
    want = naive.bed_of_nails(picture, (2, 3))
    assert got.dtype == picture.dtype and got.shape == want.shape
    assert np.array_equal(got, want)
    out = np.ones_like(want)
    assert upscale.unpool_bed_of_nails(picture, (2, 3), out) is out
    assert np.array_equal(out, want)


def test_bed_of_nails_is_the_kernel_zero():
    picture = RNG.random((3, 4, 3))
    assert np.array_equal(upscale.unpool_bed_of_nails(picture, (2, 3)), upscale.enlarge(picture, (2, 3), kernel="zero"))


def test_bed_of_nails_is_a_transposed_convolution_by_one_weight():
    x = RNG.random((1, 3, 4))
    made = upscale.conv_transpose2d(x, np.ones((1, 1, 1, 1)), stride=2, output_padding=1)
    assert np.array_equal(made[0], upscale.unpool_bed_of_nails(x[0], 2))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((np.zeros(3), 2), "(H, W)"),
        ((np.zeros((2, 0)), 2), "empty"),
        ((np.zeros((2, 2)), 0), "factor"),
        ((np.zeros((2, 2), object), 2), "an array of object cannot be enlarged"),
        ((np.zeros((2, 2)), 2, np.zeros((4, 5))), "out must be"),
    ],
)
def test_wrong_arguments_of_bed_of_nails(arguments, text):
    with pytest.raises(upscale.ArgumentError) as caught:
        upscale.unpool_bed_of_nails(*arguments)
    assert text in str(caught.value)


@pytest.mark.peers
def test_max_unpooling_equals_torchs():
    """After pooling, whose windows may overlap; also where it refuses."""
    torch = pytest.importorskip("torch", reason="needs the extra `peers`")
    functional, refused = torch.nn.functional, 0
    for seed in range(1500):
        rng = np.random.default_rng(seed)
        kernel, stride = (rng.integers(low, 5, 2).tolist() for low in (1, 1))
        padding = [int(rng.integers(0, k // 2 + 1)) for k in kernel]
        x = torch.from_numpy(rng.normal(size=(2, 2, *rng.integers(4, 12, 2))[seed % 2 :]).astype(rng.choice(["f4", "f8"])))
        pooled, at = functional.max_pool2d(x, kernel, stride, padding, return_indices=True)
        size = [list(x.shape), list(x.shape[-2:]), None][int(rng.integers(seed % 2, 3))]  # PyTorch takes no (C, H, W)
        arguments = kernel, stride, padding, size
        try:
            want = functional.max_unpool2d(pooled, at, *arguments).numpy()
        except (RuntimeError, ValueError):
            refused += 1
            with pytest.raises(upscale.ArgumentError):
                upscale.max_unpool2d(pooled.numpy(), at.numpy(), *arguments)
            continue
        got = upscale.max_unpool2d(pooled.numpy(), at.numpy(), *arguments)
        assert (got.dtype, got.shape) == (want.dtype, want.shape)
        np.testing.assert_array_equal(got, want, err_msg=f"{seed} {x.shape} {arguments}")
    assert 10 < refused < 500

"""Convolutions along one, two and three axes, against their definition, their adjoint, and torch."""

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import upscale

RNG = np.random.default_rng(12)
CONV = {1: upscale.conv1d, 2: upscale.conv2d, 3: upscale.conv3d}
TRANSPOSED = {1: upscale.conv_transpose1d, 2: upscale.conv_transpose2d, 3: upscale.conv_transpose3d}


def case(rng, axes, most=4):
    """Draw arguments that fit each other: input, weight and bias, and the numbers of each axis."""
    groups = int(rng.integers(1, 4))
    taken, made = int(rng.integers(1, 3)), groups * int(rng.integers(1, 3))
    kernel, stride, dilation = (rng.integers(1, high, axes) for high in (most + 1, 4, 4))
    pads = rng.integers(0, 4, (axes, 2))
    size = np.maximum(dilation * (kernel - 1) + 1 - pads.sum(1), 1) + rng.integers(0, 6, axes)
    x = rng.normal(size=(int(rng.integers(1, 3)), groups * taken, *size))
    w = rng.normal(size=(made, taken, *kernel))
    bias = rng.normal(size=made) if rng.random() < 0.5 else None
    numbers = {"stride": stride.tolist(), "padding": pads.tolist(), "dilation": dilation.tolist()}
    return (x, w, bias), numbers | {"groups": groups}


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("seed", range(20))
def test_equals_its_definition(seed, axes):
    (x, w, bias), options = case(np.random.default_rng(seed), axes, 4 if axes < 3 else 2)
    want = naive.conv(x, w, bias, **options)
    for engine in ("numba", "numpy"):
        got = CONV[axes](x, w, bias, **options, engine=engine)
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, atol=1e-12)
        np.testing.assert_array_equal(CONV[axes](x[0], w, bias, **options, engine=engine), got[0])


@pytest.mark.parametrize("axes", [1, 3])
@pytest.mark.parametrize("seed", range(20))
def test_transposed_along_other_axes(seed, axes):
    rng = np.random.default_rng(seed)
    (x, w, bias), options = case(rng, axes, 4 if axes < 3 else 2)
    groups = options["groups"]
    w = rng.normal(size=(x.shape[1], len(w) // groups, *w.shape[2:]))
    extra = [int(rng.integers(0, max(pair))) for pair in zip(options["stride"], options["dilation"], strict=True)]
    options |= {"output_padding": extra, "padding": [[0, 1 if k > 1 else 0] for k in w.shape[2:]]}
    want = naive.conv_transpose(x, w, bias, **options)
    for engine in ("numba", "numpy"):
        got = TRANSPOSED[axes](x, w, bias, **options, engine=engine)
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, atol=1e-12)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 3))
def test_the_transposed_convolution_is_the_adjoint(seed, axes):
    """<conv(x), y> = <x, conv_transpose(y)>, where the input is as large as output padding can make it."""
    rng = np.random.default_rng(seed)
    (x, w, _), options = case(rng, axes, 4 if axes < 3 else 2)
    made = CONV[axes](x, w, **options, engine="numpy")
    y = rng.normal(size=made.shape)
    numbers = zip(x.shape[2:], made.shape[2:], w.shape[2:], *list(options.values())[:3], strict=True)
    left = [n + sum(p) - (m - 1) * s - d * (k - 1) - 1 for n, m, k, s, p, d in numbers]
    back = TRANSPOSED[axes](y, w, output_padding=left, **options, engine="numpy")
    assert back.shape == x.shape
    assert np.isclose((made * y).sum(), (x * back).sum(), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("seed", range(30))
def test_many_channels(seed):
    """As one of a chain, with strides too, and padding that may exceed the kernel."""
    rng = np.random.default_rng(seed)
    taken, side = int(rng.choice([1, 4, 16, 20])), int(rng.choice([1, 3, 5]))
    stride, pads = rng.integers(1, 4, 2).tolist(), rng.integers(0, 8, (2, 2)).tolist()
    x = rng.normal(size=(2, taken, *rng.integers(5, 12, 2))).astype(np.float32)
    w, bias = rng.normal(size=(int(rng.integers(4, 9)), taken, side, side)), rng.normal(size=1)
    bias = np.repeat(bias, len(w))
    got = [upscale.conv2d(x, w, bias, stride, pads, engine=engine) for engine in ("numba", "numpy")]
    np.testing.assert_array_equal(*got)
    np.testing.assert_allclose(got[0], upscale.conv2d(x.astype(float), w, bias, stride, pads), atol=1e-4)


@pytest.mark.parametrize("seed", range(30))
def test_the_engines_agree_to_the_last_bit(seed):
    (x, w, bias), options = case(np.random.default_rng(seed), 2)
    got = [upscale.conv2d(x, w, bias, **options, engine=engine) for engine in ("numba", "numpy")]
    np.testing.assert_array_equal(*got)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.int64, np.float16, bool])
def test_dtypes(dtype):
    x = RNG.integers(0, 2, (2, 5, 4)).astype(dtype)
    got = upscale.conv2d(x, np.ones((1, 2, 2, 2)), stride=2)
    assert got.dtype == (np.float64 if dtype == np.float64 else np.float32)
    assert np.array_equal(got, naive.conv(x[None], np.ones((1, 2, 2, 2)), None, (2, 2), ((0, 0),) * 2, (1, 1), 1)[0])


def test_same_padding_has_the_odd_zero_at_the_end():
    x, w = RNG.normal(size=(1, 2, 6, 7)), RNG.normal(size=(3, 2, 4, 3))
    same = upscale.conv2d(x, w, padding="same", dilation=(1, 2))
    assert np.array_equal(same, upscale.conv2d(x, w, None, 1, ((1, 2), (2, 2)), (1, 2)))
    assert same.shape == (1, 3, 6, 7)
    assert np.array_equal(upscale.conv2d(x, w, padding="valid"), upscale.conv2d(x, w))


def test_out():
    x, w = RNG.normal(size=(1, 2, 5, 5)), RNG.normal(size=(3, 2, 2, 2))
    out = np.empty((1, 3, 4, 4))
    assert upscale.conv2d(x, w, out=out) is out
    assert np.array_equal(out, upscale.conv2d(x, w))
    deep = np.empty((1, 3, 4, 4, 4))
    x, w = RNG.normal(size=(1, 2, 5, 5, 5)), RNG.normal(size=(3, 2, 2, 2, 2))
    assert upscale.conv3d(x, w, out=deep) is deep
    assert np.array_equal(deep, upscale.conv3d(x, w))


def test_slices_that_no_tap_reaches_are_the_bias():
    got = upscale.conv_transpose3d(np.ones((1, 2, 1, 1)), np.ones((1, 1, 1, 1, 1)), [5], stride=3)
    assert got[0, :, 0, 0].tolist() == [6, 5, 5, 6]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"input": np.zeros((5, 5))}, "input must be (N, C, H, W) or (C, H, W)"),
        ({"input": np.zeros((2, 5, 0))}, "input is empty"),
        ({"weight": np.zeros((1, 3, 3))}, "weight must be (M, C / groups, kH, kW)"),
        ({"weight": np.zeros((1, 3, 3, 3))}, "3 input channels, input (2, 5, 5) has 2"),
        ({"groups": 2}, "2 input channels in each of 2 groups"),
        ({"groups": 2, "weight": np.zeros((3, 1, 3, 3))}, "groups=2 must divide the 3 output channels"),
        ({"groups": 3}, "groups=3 must divide the 2 channels"),
        ({"groups": True}, "groups must be a whole number"),
        ({"stride": 0}, "stride 0"),
        ({"stride": (1, 2, 3)}, "(1, 2, 3)"),
        ({"dilation": 0}, "dilation 0"),
        ({"padding": -1}, "-1"),
        ({"padding": "full"}, "'same' or 'valid'"),
        ({"padding": "same", "stride": 2}, "needs stride 1"),
        ({"dilation": 3}, "is smaller than weight"),
        ({"bias": np.zeros(3)}, "bias must be (1,)"),
        ({"engine": "cuda"}, "engine must be"),
        ({"out": np.zeros((1, 3, 3), np.float32)}, "float32"),
    ],
)
def test_errors_say_what_clashes(change, text):
    arguments = {"input": np.zeros((2, 5, 5)), "weight": np.zeros((1, 2, 3, 3))} | change
    with pytest.raises(upscale.ArgumentError) as caught:
        upscale.conv2d(**arguments)
    assert text in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("axes", "options", "text"),
    [
        (1, {"stride": (1, 2)}, "stride must be a whole number or (number,)"),
        (1, {"padding": (1, 2)}, "((left, right),)"),
        (3, {"dilation": (1, 2)}, "(depth, vertical, horizontal)"),
        (3, {"padding": ((1, 1), (1, 1))}, "((front, back), (top, bottom), (left, right))"),
    ],
)
def test_errors_along_other_axes(axes, options, text):
    for function in (CONV[axes], TRANSPOSED[axes]):
        with pytest.raises(upscale.ArgumentError) as caught:
            function(np.zeros((1, *[5] * axes)), np.zeros((1, 1, *[2] * axes)), **options)
        assert text in str(caught.value)
        with pytest.raises(upscale.ArgumentError) as caught:
            function(np.zeros((1, 5)[:axes]), np.zeros((1, 1, *[2] * axes)))
        assert {1: "(N, C, L) or (C, L)", 3: "(N, C, D, H, W)"}[axes] in str(caught.value)


@pytest.mark.peers
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_equals_torch(axes):
    torch = pytest.importorskip("torch", reason="needs the extra `peers`")
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        (x, w, bias), options = case(rng, axes, 4 if axes < 3 else 3)
        options["padding"] = [max(pair) for pair in options["padding"]]
        dtype, tolerance = (np.float32, 1e-4) if seed % 4 == 0 else (np.float64, 1e-12)
        arrays = [None if a is None else a.astype(dtype) for a in (x, w, bias)]
        if seed % 5 == 0:
            arrays[0] = arrays[0][0]
        if seed % 10 == 1 and max(options["stride"]) == 1:
            options["padding"] = "same"
        tensors = [None if a is None else torch.from_numpy(a) for a in arrays]
        want = getattr(torch.nn.functional, f"conv{axes}d")(*tensors, **options).numpy()
        got = CONV[axes](*arrays, **options, engine="numpy" if seed % 10 else "numba")
        assert (got.dtype, got.shape) == (want.dtype, want.shape), (seed, options)
        np.testing.assert_allclose(got, want, atol=tolerance, rtol=tolerance, err_msg=f"{seed} {options}")


@pytest.mark.peers
@pytest.mark.parametrize("axes", [1, 3])
def test_transposed_equals_torch(axes):
    torch = pytest.importorskip("torch", reason="needs the extra `peers`")
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        (x, w, bias), options = case(rng, axes, 4 if axes < 3 else 3)
        w = rng.normal(size=(x.shape[1], len(w) // options["groups"], *w.shape[2:]))
        numbers = zip(x.shape[2:], options["stride"], options["dilation"], w.shape[2:], strict=True)
        whole = [(n - 1) * s + d * (k - 1) + 1 for n, s, d, k in numbers]
        extra = [int(rng.integers(0, max(pair))) for pair in zip(options["stride"], options["dilation"], strict=True)]
        options |= {"padding": [int(rng.integers(0, (n + 1) // 2)) for n in whole], "output_padding": extra}
        tensors = [None if a is None else torch.from_numpy(a) for a in (x, w, bias)]
        want = getattr(torch.nn.functional, f"conv_transpose{axes}d")(*tensors, **options).numpy()
        got = TRANSPOSED[axes](x, w, bias, **options, engine="numpy" if seed % 10 else "numba")
        assert got.shape == want.shape, (seed, options)
        np.testing.assert_allclose(got, want, atol=1e-12, err_msg=f"{seed} {options}")

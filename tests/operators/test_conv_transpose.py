"""The operator on arrays of many channels, against its definition and torch."""

import json
from pathlib import Path

import naive
import numpy as np
import pytest

import upscale

RNG = np.random.default_rng(11)


def case(rng):
    """Draw arguments that fit each other."""
    groups = int(rng.integers(1, 4))
    channels, per_group = groups * int(rng.integers(1, 3)), int(rng.integers(1, 4))
    kernel, stride, dilation = (rng.integers(1, high, 2) for high in (6, 5, 4))
    size = rng.integers(1, 7, 2)
    extra = [int(rng.integers(0, max(s, d))) for s, d in zip(stride, dilation, strict=True)]
    whole = (size - 1) * stride + dilation * (kernel - 1) + 1 + extra
    pads = [tuple(int(rng.integers(0, (n + 1) // 2)) for _ in range(2)) for n in whole]
    x = rng.normal(size=(int(rng.integers(1, 3)), channels, *size))
    w = rng.normal(size=(channels, per_group, *kernel))
    bias = rng.normal(size=per_group * groups) if rng.random() < 0.5 else None
    numbers = {"stride": stride, "padding": pads, "output_padding": extra, "dilation": dilation}
    return (x, w, bias), {k: tuple(tuple(p) if k == "padding" else int(p) for p in v) for k, v in numbers.items()} | {
        "groups": groups
    }


@pytest.mark.parametrize("engine", ["numba", "numpy"])
@pytest.mark.parametrize("seed", range(60))
def test_equals_its_definition(seed, engine):
    (x, w, bias), options = case(np.random.default_rng(seed))
    got = upscale.conv_transpose2d(x, w, bias, **options, engine=engine)
    want = naive.conv_transpose(x, w, bias, **options)
    assert got.shape == want.shape
    assert np.allclose(got, want, atol=1e-12)


@pytest.mark.parametrize("seed", range(40))
def test_stride_1_with_many_output_channels(seed):
    """As a convolution of a chain: with any padding, which may exceed what the kernel adds."""
    rng = np.random.default_rng(seed)
    taken, made, side, number = (
        int(rng.integers(1, 6)),
        int(rng.integers(4, 14)),
        int(rng.choice([1, 3, 5])),
        int(rng.integers(1, 3)),
    )
    size = rng.integers(1, 12, 2)
    pads = tuple(tuple(int(n) for n in rng.integers(0, (length + side) // 2, 2)) for length in size)
    x, w = rng.normal(size=(number, taken, *size)).astype(np.float32), rng.normal(size=(taken, made, side, side))
    bias = rng.normal(size=made)
    expected = naive.conv_transpose(x, w, bias, (1, 1), pads, (0, 0), 1, (1, 1))
    got = [upscale.conv_transpose2d(x, w, bias, padding=pads, engine=engine) for engine in ("numba", "numpy")]
    np.testing.assert_array_equal(*got)
    np.testing.assert_allclose(got[0], expected, atol=2e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.int64, np.float16])
def test_dtypes(dtype):
    x = RNG.integers(0, 9, (2, 3, 4)).astype(dtype)
    got = upscale.conv_transpose2d(x, np.ones((2, 1, 2, 2)))
    assert got.dtype == (np.float64 if dtype == np.float64 else np.float32)
    assert got.shape == (1, 4, 5)
    assert np.array_equal(
        got, naive.conv_transpose(x[None], np.ones((2, 1, 2, 2)), None, (1, 1), ((0, 0),) * 2, (0, 0), 1, (1, 1))[0]
    )


def test_a_whole_number_means_both_axes():
    x, w = RNG.normal(size=(1, 1, 5, 5)), RNG.normal(size=(1, 1, 4, 4))
    one = upscale.conv_transpose2d(x, w, None, 3, 1, 1, 1, 2)
    two = upscale.conv_transpose2d(x, w, None, (3, 3), ((1, 1), (1, 1)), (1, 1), 1, (2, 2))
    assert np.array_equal(one, two)


def test_out():
    x, w = RNG.normal(size=(1, 2, 5, 5)), RNG.normal(size=(2, 3, 2, 2))
    out = np.empty((1, 3, 6, 6))
    assert upscale.conv_transpose2d(x, w, out=out) is out
    assert np.array_equal(out, upscale.conv_transpose2d(x, w))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"input": np.zeros((5, 5))}, "(N, C, H, W)"),
        ({"input": np.zeros((2, 5, 0))}, "empty"),
        ({"input": np.zeros((2, 5, 5), complex)}, "complex128"),
        ({"weight": np.zeros((2, 3, 3))}, "(C, M / groups, kH, kW)"),
        ({"weight": np.zeros((3, 1, 3, 3))}, "3 input channels"),
        ({"groups": 3}, "groups=3"),
        ({"groups": 0}, "groups=0"),
        ({"stride": 0}, "stride 0"),
        ({"stride": (1, 2, 3)}, "(1, 2, 3)"),
        ({"stride": 1.5}, "1.5"),
        ({"dilation": 0}, "dilation 0"),
        ({"output_padding": -1}, "output_padding -1"),
        ({"padding": -1}, "-1"),
        ({"padding": ((1, 2, 3), 0)}, "(1, 2, 3)"),
        ({"padding": 4}, "padding 4 leaves"),
        ({"bias": np.zeros(3)}, "bias must be (1,)"),
        ({"out": np.zeros((1, 7, 7), np.float32)}, "float32"),
    ],
)
def test_errors_say_what_clashes(change, text):
    arguments = {"input": np.zeros((2, 5, 5)), "weight": np.zeros((2, 1, 3, 3))} | change
    with pytest.raises(upscale.ArgumentError) as caught:
        upscale.conv_transpose2d(**arguments)
    assert text in str(caught.value)


def test_equals_torchs_kept_results():
    kept = np.load(Path(__file__).with_name("torch_cases.npz"))
    results = np.split(kept["results"], np.cumsum(kept["shapes"].prod(1))[:-1])
    cases = json.loads(str(kept["cases"]))
    assert len(cases) == len(results) == 300
    for seed, (case, shape, result) in enumerate(zip(cases, kept["shapes"], results, strict=True)):
        rng = np.random.default_rng(seed)  # as benchmarks/make_torch_cases.py draws them
        channels = case["weight"][1] * case["options"]["groups"]
        shapes = [case["input"], case["weight"], [channels] if case["bias"] else None]
        x, w, bias = (None if s is None else rng.integers(-4, 5, s).astype(np.float32) for s in shapes)
        got = upscale.conv_transpose2d(x, w, bias, **case["options"])
        assert got.shape == tuple(shape)
        assert np.array_equal(got.ravel(), result), (seed, case)


@pytest.mark.parametrize("size", [(1, 64), (64, 1), (64, 64), (33, 17)])
@pytest.mark.parametrize("stride", [1, 2, 7])
def test_large_kernels(size, stride):
    x, w = RNG.integers(-4, 5, (1, 1, 6, 5)), RNG.integers(-4, 5, (1, 1, *size))
    want = np.zeros((5 * stride + size[0], 4 * stride + size[1]))
    for y in range(6):
        for z in range(5):
            want[y * stride : y * stride + size[0], z * stride : z * stride + size[1]] += x[0, 0, y, z] * w[0, 0]
    assert np.array_equal(upscale.conv_transpose2d(x, w, stride=stride)[0, 0], want)


def test_many_groups():
    x, w = RNG.integers(-4, 5, (2, 512, 3, 3)), RNG.integers(-4, 5, (512, 1, 3, 3))
    got = upscale.conv_transpose2d(x, w, stride=2, groups=512)
    for channel in (0, 17, 511):
        want = upscale.conv_transpose2d(x[:, channel : channel + 1], w[channel : channel + 1], stride=2)
        assert np.array_equal(got[:, channel : channel + 1], want)


@pytest.mark.peers
def test_equals_torch():
    torch = pytest.importorskip("torch", reason="needs the extra `peers`")
    for seed in range(3000):
        (x, w, bias), options = case(np.random.default_rng(seed))
        pads = [min(p) for p in options["padding"]]
        options["padding"] = pads
        tensors = (torch.from_numpy(a) if a is not None else None for a in (x, w, bias))
        want = torch.nn.functional.conv_transpose2d(*tensors, **options).numpy()
        assert np.allclose(upscale.conv_transpose2d(x, w, bias, **options), want, atol=1e-12), (seed, options)

"""Small networks: a chain of convolutions before a transposed one, as plain Python and as PyTorch compute it."""

import naive
import numpy as np
import pytest
from helpers import ok, run
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import upscale
from upscale.kernels.chain import Chain
from upscale.kernels.kernel import Kernel
from upscale.kernels.write_files import write_kernel
from upscale.operators.enlarge_picture import Enlargement
from upscale.operators.methods import Request
from upscale.operators.parameters import make_operator
from upscale.pictures.picture import Picture

ENGINES = ("numpy", "numba")
LUMA = np.array([0.299, 0.587, 0.114])


def network(seed=0, channels=(1, 5, 3), sides=(5, 3), made=1, size=4, factor=2, **settings):
    """Make a small network with random weights."""
    rng = np.random.default_rng(seed)
    weights = [
        rng.normal(0, 1 / side / taken**0.5, (out, taken, side, side))
        for taken, out, side in zip(channels, channels[1:], sides, strict=False)
    ]
    chain = Chain(weights, [rng.normal(0, 0.2, len(w)) for w in weights], [rng.uniform(-0.2, 1, len(w)) for w in weights])
    last = rng.normal(0, 0.2, (channels[-1], made, size, size))
    return Kernel(last, factor=factor, bias=rng.normal(0, 0.1, made), chain=chain, **settings)


def plainly(planes, kernel, padding=0, output_padding=0):
    """Send planes (C, H, W) through a network, in 64-bit floats."""
    for weights, bias, slopes in zip(kernel.chain.weights, kernel.chain.biases, kernel.chain.slopes, strict=True):
        made = naive.convolved(planes, weights) + bias[:, None, None]
        planes = np.where(made > 0, made, made * slopes[:, None, None])
    stride = kernel.factor
    padding, output_padding = ((padding,) * 2,) * 2, (output_padding,) * 2
    return naive.conv_transpose(planes[None], kernel.weights, kernel.bias, stride, padding, output_padding, 1, (1, 1))[0]


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 999), st.integers(1, 9), st.integers(1, 9), st.lists(st.integers(1, 7), min_size=1, max_size=3),
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 5), st.sampled_from(ENGINES),
)  # fmt: skip
def test_networks_are_those_of_plain_python(seed, height, width, channels, taken, made, size, engine):
    kernel = network(seed, (taken, *channels), (3, 1, 5), made, size)
    picture = np.random.default_rng(seed).random((height, width, taken), np.float32)
    got = upscale.enlarge(picture, None, "tconv", kernel, padding=0, engine=engine)
    expected = plainly(np.moveaxis(picture, 2, 0), kernel)
    np.testing.assert_allclose(np.moveaxis(got, 2, 0), expected, atol=2e-5)


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4", *(pytest.param(d, marks=pytest.mark.heavy) for d in ("f8", "i4"))])
@pytest.mark.parametrize("shape", [(40, 37, 3), (140, 3, 3), (9, 230, 4), (1, 1, 3)])
def test_engines_agree_to_the_bit(dtype, shape):
    rng = np.random.default_rng(1)
    picture = rng.random(shape)
    picture = picture.astype(dtype) if dtype[0] == "f" else (picture * np.iinfo(dtype).max).astype(dtype)
    for kernel in (network(2, (shape[2], 6, 5), made=2), network(3)) if shape[2] == 3 else (network(2, (4, 6)),):
        results = [upscale.enlarge(picture, None, "tconv", kernel, engine=engine) for engine in ENGINES]
        np.testing.assert_array_equal(*results)


def test_a_bias_is_in_units_of_full_scale():
    kernel = network(4, padding=1)
    picture = np.random.default_rng(5).integers(0, 256, (12, 9), np.uint8)
    expected = plainly(picture[None] / 255, kernel, 1)[0] * 255
    got = np.asarray(upscale.enlarge(Image.fromarray(picture), None, "tconv", kernel)).astype(float)
    assert np.abs(got - np.clip(expected, 0, 255)).max() <= 0.51
    sixteen = Image.fromarray(picture * np.uint16(257))
    got = np.asarray(upscale.enlarge(sixteen, None, "tconv", kernel)).astype(float) / 257
    assert np.abs(got - np.clip(expected, 0, 255)).max() <= 0.01


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_network_for_one_channel_is_applied_to_luma(mode):
    kernel = network(6, padding=1)
    picture = np.random.default_rng(7).integers(60, 190, (11, 14, 3), np.uint8)
    light = picture @ LUMA / 255
    plain = upscale.enlarge(picture / 255, 2, "tconv", "bicubic")
    difference = plainly(light[None], kernel, 1)[0] - upscale.enlarge(light, 2, "tconv", "bicubic")
    image = Image.fromarray(picture).convert(mode)
    got = np.asarray(upscale.enlarge(image, None, "tconv", kernel))[..., :3]
    assert np.abs(got - np.clip((plain + difference[..., None]) * 255, 0, 255)).max() <= (0.51 if mode == "RGB" else 1)


def test_transparent_pictures_keep_their_alpha():
    kernel = network(8, (3, 4), made=3, padding=1)
    picture = np.random.default_rng(9).integers(0, 256, (9, 8, 4), np.uint8)
    got = np.asarray(upscale.enlarge(Image.fromarray(picture), None, "tconv", kernel))
    alpha = upscale.enlarge(np.ascontiguousarray(picture[..., 3]), 2, "tconv", "bicubic")
    np.testing.assert_array_equal(got[..., 3], alpha)


def test_the_input_is_added_by_nn():
    kernel = network(10, (1, 3), (3,), 1, 6, 2, padding=2)
    picture = np.random.default_rng(11).random((7, 9), np.float32)
    without, added = (upscale.enlarge(picture, None, "tconv", k) for k in (kernel, kernel.replaced(adds_input=True)))
    np.testing.assert_allclose(added, without + picture.repeat(2, 0).repeat(2, 1), atol=1e-6)
    with pytest.raises(upscale.ArgumentError, match="padding"):
        upscale.enlarge(picture, None, "tconv", kernel.replaced(adds_input=True), padding=1)


def test_bands_are_parts_of_the_whole():
    picture = Picture(np.random.default_rng(12).integers(0, 256, (533, 20, 3), np.uint8), "RGB")
    for kernel in (network(13, (3, 4, 3), made=3, padding=1), network(14, padding=1)):
        operator = make_operator(kernel, None, None, output_padding=(0, 0), dilation=(1, 1), edge="zero", normalize=None)
        enlarging = Enlargement(picture, Request(operator.factor, operator), "numba")
        bands = []
        for band in enlarging.bands(2000):
            with band as rows:
                bands.append(rows)
        assert len(bands) > 4
        np.testing.assert_array_equal(np.concatenate(bands), enlarging.whole().samples)


def test_pictures_of_a_batch_pass_one_by_one(tmp_path):
    kernel = network(15, (2, 4), made=3)
    batch = np.random.default_rng(16).random((3, 2, 7, 8), np.float32)
    np.save(tmp_path / "in.npy", batch)
    write_kernel(str(tmp_path / "k.npz"), kernel)
    ok(tmp_path / "in.npy", tmp_path / "out.npy", "-k", tmp_path / "k.npz", "--padding", "0", "--layout", "chw")
    got = np.load(tmp_path / "out.npy")
    assert got.shape == (3, 3, 16, 18)
    for planes, made in zip(batch, got, strict=True):
        np.testing.assert_allclose(made, plainly(planes, kernel), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--normalize",), b"normalised"), (("--edge", "wrap"), b"zeros beyond the border"), (("--padding", "0"), b"padding"),
        (("--factor", "3"), b"factor"),
    ],
)  # fmt: skip
def test_what_a_network_cannot_do_is_refused(tmp_path, options, text):
    write_kernel(str(tmp_path / "k.npz"), network(padding=1))
    Image.new("RGB", (9, 9)).save(tmp_path / "in.png")
    done = run(tmp_path / "in.png", tmp_path / "out.png", "-k", tmp_path / "k.npz", *options)
    assert done.returncode in (1, 2) and done.stderr.count(b"\n") == 1 and text in done.stderr
    assert not (tmp_path / "out.png").exists()


@pytest.mark.peers
def test_networks_are_those_of_torch():
    torch = pytest.importorskip("torch")
    for seed in range(20):
        rng = np.random.default_rng(seed)
        padding, extra, factor = int(rng.integers(0, 2)), int(rng.integers(0, 2)), int(rng.integers(2, 4))
        kernel = network(seed, (2, 8, 6), (3, 5), 2, int(rng.integers(3, 6)), factor)
        picture = rng.random((int(rng.integers(1, 40)), int(rng.integers(1, 40)), 2), np.float32)
        made = torch.from_numpy(np.moveaxis(picture, 2, 0).copy())[None]
        for weights, bias, slopes in zip(kernel.chain.weights, kernel.chain.biases, kernel.chain.slopes, strict=True):
            weights, bias, slopes = (torch.from_numpy(a.copy()) for a in (weights, bias, slopes))
            made = torch.nn.functional.prelu(torch.nn.functional.conv2d(made, weights, bias, padding="same"), slopes)
        last, bias = (torch.from_numpy(np.float32(a)) for a in (kernel.weights, kernel.bias))
        expected = torch.nn.functional.conv_transpose2d(made, last, bias, factor, padding, extra)[0].numpy()
        got = upscale.enlarge(picture, None, "tconv", kernel, padding=padding, output_padding=extra)
        np.testing.assert_allclose(np.moveaxis(got, 2, 0), expected, atol=2e-5)

"""Deep kernels: their layers are added as plain Python does it, the same by all engines."""

import naive
import numpy as np
import pytest
from helpers import deep_kernel, ok, random_layers, run, scene
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import upscale
from upscale.kernels.write_files import write_kernel
from upscale.operators.enlarge_picture import Enlargement
from upscale.operators.layer_stage import features_of
from upscale.operators.methods import Request
from upscale.operators.parameters import make_operator
from upscale.pictures.picture import Picture

ENGINES = ("numpy", "numba")
LUMA = np.array([0.299, 0.587, 0.114])


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 999), st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.sampled_from(ENGINES),
    st.lists(st.integers(1, 6), min_size=1, max_size=4), st.sampled_from([1, 3, 5]), st.booleans(),
)  # fmt: skip
def test_layers_are_those_of_plain_python(seed, factor, height, width, engine, channels, taps, biases):
    layers = random_layers(seed, factor, channels, (3, 5, 1, 3), taps, biases)
    kernel = deep_kernel(layers)
    picture = np.random.default_rng(seed).random((height, width), np.float32)
    plain = upscale.enlarge(picture, None, "tconv", kernel.replaced(layers=None), engine=engine)
    got = upscale.enlarge(picture, None, "tconv", kernel, engine=engine)
    np.testing.assert_allclose(got, plain + naive.layers(picture, layers), atol=2e-5)


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4", *(pytest.param(d, marks=pytest.mark.heavy) for d in ("f8", "i4"))])
@pytest.mark.parametrize("shape", [(40, 37), (33, 29, 3), (9, 230, 4), (1, 1), (2, 5, 2), (140, 3)])
@pytest.mark.parametrize(("edge", "biases"), [("zero", True), ("zero", False), ("wrap", False), ("reflect", True)])
def test_engines_agree_to_the_bit(dtype, shape, edge, biases):
    rng = np.random.default_rng(1)
    kernel = deep_kernel(random_layers(2, 3, (5, 6, 4), biases=biases))
    picture = rng.random(shape)
    picture = picture.astype(dtype) if dtype[0] == "f" else (picture * np.iinfo(dtype).max).astype(dtype)
    results = [upscale.enlarge(picture, None, "tconv", kernel, edge=edge, engine=engine) for engine in ENGINES]
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("engine", ENGINES)
def test_flat_stays_flat_to_the_bit_and_the_range_does_not_matter(engine):
    kernel = deep_kernel(random_layers(3))
    for value in (0.0, 0.1, 77.3, -1e20):
        flat = np.full((12, 11), value, np.float32)
        single = upscale.enlarge(flat, None, "tconv", kernel.replaced(layers=None), engine=engine)
        np.testing.assert_array_equal(upscale.enlarge(flat, None, "tconv", kernel, engine=engine), single)
    picture = np.random.default_rng(4).integers(0, 100, (20, 30)).astype(np.float32)
    correction = _correction(picture, kernel, engine)
    assert np.abs(correction).max() > 3
    # Whole numbers, and so their differences, are exact.
    np.testing.assert_array_equal(_correction(picture * 2, kernel, engine), correction * 2)
    np.testing.assert_allclose(_correction(picture * 2 + 30, kernel, engine), correction * 2, atol=3e-5)
    bright = (picture * 2.5).astype(np.uint8)
    eight, sixteen = (upscale.enlarge(p, None, "tconv", kernel, engine=engine) for p in (bright, bright * np.uint16(257)))
    assert np.abs(sixteen / 257 - eight).max() <= 0.5 + 1e-2


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("seed", range(5))
def test_with_biases_flat_stays_flat_to_the_bit(engine, seed):
    kernel = deep_kernel(random_layers(seed, channels=(7, 9, 5), biases=True))
    single = kernel.replaced(layers=None)
    for value in (0.0, 0.1, 77.3, -1e20, np.uint8(200), np.uint16(54321), np.int32(-77)):
        flat = np.full((12, 11), value, getattr(value, "dtype", np.float32))
        results = [upscale.enlarge(flat, None, "tconv", k, engine=engine) for k in (kernel, single)]
        np.testing.assert_array_equal(*results)


def test_biases_depend_on_what_white_is():
    kernel = deep_kernel(random_layers(4, biases=True))
    picture = np.random.default_rng(5).integers(0, 256, (20, 30), np.uint8)
    eight, sixteen, real = (
        upscale.enlarge(given, None, "tconv", kernel)
        for given in (picture, picture * np.uint16(257), picture / np.float32(255))
    )
    assert np.abs(sixteen / 257 - eight).max() <= 0.51
    np.testing.assert_allclose(np.clip(real, 0, 1), sixteen / 65535, atol=1e-5)
    half = upscale.enlarge(picture / np.float32(510), None, "tconv", kernel)
    assert np.abs(half * 2 - real).max() > 0.05


def _correction(picture, kernel, engine):
    """Compute what the layers add, without the rounding of the sum."""
    zeros = np.zeros((picture.shape[0] * 2, picture.shape[1] * 2), np.float32)
    features = features_of(kernel.layers, picture, 255)
    assert features.dtype == np.float32
    both = [upscale.enlarge(picture, None, "tconv", k, engine=engine) for k in (kernel, kernel.replaced(layers=None))]
    return zeros + (both[0] - both[1])


def test_colours_get_the_correction_of_their_luma():
    layers = random_layers(5)
    kernel, rng = deep_kernel(layers), np.random.default_rng(6)
    picture = rng.random((9, 12, 3), np.float32)
    plain = upscale.enlarge(picture, None, "tconv", kernel.replaced(layers=None))
    expected = plain + naive.layers(picture @ LUMA, layers)[..., None]
    np.testing.assert_allclose(upscale.enlarge(picture, None, "tconv", kernel), expected, atol=1e-5)
    several = rng.random((9, 12, 5), np.float32)  # no colours: each channel by itself
    alone = [upscale.enlarge(np.ascontiguousarray(several[..., c]), None, "tconv", kernel) for c in range(5)]
    np.testing.assert_array_equal(upscale.enlarge(several, None, "tconv", kernel), np.stack(alone, axis=2))


def test_the_correction_of_transparent_pictures_is_weighted_by_alpha():
    layers, rng = random_layers(7), np.random.default_rng(8)
    kernel = deep_kernel(layers)
    colours, alpha = rng.integers(60, 190, (9, 12, 3), np.uint8), rng.integers(100, 256, (9, 12, 1), np.uint8)
    picture = np.concatenate((colours, alpha), axis=2)
    got = np.asarray(upscale.enlarge(Image.fromarray(picture), None, "tconv", kernel)).astype(int)
    single = kernel.replaced(layers=None)
    premultiplied = upscale.enlarge(colours * (alpha / 255), None, "tconv", single)
    large = upscale.enlarge(alpha / 255, None, "tconv", single)
    share = alpha[..., 0] / 255
    correction = naive.layers(colours @ LUMA * share + 127.5 * (1 - share), layers)
    expected = premultiplied / large + correction[..., None]
    assert np.abs(got[..., :3] - np.clip(expected, 0, 255)).max() <= 1
    assert np.abs(got[..., 3:] - large * 255).max() <= 1
    opaque = Image.fromarray(picture[..., :3])
    full = opaque.copy()
    full.putalpha(255)
    with_alpha = np.asarray(upscale.enlarge(full, None, "tconv", kernel))
    np.testing.assert_allclose(with_alpha[..., :3], np.asarray(upscale.enlarge(opaque, None, "tconv", kernel)), atol=1)


def test_bands_are_parts_of_the_whole():
    rng = np.random.default_rng(9)
    picture = Picture(rng.integers(0, 256, (533, 20, 3), np.uint8), "RGB")
    for factor in (2, 3):
        kernel = deep_kernel(random_layers(10, factor))
        operator = make_operator(kernel, None, None, output_padding=(0, 0), dilation=(1, 1), edge="zero", normalize=None)
        enlarging = Enlargement(picture, Request(operator.factor, operator), "numba")
        bands = []
        for band in enlarging.bands(2000):
            with band as rows:
                bands.append(rows)
        assert len(bands) > 4
        np.testing.assert_array_equal(np.concatenate(bands), enlarging.whole().samples)
        rows = [np.empty((1, *enlarging.shape[1:]), np.uint8) for _ in range(7)]  # which begin within a block
        for y, row in enumerate(rows):
            enlarging._filled(y, row, 0)
        np.testing.assert_array_equal(np.concatenate(rows), enlarging.whole().samples[:7])


def test_pictures_of_a_batch_have_a_luma_each(tmp_path):
    kernel = deep_kernel(random_layers(11))
    batch = np.random.default_rng(12).random((3, 3, 7, 8), np.float32)
    np.save(tmp_path / "in.npy", batch)
    write_kernel(str(tmp_path / "k.npz"), kernel)
    ok(tmp_path / "in.npy", tmp_path / "out.npy", "-k", tmp_path / "k.npz", "--layout", "chw")
    for picture, got in zip(batch, np.load(tmp_path / "out.npy"), strict=True):
        alone = upscale.enlarge(np.ascontiguousarray(np.moveaxis(picture, 0, 2)), None, "tconv", kernel)
        np.testing.assert_array_equal(got, np.moveaxis(alone, 2, 0))


def test_in_linear_light_luma_is_linear():
    kernel = deep_kernel(random_layers(13))
    image = Image.fromarray(scene(0, (90, 96)))
    one, other = (np.asarray(upscale.enlarge(image, None, "tconv", kernel, linear=linear)) for linear in (False, True))
    assert one.shape == other.shape and (one != other).any()
    flat = Image.new("RGB", (9, 8), (10, 200, 77))
    np.testing.assert_array_equal(np.asarray(upscale.enlarge(flat, None, "tconv", kernel, linear=True))[3, 3], (10, 200, 77))


def test_features_are_those_of_plain_python():
    layers = random_layers(14, 2, (4, 5), (3, 3), biases=True)
    picture = np.random.default_rng(15).random((6, 7), np.float32)
    found = features_of(layers, picture, 1)
    assert found.shape == (5, 6, 7)
    for channel in range(5):  # a transposed convolution that only lets one through
        weights = np.zeros((5, 1, 1, 1))
        weights[channel] = 1
        only = layers.with_weights(weights, 1)
        np.testing.assert_allclose(found[channel], naive.layers(picture, only), atol=1e-5)


@pytest.mark.parametrize(
    "options", [("--padding", "1"), ("--output-padding", "1"), ("--dilation", "3"), ("--no-normalize",), ("--factor", "3")]
)
def test_what_moves_the_output_is_refused(tmp_path, options):
    write_kernel(str(tmp_path / "k.npz"), deep_kernel(random_layers()))
    Image.new("L", (9, 9)).save(tmp_path / "in.png")
    done = run(tmp_path / "in.png", tmp_path / "out.png", "-k", tmp_path / "k.npz", *options)
    assert done.returncode in (1, 2) and done.stderr.count(b"\n") == 1
    assert not (tmp_path / "out.png").exists()

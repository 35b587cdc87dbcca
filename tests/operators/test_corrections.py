"""Adaptive kernels: corrections are chosen and added as plain Python does it, the same by all engines."""

import naive
import numpy as np
import pytest
from helpers import adaptive_kernel, random_corrections, scene
from helpers import ok as ok_upscale
from helpers import run as run_upscale
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import upscale
from upscale.kernels.write_files import write_kernel
from upscale.operators.enlarge_picture import Enlargement
from upscale.operators.methods import Request
from upscale.operators.parameters import make_operator
from upscale.pictures.picture import Picture

single = upscale.Kernel(np.outer(*[np.array([1.0, 3, 3, 1])] * 2) / 16, normalized=True, factor=2)

#: Each type takes long to compile for.
FLOATS = pytest.mark.parametrize(
    ("dtype", "atol"), [(np.float32, 4e-6), pytest.param(np.float64, 1e-6, marks=pytest.mark.heavy)]
)


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.heavy)])
@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 999), st.integers(0, 4), st.integers(1, 4), st.integers(1, 9), st.integers(1, 9),
    st.sampled_from(["numpy", "numba"]),
)  # fmt: skip
def test_corrections_are_those_of_plain_python(dtype, seed, depth, factor, height, width, engine):
    corrections = random_corrections(seed, depth, factor)
    picture = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(dtype) / 256
    kernel = adaptive_kernel(corrections)
    plain = upscale.enlarge(picture, None, "tconv", kernel.replaced(corrections=None), engine=engine)
    got = upscale.enlarge(picture, None, "tconv", kernel, engine=engine)
    # Floats reach to 1: scaled by 255, not 256, comparisons see other differences than these, and so has the naive version.
    np.testing.assert_allclose(
        got, plain + naive.corrections(np.float32(picture) * np.float32(255), corrections) / 255, atol=1e-5
    )


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4", *(pytest.param(d, marks=pytest.mark.heavy) for d in ("f8", "i4"))])
@pytest.mark.parametrize("shape", [(40, 37), (33, 29, 3), (9, 70, 4), (1, 1), (2, 5, 2)])
@pytest.mark.parametrize("edge", ["zero", "wrap", "reflect"])
def test_engines_agree(dtype, shape, edge):
    rng = np.random.default_rng(1)
    kernel = adaptive_kernel(random_corrections(2, 5))
    picture = rng.random(shape)
    picture = picture.astype(dtype) if dtype[0] == "f" else (picture * np.iinfo(dtype).max).astype(dtype)
    results = [upscale.enlarge(picture, None, "tconv", kernel, edge=edge, engine=engine) for engine in ("numpy", "numba")]
    np.testing.assert_array_equal(*results)


def test_bands_are_parts_of_the_whole():
    rng = np.random.default_rng(3)
    picture = Picture(rng.integers(0, 256, (153, 20, 3), np.uint8), "RGB")
    for factor in (2, 3):
        kernel = adaptive_kernel(random_corrections(4, 4, factor))
        request = make_operator(kernel, None, None, output_padding=(0, 0), dilation=(1, 1), edge="zero", normalize=None)
        enlarging = Enlargement(picture, Request(request.factor, request))
        bands = []
        for band in enlarging.bands(2000):
            with band as rows:
                bands.append(rows)
        assert len(bands) > 5
        np.testing.assert_array_equal(np.concatenate(bands), enlarging.whole().samples)
        rows = [np.empty((1, *enlarging.shape[1:]), np.uint8) for _ in range(7)]  # which begin within a block
        for y, row in enumerate(rows):
            enlarging._filled(y, row, 0)
        np.testing.assert_array_equal(np.concatenate(rows), enlarging.whole().samples[:7])


@FLOATS
def test_flat_stays_flat_and_what_is_turned_is_turned(dtype, atol):
    kernel = single.replaced(corrections=random_corrections(5))
    for value in (0, 1, 77, 255):
        assert (upscale.enlarge(np.full((6, 7, 3), value, np.uint8), None, "tconv", kernel) == value).all()
    picture = np.random.default_rng(6).random((12, 9), dtype)  # without ties
    expected = upscale.enlarge(picture, None, "tconv", kernel)
    for turns in range(4):
        for flip in (lambda a: a, np.fliplr):
            got = upscale.enlarge(np.ascontiguousarray(flip(np.rot90(picture, turns))), None, "tconv", kernel)
            # Values that are repeated beyond the border make ties.
            np.testing.assert_allclose(got[4:-4, 4:-4], flip(np.rot90(expected, turns))[4:-4, 4:-4], atol=atol)


@FLOATS
def test_where_one_class_holds_it_is_one_kernel(dtype, atol):
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:20, 0:24]
    # Brighter to the right, and less so downwards, everywhere.
    ramp = ((y + 3 * x + 0.1 * rng.random(x.shape)) / 100).astype(dtype)
    corrections = random_corrections(8, 0, 2, 1)
    kernel = upscale.Kernel(single.weights, normalized=True, factor=2, corrections=corrections)
    # The kernel of 7 x 7 blocks that all 9 corrections make together, one copy of the matrix for each of the 25 values.
    correction = (corrections.weights[0] * corrections.unit).reshape(5, 5, 6, 6)
    correction[2, 2] -= correction.sum((0, 1))
    composed = np.zeros((14, 14))
    for j in range(5):
        for i in range(5):
            composed[8 - 2 * j : 14 - 2 * j, 8 - 2 * i : 14 - 2 * i] += correction[j, i]
    composed[5:9, 5:9] += single.weights * 4 / single.weights.sum()
    got = upscale.enlarge(ramp, None, "tconv", kernel)
    expected = upscale.enlarge(ramp, 2, "tconv", composed, normalize=False)
    np.testing.assert_allclose(got[8:-8, 8:-8], expected[8:-8, 8:-8], atol=atol)


def test_colours_do_not_leak_from_transparent_pixels_and_stay_what_they_are():
    rng = np.random.default_rng(9)
    picture = np.zeros((30, 30, 4), np.uint8)
    picture[..., :3] = (200, 90, 30)
    picture[..., 3] = np.where(rng.random((30, 30)) < 0.5, 255, 0)
    picture[picture[..., 3] == 0, :3] = (0, 255, 0)
    kernel = adaptive_kernel(random_corrections(10, 4, size=0.01))
    got = np.asarray(upscale.enlarge(Image.fromarray(picture), None, "tconv", kernel))
    seen = got[..., 3] > 0
    assert np.abs(got[seen][:, :3].astype(int) - (200, 90, 30)).max() <= 1
    plain = np.asarray(upscale.enlarge(Image.fromarray(picture), None, "tconv", kernel.replaced(corrections=None)))
    assert (got[..., 3] != plain[..., 3]).any()


def test_grey_is_as_grey_in_colour_and_the_scale_does_not_matter():
    grey = scene(1)
    kernel = adaptive_kernel(random_corrections(11, 4))
    got = upscale.enlarge(grey, None, "tconv", kernel)
    deep = upscale.enlarge(grey.astype(np.uint16) * 257, None, "tconv", kernel)
    assert np.abs(deep / 257 - got).max() <= 0.51
    floats = upscale.enlarge((grey / 255).astype(np.float32), None, "tconv", kernel)
    assert np.abs(np.clip(floats * 255, 0, 255) - got).max() <= 0.51


def test_pictures_of_a_batch_choose_for_themselves(tmp_path):
    batch = np.stack([[scene(i), scene(i + 5), scene(i + 9)] for i in range(2)]).astype(np.float32) / 255
    write_kernel(str(tmp_path / "k.npz"), adaptive_kernel(random_corrections(12, 4)))
    np.save(tmp_path / "in.npy", batch)
    ok_upscale(
        tmp_path / "in.npy", tmp_path / "out.npy", "--layout", "chw", "--method", "tconv", "--kernel", tmp_path / "k.npz"
    )
    for one, got in zip(batch, np.load(tmp_path / "out.npy"), strict=True):
        expected = upscale.enlarge(np.moveaxis(one, 0, 2), None, "tconv", str(tmp_path / "k.npz"))
        np.testing.assert_array_equal(np.moveaxis(got, 0, 2), expected)


@pytest.mark.parametrize(
    "options", [["--factor", "3"], ["--padding", "1"], ["--output-padding", "1"], ["--dilation", "2"], ["--no-normalize"]]
)  # fmt: skip
def test_what_does_not_go_with_it(tmp_path, options):
    write_kernel(str(tmp_path / "k.npz"), adaptive_kernel(random_corrections()))
    Image.fromarray(scene(0)).save(tmp_path / "in.png")
    done = run_upscale(tmp_path / "in.png", tmp_path / "out.png", "--method", "tconv", "--kernel", tmp_path / "k.npz", *options)
    assert done.returncode == 2
    assert options[0][2:].split("-")[-1][:7].encode() in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out.png").exists()

"""Sizes that are no whole multiple: the reduction after an enlargement, and what it does to all kinds of pictures."""

import naive
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import upscale
from upscale.kernels.load import load_kernel
from upscale.loops import compiled, numpy_loops
from upscale.operators.reduction import Reduction, nearest_before

ENGINES = ("numpy", "numba")


def picture(height, width, channels=3, dtype=np.uint8, seed=0):
    random = np.random.default_rng(seed)
    shape = (height, width, channels) if channels else (height, width)
    return random.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


@settings(max_examples=60, deadline=None)
@given(
    before=st.integers(1, 40),
    after=st.data(),
    blocks=st.booleans(),
    channels=st.integers(1, 4),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_both_engines_equal_the_plain_sums(before, after, blocks, channels, dtype):
    reduced = after.draw(st.integers(1, before)), after.draw(st.integers(1, 23))
    values = np.random.default_rng(before).normal(size=(before, 23, channels)).astype(dtype)
    reduction = Reduction((before, 23), reduced, blocks=blocks, dtype=np.dtype(dtype))
    rows = slice(0, reduced[0])
    found = [reduction.apply(loops, values[reduction.rows_needed(rows)], rows) for loops in (numpy_loops, compiled)]
    np.testing.assert_array_equal(*found)
    wanted = naive.reduced(values, reduced, blocks)
    np.testing.assert_allclose(found[0], wanted, atol=1e-5 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("engine", ENGINES)
def test_bands_make_the_same_as_the_whole(engine):
    values = picture(61, 47).astype(np.float32)
    reduction = Reduction((61, 47), (37, 31), blocks=False, dtype=values.dtype)
    loops = {"numpy": numpy_loops, "numba": compiled}[engine]
    whole = reduction.apply(loops, values, slice(0, 37))
    for first in range(0, 37, 5):
        rows = slice(first, min(first + 5, 37))
        np.testing.assert_array_equal(reduction.apply(loops, values[reduction.rows_needed(rows)], rows), whole[rows])


def test_equals_pillow_reducing_the_enlargement():
    source = picture(40, 50, channels=0).astype(np.float32)
    enlarged = Image.fromarray(upscale.enlarge(source, 3, kernel="bicubic"))
    wanted = np.asarray(enlarged.resize((121, 97), Image.Resampling.LANCZOS))
    np.testing.assert_allclose(upscale.enlarge(source, size=(97, 121), kernel="bicubic"), wanted, atol=0.01)


def test_box_averages_what_a_pixel_covers():
    row = np.array([[0, 60]], np.float32)
    np.testing.assert_allclose(upscale.enlarge(row, size=(1, 3), kernel="box"), [[0, 30, 60]], rtol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
def test_flat_pictures_stay_flat(engine, dtype):
    source = np.full((9, 11, 3), 77, dtype)
    large = upscale.enlarge(source, size=(14, 29), kernel="bicubic", engine=engine)
    assert large.shape == (14, 29, 3) and large.dtype == dtype
    np.testing.assert_allclose(large, 77, rtol=1e-6)


@pytest.mark.parametrize("kernel", ["bicubic", "learned", "adaptive", "deep", np.ones((5, 5)) / 6])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_engines_agree_on_all_modes_and_kernels(mode, kernel):
    channels = {"L": 0, "I;16": 0}.get(mode, len(mode))
    samples = picture(20, 24, channels, np.uint16 if mode == "I;16" else np.uint8)
    image = Image.fromarray(samples)
    assert image.mode == mode
    made = [np.asarray(upscale.enlarge(image, size=(33, 41), kernel=kernel, engine=engine)) for engine in ENGINES]
    np.testing.assert_array_equal(*made)


def test_the_colour_of_transparent_pixels_does_not_bleed():
    samples = np.zeros((8, 8, 4), np.uint8)
    samples[:, 4:] = 200, 100, 50, 255  # opaque; the left half is transparent black
    large = np.asarray(upscale.enlarge(Image.fromarray(samples), size=(13, 13), kernel="bicubic"))
    seen = large[large[..., 3] > 0]
    assert np.abs(seen[:, :3].astype(int) - (200, 100, 50)).max() <= 1
    np.testing.assert_array_equal(large[large[..., 3] == 0][:, :3], 0)


def test_colours_under_transparency_are_those_of_the_nearest_pixel():
    samples = np.zeros((6, 6, 4), np.uint8)
    samples[:3] = 9, 8, 7, 0
    samples[3:] = 1, 2, 3, 0
    large = np.asarray(upscale.enlarge(Image.fromarray(samples), size=(9, 11), kernel="bicubic"))
    np.testing.assert_array_equal(large[:4, :, :3], np.broadcast_to(np.uint8([9, 8, 7]), (4, 11, 3)))
    np.testing.assert_array_equal(large[5:, :, :3], np.broadcast_to(np.uint8([1, 2, 3]), (4, 11, 3)))


def test_linear_light_is_kept_until_the_end():
    stripes = np.zeros((8, 8), np.uint8)
    stripes[:, ::2] = 255
    large = upscale.enlarge(stripes, size=(9, 9), kernel="box", linear=True)
    plain = upscale.enlarge(stripes, size=(9, 9), kernel="box")
    mixed = (plain > 0) & (plain < 255)
    assert mixed.any() and (large[mixed] > plain[mixed]).all()


def test_middles_lie_in_the_nearest_pixels():
    for before in range(1, 30):
        for after in range(1, before + 1):
            wanted = np.floor((np.arange(after) + 0.5) * before / after + 1e-9)
            np.testing.assert_array_equal(nearest_before(before, after), wanted)


def test_products_of_factors_are_steps_one_after_another():
    source = picture(7, 9)
    twice = upscale.enlarge(upscale.enlarge(source, 6, kernel="deep"), 2, kernel="deep")
    np.testing.assert_array_equal(upscale.enlarge(source, 12, kernel="deep"), twice)
    own = load_kernel("learned", (3, 3))
    again = upscale.enlarge(upscale.enlarge(source, 3, kernel=own), 3, kernel=own)
    np.testing.assert_array_equal(upscale.enlarge(source, 9, kernel=own), again)
    with pytest.raises(upscale.ArgumentError, match="products"):
        upscale.enlarge(source, 7, kernel="deep")
    with pytest.raises(upscale.ArgumentError, match="made for factor 3x3"):
        upscale.enlarge(source, 6, kernel=own)


def test_out_is_filled():
    source = picture(10, 10, channels=0)
    out = np.empty((15, 15), np.uint8)
    assert upscale.enlarge(source, size=(15, 15), kernel="bicubic", out=out) is out
    np.testing.assert_array_equal(out, upscale.enlarge(source, size=(15, 15), kernel="bicubic"))

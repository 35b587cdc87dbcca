"""What must hold for any picture and kernel."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import upscale

PICTURES = arrays(np.uint8, array_shapes(min_dims=2, max_dims=3, max_side=6))
FLOATS = arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(1, 5)), elements=st.floats(-100, 100))
KERNELS = arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.floats(-2, 2))
FACTORS = st.tuples(st.integers(1, 5), st.integers(1, 5))


@settings(deadline=None)
@given(PICTURES, FACTORS)
def test_nearest_is_tconv_with_a_kernel_of_ones(picture, factor):
    assert np.array_equal(upscale.unpool_nearest(picture, factor), upscale.enlarge(picture, factor, "tconv", np.ones(factor)))


@settings(deadline=None)
@given(PICTURES, FACTORS)
def test_nearest_commutes_with_turning(picture, factor):
    turned = upscale.unpool_nearest(np.rot90(picture), factor[::-1])
    assert np.array_equal(turned, np.rot90(upscale.unpool_nearest(picture, factor)))


@settings(deadline=None)
@given(FLOATS, KERNELS, FACTORS, st.floats(-3, 3))
def test_tconv_is_linear_in_the_picture(picture, kernel, factor, scale):
    other = np.flip(picture)
    one, two = (upscale.enlarge(p, factor, "tconv", kernel, padding=0) for p in (picture, other))
    both = upscale.enlarge(picture + scale * other, factor, "tconv", kernel, padding=0)
    assert np.allclose(both, one + scale * two, atol=1e-8)


@settings(deadline=None)
@given(FLOATS, KERNELS, FACTORS)
def test_tconv_shifts_by_the_factor(picture, kernel, factor):
    shifted = np.pad(picture, ((1, 0), (1, 0)))
    got = upscale.enlarge(shifted, factor, "tconv", kernel, padding=0)
    assert np.allclose(got[factor[0] :, factor[1] :], upscale.enlarge(picture, factor, "tconv", kernel, padding=0), atol=1e-9)


@settings(deadline=None)
@given(
    st.integers(0, 255),
    st.sampled_from(["box", "bilinear", "bicubic", "lanczos3"]),
    FACTORS,
    array_shapes(min_dims=2, max_dims=2),
)
def test_presets_keep_a_flat_picture_flat(value, preset, factor, shape):
    assert (upscale.enlarge(np.full(shape, value, np.uint8), factor, "tconv", preset) == value).all()


@settings(deadline=None)
@given(PICTURES, KERNELS, FACTORS)
def test_engines_are_equal(picture, kernel, factor):
    one, two = (upscale.enlarge(picture, factor, "tconv", kernel, engine=e) for e in ("numba", "numpy"))
    assert np.array_equal(one, two)

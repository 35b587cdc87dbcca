"""Transposed convolution of pictures against its definition, in both engines."""

import itertools

import naive
import numpy as np
import pytest
from helpers import ENGINES

import upscale
from upscale.choices import EDGES
from upscale.kernels.kernel import Kernel
from upscale.kernels.presets import named
from upscale.loops import compiled, numpy_loops
from upscale.operators.parameters import Operator
from upscale.operators.tap_tables import beyond
from upscale.operators.transposed_plan import TransposedPlan

RNG = np.random.default_rng(5)
PADDINGS = ("same", ((0, 0), (0, 0)), ((1, 0), (0, 2)))


def both(picture, kernel, factor, padding, dtype, *, edge="zero", **options):
    """Compute with both engines, which must agree exactly where sums run in the same order."""
    plan = TransposedPlan(picture, Operator(kernel, factor, padding, edge=edge), dtype, **options)
    results = []
    for engine in (compiled, numpy_loops):
        out = np.empty(plan.shape, dtype)
        plan.fill(engine, out)
        results.append(out)
    assert np.array_equal(*results)
    return results[0]


def expected(picture, weights, factor, padding, normalized):
    """Say what the definition gives for (H, W) in float64, or None where nothing would be left."""
    full = naive.transposed(picture, weights, factor)
    if normalized:
        ones = naive.transposed(np.ones(picture.shape), weights, factor)
        full = np.divide(full, ones, out=np.zeros_like(full), where=ones != 0)
    if padding == "same":
        return naive.same(full, picture.shape, factor, weights.shape)
    (top, bottom), (left, right) = padding
    return full[top : full.shape[0] - bottom, left : full.shape[1] - right]


RARE = [pytest.param(factor, marks=pytest.mark.heavy) for factor in ((3, 3), (4, 4), (5, 5), (3, 1))]


@pytest.mark.parametrize("factor", [(1, 1), (2, 2), (2, 3), *RARE])
@pytest.mark.parametrize("size", [(1, 1), (1, 4), (3, 2), (5, 7)])
def test_every_small_kernel(size, factor):
    picture = RNG.integers(0, 256, size).astype(np.uint8)
    for tall, wide in itertools.product(range(1, 7), repeat=2):
        random = RNG.normal(size=(tall, wide))
        for weights, normalized in ((random, False), (np.abs(random) + 0.1, True), (np.outer(*np.abs(random[[0, -1]])), True)):
            for padding in PADDINGS:
                want = expected(picture, weights, factor, padding, normalized)
                if want.size:
                    got = both(picture, Kernel(weights, normalized=normalized), factor, padding, np.float32)
                    assert got.shape == want.shape
                    assert np.allclose(got, want, rtol=1e-5, atol=2e-4), (weights, padding)


@pytest.mark.parametrize("edge", ["zero", *(pytest.param(edge, marks=pytest.mark.heavy) for edge in EDGES[1:])])
@pytest.mark.parametrize(("size", "factor", "rank"), [((14, 14), (2, 2), 2), ((20, 16), (2, 2), 3), ((24, 21), (4, 3), 2)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_kernels_of_low_rank(size, factor, rank, dtype, edge):
    """By their terms they come to what all their weights come to, also beyond the border, and exactly alike by both engines."""
    weights = sum(np.outer(RNG.normal(size=size[0]), RNG.normal(size=size[1])) for _ in range(rank)) / 40
    picture = (RNG.random((19, 33, 3)) * 255).astype(dtype)
    operator = Operator(Kernel(weights, bias=[0.5]), factor, edge=edge)
    assert len(TransposedPlan(picture, operator, dtype)._sums.rows.weight) == rank
    got = both(picture, operator.kernel, factor, "same", dtype, edge=edge, bias_scale=255)
    monolithic = TransposedPlan(picture.astype(np.float64), operator, np.float64, bias_scale=255)
    want = np.empty(monolithic.shape)
    monolithic.fill(numpy_loops, want)
    if dtype == np.uint8:
        want = np.clip(np.floor(want + 0.5), 0, 255)
        assert (np.abs(got - want) > 1e-9).mean() < 0.001 and np.abs(got - want).max() <= 1
    else:
        assert np.allclose(got, want, rtol=0, atol=2e-6 * np.abs(want).max())


def test_an_output_that_no_copy_reaches():
    """Every third row is reached, and the one that is kept is none of them."""
    picture = RNG.integers(0, 256, (2, 5), np.uint8)
    got = both(picture[:1], Kernel([[1, 3, 2]]), (3, 1), ((0, 0), (1, 0)), np.uint8)
    assert got.shape == (1, 6)
    got = both(picture, Kernel([[1, 3, 2]]), (3, 1), ((1, 1), (1, 0)), np.uint8)
    assert got.shape == (2, 6) and not got.any()


def test_what_does_not_save_time_is_not_split():
    weights = np.outer([1, 2, 3], [1, 0, 1]) + np.outer([0, 1, 1], [1, 1, 0])
    for kernel, factor in ((weights, (2, 2)), (np.kron(weights, np.ones((2, 2))), (6, 6))):
        assert not TransposedPlan(np.zeros((4, 4), np.uint8), Operator(Kernel(kernel), factor), np.uint8)._sums.low_rank


@ENGINES
def test_the_worked_example(engine):
    plan = TransposedPlan(
        np.array([[2, 0], [4, 1]]), Operator(Kernel([[4, 2, 1], [1, 0, 3], [0, 5, 2]]), (1, 1), ((0, 0), (0, 0))), np.float64
    )
    out = np.empty(plan.shape)
    plan.fill(engine, out)
    assert out.tolist() == [[8, 4, 2, 0], [18, 12, 12, 1], [4, 11, 16, 3], [0, 20, 13, 2]]


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int16, pytest.param(np.uint16, marks=pytest.mark.heavy), np.int32, np.float32, np.float64]
)
def test_channels_and_dtypes(dtype):
    picture = RNG.integers(0, 200, (6, 5, 3)).astype(dtype)
    kernels = [Kernel.preset(named("bicubic"), (2, 3))]
    if dtype in (np.uint8, np.float64):  # each dtype is seconds of compiling
        kernels.append(Kernel(np.abs(RNG.normal(size=(5, 4))), normalized=True))
    for kernel in kernels:
        got = both(picture, kernel, (2, 3), "same", dtype)
        for c in range(3):
            want = expected(picture[..., c], kernel.weights, (2, 3), "same", True)
            if np.dtype(dtype).kind != "f":
                info = np.iinfo(dtype)
                want = np.clip(np.floor(want + 0.5), info.min, info.max)
                assert np.abs(got[..., c] - want).max() <= 1
                assert (got[..., c] != want).mean() <= 0.02  # a sum within a float's rounding of one half
            else:
                assert np.allclose(got[..., c], want, rtol=0, atol=1000 * np.finfo(dtype).eps)  # some units of 200's last place


def test_rounding_is_half_up_and_clips():
    picture = np.array([[1, 3, 255]], np.uint8)
    assert both(picture, Kernel([[0.5]]), (1, 1), "same", np.uint8).tolist() == [[1, 2, 128]]
    assert both(picture, Kernel([[-2]]), (1, 1), "same", np.uint8).tolist() == [[0, 0, 0]]
    assert both(picture, Kernel([[200]]), (1, 1), "same", np.uint8).tolist() == [[200, 255, 255]]


def test_large_integers_do_not_wrap_around():
    picture = np.array([[2**63 - 1, -(2**63)]])
    got = both(picture, Kernel([[2]]), (1, 1), "same", np.int64)
    assert got[0, 0] > 2**63 - 2**11
    assert got[0, 1] == -(2**63)


@ENGINES
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize(
    "kernel", [Kernel.preset(named("bicubic"), (2, 2)), Kernel(np.abs(RNG.normal(size=(5, 5))), normalized=True)]
)
def test_bands_make_up_the_whole(engine, kernel, alpha):
    picture = RNG.integers(0, 256, (20, 9, 4)).astype(np.uint8)
    plan = TransposedPlan(picture, Operator(kernel, (2, 2)), np.uint8, alpha=alpha)
    whole, bands = np.empty(plan.shape, np.uint8), np.empty(plan.shape, np.uint8)
    plan.fill(engine, whole)
    for begin in range(0, 40, 7):
        plan.fill(engine, bands[begin : begin + 7], begin)
    assert np.array_equal(whole, bands)


@pytest.mark.parametrize("weights", [np.ones((3, 3)), RNG.random((7, 2)) + 0.1, np.outer([1, 3, 3, 1], [1, 2, 1])])
@pytest.mark.parametrize("padding", PADDINGS)
def test_normalized_keeps_a_flat_picture_flat(weights, padding):
    picture = np.full((4, 5), 137, np.uint8)
    got = both(picture, Kernel(weights, normalized=True), (2, 2), padding, np.float32)
    reached = expected(picture, weights, (2, 2), padding, True) != 0
    assert np.allclose(got[reached], 137)
    assert (got[~reached] == 0).all()


def test_dyadic_weights_are_exact_also_at_the_border():
    picture = RNG.integers(0, 256, (6, 6)).astype(np.float32)
    got = both(picture, Kernel.preset(named("bilinear"), (2, 2)), (2, 2), "same", np.float32)
    want = expected(picture, Kernel.preset(named("bilinear"), (2, 2)).weights, (2, 2), "same", True)
    assert np.array_equal(got, want.astype(np.float32))


def test_what_cannot_be_normalized_is_refused():
    with pytest.raises(upscale.ArgumentError, match="normalised"):
        TransposedPlan(np.zeros((3, 3), np.uint8), Operator(Kernel([[1, -1]], normalized=True), (1, 1)), np.uint8)
    with pytest.raises(upscale.ArgumentError, match="normalised"):
        weights = np.array([[1.0, 1, 1], [1, 1, 1], [1, 1, -8]])
        TransposedPlan(np.zeros((9, 9), np.uint8), Operator(Kernel(weights, normalized=True), (1, 1)), np.uint8)


def test_colour_is_weighted_by_opacity():
    picture = np.zeros((4, 4, 4), np.uint8)
    picture[..., 1] = 255  # transparent green
    picture[1:3, 1:3] = (255, 0, 0, 255)
    got = both(picture, Kernel.preset(named("bicubic"), (3, 3)), (3, 3), "same", np.uint8, alpha=True)
    assert (got[got[..., 3] > 0][:, :3] == (255, 0, 0)).all()
    opaque = both(np.ascontiguousarray(picture[..., 3]), Kernel.preset(named("bicubic"), (3, 3)), (3, 3), "same", np.uint8)
    assert np.array_equal(got[..., 3], opaque)


@pytest.mark.parametrize("maximum", [255, 65535])
def test_box_with_opacity_is_nearest(maximum):
    dtype = np.uint8 if maximum == 255 else np.uint16
    picture = RNG.integers(0, maximum, (8, 8, 4), endpoint=True).astype(dtype)
    picture[0] = maximum
    picture[..., 3] = np.maximum(picture[..., 3], 1)
    got = both(picture, Kernel.preset(named("box"), (3, 3)), (3, 3), "same", dtype, alpha=True)
    assert np.array_equal(got, naive.nearest(picture, (3, 3)))


def test_not_a_number_spreads_no_further_than_the_kernel():
    picture = np.zeros((9, 9), np.float32)
    picture[4, 4] = np.nan
    for kernel in (Kernel.preset(named("bicubic"), (2, 2)), Kernel(RNG.random((8, 8)))):
        plan = TransposedPlan(picture, Operator(kernel, (2, 2)), np.float32)
        for engine in (compiled, numpy_loops):
            out = np.empty(plan.shape, np.float32)
            plan.fill(engine, out)
            assert np.argwhere(np.isnan(out)).min() == 5
            assert np.argwhere(np.isnan(out)).max() == 12


@pytest.mark.parametrize(("edge", "mode"), [("replicate", "edge"), ("reflect", "reflect"), ("wrap", "wrap")])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_what_lies_beyond_the_border(edge, mode, size):
    want = np.pad(np.arange(size), 7, mode=mode)
    assert beyond(np.arange(-7, size + 7), size, edge).tolist() == want.tolist()

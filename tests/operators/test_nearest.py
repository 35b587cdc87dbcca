"""Nearest-neighbour unpooling against its definition."""

import naive
import numpy as np
import pytest
from helpers import ENGINES

import upscale
from upscale.operators.nearest_plan import NearestPlan


@ENGINES
@pytest.mark.parametrize("factor", [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (1, 3), (4, 2)])
@pytest.mark.parametrize("channels", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float32", "float64", "complex128", ">u2", "S3"])
def test_equals_its_definition(engine, factor, channels, dtype):
    picture = np.arange(3 * 4 * (channels or 1)).reshape(3, 4, channels or 1).astype(dtype)
    picture = picture if channels else picture[..., 0]
    plan = NearestPlan(np.ascontiguousarray(picture), factor)
    out = np.empty(plan.shape, plan.dtype)
    plan.fill(engine, out)
    assert out.tobytes() == naive.nearest(picture, factor).tobytes()


@ENGINES
def test_bands_make_up_the_whole(engine):
    picture = np.random.default_rng(0).integers(0, 256, (9, 5, 3), np.uint8)
    plan = NearestPlan(picture, (3, 2))
    out = np.empty(plan.shape, plan.dtype)
    for begin in range(0, 27, 9):
        plan.fill(engine, out[begin : begin + 9], begin)
    assert np.array_equal(out, naive.nearest(picture, (3, 2)))


def test_values_are_copied_bit_for_bit():
    nan = np.array([[0x7FC00001, 0xFF800000]], np.uint32).view(np.float32)
    assert upscale.unpool_nearest(nan, 2)[1].view(np.uint32).tolist() == [0x7FC00001] * 2 + [0xFF800000] * 2


def test_any_memory_layout():
    picture = np.arange(60, dtype=np.int32).reshape(5, 12)
    for view in (picture.T, picture[::-1, ::2], np.asfortranarray(picture)):
        assert np.array_equal(upscale.unpool_nearest(view, (2, 3)), naive.nearest(view, (2, 3)))
    unaligned = np.frombuffer(b"x" + picture.tobytes(), np.uint8)[1:].view(np.int32).reshape(5, 12)
    assert np.array_equal(upscale.unpool_nearest(unaligned, 2), naive.nearest(picture, (2, 2)))


def test_out_is_filled_and_returned():
    out = np.empty((4, 6), np.uint8)
    assert upscale.unpool_nearest(np.ones((2, 3), np.uint8), 2, out=out) is out
    assert (out == 1).all()


@pytest.mark.parametrize(
    ("array", "factor", "out", "text"),
    [
        (np.zeros(3), 2, None, "(H, W) or (H, W, C)"),
        (np.zeros((0, 3)), 2, None, "empty"),
        (np.zeros((2, 2), object), 2, None, "object"),
        (np.zeros((2, 2)), 0, None, "at least 1"),
        (np.zeros((2, 2)), 1.5, None, "whole number"),
        (np.zeros((2, 2)), (1, 2, 3), None, "whole number"),
        (np.zeros((2, 2)), 2, np.zeros((4, 4), np.float32), "float64"),
        (np.zeros((2, 2)), 2, np.zeros((4, 4)).T, "C-contiguous"),
        (np.zeros((2, 2)), 2, [], "list"),
    ],
)
def test_wrong_arguments(array, factor, out, text):
    with pytest.raises(upscale.ArgumentError) as caught:
        upscale.unpool_nearest(array, factor, out=out)
    assert text in str(caught.value)


def test_out_may_not_overlap_the_input():
    memory = np.zeros(16, np.uint8)
    with pytest.raises(upscale.ArgumentError, match="overlap"):
        upscale.unpool_nearest(memory[:4].reshape(2, 2), 2, out=memory.reshape(4, 4))

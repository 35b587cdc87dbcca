"""Numbers about kernels are what enlarging pictures shows, and verdicts follow from them."""

import numpy as np
import pytest
from helpers import kernel
from hypothesis import given, settings
from hypothesis import strategies as st

import upscale
from upscale.errors import ArgumentError, KernelError
from upscale.figures.kernel_analysis import analyse
from upscale.figures.kernel_report import edge, verdict
from upscale.kernels import presets
from upscale.kernels.kernel import Kernel

RNG = np.random.default_rng(0)


def test_channels_of_groups():
    weights = RNG.normal(size=(4, 3, 3, 3))
    facts = analyse(Kernel(weights, groups=2), (2, 2), (3, 4))
    assert np.array_equal(facts.weights, weights[3, 1])
    ones = upscale.conv_transpose2d(np.ones((4, 9, 9)), weights, stride=2, groups=2)[4, 8:10, 8:10]
    assert np.allclose(facts.gains, ones, rtol=1e-5)
    with pytest.raises(ArgumentError, match="different groups"):
        analyse(Kernel(weights, groups=2), (2, 2), (0, 4))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 7), st.integers(1, 7), st.integers(1, 4), st.integers(1, 4), st.integers(0, 1000))
def test_gains_and_overlap_are_what_ones_become(height, width, down, across, seed):
    weights = np.random.default_rng(seed).normal(size=(height, width))
    facts = analyse(Kernel(weights), (down, across))
    size = (8 + height, 8 + width)
    ones = upscale.enlarge(np.ones(size), (down, across), "tconv", weights)
    assert np.allclose(facts.overlap(size), ones)
    begin = [max(0, k - f) // 2 for k, f in zip((height, width), (down, across), strict=True)]
    middle = [f * (n // 2) - b for f, n, b in zip((down, across), size, begin, strict=True)]
    inside = ones[middle[0] : middle[0] + down, middle[1] : middle[1] + across]
    assert np.allclose(facts.gains, inside)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 7), st.integers(1, 7), st.integers(1, 4), st.integers(1, 4), st.integers(0, 1000))
def test_the_step_is_what_an_edge_becomes(height, width, down, across, seed):
    weights = np.random.default_rng(seed).random((height, width)) + 0.1
    facts = analyse(Kernel(weights), (down, across))
    edge = np.zeros((2 * height + 5, 2 * width + 20))
    edge[:, width + 10 :] = 1
    made = upscale.enlarge(edge, (down, across), "tconv", weights)
    places, values = facts.step_response(1)
    for row in values:
        at = np.rint((places + width + 10) * across + (across - 1) / 2).astype(int)
        assert any(np.allclose(made[y, at], row) for y in range(down * (height + 2), down * (height + 3)))


def test_waves_come_through_as_the_frequency_response_says():
    facts = analyse(kernel("bicubic"), (2, 2))
    n, cycles = np.arange(64), 0.25
    made = upscale.enlarge(np.tile(np.cos(2 * np.pi * cycles * n), (16, 1)), 2, "tconv", "bicubic")[16, 32:96]
    spectrum = np.abs(np.fft.rfft(made)) / 32
    wave, image = (facts.frequency_response("horizontal", np.array([c]))[0] for c in (cycles, 1 - cycles))
    assert np.isclose(spectrum[8], wave) and np.isclose(spectrum[24], image)


def test_responses_are_divided_by_the_mean_gain():
    """So that kernels that differ by a factor have the same numbers, and a checkerboard is no overshoot but a ripple."""
    ones, scaled = analyse(kernel("1,1,1; 1,1,1; 1,1,1")), analyse(Kernel(np.full((3, 3), -7.0)), (2, 2))
    assert (ones.mean_gain, scaled.mean_gain) == (2.25, -15.75)
    for facts in (ones, scaled):
        assert edge(facts) == "overshoot 0 %, ripple 133 % (checkerboard)"
        settled = facts.step_response(1)[1][:, -2:] / facts.mean_gain
        assert np.isclose(100 * np.ptp(settled), facts.ripple)
        assert np.isclose(facts.frequency_response("diagonal", np.zeros(1))[0], 1)
    assert edge(analyse(kernel("zero"))) == "overshoot 0 %, ripple 400 % (black gaps)"
    cancelling = analyse(kernel("1,-1; -1,1"))
    assert cancelling.mean_gain is None and cancelling.ripple == 0
    assert np.isclose(cancelling.frequency_response("diagonal", np.ones(1))[0], 1)


def test_a_shift_is_written_with_its_unit():
    assert "Shifts the image 0.5 output pixel right and down." in verdict(analyse(kernel("1,1,1; 1,1,1; 1,1,1")))
    assert "Shifts the image 2 output pixels right and 1 up." in verdict(analyse(kernel("0,0,0,1; 0,0,0,0; 0,0,0,0"), (1, 1)))


def test_other_verdicts():
    for hollow in ("zero", "1,0; 0,0", "0,0,0; 0,1,0; 0,0,0"):
        for normalized in (False, True):
            assert "Some output pixels get only zero weights" in verdict(analyse(kernel(hollow).with_normalized(normalized)))[0]
    assert "expect a checkerboard; --normalize removes it" in verdict(analyse(kernel("1,-1; -1,1")))[0]
    assert "no checkerboard" in verdict(analyse(kernel("1,-1; -1,1").with_normalized(True)))[0]
    assert "it cannot be normalised" in verdict(analyse(kernel("1,2,-1; 1,1,1"), (1, 2)))[0]
    assert "Weights sum to zero: flat areas become black" in verdict(analyse(kernel("1,0,-1"), (1, 1)))[0]
    assert verdict(analyse(kernel("1,1;1,1"))) == ["Even overlap: no checkerboard."]
    assert "hardly visible in 8 bits" in verdict(analyse(kernel("1,1;1,1.002")))[0]
    assert verdict(analyse(kernel("2,2;2,2")))[1].startswith("Flat areas become 2 times as bright")
    with pytest.raises(KernelError, match="normalised"):
        analyse(kernel("1,0,-1").with_normalized(True), (1, 1))


@pytest.mark.parametrize("name", presets.PRESETS)
@pytest.mark.parametrize("factor", [(1, 1), (2, 2), (3, 2), (4, 4)])
def test_presets_do_not_move_the_picture(name, factor):
    shift = analyse(kernel(name, factor), factor).shift
    assert name == "zero" or np.allclose(shift, 0, atol=1e-9)

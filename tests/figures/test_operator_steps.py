"""The operator step by step ends in what it makes at once."""

import numpy as np
from helpers import kernel
from hypothesis import given, settings
from hypothesis import strategies as st

import upscale
from upscale.errors import ArgumentError
from upscale.figures.operator_steps import compute_steps
from upscale.operators.parameters import make_operator


def steps_of(values, what, factor, padding="same", normalize=None):
    chosen = make_operator(
        kernel(what, factor), factor, padding, output_padding=(0, 0), dilation=(1, 1), edge="zero", normalize=normalize
    )
    return compute_steps(np.array(values, float), chosen)


def test_the_lectures_example():
    steps = steps_of([[2, 0], [4, 1]], "4,2,1; 1,0,3; 0,5,2", (1, 1), ((0, 0), (0, 0)))
    assert np.array_equal(steps.result, [[8, 4, 2, 0], [18, 12, 12, 1], [4, 11, 16, 3], [0, 20, 13, 2]])
    assert np.array_equal(np.nan_to_num(steps.steps[2].copy), [[0] * 4, [16, 8, 4, 0], [4, 0, 12, 0], [0, 20, 8, 0]])
    assert np.array_equal(steps.steps[0].total, [[8, 4, 2, 0], [2, 0, 6, 0], [0, 10, 4, 0], [0] * 4])


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from(["bilinear", "box", "zero", "1,2,3", "4,2,1; 1,0,3; 0,5,2"]),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from([None, "same", ((0, 0), (0, 0)), ((0, 1), (1, 0))]),
    st.booleans(),
)
def test_steps_end_in_what_enlarge_makes(what, down, across, padding, normalize):
    values = np.arange(1, 7).reshape(2, 3)
    weights = kernel(what, (down, across))
    if normalize and what != "zero":
        weights = weights.with_normalized(True)
    try:
        want = upscale.enlarge(values.astype(float), (down, across), "tconv", weights, padding=padding)
    except ArgumentError:
        return
    steps = steps_of(values, what, (down, across), padding, weights.normalized)
    assert np.allclose(steps.result, want)

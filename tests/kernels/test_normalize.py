"""Phase sums, and weights that are normalised by them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import upscale
from upscale.kernels.kernel import Kernel
from upscale.kernels.normalize import normalize_phases, phase_sums


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 3), st.integers(1, 2), st.integers(1, 2), st.integers(1, 3), st.integers(1, 3), st.integers(0, 99))
def test_evened_weights_add_up_to_one(channels, made, groups, down, across, seed):
    weights = np.random.default_rng(seed).random((channels * groups, made, 4, 5)) + 0.1
    even = normalize_phases(weights, (down, across), groups)
    assert np.allclose(phase_sums(even, (down, across), groups), 1)
    picture = np.random.default_rng(seed).random((12, 12, channels * groups))
    one, other = (
        upscale.enlarge(picture, (down, across), "tconv", Kernel(w, groups=groups, normalized=True)) for w in (weights, even)
    )
    assert np.allclose(one, other)

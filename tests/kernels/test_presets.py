"""Presets: the published functions, sampled symmetrically and completely."""

import numpy as np
import pytest

from upscale.kernels.presets import PRESETS, named


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("factor", range(1, 9))
def test_presets_are_centred_and_complete(name, factor):
    preset = PRESETS[name]
    filter = named(name)
    taps = filter.sample(factor)
    assert len(taps) == filter.length(factor)
    if name == "zero":
        assert taps == [1]
        return
    assert (len(taps) - factor) % 2 == 0
    assert np.allclose(taps, taps[::-1])
    # The next larger kernel of this parity would only add taps at or beyond the support.
    assert (len(taps) - 1) / 2 / factor < preset.support(filter.parameter) <= (len(taps) + 1) / 2 / factor


def test_presets_are_the_published_functions():
    assert named("bilinear").sample(2) == [0.25, 0.75, 0.75, 0.25]
    keys = [-3 / 128, -9 / 128, 29 / 128, 111 / 128]  # Keys' cubic at 1.75, 1.25, 0.75 and 0.25
    assert named("bicubic").sample(2) == keys + keys[::-1]
    lanczos = np.sinc(np.array([2.5, 1.5, 0.5])) * np.sinc(np.array([2.5, 1.5, 0.5]) / 3)
    assert np.allclose([PRESETS["lanczos3"].value(x, 0) for x in (2.5, 1.5, 0.5)], lanczos)

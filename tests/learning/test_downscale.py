"""Low-resolution copies, computed by hand."""

import numpy as np
import pytest
from helpers import scene

from upscale.errors import ArgumentError
from upscale.learning.downscale import parse_downscale


def test_copies_by_hand():
    high = np.arange(64, dtype=np.uint8).reshape(8, 8) * 3
    assert np.array_equal(parse_downscale("box")(high, 2), np.floor(high.reshape(4, 2, 4, 2).mean((1, 3)) + 0.5))
    flat = np.full((12, 9), 77, np.uint8)
    for how in ("bicubic", "lanczos", "gaussian:2"):
        assert (parse_downscale(how)(flat, 3) == 77).all()
    # Centred: a picture that is its own mirror image stays so.
    even = np.abs(np.arange(12) - 5.5)[None] * np.ones((12, 1)) * 20
    small = parse_downscale("gaussian:0.8")(even.astype(np.float32), 2)
    assert np.allclose(small, small[:, ::-1], atol=1e-4)


@pytest.mark.parametrize("how", ["box+blur:0.8", "box+noise:5", "box+jpeg:30-95", "box+blur:0.4+noise:2+jpeg:50"])
def test_worse_copies_are_always_the_same(how):
    high = scene(0, (64, 60))
    plain, worse = (parse_downscale(text)(high, 2) for text in ("box", how))
    np.testing.assert_array_equal(parse_downscale(how)(high, 2), worse)
    assert worse.dtype == np.uint8 and worse.shape == plain.shape and 0 < np.abs(worse.astype(float) - plain).mean() < 8
    others = [parse_downscale(how)(scene(seed, (64, 60)), 2) for seed in (1, 2)]
    assert (others[0] != others[1]).any()


def test_what_worsens_a_copy_is_drawn_up_to_its_limit():
    flat = np.full((400, 400), 120, np.uint8)
    deviations = []
    for level in range(20):
        noisy = parse_downscale("box+noise:4")(flat + np.uint8(level), 2).astype(float)
        assert abs(noisy.mean() - 120 - level) < 0.2
        deviations.append(noisy.std())
    assert max(deviations) < 4.3 and min(deviations) < 1.5
    assert (parse_downscale("box+blur:2")(flat, 2) == 120).all()
    edge = np.repeat(np.array([0, 200], np.uint8), 100)[None].repeat(200, 0)
    blurred = parse_downscale("bicubic+blur:3")(edge.astype(np.float32), 2)
    assert blurred.dtype == np.float32 and np.allclose(blurred, blurred[:1], atol=1e-3)
    assert np.diff(blurred[0]).max() < 200


@pytest.mark.parametrize(
    "how", ["box+noise:x", "box+blur:-1", "box+jpeg:0", "box+jpeg:90-30", "box+jpeg:30-", "box+jpeg:200", "box+blur:nan"]
)
def test_what_is_no_number_is_refused(how):
    with pytest.raises(ArgumentError, match="give"):
        parse_downscale(how)

"""Low-resolution copies, computed by hand."""

import numpy as np

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

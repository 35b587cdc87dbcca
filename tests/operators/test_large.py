"""Heavy: what only shows on large pictures."""

import naive
import numpy as np
import pytest
from helpers import ok
from PIL import Image

import upscale

pytestmark = pytest.mark.heavy


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_same_pixels_at_any_number_of_threads(tmp_path, threads):
    import os

    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:700, 0:900]
    picture = np.stack([x % 256, y % 256, (x + y) % 256], -1).astype(np.uint8) ^ rng.integers(0, 8, (700, 900, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "in.png")
    np.save(tmp_path / "k.npy", rng.normal(size=(9, 9)) / 20)
    for kernel in ("lanczos3", "k.npy"):
        outs = []
        for count in (threads, os.cpu_count() or 1):
            environment = {**os.environ, "NUMBA_NUM_THREADS": str(count)}
            arguments = ("in.png", "out.bmp", "-m", "tconv", "-k", kernel, "-f", "3", "--engine", "numba", "-q")
            ok(*arguments, cwd=tmp_path, env=environment)
            outs.append((tmp_path / "out.bmp").read_bytes())
        assert outs[0] == outs[1]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_engines_agree_on_large_pictures(dtype):
    rng = np.random.default_rng(1)
    picture = rng.integers(0, np.iinfo(dtype).max, (1200, 1700, 3), endpoint=True).astype(dtype)
    for kernel in ("bicubic", rng.normal(size=(5, 4))):
        one, two = (upscale.enlarge(picture, 2, "tconv", kernel, engine=e) for e in ("numba", "numpy"))
        assert np.array_equal(one, two)


def test_nearest_on_a_large_picture():
    picture = np.random.default_rng(2).integers(0, 256, (1500, 1100, 3)).astype(np.uint8)
    got = upscale.unpool_nearest(picture, (3, 5))
    assert np.array_equal(got[::3, ::5], picture)
    assert np.array_equal(got[:90, :55], naive.nearest(picture[:30, :11], (3, 5)))
    assert np.array_equal(got, picture.repeat(3, 0).repeat(5, 1))

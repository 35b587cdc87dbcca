"""The loops where their vectors begin and end: every length around a block's, every size of pixel, other processors."""

import os
import subprocess
import sys
from fractions import Fraction

import llvmlite.binding
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import upscale
from upscale.loops import compiled, numpy_loops

WIDTHS = (1, 2, 3, 5, 15, 16, 17, 31, 33, 63, 64, 65, 100, 193)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20])
@pytest.mark.parametrize("factor", [1, 2, 3, 4, 5, 8, 17])
def test_nearest_at_every_length(size, factor):
    rng = np.random.default_rng(0)
    for width in WIDTHS:
        source = rng.integers(0, 256, (3, width * size), np.uint8)
        want = source.reshape(3, width, size).repeat(2, 0).repeat(factor, 1).reshape(6, -1)
        guarded = np.full((8, want.shape[1]), 77, np.uint8)
        for engine in (compiled, numpy_loops):
            guarded[1:7] = 0
            engine.nearest(source, 2, factor, size, guarded[1:7])
            assert np.array_equal(guarded[1:7], want)
            assert (guarded[[0, 7]] == 77).all()  # nothing beyond the output was written


@pytest.mark.heavy
def test_nearest_beyond_the_caches():
    source = np.random.default_rng(0).integers(0, 256, (700, 1301, 3), np.uint8)
    for offset in (0, 1):  # rows at multiples of 64 bytes, or not
        room = np.zeros(2800 * 5204 * 3 + 1, np.uint8)
        out = room[offset : offset + 2800 * 5204 * 3].reshape(2800, 5204, 3)
        assert np.array_equal(upscale.unpool_nearest(source, 4, out=out), source.repeat(4, 0).repeat(4, 1))


RARE = [pytest.param(dtype, marks=pytest.mark.heavy) for dtype in (np.int16, np.uint16, np.int32, np.float64)]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, *RARE])
@pytest.mark.parametrize("kernel", ["bilinear", "lanczos3", "5x5", "6x6"])
def test_engines_agree_to_the_bit_at_every_length(dtype, kernel):
    """Of these few 32-bit floats, too, although that is not promised: the test below says what is."""
    rng = np.random.default_rng(1)
    weights = kernel if "x" not in kernel else rng.normal(0.1, 0.2, (int(kernel[0]),) * 2)
    for factor in (1, 2, 3, 4, 5, 7):
        if isinstance(weights, str) and factor == 1:
            continue
        for width, channels in ((1, 1), (7, 3), (16, 4), (33, 3), (97, 2), (200, 1)):
            source = (rng.random((5, width, channels)) * 250).astype(dtype)
            one, other = (
                upscale.enlarge(source, factor, method="tconv", kernel=weights, engine=engine) for engine in ("numba", "numpy")
            )
            assert np.array_equal(one, other), (factor, width, channels)


def test_infinity_reaches_its_taps_and_no_others():
    source = np.zeros((9, 40), np.float32)
    source[4, 20] = np.inf
    for size in (3, 4, 5):  # of which some phases have fewer taps than others
        kernel = np.ones((size, size))
        for engine in ("numba", "numpy"):
            got = upscale.enlarge(source, 2, method="tconv", kernel=kernel, engine=engine)
            assert np.isinf(got).sum() == size * size
            assert not np.isnan(got).any()


PIXELS = """
import hashlib, sys
import numpy as np, upscale
rng, seen = np.random.default_rng(1), hashlib.sha256()
for dtype in (np.uint8, np.float32):
    for shape in ((20, 53, 3), (9, 300)):
        source = (rng.random(shape) * 200).astype(dtype)
        for factor in (2, 3):
            low_rank = rng.random((16, 2)) @ rng.random((2, 16)) / 64
            for kernel in ("bicubic", rng.random((7, 7)) / 49, rng.random((8, 8)) / 16, low_rank):
                seen.update(upscale.enlarge(source, factor, method="tconv", kernel=kernel, engine="numba").tobytes())
        seen.update(upscale.unpool_nearest(source, 3).tobytes())
print(seen.hexdigest())
"""


CPUS = {"nehalem": "+sse4.2", "haswell": "+avx,+avx2,+fma,+bmi,+bmi2,+f16c"}


@pytest.mark.heavy
@pytest.mark.parametrize("name", CPUS)
def test_pixels_are_the_same_on_other_processors(name, tmp_path):
    """x86 without fused multiply-adds, and with vectors of 32 bytes: all loops are compiled anew."""
    has, features = llvmlite.binding.get_host_cpu_features(), CPUS[name]
    if not all(has.get(feature[1:]) for feature in features.split(",")):
        pytest.skip(f"this machine lacks instructions of {name}")
    other = {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features, "NUMBA_CACHE_DIR": str(tmp_path)}
    assert _pixels(other) == _pixels({})


@pytest.mark.heavy
def test_pixels_are_the_same_at_any_number_of_threads():
    assert _pixels({"NUMBA_NUM_THREADS": "1"}) == _pixels({"NUMBA_THREADING_LAYER": "workqueue"}) == _pixels({})


def _pixels(variables):
    """Return a checksum of pictures that a process with these environment variables enlarged."""
    environment = {**os.environ, **variables}
    done = subprocess.run([sys.executable, "-c", PIXELS], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.heavy
def test_32_bit_floats_differ_between_engines_by_a_rounding_at_most():
    """A sum that lies just beside the middle between two floats: fused multiply-adds round it once, by way of 64 bits twice."""
    source = np.array([[1, 1 - 2.0**-15]], np.float32)
    weights = np.array([[2.0**-24 * (1 + 2.0**-15), 1 + 2.0**-23]])
    exact = [sum(Fraction(float(a)) * Fraction(float(w)) for a, w in pairs) for pairs in _pairs(source[0], weights[0])]
    for engine in ("numba", "numpy"):
        got = upscale.enlarge(source, 1, "tconv", weights, padding=0, engine=engine)[0]
        unit = np.spacing(np.abs(got)).astype(float)
        assert all(abs(Fraction(float(g)) - e) <= Fraction(float(u)) for g, e, u in zip(got, exact, unit, strict=True)), engine
    one, other = (
        upscale.enlarge(source.astype(np.float64), 1, "tconv", weights, padding=0, engine=e) for e in ("numba", "numpy")
    )
    assert np.array_equal(one, other)  # products of 64-bit floats are rounded before they are added, by everyone


def _pairs(values, weights):
    """List which values meet which weights in each output of a full transposed convolution at stride 1."""
    size = len(values) + len(weights) - 1
    return [[(values[i], weights[o - i]) for i in range(len(values)) if 0 <= o - i < len(weights)] for o in range(size)]


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 2**32 - 1))
def test_32_bit_floats_of_any_size_agree_to_the_rounding(seed):
    rng = np.random.default_rng(seed)
    source = (rng.normal(size=(6, 19)) * 10.0 ** rng.integers(-5, 6, (6, 19))).astype(np.float32)
    weights = rng.normal(size=(4, 5)) * 10.0 ** rng.integers(-5, 6, (4, 5))
    one, other = (upscale.enlarge(source, 2, "tconv", weights, engine=e).astype(float) for e in ("numba", "numpy"))
    largest = upscale.enlarge(np.abs(source.astype(float)), 2, "tconv", np.abs(weights), engine="numpy")
    assert (np.abs(one - other) <= np.spacing(largest.astype(np.float32))).all()

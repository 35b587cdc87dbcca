"""Kernels: the value, the presets, and what a user may call one."""

import numpy as np
import pytest

import upscale
from upscale.kernels.kernel import Kernel
from upscale.kernels.kernel_spec import parse_kernel
from upscale.kernels.presets import PRESETS, named
from upscale.kernels.read_files import read_kernel


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


@pytest.mark.parametrize(
    "weights",
    [
        np.outer([1, 2, 1], [1, 2, 1]),
        np.outer([3, 7], [5, 11]),
        np.outer([0.25, 0.75], [0.5, 1, 0]),
        np.ones((1, 5)),
        np.outer([0, 3, 0], [1, 0, -2]),
    ],
)
def test_rank_one_is_found_and_exact(weights):
    vertical, horizontal = Kernel(weights).factors_1d_for(np.float64)
    assert np.array_equal(np.outer(vertical, horizontal), weights)


def test_rank_one_survives_32_bit_floats():
    weights = np.outer(np.random.default_rng(0).normal(size=7), np.random.default_rng(1).normal(size=5))
    assert Kernel(weights.astype(np.float32)).factors_1d is not None
    assert Kernel(weights + 1e-4 * np.eye(7, 5)).factors_1d is None
    nothing = Kernel(np.zeros((20, 20)))
    assert nothing.factors_1d is None and nothing.terms(np.float32, 5) is None


@pytest.mark.parametrize("rank", [2, 3, 5])
def test_sums_of_outer_products_are_found(rank):
    rng = np.random.default_rng(rank)
    weights = sum(np.outer(rng.normal(size=12), rng.normal(size=15)) for _ in range(rank))
    for stored in (weights, weights.astype(np.float32)):
        kernel = Kernel(stored)
        assert kernel.terms(np.float32, rank - 1) is None
        columns, rows = kernel.terms(np.float32, rank)
        assert (columns.shape, rows.shape) == ((rank, 12), (rank, 15))
        assert np.allclose(columns.T @ rows, weights, rtol=0, atol=1e-6 * np.abs(weights).max())
        assert kernel.terms(np.float32, rank - 1) is None and kernel.terms(np.float64, rank) is None
    assert Kernel(weights + 1e-5 * rng.normal(size=weights.shape)).terms(np.float32, rank) is None


def test_terms_that_would_cancel_each_other_are_not_taken():
    hadamard = np.ones((1, 1))
    for _ in range(4):
        hadamard = np.kron(hadamard, [[1, 1], [1, -1]])
    assert Kernel(np.kron(hadamard, np.ones((8, 8)))).terms(np.float32, 16) is None
    assert Kernel(np.kron(hadamard[:8, :8], np.ones((8, 8)))).terms(np.float32, 8) is not None


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        (np.zeros((2, 2, 2)), "2 dimensions"),
        ([[1, 2], [3]], "rectangular"),
        (np.zeros((0, 2)), "no elements"),
        ([[1, np.nan]], "NaN"),
        ([[1, np.inf]], "infinity"),
        ([[1j]], "complex128"),
        (np.array([[None]]), "object"),
        ([[1e300]], "32-bit"),
        (np.zeros((1025, 1)), "1024"),
    ],
)
def test_what_is_no_kernel(weights, text):
    with pytest.raises(upscale.ArgumentError, match=text):
        Kernel(weights)


@pytest.mark.parametrize(
    ("text", "kind", "rows"),
    [
        ("bicubic", "preset", ()),
        ("bicubic:-0.75", "preset", ()),
        ("dir.npy/k.safetensors:up.weight", "file", ()),
        ("./bicubic.npy", "file", ()),
        ("K.NPY", "file", ()),
        ("1,2,1; 2,4,2; 1,2,1", "typed", ((1, 2, 1), (2, 4, 2), (1, 2, 1))),
        ("1 2;3 4;", "typed", ((1, 2), (3, 4))),
        ("-.5,1e-3", "typed", ((-0.5, 0.001),)),
        ("2", "typed", ((2,),)),
    ],
)
def test_what_a_user_may_call_a_kernel(text, kind, rows):
    source = parse_kernel(text)
    assert (source.kind, source.rows) == (kind, rows)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("cubic", "bilinear"),
        ("cubic", "*.npy"),
        ("gaussian:0", "standard deviation"),
        ("gaussian:x", "'x'"),
        ("bilinear:2", "no parameter"),
        ("", "there is no kernel"),
        ("1,2;3", "2, 1"),
        ("1,x", "'x'"),
        ("1,nan", "nan"),
        (";", "no numbers"),
        ("1,;2,3", "missing"),
        ("1,,2", "missing"),
        ("1_0,2", "not a number"),
        ("1;;2", "1, 0, 1"),
    ],
)
def test_what_is_not_called_a_kernel(text, part):
    with pytest.raises(upscale.ArgumentError) as caught:
        parse_kernel(text)
    assert part in str(caught.value)


def test_a_presets_name_wins_over_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "box").write_text("1")
    assert parse_kernel("box").kind == "preset"
    with pytest.raises(upscale.ArgumentError, match="suffix"):
        parse_kernel("./box")


def test_kernel_files(tmp_path):
    path = tmp_path / "k.npy"
    np.save(path, np.array([[1, 2], [3, 4]], np.int16))
    assert read_kernel(str(path)).weights.tolist() == [[1, 2], [3, 4]]
    for content, text in (
        (b"", "not a kernel"),
        (b"\x93NUMPY\x01\x00v\x00{'descr': '<f8'", "not a kernel"),
        (path.read_bytes()[:-1], "not a kernel"),
    ):
        path.write_bytes(content)
        with pytest.raises(upscale.FileError, match=text) as caught:
            read_kernel(str(path))
        assert str(path) in str(caught.value)
    with pytest.raises(upscale.FileError, match="no such"):
        read_kernel(str(tmp_path / "none.npy"))

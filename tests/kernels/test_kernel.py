"""The `Kernel` value: what it accepts, its outer products, and that it immutable."""

import numpy as np
import pytest

import upscale
from upscale.kernels.kernel import Kernel
from upscale.kernels.presets import named


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


def test_it_cannot_be_changed():
    kernel = Kernel([[1, 2], [3, 4]], factor=2, training="{}", bias_tensor="up.bias")
    for name in ("factor", "bias_tensor", "training", "weights", "anything"):
        with pytest.raises(AttributeError, match="immutable"):
            setattr(kernel, name, None)
    with pytest.raises(AttributeError, match="immutable"):
        del kernel.factor
    other = kernel.replaced(factor=(2, 3))
    assert (kernel.factor, other.factor) == ((2, 2), (2, 3))
    assert (other.training, other.bias_tensor, other.weights.tolist()) == ("{}", "up.bias", [[1, 2], [3, 4]])


def test_a_preset_is_sampled_when_its_weights_are_used():
    kernel = Kernel.preset(named("lanczos3"), (10**9, 10**9))
    assert kernel.shape == (6 * 10**9, 6 * 10**9)
    small = Kernel.preset(named("bilinear"), (2, 1)).with_normalized(False)
    assert small.weights.tolist() == [[0.25], [0.75], [0.75], [0.25]]
    assert not small.normalized and small.channels is None

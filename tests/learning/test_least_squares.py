"""Normal equations are those of a naive loop, and a known kernel is learned back."""

import naive
import numpy as np
import pytest

import upscale
from upscale.learning.least_squares import NormalEquations, normal_equations


@pytest.mark.parametrize(("factor", "size"), [(2, 6), (2, 14), (3, 9), (4, 12)])
def test_a_known_kernel_is_learned_back(factor, size):
    rng = np.random.default_rng(factor)
    weights = rng.normal(size=(size, size))
    weights = sum(np.rot90(w, k) for k in range(4) for w in (weights, weights.T))  # as symmetrical as all turned pictures are
    for y in range(factor):  # and each phase sums to 1
        for x in range(factor):
            weights[y::factor, x::factor] /= weights[y::factor, x::factor].sum()
    pairs = []
    for _ in range(4):
        low = rng.normal(size=(60, 50)) * 40 + 100
        whole = naive.transposed(low, weights, (factor, factor))
        pairs.append((low, naive.same(whole, low.shape, (factor, factor), weights.shape)))
    kernel = upscale.learn_kernel(pairs, factor, size, ridge=0.0)
    assert np.abs(kernel.weights - weights).max() <= 1e-4
    assert kernel.factor == (factor, factor)
    assert kernel.normalized


def test_the_sums_are_those_of_a_naive_loop():
    rng = np.random.default_rng(0)
    low, high = rng.normal(size=(7, 6)), rng.normal(size=(14, 12))
    found = normal_equations(low, high, 3)
    low, high = low - np.float32(low.astype(np.float32).mean()), high - np.float32(low.astype(np.float32).mean())
    products, targets = np.zeros((9, 9)), np.zeros((9, 4))
    for y in range(1, 6):
        for x in range(1, 5):
            around, block = low[y - 1 : y + 2, x - 1 : x + 2].ravel(), high[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].ravel()
            products += np.outer(around, around)
            targets += np.outer(around, block)
    assert found.samples == 20
    assert np.allclose(found.products, products, atol=1e-4)
    assert np.allclose(found.targets, targets, atol=1e-4)
    weights = rng.normal(size=(9, 4))
    weights /= weights.sum(0)
    direct = np.mean([
        (high[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].ravel() - low[y - 1 : y + 2, x - 1 : x + 2].ravel() @ weights) ** 2
        for y in range(1, 6)
        for x in range(1, 5)
    ])  # fmt: skip
    assert found.error(weights) == pytest.approx(direct, rel=1e-4)


def test_turning_the_sums_is_turning_the_pictures():
    rng = np.random.default_rng(1)
    low, high = rng.normal(size=(9, 8)), rng.normal(size=(27, 24))
    mean = low.astype(np.float32).mean()
    total = NormalEquations.empty(3, 5)
    for k in range(4):
        for a, b in ((low, high), (low.T, high.T)):
            total += normal_equations(np.rot90(a, k), np.rot90(b, k), 5)
    turned = normal_equations(low, high, 5).with_symmetries()
    assert np.isfinite(mean)
    assert np.allclose(turned.products, total.products, atol=1e-3)
    assert np.allclose(turned.targets, total.targets, atol=1e-3)
    assert turned.samples == total.samples

"""Deep kernels learned in closed form: the least squares, what comes of them, and the commands."""

import numpy as np
import pytest
from helpers import command, random_layers, scene
from PIL import Image

import upscale
from upscale.errors import ArgumentError
from upscale.kernels.layers import Layers
from upscale.kernels.read_files import read_kernel
from upscale.learning import image_quality
from upscale.learning.downscale import make_pair, parse_downscale
from upscale.learning.learn_layers import LayerEquations, layer_equations
from upscale.learning.least_squares import RIDGES
from upscale.operators.layer_stage import features_of

learn, learn_ok = command("upscale-learn")


def pairs(number, factor, how="bicubic"):
    return [make_pair(scene(seed, (120, 108)), factor, parse_downscale(how)) for seed in range(number)]


def test_the_equations_are_those_of_all_samples():
    layers = random_layers(1)
    (low, high), factor = pairs(1, 3)[0], 3
    found = layer_equations(low, high, layers)
    features = np.pad(features_of(layers, low, 255), ((0, 0), (2, 2), (2, 2)))
    inputs, outputs = [], []
    for y in range(4, len(low) - 4):
        for x in range(4, low.shape[1] - 4):
            around = np.float64(low[y - 4 : y + 5, x - 4 : x + 5]) - low[y, x]
            inputs.append([*features[:, y : y + 5, x : x + 5].ravel(), *np.delete(around.ravel(), 40)])
            outputs.append((np.float64(high[3 * y : 3 * y + 3, 3 * x : 3 * x + 3]) - low[y, x]).ravel())
    a, b = np.array(inputs), np.array(outputs)
    assert found.samples == len(a) and found.factor == factor
    np.testing.assert_allclose(found.products, a.T @ a, rtol=1e-4, atol=1)
    np.testing.assert_allclose(found.targets, a.T @ b, rtol=1e-4, atol=1)
    np.testing.assert_allclose(found.squares, (b * b).sum(), rtol=1e-5)
    weights = np.linalg.lstsq(a, b, rcond=None)[0]
    np.testing.assert_allclose(found.error(weights), ((a @ weights - b) ** 2).mean(), rtol=2e-3)
    assert layer_equations(low, high, layers, most=300).samples <= 360


@pytest.mark.parametrize("factor", [2, 3])
def test_the_kernel_does_what_was_solved(factor):
    layers, found = random_layers(2), pairs(2, factor)
    equations = layer_equations(*found[0], layers) + layer_equations(*found[1], layers)
    kernel = equations.kernel(RIDGES[3], "mine")
    assert (kernel.title, kernel.factor, kernel.normalized) == ("mine", (factor, factor), True)
    error, number = 0.0, 0
    for low, high in found:
        got = upscale.enlarge(low.astype(np.float32) / 255, None, "tconv", kernel) * 255
        inside = slice(4 * factor, -4 * factor)
        error += float(((got - high)[inside, inside] ** 2).sum())
        number += got[inside, inside].size
    # Weights are rounded.
    assert error / number == pytest.approx(equations.error(equations.solve(RIDGES[3])), rel=0.02)
    sums = kernel.weights.reshape(9, factor, 9, factor).sum((0, 2))
    np.testing.assert_array_equal(sums, np.ones((factor, factor)))  # exactly


def test_copies_with_noise_get_the_features_of_the_kernel_for_them():
    pictures = [scene(seed, (210, 180)) for seed in range(3)]
    for downscale, name in (("bicubic", "deep"), ("bicubic+jpeg:75", "deep-jpeg"), ("box+noise:2", "deep-jpeg")):
        learned = upscale.learn_kernel(pictures, 2, deep=True, downscale=downscale).layers
        assert all(map(np.array_equal, learned.convolutions, upscale.Kernel.load(name, 2).layers.convolutions))
        assert learned.has_biases == (name == "deep-jpeg")


def test_the_command_keeps_the_shipped_features(tmp_path):
    (tmp_path / "photos").mkdir()
    for seed in range(3):
        Image.fromarray(scene(seed, (210, 180))).save(tmp_path / "photos" / f"{seed}.png")
    done = learn_ok("photos", "-o", "k.npz", "--deep", "--factor", "3", cwd=tmp_path)
    assert "27x27 weights and 15x15 after 6 convolutions" in done.stdout
    names = [line.split()[0] for line in done.stdout.splitlines()[3:]]
    assert names == ["nearest", "bilinear", "bicubic", "lanczos3", "deep"]
    kernel = read_kernel(str(tmp_path / "k.npz"))
    shipped = upscale.Kernel.load("deep", 2).layers
    assert all(map(np.array_equal, kernel.layers.convolutions, shipped.convolutions))
    assert kernel.layers.factor == 3
    again = upscale.learn_kernel([scene(seed, (210, 180)) for seed in range(3)], 3, deep=True, title="deep")
    assert again == kernel
    low, high = pairs(1, 3)[0]
    bicubic, deep = (
        image_quality.psnr(upscale.enlarge(low, 3, "tconv", k), high, 3) for k in ("bicubic", str(tmp_path / "k.npz"))
    )
    assert deep > bicubic + 0.3


def test_low_resolution_copies_that_are_given(tmp_path):
    for folder in ("high", "low"):
        (tmp_path / folder).mkdir()
    for seed, (low, high) in enumerate(pairs(3, 2, "box")):
        Image.fromarray(high).save(tmp_path / "high" / f"{seed}.png")
        Image.fromarray(low).save(tmp_path / "low" / f"{seed}.png")
    learn_ok("high", "--low", "low", "-o", "given.npz", "--deep", cwd=tmp_path)
    learn_ok("high", "--downscale", "box", "-o", "made.npz", "--deep", cwd=tmp_path)
    assert read_kernel(str(tmp_path / "given.npz")) == read_kernel(str(tmp_path / "made.npz"))


@pytest.mark.parametrize("options", [("--adaptive",), ("--size", "18")])
def test_what_cannot_be_combined(tmp_path, options):
    done = learn("photos", "-o", "k.npz", "--deep", *options, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "--deep" in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--features",),
        ("--deep", "--minutes", "3"),
        ("--deep", "--seed", "1"),
        ("--deep", "--features", "--steps", "3", "--minutes", "3"),
    ],
)
def test_options_of_training_need_it(tmp_path, options):
    done = learn("photos", "-o", "k.npz", *options, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1


def test_what_cannot_be_learned_from_is_refused():
    layers = random_layers(3)
    with pytest.raises(ArgumentError, match="9x9"):
        layer_equations(np.zeros((8, 20)), np.zeros((16, 40)), layers)
    with pytest.raises(ArgumentError, match="uniform"):
        layer_equations(np.ones((20, 20)), np.ones((40, 40)), layers).solve(0.0)
    with pytest.raises(ArgumentError, match="samples"):
        upscale.learn_kernel([np.random.default_rng(0).random((40, 40))] * 2, deep=True)
    for arguments in ({"adaptive": True}, {"size": 18}):
        with pytest.raises(ArgumentError, match="deep"):
            upscale.learn_kernel([], deep=True, **arguments)
    unseen = Layers([np.zeros((1, 1, 3, 3))], [[1]], np.zeros((1, 1, 2, 2)), 2)  # a feature that is always 0
    low, high = pairs(1, 2)[0]
    equations = layer_equations(low, high, unseen)
    assert isinstance(equations, LayerEquations) and not equations.solve(1e-6)[:9].any()

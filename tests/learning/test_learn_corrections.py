"""Corrections that are learned help on pictures they have not seen, and are the same each time."""

import json

import numpy as np
import pytest
from helpers import command, scene
from helpers import ok as ok_upscale
from PIL import Image

import upscale
from upscale.errors import ArgumentError
from upscale.kernels.read_files import read_kernel
from upscale.learning import image_quality
from upscale.learning.crops import Crops
from upscale.learning.downscale import parse_downscale
from upscale.learning.learn_corrections import learn_corrections

run, ok = command("upscale-learn")
single = upscale.Kernel(np.outer(*[np.array([1.0, 3, 3, 1])] * 2) / 16, normalized=True, factor=2)


def test_crops_are_bounded_and_spread():
    crops = Crops(40_000)
    for i in range(50):
        crops.add(np.full((100, 120), i, np.uint8), np.full((200, 240), i, np.uint8))
    kept = crops.pairs
    assert 20_000 <= sum(low.size for low, _ in kept) <= 40_000
    values = [int(low[0, 0]) for low, _ in kept]
    assert values == sorted(set(values))
    assert values[-1] >= 30
    assert all(high.shape == (2 * low.shape[0], 2 * low.shape[1]) for low, high in kept)
    large = Crops()
    large.add(scene(0, (400, 300)), scene(0, (800, 600)))
    assert sum(low.size for low, _ in large.pairs) == 400 * 300


@pytest.mark.heavy
def test_it_is_better_on_pictures_it_has_not_seen():
    kernel = upscale.learn_kernel([scene(seed, (140, 140)) for seed in range(10)], 2, 10, adaptive=True)
    for seed in range(50, 53):
        high = scene(seed, (140, 140))
        low = parse_downscale("bicubic")(high, 2)
        plain, adaptive = (
            image_quality.psnr(upscale.enlarge(low, 2, "tconv", k), high, 2)
            for k in (kernel.replaced(corrections=None), kernel)
        )
        assert adaptive > plain + 0.1


@pytest.mark.heavy
def test_it_is_the_same_each_time():
    kernels = [upscale.learn_kernel([scene(seed, (180, 180)) for seed in range(9)], 2, 10, adaptive=True) for _ in range(2)]
    np.testing.assert_array_equal(kernels[0].corrections.weights, kernels[1].corrections.weights)
    np.testing.assert_array_equal(kernels[0].corrections.compared, kernels[1].corrections.compared)


def test_too_little_to_learn_from():
    with pytest.raises(ArgumentError, match="samples"):
        learn_corrections([(scene(0)[:20, :20], scene(0)[:40, :40])], single)


@pytest.mark.heavy
def test_the_command(tmp_path):
    (tmp_path / "in").mkdir()
    for i in range(4):
        Image.fromarray(scene(i, (140, 140))).save(tmp_path / "in" / f"{i}.png")
    done = ok("in", "-o", "k.npz", "--adaptive", "--size", "10", cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert "corrections" in lines[0]
    scores = {line.split()[0]: float(line.split()[1]) for line in lines[3:]}
    assert list(scores) == ["nearest", "bilinear", "bicubic", "lanczos3", "learned", "adaptive"]
    kernel = read_kernel(str(tmp_path / "k.npz"))
    training = json.loads(kernel.training)
    assert training["classes"] == kernel.corrections.classes > 1
    assert training["quality"]["adaptive"][0] == pytest.approx(scores["adaptive"], abs=0.01)
    ok_upscale("in/3.png", "out.png", "--method", "tconv", "--kernel", "k.npz", cwd=tmp_path)
    got = np.asarray(Image.open(tmp_path / "out.png"))
    np.testing.assert_array_equal(got, upscale.enlarge(scene(3, (140, 140)), 2, "tconv", kernel))
    Image.fromarray(scene(0, (60, 60))).save(tmp_path / "small.png")
    few = run("small.png", "-o", "few.npz", "--adaptive", "--size", "6", cwd=tmp_path)
    assert few.returncode == 1
    assert "676 samples" in few.stderr
    assert "1200 are needed: give more" in few.stderr
    assert not (tmp_path / "few.npz").exists()

"""The kernels that come with the package: there, small, good, and rebuilt by one command."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from helpers import ROOT, SAMPLES, ok, run, scene
from PIL import Image

import upscale
from upscale.kernels import shipped
from upscale.kernels.read_files import read_kernel
from upscale.learning import image_quality
from upscale.learning.downscale import parse_downscale


@pytest.mark.parametrize("factor", shipped.FACTORS)
def test_they_beat_the_presets_on_what_was_made_small(factor):
    assert os.path.getsize(shipped.path(factor)) < 3_000_000
    scores = {}
    for name in ("lanczos3", "learned", "adaptive"):
        rows = []
        for seed in range(3):
            size = (40 * factor, 48 * factor)
            high = scene(seed, size)
            low = np.asarray(Image.fromarray(high).resize((40, 48), Image.Resampling.BICUBIC))
            rows.append(image_quality.psnr(upscale.enlarge(low, factor, "tconv", name), high, factor))
        scores[name] = np.mean(rows)
    assert scores["lanczos3"] + 0.2 < scores["learned"] < scores["adaptive"] - 0.1


DEEP = shipped.SHIPPED["deep"].factors


@pytest.mark.parametrize("factor", DEEP)
@pytest.mark.parametrize(("name", "downscale"), [("deep", "bicubic"), ("deep-jpeg", "bicubic+jpeg:50")])
def test_deep_ones_are_better_still(factor, name, downscale):
    scores = {}
    for kernel in ("lanczos3", name):
        rows = []
        for seed in range(3):
            high = scene(seed, (40 * factor, 48 * factor))
            low = parse_downscale(downscale)(high, factor)
            rows.append(image_quality.psnr(upscale.enlarge(low, factor, "tconv", kernel), high, factor))
        scores[kernel] = np.mean(rows)
    assert scores[name] > scores["lanczos3"] + 0.3


def test_deep_ones_are_small_and_share_their_features():
    names = {name: row.file_ending for name, row in shipped.SHIPPED.items() if row.file_ending in shipped.DEEP_DOWNSCALING}
    assert set(names) == {"deep", "deep-jpeg"}
    assert sum(os.path.getsize(shipped.path(factor, ending)) for factor in DEEP for ending in names.values()) < 400_000
    for name, ending in names.items():
        kernels = [upscale.Kernel.load(name, factor) for factor in DEEP]
        assert {kernel.layers.has_biases for kernel in kernels} == {name == "deep-jpeg"}
        for kernel, factor in zip(kernels, DEEP, strict=True):
            assert kernel.layers.factor == factor
            assert all(map(np.array_equal, kernel.layers.convolutions, kernels[0].layers.convolutions))
        with pytest.raises(upscale.FileError, match="convolution_0"):  # by themselves, the other files are not kernels
            read_kernel(shipped.path(3, ending))


@pytest.mark.parametrize("engine", ["numpy", "numba"])
@pytest.mark.parametrize("name", ["deep", "deep-jpeg"])
def test_deep_ones_leave_flat_areas_as_they_are(name, engine):
    for value in (np.uint8(77), np.uint16(54321), np.float32(0.3)):
        flat, kernel = np.full((20, 21), value), upscale.Kernel.load(name, 2)
        single = upscale.enlarge(flat, 2, "tconv", kernel.replaced(layers=None), engine=engine)
        np.testing.assert_array_equal(upscale.enlarge(flat, 2, "tconv", kernel, engine=engine), single)


def test_the_command_takes_them(tmp_path):
    for name in shipped.SHIPPED:
        ok(SAMPLES / "potion.png", tmp_path / "out.png", "--method", "tconv", "--kernel", name, "--factor", "3")
        expected = upscale.enlarge(Image.open(SAMPLES / "potion.png"), 3, "tconv", name)
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out.png")), np.asarray(expected))
        assert name in ok("--list-kernels").stdout.decode()


@pytest.mark.parametrize("factor", ["5", "2x3"])
def test_other_factors_are_refused(tmp_path, factor):
    arguments = [SAMPLES / "potion.png", tmp_path / "out.png", "--method", "tconv", "--kernel", "adaptive", "--factor", factor]
    done = run(*arguments)
    assert done.returncode == 2
    assert b"2, 3, 4" in done.stderr
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("factor", shipped.FACTORS)
def test_that_for_jpegs_is_better_on_jpegs(factor):
    assert os.path.getsize(shipped.path(factor, "-jpeg")) < 3_000_000
    scores = {}
    for name in ("bicubic", "adaptive", "adaptive-jpeg"):
        rows = []
        for seed in range(3):
            high = scene(seed, (40 * factor, 48 * factor))
            low = parse_downscale("bicubic+jpeg:70")(high, factor)
            rows.append(image_quality.psnr(upscale.enlarge(low, factor, "tconv", name), high, factor))
        scores[name] = np.mean(rows)
    assert scores["adaptive-jpeg"] > max(scores["bicubic"], scores["adaptive"]) + 0.1


@pytest.mark.heavy
def test_what_follows_the_features_is_solved_from_any_folder(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    for seed in range(6):
        Image.fromarray(scene(seed, (400, 360))).save(tmp_path / "in" / f"{seed}.png")
    shutil.copy(shipped.path(2, "-deep"), tmp_path / "out")
    script = str(ROOT / "benchmarks" / "make_deep_kernels.py")
    arguments = [str(tmp_path / "in"), "--only-solve", "--output", str(tmp_path / "out")]
    done = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [f"x{factor}-deep.npz" for factor in DEEP]
    features, before = read_kernel(str(tmp_path / "out" / "x2-deep.npz")), upscale.Kernel.load("deep", 3)
    made = read_kernel(str(tmp_path / "out" / "x3-deep.npz"), convolutions=features.layers)
    assert features == upscale.Kernel.load("deep", 2) and made.factor == (3, 3) and made != before


@pytest.mark.heavy
def test_the_script_makes_them_from_any_folder(tmp_path):
    (tmp_path / "in").mkdir()
    for seed in range(6):
        Image.fromarray(scene(seed, (150, 120))).save(tmp_path / "in" / f"{seed}.png")
    script = str(ROOT / "benchmarks" / "make_kernels.py")
    done = subprocess.run(
        [sys.executable, script, str(tmp_path / "in"), str(tmp_path / "out"), "2", "3"],
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out").iterdir())) == 4
    for factor in (2, 3):
        assert (tmp_path / "out" / f"x{factor}-jpeg.npz").exists()
        kernel = read_kernel(str(tmp_path / "out" / f"x{factor}.npz"))
        assert kernel.factor == (factor, factor)
        assert kernel.corrections is not None
        assert f"x{factor}.npz" in done.stdout
        picture = Image.open(SAMPLES / "potion.png")
        assert upscale.enlarge(picture, None, "tconv", kernel).size == (picture.width * factor, picture.height * factor)

"""Learned kernels: what is learned is what made the pictures, and it helps on others."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from helpers import SAMPLES, UPSCALE, command, scene
from helpers import ok as ok_upscale
from PIL import Image

import upscale
from upscale.errors import ArgumentError
from upscale.kernels.read_files import read_kernel
from upscale.learning import from_files, image_quality
from upscale.learning.downscale import parse_downscale

LEARN = str(Path(sys.executable).with_name("upscale-learn"))
run, ok = command("upscale-learn")


@pytest.fixture
def folder(tmp_path):
    """Return a folder of 12 pictures, grey and colour, one of them below and one of 16 bits."""
    (tmp_path / "in" / "below").mkdir(parents=True)
    for i in range(10):
        grey = scene(i)
        image = Image.fromarray(grey) if i % 2 else Image.fromarray(np.stack([grey, grey // 2 + 40, 255 - grey], -1))
        image.save(tmp_path / "in" / f"{i}.png")
    Image.fromarray(scene(10)).convert("P").save(tmp_path / "in" / "below" / "palette.png")
    Image.fromarray(scene(11).astype(np.uint16) * 257).save(tmp_path / "in" / "deep.png")
    return tmp_path / "in"


def test_it_helps_on_pictures_it_has_not_seen():
    kernel = upscale.learn_kernel([scene(i) for i in range(12)], 2)
    gains = []
    for seed in range(100, 104):
        high = scene(seed)
        low = parse_downscale("bicubic")(high, 2)
        by = {k: image_quality.psnr(upscale.enlarge(low, 2, "tconv", k), high, 2) for k in ("bicubic", "lanczos3")}
        gains.append(image_quality.psnr(upscale.enlarge(low, 2, "tconv", kernel), high, 2) - max(by.values()))
    assert min(gains) > 0.3


def test_the_command_and_what_it_says(folder, tmp_path):
    done = ok(folder, "-o", tmp_path / "k.npz")
    lines = done.stdout.splitlines()
    assert "18x18 for factor 2, learned from 12 pictures" in lines[0]
    assert "held out" in lines[1]
    scores = {line.split()[0]: tuple(map(float, line.split()[1:])) for line in lines[3:]}
    assert set(scores) == {"nearest", "bilinear", "bicubic", "lanczos3", "learned"}
    assert max(scores, key=lambda name: scores[name][0]) == "learned"
    told = json.loads(read_kernel(str(tmp_path / "k.npz")).training)
    assert (told["pictures"], told["factor"], told["size"], told["downscale"]) == (12, 2, 18, "bicubic")
    assert told["quality"]["learned"][0] == pytest.approx(scores["learned"][0], abs=0.006)
    ok_upscale(SAMPLES / "potion.png", tmp_path / "out.png", "-m", "tconv", "-k", tmp_path / "k.npz")
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (64, 64)
    again = ok(folder, "-o", tmp_path / "again.npz", "-q")
    assert again.stdout == again.stderr == ""
    one, other = (read_kernel(str(tmp_path / f"{n}.npz")).weights for n in ("k", "again"))
    assert np.array_equal(one, other)
    done = ok(folder, "-o", tmp_path / "k3.npz", "-f", "3", "--size", "15", "--validate", folder / "below", "--sample", "200")
    assert "on 1 picture from --validate" in done.stdout
    assert read_kernel(str(tmp_path / "k3.npz")).shape == (15, 15)


@pytest.mark.parametrize("how", ["box", "lanczos", "gaussian:1.1", "k.txt", "box+jpeg:75"])
def test_ways_to_downscale(folder, tmp_path, how):
    (tmp_path / "k.txt").write_text("1 2 2 1\n2 4 4 2\n2 4 4 2\n1 2 2 1\n")
    done = ok("in", "-o", "k.npz", "--downscale", how, cwd=tmp_path)
    assert json.loads(read_kernel(str(tmp_path / "k.npz")).training)["downscale"] == how
    assert "learned" in done.stdout


def test_given_low_resolution_copies(folder, tmp_path):
    (tmp_path / "low" / "below").mkdir(parents=True)
    for path in folder.rglob("*.png"):
        with Image.open(path) as image:
            small = image.convert("L").resize((image.width // 2, image.height // 2), Image.Resampling.BOX)
        small.save(tmp_path / "low" / path.relative_to(folder))
    ok("in", "-o", "k.npz", "--low", "low", cwd=tmp_path)
    assert json.loads(read_kernel(str(tmp_path / "k.npz")).training)["downscale"] == "given copies"
    Image.new("L", (48, 44)).save(tmp_path / "low" / "3.png")
    done = run("in", "-o", "bad.npz", "--low", "low", cwd=tmp_path)
    assert done.returncode == 1
    assert "in/3.png is 96x90, which is not 2 times its low-resolution copy low/3.png, 48x44" in done.stderr
    (tmp_path / "low" / "3.png").unlink()
    done = run("in", "-o", "bad.npz", "--low", "low", cwd=tmp_path)
    assert done.returncode == 1
    assert "there is no 3.png" in done.stderr
    assert not (tmp_path / "bad.npz").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "part"),
    [
        (("in", "-o", "k.npz", "-f", "1"), 2, "at least 2"),
        (("in", "-o", "k.npz", "-f", "2x3"), 2, "one factor in both directions"),
        (("in", "-o", "k.npz", "--size", "12"), 2, "such as 10 or 14"),
        (("in", "-o", "k.npz", "--size", "13"), 2, "cannot be centred"),
        (("in", "-o", "k.npz", "--size", "94"), 1, "smaller than 47x47"),
        (("in/1.png", "-o", "k.npz", "--size", "66"), 1, "33x33 weights per phase need 10890"),
        (("flat.png", "-o", "k.npz"), 1, "too uniform"),
        (("in", "-o", "k.npy"), 2, ".npz"),
        (("in", "-o", "none/k.npz"), 1, "create it first"),
        (("none", "-o", "k.npz"), 1, "no such file"),
        (("empty", "-o", "k.npz"), 1, "contains no pictures"),
        (("text.png", "-o", "k.npz"), 1, "not a picture"),
        (("in", "-o", "k.npz", "--downscale", "cubic"), 2, "--downscale cubic"),
        (("in", "-o", "k.npz", "--downscale", "gaussian:x"), 2, "gaussian:1.2"),
        (("in", "-o", "k.npz", "--downscale", "none.npy"), 1, "none.npy"),
        (("in", "-o", "k.npz", "--downscale", "box+jpeg:0"), 2, "from 1 to 100"),
        (("in", "-o", "k.npz", "--downscale", "box", "--low", "in"), 2, "cannot be combined"),
        (("in", "-o", "k.npz", "--low", "nofolder"), 1, "nofolder"),
        (("in", "-o", "k.npz", "--validate", "empty"), 1, "contains no pictures"),
        (("in",), 2, "--output"),
        (("-o", "k.npz"), 2, "PICTURE"),
    ],
)
def test_what_is_refused(folder, tmp_path, arguments, status, part):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("hello")
    Image.new("L", (90, 90), 7).save(tmp_path / "flat.png")
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == status, done.stderr
    assert part in done.stderr
    assert done.stderr.startswith("upscale-learn: ")
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.glob("k*"))


def test_pictures_that_cannot_be_used_are_passed_over(folder, tmp_path):
    Image.new("L", (8, 8)).save(folder / "tiny.png")
    (folder / "bad.png").write_text("hello")
    (folder / "notes.txt").write_text("hello")
    done = ok(folder, "-o", tmp_path / "k.npz")
    assert done.stderr.count("skipped") == 2
    assert "from 12 pictures" in done.stdout


def test_the_library_refuses_too():
    with pytest.raises(ArgumentError, match="not a whole number of times"):
        upscale.learn_kernel([(np.ones((20, 20)), np.ones((41, 40)))])
    with pytest.raises(ArgumentError, match="its factor is 3"):
        upscale.learn_kernel([(np.ones((20, 20)), np.ones((60, 60)))])
    with pytest.raises(ArgumentError, match="need 810"):
        upscale.learn_kernel([scene(0)[:40, :40]])
    with pytest.raises(ArgumentError, match="shape"):
        upscale.learn_kernel([np.ones((20, 20, 3))])
    with pytest.raises(ArgumentError, match="samples to learn from"):
        upscale.learn_kernel([])


@pytest.mark.heavy
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_interrupt_leaves_no_kernel(folder, tmp_path):
    large = Image.fromarray(scene(0, (900, 900)))
    for i in range(100):
        large.save(folder / f"large{i}.png", compress_level=1)
    process = subprocess.Popen([LEARN, str(folder), "-o", str(tmp_path / "k.npz")], stderr=subprocess.PIPE)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 130
    assert b"interrupted" in errors
    assert not list(tmp_path.glob("*.npz"))
    assert not list(tmp_path.glob(".upscale*"))


@pytest.mark.parametrize(
    ("validated", "adaptive"), [(0, False), (60, False), *(pytest.param(n, True, marks=pytest.mark.heavy) for n in (60, 3))]
)
def test_the_progress_bar_is_as_long_as_the_work(folder, tmp_path, validated, adaptive):
    (tmp_path / "kept").mkdir()
    for i in range(validated):
        Image.fromarray(scene(i, (30, 30))).save(tmp_path / "kept" / f"{i}.png")
    paths = sorted(map(str, folder.rglob("*.png")))
    kept = sorted(map(str, (tmp_path / "kept").glob("*.png")))
    request = from_files.LearnRequest(paths, None, 2, 6, "bicubic", kept, 10_000, adaptive)
    taken = []
    from_files.learn_from_files(request, lambda: taken.append(1))
    assert len(taken) == from_files.count_steps(request)


def test_help_and_version():
    text = ok("--help").stdout
    assert "upscale-learn photos -o mine.npz" in text
    assert ok("--version").stdout == f"upscale-learn {upscale.__version__}\n"
    assert os.path.exists(UPSCALE)

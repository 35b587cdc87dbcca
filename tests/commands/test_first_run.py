"""The first commands of a user, while no loop is compiled: none waits, and later ones are fast."""

import os
import subprocess
import time

import numpy as np
import pytest
from helpers import UPSCALE, pixels
from PIL import Image


@pytest.fixture
def new_user(tmp_path):
    """Return the environment of a user without compiled loops."""
    return {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "UPSCALE_BACKGROUND_COMPILE": "1"}


def picture(path, height, width):
    y, x = np.mgrid[0:height, 0:width]
    Image.fromarray((x ^ y).astype(np.uint8)).save(path)


def run(environment, folder, *arguments):
    done = subprocess.run([UPSCALE, *arguments, "-v"], cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return done.stderr


def files(folder):
    return sorted(path.name for path in (folder / "cache").rglob("*") if path.is_file())


def test_a_sprite_leaves_nothing(tmp_path, new_user, rgb):
    assert "engine: numpy (NumPy takes" in run(new_user, tmp_path, str(rgb), "out.png")
    assert files(tmp_path) == []


def test_time_that_is_lost_is_remembered(tmp_path, new_user):
    picture(tmp_path / "in.bmp", 1450, 1450)
    told = run(new_user, tmp_path, "in.bmp", "out.bmp", "-k", "bilinear")
    assert "engine: numpy (the loops are not compiled yet; NumPy has cost little time so far)" in told
    assert files(tmp_path) == ["lost"]


def test_where_it_is_turned_off_nothing_is_started(tmp_path, new_user):
    picture(tmp_path / "in.bmp", 1450, 1450)
    new_user["UPSCALE_BACKGROUND_COMPILE"] = "0"
    assert "to start and to compile loops)" in run(new_user, tmp_path, "in.bmp", "out.bmp", "-k", "bilinear")
    assert files(tmp_path) == []


@pytest.mark.heavy
def test_loops_are_compiled_in_the_background_and_then_used(tmp_path, new_user):
    picture(tmp_path / "in.bmp", 2700, 3000)
    arguments = ("in.bmp", "out.bmp", "-k", "bilinear", "--factor", "3")
    for _ in range(9):  # the time that several commands lose adds up
        told = run(new_user, tmp_path, *arguments)
        assert "engine: numpy (the loops are not compiled yet; " in told
        if "they are being compiled in the background)" in told:
            break
    assert "compiling" in files(tmp_path)  # the command has ended, and the process has not
    first = pixels(tmp_path / "out.bmp")
    for _ in range(600):
        if "compiling" not in files(tmp_path):
            break
        time.sleep(0.2)
    assert [name for name in files(tmp_path) if name.endswith(".ready")] == ["separable-uint8.ready"]
    began = time.monotonic()
    told = run(new_user, tmp_path, *arguments)
    assert "engine: numba" in told and time.monotonic() - began < 5
    assert np.array_equal(pixels(tmp_path / "out.bmp"), first)


@pytest.mark.heavy
def test_a_batch_changes_to_the_loops_in_the_middle(tmp_path, new_user):
    (tmp_path / "in").mkdir()
    picture(tmp_path / "in" / "0.bmp", 240, 320)
    for number in range(1, 300):
        os.link(tmp_path / "in" / "0.bmp", tmp_path / "in" / f"{number}.bmp")
    told = run(new_user, tmp_path, "in", "out", "-k", "adaptive", "-j", "2")
    assert ", numpy (the loops are not compiled yet; " in told and ", numba (NumPy would take" in told

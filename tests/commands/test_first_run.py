"""The first commands of a user, while no loop is compiled: none waits, and later ones are fast."""

import os
import pty
import subprocess
import sys
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


def on_a_terminal(environment, folder, *arguments):
    """Run a command whose standard error is a terminal, and return what it wrote there."""
    leader, follower = pty.openpty()
    subprocess.run([UPSCALE, *arguments], cwd=folder, env=environment, stderr=follower, timeout=300, check=True)
    os.close(follower)
    try:
        return os.read(leader, 10000).decode()
    except OSError:  # nothing was written
        return ""
    finally:
        os.close(leader)


#: Leaves what a process that compiles leaves, without one.
AS_IF_COMPILING = """
from types import SimpleNamespace
from upscale.loops import background_compile
from upscale.loops.ready_loops import ReadyLoops
background_compile._detached = lambda command: SimpleNamespace(pid="another")
background_compile.BackgroundCompile(ReadyLoops()).add_lost(9, 9, frozenset())
"""


def test_a_terminal_is_told_of_a_slow_picture(tmp_path, new_user):
    picture(tmp_path / "in.bmp", 512, 640)
    subprocess.run([sys.executable, "-c", AS_IF_COMPILING], cwd=tmp_path, env=new_user, check=True)
    told = on_a_terminal(new_user, tmp_path, "in.bmp", "out.bmp", "-k", "adaptive").splitlines()
    assert [line for line in told if "clipped" not in line] == [
        "upscale: the loops are not compiled yet; they are being compiled in the background; until then NumPy does the work, "
        "more slowly"
    ]


@pytest.mark.heavy
def test_a_terminal_is_told_if_marks_were_wrong(tmp_path, new_user):
    """As after somebody has removed the machine code, but not the marks."""
    code = "from upscale.loops.ready_loops import ReadyLoops; ReadyLoops().mark({'separable uint8'})"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=new_user, check=True)  # the package that is installed
    picture(tmp_path / "in.bmp", 1500, 1500)
    told = on_a_terminal(new_user, tmp_path, "in.bmp", "out.bmp", "-k", "bicubic")
    assert told == "upscale: compiling the loops for this processor, once; later runs load them from the cache\r\n"
    assert on_a_terminal(new_user, tmp_path, "in.bmp", "out.bmp", "-k", "bicubic") == ""
    assert "engine: numba (tconv of at least 2 megapixels" in run(new_user, tmp_path, "in.bmp", "out.bmp", "-k", "bicubic")

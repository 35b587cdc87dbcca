"""What commands import, and how they begin and end."""

import os
import pty
import subprocess
import sys

import pytest
from helpers import SAMPLES, UPSCALE

HEAVY = ("numpy", "numba", "PIL")


def python(code, **options):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, **options)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["a.png", "a.xyz"], 2),
        (["a.png", "b.png", "-f", "0"], 2),
        (["a.png", "b.png", "-m", "tconv", "-k", "1,2;3"], 2),
        (["a.png"], 2),
    ],
)
def test_words_need_no_heavy_import(arguments, status):
    code = (
        f"import sys; from upscale.commands.enlarge import run; s = run({arguments!r}); "
        f"print(s, [m for m in {HEAVY} if m in sys.modules])"
    )
    assert python(code).stdout.splitlines()[-1] == f"{status} []"


def test_the_package_itself_imports_nothing_heavy():
    code = (
        f"import sys, upscale; print([m for m in {HEAVY} if m in sys.modules]); upscale.enlarge; print('numpy' in sys.modules)"
    )
    assert python(code).stdout == "[]\nTrue\n"


def test_a_small_picture_does_without_numba(tmp_path):
    code = (
        "import sys; from upscale.commands.enlarge import run; "
        f"run([{str(SAMPLES / 'potion.png')!r}, {str(tmp_path / 'out.png')!r}]); "
        "print('numba' in sys.modules)"
    )
    assert python(code).stdout == "False\n"


@pytest.mark.parametrize(
    ("entry", "arguments"),
    [
        ("main", ["in/0.png", "out.png"]),
        ("main", ["in", "out"]),
        ("learn", ["in", "-o", "k.npz", "--size", "6"]),
        ("kernel", ["make", "bicubic", "-o", "k.npy"]),
        ("compare", ["in/0.png", "-o", "sheet.png", "-k", "bilinear"]),
    ],
)
def test_garbage_is_collected_while_commands_work(entry, arguments, tmp_path):
    import numpy as np
    from PIL import Image

    (tmp_path / "in").mkdir()
    for seed in range(4):
        picture = np.random.default_rng(seed).integers(0, 256, (40, 40), np.uint8)
        Image.fromarray(picture).save(tmp_path / "in" / f"{seed}.png")
    code = f"""
import gc, os, sys
sys.argv[1:] = {arguments!r}
def leave(status):
    print("status", status, gc.isenabled(), gc.get_threshold()[0] <= 100_000, file=sys.stderr, flush=True)
    os.kill(os.getpid(), 9)
os._exit = leave
from upscale.__main__ import {entry}
{entry}()
"""
    assert python(code, cwd=tmp_path).stderr.splitlines()[-1] == "status 0 True True"


@pytest.mark.heavy
def test_a_terminal_is_told_of_a_long_compilation_once(tmp_path):
    import numpy as np

    np.save(tmp_path / "in.npy", np.zeros((3, 3)))
    command = [UPSCALE, "in.npy", "out.npy", "--engine", "numba"]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    for cached in (False, True):
        leader, follower = pty.openpty()
        subprocess.run(command, cwd=tmp_path, env=environment, stderr=follower, timeout=300, check=True)
        os.close(follower)
        try:
            told = os.read(leader, 10000)
        except OSError:  # nothing was written before the other side closed
            told = b""
        os.close(leader)
        assert told.count(b"\n") == (0 if cached else 1), told
        assert (b"compiling" in told) != cached


@pytest.mark.parametrize("engine", ["numba", "numpy"])
def test_the_command_ends_with_its_status_and_all_that_it_said(tmp_path, engine):
    """Where Numba runs, or is still starting, the process leaves without taking it down."""
    source = SAMPLES / "potion.png"
    done = subprocess.run([UPSCALE, source, "-", "--engine", engine, "-v"], capture_output=True, timeout=300)
    assert done.returncode == 0
    assert done.stdout.endswith(b"IEND\xaeB`\x82")
    assert done.stderr.splitlines()[-1].startswith(b"upscale: seconds: ") or b"\nseconds: " in done.stderr
    (tmp_path / "cut.png").write_bytes(source.read_bytes()[:200])
    done = subprocess.run([UPSCALE, "cut.png", "out.png", "--engine", engine], cwd=tmp_path, capture_output=True, timeout=300)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and b"cut.png" in done.stderr
    assert not (tmp_path / "out.png").exists()

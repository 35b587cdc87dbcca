"""What is imported when, which engine is chosen, and what happens on the first run of a compiled loop."""

import os
import pty
import subprocess
import sys

import pytest
from helpers import SAMPLES, UPSCALE

from upscale.loops import engine
from upscale.loops.engine import Work, choose

HEAVY = ("numpy", "numba", "PIL")


def python(code, **options):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, **options)


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


def test_the_rule(monkeypatch):
    monkeypatch.delitem(sys.modules, "upscale.loops.compiled", raising=False)
    monkeypatch.setattr(engine, "_spent", 0.0)
    assert choose("auto", Work("nn", 4096, 65536)).name == "numpy"
    assert choose("auto", Work("nn", 10**9, 4 * 10**9)).name == "numba"
    assert choose("auto", Work("tconv", 4096, 65536, 8)).name == "numpy"
    assert choose("auto", Work("tconv", 10**6, 10**8, 8)).name == "numba"
    assert choose("auto", Work("tconv", engine.TCONV_PIXELS, 8 * 10**6, 2)).name == "numba"
    assert choose("numpy", Work("tconv", 10**9, 10**9, 8)) == ("numpy", "asked for")
    monkeypatch.setitem(sys.modules, "upscale.loops.compiled", object())  # Numba runs already
    assert choose("auto", Work("nn", 10**6, 4 * 10**6)).name == "numba"
    assert choose("auto", Work("nn", 64, 256)).name == "numpy"


@pytest.mark.parametrize("function", ["unpool_nearest", "enlarge", "conv_transpose2d"])
def test_who_calls_again_and_again_gets_numba(function, monkeypatch):
    import numpy as np

    import upscale
    from upscale.loops import numpy_loops

    ran = []
    monkeypatch.delitem(sys.modules, "upscale.loops.compiled", raising=False)
    monkeypatch.setattr(engine, "_spent", 0.0)
    monkeypatch.setattr(engine, "NUMBA_SECONDS", 0.001)
    monkeypatch.setattr(engine.Engine, "loops", lambda self: ran.append(self.name) or numpy_loops)
    array = np.zeros((150, 200), np.float32)
    arguments = (array, 2) if function != "conv_transpose2d" else (array[None], np.ones((1, 1, 1, 1)))
    for _ in range(20):
        getattr(upscale, function)(*arguments)
    assert ran == sorted(ran, reverse=True)
    assert set(ran) == {"numpy", "numba"}


def test_loops_from_the_cache_need_nothing_to_compile_with():
    code = """
import sys
import numpy as np
import upscale
from upscale import engines
engines.NUMBA_SECONDS = engines.WARM_SECONDS = 0
picture = np.zeros((9, 9, 3), np.uint8)
upscale.unpool_nearest(picture, 2)
for kernel in ("bicubic", "adaptive"):
    upscale.enlarge(picture, 2, method="tconv", kernel=kernel)
upscale.conv_transpose2d(np.zeros((1, 1, 9, 9), np.float32), np.zeros((1, 1, 4, 4)), stride=2)
print("upscale.loops.compiled" in sys.modules, sorted(m for m in sys.modules if m.startswith("numba.np.array")))
"""
    assert [python(code).stdout for _ in range(2)][1] == "True []\n"


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


COMPILE = """
import sys
import numba.core.caching
{before}
from upscale.commands.enlarge import run
sys.exit(run(["in.npy", "out.npy", "--engine", "numba", "-v"]))
"""


@pytest.mark.heavy
def test_an_unwritable_cache_folder_is_no_error(tmp_path):
    import numpy as np

    np.save(tmp_path / "in.npy", np.zeros((3, 3)))
    done = python(COMPILE.format(before="numba.core.caching.CacheImpl._locator_classes = []"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "no cache folder can be written" in done.stderr
    assert np.load(tmp_path / "out.npy").shape == (6, 6)


@pytest.mark.heavy
def test_a_terminal_is_told_of_a_long_compilation_once(tmp_path):
    import numpy as np

    np.save(tmp_path / "in.npy", np.zeros((3, 3)))
    command = [UPSCALE, "in.npy", "out.npy", "--engine", "numba"]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    for cached in (False, True):
        leader, follower = pty.openpty()
        subprocess.run(command, cwd=tmp_path, env=environment, stderr=follower, timeout=120, check=True)
        os.close(follower)
        try:
            told = os.read(leader, 10000)
        except OSError:  # nothing was written before the other side closed
            told = b""
        os.close(leader)
        assert told.count(b"\n") == (0 if cached else 1), told
        assert (b"compiling" in told) != cached


def test_numba_may_start_while_something_else_is_done():
    code = (
        "from upscale import engines; engines.begin(); engines.begin(); "
        "print(engines.choose('numba', engines.Work('nn', 1, 1)).loops().__name__)"
    )
    assert python(code).stdout.splitlines()[-1] == "upscale.loops.compiled"


@pytest.mark.parametrize("engine", ["numba", "numpy"])
def test_the_command_ends_with_its_status_and_all_that_it_said(tmp_path, engine):
    """Where Numba runs, or is still starting, the process leaves without taking it down."""
    source = SAMPLES / "potion.png"
    done = subprocess.run([UPSCALE, source, "-", "--engine", engine, "-v"], capture_output=True, timeout=120)
    assert done.returncode == 0
    assert done.stdout.endswith(b"IEND\xaeB`\x82")
    assert done.stderr.splitlines()[-1].startswith(b"upscale: seconds: ") or b"\nseconds: " in done.stderr
    (tmp_path / "cut.png").write_bytes(source.read_bytes()[:200])
    done = subprocess.run([UPSCALE, "cut.png", "out.png", "--engine", engine], cwd=tmp_path, capture_output=True, timeout=120)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and b"cut.png" in done.stderr
    assert not (tmp_path / "out.png").exists()

"""Which engine is chosen, how Numba starts, and what happens where it cannot."""

import os
import subprocess
import sys

import numpy as np
import pytest
from helpers import UPSCALE, pixels
from PIL import Image

import upscale
from upscale.errors import ArgumentError
from upscale.loops import engine
from upscale.loops.engine import CHOOSER, EngineChooser, Work


def python(code, **options):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, **options)


def test_the_rule():
    chooser = EngineChooser()
    assert chooser.choose("auto", Work("nn", 4096, 65536)).name == "numpy"
    assert chooser.choose("auto", Work("nn", 10**9, 4 * 10**9)).name == "numba"
    assert chooser.choose("auto", Work("nn", 10**7, 4 * 10**7)).name == "numpy"
    assert chooser.choose("auto", Work("nn", 10**7, 4 * 10**7, png=12 * 10**7)).name == "numba"
    assert chooser.choose("auto", Work("tconv", 4096, 65536, 8)).name == "numpy"
    assert chooser.choose("auto", Work("tconv", 10**6, 10**8, 8)).name == "numba"
    assert chooser.choose("auto", Work("tconv", engine.TCONV_PIXELS, 8 * 10**6, 2)).name == "numba"
    assert chooser.choose("numpy", Work("tconv", 10**9, 10**9, 8)) == ("numpy", "asked for")
    chooser.expect(10**6)  # of many pictures to come, all count
    assert chooser.choose("auto", Work("nn", 4096, 65536)).name == "numba"
    chooser.expect(0)
    assert chooser.has_numba()  # from now on it runs
    assert chooser.choose("auto", Work("nn", 10**6, 4 * 10**6)).name == "numba"
    assert chooser.choose("auto", Work("nn", 64, 256)).name == "numpy"


@pytest.mark.parametrize("function", ["unpool_nearest", "enlarge", "conv_transpose2d"])
def test_who_calls_again_and_again_gets_numba(function, monkeypatch):
    ran = []

    class Chooser(EngineChooser):
        def load(self, wanted, work):
            chosen, loops = super().load(wanted, work)
            ran.append(chosen.name)
            return chosen, loops

    monkeypatch.setattr(engine, "NUMBA_SECONDS", 0.001)
    for module in ("nearest_plan", "enlarge", "conv_transpose"):
        monkeypatch.setattr(f"upscale.operators.{module}.CHOOSER", Chooser())
    array = np.zeros((150, 200), np.float32)
    arguments = (array, 2) if function != "conv_transpose2d" else (array[None], np.ones((1, 1, 1, 1)))
    for _ in range(20):
        getattr(upscale, function)(*arguments)
    assert ran == sorted(ran, reverse=True)
    assert set(ran) == {"numpy", "numba"}


def test_numba_may_start_while_something_else_is_done():
    code = (
        "from upscale.loops.engine import CHOOSER, Work; CHOOSER.start_early(); CHOOSER.start_early(); "
        "print(CHOOSER.load('numba', Work('nn', 1, 1))[1].__name__)"
    )
    assert python(code).stdout.splitlines()[-1] == "upscale.loops.compiled"


def test_threads_limit_the_compiled_loops():
    code = """
import numba
from upscale import threads
from upscale.loops.engine import CHOOSER, Work
CHOOSER.load("numba", Work("nn", 1, 1))
before = numba.get_num_threads()
threads.use(1)
CHOOSER.load("numba", Work("nn", 1, 1))
print(before == numba.config.NUMBA_NUM_THREADS, numba.get_num_threads())
"""
    assert python(code).stdout == "True 1\n"


@pytest.fixture
def without_numba(tmp_path):
    """Return an environment in which Numba is installed and cannot be imported, as beside a NumPy that is too new for it."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "numba.py").write_text("raise ImportError('Numba needs NumPy 2.2 or less')\n")
    path = os.pathsep.join(filter(None, [str(tmp_path / "broken"), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path}


def test_without_numba_numpy_computes_and_the_user_is_told(tmp_path, without_numba):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (1448, 1448), np.uint8)).save(tmp_path / "in.png")
    command = [UPSCALE, "in.png", "out.png", "-m", "tconv", "-k", "bilinear"]
    done = subprocess.run(command, cwd=tmp_path, env=without_numba, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1
    assert "Numba cannot be imported (Numba needs NumPy 2.2 or less)" in done.stderr
    want = upscale.enlarge(pixels(tmp_path / "in.png"), 2, "tconv", "bilinear", engine="numpy")
    assert np.array_equal(pixels(tmp_path / "out.png"), want)


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["upscale", "in.png", "out.png", "--engine", "numba"], 1),
        (["upscale-compare", "in.png", "-o", "out.png", "-k", "nn,bilinear"], 0),
    ],
)
def test_without_numba_no_traceback_is_seen(tmp_path, without_numba, command, status):
    Image.new("RGB", (9, 8)).save(tmp_path / "in.png")
    command[0] = UPSCALE.removesuffix("upscale") + command[0]
    done = subprocess.run(command, cwd=tmp_path, env=without_numba, capture_output=True, text=True, timeout=300)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr and "Error" not in done.stderr
    assert done.stderr.count("\n") == status
    assert ("Numba cannot be imported" in done.stderr) == bool(status)
    assert (tmp_path / "out.png").exists() != bool(status)


def test_without_numba_the_library_works(without_numba):
    code = """
import numpy as np
import upscale
from upscale.loops import engine
engine.NUMBA_SECONDS = 0
print(upscale.enlarge(np.ones((4, 4)), 2, "tconv", "bicubic").shape, upscale.unpool_nearest([[1]], 2).shape)
print(upscale.conv_transpose2d(np.ones((1, 4, 4)), np.ones((1, 1, 2, 2)), stride=2).shape)
try:
    upscale.enlarge(np.ones((4, 4)), 2, engine="numba")
except upscale.ArgumentError as error:
    print(error)
"""
    assert python(code, env=without_numba).stdout.splitlines() == [
        "(8, 8) (2, 2)",
        "(1, 8, 8)",
        "engine numba: Numba cannot be imported (Numba needs NumPy 2.2 or less); use engine auto",
    ]


def test_engines_that_do_not_exist():
    with pytest.raises(ArgumentError, match="engine must be one of"):
        upscale.conv_transpose2d(np.ones((1, 4, 4)), np.ones((1, 1, 2, 2)), engine="gpu")


def test_the_process_has_one_chooser():
    from upscale.batch import run_task, worker
    from upscale.operators import conv_transpose, enlarge, nearest_plan

    assert {id(m.CHOOSER) for m in (run_task, worker, conv_transpose, enlarge, nearest_plan)} == {id(CHOOSER)}

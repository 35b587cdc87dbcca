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
    assert chooser.choose("auto", Work("nn", 10**7, 4 * 10**7, png=16 * 10**7)).name == "numba"
    assert chooser.choose("auto", Work("tconv", 4096, 65536, 8)).name == "numpy"
    assert chooser.choose("auto", Work("tconv", 10**6, 10**8, 8)).name == "numba"
    assert chooser.choose("auto", Work("tconv", engine.TCONV_PIXELS, 8 * 10**6, 2)).name == "numba"
    assert chooser.choose("numpy", Work("tconv", 10**9, 10**9, 8))[:2] == ("numpy", "asked for")
    chooser.expect(10**6)  # of many pictures to come, all count
    assert chooser.choose("auto", Work("nn", 4096, 65536)).name == "numba"
    chooser.expect(0)
    assert chooser.has_numba()  # from now on it runs
    assert chooser.choose("auto", Work("nn", 10**6, 4 * 10**6)).name == "numba"
    assert chooser.choose("auto", Work("nn", 64, 256)).name == "numpy"


class Ready:
    """Stands for the marks of loops that are compiled."""

    def __init__(self, *names):
        self.names = set(names)

    def missing(self, loops):
        return loops - self.names

    def has_any(self, families):
        return any(name.startswith(families) for name in self.names)


class Compiler:
    """Stands for the background process, and records what it was started for."""

    def __init__(self):
        self.possible, self.running, self.reason, self.lost = True, False, "", []

    def is_possible(self):
        return self.possible

    def is_running(self):
        return self.running

    def failure(self):
        return self.reason

    def add_lost(self, seconds, expected, loops):
        self.lost.append((seconds, expected, loops))
        self.running = True


SEPARABLE = Work("tconv", 10**6, 10**8, 8, loops=frozenset({"separable uint8"}))
LARGE = Work("tconv", engine.TCONV_PIXELS, 8 * 10**6, 2, loops=SEPARABLE.loops)


@pytest.fixture
def waiting():
    """Return the chooser of a command, and what it asks."""
    chooser = EngineChooser(Ready(), Compiler())
    chooser.background = True
    return chooser, chooser._ready, chooser._compiler


def test_a_command_does_not_wait_for_compiling(waiting):
    chooser, ready, compiler = waiting
    for work in (SEPARABLE, LARGE):
        name, why, lost = chooser.choose("auto", work)
        assert (name, lost) == ("numpy", work.numpy_seconds())
        assert why == "the loops are not compiled yet; NumPy has cost little time so far"
    assert not compiler.lost  # to choose has no consequences
    chosen, loops = chooser.load("auto", SEPARABLE)
    assert loops.__name__ == "upscale.loops.numpy_loops"
    assert chosen.why == "the loops are not compiled yet; they are being compiled in the background"
    assert compiler.lost == [(SEPARABLE.numpy_seconds(), SEPARABLE.numpy_seconds(), SEPARABLE.loops)]
    assert "numba" not in chooser.choose("auto", LARGE).name
    ready.names |= SEPARABLE.loops
    assert chooser.choose("auto", SEPARABLE).name == chooser.choose("auto", LARGE).name == "numba"


def test_a_small_picture_loses_nothing(waiting):
    chooser, _, compiler = waiting
    small = Work("nn", 4096, 65536, loops=frozenset({"nearest"}))
    for _ in range(100):
        assert chooser.load("auto", small)[0].name == "numpy"
    assert compiler.lost == []


def test_a_batch_counts_what_follows(waiting):
    chooser, _, compiler = waiting
    small = Work("tconv", 4096, 65536, 8, loops=SEPARABLE.loops)
    chooser.expect(10**6)
    chooser.load("auto", small)
    assert compiler.lost[0][:2] == (small.numpy_seconds(), small.numpy_seconds() * (1 + 10**6))


def test_what_was_asked_for_does_not_wait(waiting):
    chooser, _, compiler = waiting
    assert chooser.load("numba", SEPARABLE)[0].name == "numba"
    assert chooser.choose("auto", SEPARABLE).name == "numba"  # it has been compiled in this process
    assert chooser.load("numpy", SEPARABLE)[0].name == "numpy"
    assert compiler.lost == []


def test_png_alone_may_wait(waiting):
    chooser, ready, compiler = waiting
    ready.names |= SEPARABLE.loops
    chosen, loops = chooser.load("auto", SEPARABLE.for_png(10**9))
    assert chosen.name == "numba" and loops is chooser.png_loops("numba", loops)
    assert chooser.png_loops("auto", loops).__name__ == "upscale.loops.numpy_loops"
    assert compiler.lost[0][0] == pytest.approx(10**9 * engine.PNG_BYTE) and compiler.lost[0][2] == {"png"}
    ready.names.add("png")
    assert chooser.png_loops("auto", loops) is loops
    chooser.load("auto", SEPARABLE.for_png(10**9))
    assert len(compiler.lost) == 1


@pytest.mark.parametrize("seconds", [12, 14])
def test_where_no_process_can_compile_compiling_counts(waiting, seconds):
    chooser, _, compiler = waiting
    compiler.possible = False
    work = SEPARABLE._replace(size=round(seconds / (engine.TCONV_SAMPLE + 8 * engine.TCONV_TAP)))
    name, why, lost = chooser.choose("auto", work)
    assert name == ("numba" if seconds > engine.COMPILE_SECONDS["separable"] else "numpy") and lost == 0
    assert "to start and to compile" in why
    assert chooser.choose("auto", LARGE).name == "numpy"
    if name == "numba":
        chooser.load("auto", work)
        assert chooser.choose("auto", LARGE).name == "numba"  # from now on, in this process
    assert compiler.lost == []


def test_a_failure_in_the_background_is_a_reason(waiting):
    chooser, _, compiler = waiting
    compiler.reason = "Numba cannot be imported (too old)"
    assert chooser.load("auto", SEPARABLE)[0][:2] == ("numpy", compiler.reason)
    assert chooser.unusable == compiler.reason and compiler.lost == []


def test_numba_is_started_early_only_if_it_is_of_use(waiting):
    chooser, ready, _ = waiting
    assert not chooser.can_start(("separable", "dense"))
    ready.names.add("dense float32")
    assert chooser.can_start(("separable", "dense")) and not chooser.can_start(("nearest",))
    assert EngineChooser(Ready(), Compiler()).can_start(("nearest",))  # of a library's user


def test_numba_takes_over_only_what_is_worth_its_start(waiting):
    chooser, ready, _ = waiting
    assert chooser.look_again("auto", SEPARABLE) is None
    ready.names |= SEPARABLE.loops
    assert chooser.look_again("auto", SEPARABLE.part(0.01)) is None
    assert chooser.look_again("numpy", SEPARABLE) is None
    chosen, loops = chooser.look_again("auto", SEPARABLE.part(0.9))
    assert chosen.name == "numba" and loops.__name__ == "upscale.loops.compiled"


def test_the_library_compiles_at_once():
    chooser = EngineChooser(Ready(), Compiler())
    assert chooser.choose("auto", SEPARABLE).name == chooser.choose("auto", LARGE).name == "numba"


@pytest.mark.parametrize("method", ["nn", "tconv"])
def test_loops_that_become_ready_take_over_within_a_picture(waiting, monkeypatch, method):
    from upscale.kernels.load import load_kernel
    from upscale.operators import enlarge_picture
    from upscale.operators.methods import Request
    from upscale.operators.parameters import Operator
    from upscale.pictures.picture import Picture

    chooser, ready, _ = waiting
    monkeypatch.setattr(engine, "NUMBA_SECONDS", 0)
    monkeypatch.setattr(enlarge_picture, "CHOOSER", chooser)
    samples = np.random.default_rng(0).integers(0, 256, (700, 900), np.uint8)
    chosen = []

    def watch(engine, loops):
        chosen.append(engine.name)
        monkeypatch.setattr(loops, "nearest" if method == "nn" else "separable", counted(loops))

    def counted(loops):
        real = getattr(loops, "nearest" if method == "nn" else "separable")

        def run(*arguments):
            chosen.append(loops.__name__.rpartition(".")[2])
            ready.names |= {"nearest", "separable uint8"}  # while NumPy computes the first rows
            return real(*arguments)

        return run

    operator = None if method == "nn" else Operator(load_kernel("bicubic", (2, 2)), (2, 2))
    enlarging = enlarge_picture.Enlargement(Picture(samples), Request((2, 2), operator), watch=watch)
    assert np.array_equal(enlarging.whole().samples, upscale.enlarge(samples, 2, method, None if method == "nn" else "bicubic"))
    assert chosen[:4] == ["numpy", "numpy_loops", "numba", "compiled"]


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
    environment = without_numba | {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "UPSCALE_BACKGROUND_COMPILE": "1"}
    in_background = (
        "import os, sys; sys.argv[1:] = '0'; from upscale.loops.ready_loops import ReadyLoops; "
        "os.makedirs(ReadyLoops().folder()); from upscale.operators.precompile_in_background import main; main()"
    )
    # Not from the repository's folder, which may have another copy of the package than the one that is installed.
    assert python(in_background, env=environment, cwd="/").stderr == ""
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
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

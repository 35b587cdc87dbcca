"""Marks that loops are compiled: found without Numba, in the folders that Numba uses, and only if nothing has changed."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from upscale.loops import cache_folders
from upscale.loops.cache_folders import cache_key, readable_folders, writable_folder
from upscale.loops.ready_loops import ReadyLoops

LOOPS = frozenset({"separable uint8", "png"})


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Return the folder that is the cache, which does not exist yet."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_marks_are_seen_by_other_processes(cache):
    assert ReadyLoops().missing(LOOPS) == LOOPS
    ReadyLoops().mark({"png", "store float32 uint8"})
    assert ReadyLoops().missing(LOOPS) == {"separable uint8"}
    assert ReadyLoops().has_any(("store",)) and not ReadyLoops().has_any(("dense", "separable"))
    shutil.rmtree(cache)  # with the machine code
    assert ReadyLoops().missing(LOOPS) == LOOPS


def test_it_looks_at_most_once_a_second(cache, monkeypatch):
    clock = Clock()
    ready = ReadyLoops(clock)
    assert ready.missing(LOOPS)
    ReadyLoops().mark(LOOPS)
    clock.now += 0.9
    assert ready.missing(LOOPS) == LOOPS
    clock.now += 0.2
    assert not ready.missing(LOOPS)
    monkeypatch.setattr("upscale.loops.ready_loops.readable_folders", lambda: pytest.fail("it has looked again"))
    clock.now += 9
    assert not ready.missing(LOOPS)  # what is known is not looked for


@pytest.mark.parametrize(
    "change",
    [
        ("upscale.loops.cache_folders._release", lambda package: b"another release"),
        ("upscale.loops.cache_folders._processor", lambda: "another processor"),
        ("upscale.loops.cache_folders._sources", lambda: iter([("separable.py", 1, 2)])),
        ("numpy.__version__", "another release"),
        ("sys.version", "another release"),
    ],
    ids=lambda change: change[0],
)
def test_after_a_change_nothing_is_ready(cache, monkeypatch, change):
    ReadyLoops().mark(LOOPS)
    assert not ReadyLoops().missing(LOOPS)
    monkeypatch.setattr(*change)
    assert ReadyLoops().missing(LOOPS) == LOOPS


def test_another_target_for_numba_is_another_key(monkeypatch):
    before = cache_key()
    assert cache_key() == before
    monkeypatch.setenv("NUMBA_CPU_NAME", "generic")
    assert cache_key() != before


def test_an_edit_of_any_loop_is_another_key(tmp_path, monkeypatch):
    for name in ("a.py", "b.py", "b.nbi"):
        (tmp_path / name).write_text("1")
        os.utime(tmp_path / name, (10, 10))
    monkeypatch.setattr(cache_folders, "_SOURCES", str(tmp_path))
    keys = [cache_key()]
    (tmp_path / "b.nbi").write_text("22")
    os.utime(tmp_path / "b.py", (10.5, 10.5))
    assert cache_key() == keys[0]
    (tmp_path / "b.py").write_text("22")
    os.utime(tmp_path / "b.py", (10, 10))
    keys.append(cache_key())
    os.utime(tmp_path / "a.py", (12, 12))
    assert len({*keys, cache_key()}) == 3


def test_the_key_knows_the_libraries_and_the_processor():
    assert b"version" in cache_folders._release("numba") and b"version" in cache_folders._release("llvmlite")
    assert cache_folders._processor()
    if sys.platform == "linux" and os.uname().machine == "x86_64":
        assert any(line.startswith("flags") and "sse2" in line for line in cache_folders._processor())


def test_without_proc_there_is_a_key(monkeypatch):
    real = open
    monkeypatch.setattr(
        "builtins.open", lambda path, *rest, **options: real(str(path).replace("/proc", "/nowhere"), *rest, **options)
    )
    assert len(cache_key()) == 8


def test_folders_that_cannot_be_written_are_read(cache, tmp_path, monkeypatch):
    package, user = tmp_path / "loops", tmp_path / "user"
    (package / "__pycache__").mkdir(parents=True)
    monkeypatch.setattr(cache_folders, "_SOURCES", str(package))
    monkeypatch.setattr(cache_folders, "_user_folder", lambda: str(user))
    read_only = set()
    real = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode, **o: not (mode & os.W_OK and str(path) in read_only) and real(path, mode)
    )
    assert writable_folder() == str(cache) and readable_folders() == [str(cache)]
    cache.mkdir()
    ReadyLoops().mark({"png"})
    read_only.add(str(cache))  # as in the image of a container
    assert writable_folder() == str(package / "__pycache__")
    assert readable_folders() == [str(cache), str(package / "__pycache__")]
    assert not ReadyLoops().missing(frozenset({"png"}))
    read_only.add(str(package / "__pycache__"))
    assert readable_folders() == [str(cache), str(package / "__pycache__"), str(user)]
    ReadyLoops().mark({"nearest"})
    assert not ReadyLoops().missing(frozenset({"png", "nearest"}))
    read_only.add(str(user))
    assert writable_folder() is None and ReadyLoops().folder() is None
    ReadyLoops().mark({"dense float32"})  # which is no error
    assert ReadyLoops().missing(LOOPS) == {"separable uint8"}


def test_the_folders_are_numbas(tmp_path):
    """Where new machine code would go is where Numba puts it."""
    code = """
from upscale.loops import compiled
from upscale.loops.cache_folders import writable_folder
print(compiled.nearest.stats.cache_path, writable_folder(), sep="\\n")
"""
    for variable in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        environment = {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"} | {variable: str(tmp_path / variable)}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
        numbas, ours = done.stdout.splitlines()
        assert numbas.startswith(ours), done.stderr


def test_a_plan_names_its_loops():
    from upscale.kernels.load import load_kernel
    from upscale.operators.methods import Request, make_plan
    from upscale.operators.parameters import Operator

    def loops(dtype, kernel=None, **options):
        array = np.zeros((5, 5, 4), dtype)
        operator = None if kernel is None else Operator(load_kernel(kernel, (2, 2)), (2, 2))
        return make_plan(array, Request((2, 2), operator), array.dtype, **options).work.loops

    assert loops("float64") == {"nearest"}
    assert loops("uint8", "bicubic") == {"separable uint8"}
    assert loops("int16", "bicubic") == {"separable float32", "store float32 int16"}
    assert loops("uint16", "bicubic", alpha=True) == {
        "premultiply float64",
        "separable float64",
        "store float64 uint16",
        "unpremultiply float64",
    }
    assert loops("uint8", "adaptive") == {"correct float32", "dense float32", "store float32 uint8"}


def test_reading_a_key_is_quick(cache):
    """It is read before any large picture."""
    code = """
import time
import numpy
from upscale.loops.ready_loops import ReadyLoops
best = 1.0
for _ in range(9):
    began = time.perf_counter()
    ReadyLoops().missing(frozenset({"png"}))
    best = min(best, time.perf_counter() - began)
import sys
print(best, "numba" in sys.modules)
"""
    best, numba = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60).stdout.split()
    assert float(best) < 0.005 and numba == "False"

"""The library in threads and in other processes, in whatever way they are started: each script runs in a process of its own."""

import importlib
import os
import subprocess
import sys

import pytest

from upscale.loops.engine import EngineChooser, Work

#: What runs before each script: the same work in the parent, where Numba runs, and in whatever the script starts.
WORK = """
import multiprocessing, os, signal, sys, threading
import numpy as np
import upscale

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
KERNEL = upscale.Kernel([[1, 3, 3, 1]] * 2, factor=2)

def enlarge(engine="auto", kernel="bicubic"):
    return upscale.enlarge(PICTURE, 2, "tconv", kernel, engine=engine)

def refused(kernel):
    try:
        enlarge("numba", kernel)
    except upscale.ArgumentError as error:
        return error

def fork(check):
    child = os.fork()
    if not child:
        signal.alarm(300)  # it may wait for ever
        try:
            os._exit(0 if check() else 2)
        finally:
            os._exit(3)
    status = os.waitpid(child, 0)[1]
    assert status == 0, status
    return True
"""


def run(tmp_path, script, *arguments, **environment):
    """Run a script with all warnings as errors, but for the one that Python has for every fork beside threads."""
    (tmp_path / "script.py").write_text(WORK + script)
    command = [sys.executable, "-W", "error", "-W", "ignore:This process:DeprecationWarning", "script.py", *arguments]
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, **environment}, capture_output=True, text=True, timeout=400)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


POOL = """
from concurrent.futures import ProcessPoolExecutor

if __name__ == "__main__":
    want, other = enlarge("numba"), enlarge("numba", KERNEL)
    with ProcessPoolExecutor(2, multiprocessing.get_context(sys.argv[1])) as pool:
        assert all(np.array_equal(got, want) for got in pool.map(enlarge, ["auto"] * 4))
        assert np.array_equal(pool.submit(enlarge, "auto", KERNEL).result(), other)
        print(pool.submit(refused, KERNEL).result())
    assert np.array_equal(enlarge("numba"), want)
"""


@pytest.mark.heavy
@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_a_pool_of_processes(tmp_path, method):
    """Kernels and errors are pickled on their way."""
    reason = (
        "engine numba: Numba ran before this process was forked, and its threads do not survive a fork "
        "(use spawn or forkserver)"
    )
    assert run(tmp_path, POOL, method).strip() == (f"{reason}; use engine auto" if method == "fork" else "None")


@pytest.mark.heavy
def test_a_forked_process_uses_numba_where_its_threads_survive(tmp_path):
    """Also while other threads run loops."""
    script = """
if __name__ == "__main__":
    want = enlarge("numba")
    threads = [threading.Thread(target=lambda: [enlarge("numba", KERNEL) for _ in range(200)]) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        fork(lambda: np.array_equal(enlarge("numba"), want) and np.array_equal(enlarge(), want))
    for thread in threads:
        thread.join()
"""
    run(tmp_path, script, NUMBA_THREADING_LAYER="workqueue")


@pytest.mark.heavy
def test_a_process_forked_before_numba_runs_may_use_it(tmp_path):
    script = """
want = enlarge()
fork(lambda: np.array_equal(enlarge("numba"), want))
fork(lambda: fork(lambda: np.array_equal(enlarge("numba"), want)))
"""
    run(tmp_path, script)


@pytest.mark.heavy
def test_a_process_forked_beside_threads_of_another_librarys_numba(tmp_path):
    script = """
enlarge()
import numba
numba.get_num_threads()  # starts them
fork(lambda: refused("bicubic"))
assert enlarge("numba").shape == (80, 100, 3)
"""
    run(tmp_path, script)


@pytest.mark.heavy
def test_a_process_forked_while_numba_starts(tmp_path):
    """The thread that starts it holds locks of Python's, which nobody would release in the child."""
    script = """
from upscale.loops import engine
import upscale.operators.transposed_plan
want = enlarge()
engine.NUMBA_SECONDS = engine.WARM_SECONDS = 0  # it is wanted for whatever is done
engine.CHOOSER.start_early()
fork(lambda: np.array_equal(enlarge(), want))
assert np.array_equal(enlarge(), want)
"""
    run(tmp_path, script)


THREADS = """
from concurrent.futures import ThreadPoolExecutor
want = {kernel: enlarge("numpy", kernel) for kernel in ("bicubic", "1,2;3,5")}
barrier = threading.Barrier(4)

def work(number):
    barrier.wait()
    for _ in range(20):
        for kernel in want:
            assert np.array_equal(enlarge("numba", kernel), want[kernel])

with ThreadPoolExecutor(4) as pool:
    list(pool.map(work, range(4)))
import numba
print(numba.threading_layer())
"""


@pytest.mark.heavy
@pytest.mark.parametrize("layer", ["omp", "workqueue"])
def test_threads(tmp_path, layer):
    """Numba's workqueue layer, which it takes where no OpenMP is installed, ends a process whose threads use it at once."""
    if layer == "omp":
        try:
            importlib.import_module("numba.np.ufunc.omppool")
        except ImportError as error:  # no libgomp
            pytest.skip(f"no OpenMP: {error}")
    assert run(tmp_path, THREADS, NUMBA_THREADING_LAYER=layer).strip() == layer


@pytest.mark.heavy
def test_asyncio(tmp_path):
    script = """
import asyncio

async def main():
    loop = asyncio.get_running_loop()
    return await asyncio.gather(*(loop.run_in_executor(None, enlarge, engine) for engine in ("numba", "numpy", "auto") * 4))

first, *others = asyncio.run(main())
assert all(np.array_equal(first, other) for other in others)
"""
    run(tmp_path, script)


def test_without_the_threading_layer_that_the_environment_names(tmp_path):
    script = 'print(refused("bicubic")); print(enlarge().shape)'
    reason, shape = run(tmp_path, script, NUMBA_THREADING_LAYER="nothing").splitlines()
    assert reason.startswith("engine numba: Numba cannot start its threads (") and reason.endswith("; use engine auto")
    assert shape == "(80, 100, 3)"


@pytest.mark.peers
@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_a_data_loader_of_pytorch(tmp_path, method):
    pytest.importorskip("torch", reason="needs the extra `peers`")
    script = """
import torch

class Pictures(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, number):
        return torch.from_numpy(enlarge())

if __name__ == "__main__":
    want = enlarge("numba")
    loader = torch.utils.data.DataLoader(Pictures(), batch_size=4, num_workers=2, multiprocessing_context=sys.argv[1])
    assert all(np.array_equal(picture, want) for batch in loader for picture in batch.numpy())
"""
    run(tmp_path, script, method)


def test_the_chooser_in_a_forked_process():
    chooser = EngineChooser()
    chooser.has_numba()
    chooser.after_fork_in_child()
    engine, loops = chooser.load("auto", Work("tconv", 10**9, 10**9, 8))
    assert (engine.name, loops.__name__) == ("numpy", "upscale.loops.numpy_loops")
    assert "forked" in engine.why

"""What several tests need: the real command, and pictures."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from upscale import loops, loops_numpy

# What runs in the background of a shell is told to ignore this, and so would be every command that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "sample_images"
UPSCALE = str(Path(sys.executable).with_name("upscale"))

ENGINES = pytest.mark.parametrize("engine", [loops, loops_numpy], ids=["numba", "numpy"])


#: Where loops are compiled, which takes seconds for each type of picture.
COMPILING = ("adaptive", "conv_transpose", "library", "loops", "nearest", "operator", "properties", "transposed", "vectors")


def pytest_collection_modifyitems(items):
    """Put tests that compile first: of two processes, one then compiles while the other one does what is no loop's matter."""
    items.sort(key=lambda item: item.path.stem.removeprefix("test_") not in COMPILING)


def run(*arguments, cwd=None, stdin=None, env=None):
    """Run the installed command; standard output stays bytes, for it may be a picture."""
    return subprocess.run([UPSCALE, *map(str, arguments)], cwd=cwd, input=stdin, capture_output=True, env=env, timeout=120)


def ok(*arguments, **options):
    """Run the command, which must succeed."""
    done = run(*arguments, **options)
    assert done.returncode == 0, done.stderr.decode()
    return done


def command(name):
    """Make `run` and `ok` for another command of the package, whose output is text."""
    path = str(Path(sys.executable).with_name(name))

    def run(*arguments, cwd=None):
        return subprocess.run([path, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=120)

    def ok(*arguments, cwd=None):
        done = run(*arguments, cwd=cwd)
        assert done.returncode == 0, done.stderr
        return done

    return run, ok


@pytest.fixture
def rgb(tmp_path):
    """Return the path of a small RGB picture, 7 wide and 5 high."""
    path = tmp_path / "in.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)).save(path)
    return path

"""Fixtures, and the order in which tests run."""

import os
import signal

# Before NumPy is imported, here and in the commands: as many tests run at once as there are cores, and threads of OpenBLAS that
# wait for each other keep the cores busy. What learns kernels takes a quarter of the time so.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# No test leaves a process behind; those of compiling in the background turn it on.
os.environ["UPSCALE_BACKGROUND_COMPILE"] = "0"

import numpy as np
import pytest
from PIL import Image

# What runs in the background of a shell is told to ignore this, and so would be every command that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

#: OutputFolders whose tests compile loops, which takes seconds for each type of picture.
COMPILING = ("loops", "operators", "learning")


def pytest_collection_modifyitems(items):
    """Put tests that compile first: of two processes, one then compiles while the other one does what is no loop's matter."""
    items.sort(key=lambda item: item.path.parent.name not in COMPILING)


@pytest.fixture
def rgb(tmp_path):
    """Return the path of a small RGB picture, 7 wide and 5 high."""
    path = tmp_path / "in.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)).save(path)
    return path

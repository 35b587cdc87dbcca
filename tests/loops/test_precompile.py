"""`upscale --precompile`: all loops for all types are compiled, so that nothing later is."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import SAMPLES, UPSCALE

#: Prints how many pieces of machine code were compiled by what was done before.
MISSES = """
from upscale.loops import compiled
print([(loop.__name__, signature) for loop in compiled.LOOPS for signature in loop.stats.cache_misses])
"""

#: What a user may do: every type of samples, with every kind of kernel, in one piece or in bands.
LIBRARY = """
import numpy as np
from PIL import Image
import upscale

dense = np.arange(9.0).reshape(3, 3) ** 2
rank_2 = np.outer(range(1, 17), range(2, 18)) + np.outer(np.eye(16)[0], np.eye(16)[0])
for dtype in "uint8 int8 uint16 int16 uint32 int32 uint64 int64 float16 float32 float64 >u2".split():
    for shape in ((9, 8), (9, 8, 3)):
        picture = np.ones(shape, dtype)
        upscale.enlarge(picture, 2, engine="numba")
        for kernel in ("bicubic", "adaptive", dense, rank_2, np.asfortranarray(dense)):
            upscale.enlarge(picture, 2, "tconv", kernel, engine="numba")
    upscale.enlarge(picture, 2, "tconv", np.ones((3, 2, 3, 3)), engine="numba")
for mode in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I;16", "I", "F"):
    image = Image.new("L", (8, 9)).convert(mode)
    for kernel in ("bicubic", "adaptive", dense):
        upscale.enlarge(image, 2, "tconv", kernel, engine="numba", linear=mode in ("L", "RGBA"))
for dtype in "int32 float32 float64".split():
    weight = np.ones((2, 3, 4, 4), dtype)
    weight.flags.writeable = False
    upscale.conv_transpose2d(np.ones((2, 2, 5, 5), dtype), weight, np.ones(3), 2, engine="numba")
"""

COMMAND = """
import sys
from upscale.commands.enlarge import run
assert run(sys.argv[1:]) == 0
"""


@pytest.mark.stress
def test_nothing_is_compiled_afterwards(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}

    def run(*command):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=500)
        assert done.returncode == 0, done.stderr
        return done.stdout

    first, second = (
        re.match(r"(\d+) loops are ready in (.*), (\d+) of them newly compiled\n", run(UPSCALE, "--precompile")) for _ in "12"
    )
    assert Path(first[2]).is_relative_to(tmp_path / "cache") and first[2] == second[2]
    assert first[1] == first[3] == second[1] and int(first[1]) > 20
    assert second[3] == "0"
    assert run(sys.executable, "-c", LIBRARY + MISSES) == "[]\n"
    np.save(tmp_path / "deep.npy", np.zeros((30, 40, 3), np.uint16))
    bicubic, dense = ["-m", "tconv", "-k", "bicubic"], ["-m", "tconv", "-k", "1,2;3,5", "--depth", "16", "--linear"]
    for source, outputs, ways in (
        (SAMPLES / "potion.png", ("png", "tif", "npy"), ([], bicubic, dense)),
        (SAMPLES / "cat.png", ("png", "tif"), ([], bicubic, dense)),
        (SAMPLES / "villager.gif", ("gif", "png"), ([], bicubic)),
        ("deep.npy", ("png", "tif", "npy"), ([], bicubic)),
    ):
        for output in outputs:
            for options in ways:
                arguments = [str(source), f"out.{output}", "--engine", "numba", "--factor", "2", *options]
                assert run(sys.executable, "-c", COMMAND + MISSES, *arguments) == "[]\n", arguments


NOWHERE = """
import sys
import numba.core.caching
numba.core.caching.CacheImpl._locator_classes = []
from upscale.commands.enlarge import run
sys.exit(run(sys.argv[1:]))
"""


def test_where_nothing_can_be_kept(tmp_path):
    done = subprocess.run([sys.executable, "-c", NOWHERE, "--precompile"], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1 and "set NUMBA_CACHE_DIR to a writable folder" in done.stderr

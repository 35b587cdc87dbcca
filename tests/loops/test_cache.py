"""The cache of machine code: it loads fast, notices edits, survives damage, and works without undocumented names of Numba's."""

import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import pytest

import upscale


def python(code, **options):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=400, **options)


@pytest.mark.heavy
def test_loops_from_the_cache_need_nothing_to_compile_with():
    code = """
import sys
import numpy as np
import upscale
from upscale.loops import engine
engine.NUMBA_SECONDS = engine.WARM_SECONDS = 0
picture = np.zeros((9, 9, 3), np.uint8)
upscale.unpool_nearest(picture, 2)
for kernel in ("bicubic", "adaptive"):
    upscale.enlarge(picture, 2, method="tconv", kernel=kernel)
upscale.conv_transpose2d(np.zeros((1, 1, 9, 9), np.float32), np.zeros((1, 1, 4, 4)), stride=2)
print("upscale.loops.compiled" in sys.modules, sorted(m for m in sys.modules if m.startswith("numba.np.array")))
"""
    assert [python(code).stdout for _ in range(2)][1] == "True []\n"


#: Compiles the smallest loop, or loads it, and prints which.
SMALLEST = """
import os, sys
{before}
import numpy as np
from upscale.loops import compiled
from upscale.loops.compile_notice import compile_notice
picture = np.full((2, 3, 2), 2, np.float32)
with compile_notice(lambda: print("compiling")):
    compiled.premultiply(picture)
assert picture[0, 0].tolist() == [4, 2]
stats = compiled.premultiply.stats
print(sum(stats.cache_hits.values()), sum(stats.cache_misses.values()), compiled.CACHED)
"""


def smallest(folder, before="", package=None):
    """Run the smallest loop in a new process: "loaded" or "compiled"."""
    environment = {
        "NUMBA_CACHE_DIR": str(folder),
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(package or Path(upscale.__path__[0]).parent),
    }
    done = python(SMALLEST.format(before=before), env=environment, cwd="/")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    said = done.stdout.removeprefix("compiling\n").strip()  # where it takes more than a second
    return {"1 0 True": "loaded", "0 1 True": "compiled"}.get(said, said)


@pytest.mark.heavy
def test_it_is_loaded_the_next_time(tmp_path):
    assert [smallest(tmp_path) for _ in range(2)] == ["compiled", "loaded"]


#: No folder below these can be written.
READ_ONLY = """
import os, tempfile
access, temporary = os.access, tempfile.TemporaryFile

def refused(dir=None, **options):
    if str(dir).startswith({folders!r}):
        raise PermissionError(13, "Permission denied")
    return temporary(dir=dir, **options)

def may(path, mode, **options):
    return not (mode & os.W_OK and str(path).startswith({folders!r})) and access(path, mode, **options)

tempfile.TemporaryFile, os.access = refused, may
"""


@pytest.mark.heavy
def test_a_folder_that_cannot_be_written_is_loaded_from(tmp_path):
    """As in the image of a container that was prepared by another user, or is read-only."""
    nowhere, cache = READ_ONLY.format(folders=("/",)), tmp_path / "cache"
    # A copy without the loops that other tests have compiled beside the package.
    shutil.copytree(upscale.__path__[0], tmp_path / "package" / "upscale", ignore=shutil.ignore_patterns("__pycache__"))
    assert smallest(cache, package=tmp_path / "package") == "compiled"
    assert smallest(cache, nowhere, tmp_path / "package") == "1 0 False"  # loaded; other loops lie nowhere
    shutil.rmtree(cache)
    cache.mkdir()
    assert smallest(cache, nowhere, tmp_path / "package") == "0 1 False"


@pytest.mark.heavy
def test_what_a_read_only_folder_lacks_is_kept_in_the_users_cache(tmp_path):
    cache = tmp_path / "cache"
    assert smallest(cache) == "compiled"
    before = READ_ONLY.format(folders=(str(cache), upscale.__path__[0]))
    before += f"os.environ['XDG_CACHE_HOME'] = {str(tmp_path / 'user')!r}\n"
    for index in cache.rglob("*premultiply*.nbi"):
        index.write_bytes(b"garbage")
    assert [smallest(cache, before) for _ in range(2)] == ["compiled", "loaded"]
    assert list((tmp_path / "user").rglob("*premultiply*.nbc"))


INDEXES = {
    "garbage": lambda index: b"garbage",
    "empty": lambda index: b"",
    "cut off": lambda index: index[:-20],
    # As after an upgrade in which a class that stood in a signature has another name.
    "a class that is gone": lambda index: pickle.dumps(numba.__version__) + b"cupscale.gone\nRows\n.",
}


@pytest.mark.heavy
@pytest.mark.parametrize(
    "change", [pytest.param(c, id=n, marks=[] if n == "garbage" else pytest.mark.heavy) for n, c in INDEXES.items()]
)
def test_an_index_that_cannot_be_read_is_replaced(tmp_path, change):
    assert smallest(tmp_path) == "compiled"
    for index in tmp_path.rglob("*premultiply*.nbi"):
        index.write_bytes(change(index.read_bytes()))
    assert [smallest(tmp_path) for _ in range(2)] == ["compiled", "loaded"]


@pytest.mark.heavy
def test_machine_code_that_cannot_be_read_is_replaced(tmp_path):
    assert smallest(tmp_path) == "compiled"
    for code in tmp_path.rglob("*premultiply*.nbc"):
        code.write_bytes(code.read_bytes()[:1000])
    assert [smallest(tmp_path) for _ in range(2)] == ["compiled", "loaded"]


@pytest.mark.heavy
def test_an_edit_of_any_file_of_the_loops_is_noticed(tmp_path):
    """Functions of one file are compiled into the loops of another."""
    shutil.copytree(upscale.__path__[0], tmp_path / "copy" / "upscale", ignore=shutil.ignore_patterns("__pycache__", "*.npz"))
    cache, loops = tmp_path / "cache", tmp_path / "copy" / "upscale" / "loops"
    assert smallest(cache, package=tmp_path / "copy") == "compiled"
    assert smallest(cache, package=tmp_path / "copy") == "loaded"
    with open(loops / "tables.py", "a") as file:
        file.write("\nCHANGED = True\n")
    assert smallest(cache, package=tmp_path / "copy") == "compiled"
    stamps = python(STAMPS, env={"PYTHONPATH": str(tmp_path / "copy")}, cwd="/").stdout.split()
    assert len(stamps) == len(set(stamps)) == len(list(loops.glob("*.py"))) + 1


#: Prints the checksum of the folder of loops before and after an edit of each file.
STAMPS = """
from pathlib import Path
from upscale.loops import numba_private
print(numba_private._stamp.__wrapped__()[1])
for path in Path(numba_private.__file__).parent.glob("*.py"):
    path.write_text(path.read_text() + "EDITED = True")
    print(numba_private._stamp.__wrapped__()[1])
"""


#: Undocumented names of Numba's are taken away from `numba_private`, before it is imported.
GONE = {
    "modules": """
import builtins
real = builtins.__import__
def imported(name, globals=None, *rest):
    if name.startswith("numba.core") and globals and globals.get("__name__") == "upscale.loops.numba_private":
        raise ImportError(name)
    return real(name, globals, *rest)
builtins.__import__ = imported
""",
    "the stamp": """
import numba.core.caching as c
class Other(c.IndexDataCacheFile):
    def __getattribute__(self, name):
        if name == "_source_stamp" and sys._getframe(1).f_code.co_name == "_improve":
            raise AttributeError(name)
        return super().__getattribute__(name)
c.IndexDataCacheFile = Other
""",
    "loading": """
import numba.core.caching as c
c.Cache._load = c.Cache._load_overload
c.Cache.load_overload = lambda self, signature, context: context.refresh() or self._load(signature, context)
del c.Cache._load_overload
""",
}


@pytest.mark.parametrize("before", GONE.values(), ids=GONE)
@pytest.mark.heavy
def test_everything_works_where_numba_has_other_private_names(tmp_path, before):
    assert [smallest(tmp_path, before) for _ in range(2)] == ["compiled", "loaded"]


COMPILE = """
import sys
import numba.core.caching
{before}
from upscale.commands.enlarge import run
from upscale.loops.engine import CHOOSER
CHOOSER.background, CHOOSER.logs = True, False  # as in the command, which says it in its own way
sys.exit(run(["in.npy", "out.npy", "--engine", "numba"]))
"""


@pytest.mark.heavy
def test_an_unwritable_cache_folder_is_no_error(tmp_path):
    import numpy as np

    np.save(tmp_path / "in.npy", np.zeros((3, 3)))
    done = python(COMPILE.format(before="numba.core.caching.CacheImpl._locator_classes = []"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = "upscale: in.npy: no cache folder is writable, so code is compiled in every run; set NUMBA_CACHE_DIR"
    assert done.stderr.startswith(told) and done.stderr.count("NUMBA_CACHE_DIR") == 1
    assert np.load(tmp_path / "out.npy").shape == (6, 6)


@pytest.mark.parametrize("full", [False, True])
def test_machine_code_that_cannot_be_saved_is_reported(full):
    from types import SimpleNamespace

    from upscale.loops.numba_private import _repaired

    def save(data):
        if full:
            raise OSError(28, "No space left on device")

    lost = []
    _repaired(SimpleNamespace(flush=lambda: None), save, b"", failed=lambda: lost.append(1))
    assert lost == [1] * full

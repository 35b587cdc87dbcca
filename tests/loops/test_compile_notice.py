"""The notice of long compiling: in all, once, and for users of the library by logging."""

import logging
import subprocess
import sys
import time

import numba
import pytest

from upscale.loops import compile_notice
from upscale.loops.compile_notice import log_compiling


@pytest.fixture
def slow():
    """Return a function that makes Numba compile for at least so many seconds."""

    def compile_for(seconds):
        with numba.core.event.trigger_event("numba:compile"):
            time.sleep(seconds)

    return compile_for


def test_seconds_of_compiling_add_up_and_others_do_not(slow):
    shown = []
    with compile_notice.compile_notice(lambda: shown.append(1), after=0.3):
        slow(0.1)
        time.sleep(0.4)
        assert not shown
        slow(0.1)
        assert not shown
        slow(0.3)
        assert shown == [1]
        slow(0.5)
    slow(0.5)
    assert shown == [1]


def test_the_library_logs_one_warning(slow, caplog):
    with compile_notice._logging:  # which ends it, too
        log_compiling(True, after=0.05)
        slow(0.2)
        slow(0.2)
    assert [(r.name, r.levelno) for r in caplog.records] == [("upscale", logging.WARNING)]
    assert caplog.records[0].getMessage().endswith("once; later runs load them from the cache")


@pytest.mark.heavy
@pytest.mark.parametrize("cached", [False, True])
def test_a_user_of_the_library_is_told(tmp_path, cached):
    code = """
import numpy as np
import upscale
upscale.enlarge(np.zeros((9, 9), np.uint8), 2, "tconv", "bicubic", engine="numba")
"""
    environment = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": ":".join(sys.path)}
    for turn in range(1 + cached):
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
        told = "upscale is compiling its loops for this processor, once; later runs load them from the cache\n"
        assert done.stderr == ("" if turn else told)

"""Compiling in the background: when it is started, that there is one at a time, and what becomes of it."""

import os
import subprocess
import sys
import time

import pytest

from upscale.loops import background_compile
from upscale.loops.background_compile import BackgroundCompile
from upscale.loops.ready_loops import ReadyLoops

LOOPS = frozenset({"png", "separable uint8"})


class Process:
    """Stands for a process that was started; `pid` is that of the test."""

    def __init__(self, command):
        self.command, self.pid = command, os.getpid()
        Process.started.append(self)

    def poll(self):
        return None


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the folder of the marks; processes are not really started."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv(background_compile.VARIABLE, "1")
    monkeypatch.setattr(background_compile, "_detached", Process)
    Process.started = []
    path = ReadyLoops().folder()
    return tmp_path / "cache" / os.path.basename(path)


def new():
    return BackgroundCompile(ReadyLoops())


def test_it_is_started_when_a_second_was_lost(folder):
    assert new().is_possible() and not new().is_running()
    assert [new().add_lost(0.3, 0.3, LOOPS) for _ in range(3)] == [False] * 3  # by three commands
    assert not Process.started
    assert new().add_lost(0.3, 0.3, LOOPS)
    assert [p.command[-3:] for p in Process.started] == [["5", *sorted(LOOPS)]]
    assert new().is_running()
    assert not (folder / "lost").exists()


@pytest.mark.parametrize(("expected", "niceness"), [(5, "5"), (15, "0")])
def test_a_long_batch_starts_it_at_once(folder, expected, niceness):
    """And has it hurry if the batch will last longer than compiling."""
    assert new().add_lost(0.01, expected, LOOPS)
    assert [p.command[-3] for p in Process.started] == [niceness]


def test_of_one_process_no_time_counts_twice(folder):
    assert not new().add_lost(0.4, 0.4, LOOPS)
    assert not new().add_lost(0.4, 0.8, LOOPS)
    assert not Process.started


def test_a_sprite_never_starts_it(folder):
    for _ in range(1000):
        assert not new().add_lost(0.0005, 0.0005, LOOPS)


def test_there_is_one_at_a_time(folder):
    assert all(new().add_lost(2, 2, LOOPS) for _ in range(3))
    assert len(Process.started) == 1
    new().end("")
    assert not new().is_running() and new().failure() == ""
    assert new().add_lost(2, 2, LOOPS)
    assert len(Process.started) == 2


def test_another_command_was_faster(folder, monkeypatch):
    real = os.open

    def late(path, *rest, **options):
        if str(path).endswith("compiling"):
            (folder / "compiling").write_text("")
        return real(path, *rest, **options)

    monkeypatch.setattr(os, "open", late)
    assert new().add_lost(2, 2, LOOPS) and not Process.started


@pytest.mark.skipif(os.name != "posix", reason="there is no harmless signal")
def test_one_that_was_killed_is_replaced(folder):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    new().add_lost(2, 2, LOOPS)
    host = (folder / "compiling").read_text().partition(" ")[2]
    (folder / "compiling").write_text(f"{dead.pid} {host}")
    assert not new().is_running()
    (folder / "compiling").write_text(f"{dead.pid} another-machine")
    assert new().is_running()
    (folder / "compiling").write_text(f"{dead.pid} {host}")
    assert new().add_lost(2, 2, LOOPS)
    assert len(Process.started) == 2 and (folder / "compiling").read_text() == f"{os.getpid()} {host}"


def test_one_that_makes_no_progress_is_replaced(folder):
    new().add_lost(2, 2, LOOPS)
    ago = time.time() - 601
    os.utime(folder / "compiling", (ago, ago))
    assert not new().is_running()
    new().go_on()
    assert new().is_running()


def test_a_failure_is_kept_for_a_day(folder):
    new().add_lost(2, 2, LOOPS)
    new().end("Numba cannot be imported\n(too old)")
    assert not new().is_running()
    assert new().failure() == "Numba cannot be imported (too old)"
    ago = time.time() - 86401
    os.utime(folder / "failed", (ago, ago))
    assert new().failure() == ""


def test_it_can_be_turned_off(folder, monkeypatch):
    monkeypatch.setenv(background_compile.VARIABLE, "0")
    assert not new().is_possible()


def test_where_nothing_can_be_kept_it_is_not_started(folder, monkeypatch):
    monkeypatch.setattr("upscale.loops.ready_loops.writable_folder", lambda: None)
    compiler = new()
    assert not compiler.is_possible()
    assert not compiler.add_lost(9, 9, LOOPS) and not Process.started
    compiler.end("")  # and nothing of this is an error


def test_a_folder_that_only_looks_writable(folder, monkeypatch):
    folder.parent.write_text("a file")
    monkeypatch.setattr("upscale.loops.ready_loops.writable_folder", lambda: str(folder.parent))
    compiler = new()
    assert compiler.is_possible()
    assert not compiler.add_lost(9, 9, LOOPS)
    assert not compiler.is_possible()


def test_no_process_can_be_started(folder, monkeypatch):
    def refused(command):
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(background_compile, "_detached", refused)
    compiler = new()
    assert not compiler.add_lost(9, 9, LOOPS)
    assert not compiler.is_possible() and not new().is_running()


def test_damaged_files_are_no_error(folder):
    folder.mkdir(parents=True)
    (folder / "lost").write_bytes(b"\xff")
    (folder / "compiling").write_bytes(b"\xff")
    assert new().is_running()  # until it is too old
    (folder / "compiling").unlink()
    assert not new().add_lost(0.5, 0.5, LOOPS) and new().add_lost(0.6, 0.6, LOOPS)


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_the_process_holds_nothing_of_the_commands(tmp_path):
    """It has its own session, no pipe, and no current folder that somebody may want to unmount."""
    code = f"""
import sys, os
from upscale.loops.background_compile import _detached
_detached([sys.executable, "-c", '''
import os, time
facts = os.getsid(0) == os.getpid(), os.getcwd(), [os.readlink(f"/proc/self/fd/{{n}}") for n in range(3)]
with open({str(tmp_path / "facts")!r}, "w") as file:
    file.write(repr(facts))
time.sleep(3)
'''])
os._exit(0)
"""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, timeout=60, check=True)
    assert time.monotonic() - began < 3 and done.stderr == b""
    for _ in range(100):
        if (tmp_path / "facts").exists() and (tmp_path / "facts").read_text():
            break
        time.sleep(0.05)
    assert (tmp_path / "facts").read_text() == repr((True, "/", ["/dev/null"] * 3))

"""An output appears whole or not at all, in the right place, with the right permissions."""

import os
import signal
import stat
import subprocess
import sys
import time

import numpy as np
import pytest
from helpers import UPSCALE, ok, run
from PIL import Image

from upscale.errors import FileError
from upscale.output_files import replacing


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permissions_follow_the_umask(tmp_path, rgb, mask):
    before = os.umask(mask)
    try:
        ok(rgb, tmp_path / "out.png")
    finally:
        os.umask(before)
    assert mode(tmp_path / "out.png") == 0o666 & ~mask


def test_a_replaced_file_keeps_its_permissions(tmp_path, rgb):
    out = tmp_path / "out.png"
    out.write_text("before")
    out.chmod(0o640)
    ok(rgb, out)
    assert mode(out) == 0o640
    assert out.read_bytes().startswith(b"\x89PNG")


def test_a_links_target_is_replaced_and_not_the_link(tmp_path, rgb):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "target.png").write_text("before")
    for link, target in (("link.png", "deep/target.png"), ("dangling.png", "deep/new.png")):
        (tmp_path / link).symlink_to(target)
        ok(rgb, tmp_path / link)
        assert (tmp_path / link).is_symlink()
        assert (tmp_path / target).read_bytes().startswith(b"\x89PNG")


def test_devices_and_pipes_are_written_to(tmp_path, rgb):
    ok(rgb, "/dev/null")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen([UPSCALE, rgb, pipe]) as process:
        data = pipe.read_bytes()
        assert process.wait(60) == 0
    assert data.startswith(b"\x89PNG")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert ok(rgb, "/dev/stdout").stdout == data


def test_long_and_strange_names(tmp_path, rgb):
    for name in ("ü ∆ .png", "-f.png", "a" * 251 + ".png", "new\nline.png"):
        ok("--", rgb, name, cwd=tmp_path)
        assert (tmp_path / name).exists()


def test_a_failing_block_leaves_nothing_and_keeps_what_was(tmp_path):
    out = tmp_path / "out"
    out.write_text("before")
    with pytest.raises(KeyError), replacing(str(out)) as file:
        file.write(b"half")
        raise KeyError
    assert out.read_text() == "before"
    with pytest.raises(FileError, match="no space left"), replacing(str(out)) as file:
        raise OSError(28, "No space left on device")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_full_disk(tmp_path, rgb):
    resource = pytest.importorskip("resource")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)).save(tmp_path / "noise.png")

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    done = subprocess.run(
        [UPSCALE, "noise.png", "out.png"], cwd=tmp_path, preexec_fn=limit, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 1
    assert "out.png: cannot be written: file too large" in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.png", "noise.png"]


@pytest.mark.parametrize(
    ("number", "status", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
@pytest.mark.parametrize("when", ["at the start", "as it writes"])
def test_signals_leave_nothing(tmp_path, number, status, word, when):
    Image.new("RGB", (6000, 5000)).save(tmp_path / "in.png")  # large enough that it is not done before the signal comes
    command = [UPSCALE, "in.png", "out.png", "-f", "4", "-m", "tconv", "-k", "bicubic"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(0.02)
        while when == "as it writes" and len(list(tmp_path.iterdir())) == 1:  # until the output is begun
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(number)
        _, text = process.communicate(timeout=300)
    if when == "as it writes":  # before the first of our own lines, Python itself answers
        assert "Traceback" not in text
        assert process.returncode == status
        assert word in text
    assert [p.name for p in tmp_path.iterdir()] == ["in.png"]


def test_what_an_interrupt_met_is_left_as_it_is():
    """LLVM frees some things twice where Python cleans up what was just being handed over."""
    code = """
import signal
import click
from upscale import signals
from upscale.commands import console

class Half:
    def __del__(self):
        print("cleaned up", flush=True)

@click.command()
def command():
    half = Half()
    raise signals.Interrupted(signal.SIGTERM)

print(console.run(command, "it", []), flush=True)
import os
os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout == "143\n"


def test_a_reader_that_leaves_early(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)).save(tmp_path / "in.png")
    done = subprocess.run(["sh", "-c", f'"{UPSCALE}" in.png - | head -c 10'], cwd=tmp_path, capture_output=True, timeout=300)
    assert len(done.stdout) == 10
    assert done.stderr == b""


def test_standard_input_that_is_the_output(tmp_path, rgb):
    with rgb.open("rb") as file:
        done = subprocess.run([UPSCALE, "-", str(rgb)], stdin=file, capture_output=True, timeout=300)
    assert done.returncode == 2
    assert b"same file" in done.stderr


def test_standard_output_that_is_the_input(tmp_path, rgb):
    before = rgb.read_bytes()
    with rgb.open("ab") as file:
        done = subprocess.run([UPSCALE, str(rgb), "-"], stdout=file, stderr=subprocess.PIPE, timeout=300)
    assert done.returncode == 2
    assert rgb.read_bytes() == before


@pytest.mark.parametrize(("redirection", "word"), [(">&-", "output"), ("<&-", "input")])
def test_closed_streams(tmp_path, rgb, redirection, word):
    arguments = f'"{rgb}" -' if word == "output" else '- "out.png"'
    done = subprocess.run(
        ["sh", "-c", f'"{UPSCALE}" {arguments} {redirection}'], cwd=tmp_path, stderr=subprocess.PIPE, timeout=300
    )
    assert done.returncode == 1
    assert f"standard {word} is closed".encode() in done.stderr


def test_a_pipe_by_its_name(tmp_path, rgb):
    ok("/dev/stdin", tmp_path / "out.png", stdin=rgb.read_bytes())
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (14, 10)


def test_an_output_without_a_folder_is_told_before_the_work(tmp_path):
    Image.new("RGB", (3000, 3000)).save(tmp_path / "in.png")
    began = time.perf_counter()
    assert run("in.png", "missing/out.png", "-f", "4", cwd=tmp_path).returncode == 1
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_within_a_finalizer_is_not_lost(number):
    code = (
        "import os, sys, time; from upscale import signals; signals.interrupt()\n"
        f"class Closing:\n def __del__(self): os.kill(os.getpid(), {int(number)}); time.sleep(0.01)\n"
        "try:\n Closing(); time.sleep(20); print('lost')\n"
        "except signals.Interrupted as found: print(found.number)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout == f"{int(number)}\n"
    assert done.stderr == ""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer that sends signals")
def test_a_signal_that_is_dropped_comes_again():
    """C code that imports modules may drop what is raised within it."""
    code = """
import os, signal, time
from upscale import signals

signals._LOST_AFTER = 0.1
signals.interrupt()
try:
    os.kill(os.getpid(), signal.SIGTERM)
except signals.Interrupted:
    print("dropped")
try:
    time.sleep(100)
except signals.Interrupted as found:
    signals.arrived()
    print(found.number)
time.sleep(0.3)
print("once")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["dropped", str(int(signal.SIGTERM)), "once"], done.stderr

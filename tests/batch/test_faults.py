"""Whatever happens to a batch, each output is whole or absent, no other file stays, and the user is told."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from batches import begin, done, parts, pictures, wait_for, whole
from helpers import UPSCALE, ok, run
from PIL import Image

from upscale.errors import FileError
from upscale.output_files import new_token, part_of, remove_leftovers, replacing

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals and /proc")


def children(process):
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    return [int(n) for n in found.split()]


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("number", "status", "word"), [(signal.SIGINT, 130, b"interrupted"), (signal.SIGTERM, 143, b"terminated")]
)
def test_signals_end_a_busy_batch_within_a_second(tmp_path, number, status, word):
    source, out = pictures(tmp_path / "in", 12, (700, 700)), tmp_path / "out"
    process = begin(source, out, "-f", "8", "--compression", "small")
    wait_for(lambda: parts(out))
    time.sleep(0.3)
    workers = children(process)
    assert workers
    process.send_signal(number)
    began = time.monotonic()
    _, errors = process.communicate(timeout=300)
    assert time.monotonic() - began < 5  # a second on an idle machine; benchmarks/batch.py measures it
    assert process.returncode == status
    written = whole(out, source, 8)
    text = errors.splitlines()[-1]
    assert text.startswith(b"upscale: %s: %d written, %d not done" % (word, written, 12 - written)), errors
    assert not any(os.path.exists(f"/proc/{w}") for w in workers)


@pytest.mark.heavy
def test_an_interrupt_of_the_whole_terminal_is_told_once(tmp_path):
    source, out = pictures(tmp_path / "in", 12, (700, 700)), tmp_path / "out"
    process = begin(source, out, "-f", "8", "--compression", "small", start_new_session=True)
    wait_for(lambda: parts(out))
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 130
    assert errors.count(b"\n") == 1
    whole(out, source, 8)


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.heavy)]
)
def test_signals_that_come_again_and_reach_all_processes(tmp_path, number, status):
    source, out = pictures(tmp_path / "in", 12, (700, 700)), tmp_path / "out"
    for pause in (0, 0.01):
        process = begin(source, out, "-f", "8", "--compression", "small", start_new_session=True)
        wait_for(lambda: parts(out))
        for _ in range(4):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            time.sleep(pause)
        _, errors = process.communicate(timeout=300)
        assert process.returncode == status, errors
        assert b"Traceback" not in errors
        assert errors.count(b"\n") == 1
        assert f": {whole(out, source, 8)} written".encode() in errors
        shutil.rmtree(out)


@pytest.mark.heavy
def test_a_process_that_dies_costs_its_picture_only(tmp_path):
    source, out = pictures(tmp_path / "in", 10, (300, 300)), tmp_path / "out"
    process = begin(source, out, "-f", "4", "-j", "2", "--compression", "small")
    wait_for(lambda: parts(out))
    os.kill(children(process)[0], signal.SIGKILL)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert errors.count(b"its process ended unexpectedly (SIGKILL)") == 1
    assert b"9 written, 1 failed" in errors
    assert whole(out, source, 4) == 9


def kill_again_and_again(tmp_path, times):
    source, out = pictures(tmp_path / "in", 30, (200, 200)), tmp_path / "out"
    rng = random.Random(0)
    for _ in range(times):
        shutil.rmtree(out, ignore_errors=True)
        process = begin(source, out, "-j", "3", "-q")
        time.sleep(rng.uniform(0, 0.6))
        process.kill()
        process.communicate()
        left = parts(out)
        # No process outlives the one that was killed for longer than it takes to notice.
        again = run(source, out, "--skip-existing")
        assert again.returncode == 0, again.stderr
        assert whole(out, source) == 30, left


@pytest.mark.heavy
def test_ten_kills(tmp_path):
    kill_again_and_again(tmp_path, 10)


@pytest.mark.stress
def test_a_hundred_kills(tmp_path):
    kill_again_and_again(tmp_path, 100)


@pytest.mark.heavy
def test_a_kill_and_what_the_next_run_does(tmp_path):
    source, out = pictures(tmp_path / "in", 6, (400, 400)), tmp_path / "out"
    process = begin(source, out, "-f", "4", "--compression", "small")
    wait_for(lambda: parts(out))
    workers = children(process)
    process.kill()
    process.communicate()
    wait_for(lambda: not any(os.path.exists(f"/proc/{w}") for w in workers), 5)
    assert parts(out)
    ok(source, out, "-f", "4", "--skip-existing")
    assert whole(out, source, 4) == 6


def test_leftovers_are_told_from_what_is_being_written(tmp_path):
    path = str(tmp_path / "a.png")
    abandoned = Path(part_of(path, new_token()))
    abandoned.touch()
    elsewhere = tmp_path / ".upscale-0000000000000000-0123456789ab.part"
    elsewhere.touch()
    others = tmp_path / ".upscale-notes.part"
    others.touch()
    with replacing(path) as file:
        file.write(b"first half, ")
        assert remove_leftovers(str(tmp_path)) == 1
        file.write(b"second half")
    assert Path(path).read_bytes() == b"first half, second half"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([elsewhere.name, others.name, "a.png"])


def test_what_was_removed_too_early_is_made_again(tmp_path, monkeypatch):
    """Somebody takes the new file for abandoned between its making and its locking."""
    from upscale import output_files

    real, calls = output_files.fcntl.flock, []

    def flock(handle, how):
        calls.append(handle)
        if len(calls) == 1:
            for part in tmp_path.glob(".upscale-*"):
                part.unlink()
        real(handle, how)

    monkeypatch.setattr(output_files.fcntl, "flock", flock)
    with replacing(str(tmp_path / "a")) as file:
        file.write(b"x")
    assert len(calls) == 2
    assert (tmp_path / "a").read_bytes() == b"x"


def test_file_systems_without_locks_or_links(tmp_path, monkeypatch):
    from upscale import output_files

    def refuse(*arguments):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(output_files.fcntl, "flock", refuse)
    monkeypatch.setattr(os, "link", refuse)
    part = Path(part_of(str(tmp_path / "a"), "token"))
    part.touch()
    assert remove_leftovers(str(tmp_path)) == 0  # nobody can know
    with replacing(str(tmp_path / "a"), overwrite=False) as file:
        file.write(b"x")
    with pytest.raises(FileError, match="already exists"), replacing(str(tmp_path / "a"), overwrite=False) as file:
        file.write(b"y")
    assert (tmp_path / "a").read_bytes() == b"x"


def test_what_appears_meanwhile_is_not_overwritten(tmp_path):
    with pytest.raises(FileError, match="already exists"), replacing(str(tmp_path / "a"), overwrite=False) as file:
        (tmp_path / "a").write_bytes(b"first")
        file.write(b"second")
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"first"


@pytest.mark.parametrize("change", ["append", "replace", "vanish"])
def test_a_picture_that_changes_while_it_is_read(tmp_path, change):
    source = tmp_path / "in.png"
    Image.new("RGB", (50, 50)).save(source)

    def meanwhile(need):
        if change == "append":
            with open(source, "ab") as file:
                file.write(b"more")
        elif change == "replace":
            other = tmp_path / "other"
            Image.new("RGB", (9, 9)).save(other, "PNG")
            os.replace(other, source)
        else:
            source.unlink()

    if change == "append":
        with pytest.raises(FileError, match="changed while being read"):
            enlarge_one(source, tmp_path / "out.png", meanwhile)
        assert not (tmp_path / "out.png").exists()
    else:  # what was opened is still all there
        enlarge_one(source, tmp_path / "out.png", meanwhile)
        with Image.open(tmp_path / "out.png") as image:
            assert image.size == (100, 100)
    assert not list(tmp_path.glob(".upscale*"))


def enlarge_one(source, output, admit):
    from upscale.batch.make_requests import make_requests
    from upscale.batch.options import Options
    from upscale.batch.run_log import RunLog
    from upscale.batch.run_task import run_task
    from upscale.batch.task import Task
    from upscale.choices import MOST_OUTPUT_PIXELS, MOST_PIXELS
    from upscale.pictures.formats import FORMATS

    plain = dict.fromkeys(Options._fields)
    plain |= {"method": "nn", "engine": "numpy", "compression": "balanced", "layout": "hwc", "chroma": "same"}
    plain |= {"max_pixels": MOST_PIXELS, "max_output_pixels": MOST_OUTPUT_PIXELS}
    options = Options(**plain)
    task = Task(str(source), str(output), FORMATS[".png"])
    return run_task(task, options, make_requests(options), RunLog(), admit=admit)


def test_files_that_vanish_before_their_turn(tmp_path):
    source, out = pictures(tmp_path / "in", 40, (150, 150)), tmp_path / "out"
    process = begin(source, out, "-j", "1")
    wait_for(lambda: done(out))
    gone = {f"{i}.png" for i in range(40)} - set(done(out))
    for name in gone:
        (source / name).unlink(missing_ok=True)
    _, errors = process.communicate(timeout=300)
    text = errors.decode()
    failed = text.count("no such file")
    assert failed >= len(gone) - 3
    assert f"{40 - failed} written, {failed} failed" in text
    assert len(list(out.iterdir())) == 40 - failed


def limited_to(size):
    import resource

    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_files_that_may_not_grow(tmp_path):
    source, out = pictures(tmp_path / "in", 3, (200, 200)), tmp_path / "out"
    Image.new("RGB", (20, 20)).save(source / "small.png")
    process = begin(source, out, preexec_fn=limited_to(50_000))
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert errors.count(b"file too large") == 3
    assert b"1 written, 3 failed" in errors
    assert [p.name for p in out.iterdir()] == ["small.png"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may mount")
def test_a_full_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        source = pictures(tmp_path / "in", 4, (200, 200))
        done = run(source, disk / "out", "-j", "1")
        assert done.returncode == 1
        assert b"no space left" in done.stderr
        assert b"2 written, 2 failed" in done.stderr
        assert whole(disk / "out", source) == 2
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.heavy
def test_a_cache_of_loops_that_is_full_or_damaged(tmp_path):
    source, cache = pictures(tmp_path / "in", 1, (16, 16)), tmp_path / "cache"
    arguments = (source / "0.png", tmp_path / "out.png", "--engine", "numba")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}
    process = begin(*arguments, env=environment, preexec_fn=limited_to(10_000))
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors
    ok(*arguments, env=environment)
    damaged = 0
    for path in [p for p in cache.rglob("*") if p.is_file()]:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        damaged += 1
    assert damaged
    (tmp_path / "out.png").unlink()
    ok(*arguments, env=environment)
    assert (tmp_path / "out.png").exists()


def without_roots_rights(*arguments):
    """Begin the command as a user to whom permissions apply, as they do not to root."""
    if os.geteuid() != 0:
        return begin(*arguments)
    rights = "-dac_override,-dac_read_search"
    setpriv = ["setpriv", "--bounding-set", rights, "--inh-caps", rights]
    if not shutil.which("setpriv") or subprocess.run([*setpriv, "true"], capture_output=True).returncode:
        pytest.skip("root's rights cannot be given up here")
    return subprocess.Popen([*setpriv, UPSCALE, *map(str, arguments)], stderr=subprocess.PIPE)


@pytest.mark.heavy
def test_unreadable_files_and_unwritable_folders(tmp_path):
    source = pictures(tmp_path / "in", 3)
    (source / "0.png").chmod(0)
    (source / "locked").mkdir(mode=0)
    (tmp_path / "shut").mkdir(mode=0o555)
    denied = b"cannot be read: permission denied", b"locked: the folder cannot be opened: permission denied"
    for output, told in (
        ("out", [*denied, b"2 written, 2 failed"]),
        ("shut/out", [b"shut/out: the folder cannot be created: permission denied", b"0 written, 3 failed"]),
        ("shut", [b"the folder", b"shut is not writable", b"0 written, 3 failed"]),
    ):
        recursive = ["-r"] if output == "out" else []
        process = without_roots_rights(source, tmp_path / output, *recursive)
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 1
        for part in told:
            assert part in errors, errors
    assert whole(tmp_path / "out", source) == 2
    assert not list((tmp_path / "shut").iterdir())


@pytest.mark.parametrize("cold", [False, pytest.param(True, marks=pytest.mark.heavy)])
def test_two_commands_at_once(tmp_path, cold):
    source, out = pictures(tmp_path / "in", 20, (100, 100)), tmp_path / "out"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")} if cold else dict(os.environ)
    engine = ("--engine", "numba") if cold else ()
    both = [begin(source, out, *engine, env=environment) for _ in range(2)]
    for process in both:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    assert whole(out, source) == 20


def many(tmp_path, number):
    source = tmp_path / "in"
    source.mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 4), np.uint8)).save(source / "0.png")
    for i in range(1, number):
        os.link(source / "0.png", source / f"{i}.png")
    done = ok(source, tmp_path / "out", "-f", "4")
    assert f"{number} written; ".encode() in done.stderr
    assert len(os.listdir(tmp_path / "out")) == number
    contents = {(tmp_path / "out" / f"{i}.png").read_bytes() for i in range(0, number, 97)}
    assert len(contents) == 1


@pytest.mark.heavy
def test_a_thousand_tiny_files(tmp_path):
    many(tmp_path, 1000)


@pytest.mark.stress
def test_ten_thousand_tiny_files(tmp_path):
    many(tmp_path, 10_000)


@pytest.mark.stress
def test_a_very_large_picture(tmp_path):
    Image.MAX_IMAGE_PIXELS = None
    Image.new("L", (30_000, 30_000), 77).save(tmp_path / "in.png")
    assert run(tmp_path / "in.png", tmp_path / "out.png").returncode == 1
    ok(tmp_path / "in.png", tmp_path / "out.png", "--max-pixels", 900_000_000)
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (60_000, 60_000)
        assert image.crop((59_990, 59_990, 60_000, 60_000)).getcolors() == [(100, 77)]


@pytest.mark.heavy
def test_standard_output_that_is_closed_early(tmp_path):
    source = pictures(tmp_path / "in", 30)
    for command in (
        f"{UPSCALE} {source}/0.png - -f 20 | head -c 10 > {tmp_path}/head",
        f"{UPSCALE} {source} {tmp_path}/out --json | head -n 1 > {tmp_path}/line",
    ):
        done = subprocess.run(["sh", "-c", command], capture_output=True, timeout=300)
        assert b"Traceback" not in done.stderr
        assert b"Exception" not in done.stderr
    assert (tmp_path / "head").read_bytes() == b"\x89PNG\r\n\x1a\n\0\0"
    assert (tmp_path / "line").read_bytes().startswith(b'{"input"')
    whole(tmp_path / "out", source)


def test_the_current_folder_is_no_place_for_modules(tmp_path):
    """A file there that is named as a module is not run."""
    source = pictures(tmp_path / "in", 2)
    for name in ("numpy.py", "upscale.py", "random.py"):
        (source / name).write_text("raise SystemExit('run')")
    ok(".", tmp_path / "out", cwd=source)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(source / "__pycache__")
    assert whole(tmp_path / "out", source) == 2

"""Batches on a Dask cluster: a real scheduler and real workers, each a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from batches import begin, done, parts, pictures, wait_for, whole
from helpers import ok, run

pytest.importorskip("distributed")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals and /proc")

DASK = str(Path(sys.executable).with_name("dask"))


@pytest.fixture
def cluster(tmp_path):
    """Return a scheduler's address and two workers' processes, of one and two threads."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    home = tmp_path / "dask"
    home.mkdir()
    log = (home / "log").open("wb")
    common = {"cwd": home, "stdout": log, "stderr": log, "start_new_session": True}
    scheduler = ["scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    processes = [subprocess.Popen([DASK, *scheduler], **common)]
    for threads in (1, 2):
        worker = ["worker", address, "--nthreads", str(threads), "--no-nanny", "--no-dashboard", "--death-timeout", "60"]
        processes.append(subprocess.Popen([DASK, *worker], **common))
    wait_for(lambda: (home / "log").read_text().count("Registered to:") == 2, 60)
    yield address, processes[1:]
    for process in processes:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    log.close()


@pytest.mark.heavy
def test_the_same_files_as_on_one_machine(tmp_path, cluster):
    address, _ = cluster
    source = pictures(tmp_path / "in", 40, (90, 70))
    (source / "bad.png").write_text("")
    (source / "notes.txt").write_text("")
    (tmp_path / "k.txt").write_text("1 2 1\n2 4 2\n1 2 1\n")
    arguments = ("-m", "tconv", "-k", "k.txt", "--normalize")  # a path that only means something here
    here = run("in", "here", *arguments, cwd=tmp_path)
    there = run("in", "there", "--scheduler", address, *arguments, cwd=tmp_path)
    assert here.returncode == there.returncode == 1
    assert b"40 written, 1 failed, 1 not a picture" in there.stderr
    for path in (tmp_path / "here").iterdir():
        assert path.read_bytes() == (tmp_path / "there" / path.name).read_bytes()
    assert b"40 skipped" in run("in", "there", "--scheduler", address, *arguments, "--skip-existing", cwd=tmp_path).stderr


@pytest.mark.heavy
def test_a_lost_workers_files_are_done_again(tmp_path, cluster):
    address, workers = cluster
    source, out = pictures(tmp_path / "in", 12, (500, 500)), tmp_path / "out"
    process = begin(source, out, "-f", "4", "--compression", "small", "--scheduler", address)
    wait_for(lambda: done(out))
    workers[1].kill()
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert b"12 written;" in errors
    assert whole(out, source, 4) == 12


@pytest.mark.heavy
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_what_is_interrupted_stops_on_the_cluster_too(tmp_path, cluster, number, status):
    address, _ = cluster
    source, out = pictures(tmp_path / "in", 12, (900, 900)), tmp_path / "out"
    process = begin(source, out, "-f", "8", "--compression", "small", "--scheduler", address)
    wait_for(lambda: done(out), 60)
    process.send_signal(number)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == status
    if number == signal.SIGINT:
        assert b"interrupted: " in errors
        assert b"not done" in errors
        assert b"Traceback" not in errors
    wait_for(lambda: not parts(out), 20)
    time.sleep(1)
    number = whole(out, source, 8)
    assert 1 <= number < 12
    time.sleep(1)
    assert whole(out, source, 8) == number
    # The cluster is free for the next one.
    ok(source, out, "-f", "2", "--scheduler", address)
    assert whole(out, source, 2) == 12


@pytest.mark.heavy
def test_a_scheduler_that_is_not_there(tmp_path):
    source = pictures(tmp_path / "in", 2)
    for address, status in (("tcp://127.0.0.1:9", 1), ("nonsense", 2), ("tcp://127.0.0.1", 2)):
        done = run(source, tmp_path / "out", "--scheduler", address)
        assert done.returncode == status
        assert b"Traceback" not in done.stderr
        assert done.stderr.count(b"\n") == 1
        named = f"--scheduler {address}: no scheduler answers" if status == 1 else f"--scheduler: {address!r} is not an address"
        assert named.encode() in done.stderr

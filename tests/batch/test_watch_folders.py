"""`--watch` through the real command: files come, change and go in the ways of editors, copies and mounts."""

import contextlib
import json
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest
from batches import begin, parts
from helpers import blocked, larger, pixels, run
from PIL import Image

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals and /proc")
#: Seconds that a machine with much else to do may take for anything.
PATIENCE = 60


class Watching:
    """A command that watches, and what it has printed so far."""

    def __init__(self, *arguments, ready=True, read=True, **environment):
        self.process = begin(*arguments, "--watch", env={**os.environ, **environment})
        self.lines, self.objects = [], []
        streams = [(self.process.stderr, self.lines.append)]
        streams += [(self.process.stdout, lambda line: self.objects.append(json.loads(line)))] if read else []
        self._readers = [threading.Thread(target=self._read, args=stream) for stream in streams]
        for reader in self._readers:
            reader.start()
        if ready:
            self.wait_for(lambda: self.said("watching "))

    def _read(self, stream, keep):
        for line in stream:
            keep(line.decode().rstrip())

    def said(self, text):
        return sum(text in line for line in self.lines)

    def wait_for(self, condition):
        """Wait until a condition holds; a command that has ended makes it true no more."""
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end and self.process.poll() is None, "\n".join(self.lines)
            time.sleep(0.01)

    def end(self, number=signal.SIGINT):
        """Send a signal, and return the exit status and the last line."""
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            stream.close()
        assert not self.said("Traceback"), "\n".join(self.lines)
        return status, self.lines[-1] if self.lines else ""


@pytest.fixture
def watching():
    """Make commands that watch, none of which outlives its test."""
    started = []

    def start(*arguments, **options):
        started.append(Watching(*arguments, **options))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.end(signal.SIGKILL)


@pytest.fixture
def place(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in", tmp_path / "out"


def picture(seed, size=(9, 7), mode="RGB"):
    samples = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(samples).convert(mode)


def is_made(path, image):
    """Return whether an output is there and shows a picture; what is there must be whole."""
    try:
        found = pixels(path)
    except FileNotFoundError:
        return False
    return np.array_equal(found, larger(np.asarray(image)))


def save(path, seed, size=(9, 7)):
    image = picture(seed, size)
    image.save(path)
    return image


def test_files_come_in_many_ways(place, watching):
    source, out = place
    there = [save(source / f"there{n}.png", n) for n in range(3)]
    (source / "notes.txt").write_text("no picture")
    watch = watching(source, out)
    for n, image in enumerate(there):
        watch.wait_for(lambda n=n, image=image: is_made(out / f"there{n}.png", image))
    # Renamed into its place, as many editors save, from a hidden name and from one with another suffix.
    image = picture(10)
    image.save(source / ".hidden.png")
    (source / ".hidden.png").rename(source / "renamed.png")
    watch.wait_for(lambda: is_made(out / "renamed.png", image))
    image = picture(11)
    image.save(source / "renamed.png.Ab12Cd", "PNG")
    (source / "renamed.png.Ab12Cd").rename(source / "renamed.png")
    watch.wait_for(lambda: is_made(out / "renamed.png", image))
    # Saved again and again in its place.
    for seed in range(20, 24):
        image = save(source / "there0.png", seed)
        watch.wait_for(lambda: is_made(out / "there0.png", image))  # noqa: B023
    # Copied slowly, in pieces.
    data = (source / "there1.png").read_bytes()
    with open(source / "slow.png", "wb", buffering=0) as file:
        for begin in range(0, len(data), 40):
            file.write(data[begin : begin + 40])
            time.sleep(0.05)
    watch.wait_for(lambda: is_made(out / "slow.png", there[1]))
    # Removed again before it is complete.
    (source / "gone.png").write_bytes(data[:50])
    (source / "gone.png").unlink()
    # What was written under a name that programs use until a file is complete is no input.
    picture(12).save(source / "download.png.part", "PNG")
    last = save(source / "last.png", 13)
    watch.wait_for(lambda: is_made(out / "last.png", last))
    watch.wait_for(lambda: watch.said("last.png ->"))
    status, text = watch.end()
    assert status == 0, watch.lines
    assert text.startswith("upscale: watching ended: "), watch.lines
    assert not watch.said("failed") and not watch.said("not done")
    assert watch.said("in/there1.png -> ") == watch.said("in/slow.png -> ") == 1
    assert watch.said("9x7 -> 18x14") == watch.said(" -> ")
    assert sorted(os.listdir(out)) == sorted(["last.png", "renamed.png", "slow.png", "there0.png", "there1.png", "there2.png"])
    assert not watch.objects


def test_a_damaged_file_is_reported_once_and_enlarged_when_it_is_repaired(place, watching):
    source, out = place
    whole = picture(1)
    whole.save(source / "whole.png")
    data = (source / "whole.png").read_bytes()
    watch = watching(source, out, "--json")
    (source / "bad.png").write_bytes(data[: len(data) // 2])
    watch.wait_for(lambda: watch.said("bad.png: "))
    (source / "bad.png").write_bytes(data[: len(data) // 2 + 9])
    save(source / "next.png", 2)
    watch.wait_for(lambda: any(o["input"].endswith("next.png") for o in watch.objects))
    watch.wait_for(lambda: (source / "bad.png").stat())
    (source / "bad.png").write_bytes(data)
    watch.wait_for(lambda: is_made(out / "bad.png", whole))
    watch.wait_for(lambda: [o["status"] for o in watch.objects if o["input"].endswith("bad.png")] == ["failed", "written"])
    (source / "vector.svg").write_text("<svg/>")
    (source / "worse.png").write_bytes(data[:60])
    watch.wait_for(lambda: watch.said("worse.png: ") and watch.said("vector.svg: "))
    (source / "worse.png").unlink()
    save(source / "end.png", 3)
    watch.wait_for(lambda: is_made(out / "end.png", picture(3)))
    status, text = watch.end()
    assert status == 1 and "4 written, 1 failed;" in text, watch.lines
    assert watch.said("bad.png: ") == watch.said("vector.svg: ") == 1
    assert watch.said(" -> ") == 0, "what scripts read is enough"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_end_it_well(place, watching, number):
    source, out = place
    image = save(source / "a.png", 1)
    watch = watching(source, out, "--json")
    watch.wait_for(lambda: len(watch.objects) == 1)
    assert is_made(out / "a.png", image)
    status, text = watch.end(number)
    assert (status, text.partition(";")[0]) == (0, "upscale: watching ended: 1 written")


@pytest.mark.parametrize(
    ("number", "status", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_signals_that_interrupt_work(place, watching, number, status, word):
    source, out = place
    for n in range(6):
        picture(n, (900, 900)).save(source / f"{n}.png")
    watch = watching(source, out, "-f", "8", "--compression", "small", "-j", "1", ready=False)
    watch.wait_for(lambda: parts(out))
    ended, text = watch.end(number)
    assert ended == status
    written = len(os.listdir(out))
    assert f"upscale: {word}: {written} written, {6 - written} not done" in text
    assert not parts(out)


def test_the_folder_goes_and_returns(place, watching):
    source, out = place
    image = save(source / "a.png", 1)
    watch = watching(source, out)
    watch.wait_for(lambda: is_made(out / "a.png", image))
    # Removed and made again; its number in the file system may be the same.
    (source / "a.png").unlink()
    source.rmdir()
    watch.wait_for(lambda: watch.said("the folder is gone") == 1)
    source.mkdir()
    watch.wait_for(lambda: watch.said("the folder is back") == 1)
    image = save(source / "a.png", 2)
    watch.wait_for(lambda: is_made(out / "a.png", image))
    # Removed and made again at once.
    (source / "a.png").unlink()
    source.rmdir()
    source.mkdir()
    image = save(source / "a.png", 3)
    watch.wait_for(lambda: is_made(out / "a.png", image))
    # Another folder takes its place.
    other = source.with_name("other")
    other.mkdir()
    image = save(other / "a.png", 4)
    source.rename(source.with_name("before"))
    other.rename(source)
    watch.wait_for(lambda: is_made(out / "a.png", image))
    image = save(source / "b.png", 5)
    watch.wait_for(lambda: is_made(out / "b.png", image))
    # Away and back as it was: there is nothing to do.
    source.rename(other)
    watch.wait_for(lambda: watch.said("the folder is gone") >= 2)
    other.rename(source)
    watch.wait_for(lambda: watch.said("the folder is back") >= 2)
    image = save(source / "c.png", 6)
    watch.wait_for(lambda: is_made(out / "c.png", image))
    watch.wait_for(lambda: watch.said("c.png ->"))
    # The output folder, too, is made again.
    for path in out.iterdir():
        path.unlink()
    out.rmdir()
    image = save(source / "b.png", 7)
    watch.wait_for(lambda: is_made(out / "b.png", image))
    watch.wait_for(lambda: watch.said("b.png ->") == 2)
    assert watch.end()[0] == 0, watch.lines
    assert watch.said("a.png ->") == 4 and os.listdir(out) == ["b.png"]


def test_subfolders_and_an_output_inside_the_input(place, watching):
    source, _ = place
    out = source / "large"
    image = save(source / "a.png", 1)
    watch = watching(source, out, "-r", "--name", "{stem}@{factor}x{suffix}", "--format", "webp")
    watch.wait_for(lambda: is_made(out / "a@2x.webp", image))
    (source / "deep" / "deeper").mkdir(parents=True)
    image = save(source / "deep" / "deeper" / "b.png", 2)
    watch.wait_for(lambda: is_made(out / "deep" / "deeper" / "b@2x.webp", image))
    image = save(source / "deep" / "deeper" / "b.png", 3)
    watch.wait_for(lambda: is_made(out / "deep" / "deeper" / "b@2x.webp", image))
    # Two inputs that become one output fail, and nothing else does.
    save(source / "a.gif", 4)
    watch.wait_for(lambda: watch.said("would both become"))
    (source / "a.gif").unlink()
    image = save(source / "a.png", 5)
    watch.wait_for(lambda: is_made(out / "a@2x.webp", image))
    status, _ = watch.end()
    assert status == 0, watch.lines
    assert watch.said("would both become") == 1
    assert sorted(p.name for p in out.rglob("*.*")) == ["a@2x.webp", "b@2x.webp"]


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_outputs_beside_their_inputs_never_become_inputs(place, watching, suffix):
    source, _ = place
    save(source / f"a{suffix}", 1)
    watch = watching(source, source, "--name", "{stem}_large{suffix}")
    watch.wait_for(lambda: is_made(source / f"a_large{suffix}", picture(1)))
    save(source / f"a{suffix}", 2)
    # A .bmp cannot store a mark; that nobody has changed it since is known all the same.
    watch.wait_for(lambda: is_made(source / f"a_large{suffix}", picture(2)))
    (source / f"a{suffix}").unlink()
    save(source / f"b{suffix}", 3)
    watch.wait_for(lambda: is_made(source / f"b_large{suffix}", picture(3)))
    watch.wait_for(lambda: watch.said(f"b{suffix} ->"))
    status, text = watch.end()
    assert status == 0 and "3 written" in text, watch.lines
    assert sorted(os.listdir(source)) == sorted(f"{n}{suffix}" for n in ("a_large", "b", "b_large"))


def test_files_of_others_are_kept_and_settings_of_batches_hold(place, watching):
    source, out = place
    out.mkdir()
    mine = save(out / "a.png", 1)
    first, second = save(source / "a.png", 2), save(source / "b.png", 3)
    assert run(source / "b.png", out / "b.png").returncode == 0
    before = (out / "b.png").stat().st_mtime_ns
    watch = watching(source, out, "--skip-existing", "-v")
    watch.wait_for(lambda: watch.said("a.png already exists") and watch.said("b.png (18x14, factor 2, PNG): skipped"))
    assert np.array_equal(pixels(out / "a.png"), mine)
    assert (out / "b.png").stat().st_mtime_ns == before and is_made(out / "b.png", second)
    # It has the size and the settings of the file that is there, and other pixels.
    third = save(source / "b.png", 4)
    watch.wait_for(lambda: is_made(out / "b.png", third))
    (out / "a.png").unlink()
    os.utime(source / "a.png")
    watch.wait_for(lambda: is_made(out / "a.png", first))
    # An output that was edited is not replaced.
    edited = save(out / "b.png", 5)
    save(source / "b.png", 6)
    watch.wait_for(lambda: watch.said("b.png already exists and is not recognised"))
    assert np.array_equal(pixels(out / "b.png"), edited)
    status, text = watch.end()
    assert status == 1 and "2 written, 1 skipped, 1 failed" in text, watch.lines
    assert watch.said("engine") == 0 and watch.said("9x7 -> 18x14, factor 2, PNG, ") == 2


def test_a_burst_is_enlarged_once_each(place, watching):
    source, out = place
    watch = watching(source, out, "--json", "-q", ready=False)
    image = save(source / "0.png", 1)
    watch.wait_for(lambda: is_made(out / "0.png", image))
    data = (source / "0.png").read_bytes()
    for n in range(1, 500):
        (source / f"{n}.png").write_bytes(data)
    watch.wait_for(lambda: len(watch.objects) == 500)
    status, _ = watch.end()
    assert status == 0 and not watch.lines
    assert {o["status"] for o in watch.objects} == {"written"}
    assert len({o["output"] for o in watch.objects}) == len(os.listdir(out)) == 500


@pytest.mark.parametrize("environment", [{"WATCHFILES_FORCE_POLLING": "1"}, {"PYTHONPATH": "fails"}])
def test_without_events(place, watching, tmp_path, environment):
    """By polling, and where the system refuses to report anything."""
    source, out = place
    if "PYTHONPATH" in environment:
        (tmp_path / "fails").mkdir()
        code = "class Change: deleted = 3\ndef watch(*folders, **options):\n    raise OSError('watch limit reached')\n"
        (tmp_path / "fails" / "watchfiles.py").write_text(code)
        environment = {"PYTHONPATH": os.pathsep.join((str(tmp_path / "fails"), os.environ.get("PYTHONPATH", "")))}
    watch = watching(source, out, **environment)
    assert watch.said("the system reports no changes (watch limit reached)") == ("PYTHONPATH" in environment)
    for seed in range(2):
        image = save(source / "a.png", seed)
        watch.wait_for(lambda: is_made(out / "a.png", image))  # noqa: B023
    (source / "a.png").unlink()
    source.rmdir()
    watch.wait_for(lambda: watch.said("the folder is gone"))
    source.mkdir()
    image = save(source / "a.png", 5)
    watch.wait_for(lambda: is_made(out / "a.png", image))
    assert watch.end()[0] == 0


def resident(process):
    """Return the kilobytes that a process and its children take."""
    pids, total = [process.pid], 0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{pid}/children") as file:
            pids += map(int, file.read().split())
        with contextlib.suppress(OSError), open(f"/proc/{pid}/status") as file:
            total += next((int(line.split()[1]) for line in file if line.startswith("VmRSS")), 0)
    return total


@pytest.mark.heavy
def test_memory_does_not_grow(place, watching):
    source, out = place
    watch = watching(source, out, "--json", "-j", "1")
    data = [picture(n, (64, 64)) for n in range(4)]

    def many(rounds):
        for _ in range(rounds):
            done = len(watch.objects)
            for n in range(100):
                data[n % 4].save(source / f"{done + n}.png", compress_level=0)
            watch.wait_for(lambda: len(watch.objects) == done + 100)  # noqa: B023
            for path in source.iterdir():
                path.unlink()

    many(3)
    before = resident(watch.process)
    many(8)
    assert resident(watch.process) < before + 20_000
    assert watch.end()[0] == 0


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["in", "out", "--watch", "--dry-run"], 2, "--watch and --dry-run cannot be combined"),
        (["in", "out", "--watch", "--fail-fast"], 2, "--watch and --fail-fast cannot be combined"),
        (["in", "out", "--watch", "--scheduler", "tcp://a:1"], 2, "--watch and --scheduler cannot be combined"),
        (["--files-from", "list", "out", "--watch"], 2, "--watch and --files-from cannot be combined"),
        (["in/a.png", "out", "--watch"], 2, "needs a folder as INPUT, and in/a.png is a file"),
        (["-", "out", "--watch"], 2, "needs a folder as INPUT, and - is standard input"),
        (["--watch"], 2, "needs a folder as INPUT, and - is standard input"),
        (["in", "--watch"], 2, "OUTPUT is missing"),
        (["in", "in", "--watch"], 2, "INPUT and OUTPUT are the same folder"),
        (["in", "out.png", "--watch"], 2, "out.png looks like a picture file"),
        (["inn", "out", "--watch"], 1, "inn: no such folder to watch; did you mean in?"),
        (["in/*.png", "out", "--watch"], 1, "in/*.png: no such folder to watch"),
        (["in", "out", "--watch", "--quality", "5", "--format", "png"], 2, "--quality does not apply to PNG"),
        (["in", "out", "--watch", "-k", "none.npy"], 1, "none.npy"),
        (["in", "out", "--watch", "--name", "{stem}/x"], 2, "a name cannot contain folders"),
    ],
)
def test_what_makes_no_sense_is_refused(place, arguments, status, text):
    source, out = place
    save(source / "a.png", 1)
    done = run(*arguments, cwd=source.parent, stdin=b"")
    assert (done.returncode, done.stderr.count(b"\n")) == (status, 1), done.stderr
    assert text in done.stderr.decode()
    assert not out.exists()


def test_the_missing_package_is_named(place):
    source, out = place
    done = run(source, out, "--watch", env=blocked(source.parent, "watchfiles"))
    assert done.returncode == 2
    assert b'--watch needs the package watchfiles; run pip install "upscale[watch]"' in done.stderr
    assert not out.exists()


def test_a_reader_that_goes_ends_it(place, watching):
    source, out = place
    save(source / "a.png", 1)
    watch = watching(source, out, "--json", read=False)
    watch.process.stdout.close()
    save(source / "b.png", 1)
    assert watch.process.wait(PATIENCE) == 1
    status, text = watch.end()
    assert status == 1 and text.startswith("upscale: standard output was closed: "), watch.lines

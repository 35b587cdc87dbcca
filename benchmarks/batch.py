"""Folders against other tools, numbers of threads, tiny files, interrupts, a cluster: `python benchmarks/batch.py`."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from pictures import photograph
from PIL import Image
from timing import UPSCALE, medians

PILLOW = """
import glob, os, sys
from concurrent.futures import ThreadPoolExecutor
from PIL import Image
def one(path):
    a = Image.open(path)
    large = a.resize((2 * a.width, 2 * a.height), Image.Resampling[sys.argv[3]])
    large.save(os.path.join(sys.argv[2], os.path.basename(path)), compress_level=1, compress_type=3)
with ThreadPoolExecutor(os.cpu_count()) as pool:
    list(pool.map(one, glob.glob(sys.argv[1] + "/*.png")))
"""
PLAN = """
import os, resource, sys, time
from upscale.batch.plan import Naming, make
held = lambda: int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
before = held()
began = time.perf_counter()
found = make([sys.argv[1]], Naming(sys.argv[2], "{stem}{suffix}", "", False, {}), recursive=False, forbidden=())
print(time.perf_counter() - began, held() - before, len(found.tasks))
"""
CAT = Path(__file__).parent.parent / "sample_images" / "cat.png"
TCONV = ["--method", "tconv", "--kernel", "bicubic"]


def folder(path: Path, number: int, size: tuple[int, int]) -> Path:
    """Fill a folder with copies of one picture, (width, height)."""
    path.mkdir()
    with Image.open(CAT) as cat:  # real texture, mirrored where it ends
        across, down = -(-size[0] // cat.width), -(-size[1] // cat.height)
        whole = np.asarray(cat.convert("RGB"))
    wide = np.concatenate([whole if i % 2 == 0 else whole[:, ::-1] for i in range(across)], 1)
    high = np.concatenate([wide if i % 2 == 0 else wide[::-1] for i in range(down)], 0)
    Image.fromarray(high[: size[1], : size[0]]).save(path / "0.png")
    for i in range(1, number):
        shutil.copy(path / "0.png", path / f"{i}.png")
    return path


def against_others(scratch: Path) -> str:
    """Time 60 pictures of 768 x 512 at x2."""
    source, out = folder(scratch / "photographs", 60, (768, 512)), scratch / "out"
    out.mkdir()
    lines = [
        "60 pictures of 768 x 512 at x2, RGB, PNG to PNG:",
        "",
        "| job | command | seconds | ratio | size of one file |",
        "|---|---|---|---|---|",
    ]
    for job, options, resample, vips, flags in (
        ("nearest", [], "NEAREST", "zoom {source}/% {out}/% 2 2", "neighbor"),
        ("bicubic", TCONV, "BICUBIC", "resize {source}/% {out}/% 2 --kernel cubic", "bicubic"),
    ):
        commands = {
            "upscale": [UPSCALE, source, out, "-q", "--factor", "2", *options],
            "Pillow in threads, run-length": [sys.executable, "-c", PILLOW, source, out, resample],
        }
        if shutil.which("vips"):
            each = vips.format(source=source, out=out)
            commands["vips, xargs -P"] = ["sh", "-c", f"ls {source} | xargs -P{os.cpu_count()} -I% vips {each}"]
        if shutil.which("ffmpeg"):
            scale = ["-vf", f"scale=iw*2:ih*2:flags={flags}", f"{out}/%d.png"]
            commands["ffmpeg"] = ["ffmpeg", "-loglevel", "error", "-y", "-start_number", "0", "-i", f"{source}/%d.png", *scale]
        sizes = {}
        for name, command in commands.items():
            subprocess.run(list(map(str, command)), check=True, capture_output=True)
            sizes[name] = (out / "0.png").stat().st_size / 1e6
        seconds = medians({name: list(map(str, command)) for name, command in commands.items()}, 5)
        lines += [
            f"| {job} | {name} | {s:.2f} | {s / seconds['upscale']:.2f} | {sizes[name]:.2f} MB |" for name, s in seconds.items()
        ]
    return "\n".join(lines)


def by_threads(scratch: Path) -> str:
    """Time the same by the number of threads."""
    source, out = scratch / "photographs", scratch / "out"
    numbers = sorted({1, 2, os.cpu_count() or 1})
    jobs = {
        f"{job} {n}": [UPSCALE, str(source), str(out), "-q", "-j", str(n), *options]
        for n in numbers
        for job, options in (("nearest", []), ("bicubic", TCONV))
    }
    seconds = medians(jobs, 3)
    lines = ["| `-j` | nearest, s | bicubic, s |", "|---|---|---|"]
    lines += [f"| {n} | {seconds[f'nearest {n}']:.2f} | {seconds[f'bicubic {n}']:.2f} |" for n in numbers]
    return "\n".join(lines)


def tiny(scratch: Path) -> str:
    """Time sprites, and what planning costs for many more."""
    lines = ["Sprites of 16 x 16, RGBA, x4:", "", "| files | seconds | ms per file | files per second |", "|---|---|---|---|"]
    for number in (100, 1000, 10_000):
        source, out = scratch / f"sprites{number}", scratch / f"large{number}"
        source.mkdir()
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (16, 16, 4), np.uint8)).save(source / "0.png")
        for i in range(1, number):
            shutil.copy(source / "0.png", source / f"{i}.png")
        seconds = medians({"us": [UPSCALE, str(source), str(out), "-q", "-f", "4"]}, 3 if number < 10_000 else 1)["us"]
        lines.append(f"| {number:,} | {seconds:.2f} | {1000 * seconds / number:.2f} | {number / seconds:,.0f} |")
    many = scratch / "many"
    many.mkdir()
    one = scratch / "sprites100" / "0.png"
    for i in range(100_000):
        if i % 50_000 == 0:  # a file has no more than some ten thousand names
            one = Path(shutil.copy(one, scratch / f"one{i}.png"))
        os.link(one, many / f"{i}.png")
    command = [sys.executable, "-c", PLAN, str(many), str(scratch / "planned")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, size, number = map(float, done.stdout.split())
    shutil.rmtree(many)
    return "\n".join(lines) + (
        f"\n\nFinding {number:,.0f} files and naming their outputs takes {seconds:.2f} s and {size / 1e6:.0f} MB, "
        "before the first one is started."
    )


def interrupts(scratch: Path) -> str:
    """Measure how long a busy batch takes to end after Ctrl-C."""
    source, out = folder(scratch / "large photographs", 8, (3000, 2000)), scratch / "interrupted"
    times = []
    for turn in range(10):
        options = ["-f", "4", "--compression", "small"] if turn % 2 else ["-f", "4", *TCONV]
        process = subprocess.Popen([UPSCALE, source, out, *options], stderr=subprocess.DEVNULL)
        time.sleep(1 + 0.2 * turn)
        process.send_signal(signal.SIGINT)
        began = time.perf_counter()
        assert process.wait() == 130
        times.append(time.perf_counter() - began)
        assert not list(out.glob(".upscale*"))
    return (
        f"After Ctrl-C on a busy batch of 6-megapixel pictures at x4, the command ends within {max(times):.2f} s (10 trials)."
    )


def mixed(scratch: Path) -> str:
    """Measure memory of large and small files together, within what is allowed."""
    source, out = scratch / "mixed", scratch / "mixed out"
    folder(source, 100, (64, 64))
    for i in range(6):
        Image.fromarray(photograph(5000, 5000)).save(source / f"large{i}.png", compress_level=1)
    lines = ["| `--max-memory` | seconds | peak of one process, MB |", "|---|---|---|"]
    peak = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); " \
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"  # fmt: skip
    for size in ("300M", "8G"):
        command = [sys.executable, "-c", peak, UPSCALE, str(source), str(out), "-q", "--max-memory", size]
        began = time.perf_counter()
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        lines.append(f"| {size} | {time.perf_counter() - began:.2f} | {int(done.stdout) * 1024 / 1e6:.0f} |")
    return "6 pictures of 25 megapixels and 100 of 64 x 64, x2:\n\n" + "\n".join(lines)


def on_a_cluster(scratch: Path) -> str:
    """Time what Dask adds, with its scheduler and one worker on this machine."""
    if not find_spec("distributed"):
        return ""
    dask, source, out = str(Path(sys.executable).with_name("dask")), scratch / "sprites1000", scratch / "clustered"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": scratch}
    started = [
        subprocess.Popen([dask, "scheduler", "--port", address.rsplit(":")[-1], "--no-dashboard"], **quiet),
        subprocess.Popen([dask, "worker", address, "--nthreads", str(os.cpu_count()), "--no-nanny", "--no-dashboard"], **quiet),
    ]
    try:
        lines = ["| folder | without Dask, s | with Dask, s |", "|---|---|---|"]
        for name, path in (("1,000 sprites", source), ("60 photographs", scratch / "photographs")):
            here, there = ([UPSCALE, str(path), str(out), "-q", *o] for o in ([], ["--scheduler", address]))
            seconds = medians({"here": here, "there": there}, 3)
            lines.append(f"| {name} | {seconds['here']:.2f} | {seconds['there']:.2f} |")
    finally:
        for process in started:
            process.kill()
            process.wait()
    return "The same machine without Dask, and through a Dask scheduler and one worker:\n\n" + "\n".join(lines)


def report() -> str:
    """Return the result as Markdown."""
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 400_000  # children would count it as theirs
    with tempfile.TemporaryDirectory() as scratch:
        parts = [f(Path(scratch)) for f in (against_others, by_threads, tiny, interrupts, mixed, on_a_cluster)]
    return "\n\n".join(p for p in parts if p)


if __name__ == "__main__":
    print(report())

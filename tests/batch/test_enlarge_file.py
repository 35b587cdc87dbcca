"""The library's functions for files: as the command, on paths and open files, one or many."""

import asyncio
import io
import os
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from helpers import SAMPLES, ok, pixels
from PIL import Image

import upscale
from upscale.batch.file_options import FileOptions, make_options
from upscale.batch.options import Options
from upscale.commands.enlarge import command

CAT = SAMPLES / "cat.png"


@pytest.mark.parametrize(
    ("arguments", "options", "name"),
    [
        ((), {}, "a.png"),
        (("-f", "3x2"), {"factor": (2, 3)}, "a.png"),
        (("-m", "tconv", "-k", "bicubic", "--linear", "--edge", "wrap"),
         {"kernel": "bicubic", "linear": True, "edge": "wrap"}, "a.webp"),
        (("--quality", "80", "--strip"), {"quality": 80, "strip": True}, "a.jpg"),
        (("--depth", "16", "--compression", "small"), {"depth": 16, "compression": "small"}, "a.tif"),
        (("-m", "tconv", "-k", "1,2,1;2,4,2;1,2,1", "--normalize", "--padding", "1"),
         {"kernel": [[1, 2, 1], [2, 4, 2], [1, 2, 1]], "normalize": True, "padding": 1}, "a.png"),
    ],
)  # fmt: skip
def test_it_writes_what_the_command_writes(tmp_path, arguments, options, name):
    os.makedirs(tmp_path / "command")
    # By one engine, since each has its own way of compressing PNG.
    ok(CAT, tmp_path / "command" / name, *arguments, "--engine", "numpy")
    result = upscale.enlarge_file(CAT, str(tmp_path / name), **options, engine="numpy")
    assert (tmp_path / name).read_bytes() == (tmp_path / "command" / name).read_bytes()
    assert result.status == "written" and result.size == (444, 300)
    assert result.bytes_out == (tmp_path / name).stat().st_size


def test_all_frames_come_along(tmp_path):
    result = upscale.enlarge_file(SAMPLES / "villager.gif", tmp_path / "a.gif", 3)
    with Image.open(SAMPLES / "villager.gif") as before, Image.open(tmp_path / "a.gif") as after:
        assert result.frames == after.n_frames == before.n_frames > 1


def test_open_files(tmp_path):
    out = io.BytesIO()
    upscale.enlarge_file(io.BytesIO(CAT.read_bytes()), out, 2)
    upscale.enlarge_file(CAT, tmp_path / "a.png", 2)
    assert out.getvalue() == (tmp_path / "a.png").read_bytes()
    out = io.BytesIO()
    with CAT.open("rb") as file:
        assert upscale.enlarge_file(file, out, 2, format="webp").format == "WebP"
    assert out.getvalue()[8:12] == b"WEBP"


def test_what_is_wrong_is_one_of_the_packages_errors_and_leaves_nothing(tmp_path):
    out = tmp_path / "a.png"
    for arguments, options, kind, part in (
        ((CAT, out, 0), {}, upscale.ArgumentError, "factor"),
        ((CAT, out, 2, "bicubic"), {}, upscale.ArgumentError, "method"),
        ((CAT, out, 2, "nn", "bicubic"), {}, upscale.ArgumentError, "kernel"),
        ((CAT, out, 2, "tconv"), {}, upscale.ArgumentError, "kernel"),
        ((CAT, out, 2), {"edge": "wrap"}, upscale.ArgumentError, "tconv"),
        ((CAT, out, 2), {"quality": 101}, upscale.ArgumentError, "quality"),
        ((CAT, out, 2), {"quality": 50}, upscale.ArgumentError, "quality"),
        ((CAT, out, 2), {"compression": "tiny"}, upscale.ArgumentError, "'balanced'"),
        ((CAT, out, 2), {"background": "whyte"}, upscale.ArgumentError, "whyte"),
        ((CAT, out, 2), {"background": (1, 2)}, upscale.ArgumentError, "background"),
        ((CAT, out, 2), {"format": "jpg"}, upscale.ArgumentError, "format"),
        ((CAT, out, 2), {"frame": 3}, upscale.FileError, "frame"),
        ((CAT, tmp_path / "a.xyz", 2), {}, upscale.ArgumentError, "a.xyz"),
        ((CAT, CAT, 2), {}, upscale.ArgumentError, "same file"),
        ((tmp_path / "none.png", out, 2), {}, upscale.FileError, "none.png"),
        ((7, out), {}, upscale.ArgumentError, "source"),
        ((io.BytesIO(b""), out), {}, upscale.FileError, "the source: is empty"),
        ((CAT, tmp_path / "no" / "a.png"), {}, upscale.FileError, "no folder"),
    ):
        with pytest.raises(kind, match=part):
            upscale.enlarge_file(*arguments, **options)
    with pytest.raises(TypeError, match="did you mean quality"):
        upscale.enlarge_file(CAT, out, qualty=3)
    assert not list(tmp_path.iterdir())


def test_defaults_may_be_given_to_nn(tmp_path):
    upscale.enlarge_file(CAT, tmp_path / "a.png", 2, padding="same", output_padding=0, dilation=1, edge="zero", linear=False)
    with pytest.raises(upscale.ArgumentError, match="need method 'tconv'"):
        upscale.enlarge_file(CAT, tmp_path / "a.png", 2, dilation=2)


def test_an_output_that_is_there(tmp_path):
    out = tmp_path / "a.png"
    for skipped in (False, True):
        result = upscale.enlarge_file(CAT, out, 2, skip_existing=True)
        assert (result.status == "skipped") == skipped
    assert upscale.enlarge_file(CAT, out, 2).status == "written"
    with pytest.raises(upscale.FileError, match="already exists"):
        upscale.enlarge_file(CAT, out, 2, no_overwrite=True)


def test_every_option_of_the_command_is_one_of_the_function():
    kept = {"method", "factor", "kernel", "dry_run", "target_size"}
    assert {*FileOptions.__annotations__} == {*Options._fields} - kept | {"format", "fit", "size", "megapixels"}
    defaults = make_options(None, None, None, {})
    context = command.make_context("upscale", ["in.png", "out.png"])
    for name in {*Options._fields} - {"target_size"}:
        assert getattr(defaults, name) == context.params[name], name


def test_a_batch_yields_results_as_they_come(tmp_path):
    (tmp_path / "in").mkdir()
    for i in range(6):
        Image.fromarray(np.full((5, 4), i, np.uint8)).save(tmp_path / "in" / f"{i}.png")
    (tmp_path / "in" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    kernel = upscale.Kernel(np.ones((2, 2)))
    results = upscale.enlarge_files(tmp_path / "in", tmp_path / "out", 2, kernel=kernel, name="{stem}-{kernel}{suffix}")
    assert not (tmp_path / "out").exists()  # nothing is done before results are taken
    found = {os.path.basename(r.source): r for r in results}
    assert {name: r.status for name, r in found.items()} == {
        **{f"{i}.png": "written" for i in range(6)}, "bad.png": "failed",
    }  # fmt: skip
    assert "bad.png" in found["bad.png"].error
    for i in range(6):
        assert found[f"{i}.png"].output == str(tmp_path / "out" / f"{i}-given.png")
        assert (pixels(found[f"{i}.png"].output) == i).all()


def test_a_batch_that_is_left_early_leaves_nothing_unfinished(tmp_path):
    (tmp_path / "in").mkdir()
    for i in range(40):
        Image.fromarray(np.full((500, 400, 3), i, np.uint8)).save(tmp_path / "in" / f"{i}.png")
    for _ in upscale.enlarge_files([str(tmp_path / "in" / "*.png")], tmp_path / "out"):
        break
    names = os.listdir(tmp_path / "out")
    assert 1 <= len(names) < 40
    assert not [name for name in names if name.startswith(".")]


def test_a_batch_refuses_before_anything_is_done(tmp_path):
    Image.new("L", (2, 2)).save(tmp_path / "a.png")
    Image.new("L", (2, 2)).save(tmp_path / "a@2x.png")
    for arguments, options in (
        (([], tmp_path / "out"), {}),
        ((tmp_path, tmp_path / "out"), {"name": "{foo}"}),
        ((tmp_path, tmp_path / "out"), {"name": "x.png"}),
        ((tmp_path, tmp_path / "out"), {"format": "xyz"}),
        (([tmp_path / "a.png", tmp_path / "a@2x.png"], tmp_path), {"name": "{stem}@{factor}x{suffix}"}),
    ):
        with pytest.raises(upscale.ArgumentError):
            upscale.enlarge_files(*arguments, **options)
    assert len(list(tmp_path.iterdir())) == 2


def test_threads_and_asyncio(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda i: upscale.enlarge_file(CAT, tmp_path / f"{i}.png", 2, kernel="bicubic"), range(8)))
    assert {r.status for r in results} == {"written"}
    assert len({(tmp_path / f"{i}.png").read_bytes() for i in range(8)}) == 1

    async def both():
        work = (asyncio.to_thread(upscale.enlarge_file, CAT, tmp_path / f"a{i}.png", 2) for i in range(2))
        return await asyncio.gather(*work)

    assert [r.status for r in asyncio.run(both())] == ["written"] * 2
    in_thread = []
    thread = threading.Thread(target=lambda: in_thread.extend(upscale.enlarge_files([CAT], tmp_path / "out")))
    thread.start()
    thread.join()
    assert in_thread[0].status == "written"


def test_results_pickle():
    result = upscale.enlarge_file(CAT, io.BytesIO())
    assert pickle.loads(pickle.dumps(result)) == result


def test_a_keyboard_interrupt_is_the_programs(tmp_path):
    """The library installs no signal handlers: Ctrl-C raises KeyboardInterrupt, and nothing unfinished is left."""
    code = f"""
import os, signal, sys, threading
import upscale
threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    for result in upscale.enlarge_files([{str(CAT)!r}] + [{str(SAMPLES)!r}], {str(tmp_path / "out")!r}, 8, "tconv", "lanczos4",
                                        compression="small"):
        pass
except KeyboardInterrupt:
    print("interrupted")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout in ("interrupted\n", "") and "Traceback" not in done.stderr
    assert not list((tmp_path / "out").glob("*.part"))


def test_what_all_processes_report_is_logged_once(caplog):
    from upscale.batch.enlarge_files import _Results

    results = _Results()
    for _ in range(2):
        results.notice("compiling the loops")
    assert [(r.name, r.getMessage()) for r in caplog.records] == [("upscale", "upscale: compiling the loops")]

"""Folders, patterns and lists of names through the real command."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from helpers import UPSCALE, ok, run
from PIL import Image

from upscale.kernels.kernel import Kernel
from upscale.kernels.write_files import write_kernel
from upscale.pictures import formats


def picture(path, size=(4, 3), seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(samples).save(path)
    return samples


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def size(path):
    with Image.open(path) as image:
        return image.size


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir())


def last_line(done):
    return done.stderr.decode().splitlines()[-1]


@pytest.fixture
def tree(tmp_path):
    """Return a folder with pictures in it and below, and with what is none."""
    folder = tmp_path / "in"
    for number, name in enumerate(["a.png", "ü ∆ b.png", "-c.png", "sub/d.png", "sub/deep/e.png", ".hidden.png", ".dir/f.png"]):
        picture(folder / name, seed=number)
    (folder / "notes.txt").write_text("no picture")
    (folder / "sub" / "data.bin").write_bytes(b"\0" * 100)
    return folder


def test_a_folder_is_mirrored_under_the_output_whether_that_exists_or_not(tree, tmp_path):
    for _ in range(2):
        done = ok(tree, tmp_path / "out")
        assert files(tmp_path / "out") == ["-c.png", "a.png", "ü ∆ b.png"]
        assert "3 written, 1 not a picture;" in last_line(done)
        assert "1 folder skipped; -r includes subfolders" in done.stderr.decode()
    done = ok(tree, tmp_path / "all", "-r")
    assert files(tmp_path / "all") == ["-c.png", "a.png", "sub/d.png", "sub/deep/e.png", "ü ∆ b.png"]
    assert "5 written, 2 not pictures; " in last_line(done)
    for name in files(tmp_path / "all"):
        assert np.array_equal(pixels(tmp_path / "all" / name), pixels(tree / name).repeat(2, 0).repeat(2, 1))


def test_files_folders_and_patterns_in_any_mix(tree, tmp_path):
    picture(tmp_path / "x1.png")
    picture(tmp_path / "x2.png")
    (tmp_path / "x3.txt").write_text("")
    done = ok("in/sub", "in/a.png", "x*", "--", "out", cwd=tmp_path)
    assert files(tmp_path / "out") == ["a.png", "d.png", "x1.png", "x2.png"]
    assert "4 written, 2 not pictures" in last_line(done)
    ok("in/**/*.png", "-o", "flat", cwd=tmp_path)
    assert files(tmp_path / "flat") == ["-c.png", "a.png", "d.png", "e.png", "ü ∆ b.png"]
    picture(tmp_path / "y[1].png")  # a file's own name, although it reads as a pattern
    ok("y[1].png", "x1.png", "named", cwd=tmp_path)
    assert files(tmp_path / "named") == ["x1.png", "y[1].png"]


def test_one_file_goes_into_a_folder(tree, tmp_path):
    (tmp_path / "there").mkdir()
    ok(tree / "a.png", tmp_path / "there")
    ok(tree / "a.png", f"{tmp_path}/new/", "--name", "{stem}@{factor}x{suffix}", "-f", "3x2")
    ok(tree / "a.png", "-o", tmp_path / "there" / "b.png")
    assert files(tmp_path / "there") == ["a.png", "b.png"]
    assert files(tmp_path / "new") == ["a@3x2x.png"]


def test_lists_of_names(tree, tmp_path):
    Image.new("RGB", (4, 3)).save(tmp_path / "-", "PNG")
    picture(tmp_path / "new\nline.png")
    (tmp_path / "list.txt").write_text("in/a.png\n\nin/sub\r\n-\n")
    ok("--files-from", "list.txt", "out", "--format", "png", cwd=tmp_path)
    assert files(tmp_path / "out") == ["-.png", "a.png", "d.png"]
    ok("in/-c.png", "nul", "--files-from", "-", "-0", cwd=tmp_path, stdin=b"new\nline.png\0in/a.png\0")
    assert files(tmp_path / "nul") == ["-c.png", "a.png", "new\nline.png"]
    done = ok("--files-from", "-", "none", cwd=tmp_path, stdin=b"")
    assert "0 written" in last_line(done)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no names that are no text")
def test_names_that_are_no_text(tmp_path):
    name = os.fsdecode(b"\xff\xfe.png")
    picture(tmp_path / "in" / name)
    done = ok("in", "out", "-v", cwd=tmp_path)
    assert (tmp_path / "out" / name).exists()
    assert b"\\udcff" in done.stderr
    assert json.loads(ok("in", "out", "--json", cwd=tmp_path).stdout)["input"] == f"in/{name}"
    assert run("in", "out", "--dry-run", cwd=tmp_path).returncode == 0


def test_a_name_that_is_too_long_costs_only_that_file(tmp_path):
    picture(tmp_path / "in" / ("a" * 250 + ".png"))
    picture(tmp_path / "in" / "b.png")
    done = run("in", "out", "--name", "{stem}_large{suffix}", cwd=tmp_path)
    assert done.returncode == 1
    assert "file name too long" in done.stderr.decode()
    assert files(tmp_path / "out") == ["b_large.png"]


def test_names_and_formats(tree, tmp_path):
    write_kernel(str(tmp_path / "my kernel.npz"), Kernel(np.ones((3, 3)), factor=(3, 3)))
    ok(tree, tmp_path / "webp", "--format", "webp", "--name", "{stem}@{factor}x-{method}{suffix}")
    assert files(tmp_path / "webp") == ["-c@2x-nn.webp", "a@2x-nn.webp", "ü ∆ b@2x-nn.webp"]
    assert (tmp_path / "webp" / "a@2x-nn.webp").read_bytes()[8:12] == b"WEBP"
    arguments = ("-m", "tconv", "-k", tmp_path / "my kernel.npz", "--name", "{kernel} {factor} {{{stem}}}{suffix}")
    ok(tree, tmp_path / "k", *arguments)
    assert files(tmp_path / "k") == ["my kernel 3 {-c}.png", "my kernel 3 {a}.png", "my kernel 3 {ü ∆ b}.png"]
    Image.new("RGB", (4, 3)).save(tree / "z", "JPEG")  # no suffix: told by how it begins, and kept
    ok(tree, tmp_path / "kept")
    assert (tmp_path / "kept" / "z").read_bytes()[:3] == b"\xff\xd8\xff"


def test_parents_keep_the_folders_by_which_inputs_are_named(tree, tmp_path):
    listed = b"in/a.png\nin/sub/d.png\n./in/../in/sub/deep/e.png\n" + os.fsencode(tree / "-c.png")
    ok("--files-from", "-", "out", "--parents", cwd=tmp_path, stdin=listed)
    below = str(tree).strip("/")
    assert files(tmp_path / "out") == sorted(["in/a.png", "in/sub/d.png", "in/in/sub/deep/e.png", f"{below}/-c.png"])
    ok("in/sub", "folder", "--parents", "-r", cwd=tmp_path)
    assert files(tmp_path / "folder") == ["in/sub/d.png", "in/sub/deep/e.png"]


def test_what_would_become_one_output_is_refused_before_anything_is_done(tree, tmp_path):
    picture(tree / "a.bmp")
    picture(tree / "sub" / "a.png")
    for arguments in (["in", "--format", "png"], ["in", "in/sub"], ["in", "in/sub/a.png"], ["in", "--name", "x{suffix}"]):
        done = run(*arguments, "-o", "out", cwd=tmp_path)
        text = done.stderr.decode()
        assert done.returncode == 2
        assert "would both become" in text
        assert "in/" in text.split(" and ")[0]
        assert text.count("\n") == 1
        assert not (tmp_path / "out").exists()
    assert "2 written" in last_line(ok("in/a.png", "./in/a.png", "in/a.bmp", "out", cwd=tmp_path))  # one of them named twice


def test_pictures_that_fail_and_what_is_none(tree, tmp_path):
    (tree / "bad.png").write_text("hello")
    (tree / "bad.psd").write_text("hello")
    (tree / "signed").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    (tree / "looks like.tga.txt").write_bytes(b"BMW, a car")
    os.mkfifo(tree / "pipe.png")
    done = run(tree, tree / "none.png", "no*.match", "-o", tmp_path / "out")
    text = done.stderr.decode()
    assert done.returncode == 1
    assert "3 written, 5 failed, 3 not pictures" in last_line(done)
    for name in ("bad.png", "bad.psd", "signed", "none.png: no such file", "no*.match: no file matches this pattern"):
        assert text.count(name) == 1, name
    assert len(text.splitlines()) == 7
    assert files(tmp_path / "out") == ["-c.png", "a.png", "ü ∆ b.png"]


def test_every_suffix_that_is_read_is_known():
    Image.init()
    no_pictures = {".eps", ".ps", ".pdf", ".wmf", ".emf", ".mpg", ".mpeg", ".h5", ".hdf", ".bufr", ".grib", ".iim", ".palm"}
    assert set(Image.EXTENSION) - no_pictures <= set(formats.FORMATS) | formats.READ_ONLY


@pytest.mark.parametrize("form", ["PNG", "GIF", "JPEG", "WEBP", "TIFF", "BMP", "PPM", "ICO", "AVIF", "SGI", "JPEG2000", "DDS"])
def test_signatures(tmp_path, form):
    Image.new("RGB", (16, 16), "red").save(tmp_path / "x", form)
    assert formats.begins_like_picture((tmp_path / "x").read_bytes()[:32])


@pytest.mark.heavy
def test_the_output_folder_is_never_an_input(tree, tmp_path):
    for _ in range(2):
        ok(".", "out", "-r", cwd=tree)
        ok("*.png", "out", "sub", "--", "out", cwd=tree)
        assert files(tree / "out") == ["-c.png", "a.png", "d.png", "sub/d.png", "sub/deep/e.png", "ü ∆ b.png"]
        assert size(tree / "out" / "a.png") == (8, 6)


@pytest.mark.heavy
def test_in_one_folder_results_are_named_and_are_no_inputs(tree):
    assert run(".", ".", cwd=tree).returncode == 2
    for before in (0, 5):
        done = ok(".", ".", "-r", "--name", "{stem}@2x{suffix}", cwd=tree)
        assert ("5 ignored (named as outputs)" in last_line(done)) == bool(before)
        assert len(list(tree.rglob("*@2x.png"))) == 5
    ok(".", ".", "--name", "{stem}{suffix}", "--format", "bmp", cwd=tree)
    assert (tree / "a.bmp").exists()


def test_an_output_that_is_another_input_is_refused(tmp_path):
    picture(tmp_path / "out" / "in" / "a.png")
    before = picture(tmp_path / "out" / "in" / "in" / "a.png", seed=1)
    done = run("out/in", "out", "-r", cwd=tmp_path)
    assert done.returncode == 2
    assert "never overwritten" in done.stderr.decode()
    assert np.array_equal(pixels(tmp_path / "out" / "in" / "in" / "a.png"), before)


def test_links_are_followed_once(tree, tmp_path):
    picture(tmp_path / "elsewhere" / "o.png")
    (tree / "outside").symlink_to("../elsewhere")
    (tree / "sub" / "twice").symlink_to("../outside")
    (tree / "self.png").symlink_to("self.png")
    (tree / "loop").symlink_to(".")
    (tree / "sub" / "up").symlink_to("..")
    (tree / "again").symlink_to("sub/deep")
    (tree / "file.png").symlink_to("a.png")
    (tree / "dead.png").symlink_to("nothing.png")
    (tree / "dead").symlink_to("nothing")
    done = run(tree, tmp_path / "out", "-r")
    text = done.stderr.decode()
    assert done.returncode == 1
    assert "dead.png: a broken link" in text
    assert "self.png: cannot be read: too many levels of symbolic links" in text
    assert text.count("is a link to a folder that is already included, and is not followed (and 3 more such links)") == 1
    assert files(tmp_path / "out") == [
        "-c.png", "a.png", "file.png", "outside/o.png", "sub/d.png", "sub/deep/e.png", "ü ∆ b.png",
    ]  # fmt: skip
    assert not (tmp_path / "out" / "file.png").is_symlink()


def touched(folder):
    return {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}


def test_skip_existing(tree, tmp_path):
    out = tmp_path / "out"
    ok(tree, out)
    before = touched(out)
    picture(out / "a.png", (5, 5))  # of another size
    (out / "-c.png").write_bytes(b"")  # as after a power failure
    done = run(tree, out, "--skip-existing")
    assert done.returncode == 1 and "1 written, 1 skipped, 1 failed" in last_line(done)
    assert size(out / "a.png") == (5, 5)  # somebody else's
    (out / "a.png").unlink()
    assert "1 written, 2 skipped" in last_line(ok(tree, out, "--skip-existing"))
    after = touched(out)
    assert [n for n in before if after[n] == before[n]] == ["ü ∆ b.png"]
    assert "3 skipped" in last_line(ok(tree, out, "--skip-existing"))
    assert "3 written" in last_line(ok(tree, out, "--skip-existing", "-f", "3"))


def test_skip_existing_knows_turned_pictures(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    (tmp_path / "in").mkdir()
    Image.new("RGB", (6, 4)).save(tmp_path / "in" / "a.jpg", exif=exif)
    ok("in", "out", "-f", "2x3", cwd=tmp_path)
    assert size(tmp_path / "out" / "a.jpg") == (8, 18)
    assert "1 skipped" in last_line(ok("in", "out", "-f", "2x3", "--skip-existing", cwd=tmp_path))


def test_update_and_no_overwrite(tree, tmp_path):
    out = tmp_path / "out"
    ok(tree, out)
    os.utime(tree / "a.png", ns=(10**18, (out / "a.png").stat().st_mtime_ns + 10**9))
    (out / "-c.png").unlink()
    done = ok(tree, out, "--update", "-f", "3")
    assert "2 written, 1 skipped" in last_line(done)
    assert size(out / "a.png") == (12, 9)
    assert size(out / "ü ∆ b.png") == (8, 6)
    # With both, what is not newer is done again where it has another size.
    assert "2 written, 1 skipped" in last_line(ok(tree, out, "--update", "--skip-existing", "-f", "2"))
    before = touched(out)
    (out / "a.png").unlink()
    done = run(tree, out, "--no-overwrite")
    assert done.returncode == 1
    assert "1 written, 2 failed" in last_line(done)
    assert {n: t for n, t in touched(out).items() if n != "a.png"} == {n: t for n, t in before.items() if n != "a.png"}


@pytest.mark.parametrize("policy", ["--skip-existing", "--update"])
def test_policies_for_one_picture(tmp_path, rgb, policy):
    out = tmp_path / "out.png"
    ok(rgb, out, policy)
    before = out.stat().st_mtime_ns
    assert b"skipped" in ok(rgb, out, policy, "-v").stderr
    assert out.stat().st_mtime_ns == before
    assert run(rgb, out, "--no-overwrite").returncode == 1
    assert out.stat().st_mtime_ns == before


def test_dry_run(tree, tmp_path):
    done = ok(tree, tmp_path / "out", "-n", "-f", "100")
    lines = done.stdout.decode().splitlines()
    assert len(lines) == 3
    assert lines[1] == f"{tree}/a.png (4x3) -> {tmp_path}/out/a.png (400x300, factor 100, PNG), 1.44 MB of memory"
    assert (
        last_line(done)
        == "upscale: 3 to be written, 1 not a picture; 0.36 megapixels, at most 1.44 MB of memory for one picture"
    )
    (tree / "bad.png").write_text("")
    assert run(tree, tmp_path / "out", "--dry-run").returncode == 1
    ok(tree / "a.png", tmp_path / "one.png", "--dry-run")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "one.png").exists()
    (tmp_path / "out").mkdir()
    ok(tree / "a.png", tmp_path / "out")
    assert "skipped" in ok(tree / "a.png", "in/-c.png", "out", "-n", "--skip-existing", cwd=tmp_path).stdout.decode()


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff", ".avif"])
def test_turned_pictures_are_planned_as_they_are_shown(tmp_path, suffix):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned to the right: shown 30 wide and 40 high
    (tmp_path / "in").mkdir()
    Image.new("RGB", (40, 30)).save(tmp_path / "in" / f"a{suffix}", exif=exif)
    planned = ok(f"in/a{suffix}", "out.png", "-f", "3x1", "-n", cwd=tmp_path).stdout.decode()
    assert f"in/a{suffix} (30x40, stored as 40x30) -> out.png (90x40, factor 3x1, PNG)" in planned
    ok(f"in/a{suffix}", "out.png", "-f", "3x1", cwd=tmp_path)
    assert size(tmp_path / "out.png") == (90, 40)
    for dry in (["-n"], []):
        told = json.loads(ok("in", "out", "-f", "3x1", "--json", *dry, cwd=tmp_path).stdout)
        assert (told["size"], told["stored_size"], told["output_size"]) == ([30, 40], [40, 30], [90, 40])


def test_limits_count_turned_pictures_as_they_are_shown(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (200, 20)).save(tmp_path / "in.jpg", exif=exif)
    ok("in.jpg", "out.webp", "-f", "100x1", cwd=tmp_path)  # 20 and not 200 times 100 wide
    assert size(tmp_path / "out.webp") == (2000, 200)
    done = run("in.jpg", "out.webp", "-f", "1x100", cwd=tmp_path)
    assert done.returncode == 1
    assert b"the output would be 20x20000" in done.stderr


def test_fail_fast(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"x" * 10**6)  # the largest is the first
    for number in range(30):
        picture(tmp_path / "in" / f"{number}.png")
    done = run("in", "out", "--fail-fast", "-j", "1", cwd=tmp_path)
    assert done.returncode == 1
    assert "0 written, 1 failed, 30 not done" in last_line(done)
    assert run("in/*", "none.png", "gone", "--fail-fast", cwd=tmp_path).returncode == 1
    assert not (tmp_path / "gone").exists()


def test_json(tree, tmp_path):
    (tree / "bad.png").write_text("hello\nworld")
    done = run("in", "none.png", "out", "-r", "--json", "-q", cwd=tmp_path)
    assert done.returncode == 1
    found = {r["input"]: r for r in map(json.loads, done.stdout.decode().splitlines())}
    assert {k: r["status"] for k, r in found.items()} == {
        "in/a.png": "written", "in/ü ∆ b.png": "written", "in/-c.png": "written", "in/sub/d.png": "written",
        "in/sub/deep/e.png": "written", "in/bad.png": "failed", "none.png": "failed", "in/notes.txt": "not a picture",
        "in/sub/data.bin": "not a picture",
    }  # fmt: skip
    one = found["in/a.png"]
    assert one["output"] == "out/a.png"
    assert (one["size"], one["output_size"], one["format"], one["frames"]) == ([4, 3], [8, 6], "PNG", 1)
    assert one["bytes"] == (tree / "a.png").stat().st_size
    assert one["output_bytes"] == (tmp_path / "out" / "a.png").stat().st_size
    assert "bad.png" in found["in/bad.png"]["error"]
    assert json.loads(ok("in/a.png", "one.png", "--json", cwd=tmp_path).stdout)["status"] == "written"


def test_quiet_verbose_and_notes(tree, tmp_path):
    assert ok(tree, tmp_path / "q", "-q").stderr == b""
    (tree / "bad.png").write_text("")
    done = run(tree, tmp_path / "q", "-q")
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    text = run(tree, tmp_path / "v", "-v").stderr.decode()
    assert f"{tree}/a.png -> {tmp_path}/v/a.png: 4x3 -> 8x6, factor 2, PNG" in text
    # What is alike is told once, with how many there are.
    for number in range(5):
        picture(tmp_path / "noisy" / f"{number}.png", (40, 40), number)
    arguments = ("-m", "tconv", "-k", "1,2,1;2,4,2;1,2,1")
    text = ok(tmp_path / "noisy", tmp_path / "w", *arguments).stderr.decode()
    assert text.count("were clipped") == 1
    assert "(and 4 more files)" in text
    assert ok(tmp_path / "noisy", tmp_path / "w", *arguments, "-v").stderr.decode().count("were clipped") == 5


def test_options_that_only_some_outputs_have_a_use_for(tmp_path):
    picture(tmp_path / "in" / "a.png")
    picture(tmp_path / "in" / "b.jpg")
    ok("in", "out", "--quality", "20", cwd=tmp_path)
    done = run("in", "out", "--lossless", cwd=tmp_path)  # which is no wish that may be passed over
    assert done.returncode == 1
    assert "1 written, 1 failed" in last_line(done)


def test_a_kernel_that_is_wrong_is_told_once_and_before_anything_is_done(tree, tmp_path):
    np.save(tmp_path / "bad.npy", np.zeros((2, 2, 2, 2, 2)))
    done = run(tree, tmp_path / "out", "-m", "tconv", "-k", tmp_path / "bad.npy")
    assert done.returncode == 1
    assert done.stderr.decode().count("\n") == 1
    done = run(tree, tmp_path / "out", "-m", "tconv", "-k", "1,2", "--bias", "1,2")
    assert done.returncode == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.heavy
def test_limits(tree, tmp_path):
    picture(tree / "big.png", (300, 200))
    done = run(tree, tmp_path / "out", "--max-pixels", "59999")
    assert "300x200 is more than 59,999 pixels" in done.stderr.decode()
    assert "3 written, 1 failed" in last_line(done)
    assert "4 written" in last_line(ok(tree, tmp_path / "out", "--max-pixels", "60000", "-j", "3"))
    done = run(tree, tmp_path / "out", "--max-output-pixels", "239999")
    assert "600x400, more than 239999 pixels" in done.stderr.decode()
    done = run(tree, tmp_path / "out", "--max-memory", "1M")
    assert "1 MB are allowed; raise --max-memory" in done.stderr.decode()
    assert "3 written, 1 failed" in last_line(done)


def test_pillows_own_guard_follows(tmp_path):
    Image.new("L", (3000, 2000)).save(tmp_path / "in.gif")
    Image.new("L", (3000, 2000)).save(tmp_path / "in.tif")
    Image.new("L", (3000, 2000)).save(tmp_path / "in.bmp")
    for name in ("in.gif", "in.tif", "in.bmp"):
        done = run(tmp_path / name, tmp_path / "out.png", "--max-pixels", "5999999", "-f", "1")
        assert done.returncode == 1
        assert "--max-pixels" in done.stderr.decode()
        ok(tmp_path / name, tmp_path / "out.png", "--max-pixels", "6000000", "-f", "1")


@pytest.mark.heavy
@pytest.mark.parametrize("engine", ["numba", "numpy"])
def test_results_are_the_same_at_any_number_of_threads(tmp_path, engine):
    for number, size in enumerate([(600, 500), (64, 64), (64, 64), (900, 700)]):
        picture(tmp_path / "in" / f"{number}.png", size, number)
    arguments = ("-m", "tconv", "-k", "bicubic", "-q", "--engine", engine)
    for threads in (1, 2, 5):
        ok("in", f"out{threads}", "-j", threads, *arguments, cwd=tmp_path)
    ok("in/3.png", "one.png", *arguments, "-j", "1", cwd=tmp_path)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "out1" / "3.png").read_bytes()
    for name in files(tmp_path / "in"):
        assert len({(tmp_path / f"out{t}" / name).read_bytes() for t in (1, 2, 5)}) == 1


def test_arrays(tmp_path):
    (tmp_path / "in").mkdir()
    values = np.random.default_rng(0).normal(size=(5, 4))
    for dtype in ("float64", "uint16"):
        np.save(tmp_path / "in" / f"{dtype}.npy", (100 + values).astype(dtype))
    picture(tmp_path / "pictures" / "a.png")
    ok("in", "out", cwd=tmp_path)
    assert np.array_equal(np.load(tmp_path / "out" / "float64.npy"), (100 + values).repeat(2, 0).repeat(2, 1))
    ok("in", "filtered", "-m", "tconv", "-k", "bicubic", cwd=tmp_path)
    assert np.load(tmp_path / "filtered" / "uint16.npy").dtype == np.float32
    ok("pictures", "arrays", "--format", "npy", cwd=tmp_path)
    assert np.load(tmp_path / "arrays" / "a.npy").shape == (6, 8, 3)


def test_a_pattern_or_a_list_of_one_into_a_folder_that_is_there(tree, tmp_path):
    (tmp_path / "out").mkdir()
    for _ in range(2):
        assert "3 written" in last_line(ok("in/*.png", "out", cwd=tmp_path))
    for arguments, listed in (
        (("none/*.png",), None),
        (("--files-from", "-"), b"gone.png\n"),
        (("--files-from", "-"), b"a\0b\n"),
    ):
        done = run(*arguments, "out", cwd=tmp_path, stdin=listed)
        assert done.returncode == 1
        assert "0 written, 1 failed" in last_line(done)
    ok("--files-from", "-", "out", cwd=tmp_path, stdin=b"\xef\xbb\xbfin/a.png\r\n  \r\n")


@pytest.mark.heavy
def test_own_results_are_told_by_their_names(tree, tmp_path):
    picture(tree / "button@2x.png")  # without a button.png, it is no result
    for factor in (2, 3, 2):
        ok("in", tree, "-f", factor, "--name", "{stem}@{factor}x{suffix}", cwd=tmp_path)
        ok("../in/*.png", ".", "-f", factor, "--name", "{stem}@{factor}x{suffix}", cwd=tree)
    assert sorted(p.name for p in tree.glob("*@*")) == sorted(
        [f"{s}@{f}x.png" for s in ("-c", "a", "ü ∆ b", "button@2x") for f in (2, 3)] + ["button@2x.png"]
    )


def test_names_that_tell_nothing_apart_overwrite_nothing(tree, tmp_path):
    before = picture(tree / "a.png", seed=9)
    picture(tree / "a.jpg")
    for arguments in (("--format", "png"), ()):
        done = run("in", "in", "--name", "{stem}{suffix}", *arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert np.array_equal(pixels(tree / "a.png"), before)


def test_what_is_named_twice_is_done_once(tree, tmp_path):
    (tree / "a.png").rename(tree / "a")  # Python keeps a single letter as one text, however often it is named
    assert "1 written" in last_line(ok("a", "a", "-o", "../one", "--no-overwrite", cwd=tree))
    (tree / "a").rename(tree / "a.png")
    for arguments in (["in", "in/a.png"], ["in/*.png", "./in/a.png", "in"], ["in", "in"]):
        done = ok(*arguments, "-o", "out", "--no-overwrite", cwd=tmp_path)
        assert "3 written" in last_line(done)
        for name in files(tmp_path / "out"):
            (tmp_path / "out" / name).unlink()


def test_patterns_leave_the_output_folder_alone(tree, tmp_path):
    for _ in range(2):
        done = ok("**/*.png", "**/deep", "out", "--parents", cwd=tree)
        assert "5 written" in last_line(done)
    assert files(tree / "out") == ["-c.png", "a.png", "sub/d.png", "sub/deep/e.png", "ü ∆ b.png"]


def test_outputs_that_are_one_file_through_a_link(tmp_path):
    for name in ("s1", "s2"):
        picture(tmp_path / "in" / name / "x.png")
    (tmp_path / "out" / "s1").mkdir(parents=True)
    (tmp_path / "out" / "s2").symlink_to("s1")
    done = run("in", "out", "-r", cwd=tmp_path)
    assert done.returncode == 2
    assert "would both become" in done.stderr.decode()
    assert not files(tmp_path / "out")


@pytest.mark.heavy
def test_links_between_many_folders_and_very_deep_ones(tmp_path):
    for i in range(9):
        picture(tmp_path / "in" / str(i) / "x.png")
        for j in range(9):
            if i != j:
                (tmp_path / "in" / str(i) / f"to{j}").symlink_to(f"../{j}")
    assert "9 written" in last_line(ok("in", "out", "-r", cwd=tmp_path))
    deep = tmp_path / "deep"
    below = [deep]
    for _ in range(1500):
        below[-1].mkdir()
        below.append(below[-1] / "d")
    picture(below[1] / "x.png")
    assert "1 written" in last_line(ok("deep", "flat", "-r", cwd=tmp_path))
    (below[1] / "x.png").unlink()
    for folder in reversed(below[:-1]):  # what cleans up after the tests does not get so deep
        folder.rmdir()


def test_a_rotated_source_is_done_again(tmp_path):
    picture(tmp_path / "in" / "a.png", (4, 3))
    ok("in", "out", cwd=tmp_path)
    picture(tmp_path / "in" / "a.png", (3, 4))
    assert "1 written" in last_line(ok("in", "out", "--skip-existing", cwd=tmp_path))


def test_an_output_that_is_a_pipe_fails(tree, tmp_path):
    (tmp_path / "out").mkdir()
    os.mkfifo(tmp_path / "out" / "a.png")
    done = run(tree, tmp_path / "out")
    assert done.returncode == 1
    assert "2 written, 1 failed" in last_line(done)


def test_names_in_json_are_exact(tmp_path):
    name = "two  blanks\tand \x1b[31mmore.png"
    picture(tmp_path / "in" / name)
    done = ok("in", "out", "--json", "-v", "--format", "ico", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert found["input"] == f"in/{name}"
    assert found["output_bytes"] == (tmp_path / "out" / name.replace(".png", ".ico")).stat().st_size
    assert b"\x1b" not in done.stderr
    assert b"\x1b" not in ok("in", "out", "-n", cwd=tmp_path).stdout


def test_one_file_into_a_folder_keeps_its_format(tree, tmp_path):
    (tree / "a.png").rename(tree / "plain")
    ok(tree / "plain", f"{tmp_path}/out/")
    assert (tmp_path / "out" / "plain").read_bytes()[:4] == b"\x89PNG"
    done = run(tree / "notes.txt", f"{tmp_path}/out/")
    assert done.returncode == 1
    assert "not a picture" in done.stderr.decode()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_streams_that_are_full(tree, tmp_path):
    with open("/dev/full", "wb") as full:
        for arguments in ((tree, tmp_path / "out"), (tree / "a.png", tmp_path / "one.png")):
            done = subprocess.run([UPSCALE, *map(str, arguments), "--json"], stdout=full, stderr=subprocess.PIPE, timeout=300)
            assert done.returncode == 1
            assert b"standard output: cannot be written: no space left" in done.stderr
        done = subprocess.run([UPSCALE, tree, tmp_path / "all", "-v"], stderr=full, timeout=300)
        assert done.returncode == 0
    assert len(files(tmp_path / "all")) == 3

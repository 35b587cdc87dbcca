"""The real command, on real files."""

import os
import pty
import re
import subprocess
import sys

import click
import naive
import numpy as np
import pytest
from helpers import SAMPLES, UPSCALE, ok, run
from PIL import Image

from upscale.commands.enlarge import command
from upscale.commands.enlarge_help import GROUPS

FORMATS = {
    ".png": "RGB",
    ".jpg": "RGB",
    ".gif": "P",
    ".webp": "RGB",
    ".tiff": "RGB",
    ".bmp": "RGB",
    ".tga": "RGB",
    ".ppm": "RGB",
}


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("suffix", FORMATS)
def test_nn_on_every_format(tmp_path, suffix):
    source, out = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    with Image.open(SAMPLES / "cat.png") as image:
        image.crop((200, 60, 240, 90)).quantize(64).convert(FORMATS[suffix]).save(source)
    ok(source, out, "-f", "3x2")
    want = naive.nearest(pixels(source), (2, 3))
    if suffix == ".jpg":  # the only one that cannot be exact
        assert np.abs(pixels(out).astype(int) - want).mean() < 3
    else:
        assert np.array_equal(pixels(out), want)
    with Image.open(out) as image:
        assert image.mode == FORMATS[suffix]
        assert image.format == Image.registered_extensions()[suffix]


@pytest.mark.parametrize("suffix", FORMATS)
def test_tconv_on_every_format(tmp_path, suffix):
    source, out = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    with Image.open(SAMPLES / "cat.png") as image:
        image.crop((200, 60, 240, 90)).convert(FORMATS[suffix]).save(source)
    ok(source, out, "-m", "tconv", "-k", "bicubic", "-f", "2")
    with Image.open(source) as image:
        want = np.asarray(image.convert("RGB").resize((80, 60), Image.Resampling.BICUBIC)).astype(int)
    limit = {".jpg": 3, ".gif": 8}.get(suffix, 1)  # on average for the two that cannot be exact
    difference = np.abs(pixels(out) - want)
    assert (difference.max() if limit == 1 else difference.mean()) <= limit


@pytest.mark.parametrize("engine", ["numba", "numpy"])
def test_the_worked_example(tmp_path, engine):
    np.save(tmp_path / "in.npy", [[2, 0], [4, 1]])
    np.save(tmp_path / "k.npy", [[4, 2, 1], [1, 0, 3], [0, 5, 2]])
    options = ["--method", "tconv", "--factor", "1", "--padding", "0", "--engine", engine]
    for kernel in ("k.npy", "4,2,1; 1,0,3; 0,5,2"):
        ok("in.npy", "out.npy", "--kernel", kernel, *options, cwd=tmp_path)
        got = np.load(tmp_path / "out.npy")
        assert got.dtype == np.float32
        assert got.tolist() == [[8, 4, 2, 0], [18, 12, 12, 1], [4, 11, 16, 3], [0, 20, 13, 2]]


@pytest.mark.parametrize(
    ("dtype", "becomes"),
    [("uint8", "float32"), ("int64", "float32"), ("float16", "float32"), ("float32", "float32"), ("float64", "float64")],
)
def test_arrays(tmp_path, dtype, becomes):
    picture = np.random.default_rng(0).integers(0, 9, (3, 4, 5)).astype(dtype)
    np.save(tmp_path / "in.npy", np.asfortranarray(picture))
    ok("in.npy", "nn.npy", cwd=tmp_path)
    ok("in.npy", "tconv.npy", "-m", "tconv", "-k", "box", cwd=tmp_path)
    nn, tconv = np.load(tmp_path / "nn.npy"), np.load(tmp_path / "tconv.npy")
    assert (nn.dtype, tconv.dtype) == (picture.dtype, becomes)
    assert np.array_equal(nn, naive.nearest(picture, (2, 2)))
    assert np.array_equal(tconv, nn)


def test_a_picture_into_an_array_is_not_rounded(tmp_path, rgb):
    ok(rgb, tmp_path / "out.npy", "-m", "tconv", "-k", "1.3,-.6")
    got = np.load(tmp_path / "out.npy")
    assert got.dtype == np.float32
    assert got.min() < 0 < 255 < got.max()


def test_an_array_into_a_picture(tmp_path):
    picture = np.random.default_rng(0).integers(0, 65536, (3, 4), np.uint16)
    np.save(tmp_path / "in.npy", picture)
    ok("in.npy", "out.png", cwd=tmp_path)
    with Image.open(tmp_path / "out.png") as image:
        assert np.array_equal(np.asarray(image), naive.nearest(picture, (2, 2)))


@pytest.mark.parametrize("arguments", [(), ("-", "-")])
def test_standard_input_to_standard_output(tmp_path, rgb, arguments):
    np.save(tmp_path / "k.npy", np.ones((2, 2)))
    done = ok("--method", "tconv", "--kernel", tmp_path / "k.npy", *arguments, stdin=rgb.read_bytes())
    (tmp_path / "out.png").write_bytes(done.stdout)
    assert done.stdout.startswith(b"\x89PNG")
    assert np.array_equal(pixels(tmp_path / "out.png"), naive.nearest(pixels(rgb), (2, 2)))


def test_dashes_mix_with_paths_and_formats(tmp_path, rgb):
    assert ok(rgb, "-", "--format", "bmp").stdout.startswith(b"BM")
    ok("-", tmp_path / "out.gif", stdin=rgb.read_bytes())
    assert ok(tmp_path / "out.gif", "-").stdout.startswith(b"GIF8")
    np.save(tmp_path / "in.npy", np.zeros((2, 2)))
    assert ok("-", "-", stdin=(tmp_path / "in.npy").read_bytes()).stdout.startswith(b"\x93NUMPY")
    ok(rgb, tmp_path / "no_suffix", "--format", "png")
    assert np.array_equal(pixels(tmp_path / "no_suffix"), naive.nearest(pixels(rgb), (2, 2)))


def test_at_a_terminal_it_prints_the_help():
    leader, follower = pty.openpty()
    done = subprocess.run([UPSCALE], stdin=follower, capture_output=True, timeout=300)
    os.close(leader)
    os.close(follower)
    assert done.returncode == 0
    assert done.stdout.startswith(b"Usage: upscale")


def test_help_has_its_groups_and_examples_that_work(tmp_path):
    text = ok("--help").stdout.decode()
    assert ok("-h").stdout.decode() == text
    for title in ("Enlargement:", "Transposed convolution:", "Files:", "Many files:", "Running:", "Examples:"):
        assert title in text
    examples = [line.strip() for line in text.split("Examples:")[1].splitlines() if line.strip()]
    assert len(examples) >= 4
    (tmp_path / "sample_images").symlink_to(SAMPLES)
    environment = {**os.environ, "PATH": os.path.dirname(UPSCALE) + os.pathsep + os.environ["PATH"]}
    for example in examples:
        done = subprocess.run(["sh", "-ec", example], cwd=tmp_path, env=environment, capture_output=True, timeout=300)
        assert done.returncode == 0, (example, done.stderr)


def test_help_fits_two_screens_and_help_all_has_every_option():
    narrow = {**os.environ, "COLUMNS": "80"}
    short, full = (ok(option, env=narrow).stdout.decode() for option in ("--help", "--help-all"))
    assert len(short.splitlines()) <= 100 and "--help-all" in short and "--output-padding" not in short
    options = [p for p in command.params if isinstance(p, click.Option)]
    assert {p.name for p in options} <= {name for names in GROUPS.values() for name in names}
    for option in options:
        for name in (*option.opts, *option.secondary_opts):
            assert re.search(rf"(^|[ ,/]){name}\b", full, re.MULTILINE), name


def test_quiet_and_verbose(tmp_path, rgb):
    out = tmp_path / "out.png"
    assert ok(rgb, out).stderr == b""
    text = ok(rgb, out, "-v", "--engine", "numba", "-m", "tconv", "-k", "bilinear").stderr.decode()
    for part in ("7x5", "14x10", "tconv", "bilinear", "\nengine: numba", "read ", "enlarge ", "write "):
        assert part in text
    assert "\nengine: numpy" in ok(rgb, out, "-v").stderr.decode()
    with Image.open(SAMPLES / "cat.png") as image:
        image.save(tmp_path / "cat.tiff")
    assert b"256 colours" in ok(tmp_path / "cat.tiff", tmp_path / "cat.gif").stderr
    assert ok(tmp_path / "cat.tiff", tmp_path / "cat.gif", "-q").stderr == b""


def test_verbose_says_where_same_padding_is_uneven(tmp_path, rgb):
    out = tmp_path / "out.png"
    assert b"--padding 1,0,1,0" in ok(rgb, out, "-v", "-m", "tconv", "-k", "1,2,1; 2,4,2; 1,2,1").stderr
    assert b"padding:" not in ok(rgb, out, "-v", "-m", "tconv", "-k", "1,2,2,1").stderr.split(b"engine")[1]


@pytest.mark.parametrize("kernel", ["bilinear", "bicubic", "4,2,1; 1,0,3; 0,5,2"])
def test_engines_write_the_same_picture(tmp_path, kernel):
    outs = []
    for engine in ("numba", "numpy"):
        ok(SAMPLES / "cat.png", tmp_path / "out.bmp", "-m", "tconv", "-k", kernel, "--engine", engine)
        outs.append(pixels(tmp_path / "out.bmp").astype(int))
    difference = np.abs(outs[0] - outs[1])
    assert difference.max() <= 1
    assert (difference > 0).mean() <= 1e-4


def test_palette_transparency_and_metadata_are_kept(tmp_path):
    ok(SAMPLES / "potion.png", tmp_path / "out.png", "-f", "4")
    with Image.open(SAMPLES / "potion.png") as before, Image.open(tmp_path / "out.png") as after:
        assert after.mode == "P"
        assert after.getpalette() == before.getpalette()
        assert after.info["transparency"] == before.info["transparency"]
    ok(SAMPLES / "ninja.png", tmp_path / "out.png")
    with Image.open(SAMPLES / "ninja.png") as before, Image.open(tmp_path / "out.png") as after:
        assert after.info["icc_profile"] == before.info["icc_profile"]


def test_png_metadata(tmp_path):
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Title", "a picture")
    info.add_itxt("Author", "Zoë")
    info.add(b"gAMA", (45455).to_bytes(4, "big"))
    exif = Image.Exif()
    exif[0x010E] = "described"
    Image.new("RGB", (3, 2)).save(tmp_path / "in.png", pnginfo=info, exif=exif, dpi=(300, 300))
    ok("in.png", "out.png", cwd=tmp_path)
    with Image.open(tmp_path / "in.png") as before, Image.open(tmp_path / "out.png") as after:
        assert after.text == before.text
        assert after.getexif()[0x010E] == "described"
        for key in ("gamma", "dpi"):
            assert after.info[key] == before.info[key]


def test_exif_orientation_is_applied_once_with_factors_as_the_viewer_sees_them(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3)).save(tmp_path / "in.png", exif=exif)
    ok("in.png", "out.png", "-f", "3x1", cwd=tmp_path)
    with Image.open(tmp_path / "out.png") as after:
        assert after.getexif().get(0x0112, 1) == 1
        assert np.array_equal(np.asarray(after), np.rot90(np.arange(6).reshape(2, 3), -1).repeat(3, 1))


def test_a_background_flattens(tmp_path):
    Image.new("RGBA", (2, 2), (200, 0, 0, 0)).save(tmp_path / "in.png")
    for colour, want in (("white", (255, 255, 255)), ("#010203", (1, 2, 3)), ("#fff", (255, 255, 255))):
        ok("in.png", "out.bmp", "--background", colour, cwd=tmp_path)
        assert (pixels(tmp_path / "out.bmp") == want).all()


def test_frames(tmp_path):
    done = run(SAMPLES / "villager.gif", tmp_path / "out.jpg")
    assert done.returncode == 1
    assert b"--frame" in done.stderr
    ok(SAMPLES / "villager.gif", tmp_path / "out.png", "--frame", "3")
    with Image.open(SAMPLES / "villager.gif") as image:
        image.seek(3)
        want = np.asarray(image.convert("RGBA"))
    with Image.open(tmp_path / "out.png") as image:
        assert np.array_equal(np.asarray(image.convert("RGBA")), naive.nearest(want, (2, 2)))


def test_gif_keeps_few_colours_exactly(tmp_path):
    picture = np.zeros((4, 4, 4), np.uint8)
    picture[1:3, 1:3] = (10, 20, 31, 255)
    picture[0] = (11, 20, 30, 255)
    Image.fromarray(picture).save(tmp_path / "in.png")
    assert ok("in.png", "out.gif", cwd=tmp_path).stderr == b""
    with Image.open(tmp_path / "out.gif") as image:
        got = np.asarray(image.convert("RGBA"))
    visible = naive.nearest(picture, (2, 2))
    assert np.array_equal(got[..., 3], visible[..., 3])
    assert np.array_equal(got[got[..., 3] > 0], visible[visible[..., 3] > 0])


@pytest.mark.parametrize("module", [["-m", "upscale"]])
def test_as_a_module(module):
    done = subprocess.run([sys.executable, *module, "--version"], capture_output=True, timeout=300)
    assert done.stdout.startswith(b"upscale ")

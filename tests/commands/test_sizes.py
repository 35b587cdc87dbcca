"""`--fit`, `--size` and `--megapixels`, by the real command."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import SAMPLES
from helpers import ok as ok_in_bytes
from helpers import run as run_in_bytes
from PIL import Image

import upscale


def run(*arguments, cwd=None):
    done = run_in_bytes(*arguments, cwd=cwd)
    return SimpleNamespace(returncode=done.returncode, stdout=done.stdout.decode(), stderr=done.stderr.decode())


def ok(*arguments, cwd=None):
    return ok_in_bytes(*arguments, cwd=cwd).stderr.decode()


def save(path, width, height, mode="RGB", **options):
    random = np.random.default_rng(width)
    samples = random.integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(samples).convert(mode).save(path, **options)
    return path


def size_of(path):
    with Image.open(path) as image:
        return image.size


@pytest.mark.parametrize(
    ("size", "arguments", "wanted"),
    [
        ((37, 21), ("--fit", "100x100"), (74, 42)),
        ((37, 21), ("--fit", "x100"), (148, 84)),
        ((37, 21), ("--fit", "36x100"), "--fit 36x100: the picture, 37x21, is larger"),
        ((37, 21), ("--fit", "40x40"), (37, 21)),
        ((1, 50), ("--fit", "100x99"), (1, 50)),
        ((37, 21), ("--fit", "350x350", "-k", "deep"), (333, 189)),  # 9 = 3 x 3
        ((37, 21), ("--fit", "260x260", "-k", "deep"), (222, 126)),  # 7 is no product of deep's factors
        ((37, 21), ("--size", "100x", "-k", "bicubic"), (100, 57)),
        ((37, 21), ("--size", "x100", "-k", "deep"), (176, 100)),
        ((37, 21), ("--size", "250%", "-k", "lanczos3"), (93, 53)),
        ((37, 21), ("--size", "111x63"), (111, 63)),
        ((37, 21), ("--size", "112x63"), "--size 112x63: 112x63 is 3.027 times 37x21, and nn makes whole multiples only"),
        ((37, 21), ("--size", "112x63", "-k", "box"), (112, 63)),
        ((37, 21), ("--size", "36x"), "--size 36x: 36x20 is smaller than the picture, 37x21; upscale only enlarges"),
        ((37, 21), ("--megapixels", "0.01", "-k", "mitchell"), (133, 75)),
        ((1, 1), ("--size", "3x5", "-k", "bilinear"), (3, 5)),
        ((37, 21), ("--size", "50x", "-k", "1,2,1;2,4,2;1,2,1", "--padding", "0"), "needs padding same"),
    ],
)
def test_sizes(tmp_path, size, arguments, wanted):
    source, out = save(tmp_path / "in.png", *size), tmp_path / "out.png"
    done = run(source, out, *arguments)
    if isinstance(wanted, str):
        assert done.returncode == 1 and done.stderr.startswith(f"upscale: {source}: ") and wanted in done.stderr
        assert done.stderr.count("\n") == 1 and not out.exists()
        return
    assert (done.returncode, done.stdout) == (0, "") and size_of(out) == wanted
    planned = run(source, tmp_path / "none.png", *arguments, "--dry-run").stdout
    assert f"{size[0]}x{size[1]}" in planned and f"{wanted[0]}x{wanted[1]}" in planned
    with Image.open(source) as image:
        name, text = arguments[0].removeprefix("--"), arguments[1]
        sides = tuple(int(side) if side else None for side in text.split("x")[::-1]) if "x" in text else text
        kernel = arguments[3] if len(arguments) > 3 else None
        value = float(text) if name == "megapixels" else sides
        np.testing.assert_array_equal(
            np.asarray(upscale.enlarge(image, kernel=kernel, **{name: value})), np.asarray(Image.open(out))
        )


def test_each_file_of_a_folder_has_its_own_factor(tmp_path):
    (tmp_path / "in").mkdir()
    for width, height in ((10, 10), (30, 20), (99, 40), (200, 10)):
        save(tmp_path / "in" / f"{width}.png", width, height)
    done = run("in", "out", "--fit", "100x100", "--json", "-j", "2", cwd=tmp_path)
    assert done.returncode == 1
    lines = {line["input"]: line for line in map(json.loads, done.stdout.splitlines())}
    found = {name: (line["factor"], tuple(line["output_size"])) for name, line in lines.items() if line["status"] == "written"}
    assert found == {"in/10.png": ("10", (100, 100)), "in/30.png": ("3", (90, 60)), "in/99.png": ("1", (99, 40))}
    assert "in/200.png: --fit 100x100: the picture, 200x10, is larger" in lines["in/200.png"]["error"]
    again = run("in", "out", "--fit", "100x100", "--skip-existing", cwd=tmp_path)
    assert "3 skipped" in again.stderr
    other = run("in", "out", "--fit", "120x120", "--skip-existing", cwd=tmp_path)
    assert "1 skipped" in other.stderr and "2 written" in other.stderr  # 99x40 is the same


def test_names_cannot_have_a_factor_that_differs(tmp_path):
    save(tmp_path / "in.png", 10, 10)
    (tmp_path / "out").mkdir()
    done = run("in.png", "out", "--fit", "50x50", "--name", "{stem}@{factor}x{suffix}", cwd=tmp_path)
    assert done.returncode == 2 and "{factor} needs --factor" in done.stderr


def test_stretching_is_noted(tmp_path):
    save(tmp_path / "in.png", 10, 10)
    done = run("in.png", "out.png", "--size", "20x40", cwd=tmp_path)
    assert done.returncode == 0 and size_of(tmp_path / "out.png") == (20, 40)
    assert "in.png: stretched to 2 times the width and 4 times the height, since --size 20x40 has both" in done.stderr
    assert ok("in.png", "out.png", "--size", "20x20", cwd=tmp_path) == ""


def test_an_orientation_is_taken_into_account(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "in.jpg", 40, 20, exif=exif)  # shown as 20 x 40
    ok("in.jpg", "out.png", "--fit", "100x85", cwd=tmp_path)
    assert size_of(tmp_path / "out.png") == (40, 80)
    ok("in.jpg", "out.png", "--size", "30x", "-k", "bicubic", cwd=tmp_path)
    assert size_of(tmp_path / "out.png") == (30, 60)


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
@pytest.mark.parametrize("arguments", [("--fit", "x100"), ("--size", "50x", "-k", "bicubic"), ("--size", "50x", "-k", "box")])
def test_animations_keep_their_frames(tmp_path, suffix, arguments):
    frames = [Image.new("RGB", (32, 32), (i * 60, 0, 0)) for i in range(4)]
    for i, frame in enumerate(frames):
        frame.paste((0, 255, 0), (i * 4, i * 4, i * 4 + 5, i * 4 + 5))
    source, out = tmp_path / f"in{suffix}", tmp_path / f"out{suffix}"
    lossless = {"lossless": True} if suffix == ".webp" else {}
    frames[0].save(source, save_all=True, append_images=frames[1:], duration=80, loop=0, **lossless)
    ok(source, out, *arguments)
    with Image.open(out) as image:
        assert image.n_frames == 4 and image.size == ((96, 96) if "--fit" in arguments else (50, 50))


def test_pages_of_different_sizes_have_factors_of_their_own(tmp_path):
    pages = [Image.new("L", size, 100) for size in ((10, 10), (25, 5), (40, 40))]
    pages[0].save(tmp_path / "in.tiff", save_all=True, append_images=pages[1:])
    for arguments, wanted in (
        (("--fit", "100x100"), [(100, 100), (100, 20), (80, 80)]),
        (("--size", "60x", "-k", "bicubic"), [(60, 60), (60, 12), (60, 60)]),
    ):
        ok("in.tiff", "out.tiff", *arguments, "--overwrite", cwd=tmp_path)
        with Image.open(tmp_path / "out.tiff") as image:
            found = []
            for page in range(3):
                image.seek(page)
                found.append(image.size)
                assert image.getextrema() == (100, 100)
        assert found == wanted


def test_high_bit_depths_arrays_and_palettes(tmp_path):
    deep = np.random.default_rng(0).integers(0, 65536, (9, 13, 3)).astype(np.uint16)
    np.save(tmp_path / "in.npy", deep)
    ok("in.npy", "out.npy", "--size", "20x15", "-k", "bicubic", cwd=tmp_path)
    made = np.load(tmp_path / "out.npy")
    assert made.shape == (15, 20, 3) and made.dtype == np.float32
    ok(SAMPLES / "potion.png", tmp_path / "large.png", "--fit", "500x500")
    with Image.open(SAMPLES / "potion.png") as before, Image.open(tmp_path / "large.png") as after:
        assert after.mode == before.mode and after.size == (480, 480)


def test_a_size_that_the_picture_has_copies_its_pixels(tmp_path):
    save(tmp_path / "in.png", 12, 9)
    ok("in.png", "out.png", "--size", "12x9", "-k", "bspline", cwd=tmp_path)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out.png")), np.asarray(Image.open(tmp_path / "in.png")))


def test_products_of_factors(tmp_path):
    save(tmp_path / "in.png", 6, 5)
    said = ok("in.png", "out.png", "-k", "learned", "-f", "6", "-v", cwd=tmp_path)
    assert "factor 6x6 (3 x 2), kernel learned" in said and size_of(tmp_path / "out.png") == (36, 30)
    done = run("in.png", "out.png", "-k", "learned", "-f", "7", cwd=tmp_path)
    assert done.returncode == 2 and "only the factors 2, 3, 4 and their products" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--fit", "10x10", "-f", "2"), "--factor and --fit cannot be combined"),
        (("--size", "10x10", "--megapixels", "2"), "--size and --megapixels cannot be combined"),
        (("--size", "640"), "640x is a width, x640 a height, 640% a percentage"),
        (("--fit", "large"), "--fit: 'large' is not a size; give WIDTHxHEIGHT such as 1920x1080"),
        (("--megapixels", "many"), "--megapixels: 'many' is not a number of megapixels"),
        (("--max-size", "5x5"), "did you mean --fit?"),
        (("--width", "5"), "did you mean --size?"),
        (("--size", "20x20", "-k", "there-is-none"), "there is no kernel"),
    ],
)
def test_wrong_usage(tmp_path, arguments, text):
    save(tmp_path / "in.png", 6, 5)
    done = run("in.png", "out.png", *arguments, cwd=tmp_path)
    assert done.returncode == 2 and text in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "out.png").exists()


def test_files_and_batches_of_the_library(tmp_path):
    save(tmp_path / "a.png", 10, 8)
    result = upscale.enlarge_file(tmp_path / "a.png", tmp_path / "b.png", kernel="bicubic", size=(20, 30))
    assert result.out_size == (30, 20) and result.factor == "3"
    assert any("stretched" in note for note in result.notes)
    (found,) = upscale.enlarge_files(tmp_path / "a.png", tmp_path / "out", fit=(None, 55))
    assert found.status == "written" and found.out_size == (50, 40) and found.factor == "5"
    with pytest.raises(upscale.ArgumentError, match="only one of"):
        upscale.enlarge_file(tmp_path / "a.png", tmp_path / "c.png", 2, megapixels=1)
    with pytest.raises(upscale.FileError, match=r"a\.png: fit \(5, 5\): the picture, 10x8, is larger"):
        upscale.enlarge_file(tmp_path / "a.png", tmp_path / "c.png", fit=(5, 5))
    with pytest.raises(upscale.ArgumentError, match=r"\{factor\} needs --factor"):
        next(upscale.enlarge_files(tmp_path / "a.png", tmp_path / "out", fit=(90, 90), name="{factor}{suffix}"))


def rows_of_the_documentation():
    text = (SAMPLES.parent / "docs" / "sizes.md").read_text()
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in text.splitlines() if line.count("|") == 6]
    return [row for row in rows if row[0][0].isdigit()]


@pytest.mark.parametrize("row", rows_of_the_documentation(), ids=lambda row: f"{row[0]} {row[1]} {row[2]}")
def test_the_examples_of_the_documentation(tmp_path, row):
    picture, option, kernel, result, factor = row
    Image.new("L", tuple(map(int, picture.split(" x ")))).save(tmp_path / "in.png")
    arguments = [*option.split(), *(["-k", kernel] if kernel else []), "--json", "--dry-run"]
    done = run("in.png", "out.png", *arguments, cwd=tmp_path)
    found = json.loads(done.stdout)
    if result.startswith("error"):
        texts = {
            "larger than that": "is larger",
            "no whole multiple": "whole multiples",
            "smaller than the picture": "only enlarges",
        }
        assert found["status"] == "failed" and texts[result.removeprefix("error: ")] in found["error"]
        return
    assert (" x ".join(map(str, found["output_size"])), found["factor"]) == (result, factor.partition(",")[0].partition(";")[0])
    assert ("stretched, with a note" in factor) == any("stretched" in note for note in found.get("notes", ()))

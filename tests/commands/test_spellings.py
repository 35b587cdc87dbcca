"""Other spellings of options and values, which work; and what no help lists."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from helpers import SAMPLES, UPSCALE, command, ok, run
from PIL import Image

from upscale.commands.option_types import Method, factor

IO = ("in.png", "out.png")


@pytest.mark.parametrize(
    "arguments",
    [
        ("-f", "4x"),
        ("-f", "400%"),
        ("--scale", "4"),
        ("--zoom=4",),
        ("--ratio", "4"),
        ("-x", "4"),
        ("-x4",),
        ("-f4", "-m", "nearest"),
        ("-f4", "-m", "Nearest_Neighbor"),
        ("-f4", "-m", "NN"),
        ("-f4", "-k", "box"),
        ("-f4", "-k", "BOX", "-m", "TCONV"),
        ("-f4", "-k", "1 1 1 1;1 1 1 1;1 1 1 1;1 1 1 1"),
        ("-f4", "-k", "k.npy", "--padding", "0", "--normalise", "--dilation", "1"),
        ("-f", "4", "--compression", "FAST"),
    ],
    ids=" ".join,
)
def test_what_works(tmp_path, arguments):
    """Each of them is nn at factor 4."""
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    Image.fromarray(picture).save(tmp_path / "in.png")
    np.save(tmp_path / "k.npy", np.ones((4, 4)))
    ok(*IO, *arguments, cwd=tmp_path)
    with Image.open(tmp_path / "out.png") as image:
        assert np.array_equal(image, picture.repeat(4, 0).repeat(4, 1))


def test_one_row_with_blanks_is_a_kernel(tmp_path):
    np.save(tmp_path / "in.npy", [[1.0, 0]])
    ok("in.npy", "out.npy", "-k", "1 2 1", "-f", "1", "--padding", "0", cwd=tmp_path)
    assert np.load(tmp_path / "out.npy").tolist() == [[1, 2, 1, 0]]


def test_no_normalise_is_understood(tmp_path, rgb):
    for spelling in ("--no-normalise", "--no-normalize"):
        ok(rgb, tmp_path / f"{spelling}.png", "-k", "bilinear", spelling)
    assert (tmp_path / "--no-normalise.png").read_bytes() == (tmp_path / "--no-normalize.png").read_bytes()


def test_a_folder_may_be_called_4(tmp_path, rgb):
    ok("in.png", "4/", cwd=tmp_path)
    ok("in.png", "-o", "5/", cwd=tmp_path)
    ok("in.png", "4", cwd=tmp_path)
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.png")) == ["4/in.png", "5/in.png", "in.png"]


def test_an_existing_folder_is_written_into(tmp_path, rgb):
    root = os.path.abspath(os.sep)
    assert (
        f"in.png (7x5) -> {root}in.png (14x10, factor 2, PNG)" in ok("in.png", root, "--dry-run", cwd=tmp_path).stdout.decode()
    )


def test_the_limit_of_the_factor_can_be_lifted(tmp_path):
    Image.new("L", (1, 1)).save(tmp_path / "in.png")
    assert run("in.png", "out.png", "-f", "129", cwd=tmp_path).returncode == 2
    ok("in.png", "out.png", "-f", "128", cwd=tmp_path)
    ok("in.png", "out.png", "-f", "1000x1", "--max-factor", "1000", cwd=tmp_path)
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (1000, 1)


def test_help_is_help(tmp_path):
    assert run("help", cwd=tmp_path).stdout == run("-help").stdout == run("--help").stdout
    assert run("--help").stdout.startswith(b"Usage: upscale ")


@pytest.mark.parametrize("name", ["upscale", "upscale-learn", "upscale-kernel", "upscale-compare"])
def test_no_help_lists_other_names(name):
    text = subprocess.run([Path(UPSCALE).with_name(name), "--help"], capture_output=True, text=True, timeout=300).stdout
    assert "Usage: " in text
    for hidden in ("--scale", "normalise /", "x>=", "0<="):
        assert hidden not in text
    assert ("--zoom" in text) == (name == "upscale-compare")  # where it is an option of its own


@pytest.mark.heavy
def test_the_zoom_of_a_sheet_is_not_the_factor(tmp_path):
    _, compare = command("upscale-compare")
    done = compare(SAMPLES / "potion.png", "sheet.png", "-k", "nn", "--zoom", "3", cwd=tmp_path)
    assert done.stdout.startswith("sheet.png: all of 32x32, factor 2, shown at 3x\n")
    for name in ("--scale", "--ratio", "--stride", "-x"):
        done = compare(SAMPLES / "potion.png", "sheet.png", "-k", "nn", name, "3", cwd=tmp_path)
        assert done.stdout.startswith("sheet.png: all of 32x32, factor 3, shown at 3x\n")


def test_a_sheet_may_be_the_second_argument(tmp_path):
    _, compare = command("upscale-compare")
    compare(SAMPLES / "potion.png", "sheet.png", "--kernels", "nn,box", "--crop", "0,0,8,8", cwd=tmp_path)
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", (4, 4)),
        ("3x2", (2, 3)),
        ("3X2", (2, 3)),
        ("x4", (4, 4)),
        ("2x", (2, 2)),
        ("4×", (4, 4)),
        (" 4 ", (4, 4)),
        ("4.0", (4, 4)),
        ("4.", (4, 4)),
        ("100%", (1, 1)),
        ("200%x300%", (3, 2)),
        ("3 x 2", (2, 3)),
    ],
)
def test_factors(text, value):
    assert factor(text) == value


@pytest.mark.parametrize("text", ["nearest", "nearest-neighbor", "nearest-neighbour", "neighbor", "NN", " nn "])
def test_methods(text):
    assert Method().convert(text, None, None) == "nn"


def test_an_old_spelling_completes_nothing():
    environment = {**os.environ, "_UPSCALE_COMPLETE": "zsh_complete", "COMP_WORDS": "upscale --sc", "COMP_CWORD": "1"}
    done = subprocess.run([UPSCALE], env=environment, capture_output=True, text=True, timeout=300)
    assert done.stdout.splitlines()[1] == "--scheduler" and "--scale" not in done.stdout

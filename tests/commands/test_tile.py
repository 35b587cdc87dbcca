"""`--tile`, by the real command."""

import numpy as np
import pytest
from helpers import ok, run
from PIL import Image

import upscale


@pytest.fixture
def sheet(tmp_path):
    random = np.random.default_rng(0)
    samples = random.integers(0, 256, (33, 50, 4), np.uint8)
    Image.fromarray(samples).save(tmp_path / "sheet.png")
    return samples


@pytest.mark.parametrize("edge", [None, "wrap", "reflect"])
def test_a_sprite_sheet(tmp_path, sheet, edge):
    ok(
        "sheet.png",
        "large.png",
        "-k",
        "bicubic",
        "-f",
        "3",
        "--tile",
        "16x16+1",
        *(["--edge", edge] if edge else []),
        cwd=tmp_path,
    )
    large = np.asarray(Image.open(tmp_path / "large.png"))
    for y in (0, 17):
        for x in (0, 17, 34):
            tile = Image.fromarray(sheet[y : y + 16, x : x + 16])
            wanted = upscale.enlarge(tile, 3, kernel="bicubic", edge=edge or "replicate")
            np.testing.assert_array_equal(large[3 * y : 3 * y + 48, 3 * x : 3 * x + 48], np.asarray(wanted))
    np.testing.assert_array_equal(large[48:51], sheet[16:17].repeat(3, 0).repeat(3, 1))


@pytest.mark.parametrize("suffix", [".png", ".gif", ".webp", ".tiff", ".npy"])
def test_formats(tmp_path, sheet, suffix):
    if suffix == ".npy":
        np.save(tmp_path / "in.npy", sheet[:32, :48])
    else:
        image = Image.fromarray(sheet[:32, :48]).convert("RGB")
        image.save(tmp_path / f"in{suffix}", **({"lossless": True} if suffix == ".webp" else {}))
    ok(f"in{suffix}", "out.npy" if suffix == ".npy" else "out.png", "-k", "lanczos3", "--tile", "16x16", cwd=tmp_path)
    if suffix not in (".gif", ".npy"):
        tile = Image.fromarray(sheet[16:32, 32:48]).convert("RGB")
        wanted = np.asarray(upscale.enlarge(tile, 2, kernel="lanczos3", edge="replicate"))
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out.png"))[32:, 64:], wanted)


def test_nn_only_checks_the_tiles(tmp_path, sheet):
    ok("sheet.png", "large.png", "--tile", "16x16+1", "--fit", "300x", cwd=tmp_path)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "large.png")), sheet.repeat(6, 0).repeat(6, 1))
    assert run("sheet.png", "other.png", "--tile", "16x16", cwd=tmp_path).returncode == 1


@pytest.mark.parametrize(
    ("status", "arguments", "text"),
    [
        (1, ("--tile", "16x16"), b"sheet.png: --tile 16x16: 50x33 pixels are not a whole number of tiles"),
        (1, ("--tile", "16x16+2"), b"not a whole number of tiles"),
        (2, ("--tile", "16"), b"'16' is not a tile; give WIDTHxHEIGHT such as 16x16"),
        (2, ("--tile", "16x16+1", "--edge", "zero"), b"--tile and --edge zero cannot be combined"),
        (2, ("--tile", "16x16+1", "--size", "200%"), b"--tile 16x16+1: cannot be combined with --size 200%"),
        (1, ("--tile", "16x16+1", "--padding", "0"), b"needs padding same"),
    ],
)
def test_errors(tmp_path, sheet, status, arguments, text):
    done = run("sheet.png", "out.png", "-k", "bicubic", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (status, b"") and text in done.stderr and done.stderr.count(b"\n") == 1
    assert not (tmp_path / "out.png").exists()


def test_the_library(tmp_path, sheet):
    result = upscale.enlarge_file(tmp_path / "sheet.png", tmp_path / "a.png", 3, kernel="bicubic", tile=(16, 16, 1))
    ok("sheet.png", "b.png", "-k", "bicubic", "-f", "3", "--tile", "16x16+1", cwd=tmp_path)
    assert result.status == "written"
    np.testing.assert_array_equal(*(np.asarray(Image.open(tmp_path / name)) for name in ("a.png", "b.png")))

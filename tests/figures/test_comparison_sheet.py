"""The sheet of `upscale-compare`: every pixel is a block, nothing overlaps, and labels say what is shown."""

import itertools

import numpy as np
import pytest
from comparison_cases import compared, made
from helpers import SAMPLES, command
from PIL import Image, ImageFont

import upscale
from upscale.errors import FileError
from upscale.figures import comparison_sheet
from upscale.figures.comparison import Panel
from upscale.figures.comparison_view import default_crop, default_zoom
from upscale.pictures.formats import FORMATS

_, ok = command("upscale-compare")


def blocks(image, rows, columns):
    """Duplicate each pixel of an array or image."""
    return np.asarray(image).repeat(rows, 0).repeat(columns, 1)


def assert_once(drawn, want):
    """Check that a picture is drawn at one place, pixel by pixel."""
    height, width = want.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(drawn, want.shape)[:, :, 0]
    near = np.argwhere(np.all(windows[:, :, ::9, ::9] == want[::9, ::9], axis=(2, 3, 4)))  # quickly, by some of the pixels
    assert sum(np.array_equal(drawn[top : top + height, left : left + width], want) for top, left in near) == 1


@pytest.mark.parametrize("zoom", [pytest.param(1, marks=pytest.mark.heavy), 3])
def test_the_sheet_holds_the_panels_pixel_by_pixel(tmp_path, zoom):
    crop = ("--crop", "10,20,30,40", "-f", "3x2", "-k", "bilinear", "--zoom", zoom)
    done = ok(SAMPLES / "cat.png", "-o", tmp_path / "sheet.png", *crop)
    assert f": crop 10,20,30,40 of 444x300, factor 3x2, shown at {zoom}x\n" in done.stdout
    drawn = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert drawn.ndim == 3
    cat = Image.open(SAMPLES / "cat.png")
    large = upscale.enlarge(cat, (2, 3), "tconv", "bilinear").crop((30, 40, 120, 120))
    assert_once(drawn, blocks(large, zoom, zoom))
    assert_once(drawn, blocks(cat.crop((10, 20, 40, 60)), 2 * zoom, 3 * zoom))


def test_a_transparent_pixel_is_a_block_on_the_same_checkerboard(tmp_path):
    path = tmp_path / "in.png"
    pixels = np.random.default_rng(3).integers(0, 256, (6, 5, 4), np.uint8)
    Image.fromarray(pixels).save(path)
    drawn = np.asarray(comparison_sheet.draw_sheet(compared(path, "bicubic", zoom=5)))
    large = Image.fromarray(blocks(upscale.enlarge(Image.open(path), 2, "tconv", "bicubic"), 5, 5))
    assert_once(drawn, np.asarray(comparison_sheet.over_checkerboard(large)))


@pytest.mark.parametrize(
    ("size", "factor", "crop", "zoom"),
    [
        ((32, 32), 8, (0, 0, 32, 32), 1),  # small pictures whole
        ((64, 112), 2, (0, 0, 64, 112), 2),
        ((64, 112), 4, (0, 0, 64, 112), 1),
        ((1, 1), 1, (0, 0, 1, 1), 256),
        ((500, 333), 2, (202, 118, 96, 96), 2),  # the middle of larger ones
        ((500, 333), 4, (202, 118, 96, 96), 1),
        ((700, 100), 4, (302, 2, 96, 96), 1),
        ((9000, 9000), 128, (4498, 4498, 3, 3), 1),
    ],
)
def test_the_default_crop_and_zoom(size, factor, crop, zoom):
    assert default_crop(size, (factor, factor)) == crop
    assert default_zoom(crop, (factor, factor)) == zoom


def test_the_zoom_is_the_smallest_that_makes_256_pixels():
    assert [default_zoom((0, 0, w, h), (1, 2)) for w, h in ((128, 9), (127, 9), (9, 256), (43, 85), (500, 500))] == [
        1,
        2,
        1,
        3,
        1,
    ]


@pytest.mark.parametrize(("panels", "rows"), [(5, 2), (7, 2), (9, 3)])
def test_a_sheet_is_as_wide_as_a_screen_at_most(panels, rows):
    found = made("abcdefgh"[: panels - 1], zoom=19)  # panels of 380 pixels a side
    drawn = comparison_sheet.draw_sheet(found)
    assert drawn.width <= comparison_sheet.WIDEST
    assert rows * 380 < drawn.height < rows * 480


def test_a_sheet_too_large_for_its_format_is_refused():
    wide = made(["nn"], (200, 2), zoom=90)._replace(crop=(0, 0, 100, 1))
    with pytest.raises(FileError, match=r"s\.webp: .*smaller --crop or --zoom, or write \.png"):
        comparison_sheet.encode_sheet(wide, FORMATS[".webp"], "s.webp")


def test_labels_are_shortened_and_never_overlap(monkeypatch):
    texts = []
    draw_text = comparison_sheet.ImageDraw.ImageDraw.text

    def noted(self, at, text, fill, font):
        texts.append((at[0], at[1], at[0] + font.getlength(text), text))
        draw_text(self, at, text, fill, font)

    monkeypatch.setattr(comparison_sheet.ImageDraw.ImageDraw, "text", noted)
    long = "a_very_long_name_of_a_kernel_that_somebody_has_learned_" * 3 + "v1.npz"
    drawn = comparison_sheet.draw_sheet(made([long, long[:-5] + "2.npz", "nn"], source="folder\n/" * 90 + "end.png"))
    assert max(end for _, _, end, _ in texts) <= drawn.width - 1
    for line in {y for _, y, _, _ in texts}:
        row = sorted(t for t in texts if t[1] == line)
        assert all(one[2] < other[0] for one, other in itertools.pairwise(row)), row
    assert any("..." in t[3] and t[3].endswith("v1.npz") for t in texts)
    assert texts[0][3].endswith("end.png")


def test_the_best_numbers_are_underlined_where_there_is_a_choice():
    font = ImageFont.load_default(13)
    one = made(["a"])
    assert one.best == ("", "")
    several = made(["a", "b"])
    better = several._replace(panels=[*several.panels, Panel("c", several.panels[1].image, 31.0, 0.8, 0.1, True)])
    assert better.best == ("31.00", "0.9000")
    drawn = np.asarray(comparison_sheet.draw_sheet(better)).astype(int)
    marked = max((drawn[row] == 26).all(-1).sum() for row in range(70, 130))
    want = font.getlength("31.00 dB") + 2 * font.getlength("SSIM 0.9000")  # both that are equal
    assert abs(marked - want) < 6


def test_transparent_panels_lie_on_a_checkerboard():
    image = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    image.putpixel((3, 3), (1, 2, 3, 255))
    board = comparison_sheet.over_checkerboard(image)
    assert (board.mode, board.getpixel((0, 0)), board.getpixel((9, 0))) == ("RGB", (228, 228, 228), (196, 196, 196))
    assert board.getpixel((3, 3)) == (1, 2, 3)

"""`upscale-compare --with`: results of other programs beside those of the kernels."""

import os

import numpy as np
import pytest
from comparison_cases import compared
from helpers import command
from PIL import Image

from upscale.figures import comparison_page

run, ok = command("upscale-compare")


@pytest.fixture
def folder(tmp_path):
    """Return a folder with a grey picture, its truth, and enlargements of other programs."""
    rng = np.random.default_rng(7)
    large = Image.fromarray(rng.integers(0, 256, (24, 32), np.uint8))
    small = large.resize((16, 12), Image.Resampling.BICUBIC)
    large.save(tmp_path / "large.png")
    small.save(tmp_path / "small.png")
    small.resize((32, 24), Image.Resampling.LANCZOS).save(tmp_path / "pil.png")
    small.resize((32, 24), Image.Resampling.BICUBIC).convert("RGBA").save(tmp_path / "a=b.png")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        small.resize((32, 24), Image.Resampling.BOX).save(tmp_path / name / "out.png")
    return tmp_path


def labels(done):
    """Return the labels of the table in the terminal."""
    return [line[: line.rindex("  ")].strip() for line in done.stdout.splitlines()[2:]]


def test_other_results_are_panels_with_numbers_and_without_seconds(folder):
    done = ok("small.png", "s.png", "-k", "nn,lanczos3", "--with", "pil.png=Pillow", "--truth", "large.png", cwd=folder)
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert rows[0] == ["PSNR", "SSIM", "seconds"]
    assert [row[0] for row in rows[1:]] == ["nn", "lanczos3", "Pillow"]
    assert rows[3][3] == "-"
    assert float(rows[3][1]) == pytest.approx(float(rows[2][1]), abs=0.2)  # Pillow's filter, but at borders
    large = str(folder / "large.png")
    found = compared(folder / "small.png", "nn", others=[("x", large)], truth=large)
    assert [p.name for p in found.panels] == ["input", "nn", "x", "truth"]
    assert found.panels[2].numbers == ("inf", "1.0000", "")
    assert found.best == ("inf", "1.0000")
    assert np.array_equal(found.panels[2].image, Image.open(large).convert("RGB"))


def test_the_crop_holds_for_other_results_too(folder):
    found = compared(folder / "small.png", "nn", others=[("x", str(folder / "pil.png"))], crop=(3, 2, 5, 4))
    want = Image.open(folder / "pil.png").convert("RGB").crop((6, 4, 16, 12))
    assert np.array_equal(found.panels[2].image, want)


def test_a_coloured_or_transparent_result_of_a_grey_picture(folder):
    done = ok("small.png", "s.png", "-k", "bicubic", "--with", "a=b.png", "--truth", "large.png", "--html", cwd=folder)
    kernel, other = (line.split() for line in done.stdout.splitlines()[2:])
    assert other[0] == "a=b.png"
    assert float(other[1]) == pytest.approx(float(kernel[1]), abs=2)  # on the scale of colours, and at borders
    page = (folder / "s.html").read_text()
    assert 'data-name="a=b.png" data-enlarged' in page


@pytest.mark.parametrize(
    ("given", "want"),
    [
        (["pil.png"], ["pil.png"]),
        (["pil.png=a = b"], ["a = b"]),
        (["pil.png="], ["pil.png"]),
        (["a=b.png"], ["a=b.png"]),
        (["a=b.png=x"], ["x"]),
        (["pil.png=nn"], ["nn (2)"]),
        (["pil.png=input", "a=b.png=truth"], ["input (2)", "truth"]),
        (["pil.png=x", "a=b.png=x", "one/out.png=x"], ["x", "x (2)", "x (3)"]),
        (["one/out.png", "two/out.png"], ["one/out.png", "two/out.png"]),
        (["pil.png", "pil.png"], ["pil.png"]),
    ],
)
def test_labels_are_told_apart(folder, given, want):
    done = ok("small.png", "s.png", "-k", "nn", *(word for text in given for word in ("--with", text)), cwd=folder)
    assert labels(done) == ["nn", *want]


def test_a_label_of_truth_is_free_without_a_truth_only(folder):
    done = ok("small.png", "s.png", "-k", "nn", "--with", "large.png=truth", "--truth", "large.png", cwd=folder)
    assert [line.split("  ")[0] for line in done.stdout.splitlines()[2:]] == ["nn", "truth (2)"]


@pytest.mark.parametrize(
    ("arguments", "status", "part"),
    [
        (("s.png", "--with", "small.png"), 1, "small.png: is 16x12, but must be 32x24: 2 times small.png, which is 16x12"),
        (("s.png", "--with", "pil.png", "-f", "4"), 1, "pil.png: is 32x24, but must be 64x48: 4 times small.png"),
        (("s.png", "--with", "none.png=Some program"), 1, "none.png: no such file"),
        (("s.png", "--with", "no=ne.png"), 1, "no=ne.png: no such file"),
        (("s.png", "--with", "text.png"), 1, "text.png: not a picture"),
        (("s.png", "--with", "=x"), 2, "--with: '=x' names no file; give FILE or FILE=LABEL"),
        (("s.png", "--with"), 2, "--with needs a value: --with FILE[=LABEL]"),
        (("pil.png", "--with", "pil.png=x"), 2, "SHEET pil.png is the same file as --with; an input is never overwritten"),
        (("link.png", "--with", "pil.png"), 2, "the same file as --with"),
        (("page.png", "--with", "page.html", "--html"), 2, "page.html is the same file as --with"),
        (("s.png", "--with", "inks.tif", "--truth", "large.png"), 1, "inks.tif: luma is defined for grey and RGB, not for"),
    ],
)
def test_what_is_refused(folder, arguments, status, part):
    os.link(folder / "pil.png", folder / "link.png")
    (folder / "text.png").write_text("hello")
    (folder / "page.html").write_bytes((folder / "pil.png").read_bytes())
    Image.new("CMYK", (32, 24)).save(folder / "inks.tif")
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    done = run("small.png", *arguments, cwd=folder)
    assert done.returncode == status, done.stderr
    assert part in done.stderr
    assert done.stderr.startswith("upscale-compare: ") and done.stderr.count("\n") == 1
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_a_turned_picture_is_upright(folder):
    image = Image.open(folder / "pil.png").transpose(Image.Transpose.ROTATE_90)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(folder / "turned.png", exif=exif)
    found = compared(folder / "small.png", "nn", others=[("x", str(folder / "turned.png"))])
    assert np.array_equal(found.panels[2].image, Image.open(folder / "pil.png").convert("RGB"))


def test_the_page_begins_with_a_kernel_and_the_last_result(folder):
    found = compared(folder / "small.png", "nn", others=[("A & B", str(folder / "pil.png"))], truth=str(folder / "large.png"))
    page = comparison_page.render_page(found)
    assert [name for name in ("input", "nn", "A &amp; B", "truth") if f'data-name="{name}" data-enlarged' in page] == [
        "nn", "A &amp; B",
    ]  # fmt: skip

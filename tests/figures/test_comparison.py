"""`upscale-compare`: its panels are what `upscale` makes, its numbers are right, and its page works."""

import base64
import io
import itertools
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from helpers import SAMPLES, command
from helpers import ok as ok_upscale
from PIL import Image, ImageFont

import upscale
from upscale.commands.compare import _defaults, _kernels
from upscale.errors import ArgumentError, FileError
from upscale.figures import comparison, comparison_page, comparison_sheet
from upscale.figures.comparison import Comparison, Panel
from upscale.kernels.kernel import Kernel
from upscale.kernels.write_files import write_kernel

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
RNG = np.random.default_rng(5)
run, ok = command("upscale-compare")


def compared(path, kernels, factor=2, **options):
    """Compare by the library, with kernels named as on the command line."""
    return comparison.compare(str(path), comparison.load_contenders(_kernels(kernels), (factor, factor)), **options)


@pytest.fixture
def pair(tmp_path):
    """Return the paths of a picture of 30 x 24 and of one twice as small."""
    y, x = np.mgrid[0:24, 0:30]
    large = np.stack([x * 8, y * 9, 120 + 100 * np.sin(x / 2) * np.cos(y / 3)], -1).astype(np.uint8)
    Image.fromarray(large).save(tmp_path / "large.png")
    Image.fromarray(large).resize((15, 12), Image.Resampling.BICUBIC).save(tmp_path / "small.png")
    return tmp_path / "large.png", tmp_path / "small.png"


def save(kind, path):
    """Make a picture of 9 x 7 of some kind."""
    rgba = RNG.integers(0, 256, (7, 9, 4), np.uint8)
    if kind == "RGBA":
        Image.fromarray(rgba).save(path)
    elif kind == "P":
        image = Image.fromarray(rgba[..., :3]).quantize(6)
        image.save(path, transparency=bytes([0, 128, 255, 255, 90, 255]))
    elif kind == "1":
        Image.fromarray(rgba[..., 0] > 99).save(path)
    elif kind == "deep":
        Image.fromarray(RNG.integers(0, 65536, (7, 9), np.uint16)).save(path)
    elif kind == "turned":
        image = Image.fromarray(rgba[..., :3])
        exif = image.getexif()
        exif[0x0112] = 6
        image.save(path, exif=exif)


@pytest.mark.parametrize("kind", ["RGBA", "P", "1", pytest.param("deep", marks=pytest.mark.heavy), "turned"])
def test_panels_are_what_upscale_makes(tmp_path, kind):
    path = tmp_path / "in.png"
    save(kind, path)
    found = compared(path, "nn,bicubic,adaptive" if kind == "RGBA" else "nn,bicubic", crop=(2, 1, 4, 5))
    assert [p.name for p in found.panels][:3] == ["input", "nn", "bicubic"]
    for panel in found.enlarged:
        options = ["-m", "tconv", "-k", panel.name] if panel.name != "nn" else []
        ok_upscale(path, tmp_path / "out.png", *options)
        with Image.open(tmp_path / "out.png") as want:
            if kind == "deep":  # computed in full depth, and rounded afterwards
                want = Image.fromarray((np.asarray(want).astype(np.uint32) * 255 + 32767) // 65535).convert("L")
            want = want.convert(panel.image.mode).crop((4, 2, 12, 12))
        assert panel.image.size == (8, 10)
        assert np.array_equal(panel.image, want), panel.name
        assert panel.psnr is None and panel.seconds > 0


def test_the_sheet_holds_the_panels_pixel_by_pixel(tmp_path):
    ok(SAMPLES / "cat.png", "-o", tmp_path / "sheet.png", "--crop", "10,20,30,40", "-f", "3x2", "-k", "bilinear", "-q")
    drawn = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert drawn.ndim == 3
    cat = Image.open(SAMPLES / "cat.png")
    want = np.asarray(upscale.enlarge(cat, (2, 3), "tconv", "bilinear").crop((30, 40, 120, 120)))
    windows = np.lib.stride_tricks.sliding_window_view(drawn, (80, 90, 3))[:, :, 0]
    places = np.argwhere(np.all(windows[:, :, ::9, ::9] == want[::9, ::9], axis=(2, 3, 4)))
    assert len(places) == 1
    assert np.array_equal(drawn[places[0][0] :][:80, places[0][1] :][:, :90], want)


def test_psnr_is_that_of_an_independent_computation(pair):
    large, small = pair
    found = compared(small, "nn,lanczos3", truth=str(large))
    assert found.panels[-1].name == "truth"
    assert np.array_equal(found.panels[-1].image, Image.open(large))

    def luma(image):
        red, green, blue = np.moveaxis(np.asarray(image.convert("RGB"), float), 2, 0)
        return np.floor(16.5 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255)[2:-2, 2:-2]

    for panel in found.enlarged:
        assert panel.image.size == (30, 24)  # so that the panel is the whole
        error = np.mean((luma(panel.image) - luma(Image.open(large))) ** 2)
        assert panel.psnr == pytest.approx(10 * np.log10(255**2 / error), abs=1e-6)
    assert found.panels[2].ssim > found.panels[1].ssim
    assert found.best == found.panels[2].numbers[:2]


def test_grey_and_colours_are_measured_on_one_scale(tmp_path):
    """Luma of colours lies from 16 to 235, and grey is taken as it is: unless the other one has colours."""
    grey = Image.fromarray(RNG.integers(0, 256, (20, 20), np.uint8))
    grey.save(tmp_path / "small.png")
    upscale.enlarge(grey, 2).convert("RGB").save(tmp_path / "large.png")
    found = compared(tmp_path / "small.png", "nn,bilinear", truth=str(tmp_path / "large.png"))
    assert found.panels[1].psnr == float("inf")
    assert found.panels[1].ssim == pytest.approx(1)
    assert 5 < found.panels[2].psnr < 40
    bits = Image.fromarray(RNG.integers(0, 2, (20, 20), np.uint8) * 255).convert("1")
    bits.save(tmp_path / "bits.png")
    upscale.enlarge(bits.convert("L"), 2).save(tmp_path / "large.png")
    assert compared(tmp_path / "bits.png", "nn", truth=str(tmp_path / "large.png")).panels[1].psnr == float("inf")


def test_what_is_transparent_counts_as_much_as_it_is_seen(tmp_path):
    small = np.full((20, 20, 4), 200, np.uint8)
    small[:, 10:, 3] = 0
    large = small.repeat(2, 0).repeat(2, 1)
    large[:, 20:, :3] = 7  # colours that nobody sees
    Image.fromarray(small).save(tmp_path / "small.png")
    Image.fromarray(large).save(tmp_path / "large.png")
    assert compared(tmp_path / "small.png", "nn", truth=str(tmp_path / "large.png")).panels[1].psnr == float("inf")


def test_a_truth_without_room_for_ssim_is_told(tmp_path):
    Image.new("L", (5, 5), 9).save(tmp_path / "a.png")
    Image.new("L", (10, 10), 9).save(tmp_path / "b.png")
    done = ok("a.png", "-o", "s.png", "--truth", "b.png", "-k", "nn", cwd=tmp_path)
    assert "too small for PSNR and SSIM" in done.stderr
    assert "PSNR" not in done.stdout


def test_floats_are_clipped_and_other_channels_refused(tmp_path):
    np.save(tmp_path / "f.npy", np.array([[-1, 0.5], [np.nan, 2]]))
    assert np.asarray(compared(tmp_path / "f.npy", "nn", 1).panels[1].image)[..., 0].tolist() == [[0, 128], [0, 255]]
    np.save(tmp_path / "c.npy", np.zeros((3, 3, 7), np.uint8))
    with pytest.raises(FileError, match=r"c\.npy: .*7 channels|c\.npy: .*3, 3, 7"):
        compared(tmp_path / "c.npy", "nn")


def test_the_default_crop_is_the_middle(tmp_path):
    Image.new("L", (700, 100)).save(tmp_path / "wide.png")
    found = compared(tmp_path / "wide.png", "nn", 4)
    assert found.crop == (286, 0, 128, 100)
    assert found.panels[1].image.size == (512, 400)
    assert "crop 286,0,128,100 of 700x100, factor 4" in found.details


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("nn,bicubic:-0.75,learned", ["nn", "bicubic:-0.75", "learned"]),
        ("1,2,1; 2,4,2; 1,2,1", ["1,2,1; 2,4,2; 1,2,1"]),
        ("1,2,1", ["1,2,1"]),
        ("a,b.npy", ["a,b.npy"]),
        ("sub/k.npy,nn", ["k.npy", "nn"]),
        ("sub/two.safetensors:up,weight", ["two.safetensors:up,weight"]),
    ],
)
def test_lists_of_kernels(tmp_path, monkeypatch, text, names):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in ("a,b.npy", "sub/two.safetensors"):
        (tmp_path / name).touch()
    assert [name for name, _ in _kernels(text)] == names


def test_kernels_of_ones_own(pair, tmp_path):
    for folder, value in (("one", 1.0), ("two", 2.0)):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "k.npy", np.full((3, 3), value))
    names = ["-k", "one/k.npy,two/k.npy", "-k", "1,1,1; 1,1,1; 1,1,1", "--crop", "0,0,9,9", "-f", 3, "--normalize"]
    done = ok("small.png", "-o", "s.png", *names, cwd=tmp_path)
    assert [line.split("  ")[0] for line in done.stdout.splitlines()[2:]] == [
        "one/k.npy", "two/k.npy", "1,1,1; 1,1,1; 1,1,1",
    ]  # fmt: skip


def test_the_factor_is_the_kernels_own(tmp_path):
    kernel = upscale.learn_kernel([RNG.integers(0, 256, (90, 90), np.uint8) for _ in range(2)], 3, 9)
    write_kernel(str(tmp_path / "mine.npz"), kernel)
    found = comparison.load_contenders(_kernels("nn") + _kernels(str(tmp_path / "mine.npz")) + _kernels("adaptive"))
    assert {c.request.factor for c in found} == {(3, 3)}
    with pytest.raises(ArgumentError, match=r"mine\.npz: the kernel is made for factor 3x3"):
        comparison.load_contenders(_kernels(str(tmp_path / "mine.npz")), (2, 2))
    uncut = Kernel(np.ones((4, 4)), factor=(2, 2), padding=((0, 0), (0, 0)))
    write_kernel(str(tmp_path / "cut.npz"), uncut)
    with pytest.raises(ArgumentError, match="padding"):
        comparison.load_contenders(_kernels(str(tmp_path / "cut.npz")), (2, 2))


def test_the_default_list_has_adaptive_where_it_is_shipped(pair, tmp_path):
    done = ok("small.png", "-o", "s.jpg", cwd=tmp_path)
    assert [line.split()[0] for line in done.stdout.splitlines()[2:]] == ["nn", "bilinear", "bicubic", "lanczos3", "adaptive"]
    assert done.stdout.startswith("s.jpg: all of 15x12, factor 2\n")
    assert "adaptive" not in dict(_defaults((5, 5)))
    with Image.open(tmp_path / "s.jpg") as image:
        assert (image.format, image.mode) == ("JPEG", "RGB")


@pytest.mark.parametrize(
    ("arguments", "status", "part"),
    [
        (("small.png", "-o", "s.png", "--crop", "10,0,9,9"), 2, "--crop 10,0,9,9: is not within small.png, which is 15x12"),
        (("small.png", "-o", "s.png", "--crop", "1,2,0,4"), 2, "not a crop"),
        (("small.png", "-o", "s.png", "--crop", "1,2"), 2, "not a crop"),
        (("small.png", "-o", "s.png", "--truth", "small.png"), 1, "is 15x12; the truth of small.png, 15x12, must be 30x24"),
        (("small.png", "-o", "s.png", "--truth", "none.png"), 1, "none.png: no such file"),
        (("none.png", "-o", "s.png"), 1, "none.png: no such file"),
        (("small.png", "-o", "s.png", "-k", "nn,bicubi"), 2, "'bicubi'"),
        (("small.png", "-o", "s.png", "-k", "none.npy"), 1, "none.npy"),
        (("small.png", "-o", "s.png", "-k", "adaptive", "-f", "5"), 2, "adaptive supports the factors 2, 3, 4 only"),
        (("small.png", "-o", "small.png"), 2, "the same file as INPUT"),
        (("small.png", "-o", "large.png", "--truth", "large.png"), 2, "the same file as --truth"),
        (("small.png", "-o", "k.png", "-k", "k.npy"), 2, "the same file as --kernels k.npy"),
        (("small.png", "-o", "s.xyz"), 2, "'.xyz'"),
        (("small.png", "-o", "s.gif"), 2, "'.gif'"),
        (("small.png", "-o", "none/s.png"), 1, "make it first"),
        (("text.png", "-o", "s.png"), 1, "text.png: not a picture"),
        (("small.png", "-o", "s.png", "--truth", "inks.tif"), 1, "inks.tif: luma is known of grey and RGB, not of CMYK"),
        (("small.png",), 2, "SHEET is missing"),
    ],
)
def test_what_is_refused(pair, tmp_path, arguments, status, part):
    np.save(tmp_path / "k.npy", np.ones((2, 2)))
    os.link(tmp_path / "k.npy", tmp_path / "k.png")
    (tmp_path / "text.png").write_text("hello")
    Image.new("CMYK", (30, 24)).save(tmp_path / "inks.tif")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == status, done.stderr
    assert part in done.stderr
    assert done.stderr.startswith("upscale-compare: ")
    assert done.stderr.count("\n") == 1
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_words_need_no_heavy_import():
    for arguments, status in (
        (["--help"], 0),
        (["--version"], 0),
        (["a.png", "-o", "b.png", "-k", "cubic"], 2),
        (["a.png"], 2),
    ):
        code = f"import sys; from upscale.commands.compare import run; s = run({arguments!r}); "
        code += "print(s, [m for m in ('numpy', 'numba', 'PIL') if m in sys.modules])"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
        assert done.stdout.splitlines()[-1] == f"{status} []"


def made(names, size=(20, 20), source="in.png", numbers=(30.0, 0.9, 0.01)):
    """Make a comparison of pictures that differ from each other and from all that is drawn around them."""
    panels = [Panel("input", Image.new("RGB", (10, 10), (250, 0, 9)))]
    panels += [Panel(n, Image.new("RGB", size, (9, 200 - i, 250)), *numbers) for i, n in enumerate(names)]
    return Comparison(source, (10, 10), (0, 0, 10, 10), (2, 2), panels, [])


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
    better = several._replace(panels=[*several.panels, Panel("c", several.panels[1].image, 31.0, 0.8, 0.1)])
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


class _Parsed(HTMLParser):
    """The elements that are open at the end, all attributes, and all texts."""

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.texts = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.attributes.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


HOSTILE = '</script><img src=x onerror="alert(1)">&amp;{{table}}.npy'


def test_the_page_is_one_file_and_escapes_names():
    text = comparison_page.render_page(made(["nn", HOSTILE], source="<b>&\"'{{width}}.png"))
    parsed = _Parsed(text)
    assert not parsed.open
    assert HOSTILE in parsed.texts
    assert "<b>&\"'{{width}}.png" in parsed.texts
    assert not re.search("https?://|//[a-z]", re.sub(r"base64,[^\"]*", "", text).replace(" // ", ""), re.IGNORECASE)
    images = [a for tag, a in parsed.attributes if tag == "img" and "src" in a]
    assert [a["alt"] for a in images] == ["input", "nn", HOSTILE]
    decoded = [Image.open(io.BytesIO(base64.b64decode(a["src"].partition("base64,")[2]))) for a in images]
    assert [d.getpixel((0, 0)) for d in decoded] == [(250, 0, 9), (9, 200, 250), (9, 199, 250)]
    assert not any(name.startswith("on") for _, a in parsed.attributes for name in a)


def test_what_is_written_with_html(pair, tmp_path):
    done = ok("small.png", "-o", "s.png", "--html", "-k", "nn,bilinear", cwd=tmp_path)
    assert done.stdout.startswith("s.png and s.html: ")
    (tmp_path / "s.png").unlink()
    assert ok("small.png", "-o", "t.html", "-k", "nn", "-q", cwd=tmp_path).stdout == ""
    assert sorted(p.name for p in tmp_path.glob("[st]*")) == ["s.html", "small.png", "t.html"]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_the_page_in_a_browser(tmp_path):
    path = tmp_path / "page.html"
    path.write_text(comparison_page.render_page(made(["nn", "bilinear", HOSTILE], (200, 100))))

    def chromium(*options, state):
        base = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
        done = subprocess.run([*base, *options, f"{path.as_uri()}#{state}"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    dom = chromium("--dump-dom", state="left=bilinear&right=nn&at=30&zoom=2")
    assert 'data-left="bilinear"' in dom and 'data-right="nn"' in dom
    assert 'aria-valuenow="30"' in dom
    assert re.search(">2.</output>", dom)
    chromium(f"--screenshot={tmp_path / 'shot.png'}", "--window-size=900,700", state="left=bilinear&right=nn&at=30&zoom=2")
    shot = np.asarray(Image.open(tmp_path / "shot.png").convert("RGB"))
    rows = np.flatnonzero((shot == (9, 199, 250)).all(-1).any(1))
    assert len(rows) == 200
    line = shot[rows[20]]
    left, right = (np.flatnonzero((line == colour).all(-1)) for colour in ((9, 199, 250), (9, 200, 250)))
    assert left.max() < right.min()
    assert right.max() - left.min() + 1 == 400
    assert abs(right.min() - left.min() - 120) <= 3  # of which the divider itself takes some

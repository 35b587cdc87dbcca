"""`upscale-compare`: its panels are what `upscale` makes, its numbers are right, and what cannot work is refused."""

import os
import subprocess
import sys

import numpy as np
import pytest
from comparison_cases import compared
from helpers import command
from helpers import ok as ok_upscale
from PIL import Image

import upscale
from upscale.commands.compare import _defaults, _kernels
from upscale.errors import ArgumentError, FileError
from upscale.figures import comparison
from upscale.kernels.kernel import Kernel
from upscale.kernels.write_files import write_kernel

RNG = np.random.default_rng(5)
run, ok = command("upscale-compare")


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


def test_the_default_list_has_deep_where_it_is_shipped(pair, tmp_path):
    done = ok("small.png", "-o", "s.jpg", cwd=tmp_path)
    assert [line.split()[0] for line in done.stdout.splitlines()[2:]] == ["nn", "bilinear", "bicubic", "lanczos3", "deep"]
    assert done.stdout.startswith("s.jpg: all of 15x12, factor 2, shown at 9x\n")
    assert "deep" not in dict(_defaults((7, 7))) and "deep" in dict(_defaults((5, 5)))
    with Image.open(tmp_path / "s.jpg") as image:
        assert (image.format, image.mode) == ("JPEG", "RGB")


@pytest.mark.parametrize(
    ("arguments", "status", "part"),
    [
        (("small.png", "-o", "s.png", "--crop", "10,0,9,9"), 2, "--crop 10,0,9,9: is not within small.png, which is 15x12"),
        (("small.png", "-o", "s.png", "--crop", "1,2,0,4"), 2, "not a crop"),
        (("small.png", "-o", "s.png", "--crop", "1,2"), 2, "not a crop"),
        (("small.png", "-o", "s.png", "--truth", "small.png"), 1, "small.png: is 15x12, but must be 30x24: 2 times small.png"),
        (("small.png", "-o", "s.png", "--truth", "none.png"), 1, "none.png: no such file"),
        (("none.png", "-o", "s.png"), 1, "none.png: no such file"),
        (("small.png", "-o", "s.png", "-k", "nn,bicubi"), 2, "'bicubi'"),
        (("small.png", "-o", "s.png", "-k", "none.npy"), 1, "none.npy"),
        (("small.png", "-o", "s.png", "-k", "adaptive", "-f", "5"), 2, "adaptive supports only the factors 2, 3, 4"),
        (("small.png", "-o", "small.png"), 2, "the same file as INPUT"),
        (("small.png", "-o", "large.png", "--truth", "large.png"), 2, "the same file as --truth"),
        (("small.png", "-o", "k.png", "-k", "k.npy"), 2, "the same file as --kernels k.npy"),
        (("small.png", "-o", "s.xyz"), 2, "'.xyz'"),
        (("small.png", "-o", "s.gif"), 2, "'.gif'"),
        (("small.png", "-o", "none/s.png"), 1, "create it first"),
        (("text.png", "-o", "s.png"), 1, "text.png: not a picture"),
        (("small.png", "-o", "s.png", "--truth", "inks.tif"), 1, "inks.tif: luma is defined for grey and RGB, not for CMYK"),
        (("small.png",), 2, "SHEET is missing"),
        (("small.png", "-o", "s.html", "--zoom", "2"), 2, "--zoom is for sheets"),
        (("small.png", "-o", "s.png", "--zoom", "99999"), 1, "are free; choose a smaller --crop or --zoom"),
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
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
        assert done.stdout.splitlines()[-1] == f"{status} []"


def test_what_is_written_with_html(pair, tmp_path):
    done = ok("small.png", "-o", "s.png", "--html", "-k", "nn,bilinear", cwd=tmp_path)
    assert done.stdout.startswith("s.png and s.html: ")
    (tmp_path / "s.png").unlink()
    assert ok("small.png", "-o", "t.html", "-k", "nn", "-q", cwd=tmp_path).stdout == ""
    assert sorted(p.name for p in tmp_path.glob("[st]*")) == ["s.html", "small.png", "t.html"]

"""The operator's parameters on pictures: channels, borders, brightness, opacity, linear light."""

import struct
import warnings

import naive
import numpy as np
import pytest
from helpers import SAMPLES, ok, run
from PIL import Image

import upscale
from upscale.kernels.kernel import Kernel
from upscale.kernels.write_files import write_kernel
from upscale.pictures.tone_curves import Curve, curve_of, profile_curves, srgb

RNG = np.random.default_rng(9)
BOTH = pytest.mark.parametrize("engine", ["numba", "numpy"])


def planes(picture):
    return np.moveaxis(picture, 2, 0)[None]


@BOTH
@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize("dilation", [1, (2, 3)])
def test_kernels_that_mix_channels(engine, groups, dilation):
    picture = RNG.normal(size=(6, 5, 3))
    kernel = Kernel(
        RNG.normal(size=(3, 4 // groups + 1, 3, 2)), groups=groups, bias=RNG.normal(size=(4 // groups + 1) * groups)
    )
    got = upscale.enlarge(
        picture, (2, 3), "tconv", kernel, padding=((1, 0), (0, 1)), output_padding=1, dilation=dilation, engine=engine
    )
    want = naive.conv_transpose(
        planes(picture), kernel.weights, kernel.bias, (2, 3), ((1, 0), (0, 1)), (1, 1), groups, np.broadcast_to(dilation, 2)
    )
    assert np.allclose(planes(got), want)


@BOTH
@pytest.mark.parametrize(("edge", "mode"), [("replicate", "edge"), ("reflect", "reflect"), ("wrap", "wrap")])
@pytest.mark.parametrize("weights", [RNG.random((7, 6)), np.outer(RNG.random(7), RNG.random(6)), RNG.random((2, 3, 5, 4))])
def test_edges_pad_the_picture_first(engine, edge, mode, weights):
    picture = RNG.random((4, 5, 2))
    got = upscale.enlarge(picture, 2, "tconv", weights, edge=edge, engine=engine)
    margin = 3
    padded = np.pad(picture, ((margin, margin), (margin, margin), (0, 0)), mode=mode)
    want = upscale.enlarge(padded, 2, "tconv", weights, engine=engine)[2 * margin : -2 * margin, 2 * margin : -2 * margin]
    assert np.allclose(got, want)


def test_wrap_keeps_tiles_seamless():
    tile = RNG.random((8, 8))
    four = upscale.enlarge(np.tile(tile, (2, 2)), 3, "tconv", "lanczos3", edge="wrap")
    assert np.allclose(four, np.tile(upscale.enlarge(tile, 3, "tconv", "lanczos3", edge="wrap"), (2, 2)))


@BOTH
def test_normalizing_kernels_that_mix_channels(engine):
    kernel = RNG.random((3, 2, 3, 3)) + 0.1
    got = upscale.enlarge(np.ones((5, 5, 3)), 2, "tconv", kernel, normalize=True, engine=engine)
    assert np.allclose(got, 1)


def test_normalize_removes_the_checkerboard():
    flat = np.full((6, 6), 100, np.uint8)
    plain = upscale.enlarge(flat, 2, "tconv", np.ones((3, 3)))
    assert np.unique(plain[2:-2, 2:-2]).tolist() == [100, 200, 255]
    assert (upscale.enlarge(flat, 2, "tconv", np.ones((3, 3)), normalize=True) == 100).all()


def test_presets_without_normalizing():
    got = upscale.enlarge(np.ones((4, 4)), 2, "tconv", "bilinear", normalize=False)
    assert got[0, 0] == 0.75**2
    assert got[3, 3] == 1


def test_a_bed_of_nails():
    got = upscale.enlarge(np.array([[5, 6], [7, 8]]), 2, "tconv", "zero")
    assert got.tolist() == [[5, 0, 6, 0], [0, 0, 0, 0], [7, 0, 8, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("hamming", {0: 1, 0.5: 2 / np.pi * 0.54}),
        ("bicubic:-0.75", {0.5: 0.59375, 1.5: -0.09375}),
        ("catmull-rom", {0.5: 0.5625, 1.5: -0.0625}),
        ("mitchell", {0: 8 / 9, 1: 1 / 18, 0.5: 0.53472222, 1.5: -0.03472222}),
        ("bspline", {0: 2 / 3, 1: 1 / 6, 0.5: 23 / 48, 1.5: 1 / 48}),
        ("lanczos2", {0.5: np.sinc(0.5) * np.sinc(0.25), 1.5: np.sinc(1.5) * np.sinc(0.75)}),
        ("lanczos4", {3.5: np.sinc(3.5) * np.sinc(0.875)}),
        ("gaussian:2", {2: np.exp(-0.5)}),
    ],
)
def test_presets_by_their_published_values(name, values):
    from upscale.kernels.presets import PRESETS, named

    filter = named(name)
    for distance, value in values.items():
        assert PRESETS[filter.name].value(distance, filter.parameter) == pytest.approx(value)


def test_opacity_goes_by_the_normalized_kernel_whatever_the_colours_do():
    picture = np.full((6, 6, 4), 80, np.uint8)
    picture[..., 3] = 255
    image = upscale.enlarge(Image.fromarray(picture), 2, "tconv", np.full((2, 2), 2.0))
    assert np.unique(np.asarray(image)[..., 3]) == [255]
    assert np.unique(np.asarray(image)[..., :3]) == [160]
    mixed = upscale.enlarge(Image.fromarray(picture), 2, "tconv", np.full((3, 3, 2, 2), 1 / 3))
    assert (np.asarray(mixed) == (80, 80, 80, 255)).all()


def test_opacity_that_cannot_be_normalized_is_enlarged_by_nn(tmp_path):
    picture = RNG.integers(0, 256, (4, 5, 4), np.uint8)
    Image.fromarray(picture).save(tmp_path / "in.png")
    done = ok("in.png", "out.png", "-m", "tconv", "-k", "1,0,-1;0,0,0;-1,0,1", "-f", "1", cwd=tmp_path)
    assert b"enlarged by nn" in done.stderr
    with Image.open(tmp_path / "out.png") as image:
        assert np.array_equal(np.asarray(image)[..., 3], picture[..., 3])


def test_a_bias_is_in_units_of_full_scale_for_pictures(tmp_path):
    Image.new("L", (2, 2), 10).save(tmp_path / "in.png")
    ok("in.png", "out.png", "-m", "tconv", "-k", "box", "--bias", "0.2", cwd=tmp_path)
    with Image.open(tmp_path / "out.png") as image:
        assert image.getextrema() == (61, 61)
    Image.new("RGBA", (2, 2), (10, 20, 30, 128)).save(tmp_path / "in.png")
    ok("in.png", "out.png", "-m", "tconv", "-k", "1,1;1,1", "--bias", "0.2", cwd=tmp_path)
    with Image.open(tmp_path / "out.png") as image:
        assert image.getpixel((0, 0)) == (61, 71, 81, 128)
    np.save(tmp_path / "in.npy", np.full((2, 2), 10, np.uint8))
    ok("in.npy", "out.npy", "-m", "tconv", "-k", "box", "--bias", "0.2", cwd=tmp_path)
    assert np.allclose(np.load(tmp_path / "out.npy"), 10.2)


def test_a_layer_on_a_picture(tmp_path):
    weights, bias = RNG.normal(0, 0.2, (3, 3, 4, 4)), np.array([0.1, 0, -0.1])
    np.save(tmp_path / "w.npy", weights)
    np.save(tmp_path / "b.npy", bias)
    ok(
        SAMPLES / "cat.png",
        tmp_path / "out.png",
        "-m",
        "tconv",
        "-k",
        tmp_path / "w.npy",
        "--bias",
        tmp_path / "b.npy",
        "--padding",
        "1",
    )
    with Image.open(SAMPLES / "cat.png") as image:
        x = planes(np.asarray(image) / 255)
    want = upscale.conv_transpose2d(x, weights, bias, 2, 1)[0].transpose(1, 2, 0) * 255
    with Image.open(tmp_path / "out.png") as image:
        assert np.abs(np.asarray(image) - np.clip(np.floor(want + 0.5), 0, 255)).max() <= 1


def test_channels_that_only_some_formats_hold(tmp_path):
    Image.fromarray(RNG.integers(0, 256, (3, 4), np.uint8)).save(tmp_path / "in.png")
    np.save(tmp_path / "k.npy", RNG.random((1, 4, 2, 2)))
    arguments = ("-m", "tconv", "-k", "k.npy")
    ok("in.png", "out.npy", *arguments, cwd=tmp_path)
    assert np.load(tmp_path / "out.npy").shape == (6, 8, 4)
    ok("in.png", "out.tiff", *arguments, cwd=tmp_path)
    import tifffile

    assert tifffile.imread(tmp_path / "out.tiff").shape == (6, 8, 4)
    done = run("in.png", "out.png", *arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert b"4 channels" in done.stderr
    np.save(tmp_path / "k.npy", RNG.random((1, 3, 2, 2)))
    ok("in.png", "out.png", *arguments, cwd=tmp_path)
    with Image.open(tmp_path / "out.png") as image:
        assert image.mode == "RGB"


@pytest.mark.parametrize("shape", [(3, 5, 4), (2, 3, 5, 4)])
def test_layout_chw(tmp_path, shape):
    x, w = RNG.normal(size=shape), RNG.normal(size=(3, 2, 3, 3))
    np.save(tmp_path / "in.npy", x)
    np.save(tmp_path / "w.npy", w)
    ok("in.npy", "nn.npy", "--layout", "chw", "-f", "3x2", cwd=tmp_path)
    assert np.array_equal(np.load(tmp_path / "nn.npy"), x.repeat(2, -2).repeat(3, -1))
    ok("in.npy", "out.npy", "--layout", "chw", "-m", "tconv", "-k", "w.npy", "--padding", "1", "--bias", "1,2", cwd=tmp_path)
    assert np.allclose(np.load(tmp_path / "out.npy"), upscale.conv_transpose2d(x, w, [1, 2], 2, 1))
    done = run("in.npy", "out.npy", cwd=tmp_path)
    assert done.returncode == (1 if len(shape) == 4 else 0)
    assert len(shape) == 3 or b"--layout chw" in done.stderr


def test_clipping_is_told_with_what_would_help(tmp_path, rgb):
    text = ok(rgb, tmp_path / "out.png", "-m", "tconv", "-k", "4,4;4,4").stderr.decode()
    assert text.count("\n") == 1
    for part in ("% of the samples were clipped", "4 times as bright", "--normalize"):
        assert part in text
    assert ok(rgb, tmp_path / "out.png", "-m", "tconv", "-k", "4,4;4,4", "-q").stderr == b""
    assert ok(rgb, tmp_path / "out.png", "-m", "tconv", "-k", "4,4;4,4", "--normalize").stderr == b""


def test_the_gain_is_that_of_the_phases(tmp_path):
    Image.new("L", (8, 8), 200).save(tmp_path / "in.png")
    text = ok("in.png", "out.png", "-k", "1,2,1", "-f", "2", cwd=tmp_path).stderr.decode()
    assert "clipped: the kernel makes pictures 2 times as bright; a kernel of at least 2x2 can be normalised" in text
    text = ok("in.png", "out.png", "-k", "1,1,1;1,1,1;1,1,1", "-f", "2", cwd=tmp_path).stderr.decode()
    assert "clipped: the kernel makes pictures 1 to 4 times as bright; --normalize keeps brightness" in text


def test_overshoots_of_opacity_are_no_clipping(tmp_path):
    picture = np.zeros((16, 16, 4), np.uint8)
    picture[4:12, 4:12] = (100, 120, 140, 255)
    Image.fromarray(picture).save(tmp_path / "in.png")
    assert ok("in.png", "out.png", "-m", "tconv", "-k", "lanczos3", cwd=tmp_path).stderr == b""


@BOTH
def test_linear_light_mixes_light(engine):
    picture = np.array([[0, 255]], np.uint8)
    got = upscale.enlarge(picture, 1, "tconv", "0.5,0.5", linear=True, edge="replicate", engine=engine)
    assert got.tolist() == [[188, 255]] or got.tolist() == [[0, 188]]  # sRGB's sample for half the light


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [0, 3])
def test_linear_light_and_back_is_exact(dtype, channels):
    every = np.arange(np.iinfo(dtype).max + 1, dtype=dtype)[:: 1 if dtype == np.uint8 else 7][None]
    every = np.repeat(every[..., None], channels, 2) if channels else every
    assert np.array_equal(upscale.enlarge(every, 1, "tconv", "box", linear=True), every)


def test_linear_light_does_not_band():
    ramp = np.repeat(np.arange(40, dtype=np.uint8), 4)[None]
    got = upscale.enlarge(ramp, 4, "tconv", "bilinear", linear=True)[0].astype(int)
    assert np.diff(got).min() >= 0
    assert np.diff(got).max() <= 1


def test_the_files_own_curve(tmp_path):
    from PIL import ImageCms
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add(b"gAMA", (100000).to_bytes(4, "big"))  # linear already
    Image.fromarray(np.array([[0, 255]], np.uint8)).save(tmp_path / "in.png", pnginfo=info)
    ok("in.png", "out.png", "-m", "tconv", "-k", "0.5,0.5", "-f", "1", "--linear", "--edge", "replicate", cwd=tmp_path)
    with Image.open(tmp_path / "out.png") as image:
        assert {127, 128} & set(np.asarray(image).ravel())  # 127.5 to hundredths; sRGB's curve would give 188
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    x = np.linspace(0, 1, 1000)
    assert np.allclose(profile_curves(profile, x)[0], srgb(x), atol=1e-3)
    assert profile_curves(profile[:200], x) is None
    assert profile_curves(b"", x) is None


@pytest.mark.parametrize("kind", [0, 1, 2, 3, 4])
@pytest.mark.parametrize(
    "numbers", [[2, 0, 0, 0, 0, 0, 0], [100, 1, 1, 1, 1, 1, 1], [-3, -1, 0, 0, 0, 0, 0], [0.5, 1, -1, 0, 0, 0, 0]]
)
def test_curves_that_nothing_can_be_made_of(tmp_path, kind, numbers):
    """Of a damaged profile, nothing is printed but what was made of it: sRGB's curve."""
    tag = struct.pack(">4sIHH7i", b"para", 0, kind, 0, *(round(n * 65536) for n in numbers))
    offset = 132 + 3 * 12
    table = b"".join(struct.pack(">4sII", name, offset, len(tag)) for name in (b"rTRC", b"gTRC", b"bTRC"))
    profile = bytes(128) + struct.pack(">I", 3) + table + tag
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = profile_curves(profile, np.linspace(0, 1, 99))
    assert found is None or all(np.isfinite(c).all() and (np.diff(c) >= 0).all() and c[0] < c[-1] for c in found)


def test_a_damaged_curve_warns_of_nothing(tmp_path):
    tag = struct.pack(">4sIHH3i", b"para", 0, 1, 0, 2 * 65536, 0, 0)
    profile = bytes(128) + struct.pack(">I4sII", 1, b"kTRC", 144, len(tag)) + tag
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).save(tmp_path / "in.png", icc_profile=profile)
    done = ok("in.png", "out.png", "-m", "tconv", "-k", "bilinear", "--linear", cwd=tmp_path)
    assert b"Warning" not in done.stderr and b".py" not in done.stderr


def test_curves():
    curve = curve_of({"gamma": 0.5}, 255)
    light = curve.decode(np.array([[[0, 128, 255]]], np.uint8))
    assert np.allclose(light, np.array([0, 128 / 255, 1]) ** 2, atol=1e-5)
    assert np.allclose(curve.encode(light), [0, 128, 255], atol=1e-2)
    assert np.allclose(Curve([np.linspace(0, 1, 5)], 255).encode(np.array([[-0.5, 2.0]])), [[-127.5, 510]])


@pytest.mark.parametrize("arguments", [("in.tiff", "out.tiff"), ("cmyk.tiff", "out.tiff")])
def test_linear_light_is_for_rgb_and_grey(tmp_path, arguments):
    Image.new("F", (2, 2)).save(tmp_path / "in.tiff")
    Image.new("CMYK", (2, 2)).save(tmp_path / "cmyk.tiff")
    done = run(*arguments, "-m", "tconv", "-k", "box", "--linear", cwd=tmp_path)
    assert done.returncode == 1
    assert b"linear light" in done.stderr


def test_a_learned_kernels_file_needs_no_options(tmp_path, rgb):
    write_kernel(str(tmp_path / "k.npz"), Kernel(np.ones((3, 3)), factor=3, normalized=True))
    ok(rgb, tmp_path / "out.png", "-m", "tconv", "-k", tmp_path / "k.npz")
    with Image.open(tmp_path / "out.png") as image, Image.open(rgb) as before:
        assert np.array_equal(np.asarray(image), naive.nearest(np.asarray(before), (3, 3)))
    done = run(rgb, tmp_path / "out2.png", "-m", "tconv", "-k", tmp_path / "k.npz", "-f", "2")
    assert done.returncode == 2
    assert b"made for factor 3x3" in done.stderr
    assert not (tmp_path / "out2.png").exists()


def test_the_shortcut_for_rank_one_changes_no_weight():
    got = upscale.enlarge(np.array([[0.0, 1]]), 1, "tconv", np.array([[1e7, 0], [0, 1.0]]), padding=0)
    assert got.tolist() == [[0, 1e7, 0], [0, 0, 1]]
    nearly = np.outer(RNG.random(5) + 1, RNG.random(5) + 1) * (1 + 1e-7 * RNG.random((5, 5)))
    picture = RNG.random((6, 6))
    want = upscale.conv_transpose2d(picture[None], nearly[None, None], stride=2)[0]
    assert np.allclose(upscale.enlarge(picture, 2, "tconv", nearly, padding=0), want, rtol=1e-14)


@pytest.mark.heavy
@pytest.mark.parametrize("kernel", ["bicubic", "lanczos3", "mitchell"])
def test_engines_agree_on_16_bits(kernel):
    picture = RNG.integers(0, 65536, (200, 300), np.uint16)
    one, two = (upscale.enlarge(picture, 4, "tconv", kernel, engine=e) for e in ("numba", "numpy"))
    assert np.array_equal(one, two)


def test_not_a_number_makes_no_warning(tmp_path):
    Image.fromarray(np.array([[np.nan, np.inf, 3e38]], np.float32)).save(tmp_path / "in.tiff")
    assert ok("in.tiff", "out.tiff", "-m", "tconv", "-k", "1,2,3;0,1,0;2,2,9", cwd=tmp_path).stderr == b""


def test_a_colour_key_becomes_opacity_in_an_array(tmp_path):
    Image.new("L", (2, 2), 7).save(tmp_path / "in.png", transparency=7)
    ok("in.png", "out.npy", cwd=tmp_path)
    assert np.load(tmp_path / "out.npy").tolist() == [[[7, 0]] * 4] * 4


def test_the_list_of_kernels():
    from upscale.kernels.presets import PRESETS

    text = ok("--list-kernels").stdout.decode()
    assert all(name in text and p.good in text and p.bad in text for name, p in PRESETS.items())

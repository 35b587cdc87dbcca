"""Adaptive kernels: corrections are chosen and added as plain Python does it, the same by all engines, and they help."""

import json

import naive
import numpy as np
import pytest
from helpers import command, scene
from helpers import ok as ok_upscale
from helpers import run as run_upscale
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import upscale
from upscale.errors import ArgumentError, FileError
from upscale.kernels.corrections import Corrections, orders
from upscale.kernels.read_files import read_kernel
from upscale.kernels.write_files import write_kernel
from upscale.learning import image_quality
from upscale.learning.downscale import downscaled
from upscale.learning.learn_corrections import Crops, learn_bank
from upscale.operators.enlargement import Enlargement, Request
from upscale.operators.operator import make_operator
from upscale.pictures.picture import Picture

run, ok = command("upscale-learn")
single = upscale.Kernel(np.outer(*[np.array([1.0, 3, 3, 1])] * 2) / 16, normalized=True, factor=2)


#: Each type takes long to compile for.
FLOATS = pytest.mark.parametrize(
    ("dtype", "atol"), [(np.float32, 4e-6), pytest.param(np.float64, 1e-6, marks=pytest.mark.heavy)]
)


def bank_of(seed=0, depth=3, factor=2, classes=5, size=0.05):
    rng = np.random.default_rng(seed)
    nodes = 2**depth - 1
    return Corrections(
        rng.integers(0, 25, (nodes, 2)), rng.integers(-30, 30, nodes), rng.integers(0, classes, nodes + 1),
        rng.normal(0, size, (classes, 25, 9 * factor**2)), factor,
    )  # fmt: skip


def kernel_of(bank):
    plain = np.outer(*[np.arange(1, 2 * bank.factor + 1) + 1.0] * 2)
    return upscale.Kernel(plain + plain[::-1, ::-1], normalized=True, factor=bank.factor, corrections=bank)


@pytest.mark.parametrize("dtype", [np.float32, pytest.param(np.float64, marks=pytest.mark.heavy)])
@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 999), st.integers(0, 4), st.integers(1, 4), st.integers(1, 9), st.integers(1, 9),
    st.sampled_from(["numpy", "numba"]),
)  # fmt: skip
def test_corrections_are_those_of_plain_python(dtype, seed, depth, factor, height, width, engine):
    bank = bank_of(seed, depth, factor)
    picture = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(dtype) / 256
    kernel = kernel_of(bank)
    plain = upscale.enlarge(picture, None, "tconv", kernel.replaced(corrections=None), engine=engine)
    got = upscale.enlarge(picture, None, "tconv", kernel, engine=engine)
    # Floats reach to 1: scaled by 255, not 256, comparisons see other differences than these, and so has the naive version.
    np.testing.assert_allclose(got, plain + naive.corrections(np.float32(picture) * np.float32(255), bank) / 255, atol=1e-5)


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4", *(pytest.param(d, marks=pytest.mark.heavy) for d in ("f8", "i4"))])
@pytest.mark.parametrize("shape", [(40, 37), (33, 29, 3), (9, 70, 4), (1, 1), (2, 5, 2)])
@pytest.mark.parametrize("edge", ["zero", "wrap", "reflect"])
def test_engines_agree(dtype, shape, edge):
    rng = np.random.default_rng(1)
    kernel = kernel_of(bank_of(2, 5))
    picture = rng.random(shape)
    picture = picture.astype(dtype) if dtype[0] == "f" else (picture * np.iinfo(dtype).max).astype(dtype)
    results = [upscale.enlarge(picture, None, "tconv", kernel, edge=edge, engine=engine) for engine in ("numpy", "numba")]
    np.testing.assert_array_equal(*results)


def test_bands_are_parts_of_the_whole():
    rng = np.random.default_rng(3)
    picture = Picture(rng.integers(0, 256, (53, 20, 3), np.uint8), "RGB")
    for factor in (2, 3):
        kernel = kernel_of(bank_of(4, 4, factor))
        request = make_operator(kernel, None, None, output_padding=(0, 0), dilation=(1, 1), edge="zero", normalize=None)
        enlarging = Enlargement(picture, Request(request.factor, request))
        bands = [band.copy() for band in enlarging.bands(2000)]
        assert len(bands) > 5
        np.testing.assert_array_equal(np.concatenate(bands), enlarging.whole().samples)
        rows = [np.empty((1, *enlarging.shape[1:]), np.uint8) for _ in range(7)]  # which begin within a block
        for y, row in enumerate(rows):
            enlarging._filled(y, row)
        np.testing.assert_array_equal(np.concatenate(rows), enlarging.whole().samples[:7])


@FLOATS
def test_flat_stays_flat_and_what_is_turned_is_turned(dtype, atol):
    kernel = single.replaced(corrections=bank_of(5))
    for value in (0, 1, 77, 255):
        assert (upscale.enlarge(np.full((6, 7, 3), value, np.uint8), None, "tconv", kernel) == value).all()
    picture = np.random.default_rng(6).random((12, 9), dtype)  # without ties
    expected = upscale.enlarge(picture, None, "tconv", kernel)
    for turns in range(4):
        for flip in (lambda a: a, np.fliplr):
            got = upscale.enlarge(np.ascontiguousarray(flip(np.rot90(picture, turns))), None, "tconv", kernel)
            # Values that are repeated beyond the border make ties.
            np.testing.assert_allclose(got[4:-4, 4:-4], flip(np.rot90(expected, turns))[4:-4, 4:-4], atol=atol)


@FLOATS
def test_where_one_class_holds_it_is_one_kernel(dtype, atol):
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:20, 0:24]
    # Brighter to the right, and less so downwards, everywhere.
    ramp = ((y + 3 * x + 0.1 * rng.random(x.shape)) / 100).astype(dtype)
    bank = bank_of(8, 0, 2, 1)
    kernel = upscale.Kernel(single.weights, normalized=True, factor=2, corrections=bank)
    # The kernel of 7 x 7 blocks that all 9 corrections make together, one copy of the matrix for each of the 25 values.
    correction = (bank.weights[0] * bank.unit).reshape(5, 5, 6, 6)
    correction[2, 2] -= correction.sum((0, 1))
    composed = np.zeros((14, 14))
    for j in range(5):
        for i in range(5):
            composed[8 - 2 * j : 14 - 2 * j, 8 - 2 * i : 14 - 2 * i] += correction[j, i]
    composed[5:9, 5:9] += single.weights * 4 / single.weights.sum()
    got = upscale.enlarge(ramp, None, "tconv", kernel)
    expected = upscale.enlarge(ramp, 2, "tconv", composed, normalize=False)
    np.testing.assert_allclose(got[8:-8, 8:-8], expected[8:-8, 8:-8], atol=atol)


def test_colours_do_not_leak_from_transparent_pixels_and_stay_what_they_are():
    rng = np.random.default_rng(9)
    picture = np.zeros((30, 30, 4), np.uint8)
    picture[..., :3] = (200, 90, 30)
    picture[..., 3] = np.where(rng.random((30, 30)) < 0.5, 255, 0)
    picture[picture[..., 3] == 0, :3] = (0, 255, 0)
    kernel = kernel_of(bank_of(10, 4, size=0.01))
    got = np.asarray(upscale.enlarge(Image.fromarray(picture), None, "tconv", kernel))
    seen = got[..., 3] > 0
    assert np.abs(got[seen][:, :3].astype(int) - (200, 90, 30)).max() <= 1
    plain = np.asarray(upscale.enlarge(Image.fromarray(picture), None, "tconv", kernel.replaced(corrections=None)))
    assert (got[..., 3] != plain[..., 3]).any()


def test_grey_is_as_grey_in_colour_and_the_scale_does_not_matter():
    grey = scene(1)
    kernel = kernel_of(bank_of(11, 4))
    got = upscale.enlarge(grey, None, "tconv", kernel)
    deep = upscale.enlarge(grey.astype(np.uint16) * 257, None, "tconv", kernel)
    assert np.abs(deep / 257 - got).max() <= 0.51
    floats = upscale.enlarge((grey / 255).astype(np.float32), None, "tconv", kernel)
    assert np.abs(np.clip(floats * 255, 0, 255) - got).max() <= 0.51


def test_pictures_of_a_batch_choose_for_themselves(tmp_path):
    batch = np.stack([[scene(i), scene(i + 5), scene(i + 9)] for i in range(2)]).astype(np.float32) / 255
    write_kernel(str(tmp_path / "k.npz"), kernel_of(bank_of(12, 4)))
    np.save(tmp_path / "in.npy", batch)
    ok_upscale(
        tmp_path / "in.npy", tmp_path / "out.npy", "--layout", "chw", "--method", "tconv", "--kernel", tmp_path / "k.npz"
    )
    for one, got in zip(batch, np.load(tmp_path / "out.npy"), strict=True):
        expected = upscale.enlarge(np.moveaxis(one, 0, 2), None, "tconv", str(tmp_path / "k.npz"))
        np.testing.assert_array_equal(np.moveaxis(got, 0, 2), expected)


def test_a_file_holds_it(tmp_path):
    kernel = kernel_of(bank_of(13))
    path = str(tmp_path / "k.npz")
    write_kernel(path, kernel)
    again = read_kernel(path)
    for name in ("compared", "thresholds", "leaves", "weights", "unit", "factor"):
        np.testing.assert_array_equal(getattr(again.corrections, name), getattr(kernel.corrections, name))
    arrays = dict(np.load(path))
    assert arrays["version"] == 2
    for name in ("compared", "thresholds", "leaves", "unit", "factor"):
        np.savez(path, **{k: v for k, v in arrays.items() if k != name})
        with pytest.raises(FileError, match=r"k\.npz"):
            read_kernel(path)
    for name, value in [
        ("compared", arrays["compared"] + 25), ("compared", arrays["compared"][:-1]), ("leaves", arrays["leaves"] + 9),
        ("corrections", arrays["corrections"][:, 1:]), ("corrections", arrays["corrections"] / 3), ("unit", np.nan),
        ("thresholds", arrays["thresholds"] * np.nan), ("factor", [2, 3]), ("normalized", 0), ("leaves", arrays["leaves"] / 1),
    ]:  # fmt: skip
        np.savez(path, **arrays | {name: value})
        with pytest.raises(FileError, match=r"k\.npz"):
            read_kernel(path)


@pytest.mark.parametrize(
    "options", [["--factor", "3"], ["--padding", "1"], ["--output-padding", "1"], ["--dilation", "2"], ["--no-normalize"]]
)  # fmt: skip
def test_what_does_not_go_with_it(tmp_path, options):
    write_kernel(str(tmp_path / "k.npz"), kernel_of(bank_of()))
    Image.fromarray(scene(0)).save(tmp_path / "in.png")
    done = run_upscale(tmp_path / "in.png", tmp_path / "out.png", "--method", "tconv", "--kernel", tmp_path / "k.npz", *options)
    assert done.returncode == 2
    assert options[0][2:].split("-")[-1][:7].encode() in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out.png").exists()


def test_orders_undo_themselves():
    square = np.random.default_rng(0).random((3, 3))
    for orientation, order in enumerate(orders(3)):
        turned = square[:: -1 if orientation & 2 else 1, :: -1 if orientation & 1 else 1]
        np.testing.assert_array_equal(square.ravel()[order].reshape(3, 3), turned.T if orientation & 4 else turned)


def test_crops_are_bounded_and_spread():
    crops = Crops(40_000)
    for i in range(50):
        crops.add(np.full((100, 120), i, np.uint8), np.full((200, 240), i, np.uint8))
    kept = crops.pairs
    assert 20_000 <= sum(low.size for low, _ in kept) <= 40_000
    values = [int(low[0, 0]) for low, _ in kept]
    assert values == sorted(set(values))
    assert values[-1] >= 30
    assert all(high.shape == (2 * low.shape[0], 2 * low.shape[1]) for low, high in kept)
    large = Crops()
    large.add(scene(0, (400, 300)), scene(0, (800, 600)))
    assert sum(low.size for low, _ in large.pairs) == 400 * 300


def test_it_is_better_on_pictures_it_has_not_seen():
    kernel = upscale.learn_kernel([scene(seed, (140, 140)) for seed in range(10)], 2, 10, adaptive=True)
    for seed in range(50, 53):
        high = scene(seed, (140, 140))
        low = downscaled(high, 2, "bicubic")
        plain, adaptive = (
            image_quality.psnr(upscale.enlarge(low, 2, "tconv", k), high, 2)
            for k in (kernel.replaced(corrections=None), kernel)
        )
        assert adaptive > plain + 0.1


@pytest.mark.heavy
def test_it_is_the_same_each_time():
    kernels = [upscale.learn_kernel([scene(seed, (180, 180)) for seed in range(9)], 2, 10, adaptive=True) for _ in range(2)]
    np.testing.assert_array_equal(kernels[0].bank.weights, kernels[1].bank.weights)
    np.testing.assert_array_equal(kernels[0].bank.compared, kernels[1].bank.compared)


def test_too_little_to_learn_from():
    with pytest.raises(ArgumentError, match="samples"):
        learn_bank([(scene(0)[:20, :20], scene(0)[:40, :40])], single)


def test_the_command(tmp_path):
    (tmp_path / "in").mkdir()
    for i in range(4):
        Image.fromarray(scene(i, (140, 140))).save(tmp_path / "in" / f"{i}.png")
    done = ok("in", "-o", "k.npz", "--adaptive", "--size", "10", cwd=tmp_path)
    lines = done.stdout.splitlines()
    assert "corrections" in lines[0]
    scores = {line.split()[0]: float(line.split()[1]) for line in lines[3:]}
    assert list(scores) == ["nearest", "bilinear", "bicubic", "lanczos3", "learned", "adaptive"]
    kernel = read_kernel(str(tmp_path / "k.npz"))
    training = json.loads(kernel.training)
    assert training["classes"] == kernel.corrections.classes > 1
    assert training["quality"]["adaptive"][0] == pytest.approx(scores["adaptive"], abs=0.01)
    ok_upscale("in/3.png", "out.png", "--method", "tconv", "--kernel", "k.npz", cwd=tmp_path)
    got = np.asarray(Image.open(tmp_path / "out.png"))
    np.testing.assert_array_equal(got, upscale.enlarge(scene(3, (140, 140)), 2, "tconv", kernel))
    Image.fromarray(scene(0, (60, 60))).save(tmp_path / "small.png")
    few = run("small.png", "-o", "few.npz", "--adaptive", "--size", "6", cwd=tmp_path)
    assert few.returncode == 1
    assert "676 samples" in few.stderr
    assert "1200 are needed: give more" in few.stderr
    assert not (tmp_path / "few.npz").exists()

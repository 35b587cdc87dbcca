"""`upscale-kernel`: what is said of kernels, figures, conversion, and the operator step by step."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import command
from PIL import Image

import upscale
from upscale.kernels.kernel import Kernel
from upscale.kernels.read_files import READERS, read_kernel
from upscale.kernels.write_files import write_kernel

COMMAND = str(Path(sys.executable).with_name("upscale-kernel"))
RNG = np.random.default_rng(0)
ONES = "1,1,1; 1,1,1; 1,1,1"
run, ok = command("upscale-kernel")


# What is said of a kernel


def test_an_uneven_overlap_is_told():
    said = ok("show", ONES, "--factor", 2).stdout
    assert "verdict: Uneven overlap 133 %: expect a checkerboard; --normalize removes it." in said
    assert "gain of each phase:\n  4  2\n  2  1\n" in said
    assert "rank: 1, separable: 3 + 3 weights instead of 9" in said
    assert "sum: 9," in said
    assert "symmetry: left-right, up-down, diagonal" in said
    assert "Shifts the image 0.5 output pixel right and down." in said
    assert "edge: overshoot 0 %, ripple 133 % (checkerboard)\n" in said
    assert "copies per output pixel: 1 to 4\n" in said


def test_normalising_changes_the_verdict():
    said = ok("show", ONES, "--factor", 2, "--normalize").stdout
    assert "Normalised: no checkerboard, and brightness is kept (an uneven overlap of 133 % is divided out)." in said


def test_a_preset_is_even():
    said = ok("show", "bilinear").stdout
    assert "verdict: Normalised: no checkerboard, and brightness is kept.\n" in said
    assert "edge: overshoot 0 %\n" in said


def test_an_adaptive_kernel_is_told():
    said = ok("show", "adaptive", "--factor", 2).stdout
    assert "corrections: " in said and "18x18" in said


def test_a_kernel_that_mixes_channels(tmp_path):
    np.save(tmp_path / "k.npy", RNG.normal(size=(4, 3, 3, 3)))
    said = ok("show", "k.npy", "--channels", "3,2", cwd=tmp_path).stdout
    assert "channels: 4 to 3\n" in said and said.count("  to channel ") == 3
    assert "from channel 3 to channel 2" in said
    done = run("show", "k.npy", "--channels", "4,0", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and "0 to 3" in done.stderr


# Figures


def test_a_figure(tmp_path):
    pytest.importorskip("matplotlib")
    ok("show", ONES, "-f", "2", "-o", tmp_path / "one.png")
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
    assert len(list(tmp_path.iterdir())) == 1


def test_without_matplotlib_the_reason_is_told(tmp_path):
    code = "import sys; sys.modules['matplotlib'] = None; from upscale.commands.kernel import run; sys.exit(run(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "show", "box", "-o", "k.png"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert done.stderr == "upscale-kernel: figures need the library matplotlib: pip install matplotlib\n"
    assert not list(tmp_path.iterdir())


# Conversion


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_layer_comes_back_whole(tmp_path, suffix):
    """Out of a layer into the own form and back: the same numbers in 32 bits, under the same names."""
    if suffix == ".pt":
        pytest.importorskip("torch")
    weights, bias = RNG.normal(size=(3, 3, 4, 4)).astype(np.float32), np.float32([1, 2, 3])
    layer = f"layer{suffix}:up.weight"
    write_kernel(str(tmp_path / f"layer{suffix}"), Kernel(weights, bias=bias), "up.weight")
    ok("convert", layer, "up.npz", "--bias", f"layer{suffix}:up.bias", "-f", 2, "--padding", 1, cwd=tmp_path)
    got = read_kernel(str(tmp_path / "up.npz"))
    assert np.array_equal(got.weights, weights) and np.array_equal(got.bias, bias)
    assert (got.factor, got.padding, got.normalized) == ((2, 2), ((1, 1), (1, 1)), False)
    done = ok("convert", "up.npz", "-o", f"back{suffix}:up.weight", cwd=tmp_path)
    assert done.stderr.splitlines() == [
        f"upscale-kernel: back{suffix}: does not store the factor: use it with --factor 2",
        f"upscale-kernel: back{suffix}: does not store the padding: use it with --padding 1",
        f"upscale-kernel: back{suffix}: stores the bias as a separate tensor: use it with --bias back{suffix}:up.bias",
    ]
    read = READERS[suffix]
    for name, want in (("up.weight", weights), ("up.bias", bias)):
        array, *_ = read(str(tmp_path / f"back{suffix}"), name, (1, 2, 4))
        assert np.array_equal(array, want)
    if suffix == ".safetensors":
        assert array.dtype == np.float32


@pytest.mark.parametrize("name", ["bicubic", "gaussian:0.4", "lanczos3", "learned"])
def test_a_preset_in_a_bare_form_is_the_same_kernel(tmp_path, name):
    """Inside the picture as it is, and at the borders too once it is normalised."""
    done = ok("make", name, "-f", 3, "-o", tmp_path / "k.csv")
    assert "use it with --normalize" in done.stderr and "--factor 3" in done.stderr
    picture, path = RNG.random((24, 24)), str(tmp_path / "k.csv")
    want = upscale.enlarge(picture, 3, "tconv", name)
    bare, normalized = (upscale.enlarge(picture, 3, "tconv", path, normalize=n) for n in (None, True))
    assert np.allclose(normalized, want, atol=1e-12)
    assert np.allclose(bare[18:-18, 18:-18], want[18:-18, 18:-18], atol=1e-12)
    assert not np.allclose(bare[0], want[0], atol=1e-3)


def test_the_own_form_of_a_preset_is_the_preset(tmp_path):
    assert ok("make", "gaussian", "-f", "3x2", "-o", tmp_path / "k.npz").stderr == ""
    picture = RNG.integers(0, 256, (9, 8), np.uint8)
    made = upscale.enlarge(picture, None, "tconv", str(tmp_path / "k.npz"))
    assert np.array_equal(made, upscale.enlarge(picture, (2, 3), "tconv", "gaussian"))


def test_a_file_of_several_tensors_is_not_left_with_one(tmp_path):
    path = tmp_path / "model.safetensors"
    write_kernel(str(path), Kernel(np.ones((2, 2)), bias=[1]), "up.weight")
    before = path.read_bytes()
    done = run("convert", "1,2", f"{path}:up.weight")
    assert done.returncode == 2 and "already exists" in done.stderr
    assert path.read_bytes() == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_stays_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "k.csv")
    with subprocess.Popen(["cat", tmp_path / "k.csv"], stdout=subprocess.PIPE) as reader:
        ok("convert", "1,2", tmp_path / "k.csv")
        assert reader.communicate()[0] == b"1.0,2.0\n"
    assert (tmp_path / "k.csv").is_fifo()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full device")
def test_a_full_or_closed_standard_output_is_told():
    for redirected in (">/dev/full", ">&-"):
        done = subprocess.run(["sh", "-c", f"{COMMAND} show box {redirected}"], capture_output=True, text=True, timeout=300)
        assert done.returncode == 1
        assert done.stderr.startswith("upscale-kernel: standard output: ") and done.stderr.count("\n") == 1


def test_damaged_arrays(tmp_path):
    np.savez(tmp_path / "zip.npz", a=np.ones(3))
    (tmp_path / "zip.npz").rename(tmp_path / "zip.npy")
    (tmp_path / "empty.npy").touch()
    for header in (b"{[]:1}", b"((((", b"{'descr': '<f8', 'fortran_order': False, 'shape': (True, 2)}"):
        data = b"\x93NUMPY\x01\x00" + len(header + b"\n").to_bytes(2, "little") + header + b"\n"
        (tmp_path / f"{len(header)}.npy").write_bytes(data)
    for path in tmp_path.glob("*.npy"):
        done = run("explain", path, "-k", "box", "-o", tmp_path / "s.png")
        assert done.returncode == 1, done.stderr
        assert done.stderr.startswith(f"upscale-kernel: {path}: is not an array") and done.stderr.count("\n") == 1


def test_the_command_by_itself_is_its_help():
    assert ok().stdout.startswith("Usage: upscale-kernel ")


def test_corrections_stay_in_the_own_form_alone(tmp_path):
    ok("make", "adaptive", "-o", tmp_path / "k.npz")
    assert read_kernel(str(tmp_path / "k.npz")).corrections is not None
    done = ok("convert", tmp_path / "k.npz", tmp_path / "k.json")
    assert "does not store the corrections" in done.stderr and "record of its training" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["convert", "none.npy", "k.npz"], 1, "no such file"),
        (["convert", "1,2;3,4", "k.png"], 2, "its suffix must be one of"),
        (["convert", "1,2;3,4"], 2, "OUT is missing; for example: upscale-kernel convert"),
        (["convert", "1,2;3,4", "a.npy", "-o", "b.npy"], 2, "OUT is given twice, as a.npy and as --output b.npy"),
        (["convert", "bicubic", "k.npy"], 2, "upscale-kernel make bicubic"),
        (["convert", "in.csv", "in.csv"], 2, "the same file"),
        (["convert", "in.csv", "nowhere/k.npy"], 1, "there is no folder"),
        (["convert", "in.csv", "k.npz", "--bias", "1,2"], 2, "bias"),
        (["convert", "1,-1", "k.npz", "-f", "1", "--groups", "2"], 2, "groups"),
        (["make", "1,2", "-o", "k.npy"], 2, "is a kernel file already"),
        (["make", "adaptive", "-f", "5", "-o", "k.npz"], 2, "factors 2, 3, 4"),
        (["show", "bicubic", "-o", "k.jpg"], 2, ".png, .svg, .pdf"),
        (["show", "nothing"], 2, "there is no kernel"),
        (["explain", "1,2", "-k", "lanczos4", "-f", "4", "-o", "s.png"], 2, "at most 16x16"),
        (["explain", "1,2;3", "-k", "box", "-o", "s.png"], 2, "different lengths"),
        (["explain", "none.npy", "-k", "box", "-o", "s.png"], 1, "none.npy"),
        (["explain", "1,2", "-k", "adaptive", "-o", "s.png"], 2, "without corrections"),
        (["explain", ",".join("1" * 26), "-k", "box", "-f", "1", "-o", "s.png"], 2, "at most 25"),
        (["explain", "1,2", "-k", "in.csv", "-o", "in.csv"], 2, "suffix"),
        (["explain", "1,1,1", "-k", "1,-1", "--normalize", "-f", "1", "-o", "s.png"], 2, "cannot be normalised"),
        (["explain", "1e300,1", "-k", "1e38", "-f", "1", "-o", "s.png"], 2, "too large"),
        (["explain", "in.csv.npy", "-k", "box", "-o", "s.png"], 1, "in.csv.npy: no such file"),
        (["make", "lanczos3", "-f", "200", "-o", "k.npz"], 1, "k.npz: would have 1200x1200"),
        (["make", "box", "-f", "1000000", "-o", "k.npz"], 1, "at most 1024 a side"),
        (["convert", "1,-1", "k.npz", "--normalize", "-f", "1"], 2, "cannot be normalised"),
        (["convert", "1,-1", "k.npz", "--padding", "99999999999"], 2, "padding"),
        (["convert", "1,-1", "k.safetensors:__metadata__"], 1, "k.safetensors: the weights cannot be named"),
        (["convert", "1,-1", "k.safetensors:x.bias", "--bias", "1"], 1, "cannot be named 'x.bias'"),
        (["convert", "1,-1", "k.safetensors:\n"], 2, "a tensor cannot be called"),
        (["show", "in.csv", "-f", "3000"], 2, "at most 1024"),
        (["show", "bicubic", "--channels", "1,1"], 2, "the same weights for all channels"),
        (["show", "in.csv", "--channels", "1"], 2, "give IN,OUT"),
        (["show", "-1,2"], 2, "put -- before negative numbers"),
    ],
)
def test_errors(tmp_path, arguments, status, text):
    (tmp_path / "in.csv").write_text("1,2\n3,4\n")
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == status, done.stderr
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("upscale-kernel: ") and text in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["in.csv"]


# Step by step


@pytest.mark.heavy
def test_a_sheet_and_an_animation(tmp_path):
    pytest.importorskip("matplotlib")
    np.save(tmp_path / "in.npy", [[2, 0], [4, 1]])
    ok("explain", "in.npy", "-k", ONES, "-f", 2, "-o", "steps.gif", cwd=tmp_path)
    with Image.open(tmp_path / "steps.gif") as animation:
        assert (animation.n_frames, animation.info["loop"]) == (4, 0)
    ok("explain", "in.npy", "-k", ONES, "-f", 2, "--normalize", "-o", "steps.svg", cwd=tmp_path)
    assert "5. normalise: divide by the sum of the weights that reach each pixel" in (tmp_path / "steps.svg").read_text()
    ok("explain", "2,0;4,1", "-k", "bilinear", "-o", "steps.png", cwd=tmp_path)
    with Image.open(tmp_path / "steps.png") as sheet:
        assert sheet.width > 800

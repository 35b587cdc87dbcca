"""What Python expects of a `Kernel` as an object: files, equality, pickling, text and notebooks."""

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import adaptive_kernel, random_corrections

import upscale
from upscale import Kernel
from upscale.kernels.kernel import LONGEST
from upscale.kernels.presets import named

WEIGHTS = [[1.0, 2.0], [3.0, 4.0]]
EVERYTHING = Kernel(
    np.arange(1.0, 49).reshape(4, 1, 3, 4),
    normalized=True,
    factor=(2, 3),
    padding=((1, 0), (2, 3)),
    bias=[0.5, 0, 1, 2],
    groups=4,
    title="mine",
    training="{}",
)


# Files


@pytest.mark.parametrize(
    ("source", "shape", "factor"),
    [
        ("bicubic", (8, 8), (2, 2)),
        ("gaussian:0.7", (12, 12), (2, 2)),
        ("learned", (18, 18), (2, 2)),
        ("1,2; 3,4", (2, 2), None),
    ],
)
def test_load(source, shape, factor):
    kernel = Kernel.load(source)
    assert (kernel.shape, kernel.factor) == (shape, factor)
    assert upscale.enlarge(np.ones((4, 5)), 2, "tconv", kernel).shape == (8, 10)


def test_load_for_a_factor(tmp_path):
    assert Kernel.load("bilinear", (2, 3)).shape == (4, 5)
    assert Kernel.load("1,2; 3,4", 3).factor == (3, 3)
    EVERYTHING.save(tmp_path / "k.npz")
    assert Kernel.load(tmp_path / "k.npz", (2, 3)) == EVERYTHING
    with pytest.raises(upscale.ArgumentError, match=r"factor 3x2 .*not for 2x2"):
        Kernel.load(tmp_path / "k.npz", 2)
    with pytest.raises(upscale.ArgumentError, match="factor"):
        Kernel.load("bicubic", 0)


@pytest.mark.parametrize(
    ("source", "error", "text"),
    [
        ("bicubik", upscale.ArgumentError, "'bicubik'"),
        (Path("bicubic"), upscale.ArgumentError, "suffix"),
        ("missing.npy", upscale.FileError, "no such"),
        (Path("missing.npy"), upscale.FileError, "no such"),
        ("1,2;3", upscale.ArgumentError, "row"),
    ],
)
def test_what_cannot_be_loaded(source, error, text):
    with pytest.raises(error, match=text):
        Kernel.load(source)


def test_enlarge_takes_the_path_of_a_kernel(tmp_path):
    Kernel(WEIGHTS).save(tmp_path / "k.npy")
    one, other = (upscale.enlarge(np.ones((2, 3)), 2, "tconv", kernel) for kernel in (tmp_path / "k.npy", WEIGHTS))
    assert np.array_equal(one, other)


@pytest.mark.parametrize(
    "name", ["k.npz", "k.npy", "k.csv", "k.txt", "k.json", "k.safetensors", "k.safetensors:up.weight", "k.pt"]
)
def test_save(tmp_path, name):
    if name.endswith(".pt"):
        pytest.importorskip("torch")
    kernel = Kernel(WEIGHTS, factor=2)
    for path in (os.path.join(tmp_path, name), tmp_path / name):
        notes = kernel.save(path)
        assert notes == ([] if name == "k.npz" else ["does not store the factor: use it with --factor 2"])
        assert Kernel.load(path, 2) == kernel
        for file in tmp_path.iterdir():
            file.unlink()


def test_npz_keeps_everything(tmp_path):
    for number, kernel in enumerate((EVERYTHING, Kernel.load("adaptive", 3), Kernel.load("mitchell"))):
        path = tmp_path / f"{number}.npz"
        assert kernel.save(path) == []
        assert Kernel.load(path) == kernel
        assert Kernel.load(path).title == kernel.title


def test_what_cannot_be_saved(tmp_path):
    kernel = Kernel(WEIGHTS)
    with pytest.raises(upscale.ArgumentError, match=r"k\.png: its suffix must be one of \.npy"):
        kernel.save(tmp_path / "k.png")
    with pytest.raises(upscale.FileError, match="missing"):
        kernel.save(tmp_path / "missing" / "k.npy")
    with pytest.raises(upscale.FileError, match="2 dimensions"):
        EVERYTHING.save(tmp_path / "k.csv")
    kernel.save(tmp_path / "k.safetensors")
    with pytest.raises(upscale.ArgumentError, match="already exists"):
        kernel.save(f"{tmp_path}/k.safetensors:other")
    assert [path.name for path in tmp_path.iterdir()] == ["k.safetensors"]


# Equality and pickling


def test_equal_kernels():
    kernel = Kernel(WEIGHTS, factor=2)
    for other in (Kernel(np.array(WEIGHTS), factor=(2, 2)), kernel.replaced(title="other", padding="same"), copy.copy(kernel)):
        assert kernel == other and hash(kernel) == hash(other)
    assert Kernel([[0.0, 1]]) == Kernel([[-0.0, 1]]) and hash(Kernel([[0.0, 1]])) == hash(Kernel([[-0.0, 1]]))
    preset = Kernel.load("bicubic")
    typed = Kernel(preset.weights, factor=2, normalized=True)
    assert preset == typed and hash(preset) == hash(typed)
    assert len({preset, typed, kernel}) == 2


def test_different_kernels():
    kernel = Kernel(WEIGHTS, factor=2)
    changes = (
        {"weights": [[1, 2], [3, 5]]},
        {"factor": 3},
        {"normalized": True},
        {"padding": 1},
        {"bias": [0]},
        {"factor": None},
    )
    for change in changes:
        assert kernel != kernel.replaced(**change), change
    assert kernel != WEIGHTS and kernel != "1,2; 3,4"
    assert Kernel.load("bicubic") != Kernel.load("bicubic:-0.75")
    one, same, other = (adaptive_kernel(random_corrections(seed)) for seed in (0, 0, 1))
    assert one == same and one != other and one != one.replaced(corrections=None)


def test_a_preset_is_not_sampled_to_be_compared():
    huge = [Kernel.preset(named(name), (10**9, 10**9)) for name in ("lanczos3", "lanczos3", "lanczos2")]
    assert huge[0] == huge[1] and huge[0] != huge[2]
    assert len(set(huge)) == 2
    assert (
        repr(huge[0])
        == "<Kernel 'lanczos3': shape (6000000000, 6000000000), factor (1000000000, 1000000000), gain 1 (normalized)>"
    )
    assert pickle.loads(pickle.dumps(huge[0])) == huge[0]


@pytest.mark.parametrize("kernel", [EVERYTHING, Kernel.load("lanczos3", (2, 3)), adaptive_kernel(random_corrections())])
def test_pickling(kernel):
    assert kernel.weights.size  # what was computed already
    again = pickle.loads(pickle.dumps(kernel))
    assert again == kernel and hash(again) == hash(kernel)
    assert (again.title, again.training) == (kernel.title, kernel.training)
    with pytest.raises(AttributeError, match="immutable"):
        again.factor = 2


@pytest.mark.parametrize("error", [upscale.ArgumentError("text"), upscale.FileError("a.png: text")])
def test_errors_pickle(error):
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), str(error))


@pytest.mark.parametrize("again", [lambda kernel: kernel, copy.deepcopy, lambda kernel: pickle.loads(pickle.dumps(kernel))])
def test_arrays_cannot_be_written_to(again):
    kernel = again(Kernel(np.outer([1, 2], [3, 4]), bias=[1]))
    for array in (kernel.weights, kernel.bias, *kernel.factors_1d):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 5


def test_the_given_array_stays_the_callers():
    weights = np.array(WEIGHTS)
    kernel = Kernel(weights)
    weights[0, 0] = 9
    assert kernel.weights[0, 0] == 1


# Text and notebooks


@pytest.mark.parametrize(
    ("kernel", "text"),
    [
        (Kernel(WEIGHTS), "<Kernel: shape (2, 2), no factor, sum 10>"),
        (Kernel(np.ones((3, 3)), factor=2), "<Kernel: shape (3, 3), factor (2, 2), gain 1 to 4>"),
        (Kernel(np.ones((4, 4)), factor=2, title="<i>"), "<Kernel '<i>': shape (4, 4), factor (2, 2), gain 4>"),
        (Kernel.load("zero", 3), "<Kernel 'zero': shape (1, 1), factor (3, 3), gain 0 to 1>"),
        (EVERYTHING, "<Kernel 'mine': shape (3, 4), channels (4, 4), factor (2, 3), gain 1 (normalized)>"),
        (
            adaptive_kernel(random_corrections()),
            "<Kernel: shape (4, 4), factor (2, 2), gain 1 (normalized), 5 corrections>",
        ),
    ],
)
def test_text(kernel, text):
    assert repr(kernel) == text


def test_a_figure_in_a_notebook():
    pytest.importorskip("matplotlib")
    kernel = Kernel(WEIGHTS, factor=2, title="<i>")
    png = kernel._repr_png_()
    assert png.startswith(b"\x89PNG") and kernel._repr_png_() is png
    shown = kernel._repr_html_()
    assert 'src="data:image/png;base64,' in shown and "&lt;i&gt;" in shown and "<i>" not in shown
    assert kernel.replaced(title="other")._repr_png_() != png


@pytest.mark.parametrize(
    "kernel", [Kernel([[1, 0, -1]], factor=2, normalized=True), Kernel.preset(named("box"), (LONGEST + 1, LONGEST + 1))]
)
def test_a_kernel_that_cannot_be_drawn_is_text(kernel):
    assert kernel._repr_png_() is None
    assert kernel._repr_html_().startswith("<pre>&lt;Kernel")


def test_a_notebooks_backend_stays(tmp_path):
    pytest.importorskip("matplotlib")
    code = "import upscale; upscale.Kernel([[1]])._repr_png_(); import matplotlib as m; print(m.rcParams['backend'])"
    environment = {**os.environ, "MPLBACKEND": "svg"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
    assert done.stdout == "svg\n", done.stderr


def test_without_matplotlib_the_weights_are_shown(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    kernel = Kernel([[1, 2.5]], factor=7, title="<b>")
    assert kernel._repr_png_() is None
    table = "<table><tr><td>1</td><td>2.5</td></tr></table>"
    assert (
        kernel._repr_html_()
        == f"<pre>&lt;Kernel &#x27;&lt;b&gt;&#x27;: shape (1, 2), factor (7, 7), gain 0 to 2.5&gt;</pre>{table}"
    )
    assert "<table>" not in EVERYTHING._repr_html_()

"""`upscale.enlarge` on arrays and Pillow images."""

import ast
import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import upscale

RNG = np.random.default_rng(2)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float16", "float32", "float64", ">u2", ">f4"])
def test_the_arrays_dtype_comes_back(dtype):
    picture = RNG.integers(0, 100, (3, 4)).astype(dtype)
    for arguments in ({}, {"method": "tconv", "kernel": "bilinear"}):
        got = upscale.enlarge(picture, (2, 3), **arguments)
        assert (got.dtype, got.shape) == (picture.dtype, (6, 12))
    assert np.array_equal(upscale.enlarge(picture, 2), upscale.enlarge(picture, 2, "tconv", "box"))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I;16", "I", "F"])
def test_images_keep_their_mode_by_nn(mode):
    image = Image.fromarray(RNG.integers(0, 256, (4, 5, 3), np.uint8))
    image = image.convert("L").convert(mode) if mode in ("I;16", "I", "F", "PA") else image.convert(mode)
    image.info["dpi"] = (72, 72)
    got = upscale.enlarge(image, (2, 3))
    assert (got.mode, got.size, got.info["dpi"]) == (mode, (15, 8), (72, 72))
    want = np.asarray(image).repeat(2, 0).repeat(3, 1)
    assert np.array_equal(np.asarray(got), want)
    assert got.getpalette() == image.getpalette()


@pytest.mark.parametrize(
    ("mode", "becomes"),
    [("1", "L"), ("P", "RGB"), ("PA", "RGBA"), ("HSV", "RGB"), ("L", "L"), ("RGBA", "RGBA"), ("I;16", "I;16")],
)
def test_images_by_tconv(mode, becomes):
    image = Image.fromarray(RNG.integers(0, 256, (4, 5), np.uint8)).convert(mode)
    assert upscale.enlarge(image, 2, "tconv", "bicubic").mode == becomes


def test_a_transparent_palette_entry_becomes_opacity():
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putdata([0, 1])
    image.info["transparency"] = 1
    got = upscale.enlarge(image, 2, "tconv", "box")
    assert "transparency" not in got.info
    assert list(np.asarray(got)[0, :, 3]) == [255, 255, 0, 0]
    assert upscale.enlarge(image, 2).info["transparency"] == 1


def test_kernels_of_every_kind(tmp_path):
    weights = [[1.0, 2], [3, 4]]
    np.save(tmp_path / "k.npy", weights)
    picture = RNG.random((3, 4))
    kinds = ("1,2;3,4", str(tmp_path / "k.npy"), np.array(weights), upscale.Kernel(weights))
    one, *others = (upscale.enlarge(picture, 2, "tconv", kernel) for kernel in kinds)
    assert all(np.array_equal(one, other) for other in others)


def test_paddings():
    picture = np.ones((3, 4))
    for padding, shape in (("same", (6, 8)), (0, (7, 9)), (1, (5, 7)), ((1, 0), (5, 9)), (((1, 0), (0, 2)), (6, 7))):
        assert upscale.enlarge(picture, 2, "tconv", np.ones((3, 3)), padding=padding).shape == shape


def test_nn_takes_the_defaults_of_tconv():
    picture = np.ones((3, 4))
    assert upscale.enlarge(picture, 2, "nn", None, padding="same", dilation=(1, 1), output_padding=0).shape == (6, 8)


def test_pairs_may_be_arrays():
    picture = np.ones((3, 4))
    assert upscale.enlarge(picture, np.array([2, 3])).shape == (6, 12)
    assert upscale.enlarge(picture, 2, "tconv", np.ones((3, 3)), padding=np.array([1, 0])).shape == (5, 9)


def test_out():
    out = np.empty((4, 4), np.uint8)
    assert upscale.enlarge(np.ones((2, 2), np.uint8), 2, "tconv", "box", out=out) is out
    assert (out == 1).all()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"method": "bicubic"}, "'nn' or 'tconv'"),
        ({"method": "nn", "kernel": "box"}, "method 'tconv'"),
        ({"padding": 0}, "method 'tconv'"),
        ({"dilation": 2}, "method 'tconv'"),
        ({"method": "tconv"}, "bilinear"),
        ({"method": "tconv", "kernel": "box", "padding": "valid"}, "padding"),
        ({"method": "tconv", "kernel": "box", "padding": 5}, "crops the whole output"),
        ({"engine": "cuda"}, "auto"),
        ({"factor": -1}, "factor"),
        ({"factor": "2"}, "factor"),
        ({"picture": np.zeros((2, 2), bool), "method": "tconv", "kernel": "box"}, "bool"),
        ({"picture": np.zeros((2, 2, 2, 2))}, "(H, W)"),
        ({"picture": [[1, 2], [3]]}, "different lengths"),
        ({"picture": "cat.png"}, "PIL.Image.open"),
        ({"picture": Path("cat.png")}, "PIL.Image.open"),
        ({"picture": Image.new("L", (0, 5))}, "empty"),
        ({"picture": Image.new("L", (2, 2)), "out": np.zeros((4, 4))}, "out needs an array"),
    ],
)
def test_wrong_arguments(arguments, text):
    with pytest.raises(upscale.ArgumentError) as caught:
        upscale.enlarge(**{"picture": np.zeros((2, 2)), **arguments})
    assert text in str(caught.value)


@pytest.mark.parametrize("name", upscale.__all__)
def test_public_names_are_documented(name):
    found = getattr(upscale, name)
    assert found.__doc__
    assert bool(re.search(r"^ +(>>>|\.\.\.) .*upscale\.", found.__doc__, re.MULTILINE)) != name.endswith("Error")
    assert name in dir(upscale)


def test_type_checkers_see_the_same_names():
    """They read the imports that never run; `as` of the same name is what makes one public."""
    tree = ast.parse(Path(upscale.__file__).read_text())
    (guarded,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {(node.module, a.name, a.asname) for node in guarded.body for a in node.names}
    assert seen == {(home, name, name) for name, home in upscale._HOMES.items()}


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="nothing"):
        _ = upscale.nothing


@pytest.mark.parametrize(
    "module", [m.name for m in pkgutil.walk_packages(upscale.__path__, "upscale.") if m.name != "upscale.__main__"]
)
def test_examples_in_docstrings(module):
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_a_kernel_means_tconv():
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert np.array_equal(upscale.enlarge(picture, 2, kernel="bicubic"), upscale.enlarge(picture, 2, "tconv", "bicubic"))

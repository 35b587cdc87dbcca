"""The types of the public functions: `./do lint` checks this file with mypy, and pytest runs it."""

import inspect
from pathlib import Path
from typing import Any, assert_type, get_overloads

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import upscale


def test_a_picture_comes_back_as_what_it_was() -> None:
    assert_type(upscale.enlarge(Image.new("L", (2, 2)), 2), Image.Image)
    assert_type(upscale.enlarge(np.ones((2, 2), np.uint8), 2), NDArray[np.uint8])
    assert_type(upscale.enlarge([[1, 2]], (1, 2), "tconv", "bicubic"), NDArray[Any])
    assert_type(upscale.unpool_nearest(np.ones((2, 2), np.float32), 2), NDArray[np.float32])
    assert_type(upscale.unpool_nearest([[1, 2]], 2), NDArray[Any])


def test_layers_of_networks_keep_the_dtype_where_they_can() -> None:
    x = np.ones((1, 4, 2, 2), np.float32)
    assert_type(upscale.conv_transpose2d([[[1]]], [[[[1]]]]), NDArray[Any])
    assert_type(upscale.conv2d(x, np.ones((1, 4, 1, 1)), padding="same"), NDArray[Any])
    assert_type(upscale.conv3d([[[[1]]]], [[[[[1]]]]], padding=((0, 0), (0, 1), (1, 1))), NDArray[Any])
    assert_type(upscale.max_pool2d(x, 2), NDArray[np.float32])
    assert_type(upscale.max_pool2d([[[1]]], 1), NDArray[Any])
    values, indices = upscale.max_pool2d(x, (2, 1), return_indices=True)
    assert_type(values, NDArray[np.float32])
    assert_type(indices, NDArray[np.int64])
    assert_type(upscale.max_pool2d([[[1]]], 1, return_indices=True), tuple[NDArray[Any], NDArray[np.int64]])
    assert_type(upscale.max_unpool2d(values, indices, (2, 1), output_size=x.shape), NDArray[np.float32])
    assert_type(upscale.avg_pool2d(x, 2, divisor_override=3), NDArray[Any])
    assert_type(upscale.pixel_shuffle(x, 2), NDArray[np.float32])
    assert_type(upscale.pixel_unshuffle([[[1]]], 1), NDArray[Any])
    assert_type(upscale.unpool_bed_of_nails(np.ones((2, 2), np.uint8), 2), NDArray[np.uint8])


def test_a_kernel_may_be_many_things(tmp_path: Path) -> None:
    kernel = upscale.Kernel([[1, 2], [3, 4]], factor=2, padding=((0, 1), (1, 0)))
    assert_type(kernel.save(tmp_path / "k.npz"), list[str])
    assert_type(upscale.Kernel.load(tmp_path / "k.npz"), upscale.Kernel)
    for kind in ("bilinear", tmp_path / "k.npz", kernel, np.ones((2, 2)), [[1, 2]]):
        upscale.enlarge([[1, 2]], 2, "tconv", kind)


def test_the_names_of_options_are_checked() -> None:
    """An `ignore` that nothing needs is an error, too."""
    picture = np.ones((2, 2))
    with pytest.raises(upscale.ArgumentError):
        upscale.enlarge(picture, 2, "bicubic")  # type: ignore[call-overload]
    with pytest.raises(upscale.ArgumentError):
        upscale.enlarge(picture, 2, engine="gpu")  # type: ignore[call-overload]
    with pytest.raises(upscale.ArgumentError):
        upscale.enlarge(picture, 2, "tconv", "box", edge="mirror")  # type: ignore[call-overload]
    with pytest.raises(upscale.ArgumentError):
        upscale.enlarge(picture, 2, "tconv", "box", padding="valid")  # type: ignore[call-overload]
    with pytest.raises(upscale.ArgumentError):
        upscale.enlarge(Image.new("L", (2, 2)), 2, out=picture)  # type: ignore[call-overload]


def test_overloads_have_the_functions_parameters() -> None:
    keeping = upscale.unpool_nearest, upscale.unpool_bed_of_nails, upscale.max_unpool2d, upscale.pixel_shuffle
    for function in (upscale.enlarge, *keeping, upscale.pixel_unshuffle):
        parameters = inspect.signature(function).parameters
        overloads = get_overloads(function)
        assert len(overloads) > 1
        for overload in overloads:
            for name, parameter in inspect.signature(overload).parameters.items():
                assert (parameter.kind, parameter.default) == (parameters[name].kind, parameters[name].default)


@pytest.mark.parametrize("name", [name for name in upscale.__all__ if not name.endswith("Error")])
def test_help_shows_a_short_signature(name: str) -> None:
    shown = str(inspect.signature(getattr(upscale, name)))
    assert len(shown) < 600 and "numpy." not in shown and "typing." not in shown, shown

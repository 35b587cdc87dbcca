"""The layers of deep kernels: what they are made of, and in files."""

import pickle

import numpy as np
import pytest
from helpers import adaptive_kernel, deep_kernel, random_corrections, random_layers

from upscale.errors import ArgumentError, FileError
from upscale.kernels.kernel import Kernel
from upscale.kernels.layers import Layers
from upscale.kernels.read_files import read_kernel
from upscale.kernels.write_files import write_kernel


@pytest.mark.parametrize("biases", [False, True])
def test_a_file_holds_them(tmp_path, biases):
    kernel = deep_kernel(random_layers(1, biases=biases))
    path = str(tmp_path / "k.npz")
    assert write_kernel(path, kernel) == []
    again = read_kernel(path)
    assert again == kernel and again.layers == kernel.layers and hash(again) == hash(kernel)
    assert again != kernel.replaced(layers=None) and again != deep_kernel(random_layers(2))
    assert pickle.loads(pickle.dumps(again)) == kernel
    assert "2 convolutions" in repr(kernel)
    assert np.load(path)["version"] == 3 + biases and kernel.layers.has_biases == biases
    assert (again == deep_kernel(random_layers(1))) != biases


def test_what_16_bits_hold_is_written_so(tmp_path):
    layers = random_layers(1)
    halves = [[a.astype(np.float16) for a in arrays] for arrays in (layers.convolutions, layers.slopes, [layers.weights])]
    path = str(tmp_path / "k.npz")
    write_kernel(path, deep_kernel(Layers(*halves[:2], halves[2][0], 2)))
    with np.load(path) as stored:
        assert all(stored[name].dtype == np.float16 for name in ("convolution_0", "slopes_1", "transposed", "weights"))
    assert read_kernel(path).layers.convolutions[0].dtype == np.float32


def test_the_first_convolutions_can_end_in_other_weights():
    layers = random_layers(1, biases=True)
    assert layers.with_weights(layers.weights, 2) == layers
    one = layers.with_weights(np.ones((4, 1, 3, 3)), 1, 1)
    assert [a.shape for a in one.convolutions] == [(4, 1, 5, 5)] and np.array_equal(one.biases[0], layers.biases[0])


def test_other_formats_keep_the_single_kernel_and_say_so(tmp_path):
    kernel = deep_kernel(random_layers(1))
    assert any("no longer deep" in note for note in kernel.save(tmp_path / "k.npy"))


def test_what_does_not_fit_is_refused():
    good = random_layers(1)
    convolutions, slopes, weights = good.convolutions, good.slopes, good.weights
    for bad in (
        ([], [], weights, 2), (convolutions, slopes[:1], weights, 2), (convolutions[::-1], slopes[::-1], weights, 2),
        (convolutions, slopes, weights[:, :, 1:], 2), (convolutions, slopes, weights, 0), (convolutions, slopes, weights, 3),
        (convolutions, slopes, weights[:2], 2), ([convolutions[0][:, :, 1:, 1:], convolutions[1]], slopes, weights, 2),
        ([convolutions[0] * np.nan, convolutions[1]], slopes, weights, 2), (convolutions, [slopes[0], slopes[0]], weights, 2),
        ([np.ones((4, 1, 1, 1)), convolutions[1]], slopes, weights, 2), (convolutions, slopes, weights.astype(float) * 1e41, 2),
        ([["a"], convolutions[1]], slopes, weights, 2), (convolutions, slopes, np.ones((3, 1, 4, 4)), 2),
        (convolutions, slopes, weights, 2, [slopes[0]]), (convolutions, slopes, weights, 2, slopes[::-1]),
        (convolutions, slopes, weights, 2, [slopes[0], slopes[1] * np.nan]),
    ):  # fmt: skip
        with pytest.raises(ArgumentError):
            Layers(*bad)
    for settings in ({"normalized": False}, {"factor": 3}, {"factor": None}, {"weights": np.ones((1, 1, 4, 4))}):
        with pytest.raises(ArgumentError):
            deep_kernel(good).replaced(**settings)
    with pytest.raises(ArgumentError, match="both"):
        adaptive_kernel(random_corrections()).replaced(layers=good)


def test_damaged_files_are_refused(tmp_path):
    path = str(tmp_path / "k.npz")
    write_kernel(path, deep_kernel(random_layers(1, biases=True)))
    arrays = dict(np.load(path))
    for name in ("convolution_0", "convolution_1", "slopes_0", "biases_1", "factor", "normalized"):
        np.savez(path, **{k: v for k, v in arrays.items() if k != name})
        with pytest.raises(FileError, match=r"k\.npz"):
            read_kernel(path)
    for changes in (
        {"convolution_0": arrays["convolution_0"] * np.inf}, {"transposed": arrays["transposed"][:, :, :3]},
        {"convolution_5": arrays["convolution_0"]}, {"convolution_x": arrays["convolution_0"]}, {"factor": [2, 3]},
        {"factor": [1000, 1000]}, {"slopes_0": np.array(["a"])}, {"version": 5},
        {"biases_0": arrays["biases_1"]}, {"biases_1": arrays["biases_1"] * np.nan}, {"biases_x": arrays["biases_1"]},
    ):  # fmt: skip
        np.savez(path, **arrays | changes)
        with pytest.raises(FileError, match=r"k\.npz"):
            read_kernel(path)


def test_it_counts_what_it_takes():
    layers = Layers([np.ones((16, 1, 5, 5)), *[np.ones((16, 16, 3, 3))] * 4], [np.ones(16)] * 5, np.ones((16, 1, 10, 10)), 2)
    assert (layers.reach, layers.taps, layers.multiplications) == (8, 5, (400 + 4 * 2304 + 1600) / 4)
    assert Kernel(np.ones((2, 2)), normalized=True, factor=2, layers=layers).layers is layers

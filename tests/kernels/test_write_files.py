"""Every kernel file that is written is read back."""

import numpy as np
import pytest

import upscale
from upscale.kernels.kernel import Kernel
from upscale.kernels.kernel_spec import SUFFIXES
from upscale.kernels.read_files import read_kernel
from upscale.kernels.write_files import WRITERS, write_kernel

RNG = np.random.default_rng(0)


def test_every_suffix_has_a_writer():
    assert {*WRITERS, ".npz"} == set(SUFFIXES) - {".onnx"}


@pytest.mark.parametrize("suffix", sorted({*WRITERS, ".npz"}))
@pytest.mark.parametrize("shape", [(3, 5), (3, 2, 4, 3)])
def test_weights_come_back(tmp_path, suffix, shape):
    if suffix in (".pt", ".pth"):
        pytest.importorskip("torch")
    weights, path = RNG.normal(size=shape), str(tmp_path / f"k{suffix}")
    if suffix in (".txt", ".csv") and len(shape) == 4:
        with pytest.raises(upscale.FileError, match="2 dimensions"):
            write_kernel(path, Kernel(weights))
        assert not list(tmp_path.iterdir())
        return
    assert write_kernel(path, Kernel(weights)) == []
    assert np.array_equal(read_kernel(path).weights, weights)

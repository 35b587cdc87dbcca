"""Corrections in files, and the orientations they are chosen under."""

import numpy as np
import pytest
from helpers import adaptive_kernel, random_corrections

from upscale.errors import FileError
from upscale.kernels.corrections import orders
from upscale.kernels.read_files import read_kernel
from upscale.kernels.write_files import write_kernel


def test_a_file_holds_it(tmp_path):
    kernel = adaptive_kernel(random_corrections(13))
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


def test_orders_undo_themselves():
    square = np.random.default_rng(0).random((3, 3))
    for orientation, order in enumerate(orders(3)):
        turned = square[:: -1 if orientation & 2 else 1, :: -1 if orientation & 1 else 1]
        np.testing.assert_array_equal(square.ravel()[order].reshape(3, 3), turned.T if orientation & 4 else turned)

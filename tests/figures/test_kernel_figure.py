"""Figures of kernels: of every kind, and equal for equal kernels."""

import numpy as np
import pytest
from helpers import kernel

from upscale.figures import kernel_figure, matplotlib_files
from upscale.figures.kernel_analysis import analyse
from upscale.kernels.kernel import Kernel

ONES = "1,1,1; 1,1,1; 1,1,1"
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("suffix", "begins"), [(".svg", b"<?xml"), pytest.param(".pdf", b"%PDF", marks=pytest.mark.heavy)])
def test_equal_figures_are_equal_files(tmp_path, suffix, begins):
    pytest.importorskip("matplotlib")

    made = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}{suffix}"
        with matplotlib_files.drawing():
            matplotlib_files.save(str(path), kernel_figure.draw(analyse(kernel(ONES)), "name"))
        made.append(path.read_bytes())
    assert made[0] == made[1] and made[0].startswith(begins)


def test_figures_of_all_kinds_of_kernels():
    pytest.importorskip("matplotlib")

    np_kernel = Kernel(RNG.normal(size=(3, 3, 4, 4)))
    for what in (
        kernel("zero", (3, 3)),
        kernel("1,0,-1"),
        kernel("adaptive"),
        kernel("lanczos4", (9, 2)),
        np_kernel,
        kernel("5"),
    ):
        with matplotlib_files.drawing():
            figure = kernel_figure.draw(analyse(what), "a $x^{ \udcff 日本 " + 300 * "l")
            figure.canvas.draw()
        assert len(figure.axes) == 8  # and the two bars of colours

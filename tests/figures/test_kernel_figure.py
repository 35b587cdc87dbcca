"""Figures of kernels: of every kind, and equal for equal kernels."""

import re

import numpy as np
import pytest
from helpers import kernel
from PIL import Image

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


@pytest.mark.heavy
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


def drawn(what, factor):
    pytest.importorskip("matplotlib")
    with matplotlib_files.drawing():
        return kernel_figure.draw(analyse(what, factor), "name")


def panel(figure, label):
    return next(axes for axes in figure.axes if axes.get_ylabel().startswith(label))


def curves(axes):
    return {line.get_label(): line for line in axes.lines}


def test_frequency_curves_end_at_their_own_nyquist_frequency():
    axes = panel(drawn(kernel("bicubic", (2, 3)), None), "magnitude")
    ends = {label: line.get_xdata().max() for label, line in curves(axes).items()}
    assert ends == {"horizontal": 1.5, "vertical": 1.0, "diagonal": 1.0, "ideal": 1.5} and axes.get_xlim() == (0, 1.5)


def test_the_ideal_impulse_response():
    """Sampled at the positions that are drawn; absent where the kernel is shifted, not symmetric, or sums to zero."""
    axes = next(a for a in drawn(kernel("bicubic"), None).axes if a.get_ylabel() == "brightness")
    ideal = curves(axes)["ideal (sinc)"]
    assert np.allclose(ideal.get_ydata(), np.sinc(ideal.get_xdata()) * np.sinc(0.25))
    for other in (np.ones((3, 3)), [[1.0, 2], [3, 4]], [[1.0, -1], [-1, 1]]):
        axes = next(a for a in drawn(Kernel(other), (2, 2)).axes if a.get_ylabel() == "brightness")
        assert not [label for label in curves(axes) if label.startswith("ideal")]


def test_gain_is_named_and_divided_by():
    figure = drawn(kernel(ONES), (2, 2))
    assert [t.get_text() for t in figure.texts].count("divided by the kernel's gain, 2.25") == 3
    step = panel(figure, "brightness (dark")
    assert np.isclose(max(line.get_ydata().max() for line in step.lines), 4 / 2.25)
    figure = drawn(kernel("1,-1; -1,1"), (2, 2))
    assert [t.get_text() for t in figure.texts].count("not scaled: the weights sum to zero") == 3


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_figures_are_opaque_and_have_a_margin(tmp_path, suffix):
    figure, path = drawn(kernel("bicubic"), None), tmp_path / f"k{suffix}"
    with matplotlib_files.drawing():
        matplotlib_files.save(str(path), figure, dpi=50)
    if suffix == ".svg":
        assert re.search(r'id="patch_1">\s*<path d="[^"]*"\s*style="fill: #ffffff', path.read_text())
        return
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGBA"))
    assert (pixels[..., 3] == 255).all()
    for border in (pixels[:8], pixels[-8:], pixels[:, :8], pixels[:, -8:]):
        assert (border == 255).all()

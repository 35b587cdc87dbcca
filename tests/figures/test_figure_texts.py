"""Texts of figures neither overlap nor leave them, and numbers stay in their cells, whatever is drawn."""

import numpy as np
import pytest
from drawn_texts import check_texts
from helpers import kernel

from upscale.figures import kernel_figure, matplotlib_files, operator_steps_figure
from upscale.figures.kernel_analysis import analyse
from upscale.figures.operator_steps import compute_steps
from upscale.kernels.kernel import Kernel
from upscale.operators.parameters import make_operator

pytest.importorskip("matplotlib")

RNG = np.random.default_rng(0)
LONG = "a $x^{ \udcff 日本 " + 300 * "W"
KERNELS = {
    "bicubic": (kernel("bicubic"), None),
    "lanczos3": (kernel("lanczos3", (4, 4)), None),
    "learned": (kernel("learned"), None),
    "adaptive": (kernel("adaptive", (4, 4)), None),
    "deep": (kernel("deep", (3, 3)), None),
    "3x3 ones": (Kernel(np.ones((3, 3))), (2, 2)),
    "1x14": (Kernel(RNG.normal(size=(1, 14))), (1, 2)),
    "14x1": (Kernel(RNG.normal(size=(14, 1))), (2, 2)),
    "4 dimensions": (Kernel(RNG.normal(size=(3, 3, 4, 4))), (2, 2)),
    "zero": (kernel("zero", (3, 3)), None),
    "gaussian": (kernel("gaussian:0.5", (3, 2)), None),
    "64x64": (Kernel(RNG.normal(size=(64, 64))), (4, 4)),
    "4x4": (Kernel(RNG.random((4, 4))), (2, 2)),
    "5x7": (Kernel(RNG.random((7, 5))), (2, 3)),
    "sum 0": (Kernel([[1, 0, -1]]), (1, 1)),
    "huge": (Kernel(RNG.random((3, 3)) * 3e38), (2, 2)),
    "9x2": (kernel("lanczos4", (9, 2)), None),
}


def draw_kernel(of, factor, name="name"):
    with matplotlib_files.drawing():
        figure = kernel_figure.draw(analyse(of, factor), name)
        check_texts(figure)
    return figure


def cells_of(axes):
    """Return all cells of images and of sheets in pixels: (n, 4) of left, bottom, right, top."""
    cells = [path.get_extents().extents for drawn in axes.collections for path in drawn.get_paths()]
    for image in axes.images:
        (left, right, bottom, top), (rows, columns) = image.get_extent(), image.get_array().shape
        x, y = np.linspace(left, right, columns + 1), np.linspace(top, bottom, rows + 1)
        cells += [(x[n], y[m], x[n + 1], y[m + 1]) for m in range(rows) for n in range(columns)]
    corners = axes.transData.transform(np.reshape(cells, (-1, 2))).reshape(-1, 2, 2)
    return np.hstack([corners.min(axis=1), corners.max(axis=1)])


def check_numbers(figure):
    """Check that each number lies within its cell; return how many there are in each of the axes."""
    counts = []
    for axes in figure.axes:
        numbers = [t for t in axes.texts if t.get_ha() == "center" and t.get_text() not in "×÷=→"]
        cells = cells_of(axes) if numbers else None
        for text in numbers:
            x0, y0, x1, y1 = text.get_window_extent().extents
            around = (cells[:, 0] < x0) & (cells[:, 1] < y0) & (x1 < cells[:, 2]) & (y1 < cells[:, 3])
            assert around.sum() == 1, f"{text.get_text()} leaves its cell"
        counts.append(len(numbers))
    return counts


#: Those that are checked in each run of the tests.
SOME = ("bicubic", "3x3 ones")


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in SOME else pytest.mark.heavy) for n in KERNELS])
def test_kernel_figures(name):
    check_numbers(draw_kernel(*KERNELS[name], LONG if len(name) % 2 else name))


@pytest.mark.parametrize("side", [4, 11, *(pytest.param(n, marks=pytest.mark.heavy) for n in (8, 16, 64))])
def test_numbers_of_a_kernel_fit_or_are_left_out(side):
    figure = draw_kernel(Kernel(-RNG.random((side, side))), (2, 2))
    weights, _, phases, *_ = check_numbers(figure)
    assert weights == (side**2 if side <= 11 else 0)
    assert phases == (side**2 if side <= 8 else 0)
    assert all(t.get_fontsize() >= 5 for axes in figure.axes for t in axes.texts)


def sheet_steps(values, weights, factor=(1, 1), padding="same", normalize=None):
    chosen = make_operator(
        Kernel(weights), factor, padding, output_padding=(0, 0), dilation=(1, 1), edge="zero", normalize=normalize
    )
    return compute_steps(np.array(values, float), chosen)


@pytest.mark.parametrize(
    ("shape", "size", "scale"),
    [
        ((1, 1), (1, 1), 1),
        ((2, 2), (3, 3), -1e-7),
        ((1, 8), (2, 1), 12345.678),
        ((4, 1), (1, 8), -1),
        ((1, 2), (8, 1), 1e30),
        ((1, 1), (8, 8), -12345.678),
    ],
)
@pytest.mark.heavy
def test_sheets(shape, size, scale):
    """Of inputs and kernels of up to 8 values a side; a frame around the output where some of it is cropped."""
    values, weights = RNG.random(shape) + 0.5, scale * (RNG.random(size) + 0.5)
    steps = [sheet_steps(values, weights, padding=p, normalize=n) for p, n in ((((0, 0), (0, 0)), None), ("same", True))]
    with matplotlib_files.drawing():
        sheets = [operator_steps_figure.draw_sheet(steps[0], "k"), operator_steps_figure.draw_sheet(steps[1], LONG)]
        for figure in (*sheets, next(operator_steps_figure.draw_frames(steps[1], LONG))):
            check_texts(figure)
            assert all(check_numbers(figure))


def test_a_collision_is_found():
    """The checks of this file can fail."""
    figure = matplotlib_files.new_figure(4, 4, layout=None)
    for text in "abcdef":
        figure.text(0.1, 0.1 + 0.15 * (ord(text) - ord("a")), text)
    check_texts(figure)
    figure.text(0.1, 0.11, "on a")
    with pytest.raises(AssertionError, match="overlaps"):
        check_texts(figure)
    figure.texts[-1].set_position((0.99, 0.5))
    with pytest.raises(AssertionError, match="leaves"):
        check_texts(figure)

"""Chroma stays where it belongs beside luma: ramps and edges in both, for every siting."""

import numpy as np
import pytest
from video_streams import SUBSAMPLING

from upscale.kernels.kernel import Kernel
from upscale.kernels.presets import PRESETS, named
from upscale.operators.methods import Request
from upscale.operators.parameters import Operator
from upscale.video.chroma import shifted_taps
from upscale.video.layout import Layout
from upscale.video.planes import FrameEnlarger
from upscale.video.y4m import parse_header

#: Where a chroma sample lies, in luma samples below and to the right of the first one that shares it.
POSITIONS = {
    "420jpeg": (0.5, 0.5), "420mpeg2": (0.5, 0), "420paldv": (0, 0), "422": (0, 0), "411": (0, 0), "444": (0, 0),
}  # fmt: skip


def layout_of(name, size):
    header = parse_header(f"YUV4MPEG2 W{size[1]} H{size[0]} C{name}\n".encode())
    return header.layout._replace(depth=16)  # in which rounding matters less; names of sitings are for 8 bits


def request_of(kernel, factor):
    return Request(factor, Operator(Kernel.preset(named(kernel), factor), factor, edge="replicate"))


def enlarge(layout, request, planes, full_chroma=False):
    enlarger = FrameEnlarger(layout, request, "numpy", full_chroma=full_chroma)
    out = enlarger.result.new_planes()
    enlarger.enlarge(planes, out)
    return enlarger.result, out


def ramp(y, x):
    """Make a slope whose values tell where a sample lies: 300 for each luma row and 400 for each column."""
    return 5000 + 300 * y[:, None] + 400 * x[None, :]


def positions(layout, name, plane):
    """Return the rows and columns, in luma samples, at which the samples of a plane lie."""
    height, width = layout.plane_sizes[plane]
    down, across = layout.subsampling if plane else (1, 1)
    first = POSITIONS[name] if plane and layout.subsampling != (1, 1) else (0, 0)
    return down * np.arange(height) + first[0], across * np.arange(width) + first[1]


@pytest.mark.parametrize("name", POSITIONS)
@pytest.mark.parametrize("kernel", ["bilinear", "bicubic", "mitchell", "lanczos3"])
@pytest.mark.parametrize("factor", [(2, 2), (3, 3), (2, 5)])
@pytest.mark.parametrize("full_chroma", [False, True])
def test_a_ramp_stays_a_ramp_in_all_planes(name, kernel, factor, full_chroma):
    layout = layout_of(name, (48, 64))
    planes = [np.floor(ramp(*positions(layout, name, i)) + 0.5).astype(np.uint16) for i in range(3)]
    result, made = enlarge(layout, request_of(kernel, factor), planes, full_chroma)
    for i, plane in enumerate(made):
        # Luma sample X of the result shows what is at (X + 1/2) / factor - 1/2 in the input.
        rows, columns = ((p + 0.5) / f - 0.5 for p, f in zip(positions(result, name, i), factor, strict=True))
        inside = np.ix_((rows > 14) & (rows < 33), (columns > 22) & (columns < 41))
        # lanczos3 does not reproduce slopes exactly.
        allowed = 60 if kernel == "lanczos3" else 1.01
        assert np.abs(plane[inside] - ramp(rows, columns)[inside]).max() <= allowed


@pytest.mark.parametrize("name", POSITIONS)
@pytest.mark.parametrize("full_chroma", [False, True])
def test_an_edge_stays_in_one_place(name, full_chroma):
    """The mirrored frame, whose chroma lies elsewhere, tells where an edge has gone: by the sum of what is beyond it."""
    layout = layout_of(name, (4, 64))
    smooth = [1000 + 40000 / (1 + np.exp(-(positions(layout, name, i)[1] - 31.3) / 3)) for i in range(3)]
    planes = [
        np.tile(np.floor(s + 0.5).astype(np.uint16), (size[0], 1)) for s, size in zip(smooth, layout.plane_sizes, strict=True)
    ]
    result, made = enlarge(layout, request_of("bicubic", (4, 4)), planes, full_chroma)
    for i, plane in enumerate(made):
        columns = positions(result, name, i)[1]
        row = plane[len(plane) // 2].astype(float)
        at = np.interp(21000, row, columns)
        assert abs((at + 0.5) / 4 - 0.5 - 31.3) < 0.06


@pytest.mark.parametrize("name", ["420mpeg2", "422", "411"])
def test_without_the_shift_chroma_would_move(name):
    """The test above can fail: an enlargement that ignores the siting is off by (factor - 1) / 2 luma samples and more."""
    layout = layout_of(name, (12, 64))
    centred = layout._replace(siting=(0.0, 0.0))
    planes = [np.floor(ramp(*positions(layout, name, i)) + 0.5).astype(np.uint16) for i in range(3)]
    _, made = enlarge(centred, request_of("bicubic", (4, 4)), planes)
    rows, columns = ((p + 0.5) / 4 - 0.5 for p in positions(layout.enlarged((4, 4), full_chroma=False), name, 1))
    off = (made[1] - ramp(rows, columns))[8, 12:-12] / 400 * 4
    assert off.mean() == pytest.approx((1 - 4) / 2 * (SUBSAMPLING[name[:3]][1] - 1), abs=0.1)


@pytest.mark.parametrize("preset", [name for name in PRESETS if name not in ("zero", "box")])
@pytest.mark.parametrize("shift", [-0.375, 0.125, 0.25])
def test_flat_planes_stay_flat(preset, shift):
    taps = np.array(shifted_taps(named(preset), 4, shift))
    assert len(taps) % 2 == 0 and len(taps) >= 4
    for phase in range(4):
        assert taps[phase::4].sum() > 0.1


@pytest.mark.parametrize("name", ["420mpeg2", "420jpeg", "411"])
def test_the_box_duplicates_as_nn_does(name):
    layout = layout_of(name, (6, 8))
    rng = np.random.default_rng(0)
    planes = [rng.integers(0, 65536, size, np.uint16) for size in layout.plane_sizes]
    for full_chroma in (False, True):
        _, box = enlarge(layout, request_of("box", (3, 2)), planes, full_chroma)
        _, nn = enlarge(layout, Request((3, 2)), planes, full_chroma)
        assert all(map(np.array_equal, box, nn))


def test_colours_of_nn_are_those_of_a_player_that_duplicates():
    layout = Layout((5, 7), 3, 8, (2, 2), (0.0, -0.25))
    rng = np.random.default_rng(0)
    planes = [rng.integers(0, 256, size, np.uint8) for size in layout.plane_sizes]
    shown = np.stack([p if i == 0 else p.repeat(2, 0).repeat(2, 1)[:5, :7] for i, p in enumerate(planes)])
    for factor in (2, 3):
        result, made = enlarge(layout, Request((factor, factor)), planes)
        height, width = result.size
        for i, plane in enumerate(made):
            after = plane if i == 0 else plane.repeat(2, 0).repeat(2, 1)[:height, :width]
            assert np.array_equal(after, shown[i].repeat(factor, 0).repeat(factor, 1))

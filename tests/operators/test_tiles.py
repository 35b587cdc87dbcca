"""Tiles enlarged each on its own, against cutting, enlarging and joining."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import upscale
from upscale.errors import ArgumentError
from upscale.kernels.load import load_kernel
from upscale.operators.parameters import make_operator
from upscale.operators.tiled_plan import TiledPlan, laid_out_size
from upscale.tile_grid import TileGrid, asked_tiles, parse_tiles

EDGES = ("replicate", "reflect", "wrap")


def samples(size, channels=4, dtype=np.uint8, seed=0):
    random = np.random.default_rng(seed)
    shape = (*size, channels) if channels else size
    return random.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def joined(image, tile, spacing, margin, factor, **options):
    """Enlarge tile by tile, and duplicate what lies between."""
    out = np.asarray(upscale.enlarge(image, factor)).copy()
    array, ((height, width), (down, across)) = np.asarray(image), (tile, factor)
    for y in range(margin, array.shape[0] - margin, height + spacing):
        for x in range(margin, array.shape[1] - margin, width + spacing):
            cut = array[y : y + height, x : x + width]
            made = np.asarray(
                upscale.enlarge(Image.fromarray(cut) if isinstance(image, Image.Image) else cut, factor, **options)
            )
            out[y * down : (y + height) * down, x * across : (x + width) * across] = made
    return out


@settings(max_examples=25, deadline=None)
@given(
    tile=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    number=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    spacing=st.integers(0, 3),
    margin=st.integers(0, 3),
    factor=st.integers(1, 4),
    edge=st.sampled_from(EDGES),
    kernel=st.sampled_from(["bicubic", "lanczos4", "gaussian:2", "1,2,4;0,1,5;7,1,1"]),
    dtype=st.sampled_from([np.uint8, np.uint16, np.float32]),
)
def test_tiles_equal_cutting_enlarging_and_joining(tile, number, spacing, margin, factor, edge, kernel, dtype):
    size = tuple(n * t + (n - 1) * spacing + 2 * margin for n, t in zip(number, tile, strict=True))
    given = samples(size, 3, np.uint16).astype(dtype)
    options = {"kernel": kernel, "edge": edge}
    made = upscale.enlarge(given, factor, tile=(*tile, spacing, margin), **options)
    np.testing.assert_array_equal(made, joined(given, tile, spacing, margin, (factor, factor), **options))


@pytest.mark.parametrize("engine", ["numpy", "numba"])
@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("kernel", ["adaptive", "deep", "learned"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA"])
def test_learned_kernels_and_alpha(kernel, mode, edge, engine):
    array = samples((2 * 7 + 1, 3 * 5 + 2), {"L": 0}.get(mode, len(mode)))
    image = Image.fromarray(array)
    options = {"kernel": kernel, "edge": edge, "engine": engine}
    made = np.asarray(upscale.enlarge(image, 2, tile=(7, 5, 1, 0), **options))
    np.testing.assert_array_equal(made, joined(image, (7, 5), 1, 0, (2, 2), **options))


def test_products_of_factors():
    image = Image.fromarray(samples((12, 18), 3))
    made = np.asarray(upscale.enlarge(image, 9, kernel="learned", tile=(6, 6), edge="replicate"))
    np.testing.assert_array_equal(made, joined(image, (6, 6), 0, 0, (9, 9), kernel="learned", edge="replicate"))


def test_nothing_bleeds():
    sheet = np.zeros((16, 32), np.uint8)
    sheet[:, 16:] = 255
    made = upscale.enlarge(sheet, 4, kernel="lanczos3", tile=(16, 16), edge="replicate")
    np.testing.assert_array_equal(made, sheet.repeat(4, 0).repeat(4, 1))
    assert (upscale.enlarge(sheet, 4, kernel="lanczos3", edge="replicate") != made).any()


def test_wrapped_tiles_are_seamless():
    tile = samples((8, 8), 3)
    sheet = np.concatenate((samples((8, 8), 3, seed=1), tile), axis=1)
    alone = upscale.enlarge(np.tile(tile, (3, 3, 1)), 2, kernel="bicubic")[16:32, 16:32]
    np.testing.assert_array_equal(upscale.enlarge(sheet, 2, kernel="bicubic", tile=(8, 8), edge="wrap")[:, 16:], alone)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"tile": (5, 8), "edge": "wrap"}, "tile=(5, 8): 16x16 pixels are not a whole number of tiles"),
        ({"tile": (8, 8)}, "edge must not be zero"),
        ({"tile": (8, 8), "edge": "wrap", "size": (20, 20)}, "needs a whole factor"),
        ({"tile": (8, 8), "edge": "wrap", "padding": 0}, "needs padding same"),
        ({"tile": 8}, "tile must be"),
        ({"tile": (0, 8)}, "tile must be"),
        ({"tile": (8, 8, 1, 1, 1)}, "tile must be"),
    ],
)
def test_what_cannot_be(arguments, text):
    with pytest.raises(ArgumentError, match=re.escape(text)):
        upscale.enlarge(samples((16, 16), 3), kernel="bicubic", **arguments)


def test_a_layer_that_changes_channels_needs_tiles_without_spacing():
    weights = np.ones((1, 3, 2, 2))
    made = upscale.enlarge(samples((8, 8), 0).astype(np.float32), kernel=weights, tile=(4, 4), edge="replicate")
    assert made.shape == (16, 16, 3)
    with pytest.raises(ArgumentError, match="without spacing"):
        upscale.enlarge(samples((9, 9), 0).astype(np.float32), kernel=weights, tile=(4, 4, 1), edge="replicate")


@pytest.mark.parametrize(
    ("text", "grid"),
    [
        ("16x24", TileGrid(24, 16)),
        (" 16 x 24 ", None),
        ("16×24+1", TileGrid(24, 16, 1, None)),
        ("16x24+2+0", TileGrid(24, 16, 2, 0)),
        ("16x24+0", TileGrid(24, 16)),
        ("16x24+0+3", TileGrid(24, 16, 0, 3)),
        ("16", None),
        ("0x5", None),
        ("16x16+", None),
        ("16x16-1", None),
    ],
)
def test_notation(text, grid):
    if grid is None:
        with pytest.raises(ArgumentError, match="is not a tile; give WIDTHxHEIGHT"):
            parse_tiles(text)
    else:
        assert parse_tiles(text) == grid._replace(label=f"--tile {text}")
        numbers = grid[: 3 if grid.margin is None else 4]
        assert asked_tiles(numbers) == grid._replace(label=f"tile={numbers}")


def test_one_number_is_the_margin_too_where_the_size_says_so():
    grid = parse_tiles("16x16+1")
    assert grid.begins((33, 50)) == (range(0, 33, 17), range(0, 50, 17))
    assert grid.begins((35, 52)) == (range(1, 34, 17), range(1, 51, 17))
    for size in ((33, 52), (34, 50), (15, 33), (0, 0)):
        with pytest.raises(ArgumentError, match="not a whole number of tiles"):
            grid.begins(size)


def test_tiles_of_an_enlarged_picture():
    assert parse_tiles("8x4+1").enlarged((3, 3)) == TileGrid(12, 24, 3, None, "--tile 8x4+1")
    assert parse_tiles("8x4").enlarged((2, 3)) == TileGrid(8, 24, label="--tile 8x4")
    with pytest.raises(ArgumentError, match="same factor in both directions"):
        parse_tiles("8x4+1").enlarged((2, 3))


def test_the_size_of_tiles_laid_out_is_what_is_computed():
    operator = make_operator(
        load_kernel("deep", (2, 2)), (2, 2), None, output_padding=(0, 0), dilation=(1, 1), edge="wrap", normalize=None
    )
    grid = parse_tiles("5x7+1")
    plan = TiledPlan(samples((15, 17), 3), operator, np.uint8, grid)
    assert laid_out_size(operator, grid, (15, 17)) == tuple(n // 2 for n in plan._plan.shape[:2])

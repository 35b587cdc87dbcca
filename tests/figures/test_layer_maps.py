"""What the layers of a deep kernel make of a picture, computed and drawn."""

import naive
import numpy as np
import pytest
from drawn_texts import check_texts
from helpers import SAMPLES, command, deep_kernel, kernel, random_layers
from PIL import Image

from upscale.errors import ArgumentError
from upscale.figures import layer_maps_figure, matplotlib_files
from upscale.figures.layer_maps import compute_maps

run, ok = command("upscale-kernel")


def test_the_maps_are_those_of_plain_python():
    layers = random_layers(0, 2, (4, 3), (3, 3), biases=True)
    picture = np.random.default_rng(1).random((7, 9))
    found = compute_maps(picture, deep_kernel(layers))
    assert [a.shape for a in found.maps] == [(4, 7, 9), (3, 7, 9)]
    weights = np.zeros((4, 1, 1, 1))
    weights[2] = 1
    first = layers.with_weights(weights, 1, 1)
    np.testing.assert_allclose(found.maps[0][2], naive.layers(picture, first), atol=1e-5)
    np.testing.assert_allclose(found.correction, naive.layers(picture, layers), atol=1e-5)
    np.testing.assert_allclose(found.single + found.correction, found.result, atol=1e-6)


@pytest.mark.parametrize(
    "values", [np.zeros((2, 2, 2)), np.zeros((0, 3)), np.zeros((3, 161)), np.array([[np.nan]]), np.array([["a"]])]
)
def test_what_cannot_be_drawn_is_refused(values):
    with pytest.raises(ArgumentError):
        compute_maps(values, deep_kernel(random_layers()))


@pytest.mark.parametrize(("shape", "name"), [((40, 50), "deep"), ((3, 90), "a $x^{ " + 40 * "long "), ((60, 9), "n")])
def test_texts_do_not_overlap(shape, name):
    pytest.importorskip("matplotlib")
    found = compute_maps(np.random.default_rng(2).random(shape), kernel("deep"))
    with matplotlib_files.drawing():
        figure = layer_maps_figure.draw_maps(found, name)
        check_texts(figure)
    assert len(figure.axes) == 6 * 16 + 4


def test_the_command_draws_them(tmp_path):
    pytest.importorskip("matplotlib")
    Image.open(SAMPLES / "cat.png").crop((0, 0, 40, 30)).save(tmp_path / "part.png")
    np.save(tmp_path / "part.npy", np.random.default_rng(3).random((9, 12)))
    for given in ("part.png", "part.npy", "1,2,3; 4,5,6"):
        ok("explain", given, "-k", "deep", "-o", "maps.png", cwd=tmp_path)
        with Image.open(tmp_path / "maps.png") as drawn:
            assert drawn.width == 1800
    for arguments, status, text in (
        ((SAMPLES / "cat.png", "-o", "a.png"), 2, "at most 160 x 160"), (("part.npy", "-o", "a.gif"), 2, ".gif"),
        (("none.npy", "-o", "a.png"), 1, "none.npy"), (("part.npy", "-o", "a.txt"), 2, "suffix"),
    ):  # fmt: skip
        done = run("explain", *arguments, "-k", "deep", cwd=tmp_path)
        assert (done.returncode, done.stderr.count("\n")) == (status, 1) and text in done.stderr


def test_show_describes_them():
    text = ok("show", "deep").stdout
    assert "layers: convolutions 5x5 1 to 16, 3x3 16 to 16 (5 times), each with PReLU\n" in text
    assert "then a transposed convolution 6x6 16 to 1" in text and "sees 17x17 input pixels" in text
    assert "3124 multiplications" in text and "overlap: even" in text

"""Against Pillow and, where it is installed, OpenCV."""

import numpy as np
import pytest
from PIL import Image

import upscale

PILLOW = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos3": Image.Resampling.LANCZOS,
}


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (9, 14)])
@pytest.mark.parametrize("factor", [2, 3, 4, 5])
@pytest.mark.parametrize("preset", PILLOW)
def test_presets_equal_pillows_resize(preset, factor, size):
    picture = np.random.default_rng(3).random(size).astype(np.float32)
    height, width = size
    want = np.asarray(Image.fromarray(picture).resize((width * factor, height * factor), PILLOW[preset]))
    assert np.allclose(upscale.enlarge(picture, factor, "tconv", preset), want, atol=2e-6)


@pytest.mark.peers
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("factor", [2, 3])
def test_nearest_equals_opencvs(factor, channels):
    cv2 = pytest.importorskip("cv2", reason="needs the extra `peers`")
    picture = np.random.default_rng(0).integers(0, 256, (30, 40, channels), np.uint8)
    want = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
    assert np.array_equal(upscale.unpool_nearest(picture, factor), want.reshape(30 * factor, 40 * factor, channels))


@pytest.mark.peers
def test_bilinear_equals_opencvs():
    cv2 = pytest.importorskip("cv2", reason="needs the extra `peers`")
    picture = np.random.default_rng(0).random((30, 40, 3)).astype(np.float32)
    want = cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    assert np.allclose(upscale.enlarge(picture, 2, "tconv", "bilinear"), want, atol=1e-6)

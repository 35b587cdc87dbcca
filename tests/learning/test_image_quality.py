"""PSNR and SSIM, against formulas and another library."""

import numpy as np
import pytest
from helpers import scene

from upscale.learning import image_quality


def test_psnr_and_ssim():
    one, other = scene(0), scene(1)
    assert image_quality.psnr(one, one, 2) == float("inf")
    assert image_quality.ssim(one, one, 2) == pytest.approx(1)
    assert image_quality.psnr(one, np.clip(one.astype(int) + 2, 0, 999), 0) == pytest.approx(20 * np.log10(255 / 2))
    measure = pytest.importorskip("skimage.metrics")
    want = measure.structural_similarity(
        one, other, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    assert image_quality.ssim(one, other, 0) == pytest.approx(want, abs=2e-3)

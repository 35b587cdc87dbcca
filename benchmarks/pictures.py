"""Pictures to measure with: smooth with some noise, as photographs are; noise alone would make every cache look bad."""

import numpy as np


def photograph(height: int, width: int) -> np.ndarray:
    """Make (H, W, 3) bytes."""
    rng = np.random.default_rng(7)
    y, x = np.ogrid[0:height, 0:width]
    base = (90 + 60 * np.sin(x / 97.0) * np.cos(y / 61.0)).astype(np.float32)
    noise = rng.normal(0, 4, (height, width)).astype(np.float32)
    return np.stack([np.clip(base + 20 * c + noise, 0, 255).astype(np.uint8) for c in range(3)], -1)

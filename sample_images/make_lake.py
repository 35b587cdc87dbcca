"""Paint lake.png, a photograph-like picture that nobody else owns: `python sample_images/make_lake.py`.

Clouds, ridges and water are sums of smooth noise of many sizes, with the grain of a camera over it.
"""

from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH, HORIZON = 320, 480, 190


def noise(rng, height, width, coarse, octaves=6, roughness=0.55):
    """Sum bicubic noise whose cells halve and whose strength falls from octave to octave; mean 0, deviation 1."""
    total = np.zeros((height, width))
    for octave in range(octaves):
        cells = max(2, round(coarse * 2**octave * height / width)), max(2, coarse * 2**octave)
        grid = Image.fromarray(rng.normal(size=cells).astype(np.float32))
        total += roughness**octave * np.asarray(grid.resize((width, height), Image.Resampling.BICUBIC))
    return (total - total.mean()) / total.std()


def mix(a, b, share):
    """Blend two colours or pictures by a share of b."""
    return a + (np.asarray(b, float) - a) * np.clip(share, 0, 1)[..., None]


def paint():
    """Return the picture as (H, W, 3) of 0 to 255."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:HORIZON, 0:WIDTH].astype(float)
    sky = mix(np.array([58.0, 104, 168]) + np.zeros((HORIZON, WIDTH, 3)), (250, 206, 160), (y / HORIZON) ** 1.6)
    sun = np.exp(-np.hypot(x - 340, (y - 128) * 1.2) / 38)
    sky = mix(sky, (255, 240, 205), 1.25 * sun)
    clouds = noise(rng, HORIZON, WIDTH, 4) + 0.7 * noise(rng, HORIZON, WIDTH, 2, 3)
    lit = mix(np.array([236.0, 222, 216]) + np.zeros_like(sky), (168, 150, 172), 0.5 + 0.35 * noise(rng, HORIZON, WIDTH, 6))
    scene = mix(sky, mix(lit, (255, 232, 190), 1.5 * sun), (clouds - 0.35) * 0.8)

    for top, colour, haze, jagged in (
        (96, (74, 92, 128), 0.55, 26),
        (128, (56, 74, 92), 0.32, 20),
        (156, (34, 50, 46), 0.1, 13),
    ):
        ridge = top - jagged * noise(rng, 2, WIDTH, 5, 7, 0.5)[0]
        depth = (y - ridge) / (HORIZON - ridge).clip(1)
        texture = 1 + 0.22 * noise(rng, HORIZON, WIDTH, 18, 5, 0.75) * (1 - haze)
        rock = mix(np.array(colour, float) * texture[..., None], (214, 192, 176), haze * (0.45 + 0.55 * depth))
        scene = np.where((depth > 0)[..., None], mix(scene, rock, (y - ridge) * 1.2), scene)
    trees = noise(rng, 2, WIDTH, 60, 3, 0.8)[0]
    shore = y > HORIZON - 9 - 4.5 * np.abs(trees) - 5 * (noise(rng, 2, WIDTH, 4, 2)[0] > 0)
    leaves = np.array([22.0, 36, 26]) * (1 + 0.5 * noise(rng, HORIZON, WIDTH, 90, 2))[..., None].clip(0.3)
    scene = np.where(shore[..., None], leaves, scene)

    depth = HEIGHT - HORIZON
    down = np.arange(depth)
    ripples = noise(rng, depth, WIDTH, 10, 5, 0.8) * (0.4 + down / 22)[:, None]
    wave = np.repeat(noise(rng, depth, 8, 2, 4)[:, :1], WIDTH, 1) * (down / 40)[:, None]
    row = np.clip(HORIZON - 1 - (down[:, None] * 1.35 + 2.2 * ripples + wave), 0, HORIZON - 1).astype(int)
    column = np.clip(np.arange(WIDTH) + 0.8 * ripples, 0, WIDTH - 1).astype(int)
    water = mix(scene[row, column], (26, 52, 74), 0.22 + 0.4 * (down / depth)[:, None] + 0.06 * ripples)
    scene = np.vstack([scene, water])
    reeds = scene.copy()
    for _ in range(260):  # dark, thin, slightly bent: what an enlargement must keep sharp
        foot, height, lean = rng.uniform(0, 210) ** 1.02, rng.uniform(20, 95), rng.normal(0, 9)
        for t in np.linspace(0, 1, 240):
            at = int(HEIGHT - 1 - t * height), int(foot + lean * t * t)
            if 0 <= at[1] < WIDTH:
                reeds[at] = np.array([30.0, 36, 20]) + 90 * t * np.array([0.9, 0.8, 0.35])
    scene = 0.9 * reeds + 0.1 * scene
    return np.clip(scene + rng.normal(0, 2.0, scene.shape), 0, 255)


if __name__ == "__main__":
    Image.fromarray(np.round(paint()).astype(np.uint8)).save(Path(__file__).with_name("lake.png"), optimize=True)

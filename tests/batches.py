"""What tests of batches share: folders of pictures, a command that is running, and what it has written so far."""

import os
import subprocess
import time

import numpy as np
from helpers import UPSCALE
from PIL import Image


def pictures(folder, number, size=(64, 64)):
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for i in range(number):
        Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8)).save(folder / f"{i}.png")
    return folder


def whole(folder, source, factor=2):
    """Return how many outputs there are, each of which must be whole; nothing else may lie there."""
    names = [p.name for p in folder.iterdir()] if folder.exists() else []
    for name in names:
        with Image.open(folder / name) as image, Image.open(source / name) as before:
            assert np.array_equal(image, np.asarray(before).repeat(factor, 0).repeat(factor, 1))
    return len(names)


def parts(folder):
    return [n for n in os.listdir(folder) if n.endswith(".part")] if folder.exists() else []


def done(folder):
    return [n for n in os.listdir(folder) if n.endswith(".png")] if folder.exists() else []


def begin(*arguments, **options):
    return subprocess.Popen([UPSCALE, *map(str, arguments)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, **options)


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)

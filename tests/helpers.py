"""What tests of several packages share: the real commands, the two engines' loops, and pictures."""

import os
import subprocess
import sys
from pathlib import Path

import command_server
import numpy as np
import pytest
from PIL import Image

from upscale.kernels.corrections import Corrections
from upscale.kernels.kernel import Kernel
from upscale.kernels.kernel_spec import parse_kernel
from upscale.kernels.layers import Layers
from upscale.kernels.load import load
from upscale.loops import compiled, numpy_loops

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "sample_images"
COMMANDS = command_server.CommandServer()
UPSCALE = str(Path(sys.executable).with_name("upscale"))

ENGINES = pytest.mark.parametrize("engine", [compiled, numpy_loops], ids=["numba", "numpy"])
#: Two methods, of which the second is slow with many formats.
HEAVY_TCONV = [
    pytest.param(["nn"], id="nn"),
    pytest.param(["tconv", "-k", "box"], id="tconv", marks=pytest.mark.heavy),
]


def run(*arguments, cwd=None, stdin=None, env=None):
    """Run the command; standard output stays bytes, for it may be a picture."""
    if env is None and command_server.available():
        return COMMANDS.run("upscale", arguments, cwd=cwd, stdin=stdin)
    return subprocess.run([UPSCALE, *map(str, arguments)], cwd=cwd, input=stdin, capture_output=True, env=env, timeout=300)


def ok(*arguments, **options):
    """Run the command, which must succeed."""
    done = run(*arguments, **options)
    assert done.returncode == 0, done.stderr.decode()
    return done


def command(name):
    """Make `run` and `ok` for another command of the package, whose output is text."""
    path = str(Path(sys.executable).with_name(name))

    def run(*arguments, cwd=None):
        if command_server.available():
            done = COMMANDS.run(name, arguments, cwd=cwd)
            return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
        return subprocess.run([path, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=300)

    def ok(*arguments, cwd=None):
        done = run(*arguments, cwd=cwd)
        assert done.returncode == 0, done.stderr
        return done

    return run, ok


def scene(seed, size=(96, 90), dtype=np.uint8):
    """Make a grey picture with edges in all directions, and some texture."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0 : size[1], 0 : size[0]].astype(float)
    picture = np.full(x.shape, 128.0)
    for _ in range(12):
        angle, at, level = rng.uniform(0, np.pi), rng.uniform(20, 80), rng.uniform(-60, 60)
        picture += level * np.tanh((np.cos(angle) * x + np.sin(angle) * y - at) / rng.uniform(0.5, 2))
    picture += 15 * np.sin(x / rng.uniform(1, 4)) * np.sin(y / rng.uniform(1, 4)) + rng.normal(0, 2, x.shape)
    return np.clip(picture, 0, 255).astype(dtype)


def pixels(path):
    """Read a picture's samples with Pillow."""
    with Image.open(path) as image:
        return np.asarray(image)


def kernel(text, factor=(2, 2)):
    """Make the kernel that a text means on the command line."""
    return load(parse_kernel(text), factor)


def random_corrections(seed=0, depth=3, factor=2, classes=5, size=0.05):
    """Make corrections of some depth, whose comparisons and weights are random."""
    rng = np.random.default_rng(seed)
    nodes = 2**depth - 1
    return Corrections(
        rng.integers(0, 25, (nodes, 2)), rng.integers(-30, 30, nodes), rng.integers(0, classes, nodes + 1),
        rng.normal(0, size, (classes, 25, 9 * factor**2)), factor,
    )  # fmt: skip


def adaptive_kernel(corrections):
    """Make an adaptive kernel of corrections and a plain single kernel."""
    plain = np.outer(*[np.arange(1, 2 * corrections.factor + 1) + 1.0] * 2)
    return Kernel(plain + plain[::-1, ::-1], normalized=True, factor=corrections.factor, corrections=corrections)


def random_layers(seed=0, factor=2, channels=(4, 3), sides=(5, 3), taps=3, biases=False):
    """Make the layers of a deep kernel, with random weights."""
    rng = np.random.default_rng(seed)
    before, sides = (1, *channels), (*sides, *(3 for _ in channels))
    convolutions = [
        rng.normal(0, 1 / side / many**0.5, (made, many, side, side))
        for many, made, side in zip(before, channels, sides, strict=False)
    ]
    slopes = [rng.uniform(-0.2, 0.4, made) for made in channels]
    weights = rng.normal(0, 0.1, (channels[-1], 1, taps * factor, taps * factor))
    return Layers(convolutions, slopes, weights, factor, [rng.normal(0, 0.1, made) for made in channels] if biases else ())


def deep_kernel(layers):
    """Make a deep kernel of layers and a plain single kernel."""
    return adaptive_kernel(random_corrections(factor=layers.factor)).replaced(corrections=None, layers=layers)


def larger(a, factor=2):
    """Enlarge an array by nearest neighbour."""
    return np.asarray(a).repeat(factor, 0).repeat(factor, 1)


def read_frames(path, notes=None):
    """Read the contents and all frames of a file by the package's own readers."""
    from upscale.pictures.reading import Source

    with path.open("rb") as file:
        note = [].append if notes is None else notes.append
        source = Source(file, str(path), layout="hwc", allow_8_bit=False, max_pixels=10**8, note=note)
        return source.contents, list(source.frames(source.contents.frames))


def encoded(suffix, samples, mode, info=None, palette=None, *, delays=None, plays=None, notes=None, **options):
    """Encode samples, or a list of frames, by the package's own writers."""
    import io

    from upscale.loops import numpy_loops
    from upscale.pictures.formats import FORMATS
    from upscale.pictures.picture import Frame, Picture
    from upscale.pictures.write_options import WriteOptions
    from upscale.pictures.writing import make_writer

    frames = samples if isinstance(samples, list) else [samples]
    note = [].append if notes is None else notes.append
    file = io.BytesIO()
    settings = WriteOptions(frames[0].shape[:2], len(frames), plays, loops=numpy_loops, note=note, **options)
    writer = make_writer(FORMATS[suffix], file, settings)
    for number, frame in enumerate(frames):
        picture = Picture(frame, mode, palette, info or {})
        if mode == "P":
            picture = picture.with_info(bits=8)
        writer.add(Frame(picture, delays[number] if delays else (0, 1)))
    writer.close()
    return file.getvalue()


def decoded(data, name, notes=None):
    """Decode all frames of a file's bytes by the package's own readers."""
    import io

    from upscale.pictures.reading import Source

    note = [].append if notes is None else notes.append
    source = Source(io.BytesIO(data), name, layout="hwc", allow_8_bit=False, max_pixels=10**8, note=note)
    return list(source.frames(source.contents.frames))


def blocked(folder, module):
    """Make the environment of a process in which a module cannot be imported."""
    (folder / "blocked").mkdir()
    (folder / "blocked" / f"{module}.py").write_text("raise ImportError")
    return {**os.environ, "PYTHONPATH": os.pathsep.join((str(folder / "blocked"), os.environ.get("PYTHONPATH", "")))}


def image_of(mode, seed=0):
    """Make a small picture of one of Pillow's modes."""
    rng = np.random.default_rng(seed)
    if mode == "1":
        return Image.fromarray(rng.integers(0, 2, (5, 6), np.uint8) * 255).convert("1")
    if mode == "P":
        return Image.fromarray(rng.integers(0, 256, (5, 6, 3), np.uint8)).quantize(16)
    if mode == "PA":
        return image_of("P", seed).convert("PA")
    shape = (5, 6, len(Image.new(mode, (1, 1)).getbands()))
    if mode in ("I;16", "I", "F"):
        dtype = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        return Image.fromarray((rng.random((5, 6)) * 60000).astype(dtype))
    samples = rng.integers(0, 256, shape, np.uint8)
    return Image.frombytes(mode, (6, 5), samples.tobytes())

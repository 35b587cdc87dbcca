"""The script that runs other projects' test files: what it reports, and that it reports nothing else."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from helpers import ROOT, SAMPLES
from PIL import Image

SCRIPT = ROOT / "benchmarks" / "fixtures.py"


@pytest.fixture(scope="module")
def fixtures():
    spec = importlib.util.spec_from_file_location("fixtures", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_sees_what_is_wrong(fixtures, tmp_path):
    rng = np.random.default_rng(0)
    samples = rng.integers(0, 256, (4, 5, 3), np.uint8)
    larger = samples.repeat(2, 0).repeat(2, 1)
    source, output, line = tmp_path / "a.png", tmp_path / "b.png", {"format": "PNG"}
    Image.fromarray(samples).save(source, dpi=(72, 72), icc_profile=b"profile")

    def found(notes=(), **options):
        Image.fromarray(options.pop("samples", larger)).save(output, **options)
        return list(fixtures.differences(source, output, {**line, "notes": notes}))

    assert found(dpi=(72, 72), icc_profile=b"profile") == []
    assert found(dpi=(72, 72)) == ["lost icc_profile without a note"]
    assert found(dpi=(72, 72), notes=["its colour profile was dropped"]) == []
    wrong = larger.copy()
    wrong[3, 4, 1] ^= 9
    assert "of the samples of frame 0 differ" in found(samples=wrong, dpi=(72, 72), icc_profile=b"profile")[0]
    assert "shape" in found(samples=larger[1:], dpi=(72, 72), icc_profile=b"profile")[0]
    output.write_bytes(b"no picture")
    assert "pillow does not open the output" in list(fixtures.differences(source, output, line))


def test_it_sees_frames_and_durations(fixtures, tmp_path):
    frames = [Image.fromarray(np.full((4, 4), 60 * i, np.uint8)) for i in range(3)]
    larger = [frame.resize((8, 8)) for frame in frames]
    source, output, line = tmp_path / "a.gif", tmp_path / "b.gif", {"format": "GIF"}
    frames[0].save(source, save_all=True, append_images=frames[1:], duration=50, loop=2)
    for count, options, words in (
        (3, {"duration": 50, "loop": 2}, None),
        (3, {"duration": 70, "loop": 2}, "lasts 210.0 ms, not 150.0"),
        (3, {"duration": 50, "loop": 5}, "loop is 5, not 2"),
        (2, {"duration": [70, 80], "loop": 2}, "2 frames, not 3"),
    ):
        larger[0].save(output, save_all=True, append_images=larger[1:count], **options)
        assert list(fixtures.differences(source, output, line)) == ([] if words is None else [words])


@pytest.mark.heavy
def test_the_script():
    done = subprocess.run([sys.executable, str(SCRIPT), str(SAMPLES)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "nn: " in done.stdout and "tconv box: " in done.stdout and "0 different" in done.stdout

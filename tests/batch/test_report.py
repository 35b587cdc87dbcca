"""What is reported of one picture and of many: errors that are counted, and the objects of --json."""

import json
from datetime import UTC, datetime

import pytest
from helpers import ok, run
from PIL import Image

from upscale import __version__


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Return a folder with a picture, one that is turned, and one with alpha."""
    folder = tmp_path_factory.mktemp("pictures")
    Image.new("RGB", (24, 24)).save(folder / "in.png")
    Image.new("RGBA", (24, 24)).save(folder / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(folder / "photo.jpg", exif=exif)
    return folder


def test_equal_failures_are_told_once(tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(5):
        Image.new("RGB", (90, 40 + number)).save(tmp_path / "in" / f"{number}.png")
    (tmp_path / "in" / "bad.png").write_text("hello")
    (tmp_path / "in" / "worse.png").write_text("hello")
    arguments = ("in", "out", "--max-memory", "10k")
    done = run(*arguments, cwd=tmp_path)
    text = done.stderr.decode()
    assert done.returncode == 1
    assert len([line for line in text.splitlines() if "--max-memory" in line]) == 1
    assert "(and 4 more files)" in text
    assert "in/bad.png: " in text and "in/worse.png: " in text
    assert "7 failed" in text
    assert run(*arguments, "-v", cwd=tmp_path).stderr.decode().count("--max-memory") == 5
    assert run(*arguments, "--json", cwd=tmp_path).stdout.count(b"--max-memory") == 5
    # What stands at an output's place is a matter of that file.
    assert run("in", "out", cwd=tmp_path).returncode == 1
    assert run("in", "out", "--no-overwrite", cwd=tmp_path).stderr.count(b"already exists") == 5


def test_a_single_failure_is_an_object_too(pictures):
    done = run("missing.png", "out.png", "--json", cwd=pictures)
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert (found["input"], found["output"], found["status"]) == ("missing.png", "out.png", "failed")
    assert found["error"] == "missing.png: no such file"
    assert json.loads(run("a.png", "out.jpg", "--json", cwd=pictures).stdout)["status"] == "failed"


@pytest.mark.heavy
@pytest.mark.parametrize(("inputs", "name"), [(["photo.jpg"], "out.png"), (["photo.jpg", "in.png"], "out")])
def test_sizes_before_and_after_turning(pictures, tmp_path, inputs, name):
    output = str(tmp_path / name)
    path = output if name == "out.png" else f"{output}/photo.jpg"
    dry = run(*inputs, output, "--dry-run", cwd=pictures).stdout.decode()
    assert f"photo.jpg (20x30, stored as 30x20) -> {path} (40x60, " in dry
    assert dry.count("stored as") == 1
    for status in ("written", "skipped"):
        lines = ok(*inputs, output, "--json", "--skip-existing", cwd=pictures).stdout.decode().splitlines()
        found = next(one for one in map(json.loads, lines) if one["input"] == "photo.jpg")
        assert found["status"] == status
        assert (found["size"], found["stored_size"], found["output_size"]) == ([20, 30], [30, 20], [40, 60])
    dry = run(*inputs, output, "--dry-run", "--skip-existing", cwd=pictures).stdout.decode()
    assert f"photo.jpg (20x30, stored as 30x20) -> {path} (40x60, " in dry and "skipped" in dry


def test_what_an_object_says_of_the_run(tmp_path, rgb):
    before = datetime.now(UTC)
    (tmp_path / "in").mkdir()
    rgb.rename(tmp_path / "in" / "in.png")
    for inputs, output in ((["in/in.png"], "out.png"), (["in"], "out")):
        found = json.loads(ok(*inputs, output, "--json", "--engine", "numpy", cwd=tmp_path).stdout)
        assert (found["engine"], found["engine_reason"], found["version"]) == ("numpy", "asked for", __version__)
        assert before.replace(microsecond=0) <= datetime.fromisoformat(found["started"]) <= datetime.now(UTC)

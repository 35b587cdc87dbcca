"""What becomes of a file that is already there under an output's name: nothing that somebody else made is lost."""

import json

import numpy as np
import pytest
from helpers import ok, pixels, run
from PIL import Image

NAMED = ("--name", "{stem}@{factor}x{suffix}")


def picture(path, size=(4, 3), seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(samples).save(path)
    return path.read_bytes()


@pytest.fixture
def hand(tmp_path):
    """Make a folder with the usual names of iOS and the web, in which hero@2x.png is a drawing of its own."""
    picture(tmp_path / "hand" / "hero.png")
    picture(tmp_path / "hand" / "hero@2x.png", size=(9, 7), seed=1)
    picture(tmp_path / "hand" / "other.png", seed=2)
    return tmp_path / "hand"


def lines(done):
    return done.stderr.decode().splitlines()


@pytest.mark.parametrize("inputs", [["hand"], ["hand/*.png"]])
def test_a_file_made_by_hand_beside_its_input_is_not_overwritten(hand, inputs):
    own = (hand / "hero@2x.png").read_bytes()
    for policy in ([], ["--update"], ["--skip-existing"], ["-n"], ["--skip-existing", "--update"]):
        done = run(*inputs, "-o", "hand", *NAMED, *policy, cwd=hand.parent)
        assert (hand / "hero@2x.png").read_bytes() == own, policy
        if policy == ["--update"]:
            continue  # leaves it, since it is not older
        [line] = [line for line in lines(done) if line.startswith("upscale: hand/hero.png: ")]
        assert done.returncode == 1
        assert "hand/hero@2x.png" in line and "--overwrite" in line
        assert ("--skip-existing keeps it" in line) != ("--skip-existing" in policy)
    ok(*inputs, "-o", "hand", *NAMED, "--overwrite", cwd=hand.parent)
    assert pixels(hand / "hero@2x.png").shape == (6, 8, 3)
    assert "skipped" in lines(ok(*inputs, "-o", "hand", *NAMED, "--skip-existing", cwd=hand.parent))[-1]


@pytest.mark.parametrize("policy", [[], ["--overwrite"], ["--skip-existing"], ["-n"]])
def test_an_output_that_is_a_named_input_is_wrong_usage(hand, policy):
    own = (hand / "hero@2x.png").read_bytes()
    done = run("hand/hero.png", "hand/hero@2x.png", "hand/other.png", "-o", "hand", *NAMED, *policy, cwd=hand.parent)
    assert done.returncode == 2
    [line] = lines(done)
    assert "hand/hero.png" in line and "hand/hero@2x.png" in line and "--name" in line
    assert (hand / "hero@2x.png").read_bytes() == own
    assert not (hand / "other@2x.png").exists()


def test_outputs_of_an_earlier_run_are_recognised_and_resumed(hand):
    (hand / "hero@2x.png").unlink()
    for factor in ("2", "3", "2"):
        ok("hand", "hand", *NAMED, "-f", factor, cwd=hand.parent)
    # As a shell would expand hand/*.png: the outputs are among the named files, and are no inputs.
    every = sorted(str(p.relative_to(hand.parent)) for p in hand.iterdir())
    assert len(every) == 6
    ok(*every, "hand", *NAMED, cwd=hand.parent)
    assert len(list(hand.iterdir())) == 6
    (hand / "other@2x.png").unlink()
    done = ok("hand", "hand", *NAMED, "--skip-existing", cwd=hand.parent)
    assert "1 written, 1 skipped, 3 left alone" in lines(done)[-1]


def test_an_output_that_was_edited_is_not_overwritten(hand):
    (hand / "hero@2x.png").unlink()
    ok("hand", "hand", *NAMED, cwd=hand.parent)
    with Image.open(hand / "hero@2x.png") as image:
        edited = image.copy()
    edited.putpixel((0, 0), (1, 2, 3))
    edited.save(hand / "hero@2x.png")
    done = run("hand", "hand", *NAMED, cwd=hand.parent)
    assert done.returncode == 1
    assert "1 written, 1 failed" in lines(done)[-1]
    assert pixels(hand / "hero@2x.png")[0, 0].tolist() == [1, 2, 3]


def test_a_file_of_somebody_else_in_another_folder_is_not_overwritten_either(hand):
    other = picture(hand.parent / "out" / "hero.png", seed=5)
    for arguments in (("hand", "out"), ("hand/hero.png", "out"), ("hand/hero.png", "out/")):
        done = run(*arguments, cwd=hand.parent)
        assert done.returncode == 1
        assert (hand.parent / "out" / "hero.png").read_bytes() == other
    ok("hand/hero.png", "out/hero.png", cwd=hand.parent)  # named as a file, it is meant
    ok("hand", "out", cwd=hand.parent)


def test_named_like_an_output_but_named_by_the_user_it_is_an_input(hand):
    ok("hand/hero@2x.png", "hand/other.png", "hand", *NAMED, "-f", "3", cwd=hand.parent)
    assert (hand / "hero@2x@3x.png").exists()


KERNEL = "1,2,1;2,4,2;1,2,1"
SETTINGS = [
    [], ["-m", "tconv", "-k", "bicubic"], ["-m", "tconv", "-k", "bicubic:-0.75"], ["-m", "tconv", "-k", "bilinear"],
    ["-m", "tconv", "-k", KERNEL], ["-m", "tconv", "-k", KERNEL, "--normalize"], ["-m", "tconv", "-k", "k.npy"],
    ["-m", "tconv", "-k", "bicubic", "--linear"], ["-m", "tconv", "-k", "bicubic", "--edge", "wrap"],
    ["-m", "tconv", "-k", "adaptive"], ["-m", "tconv", "-k", "learned"], ["--depth", "16"], ["--compression", "small"],
]  # fmt: skip


def test_skip_existing_does_again_what_was_made_with_other_settings(hand):
    np.save(hand.parent / "k.npy", np.ones((4, 4)))
    for settings in SETTINGS:
        for status in ("written", "skipped"):
            done = ok("hand/hero.png", "hand/other.png", "out", "--skip-existing", *settings, "--json", cwd=hand.parent)
            found = [json.loads(line)["status"] for line in done.stdout.splitlines()]
            assert found == [status] * 2, settings
    # The kernel's weights count, and not its name.
    np.save(hand.parent / "k2.npy", np.ones((4, 4)))
    ok("hand/hero.png", "out/hero.png", "-m", "tconv", "-k", "k.npy", cwd=hand.parent)
    again = ("hand/hero.png", "out/hero.png", "-m", "tconv", "--skip-existing", "--json", "-k")
    assert b'"skipped"' in ok(*again, "k2.npy", cwd=hand.parent).stdout
    np.save(hand.parent / "k2.npy", np.full((4, 4), 2.0))
    assert b'"written"' in ok(*again, "k2.npy", cwd=hand.parent).stdout


def test_where_no_settings_are_recorded_skip_existing_compares_the_size_and_says_so(hand):
    for _ in range(2):
        done = ok("hand", "out", "--skip-existing", "--format", "bmp", cwd=hand.parent)
    assert "3 skipped" in lines(done)[-1]
    [line] = [line for line in lines(done) if "only its size was compared" in line]
    assert "and 2 more" in line
    assert b"only its size" in ok("hand/hero.png", "out/hero.bmp", "--skip-existing", cwd=hand.parent).stderr
    done = run("hand", "out", "--format", "bmp", cwd=hand.parent)
    assert done.returncode == 1 and "3 failed" in lines(done)[-1]
    ok("hand", "out", "--format", "bmp", "--overwrite", cwd=hand.parent)

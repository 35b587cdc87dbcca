"""What becomes of a file that is already there under an output's name: nothing that somebody else made is lost."""

import json

import numpy as np
import pytest
from batches import begin, parts, wait_for
from helpers import ok, pixels, run
from PIL import Image

from upscale.pictures.png import png_format

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
        assert ("complete picture of the right size" in line) == ("--skip-existing" in policy)
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


@pytest.mark.heavy
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
    assert "1 written, 1 skipped, 3 ignored" in lines(done)[-1]


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


@pytest.mark.heavy
@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.heavy)])
def test_skip_existing_does_again_what_was_made_with_other_settings(hand, every):
    np.save(hand.parent / "k.npy", np.ones((4, 4)))
    for settings in SETTINGS[::every]:
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


@pytest.mark.heavy
def test_where_no_settings_are_recorded_skip_existing_compares_the_size_and_says_so(hand):
    for _ in range(2):
        done = ok("hand", "out", "--skip-existing", "--format", "bmp", cwd=hand.parent)
    assert "3 skipped" in lines(done)[-1]
    [line] = [line for line in lines(done) if "only its size was checked" in line]
    assert "and 2 more" in line
    assert b"only its size" in ok("hand/hero.png", "out/hero.bmp", "--skip-existing", cwd=hand.parent).stderr
    done = run("hand", "out", "--format", "bmp", cwd=hand.parent)
    assert done.returncode == 1 and "3 failed" in lines(done)[-1]
    ok("hand", "out", "--format", "bmp", "--overwrite", cwd=hand.parent)


def add_text(path):
    """Add metadata as tools do that keep all other bytes."""
    data = path.read_bytes()
    path.write_bytes(data[:33] + png_format.chunk(b"tEXt", b"Author\0me") + data[33:])


def test_metadata_that_were_added_to_an_output_are_not_lost(hand):
    ok("hand/hero.png", "out/", cwd=hand.parent)
    out = hand.parent / "out" / "hero.png"
    add_text(out)
    edited = out.read_bytes()
    done = run("hand", "out", cwd=hand.parent)
    assert done.returncode == 1 and "2 written, 1 failed" in lines(done)[-1]
    assert out.read_bytes() == edited


def test_a_read_only_output_is_kept(hand):
    ok("hand", "out", cwd=hand.parent)
    (hand.parent / "out" / "hero.png").chmod(0o444)
    done = run("hand", "out", "-f", "3", cwd=hand.parent)
    assert done.returncode == 1 and "read-only" in done.stderr.decode()
    ok("hand", "out", "-f", "3", "--overwrite", cwd=hand.parent)


@pytest.mark.heavy
def test_a_file_that_appears_while_the_output_is_computed_is_kept(tmp_path):
    (tmp_path / "in").mkdir()
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (500, 500, 3), np.uint8)).save(tmp_path / "in" / "a.png")
    begun = begin("in", "out", "-f", "5", "-k", "lanczos4", "--compression", "small", cwd=tmp_path)
    wait_for(lambda: parts(tmp_path / "out"))
    (tmp_path / "out" / "a.png").write_text("precious")
    errors = begun.communicate(timeout=300)[1]
    assert begun.returncode == 1
    assert b"written by another program in the meantime" in errors
    assert (tmp_path / "out" / "a.png").read_text() == "precious"
    assert not parts(tmp_path / "out")


def test_two_outputs_that_are_one_file_by_a_link_are_refused(hand):
    (hand.parent / "out").mkdir()
    (hand.parent / "out" / "hero.png").symlink_to("other.png")
    done = run("hand", "out", cwd=hand.parent)
    assert done.returncode == 2 and "would both become" in done.stderr.decode()


@pytest.mark.parametrize("name", ["{stem}", "{stem}.png", "{stem}.xyz"])
def test_the_format_holds_whatever_the_names_are(hand, name):
    ok("hand", "out", "--name", name, "--format", "png", cwd=hand.parent)
    assert all(p.read_bytes().startswith(b"\x89PNG") for p in (hand.parent / "out").iterdir())
    done = run("hand", "out2", "--name", "{stem}.jpg", "--format", "png", cwd=hand.parent)
    assert done.returncode == 2 and "conflicts" in lines(done)[0]


@pytest.mark.heavy
def test_outputs_that_were_cut_off_are_not_taken_for_done(hand):
    for suffix in ("jpg", "png", "gif", "webp"):
        options = ("--format", suffix, "--background", "white")
        ok("hand/hero.png", f"{suffix}/", *options, cwd=hand.parent)
        out = hand.parent / suffix / f"hero.{suffix}"
        out.write_bytes(out.read_bytes()[:-80])
        done = run("hand", suffix, "--skip-existing", *options, cwd=hand.parent)
        assert done.returncode == 1 and "2 written, 1 failed" in lines(done)[-1], suffix


def test_names_of_several_runs_make_no_outputs_of_outputs(tmp_path):
    """As for iOS: the template has the factor as a word, so that only the marks tell outputs from inputs."""
    picture(tmp_path / "in" / "foe.png")
    picture(tmp_path / "in" / "foe_two.png")  # begins alike, but is an input
    for factor in ("2", "3", "2", "3"):
        ok("in", "in", "--name", f"{{stem}}@{factor}x{{suffix}}", "-f", factor, cwd=tmp_path)
    assert sorted(p.name for p in (tmp_path / "in").iterdir()) == sorted(
        f"{stem}{end}.png" for stem in ("foe", "foe_two") for end in ("", "@2x", "@3x")
    )


def test_a_name_that_an_output_cannot_have_is_an_input(tmp_path):
    picture(tmp_path / "in" / "fo.png")
    Image.new("RGB", (3, 3)).save(tmp_path / "in" / "fox.jpg")
    ok("in", "in", "--name", "{stem}x{suffix}", cwd=tmp_path)
    assert (tmp_path / "in" / "foxx.jpg").exists()


def test_names_by_the_inputs_suffixes(tmp_path):
    picture(tmp_path / "in" / "a.png")
    Image.new("RGB", (3, 3)).save(tmp_path / "in" / "a.bmp")
    done = run("in", "out", "--format", "webp", cwd=tmp_path)
    assert done.returncode == 2 and "{ext}" in lines(done)[0]
    ok("in", "out", "--format", "webp", "--name", "{stem}_{ext}{suffix}", cwd=tmp_path)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a_bmp.webp", "a_png.webp"]


def test_nothing_is_written_where_all_is_done_already(hand):
    ok("hand", "out", cwd=hand.parent)
    (hand.parent / "out").chmod(0o555)
    try:
        assert "3 skipped" in lines(ok("hand", "out", "--skip-existing", cwd=hand.parent))[-1]
    finally:
        (hand.parent / "out").chmod(0o755)


def test_a_list_of_names_in_utf_16_is_reported(hand):
    done = run("--files-from", "-", "out", cwd=hand.parent, stdin="hand/hero.png\n".encode("utf-16"))
    assert done.returncode == 1 and "UTF-16" in lines(done)[0]

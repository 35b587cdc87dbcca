"""What people type by mistake: each gets one line that leads on, and nothing is written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers import SAMPLES, UPSCALE, command, ok, run
from PIL import Image

from upscale.commands.option_types import Method, factor
from upscale.suggestions import closest, closest_file

IO = ("in.png", "out.png")
NO_FACTOR = ("is not a factor", "a whole number such as 4", "3x2")
KERNEL_FILES = (".npy, .npz", ".safetensors")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder with what the mistakes need."""
    folder = tmp_path_factory.mktemp("mistakes")
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (24, 24, 3), np.uint8)).save(folder / "in.png")
    Image.fromarray(rng.integers(0, 256, (24, 24, 4), np.uint8)).save(folder / "a.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).save(folder / "photo.jpg", exif=exif)
    frames = [Image.fromarray(rng.integers(0, 256, (24, 24), np.uint8)) for _ in range(3)]
    frames[0].save(folder / "anim.gif", save_all=True, append_images=frames[1:])
    np.save(folder / "k.npy", np.ones((3, 3)))
    (folder / "folder").mkdir()
    Image.new("RGB", (24, 24)).save(folder / "folder" / "one.png")
    (folder / "empty_folder").mkdir()
    return folder


def state(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def refused(folder, name, status, parts, arguments):
    before = state(folder)
    path = Path(UPSCALE).with_name(name)
    done = subprocess.run([path, *arguments], cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stderr
    lines = done.stderr.splitlines()
    assert lines[0].startswith(f"{name}: ")
    assert len(lines) == 1 or (len(lines) == 2 and "0 written, 1 failed" in lines[1]), done.stderr  # the latter for a batch
    for part in parts:
        assert part in lines[0]
    for word in ("Error", "Traceback", "click", "errno"):
        assert word not in done.stderr
    assert done.stdout == ""
    assert state(folder) == before


USAGE = [
    # A factor without its option
    ((*IO, "4"), "--factor 4"),
    ((*IO, "x4"), "--factor x4"),
    ((*IO, "3x2"), "--factor 3x2"),
    (("4", *IO), "--factor 4"),
    (("in.png", "4"), "--factor 4"),
    (("folder", "4"), "--factor 4", "4/"),
    (("4", "-o", "out.png"), "--factor 4"),
    ((*IO, "-4"), "--factor 4"),
    ((*IO, "-16"), "--factor 16"),
    ((*IO, "-4x"), "--factor 4x"),
    ((*IO, "-s", "4"), "-s", "--factor"),
    ((*IO, "--size", "4"), "--size", "--factor"),
    ((*IO, "-factor", "4"), "did you mean --factor"),
    (("in.png", "-output", "out.png"), "did you mean --output"),
    ((*IO, "--factr", "4"), "did you mean --factor"),
    # What is not a factor
    *(
        ((*IO, "--factor", text), f"{text!r}", *NO_FACTOR)
        for text in ("2.5", "0", "-1", "1/2", "abc", "2,3", "1e9", "250%", "")
    ),
    ((*IO, "--factor", "1920x1080"), "in.png would become 46080x25920", "not a size", "--factor 80x45", "--max-factor 1920"),
    ((*IO, "--factor", "1920x1081"), "46080x25944", "not a size", "--max-factor 1920"),
    ((*IO, "--factor", "400"), "9600x9600", "400 % is --factor 4", "--max-factor 400"),
    (("folder", "out", "--factor", "999"), "folder/one.png would become 23976x23976"),
    (("photo.jpg", "out.png", "--factor", "200x300"), "photo.jpg would become 4000x9000", "--factor 10 makes 200x300"),
    (("-", "-", "--factor", "129"), "--factor 129: A factor is how many times larger", "--max-factor 129"),
    # Methods
    ((*IO, "-m", "bicubic"), "--kernel bicubic"),
    ((*IO, "-m", "bicubic", "-k", "lanczos3"), "--kernel bicubic"),
    ((*IO, "-m", "lanczos"), "--kernel lanczos3"),
    ((*IO, "-m", "linear"), "--kernel bilinear"),
    ((*IO, "-m", "adaptive"), "--kernel adaptive"),
    ((*IO, "-m", "transposed"), "did you mean tconv"),
    ((*IO, "-m", "conv"), "did you mean tconv"),
    ((*IO, "-m", "nearset"), "did you mean nn"),
    ((*IO, "-m", "esrgan"), "nn, or tconv", "--list-kernels"),
    ((*IO, "-m", "tconv"), "--kernel bicubic", "--list-kernels", "*.npy", '"1,2,1"'),
    ((*IO, "-m", "nn", "-k", "k.npy"), "nn takes no --kernel"),
    ((*IO, "--padding", "0"), "--padding needs a kernel", "--kernel bicubic"),
    # Kernels
    ((*IO, "-k", "bicubik"), "did you mean bicubic?"),
    ((*IO, "-k", "lanczos"), "did you mean lanczos3?"),
    ((*IO, "-k", "lancoz3"), "did you mean lanczos3?"),
    ((*IO, "-k", "cubic"), "did you mean bicubic?"),
    ((*IO, "-k", "linear"), "did you mean bilinear?"),
    ((*IO, "-k", "gauss"), "did you mean gaussian?"),
    ((*IO, "-k", "gausian:0.7"), "did you mean gaussian:0.7?"),
    ((*IO, "-k", "adaptiv"), "did you mean adaptive?"),
    ((*IO, "-k", "nearest"), "is a method"),
    ((*IO, "-k", "k"), "did you mean k.npy?"),
    ((*IO, "-k", "in.png"), "in.png is not a kernel file", *KERNEL_FILES),
    ((*IO, "-k", "topaz.png"), "'topaz.png'", *KERNEL_FILES),
    ((*IO, "-k", "."), ". is a folder", *KERNEL_FILES),
    ((*IO, "-k", ""), "there is no kernel ''", "bicubic", "*.npy", "1,2,1"),
    ((*IO, "-k", "xyzzy"), "there is no kernel 'xyzzy'", "bicubic", "*.npy", "1,2,1"),
    ((*IO, "-k", "1,2,1;2,4"), "rows have different lengths: 3, 2"),
    ((*IO, "-k", "1,,1"), "a number is missing between two commas"),
    ((*IO, "-k", "1,2;3,b"), "row 2: 'b' is not a number"),
    ((*IO, "-k", "a,b"), "'a' is not a number"),
    ((*IO, "-k", "1 2 1, 2 4 2"), "'1 2 1' is not a number", "semicolons stand between rows"),
    ((*IO, "-k", "nan,1"), "nan is not a finite number"),
    ((*IO, "-k", "1,2,1", "--normalize", "-f", "2"), "3x1 weights", "factor 2", "at least 2x2"),
    ((*IO, "-k", "bicubic", "--dilation", "2"), "a distance of 2", "--dilation"),
    ((*IO, "-k", "1,0,1;0,0,0;1,0,1", "--normalize"), "only zero weights"),
    ((*IO, "-k"), "--kernel needs a value", "--kernel KERNEL"),
    # Commands and help
    (("in.png",), "upscale in.png in_large.png"),
    (("-help",), "did you mean --help"),
    (("--halp",), "did you mean --help"),
    (("enlarge", *IO), "upscale in.png out.png"),
    (("learn", "folder"), "did you mean upscale-learn"),
    # Outputs
    (("in.png", "in.png"), "same file", "another OUTPUT"),
    (("in.png", "."), "same file", "--name", "{stem}_large{suffix}"),
    (("in.png", "out"), "no suffix", "out.png", "--format png", ".webp"),
    (("in.png", "out."), "no suffix", "out.png", "--format png", ".webp"),
    (("in.png", "out.xyz"), ".xyz cannot be written", "--format", ".png .apng"),
    (("in.png", "out.jpeg2000"), ".jpeg2000 cannot be written", "--format", ".png .apng"),
    (("in.png", "out.heic"), ".heic cannot be written", "--format", ".png .apng"),
    (("in.png", "out.jxl"), ".jxl cannot be written", "--format", ".png .apng"),
    (("in.png", "out.pgn"), "did you mean .png?"),
    (("folder", "out.png"), "out.png is the name of one picture", "out/"),
    (("in.png", "a.png", "b.png"), "b.png is the name of one picture", "2 inputs", "b/"),
    (("in.png", "a.png", "in.png"), "must be a folder"),
    # Values of options
    ((*IO, "--quality", "high"), "--quality: 'high' is not a whole number from 0 to 100"),
    ((*IO, "--quality", "101"), "--quality: '101' is not a whole number from 0 to 100"),
    ((*IO, "--quality", "90"), "--quality", "JPEG, WebP, AVIF"),
    (("in.png", "out.jpg", "--lossless"), "JPEG", ".png or .webp"),
    ((*IO, "--frame", "-1"), "--frame: '-1' is not a whole number of at least 0", "0 is the first"),
    ((*IO, "-k", "box", "--padding", "1,2,3"), "--padding: '1,2,3'", "same, N, VERTICAL,HORIZONTAL"),
    ((*IO, "-k", "box", "--padding", "valid"), "--padding: 'valid'", "same, N, VERTICAL,HORIZONTAL", "0 crops nothing"),
    ((*IO, "-k", "box", "--bias", "x"), "--bias: ", "'x' is not a number", "a file"),
    ((*IO, "-k", "box", "--bias", "1;2"), "--bias: ", "several rows", "0.1,0,0"),
    ((*IO, "-k", "box", "--dilation", "0"), "--dilation: '0'", "at least 1"),
    ((*IO, "-k", "k.npy", "--groups", "2"), "--groups", "4 dimensions"),
    ((*IO, "-k", "box", "--edge", "wrapp"), "did you mean wrap?"),
    ((*IO, "-k", "box", "--edge", "mirror"), "give zero, replicate, reflect or wrap"),
    ((*IO, "--format", "jpgg"), "did you mean jpg?"),
    ((*IO, "--format", "xyz"), "'xyz' is not a format", "png apng gif"),
    ((*IO, "--background", "whitish"), "did you mean white?"),
    ((*IO, "--background", "#12345"), "#rrggbb", "white"),
    ((*IO, "-j", "0"), "--threads: '0' is not a whole number of at least 1"),
    ((*IO, "-j", "auto"), "--threads: 'auto' is not a whole number of at least 1", "one thread for each core"),
    ((*IO, "--max-memory", "lots"), "--max-memory: 'lots' is not a size of memory", "500M"),
    (("folder", "out", "--name", "{foo}"), "{stem} {suffix} {factor} {method} {kernel}"),
    (("folder", "out", "--name", ""), "{stem} {suffix} {factor} {method} {kernel}"),
    (("in.png", "folder/../in.png", "a.png", "out", "--name", "same"), "in.png and a.png would both become out/same"),
    ((*IO, "--skip-existing", "--no-overwrite"), "--no-overwrite and --skip-existing cannot be combined"),
    ((*IO, "--quiet", "--verbose"), "--quiet and --verbose cannot be combined"),
    (("in.png", "out.webp", "--lossless", "--quality", "50"), "--lossless and --quality cannot be combined"),
    ((*IO, "--color", "white"), "did you mean --background?"),
    ((*IO, "--colour", "white"), "did you mean --background?"),
    ((*IO, "--backgroud", "white"), "did you mean --background?"),
    ((*IO, "--sharpen"), "there is no option --sharpen"),
    ((*IO, "--strip=all"), "--strip takes no value"),
    (("folder", "out", "--scheduler", "localhost"), "--scheduler: 'localhost'", "tcp://HOST:8786"),
]


@pytest.mark.parametrize("case", USAGE, ids=lambda case: " ".join(case[0]))
def test_wrong_usage(made, case):
    arguments, *parts = case
    refused(made, "upscale", 2, parts, arguments)


FAILING = [
    (("out.png", "in.png"), "out.png: there is no such file", "in.png would have been OUTPUT", "upscale in.png out.png"),
    (("missing.png", "out.png"), "missing.png: there is no such file"),
    (("in.pngg", "out.png"), "in.pngg: there is no such file; did you mean in.png?"),
    (("in.png", "missing/out.png"), "there is no folder", "missing", "make it first"),
    (("*.tga", "out"), "*.tga: matches no file"),
    (("empty_folder", "out"), "empty_folder: there are no pictures"),
    (("a.png", "out.jpg"), "a.png", "--background"),
    ((*IO, "--frame", "3"), "--frame 3: it has only one frame"),
    (("anim.gif", "out.png", "--frame", "3"), "--frame 3: it has the frames 0 to 2"),
    ((*IO, "-k", "missing.npy"), "missing.npy: there is no such kernel file"),
    ((*IO, "-k", "kk.npy"), "kk.npy: there is no such kernel file; did you mean k.npy?"),
    ((*IO, "--max-memory", "1k"), "in.png", "--max-memory"),
]


@pytest.mark.parametrize("case", FAILING, ids=lambda case: " ".join(case[0]))
def test_what_fails(made, case):
    arguments, *parts = case
    refused(made, "upscale", 1, parts, arguments)


OTHERS = [
    ("learn", 2, (), "PICTURE_OR_FOLDER is missing", "upscale-learn photos -o mine.npz"),
    ("learn", 2, ("folder",), "--output is missing", "upscale-learn photos -o mine.npz"),
    ("learn", 1, ("empty_folder", "-o", "k.npz"), "empty_folder: holds no pictures"),
    ("learn", 2, ("folder", "-o", "k.png"), ".npz"),
    ("learn", 2, ("folder", "-o", "k.npz", "--size", "4"), "--size 4", "such as 2 or 6"),
    ("learn", 2, ("folder", "-o", "k.npz", "--size", "big"), "'big' is not a whole number of at least 1"),
    ("learn", 2, ("folder", "-o", "k.npz", "--factor", "1"), "--factor 1", "at least 2"),
    ("learn", 1, ("folder/one.png", "-o", "k.npz"), "samples", "give more or larger pictures"),
    ("compare", 2, ("in.png",), "SHEET is missing", "upscale-compare in.png sheet.png"),
    ("compare", 2, (*IO, "-o", "sheet.png"), "give one SHEET"),
    ("compare", 2, (*IO, "4"), "--factor 4"),
    ("compare", 2, (*IO, "--kernels"), "--kernels needs a value", "KERNEL,..."),
    ("compare", 2, (*IO, "--kernels", "nn,bicubik"), "did you mean bicubic?"),
    ("compare", 2, (*IO, "--crop", "1,2,3"), "--crop: '1,2,3' is not a crop", "LEFT,TOP,WIDTH,HEIGHT"),
    ("compare", 2, (*IO, "--crop", "20,0,9,9"), "--crop 20,0,9,9: is not within in.png, which is 24x24"),
    ("kernel", 2, ("show",), "KERNEL is missing", "upscale-kernel show bicubic"),
    ("kernel", 2, ("shwo", "bicubic"), "did you mean show?"),
    ("kernel", 2, ("bicubic",), "show, convert, make, explain"),
    ("kernel", 1, ("show", "missing.npy"), "missing.npy: there is no such kernel file"),
    ("kernel", 2, ("show", "-1,2"), "write -- before numbers"),
    ("kernel", 2, ("convert", "k.npy", "k.png"), "its suffix must be one of .npy"),
    ("kernel", 2, ("make", "foo"), "there is no kernel 'foo'", "bicubic"),
    ("kernel", 2, ("make", "bicubic"), "--output is missing", "upscale-kernel make lanczos3"),
    ("kernel", 2, ("explain", "1,2"), "--kernel is missing", "upscale-kernel explain"),
]


@pytest.mark.parametrize("case", OTHERS, ids=lambda case: " ".join((case[0], *case[2])))
def test_the_other_commands(made, case):
    name, status, arguments, *parts = case
    refused(made, f"upscale-{name}", status, parts, arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ("-f", "4x"),
        ("-f", "400%"),
        ("--scale", "4"),
        ("--zoom=4",),
        ("--ratio", "4"),
        ("-x", "4"),
        ("-x4",),
        ("-f4", "-m", "nearest"),
        ("-f4", "-m", "Nearest_Neighbor"),
        ("-f4", "-m", "NN"),
        ("-f4", "-k", "box"),
        ("-f4", "-k", "BOX", "-m", "TCONV"),
        ("-f4", "-k", "1 1 1 1;1 1 1 1;1 1 1 1;1 1 1 1"),
        ("-f4", "-k", "k.npy", "--padding", "0", "--normalise", "--dilation", "1"),
        ("-f", "4", "--compression", "FAST"),
    ],
    ids=" ".join,
)
def test_what_works(tmp_path, arguments):
    """Each of them is nn at factor 4."""
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    Image.fromarray(picture).save(tmp_path / "in.png")
    np.save(tmp_path / "k.npy", np.ones((4, 4)))
    ok(*IO, *arguments, cwd=tmp_path)
    with Image.open(tmp_path / "out.png") as image:
        assert np.array_equal(image, picture.repeat(4, 0).repeat(4, 1))


def test_one_row_with_blanks_is_a_kernel(tmp_path):
    np.save(tmp_path / "in.npy", [[1.0, 0]])
    ok("in.npy", "out.npy", "-k", "1 2 1", "-f", "1", "--padding", "0", cwd=tmp_path)
    assert np.load(tmp_path / "out.npy").tolist() == [[1, 2, 1, 0]]


def test_no_normalise_is_understood(tmp_path, rgb):
    for spelling in ("--no-normalise", "--no-normalize"):
        ok(rgb, tmp_path / f"{spelling}.png", "-k", "bilinear", spelling)
    assert (tmp_path / "--no-normalise.png").read_bytes() == (tmp_path / "--no-normalize.png").read_bytes()


def test_a_folder_may_be_called_4(tmp_path, rgb):
    ok("in.png", "4/", cwd=tmp_path)
    ok("in.png", "-o", "5/", cwd=tmp_path)
    ok("in.png", "4", cwd=tmp_path)
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.png")) == ["4/in.png", "5/in.png", "in.png"]


def test_an_existing_folder_is_written_into(made):
    root = os.path.abspath(os.sep)
    assert f"in.png (24x24) -> {root}in.png (48x48, PNG)" in ok("in.png", root, "--dry-run", cwd=made).stdout.decode()


def test_the_limit_of_the_factor_can_be_lifted(tmp_path):
    Image.new("L", (1, 1)).save(tmp_path / "in.png")
    assert run("in.png", "out.png", "-f", "129", cwd=tmp_path).returncode == 2
    ok("in.png", "out.png", "-f", "128", cwd=tmp_path)
    ok("in.png", "out.png", "-f", "1000x1", "--max-factor", "1000", cwd=tmp_path)
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (1000, 1)


def test_help_is_help(made):
    assert run("help", cwd=made).stdout == run("--help").stdout
    assert run("--help").stdout.startswith(b"Usage: upscale ")


@pytest.mark.parametrize("name", ["upscale", "upscale-learn", "upscale-kernel", "upscale-compare"])
def test_no_help_lists_other_names(name):
    text = subprocess.run([Path(UPSCALE).with_name(name), "--help"], capture_output=True, text=True, timeout=60).stdout
    assert "Usage: " in text
    for hidden in ("--scale", "--zoom", "normalise /", "x>=", "0<="):
        assert hidden not in text


def test_a_sheet_may_be_the_second_argument(tmp_path):
    _, compare = command("upscale-compare")
    compare(SAMPLES / "potion.png", "sheet.png", "--kernels", "nn,box", "--crop", "0,0,8,8", cwd=tmp_path)
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")


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
    assert run("in", "out", "--no-overwrite", cwd=tmp_path).stderr.count(b"exists already") == 5


def test_a_single_failure_is_an_object_too(made):
    done = run("missing.png", "out.png", "--json", cwd=made)
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert (found["input"], found["output"], found["status"]) == ("missing.png", "out.png", "failed")
    assert found["error"] == "missing.png: there is no such file"
    assert json.loads(run("a.png", "out.jpg", "--json", cwd=made).stdout)["status"] == "failed"


@pytest.mark.parametrize(("inputs", "name"), [(["photo.jpg"], "out.png"), (["photo.jpg", "in.png"], "out")])
def test_sizes_before_and_after_turning(made, tmp_path, inputs, name):
    output = str(tmp_path / name)
    path = output if name == "out.png" else f"{output}/photo.jpg"
    dry = run(*inputs, output, "--dry-run", cwd=made).stdout.decode()
    assert f"photo.jpg (20x30, stored as 30x20) -> {path} (40x60, " in dry
    assert dry.count("stored as") == 1
    for status in ("written", "skipped"):
        lines = ok(*inputs, output, "--json", "--skip-existing", cwd=made).stdout.decode().splitlines()
        found = next(one for one in map(json.loads, lines) if one["input"] == "photo.jpg")
        assert found["status"] == status
        assert (found["size"], found["stored_size"], found["output_size"]) == ([20, 30], [30, 20], [40, 60])
    dry = run(*inputs, output, "--dry-run", "--skip-existing", cwd=made).stdout.decode()
    assert f"photo.jpg (20x30, stored as 30x20) -> {path} (40x60, " in dry and "skipped" in dry


def test_what_an_object_says_of_the_run(tmp_path, rgb):
    from datetime import UTC, datetime

    from upscale import __version__

    before = datetime.now(UTC)
    (tmp_path / "in").mkdir()
    rgb.rename(tmp_path / "in" / "in.png")
    for inputs, output in ((["in/in.png"], "out.png"), (["in"], "out")):
        found = json.loads(ok(*inputs, output, "--json", "--engine", "numpy", cwd=tmp_path).stdout)
        assert (found["engine"], found["engine_reason"], found["version"]) == ("numpy", "asked for", __version__)
        assert before.replace(microsecond=0) <= datetime.fromisoformat(found["started"]) <= datetime.now(UTC)


def test_the_gain_is_that_of_the_phases(tmp_path):
    Image.new("L", (8, 8), 200).save(tmp_path / "in.png")
    text = ok(*IO, "-k", "1,2,1", "-f", "2", cwd=tmp_path).stderr.decode()
    assert "clipped: the kernel's gain is 2; a kernel of at least 2x2 can be normalised" in text
    text = ok(*IO, "-k", "1,1,1;1,1,1;1,1,1", "-f", "2", cwd=tmp_path).stderr.decode()
    assert "clipped: the kernel's gain is 1 to 4; --normalize makes it 1" in text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", (4, 4)),
        ("3x2", (2, 3)),
        ("3X2", (2, 3)),
        ("x4", (4, 4)),
        ("2x", (2, 2)),
        ("4×", (4, 4)),
        (" 4 ", (4, 4)),
        ("4.0", (4, 4)),
        ("4.", (4, 4)),
        ("100%", (1, 1)),
        ("200%x300%", (3, 2)),
        ("3 x 2", (2, 3)),
    ],
)
def test_factors(text, value):
    assert factor(text) == value


@pytest.mark.parametrize("text", ["nearest", "nearest-neighbor", "nearest-neighbour", "neighbor", "NN", " nn "])
def test_methods(text):
    assert Method().convert(text, None, None) == "nn"


def test_close_names(tmp_path):
    (tmp_path / "picture.png").touch()
    assert closest_file(str(tmp_path / "pictur.png")) == str(tmp_path / "picture.png")
    assert closest_file(str(tmp_path / "other.png")) == closest_file(str(tmp_path / "nowhere" / "picture.png")) == ""
    assert closest("BICUBIK", ["bicubic"]) == "bicubic"
    assert closest(".pgn", [".png", ".pgm", ".pnm"]) == ".png"  # as similar as the others, and named first


def test_an_old_spelling_completes_nothing(made):
    environment = {**os.environ, "_UPSCALE_COMPLETE": "zsh_complete", "COMP_WORDS": "upscale --sc", "COMP_CWORD": "1"}
    done = subprocess.run([UPSCALE], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[1] == "--scheduler" and "--scale" not in done.stdout


def test_words_import_nothing_heavy(made):
    """Neither a suggestion nor the size that an implausible factor makes needs NumPy."""
    for arguments in ([*IO, "4"], [*IO, "-k", "bicubik"], [*IO, "--factor", "1920x1080"], ["in.pngg", "out.png"]):
        code = f"import sys; from upscale.commands.enlarge import run; s = run({list(arguments)!r}); "
        code += "print(s, [m for m in ('numpy', 'numba') if m in sys.modules])"
        done = subprocess.run([sys.executable, "-c", code], cwd=made, capture_output=True, text=True, timeout=60)
        assert done.stdout in ("2 []\n", "1 []\n")

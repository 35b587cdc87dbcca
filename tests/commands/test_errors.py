"""Bad input: one line that names the file or the option, the right exit status, and nothing left behind."""

import os
import subprocess
import sys

import numpy as np
import pytest
from helpers import SAMPLES, ok, run
from PIL import Image

from upscale.commands import option_types


@pytest.fixture
def folder(tmp_path):
    """Return a folder with good and bad files of every kind."""
    Image.new("RGB", (5, 4)).save(tmp_path / "in.png")
    Image.new("RGBA", (5, 4)).save(tmp_path / "alpha.png")
    (tmp_path / "truncated.png").write_bytes((SAMPLES / "cat.png").read_bytes()[:9000])
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "short.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (9, 9), }\n")
    np.save(tmp_path / "objects.npy", np.array([[{}]], object))
    np.save(tmp_path / "four.npy", np.zeros((2, 2, 2, 2)))
    np.save(tmp_path / "good.npy", np.ones((2, 2)))
    np.save(tmp_path / "batch.npy", np.ones((3, 1, 2, 2), np.uint8))
    np.save(tmp_path / "five.npy", np.zeros((2, 2, 2, 2, 2)))
    np.save(tmp_path / "nan.npy", np.array([[1, np.nan]]))
    np.save(tmp_path / "none.npy", np.zeros((0, 3)))
    (tmp_path / "folder").mkdir()
    return tmp_path


def refused(folder, status, parts, *arguments, **options):
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    done = run(*arguments, cwd=folder, **options)
    text = done.stderr.decode()
    assert done.returncode == status, text
    assert text.startswith("upscale: ")
    assert text.count("\n") == 1, text
    assert done.stdout == b""
    for part in parts:
        assert part in text
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before


TCONV = ("-m", "tconv", "-k")
ANY = ("--max-factor", "9" * 18)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("in.png", "out.png", "--sharpen"), "--sharpen"),
        (("in.png", "out.png", "--method", "bicubic"), "--method"),
        (("in.png", "out.png", "--factor", "0"), "--factor"),
        (("in.png", "out.png", "--factor", "-2"), "--factor"),
        (("in.png", "out.png", "--factor", "1.5"), "--factor"),
        (("in.png", "out.png", "--factor", "2x2x2"), "--factor"),
        (("in.png", "out.png", "--factor", "1_0"), "--factor"),
        (("in.png", "out.png", "--engine", "gpu"), "--engine"),
        (("in.png", "out.png", "--frame", "-1"), "--frame"),
        (("in.png", "out.png", "--background", "whitish"), "--background"),
        (("in.png", "out.png", "--background", "#12345"), "--background"),
        (("in.png", "out.png", "--format", "xyz"), "--format"),
        (("in.png", "out.png", "--format", "gif"), "--format"),
        (("in.png", "out.png", "-q", "-v"), "--quiet"),
        (("in.png", "in.png"), "in.png"),
        (("in.png", "./folder/../in.png"), "in.png"),
        (("in.png", "out.xyz"), ".xyz"),
        (("in.png", "out"), "out"),
        (("folder", "out.png"), "looks like a picture file"),
        (("in.png", "out.png", "--method", "nn", "--kernel", "box"), "--kernel"),
        (("in.png", "out.png", "--padding", "0"), "--padding"),
        (("in.png", "out.png", "--method", "tconv"), "--kernel"),
        (("in.png", "out.png", "--method", "tconv"), "--list-kernels"),
        (("in.png", "out.png", "--method", "tconv"), "*.npy"),
        (("in.png", "out.png", *TCONV, "1,2;3"), "--kernel"),
        (("in.png", "out.png", *TCONV, "1,a"), "'a'"),
        (("in.png", "out.png", *TCONV, "1e300,1"), "--kernel"),
        (("in.png", "out.png", *TCONV, "0," * 1024 + "0"), "1024"),
        (("in.png", "out.png", *TCONV, "sharp"), "sharp"),
        (("in.png", "out.png", *TCONV, "box", "--padding", "-1"), "--padding"),
        (("in.png", "out.png", *TCONV, "box", "--padding", "1,2,3"), "--padding"),
        (("in.png", "out.png", "--edge", "wrap"), "--edge"),
        (("in.png", "out.png", "--linear"), "--linear"),
        (("in.png", "out.png", "--normalize"), "--normalize"),
        (("in.png", "out.png", *TCONV, "box", "--edge", "mirror"), "--edge"),
        (("in.png", "out.png", *TCONV, "box", "--dilation", "0"), "--dilation"),
        (("in.png", "out.png", *TCONV, "box", "--output-padding", "-1"), "--output-padding"),
        (("in.png", "out.png", *TCONV, "box", "--groups", "0"), "--groups"),
        (("in.png", "out.png", *TCONV, "1,2", "--groups", "2"), "4 dimensions"),
        (("in.png", "out.png", *TCONV, "1,2", "--bias", "1,2"), "bias"),
        (("in.png", "out.png", *TCONV, "1,2", "--bias", "x"), "--bias"),
        (("in.png", "out.png", *TCONV, "gaussian:99"), "16"),
        (("in.png", "out.png", "--layout", "nchw"), "--layout"),
        (("in.png", "out.png", *TCONV, "9,-9", "-f", "1", "--normalize"), "--no-normalize"),
        (("in.png", "out.png", *TCONV, "0", "--normalize"), "cannot be normalised"),
        (("in.png", "out.png", *TCONV, "1,2", "--dilation", "1000000000"), "dilation"),
        (("in.png", "out.png", *TCONV, "1,2", "--output-padding", "1000000000"), "output_padding"),
        (("in.png", "out.png", *TCONV, "1,2", "--bias", "nan"), "bias 'nan'"),
        (("in.png", "out.png", "--background", "#12 34 56"), "--background"),
        (("in.png", "good.npy", *TCONV, "good.npy"), "same file as --kernel"),
        (("in.png", "good.npy", *TCONV, "box", "--bias", "good.npy"), "same file as --bias"),
        (("in.png", "alpha.png", "out.png"), "looks like a picture file"),
        (("in.png", "alpha.png", "in.png"), "must be a folder"),
        (("in.png", "alpha.png", "-"), "must be a folder"),
        (("-", "alpha.png", "large"), "single picture"),
        (("folder", ""), "empty"),
        (("in.png", "-o", ""), "empty"),
        (("folder", "large", "--name", ""), "--name is empty"),
        (("in.png", "-", "--json"), "standard output"),
        (("in.png", "alpha.png", "in.png/"), "must be a folder"),
        (("folder", "folder"), "the same folder"),
        (("folder",), "upscale folder large/"),
        (("in.png", "alpha.png", "."), "the same file as an input"),
        (("in.png", "folder/../in.png", "alpha.png", "large", "--name", "a"), "would both become large/a"),
        (("folder", "large", "--name", "{stem}/{suffix}"), "cannot contain folders"),
        (("folder", "large", "--name", "{stem:x}"), "is not a field; use"),
        (("folder", "large", "--name", "{0}"), "is not a field; use"),
        (("folder", "large", "--name", "{stem"), "--name"),
        (("folder", "large", "--name", ".."), "not a file name"),
        (("in.png", "out.png", "--name", "{stem}"), "--name"),
        (("in.png", "out.png", "--parents"), "--parents"),
        (("in.png", "out.png", "-0"), "--files-from"),
        (("in.png", "out.png", "--no-overwrite", "--update"), "cannot be combined"),
        (("in.png", "out.png", "--max-memory", "much"), "not a memory size"),
        (("in.png", "out.png", "--max-memory", "5I"), "not a memory size"),
        (("in.png", "out.png", "--max-memory", "1.2.3G"), "not a memory size"),
        (("in.png", "out.png", "--scheduler", "tcp://localhost:1"), "--scheduler"),
        (("in.png", "alpha.png", "large", "--quality", "50"), "--quality"),
        (("in.png",), "OUTPUT is missing; for example: upscale in.png in_large.png"),
    ],
)
def test_wrong_usage(folder, arguments, part):
    refused(folder, 2, [part], *arguments)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("none.png", "out.png"), ["none.png", "no such file"]),
        (("in.png", "out.png", "--files-from", "none.txt"), ["none.txt", "no such file"]),
        (("in.png", "alpha.png", "large", *TCONV, "none.png.npy"), ["none.png.npy", "no such file"]),
        (("nofolder", "large"), ["nofolder", "no such file"]),
        (("text.png", "out.png"), ["text.png", "not a picture"]),
        (("empty.png", "out.png"), ["empty.png", "is empty"]),
        (("truncated.png", "out.png"), ["truncated.png", "damaged"]),
        (("short.npy", "out.npy"), ["short.npy", "damaged"]),
        (("objects.npy", "out.npy"), ["objects.npy"]),
        (("four.npy", "out.npy"), ["four.npy", "(2, 2, 2, 2)"]),
        (("none.npy", "out.npy"), ["none.npy", "empty"]),
        (("nan.npy", "out.png"), ["nan.npy", "float64"]),
        (("in.png", "missing/out.png"), ["missing", "create it first"]),
        (("in.png", "missing/out.png", "--dry-run"), ["missing", "create it first"]),
        (("in.png", "text.png/out.png"), ["text.png"]),
        (("in.png", "out.png", *ANY, "-f", "1000000"), ["in.png", "5000000x4000000", "smaller factor"]),
        (("in.png", "out.npy", *ANY, "-f", "999999999999999999"), ["in.png", "4999999999999999995x3999999999999999996"]),
        (("in.png", "out.png", *ANY, "-f", "100000000", *TCONV, "bicubic"), ["in.png", "500000000x400000000"]),
        (("in.png", "out.jpg", *ANY, "-f", "20000x1"), ["in.png", "65500"]),
        (("in.png", "out.gif", *ANY, "-f", "1x20000"), ["in.png", "65535"]),
        (("in.png", "out.webp", *ANY, "-f", "4000"), ["in.png", "16383"]),
        (("in.png", "out.png", *TCONV, "none.png.npy"), ["none.png.npy", "no such"]),
        (("in.png", "out.png", *TCONV, "objects.npy"), ["objects.npy"]),
        (("in.png", "out.png", *TCONV, "four.npy"), ["in.png", "four.npy", "2 channels"]),
        (("in.png", "out.png", *TCONV, "five.npy"), ["five.npy", "dimensions"]),
        (("in.png", "out.png", *TCONV, "nan.npy"), ["nan.npy", "NaN"]),
        (("in.png", "out.png", *TCONV, "none.npy", "--bias", "none.npy"), ["none.npy"]),
        (("good.npy", "out.npy", "--frame", "0"), ["good.npy", "--frame"]),
        (("batch.npy", "out.png", "--layout", "chw"), ["batch.npy", "a stack of 3"]),
        (("in.png", "out.npy", *TCONV, "box", "--background", "red", "--linear", "--frame", "7"), ["has no frame 7"]),
        (("in.png", "out.png", *TCONV, "none.npy"), ["none.npy", "no elements"]),
        (("in.png", "out.png", *TCONV, "box", "--padding", "9"), ["in.png", "crops the whole output"]),
        (("in.png", "out.png", "--frame", "1"), ["in.png", "has no frame 1"]),
        (("alpha.png", "out.jpg"), ["alpha.png", "--background"]),
        (("alpha.png", "out.ppm"), ["alpha.png", "--background"]),
    ],
)
def test_what_fails(folder, arguments, parts):
    refused(folder, 1, parts, *arguments)


def test_hard_and_symbolic_links_to_the_input(folder):
    os.link(folder / "in.png", folder / "hard.png")
    (folder / "soft.png").symlink_to("in.png")
    for name in ("hard.png", "soft.png"):
        refused(folder, 2, [name], "in.png", name)


def test_nothing_on_standard_input(folder):
    refused(folder, 1, ["standard input", "empty"], "-", "out.png", stdin=b"")
    refused(folder, 1, ["standard input", "empty", "--help"], stdin=b"")
    refused(folder, 1, ["standard input", "not a picture"], "-", "out.png", stdin=b"hello")


def test_a_decoder_that_speaks_for_itself(folder):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 2, (64, 64)).astype(bool))
    picture.save(folder / "fax.tiff", compression="group4")
    data = bytearray((folder / "fax.tiff").read_bytes())
    with Image.open(folder / "fax.tiff") as image:
        at = image.tag_v2[273][0]
    data[at + 20 : at + 40] = bytes(20)
    (folder / "fax.tiff").write_bytes(data)
    done = run("fax.tiff", "out.png", cwd=folder)
    text = done.stderr.decode()
    assert text.startswith("upscale: fax.tiff: ")
    assert "damaged" in text
    assert text.count("\n") == 1, text
    assert run("fax.tiff", "out.png", "-q", cwd=folder).stderr in (b"", done.stderr)


def test_16_bits_are_not_cut_unless_asked_for(folder):
    (folder / "deep.ppm").write_bytes(b"P6 1 1 65535\n" + bytes([18, 52, 86, 120, 154, 188]))
    refused(folder, 1, ["deep.ppm", "16 bits", "--depth 8"], "deep.ppm", "out.jpg")
    ok("deep.ppm", "out.ppm", "-f", "1", cwd=folder)
    assert (folder / "out.ppm").read_bytes() == b"P6\n1 1\n65535\n" + bytes([18, 52, 86, 120, 154, 188])
    ok("deep.ppm", "out.bmp", "-f", "1", "--depth", "8", cwd=folder)
    with Image.open(folder / "out.bmp") as image:
        assert image.getpixel((0, 0)) == (18, 86, 154)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="becomes another user, which only root can")
def test_an_unwritable_folder(folder):
    import subprocess
    import sys

    # The command itself may not be readable to that user: only what asks about the folder is run as him.
    code = (
        f"import os; os.setuid(65534); import sys; sys.path[:0] = {sys.path!r}; from upscale.output_files import check_place; "
    )
    folder.chmod(0o755)
    for parent in folder.parents:
        if parent.stat().st_uid == 0 and not parent.stat().st_mode & 1:
            pytest.skip("the test folder lies where no other user gets")
    done = subprocess.run(
        [sys.executable, "-c", code + f"check_place({str(folder / 'out.png')!r})"], capture_output=True, text=True
    )
    if "PermissionError" in done.stderr or "ModuleNotFoundError" in done.stderr:
        pytest.skip("the installation lies where no other user gets")
    assert "cannot be written to" in done.stderr


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1000", 1000),
        ("8G", 8 * 10**9),
        ("8GB", 8 * 10**9),
        ("8 gib", 8 << 30),
        ("1.5Ki", 1536),
        ("2MiB", 2 << 20),
        ("512B", 512),
    ],
)
def test_sizes_of_memory(text, size):
    assert option_types.memory(text) == size


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["text.png", "out.png"], 1), (["text.png", "alpha.png", "out"], 1), (["in.png", "out.png", "-f", "0"], 2)],
)
def test_a_traceback_is_shown_on_request_only(folder, arguments, status):
    for wanted in ("", "1"):
        done = run(*arguments, cwd=folder, env={**os.environ, "UPSCALE_TRACEBACK": wanted})
        assert done.returncode == status
        assert (b"Traceback" in done.stderr) == bool(wanted)


def test_a_fault_of_the_program_is_named_as_one():
    code = """
import sys
from upscale.pictures.png import png_reader
def broken(*arguments):
    raise NameError("name 'nothing' is not defined")
png_reader.read = broken
from upscale.commands.enlarge import run
sys.exit(run(["in.png", "out.png"]))
"""
    code = code.replace("in.png", str(SAMPLES / "potion.png"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert done.stderr == "upscale: internal error, please report it: NameError: name 'nothing' is not defined\n"

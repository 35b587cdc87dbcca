"""What people type by mistake: each gets one line that leads on, and nothing is written."""

import subprocess
import sys

import numpy as np
import pytest
from helpers import command
from PIL import Image

IO = ("in.png", "out.png")
NO_FACTOR = ("is not a factor", "a whole number such as 4", "3x2")
KERNEL_FILES = (".npy, .npz", ".safetensors")

UNREADABLE = {
    "notes.txt": b"bread and milk",
    "page.png": b"<!doctype html><title>404</title>",
    "empty.png": b"",
    "scan.pdf": b"%PDF-1.4",
    "logo.svg": b"<svg/>",
    "photo.heic": b"\0\0\0\x18ftypheic",
    "photo.jxl": b"\xff\x0a",
    "photo.jxr": b"II\xbc\x01",
    "photo.nef": b"II*\0\x08\0\0\0",
}


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
    for name, data in UNREADABLE.items():
        (folder / name).write_bytes(data)
    return folder


def state(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def refused(folder, name, status, parts, arguments):
    before = state(folder)
    done = command(name)[0](*arguments, cwd=folder)
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
    (("-", "-", "--factor", "129"), "--factor 129: a factor is a multiple", "--max-factor 129"),
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
    ((*IO, "-m", "nn", "-k", "k.npy"), "--method nn and --kernel cannot be combined"),
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
    ((*IO, "-k", "1 2 1, 2 4 2"), "'1 2 1' is not a number", "use semicolons between rows"),
    ((*IO, "-k", "nan,1"), "nan is not a finite number"),
    ((*IO, "-k", "1,2,1", "--normalize", "-f", "2"), "3x1 weights", "factor 2", "at least 2x2"),
    ((*IO, "-k", "bicubic", "--dilation", "2"), "a distance of 2", "--dilation"),
    ((*IO, "-k", "1,0,1;0,0,0;1,0,1", "--normalize"), "only zero weights"),
    ((*IO, "-k"), "--kernel needs a value", "--kernel KERNEL"),
    # Commands and help
    (("in.png",), "upscale in.png in_large.png"),
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
    (("in.png", "out.jxr"), ".jxr cannot be written", "--format", ".jxl"),
    (("in.png", "out.pgn"), "did you mean .png?"),
    (("folder", "out.png"), "out.png looks like a picture file", "out/"),
    (("in.png", "a.png", "b.png"), "b.png looks like a picture file", "2 inputs", "b/"),
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
    ((*IO, "-j", "auto"), "--threads: 'auto' is not a whole number of at least 1", "one per core"),
    ((*IO, "--max-memory", "lots"), "--max-memory: 'lots' is not a memory size", "500M"),
    (("folder", "out", "--name", "{foo}"), "{stem} {ext} {suffix} {factor} {method} {kernel}"),
    (("folder", "out", "--name", ""), "{stem} {ext} {suffix} {factor} {method} {kernel}"),
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
    (("out.png", "in.png"), "out.png: no such file", "in.png is given as OUTPUT", "upscale in.png out.png"),
    (("missing.png", "out.png"), "missing.png: no such file"),
    (("in.pngg", "out.png"), "in.pngg: no such file; did you mean in.png?"),
    (("in.png", "missing/out.png"), "there is no folder", "missing", "create it first"),
    (("*.tga", "out"), "*.tga: no file matches this pattern"),
    (("empty_folder", "out"), "empty_folder: no pictures found"),
    (("a.png", "out.jpg"), "a.png", "--background"),
    (("notes.txt", "out.png"), "notes.txt: not a picture"),
    (("page.png", "out.png"), "page.png: is a web page", "open it"),
    (("empty.png", "out.png"), "empty.png: is empty"),
    (("scan.pdf", "out.png"), "scan.pdf: is a PDF", "pdftoppm"),
    (("logo.svg", "out.png"), "logo.svg: is an SVG", "rsvg-convert"),
    (("photo.heic", "out.png"), "photo.heic: "),
    (("photo.jxl", "out.png"), "photo.jxl: damaged: the file ends inside its header"),
    (("photo.jxr", "out.png"), "photo.jxr: is a JPEG XR picture", "JxrDecApp"),
    (("photo.nef", "out.png"), "photo.nef: is a camera RAW file", "darktable"),
    ((*IO, "--frame", "3"), "has no frame 3; its only frame is 0"),
    (("anim.gif", "out.png", "--frame", "3"), "has no frame 3; its frames are 0 to 2"),
    ((*IO, "-k", "missing.npy"), "missing.npy: no such file"),
    ((*IO, "-k", "kk.npy"), "kk.npy: no such file; did you mean k.npy?"),
    ((*IO, "--max-memory", "1k"), "in.png", "--max-memory"),
]


@pytest.mark.parametrize("case", FAILING, ids=lambda case: " ".join(case[0]))
def test_what_fails(made, case):
    arguments, *parts = case
    refused(made, "upscale", 1, parts, arguments)


OTHERS = [
    ("learn", 2, (), "PICTURE_OR_FOLDER is missing", "upscale-learn photos -o mine.npz"),
    ("learn", 2, ("folder",), "--output is missing", "upscale-learn photos -o mine.npz"),
    ("learn", 1, ("empty_folder", "-o", "k.npz"), "empty_folder: contains no pictures"),
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
    ("compare", 2, (*IO, "--zoom", "0"), "--zoom: '0' is not a whole number of at least 1", "larger INPUT becomes is --factor"),
    ("compare", 2, (*IO, "--zoom", "3x2"), "--zoom: '3x2' is not a whole number"),
    ("compare", 2, ("in.png", "page.html", "--zoom", "2"), "--zoom is for sheets"),
    ("compare", 2, (*IO, "--wiht", "a.png"), "did you mean --with?"),
    ("compare", 1, (*IO, "--with", "a.png"), "a.png: is 24x24, but must be 48x48: 2 times in.png, which is 24x24"),
    ("kernel", 2, ("show",), "KERNEL is missing", "upscale-kernel show bicubic"),
    ("kernel", 2, ("shwo", "bicubic"), "did you mean show?"),
    ("kernel", 2, ("bicubic",), "show, convert, make, explain"),
    ("kernel", 1, ("show", "missing.npy"), "missing.npy: no such file"),
    ("kernel", 2, ("show", "-1,2"), "put -- before negative numbers"),
    ("kernel", 2, ("convert", "k.npy", "k.png"), "its suffix must be one of .npy"),
    ("kernel", 2, ("make", "foo"), "there is no kernel 'foo'", "bicubic"),
    ("kernel", 2, ("make", "bicubic"), "--output is missing", "upscale-kernel make lanczos3"),
    ("kernel", 2, ("explain", "1,2"), "--kernel is missing", "upscale-kernel explain"),
]


@pytest.mark.parametrize("case", OTHERS, ids=lambda case: " ".join((case[0], *case[2])))
def test_the_other_commands(made, case):
    name, status, arguments, *parts = case
    refused(made, f"upscale-{name}", status, parts, arguments)


def test_words_import_nothing_heavy(made):
    """Neither a suggestion nor the size that an implausible factor makes needs NumPy."""
    for arguments in ([*IO, "4"], [*IO, "-k", "bicubik"], [*IO, "--factor", "1920x1080"], ["in.pngg", "out.png"]):
        code = f"import sys; from upscale.commands.enlarge import run; s = run({list(arguments)!r}); "
        code += "print(s, [m for m in ('numpy', 'numba') if m in sys.modules])"
        done = subprocess.run([sys.executable, "-c", code], cwd=made, capture_output=True, text=True, timeout=300)
        assert done.stdout in ("2 []\n", "1 []\n")

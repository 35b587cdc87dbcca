"""Files of formats that cannot be read fail with advice; formats that can only be read become PNG or TIFF."""

import json

import numpy as np
import pytest
import tifffile
from helpers import ok, pixels, run
from PIL import Image

from upscale.pictures import formats, unsupported_formats

#: Names, first bytes and a word of the message.
FILES = [
    ("photo.nef", b"MM\0*\0\0\0\x08", "RAW"),
    ("photo.CR2", b"II*\0\x10\0\0\0CR\2\0", "RAW"),
    ("photo.raf", b"FUJIFILMCCD-RAW 0201", "RAW"),
    ("photo", b"IIU\0\x18\0\0\0", "RAW"),
    ("photo.cr3", b"\0\0\0\x18ftypcrx ", "RAW"),
    ("logo.svg", b'<?xml version="1.0"?>\n<svg xmlns="x">', "SVG"),
    ("logo", b"<svg>", "SVG"),
    ("scan.pdf", b"%PDF-1.7\n", "PDF"),
    ("scan.png", b"%PDF-1.7\n", "PDF"),
    ("page.eps", b"%!PS-Adobe-3.0", "PostScript"),
    ("sprite.aseprite", b"\0\4\0\0\xe0\xa5\1\0\x10\0\x10\0\x20\0", "Aseprite"),
    ("sprite.xcf", b"gimp xcf v011", "GIMP"),
    ("sprite.kra", b"PK\3\4" + bytes(26) + b"mimetypeapplication/x-krata", "Krita"),
    ("scan.dcm", bytes(128) + b"DICM", "DICOM"),
]


def lines(done):
    return done.stderr.decode().splitlines()


@pytest.mark.parametrize(("name", "data", "word"), FILES, ids=[f[0] for f in FILES])
def test_a_file_that_cannot_be_read_fails_and_is_named_with_advice(tmp_path, name, data, word):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(data.ljust(200, b"\0"))
    for arguments in ((f"in/{name}", "out.png"), ("in", "out")):
        done = run(*arguments, cwd=tmp_path)
        assert done.returncode == 1
        assert f"upscale: in/{name}: is a" in lines(done)[0] and word in lines(done)[0] and ": " in lines(done)[0]
    assert not (tmp_path / "out.png").exists()
    assert not list((tmp_path / "out").glob("*"))


def test_no_suffix_is_both_supported_and_not():
    suffixes = [s for u in unsupported_formats._FORMATS for s in u.suffixes]
    assert len(suffixes) == len(set(suffixes))
    assert not {*suffixes} & ({*formats.FORMATS} | formats.READ_ONLY)


@pytest.mark.parametrize(
    "form", ["PNG", "GIF", "JPEG", "WEBP", "TIFF", "BMP", "PPM", "ICO", "AVIF", "SGI", "JPEG2000", "DDS", "TGA"]
)
def test_no_picture_that_can_be_read_is_taken_for_another(tmp_path, form):
    for seed in range(5):
        samples = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(samples).save(tmp_path / "x", form)
        assert unsupported_formats.find("x", (tmp_path / "x").read_bytes()[:132]) is None


@pytest.mark.parametrize("photometric", [32803, 34892])
def test_a_raw_file_with_any_suffix_is_known_by_its_contents(tmp_path, photometric):
    shape = (64, 64) if photometric == 32803 else (64, 64, 3)
    with tifffile.TiffWriter(tmp_path / "preview.tif") as file:
        file.write(np.zeros((8, 8, 3), np.uint8), photometric="rgb", subfiletype=1, subifds=1)
        file.write(np.zeros(shape, np.uint16), photometric=photometric)
    tifffile.imwrite(tmp_path / "raw.tif", np.zeros(shape, np.uint16), photometric=photometric)
    for name in ("preview", "raw"):
        done = run(tmp_path / f"{name}.tif", tmp_path / "out.tif")
        assert done.returncode == 1 and "RAW" in lines(done)[0]


def test_a_reduced_copy_beside_a_picture_is_no_raw_file(tmp_path):
    with tifffile.TiffWriter(tmp_path / "pyramid.tif") as file:
        file.write(np.zeros((16, 16, 3), np.uint8), photometric="rgb", subifds=1)
        file.write(np.zeros((8, 8, 3), np.uint8), photometric="rgb", subfiletype=1)
    ok(tmp_path / "pyramid.tif", tmp_path / "out.tif")


def test_what_is_not_a_picture_is_listed_with_v_and_fails_when_it_is_named(tmp_path):
    (tmp_path / "in").mkdir()
    Image.new("RGB", (4, 3)).save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "notes.txt").write_text("hello")
    (tmp_path / "in" / "page.html").write_text("<!DOCTYPE html>")
    done = ok("in", "out", "-v", cwd=tmp_path)
    assert {"in/notes.txt: not a picture", "in/page.html: not a picture"} <= set(lines(done))
    assert "2 not pictures" in lines(done)[-1]
    (tmp_path / "in" / "b.png").write_text("\n<html>404</html>")
    (tmp_path / "in" / "c.png").write_text("")
    done = run("in", "out", cwd=tmp_path)
    assert done.returncode == 1
    assert any("b.png: is a web page" in line for line in lines(done))
    assert any("c.png: is empty" in line for line in lines(done))


def save_read_only(folder):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8))
    folder.mkdir()
    image.save(folder / "a.dib")
    image.save(folder / "b.pcx")
    image.save(folder / "c.sgi")
    image.save(folder / "d.rgb")
    cards = ["SIMPLE  = T", "BITPIX  = -32", "NAXIS   = 2", "NAXIS1  = 8", "NAXIS2  = 6", "END"]
    header = "".join(card.ljust(80) for card in cards).ljust(2880).encode()
    (folder / "e.fits").write_bytes(header + bytes(2880))
    return np.asarray(image)


def test_formats_that_are_only_read_become_png_or_tiff_with_a_warning(tmp_path):
    samples = save_read_only(tmp_path / "in")
    done = ok("in", "out", cwd=tmp_path)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.png", "b.png", "c.png", "d.png", "e.tif"]
    assert np.array_equal(pixels(tmp_path / "out" / "a.png"), samples.repeat(2, 0).repeat(2, 1))
    with Image.open(tmp_path / "out" / "e.tif") as image:
        assert image.mode == "F"
    assert sum("can be read but not written" in line for line in lines(done)) == 5
    done = ok("in", "tif", "--format", "tif", cwd=tmp_path)
    assert len(list((tmp_path / "tif").glob("*.tif"))) == 5
    assert "not written" not in done.stderr.decode()


@pytest.mark.parametrize(
    ("mode", "kind", "to_rgb", "name"),
    [
        ("RGB", "picture", False, "PNG"), ("I;16", "picture", False, "PNG"), ("P", "animation", False, "PNG"),
        ("CMYK", "picture", False, "TIFF"), ("CMYK", "picture", True, "PNG"), ("LAB", "picture", False, "TIFF"),
        ("F", "picture", True, "TIFF"), ("I", "picture", False, "TIFF"), ("1", "pages", False, "TIFF"),
    ],
)  # fmt: skip
def test_the_substitute_can_store_the_picture(mode, kind, to_rgb, name):
    assert formats.substitute(mode, kind, to_rgb=to_rgb).name == name


def test_one_file_into_a_folder_or_a_stream(tmp_path):
    samples = save_read_only(tmp_path / "in")
    done = ok("in/b.pcx", "out/", cwd=tmp_path)
    assert np.array_equal(pixels(tmp_path / "out" / "b.png"), samples.repeat(2, 0).repeat(2, 1))
    assert ".pcx can be read but not written" in lines(done)[0]
    done = ok("-", "-", stdin=(tmp_path / "in" / "b.pcx").read_bytes())
    assert done.stdout.startswith(b"\x89PNG") and len(lines(done)) == 1


def test_collisions_are_found_with_the_new_names(tmp_path):
    save_read_only(tmp_path / "in")
    Image.new("RGB", (4, 3)).save(tmp_path / "in" / "a.png")
    done = run("in", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "a.dib" in lines(done)[0] and "a.png" in lines(done)[0]
    assert not (tmp_path / "out").exists()
    done = ok("in/a.dib", "in/b.pcx", "out", "--json", cwd=tmp_path)
    assert {json.loads(line)["output"] for line in done.stdout.splitlines()} == {"out/a.png", "out/b.png"}

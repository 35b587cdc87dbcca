"""The mark of this program's outputs: every format that stores one keeps its pixels, and editing a picture drops it."""

import re
import zlib

import numpy as np
import pytest
from helpers import decoded, encoded, ok
from PIL import Image

from upscale.pictures import formats, output_mark

KINDS = ("PNG", "GIF", "JPEG", "WEBP", "AVIF", "TIFF", "JXL", "JPEG2000")
DIGEST = "0123456789abcdef"
MARKED = [f for f in dict.fromkeys(formats.FORMATS.values()) if f.pillow in KINDS and f.metadata]
IDS = [f.name for f in MARKED]


def saved(path, form, **options):
    rng = np.random.default_rng(0)
    samples = rng.integers(0, 255, (20, 30, 3), np.uint8)
    if form.pillow in ("JXL", "JPEG2000"):
        path.write_bytes(encoded(formats.suffix_of(form), samples, "RGB"))
    else:
        Image.fromarray(samples).save(path, form.pillow, **options)
    return path


def pixels(path):
    return decoded(path.read_bytes(), str(path))[0].picture.samples


def mark(path, form, digest=DIGEST):
    with path.open("r+b") as file:
        output_mark.add_mark(file, form, digest)
        assert file.tell() == path.stat().st_size


@pytest.mark.parametrize("form", MARKED, ids=IDS)
def test_a_mark_is_read_again_and_changes_no_pixel(tmp_path, form):
    path = saved(tmp_path / "a", form)
    before, length = pixels(path), path.stat().st_size
    assert output_mark.read_mark(str(path), whole=True) is None
    mark(path, form)
    assert output_mark.read_mark(str(path), whole=True) == DIGEST
    assert np.array_equal(pixels(path), before)
    assert path.stat().st_size - length < 70


@pytest.mark.parametrize("block", [1, 47, 48, 49, 1000, 10**6])
def test_a_jpeg_of_many_blocks_is_moved_behind_its_mark(tmp_path, monkeypatch, block):
    path = saved(tmp_path / "a", formats.FORMATS[".jpg"], comment=b"c")
    before = path.read_bytes()
    monkeypatch.setattr(output_mark, "_BLOCK", block)
    mark(path, formats.FORMATS[".jpg"])
    after = path.read_bytes()
    at = after.index(b"\xff\xea\0\x2eupscale ")
    assert after[:at] + after[at + 48 :] == before


@pytest.mark.parametrize("form", [f for f in MARKED if f.pillow != "JPEG"], ids=[n for n in IDS if n != "JPEG"])
def test_a_second_mark_replaces_the_first(tmp_path, form):
    path = saved(tmp_path / "a", form)
    mark(path, form)
    length = path.stat().st_size
    mark(path, form, DIGEST[::-1])
    assert output_mark.read_mark(str(path), whole=True) == DIGEST[::-1]
    assert path.stat().st_size == length


def test_other_decoders_read_marked_files(tmp_path):
    imagecodecs, tifffile = pytest.importorskip("imagecodecs"), pytest.importorskip("tifffile")
    decoders = {"JPEG": imagecodecs.jpeg_decode, "WEBP": imagecodecs.webp_decode, "AVIF": imagecodecs.avif_decode,
                "PNG": imagecodecs.png_decode, "GIF": imagecodecs.gif_decode, "JXL": imagecodecs.jpegxl_decode,
                "JPEG2000": imagecodecs.jpeg2k_decode}  # fmt: skip
    for form in MARKED:
        path = saved(tmp_path / form.name, form)
        decode = decoders.get(form.pillow, lambda data, path=path: tifffile.imread(path))
        before = decode(path.read_bytes())
        mark(path, form)
        assert np.array_equal(decode(path.read_bytes()), before)


def test_the_structure_of_a_marked_file_is_right(tmp_path):
    png = saved(tmp_path / "a.png", formats.FORMATS[".png"])
    mark(png, formats.FORMATS[".png"])
    data = png.read_bytes()
    assert data[-68:-60] == b"\0\0\0\x2cupSC"
    assert int.from_bytes(data[-16:-12], "big") == zlib.crc32(data[-64:-16])
    assert data.count(b"upscale ") == 1 and f"{len(data):012x}".encode() == data[-28:-16]
    webp = saved(tmp_path / "a.webp", formats.FORMATS[".webp"])
    mark(webp, formats.FORMATS[".webp"])
    assert int.from_bytes(webp.read_bytes()[4:8], "little") == webp.stat().st_size - 8
    jpeg = saved(tmp_path / "a.jpg", formats.FORMATS[".jpg"], exif=Image.Exif(), comment=b"c")
    mark(jpeg, formats.FORMATS[".jpg"])
    with Image.open(jpeg) as image:
        assert image.info["comment"] == b"c"
        assert any(name == "APP10" and data.startswith(b"upscale " + DIGEST.encode()) for name, data in image.applist)
        assert image.applist[0][0] == "APP0"


@pytest.mark.parametrize("form", MARKED, ids=IDS)
def test_a_program_that_saves_the_picture_again_drops_the_mark(tmp_path, form):
    path = saved(tmp_path / "a", form)
    mark(path, form)
    if form.pillow == "JXL":
        (tmp_path / "b").write_bytes(encoded(".jxl", pixels(path), "RGB"))
    else:
        with Image.open(path) as image:
            image.load()
            image.save(tmp_path / "b", form.pillow)
    assert output_mark.read_mark(str(tmp_path / "b"), whole=True) is None


@pytest.mark.parametrize("form", MARKED, ids=IDS)
def test_a_changed_file_has_no_mark(tmp_path, form):
    path = saved(tmp_path / "a", form)
    mark(path, form)
    data = path.read_bytes()
    own = data.index(b"upscale ")
    for at in [*range(20, own - 20, 37), *range(own + 70, len(data), 37)]:
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert output_mark.read_mark(str(path), whole=True) is None, at
    for changed in (data + b"\0", data[:-1], data[: len(data) // 2], data[: own - 20] + b"x" + data[own - 20 :]):
        path.write_bytes(changed)
        assert output_mark.read_mark(str(path), whole=False) is None


@pytest.mark.parametrize("form", [f for f in MARKED if f.name in ("PNG", "GIF", "JPEG", "WebP")], ids=lambda f: f.name)
def test_files_that_are_cut_off(tmp_path, form):
    path = saved(tmp_path / "a", form)
    assert not output_mark.is_cut_off(str(path))
    mark(path, form)
    assert not output_mark.is_cut_off(str(path))
    path.write_bytes(path.read_bytes()[:300])
    assert output_mark.is_cut_off(str(path))


@pytest.mark.parametrize(
    "damage", [b"", b"\x89PNG", b"\xff\xd8\xff", b"\xff\xd8\xff\xe0\0\0" * 9, b"GIF89a;", b"RIFF\0\0\0\0WEBP"]
)
def test_damaged_files_have_no_mark(tmp_path, damage):
    (tmp_path / "a").write_bytes(damage)
    assert output_mark.read_mark(str(tmp_path / "a"), whole=True) is None
    assert output_mark.read_mark(str(tmp_path / "missing"), whole=True) is None
    assert output_mark.read_mark(str(tmp_path), whole=True) is None


@pytest.mark.parametrize("suffix", [s for s in formats.FORMATS if formats.FORMATS[s] in MARKED])
def test_the_command_marks_its_outputs_but_for_strip(tmp_path, suffix):
    picture = tmp_path / "in.png"
    Image.new("RGB", (6, 5), "red").save(picture)
    ok(picture, tmp_path / f"a{suffix}")
    ok(picture, tmp_path / f"b{suffix}", "-f", "3")
    first, second = (output_mark.read_mark(str(tmp_path / f"{n}{suffix}"), whole=True) for n in "ab")
    assert re.fullmatch("[0-9a-f]{16}", first) and first != second
    ok(picture, tmp_path / f"c{suffix}", "--strip")
    assert output_mark.read_mark(str(tmp_path / f"c{suffix}"), whole=True) is None
    # An output that is enlarged again gets a new mark, and no remark about the old one.
    done = ok(tmp_path / f"a{suffix}", tmp_path / f"d{suffix}")
    assert done.stderr == b""
    assert (tmp_path / f"d{suffix}").read_bytes().count(b"upscale ") == 1


@pytest.mark.parametrize("name", ["a.gif", "a.png"])
def test_an_animation_is_marked_once_however_often_it_is_enlarged(tmp_path, name):
    frames = [Image.new("P", (8, 8), i) for i in range(3)]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=100)
    for number in range(2):
        ok(tmp_path / f"{'1' * number}{name}", tmp_path / f"{'1' * (number + 1)}{name}")
    assert (tmp_path / f"11{name}").read_bytes().count(b"upscale ") == 1
    assert output_mark.read_mark(str(tmp_path / f"11{name}"), whole=True)

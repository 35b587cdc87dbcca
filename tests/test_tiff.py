"""TIFF: depths, layouts, tags and pages that Pillow does not keep."""

import os

import numpy as np
import pytest
import tifffile
from conftest import ok, run
from PIL import Image

RNG = np.random.default_rng(0)


def larger(a, factor=2):
    return np.asarray(a).repeat(factor, 0).repeat(factor, 1)


def tags(path, page=0):
    with tifffile.TiffFile(path) as file:
        return {tag.code: tag.value for tag in file.pages[page].tags}


SAMPLES = {
    "16-bit colour": (RNG.integers(0, 65536, (20, 30, 3), np.uint16), {"photometric": "rgb"}),
    "16-bit colour in planes": (
        RNG.integers(0, 65536, (3, 20, 30), np.uint16),
        {"photometric": "rgb", "planarconfig": "separate"},
    ),
    "16-bit opacity": (RNG.integers(0, 65536, (20, 30, 4), np.uint16), {"photometric": "rgb", "extrasamples": [2]}),
    "16-bit opacity, multiplied": (RNG.integers(0, 65536, (20, 30, 4), np.uint16), {"photometric": "rgb", "extrasamples": [1]}),
    "a fourth channel": (RNG.integers(0, 256, (20, 30, 4), np.uint8), {"photometric": "rgb", "extrasamples": [0]}),
    "grey with opacity": (RNG.integers(0, 65536, (20, 30, 2), np.uint16), {"photometric": "minisblack", "extrasamples": [2]}),
    "CMYK": (RNG.integers(0, 65536, (20, 30, 4), np.uint16), {"photometric": "separated"}),
    "Lab": (RNG.integers(0, 65536, (20, 30, 3), np.uint16), {"photometric": "cielab"}),
    "32-bit colour": (RNG.integers(0, 2**32, (20, 30, 3), np.uint32), {"photometric": "rgb"}),
    "floats": (RNG.random((20, 30, 3)).astype(np.float32), {"photometric": "rgb"}),
    "half floats": (RNG.random((20, 30)).astype(np.float16), {}),
    "doubles": (RNG.random((20, 30)), {}),
    "signed": (RNG.integers(-9999, 9999, (20, 30)).astype(np.int16), {}),
    "five channels": (RNG.integers(0, 256, (20, 30, 5), np.uint8), {"photometric": "minisblack", "planarconfig": "contig"}),
    "the low byte last": (RNG.integers(0, 65536, (20, 30, 3), np.uint16), {"photometric": "rgb", "byteorder": ">"}),
    "tiles": (RNG.integers(0, 65536, (40, 50, 3), np.uint16), {"photometric": "rgb", "tile": (16, 16), "compression": "lzw"}),
    "large offsets": (RNG.integers(0, 65536, (20, 30, 3), np.uint16), {"photometric": "rgb", "bigtiff": True}),
    "one bit": (RNG.integers(0, 2, (20, 30)).astype(bool), {"photometric": "minisblack"}),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_come_through_as_they_are_stored(tmp_path, name):
    samples, options = SAMPLES[name]
    container = {k: options[k] for k in ("byteorder", "bigtiff") if k in options}
    options = {k: v for k, v in options.items() if k not in container}
    with tifffile.TiffWriter(tmp_path / "in.tif", **container) as writer:
        writer.write(samples, metadata=None, **options)
    ok("in.tif", "out.tif", cwd=tmp_path)
    if options.get("planarconfig") == "separate":
        samples = np.moveaxis(samples, 0, 2)
    with tifffile.TiffFile(tmp_path / "in.tif") as before, tifffile.TiffFile(tmp_path / "out.tif") as after:
        one, other = before.pages[0], after.pages[0]
        got = other.asarray()
        assert got.dtype == samples.dtype
        assert np.array_equal(got, larger(samples))
        assert one.photometric == other.photometric
        assert tuple(one.extrasamples) == tuple(other.extrasamples)
        assert one.sampleformat == other.sampleformat


def test_what_was_multiplied_by_opacity_is_divided_for_png(tmp_path):
    samples = np.array([[[1000, 2000, 3000, 32768], [0, 0, 0, 0]]], np.uint16)
    tifffile.imwrite(tmp_path / "in.tif", samples, photometric="rgb", extrasamples=[1], metadata=None)
    ok("in.tif", "out.png", "-f", "1", cwd=tmp_path)
    cv2 = pytest.importorskip("cv2")
    got = cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED)
    assert np.abs(got[0, 0].astype(int) - [6000, 4000, 2000, 32768]).max() <= 1


def test_tags_of_many_programs_are_kept(tmp_path):
    extra = [
        (33723, 7, 6, b"\x1c\x02\x05abc", True),
        (33550, 12, 3, (0.5, 0.5, 0.0), True),
        (33922, 12, 6, (0.0, 0.0, 0.0, 10.0, 20.0, 0.0), True),
        (34735, 3, 4, (1, 1, 0, 0), True),
        (50000, 5, 1, (1, 3), True),
    ]
    for order in "<>":
        with tifffile.TiffWriter(tmp_path / "in.tif", byteorder=order) as writer:
            writer.write(np.zeros((3, 4), np.uint8), metadata=None, extratags=extra, description="described", software="mine")
        done = ok("in.tif", "out.tif", cwd=tmp_path)
        assert b"on the ground" in done.stderr
        before, after = tags(tmp_path / "in.tif"), tags(tmp_path / "out.tif")
        for code in (270, 305, 33723, 33922, 34735, 50000):
            assert after[code] == before[code], code
        assert 33550 not in after
    ok("in.tif", "bare.tif", "--strip", cwd=tmp_path)
    assert not {270, 305, 33723, 34735} & set(tags(tmp_path / "bare.tif"))


@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("suffix", [".tif", ".jpg"])
def test_exif_directories(tmp_path, suffix, endian):
    exif = Image.Exif()
    exif.endian = endian
    exif[0x010F] = "a maker"
    exif.get_ifd(0x8769)[0x829A] = 0.5
    exif.get_ifd(0x8769)[0x9003] = "2020:02:02 02:02:02"
    exif.get_ifd(0x8825)[2] = (50.0, 30.0, 0.25)
    image = Image.fromarray(RNG.integers(0, 256, (20, 30, 3), np.uint8))
    image.save(tmp_path / f"in{suffix}", exif=exif.tobytes())
    ok(f"in{suffix}", "out.tif", cwd=tmp_path)
    with Image.open(tmp_path / "out.tif") as after:
        found = after.getexif()
        assert found[0x010F] == "a maker"
        assert (found.get_ifd(0x8769)[0x829A], found.get_ifd(0x8769)[0x9003]) == (0.5, "2020:02:02 02:02:02")
        assert found.get_ifd(0x8825)[2] == (50.0, 30.0, 0.25)
        assert after.size == (60, 40)
    with tifffile.TiffFile(tmp_path / "out.tif") as file:  # another reader, which is strict
        assert file.pages[0].tags["ExifTag"].value["ExposureTime"] == 0.5


@pytest.mark.parametrize(("unit", "resolution"), [(2, (300, 150)), (3, (100, 100)), (1, (4, 3)), (None, None)])
def test_resolution(tmp_path, unit, resolution):
    if resolution:
        tifffile.imwrite(
            tmp_path / "in.tif", np.zeros((3, 4), np.uint8), resolution=resolution, resolutionunit=unit, metadata=None
        )
    else:
        Image.new("L", (4, 3)).save(tmp_path / "in.tif")
    ok("in.tif", "out.tif", cwd=tmp_path)
    with Image.open(tmp_path / "in.tif") as before, Image.open(tmp_path / "out.tif") as after:
        assert np.allclose([float(v) for v in before.info.get("dpi", ())], [float(v) for v in after.info.get("dpi", ())])
    assert (282 in tags(tmp_path / "out.tif")) == (resolution is not None)
    if unit == 1:
        assert tags(tmp_path / "out.tif")[282] == (4, 1)


@pytest.mark.parametrize("way", range(1, 9))
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_orientation(tmp_path, way, dtype):
    samples = RNG.integers(0, 200, (3, 4, 3)).astype(dtype)
    tifffile.imwrite(tmp_path / "in.tif", samples, photometric="rgb", metadata=None, extratags=[(274, 3, 1, way, True)])
    ok("in.tif", "out.tif", "-f", "3x1", cwd=tmp_path)
    a = samples.swapaxes(0, 1) if way >= 5 else samples
    upright = {1: a, 2: a[:, ::-1], 3: a[::-1, ::-1], 4: a[::-1], 5: a, 6: a[:, ::-1], 7: a[::-1, ::-1], 8: a[::-1]}[way]
    assert tags(tmp_path / "out.tif").get(274, 1) == 1
    assert np.array_equal(tifffile.imread(tmp_path / "out.tif"), upright.repeat(3, 1))


def test_tconv_mixes_in_full_depth(tmp_path):
    tifffile.imwrite(tmp_path / "in.tif", np.array([[0, 1000]], np.uint16), metadata=None)
    ok("in.tif", "out.tif", "-m", "tconv", "-k", "bilinear", cwd=tmp_path)
    assert tifffile.imread(tmp_path / "out.tif")[0].tolist() == [0, 250, 750, 1000]


def test_pages_that_form_a_loop_or_claim_too_much(tmp_path):
    tifffile.imwrite(tmp_path / "in.tif", np.zeros((3, 4), np.uint16), metadata=None)
    data = bytearray((tmp_path / "in.tif").read_bytes())
    count = int.from_bytes(data[8:10], "little")
    data[10 + 12 * count : 14 + 12 * count] = (8).to_bytes(4, "little")  # the next page is this one
    (tmp_path / "loop.tif").write_bytes(data)
    assert run("loop.tif", "out.png", cwd=tmp_path).returncode in (0, 1)
    wide = bytearray((tmp_path / "in.tif").read_bytes())
    for i in range(count):
        if wide[10 + 12 * i] == 0 and wide[11 + 12 * i] == 1:  # width
            wide[18 + 12 * i : 22 + 12 * i] = (1 << 30).to_bytes(4, "little")
    (tmp_path / "wide.tif").write_bytes(wide)
    done = run("wide.tif", "out2.png", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(b"upscale: wide.tif: ")
    assert not (tmp_path / "out2.png").exists()


def test_a_file_that_is_known_by_its_number_only(tmp_path):
    from upscale import loops_numpy
    from upscale.picture import Frame, Picture
    from upscale.saving import Output
    from upscale.tiff import Writer

    with os.fdopen(os.open(tmp_path / "out.tif", os.O_RDWR | os.O_CREAT), "w+b") as file:
        writer = Writer(file, Output((2, 3), 2, loops=loops_numpy))
        for value in (1, 2):
            writer.add(Frame(Picture(np.full((2, 3), value, np.uint8), "L", None, {"dpi": (72, 72)})))
        writer.close()
    with Image.open(tmp_path / "out.tif") as image:
        assert image.n_frames == 2

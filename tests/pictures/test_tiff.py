"""TIFF: depths, layouts, tags and pages that Pillow does not keep."""

import os

import numpy as np
import pytest
import tifffile
from helpers import larger, ok, run
from PIL import Image

RNG = np.random.default_rng(0)


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
        assert b"ground size of a pixel" in done.stderr
        before, after = tags(tmp_path / "in.tif"), tags(tmp_path / "out.tif")
        for code in (270, 305, 33723, 33922, 34735, 50000):
            assert after[code] == before[code], code
        assert 33550 not in after
    ok("in.tif", "bare.tif", "--strip", cwd=tmp_path)
    assert not {270, 305, 33723, 34735} & set(tags(tmp_path / "bare.tif"))


def exif_of(endian):
    """Make EXIF with directories of the camera and of a place."""
    exif = Image.Exif()
    exif.endian = endian
    exif[0x010F] = "a maker"
    exif.get_ifd(0x8769)[0x829A] = 0.5
    exif.get_ifd(0x8769)[0x9003] = "2020:02:02 02:02:02"
    exif.get_ifd(0x8825)[2] = (50.0, 30.0, 0.25)
    return exif


@pytest.mark.parametrize("endian", ["<", ">"])
@pytest.mark.parametrize("suffix", [".tif", ".jpg"])
def test_exif_directories(tmp_path, suffix, endian):
    exif = exif_of(endian)
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
@pytest.mark.parametrize("dtype", [np.uint8, pytest.param(np.uint16, marks=pytest.mark.heavy)])
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
    from upscale.loops import numpy_loops
    from upscale.pictures.picture import Frame, Picture
    from upscale.pictures.tiff.tiff_writer import Writer
    from upscale.pictures.write_options import WriteOptions

    with os.fdopen(os.open(tmp_path / "out.tif", os.O_RDWR | os.O_CREAT), "w+b") as file:
        writer = Writer(file, WriteOptions((2, 3), 2, loops=numpy_loops))
        for value in (1, 2):
            writer.add(Frame(Picture(np.full((2, 3), value, np.uint8), "L", None, {"dpi": (72, 72)})))
        writer.close()
    with Image.open(tmp_path / "out.tif") as image:
        assert image.n_frames == 2


def through(tmp_path, size=None, threads=None):
    """Read in.tif, enlarge and write it as out.tif without the command; return the pictures and the notes."""
    from upscale.pictures.picture import Frame
    from upscale.pictures.tiff.tiff_reader import read
    from upscale.pictures.tiff.tiff_writer import Writer
    from upscale.pictures.write_options import WriteOptions

    notes, pictures, writer = [], [], None
    with open(tmp_path / "in.tif", "rb") as source, open(tmp_path / "out.tif", "w+b") as target:
        contents = read(source, 10**9, notes.append)
        for frame in contents.frames():
            pictures.append(frame.picture)
            picture = frame.picture._replace(samples=larger(frame.picture.samples)).with_info(orientation=None)
            writer = writer or Writer(
                target, WriteOptions(size or picture.samples.shape[:2], contents.total, threads=threads, note=notes.append)
            )
            writer.add(Frame(picture))
        writer.close()
    return contents, pictures, notes


def shown(path):
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.parametrize("base", ["LA", "RGBA"])
def test_colours_multiplied_by_opacity_stay_so_in_8_bits(tmp_path, base):
    samples = RNG.integers(0, 256, (8, 9, len(base)), np.uint8)
    photometric = "rgb" if base == "RGBA" else "minisblack"
    tifffile.imwrite(tmp_path / "in.tif", samples, photometric=photometric, extrasamples=[1], metadata=None)
    _, [picture], _ = through(tmp_path)
    assert picture.mode == base
    assert picture.info["associated"]
    assert np.array_equal(tifffile.imread(tmp_path / "out.tif"), larger(samples))
    if base == "RGBA":  # Pillow 12.0 does not know such grey
        assert np.array_equal(shown(tmp_path / "out.tif"), larger(shown(tmp_path / "in.tif")))


@pytest.mark.parametrize(("channels", "photometric", "extra"), [(2, "minisblack", [0]), (5, "rgb", [2, 0])])
def test_channels_that_pillow_passes_over(tmp_path, channels, photometric, extra):
    samples = RNG.integers(0, 256, (8, 9, channels), np.uint8)
    tifffile.imwrite(
        tmp_path / "in.tif", samples, photometric=photometric, extrasamples=extra, planarconfig="contig", metadata=None
    )
    through(tmp_path)
    assert np.array_equal(tifffile.imread(tmp_path / "out.tif"), larger(samples))


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_white_that_is_0_stays_so(tmp_path, dtype):
    samples = RNG.integers(0, 65536, (8, 9)).astype(dtype)
    tifffile.imwrite(tmp_path / "in.tif", samples, photometric="miniswhite", metadata=None)
    _, [picture], _ = through(tmp_path)
    if dtype == np.uint16:
        assert np.array_equal(picture.samples, 65535 - samples)
    assert np.array_equal(tifffile.imread(tmp_path / "out.tif"), larger(samples))
    assert tags(tmp_path / "out.tif")[262] == 0


def packs():
    import imagecodecs

    try:
        return bool(imagecodecs.packints_encode(np.zeros(8, np.uint16), 12))
    except NotImplementedError:
        return False


PACKS = pytest.mark.skipif(not packs(), reason="this imagecodecs does not pack bits, with which the test makes its files")


@PACKS
@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("photometric", ["minisblack", "rgb"])
def test_samples_of_some_bits_fill_the_range_and_are_packed_again(tmp_path, bits, photometric):
    samples = RNG.integers(0, 1 << bits, (8, 9, 3) if photometric == "rgb" else (8, 9), np.uint16)
    samples.flat[:2] = 0, (1 << bits) - 1
    tifffile.imwrite(tmp_path / "in.tif", samples, photometric=photometric, bitspersample=bits, metadata=None)
    _, [picture], _ = through(tmp_path)
    assert picture.samples.flat[:2].tolist() == [0, 65535]
    assert np.max(tags(tmp_path / "out.tif")[258]) == bits
    assert np.array_equal(tifffile.imread(tmp_path / "out.tif"), larger(samples))


@PACKS
@pytest.mark.parametrize("bits", [2, 4])
def test_a_few_bits_become_8(tmp_path, bits):
    for photometric, shape in (("minisblack", (8, 9)), ("rgb", (8, 9, 3))):
        samples = RNG.integers(0, 1 << bits, shape, np.uint8)
        tifffile.imwrite(tmp_path / "in.tif", samples, photometric=photometric, bitspersample=bits, metadata=None)
        _, [picture], _ = through(tmp_path)
        assert np.array_equal(picture.samples, samples * (255 // ((1 << bits) - 1)))
        assert picture.info.get("bits") == (bits if photometric == "minisblack" else None)


def test_palettes_keep_16_bits(tmp_path):
    indices, colours = RNG.integers(0, 256, (8, 9), np.uint8), RNG.integers(0, 65536, (3, 256), np.uint16)
    tifffile.imwrite(tmp_path / "in.tif", indices, photometric="palette", colormap=colours, metadata=None)
    through(tmp_path)
    assert np.array_equal(np.array(tags(tmp_path / "out.tif")[320]).reshape(3, 256), colours)
    deep, colours = RNG.integers(0, 65536, (8, 9), np.uint16), RNG.integers(0, 65536, (3, 65536), np.uint16)
    tifffile.imwrite(tmp_path / "in.tif", deep, photometric="palette", colormap=colours, metadata=None)
    contents, [picture], notes = through(tmp_path)
    assert (picture.mode, contents.pixel_bytes) == ("RGB;16", 6)
    assert np.array_equal(tifffile.imread(tmp_path / "out.tif"), larger(colours.T[deep]))
    assert "256 colours" in notes[0]


@pytest.mark.parametrize(("bigtiff", "order"), [(False, "<"), (False, ">"), (True, "<"), (True, ">")])
def test_metadata_of_pages_that_pillow_does_not_show(tmp_path, bigtiff, order):
    with tifffile.TiffWriter(tmp_path / "in.tif", bigtiff=bigtiff, byteorder=order) as writer:
        for samples in (np.zeros((4, 5), np.uint8), np.zeros((4, 5, 3), np.float32), np.ones((6, 7), np.uint8)):
            writer.write(
                samples, photometric="rgb" if samples.ndim == 3 else "minisblack", metadata=None, iccprofile=b"profile",
                resolution=(300, 200), resolutionunit=3, description="described", software=False,
                extratags=[(274, 3, 1, 6, True), (700, 1, 5, b"<xmp>", True)],
            )  # fmt: skip
    contents, pictures, _ = through(tmp_path)
    assert (contents.kind, contents.total, contents.size) == ("pages", 3, (4, 5))
    assert [p.mode for p in pictures] == ["L", "RGB;F", "L"]
    for page, picture in enumerate(pictures):
        info = picture.info
        assert (info["icc_profile"], info["xmp"], info["orientation"]) == (b"profile", b"<xmp>", 6)
        assert np.allclose(info["dpi"], (762, 508))
        assert tags(tmp_path / "out.tif", page)[270] == "described"
        assert picture.samples.shape[:2] == ((6, 7) if page == 2 else (4, 5))


def test_a_picture_is_handed_out_as_it_is_stored(tmp_path):
    samples = RNG.integers(0, 256, (3, 4, 3), np.uint8)
    for way in range(2, 9):
        tifffile.imwrite(tmp_path / "in.tif", samples, photometric="rgb", metadata=None, extratags=[(274, 3, 1, way, True)])
        contents, [picture], _ = through(tmp_path)
        assert (contents.size, contents.pixel_bytes, picture.info["orientation"]) == ((3, 4), 3, way)
        assert np.array_equal(picture.samples, samples)


@pytest.mark.parametrize("endian", ["<", ">"])
def test_exif_directories_of_a_large_file(tmp_path, endian):
    from upscale.pictures.picture import Frame, Picture
    from upscale.pictures.tiff.tiff_writer import Writer
    from upscale.pictures.write_options import WriteOptions

    exif = exif_of(endian)
    with open(tmp_path / "out.tif", "w+b") as file:
        writer = Writer(file, WriteOptions((100000, 100000)))  # so it expects, and what comes is small
        writer.add(Frame(Picture(np.zeros((4, 5, 3), np.uint8), "RGB", None, {"exif": exif.tobytes()})))
        writer.close()
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.is_bigtiff
        assert file.pages[0].tags["ExifTag"].value["ExposureTime"] == 0.5
    with Image.open(tmp_path / "out.tif") as image:
        found = image.getexif()
        assert found[0x010F] == "a maker"
        assert (found.get_ifd(0x8769)[0x829A], found.get_ifd(0x8769)[0x9003]) == (0.5, "2020:02:02 02:02:02")
        assert found.get_ifd(0x8825)[2] == (50.0, 30.0, 0.25)


def test_a_file_of_32_bits_stays_readable(tmp_path):
    tifffile.imwrite(tmp_path / "in.tif", RNG.integers(0, 2**31, (4, 5), np.uint32), metadata=None)
    through(tmp_path)
    assert np.array_equal(shown(tmp_path / "out.tif"), larger(shown(tmp_path / "in.tif")))


def test_decoders_that_pillow_may_lack(tmp_path):
    pytest.importorskip("imagecodecs")
    samples = RNG.integers(0, 256, (16, 16, 3), np.uint8)
    for compression in ("webp", "zstd", "lzma", "png"):
        options = {"compressionargs": {"level": None}} if compression == "webp" else {}  # which is lossless
        tifffile.imwrite(tmp_path / "in.tif", samples, photometric="rgb", compression=compression, metadata=None, **options)
        through(tmp_path)
        want = tifffile.imread(tmp_path / "in.tif")
        assert np.array_equal(tifffile.imread(tmp_path / "out.tif"), larger(want))


def test_what_decoders_log_is_told_once_and_others_listen_afterwards(tmp_path):
    import logging

    logger = logging.getLogger("tifffile")
    before = list(logger.handlers), logger.propagate
    tifffile.imwrite(tmp_path / "in.tif", np.zeros((3, 4), np.uint16), metadata=None)
    _, _, notes = through(tmp_path)
    assert notes == []
    assert (list(logger.handlers), logger.propagate) == before


def test_volumes_are_refused(tmp_path):
    from upscale.errors import ArgumentError

    samples = np.zeros((4, 20, 30), np.uint8)
    tifffile.imwrite(tmp_path / "in.tif", samples, volumetric=True, tile=(4, 16, 16), photometric="minisblack", metadata=None)
    with pytest.raises(ArgumentError, match="volume"):
        through(tmp_path)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", ["s", "B", "I"])
def test_xmp_of_any_type_is_kept(tmp_path, order, kind):
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>my rights </x:xmpmeta>".ljust(64)
    value = np.frombuffer(xmp, f"{order}u4").tolist() if kind == "I" else xmp
    number = 16 if kind == "I" else 0 if kind == "s" else len(xmp)
    with tifffile.TiffWriter(tmp_path / "in.tif", byteorder=order) as file:
        file.write(np.zeros((2, 3), np.uint8), metadata=None, software=False, extratags=[(700, kind, number, value, True)])
    for name in ("out.tif", "out.jpg", "out.png"):
        assert ok("in.tif", name, cwd=tmp_path).stderr == b""
        assert b"my rights" in (tmp_path / name).read_bytes()


@pytest.mark.parametrize("options", [[], ["-k", "bicubic"]], ids=["nn", "tconv"])
def test_what_colours_mean_and_the_names_of_pages_are_kept(tmp_path, options):
    curve = np.linspace(0, 65535, 256).astype(int).tolist()
    tags = [
        (285, "s", 0, "page", True),
        (297, "H", 2, (0, 2), True),
        (301, "H", 256, curve, True),
        (318, "2I", 2, (3127, 10000, 329, 1000), True),
        (319, "2I", 6, (64, 100, 33, 100, 21, 100, 71, 100, 15, 100, 6, 100), True),
    ]
    with tifffile.TiffWriter(tmp_path / "in.tif") as file:
        file.write(np.zeros((4, 6), np.uint8), metadata=None, software=False, extratags=tags)
        file.write(np.zeros((2, 3), np.uint8), metadata=None, software=False, subfiletype=1)
    assert ok("in.tif", "out.tif", *options, cwd=tmp_path).stderr == b""
    with tifffile.TiffFile(tmp_path / "in.tif") as before, tifffile.TiffFile(tmp_path / "out.tif") as after:
        for code in (285, 297, 301, 318, 319):
            assert np.array_equal(after.pages[0].tags[code].value, before.pages[0].tags[code].value), code
        assert after.pages[1].tags[254].value == 1
    assert b"transfer function does not fit" in ok("in.tif", "deep.tif", "--depth", "16", *options, cwd=tmp_path).stderr


def test_reduced_copies_beside_the_pages_are_dropped_with_a_note(tmp_path):
    with tifffile.TiffWriter(tmp_path / "in.tif") as file:
        file.write(np.zeros((4, 6), np.uint8), metadata=None, software=False, subifds=1)
        file.write(np.zeros((2, 3), np.uint8), metadata=None, software=False, subfiletype=1)
    assert b"reduced copies of it, in SubIFDs, were dropped" in ok("in.tif", "out.tif", cwd=tmp_path).stderr


@pytest.mark.parametrize(("unit", "times"), [("um", (3, 2)), ("pixel", (1, 1)), (None, (1, 1))])
def test_pixels_in_a_unit_of_imagej_become_more(tmp_path, unit, times):
    """Of all pages, although only the first has the description."""
    description = "ImageJ=1.11a\nimages=2\nslices=2\n" + (f"unit={unit}\nspacing=1.0\n" if unit else "")
    with tifffile.TiffWriter(tmp_path / "in.tif") as file:
        for number in range(2):
            text = {"description": description} if number == 0 else {}
            resolution = {"resolution": (2.0, 5.0), "resolutionunit": 1}
            file.write(np.zeros((4, 6), np.uint8), metadata=None, software=False, **resolution, **text)
    ok("in.tif", "out.tif", "-f", "3x2", cwd=tmp_path)
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        for page in file.pages:
            found = [page.tags[code].value[0] / page.tags[code].value[1] for code in (282, 283)]
            assert np.allclose(found, [2 * times[0], 5 * times[1]])
        assert (b"ImageJ" in (tmp_path / "out.tif").read_bytes()) and file.pages[0].tags[296].value == 1

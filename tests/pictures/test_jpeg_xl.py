"""JPEG XL: exact pixels, and what stands in headers beside them; compared with what libjxl decodes and writes."""

import io
import struct
from fractions import Fraction

import imagecodecs
import numpy as np
import pytest
from helpers import decoded, encoded, image_of, larger, ok, pixels, read_frames, run
from PIL import Image, ImageCms

from upscale.errors import FileError
from upscale.pictures import coding_points
from upscale.pictures.boxes import read_boxes, write_box
from upscale.pictures.formats import FORMATS, MODES
from upscale.pictures.jpeg_xl import jxl_container, jxl_header, jxl_icc
from upscale.pictures.jpeg_xl.jxl_bits import BitReader, BitWriter
from upscale.pictures.reading import Source

RNG = np.random.default_rng(0)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
P3 = coding_points.make_profile(coding_points.PRIMARIES[12], coding_points.CURVES[13])
GREY = coding_points.make_profile(coding_points.PRIMARIES[1], (2.2,), grey=True)
XMP = b"<x:xmpmeta/>"


def noise(mode, size=(40, 50)):
    base, dtype = MODES[mode]
    shape = size if base == "L" else (*size, len(base))
    if dtype == "float32":  # also beyond 0..1, and numbers without a leading 1
        return (RNG.normal(0, 1, shape) * 10.0 ** RNG.integers(-40, 20, shape)).astype(np.float32)
    return RNG.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@pytest.mark.parametrize("size", [(1, 1), (3, 4), (300, 700)], ids=str)
@pytest.mark.parametrize("profile", [False, True])
@pytest.mark.parametrize("mode", FORMATS[".jxl"].modes)
def test_pixels_are_exact_with_and_without_a_profile(mode, profile, size):
    samples = noise(mode, size)
    info = {"icc_profile": GREY if mode[0] in "LIF" else P3} if profile else {}
    data = encoded(".jxl", samples, mode, info)
    assert np.array_equal(imagecodecs.jpegxl_decode(data), samples)
    [frame] = decoded(data, "a.jxl")
    assert frame.picture.mode == mode and np.array_equal(frame.picture.samples, samples)
    assert frame.picture.info == info


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16", "RGBA;16"])
def test_integers_are_declared_as_srgb(mode):
    contents = jxl_container.read_container(encoded(".jxl", noise(mode), mode))
    colours = jxl_header.read_header(contents.codestream).colours
    assert (colours.space, colours.primaries, colours.transfer) == (mode[0] in "LI", 1, 13)


DELAYS = [
    [(1, 10)] * 4,
    [(n, 100) for n in range(1, 5)],
    [(1001 * n, 30000) for n in range(1, 5)],
    [(1, 7), (300, 1), (5, 3), (1, 1)],
]


@pytest.mark.parametrize("profile", [False, True])
@pytest.mark.parametrize("delays", DELAYS, ids=str)
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "RGBA;16"])
def test_animations_keep_durations_exactly(mode, delays, profile):
    frames = [noise(mode) for _ in delays]
    data = encoded(".jxl", frames, mode, {"icc_profile": SRGB} if profile else {}, delays=delays, plays=3)
    assert np.array_equal(imagecodecs.jpegxl_decode(data), np.stack(frames))
    found = decoded(data, "a.jxl")
    assert [Fraction(*f.delay) for f in found] == [Fraction(*d) for d in delays]
    assert all(np.array_equal(f.picture.samples, g) for f, g in zip(found, frames, strict=True))


def test_an_animation_through_the_command(tmp_path):
    frames = [Image.fromarray(noise("RGBA")) for _ in range(3)]
    frames[0].save(
        tmp_path / "in.webp", save_all=True, append_images=frames[1:], duration=[40, 80, 130], loop=2, lossless=True, exact=True
    )
    ok("in.webp", "out.jxl", cwd=tmp_path)
    ok("out.jxl", "back.jxl", "-f", "1", cwd=tmp_path)
    contents, found = read_frames(tmp_path / "back.jxl")
    assert contents.plays == 2 and [Fraction(*f.delay) * 1000 for f in found] == [40, 80, 130]
    assert [f.picture.samples.shape for f in found] == [(80, 100, 4)] * 3
    _, before = read_frames(tmp_path / "in.webp")
    assert all(np.array_equal(f.picture.samples, larger(g.picture.samples)) for f, g in zip(found, before, strict=True))


def test_frames_without_a_duration_are_reported():
    notes = []
    data = encoded(".jxl", [noise("RGBA")] * 3, "RGBA", delays=[(0, 1), (5, 100), (0, 1)], plays=0, notes=notes)
    assert notes == ["2 frames without a duration will be shown for one tick, because JPEG XL has no such frames"]
    assert len(decoded(data, "a.jxl")) == 3


def jpeg(profile=None, exif=None, mode="RGB"):
    """Encode smooth samples as JPEG."""
    y, x = np.mgrid[:48, :80]
    samples = np.stack((x * 3, y * 5, 255 - x - y), axis=2).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(samples).convert(mode).save(file, "JPEG", icc_profile=profile, exif=exif or b"", xmp=XMP, quality=95)
    return file.getvalue()


def long_profile():
    """Make a profile with tags of many kinds, and a table that libjxl predicts and compresses."""
    curve = b"curv\0\0\0\0" + struct.pack(">I", 1024) + np.linspace(0, 65535, 1024).astype(">u2").tobytes()
    table = b"mft2" + bytes(44) + np.arange(20000, dtype=">u2").tobytes() + RNG.integers(0, 256, 3000, np.uint8).tobytes()
    tags = {b"rTRC": curve, b"aaaa": table, b"zzzz": b"text\0\0\0\0" + b"words, numbers 123.4" * 9 + b"\0\0"}
    at, entries, data = len(P3), struct.unpack_from(">I", P3, 128)[0] + len(tags), b""
    added = b""
    for name, contents in tags.items():
        contents += bytes(-len(contents) % 4)
        added += struct.pack(">4sII", name, at + 12 * len(tags) + len(data), len(contents))
        data += contents
    old = P3[132 : 132 + 12 * (entries - len(tags))]
    moved = b"".join(
        struct.pack(">4sII", n, b + 12 * len(tags), s) for n, b, s in struct.iter_unpack(">4sII", old) if n != b"rTRC"
    )
    entries -= 1
    profile = P3[:128] + struct.pack(">I", entries) + moved + added + bytes(12) + P3[132 + len(old) :] + data
    return struct.pack(">I", len(profile)) + profile[4:]


@pytest.mark.parametrize("profile", [SRGB, P3, long_profile()], ids=["srgb", "p3", "long"])
def test_a_profile_that_libjxl_has_compressed(profile):
    data = imagecodecs.jpegxl_encode_jpeg(jpeg(profile))
    [frame] = decoded(data, "a.jxl")
    assert frame.picture.info["icc_profile"] == profile
    assert np.array_equal(frame.picture.samples, imagecodecs.jpegxl_decode(data))


def test_a_grey_profile_that_libjxl_has_compressed():
    [frame] = decoded(imagecodecs.jpegxl_encode_jpeg(jpeg(GREY, mode="L")), "a.jxl")
    assert frame.picture.info["icc_profile"] == GREY  # libjxl 0.11.0 stores grey JPEG as RGB


@pytest.mark.heavy
@pytest.mark.parametrize("size", [0, 1, 100, 127, 128, 129, 140, 3000, 300000])
def test_profiles_of_any_size(size):
    profile = (SRGB + RNG.integers(0, 256, max(0, size - len(SRGB)), np.uint8).tobytes())[:size]
    writer = BitWriter()
    writer.bits(5, 3)
    jxl_icc.write_profile(profile, writer)
    reader = BitReader(writer.to_bytes(), 3)
    assert jxl_icc.read_profile(reader) == profile
    assert reader.at == writer.length


@pytest.mark.parametrize("number", [0, 1, 16, 17, 272, 273, 4095, 4096, 1 << 20, (1 << 52) - 1])
def test_long_numbers(number):
    writer = BitWriter()
    writer.long(number)
    assert BitReader(writer.to_bytes()).long() == number


@pytest.mark.parametrize("way", range(1, 9))
def test_the_orientation_is_applied_once(tmp_path, way):
    exif = Image.Exif()
    exif[0x0112] = way
    exif[0x010E] = "described"
    (tmp_path / "in.jxl").write_bytes(imagecodecs.jpegxl_encode_jpeg(jpeg(exif=exif)))
    ok("in.jxl", "out.png", cwd=tmp_path)
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == ((160, 96) if way < 5 else (96, 160))
        assert image.getexif()[0x0112] == 1 and image.getexif()[0x010E] == "described"
        assert np.array_equal(np.asarray(image), larger(imagecodecs.jpegxl_decode((tmp_path / "in.jxl").read_bytes())))
    assert ok("in.jxl", "out.png", "--dry-run", cwd=tmp_path).returncode == 0


def test_compressed_metadata(tmp_path):
    data = encoded(".jxl", noise("RGB"), "RGB")
    packed = write_box(b"brob", b"xml " + imagecodecs.brotli_encode(XMP))
    packed += write_box(b"brob", b"Exif" + imagecodecs.brotli_encode(b"\0\0\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"))
    head = len(jxl_container.SIGNATURE)
    [frame] = decoded(data[:head] + data[head : head + 20] + packed + data[head + 20 :], "a.jxl")
    assert frame.picture.info["xmp"] == XMP and frame.picture.info["exif"].startswith(b"Exif\0\0II*\0")
    broken = write_box(b"brob", b"xml nonsense")
    [frame] = decoded(data[: head + 20] + broken + data[head + 20 :], "a.jxl")
    assert "xmp" not in frame.picture.info


def test_a_codestream_in_parts():
    data = encoded(".jxl", noise("RGB"), "RGB")
    [box] = [b for b in read_boxes(data) if b.kind == b"jxlc"]
    stream = data[box.contents :]
    parts = write_box(b"jxlp", struct.pack(">I", 0), stream[:9]) + write_box(
        b"jxlp", struct.pack(">I", 1 << 31 | 1), stream[9:]
    )
    for form in (stream, data[: box.begin] + parts):
        [frame] = decoded(form, "a.jxl")
        assert np.array_equal(frame.picture.samples, imagecodecs.jpegxl_decode(data))


@pytest.mark.parametrize("bits", [1, 4, 10, 12, 14])
def test_other_depths_are_scaled(bits):
    dtype = np.uint8 if bits < 9 else np.uint16
    samples = RNG.integers(0, 1 << bits, (20, 30, 3)).astype(dtype)
    samples.flat[:2] = 0, (1 << bits) - 1
    [frame] = decoded(bytes(imagecodecs.jpegxl_encode(samples, lossless=True, bitspersample=bits)), "a.jxl")
    whole = np.iinfo(dtype).max
    assert np.array_equal(frame.picture.samples, np.floor(samples * (whole / ((1 << bits) - 1)) + 0.5))


def test_16_bits_that_another_program_declares_as_linear_get_such_a_profile():
    [frame] = decoded(bytes(imagecodecs.jpegxl_encode(noise("RGB;16"), lossless=True)), "a.jxl")
    profile = ImageCms.getOpenProfile(io.BytesIO(frame.picture.info["icc_profile"]))
    image = ImageCms.profileToProfile(Image.new("RGB", (1, 1), (55, 55, 55)), profile, ImageCms.createProfile("sRGB"))
    assert image.getpixel((0, 0)) == (128, 128, 128)  # 55/255 of light is the middle grey of sRGB


@pytest.mark.parametrize(("mode", "profile"), [("RGBA", SRGB), ("L", GREY)], ids=["RGBA", "L"])
def test_lossy_files_with_a_profile_are_decoded_as_srgb(mode, profile):
    """Their colours are absolute: without the profile, libjxl would return linear light, too dark for the same numbers."""
    plain = bytes(imagecodecs.jpegxl_encode(np.asarray(image_of(mode).resize((64, 64))), level=95, lossless=False))
    header = jxl_header.read_header(plain)
    assert header.xyb
    from upscale.pictures.jpeg_xl.jxl_writer import with_colours

    notes = []
    [frame] = decoded(with_colours(plain, header, profile, is_grey=mode == "L"), "a.jxl", notes)
    assert np.array_equal(frame.picture.samples, imagecodecs.jpegxl_decode(plain))
    assert "icc_profile" not in frame.picture.info and "from its profile to sRGB" in notes[0]


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_lossy(tmp_path, mode):
    image_of(mode).resize((60, 50), Image.Resampling.BICUBIC).save(tmp_path / "in.png")
    sizes = []
    for quality in ("30", "95"):
        ok("in.png", "out.jxl", "--quality", quality, cwd=tmp_path)
        sizes.append((tmp_path / "out.jxl").stat().st_size)
    ok("in.png", "exact.jxl", "--lossless", cwd=tmp_path)
    assert sizes[0] < sizes[1] < (tmp_path / "exact.jxl").stat().st_size
    _, [frame] = read_frames(tmp_path / "out.jxl")
    assert np.abs(frame.picture.samples.astype(int) - larger(pixels(tmp_path / "in.png"))).mean() < (6 if mode == "RGBA" else 3)


@pytest.mark.parametrize(("name", "hint"), [("deep.png", b"--depth 8"), ("profile.png", b"leave out --quality")])
def test_what_cannot_be_lossy(tmp_path, name, hint):
    Image.fromarray(noise("I;16")).save(tmp_path / "deep.png")
    image_of("RGB").save(tmp_path / "profile.png", icc_profile=P3)
    done = run(name, "out.jxl", "--quality", "80", cwd=tmp_path)
    assert done.returncode == 1 and hint in done.stderr and done.stderr.count(b"\n") == 1
    assert not (tmp_path / "out.jxl").exists()


def test_a_profile_of_another_colour_model_is_reported(tmp_path):
    image_of("L").save(tmp_path / "in.jpg", icc_profile=SRGB)
    assert (
        b"colour profile was dropped, because it does not fit the colour model" in ok("in.jpg", "out.jxl", cwd=tmp_path).stderr
    )
    with Image.open(tmp_path / "in.jpg") as image:
        assert np.array_equal(imagecodecs.jpegxl_decode((tmp_path / "out.jxl").read_bytes()), larger(image))


def test_cmyk_is_refused(tmp_path):
    planes = noise("CMYK")
    data = bytearray(imagecodecs.jpegxl_encode(planes, lossless=True))
    header = jxl_header.read_header(bytes(data))
    assert header.extra == (jxl_header.ALPHA,)
    with pytest.raises(Exception, match="CMYK"):
        from upscale.pictures.jpeg_xl import jxl_reader

        jxl_reader._check(header._replace(extra=(jxl_header.BLACK,)))


@pytest.mark.parametrize("where", [1, 2, 3, 10, 40, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("kind", ["still", "animated", "codestream"])
def test_truncated_files_leave_nothing(tmp_path, kind, where):
    frames = [noise("RGBA")] if kind != "animated" else [noise("RGBA") for _ in range(3)]
    data = encoded(".jxl", frames, "RGBA", {"icc_profile": SRGB}, delays=[(1, 10)] * 3, plays=0)
    data = data[data.index(b"jxlc") + 4 :] if kind == "codestream" else data
    (tmp_path / "in.jxl").write_bytes(data[: where if isinstance(where, int) else int(where * len(data))])
    done = run("in.jxl", "out.png", cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1 and b"in.jxl: " in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["in.jxl"]


def test_a_transfer_curve_that_is_not_defined_is_no_fault_of_ours():
    data = bytes.fromhex("ff0a03000100000001000000ffffd3")
    with pytest.raises(FileError, match="damaged"):
        source = Source(io.BytesIO(data), "in", layout="hwc", allow_8_bit=False, max_pixels=10**5, note=lambda text: None)
        list(source.frames(source.contents.frames))

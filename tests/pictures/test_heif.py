"""HEIC photos: depth, metadata and orientation, compared with the arrays that they were encoded from."""

import numpy as np
import pillow_heif
import pytest
from helpers import blocked, decoded, larger, ok, run
from PIL import Image

from upscale.pictures import coding_points

RNG = np.random.default_rng(0)
#: Options for no loss: RGB as it is, not as YCbCr.
EXACT = {"quality": -1, "chroma": 444, "matrix_coefficients": 0, "full_range_flag": 1}
P3 = coding_points.make_profile(coding_points.PRIMARIES[12], coding_points.CURVES[13])


def heic(path, *samples, mode="RGB", depth=None, exif=None, xmp=None, profile=None, **options):
    """Write arrays as pictures of one file; depth is 10 or 12 for arrays of 16 bits."""
    file = pillow_heif.HeifFile()
    for array in samples:
        image = file.add_frombytes(mode, array.shape[1::-1], array.tobytes())
        image.info |= EXACT | options | {k: v for k, v in (("exif", exif), ("xmp", xmp), ("icc_profile", profile)) if v}
        if profile:
            image.info["icc_profile_type"] = "prof"
    before = pillow_heif.options.SAVE_HDR_TO_12_BIT
    pillow_heif.options.SAVE_HDR_TO_12_BIT = depth == 12
    file.save(path, **EXACT | options)
    pillow_heif.options.SAVE_HDR_TO_12_BIT = before
    return path.read_bytes()


def noise(channels, bits=8, size=(64, 80)):
    values = RNG.integers(0, 1 << bits, (*size, channels) if channels > 1 else size)
    return values.astype(np.uint8) if bits == 8 else (values << (16 - bits)).astype(np.uint16)


@pytest.mark.parametrize(("mode", "channels"), [("RGB", 3), ("RGBA", 4)])
def test_8_bits(tmp_path, mode, channels):
    samples = noise(channels)
    [frame] = decoded(heic(tmp_path / "a.heic", samples, mode=mode), "a.heic")
    assert frame.picture.mode == mode and np.array_equal(frame.picture.samples, samples)


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize(("mode", "channels"), [("RGB;16", 3), ("RGBA;16", 4)])
def test_more_bits_become_16_by_exact_scaling(tmp_path, mode, channels, bits):
    samples = noise(channels, bits)
    [frame] = decoded(heic(tmp_path / "a.heic", samples, mode=mode, depth=bits), "a.heic")
    assert frame.picture.mode == mode
    assert np.array_equal(frame.picture.samples, np.floor((samples >> (16 - bits)) * (65535 / ((1 << bits) - 1)) + 0.5))
    ok("a.heic", "out.png", cwd=tmp_path)
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (160, 128)
    assert b"--depth 8" in run("a.heic", "out.jpg", "--background", "white", cwd=tmp_path).stderr


@pytest.mark.parametrize("way", range(1, 9))
def test_the_orientation_is_applied_once(tmp_path, way):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = way, "described"
    samples = noise(3)
    heic(tmp_path / "in.heic", samples, exif=exif.tobytes())
    ok("in.heic", "out.png", cwd=tmp_path)
    from PIL import ImageOps

    turned = Image.fromarray(samples)
    turned.getexif()[0x0112] = way
    with Image.open(tmp_path / "out.png") as image:
        assert np.array_equal(np.asarray(image), larger(ImageOps.exif_transpose(turned)))
        assert image.getexif()[0x0112] == 1 and image.getexif()[0x010E] == "described"


def test_profile_exif_and_xmp(tmp_path):
    exif, xmp = Image.Exif(), b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
    exif[0x010E] = "described"
    heic(tmp_path / "in.heic", noise(3), exif=exif.tobytes(), xmp=xmp, profile=P3)
    assert ok("in.heic", "out.png", cwd=tmp_path).stderr == b""
    with Image.open(tmp_path / "out.png") as image:
        assert image.info["icc_profile"] == P3 and image.getexif()[0x010E] == "described"
        assert image.info["xmp"].rstrip(b"\0") == xmp


@pytest.mark.parametrize(("primaries", "transfer", "kind"), [(1, 13, None), (12, 13, "profile"), (9, 16, "note")])
def test_colours_named_by_numbers(tmp_path, primaries, transfer, kind):
    data = heic(tmp_path / "a.heic", noise(3), color_primaries=primaries, transfer_characteristics=transfer)
    notes = []
    info = decoded(data, "a.heic", notes)[0].picture.info
    assert info.get("icc_profile") == (P3 if kind == "profile" else None)
    assert bool(notes) == (kind == "note") and (not notes or "PQ curve for HDR screens" in notes[0])


def test_several_pictures_begin_with_the_one_that_viewers_show(tmp_path):
    one, two = noise(3), noise(3)
    heic(tmp_path / "in.heic", one, two, primary_index=1)
    assert b"has 2 pictures; the first was used. --frame N" in ok("in.heic", "out.png", cwd=tmp_path).stderr
    ok("in.heic", "second.png", "--frame", "1", cwd=tmp_path)
    for name, want in (("out.png", two), ("second.png", one)):
        with Image.open(tmp_path / name) as image:
            assert np.array_equal(np.asarray(image), larger(want))


def test_in_a_folder_it_becomes_png(tmp_path):
    (tmp_path / "in").mkdir()
    heic(tmp_path / "in" / "a.heic", noise(3))
    done = ok("in", "out", cwd=tmp_path)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.png"] and b".heic can be read but not written" in done.stderr


@pytest.mark.parametrize("where", [11, 40, 0.2, 0.5, 0.9])
def test_truncated_files_leave_nothing(tmp_path, where):
    data = heic(tmp_path / "in.heic", noise(3))
    (tmp_path / "in.heic").write_bytes(data[: where if isinstance(where, int) else int(where * len(data))])
    done = run("in.heic", "out.png", cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1 and b"in.heic: " in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["in.heic"]


@pytest.mark.parametrize("name", ["in.heic", "in.jpg"])
def test_without_pillow_heif_the_message_says_what_to_install(tmp_path, name):
    heic(tmp_path / name, noise(3))
    done = run(name, "out.png", cwd=tmp_path, env=blocked(tmp_path, "pillow_heif"))
    assert done.returncode == 1 and not (tmp_path / "out.png").exists()
    assert done.stderr.decode() == (
        f"upscale: {name}: is a HEIF or HEIC picture; to read such files, run "
        'pip install "upscale[heif]", or convert it to PNG first, for example with heif-convert\n'
    )

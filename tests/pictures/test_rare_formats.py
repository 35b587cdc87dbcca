"""Formats that Pillow reads with mistakes: QOI, Sun raster, XBM, PFM, BLP, FLI, JPEG 2000, JPEG of more than 8 bits."""

import struct

import numpy as np
import pytest
from helpers import read_frames, run
from PIL import Image

from upscale.errors import ArgumentError, library_errors
from upscale.pictures.decoder_errors import pillow_errors

RNG = np.random.default_rng(0)


def picture(tmp_path, name, data, notes=None):
    (tmp_path / name).write_bytes(data)
    _, [frame] = read_frames(tmp_path / name, notes)
    return frame.picture


def test_a_qoi_run_adds_its_colour_to_the_table(tmp_path):
    # Two black pixels as a run, one red, and the colour of black's place in the table.
    body = bytes((0xC1, 0xFE, 200, 0, 0, (0 * 3 + 0 * 5 + 0 * 7 + 255 * 11) % 64)) + b"\0" * 7 + b"\1"
    data = b"qoif" + struct.pack(">IIBB", 4, 1, 4, 0) + body
    black = [0, 0, 0, 255]
    assert picture(tmp_path, "in.qoi", data).samples.tolist() == [[black, black, [200, 0, 0, 255], black]]
    (tmp_path / "in.qoi").write_bytes(data[:-9])
    assert b"in.qoi: damaged: the file ends inside its samples" in run("in.qoi", "out.png", cwd=tmp_path).stderr


def sun(body, width, height, depth, kind=1, colour_map=b""):
    map_kind = 1 if colour_map else 0
    return struct.pack(">8I", 0x59A66A95, width, height, depth, len(body), kind, map_kind, len(colour_map)) + colour_map + body


def runs(data):
    """Encode with a run for every byte that a run may begin with, and for all that repeat."""
    out, at = b"", 0
    while at < len(data):
        count = len(data[at:]) - len(data[at:].lstrip(data[at : at + 1]))
        if count > 2:
            out += bytes((0x80, count - 1, data[at]))
        else:
            count = 1
            out += b"\x80\0" if data[at] == 0x80 else data[at : at + 1]
        at += count
    return out


@pytest.mark.parametrize(("depth", "kind"), [(8, 1), (8, 2), (24, 1), (24, 2), (24, 3), (32, 1), (32, 2), (32, 3)])
def test_sun_raster_of_all_depths_with_odd_rows(tmp_path, depth, kind):
    stored = RNG.choice([0, 7, 0x80, 255], (3, 5, depth // 8)).astype(np.uint8)
    body = b"".join(row.tobytes() + bytes(row.nbytes % 2) for row in stored)
    data = sun(runs(body) if kind == 2 else body, 5, 3, depth, kind)
    colours = stored[..., -3:]  # of 32 bits, the first byte is not used
    got = picture(tmp_path, "in.ras", data).samples
    assert np.array_equal(got.reshape(colours.shape), colours if kind == 3 else colours[..., ::-1])


def test_sun_raster_with_colours_and_of_1_bit(tmp_path):
    colours = RNG.integers(0, 256, (4, 3), np.uint8)
    got = picture(tmp_path, "in.ras", sun(bytes((0, 1, 2, 3)), 4, 1, 8, 1, colours.T.tobytes()))
    assert got.samples.tolist() == [[0, 1, 2, 3]] and np.array_equal(got.palette, colours)
    got = picture(tmp_path, "in.ras", sun(b"\xa0\0", 4, 1, 1))
    assert got.mode == "1" and got.samples.tolist() == [[False, True, False, True]]
    got = picture(tmp_path, "in.ras", sun(b"\xa0\0", 4, 1, 1, 1, colours[:2].T.tobytes()))
    assert got.mode == "P" and got.samples.tolist() == [[1, 0, 1, 0]]


def test_the_ink_of_xbm_is_black(tmp_path):
    data = b"#define x_width 8\n#define x_height 1\nstatic char x_bits[] = {\n0x05};\n"
    assert picture(tmp_path, "in.xbm", data).samples.tolist() == [[False, True, False, True, True, True, True, True]]


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_float_map_in_colour(tmp_path, order):
    samples = RNG.random((3, 4, 3)).astype(np.float32)
    data = b"PF\n4 3\n%s1.0\n" % (b"-" if order == "<" else b"") + samples[::-1].astype(f"{order}f4").tobytes()
    got = picture(tmp_path, "in.pfm", data)
    assert got.mode == "RGB;F" and np.array_equal(got.samples, samples)
    assert run("in.pfm", "out.pfm", "-f", "1", cwd=tmp_path).returncode == 0
    _, [frame] = read_frames(tmp_path / "out.pfm")
    assert np.array_equal(frame.picture.samples, samples)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("bits", [0, 1, 4, 8])
def test_blp_has_its_alpha_behind_the_indices(tmp_path, version, bits):
    if version == 1:
        head = b"BLP1" + struct.pack("<6I", 1, bits, 5, 3, 5, 0)
    else:
        head = b"BLP2" + struct.pack("<IBBBBII", 1, 1, bits, 0, 0, 5, 3)
    palette = RNG.integers(0, 256, (256, 4), np.uint8)
    indices, alpha = RNG.integers(0, 256, (3, 5), np.uint8), RNG.integers(0, 1 << bits, (3, 5), np.uint8)
    begin = len(head) + 128 + 1024
    data = head + struct.pack("<32I", begin, *[0] * 31) + palette.tobytes() + indices.tobytes()
    if bits:
        stored = np.unpackbits(alpha.reshape(-1, 1), axis=1, bitorder="little")[:, :bits].reshape(-1)
        data += np.packbits(stored, bitorder="little").tobytes()
    got = picture(tmp_path, "in.blp", data)
    assert np.array_equal(got.samples[..., :3], palette[indices][..., 2::-1])
    if bits:
        assert np.array_equal(got.samples[..., 3], alpha * (255 // ((1 << bits) - 1)))


def test_an_animation_with_a_prefix_and_a_palette_in_each_frame(tmp_path):
    def chunk(kind, content, size=6):
        return struct.pack("<IH", size + len(content), kind) + content

    frames = b""
    for number in range(3):
        colours = chunk(4, struct.pack("<HBB", 1, 0, 1) + bytes((10 * number, 20, 30)))
        parts = colours + (chunk(16, bytes(12)) if number == 0 else b"")
        frames += chunk(0xF1FA, struct.pack("<H8x", 2 if number == 0 else 1) + parts)
    head = struct.pack("<IHHHHHHI", 128 + len(frames), 0xAF12, 3, 4, 3, 8, 3, 50).ljust(128, b"\0")
    for prefix in (b"", chunk(0xF100, bytes(10))):
        (tmp_path / "in.flc").write_bytes(head + prefix + frames)
        contents, got = read_frames(tmp_path / "in.flc")
        assert contents.kind == "animation"
        assert [f.picture.palette[0].tolist() for f in got] == [[0, 20, 30], [10, 20, 30], [20, 20, 30]]
        assert all(f.picture.samples.shape == (3, 4) and not f.picture.samples.any() for f in got)


@pytest.mark.parametrize("bits", [1, 4, 12])
def test_white_stays_white_in_jpeg_2000_of_few_bits(tmp_path, bits):
    import imagecodecs

    full = (1 << bits) - 1
    samples = (np.arange(64) % (full + 1)).astype(np.uint8 if bits < 8 else np.uint16).reshape(8, 8)
    samples[0, 0] = full
    got = picture(tmp_path, "in.jp2", imagecodecs.jpeg2k_encode(samples, level=0, bitspersample=bits))
    largest = 255 if bits < 8 else 65535
    assert np.array_equal(got.samples, np.floor(samples * (largest / full) + 0.5))


def test_a_lossless_jpeg_of_16_bits_keeps_its_metadata(tmp_path):
    import imagecodecs

    samples = RNG.integers(0, 1 << 16, (5, 6), np.uint16)
    exif = Image.Exif()
    exif[0x010E] = "hello"
    block = exif.tobytes()
    data = imagecodecs.ljpeg_encode(samples, bitspersample=16)
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]
    got = picture(tmp_path, "in.jpg", data)
    assert got.mode == "I;16" and np.array_equal(got.samples, samples) and b"hello" in got.info["exif"]


def test_a_jpeg_of_12_bits_is_scaled_to_16(tmp_path):
    # A grey picture of 8x8 pixels with one code: no difference from the middle, 2048 of 4095.
    tables = b"\xff\xdb\0\x43\0" + b"\1" * 64
    frame = b"\xff\xc1\0\x0b\x0c\0\x08\0\x08\1\1\x11\0"
    codes = b"\xff\xc4\0\x14\0" + b"\1" + bytes(15) + b"\0" + b"\xff\xc4\0\x14\x10" + b"\1" + bytes(15) + b"\0"
    data = b"\xff\xd8" + tables + frame + codes + b"\xff\xda\0\x08\1\1\0\0\x3f\0" + b"\x3f" + b"\xff\xd9"
    got = picture(tmp_path, "in.jpg", data)
    assert got.mode == "I;16" and got.samples.shape == (8, 8)
    assert (got.samples == int(2048 * 65535 / 4095 + 0.5)).all()


@pytest.mark.parametrize(
    "error",
    [
        KeyError("a"),
        IndexError("x"),
        ValueError("qoi_decode returned NULL"),
        OSError("a ValueError in b"),
    ],
)
def test_no_message_has_a_name_that_only_programmers_know(error):
    with pytest.raises(ArgumentError) as caught, library_errors():
        raise error
    assert str(caught.value) == "damaged: its data cannot be decoded"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OSError("image file is truncated (3 bytes not processed)"), "damaged: its data end too early"),
        (OSError("broken data stream when reading image file"), "damaged: its data cannot be decoded"),
        (NotImplementedError("Unimplemented format 7"), "is a variant that is not supported (Unimplemented format 7)"),
    ],
)  # fmt: skip
def test_what_pillow_says_in_plain_words(error, text):
    with pytest.raises(ArgumentError) as caught, pillow_errors():
        raise error
    assert str(caught.value).startswith(text)


def test_a_signature_with_a_wrong_header_tells_what_is_wrong(tmp_path):
    for name, data, word in (
        ("in.icns", b"icns\0\0\0\x10abcd\0\0\0\x08", "not supported"),
        ("in.msp", b"DanM" + bytes(28), "damaged"),
    ):
        (tmp_path / name).write_bytes(data)
        [line] = run(name, "out.png", cwd=tmp_path).stderr.decode().splitlines()
        assert word in line and "not a picture" not in line

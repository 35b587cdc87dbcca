"""DDS textures: headers of both kinds, blocks, bit fields and plain samples; their bytes are made here."""

import struct

import numpy as np
import pytest
from helpers import ok, read_frames, run

RNG = np.random.default_rng(0)
WIDTH, HEIGHT = 5, 3


def dds(
    body, flags=4, fourcc=b"\0\0\0\0", bits=0, masks=(0, 0, 0, 0), dx10=None, size=(WIDTH, HEIGHT), caps=0, depth=0, levels=0
):
    head = struct.pack("<4sIIIIIII44x", b"DDS ", 124, 0x1007, size[1], size[0], 0, depth, levels)
    head += struct.pack("<II4sI4I", 32, flags, fourcc, bits, *masks) + struct.pack("<5I", 0x1000, caps, 0, 0, 0)
    if dx10 is not None:
        head += struct.pack("<5I", *dx10)
    return head + body


def of_number(number, body, flags=0, layers=1, alpha=0, **options):
    return dds(body, fourcc=b"DX10", dx10=(number, 3, flags, layers, alpha), **options)


def picture(tmp_path, data, notes=None):
    (tmp_path / "in.dds").write_bytes(data)
    _, [frame] = read_frames(tmp_path / "in.dds", notes)
    return frame.picture


@pytest.mark.parametrize(
    ("number", "order", "mode"),
    [(28, [0, 1, 2, 3], "RGBA"), (29, [0, 1, 2, 3], "RGBA"), (87, [2, 1, 0, 3], "RGBA"), (91, [2, 1, 0, 3], "RGBA"),
     (88, [2, 1, 0], "RGB"), (93, [2, 1, 0], "RGB")],
)  # fmt: skip
def test_8_bits_of_all_orders_with_and_without_srgb(tmp_path, number, order, mode):
    stored = RNG.integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8)
    got = picture(tmp_path, of_number(number, stored.tobytes()))
    assert got.mode == mode and np.array_equal(got.samples, stored[..., order])


@pytest.mark.parametrize(
    ("number", "dtype", "channels", "mode"),
    [(61, "u1", 1, "L"), (56, "<u2", 1, "I;16"), (11, "<u2", 4, "RGBA;16"), (54, "<f2", 1, "F"), (41, "<f4", 1, "F"),
     (10, "<f2", 4, "RGBA;F"), (2, "<f4", 4, "RGBA;F"), (6, "<f4", 3, "RGB;F")],
)  # fmt: skip
def test_plain_samples_keep_their_depth(tmp_path, number, dtype, channels, mode):
    stored = RNG.integers(0, 200, (HEIGHT, WIDTH, channels)).astype(dtype)
    got = picture(tmp_path, of_number(number, stored.tobytes()))
    assert got.mode == mode
    assert np.array_equal(got.samples.reshape(stored.shape), stored)


def test_red_and_green_and_alpha_alone(tmp_path):
    notes, stored = [], RNG.integers(0, 256, (HEIGHT, WIDTH, 2), np.uint8)
    got = picture(tmp_path, of_number(49, stored.tobytes()), notes)
    assert np.array_equal(got.samples, np.dstack((stored, np.zeros((HEIGHT, WIDTH), np.uint8))))
    assert notes == ["it has only red and green"]
    for data in (of_number(65, stored[..., 0].tobytes()), dds(stored[..., 0].tobytes(), flags=2, bits=8)):
        got = picture(tmp_path, data)
        assert got.mode == "LA" and not got.samples[..., 0].any()
        assert np.array_equal(got.samples[..., 1], stored[..., 0])


@pytest.mark.parametrize(
    ("bits", "masks"),
    [(16, (0xF800, 0x7E0, 0x1F, 0)), (16, (0xF00, 0xF0, 0xF, 0xF000)), (24, (0xFF0000, 0xFF00, 0xFF, 0)),
     (32, (0x3FF, 0xFFC00, 0x3FF00000, 0xC0000000)), (8, (0xE0, 0x1C, 0x3, 0))],
)  # fmt: skip
def test_bit_fields_are_rounded_to_nearest(tmp_path, bits, masks):
    values = RNG.integers(0, 1 << bits, (HEIGHT, WIDTH), np.uint64)
    body = b"".join(int(value).to_bytes(bits // 8, "little") for value in values.reshape(-1))
    got = picture(tmp_path, dds(body, flags=0x41 if masks[3] else 0x40, bits=bits, masks=masks))
    full = 65535 if bits == 32 else 255
    for channel, mask in enumerate(masks[: got.samples.shape[2]]):
        shift = (mask & -mask).bit_length() - 1
        field = (values >> np.uint64(shift)) & np.uint64(mask >> shift)
        assert np.array_equal(got.samples[..., channel], np.floor(field * (full / (mask >> shift)) + 0.5))


def test_grey_of_8_and_16_bits(tmp_path):
    stored = RNG.integers(0, 256, (HEIGHT, WIDTH, 2), np.uint8)
    got = picture(tmp_path, dds(stored[..., 0].tobytes(), flags=0x20000, bits=8, masks=(0xFF, 0, 0, 0)))
    assert np.array_equal(got.samples, stored[..., 0])
    got = picture(tmp_path, dds(stored.tobytes(), flags=0x20001, bits=16, masks=(0xFF, 0, 0, 0xFF00)))
    assert got.mode == "LA" and np.array_equal(got.samples, stored)
    got = picture(tmp_path, dds(stored.tobytes(), flags=0x20000, bits=16, masks=(0xFFFF, 0, 0, 0)))
    assert got.mode == "I;16" and np.array_equal(got.samples, stored.view("<u2")[..., 0])


def block(colour, alpha=b""):
    """Make a block of 4x4 pixels of one colour, 5, 6 and 5 bits."""
    return alpha + struct.pack("<HHI", colour, 0, 0)


@pytest.mark.parametrize("name", [b"DXT1", b"DXT3", b"DXT5", 71, 72, 74, 75, 77, 78])
def test_blocks_with_and_without_srgb(tmp_path, name):
    alpha = {b"DXT1": b"", 71: b"", 72: b"", b"DXT3": b"\xff" * 8, 74: b"\xff" * 8, 75: b"\xff" * 8}.get(
        name, b"\xff\xff" + bytes(6)
    )
    body = block(0xF800, alpha) + block(0x001F, alpha)
    data = of_number(name, body) if isinstance(name, int) else dds(body, fourcc=name)
    got = picture(tmp_path, data)
    assert got.mode == "RGBA" and got.samples.shape == (HEIGHT, WIDTH, 4)
    assert (got.samples[:, :4] == (255, 0, 0, 255)).all() and (got.samples[:, 4:] == (0, 0, 255, 255)).all()


@pytest.mark.parametrize("name", [b"DXT2", b"DXT4", 77])
def test_premultiplied_colours_are_divided_by_alpha(tmp_path, name):
    alpha = b"\x88" * 8 if name == b"DXT2" else b"\x88\x88" + bytes(6)
    body = block(0x4000, alpha) * 2  # red is 8 of 31, which is 66 of 255
    data = of_number(name, body, alpha=2) if isinstance(name, int) else dds(body, fourcc=name)
    (tmp_path / "in.dds").write_bytes(data)
    ok("in.dds", "out.png", "-f", "1", cwd=tmp_path)
    _, [frame] = read_frames(tmp_path / "out.png")
    assert (frame.picture.samples == (round(66 * 255 / 136), 0, 0, 136)).all()


def test_signed_blocks_have_an_offset(tmp_path):
    notes = []
    for value, want in ((127, 255), (0, 128), (-64, 64)):
        got = picture(tmp_path, dds(struct.pack("<bb6x", value, value) * 2, fourcc=b"BC4S"), notes)
        assert (got.samples == want).all() and got.mode == "L"
    assert "0 became 128" in notes[0]
    got = picture(tmp_path, of_number(84, struct.pack("<bb6xbb6x", 127, 127, -127, -127) * 2))
    assert (got.samples == (255, 1, 128)).all()


def test_floats_in_blocks_stay_floats(tmp_path):
    import imagecodecs

    body = RNG.integers(0, 256, 32, np.uint8).tobytes()
    got = picture(tmp_path, of_number(95, body))
    assert got.mode == "RGB;F"
    assert np.array_equal(
        got.samples,
        imagecodecs.bcn_decode(body.ljust(256, b"\0"), 6, shape=(4, 8, 3))[:HEIGHT, :WIDTH].astype(np.float32),
        True,
    )


@pytest.mark.parametrize(
    ("options", "what"),
    [({"levels": 3}, "mip levels"), ({"caps": 0xFE00}, "first face"), ({"caps": 0x200000, "depth": 4}, "4 slices"),
     ({"flags": 4}, "first face"), ({"layers": 6}, "6 layers")],
)  # fmt: skip
def test_what_else_is_in_the_file_is_noted(tmp_path, options, what):
    notes, stored = [], RNG.integers(0, 256, (HEIGHT, WIDTH), np.uint8)
    got = picture(tmp_path, of_number(61, stored.tobytes() + bytes(100), **options), notes)
    assert np.array_equal(got.samples, stored)
    assert len(notes) == 1 and what in notes[0]


@pytest.mark.parametrize(
    "data", [of_number(26, bytes(60)), dds(bytes(60), fourcc=b"UYVY"), dds(bytes(60), flags=0x80000, bits=16)]
)
def test_other_formats_are_not_supported(tmp_path, data):
    (tmp_path / "in.dds").write_bytes(data)
    [line] = run("in.dds", "out.png", cwd=tmp_path).stderr.decode().splitlines()
    assert "not supported" in line and "damaged" not in line


def test_a_file_that_ends_too_early_is_damaged(tmp_path):
    (tmp_path / "in.dds").write_bytes(of_number(28, bytes(50)))
    [line] = run("in.dds", "out.png", cwd=tmp_path).stderr.decode().splitlines()
    assert line == "upscale: in.dds: damaged: the file ends inside its samples"

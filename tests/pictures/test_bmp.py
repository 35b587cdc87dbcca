"""BMP files that Pillow does not read, or not completely; their bytes are made here."""

import struct

import numpy as np
import pytest
from helpers import ok, read_frames, run

WIDTH, HEIGHT = 5, 3
RNG = np.random.default_rng(0)


def bmp(rows, bits, compression=0, size=40, masks=(), palette=b"", width=WIDTH, height=HEIGHT):
    """Make a file of a header, masks behind it or in it, a palette, and bytes of the samples."""
    colours = len(palette) // 4
    head = struct.pack("<IiiHHIIiiII", size, width, height, 1, bits, compression, len(rows), 0, 0, colours, 0)
    body = (head + struct.pack(f"<{len(masks)}I", *masks)).ljust(size, b"\0") + palette
    return struct.pack("<2sIHHI", b"BM", 14 + len(body) + len(rows), 0, 0, 14 + len(body)) + body + rows


def padded(words):
    """Cut words (H, W) into rows of 4 bytes' multiples, the lowest first."""
    return b"".join(row.tobytes().ljust((row.nbytes + 3) // 4 * 4, b"\0") for row in words[::-1])


def picture(tmp_path, data, notes=None, name="in.bmp"):
    (tmp_path / name).write_bytes(data)
    _, [frame] = read_frames(tmp_path / name, notes)
    return frame.picture


def fields(words, masks):
    """Extract fields bit by bit, and scale them to 8 or 16 bits."""
    widths = [bin(mask).count("1") for mask in masks]
    full = 255 if max(widths) <= 8 else 65535
    out = np.zeros((*words.shape, len(masks)), np.uint8 if full == 255 else np.uint16)
    for y, x in np.ndindex(*words.shape):
        for channel, (mask, width) in enumerate(zip(masks, widths, strict=True)):
            if width:
                value = int(bin(int(words[y, x]) & mask)[2:].zfill(32)[32 - mask.bit_length() :][:width], 2)
                out[y, x, channel] = int(value * full / ((1 << width) - 1) + 0.5)
    return out


@pytest.mark.parametrize(
    ("bits", "masks", "size", "compression"),
    [
        (16, (0xF00, 0xF0, 0xF), 40, 3), (16, (0xF00, 0xF0, 0xF, 0xF000), 56, 3), (16, (0x7C00, 0x3E0, 0x1F, 0x8000), 124, 3),
        (16, (0xF800, 0x7E0, 0x1F), 52, 3), (16, (0x300, 0xE0, 0x1F), 40, 3), (16, (0x8000, 0x7FE0, 0x1F), 40, 3),
        (32, (0x3FF00000, 0xFFC00, 0x3FF, 0xC0000000), 108, 3), (32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000), 40, 6),
        (32, (0xFF000000, 0xFF0000, 0xFF00), 40, 3), (32, (0xFFE00000, 0x1FFC00, 0x3FF), 40, 3),
        (16, (0xF000, 0xF00, 0), 40, 3),
    ],
)  # fmt: skip
def test_bit_fields_of_any_width_are_scaled_exactly(tmp_path, bits, masks, size, compression):
    words = RNG.integers(0, 1 << bits, (HEIGHT, WIDTH)).astype(f"<u{bits // 8}")
    got = picture(tmp_path, bmp(padded(words), bits, compression, size, masks))
    want = fields(words, masks)
    assert got.samples.dtype == want.dtype and np.array_equal(got.samples, want)
    assert got.base == ("RGBA" if len(masks) == 4 else "RGB")


def test_fields_without_alpha_and_without_masks(tmp_path):
    words = RNG.integers(0, 1 << 15, (HEIGHT, WIDTH)).astype("<u2")
    got = picture(tmp_path, bmp(padded(words), 16))
    assert np.array_equal(got.samples, fields(words, (0x7C00, 0x3E0, 0x1F)))


def test_fields_wider_than_16_bits_are_rounded_with_a_note(tmp_path):
    notes = []
    words = np.array([[0, 0x3FFFF, 0x1FFFF]], "<u4")
    got = picture(tmp_path, bmp(padded(words), 32, 3, 40, (0x3FFFF, 0, 0), width=3, height=1), notes)
    assert got.samples[0, :, 0].tolist() == [0, 65535, 32767]
    assert any("more than 16 bits" in note for note in notes)


def test_alpha_that_is_0_everywhere_is_no_alpha(tmp_path):
    notes = []
    words = (RNG.integers(0, 1 << 24, (HEIGHT, WIDTH))).astype("<u4")
    got = picture(tmp_path, bmp(padded(words), 32, 3, 56, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)), notes)
    assert got.mode == "RGB" and len(notes) == 1 and "alpha is 0 everywhere" in notes[0]


def test_the_unused_byte_of_32_bits_is_noted_if_it_says_something(tmp_path):
    words = RNG.integers(0, 1 << 24, (HEIGHT, WIDTH)).astype("<u4")
    for fourth, number in ((0xFF000000, 0), (words << 24, 1)):
        notes = []
        got = picture(tmp_path, bmp(padded(words | fourth), 32), notes)
        assert np.array_equal(got.samples, fields(words, (0xFF0000, 0xFF00, 0xFF)))
        assert len(notes) == number


def test_run_lengths_that_leave_pixels_out(tmp_path):
    palette = bytes((9, 8, 7, 0, 1, 2, 3, 0, 4, 5, 6, 0))
    # Two pixels of colour 1; an empty row; one to the right and one up; four single ones; the end.
    runs = bytes((2, 1, 0, 0, 0, 0, 0, 2, 1, 0, 0, 4, 2, 1, 0, 2, 0, 1))
    want = np.array([[0, 2, 1, 0, 2], [0, 0, 0, 0, 0], [1, 1, 0, 0, 0]], np.uint8)
    notes = []
    got = picture(tmp_path, bmp(runs, 8, 1, palette=palette), notes)
    assert np.array_equal(got.samples, want)
    assert got.palette.tolist() == [[7, 8, 9], [3, 2, 1], [6, 5, 4]]
    assert notes == ["9 pixels that the file does not store became the first colour of the palette"]


def test_run_lengths_of_4_bits_with_an_odd_number_of_single_pixels(tmp_path):
    runs = bytes((0, 5, 0x12, 0x34, 0x50, 0, 0, 0, 5, 0x67, 0, 1))  # single pixels end at an even byte
    got = picture(tmp_path, bmp(runs, 4, 2, palette=bytes(64), height=2))
    assert got.samples.tolist() == [[6, 7, 6, 7, 6], [1, 2, 3, 4, 5]]


def test_runs_beyond_the_edge_are_noted_and_cut_files_are_damaged(tmp_path):
    notes = []
    got = picture(tmp_path, bmp(bytes((9, 1, 0, 0, 5, 2, 0, 0, 5, 3, 0, 1)), 8, 1, palette=bytes(16)), notes)
    assert got.samples.tolist() == [[3] * 5, [2] * 5, [1] * 5]
    assert notes == ["4 pixels outside the picture were dropped"]
    (tmp_path / "cut.bmp").write_bytes(bmp(bytes((5, 1, 0, 0)), 8, 1, palette=bytes(16)))
    (tmp_path / "short.bmp").write_bytes(bmp(bytes(20), 16, 3, 40, (0xF00, 0xF0, 0xF)))
    (tmp_path / "head.bmp").write_bytes(b"BM" + bytes(9))
    for name, where in (("cut", "samples"), ("short", "samples"), ("head", "header")):
        done = run(f"{name}.bmp", "out.png", cwd=tmp_path)
        assert done.stderr.decode().splitlines() == [f"upscale: {name}.bmp: damaged: the file ends inside its {where}"]


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path):
    (tmp_path / "in.bmp").write_bytes(bmp(b"\0\1", 8, 1, palette=bytes(16), width=1 << 17, height=1 << 17))
    [line] = run("in.bmp", "out.png", cwd=tmp_path).stderr.decode().splitlines()
    assert "possible decompression bomb" in line


def test_run_lengths_of_24_bits_in_a_header_of_os2(tmp_path):
    runs = bytes((2, 1, 2, 3, 0, 3, *range(9), 0, 0, 0, 5, 9, 8, 7, 0, 1))
    got = picture(tmp_path, bmp(runs, 24, 4, size=64, height=2))
    assert got.samples.tolist()[1] == [[3, 2, 1], [3, 2, 1], [2, 1, 0], [5, 4, 3], [8, 7, 6]]
    assert (got.samples[0] == (7, 8, 9)).all()


def test_2_bits_and_short_headers_and_long_palettes(tmp_path):
    palette = bytes((1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 10, 11, 12, 0))
    rows = bytes((0b00011011, 0b11000000, 0, 0)) * 3
    for size in (40, 16):
        data = bmp(rows, 2, size=40, palette=palette)
        if size == 16:  # OS/2 leaves out what is 0
            data = data[:10] + struct.pack("<II", 14 + 16 + 16, 16) + data[18:30] + palette + rows
        got = picture(tmp_path, data)
        assert got.samples.tolist() == [[0, 1, 2, 3, 3]] * 3
        assert got.palette.tolist() == [[3, 2, 1], [6, 5, 4], [9, 8, 7], [12, 11, 10]]
    many = RNG.integers(0, 256, (300, 4), np.uint8)
    indices = RNG.integers(0, 256, (HEIGHT, WIDTH), np.uint8)
    got = picture(tmp_path, bmp(padded(indices), 8, palette=many.tobytes()))
    assert np.array_equal(got.samples, indices) and np.array_equal(got.palette, many[:256, 2::-1])


def test_a_picture_without_a_file_header_and_rows_from_the_top(tmp_path):
    words = RNG.integers(0, 1 << 16, (HEIGHT, WIDTH)).astype("<u2")
    data = bmp(padded(words[::-1]), 16, 3, 40, (0xF800, 0x7E0, 0x1F), height=-HEIGHT)
    got = picture(tmp_path, data[14:], name="in.dib")
    assert np.array_equal(got.samples, fields(words, (0xF800, 0x7E0, 0x1F)))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bits": 64}, "64 bits"), ({"bits": 0, "compression": 4}, "JPEG file"), ({"bits": 0, "compression": 5}, "PNG file"),
        ({"bits": 1, "compression": 3, "size": 64}, "Huffman"),
        ({"bits": 16, "compression": 3, "masks": (0x5, 0xF0, 0xF00)}, "not contiguous"),
    ],
)  # fmt: skip
def test_what_is_not_supported_is_not_called_damaged(tmp_path, changes, reason):
    (tmp_path / "in.bmp").write_bytes(bmp(bytes(200), **changes))
    [line] = run("in.bmp", "out.png", cwd=tmp_path).stderr.decode().splitlines()
    assert "not supported" in line and reason in line and "damaged" not in line


def test_fields_survive_the_command(tmp_path):
    words = np.array([[0x0F00, 0x00F0], [0x000F, 0x0FFF]], "<u2")
    (tmp_path / "in.bmp").write_bytes(bmp(padded(words), 16, 3, 40, (0xF00, 0xF0, 0xF), width=2, height=2))
    ok("in.bmp", "out.png", "-f", "1", cwd=tmp_path)
    _, [frame] = read_frames(tmp_path / "out.png")
    assert frame.picture.samples.tolist() == [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]]

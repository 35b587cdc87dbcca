"""PCX and DCX of all bits and planes, and the palettes of CGA, EGA and VGA; their bytes are made here."""

import struct

import numpy as np
import pytest
from helpers import read_frames, run

RNG = np.random.default_rng(0)
WIDTH, HEIGHT = 13, 3
EGA = {0: (0, 0, 0), 1: (0, 0, 170), 2: (0, 170, 0), 3: (0, 170, 170), 5: (170, 0, 170), 6: (170, 85, 0), 7: (170, 170, 170),
       10: (85, 255, 85), 12: (255, 85, 85), 14: (255, 255, 85)}  # fmt: skip


def encoded(data):
    """Encode runs of equal bytes, over the ends of rows."""
    out, at = bytearray(), 0
    while at < len(data):
        count = 1
        while at + count < len(data) and count < 63 and data[at + count] == data[at]:
            count += 1
        if count > 1 or data[at] >= 0xC0:
            out.append(0xC0 | count)
        out.append(data[at])
        at += count
    return bytes(out)


def pcx(planes, bits, version=5, colours=bytes(48), runs=True, tail=b""):
    """Make a file of values, shape (H, planes, W)."""
    height, number, width = planes.shape
    stride = ((width * bits + 7) // 8 + 1) // 2 * 2
    rows = bytearray()
    for row in planes.reshape(-1, width):
        packed = np.packbits(np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, 8 - bits :].reshape(-1)).tobytes()
        rows += packed.ljust(stride, b"\0")
    head = struct.pack("<BBBB6H", 10, version, int(runs), bits, 0, 0, width - 1, height - 1, 300, 300) + colours
    head += struct.pack("<BBHH58x", 0, number, stride, 1)
    return head + (encoded(rows) if runs else bytes(rows)) + tail


def picture(tmp_path, data):
    (tmp_path / "in.pcx").write_bytes(data)
    _, [frame] = read_frames(tmp_path / "in.pcx")
    return frame.picture


@pytest.mark.parametrize("runs", [False, True])
@pytest.mark.parametrize("planes", [2, 3, 4])
def test_planes_of_1_bit_are_the_bits_of_an_index(tmp_path, planes, runs):
    indices = RNG.integers(0, 1 << planes, (HEIGHT, WIDTH), np.uint8)
    colours = RNG.integers(0, 256, (16, 3), np.uint8)
    stored = (indices[:, None] >> np.arange(planes)[:, None]) & 1
    got = picture(tmp_path, pcx(stored, 1, colours=colours.tobytes(), runs=runs))
    assert got.mode == "P" and np.array_equal(got.samples, indices)
    assert np.array_equal(got.palette, colours[: 1 << planes])
    got = picture(tmp_path, pcx(stored, 1, version=3, colours=colours.tobytes(), runs=runs))  # without a palette
    assert got.palette.tolist()[3] == [0, 170, 170]


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_packed_pixels(tmp_path, bits):
    values = RNG.integers(0, 1 << bits, (HEIGHT, WIDTH), np.uint8)
    colours = RNG.integers(0, 256, (16, 3), np.uint8)
    got = picture(tmp_path, pcx(values[:, None], bits, colours=colours.tobytes()))
    assert got.mode == {1: "1", 4: "P", 8: "L"}[bits] and np.array_equal(got.samples, values)
    if bits == 4:
        assert np.array_equal(got.palette, colours)


@pytest.mark.parametrize("channels", [3, 4])
def test_colours(tmp_path, channels):
    samples = RNG.integers(0, 256, (HEIGHT, WIDTH, channels), np.uint8)
    got = picture(tmp_path, pcx(np.moveaxis(samples, 2, 1), 8))
    assert got.mode == "RGBA"[:channels] and np.array_equal(got.samples, samples)
    assert got.info["dpi"] == (300, 300)


def test_a_large_picture_is_decoded_in_parts(tmp_path, monkeypatch):
    samples = RNG.choice([0, 5, 200, 255], (40, 1, 300), p=[0.6, 0.1, 0.1, 0.2]).astype(np.uint8)
    for size in (2, 3, 64, 1000):
        monkeypatch.setattr("upscale.pictures.pcx_reader._PART", size)
        assert np.array_equal(picture(tmp_path, pcx(samples, 8)).samples, samples[:, 0])


def test_256_colours_behind_the_samples(tmp_path):
    values, palette = RNG.integers(0, 256, (HEIGHT, WIDTH), np.uint8), RNG.integers(0, 256, (256, 3), np.uint8)
    got = picture(tmp_path, pcx(values[:, None], 8, tail=b"\x0c" + palette.tobytes()))
    assert np.array_equal(got.samples, values) and np.array_equal(got.palette, palette)


@pytest.mark.parametrize(
    ("version", "first", "second", "want"),
    [
        (5, (0x13, 0x13, 0x13), (0xA4, 255, 0x67), (1, 10, 12, 14)), (5, (0x3E, 0x3E, 0x3E), (0xF0, 0, 0), (3, 3, 5, 7)),
        (3, (0x10, 0, 0), (0x20, 0, 0), (1, 10, 12, 14)), (3, (0x20, 0, 0), (0x40, 0, 0), (2, 3, 5, 7)),
    ],
)  # fmt: skip
def test_the_colours_of_cga_are_only_named(tmp_path, version, first, second, want):
    values = RNG.integers(0, 4, (HEIGHT, WIDTH), np.uint8)
    got = picture(tmp_path, pcx(values[:, None], 2, version, bytes((*first, *second)).ljust(48, b"\0")))
    assert np.array_equal(got.samples, values)
    assert [tuple(colour) for colour in got.palette.tolist()] == [EGA[n] for n in want]
    colours = RNG.integers(1, 256, (16, 3), np.uint8)  # other programs store real colours
    got = picture(tmp_path, pcx(values[:, None], 2, 5, colours.tobytes()))
    assert np.array_equal(got.palette, colours[:4])


def test_dcx_has_pages(tmp_path):
    pages = [RNG.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) for _ in range(3)]
    files = [pcx(np.moveaxis(page, 2, 1), 8) for page in pages]
    starts = np.cumsum([4 + 4 * 4, *map(len, files)])[:3].tolist()
    (tmp_path / "in.dcx").write_bytes(struct.pack("<5I", 0x3ADE68B1, *starts, 0) + b"".join(files))
    contents, frames = read_frames(tmp_path / "in.dcx")
    assert contents.kind == "pages"
    assert all(np.array_equal(f.picture.samples, page) for f, page in zip(frames, pages, strict=True))


def test_what_is_wrong_is_told_in_plain_words(tmp_path):
    whole = pcx(RNG.integers(0, 256, (HEIGHT, 3, WIDTH), np.uint8), 8)
    two = bytearray(whole)
    two[65] = 2
    for data, text in ((bytes(two), "is a PCX file that is not supported: it has 2 planes of 8 bits"),
                       (whole[:-5], "damaged: the file ends inside its samples")):  # fmt: skip
        (tmp_path / "in.pcx").write_bytes(data)
        [line] = run("in.pcx", "out.png", cwd=tmp_path).stderr.decode().splitlines()
        assert line.startswith(f"upscale: in.pcx: {text}")

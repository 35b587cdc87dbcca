"""Photoshop files of all modes and depths, their alpha and their metadata; their bytes are made here."""

import struct

import numpy as np
import pytest
from helpers import read_frames, run

RNG = np.random.default_rng(0)
HEIGHT, WIDTH = 3, 11


def resource(number, content):
    return struct.pack(">4sHHI", b"8BIM", number, 0, len(content)) + content + bytes(len(content) % 2)


def packed(row):
    """Encode a row as single bytes."""
    return b"".join(bytes((len(row[at : at + 128]) - 1,)) + row[at : at + 128] for at in range(0, len(row), 128))


def psd(planes, number, depth, *, width=WIDTH, colours=b"", resources=b"", layers=b"", runs=False):
    """Make a file of the rows' bytes, shape (channels, H, bytes)."""
    head = struct.pack(">4sH6xHIIHH", b"8BPS", 1, planes.shape[0], planes.shape[1], width, depth, number)
    head += b"".join(struct.pack(">I", len(part)) + part for part in (colours, resources, layers))
    rows = [row.tobytes() for plane in planes for row in plane]
    if not runs:
        return head + b"\0\0" + b"".join(rows)
    rows = [packed(row) for row in rows]
    return head + b"\0\1" + b"".join(struct.pack(">H", len(row)) for row in rows) + b"".join(rows)


def layer_section(count, tail=b""):
    """Make a section of layers that has only their number, and blocks behind it."""
    info = struct.pack(">h", count) + bytes(20) if count else b""
    return struct.pack(">I", len(info)) + info + bytes(4) + tail


def picture(tmp_path, data, notes=None):
    (tmp_path / "in.psd").write_bytes(data)
    _, [frame] = read_frames(tmp_path / "in.psd", notes)
    return frame.picture


@pytest.mark.parametrize("runs", [False, True])
@pytest.mark.parametrize(
    ("number", "channels", "depth", "mode"),
    [(1, 1, 8, "L"), (1, 1, 16, "I;16"), (1, 1, 32, "F"), (3, 3, 8, "RGB"), (3, 3, 16, "RGB;16"), (3, 3, 32, "RGB;F"),
     (4, 4, 8, "CMYK"), (4, 4, 16, "CMYK;16"), (8, 1, 8, "L"), (9, 3, 8, "LAB"), (9, 3, 16, "LAB;16"), (7, 1, 8, "L"),
     (7, 5, 16, "channels")],
)  # fmt: skip
def test_modes_and_depths(tmp_path, number, channels, depth, mode, runs):
    samples = RNG.integers(0, 256, (channels, HEIGHT, WIDTH)).astype({8: "u1", 16: ">u2", 32: ">f4"}[depth])
    samples = samples * samples.dtype.type(257) if depth == 16 else samples
    got = picture(tmp_path, psd(samples.astype(samples.dtype.newbyteorder(">")), number, depth, runs=runs))
    want = np.moveaxis(samples, 0, 2)
    want = want if number != 4 else (255 if depth == 8 else 65535) - want  # ink is 0 in the file
    assert got.mode == mode
    assert np.array_equal(got.samples.reshape(want.shape), want)


def test_ink_of_1_bit_is_1(tmp_path):
    bits = RNG.integers(0, 2, (HEIGHT, WIDTH), np.uint8)
    for runs in (False, True):
        got = picture(tmp_path, psd(np.packbits(bits, axis=1)[None], 0, 1, runs=runs))
        assert got.mode == "1" and np.array_equal(got.samples, bits == 0)


def test_indexed_colours_and_the_transparent_one(tmp_path):
    indices, palette = RNG.integers(0, 256, (1, HEIGHT, WIDTH), np.uint8), RNG.integers(0, 256, (256, 3), np.uint8)
    got = picture(tmp_path, psd(indices, 2, 8, colours=palette.T.tobytes(), resources=resource(1047, b"\0\x07")))
    assert np.array_equal(got.samples, indices[0]) and np.array_equal(got.palette, palette)
    assert got.info["transparency"] == 7


def over_white(samples):
    alpha = samples[..., -1:] / 255
    return np.concatenate((np.floor(samples[..., :-1] * alpha + 255 * (1 - alpha) + 0.5), samples[..., -1:]), 2).astype(
        np.uint8
    )


@pytest.mark.parametrize(("number", "channels"), [(1, 2), (3, 4)])
@pytest.mark.parametrize("block", [b"", b"8BIMMtrn" + bytes(4)])
def test_alpha_of_the_merged_picture(tmp_path, number, channels, block):
    samples, notes = RNG.integers(0, 256, (HEIGHT, WIDTH, channels), np.uint8), []
    samples[..., -1] = RNG.choice([0, 128, 255], (HEIGHT, WIDTH))
    stored = np.moveaxis(over_white(samples), 2, 0)
    got = picture(tmp_path, psd(stored, number, 8, layers=layer_section(0 if block else -1, block)), notes)
    assert got.base == ("LA" if number == 1 else "RGBA") and not notes
    seen = samples[..., -1] > 0
    assert np.array_equal(got.samples[..., -1], samples[..., -1])
    assert np.abs(got.samples[seen].astype(int) - samples[seen]).max() <= 1
    dark = np.zeros((channels, HEIGHT, WIDTH), np.uint8)  # a program that lays no white under it
    got = picture(tmp_path, psd(dark + np.uint8(3), number, 8, layers=layer_section(-1)))
    assert (got.samples == 3).all()


def test_masks_are_no_alpha_and_all_losses_are_noted(tmp_path):
    samples, notes = RNG.integers(0, 256, (5, HEIGHT, WIDTH), np.uint8), []
    got = picture(tmp_path, psd(samples, 3, 8, layers=layer_section(4)), notes)
    assert got.mode == "RGB" and np.array_equal(got.samples, np.moveaxis(samples[:3], 0, 2))
    assert notes == ["its 4 layers were merged", "2 of its channels, masks or spot colours, were dropped"]
    notes.clear()
    assert picture(tmp_path, psd(samples, 4, 8, layers=layer_section(-1)), notes).mode == "CMYK"
    assert len(notes) == 1 and "transparency was dropped" in notes[0]
    notes.clear()
    picture(tmp_path, psd(samples[:1], 8, 8, colours=b"inks"), notes)
    assert len(notes) == 1 and "duotone" in notes[0]
    notes.clear()
    lr16 = b"8BIMLr16" + struct.pack(">Ih", 4, -3) + bytes(2)
    deep = samples[:4].astype(">u2")
    assert picture(tmp_path, psd(deep, 3, 16, layers=layer_section(0, lr16)), notes).mode == "RGBA;16"
    assert notes == ["its 3 layers were merged"]


def test_metadata(tmp_path):
    exif = b"II*\0\x08\0\0\0\0\0\0\0\0\0"
    parts = {
        1039: b"profile",
        1060: b"<x/>",
        1058: exif,
        1028: b"iptc!",
        1005: struct.pack(">IHHIHH", 300 << 16, 1, 1, 150 << 16, 1, 1),
    }
    data = psd(np.zeros((1, HEIGHT, WIDTH), np.uint8), 1, 8, resources=b"".join(resource(k, v) for k, v in parts.items()))
    info = picture(tmp_path, data).info
    assert info["icc_profile"] == b"profile" and info["xmp"] == b"<x/>" and info["dpi"] == (300, 150)
    assert info["exif"] == b"Exif\0\0" + exif and info["photoshop"] == resource(1028, b"iptc!")


def test_what_is_wrong_is_told_in_plain_words(tmp_path):
    samples = np.zeros((3, HEIGHT, WIDTH), np.uint8)
    only_layers = psd(samples, 3, 8, layers=layer_section(2), resources=resource(1057, b"\0\0\0\1\0"))
    zipped = bytearray(psd(samples, 3, 8))
    zipped[-samples.size - 1] = 3
    for data, text in (
        (only_layers, "contains only layers: it was saved without"), (bytes(zipped), "is a PSD file that is not supported"),
        (psd(samples, 3, 8)[:-1], "damaged: the file ends inside its samples"),
        (psd(samples, 3, 1), "damaged: no PSD file has 1"),
        (psd(samples, 3, 8, runs=True)[:-9], "damaged: "),
    ):  # fmt: skip
        (tmp_path / "in.psd").write_bytes(data)
        [line] = run("in.psd", "out.png", cwd=tmp_path).stderr.decode().splitlines()
        assert line.startswith(f"upscale: in.psd: {text}")

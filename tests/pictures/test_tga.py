"""Targa files of all depths, alpha as they declare it, colour maps and origins; their bytes are made here."""

import struct

import numpy as np
import pytest
from helpers import read_frames, run

RNG = np.random.default_rng(0)
WIDTH, HEIGHT = 5, 3


def tga(body, kind, depth, flags=32, colours=(0, 0, 0), colour_map=b"", width=WIDTH, height=HEIGHT, name=b"", attributes=None):
    first, length, entry = colours
    head = struct.pack(
        "<BBBHHBHHHHBB", len(name), int(length > 0), kind, first, length, entry, 0, 0, width, height, depth, flags
    )
    data = head + name + colour_map + body
    if attributes is not None:
        extension = struct.pack("<H", 495) + bytes(492) + bytes((attributes,))
        data += extension + struct.pack("<II", len(data), 0) + b"TRUEVISION-XFILE.\0"
    return data


def picture(tmp_path, data, notes=None):
    (tmp_path / "in.tga").write_bytes(data)
    _, [frame] = read_frames(tmp_path / "in.tga", notes)
    return frame.picture


def five_bits(words):
    """Take 5 bits of red, green and blue out of words."""
    values = np.stack([(words >> shift) & 31 for shift in (10, 5, 0)], axis=2)
    return np.floor(values * 255 / 31 + 0.5).astype(np.uint8)


def packets(pixels):
    """Encode pixels, which go on from row to row, in packets of runs and of single ones."""
    flat, out, at = pixels.reshape(-1, pixels.shape[-1]), b"", 0
    while at < len(flat):
        count = min(7, len(flat) - at)
        same = (flat[at : at + count] == flat[at]).all()
        out += bytes((count - 1 + 128 * same,)) + (flat[at] if same else flat[at : at + count]).tobytes()
        at += count
    return out


@pytest.mark.parametrize("runs", [False, True])
@pytest.mark.parametrize(("depth", "attribute_bits"), [(15, 0), (16, 0), (16, 1)])
def test_15_and_16_bits(tmp_path, depth, attribute_bits, runs):
    words = RNG.integers(0, 1 << 16, (HEIGHT, WIDTH)).astype("<u2")
    words[0] = words[0, 0]
    pixels = words[..., None].view(np.uint8)
    notes = []
    body = packets(pixels) if runs else pixels.tobytes()
    got = picture(tmp_path, tga(body, 10 if runs else 2, depth, 32 | attribute_bits), notes)
    assert np.array_equal(got.samples[..., :3], five_bits(words))
    assert got.mode == ("RGBA" if attribute_bits else "RGB")
    if attribute_bits:  # a set bit is opaque
        assert np.array_equal(got.samples[..., 3], 255 * (words >> 15))
    assert len(notes) == (depth == 16 and not attribute_bits)


@pytest.mark.parametrize("runs", [False, True])
@pytest.mark.parametrize(("flags", "turn"), [(0, (-1, 1)), (16, (-1, -1)), (32, (1, 1)), (48, (1, -1))])
@pytest.mark.parametrize(("kind", "depth", "mode"), [(3, 8, "L"), (3, 16, "LA"), (2, 24, "RGB"), (2, 32, "RGBA")])
def test_origins_and_runs_that_go_on_in_the_next_row(tmp_path, kind, depth, mode, flags, turn, runs):
    stored = RNG.integers(0, 256, (HEIGHT, WIDTH, depth // 8), np.uint8)
    stored[1] = 9
    body = packets(stored) if runs else stored.tobytes()
    got = picture(tmp_path, tga(body, kind + 8 * runs, depth, flags | (8 if mode in ("LA", "RGBA") else 0), name=b"hello"))
    want = stored[:: turn[0], :: turn[1]]
    want = want[..., [2, 1, 0, 3][: depth // 8]] if kind == 2 else want
    assert got.mode == mode
    assert np.array_equal(got.samples.reshape(want.shape), want)


@pytest.mark.parametrize(
    ("attributes", "bits", "mode"), [(None, 0, "RGBA"), (None, 8, "RGBA"), (0, 8, "RGB"), (1, 8, "RGB"), (3, 8, "RGBA")]
)
def test_the_file_says_what_alpha_means(tmp_path, attributes, bits, mode):
    stored, notes = RNG.integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8), []
    got = picture(tmp_path, tga(stored.tobytes(), 2, 32, 32 | bits, attributes=attributes), notes)
    assert got.mode == mode and len(notes) == (mode == "RGB")
    assert np.array_equal(got.samples, stored[..., [2, 1, 0, 3]][..., : len(mode)])


def test_empty_alpha_is_opaque_and_premultiplied_colours_are_divided(tmp_path):
    stored, notes = RNG.integers(0, 256, (HEIGHT, WIDTH, 4), np.uint8), []
    stored[..., 3] = 0
    assert picture(tmp_path, tga(stored.tobytes(), 2, 32, 40), notes).mode == "RGB" and "alpha is 0 everywhere" in notes[0]
    data = tga(bytes((10, 20, 30, 51)), 2, 32, 40, width=1, height=1, attributes=4)
    (tmp_path / "in.tga").write_bytes(data)
    assert run("in.tga", "out.png", "-f", "1", cwd=tmp_path).returncode == 0
    _, [frame] = read_frames(tmp_path / "out.png")
    assert frame.picture.samples.tolist() == [[[150, 100, 50, 51]]]


@pytest.mark.parametrize("entry", [15, 16, 24, 32])
@pytest.mark.parametrize("first", [0, 3])
def test_colour_maps_of_all_depths_that_begin_anywhere(tmp_path, first, entry):
    entries = RNG.integers(0, 256, (4, (entry + 7) // 8), np.uint8)
    indices = RNG.integers(first, first + 4, (HEIGHT, WIDTH), np.uint8)
    got = picture(tmp_path, tga(indices.tobytes(), 1, 8, 32, (first, 4, entry), entries.tobytes()))
    want = five_bits(entries.view("<u2")).reshape(4, 3) if entry < 24 else entries[:, 2::-1]
    assert got.mode == "P" and np.array_equal(got.samples, indices)
    assert np.array_equal(got.palette[first:], want)
    assert ("transparency" in got.info) == (entry == 32)
    if entry == 32:
        assert got.info["transparency"][first:] == entries[:, 3].tobytes()


def test_indices_of_16_bits_and_a_map_that_is_not_used(tmp_path):
    entries = RNG.integers(0, 256, (300, 3), np.uint8)
    indices = RNG.integers(0, 300, (HEIGHT, WIDTH)).astype("<u2")
    got = picture(tmp_path, tga(indices.tobytes(), 1, 16, 32, (0, 300, 24), entries.tobytes()))
    assert np.array_equal(got.samples, entries[indices][..., ::-1])
    grey = RNG.integers(0, 256, (HEIGHT, WIDTH), np.uint8)
    got = picture(tmp_path, tga(grey.tobytes(), 3, 8, 32, (0, 300, 24), entries.tobytes()))
    assert np.array_equal(got.samples, grey)


@pytest.mark.parametrize("data", [tga(bytes(40), 2, 24), tga(b"\x84abc", 10, 24)], ids=["plain", "runs"])
def test_files_that_end_too_early_are_damaged(tmp_path, data):
    (tmp_path / "in.tga").write_bytes(data)
    [line] = run("in.tga", "out.png", cwd=tmp_path).stderr.decode().splitlines()
    assert line.startswith(("upscale: in.tga: damaged: the file ends", "upscale: in.tga: damaged: its data end too early"))

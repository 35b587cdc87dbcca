"""Samples of more than 8 bits that Pillow would cut, through the real command."""

import io
import struct

import imagecodecs
import numpy as np
import pytest
from helpers import larger, ok, read_frames, run
from PIL import Image

from upscale.pictures import coding_points

RNG = np.random.default_rng(0)


def test_deep_avif_and_jpeg_2000(tmp_path):
    samples = RNG.integers(0, 1024, (40, 50, 3)).astype(np.uint16)
    (tmp_path / "in.avif").write_bytes(imagecodecs.avif_encode(samples, level=100, bitspersample=10))
    deep = RNG.integers(0, 65536, (40, 50, 3), np.uint16)
    (tmp_path / "in.jp2").write_bytes(imagecodecs.jpeg2k_encode(deep, level=0))
    for name, want in (("in.avif", np.floor(samples * (65535 / 1023) + 0.5)), ("in.jp2", deep)):
        ok(name, "out.png", cwd=tmp_path)
        _, [frame] = read_frames(tmp_path / "out.png")
        assert np.array_equal(frame.picture.samples, larger(want))
        assert b"--depth 8" in run(name, "out.jpg", cwd=tmp_path).stderr
        ok(name, "out.jpg", "--depth", "8", cwd=tmp_path)


@pytest.mark.parametrize("packed", [0, 1])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sgi_of_16_bits(tmp_path, packed, channels):
    samples = RNG.integers(0, 65536, (5, 200, channels), np.uint16)
    samples[2] = 7
    head = struct.pack(
        ">HBBHHHHIII80sI404s", 474, packed, 2, 2 if channels == 1 else 3, 200, 5, channels, 0, 65535, 0, b"", 0, b""
    )
    rows = [samples[y, :, c].astype(">u2") for c in range(channels) for y in range(4, -1, -1)]
    if packed:
        literal = [b"".join(struct.pack(">H", 128 | 100) + r[x : x + 100].tobytes() for x in (0, 100)) + b"\0\0" for r in rows]
        runs = struct.pack(">4H", 100, 7, 100, 7) + b"\0\0"
        body = [runs if (r == 7).all() else row for r, row in zip(rows, literal, strict=True)]
        starts = 512 + 8 * len(rows) + np.cumsum([0, *map(len, body)])[:-1]
        tables = starts.astype(">u4").tobytes() + np.array([len(b) for b in body], ">u4").tobytes()
        data = head + tables + b"".join(body)
    else:
        data = head + b"".join(r.tobytes() for r in rows)
    (tmp_path / "in.sgi").write_bytes(data)
    ok("in.sgi", "out.png", cwd=tmp_path)
    _, [frame] = read_frames(tmp_path / "out.png")
    assert np.array_equal(frame.picture.samples, larger(samples[..., 0] if channels == 1 else samples))
    (tmp_path / "in.sgi").write_bytes(data[:-9])
    done = run("in.sgi", "cut.png", cwd=tmp_path)
    assert done.returncode == 1
    assert b"in.sgi: damaged" in done.stderr


def test_a_pgm_of_16_bits_stays_of_16_bits(tmp_path):
    samples = RNG.integers(0, 65536, (3, 4), np.uint16)
    (tmp_path / "in.pgm").write_bytes(b"P5 4 3 65535\n" + samples.astype(">u2").tobytes())
    ok("in.pgm", "out.tif", "-m", "tconv", "-k", "bicubic", cwd=tmp_path)
    _, [frame] = read_frames(tmp_path / "out.tif")
    assert frame.picture.mode == "I;16"
    assert b"--depth 8" in run("in.pgm", "out.webp", cwd=tmp_path).stderr


@pytest.mark.parametrize("bits", [10, 12])
def test_avif_animations_keep_depth_and_durations(tmp_path, bits):
    samples = RNG.integers(0, 1 << bits, (3, 20, 24, 3)).astype(np.uint16)
    data = imagecodecs.avif_encode(samples, level=100, bitspersample=bits, speed=8)
    (tmp_path / "in.avifs").write_bytes(data)
    contents, frames = read_frames(tmp_path / "in.avifs")
    assert (contents.kind, contents.total) == ("animation", 3)
    assert [f.delay[0] / f.delay[1] for f in frames] == [1, 1, 1]  # a second each
    for frame, want in zip(frames, samples, strict=True):
        assert np.array_equal(frame.picture.samples, np.floor(want * (65535 / ((1 << bits) - 1)) + 0.5))
    ok("in.avifs", "out.png", cwd=tmp_path)
    assert read_frames(tmp_path / "out.png")[1][2].picture.samples.shape == (40, 48, 4)
    assert b"--depth 8" in run("in.avifs", "out.webp", cwd=tmp_path).stderr
    ok("in.avifs", "out.webp", "--depth", "8", cwd=tmp_path)


@pytest.mark.parametrize(("primaries", "transfer", "kind"), [(1, 13, None), (12, 13, "profile"), (9, 16, "note")])
def test_colours_that_avif_names_by_numbers(tmp_path, primaries, transfer, kind):
    file = io.BytesIO()
    Image.new("RGB", (24, 20)).save(file, "AVIF")
    data = bytearray(file.getvalue())
    struct.pack_into(">HH", data, data.index(b"colrnclx") + 8, primaries, transfer)
    (tmp_path / "in.avif").write_bytes(data)
    notes = []
    _, [frame] = read_frames(tmp_path / "in.avif", notes)
    p3 = coding_points.make_profile(coding_points.PRIMARIES[12], coding_points.CURVES[13])
    assert frame.picture.info.get("icc_profile") == (p3 if kind == "profile" else None)
    assert bool(notes) == (kind == "note")

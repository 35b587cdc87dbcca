"""Icons and cursors: sizes, depths, masks; their bytes are made here."""

import io
import struct

import numpy as np
import pytest
from helpers import read_frames, run
from PIL import Image

RNG = np.random.default_rng(0)


def dib(rows, bits, mask, width, height, palette=b""):
    """Make a bitmap as icons have them: of twice the height, with the mask of bits behind it."""
    head = struct.pack("<IiiHHIIiiII", 40, width, 2 * height, 1, bits, 0, 0, 0, 0, len(palette) // 4, 0)
    packed = np.packbits(mask[::-1].astype(np.uint8), axis=1)
    behind = b"".join(row.tobytes().ljust(4, b"\0") for row in packed)
    return head + palette + b"".join(row.tobytes().ljust((row.nbytes + 3) // 4 * 4, b"\0") for row in rows[::-1]) + behind


def icon(pictures, kind=1):
    """Make a file of pictures, each with what the directory says of it."""
    head, body, at = struct.pack("<HHH", 0, kind, len(pictures)), b"", 6 + 16 * len(pictures)
    for (width, height, bits), data in pictures:
        head += struct.pack("<BBBBHHII", width % 256, height % 256, 0, 0, 1, bits, len(data), at + len(body))
        body += data
    return head + body


def frames_of(tmp_path, data, notes=None):
    (tmp_path / "in.ico").write_bytes(data)
    contents, frames = read_frames(tmp_path / "in.ico", notes)
    return contents, [frame.picture for frame in frames]


def of_24_bits(width, height):
    colours = RNG.integers(1, 256, (height, width, 3), np.uint8)
    mask = RNG.integers(0, 2, (height, width)).astype(bool)
    colours[mask] = 0
    want = np.dstack((colours[..., ::-1], np.where(mask, 0, 255).astype(np.uint8)))
    return dib(colours.reshape(height, -1), 24, mask, width, height), want


@pytest.mark.parametrize("kind", [1, 2])
def test_masks_of_icons_and_cursors_become_alpha(tmp_path, kind):
    notes = []
    data, want = of_24_bits(7, 5)
    contents, [got] = frames_of(tmp_path, icon([((7, 5, 24), data)], kind), notes)
    assert contents.format == ("ICO" if kind == 1 else "CUR") and np.array_equal(got.samples, want)
    assert len(notes) == kind - 1


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_palettes_with_masks(tmp_path, bits):
    indices, mask = RNG.integers(0, 1 << bits, (5, 8), np.uint8), RNG.integers(0, 2, (5, 8)).astype(bool)
    palette = RNG.integers(0, 256, (1 << bits, 4), np.uint8)
    rows = np.packbits(np.unpackbits(indices[..., None], axis=2)[..., 8 - bits :].reshape(5, -1), axis=1)
    _, [got] = frames_of(tmp_path, icon([((8, 5, bits), dib(rows, bits, mask, 8, 5, palette.tobytes()))]))
    assert np.array_equal(got.samples[..., :3], palette[indices][..., 2::-1])
    assert np.array_equal(got.samples[..., 3], np.where(mask, 0, 255))


def test_alpha_counts_more_than_the_mask_unless_it_is_0_everywhere(tmp_path):
    samples, mask = RNG.integers(0, 256, (5, 7, 4), np.uint8), np.ones((5, 7), bool)
    _, [got] = frames_of(tmp_path, icon([((7, 5, 32), dib(samples.reshape(5, -1), 32, mask, 7, 5))]))
    assert np.array_equal(got.samples, samples[..., [2, 1, 0, 3]])
    samples[..., 3], mask[1] = 0, False
    _, [got] = frames_of(tmp_path, icon([((7, 5, 32), dib(samples.reshape(5, -1), 32, mask, 7, 5))]))
    assert (got.samples[..., 3] == np.where(mask, 0, 255)).all()


def test_pixels_that_invert_the_screen_are_noted(tmp_path):
    notes, mask = [], np.zeros((2, 8), bool)
    mask[0, :3] = True
    data = dib(np.full((2, 24), 255, np.uint8), 24, mask, 8, 2)
    _, [got] = frames_of(tmp_path, icon([((8, 2, 24), data)]), notes)
    assert got.samples[0, :, 3].tolist() == [0, 0, 0, 255, 255, 255, 255, 255]
    assert notes == ["3 pixels that invert the screen became transparent"]


def test_each_size_in_its_best_depth_the_largest_first(tmp_path):
    notes, poor = [], dib(np.zeros((5, 1), np.uint8), 1, np.zeros((5, 7), bool), 7, 5, bytes(8))
    (small, want), (large, other) = of_24_bits(7, 5), of_24_bits(9, 9)
    file = icon([((7, 5, 1), poor), ((7, 5, 24), small), ((9, 9, 24), large)])
    contents, got = frames_of(tmp_path, file, notes)
    assert contents.kind == "sizes" and contents.size == (9, 9)
    assert np.array_equal(got[0].samples, other) and np.array_equal(got[1].samples, want)
    assert notes == ["1 of its pictures, which repeat others with fewer colours, were dropped"]


def test_png_in_an_icon_and_a_wrong_size_in_the_directory(tmp_path):
    stored = io.BytesIO()
    samples = RNG.integers(0, 256, (5, 7, 4), np.uint8)
    Image.fromarray(samples).save(stored, "PNG")
    _, [got] = frames_of(tmp_path, icon([((7, 5, 32), stored.getvalue())]))
    assert np.array_equal(got.samples, samples)
    data, want = of_24_bits(7, 5)
    file = bytearray(icon([((7, 5, 24), data)]))
    file[14:18] = struct.pack("<I", 40)
    _, [got] = frames_of(tmp_path, bytes(file))
    assert np.array_equal(got.samples, want)


def test_a_cut_icon_is_damaged(tmp_path):
    data, _ = of_24_bits(7, 5)
    for cut, text in (
        (icon([((7, 5, 24), data[:90])]), "ends inside its samples"),
        (icon([((7, 5, 24), data)])[:20], "directory"),
    ):
        (tmp_path / "in.ico").write_bytes(cut)
        [line] = run("in.ico", "out.png", cwd=tmp_path).stderr.decode().splitlines()
        assert line.startswith("upscale: in.ico: damaged: the file ends") and text in line

"""TIFF samples of any number of bits keep it, and their values, in files of either byte order."""

import struct

import imagecodecs
import numpy as np
import pytest
import tifffile
from helpers import ok

import upscale


def packs():
    """Return whether this imagecodecs packs bits, which the tests need to make their files."""
    try:
        return bool(imagecodecs.packints_encode(np.zeros(8, np.uint16), 12))
    except NotImplementedError:  # before 2026
        return False


PACKS = pytest.mark.skipif(not packs(), reason="this imagecodecs does not pack bits, with which the test makes its files")
BITS = (2, 3, 4, 7, 9, 10, 12, 14, 15, 17, 20, 24, 31)


def container(bits):
    return np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32


def write(path, arrays, bits, order):
    """Write pages of packed samples; tifffile hands them to the encoder in the file's byte order, which is undone here."""
    with tifffile.TiffWriter(path, byteorder=order) as file:
        for array in arrays:
            packed = array if order == "<" else array.byteswap()
            kind = "rgb" if array.ndim == 3 else "minisblack"
            tag = (305, "s", 0, "scan", True)  # metadata by which the output has the input's byte order
            file.write(packed, bitspersample=bits, photometric=kind, metadata=None, software=False, extratags=[tag])


def strips(path):
    """Return all pages' sample data as it is stored; packed samples have no byte order."""
    with tifffile.TiffFile(path) as file:
        found = [(page.dataoffsets, page.databytecounts, page.bitspersample) for page in file.pages]
    data = path.read_bytes()
    return [(bits, b"".join(data[at : at + n] for at, n in zip(begins, sizes, strict=True))) for begins, sizes, bits in found]


@PACKS
@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("options", [{}, {"method": "tconv", "kernel": "box"}], ids=["nn", "tconv"])
def test_every_depth_is_kept(tmp_path, bits, options):
    rng = np.random.default_rng(bits)
    pages = [rng.integers(0, 1 << bits, shape).astype(container(bits)) for shape in ((5, 7), (4, 6, 3), (3, 2))]
    pages[0][0, :2] = 0, (1 << bits) - 1
    outputs = {}
    for order in "<>":
        source, target = tmp_path / f"in{ord(order)}.tif", tmp_path / f"out{ord(order)}.tif"
        write(source, pages, bits, order)
        assert upscale.enlarge_file(source, target, 2, **options).notes == ()
        outputs[order] = strips(target)
    with tifffile.TiffFile(tmp_path / f"out{ord('<')}.tif") as file:
        for page, want in zip(file.pages, pages, strict=True):
            assert page.bitspersample == bits
            assert np.array_equal(page.asarray(), want.repeat(2, 0).repeat(2, 1))
    assert outputs["<"] == outputs[">"]


@PACKS
@pytest.mark.parametrize("bits", [4, 12, 24])
def test_a_kernel_that_makes_new_values_keeps_the_depth(tmp_path, bits):
    values = np.random.default_rng(bits).integers(0, 1 << bits, (9, 11)).astype(container(bits))
    values[3:5, 3:8] = (1 << bits) - 1  # whose edges overshoot
    write(tmp_path / "in.tif", [values], bits, "<")
    ok("in.tif", "out.tif", "-k", "bicubic", cwd=tmp_path)
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.pages[0].bitspersample == bits
        got = file.asarray().astype(float)
    want = np.clip(upscale.enlarge(values.astype(float), 2, "tconv", "bicubic"), 0, (1 << bits) - 1)
    assert np.abs(got - want).max() <= 0.5 + (1 << bits) / 65535 + (1 << bits) / 2**24


@PACKS
@pytest.mark.parametrize("depth", [8, 16])
def test_a_depth_that_is_requested_is_what_is_written(tmp_path, depth):
    write(tmp_path / "in.tif", [np.array([[0, 1000, 4095]], np.uint16)], 12, "<")
    ok("in.tif", "out.tif", "--depth", depth, cwd=tmp_path)
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.pages[0].bitspersample == depth
        full = 255 if depth == 8 else 65535
        assert file.asarray()[0, ::2].tolist() == [0, round(1000 * full / 4095), full]


@PACKS
@pytest.mark.parametrize("order", ["<", ">"])
def test_24_bit_samples_are_read_in_either_byte_order(tmp_path, order):
    write(tmp_path / "in.tif", [np.array([[256, 0x010203]], np.uint32)], 24, order)
    ok("in.tif", "out.npy", cwd=tmp_path)
    assert np.load(tmp_path / "out.npy")[0].tolist() == [256, 256, 0x010203, 0x010203]


@PACKS
@pytest.mark.parametrize("bits", [4, 12, 24])
def test_without_an_encoder_the_values_stay_at_the_next_depth_with_a_note(tmp_path, monkeypatch, bits):
    def refused(*arguments, **options):
        raise NotImplementedError("packints_encode")

    values = np.random.default_rng(bits).integers(0, 1 << bits, (3, 4)).astype(container(bits))
    write(tmp_path / "in.tif", [values], bits, "<")
    monkeypatch.setattr(imagecodecs, "packints_encode", refused)
    result = upscale.enlarge_file(tmp_path / "in.tif", tmp_path / "out.tif", 2)
    whole = 8 * values.dtype.itemsize
    assert result.notes == (f"its samples of {bits} bits were written as {whole} bits, with the same values",)
    assert np.array_equal(tifffile.imread(tmp_path / "out.tif"), values.repeat(2, 0).repeat(2, 1))


def test_24_bit_floats_become_32_bits_with_a_note(tmp_path):
    """Of 1 sign, 7 bits of exponent with a bias of 63, and 16 bits of fraction; made by hand, since no library writes them."""
    data = b"".join(bits.to_bytes(3, "little") for bits in (63 << 16, (64 << 16) | 1 << 15))  # 1.0, 3.0
    tags = [(256, 2), (257, 1), (258, 24), (259, 1), (262, 1), (273, 8), (277, 1), (278, 1), (279, len(data)), (339, 3)]
    entries = b"".join(struct.pack("<HHII", code, 4, 1, value) for code, value in tags)
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    (tmp_path / "in.tif").write_bytes(b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory)
    done = ok("in.tif", "out.tif", cwd=tmp_path)
    assert b"floats of 24 bits are read as 32 bits" in done.stderr
    assert tifffile.imread(tmp_path / "out.tif").tolist() == [[1.0, 1.0, 3.0, 3.0]] * 2


def test_a_palette_of_4_bits_becomes_one_of_8_with_a_note(tmp_path):
    indices = np.arange(15, dtype=np.uint8).reshape(3, 5)
    colours = np.random.default_rng(0).integers(0, 1 << 16, (3, 16), np.uint16)
    shades = [(code, 3, 1, value) for code, value in ((258, 4), (259, 1), (262, 3), (277, 1), (278, 3))]
    data = b"".join(bytes(a << 4 | b for a, b in zip(row[::2], [*row[1::2], 0], strict=True)) for row in indices.tolist())
    layout = [(256, 4, 1, 5), (257, 4, 1, 3), *shades, (273, 4, 1, 8), (279, 4, 1, len(data)), (320, 3, 48, 8 + len(data) + 1)]
    directory = struct.pack("<H", len(layout)) + b"".join(struct.pack("<HHII", *tag) for tag in sorted(layout)) + bytes(4)
    stored = data + b"\0" + colours.astype("<u2").tobytes()
    (tmp_path / "in.tif").write_bytes(b"II*\0" + struct.pack("<I", 8 + len(stored)) + stored + directory)
    done = ok("in.tif", "out.tif", cwd=tmp_path)
    assert b"samples of 4 bits were written as 8 bits, with the same values" in done.stderr
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert np.array_equal(file.asarray(), indices.repeat(2, 0).repeat(2, 1))
        assert np.array_equal(file.pages[0].colormap[:, :16], colours)

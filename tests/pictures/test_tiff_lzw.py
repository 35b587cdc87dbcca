"""LZW data with a code after a clear code for which imagecodecs would look in memory at random."""

import io
import struct

import imagecodecs
import numpy as np
import pytest
import tifffile
from helpers import run
from hypothesis import given, settings
from hypothesis import strategies as st

from upscale.pictures.tiff.tiff_lzw import is_safe


def plainly_safe(data):
    """Read one code after the other."""
    old = len(data) > 1 and data[0] == 0 and bool(data[1] & 1)
    bits = int.from_bytes(data, "little" if old else "big")
    at, entries, after_clear = 0, 258, True
    while True:
        size = 9 + sum(entries >= border + old for border in (511, 1023, 2047))
        if at + size > 8 * len(data) or (entries >= 5120 and not after_clear):
            return True
        code = (bits >> at if old else bits >> (8 * len(data) - at - size)) & ((1 << size) - 1)
        at += size
        if code == 257:
            return True
        if code == 256:
            entries, after_clear = 258, True
        elif after_clear:
            if code > 257:
                return False
            after_clear = False
        else:
            entries += 1


def coded(codes):
    """Lay out codes of 9 bits, the first of which is a clear code."""
    bits = "".join(f"{code:09b}" for code in codes)
    return int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big")


@pytest.mark.parametrize(
    ("codes", "safe"),
    [
        ([256, 65, 66, 258, 257], True),
        ([256, 256, 65, 257], True),
        ([256, 257], True),
        ([256, 258, 257], False),
        ([256, 65, 66, 256, 300], False),
        ([256, 256, 511], False),
        ([256, 65, 257, 256, 300], True),  # behind the end
    ],
)
def test_codes_after_a_clear_code(codes, safe):
    assert is_safe(coded(codes)) == plainly_safe(coded(codes)) == safe


@given(st.sampled_from([b"\x80\x00", b"\x00\x01"]), st.integers(0, 2**32), st.integers(0, 9000), st.integers(0, 255))
@settings(max_examples=60, deadline=None)
def test_it_reads_codes_as_they_are_laid_out(begin, seed, size, most):
    rest = np.random.default_rng(seed).integers(0, most + 1, size, np.uint8).tobytes()
    assert is_safe(begin + rest) == plainly_safe(begin + rest)


@pytest.mark.parametrize("size", [1, 300, 20_000, 300_000])
def test_whole_data_are_safe(size):
    rng = np.random.default_rng(size)
    for data in (rng.integers(0, 256, size, np.uint8), rng.integers(0, 2, size, np.uint8), np.zeros(size, np.uint8)):
        packed = bytes(imagecodecs.lzw_encode(data.tobytes()))
        assert is_safe(packed)
        assert imagecodecs.lzw_decode(packed, out=size) == data.tobytes()


@pytest.mark.parametrize("order", [1, 2])
def test_a_file_with_such_data_is_damaged(tmp_path, order):
    in_order = bytes if order == 1 else imagecodecs.bitorder_encode
    whole = [bytes(in_order(bytes(imagecodecs.lzw_encode(row)))) for row in (b"ABABABAB", b"CDCDCDCD")]
    broken = [whole[0], bytes(in_order(coded([256, 65, 66, 256, 300])))]
    for name, strips in (("whole", whole), ("broken", broken)):
        file = io.BytesIO()
        options = {"compression": "lzw", "rowsperstrip": 1, "photometric": "minisblack", "metadata": None}
        tifffile.imwrite(file, iter(strips), shape=(2, 4), dtype=np.uint16, extratags=[(40000, 3, 1, order, True)], **options)
        tag = struct.pack("<HHI", 40000, 3, 1)
        assert tag in file.getvalue()
        (tmp_path / f"{name}.tif").write_bytes(file.getvalue().replace(tag, struct.pack("<HHI", 266, 3, 1)))
    assert run("whole.tif", "out.png", cwd=tmp_path).returncode == 0
    done = run("broken.tif", "out.png", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == b"upscale: broken.tif: damaged: its LZW data contain an invalid code\n"

"""FITS: values in their type and sign, upright; what is not a plain picture is refused."""

import io

import numpy as np
import pytest
from helpers import larger, ok

from upscale.errors import ArgumentError
from upscale.pictures import fits


def unit(array, first=True, **cards):
    """Lay out a unit; the array has FITS's axes reversed, and its lowest row first."""
    array = np.asarray(array)
    bits = array.dtype.itemsize * (8 if array.dtype.kind in "iu" else -8)
    own = {"SIMPLE": "T"} if first else {"XTENSION": "'IMAGE   '"}
    axes = {f"NAXIS{i + 1}": n for i, n in enumerate(array.shape[::-1])}
    header = {**own, "BITPIX": bits, "NAXIS": array.ndim, **axes, **cards}
    text = "".join(f"{key:<8}= {value!s:>20} / a comment".ljust(80) for key, value in header.items()) + "END".ljust(80)
    data = array.astype(array.dtype.newbyteorder(">")).tobytes()
    return text.ljust(-(-len(text) // 2880) * 2880).encode() + data + bytes(-len(data) % 2880)


def decoded(data, notes=None):
    [frame] = fits.read(io.BytesIO(data), ([] if notes is None else notes).append).frames()
    return frame.picture


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "i8", "f4", "f8"])
def test_every_type_is_read_upright(dtype):
    samples = (np.random.default_rng(0).random((3, 5)) * 100 - (50 if dtype != "u1" else 0)).astype(dtype)
    for data in (unit(samples[::-1]), unit(np.zeros(()), NAXIS=0) + unit(samples[::-1], first=False)):
        picture = decoded(data)
        assert picture.samples.dtype == samples.dtype
        assert np.array_equal(picture.samples, samples)
        assert picture.samples.dtype.isnative


@pytest.mark.parametrize(
    ("stored", "offset", "want"),
    [("i2", 32768, "u2"), ("i4", 2147483648, "u4"), ("i4", "2.147483648E9", "u4"), ("u1", -128, "i1")],
)
def test_offsets_that_stand_for_the_other_sign(stored, offset, want):
    info = np.iinfo(stored)
    samples = np.array([[info.min, -1 if info.min else 1, info.max]]).astype(stored)
    picture = decoded(unit(samples, BZERO=offset, BSCALE="1.0"))
    assert picture.samples.dtype == want
    assert np.array_equal(picture.samples.astype(float), samples.astype(float) + float(offset))


def test_16_bits_become_png(tmp_path):
    samples = np.array([[0, 1000, 65535], [1, 2, 3]], np.uint16)
    (tmp_path / "in.fits").write_bytes(unit((samples[::-1].astype(int) - 32768).astype(np.int16), BZERO=32768))
    ok("in.fits", "out.png", cwd=tmp_path)
    from PIL import Image

    with Image.open(tmp_path / "out.png") as image:
        assert np.array_equal(np.asarray(image), larger(samples))
    (tmp_path / "signed.fits").write_bytes(unit(np.array([[-5, 7]], np.int16)))
    ok("signed.fits", "out.npy", cwd=tmp_path)
    assert np.load(tmp_path / "out.npy")[0].tolist() == [-5, -5, 7, 7]


PLANE = np.zeros((3, 4), np.int16)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (unit(PLANE, BSCALE=2), "not supported: its values are scaled by BSCALE and BZERO"),
        (unit(PLANE, BZERO=100), "not supported: its values are scaled"),
        (unit(np.zeros((5, 3, 4), np.uint8)), "not supported: a FITS cube of 5 planes"),
        (unit(PLANE)[:-2880], "damaged: its data end too early"),
        (unit(PLANE)[:2000], "damaged: its header has no end"),
        (unit(PLANE, BITPIX=12), "damaged: BITPIX"),
        (unit(PLANE, NAXIS1="x"), "damaged: NAXIS1"),
        (unit(PLANE, BZERO="x"), "damaged: BSCALE or BZERO"),
        (unit(np.zeros(()), NAXIS=0), "has no picture"),
        (
            unit(np.zeros(()), NAXIS=0) + unit(PLANE.astype(np.uint8), False, XTENSION="'BINTABLE'", ZIMAGE="T"),
            "not supported: a compressed FITS picture",
        ),
    ],
)
def test_what_is_no_plain_picture_is_refused(data, words):
    with pytest.raises(ArgumentError, match="^" + words):
        decoded(data)


def test_a_cube_of_one_plane_is_a_picture_and_further_units_are_noted():
    samples = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    notes = []
    picture = decoded(unit(samples) + unit(PLANE, first=False), notes)
    assert np.array_equal(picture.samples, samples[0, ::-1])
    assert notes == ["the pictures and tables after its first picture were dropped"]

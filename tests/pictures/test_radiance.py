"""Radiance HDR: values, old and new run lengths, orientations and rounding, compared with an obviously right decoder."""

import numpy as np
import pytest
from helpers import decoded, encoded, larger, ok, read_frames, run

RNG = np.random.default_rng(0)
HEAD = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n"


def quads(size=(6, 10)):
    """Make pixels whose largest mantissa uses all of its bits."""
    made = RNG.integers(0, 256, (*size, 4), np.uint8)
    made[..., 0] |= 128
    made[..., 3] = RNG.integers(30, 255, size)
    made[0, 0] = 0
    return made


def floats(pixels):
    return (pixels[..., :3] * 2.0 ** (pixels[..., 3:].astype(float) - 136) * (pixels[..., 3:] > 0)).astype(np.float32)


def flat(pixels, axes=b"-Y %d +X %d\n"):
    return HEAD + axes % pixels.shape[:2] + pixels.tobytes()


def new_runs(pixels):
    """Encode each line by component, in literal runs."""
    lines = [b"\2\2" + len(row).to_bytes(2, "big") + b"".join(bytes([len(row)]) + c.tobytes() for c in row.T) for row in pixels]
    return HEAD + b"-Y %d +X %d\n" % pixels.shape[:2] + b"".join(lines)


@pytest.mark.parametrize("encode", [flat, new_runs])
def test_values(encode):
    pixels = quads()
    notes = []
    [frame] = decoded(encode(pixels), "a.hdr", notes)
    assert frame.picture.mode == "RGB;F" and np.array_equal(frame.picture.samples, floats(pixels)) and not notes


def test_old_runs():
    """A pixel of three ones repeats the one before; another one multiplies its count by 256."""
    a, b = bytes([200, 10, 20, 130]), bytes([1, 255, 7, 129])
    body = a + bytes([1, 1, 1, 9]) + b + bytes([1, 1, 1, 44]) + bytes([1, 1, 1, 1]) + a
    [frame] = decoded(HEAD + b"-Y 1 +X 312\n" + body, "a.hdr")
    want = np.frombuffer(a * 10 + b * 301 + a, np.uint8).reshape(1, 312, 4)
    assert np.array_equal(frame.picture.samples, floats(want))


AXES = {
    b"-Y %d +X %d\n": lambda a: a,
    b"-Y %d -X %d\n": lambda a: a[:, ::-1],
    b"+Y %d +X %d\n": lambda a: a[::-1],
    b"+Y %d -X %d\n": lambda a: a[::-1, ::-1],
    b"+X %d -Y %d\n": lambda a: a.swapaxes(0, 1),
    b"+X %d +Y %d\n": lambda a: a.swapaxes(0, 1)[::-1],
    b"-X %d -Y %d\n": lambda a: a.swapaxes(0, 1)[:, ::-1],
    b"-X %d +Y %d\n": lambda a: a.swapaxes(0, 1)[::-1, ::-1],
}


@pytest.mark.parametrize("axes", AXES, ids=lambda a: a.decode().split(" %d")[0] + a.decode()[6:8])
def test_orientations(tmp_path, axes):
    pixels = quads()
    (tmp_path / "in.hdr").write_bytes(flat(pixels, axes))
    ok("in.hdr", "out.hdr", cwd=tmp_path)
    _, [frame] = read_frames(tmp_path / "out.hdr")
    assert np.array_equal(frame.picture.samples, larger(AXES[axes](floats(pixels))))
    assert b"-Y " in (tmp_path / "out.hdr").read_bytes()


def test_the_header_is_kept(tmp_path):
    lines = b"# by hand\nEXPOSURE=2.5\nPRIMARIES=0.64 0.33 0.29 0.6 0.15 0.06 0.333 0.333\n"
    (tmp_path / "in.hdr").write_bytes(flat(quads()).replace(b"FORMAT", lines + b"FORMAT"))
    assert ok("in.hdr", "out.hdr", cwd=tmp_path).stderr == b""
    head = (tmp_path / "out.hdr").read_bytes().partition(b"\n\n")[0].splitlines()
    assert set(head[1:]) == {*lines.splitlines(), b"FORMAT=32-bit_rle_rgbe"}
    told = ok("in.hdr", "out.tif", cwd=tmp_path).stderr
    assert b"chromaticities" in told and b"lines of the Radiance header" in told


@pytest.mark.parametrize("size", [(5, 3), (40, 300), (2, 40000)], ids=str)
def test_other_floats_are_rounded_to_nearest_and_reported(size):
    samples = (RNG.random((*size, 3)) * 10.0 ** RNG.integers(-25, 30, (*size, 1))).astype(np.float32)
    samples[0, 0] = -1, 0, 2
    notes = []
    data = encoded(".hdr", samples, "RGB;F", notes=notes)
    got = decoded(data, "a.hdr")[0].picture.samples
    largest = samples.max(axis=2, keepdims=True)
    step = np.ldexp(1.0, np.frexp(largest)[1] - 8)
    step = np.where(largest / step >= 255.5, 2 * step, step)  # 256 has no 8 bits
    assert (np.abs(np.maximum(samples, 0) - got) <= 0.5 * step).all()
    assert notes == [
        "its samples were rounded to 8 bits with a common exponent, as Radiance HDR stores them, and negative values became 0"
    ]


def test_the_darkest_values_become_black_as_in_radiance_itself():
    notes = []
    samples = np.full((1, 2, 3), 1e-33, np.float32)
    assert not decoded(encoded(".hdr", samples, "RGB;F", notes=notes), "a.hdr")[0].picture.samples.any()
    assert len(notes) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, 3e38])
def test_values_that_cannot_be_stored(tmp_path, value):
    np.save(tmp_path / "in.npy", np.full((3, 4, 3), value, np.float32))
    done = run("in.npy", "out.hdr", cwd=tmp_path)
    assert done.returncode == 1 and b"Radiance HDR does not support" in done.stderr and not (tmp_path / "out.hdr").exists()


def test_xyz_is_refused():
    with pytest.raises(Exception, match="has colours in XYZ"):
        decoded(flat(quads()).replace(b"rgbe", b"xyze"), "a.hdr")


def test_data_with_this_suffix_that_is_no_picture_is_passed_over_in_folders(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "satellite.hdr").write_text("ENVI\nsamples = 4\n")
    (tmp_path / "in" / "light.hdr").write_bytes(flat(quads()))
    ok("in", "out", cwd=tmp_path)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["light.hdr"]


@pytest.mark.parametrize("encode", [flat, new_runs])
@pytest.mark.parametrize("where", [12, 36, 50, 0.5, 0.99])
def test_truncated_files_leave_nothing(tmp_path, encode, where):
    data = encode(quads((20, 30)))
    (tmp_path / "in.hdr").write_bytes(data[: where if isinstance(where, int) else int(where * len(data))])
    done = run("in.hdr", "out.hdr", cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1 and b"in.hdr: damaged" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["in.hdr"]

"""OpenEXR: values, channels and attributes, compared with what the OpenEXR package reads and writes by itself."""

import numpy as np
import OpenEXR
import pytest
from helpers import blocked, decoded, encoded, larger, ok, run

RNG = np.random.default_rng(0)


USUAL = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}


def write(path, channels, **header):
    with OpenEXR.File(USUAL | header, dict(channels)) as file:
        file.write(str(path))


def read(path):
    with OpenEXR.File(str(path), separate_channels=True) as file:
        return {name: np.array(c.pixels) for name, c in file.channels().items()}, dict(file.header())


def values(dtype, size=(7, 9)):
    array = RNG.normal(0, 100, size).astype(dtype)
    array.flat[:4] = np.nan, np.inf, -np.inf, np.finfo(dtype).smallest_subnormal
    return array


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("names", ["RGB", "RGBA", "Y", "YA", "Z"])
def test_nn_copies_every_value_in_its_own_depth(tmp_path, names, dtype):
    channels = {name: values(dtype) for name in names}
    write(tmp_path / "in.exr", channels, owner="me", expTime=0.5)
    assert ok("in.exr", "out.exr", cwd=tmp_path).stderr == b""
    got, header = read(tmp_path / "out.exr")
    assert set(got) == set(names) and header["owner"] == "me" and header["expTime"] == 0.5
    for name, before in channels.items():
        assert got[name].dtype == dtype
        assert np.array_equal(got[name], larger(before), equal_nan=True)


def test_the_package_reads_files_with_floats_of_both_depths(tmp_path):
    channels = {"R": values(np.float16), "G": values(np.float32), "B": values(np.float32)}
    write(tmp_path / "in.exr", channels)
    [frame] = decoded((tmp_path / "in.exr").read_bytes(), "in.exr")
    want = np.stack([channels[c].astype(np.float32) for c in "RGB"], axis=2)
    assert frame.picture.mode == "RGB;F" and np.array_equal(frame.picture.samples, want, equal_nan=True)


def test_tconv_of_halves_becomes_32_bits(tmp_path):
    write(tmp_path / "in.exr", {c: RNG.random((7, 9)).astype(np.float16) for c in "RGB"})
    ok("in.exr", "out.exr", "-m", "tconv", "-k", "bicubic", cwd=tmp_path)
    assert {array.dtype for array in read(tmp_path / "out.exr")[0].values()} == {np.dtype(np.float32)}


def test_colours_without_alpha_in_them_are_multiplied(tmp_path):
    notes = []
    samples = RNG.random((7, 9, 4)).astype(np.float32)
    (tmp_path / "a.exr").write_bytes(encoded(".exr", samples, "RGBA;F", notes=notes))
    got, _ = read(tmp_path / "a.exr")
    assert np.array_equal(got["R"], samples[..., 0] * samples[..., 3]) and np.array_equal(got["A"], samples[..., 3])
    assert notes == ["its colours were multiplied by alpha, as OpenEXR stores them"]
    ok("a.exr", "out.tif", "-f", "1", cwd=tmp_path)
    ok("out.tif", "back.exr", "-f", "1", cwd=tmp_path)
    assert np.array_equal(read(tmp_path / "back.exr")[0]["R"], got["R"])


def test_chromaticities(tmp_path):
    write(
        tmp_path / "in.exr", {c: values(np.float32) for c in "RGB"}, chromaticities=(0.7, 0.3, 0.2, 0.75, 0.1, 0.05, 0.31, 0.33)
    )
    ok("in.exr", "out.exr", cwd=tmp_path)
    assert np.allclose(read(tmp_path / "out.exr")[1]["chromaticities"], (0.7, 0.3, 0.2, 0.75, 0.1, 0.05, 0.31, 0.33))
    assert b"chromaticities" in ok("in.exr", "out.tif", cwd=tmp_path).stderr


def test_other_channels_beside_a_picture_are_reported(tmp_path):
    write(tmp_path / "in.exr", {c: values(np.float32) for c in ("R", "G", "B", "Z", "left.R")})
    assert b"its other channels were dropped: Z, left.R" in ok("in.exr", "out.exr", cwd=tmp_path).stderr


def test_channels_that_are_no_picture_keep_their_names(tmp_path):
    channels = {"forward.u": values(np.float32), "forward.v": values(np.float32)}
    write(tmp_path / "in.exr", channels)
    ok("in.exr", "out.exr", cwd=tmp_path)
    got, _ = read(tmp_path / "out.exr")
    assert all(np.array_equal(got[name], larger(before), equal_nan=True) for name, before in channels.items())
    assert b"has 2 channels of float32, which PNG does not support" in run("in.exr", "out.png", cwd=tmp_path).stderr


def test_parts_are_pages(tmp_path):
    window = {"displayWindow": ((0, 0), (9, 9))}
    pages = (("a", "Y", (4, 5)), ("b", "Z", (6, 3)))
    parts = [OpenEXR.Part(USUAL | window | {"name": n}, {c: values(np.float32, size)}) for n, c, size in pages]
    with OpenEXR.File(parts) as file:
        file.write(str(tmp_path / "in.exr"))
    assert b"becomes a TIFF file with 2 pages" in ok("in.exr", "out.tif", cwd=tmp_path).stderr
    assert b"has 2 pages, but OpenEXR stores only one" in run("in.exr", "out.exr", cwd=tmp_path).stderr
    ok("in.exr", "out.exr", "--frame", "1", cwd=tmp_path)
    assert read(tmp_path / "out.exr")[0]["Z"].shape == (12, 6)


def test_a_data_window_beside_the_display_window_is_reported(tmp_path):
    write(tmp_path / "in.exr", {"Y": values(np.float32)}, displayWindow=((0, 0), (99, 49)))
    assert b"its data window [0, 0, 8, 6] was enlarged" in ok("in.exr", "out.exr", cwd=tmp_path).stderr


def test_whole_numbers_and_mixed_channels(tmp_path):
    ids = RNG.integers(0, 1 << 32, (7, 9), np.uint32)
    write(tmp_path / "ids.exr", {"id": ids})
    ok("ids.exr", "out.exr", cwd=tmp_path)
    assert np.array_equal(read(tmp_path / "out.exr")[0]["id"], larger(ids))
    write(tmp_path / "mixed.exr", {"id": ids, "depth": values(np.float32)})
    assert b"both floats and whole numbers" in run("mixed.exr", "out.tif", cwd=tmp_path).stderr


def test_arrays(tmp_path):
    array = RNG.random((4, 5, 6)).astype(np.float16)
    np.save(tmp_path / "in.npy", array)
    ok("in.npy", "out.exr", cwd=tmp_path)
    got, _ = read(tmp_path / "out.exr")
    assert list(got) == [f"channel{n:03}" for n in range(6)]
    assert all(np.array_equal(got[f"channel{n:03}"], larger(array[..., n])) for n in range(6))
    np.save(tmp_path / "in.npy", array.astype(np.float64))
    assert b"channels of float64, which OpenEXR does not support" in run("in.npy", "no.exr", cwd=tmp_path).stderr
    assert not (tmp_path / "no.exr").exists()


def test_standard_streams(tmp_path):
    write(tmp_path / "in.exr", {c: values(np.float32) for c in "RGB"})
    ok("in.exr", "out.exr", cwd=tmp_path)
    assert ok("-", "-", stdin=(tmp_path / "in.exr").read_bytes()).stdout == (tmp_path / "out.exr").read_bytes()


@pytest.mark.parametrize("where", [5, 60, 0.3, 0.6, 0.9])
def test_truncated_files_leave_nothing(tmp_path, where):
    write(tmp_path / "in.exr", {c: values(np.float32, (90, 80)) for c in "RGB"})
    data = (tmp_path / "in.exr").read_bytes()
    data = data[: where if isinstance(where, int) else int(where * len(data))]
    (tmp_path / "in.exr").write_bytes(data)
    for arguments, stdin in ((("in.exr", "out.exr"), None), (("-", "-"), data)):
        done = run(*arguments, cwd=tmp_path, stdin=stdin)
        assert done.returncode == 1 and done.stderr.count(b"\n") == 1 and done.stdout == b"" and b"damaged" in done.stderr
        assert b"/tmp" not in done.stderr and b"picture.exr" not in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["in.exr"]


@pytest.mark.parametrize("arguments", [("in.exr", "out.tif"), ("in.npy", "out.exr")])
def test_without_the_package_the_message_says_what_to_install(tmp_path, arguments):
    write(tmp_path / "in.exr", {"Y": values(np.float32)})
    np.save(tmp_path / "in.npy", np.zeros((3, 4), np.float32))
    done = run(*arguments, cwd=tmp_path, env=blocked(tmp_path, "OpenEXR"))
    assert done.returncode == 1 and not (tmp_path / arguments[1]).exists()
    assert done.stderr.count(b"\n") == 1 and b'run pip install "upscale[exr]"' in done.stderr

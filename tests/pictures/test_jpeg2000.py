"""JPEG 2000: pixels exact beside a profile, which imagecodecs would apply, and boxes that OpenJPEG leaves out."""

import io

import imagecodecs
import numpy as np
import pytest
from helpers import decoded, encoded, larger, ok, run
from PIL import Image

from upscale.pictures import coding_points
from upscale.pictures.boxes import read_boxes
from upscale.pictures.formats import FORMATS, MODES

RNG = np.random.default_rng(0)
P3 = coding_points.make_profile(coding_points.PRIMARIES[12], coding_points.CURVES[13])
GREY = coding_points.make_profile(coding_points.PRIMARIES[1], (2.2,), grey=True)
ALL = [(suffix, mode) for suffix in (".jp2", ".j2k") for mode in FORMATS[suffix].modes]


def noise(mode, size=(20, 30)):
    base, dtype = MODES[mode]
    shape = size if base == "L" else (*size, len(base))
    return RNG.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@pytest.mark.parametrize("size", [(1, 1), (20, 30), (300, 5)], ids=str)
@pytest.mark.parametrize(("suffix", "mode"), ALL)
def test_pixels_are_exact_with_every_decoder(suffix, mode, size):
    samples = noise(mode, size)
    data = encoded(suffix, samples, mode)
    assert np.array_equal(imagecodecs.jpeg2k_decode(data), samples)
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == mode.partition(";")[0].replace("I", "I;16")
        if not mode.endswith(";16") or mode == "I;16":
            assert np.array_equal(np.asarray(image), samples)
    profile = {"icc_profile": GREY if mode[0] in "LI" else P3} if suffix == ".jp2" else {}
    [frame] = decoded(encoded(suffix, samples, mode, profile), suffix)
    assert frame.picture.mode == mode and np.array_equal(frame.picture.samples, samples)
    assert frame.picture.info == profile


@pytest.mark.parametrize("mode", ["LA", "RGBA", "RGBA;16"])
def test_alpha_is_declared(mode):
    data = encoded(".jp2", noise(mode), mode)
    [header] = [b for b in read_boxes(data) if b.kind == b"jp2h"]
    [box] = [b for b in read_boxes(data, header.contents, header.end) if b.kind == b"cdef"]
    channels = np.frombuffer(data[box.contents + 2 : box.end], ">u2").reshape(-1, 3).tolist()
    assert channels[-1] == [len(channels) - 1, 1, 0] and channels[:-1] == [[n, 0, n + 1] for n in range(len(channels) - 1)]


@pytest.mark.parametrize("dpi", [(72, 72), (300, 150), (0.5, 1200), (96.5, 90000)])
def test_the_resolution_is_that_which_pillow_reads(dpi):
    with Image.open(io.BytesIO(encoded(".jp2", noise("RGB"), "RGB", {"dpi": dpi}))) as image:
        assert np.allclose(image.info["dpi"], dpi, rtol=1e-3)


def test_the_comment_of_an_encoder_about_itself_is_none(tmp_path):
    (tmp_path / "in.jp2").write_bytes(encoded(".jp2", noise("RGB"), "RGB"))
    assert ok("in.jp2", "out.jp2", cwd=tmp_path).stderr == b""
    ok("in.jp2", "out.png", cwd=tmp_path)
    assert b"OpenJPEG" not in (tmp_path / "out.png").read_bytes()


def test_a_profile_whose_bytes_look_like_a_marker_does_not_hide_the_depth():
    samples = noise("RGB;16")
    profile = P3[:200] + b"\xff\x51" * 40 + P3[280:]
    [frame] = decoded(encoded(".jp2", samples, "RGB;16", {"icc_profile": profile}), "a.jp2")
    assert np.array_equal(frame.picture.samples, samples)


def test_enlarged_by_the_command(tmp_path):
    samples = noise("RGBA;16")
    (tmp_path / "in.jp2").write_bytes(encoded(".jp2", samples, "RGBA;16", {"icc_profile": P3}))
    for name in ("out.jp2", "out.png", "out.tif"):
        ok("in.jp2", name, cwd=tmp_path)
        [frame] = decoded((tmp_path / name).read_bytes(), name)
        assert np.array_equal(frame.picture.samples, larger(samples)) and frame.picture.info["icc_profile"] == P3
    assert b"--quality does not apply to JPEG 2000" in run("in.jp2", "out.jp2", "--quality", "9", cwd=tmp_path).stderr


@pytest.mark.parametrize("where", [14, 60, 0.3, 0.6])
@pytest.mark.parametrize("mode", ["RGB", "RGB;16"])
def test_truncated_files_leave_nothing(tmp_path, mode, where):
    data = encoded(".jp2", noise(mode, (90, 80)), mode, {"icc_profile": P3})
    (tmp_path / "in.jp2").write_bytes(data[: where if isinstance(where, int) else int(where * len(data))])
    done = run("in.jp2", "out.png", cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1 and b"in.jp2: " in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["in.jp2"]

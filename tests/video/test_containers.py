"""MP4, Matroska and WebM, by PyAV: frames, time stamps, and all that a video has besides; skipped where PyAV is missing."""

import os
import signal
from fractions import Fraction

import numpy as np
import pytest
from batches import begin, parts, wait_for
from helpers import SAMPLES, blocked, larger, ok, run

import upscale
from upscale.errors import ArgumentError, FileError

av = pytest.importorskip("av")

#: Time stamps of frames, in thousandths of a second: their distances vary.
TIMES = [0, 40, 100, 130, 250, 290]


def video(
    path, pixel_format="yuv420p", codec="libx264", *, size=(24, 32), times=TIMES, sound="", rotation=None, tags=(), **more
):
    """Encode noise, with sound, chapters and metadata as far as they are wanted."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, options={"qp": "0"} if "264" in codec else {})
        stream.height, stream.width, stream.pix_fmt = *size, pixel_format
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for name, value in tags:
            setattr(stream.codec_context, name, value)
        if rotation is not None:
            stream.set_display_rotation(rotation)
        voice = out.add_stream(sound, rate=48000) if sound else None
        if more.get("chapters"):
            out.set_chapters([
                {"id": i, "start": 100 * i, "end": 100 * i + 100, "time_base": Fraction(1, 1000), "metadata": {"title": f"{i}"}}
                for i in range(2)
            ])  # fmt: skip
            out.metadata["title"] = "noise"
        if more.get("attachment"):
            out.add_attachment("notes.txt", "text/plain", b"some text")
        for time in times:
            frame = av.VideoFrame(size[1], size[0], "rgb24" if pixel_format in ("rgb24", "bgr0") else pixel_format)
            for plane in frame.planes:
                plane.update(rng.integers(0, 4, plane.buffer_size, np.uint8).tobytes())
            if frame.format.name != pixel_format:
                frame = frame.reformat(format=pixel_format)
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            out.mux(stream.encode(frame))
        if voice is not None:
            wave = (8000 * np.sin(np.arange(14400) / 20)).astype(np.int16)
            for at in range(0, 14400, 960):
                chunk = av.AudioFrame.from_ndarray(wave[None, at : at + 960], format="s16", layout="mono")
                chunk.sample_rate, chunk.pts = 48000, at
                out.mux(voice.encode(chunk))
            out.mux(voice.encode(None))
        out.mux(stream.encode(None))


def contents(path):
    """Read the frames, the packets of other streams, and more."""
    with av.open(str(path)) as file:
        stream, frames, packets = file.streams.video[0], [], []
        for packet in file.demux():
            if packet.stream.index == stream.index:
                frames += packet.decode()
            elif packet.size:
                packets.append((packet.stream.codec_context.name, packet.pts * packet.time_base, bytes(packet)))
        first = frames[0]
        return {
            "times": [frame.pts * frame.time_base for frame in frames],
            "planes": [planes(frame) for frame in frames],
            "packets": packets,
            "chapters": [(c["start"] * c["time_base"], c["end"] * c["time_base"], c["metadata"]) for c in file.chapters()],
            "title": file.metadata.get("title"),
            "attachments": [(s.name, s.mimetype, s.data) for s in file.streams if s.type == "attachment"],
            "tags": [int(getattr(first, name)) for name in ("color_range", "color_primaries", "color_trc", "colorspace")],
            "rotation": first.rotation,
            "format": stream.format.name,
            "codec": stream.codec_context.name,
        }


def planes(frame):
    """Take a frame's planes; of RGB, one of (H, W, 3)."""
    if frame.format.is_rgb:
        return [frame.to_ndarray(format="rgb24")]
    dtype = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
    return [
        np.frombuffer(p, np.uint8).reshape(-1, p.line_size)[: p.height, : p.width * dtype().itemsize].copy().view(dtype)
        for p in frame.planes
    ]


KEPT = ("times", "packets", "chapters", "title", "attachments", "tags", "rotation")


@pytest.mark.parametrize(
    ("suffix", "more"),
    [
        (".mp4", {"sound": "aac", "chapters": True}),
        (".mov", {"sound": "aac", "rotation": 90}),
        (".mkv", {"sound": "libopus", "chapters": True, "attachment": True}),
        (".mkv", {"tags": [("color_range", 2), ("color_primaries", 9), ("color_trc", 16), ("colorspace", 9)]}),
    ],
)
def test_all_but_the_frames_is_kept(suffix, more, tmp_path):
    source, output = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    video(source, **more)
    ok(source, output, "--lossless")
    before, after = contents(source), contents(output)
    assert {key: before[key] for key in KEPT} == {key: after[key] for key in KEPT}
    assert before["times"] == [Fraction(time, 1000) for time in TIMES]
    assert bool(before["packets"]) == ("sound" in more) and after["codec"] == "h264"
    for one, other in zip(before["planes"], after["planes"], strict=True):
        assert all(np.array_equal(larger(p), q) for p, q in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("pixel_format", "codec", "suffix", "options"),
    [
        ("yuv444p", "libx264", ".mp4", ["--lossless"]),
        ("yuv422p10le", "libx264", ".mkv", ["--lossless"]),
        ("gray", "libx264", ".mp4", ["--lossless"]),
        ("rgb24", "libx264rgb", ".mp4", ["--lossless"]),
        ("rgb24", "libx264rgb", ".mkv", ["--codec", "ffv1"]),
        ("yuv420p12le", "ffv1", ".mkv", ["--codec", "ffv1"]),
        ("bgr0", "ffv1", ".mkv", ["--codec", "h264", "--lossless"]),
    ],
)
def test_lossless_pixel_art_is_exact(pixel_format, codec, suffix, options, tmp_path):
    source, output = tmp_path / "a.mkv", tmp_path / f"b{suffix}"
    video(source, pixel_format, codec)
    ok(source, output, "-f", "3", *options)
    for one, other in zip(contents(source)["planes"], contents(output)["planes"], strict=True):
        assert all(np.array_equal(larger(p, 3), q) for p, q in zip(one, other, strict=True))


def test_full_chroma_and_kernels(tmp_path):
    video(tmp_path / "a.mkv")
    ok(tmp_path / "a.mkv", tmp_path / "b.mkv", "-k", "bicubic", "--lossless", "--chroma", "444")
    before, after = contents(tmp_path / "a.mkv")["planes"], contents(tmp_path / "b.mkv")
    assert after["format"] == "yuv444p"
    for one, other in zip(before, after["planes"], strict=True):
        assert np.array_equal(upscale.enlarge(one[0], 2, kernel="bicubic"), other[0])


@pytest.mark.parametrize("codec", ["vp9", "h265", "av1"])
def test_other_codecs(codec, tmp_path):
    video(tmp_path / "a.mkv", size=(64, 64))
    done = ok(tmp_path / "a.mkv", tmp_path / "b.mkv", "--codec", codec, "--crf", "10")
    assert not done.stderr  # encoders may print much
    after = contents(tmp_path / "b.mkv")
    assert after["codec"].removeprefix("lib").startswith({"h265": "hevc", "av1": ("av1", "dav1d")}.get(codec, codec))
    assert after["times"] == [Fraction(time, 1000) for time in TIMES] and after["planes"][0][0].shape == (128, 128)


def test_odd_sizes(tmp_path):
    video(tmp_path / "a.mkv", "yuv420p", "ffv1", size=(25, 33))
    done = run(tmp_path / "a.mkv", tmp_path / "b.mkv", "-f", "3")
    assert done.returncode == 1 and b"h264 cannot encode 99x75 with subsampled chroma; use an even factor" in done.stderr
    before = contents(tmp_path / "a.mkv")["planes"]
    for options in (["-f", "3", "--codec", "ffv1"], ["-f", "2", "--lossless"]):
        ok(tmp_path / "a.mkv", tmp_path / "b.mkv", *options)
        for one, other in zip(before, contents(tmp_path / "b.mkv")["planes"], strict=True):
            for p, q in zip(one, other, strict=True):
                assert np.array_equal(larger(p, int(options[1]))[: q.shape[0], : q.shape[1]], q)


def test_what_webm_cannot_store(tmp_path):
    video(tmp_path / "a.mkv", sound="libopus", attachment=True)
    done = ok(tmp_path / "a.mkv", tmp_path / "b.webm", "-v")
    assert b"its attachment stream cannot be stored in WebM, and was dropped" in done.stderr
    assert b"32x24" in done.stderr and b"64x48, WebM, 6 frames" in done.stderr
    assert contents(tmp_path / "b.webm")["packets"] == contents(tmp_path / "a.mkv")["packets"]
    video(tmp_path / "c.mp4", sound="aac")
    done = run(tmp_path / "c.mp4", tmp_path / "d.webm")
    assert done.returncode == 1 and b"its audio stream (aac) cannot be stored in WebM" in done.stderr
    assert not (tmp_path / "d.webm").exists()


@pytest.mark.parametrize(
    ("target", "options", "status", "message"),
    [
        ("b.png", [], 1, "cannot be written as PNG; choose an OUTPUT that ends in .mp4"),
        ("b.y4m", [], 1, "cannot be written as YUV4MPEG2"),
        ("-", [], 1, "MP4 can only be written to a file"),
        ("b.mp4", ["--quality", "3"], 2, "--quality does not apply to MP4"),
        ("b.mp4", ["--strip"], 2, "--strip does not apply to video"),
        ("b.mp4", ["--crf", "60"], 1, "--crf: h264 takes 0 to 51, not 60"),
        ("b.mp4", ["--codec", "ffv1", "--crf", "5"], 1, "--crf: ffv1 is always lossless"),
        ("b.mp4", ["--codec", "av1", "--lossless"], 1, "--lossless: av1 has no lossless mode"),
        ("b.mp4", ["--codec", "divx"], 2, "--codec"),
    ],
)
def test_what_does_not_go_together(target, options, status, message, tmp_path):
    video(tmp_path / "a.mp4")
    done = run("a.mp4", target, *options, cwd=tmp_path)
    assert done.returncode == status and message in done.stderr.decode() and done.stderr.count(b"\n") == 1
    assert os.listdir(tmp_path) == ["a.mp4"]


def test_options_of_videos_do_not_apply_to_pictures(tmp_path):
    for option in (["--codec", "h264"], ["--crf", "3"]):
        done = run(SAMPLES / "potion.png", tmp_path / "b.png", *option)
        assert done.returncode == 2 and f"{option[0]} does not apply to PNG" in done.stderr.decode()


def test_damaged_videos(tmp_path):
    video(tmp_path / "a.mkv", size=(64, 64))
    data = (tmp_path / "a.mkv").read_bytes()
    for number, broken in enumerate((data[:300], b"", bytes(1000))):
        (tmp_path / f"{number}.mkv").write_bytes(broken)
        done = run(tmp_path / f"{number}.mkv", tmp_path / "b.mkv")
        assert done.returncode == 1 and done.stderr.count(b"\n") == 1 and f"{number}.mkv: " in done.stderr.decode()
    with av.open(str(tmp_path / "sound.mp4"), "w") as out:
        voice = out.add_stream("aac", rate=48000)
        out.mux(voice.encode(None))
    done = run(tmp_path / "sound.mp4", tmp_path / "b.mp4")
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1
    assert not (tmp_path / "b.mkv").exists() and not (tmp_path / "b.mp4").exists()


def test_folders_leave_videos_alone_unless_they_are_named(tmp_path):
    (tmp_path / "in").mkdir()
    video(tmp_path / "in" / "a.mp4")
    (tmp_path / "in" / "b.png").write_bytes((SAMPLES / "potion.png").read_bytes())
    ok("in", "out", cwd=tmp_path)
    assert os.listdir(tmp_path / "out") == ["b.png"]
    ok("in/a.mp4", "in/b.png", "named", cwd=tmp_path)
    assert sorted(os.listdir(tmp_path / "named")) == ["a.mp4", "b.png"]
    again = ok("in/a.mp4", "named", "--skip-existing", "-v", cwd=tmp_path)
    assert b"skipped" in again.stderr


def test_an_interrupt_leaves_nothing(tmp_path):
    video(tmp_path / "a.mkv", size=(480, 640), times=range(0, 4000, 20))
    process = begin(tmp_path / "a.mkv", tmp_path / "b.mkv", "--codec", "h265")
    wait_for(lambda: parts(tmp_path))
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130 and b"interrupted" in process.communicate()[1]
    assert os.listdir(tmp_path) == ["a.mkv"]


def test_without_pyav(tmp_path):
    video(tmp_path / "a.mp4")
    done = run(tmp_path / "a.mp4", tmp_path / "b.mp4", env=blocked(tmp_path, "av"))
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1
    assert b'a.mp4: is a video; to enlarge it, run pip install "upscale[video]"' in done.stderr


def test_the_library(tmp_path):
    video(tmp_path / "a.mp4")
    result = upscale.enlarge_file(tmp_path / "a.mp4", tmp_path / "b.mp4", 2, codec="h264", crf=30)
    assert (result.format, result.frames, result.size, result.out_size) == ("MP4", 6, (32, 24), (64, 48))
    assert result.bytes_out == (tmp_path / "b.mp4").stat().st_size
    with pytest.raises(FileError, match="cannot be written as PNG"):
        upscale.enlarge_file(tmp_path / "a.mp4", tmp_path / "b.png")
    with pytest.raises(ArgumentError, match="crf must be a whole number"):
        upscale.enlarge_file(tmp_path / "a.mp4", tmp_path / "b.mp4", crf=99)

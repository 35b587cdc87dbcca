"""YUV4MPEG2 streams through the real command: every frame, every plane, every parameter; and what is wrong with streams."""

import contextlib
import io
import json
import os
import signal
import subprocess

import numpy as np
import pytest
from batches import begin, parts, wait_for
from helpers import SAMPLES, UPSCALE, larger, ok, run
from video_streams import depth_of, parsed, random_frames, stream

import upscale
from upscale.errors import ArgumentError, FileError

CHROMAS = ["420jpeg", "420", "420mpeg2", "420paldv", "420p10", "422", "422p14", "411", "444", "444p12", "444alpha"]
CHROMAS += ["mono", "mono9", "mono16"]
#: Of these, chroma is in the middle of its luma samples, or on its only one.
CENTRED = ["420jpeg", "444", "444p12", "mono", "mono10", "mono16"]


def enlarged(frames, chroma, *options):
    """Run the command from a pipe to a pipe."""
    return parsed(ok("-", "-", *options, stdin=stream(frames, chroma)).stdout)


@pytest.mark.parametrize("chroma", CHROMAS)
@pytest.mark.parametrize("size", [(6, 8), (5, 7)])
def test_nn_duplicates_every_plane(chroma, size):
    frames = random_frames(chroma, size)
    head, lines, made = enlarged(frames, chroma, "-f", "3")
    assert head == f"YUV4MPEG2 W{3 * size[1]} H{3 * size[0]} F25:1 Ip A1:1 C{chroma}"
    assert lines == ["FRAME"] * len(frames) and len(made) == len(frames)
    for before, after in zip(frames, made, strict=True):
        for plane, result in zip(before, after, strict=True):
            assert np.array_equal(result, larger(plane, 3)[: result.shape[0], : result.shape[1]])


@pytest.mark.parametrize("chroma", ["420mpeg2", "420jpeg", "422", "411", "420p10", "444", "mono"])
def test_nn_with_full_chroma_duplicates_as_far_as_luma(chroma):
    frames = random_frames(chroma, (5, 7))
    head, _, made = enlarged(frames, chroma, "-f", "3x2", "--chroma", "444")
    expected = {"420p10": "444p10", "mono": "mono"}.get(chroma, "444")
    assert head.endswith(f"C{expected}")
    for before, after in zip(frames, made, strict=True):
        down, across = (2, 2) if "420" in chroma else (1, {"422": 2, "411": 4}.get(chroma, 1))
        scales = [(1, 1), (down, across), (down, across)]
        for plane, result, (v, h) in zip(before, after, scales, strict=False):
            assert result.shape == (10, 21)
            assert np.array_equal(result, plane.repeat(2 * v, 0).repeat(3 * h, 1)[:10, :21])


@pytest.mark.parametrize("chroma", CENTRED)
@pytest.mark.parametrize("kernel", ["bicubic", "lanczos3", "1,2,1; 2,4,2; 1,2,1"])
def test_planes_are_enlarged_as_pictures(chroma, kernel):
    frames = random_frames(chroma, (12, 10))
    _, _, made = enlarged(frames, chroma, "-k", kernel, "--normalize", "--edge", "replicate")
    for before, after in zip(frames, made, strict=True):
        for plane, result in zip(before, after, strict=True):
            still = upscale.enlarge(plane, 2, kernel=kernel, normalize=True, edge="replicate")
            assert np.array_equal(result, np.minimum(still, (1 << depth_of(chroma)) - 1))


@pytest.mark.parametrize("engine", ["numba", "numpy"])
def test_the_engines_agree(engine):
    frames = random_frames("420mpeg2", (9, 16))
    made = ok("-", "-", "-k", "mitchell", "--engine", engine, stdin=stream(frames, "420mpeg2")).stdout
    assert made == ok("-", "-", "-k", "mitchell", stdin=stream(frames, "420mpeg2")).stdout


def test_deep_kernels_enlarge_luma():
    frames = random_frames("420jpeg", (12, 10), number=1)
    _, _, ((luma, *chroma),) = enlarged(frames, "420jpeg", "-k", "deep")
    assert np.array_equal(luma, upscale.enlarge(frames[0][0], 2, kernel="deep"))
    for plane, result in zip(frames[0][1:], chroma, strict=True):
        assert np.array_equal(result, upscale.enlarge(plane, 2, kernel="bicubic"))


def test_parameters_are_kept():
    frames = random_frames("420jpeg", (4, 6))
    head = "YUV4MPEG2 W6 H4 F30000:1001 I? A10:11 C420jpeg XYSCSS=420JPEG XCOLORRANGE=FULL Xsome=thing\n"
    lines = ["FRAME\n", "FRAME Xa=1\n", "FRAME Ipp\n"]
    for options, changed in (
        ((), ("W6 H4", "W12 H8")),
        (
            ("--chroma", "444"),
            ("W6 H4 F30000:1001 I? A10:11 C420jpeg XYSCSS=420JPEG", "W12 H8 F30000:1001 I? A10:11 C444 XYSCSS=444"),
        ),
    ):
        made = parsed(ok("-", "-", *options, stdin=stream(frames, "", head=head, lines=lines)).stdout)
        assert made[0] == head.strip().replace(*changed)
        assert made[1] == [line.strip() for line in lines]


@pytest.mark.parametrize("head", ["YUV4MPEG2 W4 H4 F25:1\n", "YUV4MPEG2 H4  W4 Ip\n", "YUV4MPEG2 W4 H4 XYSCSS=420MPEG2\n"])
def test_parameters_may_be_missing(head):
    frames = random_frames("420jpeg", (4, 4), number=1)
    made = parsed(ok("-", "-", "--chroma", "444", stdin=stream(frames, "", head=head)).stdout)
    assert made[0].endswith(" C444") and np.array_equal(made[2][0][1], larger(frames[0][1], 4))
    made = parsed(ok("-", "-", stdin=stream(frames, "", head=head)).stdout)
    assert " C4" not in made[0] and np.array_equal(made[2][0][1], larger(frames[0][1]))


def test_the_older_parameter_for_chroma():
    frames = random_frames("422", (4, 4), number=1)
    made = ok("-", "-", stdin=stream(frames, "", head="YUV4MPEG2 W4 H4 XYSCSS=422\n")).stdout
    assert np.array_equal(parsed(made.replace(b"XYSCSS=", b"C"))[2][0][1], larger(frames[0][1]))


def test_files_and_pipes_give_the_same(tmp_path):
    data = stream(random_frames("422p10", (8, 10), number=7), "422p10")
    (tmp_path / "a.y4m").write_bytes(data)
    ok("a.y4m", "b.y4m", "-k", "bicubic", cwd=tmp_path)
    streamed = ok("-", "-", "-k", "bicubic", stdin=data).stdout
    assert (tmp_path / "b.y4m").read_bytes() == streamed
    assert ok("a.y4m", "-", "-k", "bicubic", cwd=tmp_path).stdout == streamed
    ok("-", "c.y4m", "-k", "bicubic", stdin=data, cwd=tmp_path)
    assert (tmp_path / "c.y4m").read_bytes() == streamed
    (tmp_path / "named_as_a_picture.png").write_bytes(data)
    ok("named_as_a_picture.png", "d.y4m", "-k", "bicubic", cwd=tmp_path)
    assert (tmp_path / "d.y4m").read_bytes() == streamed


def test_frames_come_out_while_others_are_still_to_come():
    frames = random_frames("420jpeg", (64, 64), number=1)
    first = stream(frames, "420jpeg")
    process = subprocess.Popen([UPSCALE, "-", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(first)
    process.stdin.flush()
    begins = process.stdout.read(len(b"YUV4MPEG2 W128 H128 F25:1 Ip A1:1 C420jpeg\n") + 6 + 128 * 128 * 3 // 2)
    assert np.array_equal(parsed(begins)[2][0][0], larger(frames[0][0]))
    rest, _ = process.communicate(first.partition(b"\n")[2])
    assert np.array_equal(parsed(begins + rest)[2][1][1], larger(frames[0][1])) and process.returncode == 0


WRONG = {
    b"YUV4MPEG2 W4": "damaged: its header line is incomplete",
    b"YUV4MPEG2 H4 F25:1\nFRAME\n": "damaged: its header has no width",
    b"YUV4MPEG2 W4 H0 F25:1\nFRAME\n": "damaged: its header has the height '0'",
    b"YUV4MPEG2 W-4 H4\nFRAME\n": "damaged: its header has the width '-4'",
    b"YUV4MPEG2 W4 H4 It\nFRAME\n": "is interlaced (top field first); deinterlace it first",
    b"YUV4MPEG2 W4 H4 Ib\nFRAME\n": "is interlaced (bottom field first)",
    b"YUV4MPEG2 W4 H4 Im\nFRAME\n": "is interlaced (mixed)",
    b"YUV4MPEG2 W4 H4 C410\nFRAME\n": "has the chroma format '410', which is not supported",
    b"YUV4MPEG2 W4 H4 C420p20\nFRAME\n": "has the chroma format '420p20', which is not supported",
    b"YUV4MPEG2 W4 H4\n": "is a video without frames",
    b"YUV4MPEG2 W4 H4\nframe\n": "damaged: there is no frame where frame 1 should begin",
    b"YUV4MPEG2 W4 H4\nFRAME\n" + bytes(24) + b"xyz": "damaged: there is no frame where frame 2 should begin",
    b"YUV4MPEG2 W4 H4\nFRAME\n" + bytes(24) + b"FRA": "truncated: it ends within frame 2; the output ends with frame 1",
    b"YUV4MPEG2 W4 H4\nFRAME\n" + bytes(23): "truncated: it ends within frame 1",
    b"YUV4MPEG2 W4 H4\nFRAME\n" + bytes(24) + b"FRAME\n" + bytes(5): "truncated: it ends within frame 2",
    b"YUV4MPEG2 W4 H4\nFRAME\n" + bytes(24) + b"YUV4MPEG2 W8 H8\nFRAME\n": "has a second stream behind frame 1",
    b"YUV4MPEG2 W400000 H400000\nFRAME\n": "is more than 178,956,970 pixels",
}  # fmt: skip


@pytest.mark.parametrize(("data", "message"), WRONG.items())
def test_wrong_streams(data, message, tmp_path):
    done = run("-", "-", stdin=data)
    assert done.returncode == 1
    assert f"standard input: {message}" in done.stderr.decode().replace("400000x400000 ", "") and done.stderr.count(b"\n") == 1
    complete = data.count(bytes(24)) == 1
    assert len(parsed(done.stdout)[2]) == 1 if complete else not done.stdout
    (tmp_path / "a.y4m").write_bytes(data)
    done = run("a.y4m", "b.y4m", cwd=tmp_path)
    assert done.returncode == 1 and message.partition(";")[0] in done.stderr.decode() and done.stderr.count(b"\n") == 1
    assert os.listdir(tmp_path) == ["a.y4m"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--depth", "8"], "--depth does not apply to video"),
        (["--frame", "1"], "--frame does not apply to video"),
        (["--to-rgb"], "--to-rgb does not apply to video"),
        (["--background", "white"], "--background does not apply to video"),
        (["--quality", "5"], "--quality does not apply to YUV4MPEG2"),
        (["--compression", "small"], "--compression does not apply to YUV4MPEG2"),
        (["-k", "bicubic", "--linear"], "--linear is not supported for video"),
        (["-k", "zero"], "needs a normalised kernel"),
        (["-k", "bicubic", "--padding", "1"], "video needs --padding same"),
        (["-k", "bicubic", "--bias", "1"], "video does not support a bias"),
        (["--chroma", "422"], "--chroma"),
    ],
)
def test_options_that_do_not_apply(options, message):
    done = run("-", "-", *options, stdin=stream(random_frames("420jpeg", (8, 8)), "420jpeg"))
    assert done.returncode == 2 and message in done.stderr.decode() and done.stderr.count(b"\n") == 1 and not done.stdout


def test_alpha_needs_nn():
    done = run("-", "-", "-k", "bicubic", stdin=stream(random_frames("444alpha", (4, 4)), "444alpha"))
    assert done.returncode == 2 and b"a video with alpha can only be enlarged by nn" in done.stderr


def test_kernels_that_mix_channels(tmp_path):
    np.save(tmp_path / "k.npy", np.ones((3, 3, 4, 4)))
    done = run("-", "-", "-k", tmp_path / "k.npy", stdin=stream(random_frames("444", (4, 4)), "444"))
    assert done.returncode == 2 and b"mixes colour channels" in done.stderr


def test_pictures_and_videos_do_not_become_each_other(tmp_path):
    (tmp_path / "a.y4m").write_bytes(stream(random_frames("mono", (4, 4)), "mono"))
    for source, target in (("a.y4m", "b.png"), (SAMPLES / "potion.png", "b.y4m")):
        done = run(source, target, cwd=tmp_path)
        assert done.returncode == 1 and b"cannot be written as" in done.stderr and done.stderr.count(b"\n") == 1
    done = run(SAMPLES / "potion.png", tmp_path / "b.png", "--chroma", "444")
    assert done.returncode == 2 and b"--chroma does not apply to PNG" in done.stderr
    assert os.listdir(tmp_path) == ["a.y4m"]


def test_notes():
    grey = run("-", "-", "--chroma", "444", stdin=stream(random_frames("mono", (4, 4)), "mono"))
    assert b"has no chroma, so --chroma 444 changes nothing" in grey.stderr and grey.returncode == 0
    kernel = ("-k", "1,2,1;2,4,2;1,2,1", "--normalize")
    shifted = run("-", "-", *kernel, stdin=stream(random_frames("420mpeg2", (8, 8)), "420mpeg2"))
    assert b"chroma is enlarged by bicubic, since only presets can be sampled" in shifted.stderr and shifted.returncode == 0
    assert not run("-", "-", *kernel, stdin=stream(random_frames("420jpeg", (8, 8)), "420jpeg")).stderr


def test_batches_dry_runs_json_and_resuming(tmp_path):
    (tmp_path / "in").mkdir()
    data = stream(random_frames("420jpeg", (8, 10), number=4), "420jpeg")
    (tmp_path / "in" / "a.y4m").write_bytes(data)
    (tmp_path / "in" / "b.y4m").write_bytes(data[:-1])
    (tmp_path / "in" / "c.png").write_bytes((SAMPLES / "potion.png").read_bytes())
    planned = ok("in", "out", "-n", cwd=tmp_path).stdout.decode()
    assert "a.y4m (10x8) -> " in planned and "a.y4m (20x16, factor 2, YUV4MPEG2)" in planned and not (tmp_path / "out").exists()
    done = run("in", "out", "--json", cwd=tmp_path)
    lines = {os.path.basename(line["input"]): line for line in map(json.loads, done.stdout.splitlines())}
    assert done.returncode == 1 and lines["b.y4m"]["error"].endswith("truncated: it ends within frame 4")
    assert lines["a.y4m"]["frames"] == 4 and lines["a.y4m"]["output_size"] == [20, 16]
    assert lines["a.y4m"]["bytes"] == len(data) and lines["c.png"]["status"] == "written"
    made = tmp_path / "out" / "a.y4m"
    assert lines["a.y4m"]["output_bytes"] == made.stat().st_size
    assert made.read_bytes() == ok("-", "-", stdin=data).stdout and not (tmp_path / "out" / "b.y4m").exists()

    again = run("in/a.y4m", "out", "--skip-existing", "-v", cwd=tmp_path)
    assert again.returncode == 0 and b"skipped" in again.stderr and b"does not record its settings" in again.stderr
    other = run("in/a.y4m", "out", "--skip-existing", "-f", "3", cwd=tmp_path)
    assert other.returncode == 1 and b"replace it with --overwrite" in other.stderr
    made.write_bytes(made.read_bytes()[:-1])
    assert run("in/a.y4m", "out", "--skip-existing", cwd=tmp_path).returncode == 1
    ok("in/a.y4m", "out", "--overwrite", cwd=tmp_path)
    assert parsed(made.read_bytes())[2][3][0].shape == (16, 20)
    mixed = run("in/a.y4m", "in/c.png", "other", "--depth", "8", cwd=tmp_path)
    assert mixed.returncode == 1 and b"a.y4m: --depth does not apply to video" in mixed.stderr
    assert os.listdir(tmp_path / "other") == ["c.png"]


def test_the_verbose_report():
    done = run("-", "-", "-v", stdin=stream(random_frames("422", (8, 10), number=4), "422"))
    assert b"output: standard output: 20x16, YUV4MPEG2, 4 frames" in done.stderr


def test_a_reader_that_has_seen_enough():
    data = stream(random_frames("444", (200, 200), number=20), "444")
    process = begin("-", "-", stdin=subprocess.PIPE)
    process.stdin.write(data[: len(data) // 10])
    process.stdin.flush()
    assert process.stdout.read(10) == data[:10]
    process.stdout.close()
    with contextlib.suppress(BrokenPipeError):  # nobody reads what is left
        process.stdin.write(data[len(data) // 10 :])
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    assert process.wait(60) == 1 and process.stderr.read() == b""
    process.stderr.close()


def test_an_interrupted_stream_ends_early():
    data = stream(random_frames("444", (40, 40), number=3), "444")
    process = begin("-", "-", stdin=subprocess.PIPE)
    process.stdin.write(data)
    process.stdin.flush()
    assert process.stdout.read(10) == data[:10]
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130 and process.stderr.read() == b"upscale: interrupted, the output ends early\n"
    for pipe in (process.stdin, process.stdout, process.stderr):
        pipe.close()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_named_pipes(tmp_path):
    data = stream(random_frames("444", (40, 40), number=3), "444")
    os.mkfifo(tmp_path / "in")
    os.mkfifo(tmp_path / "out")
    process = begin(tmp_path / "in", tmp_path / "out")
    reader = subprocess.Popen(["cat", tmp_path / "out"], stdout=subprocess.PIPE)
    (tmp_path / "in").write_bytes(data)
    assert reader.communicate()[0] == ok("-", "-", stdin=data).stdout and process.wait(30) == 0
    process.communicate()


def test_an_interrupt_leaves_nothing(tmp_path):
    process = begin("-", tmp_path / "out.y4m", stdin=subprocess.PIPE)
    process.stdin.write(stream(random_frames("444", (40, 40), number=3), "444"))
    process.stdin.flush()
    wait_for(lambda: parts(tmp_path))
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130 and b"interrupted" in process.communicate()[1]
    assert os.listdir(tmp_path) == []


def test_the_library(tmp_path):
    frames = random_frames("420mpeg2", (8, 10))
    data = stream(frames, "420mpeg2")
    target = io.BytesIO()
    result = upscale.enlarge_file(io.BytesIO(data), target, 2, chroma="444")
    assert result.status == "written" and result.format == "YUV4MPEG2" and result.frames == 3 and result.out_size == (20, 16)
    assert np.array_equal(parsed(target.getvalue())[2][2][0], larger(frames[2][0]))
    (tmp_path / "a.y4m").write_bytes(data)
    upscale.enlarge_file(tmp_path / "a.y4m", tmp_path / "b.y4m", 2, chroma="444")
    assert (tmp_path / "b.y4m").read_bytes() == target.getvalue()
    with pytest.raises(FileError, match="truncated"):
        upscale.enlarge_file(io.BytesIO(data[:-1]), io.BytesIO(), 2)
    with pytest.raises(ArgumentError, match="chroma must be one of"):
        upscale.enlarge_file(tmp_path / "a.y4m", tmp_path / "b.y4m", 2, chroma="420")


def test_the_largest_factor_that_fits():
    frames = random_frames("420jpeg", (6, 8))
    head, _, made = enlarged(frames, "420jpeg", "--fit", "33x100")
    assert " W32 H24 " in head and np.array_equal(made[0][0], larger(frames[0][0], 4))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--fit", "7x100"), b"--fit 7x100: the picture, 8x6, is larger"),
        (("--size", "12x", "-k", "bicubic"), b"a video can only be enlarged by whole factors; --fit chooses"),
        (("-k", "learned", "-f", "8", "--normalize"), b"by a factor that the kernel itself has"),
        (("-k", "bicubic", "--tile", "4x3"), b"--tile is not supported for video"),
    ],
)
def test_sizes_and_tiles_that_a_video_cannot_have(options, text):
    done = run("-", "-", *options, stdin=stream(random_frames("444", (6, 8)), "444"))
    assert done.returncode in (1, 2) and text in done.stderr and done.stderr.count(b"\n") == 1 and not done.stdout

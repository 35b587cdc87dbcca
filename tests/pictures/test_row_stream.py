"""PNG pictures that are decoded while they are enlarged: the same pixels, notes and errors as decoded before."""

import contextlib
import io
import resource
import struct
import subprocess
import sys
import threading
import time
import zlib

import numpy as np
import pytest
from helpers import UPSCALE
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import upscale
from upscale import threads
from upscale.errors import FileError
from upscale.loops import compiled, numpy_loops
from upscale.loops.png_unfilter import png_unfilter
from upscale.pictures import row_stream
from upscale.pictures.png import png_reader
from upscale.pictures.png.png_format import SIGNATURE, chunk
from upscale.pictures.reading import Source

COLOURS = {"L": (0, 1), "RGB": (2, 3), "P": (3, 1), "LA": (4, 2), "RGBA": (6, 4)}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Decode small pictures in bands, too, and in many."""
    monkeypatch.setattr(png_reader, "_MIN_STREAMED", 1)
    monkeypatch.setattr(row_stream, "_BLOCK", 300)
    monkeypatch.setattr(row_stream, "_AHEAD", 1000)
    monkeypatch.setattr(row_stream, "PIECE", 77)


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def number_of_threads(request):
    threads.use(request.param)
    yield
    threads.use(0)


def undone(filtered, above, step):
    """Undo filters as the specification defines them."""
    out = np.zeros((len(filtered), filtered.shape[1] - 1), np.uint8)
    for y, (kind, *row) in enumerate(filtered.tolist()):
        last = above if y == 0 else out[y - 1]
        for x, value in enumerate(row):
            a, b, c = (int(v) for v in (out[y, x - step] * (x >= step), last[x], last[x - step] * (x >= step)))
            paeth = min((abs(a + b - c - v), i, v) for i, v in enumerate((a, b, c)))[2]
            out[y, x] = (value + [0, a, b, (a + b) // 2, paeth][kind]) % 256
    return out


def png(samples, mode, *, pieces=900, filters=None, data=None, before=(), header=None):
    """Encode samples with rows of all filters, in chunks of so many bytes."""
    colour, channels = COLOURS[mode]
    height, width = samples.shape[:2]
    depth = 8 * samples.itemsize
    rows = samples.reshape(height, -1).astype(f">u{samples.itemsize}").view(np.uint8).reshape(height, -1).astype(int)
    step = channels * samples.itemsize
    lines = []
    for y, row in enumerate(rows):
        kind = filters[y] if filters is not None else y % 5
        last = rows[y - 1] if y else np.zeros_like(row)
        left, corner = (np.concatenate((np.zeros(step, int), a[:-step]))[: len(row)] for a in (row, last))
        near = zip(left, last, corner, strict=True)
        paeth = np.array([min((abs(a + b - c - v), i, v) for i, v in enumerate((a, b, c)))[2] for a, b, c in near])
        guess = [0, left, last, (left + last) // 2, paeth][kind if kind < 5 else 0]
        lines.append(bytes([kind]) + ((row - guess) % 256).astype(np.uint8).tobytes())
    packed = zlib.compress(b"".join(lines)) if data is None else data(b"".join(lines))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))]
    if mode == "P":
        chunks.append((b"PLTE", bytes(range(256)) * 3))
    chunks += before
    chunks += [(b"IDAT", packed[at : at + pieces]) for at in range(0, len(packed), pieces)]
    return SIGNATURE + b"".join(chunk(*c) for c in [*chunks, (b"IEND", b"")])


def picture(mode, size=(41, 30), deep=False, seed=0):
    rng = np.random.default_rng(seed)
    channels = COLOURS[mode][1]
    samples = rng.integers(0, 65536 if deep else 256, (*size, channels)).cumsum(0) // 7
    return (samples[..., 0] if channels == 1 else samples).astype(np.uint16 if deep else np.uint8)


def opened(data, notes):
    return Source(io.BytesIO(data), "in.png", layout="hwc", allow_8_bit=False, max_pixels=1 << 30, note=notes.append)


def streamed(data, rows=7, loops=compiled):
    """Decode by a stream, some rows at a time, which are copied before they are released: samples, notes, error."""
    notes = []
    try:
        source = opened(data, notes)
        found, stream = source.stream()
        with contextlib.closing(stream):
            stream.start(loops)
            parts = []
            for at in range(0, len(stream.samples), rows):
                stream.release(at)
                stream.wait(min(at + rows, len(stream.samples)))
                parts.append(found.samples[at : at + rows].copy())
        return np.concatenate(parts), notes, None
    except FileError as error:
        return None, notes, str(error)


def whole(data):
    notes = []
    try:
        source = opened(data, notes)
        return next(source.frames(source.contents.frames)).picture.samples, notes, None
    except FileError as error:
        return None, notes, str(error)


def assert_same(result, expected):
    assert result[1:] == expected[1:]
    if expected[0] is None:
        assert result[0] is None
    else:
        assert result[0].dtype == expected[0].dtype
        np.testing.assert_array_equal(result[0], expected[0])


# The loop -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 2, 3, 4, 6, 8])
def test_filters_are_undone_as_they_are_defined(step):
    rng = np.random.default_rng(step)
    for width in (1, 2, 3, 5, 8, 17):
        filtered = rng.integers(0, 256, (15, 1 + width * step), np.uint8)
        filtered[:, 0] = rng.permutation(np.arange(15) % 5)
        above = rng.integers(0, 256, width * step, np.uint8)
        out = np.full((17, width * step), 99, np.uint8)
        assert png_unfilter(np.frombuffer(filtered.tobytes(), np.uint8).reshape(filtered.shape), above, step, out[1:16]) == 15
        np.testing.assert_array_equal(out[1:16], undone(filtered, above, step))
        assert (out[[0, 16]] == 99).all()


def test_an_unknown_filter_ends_the_work():
    filtered = np.zeros((4, 10), np.uint8)
    filtered[2, 0] = 5
    assert png_unfilter(filtered, np.zeros(9, np.uint8), 3, np.zeros((4, 9), np.uint8)) == 2


# The stream ---------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("number_of_threads")
@pytest.mark.parametrize("mode", COLOURS)
@pytest.mark.parametrize("deep", [False, True], ids=["8 bits", "16 bits"])
def test_a_stream_has_all_samples(mode, deep):
    if mode == "P" and deep:
        return
    samples = picture(mode, deep=deep)
    data = png(samples, mode)
    result, notes, error = streamed(data)
    assert (notes, error) == ([], None)
    np.testing.assert_array_equal(result, samples)
    if not deep:
        with Image.open(io.BytesIO(data)) as image:
            np.testing.assert_array_equal(result, np.asarray(image))


@pytest.mark.usefixtures("number_of_threads")
def test_numpys_engine_takes_the_whole_picture():
    samples = picture("RGB")
    np.testing.assert_array_equal(streamed(png(samples, "RGB"), loops=numpy_loops)[0], samples)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (3, 100), (2, 99)])
def test_a_stream_of_any_size(size):
    samples = picture("RGB", size)
    np.testing.assert_array_equal(streamed(png(samples, "RGB"), rows=1)[0], samples)


@pytest.mark.usefixtures("number_of_threads")
@pytest.mark.parametrize(
    "data",
    [
        lambda lines: zlib.compress(lines)[:-1],
        lambda lines: zlib.compress(lines)[:-4],
        lambda lines: zlib.compress(lines)[:-9],
        lambda lines: zlib.compress(lines[:-20]),
        lambda lines: zlib.compress(lines[:-1]),
        lambda lines: zlib.compress(lines + b"\0"),
        lambda lines: zlib.compress(lines + lines),
        lambda lines: zlib.compress(lines) + b"more",
        lambda lines: zlib.compress(lines) + zlib.compress(lines),
        lambda lines: zlib.compress(lines)[:-4] + bytes(4),
        lambda lines: zlib.compress(lines, 0),
        lambda lines: b"",
        lambda lines: b"x\x9c",
        lambda lines: b"nonsense" * 100,
    ],
)
def test_wrong_lengths_and_checksums_are_judged_as_before(data):
    faulty = png(picture("RGB"), "RGB", data=data)
    assert_same(streamed(faulty), whole(faulty))


@pytest.mark.usefixtures("number_of_threads")
@pytest.mark.parametrize("row", [0, 20, 40])
def test_unknown_filters_are_judged_as_before(row):
    filters = [1] * 41
    filters[row] = 9
    faulty = png(picture("RGB"), "RGB", filters=filters)
    assert_same(streamed(faulty), whole(faulty))


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 1 << 30), cut=st.booleans())
def test_mutated_files_are_judged_as_before(seed, cut):
    rng = np.random.default_rng(seed)
    data = bytearray(png(picture("RGBA" if seed % 2 else "L", (20, 15)), "RGBA" if seed % 2 else "L", pieces=150))
    for at in rng.integers(8, len(data), rng.integers(1, 4)):
        data[at] = rng.integers(0, 256)
    if cut:
        del data[int(rng.integers(40, len(data))) :]
    expected, notes = whole(bytes(data)), []
    with contextlib.suppress(FileError):
        if opened(bytes(data), notes).contents.stream is None:
            return
    assert_same(streamed(bytes(data)), expected)


class OneReader(io.BytesIO):
    """A file that only one thread reads at a time, as slowly as a disk may be."""

    def __init__(self, data):
        super().__init__(data)
        self.lock, self.clash = threading.Lock(), False

    def read(self, *arguments):
        if not self.lock.acquire(blocking=False):
            self.clash = True
            return b""
        try:
            time.sleep(0.002)
            return super().read(*arguments)
        finally:
            self.lock.release()


@pytest.mark.parametrize("loops", [numpy_loops, None], ids=["another engine", "converted first"])
def test_the_file_is_read_by_one_thread_at_a_time(loops):
    threads.use(2)
    try:
        samples = picture("RGB")
        file = OneReader(png(samples, "RGB", pieces=60))
        source = Source(file, "in.png", layout="hwc", allow_8_bit=False, max_pixels=1 << 30, note=print)
        found, stream = source.stream()
        with contextlib.closing(stream):
            if loops is None:
                stream.decode_whole()
            else:
                stream.start(loops)
                stream.wait(len(samples))
            np.testing.assert_array_equal(found.samples, samples)
        assert not file.clash
    finally:
        threads.use(0)


def test_a_stream_that_is_left_alone_ends():
    _, stream = opened(png(picture("RGB"), "RGB"), []).stream()
    stream.close()
    assert not any(thread.name == "decode" for thread in threading.enumerate())


# Enlarging ----------------------------------------------------------------------------------------------------------------


OPTIONS = [
    {"factor": 2},
    {"factor": (3, 2)},
    {"factor": 2, "kernel": "bicubic"},
    {"factor": 3, "kernel": "lanczos3", "edge": "wrap"},
    {"factor": 2, "kernel": "bicubic", "edge": "reflect"},
    {"factor": 2, "kernel": "adaptive"},
    {"factor": 2, "kernel": "bicubic", "linear": True},
    {"factor": 2, "kernel": "bilinear", "normalize": False},
    {"factor": 2, "kernel": "bicubic", "depth": 8},
    {"factor": 2, "kernel": "bicubic", "background": "#102030"},
    {"factor": 2, "format": "tiff"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize(
    ("mode", "deep"), [("L", False), ("RGB", False), ("RGB", True), ("P", False), ("LA", True), ("RGBA", False)]
)
def test_the_same_files_come_of_it(monkeypatch, mode, deep, options):
    key = [(b"tRNS", bytes([0, 9, 0, 9, 0, 9]))] if mode == "RGB" and not deep else []
    for before in ([], key) if key else ([],):
        data = png(picture(mode, (90, 70), deep), mode, before=before)
        results = []
        for least in (1, 1 << 40):
            monkeypatch.setattr(png_reader, "_MIN_STREAMED", least)
            out = io.BytesIO()
            try:
                result = upscale.enlarge_file(io.BytesIO(data), out, engine="numba", **options)
                results.append((out.getvalue(), result.notes, result.out_size))
            except FileError as error:
                results.append(str(error))
        assert results[0] == results[1]


def test_turned_pictures_are_not_streamed(monkeypatch):
    exif = Image.Exif()
    exif[274] = 6
    data = png(picture("RGB"), "RGB", before=[(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))])
    out = io.BytesIO()
    upscale.enlarge_file(io.BytesIO(data), out, 2, engine="numba")
    with Image.open(out) as image:
        np.testing.assert_array_equal(np.asarray(image), np.rot90(picture("RGB"), -1).repeat(2, 0).repeat(2, 1))


def test_damage_behind_rows_that_were_written_leaves_no_output(tmp_path):
    data = bytearray(png(picture("RGB", (400, 300)), "RGB", pieces=5000))
    data[len(data) - 300] ^= 255
    (tmp_path / "in.png").write_bytes(data)
    with pytest.raises(FileError, match="damaged"):
        upscale.enlarge_file(tmp_path / "in.png", tmp_path / "out.png", 2, engine="numba")
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]
    assert not any(thread.name == "decode" for thread in threading.enumerate())


@pytest.mark.heavy
@pytest.mark.parametrize("options", [[], ["-k", "bicubic"]], ids=["nn", "tconv"])
def test_memory_stays_below_the_decoded_picture(tmp_path, options):
    line = (np.arange(10000) // 7 % 256).astype(np.uint8)
    Image.fromarray(np.stack([np.broadcast_to(line, (10000, 10000))] * 3, -1)).save(tmp_path / "in.png", compress_level=1)
    measure = (
        "import subprocess, sys, resource; subprocess.run(sys.argv[1:], check=True); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = [UPSCALE, "in.png", "out.png", "--factor", "2", "--engine", "numba", *options]
    arguments = [sys.executable, "-c", measure, *command]
    done = subprocess.run(arguments, cwd=tmp_path, check=True, capture_output=True, text=True)
    unit = 1 if resource.getpagesize() == 16384 else 1024  # macOS counts bytes
    assert int(done.stdout) * unit < 250_000_000 < 300_000_000

"""JPEG written in bands: the bytes of libjpeg's own restart markers, and the pixels of a picture that is encoded as a whole."""

import io
import os
import signal
import subprocess
import sys
import threading

import imagecodecs
import numpy as np
import pytest
from batches import begin, wait_for
from helpers import UPSCALE, decoded, encoded, ok, pixels
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from upscale import threads
from upscale.errors import ArgumentError
from upscale.pictures import output_mark
from upscale.pictures.jpeg import jpeg_bands, jpeg_writer
from upscale.pictures.picture import Frame, Picture
from upscale.pictures.write_options import WriteOptions

CHANNELS = {"L": (), "RGB": (3,), "CMYK": (4,)}
METADATA = {
    "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0",
    "xmp": b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
    "comment": b"a comment",
    "dpi": (300, 150),
    "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + bytes(70_000),  # two segments
}


def samples(mode, size, seed=0):
    """Make waves with noise, whose coefficients and markers' bytes are of all kinds."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]]
    waves = 128 + 90 * np.sin(x / 5 + y / 9)
    return np.clip(
        waves.reshape(*size, *[1] * len(CHANNELS[mode])) + rng.normal(0, 20, (*size, *CHANNELS[mode])), 0, 255
    ).astype(np.uint8)


def by_pillow(array, mode, quality=92, **options):
    """Encode a picture as a whole."""
    image = Image.frombuffer(mode, array.shape[1::-1], array, "raw", mode, 0, 1)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, subsampling=0, **options)
    return file.getvalue()


def in_bands(array, mode, pieces=None, info=None, **options):
    """Encode a picture by the writer, which gets it in pieces of so many rows."""
    file = io.BytesIO()
    writer = jpeg_writer.Writer(file, WriteOptions(array.shape[:2], **options))
    frame = Frame(Picture(array[:1, :1], mode, info=info or {}))

    def bands():
        at, buffer = 0, np.empty_like(array)
        for rows in pieces:
            buffer[:] = 77  # what was there before is no longer valid
            piece = buffer[: len(array[at : at + rows])]
            piece[:] = array[at : at + rows]
            yield piece
            at += rows

    if pieces is None:
        writer.add(frame._replace(picture=frame.picture._replace(samples=array)))
    else:
        writer.add_bands(frame, bands(), array.shape[:2])
    writer.close()
    return file.getvalue()


@pytest.fixture
def small_bands(monkeypatch):
    """Let each band have eight rows, so that small pictures have many."""
    monkeypatch.setattr(jpeg_writer, "_SMALL", 0)
    monkeypatch.setattr(jpeg_writer, "_BAND", 1)
    yield
    threads.use(0)


SIZES = ((1, 1), (8, 8), (9, 1), (1, 9), (16, 7), (17, 16), (64, 3), (65, 33), (200, 41))


@pytest.mark.parametrize("mode", CHANNELS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("count", [1, 2])
def test_bands_are_what_an_encoder_with_restart_markers_writes(small_bands, mode, size, count):
    threads.use(count)
    array = samples(mode, size)
    data = in_bands(array, mode)
    assert data == by_pillow(array, mode, restart_marker_rows=int(size[0] > 8))
    whole = by_pillow(array, mode)
    for decode in (imagecodecs.jpeg8_decode, lambda data: np.asarray(Image.open(io.BytesIO(data)))):
        assert np.array_equal(decode(data), decode(whole))


@pytest.mark.peers
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_opencv_decodes_the_same_pixels(small_bands, mode):
    cv2 = pytest.importorskip("cv2")
    array = samples(mode, (200, 41))
    with_bands, whole = (
        cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        for data in (in_bands(array, mode), by_pillow(array, mode))
    )
    assert np.array_equal(with_bands, whole)


@settings(max_examples=60, deadline=None)
@given(
    mode=st.sampled_from(sorted(CHANNELS)),
    size=st.tuples(st.integers(1, 150), st.integers(1, 70)),
    quality=st.integers(0, 100),
    band=st.integers(1, 20_000),
    heights=st.lists(st.integers(1, 40), min_size=1),
    count=st.sampled_from([1, 2, 3]),
)
def test_pieces_of_any_heights(mode, size, quality, band, heights, count):
    array = samples(mode, size, quality)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jpeg_writer, "_SMALL", 0)
        patch.setattr(jpeg_writer, "_BAND", band)
        threads.use(count)
        try:
            data = in_bands(array, mode, heights * size[0], quality=quality)
        finally:
            threads.use(0)
    rows = jpeg_bands.rows_of_band(size[1], max(1, sum(CHANNELS[mode])), band)
    assert data == by_pillow(array, mode, quality, restart_marker_rows=rows // 8 if rows < size[0] else 0)


def test_small_pictures_have_no_restart_markers():
    array = samples("RGB", (300, 500))
    assert in_bands(array, "RGB", [7] * 43) == in_bands(array, "RGB") == by_pillow(array, "RGB")


@pytest.mark.parametrize("mode", CHANNELS)
def test_metadata_are_those_of_a_whole_picture(small_bands, mode):
    array = samples(mode, (40, 20))
    blocks = b"8BIM\x04\x04\0\0\0\0\0\x08\x1c\x02\x5a\0\x03abc"
    data = in_bands(array, mode, info=METADATA | {"photoshop": blocks})
    extra = b"\xff\xed" + (2 + 14 + len(blocks)).to_bytes(2, "big") + b"Photoshop 3.0\0" + blocks
    assert data == by_pillow(array, mode, restart_marker_rows=1, extra=extra, **METADATA)
    info = decoded(data, "a.jpg")[0].picture.info
    assert {key: info[key] for key in METADATA} | {"photoshop": info["photoshop"]} == METADATA | {"photoshop": blocks}


@pytest.mark.parametrize("mode", CHANNELS)
@pytest.mark.parametrize("quality", [1, 92, 100])
def test_even_pictures_of_one_colour_grow_by_less_than_one_percent(mode, quality):
    array = np.full((2500, 1700, *CHANNELS[mode]), 90, np.uint8)
    data = in_bands(array, mode, quality=quality)
    assert data.count(b"\xff\xdd\0\4") == 1
    assert len(data) <= 1.005 * len(by_pillow(array, mode, quality))


@pytest.mark.parametrize("width", [1, 7, 8, 9, 1000, 65499, 65500])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [1, 1 << 10, 1 << 19, 1 << 26])
def test_rows_of_bands(width, channels, size):
    rows = jpeg_bands.rows_of_band(width, channels, size)
    assert rows >= 8 and rows % 8 == 0
    assert rows == 8 or rows * width * channels <= size
    assert rows // 8 * -(-width // 8) <= 65535
    assert (rows + 8) * width * channels > size or (rows // 8 + 1) * -(-width // 8) > 65535


def test_bands_are_encoded_at_the_same_time(small_bands, monkeypatch):
    threads.use(2)
    together, encode = threading.Barrier(2, timeout=60), imagecodecs.jpeg8_encode

    def waiting(data, *arguments, **options):
        if data.shape[0] > 1:  # not the pixel that is encoded for its tables
            together.wait()
        return encode(data, *arguments, **options)

    monkeypatch.setattr(imagecodecs, "jpeg8_encode", waiting)
    array = samples("RGB", (64, 20))
    assert in_bands(array, "RGB") == by_pillow(array, "RGB", restart_marker_rows=1)


def test_an_encoder_with_other_tables_is_not_used(small_bands, monkeypatch):
    encode, calls = imagecodecs.jpeg8_encode, []

    def other(data, level, **options):
        calls.append(data.shape)
        return encode(data, max(0, level - 1), **options)

    monkeypatch.setattr(imagecodecs, "jpeg8_encode", other)
    for mode in CHANNELS:
        array = samples(mode, (50, 20))
        assert in_bands(array, mode) == by_pillow(array, mode, restart_marker_rows=1)
    assert len(calls) == len(CHANNELS)


def test_a_progressive_encoder_is_not_used():
    array = samples("RGB", (8, 8))
    assert jpeg_bands.tables(by_pillow(array, "RGB", progressive=True)) != jpeg_bands.tables(by_pillow(array, "RGB"))


def test_errors_of_a_band(small_bands, monkeypatch):
    encode = imagecodecs.jpeg8_encode

    def failing(data, *arguments, **options):
        if data.shape[0] == 8 and data[0, 0] == 7:
            raise imagecodecs.Jpeg8Error("bad thing")
        return encode(data, *arguments, **options)

    monkeypatch.setattr(imagecodecs, "jpeg8_encode", failing)
    array = np.zeros((800, 9), np.uint8)
    array[400] = 7
    with pytest.raises(ArgumentError, match=r"^cannot be written as JPEG: bad thing$"):
        in_bands(array, "L")
    assert not [t for t in threading.enumerate() if t.name.startswith("jpeg")]


@pytest.mark.parametrize("size", [(65501, 1), (1, 65501), (65501, 100)])
def test_too_large_pictures(size):
    with pytest.raises(ArgumentError, match=r"^JPEG is limited to 65500 pixels a side, this output would have 65501$"):
        in_bands(np.zeros(size, np.uint8), "L")


@pytest.mark.parametrize("size", [(65500, 100), (100, 65500)])
def test_the_largest_sides(size):
    array = np.broadcast_to(samples("L", (1, 100)).reshape((1, 100) if size[1] == 100 else (100, 1)), size).copy()
    data = in_bands(array, "L")
    assert b"\xff\xdd\0\4" in data
    assert np.array_equal(imagecodecs.jpeg8_decode(data), imagecodecs.jpeg8_decode(by_pillow(array, "L")))


def test_a_truncated_file_with_restart_markers_is_read(small_bands):
    array = samples("L", (80, 40))
    data, notes = in_bands(array, "L"), []
    cut = data[: data.index(b"\xff\xd4")]  # after the fifth of ten bands
    read = decoded(cut, "a.jpg", notes)[0].picture.samples
    assert np.array_equal(read[:40], imagecodecs.jpeg8_decode(data)[:40])
    assert notes == ["truncated: the last 40 of its 80 rows of pixels are missing, wholly or in part, and grey"]


@pytest.mark.parametrize("options", [["-f", "3"], ["-f", "2", "-m", "tconv", "-k", "bilinear"]], ids=["nn", "tconv"])
@pytest.mark.parametrize("mode", CHANNELS)
def test_the_command_writes_the_pixels_of_a_whole_encode(tmp_path, mode, options):
    array = samples(mode, (901, 1203))
    Image.frombuffer(mode, array.shape[1::-1], array, "raw", mode, 0, 1).save(tmp_path / "in.tif")
    outputs = []
    for count in ("1", "2"):
        ok("in.tif", f"{count}.jpg", *options, "--threads", count, "--quality", "80", cwd=tmp_path)
        outputs.append((tmp_path / f"{count}.jpg").read_bytes())
    assert outputs[0] == outputs[1]
    assert outputs[0].count(b"\xff\xdd\0\4") == 1
    assert output_mark.read_mark(str(tmp_path / "1.jpg"), whole=True)
    ok("in.tif", "out.tif", *options, cwd=tmp_path)
    whole = by_pillow(pixels(tmp_path / "out.tif"), mode, 80)
    assert np.array_equal(pixels(tmp_path / "1.jpg"), np.asarray(Image.open(io.BytesIO(whole))))
    assert len(outputs[0]) <= 1.01 * len(whole) + 100  # the mark


PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.mark.parametrize("options", [["-f", "10"], ["-f", "10", "-m", "tconv", "-k", "bilinear"]], ids=["nn", "tconv"])
def test_the_output_is_never_in_memory_as_a_whole(tmp_path, options):
    Image.fromarray(samples("RGB", (800, 900))).save(tmp_path / "in.png")
    command = [sys.executable, "-c", PEAK, UPSCALE, "in.png", "out.jpg", *options, "--threads", "2", "--engine", "numpy"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, env=os.environ)
    assert int(done.stdout) * 1024 < 160e6, done.stderr  # of 216 MB of samples
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.size == (9000, 8000)


@pytest.mark.skipif(sys.platform != "linux", reason="signals")
def test_an_interrupt_while_bands_are_encoded_leaves_nothing(tmp_path):
    (tmp_path / "out").mkdir()
    Image.fromarray(samples("RGB", (1200, 1200))).save(tmp_path / "in.png")
    command = ["in.png", "out/out.jpg", "-f", "20", "--max-pixels", "1000000000", "--engine", "numpy"]
    process = begin(*command, "--threads", "2", cwd=tmp_path)
    wait_for(lambda: any((tmp_path / "out" / name).stat().st_size for name in os.listdir(tmp_path / "out")))
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (130, b"upscale: interrupted, nothing was written\n")
    assert not os.listdir(tmp_path / "out")


def test_the_quality_is_the_users(small_bands):
    array = samples("L", (30, 30))
    assert encoded(".jpg", array, "L", quality=50) == by_pillow(array, "L", 50, restart_marker_rows=1)

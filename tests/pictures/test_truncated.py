"""Files that end too early: what viewers show is read and noted, and nothing else is."""

import io
import struct

import numpy as np
import pytest
from helpers import ok, run
from PIL import Image

from upscale.errors import FileError
from upscale.pictures.reading import Source

RNG = np.random.default_rng(0)
#: Sums of noise, so that there is detail in every block.
SMOOTH = np.clip(np.cumsum(RNG.normal(0, 6, (120, 140, 3)), 1) + 128, 0, 255).astype(np.uint8)


def encoded(form, samples=SMOOTH, **options):
    file = io.BytesIO()
    Image.fromarray(samples).save(file, form, **options)
    return file.getvalue()


def read(data, **options):
    """Read all frames, and return their samples and the notes."""
    notes = []
    source = Source(io.BytesIO(data), "in", layout="hwc", allow_8_bit=False, max_pixels=10**6, note=notes.append, **options)
    frames = [frame.picture.samples for frame in source.frames(source.contents.frames)]
    if source.contents.parts is not None:
        frames += [frame.picture.samples for frame in source.frames(source.contents.parts)]
    return frames, notes


def same(a, b):
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


JPEGS = {
    "4:2:0": {},
    "4:4:4": {"subsampling": 0},
    "progressive": {"progressive": True},
    "restarts": {"restart_marker_rows": 1},
    "own tables": {"optimize": True},
}


@pytest.mark.parametrize("options", JPEGS.values(), ids=JPEGS)
def test_a_jpeg_without_its_end_marker(options):
    whole = encoded("JPEG", **options)
    for cut in (1, 2):
        frames, notes = read(whole[:-cut])
        assert same(frames, read(whole)[0])
        assert notes == ["truncated: it lacks the JPEG end marker, but no pixels"]


@pytest.mark.parametrize("options", [o for o in JPEGS.values() if "progressive" not in o])
@pytest.mark.parametrize("cut", [3, 10, 1000, 2000])
def test_a_jpeg_without_its_last_rows(options, cut):
    whole = encoded("JPEG", **options)
    (samples,), (note,) = read(whole[:-cut])
    rows = int(note.removeprefix("truncated: the last ").split(" ")[0])
    assert note == f"truncated: the last {rows} of its 120 rows of pixels are missing, wholly or in part, and grey"
    kept = 120 - rows
    np.testing.assert_array_equal(samples[:kept], read(whole)[0][0][:kept])
    assert cut < 10 or (samples[kept:] != read(whole)[0][0][kept:]).any()
    # Rows of blocks that are missing wholly are as grey as the note says.
    assert cut < 1000 or (samples[-4:, -8:] == 128).all()


@pytest.mark.parametrize("number", range(15))
def test_a_jpeg_that_ends_before_a_restart_marker(number):
    whole = encoded("JPEG", restart_marker_rows=1, subsampling=0)
    begin = whole.index(b"\xff\xda")
    markers = [at for at in range(begin, len(whole)) if whole[at] == 0xFF and 0xD0 <= whole[at + 1] <= 0xD7]
    assert len(markers) == 14  # of 120 rows
    end = [*markers, len(whole) - 2][number]
    for cut in (end, end + 1):
        frames, notes = read(whole[:cut])
        rows = 120 - 8 * (number + 1)
        assert np.array_equal(frames[0][: 120 - rows], read(whole)[0][0][: 120 - rows])
        missing = f"the last {rows} of its 120 rows of pixels are missing, wholly or in part, and grey"
        assert notes == [f"truncated: {missing if rows else 'it lacks the JPEG end marker, but no pixels'}"]


def test_a_jpeg_without_the_end_of_its_last_scan():
    whole = encoded("JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    (samples,), notes = read(whole[: (last + len(whole)) // 2])
    assert notes == ["truncated: the end of its last scan is missing, and with it some detail or colour"]
    assert 0 < np.abs(samples.astype(int) - read(whole)[0][0]).mean() < 5


def test_a_jpeg_that_lacks_more_is_refused():
    progressive, plain = encoded("JPEG", progressive=True), encoded("JPEG")
    scans = [at for at in range(len(progressive)) if progressive[at : at + 2] == b"\xff\xda"]
    for data in (progressive[: scans[-1] - 1], progressive[: scans[3]], progressive[: scans[0] + 40]):
        with pytest.raises(FileError, match="damaged: the file ends before its last scan"):
            read(data)
    with pytest.raises(FileError, match="damaged: the file ends inside its first rows of pixels"):
        read(plain[: plain.index(b"\xff\xda") + 60])
    # Broken data in a file that has its end are not taken for a missing end.
    broken = bytearray(progressive)
    broken[scans[1] + 20 : scans[1] + 400] = bytes(380)
    try:
        assert read(bytes(broken))[1] == []
    except FileError as error:
        assert "damaged" in str(error)


@pytest.mark.parametrize("marker", [0xC0, 0xC2, 0xDA, 0xFE])
@pytest.mark.parametrize("length", [0, 1, 2, 3, 5, 7, 9])
def test_a_jpeg_with_a_segment_that_is_too_short(marker, length):
    whole = encoded("JPEG")[:-2]
    at = whole.index(b"\xff\xda")
    try:
        read(whole[:at] + bytes((0xFF, marker, 0, length)) + bytes([1] * max(0, length - 2)) + whole[at:])
    except FileError as error:
        assert "damaged" in str(error) or "not supported" in str(error)


def test_a_jpeg_that_ends_in_the_segment_after_a_scan():
    whole = encoded("JPEG", progressive=True)
    for segment in (b"\xff\xfe\0\x40comment", b"\xff\xda\0", b"\xff\xc4\x01\x00table"):
        assert same(read(whole[:-2] + segment)[0], read(whole)[0])


PNGS = {
    "RGB": {},
    "grey": {"samples": SMOOTH[..., 0]},
    "16 bits": {"samples": SMOOTH[..., 0].astype(np.uint16) * 257},
    "small": {"samples": SMOOTH[:1, :1]},
}


@pytest.mark.parametrize("options", PNGS.values(), ids=PNGS)
def test_a_png_without_its_end(options):
    whole = encoded("PNG", **options)
    frames, notes = read(whole)
    assert notes == []
    for cut in range(1, 21):  # end chunk: 12 bytes; then a chunk's checksum, and that of all data, 4 each
        found, notes = read(whole[:-cut])
        assert same(found, frames)
        assert [n.removeprefix("truncated: ") for n in notes] == (
            [] if cut < 5 else ["it lacks the PNG end chunk"] if cut <= 12
            else ["no pixels are missing, but the file ends inside the image data"]
        )  # fmt: skip
    if len(frames[0]) > 1:
        with pytest.raises(FileError, match=r"^in: damaged: the file ends inside its image data"):
            read(whole[:-60])


def test_an_interlaced_png_without_its_end():
    import zlib

    samples = RNG.integers(0, 256, (11, 13), np.uint8)
    rows = b"".join(
        b"\0" + row.tobytes()
        for y, x, down, right in (
            (0, 0, 8, 8),
            (0, 4, 8, 8),
            (4, 0, 8, 4),
            (0, 2, 4, 4),
            (2, 0, 4, 2),
            (0, 1, 2, 2),
            (1, 0, 2, 1),
        )
        for row in samples[y::down, x::right]
    )

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 13, 11, 8, 0, 0, 0, 1))
    whole = head + chunk(b"IDAT", zlib.compress(rows, 0))
    for cut in (0, 3, 8):
        found, notes = read(whole[: len(whole) - cut])
        np.testing.assert_array_equal(found[0], samples)
        assert notes
    with pytest.raises(FileError, match="damaged"):
        read(whole[:-9])


def frames_of(form, count=3):
    images = [Image.fromarray(RNG.integers(0, 256, (20, 25), np.uint8)).convert("P") for _ in range(count)]
    return encoded(form, np.asarray(images[0])) if count == 1 else _animated(form, images)


def _animated(form, images):
    file = io.BytesIO()
    images[0].save(file, form, save_all=True, append_images=images[1:], duration=50)
    return file.getvalue()


@pytest.mark.parametrize("count", [1, 3])
def test_a_gif_without_its_end(count):
    whole = frames_of("GIF", count)
    frames, notes = read(whole)
    assert notes == []
    found, notes = read(whole[:-1])
    assert same(found, frames) and notes == ["truncated: it lacks the GIF trailer"]
    found, notes = read(whole[:-2])  # its last sub-block
    assert same(found, frames) and notes == ["truncated: no pixels are missing, but the file ends inside an image block"]
    found, notes = read(whole[:-1] + b"!\xfe\x20half a comm")
    assert same(found, frames) and notes == ["truncated: it lacks the GIF trailer"]
    # Of the last sub-block, the end code may be missing, but no pixel: each cut is read right, or refused.
    read_right = 0
    for cut in range(3, 12):
        try:
            found, notes = read(whole[:-cut])
        except FileError as error:
            assert "damaged" in str(error)
        else:
            assert same(found, frames) and notes
            read_right += 1
    assert 1 <= read_right < 9


def test_an_animated_png_without_its_end():
    whole = frames_of("PNG")
    found, notes = read(whole[:-14])
    assert same(found, read(whole)[0])
    assert set(notes) == {"truncated: no pixels are missing, but the file ends inside the image data"}


@pytest.mark.parametrize(("form", "cut"), [("JPEG", 2), ("JPEG", 900), ("PNG", 12), ("PNG", 14), ("GIF", 1), ("GIF", 2)])
def test_the_option_refuses_them(form, cut):
    whole = encoded(form, SMOOTH[..., 0])
    read(whole, reject_truncated=True)
    with pytest.raises(FileError, match=r"^in: truncated: "):
        read(whole[:-cut], reject_truncated=True)


def test_the_command(tmp_path):
    (tmp_path / "a.jpg").write_bytes(encoded("JPEG")[:-2])
    done = ok("a.jpg", "b.png", cwd=tmp_path)
    assert done.stderr == b"upscale: a.jpg: truncated: it lacks the JPEG end marker, but no pixels\n"
    with Image.open(tmp_path / "b.png") as larger, Image.open(io.BytesIO(encoded("JPEG"))) as whole:
        np.testing.assert_array_equal(np.asarray(larger), np.asarray(whole).repeat(2, 0).repeat(2, 1))
    done = run("a.jpg", "c.png", "--reject-truncated", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, b"upscale: a.jpg: truncated: it lacks the JPEG end marker, but no pixels\n")
    assert not (tmp_path / "c.png").exists()

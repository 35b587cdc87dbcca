"""What an enlarged TIFF page cannot keep: told in plain words, and only for files that lose something."""

import io
import logging
import struct
import warnings

import numpy as np
import pytest
import tifffile
from helpers import larger, ok
from PIL import Image

from upscale.pictures.tiff.tiff_messages import Messages
from upscale.pictures.tiff.tiff_reader import read

SAMPLES = np.random.default_rng(0).integers(0, 256, (8, 12), np.uint8)


def stored(pages=1, **options):
    """Write pages as TIFF; `below` are pictures in SubIFDs of the first one, each with its tag NewSubfileType."""
    below = options.pop("below", ())
    container = {key: options.pop(key) for key in ("bigtiff", "byteorder") if key in options}
    file = io.BytesIO()
    with tifffile.TiffWriter(file, **container) as writer:
        for page in range(pages):
            writer.write(SAMPLES, metadata=None, software=False, **options, **({} if page else {"subifds": len(below)}))
            for samples, kind in below if not page else ():
                form = {"photometric": "mask"} if kind == 4 else {}
                writer.write(samples > 0 if form else samples, metadata=None, software=False, subfiletype=kind, **form)
    return file.getvalue()


def notes_on(data):
    notes = []
    contents = read(io.BytesIO(data), 10**8, notes.append)
    pictures = [frame.picture for frame in contents.frames()]
    assert np.array_equal(pictures[0].samples, SAMPLES)
    return notes


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("pages", [1, 2])
def test_nothing_is_noted_of_a_valid_bigtiff_file(order, pages):
    for compression in (None, "lzw", "zlib"):
        tags = [(315, "s", 0, "me", True), (34665, 4, 1, 0, True)][:1]
        assert notes_on(stored(pages, bigtiff=True, byteorder=order, compression=compression, extratags=tags)) == []


@pytest.mark.parametrize(
    ("below", "notes"),
    [
        ([(SAMPLES[::2, ::2], 1)], ["reduced copies of it, in SubIFDs, were dropped"]),
        ([(SAMPLES[::2, ::2], 0), (SAMPLES[::4, ::4], 0)], ["reduced copies of it, in SubIFDs, were dropped"]),
        ([(SAMPLES, 4)], ["1 mask of it, in SubIFDs, was dropped"]),
        ([(SAMPLES, 0), (SAMPLES[:3, :9], 0)], ["2 other pictures in SubIFDs were dropped"]),
        (
            [(SAMPLES[::2, ::2], 1), (SAMPLES[:3, :9], 0)],
            ["reduced copies of it, in SubIFDs, were dropped", "1 other picture in SubIFDs was dropped"],
        ),
    ],
)
def test_pictures_in_subifds_are_named_by_what_they_are(below, notes):
    for bigtiff in (False, True):
        assert notes_on(stored(below=below, bigtiff=bigtiff)) == notes


def test_photoshop_layers_are_dropped_with_a_note(tmp_path):
    layers = b"Adobe Photoshop Document Data Block\0MIB8ryaL" + bytes(40)
    (tmp_path / "in.tif").write_bytes(stored(extratags=[(37724, 7, len(layers), layers, True)]))
    assert b"its Photoshop layers, which have the old size, were dropped" in ok("in.tif", "out.tif", cwd=tmp_path).stderr
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert 37724 not in file.pages[0].tags
        assert np.array_equal(file.asarray(), larger(SAMPLES))


def test_tags_that_are_too_long_are_noted(monkeypatch):
    monkeypatch.setattr("upscale.pictures.tiff.tiff_tags._LONGEST_PRIVATE", 10)
    data = stored(extratags=[(50000, 7, 11, bytes(11), True), (50001, 7, 9, bytes(9), True)])
    assert notes_on(data) == ["tags that are damaged, too long or of a rare type were dropped: 50000"]


def block(number, data):
    return b"8BIM" + struct.pack(">HH", number, 0) + struct.pack(">I", len(data)) + data + bytes(len(data) % 2)


def test_photoshop_data_move_between_tiff_and_jpeg_without_their_thumbnail(tmp_path):
    iptc, thumbnail = block(1028, b"\x1c\x02\x5a\0\x08Budapest"), block(1036, b"as it was")
    blocks = iptc + thumbnail
    (tmp_path / "in.tif").write_bytes(stored(extratags=[(34377, 7, len(blocks), blocks, True)]))
    for name in ("out.tif", "out.jpg"):
        assert ok("in.tif", name, cwd=tmp_path).stderr == b""
    ok("out.jpg", "back.tif", cwd=tmp_path)
    for name in ("out.tif", "back.tif"):
        with tifffile.TiffFile(tmp_path / name) as file:
            assert file.pages[0].tags[34377].value == iptc or bytes(file.pages[0].tags[34377].value) == iptc
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.info["photoshop"][1028] == b"\x1c\x02\x5a\0\x08Budapest"
    assert b"IPTC and Photoshop data" in ok("in.tif", "out.png", cwd=tmp_path).stderr


@pytest.mark.parametrize(
    ("code", "name"), [(33723, "IPTC"), (34735, "GeoTIFF keys"), (285, "page name or number"), (50000, "other TIFF tags")]
)
def test_tags_that_only_tiff_has_are_named_elsewhere(tmp_path, code, name):
    kind, values = (3, (1, 1, 0, 0)) if code == 34735 else (2, "a text")
    (tmp_path / "in.tif").write_bytes(stored(extratags=[(code, kind, 4 if kind == 3 else 0, values, True)]))
    done = ok("in.tif", "out.png", cwd=tmp_path)
    assert f"metadata dropped, because PNG cannot store it: {name}\n" in done.stderr.decode()
    assert ok("in.tif", "out.tif", cwd=tmp_path).stderr == b""
    assert ok("in.tif", "bare.png", "--strip", cwd=tmp_path).stderr == b""


MESSAGES = {
    "<tifffile.TiffPage 0 @8> parsing GDAL_NODATA tag raised ValueError: -1e38 is not castable to float16": "",
    "<tifffile.TiffTag 338 @100>: 999 is not a valid EXTRASAMPLE": "",
    "TIFFReadDirectory: Warning, Unknown field with tag 65535 (0xffff) encountered.": "",
    "<TiffTag.fromfile> raised TiffFileError('<tifffile.TiffTag 0 @1004> invalid data type 258')": "tags",
    "Tag data larger than file. Skipping tag 700": "tags",
    "Corrupt EXIF data.  Expecting to read 2 bytes but only got 0. ": "tags",
    "<tifffile.TiffPages @8> invalid circular reference to IFD 0 at offset=8": "pages",
    "Fax3Decode2D: Bad code word at line 3 of strip 0 (x 5).": "pixels",
    "tifffile.read_segments: expected 112 segments, got 1": "pixels",
    "something new": "complains",
}


@pytest.mark.parametrize("message", MESSAGES)
def test_what_decoders_say_is_told_once_in_plain_words(message):
    notes = []
    messages = Messages(notes.append)
    with messages.collected():
        for _ in range(3):
            logging.getLogger("tifffile").warning(message)
        warnings.warn(message, stacklevel=1)
    word = MESSAGES[message]
    assert len(notes) == bool(word)
    if word:
        assert notes[0].startswith("possibly damaged: ") and word in notes[0]
        assert message not in notes[0]

"""Videos, further pictures and data of programs that a file has besides its picture: reported, and no longer announced."""

import io
import re
import struct
from xml.etree import ElementTree

import numpy as np
import pytest
from helpers import ok
from PIL import Image

from upscale.pictures import netpbm_losses
from upscale.pictures.jpeg import jpeg_losses
from upscale.pictures.motion_photo import without_video
from upscale.pictures.xmp_parts import without_extension

VIDEO = struct.pack(">I", 24) + b"ftypmp42\0\0\0\0mp42isom" + bytes(range(256))


def jpeg(segments=b"", **options):
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
    Image.fromarray(pixels).save(file, "JPEG", **{"quality": 95, **options})
    data = file.getvalue()
    return data[:2] + segments + data[2:]


def segment(marker, content):
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def notes_on(data, further=False, losses=jpeg_losses):
    notes, stream = [], io.BytesIO(data)
    stream.seek(5)
    losses.note_losses(stream, *([further] if losses is jpeg_losses else []), notes.append)
    assert stream.tell() == 5
    return notes


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize(
    ("rest", "note"),
    [
        (b"", None),
        (bytes(5000), None),
        (b"\xff" * 300, None),
        (b"0123456789", None),
        (VIDEO, "the video of its motion photo was dropped"),
        (b"\0\0\x30\x0a\x10\0\0\0MotionPhoto_Data" + VIDEO + b"SEFT", "the video of its motion photo was dropped"),
        (b"\xff\xd8\xff\xe0" + bytes(90) + VIDEO, "the video of its motion photo was dropped"),
        (jpeg(), "another picture after the end of the first one was dropped"),
        (bytes(40) + jpeg(), "another picture after the end of the first one was dropped"),
        (b"some notes of a program", "23 bytes of other data after its end were dropped"),
    ],
)
def test_what_follows_the_end_of_a_jpeg_picture(rest, note, progressive):
    assert notes_on(jpeg(progressive=progressive) + rest) == [note] * (note is not None)


def test_further_pictures_that_are_read_are_not_reported():
    assert notes_on(jpeg() + jpeg(), further=True) == []
    gain_map = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x xmlns:h='http://ns.adobe.com/hdr-gain-map/1.0/'/>")
    assert notes_on(jpeg(gain_map) + jpeg()) == []


@pytest.mark.parametrize(
    ("marker", "content", "name"),
    [
        (0xE1, b"Exif\0\0II*\0", None),
        (0xE2, b"ICC_PROFILE\0\1\1", None),
        (0xEC, b"Ducky\0", None),
        (0xEE, b"Adobe\0d", None),
        (0xEA, b"upscale " + b"0123456789abcdef" * 2 + b"0123", None),
        (0xEA, b"upscale notes", "APP10 (upscale notes)"),
        (0xEB, b"JP\0\1\0\0\0\1\0\0\0\x08jumb", "content credentials or other JUMBF data"),
        (0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(40), "more XMP than fits into one segment"),
        (0xE1, b"FLIR\0\1", "APP1 (FLIR)"),
        (0xE3, b"Meta\0\0", "APP3 (Meta)"),
        (0xE5, b"\x80\x81", "APP5"),
        (0xFE, b"a comment", None),
    ],
)
def test_segments_of_programs_are_named(marker, content, name):
    assert notes_on(jpeg(segment(marker, content) * 2)) == [f"data of its programs were dropped: {name}"] * (name is not None)


@pytest.mark.parametrize("cut", [2, 3, 30, 400])
def test_a_truncated_jpeg_is_no_reason_for_a_note(cut):
    assert notes_on(jpeg()[:cut]) == []


MOTION = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:Cam="http://ns.google.com/photos/1.0/camera/" Cam:MotionPhoto="1" Cam:MotionPhotoVersion="1"'
    b' Cam:MotionPhotoPresentationTimestampUs="500" Cam:MicroVideoOffset="280" Cam:BurstID="kept"'
    b' xmlns:C="http://ns.google.com/photos/1.0/container/" xmlns:I="http://ns.google.com/photos/1.0/container/item/">'
    b"<Cam:MicroVideo>1</Cam:MicroVideo>"
    b'<C:Directory><rdf:Seq><rdf:li><C:Item I:Mime="video/mp4" I:Semantic="MotionPhoto" I:Length="9"/></rdf:li></rdf:Seq>'
    b"</C:Directory></rdf:Description></rdf:RDF></x:xmpmeta>"
)


@pytest.mark.parametrize("suffix", ["jpg", "webp", "png", "tif"])
def test_a_motion_photo_loses_its_video_and_no_longer_announces_it(tmp_path, suffix):
    (tmp_path / "in.jpg").write_bytes(jpeg(xmp=MOTION) + VIDEO)
    done = ok("in.jpg", f"out.{suffix}", cwd=tmp_path)
    assert b"the video of its motion photo was dropped" in done.stderr
    with Image.open(tmp_path / f"out.{suffix}") as image:
        xmp = image.info["xmp"]
    ElementTree.fromstring(xmp)
    assert b"kept" in xmp and not re.search(rb"MotionPhoto|MicroVideo", xmp)


def test_other_xmp_stays_as_it_is():
    other = MOTION.replace(b"photos/1.0/camera", b"another").replace(b'"MotionPhoto"', b'"Primary"')
    assert without_video(other) == other
    assert without_extension(other) == other


def test_xmp_does_not_announce_an_extension_that_was_not_read():
    xmp = b'<r xmlns:n="http://ns.adobe.com/xmp/note/" n:HasExtendedXMP="0123456789ABCDEF" n:Other="1"/>'
    assert without_extension(xmp) == b'<r xmlns:n="http://ns.adobe.com/xmp/note/" n:Other="1"/>'


NETPBM = {
    "P1": b"P1\n# a comment\n3 2\n0 1 0 1 0 1\n",
    "P2": b"P2 3 2 9\n0 1 2 3 4 5\n",
    "P3": b"P3 1 2 255\n0 1 2 3 4 5\n",
    "P4": b"P4\n9 2\n\xaa\0\x55\x80",
    "P5": b"P5\n# P5 P6\n3 2\n255\nabcdef",
    "P5 of 16 bits": b"P5 3 1 65535\nabcdef",
    "P6": b"P6\n1 2\n255\nP6 P6 ",
    "Pf": b"Pf\n1 2\n-1.0\n" + bytes(8),
    "PF": b"PF\n1 1\n-1\n" + bytes(12),
}


@pytest.mark.parametrize("kind", NETPBM)
def test_pictures_after_the_first_one_of_netpbm(kind):
    one = NETPBM[kind]
    assert notes_on(one, losses=netpbm_losses) == []
    assert notes_on(one + b"\n", losses=netpbm_losses) == []
    further = ["the pictures after its first one were dropped"]
    assert notes_on(one + one, losses=netpbm_losses) == further
    assert notes_on(one + b"\n" + NETPBM["P5"], losses=netpbm_losses) == further


def test_notes_of_netpbm_reach_the_user(tmp_path):
    (tmp_path / "in.ppm").write_bytes(NETPBM["P6"] * 2)
    assert b"the pictures after its first one were dropped" in ok("in.ppm", "out.png", cwd=tmp_path).stderr
    (tmp_path / "in.pgm").write_bytes(NETPBM["P5"] + bytes(range(40)))
    assert b"40 bytes of other data after its end" in ok("in.pgm", "out2.png", cwd=tmp_path).stderr

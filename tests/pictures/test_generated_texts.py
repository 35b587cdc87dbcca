"""The text with which a picture was generated survives in formats without PNG's texts, where its programs look for it."""

import io
import struct

import numpy as np
import pytest
from helpers import ok
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from upscale.pictures.user_comment import with_user_comment

TEXT = "a cat (masterpiece:1.2), Müller, 猫\nNegative prompt: blurry\nSteps: 20, Seed: 1, Size: 6x5"


def png(path, exif=None, **texts):
    info = PngInfo()
    for key, text in texts.items():
        info.add_itxt(key, text) if not text.isascii() else info.add_text(key, text)
    Image.fromarray(np.zeros((5, 6, 3), np.uint8)).save(path, pnginfo=info, **({"exif": exif} if exif else {}))


def comment_of(path):
    """Read the comment as the web UIs do: by Pillow, then by the first eight bytes."""
    with Image.open(path) as image:
        data = Image.Exif()
        data.load(image.info["exif"])
    raw = data.get_ifd(0x8769)[0x9286]
    assert raw[:8] == b"UNICODE\0"
    return raw[8:].decode("utf-16-be")


@pytest.mark.parametrize("suffix", ["jpg", "webp", "avif"])
def test_parameters_become_the_user_comment(tmp_path, suffix):
    png(tmp_path / "in.png", parameters=TEXT)
    assert ok("in.png", f"out.{suffix}", cwd=tmp_path).stderr == b""
    assert comment_of(tmp_path / f"out.{suffix}") == TEXT
    ok(f"out.{suffix}", "back.png", cwd=tmp_path)
    assert comment_of(tmp_path / "back.png") == TEXT


def test_other_texts_are_reported_as_before(tmp_path):
    png(tmp_path / "in.png", prompt='{"1": {}}', workflow="{}")
    done = ok("in.png", "out.jpg", cwd=tmp_path)
    assert b"metadata dropped, because JPEG cannot store it: texts" in done.stderr
    png(tmp_path / "in.png", prompt='{"1": {}}', parameters=TEXT)
    assert b"texts" in ok("in.png", "out2.jpg", cwd=tmp_path).stderr
    assert comment_of(tmp_path / "out2.jpg") == TEXT
    ok("in.png", "bare.jpg", "--strip", cwd=tmp_path)
    with Image.open(tmp_path / "bare.jpg") as image:
        assert "exif" not in image.info


@pytest.mark.parametrize("order", ["<", ">"])
def test_everything_else_in_the_exif_stays_as_it_is(order):
    exif = Image.Exif()
    exif.endian = order
    exif[0x010F], exif[0x0112] = "a maker", 6
    exif.get_ifd(0x8769)[0x9003] = "2020:02:02 02:02:02"
    exif.get_ifd(0x8769)[0xA002] = 600
    exif.get_ifd(0x8825)[1] = "N"
    for before in (exif.tobytes(), None):
        after = Image.Exif()
        after.load(with_user_comment(before, TEXT))
        assert after.get_ifd(0x8769)[0x9286] == b"UNICODE\0" + TEXT.encode("utf-16-be")
        if before:
            assert (after[0x010F], after[0x0112], after.get_ifd(0x8825)[1]) == ("a maker", 6, "N")
            assert (after.get_ifd(0x8769)[0x9003], after.get_ifd(0x8769)[0xA002]) == ("2020:02:02 02:02:02", 600)
    bare = Image.Exif()
    bare.endian = order
    bare[0x010F] = "a maker"
    after = Image.Exif()
    after.load(with_user_comment(bare.tobytes(), TEXT))
    assert after[0x010F] == "a maker" and 0x9286 in after.get_ifd(0x8769)


def test_a_comment_that_is_there_is_not_replaced(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0mine"
    png(tmp_path / "in.png", exif=exif, parameters=TEXT)
    assert b"texts" in ok("in.png", "out.jpg", cwd=tmp_path).stderr
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.getexif().get_ifd(0x8769)[0x9286] == b"ASCII\0\0\0mine"


def test_a_text_too_long_for_exif_is_reported(tmp_path):
    png(tmp_path / "in.png", parameters="x" * 40000)
    assert b"texts" in ok("in.png", "out.jpg", cwd=tmp_path).stderr


@pytest.mark.parametrize("data", [b"Exif\0\0nonsense", b"Exif\0\0II*\0" + struct.pack("<I", 999)])
def test_damaged_exif_is_left_alone(data):
    assert with_user_comment(data, TEXT) is None


def test_the_directories_are_sorted():
    data = with_user_comment(None, TEXT)
    exif = Image.Exif()
    exif.load(data)
    exif.get_ifd(0x8769)[0x9003] = "2020:02:02 02:02:02"
    exif.get_ifd(0x8769)[0xA002] = 3
    del exif.get_ifd(0x8769)[0x9286]
    again = with_user_comment(exif.tobytes(), TEXT)[6:]
    from upscale.pictures.exif import Directories

    tags = [entry.tag for entry in Directories(again).others]
    assert tags == sorted(tags) and 0x9286 in tags
    image = io.BytesIO()
    Image.new("L", (2, 2)).save(image, "JPEG", exif=b"Exif\0\0" + again)
    with Image.open(image) as opened:
        assert opened.getexif().get_ifd(0x8769)[0xA002] == 3

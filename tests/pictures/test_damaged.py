"""Damaged files are refused in one plain line; faults of this package are never reported as damage."""

import errno
import io
import random
import struct
import zlib

import imagecodecs
import numpy as np
import pillow_heif
import pytest
import tifffile
from helpers import encoded as written
from PIL import Image, ImageFile

from upscale.errors import ArgumentError, FileError, library_errors
from upscale.pictures import coding_points, high_bit_depth, metadata, npy
from upscale.pictures.formats import FORMATS
from upscale.pictures.gif import gif_reader
from upscale.pictures.picture import Frame, Picture
from upscale.pictures.png import png_metadata, png_reader
from upscale.pictures.reading import Source
from upscale.pictures.tiff import tiff_decoders, tiff_tags
from upscale.pictures.write_options import WriteOptions
from upscale.pictures.writing import encoder_errors, make_writer

#: Names that a message must not have: they are Python's, and mean nothing to a user.
EXCEPTIONS = (
    "TypeError",
    "ValueError",
    "KeyError",
    "IndexError",
    "struct.error",
    "OverflowError",
    "AttributeError",
    "Exception",
    *("codec can't", "argument", "reshape", "bytes-like", "magic string", "instances of", "operand", "list index", "expected"),
    *("decoder error", "IMCD", "returned", "TiffTag", "tifffile", "libpng", "Error -"),
)


def encoded(suffix, **options):
    """Encode a small picture in colour."""
    samples = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(samples).save(file, suffix, **options)
    return file.getvalue()


def exif():
    block = Image.Exif()
    block[0x112], block[0x10E] = 6, "a description"
    block.get_ifd(0x8769)[0x927C] = b"maker note" * 3
    return block.tobytes()


def sgi16(packed):
    samples = np.random.default_rng(0).integers(0, 65536, (36, 16)).astype(">u2")  # 12 rows of 3 channels
    header = struct.pack(">HBBHHHH", 474, packed, 2, 3, 16, 12, 3).ljust(512, b"\0")
    if not packed:
        return header + samples.tobytes()
    rows = [struct.pack(">H", 128 | 16) + row.tobytes() + b"\0\0" for row in samples]
    starts = np.array([512 + 8 * 36 + i * len(rows[0]) for i in range(36)], ">u4")
    return header + starts.tobytes() + np.full(36, len(rows[0]), ">u4").tobytes() + b"".join(rows)


def tiff(**options):
    file = io.BytesIO()
    samples = np.random.default_rng(0).integers(0, 65536, (12, 16, 3), np.uint16)
    tifffile.imwrite(file, samples, photometric="rgb", extratags=[(40001, 3, 2, (5, 6), True)], metadata=None, **options)
    return file.getvalue()


def array():
    file = io.BytesIO()
    np.save(file, np.arange(24, dtype=np.uint16).reshape(4, 6))
    return file.getvalue()


def animation(suffix, **options):
    frames = [Image.fromarray(np.random.default_rng(i).integers(0, 256, (9, 8), np.uint8)).convert("P") for i in range(3)]
    file = io.BytesIO()
    frames[0].save(file, suffix, save_all=True, append_images=frames[1:], duration=70, **options)
    return file.getvalue()


def heic():
    file = io.BytesIO()
    pillow_heif.from_bytes("RGB", (80, 64), bytes(80 * 64 * 3)).save(file)
    return file.getvalue()


METADATA = {
    "icc_profile": coding_points.make_profile(coding_points.PRIMARIES[12], coding_points.CURVES[13]),
    "exif": b"Exif\0\0" + exif().removeprefix(b"Exif\0\0"),
    "xmp": b"<x:xmpmeta/>",
}
FILES = {
    "png": encoded("PNG", exif=exif(), dpi=(72, 72)),
    "apng": animation("PNG"),
    "gif": animation("GIF", loop=0, comment=b"hello"),
    "tiff": encoded("TIFF", dpi=(72, 72), compression="tiff_lzw"),
    "deep tiff": tiff(),
    "big tiff": tiff(bigtiff=True, byteorder=">", compression="zlib"),
    "jpeg": encoded("JPEG", exif=exif()),
    "webp": encoded("WEBP", exif=exif()),
    "bmp": encoded("BMP"),
    "jpeg 2000": imagecodecs.jpeg2k_encode(np.arange(12 * 16 * 3, dtype=np.uint16).reshape(12, 16, 3) * 100),
    "jp2 with boxes": written(".jp2", np.arange(12 * 16 * 3, dtype=np.uint8).reshape(12, 16, 3), "RGB", METADATA),
    "jpeg xl": written(".jxl", np.arange(12 * 16 * 3, dtype=np.uint8).reshape(12, 16, 3), "RGB", METADATA),
    "jpeg xl with a compressed profile": imagecodecs.jpegxl_encode_jpeg(encoded("JPEG", icc_profile=METADATA["icc_profile"])),
    "jpeg xl animation": written(".jxl", [np.full((12, 16, 4), n, np.uint8) for n in range(3)], "RGBA", delays=[(1, 7)] * 3),
    "qoi": written(".qoi", np.arange(12 * 16 * 3, dtype=np.uint8).reshape(12, 16, 3), "RGB"),
    "exr": written(".exr", np.linspace(0, 1, 12 * 16 * 3, dtype=np.float32).reshape(12, 16, 3), "RGB;F"),
    "radiance": written(".hdr", np.linspace(0, 1, 12 * 16 * 3, dtype=np.float32).reshape(12, 16, 3), "RGB;F"),
    "colour pfm": written(".pfm", np.linspace(0, 1, 12 * 16 * 3, dtype=np.float32).reshape(12, 16, 3), "RGB;F"),
    "dds": encoded("DDS"),
    "heic": heic(),
    "deep avif animation": imagecodecs.avif_encode(np.zeros((2, 20, 24, 3), np.uint16), bitspersample=10, speed=10),
    "ppm": b"P6\n16 12\n65535\n" + np.arange(12 * 16 * 3, dtype=">u2").tobytes(),
    "plain ppm": b"P3\n4 2\n1023\n" + b" ".join(b"%d" % (v * 40) for v in range(24)),
    "sgi": sgi16(0),
    "packed sgi": sgi16(1),
    "npy": array(),
}


def opened(data, notes=None):
    note = [].append if notes is None else notes.append
    return Source(io.BytesIO(data), "in", layout="hwc", allow_8_bit=False, max_pixels=10**6, note=note)


def decode(data, notes=None):
    """Decode all frames of a file."""
    source = opened(data, notes)
    if np.prod([float(n) for n in source.contents.size]) > 10**6:
        raise FileError("in: too large")
    frames = list(source.frames(source.contents.frames))
    if source.contents.parts is not None:
        frames += source.frames(source.contents.parts)
    return frames


def garbled(data, rng):
    """Cut a file off, or change some bytes, of its beginning more often."""
    if rng.random() < 0.2:
        return data[: rng.randrange(1, len(data))]
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        changed[rng.randrange(min(len(data), rng.choice((20, 100, 400, len(data)))))] = rng.choice((0, 1, 127, 128, 255))
    return bytes(changed)


def check_garbled(name, number):
    rng = random.Random(name)
    for _ in range(number):
        notes = []
        try:
            decode(garbled(FILES[name], rng), notes)
        except FileError as error:
            notes.append(str(error))
        assert not [n for n in notes if "\n" in n or any(word in n for word in EXCEPTIONS)]


@pytest.mark.parametrize("name", FILES)
def test_garbled_files_are_read_or_refused_in_one_line(name):
    assert decode(FILES[name])
    check_garbled(name, 60)


@pytest.mark.heavy
@pytest.mark.parametrize("name", FILES)
def test_many_garbled_files(name):
    check_garbled(name, 3000)


#: For each reader, a function of ours that it calls as it opens a file, and one as it decodes a frame.
OURS = {
    "png": ((png_metadata, "read_chunk"), (png_reader, "mode_of")),
    "gif": ((gif_reader, "join_sub_blocks"), (gif_reader, "struct")),
    "tiff": ((tiff_tags, "pixel_bytes"), (tiff_tags, "exif_of")),
    "deep tiff": ((tiff_tags, "orientation_of"), (tiff_decoders, "mode_of")),
    "jpeg": ((metadata, "of_image"), (Picture, "of_image")),
    "packed sgi": ((high_bit_depth, "_is_sgi16"), (high_bit_depth, "_unpacked_row")),
    "npy": ((npy, "math"), (npy, "Picture")),
}


def failing(error):
    class Failing:
        def __call__(self, *args, **kwargs):
            raise error

        def __getattr__(self, name):
            raise error

    return Failing()


@pytest.mark.parametrize(
    "error", [NameError("slip"), AssertionError("slip"), AttributeError("slip"), KeyError("slip"), MemoryError()]
)
@pytest.mark.parametrize("when", [0, 1], ids=["opening", "decoding"])
@pytest.mark.parametrize("name", OURS)
def test_a_fault_of_ours_is_not_reported_as_damage(monkeypatch, name, when, error):
    monkeypatch.setattr(*OURS[name][when], failing(error))
    if isinstance(error, MemoryError):
        with pytest.raises(FileError, match=r"^in: not enough memory to decode it$"):
            decode(FILES[name])
    else:
        with pytest.raises(type(error), match="slip"):
            decode(FILES[name])


#: For each reader, a function of the library that decodes.
THEIRS = {
    "png": (imagecodecs, "png_decode"),
    "gif": (ImageFile.ImageFile, "load"),
    "deep tiff": (tifffile.TiffPage, "asarray"),
    "jpeg": (ImageFile.ImageFile, "load"),
    "jpeg 2000": (imagecodecs, "jpeg2k_decode"),
    "npy": (np.lib.format, "read_array"),
}


@pytest.mark.parametrize(
    "error", [ValueError("two\nlines"), IndexError("list index"), OSError("broken data"), OSError(errno.EINVAL, "x")]
)
@pytest.mark.parametrize("name", THEIRS)
def test_what_a_library_raises_is_damage(monkeypatch, name, error):
    monkeypatch.setattr(*THEIRS[name], failing(error))
    with pytest.raises(FileError, match=r"^in: damaged: [^\n]+$") as caught:
        decode(FILES[name])
    assert "Error" not in str(caught.value) and "list index" not in str(caught.value)


@pytest.mark.parametrize("name", THEIRS)
def test_a_lack_of_memory_and_errors_of_the_disk_are_no_damage(monkeypatch, name):
    tries = []

    def call(*args, **kwargs):
        tries.append(1)
        raise MemoryError

    monkeypatch.setattr(*THEIRS[name], call)
    with pytest.raises(FileError, match="not enough memory"):
        decode(FILES[name])
    assert len(tries) == 1
    monkeypatch.setattr(*THEIRS[name], failing(OSError(errno.EIO, "Input/output error")))
    with pytest.raises(FileError, match=r"^in: cannot be read: input/output error$"):
        decode(FILES[name])


@pytest.mark.parametrize("suffix", [".jpg", ".gif", ".tif", ".webp"])
def test_errors_of_encoders(monkeypatch, suffix):
    target = FORMATS[suffix]
    monkeypatch.setattr(Image.Image, "save", failing(ValueError("no such thing")))
    monkeypatch.setattr(tifffile.TiffWriter, "write", failing(ValueError("no such thing")))
    frame = Frame(Picture(np.zeros((3, 4), np.uint8), "L"))
    with pytest.raises(FileError, match=rf"^out: cannot be written as {target.name}: no such thing$"), encoder_errors("out"):
        make_writer(target, io.BytesIO(), WriteOptions((3, 4))).add(frame)


def raised(call):
    """Return what a real call raises."""
    try:
        call()
    except Exception as error:
        return error
    raise AssertionError("it raises nothing")


#: What libraries raise, and what a user reads; empty where that has no reason.
DAMAGE = [
    (lambda: b"\xff".decode(), "its text is not in UTF-8"),
    (lambda: int(None), ""),
    (lambda: np.zeros(5).reshape(2, 3), ""),
    (lambda: struct.unpack("<I", b"ab"), "its data end too early"),
    (lambda: [][3], ""),
    (lambda: {}["truncated"], ""),
    (lambda: b"a" < 1, ""),
    (lambda: np.lib.format.read_array(io.BytesIO(b"\x93NUM")), "its data end too early"),
    (lambda: np.frombuffer(b"abc", "u4"), ""),
    (lambda: zlib.decompress(b"nonsense"), ""),
    (lambda: zlib.decompress(zlib.compress(bytes(99))[:-6]), "its data end too early"),
    (lambda: zlib.decompress(zlib.compress(bytes(99))[:-4] + b"abcd"), ""),
    (lambda: imagecodecs.lzw_decode(b"\x80\x0b\x60\x50\xff\xff"), ""),
    (lambda: imagecodecs.png_decode(encoded("PNG")[:60]), "its data end too early"),
    (lambda: Image.open(io.BytesIO(encoded("JPEG")[:500])).load(), "its data end too early"),
    (lambda: Image.open(io.BytesIO(encoded("PNG").replace(b"IDAT", b"IDAT\0"))).load(), ""),
    (lambda: exec("raise OSError('decoder error -2')"), ""),
    (lambda: exec("raise EOFError"), "its data end too early"),
    (lambda: exec("raise RecursionError('maximum recursion depth exceeded')"), ""),
    (lambda: exec("raise ValueError('bad CRC in block 3')"), "a checksum is wrong"),
]


@pytest.mark.parametrize("number", range(len(DAMAGE)))
def test_what_libraries_say_of_damage_is_put_in_plain_words(number):
    call, words = DAMAGE[number]
    error = raised(call)
    with pytest.raises(ArgumentError) as caught, library_errors():
        raise error
    assert str(caught.value) == f"damaged: {words or 'its data cannot be decoded'}"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("encoding error 5: Image size exceeds WebP limit of 16383 pixels"), True),
        (OSError("cannot write mode F as JPEG"), True),
        (ValueError("image has wrong mode"), True),
        (TypeError("an integer is required"), False),
        (ValueError("cannot reshape array of size 5 into shape (2,3)"), False),
        (ValueError("setting an array element with a sequence"), False),
        (UnicodeEncodeError("ascii", "ä", 0, 1, "ordinal not in range(128)"), False),
        (struct.error("'H' format requires 0 <= number <= 65535"), False),
        (RuntimeError("imcd_lzw_encode returned IMCD_ERROR"), False),
        (OSError("encoder error -2 when writing image file"), False),
        (ValueError("'<' not supported between instances of 'bytes' and 'int'"), False),
        (RuntimeError(""), False),
    ],
)
def test_why_an_encoder_refuses_is_passed_on_if_a_user_understands_it(error, words):
    with pytest.raises(ArgumentError) as caught, library_errors("cannot be written as WebP"):
        raise error
    assert str(caught.value) == "cannot be written as WebP: " + (
        str(error) if words else "its library gives no reason that helps"
    )


def test_library_errors():
    with pytest.raises(ArgumentError, match=r"^damaged: its data cannot be decoded$"), library_errors():
        raise KeyError("tag")
    with pytest.raises(ArgumentError, match=r"^cannot be drawn: a b$"), library_errors("cannot be drawn"):
        raise RuntimeError("a\n  b")
    for error in (
        NameError("x"),
        AssertionError("x"),
        MemoryError(),
        FileError("x"),
        OSError(errno.ENOSPC, "x"),
        KeyboardInterrupt(),
    ):
        with pytest.raises(type(error)) as caught, library_errors():
            raise error
        assert caught.value is error


def test_xmp_of_another_type_costs_no_pixel():
    file = io.BytesIO()
    samples = np.arange(16, dtype=np.uint8).reshape(4, 4)
    tifffile.imwrite(file, samples, metadata=None, extratags=[(700, 2, 0, "<x:xmpmeta/>", True)])
    assert np.array_equal(decode(file.getvalue())[0].picture.samples, samples)


def test_the_first_frame_of_an_animation_has_no_transparent_colour_beside_its_alpha():
    frames = decode(animation("PNG", transparency=3))
    composed = [f.picture for f in frames if f.picture.mode == "RGBA"]
    assert composed and not any("transparency" in p.info for p in composed)

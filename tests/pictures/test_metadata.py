"""Metadata: kept where the format supports them, corrected, and reported where they are left out; through the real command."""

import io
import re
import struct
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
from helpers import image_of, larger, ok, read_frames, run
from PIL import Image, ImageCms

from upscale.pictures import gain_map
from upscale.pictures.formats import FORMATS, METADATA
from upscale.pictures.photoshop import photoshop_blocks

RNG = np.random.default_rng(0)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="1"/></x:xmpmeta>'


@pytest.fixture
def described(tmp_path):
    """Return a PNG file that says all there is to say."""
    from PIL.PngImagePlugin import PngInfo

    info = PngInfo()
    info.add_text("Title", "a picture")
    info.add_text("Comment", "a comment")
    info.add_itxt("XML:com.adobe.xmp", XMP.decode())
    info.add(b"gAMA", struct.pack(">I", 60000))
    info.add(b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000))
    exif = Image.Exif()
    exif[0x010E] = "described"
    exif.get_ifd(0x8769)[0x9003] = "2020:02:02 02:02:02"
    Image.fromarray(RNG.integers(0, 256, (5, 6, 3), np.uint8)).save(
        tmp_path / "in.png", pnginfo=info, exif=exif, dpi=(300, 150), icc_profile=PROFILE
    )
    return tmp_path / "in.png"


@pytest.mark.parametrize("suffix", sorted(set(FORMATS) - {".npy", ".pbm", ".pgm", ".pfm", ".exr", ".hdr"}))
def test_metadata_are_kept_where_they_can_be_and_told_where_not(tmp_path, described, suffix):
    done = ok(described, tmp_path / f"out{suffix}", "-f", "1")
    target = FORMATS[suffix]
    _, [frame] = read_frames(tmp_path / f"out{suffix}")
    info = frame.picture.info
    checks = {
        "icc_profile": lambda: info["icc_profile"] == PROFILE,
        "exif": lambda: b"described" in info["exif"] and b"2020:02:02 02:02:02" in info["exif"],
        "xmp": lambda: info["xmp"].rstrip(b"\0") == XMP,
        "dpi": lambda: np.allclose([float(v) for v in info["dpi"]], (300, 150), atol=0.1),
        "text": lambda: info["text"]["Title"] == "a picture",
        "comment": lambda: info.get("comment") == b"a comment" or info["text"]["Comment"] == "a comment",
        "gamma": lambda: info["gamma"] == 0.6,
        "chromaticity": lambda: info["chromaticity"][0] == 0.3127,
    }
    for key in set(target.metadata) - {"photoshop"}:  # which only JPEG has
        assert checks[key](), key
    told = done.stderr.decode()
    for key in set(METADATA) - set(target.metadata) - {"comment", "photoshop", "exr", "radiance"}:
        assert key not in info or key == "dpi"
        assert METADATA[key] in told, key
    ok(described, tmp_path / f"bare{suffix}", "--strip")
    _, [frame] = read_frames(tmp_path / f"bare{suffix}")
    assert not {"exif", "xmp", "dpi", "text", "comment"} & set(frame.picture.info) - {"dpi"}
    if "icc_profile" in target.metadata:
        assert frame.picture.info["icc_profile"] == PROFILE


def exif_block(order, *, orientation=1, thumbnail=True, size=(6, 5)):
    """Make EXIF by hand: orientation, sizes, a tag of a wrong type, and a thumbnail at the end."""
    pack = lambda form, *v: struct.pack(order + form, *v)  # noqa: E731
    image = b"\xff\xd8thumbnail\xff\xd9"
    main = [(0x0112, 3, 1, pack("HH", orientation, 0)), (0x011A, 2, 4, b"bad\0"), (0x8769, 4, 1, pack("I", 8 + 2 + 36 + 4))]
    sub = [(0x9000, 7, 4, b"0232"), (0xA002, 4, 1, pack("I", size[0])), (0xA003, 3, 1, pack("HH", size[1], 0))]
    at = 8 + 2 + 36 + 4 + 2 + 36 + 4
    second = [(0x0201, 4, 1, pack("I", at + 2 + 24 + 4)), (0x0202, 4, 1, pack("I", len(image)))]
    data = (b"II*\0" if order == "<" else b"MM\0*") + pack("I", 8)
    for entries, after in ((main, at if thumbnail else 0), (sub, 0), (second, 0)):
        data += pack("H", len(entries)) + b"".join(pack("HHI", *e[:3]) + e[3] for e in entries) + pack("I", after)
    return b"Exif\0\0" + data + image


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_is_made_true_in_place(order):
    from upscale.pictures import exif

    before = exif_block(order, orientation=6)
    assert exif.orientation(before) == 6
    notes = []
    after = exif.update_exif(before, (12, 10), True, notes.append)
    assert notes == []
    directories = exif.Directories(after[6:])
    values = {e.tag: directories.value(e) for e in (*directories.main, *directories.others)}
    assert (values[0x0112], values[0xA002], values[0xA003]) == (1, 12, 10)
    assert directories.thumbnail is None and b"thumbnail" not in after and b"0232" in after and b"bad" in after
    same = exif_block(order, thumbnail=False)
    assert exif.update_exif(same, (6, 5), False, notes.append) == same


@pytest.mark.parametrize("suffix", [".jpg", ".png", pytest.param(".webp", marks=pytest.mark.heavy)])
@pytest.mark.parametrize("way", range(1, 9))
def test_orientation_is_applied_once(tmp_path, suffix, way):
    exif = Image.Exif()
    exif[0x0112] = way
    image = Image.fromarray(RNG.integers(0, 256, (3, 4, 3), np.uint8).repeat(8, 0).repeat(8, 1))
    options = {"quality": 100, "subsampling": 0} if suffix == ".jpg" else {"lossless": True} if suffix == ".webp" else {}
    image.save(tmp_path / f"in{suffix}", exif=exif, **options)
    ok(f"in{suffix}", "out.png", "-f", "3x1", cwd=tmp_path)
    from PIL import ImageOps

    with Image.open(tmp_path / f"in{suffix}") as before, Image.open(tmp_path / "out.png") as after:
        assert after.getexif().get(0x0112, 1) == 1
        upright = np.asarray(ImageOps.exif_transpose(before).convert("RGB"))
        assert np.array_equal(np.asarray(after.convert("RGB")), upright.repeat(3, 1))


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\xff\xff", exif_block("<")[:60], exif_block(">")[:-30]]
)
@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_costs_no_pixel(tmp_path, exif):
    image = Image.fromarray(RNG.integers(0, 256, (5, 6, 3), np.uint8))
    image.save(tmp_path / "in.jpg", exif=exif)
    for target in (".png", ".tiff", ".webp", ".jpg"):
        ok("in.jpg", f"out{target}", cwd=tmp_path)
        with Image.open(tmp_path / "in.jpg") as before, Image.open(tmp_path / f"out{target}") as after:
            assert after.size == (12, 10)
            if target != ".jpg":
                assert np.array_equal(np.asarray(after.convert("RGB")), larger(before))


def test_a_broken_profile_costs_no_pixel(tmp_path):
    Image.new("RGB", (2, 2), (9, 8, 7)).save(tmp_path / "in.png", icc_profile=b"no profile at all")
    ok("in.png", "out.jpg", cwd=tmp_path)
    ok("in.png", "out.png", "-m", "tconv", "-k", "bilinear", "--linear", cwd=tmp_path)
    Image.new("CMYK", (2, 2)).save(tmp_path / "in.tiff", icc_profile=b"no profile at all")
    done = run("in.tiff", "to.png", "--to-rgb", cwd=tmp_path)
    assert done.returncode == 1
    assert b"colour profile cannot be used" in done.stderr


def test_exif_of_a_jpeg_in_a_tiff(tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    exif.get_ifd(0x8769)[0x829A] = 0.5
    exif.get_ifd(0x8825)[1] = "N"
    image_of("CMYK").save(tmp_path / "in.jpg", exif=exif)
    ok("in.jpg", "out.tiff", cwd=tmp_path)
    with Image.open(tmp_path / "out.tiff") as after:
        assert after.mode == "CMYK"
        found = after.getexif()
        assert found[0x010F] == "a maker"
        assert found.get_ifd(0x8769)[0x829A] == 0.5
        assert found.get_ifd(0x8825)[1] == "N"
        assert after.info["compression"] == "tiff_adobe_deflate"


def test_xmp_with_null_bytes_and_zlib_bombs(tmp_path):
    """A text of 300 MB that takes 300 kB is passed over, not inflated."""
    from upscale.pictures.png.png_format import SIGNATURE, chunk

    bomb = zlib.compress(bytes(1 << 27), 9)
    data = SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 0, 0, 0, 0)) + chunk(b"zTXt", b"key\0\0" + bomb)
    data += chunk(b"IDAT", zlib.compress(b"\0ab")) + chunk(b"IEND")
    (tmp_path / "in.png").write_bytes(data)
    done = ok("in.png", "out.png", cwd=tmp_path)
    assert b"zTXt chunk was dropped" in done.stderr
    with Image.open(io.BytesIO((tmp_path / "out.png").read_bytes())) as image:
        assert np.asarray(image).tolist() == [list(b"aabb")] * 2


@pytest.mark.parametrize(("dpi", "becomes"), [(300, 300), (72.6, 73), (1e5, None), (0.3, None)])
def test_a_resolution_that_jpeg_does_not_hold(tmp_path, dpi, becomes):
    Image.new("RGB", (4, 3)).save(tmp_path / "in.tif", dpi=(dpi, dpi))
    done = ok("in.tif", "out.jpg", cwd=tmp_path)
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.info.get("dpi") == (becomes and (becomes, becomes))
    assert (b"resolution" in done.stderr) == (becomes is None)


def test_descriptions_that_tell_sizes_are_left_out(tmp_path):

    tifffile.imwrite(tmp_path / "in.tif", np.zeros((3, 7, 13), np.uint16), photometric="minisblack")
    done = ok("in.tif", "out.tif", cwd=tmp_path)
    assert b"sizes that no longer apply" in done.stderr
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert len(file.pages) == 3
        assert 270 not in file.pages[0].tags


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_texts_of_tiff_keep_their_bytes(tmp_path, order, encoding):
    texts = {code: text.encode(encoding) for code, text in {315: "Müller", 33432: "© 2018 Müller", 305: "plain"}.items()}
    tags = [(code, "s", 0, text, True) for code, text in texts.items()]
    with tifffile.TiffWriter(tmp_path / "in.tif", byteorder=order) as file:
        file.write(np.zeros((2, 3), np.uint8), metadata=None, software=False, extratags=tags)
    ok("in.tif", "out.tif", cwd=tmp_path)
    ok("in.tif", "out.png", cwd=tmp_path)
    data = (tmp_path / "out.tif").read_bytes()
    assert all(text + b"\0" in data and text + b"\0" in (tmp_path / "out.png").read_bytes() for text in texts.values())


def resource(number, data, name=b""):
    named = bytes([len(name)]) + name
    return (
        b"8BIM"
        + struct.pack(">H", number)
        + named.ljust(len(named) + len(named) % 2, b"\0")
        + struct.pack(">I", len(data))
        + (data + bytes(len(data) % 2))
    )


def app13(path, *parts):
    """Put segments of Photoshop's blocks behind a JPEG file's first marker."""
    data = path.read_bytes()
    segments = b"".join(b"\xff\xed" + struct.pack(">H", 16 + len(part)) + b"Photoshop 3.0\0" + part for part in parts)
    path.write_bytes(data[:2] + segments + data[2:])


IPTC = resource(0x0404, b"\x1c\x02\x5a\x00\x08Budapest")


def test_iptc_stays_in_jpeg_and_is_reported_elsewhere(tmp_path):
    Image.new("RGB", (8, 6), (9, 99, 200)).save(tmp_path / "in.jpg")
    thumbnail, odd = resource(1036, b"\xff\xd8 a picture as it was"), resource(0x03ED, b"12345", b"name")
    app13(tmp_path / "in.jpg", IPTC + thumbnail + odd)
    ok("in.jpg", "out.jpg", cwd=tmp_path)
    with Image.open(tmp_path / "out.jpg") as image:
        assert [d for n, d in image.applist if n == "APP13"] == [b"Photoshop 3.0\0" + IPTC + odd]
        assert image.size == (16, 12)
    for name in ("out.png", "out.webp"):
        assert b"IPTC and Photoshop data" in ok("in.jpg", name, cwd=tmp_path).stderr
    assert b"Budapest" not in (ok("in.jpg", "bare.jpg", "--strip", cwd=tmp_path), (tmp_path / "bare.jpg").read_bytes())[1]


@pytest.mark.parametrize("part", [IPTC[:-4], b"8BIM", b"7BIM" + IPTC, IPTC + b"x"])
def test_photoshop_blocks_that_are_damaged_are_copied(part):
    assert photoshop_blocks.read_segments([("APP13", b"Photoshop 3.0\0" + part)]) == part


def test_long_photoshop_blocks_take_several_segments():
    blocks = resource(0x0404, bytes(range(256)) * 700)
    data = photoshop_blocks.write_segments(blocks)
    assert data.count(b"\xff\xed") == 3
    image = io.BytesIO()
    Image.new("L", (8, 8)).save(image, "JPEG", extra=data)
    with Image.open(image) as opened:
        assert photoshop_blocks.read_segments(opened.applist) == blocks


GAIN_MAP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:g="http://ns.adobe.com/hdr-gain-map/1.0/" g:Version="1.0" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    b' xmlns:C="http://ns.google.com/photos/1.0/container/" xmlns:I="http://ns.google.com/photos/1.0/container/item/">'
    b"<g:GainMapMax><rdf:Seq><rdf:li>1</rdf:li></rdf:Seq></g:GainMapMax><dc:rights>mine</dc:rights>"
    b'<C:Directory><rdf:Seq><rdf:li><C:Item I:Semantic="GainMap" I:Length="9"/></rdf:li></rdf:Seq></C:Directory>'
    b"</rdf:Description></rdf:RDF></x:xmpmeta>"
)


def test_a_gain_map_is_reported_and_no_longer_announced(tmp_path):
    Image.new("RGB", (8, 6)).save(tmp_path / "in.jpg", xmp=GAIN_MAP)
    done = ok("in.jpg", "out.jpg", cwd=tmp_path)
    assert b"its gain map for HDR screens was dropped" in done.stderr
    with Image.open(tmp_path / "out.jpg") as image:
        xmp = image.info["xmp"]
    ElementTree.fromstring(xmp)
    assert b"mine" in xmp and not re.search(rb"g:|GainMap|hdr-gain-map", xmp)


def test_xmp_without_a_gain_map_stays_as_it_is(tmp_path):
    assert gain_map.without_gain_map(XMP) is None
    other = GAIN_MAP.replace(b"hdr-gain-map", b"another")
    Image.new("RGB", (8, 6)).save(tmp_path / "in.jpg", xmp=other)
    assert ok("in.jpg", "out.jpg", cwd=tmp_path).stderr == b""
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.info["xmp"] == other

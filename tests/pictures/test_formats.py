"""What each format keeps: modes, depth, animations, pages and metadata, through the real command."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from helpers import ROOT, SAMPLES, ok, run
from PIL import Image, ImageCms, ImageSequence

from upscale.pictures.formats import FORMATS, METADATA, NPY
from upscale.pictures.reading import Source

RNG = np.random.default_rng(0)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="1"/></x:xmpmeta>'


def read(path, notes=None):
    """Read all frames of a file by the package's own readers."""
    with path.open("rb") as file:
        note = [].append if notes is None else notes.append
        source = Source(file, str(path), layout="hwc", allow_8_bit=False, max_pixels=10**8, note=note)
        return source.contents, list(source.frames(source.contents.frames))


def larger(a, factor=2):
    return np.asarray(a).repeat(factor, 0).repeat(factor, 1)


def table():
    """Make the table of docs/formats.md out of the table of formats."""
    lines = ["| format | suffixes | holds as it is | several | metadata |", "|---|---|---|---|---|"]
    for form in dict.fromkeys(FORMATS.values()):
        if form is NPY:
            continue
        suffixes = " ".join(f"`{s}`" for s, f in FORMATS.items() if f is form)
        modes = ", ".join({"I;16": "L;16", "I": "L;32", "F": "L;F"}.get(m, m) for m in form.modes)
        metadata = ", ".join(METADATA[k] for k in form.metadata) or "none"
        lines.append(f"| {form.name} | {suffixes} | {modes} | {form.several or 'one picture'} | {metadata} |")
    return "\n".join(lines)


def test_the_table_in_the_documentation_is_the_programs_own():
    assert table() in (ROOT / "docs" / "formats.md").read_text()


# Modes --------------------------------------------------------------------------------------------------------------------


def image_of(mode):
    if mode == "1":
        return Image.fromarray(RNG.integers(0, 2, (5, 6), np.uint8) * 255).convert("1")
    if mode == "P":
        return Image.fromarray(RNG.integers(0, 256, (5, 6, 3), np.uint8)).quantize(16)
    if mode == "PA":
        return image_of("P").convert("PA")
    shape = (5, 6, len(Image.new(mode, (1, 1)).getbands()))
    if mode in ("I;16", "I", "F"):
        dtype = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        return Image.fromarray((RNG.random((5, 6)) * 60000).astype(dtype))
    samples = RNG.integers(0, 256, shape, np.uint8)
    return Image.frombytes(mode, (6, 5), samples.tobytes())


PILLOW_WRITES = {
    ".png": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    ".gif": ("L", "P"),
    ".webp": ("RGB", "RGBA"),
    ".tiff": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "LAB", "I;16", "I", "F"),
    ".bmp": ("1", "L", "P", "RGB"),
    ".tga": ("L", "LA", "P", "RGB", "RGBA"),
    ".pnm": ("1", "L", "RGB", "I;16"),
    ".pfm": ("F",),
    ".ico": ("RGBA",),
}
CASES = [(suffix, mode) for suffix, modes in PILLOW_WRITES.items() for mode in modes]
HEAVY_TCONV = [
    pytest.param(["nn"], id="nn"), pytest.param(["tconv", "-k", "box"], id="tconv", marks=pytest.mark.heavy),
]  # fmt: skip


@pytest.mark.parametrize(("suffix", "mode"), CASES)
@pytest.mark.parametrize("method", HEAVY_TCONV)
def test_every_mode_stays_itself(tmp_path, suffix, mode, method):
    image = image_of(mode)
    options = {"lossless": True, "exact": True} if suffix == ".webp" else {"sizes": [(6, 5)]} if suffix == ".ico" else {}
    image.save(tmp_path / f"in{suffix}", **options)
    ok(f"in{suffix}", f"out{suffix}", "-m", *method, cwd=tmp_path)
    with Image.open(tmp_path / f"in{suffix}") as before, Image.open(tmp_path / f"out{suffix}") as after:
        if method[0] == "nn":
            assert after.mode == before.mode
        if mode in ("P", "1", "L", "LA", "PA"):
            before, after = before.convert("RGBA"), after.convert("RGBA")
        assert np.array_equal(np.asarray(after), larger(before))


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("mode", ["I;16", "LA;16", "RGB;16", "RGBA;16"])
def test_16_bits_between_the_formats_that_hold_them(tmp_path, suffix, mode):
    from upscale.pictures import png_writer
    from upscale.pictures.picture import Frame, Picture
    from upscale.pictures.write_options import WriteOptions

    channels = {"I;16": (), "LA;16": (2,), "RGB;16": (3,), "RGBA;16": (4,)}[mode]
    samples = RNG.integers(0, 65536, (5, 6, *channels), np.uint16)
    from upscale.loops import numpy_loops

    with (tmp_path / "in.png").open("wb") as file:
        writer = png_writer.Writer(file, WriteOptions((5, 6), loops=numpy_loops))
        writer.add(Frame(Picture(samples, mode)))
        writer.close()
    ok("in.png", f"first{suffix}", cwd=tmp_path)
    ok(f"first{suffix}", "second.png", "-m", "tconv", "-k", "box", cwd=tmp_path)
    for name, factor in ((f"first{suffix}", 2), ("second.png", 4)):
        _, [frame] = read(tmp_path / name)
        assert frame.picture.mode == mode
        assert np.array_equal(frame.picture.samples, larger(samples, factor))


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("deep.png", "out.jpg"), "--depth 8"),
        (("deep.png", "out.webp"), "--depth 8"),
        (("cmyk.tiff", "out.png"), "--to-rgb"),
        (("lab.tiff", "out.png"), "--to-rgb"),
        (("alpha.png", "out.jpg"), "--background"),
        (("float.tiff", "out.png"), ".tiff"),
        (("float.tiff", "out.png", "--depth", "8"), "full scale"),
        (("pages.tiff", "out.png"), "--frame N (0 to 2)"),
        (("moving.gif", "out.jpg"), "--frame N (0 to 1)"),
        (("moving.gif", "out.bmp"), "--frame N (0 to 1)"),
        (("moving.gif", "out.png", "--frame", "2"), "0 to 1"),
        (("large.png", "out.ico"), "256"),
    ],
)
def test_what_a_format_cannot_hold_is_refused_with_what_helps(tmp_path, arguments, hint):
    Image.fromarray(RNG.integers(0, 65536, (3, 4), np.uint16)).save(tmp_path / "deep.png")
    image_of("CMYK").save(tmp_path / "cmyk.tiff")
    image_of("LAB").save(tmp_path / "lab.tiff")
    image_of("RGBA").save(tmp_path / "alpha.png")
    image_of("F").save(tmp_path / "float.tiff")
    Image.new("L", (200, 2)).save(tmp_path / "large.png")
    pages = [image_of("L") for _ in range(3)]
    pages[0].save(tmp_path / "pages.tiff", save_all=True, append_images=pages[1:])
    pages[0].save(tmp_path / "moving.gif", save_all=True, append_images=pages[1:2])
    done = run(*arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.decode().count("\n") == 1
    assert done.stderr.startswith(f"upscale: {arguments[0]}: ".encode())
    assert hint in done.stderr.decode()
    assert not list(tmp_path.glob("out.*"))


def test_the_options_that_ask_for_a_conversion(tmp_path):
    deep = RNG.integers(0, 65536, (3, 4), np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    ok("deep.png", "eight.bmp", "--depth", "8", "-f", "1", cwd=tmp_path)
    with Image.open(tmp_path / "eight.bmp") as image:
        assert np.array_equal(np.asarray(image), np.floor(deep / 65535 * 255 + 0.5))
    cmyk = image_of("CMYK")
    cmyk.save(tmp_path / "cmyk.tiff")
    ok("cmyk.tiff", "rgb.png", "--to-rgb", "-f", "1", cwd=tmp_path)
    with Image.open(tmp_path / "rgb.png") as image:
        assert np.array_equal(np.asarray(image), np.asarray(cmyk.convert("RGB")))
    lab = Image.fromarray(np.array([[[255, 128, 128], [0, 128, 128]]], np.uint8) ^ np.array([0, 128, 128], np.uint8), "RGB")
    Image.frombytes("LAB", (2, 1), lab.tobytes()).save(tmp_path / "lab.tiff")
    ok("lab.tiff", "lab.png", "--to-rgb", "-f", "1", cwd=tmp_path)
    with Image.open(tmp_path / "lab.png") as image:
        assert np.abs(np.asarray(image).astype(int) - [[[255] * 3, [0] * 3]]).max() <= 1
    alpha = np.array([[[200, 100, 0, 128]]], np.uint8)
    Image.fromarray(alpha).save(tmp_path / "alpha.png")
    ok("alpha.png", "flat.ppm", "--background", "#0000ff", "-f", "1", cwd=tmp_path)
    with Image.open(tmp_path / "flat.ppm") as image:
        assert image.getpixel((0, 0)) == (100, 50, 127)


def test_16_bits_before_mixing_keep_what_8_would_round(tmp_path):
    Image.fromarray(np.array([[0, 1]], np.uint8)).save(tmp_path / "in.png")
    ok("in.png", "out.png", "--depth", "16", "-m", "tconv", "-k", "bilinear", cwd=tmp_path)
    _, [frame] = read(tmp_path / "out.png")
    assert frame.picture.samples[0].tolist() == [0, 64, 193, 257]


def test_lab_is_mixed_as_numbers_with_signs(tmp_path):
    samples = np.array([[[100, 127, 127], [100, 129, 129]]], np.uint8)  # just below and above no colour
    image = Image.frombytes("LAB", (2, 1), (samples ^ np.array([0, 128, 128], np.uint8)).tobytes())
    image.save(tmp_path / "in.tiff")
    ok("in.tiff", "out.tiff", "-m", "tconv", "-k", "bilinear", cwd=tmp_path)
    _, [frame] = read(tmp_path / "out.tiff")
    assert np.abs(frame.picture.samples[..., 1:].astype(int) - 128).max() <= 1


def test_lab_without_colour_stays_so_at_another_depth(tmp_path):
    """In TIFF, a and b are signed: -128 to 127 in 8 bits, and 256 times as much in 16."""
    samples = np.array([[[0, 128, 128], [255, 0, 255], [77, 127, 129]]], np.uint8)
    Image.frombytes("LAB", (3, 1), (samples ^ np.array([0, 128, 128], np.uint8)).tobytes()).save(tmp_path / "in.tiff")
    ok("in.tiff", "deep.tiff", "--depth", "16", "-f", "1", cwd=tmp_path)
    with tifffile.TiffFile(tmp_path / "deep.tiff") as file:
        stored = file.pages[0].asarray()
    assert stored[..., 0].tolist() == [[0, 65535, 77 * 257]]
    assert stored[..., 1:].view(np.int16).tolist() == [[[0, 0], [-32768, 127 * 256], [-256, 256]]]
    ok("deep.tiff", "back.tiff", "--depth", "8", "-f", "1", cwd=tmp_path)
    _, [frame] = read(tmp_path / "back.tiff")
    assert frame.picture.samples.tolist() == samples.tolist()


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".avif"])
def test_quality(tmp_path, suffix):
    with Image.open(SAMPLES / "lake.png") as image:
        image.crop((200, 100, 280, 160)).save(tmp_path / "in.png")
    sizes, errors = [], []
    with Image.open(tmp_path / "in.png") as image:
        want = larger(image).astype(int)
    for quality in ("20", "95"):
        ok("in.png", f"out{suffix}", "--quality", quality, cwd=tmp_path)
        sizes.append((tmp_path / f"out{suffix}").stat().st_size)
        with Image.open(tmp_path / f"out{suffix}") as image:
            errors.append(np.abs(np.asarray(image) - want).mean())
    assert sizes[0] < sizes[1] and errors[0] > errors[1]
    if suffix != ".jpg":
        ok("in.png", f"out{suffix}", "--lossless", cwd=tmp_path)
        with Image.open(tmp_path / f"out{suffix}") as image:
            assert np.array_equal(np.asarray(image), want)
    assert run("in.png", f"out{suffix}", "--lossless", "--quality", "9", cwd=tmp_path).returncode == 2


def test_chroma_is_not_subsampled_in_jpeg(tmp_path):
    image = Image.new("RGB", (16, 16), (255, 0, 0))
    image.paste((0, 0, 255), (8, 0, 16, 16))
    image.save(tmp_path / "in.png")
    ok("in.png", "out.jpg", cwd=tmp_path)
    with Image.open(tmp_path / "out.jpg") as image:
        assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3


def test_a_jpeg_compressed_tiff_is_not_compressed_so_again(tmp_path):
    Image.open(SAMPLES / "lake.png").save(tmp_path / "in.tiff", compression="jpeg")
    ok("in.tiff", "out.tiff", cwd=tmp_path)
    with Image.open(tmp_path / "in.tiff") as before, Image.open(tmp_path / "out.tiff") as after:
        assert after.info["compression"] == "tiff_adobe_deflate"
        assert np.array_equal(np.asarray(after), larger(before.convert("RGB")))


# Several pictures ---------------------------------------------------------------------------------------------------------


def moving(transparent=False):
    frames = []
    for x in range(4):
        image = Image.new("RGBA", (9, 7), (0, 0, 0, 0) if transparent else (250, 240, 0, 255))
        image.paste((200, 30 * x, 90, 255), (x, x, x + 4, x + 3))
        frames.append(image)
    return frames


def shown(path):
    with Image.open(path) as image:
        frames = []
        for frame in ImageSequence.Iterator(image):
            frame.load()
            a = np.asarray(frame.convert("RGBA")).copy()
            a[a[..., 3] == 0] = 0
            frames.append((a, frame.info.get("duration")))
        return frames, image.info.get("loop")


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("target", [".gif", ".webp", ".png", ".avif"])
@pytest.mark.parametrize("source", [".gif", ".webp", ".png"])
@pytest.mark.parametrize("method", HEAVY_TCONV)
def test_animations_from_format_to_format(tmp_path, source, target, transparent, method):
    frames = moving(transparent)
    options = {"lossless": True} if source == ".webp" else {"disposal": 2} if source == ".gif" else {}
    frames[0].save(
        tmp_path / f"in{source}", save_all=True, append_images=frames[1:], duration=[40, 80, 200, 30], loop=3, **options
    )
    done = ok(f"in{source}", f"out{target}", "-m", *method, cwd=tmp_path)
    assert (b"becomes an animated" in done.stderr) == (source != target)
    (before, loop), (after, other) = shown(tmp_path / f"in{source}"), shown(tmp_path / f"out{target}")
    assert [d for _, d in before] == [d for _, d in after]
    for (one, _), (two, _) in zip(before, after, strict=True):
        assert np.abs(larger(one).astype(int) - two).max() <= (12 if target == ".avif" else 0)
    if target != ".avif":
        repeats = 1 if source == ".gif" else 0
        assert other == loop + repeats - (target == ".gif")


def test_a_gif_that_plays_once_still_plays_once(tmp_path):
    frames = moving()
    frames[0].save(tmp_path / "in.gif", save_all=True, append_images=frames[1:], duration=50)
    for target in (".gif", ".png", ".webp"):
        ok("in.gif", f"out{target}", cwd=tmp_path)
        assert shown(tmp_path / f"out{target}")[1] == (None if target == ".gif" else 1)


@pytest.mark.parametrize("method", [["nn"], ["tconv", "-k", "box"]], ids=["nn", "tconv"])
def test_pages_of_all_kinds(tmp_path, method):
    pages = [image_of("RGB"), image_of("L").resize((3, 8)), image_of("I;16"), image_of("CMYK"), image_of("1"), image_of("F")]
    pages[0].save(tmp_path / "in.tiff", save_all=True, append_images=pages[1:])
    ok("in.tiff", "out.tiff", "-m", *method, cwd=tmp_path)
    with Image.open(tmp_path / "out.tiff") as after:
        assert after.n_frames == len(pages)
        for number, page in enumerate(pages):
            after.seek(number)
            got, want = (a.convert("L") if page.mode == "1" else a for a in (after, page))
            assert np.array_equal(np.asarray(got), larger(want))
    ok("in.tiff", "one.png", "--frame", "1", cwd=tmp_path)
    with Image.open(tmp_path / "one.png") as one:
        assert np.array_equal(np.asarray(one), larger(pages[1]))


def test_all_sizes_of_an_icon(tmp_path):
    sizes = [(16, 16), (24, 24), (48, 48)]
    images = [Image.fromarray(RNG.integers(0, 256, (h, w, 4), np.uint8)) for w, h in sizes]
    images[2].save(tmp_path / "in.ico", sizes=sizes, append_images=images[:2])
    ok("in.ico", "out.ico", "-f", "3", cwd=tmp_path)
    with Image.open(tmp_path / "out.ico") as icon:
        assert icon.info["sizes"] == {(48, 48), (72, 72), (144, 144)}
        for image in images:
            assert np.array_equal(np.asarray(icon.ico.getimage((image.width * 3, image.height * 3))), larger(image, 3))
    ok("in.ico", "out.png", cwd=tmp_path)
    with Image.open(tmp_path / "out.png") as image:
        assert np.array_equal(np.asarray(image), larger(images[2]))


# Metadata -----------------------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("suffix", sorted(set(FORMATS) - {".npy", ".pbm", ".pgm", ".pfm"}))
def test_metadata_are_kept_where_they_can_be_and_told_where_not(tmp_path, described, suffix):
    done = ok(described, tmp_path / f"out{suffix}", "-f", "1")
    target = FORMATS[suffix]
    _, [frame] = read(tmp_path / f"out{suffix}")
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
    for key in target.metadata:
        assert checks[key](), key
    told = done.stderr.decode()
    for key in set(METADATA) - set(target.metadata) - {"comment"}:
        assert key not in info or key == "dpi"
        assert METADATA[key] in told, key
    ok(described, tmp_path / f"bare{suffix}", "--strip")
    _, [frame] = read(tmp_path / f"bare{suffix}")
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
    from upscale.pictures.png_format import SIGNATURE, chunk

    bomb = zlib.compress(bytes(1 << 27), 9)
    data = SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 8, 0, 0, 0, 0)) + chunk(b"zTXt", b"key\0\0" + bomb)
    data += chunk(b"IDAT", zlib.compress(b"\0ab")) + chunk(b"IEND")
    (tmp_path / "in.png").write_bytes(data)
    done = ok("in.png", "out.png", cwd=tmp_path)
    assert b"zTXt chunk was left out" in done.stderr
    with Image.open(io.BytesIO((tmp_path / "out.png").read_bytes())) as image:
        assert np.asarray(image).tolist() == [list(b"aabb")] * 2


# Deep samples that Pillow would cut ---------------------------------------------------------------------------------------


def test_deep_avif_and_jpeg_2000(tmp_path):
    import imagecodecs

    samples = RNG.integers(0, 1024, (40, 50, 3)).astype(np.uint16)
    (tmp_path / "in.avif").write_bytes(imagecodecs.avif_encode(samples, level=100, bitspersample=10))
    deep = RNG.integers(0, 65536, (40, 50, 3), np.uint16)
    (tmp_path / "in.jp2").write_bytes(imagecodecs.jpeg2k_encode(deep, level=0))
    for name, want in (("in.avif", np.floor(samples * (65535 / 1023) + 0.5)), ("in.jp2", deep)):
        ok(name, "out.png", cwd=tmp_path)
        _, [frame] = read(tmp_path / "out.png")
        assert np.array_equal(frame.picture.samples, larger(want))
        assert b"--depth 8" in run(name, "out.jpg", cwd=tmp_path).stderr
        ok(name, "out.jpg", "--depth", "8", cwd=tmp_path)


@pytest.mark.parametrize("packed", [0, 1])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sgi_of_16_bits(tmp_path, packed, channels):
    samples = RNG.integers(0, 65536, (5, 200, channels), np.uint16)
    samples[2] = 7
    head = struct.pack(
        ">HBBHHHHIII80sI404s", 474, packed, 2, 2 if channels == 1 else 3, 200, 5, channels, 0, 65535, 0, b"", 0, b""
    )
    rows = [samples[y, :, c].astype(">u2") for c in range(channels) for y in range(4, -1, -1)]
    if packed:
        literal = [b"".join(struct.pack(">H", 128 | 100) + r[x : x + 100].tobytes() for x in (0, 100)) + b"\0\0" for r in rows]
        runs = struct.pack(">4H", 100, 7, 100, 7) + b"\0\0"
        body = [runs if (r == 7).all() else row for r, row in zip(rows, literal, strict=True)]
        starts = 512 + 8 * len(rows) + np.cumsum([0, *map(len, body)])[:-1]
        tables = starts.astype(">u4").tobytes() + np.array([len(b) for b in body], ">u4").tobytes()
        data = head + tables + b"".join(body)
    else:
        data = head + b"".join(r.tobytes() for r in rows)
    (tmp_path / "in.sgi").write_bytes(data)
    ok("in.sgi", "out.png", cwd=tmp_path)
    _, [frame] = read(tmp_path / "out.png")
    assert np.array_equal(frame.picture.samples, larger(samples[..., 0] if channels == 1 else samples))
    (tmp_path / "in.sgi").write_bytes(data[:-9])
    done = run("in.sgi", "cut.png", cwd=tmp_path)
    assert done.returncode == 1
    assert b"in.sgi: damaged" in done.stderr


# What was once wrong ------------------------------------------------------------------------------------------------------


def test_a_pgm_of_16_bits_stays_of_16_bits(tmp_path):
    samples = RNG.integers(0, 65536, (3, 4), np.uint16)
    (tmp_path / "in.pgm").write_bytes(b"P5 4 3 65535\n" + samples.astype(">u2").tobytes())
    ok("in.pgm", "out.tif", "-m", "tconv", "-k", "bicubic", cwd=tmp_path)
    _, [frame] = read(tmp_path / "out.tif")
    assert frame.picture.mode == "I;16"
    assert b"--depth 8" in run("in.pgm", "out.webp", cwd=tmp_path).stderr


def test_views_of_one_scene(tmp_path):
    views = [Image.fromarray(RNG.integers(0, 256, (8, 8, 3), np.uint8)) for _ in range(2)]
    views[0].save(tmp_path / "in.mpo", save_all=True, append_images=views[1:])
    assert b"the first was taken" in ok("in.mpo", "out.png", cwd=tmp_path).stderr
    ok("in.mpo", "second.png", "--frame", "1", cwd=tmp_path)
    with Image.open(tmp_path / "in.mpo") as before, Image.open(tmp_path / "second.png") as after:
        before.seek(1)
        assert np.array_equal(np.asarray(after), larger(before))


@pytest.mark.parametrize(("dpi", "becomes"), [(300, 300), (72.6, 73), (1e5, None), (0.3, None)])
def test_a_resolution_that_jpeg_does_not_hold(tmp_path, dpi, becomes):
    Image.new("RGB", (4, 3)).save(tmp_path / "in.tif", dpi=(dpi, dpi))
    done = ok("in.tif", "out.jpg", cwd=tmp_path)
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.info.get("dpi") == (becomes and (becomes, becomes))
    assert (b"resolution" in done.stderr) == (becomes is None)


def test_grey_with_a_colour_key_into_gif(tmp_path):
    Image.fromarray(np.array([[1, 2], [3, 4]], np.uint8)).save(tmp_path / "in.png", transparency=3)
    ok("in.png", "out.gif", "-f", "1", cwd=tmp_path)
    with Image.open(tmp_path / "out.gif") as image:
        got = np.asarray(image.convert("RGBA"))
    assert got[..., 3].tolist() == [[255, 255], [0, 255]]
    assert got[got[..., 3] > 0][:, 0].tolist() == [1, 2, 4]


def test_floats_through_standard_streams(tmp_path):
    image_of("F").save(tmp_path / "in.pfm")
    done = ok("-", "-", stdin=(tmp_path / "in.pfm").read_bytes())
    assert done.stdout.startswith(b"Pf")


@pytest.mark.parametrize("dtype", ["float64", "float16", "int16", "uint32", "int8"])
def test_arrays_of_many_types_into_tiff(tmp_path, dtype):
    import tifffile

    array = RNG.integers(0, 100, (3, 4)).astype(dtype)
    np.save(tmp_path / "in.npy", array)
    ok("in.npy", "out.tif", cwd=tmp_path)
    got = tifffile.imread(tmp_path / "out.tif")
    assert got.dtype == dtype
    assert np.array_equal(got, larger(array))
    np.save(tmp_path / "in.npy", array.astype(complex))
    assert b"complex128" in run("in.npy", "no.tif", cwd=tmp_path).stderr


@pytest.mark.parametrize(
    "arguments", [("out.jpg", "--lossless"), ("out.png", "--quality", "50"), ("out.jpg", "--compression", "small")]
)
def test_options_that_a_format_has_no_use_for(tmp_path, rgb, arguments):
    done = run(rgb, *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert arguments[1].encode() in done.stderr
    assert not (tmp_path / arguments[0]).exists()


def test_descriptions_that_tell_sizes_are_left_out(tmp_path):
    import tifffile

    tifffile.imwrite(tmp_path / "in.tif", np.zeros((3, 7, 13), np.uint16), photometric="minisblack")
    done = ok("in.tif", "out.tif", cwd=tmp_path)
    assert b"sizes that are no longer true" in done.stderr
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert len(file.pages) == 3
        assert 270 not in file.pages[0].tags

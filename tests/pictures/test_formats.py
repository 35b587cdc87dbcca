"""What each format keeps: modes, depth and quality, through the real command."""

import struct

import imagecodecs
import numpy as np
import pytest
import tifffile
from helpers import HEAVY_TCONV, ROOT, SAMPLES, image_of, larger, ok, read_frames, run
from PIL import Image, ImageCms

from upscale.pictures.formats import FORMATS, METADATA, NPY

RNG = np.random.default_rng(0)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def table():
    """Make the table of docs/formats.md out of the table of formats."""
    lines = ["| format | suffixes | pixel types | multiple images | metadata |", "|---|---|---|---|---|"]
    for form in dict.fromkeys(FORMATS.values()):
        if form is NPY:
            continue
        suffixes = " ".join(f"`{s}`" for s, f in FORMATS.items() if f is form)
        modes = ", ".join({"I;16": "L;16", "I": "L;32", "F": "L;F"}.get(m, m) for m in form.modes)
        metadata = ", ".join(METADATA[k] for k in form.metadata) or "none"
        lines.append(f"| {form.name} | {suffixes} | {modes} | {form.several or 'none'} | {metadata} |")
    return "\n".join(lines)


def test_the_table_in_the_documentation_is_the_programs_own():
    assert table() in (ROOT / "docs" / "formats.md").read_text()


# Modes --------------------------------------------------------------------------------------------------------------------


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
    from upscale.pictures.picture import Frame, Picture
    from upscale.pictures.png import png_writer
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
        _, [frame] = read_frames(tmp_path / name)
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
    pages = [image_of("L", seed) for seed in range(3)]
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
    _, [frame] = read_frames(tmp_path / "out.png")
    assert frame.picture.samples[0].tolist() == [0, 64, 193, 257]


def test_lab_is_mixed_as_numbers_with_signs(tmp_path):
    samples = np.array([[[100, 127, 127], [100, 129, 129]]], np.uint8)  # just below and above no colour
    image = Image.frombytes("LAB", (2, 1), (samples ^ np.array([0, 128, 128], np.uint8)).tobytes())
    image.save(tmp_path / "in.tiff")
    ok("in.tiff", "out.tiff", "-m", "tconv", "-k", "bilinear", cwd=tmp_path)
    _, [frame] = read_frames(tmp_path / "out.tiff")
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
    _, [frame] = read_frames(tmp_path / "back.tiff")
    assert frame.picture.samples.tolist() == samples.tolist()


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".avif"])
def test_quality(tmp_path, suffix):
    with Image.open(SAMPLES / "cat.png") as image:
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
    Image.open(SAMPLES / "cat.png").save(tmp_path / "in.tiff", compression="jpeg")
    ok("in.tiff", "out.tiff", cwd=tmp_path)
    with Image.open(tmp_path / "in.tiff") as before, Image.open(tmp_path / "out.tiff") as after:
        assert after.info["compression"] == "tiff_adobe_deflate"
        assert np.array_equal(np.asarray(after), larger(before.convert("RGB")))


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


def test_an_animated_avif_is_never_called_lossless(tmp_path):
    done = run(SAMPLES / "villager.gif", tmp_path / "out.avif", "--lossless")
    assert done.returncode == 1 and b"--lossless: animated AVIF is always lossy; write .png or .webp" in done.stderr
    assert not (tmp_path / "out.avif").exists()
    ok(SAMPLES / "villager.gif", tmp_path / "out.avif", "--lossless", "--frame", "0")  # a single picture can be


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "1"])
def test_no_resolution_is_invented_in_bmp(tmp_path, mode):
    Image.new(mode, (3, 2)).save(tmp_path / "in.png")
    ok("in.png", "out.bmp", cwd=tmp_path)
    assert (tmp_path / "out.bmp").read_bytes()[38:46] == bytes(8)


def bmp_v5(pixels, profile, declared=None):
    """Make a BMP file of 24 bits with the fifth version of the header and a profile behind the pixels."""
    height, width = pixels.shape[:2]
    rows = b"".join(row[:, ::-1].tobytes().ljust(-(-3 * width // 4) * 4, b"\0") for row in pixels[::-1])
    size = len(profile) if declared is None else declared
    header = struct.pack("<IiiHHIIiiII", 124, width, height, 1, 24, 0, len(rows), 0, 0, 0, 0)
    header += bytes(16) + b"DEBM" + bytes(48) + struct.pack("<IIII", 4, 124 + len(rows), size, 0)
    return struct.pack("<2sIHHI", b"BM", 14 + 124 + len(rows) + len(profile), 0, 0, 14 + 124) + header + rows + profile


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_the_profile_of_a_bmp_file_is_kept(tmp_path, suffix):
    (tmp_path / "in.bmp").write_bytes(bmp_v5(RNG.integers(0, 256, (4, 5, 3), np.uint8), PROFILE))
    ok("in.bmp", f"out{suffix}", cwd=tmp_path)
    with Image.open(tmp_path / f"out{suffix}") as image:
        assert image.info["icc_profile"] == PROFILE
    assert b"because BMP cannot store it: colour profile" in ok("in.bmp", "out.bmp", cwd=tmp_path).stderr


def test_a_bmp_profile_that_is_cut_off_is_none(tmp_path):
    (tmp_path / "in.bmp").write_bytes(bmp_v5(np.zeros((4, 5, 3), np.uint8), PROFILE, declared=1 << 20))
    ok("in.bmp", "out.png", cwd=tmp_path)
    with Image.open(tmp_path / "out.png") as image:
        assert "icc_profile" not in image.info


def test_what_pillow_logs_does_not_reach_the_screen(tmp_path):
    tifffile.imwrite(
        tmp_path / "in.tif", np.zeros((4, 5, 7), np.uint8), photometric="minisblack", planarconfig="contig", metadata=None
    )
    assert ok("in.tif", "out.tif", cwd=tmp_path).stderr == b""
    assert tifffile.imread(tmp_path / "out.tif").shape == (8, 10, 7)


def psd(samples, mode, compressed):
    """Make a Photoshop file of a merged picture, (channels, H, W), without layers."""
    channels, height, width = samples.shape
    head = struct.pack(">4sH6xHIIHH", b"8BPS", 1, channels, height, width, 8, mode) + bytes(12)
    rows = [imagecodecs.packbits_encode(row.tobytes()) for channel in samples for row in channel]
    if not compressed:
        return head + b"\0\0" + samples.tobytes()
    return head + b"\0\1" + b"".join(struct.pack(">H", len(row)) for row in rows) + b"".join(rows)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    ("mode", "channels"), [(1, 1), (1, 3), (3, 3), (3, 4), (3, 5), (3, 7), (4, 4), (4, 6)], ids=lambda value: str(value)
)
def test_photoshop_pictures_with_channels_of_any_number(tmp_path, mode, channels, compressed):
    samples = RNG.integers(0, 4, (channels, 9, 7), np.uint8) * 60
    (tmp_path / "in.psd").write_bytes(psd(samples, mode, compressed))
    ok("in.psd", "out.tif", cwd=tmp_path)
    shown = {1: 1, 3: 3, 4: 4}[mode]  # without layers, the others are masks
    want = np.moveaxis(samples[:shown], 0, -1).repeat(2, 0).repeat(2, 1)
    got = tifffile.imread(tmp_path / "out.tif").reshape(want.shape)
    assert np.array_equal(255 - got if mode == 4 else got, want)

"""TIFF layouts that only one of the decoders reads, or reads rightly: the pixels are right, or the file is refused."""

import io
import itertools
import struct

import numpy as np
import pytest
import tifffile
from helpers import pixels, run
from PIL import Image, TiffImagePlugin

from upscale.errors import ArgumentError, FileError
from upscale.pictures.picture import Frame
from upscale.pictures.reading import Source
from upscale.pictures.tiff import tiff_decoders
from upscale.pictures.tiff.tiff_reader import read
from upscale.pictures.tiff.tiff_writer import Writer
from upscale.pictures.write_options import WriteOptions

RNG = np.random.default_rng(0)
CODES = {1: "B", 2: "s", 3: "H", 4: "I", 5: "I", 7: "s"}


def hand_made(tags, data, order="<"):
    """Lay out a TIFF file of one page: its tags as (code, type, values), and its samples in one strip unless tags say else."""
    tags = {code: (kind, values) for code, kind, values in tags}
    tags.setdefault(273, (4, [8]))
    tags.setdefault(279, (4, [len(data)]))
    body, entries = bytearray(data + bytes(len(data) % 2)), []
    for code, (kind, values) in sorted(tags.items()):
        raw = values if isinstance(values, bytes) else struct.pack(f"{order}{len(values)}{CODES[kind]}", *values)
        number = len(raw) if isinstance(values, bytes) else len(values) // (2 if kind == 5 else 1)
        if len(raw) > 4:
            at = 8 + len(body)
            body += raw + bytes(len(raw) % 2)
            raw = struct.pack(f"{order}I", at)
        entries.append(struct.pack(f"{order}HHI", code, kind, number) + raw.ljust(4, b"\0"))
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8 + len(body))
    return head + bytes(body) + struct.pack(f"{order}H", len(entries)) + b"".join(entries) + bytes(4)


def layout(width, height, bits, photometric, compression=1):
    """Return the tags that a page must have."""
    fixed = [(256, 4, [width]), (257, 4, [height]), (258, 3, bits), (259, 3, [compression]), (262, 3, [photometric])]
    return [*fixed, (277, 3, [len(bits)]), (278, 4, [height])]


def decoded(data):
    """Decode all pages; return the pictures and the notes."""
    notes = []
    pictures = [frame.picture for frame in read(io.BytesIO(data), 10**8, notes.append).frames()]
    return pictures, notes


def first(data):
    """Decode a file of one page that is valid, so that there is nothing to note."""
    [picture], notes = decoded(data)
    assert notes == []
    return picture


def written(picture):
    """Write a picture as TIFF, and decode it by tifffile."""
    file = io.BytesIO()
    writer = Writer(Named(file), WriteOptions(picture.samples.shape[:2]))
    writer.add(Frame(picture))
    writer.close()
    file.seek(0)
    return tifffile.TiffFile(file).pages[0]


class Named:
    """A file in memory with the methods that the writer wants."""

    def __init__(self, file):
        self.read, self.write, self.seek, self.tell, self.flush = file.read, file.write, file.seek, file.tell, file.flush
        self.fileno, self.truncate, self.readinto = file.fileno, file.truncate, file.readinto


KINDS = {
    "L": ("minisblack", 1, (), "u1"),
    "LA": ("minisblack", 2, (2,), "u1"),
    "F": ("minisblack", 1, (), "f4"),
    "I;16": ("minisblack", 1, (), "u2"),
    "RGB": ("rgb", 3, (), "u1"),
    "RGBA": ("rgb", 4, (2,), "u1"),
    "RGB;16": ("rgb", 3, (), "u2"),
    "CMYK": ("separated", 4, (), "u1"),
    "LAB": ("cielab", 3, (), "u1"),
    "channels": ("rgb", 5, (0, 0), "u1"),
}


@pytest.mark.parametrize("mode", KINDS)
def test_samples_are_right_in_every_layout(mode):
    photometric, channels, extra, dtype = KINDS[mode]
    shape = (23, 37) if channels == 1 else (23, 37, channels)
    samples = RNG.random(shape).astype(dtype) if dtype == "f4" else RNG.integers(0, np.iinfo(dtype).max, shape, dtype)
    want = samples ^ np.array([0, 128, 128], np.uint8) if mode == "LAB" else samples
    layouts = ({"rowsperstrip": 7}, {"tile": (16, 16)}, {"tile": (32, 48)})
    planars = ("contig", "separate") if channels > 1 else (None,)
    for planar, compression, order, big in itertools.product(planars, (None, "lzw", "zlib", "zstd"), "<>", (False, True)):
        for parts, predictor in itertools.product(layouts, (False, True)):
            if predictor and compression is None:
                continue
            options = {"extrasamples": extra} if extra else {}
            stored = np.moveaxis(samples, -1, 0) if planar == "separate" else samples
            file = io.BytesIO()
            with tifffile.TiffWriter(file, byteorder=order, bigtiff=big) as writer:
                writer.write(
                    stored, photometric=photometric, planarconfig=planar, compression=compression, metadata=None,
                    predictor=predictor, **options, **parts,
                )  # fmt: skip
            picture = first(file.getvalue())
            assert picture.mode == mode
            assert np.array_equal(picture.samples, want), (planar, compression, order, big, parts, predictor)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_channels_of_1_bit_stay_so(channels):
    samples = RNG.integers(0, 2, (9, 13, channels)).astype(bool)
    kind = {2: ("minisblack", (2,)), 3: ("rgb", None), 4: ("separated", None)}[channels]
    file = io.BytesIO()
    packed = np.packbits(samples.reshape(9, -1), axis=1).tobytes()
    photometric = {"minisblack": 1, "rgb": 2, "separated": 5}[kind[0]]
    tags = layout(13, 9, [1] * channels, photometric) + ([(338, 3, [2])] if kind[1] else [])
    file.write(hand_made(tags, packed))
    picture = first(file.getvalue())
    assert picture.mode == {2: "LA", 3: "RGB", 4: "CMYK"}[channels]
    assert np.array_equal(picture.samples, samples * np.uint8(255))
    page = written(picture)
    if page.bitspersample == 8:  # this imagecodecs does not pack bits
        assert np.array_equal(page.asarray(), samples * np.uint8(255))
        return
    assert page.bitspersample == 1
    page.parent.filehandle.seek(page.dataoffsets[0])
    assert page.parent.filehandle.read(page.databytecounts[0]) == packed


def test_channels_of_1_bit_become_8_bits_where_their_values_are_new():
    picture = first(hand_made(layout(8, 1, [1] * 3, 2), b"\x92\x49\x24"))
    samples = np.array([[[0, 128, 255]]], np.uint8)
    page = written(picture._replace(samples=samples))
    assert page.bitspersample == 8
    assert np.array_equal(page.asarray(), samples)


def ycbcr(rgb, coefficients=(0.299, 0.587, 0.114)):
    """Convert as the TIFF specification says, to 8 bits with neutral 128."""
    red, green, blue = coefficients
    y = rgb @ np.array([red, green, blue])
    cb, cr = (rgb[..., 2] - y) / (2 - 2 * blue) + 128, (rgb[..., 0] - y) / (2 - 2 * red) + 128
    return np.clip(np.round(np.stack([y, cb, cr], -1)), 0, 255).astype(np.uint8)


#: Of 2 x 2 blocks of one colour, so that subsampling loses nothing.
COLOURS = RNG.integers(30, 220, (3, 4, 3)).astype(float)


@pytest.mark.parametrize("compression", [1, 8])
@pytest.mark.parametrize("order", ["<", ">"])
def test_subsampled_ycbcr(order, compression):
    import zlib

    small = ycbcr(COLOURS)
    data = b"".join(bytes([y] * 4 + [cb, cr]) for y, cb, cr in small.reshape(-1, 3).tolist())
    data = zlib.compress(data) if compression == 8 else data
    picture = first(hand_made([*layout(8, 6, [8, 8, 8], 6, compression), (530, 3, [2, 2])], data, order))
    assert picture.mode == "RGB"
    assert np.abs(picture.samples - COLOURS.repeat(2, 0).repeat(2, 1)).max() <= 2


@pytest.mark.parametrize("planar", [1, 2])
def test_ycbcr_with_coefficients_of_its_own(planar):
    coefficients = (0.2126, 0.7152, 0.0722)
    samples = ycbcr(COLOURS, coefficients)
    data = (np.moveaxis(samples, -1, 0) if planar == 2 else samples).tobytes()
    fractions = [n for c in coefficients for n in (round(10000 * c), 10000)]
    tags = [*layout(4, 3, [8, 8, 8], 6), (529, 5, fractions), (530, 3, [1, 1]), (284, 3, [planar])]
    if planar == 2:
        tags += [(273, 4, [8, 20, 32]), (279, 4, [12, 12, 12])]
    assert np.abs(first(hand_made(tags, data)).samples - COLOURS).max() <= 2


@pytest.mark.parametrize("planar", [1, 2])
def test_ycbcr_of_the_range_of_video(planar):
    """Whose black is 16 and whose white is 235."""
    samples = ycbcr(COLOURS).astype(float)
    samples = np.round(samples * [219 / 255, 224 / 255, 224 / 255] + [16, 16, 16]).astype(np.uint8)
    data = (np.moveaxis(samples, -1, 0) if planar == 2 else samples).tobytes()
    reference = [n for v in (16, 235, 128, 240, 128, 240) for n in (v, 1)]
    tags = [*layout(4, 3, [8, 8, 8], 6), (530, 3, [1, 1]), (532, 5, reference), (284, 3, [planar])]
    if planar == 2:
        tags += [(273, 4, [8, 20, 32]), (279, 4, [12, 12, 12])]
    assert np.abs(first(hand_made(tags, data)).samples - COLOURS).max() <= 5  # libtiff's tables are coarse


def test_ycbcr_of_16_bits():
    samples = (ycbcr(COLOURS).astype(np.uint16) * 257).astype("<u2")
    picture = first(hand_made([*layout(4, 3, [16] * 3, 6), (530, 3, [1, 1])], samples.tobytes()))
    assert picture.mode == "RGB;16"
    assert np.abs(picture.samples / 257 - COLOURS).max() <= 2


def test_ycbcr_with_tags_that_make_no_sense_is_read_with_the_usual_ones():
    tags = [*layout(4, 3, [8, 8, 8], 6), (529, 5, [1, 0] * 3), (530, 3, [1, 1])]
    [picture], notes = decoded(hand_made(tags, ycbcr(COLOURS).tobytes()))
    assert notes == ["its tags about YCbCr make no sense, so the usual values are taken"]
    assert np.abs(picture.samples - COLOURS).max() <= 2


def test_jpeg_in_planes_of_ycbcr():
    samples = np.full((16, 24, 3), (90, 140, 110), np.uint8)
    file = io.BytesIO()
    tifffile.imwrite(
        file, np.moveaxis(samples, -1, 0), photometric="ycbcr", planarconfig="separate", compression="jpeg", metadata=None
    )
    data = file.getvalue()
    # Y = 90, Cb = 140, Cr = 110
    want = (90 + 1.402 * -18, 90 - 0.344136 * 12 - 0.714136 * -18, 90 + 1.772 * 12)
    assert np.abs(first(data).samples - np.round(want)).max() <= 2


def test_lab_with_unsigned_a_and_b_keeps_its_kind():
    samples = RNG.integers(0, 256, (5, 6, 3), np.uint8)
    file = io.BytesIO()
    tifffile.imwrite(file, samples, photometric="icclab", metadata=None)
    picture = first(file.getvalue())
    assert picture.mode == "LAB"
    assert np.array_equal(picture.samples, samples)
    page = written(picture)
    assert page.photometric == 9
    assert np.array_equal(page.asarray(), samples)


@pytest.mark.parametrize("scale", [1, 257])
def test_palettes_of_8_bit_colours(scale):
    """Which the specification does not allow; they would be black."""
    colours = RNG.integers(0, 256, (256, 3))
    indices = RNG.integers(0, 256, (4, 6), np.uint8)
    tags = [*layout(6, 4, [8], 3), (320, 3, (colours.T.ravel() * scale).tolist())]
    picture = first(hand_made(tags, indices.tobytes()))
    assert np.array_equal(picture.palette[picture.samples], colours[indices])
    page = written(picture)
    assert np.array_equal(page.colormap.T[page.asarray()], colours[indices] * 257)


@pytest.mark.parametrize(("bits", "extra"), [(8, 0), (8, 2), (16, 0), (16, 2)])
def test_palettes_beside_other_channels(bits, extra):
    colours = RNG.integers(0, 65536, (1 << bits, 3), np.uint16)
    samples = RNG.integers(0, 1 << bits, (4, 6, 2)).astype(f"<u{bits // 8}")
    tags = [*layout(6, 4, [bits] * 2, 3), (320, 3, colours.T.ravel().tolist()), (338, 3, [extra])]
    [picture], notes = decoded(hand_made(tags, samples.tobytes()))
    assert ("1 channel besides its palette cannot be kept and was dropped" in notes) == (extra == 0)
    indices = picture.samples[..., 0] if picture.mode == "PA" else picture.samples
    shown = picture.palette[indices] if bits == 8 else picture.samples[..., :3]
    want = colours[samples[..., 0]]
    assert np.array_equal(shown, want >> 8 if bits == 8 else want)
    if extra:
        assert np.array_equal(picture.samples[..., -1], samples[..., 1])


@pytest.mark.parametrize(
    ("channels", "mode", "word"), [(1, "L", ""), (3, "RGB", "RGB"), (4, "CMYK", "CMYK")], ids=["grey", "RGB", "CMYK"]
)
def test_samples_without_a_meaning_are_guessed_with_a_note(channels, mode, word):
    samples = RNG.integers(0, 256, (3, 4, channels), np.uint8)
    tags = [tag for tag in layout(4, 3, [8] * channels, 1) if tag[0] != 262]
    [picture], notes = decoded(hand_made(tags, samples.tobytes()))
    assert picture.mode == mode
    assert np.array_equal(picture.samples.ravel(), samples.ravel())
    assert notes == ([f"its tags do not say what its samples mean; they are taken as {word}"] if word else [])


@pytest.mark.parametrize("fill", [1, 2])
@pytest.mark.parametrize("bits", [1, 8, 16])
def test_reversed_bits(bits, fill):
    samples = RNG.integers(0, 256, (4, 8 * 3), np.uint8) if bits == 8 else RNG.integers(0, 1 << bits, (4, 24), np.uint16)
    packed = np.packbits(samples, axis=1) if bits == 1 else samples.astype(f"<u{bits // 8}").view(np.uint8)
    stored = packed if fill == 1 else np.packbits(np.unpackbits(packed, bitorder="little"), bitorder="big")
    picture = first(hand_made([*layout(24, 4, [bits], 1), (266, 3, [fill])], stored.tobytes()))
    assert np.array_equal(picture.samples, samples)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        (layout(4, 2, [16] * 3, 32845, 34676), "LogLuv"),
        (layout(4, 2, [16] * 3, 32845, 34677), "LogLuv"),
        (layout(4, 2, [4], 1, 32809), "ThunderScan"),
        (layout(4, 2, [8], 1, 28163), "number 28163"),
        ([*layout(4, 2, [8] * 3, 6), (284, 3, [2]), (530, 3, [2, 2])], "YCbCr"),
        (layout(4, 2, [8, 16, 8], 2), "different numbers of bits"),
    ],
)
def test_what_no_decoder_reads_is_not_called_damaged(tags, words):
    with pytest.raises(ArgumentError, match=r"^not supported: ") as caught:
        decoded(hand_made(tags, bytes(200)))
    assert words in str(caught.value)
    assert "damaged" not in str(caught.value)


def failing(*arguments, **options):
    raise OSError("decoder error -2")


def test_where_one_decoder_fails_the_other_one_is_tried(monkeypatch):
    samples = RNG.integers(0, 256, (5, 6, 4), np.uint8)
    for extra, target in ((2, (Image.Image, "load")), (1, (tifffile.TiffPage, "asarray"))):
        file = io.BytesIO()
        tifffile.imwrite(file, samples, photometric="rgb", extrasamples=[extra], compression="zlib", metadata=None)
        with monkeypatch.context() as patched:
            patched.setattr(*target, failing)
            patched.setattr(TiffImagePlugin.TiffImageFile, "load", failing) if extra == 2 else None
            [picture], _ = decoded(file.getvalue())
        assert np.array_equal(picture.samples[..., 3], samples[..., 3])
    with monkeypatch.context() as patched:
        patched.setattr(TiffImagePlugin.TiffImageFile, "load", failing)
        patched.setattr(tifffile.TiffPage, "asarray", failing)
        with pytest.raises(ArgumentError, match=r"^damaged: its data cannot be decoded$"):
            decoded(file.getvalue())


def test_the_page_that_is_damaged_is_named():
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for _ in range(2):
            writer.write(RNG.integers(0, 256, (40, 50), np.uint8), compression="zlib", metadata=None)
    with tifffile.TiffFile(io.BytesIO(file.getvalue())) as stored:
        at = stored.pages[1].dataoffsets[0]
    data = bytearray(file.getvalue())
    data[at : at + 60] = bytes(60)
    with pytest.raises(ArgumentError, match=r"^page 1: damaged: "):
        decoded(bytes(data))


def test_pixels_that_are_missing_are_not_taken_for_empty_ones():
    tags = [tag for tag in layout(16, 8, [2], 1, 32773) if tag[0] != 279]
    whole = hand_made([*tags, (279, 4, [0])], bytes(32))
    without = whole.replace(struct.pack("<HHII", 279, 4, 1, 0), struct.pack("<HHII", 280, 4, 1, 0))
    with pytest.raises(ArgumentError, match=r"^damaged: "):
        decoded(without)


def test_tiles_that_a_program_left_out_are_noted():
    samples = np.zeros((32, 48), np.uint16)
    samples[:16, :16] = RNG.integers(1, 9, (16, 16))
    file = io.BytesIO()
    tifffile.imwrite(file, samples, tile=(16, 16), compression="zlib", metadata=None)
    with tifffile.TiffFile(io.BytesIO(file.getvalue())) as stored:
        tag = stored.pages[0].tags[325]
        counts, at = tag.value, tag.valueoffset
        kind = {3: "H", 4: "I"}[int(tag.dtype)]
    data = bytearray(file.getvalue())
    data[at : at + struct.calcsize(f"6{kind}")] = struct.pack(f"<6{kind}", counts[0], *[0] * 5)
    [picture], notes = decoded(bytes(data))
    assert notes == ["5 of its 6 strips or tiles were left empty by its program"]
    assert np.array_equal(picture.samples, samples)


def test_a_last_page_without_a_size_is_left_out_with_a_note():
    data = bytearray(hand_made(layout(4, 3, [8], 1), bytes(range(12))))
    data[-4:] = struct.pack("<I", len(data))
    data += struct.pack("<H", 1) + struct.pack("<HHII", 40000, 4, 1, 5) + bytes(4)
    [picture], notes = decoded(bytes(data))
    assert picture.samples.ravel().tolist() == list(range(12))
    assert "possibly damaged: its last page has no size and was dropped" in notes


def test_old_style_jpeg_without_a_number_of_samples():
    image = io.BytesIO()
    Image.new("RGB", (16, 8), (200, 100, 50)).save(image, "JPEG", quality=100, subsampling=0)
    stored = image.getvalue()
    tags = [(256, 4, [16]), (257, 4, [8]), (259, 3, [6]), (262, 3, [6]), (513, 4, [8]), (514, 4, [len(stored)])]
    [picture], _ = decoded(hand_made([*tags, (278, 4, [8])], stored))
    assert picture.mode == "RGB"
    assert np.abs(picture.samples - np.array([200, 100, 50.0])).max() <= 3


def test_pillows_choice_of_decoders_is_restored():
    before = TiffImagePlugin.READ_LIBTIFF
    with pytest.raises(ArgumentError):
        tiff_decoders.by_libtiff(io.BytesIO(b"II*\0"), 0, {}, {}, None)
    assert TiffImagePlugin.READ_LIBTIFF is before


def test_a_page_with_two_sizes_is_damaged_before_memory_is_taken(tmp_path):
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((4, 5, 3), np.uint16), photometric="rgb", metadata=None)
    data = bytearray(file.getvalue())
    at = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[at : at + 2], "little")
    entries = [bytes(data[at + 2 + 12 * i : at + 14 + 12 * i]) for i in range(count)]
    width = next(e for e in entries if e[:2] == b"\0\1")
    refused = []
    for order in (1, -1):
        both = [width[:2] + b"\4\0\1\0\0\0" + (1 << 24).to_bytes(4, "little"), width][::order]
        others = [e for e in entries if e is not width]
        new = len(data).to_bytes(4, "little")
        table = (count + 1).to_bytes(2, "little") + b"".join(both + others) + bytes(4)
        (tmp_path / "in.tif").write_bytes(bytes(data[:4]) + new + bytes(data[8:]) + table)
        done = run("in.tif", "out.png", "--max-pixels", "1000", cwd=tmp_path)
        refused.append(b"contradict each other about the size" in done.stderr or b"--max-pixels" in done.stderr)
        if not refused[-1]:  # both decoders take the small one
            assert pixels(tmp_path / "out.png").shape == (8, 10, 3)
    assert any(refused)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}, {"planarconfig": "separate"}], ids=str)
def test_tags_of_any_type_and_number_are_read_or_refused(options):
    file = io.BytesIO()
    shape = (3, 20, 18) if "planarconfig" in options else (20, 18, 3)
    tifffile.imwrite(file, np.ones(shape, np.uint16), photometric="rgb", metadata=None, **options)
    whole = file.getvalue()
    at = int.from_bytes(whole[4:8], "little")
    refused = 0
    for entry in range(at + 2, at + 2 + 12 * int.from_bytes(whole[at : at + 2], "little"), 12):
        for kind in range(18):
            for count in (0, 1, 2, 70000):
                data = bytearray(whole)
                data[entry + 2 : entry + 8] = struct.pack("<HI", kind, count)
                file, note = io.BytesIO(data), lambda text: None
                try:
                    source = Source(file, "in", layout="hwc", allow_8_bit=False, max_pixels=10**4, note=note)
                    list(source.frames(source.contents.frames))
                except FileError as error:
                    refused += 1
                    assert "\n" not in str(error)
    assert refused


@pytest.mark.parametrize("order", "<>")
def test_a_swapped_version_costs_no_line_of_libtiff(tmp_path, order):
    file = io.BytesIO()
    samples = np.random.default_rng(0).integers(0, 256, (10, 9, 3), np.uint8)
    tifffile.imwrite(file, samples, photometric="rgb", byteorder=order, compression="zlib", metadata=None)
    data = bytearray(file.getvalue())
    data[2:4] = data[3:1:-1]
    (tmp_path / "in.tif").write_bytes(data)
    done = run("in.tif", "out.png", cwd=tmp_path)
    assert done.returncode == 0 or done.stderr == b"upscale: in.tif: damaged: its data cannot be decoded\n"
    assert b"libtiff" not in done.stderr and b"bad version" not in done.stderr

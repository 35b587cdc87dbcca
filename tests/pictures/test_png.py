"""PNG and APNG: every sample, frame and chunk, and what is broken in a file."""

import contextlib
import io
import shutil
import struct
import subprocess
import zlib

import imagecodecs
import numpy as np
import pytest
from helpers import ENGINES, SAMPLES, ok, run
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageSequence

from upscale.loops import compiled, numpy_loops
from upscale.pictures.picture import Frame, Picture
from upscale.pictures.png import png_deflate, png_reader, png_structure, png_texts, png_writer
from upscale.pictures.png.png_format import SIGNATURE, chunk
from upscale.pictures.write_options import WriteOptions

RNG = np.random.default_rng(0)
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def plain(samples, depth, colour, *, before=(), after=(), interlace=0):
    """Write a PNG in the plainest way: no filter, one chunk; samples (H, W, C) in the depth's own range."""
    height, width = samples.shape[:2]
    flat = samples.reshape(height, -1)
    if depth == 16:
        rows = flat.astype(">u2").view(np.uint8).reshape(height, -1)
    elif depth == 8:
        rows = flat.astype(np.uint8)
    else:
        bits = ((flat[..., None] >> np.arange(depth - 1, -1, -1)) & 1).reshape(height, -1).astype(np.uint8)
        rows = np.packbits(bits, axis=1)
    data = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    chunks = [(b"IHDR", header), *before, (b"IDAT", zlib.compress(data)), *after, (b"IEND", b"")]
    return SIGNATURE + b"".join(chunk(*c) for c in chunks)


def chunks_of(data):
    at, found = 8, []
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        assert zlib.crc32(data[at + 4 : at + 8 + length]) == int.from_bytes(data[at + 8 + length : at + 12 + length], "big")
        at += 12 + length
    return found


def read(data, notes=None):
    note = [].append if notes is None else notes.append
    return png_reader.read(io.BytesIO(data), note, note)


def stored(picture):
    """Give a picture's samples in the range of its file's depth."""
    bits = picture.info.get("bits", 8) if picture.base == "L" else 8
    return picture.samples.astype(int) // (255 // ((1 << bits) - 1))


ALL = [(c, d) for c, depths in png_structure.DEPTHS.items() for d in depths]


@pytest.mark.parametrize(("colour", "depth"), ALL)
@pytest.mark.parametrize("factor", [(3, 2), *(pytest.param(f, marks=pytest.mark.heavy) for f in ((1, 1), (2, 5)))])
def test_every_colour_type_and_depth(tmp_path, colour, depth, factor):
    rng = np.random.default_rng(colour * 16 + depth)
    samples = rng.integers(0, 1 << depth, (5, 7, CHANNELS[colour]))
    palette = rng.integers(0, 256, (1 << depth, 3), np.uint8) if colour == 3 else None
    before = [(b"PLTE", palette.tobytes())] if colour == 3 else []
    (tmp_path / "in.png").write_bytes(plain(samples, depth, colour, before=before))
    ok("in.png", "out.png", "-f", f"{factor[1]}x{factor[0]}", cwd=tmp_path)
    data = (tmp_path / "out.png").read_bytes()
    assert chunks_of(data)[0][1][8:10] == bytes([depth, colour])
    [frame] = read(data).frames()
    assert np.array_equal(
        stored(frame.picture).reshape(5 * factor[0], 7 * factor[1], -1), samples.repeat(factor[0], 0).repeat(factor[1], 1)
    )
    if colour == 3:
        assert np.array_equal(frame.picture.palette, palette)
    with Image.open(tmp_path / "in.png") as one, Image.open(tmp_path / "out.png") as other:  # a decoder of its own
        want = np.asarray(one.convert("RGBA") if one.mode != "I;16" else one)
        got = np.asarray(other.convert("RGBA") if other.mode != "I;16" else other)
        assert np.array_equal(got, want.repeat(factor[0], 0).repeat(factor[1], 1))


@pytest.mark.parametrize("colour", [0, 2, 4, 6])
def test_other_decoders_see_all_16_bits(tmp_path, colour):
    cv2 = pytest.importorskip("cv2")
    samples = np.random.default_rng(colour).integers(0, 65536, (40, 30, CHANNELS[colour]))
    (tmp_path / "in.png").write_bytes(plain(samples, 16, colour))
    ok("in.png", "out.png", cwd=tmp_path)
    one, other = (cv2.imread(str(tmp_path / name), cv2.IMREAD_UNCHANGED) for name in ("in.png", "out.png"))
    assert other.dtype == np.uint16
    assert np.array_equal(other, one.repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize("compression", ["fast", "balanced", "small"])
@pytest.mark.parametrize("kind", ["noise", "ramp", "sprite"])
def test_many_bands_by_many_threads(kind, compression):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:1300, 0:900]
    samples = {
        "noise": rng.integers(0, 256, (1300, 900, 3), np.uint8),
        "ramp": np.stack([x // 4, y // 6, (x + y) // 9], -1).astype(np.uint8),
        "sprite": rng.integers(0, 3, (130, 90, 3), np.uint8).repeat(10, 0).repeat(10, 1) * 100,
    }[kind]
    files = []
    for threads in (1, 5):
        file = io.BytesIO()
        writer = png_writer.Writer(file, WriteOptions((1300, 900), compression=compression, loops=numpy_loops, threads=threads))
        writer.add(Frame(Picture(samples, "RGB")))
        writer.close()
        files.append(file.getvalue())
    assert files[0] == files[1]
    assert len([c for c in chunks_of(files[0]) if c[0] == b"IDAT"]) > 2
    with Image.open(io.BytesIO(files[0])) as image:
        assert np.array_equal(np.asarray(image), samples)


def test_compression_is_worth_its_names(tmp_path):

    sizes = {}
    for method in ("nn", "tconv"):
        for compression in ("fast", "balanced", "small"):
            kernel = ["-k", "bicubic"] if method == "tconv" else []
            ok(SAMPLES / "ninja.png", tmp_path / "out.png", "-f", "8", "-m", method, *kernel, "--compression", compression)
            sizes[method, compression] = (tmp_path / "out.png").stat().st_size
        with Image.open(tmp_path / "out.png") as image:
            image.save(tmp_path / "pillow.png")
        pillow = (tmp_path / "pillow.png").stat().st_size
        assert sizes[method, "small"] <= sizes[method, "balanced"] <= sizes[method, "fast"]
        assert sizes[method, "balanced"] <= 1.1 * pillow


@pytest.mark.parametrize(
    ("pixel", "block", "chosen"),
    [
        (3, 3, (1, 8)),  # no blocks
        (3, 6, (6, 8)),  # three zeros are shorter as literals
        (4, 8, (8, 4)),
        (3, 9, (9, 6)),
        (3, 12, (12, 8)),
        (1, 30_000, (1, 8)),  # farther than the loop can
    ],
)
def test_which_repetitions_are_looked_for(pixel, block, chosen):
    assert png_deflate.repetitions(pixel, block) == chosen


@ENGINES
@pytest.mark.parametrize("factor", [(2, 2), (3, 5), (1, 4)])
@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "RGB;16"])
def test_blocks_of_photographs_become_small_files(tmp_path, engine, factor, mode):
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:150, 0:180]
    samples = np.stack([90 + 60 * np.sin(x / 17) * np.cos(y / 11) + 20 * c + rng.normal(0, 3, x.shape) for c in range(3)], -1)
    image = Image.fromarray(samples.clip(0, 255).astype(np.uint8)).convert(mode.removesuffix(";16"))
    picture = Picture.of_image(image, {})
    if mode == "RGB;16":
        deep = (samples * 257 + rng.integers(0, 200, samples.shape)).clip(0, 65535).astype(np.uint16)
        picture = picture.with_samples(deep)._replace(mode=mode)
    size = 150 * factor[0], 180 * factor[1]
    file = io.BytesIO()
    writer = png_writer.Writer(file, WriteOptions(size, loops=engine, smooth=False))
    writer.add_bands(Frame(picture), iter([contextlib.nullcontext(picture.samples)]), size, factor)
    writer.close()
    (tmp_path / "out.png").write_bytes(file.getvalue())
    enlarged = picture.samples.repeat(factor[0], 0).repeat(factor[1], 1)
    if mode == "RGB;16":
        assert np.array_equal(imagecodecs.png_decode(file.getvalue()), enlarged)
        return
    with Image.open(tmp_path / "out.png") as result:
        assert np.array_equal(np.asarray(result), enlarged)
        result.save(tmp_path / "pillow.png")
    assert (tmp_path / "out.png").stat().st_size <= 1.1 * (tmp_path / "pillow.png").stat().st_size + 200


@ENGINES
@pytest.mark.parametrize("step", [1, 3, 8])
def test_filters_are_undone_by_their_definition(engine, step):
    rng = np.random.default_rng(step)
    rows = (rng.integers(0, 30, (9, 24)).cumsum(1) % 256).astype(np.uint8)
    above = rng.integers(0, 256, 24, np.uint8)
    rows[4] = rows[3]
    out = np.empty((9, 25), np.uint8)
    engine.png_filter(rows, above, step, np.array([0, 1, 2, 4], np.uint8), 1, out)
    assert out[4, 0] == 2
    assert len(set(out[:, 0])) > 1
    last = above.astype(int)
    for row, line in zip(rows, out, strict=True):
        undone = np.zeros(24, int)
        for x in range(24):
            a, b, c = (int(v) for v in (undone[x - step] * (x >= step), last[x], last[x - step] * (x >= step)))
            paeth = min((abs(a + b - c - v), i, v) for i, v in enumerate((a, b, c)))[2]
            undone[x] = (int(line[1 + x]) + {0: 0, 1: a, 2: b, 4: paeth}[int(line[0])]) % 256
        assert np.array_equal(undone, row)
        last = undone


def test_engines_filter_alike():
    rng = np.random.default_rng(0)
    for step in (1, 2, 3, 4, 6, 8):
        rows = rng.integers(0, 256, (40, 48), np.uint8)
        rows[10:20] //= 50
        outs = []
        for engine in (compiled, numpy_loops):
            out = np.empty((40, 49), np.uint8)
            engine.png_filter(rows, rows[0].copy(), step, np.array([0, 1, 2, 4], np.uint8), 3, out)
            outs.append(out)
        assert np.array_equal(*outs)


# Transparency -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("colour", "depth"), [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16)])
@pytest.mark.parametrize("method", [["nn"], ["tconv", "-k", "box"]])
def test_a_colour_key_stays_one_where_nothing_is_half_transparent(tmp_path, colour, depth, method):
    samples = np.random.default_rng(depth).integers(0, 1 << depth, (6, 6, CHANNELS[colour]))
    key = struct.pack(f">{CHANNELS[colour]}H", *samples[2, 3])
    (tmp_path / "in.png").write_bytes(plain(samples, depth, colour, before=[(b"tRNS", key)]))
    ok("in.png", "out.png", "-m", *method, cwd=tmp_path)
    data = (tmp_path / "out.png").read_bytes()
    [frame] = read(data).frames()
    want = samples.repeat(2, 0).repeat(2, 1)
    if depth == 1 and method[0] == "tconv":  # one bit becomes grey, and its key opacity
        assert chunks_of(data)[0][1][8:10] == bytes([8, 4])
        clear = (want == samples[2, 3]).all(2)
        assert np.array_equal(frame.picture.samples[..., 1] == 0, clear)
        assert np.array_equal(frame.picture.samples[..., 0][~clear], want[..., 0][~clear] * 255)
        return
    assert chunks_of(data)[0][1][8:10] == bytes([depth, colour])
    assert (b"tRNS", key) in chunks_of(data)
    assert np.array_equal(stored(frame.picture).reshape(12, 12, -1), want)


def test_a_colour_key_becomes_opacity_where_pixels_mix(tmp_path):
    samples = np.zeros((4, 4, 3), int)
    samples[:, 2:] = 200
    (tmp_path / "in.png").write_bytes(plain(samples, 8, 2, before=[(b"tRNS", bytes(6))]))
    ok("in.png", "out.png", "-m", "tconv", "-k", "bilinear", cwd=tmp_path)
    with Image.open(tmp_path / "out.png") as image:
        assert image.mode == "RGBA"
        got = np.asarray(image)
    assert 0 < got[0, 3, 3] < 255
    assert (got[got[..., 3] > 0][:, :3] == 200).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tconv_by_box_is_nn_with_opacity_in_full_depth(dtype):
    import upscale
    from upscale.operators.enlarge_picture import Enlargement
    from upscale.operators.methods import Request
    from upscale.operators.parameters import make_operator

    rng = np.random.default_rng(0)
    most = np.iinfo(dtype).max
    samples = rng.integers(0, most, (8, 9, 4), endpoint=True).astype(dtype)
    samples[::3, :, 3] = 0
    kernel = upscale.Kernel(np.ones((2, 2)), normalized=True)
    request = Request(
        (2, 2), make_operator(kernel, (2, 2), None, output_padding=(0, 0), dilation=(1, 1), edge="zero", normalize=None)
    )
    mode = "RGBA" if dtype == np.uint8 else "RGBA;16"
    for engine in ("numba", "numpy"):
        assert np.array_equal(
            Enlargement(Picture(samples, mode), request, engine).whole().samples, samples.repeat(2, 0).repeat(2, 1)
        )


# Chunks -------------------------------------------------------------------------------------------------------------------

COLOUR_CHUNKS = [
    (b"gAMA", struct.pack(">I", 55555)),
    (b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)),
    (b"sBIT", bytes([5, 6, 5])),
    (b"cICP", bytes([9, 16, 0, 1])),
    (b"mDCV", bytes(24)),
]
OTHER_CHUNKS = [
    (b"bKGD", bytes([0, 1, 0, 2, 0, 3])),
    (b"pHYs", struct.pack(">IIB", 3000, 2000, 0)),
    (b"tIME", bytes([7, 234, 1, 2, 3, 4, 5])),
    (b"sPLT", b"few\0\x08" + bytes(6)),
    (b"tEXt", b"Title\0A picture"),
    (b"zTXt", b"Long\0\0" + zlib.compress(b"words " * 99)),
    (b"iTXt", b"Author\0\0\0en\0Autor\0" + "Zoë".encode()),
    (b"vpAg", bytes(9)),
]


def test_chunks_are_kept_byte_for_byte(tmp_path):
    samples = np.random.default_rng(0).integers(0, 256, (3, 4, 3))
    after = [(b"tEXt", b"Later\0behind the image")]
    (tmp_path / "in.png").write_bytes(plain(samples, 8, 2, before=COLOUR_CHUNKS + OTHER_CHUNKS, after=after))
    ok("in.png", "out.png", cwd=tmp_path)
    kept = chunks_of((tmp_path / "out.png").read_bytes())
    for wanted in (*COLOUR_CHUNKS, *OTHER_CHUNKS, *after):
        assert kept.count(wanted) == 1, wanted[0]
    done = ok("in.png", "out.png", "--strip", cwd=tmp_path)
    kept = chunks_of((tmp_path / "out.png").read_bytes())
    assert [c for c in kept if c[0] not in (b"IHDR", b"IDAT", b"IEND")] == COLOUR_CHUNKS
    assert done.stderr == b""


def test_an_unknown_chunk_that_may_depend_on_the_size_is_told(tmp_path):
    (tmp_path / "in.png").write_bytes(plain(np.zeros((2, 2, 1), int), 8, 0, before=[(b"miNE", b"x")]))
    assert b"its miNE chunk was dropped" in ok("in.png", "out.png", cwd=tmp_path).stderr
    assert b"miNE" not in (tmp_path / "out.png").read_bytes()


BROKEN = {
    "short gamma": [(b"gAMA", b"\0\0\1")],
    "a profile that is no zlib": [(b"iCCP", b"name\0\0nothing")],
    "a profile without a name": [(b"iCCP", b"nothing at all")],
    "text that is cut": [(b"zTXt", b"key\0\0" + zlib.compress(b"x" * 999)[:-9])],
    "a profile of an unknown compression": [(b"iCCP", b"name\0\1" + zlib.compress(b"profile"))],
    "text of an unknown compression": [(b"zTXt", b"key\0\1" + zlib.compress(b"text"))],
    "UTF-8 of an unknown compression": [(b"iTXt", b"key\0\1\1\0\0" + zlib.compress(b"text"))],
    "text that no program reads": [(b"tEXt", b"key\0" + b"long" * 2_000_000)],
    "text that is no UTF-8": [(b"iTXt", b"key\0\0\0\0\0\xff\xfe\xff")],
    "a colour key that is too short": [(b"tRNS", b"\0\1")],
    "a second gamma": [(b"gAMA", struct.pack(">I", 45455)), (b"gAMA", struct.pack(">I", 1))],
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_metadata_cost_a_warning_and_no_pixel(tmp_path, name):
    samples = np.random.default_rng(0).integers(0, 256, (3, 4, 3))
    (tmp_path / "in.png").write_bytes(plain(samples, 8, 2, before=BROKEN[name]))
    done = ok("in.png", "out.png", cwd=tmp_path)
    assert b"dropped" in done.stderr
    with Image.open(tmp_path / "out.png") as image:
        assert np.array_equal(np.asarray(image), samples.repeat(2, 0).repeat(2, 1))


def test_texts_are_stored_so_that_others_read_them(tmp_path):
    samples, long = np.zeros((2, 2, 3), int), b"long " * 300_000
    texts = [
        (b"zTXt", b"Deflated\0\0" + zlib.compress(long)),
        (b"iTXt", b"UTF-8\0\1\0en\0Lang\0" + zlib.compress(long + "ë".encode())),
    ]
    plain_texts = [(b"tEXt", b"Deflated\0" + long), (b"iTXt", b"UTF-8\0\0\0en\0Lang\0" + long + "ë".encode())]
    (tmp_path / "in.png").write_bytes(plain(samples, 8, 2, before=texts))
    assert ok("in.png", "out.png", cwd=tmp_path).stderr == b""
    data = (tmp_path / "out.png").read_bytes()
    assert [c for c in chunks_of(data) if c[0] in (b"tEXt", b"zTXt", b"iTXt")] == plain_texts
    with Image.open(tmp_path / "out.png") as image:
        assert image.text == {"Deflated": long.decode(), "UTF-8": long.decode() + "ë"}
    imagecodecs.png_decode(data)
    many = [(b"tEXt", b"Text %d\0" % number + b"x" * 7_900_000) for number in range(9)]
    notes = []
    kept = list(png_texts.readable_elsewhere([*many, (b"tIME", bytes(7))], notes.append))
    assert kept == [*many[:8], (b"tIME", bytes(7))]
    assert notes == ["its text 'Text 8' was dropped: with 7,900,000 bytes, other programs would refuse the file"]


def test_wrong_checksums(tmp_path):
    samples = np.random.default_rng(0).integers(0, 256, (30, 40, 3))
    whole = plain(samples, 8, 2, before=[(b"tEXt", b"Title\0A picture")])
    for kind, status, word in ((b"tEXt", 0, b"checksum"), (b"IDAT", 0, b"checksum"), (b"IHDR", 1, b"checksum")):
        at = whole.index(kind)
        length = int.from_bytes(whole[at - 4 : at], "big")
        data = bytearray(whole)
        data[at + 4 + length] ^= 1
        (tmp_path / "in.png").write_bytes(data)
        done = run("in.png", "out.png", cwd=tmp_path)
        assert done.returncode == status, done.stderr
        assert word in done.stderr
    data = bytearray(whole)
    data[whole.index(b"IDAT") + 300] ^= 64  # in the data themselves
    (tmp_path / "in.png").write_bytes(data)
    assert run("in.png", "other.png", cwd=tmp_path).returncode == 1
    assert not (tmp_path / "other.png").exists()


@pytest.mark.parametrize("end", [9, 20, 40, 60, 0.5, -60, -20, -8])
def test_a_file_that_is_cut_off(tmp_path, end):
    whole = plain(np.random.default_rng(0).integers(0, 256, (30, 40, 3)), 8, 2)
    (tmp_path / "in.png").write_bytes(whole[: int(end * len(whole)) if isinstance(end, float) else end])
    done = run("in.png", "out.png", cwd=tmp_path)
    has_all_pixels = end in (-20, -8)
    assert done.returncode == (0 if has_all_pixels else 1), done.stderr
    assert b"in.png" in done.stderr
    assert (tmp_path / "out.png").exists() == has_all_pixels


def test_headers_that_lie(tmp_path):
    for field, value in ((0, 0), (0, 1 << 31), (0, 90_000), (4, 0xFFFF_FFFF), (4, 70_000)):
        header = bytearray(struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0))
        header[field : field + 4] = struct.pack(">I", value)
        data = SIGNATURE + chunk(b"IHDR", bytes(header)) + chunk(b"IDAT", zlib.compress(bytes(52))) + chunk(b"IEND")
        (tmp_path / "in.png").write_bytes(data)
        done = run("in.png", "out.png", cwd=tmp_path)
        assert done.returncode == 1
        assert done.stderr.startswith(b"upscale: in.png: ")


# Animations ---------------------------------------------------------------------------------------------------------------

part = st.tuples(
    st.integers(0, 3), st.integers(0, 2), st.integers(1, 4), st.integers(1, 3), st.sampled_from(["keep", "clear", "restore"]),
    st.booleans(), st.integers(0, 3000),
)  # fmt: skip


def animation(parts, base, cover, plays, seed):
    """Write an animation on a canvas of 7 x 5."""
    rng = np.random.default_rng(seed)
    file = io.BytesIO()
    palette = rng.integers(0, 256, (16, 3), np.uint8)
    info = {"transparency": bytes([0, 128, 255])} if base == "P" else {}

    def picture(height, width):
        shape = (height, width) if base in ("P", "L") else (height, width, 4)
        samples = rng.integers(0, 16 if base == "P" else 256, shape, np.uint8)
        if base == "RGBA":
            samples[..., 3] = rng.choice([0, 255], (height, width))
        return Picture(samples, base, palette if base == "P" else None, info)

    writer = png_writer.Writer(file, WriteOptions((5, 7), len(parts), plays, loops=numpy_loops))
    if cover:
        writer.add_cover(picture(5, 7))
    for number, (left, top, width, height, disposal, over, delay) in enumerate(parts):
        if number == 0 and not cover:
            left, top, width, height = 0, 0, 7, 5
        writer.add(Frame(picture(height, width), (delay, 1000), left, top, disposal, over))
    writer.close()
    return file.getvalue()


def shown(data):
    with Image.open(io.BytesIO(data)) as image:
        return image.info.get("loop"), [
            (np.asarray(f.convert("RGBA")), f.info.get("duration")) for f in ImageSequence.Iterator(image)
        ]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(part, min_size=1, max_size=5),
    st.sampled_from(["RGBA", "L", "P"]),
    st.booleans(),
    st.integers(0, 3),
    st.integers(0, 99),
)
def test_animations_are_the_same_but_larger(parts, base, cover, plays, seed):
    from upscale.operators.enlarge_picture import Enlargement
    from upscale.operators.methods import Request

    data = animation(parts, base, cover, plays, seed)
    contents = read(data)
    assert (contents.kind, contents.total, contents.plays) == ("animation", len(parts), plays)
    file = io.BytesIO()
    writer = png_writer.Writer(file, WriteOptions((15, 14), len(parts), plays, loops=numpy_loops))

    def enlarged(picture):
        return Enlargement(picture, Request((3, 2))).whole()

    if contents.cover:
        writer.add_cover(enlarged(contents.cover()))
    for frame in contents.parts():
        writer.add(frame._replace(picture=enlarged(frame.picture), left=frame.left * 2, top=frame.top * 3))
    writer.close()
    (loop, before), (other, after) = shown(data), shown(file.getvalue())
    assert loop == other
    assert len(before) == len(after)
    for (one, duration), (two, same) in zip(before, after, strict=True):
        assert duration == same
        assert np.array_equal(one.repeat(3, 0).repeat(2, 1), two)


def test_frames_are_laid_over_each_other_as_the_specification_says(tmp_path):
    """Half-transparent red over opaque blue is opaque: only then is the formula of "over" right."""
    file = io.BytesIO()
    writer = png_writer.Writer(file, WriteOptions((1, 2), 2, 1, loops=numpy_loops))
    writer.add(Frame(Picture(np.array([[[0, 0, 255, 255], [0, 0, 255, 128]]], np.uint8), "RGBA"), (1, 10)))
    writer.add(Frame(Picture(np.array([[[255, 0, 0, 128], [255, 0, 0, 128]]], np.uint8), "RGBA"), (1, 10), over=True))
    writer.close()
    _, second = read(file.getvalue()).frames()
    assert second.picture.samples[0].tolist() == [[128, 0, 127, 255], [170, 0, 85, 192]]


@pytest.mark.parametrize("method", [["nn"], ["tconv", "-k", "box"]])
@pytest.mark.parametrize("deep", [False, True])
def test_an_animation_by_the_command(tmp_path, method, deep):
    rng = np.random.default_rng(0)
    dtype, mode = (np.uint16, "RGBA;16") if deep else (np.uint8, "RGBA")
    frames = [rng.integers(0, np.iinfo(dtype).max, (4, 5, 4), endpoint=True).astype(dtype) for _ in range(3)]
    for frame in frames:
        frame[..., 3] = np.iinfo(dtype).max
    with (tmp_path / "in.png").open("wb") as file:
        writer = png_writer.Writer(file, WriteOptions((4, 5), 3, 2, loops=numpy_loops))
        for number, frame in enumerate(frames):
            writer.add(Frame(Picture(frame, mode), (number, 10)))
        writer.close()
    ok("in.png", "out.apng", "-m", *method, cwd=tmp_path)
    contents = read((tmp_path / "out.apng").read_bytes())
    assert contents.plays == 2
    for number, frame in enumerate(contents.frames()):
        assert frame.picture.samples.dtype == dtype
        assert np.array_equal(frame.picture.samples, frames[number].repeat(2, 0).repeat(2, 1))
        assert frame.delay[0] / frame.delay[1] == number / 10
    ok("in.png", "one.png", "--frame", "1", cwd=tmp_path)
    [one] = read((tmp_path / "one.png").read_bytes()).frames()
    assert np.array_equal(one.picture.samples, frames[1].repeat(2, 0).repeat(2, 1))
    done = run("in.png", "out.jpg", cwd=tmp_path)
    assert done.returncode == 1
    assert b"--frame N (0 to 2)" in done.stderr


@pytest.mark.heavy
@pytest.mark.parametrize("program", [["pngcheck", "-q"], ["identify", "-regard-warnings"], ["opencv"]], ids=lambda p: p[0])
def test_other_programs_accept_what_is_written(tmp_path, program):
    if program[0] == "opencv":
        cv2 = pytest.importorskip("cv2")
    elif shutil.which(program[0]) is None:
        pytest.skip(f"not checked: {program[0]} is not installed")
    names = []
    for colour, depth in ALL:
        samples = RNG.integers(0, 1 << depth, (9, 7, CHANNELS[colour]))
        before = [(b"PLTE", bytes(range(3 << depth)) if depth < 8 else bytes(768))] if colour == 3 else []
        (tmp_path / "in.png").write_bytes(plain(samples, depth, colour, before=before))
        names.append(tmp_path / f"{colour}_{depth}.png")
        ok(tmp_path / "in.png", names[-1], "-f", "3")
    (tmp_path / "in.png").write_bytes(animation([(1, 1, 2, 2, "clear", True, 40)] * 3, "RGBA", True, 0, 0))
    names.append(tmp_path / "moving.png")
    ok(tmp_path / "in.png", names[-1])
    if program[0] == "opencv":
        for name in names:
            assert cv2.imread(str(name), cv2.IMREAD_UNCHANGED) is not None, name
        return
    done = subprocess.run([*program, *names], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rror" not in done.stdout + done.stderr

"""GIF files: their structure stays, and what Pillow composes of them grows."""

import io
import struct
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageSequence

from upscale.errors import ArgumentError
from upscale.pictures.gif import gif_reader, gif_writer
from upscale.pictures.gif.gif_format import image_blocks, read_screen
from upscale.pictures.picture import Frame, Picture
from upscale.pictures.write_options import WriteOptions

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (256, 3), np.uint8)
LOOP = b"!\xff\x0bNETSCAPE2.0\x03\x01\x05\x00\x00"


def ignore(line):
    pass


def screen(width, height, palette=b"", background=0, version=b"GIF89a", flags=0x70, aspect=0):
    flags |= 0x80 | (len(palette) // 3).bit_length() - 2 if palette else 0
    return version + struct.pack("<HHBBB", width, height, flags, background, aspect) + palette


def control(disposal=0, delay=0, transparency=None, user=0):
    flags = disposal << 2 | user << 1 | (transparency is not None)
    return b"!\xf9\x04" + struct.pack("<BHB", flags, delay, transparency or 0) + b"\0"


def image(indices, left=0, top=0, palette=b"", interlaced=False, sort=False):
    height, width = indices.shape
    if interlaced:
        order = [y for first, step in ((0, 8), (4, 8), (2, 4), (1, 2)) for y in range(first, height, step)]
        indices = indices[order]
    file = io.BytesIO()
    Image.fromarray(indices).save(file, "GIF", optimize=False, interlace=False)
    data = file.getvalue()[13 + 768 + 10 : -1]
    flags = interlaced << 6 | sort << 5 | (0x80 | (len(palette) // 3).bit_length() - 2 if palette else 0)
    return b"," + struct.pack("<HHHHB", left, top, width, height, flags) + palette + data


def random_indices(height, width, count=256):
    return RNG.integers(0, count, (height, width), np.uint8)


def contents(data, note=ignore):
    return gif_reader.read(io.BytesIO(data), note)


def enlarged(data, factor=1):
    """Read a file's parts, and write them larger."""
    read, file = contents(data), io.BytesIO()
    size = read.size[0] * factor, read.size[1] * factor
    writer = gif_writer.Writer(file, WriteOptions(size, read.total, read.plays if read.total > 1 else None, extras=read.extras))
    for part in read.parts():
        picture = part.picture._replace(samples=part.picture.samples.repeat(factor, 0).repeat(factor, 1))
        writer.add(part._replace(picture=picture, left=part.left * factor, top=part.top * factor))
    writer.close()
    return file.getvalue()


def made(frames, size, **options):
    """Write frames that come from no GIF file."""
    file = io.BytesIO()
    writer = gif_writer.Writer(file, WriteOptions(size, len(frames), **options))
    for frame in frames:
        writer.add(frame)
    writer.close()
    return file.getvalue()


def composed(data):
    """What Pillow shows: every frame as RGBA, with its duration; colours that nobody sees do not count."""
    shown = []
    with Image.open(io.BytesIO(data)) as animation:
        for frame in ImageSequence.Iterator(animation):
            pixels = np.array(frame.convert("RGBA"))
            pixels[pixels[..., 3] == 0] = 0
            shown.append((pixels, frame.info.get("duration")))
    return shown


def same(got, want):
    assert len(got) == len(want)
    for (a, delay), (b, wanted) in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)
        assert delay == wanted


def structure(data):
    """Everything but the compressed indices."""
    stream = io.BytesIO(data)
    head = read_screen(stream)
    return head, [(i.blocks, *i[3:-1]) for i in image_blocks(stream, len(head))]


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (16, 16), (37, 41), (300, 7)])
def test_indices_come_and_go_as_they_are(size, interlaced):
    indices = random_indices(*size)
    indices.flat[:256] = np.arange(256)[: indices.size]
    data = screen(size[1], size[0], COLOURS.tobytes()) + image(indices, interlaced=interlaced) + b";"
    (part,) = contents(data).parts()
    np.testing.assert_array_equal(part.picture.samples, indices)
    np.testing.assert_array_equal(part.picture.palette, COLOURS)
    (again,) = contents(enlarged(data)).parts()
    np.testing.assert_array_equal(again.picture.samples, indices)
    # Pillow does not interlace what is small.
    assert structure(enlarged(data)) == structure(data) or (interlaced and min(size) < 16)


@pytest.mark.parametrize("count", [2, 4, 16, 128])
def test_small_palettes(count):
    indices = random_indices(9, 9, count)
    data = screen(9, 9, COLOURS[:count].tobytes()) + image(indices) + b";"
    (part,) = contents(data).parts()
    assert part.picture.palette.shape == (count, 3)
    np.testing.assert_array_equal(part.picture.samples, indices)
    assert structure(enlarged(data)) == structure(data)


def test_codes_of_every_size_are_read():
    # One pixel of index 1: clear, 1, end, in codes of `bits` + 1 bits, the lowest first.
    for bits in range(2, 12):
        codes = sum(code << i * (bits + 1) for i, code in enumerate((1 << bits, 1, (1 << bits) + 1)))
        packed = codes.to_bytes((3 * (bits + 1) + 7) // 8, "little")
        data = screen(1, 1, COLOURS[:4].tobytes()) + b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0)
        data += bytes([bits, len(packed)]) + packed + b"\0;"
        (part,) = contents(data).parts()
        assert part.picture.samples.tolist() == [[1]]


def test_what_a_file_says_is_found():
    blocks = b"!\xfe\x03\xff\xfe\x80\x04four\0" + b"!\x01\x0c" + bytes(12) + b"\x02Hi\0"
    data = screen(9, 7, COLOURS.tobytes(), 3, b"GIF87a", 0x48, 49) + LOOP + control(1, 12, 5, user=1) + blocks
    data += image(random_indices(4, 5), 2, 1, COLOURS[:8].tobytes(), sort=True)
    data += b"!\xfe\x01x\0" + control(3, 7) + image(random_indices(7, 9)) + b"!\xfe\x04last\0" + b";"
    read = contents(data)
    assert (read.format, read.size, read.pixel_bytes, read.kind, read.total, read.plays) == (
        "GIF",
        (7, 9),
        1,
        "animation",
        2,
        6,
    )
    assert read.extras == b"!\xfe\x04last\0"
    first, second = read.parts()
    assert (first.left, first.top, first.delay, first.disposal, first.over) == (2, 1, (12, 100), "keep", True)
    assert (first.before, second.before) == (LOOP + blocks, b"!\xfe\x01x\0")
    assert first.picture.info["transparency"] == 5 and "transparency" not in second.picture.info
    assert first.picture.info["comment"] == b"\xff\xfe\x80four" and "comment" not in second.picture.info
    assert (second.delay, second.disposal, second.picture.mode, len(second.picture.palette)) == ((7, 100), "restore", "P", 256)
    assert structure(enlarged(data)) == structure(data)
    same(composed(enlarged(data)), composed(data))


@pytest.mark.parametrize(("extension", "plays"), [
    (b"", 1), (LOOP, 6), (LOOP.replace(b"\x05\0\0", b"\0\0\0"), 0), (LOOP.replace(b"NETSCAPE2.0", b"ANIMEXTS1.0"), 6),
    (LOOP.replace(b"\x05\0\0", b"\xff\xff\0"), 65536), (b"!\xff\x0bNETSCAPE2.0\0", 1), (b"!\xff\0", 1),
])  # fmt: skip
def test_plays(extension, plays):
    data = screen(1, 1, COLOURS[:2].tobytes()) + extension + image(random_indices(1, 1, 2)) * 2 + b";"
    assert contents(data).plays == plays
    assert structure(enlarged(data)) == structure(data)


def test_xmp_survives():
    xmp = b"<?xpacket begin='\xef\xbb\xbf'?><x:xmpmeta/><?xpacket end='w'?>"
    block = b"!\xff\x0bXMP DataXMP" + xmp + b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    data = screen(2, 2, COLOURS[:2].tobytes()) + block + image(random_indices(2, 2, 2)) + b";"
    (part,), (frame,) = contents(data).parts(), contents(data).frames()
    assert part.picture.info["xmp"] == frame.picture.info["xmp"] == xmp
    assert structure(enlarged(data)) == structure(data)
    again = made([frame], (2, 2))
    assert block in again and next(contents(again).parts()).picture.info["xmp"] == xmp
    wide = frame._replace(picture=frame.picture.with_info(xmp="<x/>".encode("utf-16")))
    assert next(contents(made([wide], (2, 2))).parts()).picture.info["xmp"] == "<x/>".encode("utf-16")


def test_images_without_a_palette_are_grey():
    data = screen(3, 2) + image(random_indices(2, 3)) + image(random_indices(2, 3)) + b";"
    part = next(contents(data).parts())
    assert (part.picture.mode, part.picture.palette) == ("L", None)
    assert structure(enlarged(data)) == structure(data)
    same(composed(enlarged(data)), composed(data))


@st.composite
def palettes(draw):
    count = 2 << draw(st.integers(0, 4))
    ramp = np.arange(count, dtype=np.uint8).repeat(3)
    return draw(st.sampled_from([b"", ramp.tobytes(), COLOURS[:count].tobytes(), COLOURS[-count:].tobytes()]))


@st.composite
def files(draw):
    """Files of any structure that Pillow reads, partial images and such that reach over the edge among them."""
    bits = st.booleans()
    data = screen(
        draw(st.integers(1, 20)), draw(st.integers(1, 20)), draw(palettes()), draw(st.integers(0, 255)),
        draw(st.sampled_from([b"GIF87a", b"GIF89a"])), draw(st.sampled_from([0, 0x70, 0x48])), draw(st.sampled_from([0, 49])),
    )  # fmt: skip
    extensions = st.lists(
        st.sampled_from([LOOP, b"!\xfe\x02\xff\xfe\0", b"!\xfe\0", b"!\x01\x03abc\x01d\0", b"\0"]), max_size=2
    )
    seed = np.random.default_rng(draw(st.integers(0, 99)))
    for _ in range(draw(st.integers(1, 4))):
        data += b"".join(draw(extensions))
        if draw(bits):
            key = draw(st.none() | st.integers(0, 9) | st.just(255))
            data += control(draw(st.integers(0, 7)), draw(st.sampled_from([0, 3, 65535])), key, draw(bits))
        data += b"".join(draw(extensions))
        size = draw(st.integers(1, 20)), draw(st.integers(1, 20))
        indices = seed.integers(0, draw(st.sampled_from([4, 16, 256])), size, np.uint8)
        data += image(indices, draw(st.integers(0, 9)), draw(st.integers(0, 9)), draw(palettes()), draw(bits), draw(bits))
    return data + b"".join(draw(extensions)) + b";" + draw(st.sampled_from([b"", b"\0", b";,!garbage"]))


def shown_or_error(data):
    try:
        return composed(data)
    except (ValueError, OSError, SystemError) as error:  # Pillow cannot compose some files that mix greys and colours
        return type(error)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(files(), st.integers(1, 3))
def test_any_structure_is_kept_and_composes_to_the_same(data, factor):
    out = enlarged(data, factor)
    want, got = shown_or_error(data), shown_or_error(out)
    if isinstance(want, type):
        assert got is want
    else:
        same(got, [(pixels.repeat(factor, 0).repeat(factor, 1), delay) for pixels, delay in want])
        frames = list(contents(data).frames())
        assert len(frames) == len(want)
        for frame, (pixels, delay) in zip(frames, want, strict=True):
            if len(want) == 1:
                with Image.open(io.BytesIO(data)) as alone:
                    assert frame.picture.mode == alone.mode
                    np.testing.assert_array_equal(frame.picture.samples, np.array(alone))
            else:
                whole = np.array(Image.fromarray(frame.picture.samples).convert("RGBA"))
                whole[whole[..., 3] == 0] = 0
                np.testing.assert_array_equal(whole, pixels)
            assert frame.delay == ((delay or 0) // 10, 100)
    head, images = structure(data)
    (new_head, new), interlace = structure(out), np.uint8(0xBF)
    assert (new_head[:6], new_head[10:]) == (head[:6], head[10:])
    for (blocks, left, top, width, height, flags, palette), now in zip(images, new, strict=True):
        scaled = (n * factor for n in (left, top, width, height))
        assert (now[0], *now[1:5], now[5] & interlace, now[6]) == (blocks, *scaled, flags & interlace, palette)


def test_whole_frames_say_what_pillow_says():
    data = screen(4, 4, COLOURS.tobytes()) + control(2, 5, 9) + b"!\xfe\x01a\0" + image(random_indices(4, 4)) + b";"
    (still,) = contents(data).frames()
    assert (still.picture.mode, dict(still.picture.info), still.delay) == ("P", {"comment": b"a", "transparency": 9}, (5, 100))
    data = data[:-1] + control(1, 8) + image(random_indices(2, 2)) + b";"
    first, second = contents(data).frames()
    assert (first.picture.mode, dict(first.picture.info), first.delay) == ("RGBA", {"comment": b"a"}, (5, 100))
    assert (second.picture.mode, dict(second.picture.info), second.delay) == ("RGBA", {}, (8, 100))
    opaque = screen(4, 4, COLOURS.tobytes()) + image(random_indices(4, 4)) * 2 + b";"
    assert [f.picture.mode for f in contents(opaque).frames()] == ["RGB", "RGB"]


# Frames that come from no GIF file ----------------------------------------------------------------------------------------


def frame(indices, palette=COLOURS, delay=(1, 10), disposal="keep", over=False, left=0, top=0, **info):
    picture = Picture(indices, "L" if palette is None else "P", palette, info)
    return Frame(picture, delay, left, top, disposal, over)


@pytest.mark.parametrize(("count", "stored"), [(1, 2), (2, 2), (3, 4), (5, 8), (129, 256), (256, 256)])
def test_a_made_picture(count, stored):
    indices = random_indices(20, 30, count)
    data = made([frame(indices, COLOURS[:count], (0, 1))], (20, 30))
    assert data[:6] == b"GIF89a" and b"!\xf9" not in data[: 13 + 3 * stored + 2]
    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.mode, picture.size, dict(picture.info)) == ("P", (30, 20), {"version": b"GIF89a", "background": 0})
        np.testing.assert_array_equal(np.array(picture), indices)
        assert len(picture.getpalette(None)) == 3 * stored and picture.getpalette()[: 3 * count] == list(COLOURS[:count].flat)


@pytest.mark.parametrize("largest", [0, 1, 5, 127, 255])
def test_a_made_grey_picture(largest):
    indices = np.full((3, 4), largest, np.uint8)
    with Image.open(io.BytesIO(made([frame(indices, None, (0, 1))], (3, 4)))) as picture:
        assert picture.mode == "L"
        np.testing.assert_array_equal(np.array(picture), indices)


def test_a_made_picture_says_what_it_should():
    comment, xmp = bytes(range(256)) * 3, "<x/>"
    data = made([frame(random_indices(3, 3), comment=comment, xmp=xmp, transparency=7)], (3, 3))
    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.info["comment"], picture.info["transparency"], picture.info["duration"]) == (comment, 7, 100)
    assert next(contents(data).parts()).picture.info["xmp"] == xmp.encode()
    data = made([frame(random_indices(3, 3), comment="für")], (3, 3))
    assert next(contents(data).parts()).picture.info["comment"] == "für".encode()


@pytest.mark.parametrize(("plays", "loop"), [(0, 0), (1, None), (2, 1), (65536, 65535), (99999, 65535), (None, None)])
def test_loops_of_made_animations(plays, loop):
    frames = [frame(random_indices(3, 3)), frame(random_indices(3, 3))]
    with Image.open(io.BytesIO(made(frames, (3, 3), plays=plays))) as picture:
        assert picture.info.get("loop") == loop
    with Image.open(io.BytesIO(made(frames[:1], (3, 3), plays=plays))) as picture:
        assert "loop" not in picture.info


def test_palettes_of_made_animations():
    palettes = [COLOURS[:5], COLOURS[:5], COLOURS[:3], COLOURS[9:18], COLOURS]
    frames = [frame(random_indices(6, 6, len(p)), p) for p in palettes]
    data = made(frames, (6, 6))
    assert [p.picture.info["gif"]["flags"] & 0x80 for p in contents(data).parts()] == [0, 0, 0, 0x80, 0x80]
    for (pixels, delay), f in zip(composed(data), frames, strict=True):
        np.testing.assert_array_equal(pixels[..., :3], f.picture.palette[f.picture.samples])
        assert delay == 100 and (pixels[..., 3] == 255).all()


def test_rounded_delays_do_not_drift():
    notes = []
    frames = [frame(random_indices(2, 2), delay=d) for d in [(1, 60)] * 60 + [(3, 0), (700, 1), (1, 50)]]
    delays = [d for _, d in composed(made(frames, (2, 2), note=notes.append))]
    assert sum(delays[:60]) == 1000 and set(delays[:60]) == {10, 20}
    assert delays[60:] == [30, 655350, 20]
    assert notes == ["GIF delays are limited to 655.35 s: one of 700.0 s was shortened"]


def test_disposals_of_made_animations():
    parts = [
        frame(np.zeros((4, 4), np.uint8), COLOURS[:2], transparency=1, over=True),
        frame(np.zeros((2, 2), np.uint8), COLOURS[2:4], disposal="clear", transparency=1, over=True, left=1, top=1),
        frame(np.zeros((1, 1), np.uint8), COLOURS[4:6], disposal="restore", transparency=1, over=True),
        frame(np.zeros((1, 1), np.uint8), COLOURS[6:8], transparency=1, over=True, left=3, top=3),
    ]
    data = made(parts, (4, 4))
    assert [p.disposal for p in contents(data).parts()] == ["keep", "clear", "restore", "keep"]
    last = composed(data)[-1][0]
    want = np.broadcast_to(COLOURS[0], (4, 4, 3)).copy()
    want[3, 3] = COLOURS[6]
    np.testing.assert_array_equal(last[..., 3] == 0, np.pad(np.ones((2, 2), bool), 1))
    np.testing.assert_array_equal(last[last[..., 3] > 0][:, :3], want[last[..., 3] > 0])


def test_nothing_is_seen_through_frames_that_replace_each_other():
    keys = [None, None, 3, 3, None, 3]
    frames = [
        frame(random_indices(8, 8, 4), COLOURS[i : i + 4], **({} if k is None else {"transparency": k}))
        for i, k in enumerate(keys)
    ]
    for (pixels, _), f in zip(composed(made(frames, (8, 8))), frames, strict=True):
        clear = f.picture.samples == f.picture.info.get("transparency", -1)
        np.testing.assert_array_equal(pixels[..., 3], np.where(clear, 0, 255))
        np.testing.assert_array_equal(pixels[~clear][:, :3], f.picture.palette[f.picture.samples][~clear])


def test_too_large():
    wide = frame(np.zeros((1, 65536), np.uint8), COLOURS[:2])
    for f, size in [
        (wide, (1, 65536)),
        (frame(np.zeros((1, 1), np.uint8)), (70000, 1)),
        (frame(np.zeros((1, 1), np.uint8), top=65536), (1, 1)),
    ]:
        with pytest.raises(ArgumentError, match="limited to 65535 pixels a side"):
            made([f], size)
    made([frame(np.zeros((1, 65535), np.uint8), COLOURS[:2])], (1, 65535))


# Damage -------------------------------------------------------------------------------------------------------------------

WHOLE = (
    screen(6, 6, COLOURS[:4].tobytes()) + control(1, 5) + image(random_indices(6, 6, 4)) + image(random_indices(6, 6, 4)) + b";"
)


def test_a_missing_end_is_noted():
    notes = []
    assert contents(WHOLE[:-1], notes.append).total == 2 and notes == ["it lacks the GIF trailer"]
    assert enlarged(WHOLE[:-1]) == enlarged(WHOLE[:-2]) == enlarged(WHOLE + b",garbage!") == enlarged(WHOLE)
    assert len(list(contents(WHOLE[:-1]).frames())) == 2
    notes.clear()
    contents(WHOLE + b"garbage", notes.append)
    assert not notes


def test_the_frames_before_a_truncated_one_are_read():
    for source in ("parts", "frames"):
        frames = getattr(contents(WHOLE[:-6]), source)()
        next(frames)
        with pytest.raises(ArgumentError, match=r"^damaged: its data end too early$"):
            next(frames)


@pytest.mark.parametrize("data", [
    b"", b"GIF89a", b"GIF90a" + WHOLE[6:], WHOLE[:20], screen(1, 1) + b";", screen(1, 1), WHOLE[:30], WHOLE[:40],
    screen(1, 1) + b"!\xfe\xffshort", screen(1, 1) + b"!", screen(1, 1) + b"!\xf9\x01a\0" + image(random_indices(1, 1)),
    screen(1, 1) + b"," + struct.pack("<HHHHB", 0, 0, 0, 1, 0) + b"\x08\0;", screen(1, 1) + b"!\xfe\0" * 70000 + b";",
    screen(1, 1) + b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0),
])  # fmt: skip
def test_blocks_that_lie(data):
    with pytest.raises(ArgumentError, match=r"^damaged: "):
        contents(data)


def test_a_file_that_claims_to_be_huge():
    data = screen(65535, 65535) + b"," + struct.pack("<HHHHB", 0, 0, 65535, 65535, 0) + b"\x08\x01\0\0;"
    with pytest.raises(ArgumentError, match="too many pixels"):
        next(contents(data).parts())


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=4), st.integers(1, len(WHOLE)))
def test_damage_is_an_error_and_nothing_worse(changes, length):
    data = bytearray(WHOLE)
    for at, value in changes:
        data[at] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            read = contents(bytes(data[:length]))
            for part in read.parts():
                assert part.picture.samples.shape[0] <= 65535
        except ArgumentError:
            pass

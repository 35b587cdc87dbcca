"""Animations, pages, sizes of an icon and views of one scene, through the real command."""

import numpy as np
import pytest
from helpers import HEAVY_TCONV, image_of, larger, ok
from PIL import Image, ImageSequence

RNG = np.random.default_rng(0)


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


def test_views_of_one_scene(tmp_path):
    views = [Image.fromarray(RNG.integers(0, 256, (8, 8, 3), np.uint8)) for _ in range(2)]
    views[0].save(tmp_path / "in.mpo", save_all=True, append_images=views[1:])
    assert b"the first was used" in ok("in.mpo", "out.png", cwd=tmp_path).stderr
    ok("in.mpo", "second.png", "--frame", "1", cwd=tmp_path)
    with Image.open(tmp_path / "in.mpo") as before, Image.open(tmp_path / "second.png") as after:
        before.seek(1)
        assert np.array_equal(np.asarray(after), larger(before))


def animation(path, colours, **options):
    first, *others = (Image.new("RGB", (6, 5), colour) for colour in colours)
    first.save(path, save_all=True, append_images=others, **options)


def test_equal_frames_that_webp_merges_are_reported(tmp_path):
    animation(tmp_path / "in.png", ["red", "red", "red"], duration=200, disposal=[0, 1, 0])  # or Pillow would merge them
    done = ok("in.png", "out.webp", cwd=tmp_path)
    assert b"all its frames are equal, so WebP stores a still picture without a duration" in done.stderr
    animation(tmp_path / "in.png", ["red", "red", "blue"], duration=200, disposal=[0, 1, 0])
    assert b"equal" not in ok("in.png", "out.webp", cwd=tmp_path).stderr
    with Image.open(tmp_path / "out.webp") as image:
        durations = []
        for number in range(image.n_frames):
            image.seek(number)
            image.load()
            durations.append(image.info["duration"])
    assert sum(durations) == 600


def test_the_background_of_a_webp_canvas_stays(tmp_path):
    animation(tmp_path / "in.webp", ["red", "blue"], duration=100, lossless=True, background=(1, 2, 3, 255))
    ok("in.webp", "out.webp", cwd=tmp_path)
    with Image.open(tmp_path / "in.webp") as before, Image.open(tmp_path / "out.webp") as after:
        assert after.info["background"] == before.info["background"] == (1, 2, 3, 255)


@pytest.mark.parametrize(("loops", "text"), [(1, b"not 1 time:"), (3, b"not 3 times:"), (0, None)])
def test_a_number_of_loops_that_avif_cannot_store_is_reported(tmp_path, loops, text):
    animation(tmp_path / "in.webp", ["red", "blue"], duration=100, lossless=True, loop=loops)
    done = ok("in.webp", "out.avif", cwd=tmp_path)
    assert (b"it plays for ever" in done.stderr) == (text is not None)
    assert text is None or text in done.stderr

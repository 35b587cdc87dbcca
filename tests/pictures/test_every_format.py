"""Every row of the table of formats: each of its pixel types and each of its kinds of metadata, written and read again."""

import io

import numpy as np
import pytest
from helpers import decoded, encoded
from PIL import ImageCms

from upscale.pictures import coding_points
from upscale.pictures.formats import FORMATS, METADATA, MODES, NPY, base_of

SUFFIXES = {form: suffix for suffix, form in reversed(FORMATS.items()) if form != NPY}
ROWS = [(suffix, mode) for form, suffix in SUFFIXES.items() for mode in form.modes]
#: How far samples may be off; the others are exact.
LOSSY = {".jpg": 12, ".avif": 12}
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GREY = coding_points.make_profile(coding_points.PRIMARIES[1], (2.2,), grey=True)
EXIF = b"Exif\0\0II*\0\x08\0\0\0\1\0\x0e\1\2\0\4\0\0\0abc\0\0\0\0\0"
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'


def samples_of(mode, size=(16, 24)):
    """Make smooth samples, which lossy formats hardly change, of all values that a format stores exactly."""
    base, dtype = MODES[mode]
    y, x = np.mgrid[: size[0], : size[1]].astype(float)
    channels = {"LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4, "LAB": 3}.get(base)
    planes = [(np.sin(x / (9 + c)) * np.cos(y / (7 + c)) + 1) / 2 for c in range(channels or 1)]
    unit = np.stack(planes, axis=2) if channels else planes[0]
    if dtype == "bool":
        return unit > 0.5
    if dtype == "float32":
        return (np.round(unit * 255) / 256).astype(np.float32)
    return np.round(unit * {"uint8": 255, "uint16": 65535, "int32": 10**6}[dtype]).astype(dtype)


@pytest.mark.parametrize(("suffix", "mode"), ROWS)
def test_each_pixel_type_of_each_format_is_written_and_read_again(suffix, mode):
    samples = samples_of(mode)
    palette = np.arange(768, dtype=np.uint8).reshape(256, 3) if mode == "P" else None
    # Colours multiplied by alpha, as OpenEXR stores them, come back as they are.
    info = {"associated": True} if suffix == ".exr" and mode in ("LA;F", "RGBA;F") else {}
    notes = []
    found = decoded(encoded(suffix, samples, mode, info, palette, notes=notes), suffix)[0]
    assert notes == []
    got = found.picture
    assert got.mode == mode
    if mode == "P":
        assert np.array_equal(got.palette[got.samples], palette[samples])
        return
    assert got.samples.dtype == samples.dtype
    assert np.abs(got.samples.astype(float) - samples).max() <= LOSSY.get(suffix, 0)


VALUES = {
    "exif": EXIF, "xmp": XMP, "dpi": (300, 150), "text": {"Title": "a picture"}, "comment": b"a comment", "gamma": 0.6,
    "chromaticity": (0.3127, 0.329, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06), "exr": {"owner": "me"},
    "radiance": (b"EXPOSURE=2.0", b"# made by hand"), "photoshop": b"8BIM\4\4\0\0\0\0\0\4\x1c\2\x78\0",
}  # fmt: skip


@pytest.mark.parametrize(("suffix", "key"), [(suffix, key) for form, suffix in SUFFIXES.items() for key in form.metadata])
def test_each_kind_of_metadata_of_each_format_is_written_and_read_again(suffix, key):
    modes = [mode for mode in FORMATS[suffix].modes if base_of(mode) in ("L", "LA", "RGB", "RGBA")]
    for mode in modes:
        value = VALUES[key] if key != "icc_profile" else GREY if mode[0] in "LIF" else SRGB
        found = decoded(encoded(suffix, samples_of(mode), mode, {key: value}), suffix)[0].picture.info
        if key == "xmp":
            assert found[key].rstrip(b"\0") == value
        elif key == "exif":
            assert b"abc" in found[key]
        elif key == "comment":
            assert value in (found.get(key), found.get("text", {}).get("Comment", "").encode())
        elif key in ("dpi", "chromaticity", "gamma"):
            assert np.allclose(np.asarray(found[key], float), value, atol=0.1 if key == "dpi" else 1e-5)
        else:
            assert found[key] == value, mode


def test_no_metadata_is_without_a_test():
    assert {*VALUES, "icc_profile"} == set(METADATA)


@pytest.mark.parametrize("suffix", [s for f, s in SUFFIXES.items() if f.several == "animation"])
def test_each_animation_keeps_frames_and_durations(suffix):
    form = FORMATS[suffix]
    mode = "L" if form.palette_only else "RGBA"
    frames = [np.roll(samples_of(mode), 3 * n, axis=0) for n in range(3)]
    delays = [(40, 1000), (200, 1000), (70, 1000)]
    found = decoded(encoded(suffix, frames, mode, delays=delays, plays=0), suffix)
    assert len(found) == 3
    assert [f.delay[0] / f.delay[1] for f in found] == [0.04, 0.2, 0.07]
    if suffix not in LOSSY:
        for one, two in zip(found, frames, strict=True):
            shown = one.picture.palette[one.picture.samples][..., 0] if one.picture.palette is not None else one.picture.samples
            shown = shown[..., 0] if mode == "L" and shown.ndim == 3 else shown
            assert np.array_equal(shown, two)


def test_files_are_of_the_format_that_their_suffix_says():
    heads = {suffix: encoded(suffix, samples_of(mode), mode)[:12] for suffix, mode in ROWS}
    assert len({bytes(head[:6]) for suffix, head in heads.items() if suffix not in (".tga", ".pnm")}) > 12
    assert io.BytesIO(heads[".jxl"]).read(8) == b"\0\0\0\x0cJXL "

"""Other projects' test files: `python benchmarks/fixtures.py FOLDER [--keep FOLDER]`.

Every picture under FOLDER is enlarged twice: by `nn`, and by `tconv` with the kernel `box`, which has to give the same pixels.
The outputs are compared with what independent readers (Pillow, tifffile, imagecodecs) make of the inputs: pixels, frames,
durations, the number of loops, and metadata, of which only those may be missing that a note names. Printed are the differences,
the reasons of refusals, and the numbers of both. The exit status is 1 where there is a difference. Pillow is
known to misread RLE-compressed PSD files with extra channels.
"""

import argparse
import collections
import json
import logging
import re
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
import tifffile
from PIL import Image, ImageOps

METHODS = {"nn": ["-m", "nn"], "tconv box": ["-m", "tconv", "-k", "box"]}
FACTOR = 2
#: Formats that are written with loss; their samples may differ by this in the mean, of 255.
LOSSY = {"JPEG": 4.0, "AVIF": 4.0, "MPO": 4.0}
#: Tags that an enlargement changes: sizes, orientation and thumbnail of EXIF, and how TIFF stores the samples.
CHANGED_TAGS = {
    *(
        254,
        256,
        257,
        258,
        259,
        262,
        266,
        273,
        274,
        277,
        278,
        279,
        282,
        283,
        284,
        296,
        317,
        320,
        322,
        323,
        324,
        325,
        330,
        338,
        339,
    ),
    *(347, 513, 514, 529, 530, 531, 532, 40962, 40963),
}
#: Words of notes about metadata that are not kept.
TOLD = re.compile(r"dropped|cannot store|possibly damaged|truncated|written instead|no longer|is read as")


class Seen(NamedTuple):
    """What a reader makes of a file.

    Attributes
    ----------
    frames : list of ndarray
        Upright.
    durations : list of float
        In milliseconds; empty where there are none.
    loop : int or None
    metadata : dict
    """

    frames: list[np.ndarray]
    durations: list[float]
    loop: int | None
    metadata: dict[str, Any]


def by_pillow(path: Path) -> Seen:
    """Read with Pillow, which turns 16 bits in colour into 8."""
    frames, durations = [], []
    with Image.open(path) as image:  # once more than needed: to ask for texts spoils the frames of some APNG files
        metadata = {k: image.info[k] for k in ("icc_profile", "xmp", "dpi") if image.info.get(k)}
        metadata |= {f"text {k}": v for k, v in getattr(image, "text", {}).items() if k != "XML:com.adobe.xmp"}
        metadata |= {f"EXIF {k}": v for k, v in image.getexif().items() if k not in CHANGED_TAGS and k < 32768}
    with Image.open(path) as image:
        loop, count = image.info.get("loop"), getattr(image, "n_frames", 1)
        if image.format in ("PSD", "ICO", "ICNS", "CUR", "MPO"):  # layers, sizes and views
            count = 1
        for number in range(count):
            if count > 1:
                image.seek(number)
            image.load()
            plain = image.mode.startswith("I") or image.mode in ("F", "CMYK", "LAB")
            turned = image.getexif().get(274, 1)
            converted = image if plain else image.convert("RGBA")  # first, for turning frames with palettes loses these
            converted.getexif()[274] = turned
            frames.append(np.asarray(ImageOps.exif_transpose(converted)))
            if count > 1 and image.format not in ("TIFF",):
                durations.append(float(image.info.get("duration", 0)))
    return Seen(frames, durations, loop if durations else None, metadata)


def by_tifffile(path: Path) -> Seen:
    """Read with tifffile, samples as they are stored."""
    frames = []
    with tifffile.TiffFile(path) as file:
        for page in file.pages:
            samples = page.asarray()
            frames.append(np.moveaxis(samples, 0, -1) if page.planarconfig == 2 and page.samplesperpixel > 1 else samples)
    return Seen(frames, [], None, {})


def by_imagecodecs(path: Path) -> Seen:
    """Read a still picture that is upright with imagecodecs, in its full depth."""
    with Image.open(path) as image:
        if image.getexif().get(274, 1) != 1:
            raise ValueError("it is not upright")
    return Seen([imagecodecs.imread(path.read_bytes())], [], None, {})


def by_numpy(path: Path) -> Seen:
    """Read an array."""
    return Seen([np.load(path)], [], None, {})


def readers(path: Path) -> Iterator[Any]:
    """Choose readers for a file, the most exact first."""
    data = path.read_bytes()
    if data[:2] in (b"II", b"MM"):
        yield by_tifffile
    yield by_numpy if path.suffix == ".npy" else by_pillow
    if data[:3] == b"\xff\xd8\xff" or (data[:4] == b"\x89PNG" and b"acTL" not in data):
        yield by_imagecodecs


def seen(reader: Any, path: Path) -> Seen | None:
    """Read a file, None where the reader cannot."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return reader(path)
        except Exception:  # a reader may raise anything on others' test files
            return None


def differences(source: Path, output: Path, line: dict[str, Any]) -> Iterator[str]:
    """Compare an output with its input by each reader that reads both."""
    told = TOLD.search(" ".join(line.get("notes", ())))
    compared = False
    for reader in readers(source):
        before = seen(reader, source)
        # A reader of one format cannot read an output of another.
        after = seen(reader if reader is by_pillow or source.suffix == output.suffix else by_pillow, output)
        if before is None or not before.frames:
            continue
        if after is None:
            yield f"{reader.__name__.removeprefix('by_')} does not open the output"
            continue
        compared = True
        yield from of_frames(before, after, line)
        for key, value in before.metadata.items():
            if key not in after.metadata and not told:
                yield f"lost {key} without a note"
            elif key in after.metadata and key != "dpi" and after.metadata[key] != value and not told:
                yield f"{key} is {after.metadata[key]!r:.60}, not {value!r:.60}"
    if not compared:
        yield "no independent reader reads the input"


def of_frames(before: Seen, after: Seen, line: dict[str, Any]) -> Iterator[str]:
    """Compare frames, durations and the number of loops."""
    total = sum(before.durations), sum(after.durations)
    if before.durations and abs(total[0] - total[1]) > 1:
        yield f"lasts {total[1]} ms, not {total[0]}"
    if before.durations and after.durations and (before.loop or 0) != (after.loop or 0) and not line.get("notes"):
        yield f"loop is {after.loop}, not {before.loop}"
    if len(before.frames) != len(after.frames):
        if not line.get("notes"):
            yield f"{len(after.frames)} frames, not {len(before.frames)}"
        return
    for number, (a, b) in enumerate(zip(before.frames, after.frames, strict=True)):
        want = a.repeat(FACTOR, 0).repeat(FACTOR, 1)
        if want.shape != b.shape:
            yield f"frame {number} has shape {b.shape}, not {want.shape}"
            return
        a, b = (_visible(samples) for samples in (want, b))
        if not np.array_equal(a, b, equal_nan=a.dtype.kind == b.dtype.kind == "f"):
            apart = np.abs(a.astype(float) - b)
            if apart.mean() > LOSSY.get(line["format"], 0):
                yield f"{(apart > 0).mean():.1%} of the samples of frame {number} differ, by {np.nanmax(apart):g} at most"
                return


def _visible(samples: np.ndarray) -> np.ndarray:
    """Clear the colours of transparent pixels, which formats need not keep."""
    if samples.ndim == 3 and samples.shape[2] == 4 and samples.dtype == np.uint8:
        samples = np.where(samples[..., 3:] == 0, 0, samples)
    return samples


def enlarged(folder: Path, output: Path, options: list[str]) -> list[dict[str, Any]]:
    """Enlarge a folder by the command, and return the lines of its report."""
    command = [sys.executable, "-m", "upscale", folder, output, "--recursive", "--json", "--name", "{stem}.{ext}{suffix}"]
    done = subprocess.run([*map(str, command), "--factor", str(FACTOR), *options], capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def compare(folder: Path, output: Path) -> int:
    """Print what each method got wrong, and what was refused; return the number of differences."""
    found = 0
    for method, options in METHODS.items():
        counts: collections.Counter[str] = collections.Counter()
        reasons: dict[str, list[str]] = collections.defaultdict(list)
        for line in enlarged(folder, output / method.replace(" ", "_"), options):
            counts[line["status"]] += 1
            source = Path(line["input"])
            if line["status"] != "written":
                reasons[line.get("error", line["status"]).replace(line["input"], "").lstrip(": ")[:120]].append(source.name)
                continue
            wrong = list(dict.fromkeys(differences(source, Path(line["output"]), line)))
            counts["different"] += bool(wrong)
            for text in wrong:
                print(f"{method}: {source}: {text}", flush=True)
        for reason, names in sorted(reasons.items(), key=lambda item: -len(item[1])):
            print(f"{method}: {len(names)} x {reason} ({', '.join(names[:4])}{', ...' if len(names) > 4 else ''})")
        print(f"{method}: " + ", ".join(f"{number} {status}" for status, number in counts.items()), flush=True)
        found += counts["different"]
    return found


def main() -> None:
    """Read the arguments, and leave with status 1 where there is a difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep", type=Path, help="a folder for the outputs, which are deleted otherwise")
    arguments = parser.parse_args()
    logging.getLogger("tifffile").disabled = True
    Image.MAX_IMAGE_PIXELS = None
    with tempfile.TemporaryDirectory() as scratch:
        sys.exit(min(1, compare(arguments.folder, arguments.keep or Path(scratch))))


if __name__ == "__main__":
    main()

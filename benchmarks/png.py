"""Times and file sizes of the settings of --compression for PNG, against Pillow: `python benchmarks/png.py [PICTURE...]`."""

import sys
import tempfile
from pathlib import Path

from PIL import Image
from timing import UPSCALE, medians

from upscale.choices import COMPRESSIONS

SAMPLES = Path(__file__).parent.parent / "sample_images"
JOBS = (
    ("cat.png", ["--factor", "8"]),
    ("cat.png", ["--factor", "8", "-m", "tconv", "-k", "bicubic"]),
    ("ninja.png", ["--factor", "16"]),
    ("ninja.png", ["--factor", "16", "-m", "tconv", "-k", "bicubic"]),
    ("potion.png", ["--factor", "32"]),
)
SAVE = "import sys; from PIL import Image; Image.open(sys.argv[1]).save(sys.argv[2], **eval(sys.argv[3]))"
PILLOW = {"Pillow's default": "{}", "Pillow, run-length": "dict(compress_level=1, compress_type=3)"}


def report(pictures: tuple[str, ...] = ()) -> str:
    """Return the result as Markdown."""
    jobs = [(p, o) for p in pictures for _, o in JOBS[:2]] or JOBS
    lines = [
        "Times are those of whole commands. Pillow only reads the enlarged picture and saves it, so compare the file sizes "
        "with it, not the times.\n",
        "| picture | method | compression | seconds | bytes | size relative to Pillow's default |",
        "|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for name, options in jobs:
            commands = {
                c: [UPSCALE, str(SAMPLES / name), f"{folder}/{c}.png", *options, "--compression", c, "-q"] for c in COMPRESSIONS
            }
            times = medians(commands, rounds=5)
            saved = {
                label: [sys.executable, "-c", SAVE, f"{folder}/fast.png", f"{folder}/{label}.png", text]
                for label, text in PILLOW.items()
            }
            times |= medians(saved, rounds=3)
            sizes = {label: Path(f"{folder}/{label}.png").stat().st_size for label in times}
            with Image.open(f"{folder}/fast.png") as image:
                what = f"{name} {image.width}x{image.height} {image.mode}"
            method = "tconv bicubic" if "tconv" in options else "nn"
            for label, seconds in times.items():
                ratio = sizes[label] / sizes["Pillow's default"]
                lines.append(f"| {what} | {method} | {label} | {seconds:.3f} | {sizes[label]} | {ratio:.2f} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(report(tuple(sys.argv[1:])))

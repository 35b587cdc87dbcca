"""How long a small sprite takes, against importing the libraries that any such command needs: `python benchmarks/start.py`."""

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from timing import UPSCALE, medians

GOAL = 1.5


def report() -> str:
    """Return the result as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        source, out = Path(folder) / "in.png", str(Path(folder) / "out.png")
        rng = np.random.default_rng(0)
        Image.fromarray(rng.integers(0, 256, (64, 64, 4), np.uint8)).save(source)
        times = medians(
            {
                'python -c "import numpy, PIL.Image, click"': [sys.executable, "-c", "import numpy, PIL.Image, click"],
                "upscale in.png out.png --factor 4": [UPSCALE, str(source), out, "--factor", "4"],
                "upscale in.png out.png -m tconv -k bicubic -f 4": [
                    UPSCALE,
                    str(source),
                    out,
                    *["-m", "tconv", "-k", "bicubic", "-f", "4"],
                ],
                "upscale --help": [UPSCALE, "--help"],
            },
            rounds=21,
        )
    base = next(iter(times.values()))
    rows = "\n".join(f"| `{name}` | {t:.3f} | {t / base:.2f} |" for name, t in times.items())
    head = f"A 64 x 64 RGBA sprite; the goal is a ratio of at most {GOAL}.\n\n| command | seconds | ratio |\n|---|---|---|\n"
    return head + rows + "\n"


if __name__ == "__main__":
    print(report())

"""Learn the kernels that come with the package: `python benchmarks/make_kernels.py FOLDER [OUTPUT_FOLDER [FACTOR...]]`.

FOLDER has high-resolution pictures. Two files for each factor, by default 2, 3 and 4, are written to OUTPUT_FOLDER, by default
upscale/kernels/data.
"""

import hashlib
import itertools
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from upscale.batch.plan import Search
from upscale.kernels import shipped
from upscale.kernels.write_files import write_kernel
from upscale.learning import from_files


def main(folder: str, output: str, factors: Sequence[int]) -> None:
    """Learn and write them, and print a row for each as Markdown."""
    pictures = [f.path for f in Search("", recursive=True).files(folder, alone=True)]
    os.makedirs(output, exist_ok=True)
    print("| file | bytes | SHA-256 | PSNR on the tenth held out: bicubic, learned, adaptive |\n|---|---|---|---|")
    for factor, (ending, downscale) in itertools.product(factors, shipped.DOWNSCALING.items()):
        found = from_files.learn_from_files(
            from_files.LearnRequest(pictures, None, factor, None, downscale, [], 1_000_000, adaptive=True)
        )
        path = os.path.join(output, os.path.basename(shipped.path(factor, ending)))
        write_kernel(path, found.kernel)
        data = Path(path).read_bytes()
        scores = ", ".join(f"{found.quality[name][0]:.2f}" for name in ("bicubic", "learned", "adaptive") if found.quality)
        print(f"| {os.path.basename(path)} | {len(data):,} | `{hashlib.sha256(data).hexdigest()}` | {scores} |", flush=True)


if __name__ == "__main__":
    main(
        sys.argv[1],
        sys.argv[2] if len(sys.argv) > 2 else str(Path(__file__).parents[1] / "upscale" / "kernels" / "data"),
        [int(factor) for factor in sys.argv[3:]] or shipped.FACTORS,
    )

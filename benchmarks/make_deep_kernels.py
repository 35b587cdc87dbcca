"""Train and learn the deep kernels that come with the package: `python benchmarks/make_deep_kernels.py FOLDER...`.

The folders have high-resolution pictures. Needs PyTorch. The features are trained on enlarging by 2, which takes half an hour
on one core (`--steps`, then `--again`); what follows them is then solved for each other factor, which takes minutes
(`--only-solve` does nothing else). `--kernel deep-jpeg` makes those for JPEGs. Files are written to upscale/kernels/data, or to
`--output`.
"""

import argparse
import hashlib
import os
import time
from pathlib import Path

from upscale.batch.find_inputs import Search
from upscale.kernels import shipped
from upscale.kernels.read_files import read_kernel
from upscale.kernels.write_files import write_kernel
from upscale.learning import from_files
from upscale.learning.learn_features import TrainingRequest, train_on_files


def main():
    """Train, solve, write, and print a row for each file as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--steps", type=int, default=44_000)
    parser.add_argument("--again", type=int, default=0, help="steps of a second training, at half of the learning rate")
    parser.add_argument("--only-solve", action="store_true", help="keep the features of the file that is there")
    parser.add_argument("--kernel", default="deep", choices=["deep", "deep-jpeg"])
    parser.add_argument("--output", default=shipped.FOLDER)
    given = parser.parse_args()
    paths = [f.path for folder in given.folders for f in Search("", recursive=True).files(folder, alone=True)]
    row = shipped.SHIPPED[given.kernel]
    first = os.path.join(given.output, os.path.basename(shipped.path(2, row.file_ending)))
    began = time.monotonic()

    def report(step, psnr):
        if psnr is not None:
            print(f"{time.monotonic() - began:.0f} s, step {step}: {psnr:.3f} dB", flush=True)

    def request(factor):
        downscale = shipped.DEEP_DOWNSCALING[row.file_ending]
        return from_files.LearnRequest(paths, None, factor, None, downscale, [], 1_000_000, deep=True)

    if given.only_solve:
        features = read_kernel(first).layers
    else:
        trained = train_on_files(request(2), TrainingRequest(given.steps, 0, 0, given.again), report=report)
        write_kernel(first, trained.kernel.replaced(title=given.kernel))
        features = trained.layers
    print("| file | bytes | SHA-256 | PSNR on the tenth held out: bicubic, deep |\n|---|---|---|---|")
    for factor in row.factors[1:]:
        learned = from_files.learn_from_files(request(factor), features=features)
        path = os.path.join(given.output, os.path.basename(shipped.path(factor, row.file_ending)))
        write_kernel(path, learned.kernel, convolutions=False)
        data = Path(path).read_bytes()
        scores = ", ".join(f"{learned.quality[name][0]:.2f}" for name in ("bicubic", "deep") if learned.quality)
        print(f"| {os.path.basename(path)} | {len(data):,} | `{hashlib.sha256(data).hexdigest()}` | {scores} |", flush=True)


if __name__ == "__main__":
    main()

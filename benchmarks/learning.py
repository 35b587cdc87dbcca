"""Learned kernels against presets: `python benchmarks/learning.py TRAIN TEST`, two folders of pictures."""

import sys
import time

from upscale.batch.plan import Search
from upscale.learning import from_files


def main() -> None:
    """Print a table as Markdown."""
    train, test = ([f.path for f in Search("", recursive=True).files(path, alone=True)] for path in sys.argv[1:3])
    names = (*from_files.OTHERS, "learned", "adaptive")
    print("| factor | " + " | ".join(names) + " | seconds to learn |")
    print("|---" * (len(names) + 2) + "|")
    for factor in (2, 3, 4):
        began = time.perf_counter()
        request = from_files.LearnRequest(train, None, factor, None, "bicubic", test, 1_000_000, adaptive=True)
        found = from_files.learn_from_files(request)
        seconds = time.perf_counter() - began
        cells = [f"{found.quality[n][0]:.2f} / {found.quality[n][1]:.4f}" for n in names]
        print(f"| x{factor} | " + " | ".join(cells) + f" | {seconds:.1f} |")


if __name__ == "__main__":
    main()

"""The commands' entry points, which handle signals while the rest is still being imported."""

import gc
import os
import sys
from typing import NoReturn

#: After how many new objects garbage is collected, and how many such collections come between those of older objects.
_THRESHOLDS = 100_000, 50, 100


def main() -> NoReturn:
    """Run `upscale` and end the process."""
    _run("upscale.commands.enlarge", "upscale")


def learn() -> NoReturn:
    """Run `upscale-learn` and end the process."""
    _run("upscale.commands.learn", "upscale-learn")


def kernel() -> NoReturn:
    """Run `upscale-kernel` and end the process."""
    _run("upscale.commands.kernel", "upscale-kernel")


def compare() -> NoReturn:
    """Run `upscale-compare` and end the process."""
    _run("upscale.commands.compare", "upscale-compare")


def _run(module: str, name: str) -> NoReturn:
    # Threads that wait for work must leave the cores to those that have some.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if module != "upscale.commands.learn":  # the only one that multiplies large matrices; the others' cores would wait in vain
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Imports make many objects and no garbage: Python would look for some fifty times while a small picture is enlarged.
    gc.set_threshold(*_THRESHOLDS)
    try:
        from importlib import import_module

        from upscale.loops.engine import CHOOSER
        from upscale.signals import ignore

        CHOOSER.background, CHOOSER.logs = True, False
        status: int = import_module(module).run(sys.argv[1:])
        ignore()  # all is done
    except KeyboardInterrupt:
        print(f"{name}: interrupted, nothing was written", file=sys.stderr)
        status = 130
    # To take everything down in order takes a tenth of a small picture's time, and LLVM may still be starting.
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except (OSError, ValueError):  # nobody reads it any more
            status = status or 1
    os._exit(status)


if __name__ == "__main__":
    main()

"""The commands' entry points, which hold also while the rest is still being imported."""

import gc
import os
import sys


def main() -> int:
    """Run `upscale`; the result is the exit status."""
    return _run("upscale.cli", "upscale")


def learn() -> int:
    """Run `upscale-learn`; the result is the exit status."""
    return _run("upscale.cli_learn", "upscale-learn")


def kernel() -> int:
    """Run `upscale-kernel`; the result is the exit status."""
    return _run("upscale.cli_kernel", "upscale-kernel")


def compare() -> int:
    """Run `upscale-compare`; the result is the exit status."""
    return _run("upscale.cli_compare", "upscale-compare")


def _run(module: str, name: str) -> int:
    # Threads that wait for work must leave the cores to those that have some.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        # Nothing that imports make is garbage: looking for some takes a twentieth of a small picture's time.
        gc.disable()
        from importlib import import_module

        from upscale.signals import ignore

        status: int = import_module(module).run(sys.argv[1:])
        ignore()  # all is done
    except KeyboardInterrupt:
        print(f"{name}: interrupted, nothing was written", file=sys.stderr)
        status = 130
    if "numba" in sys.modules:  # to take LLVM down in order takes a tenth of a second, and it may still be starting
        for stream in filter(None, (sys.stdout, sys.stderr)):
            try:
                stream.flush()
            except (OSError, ValueError):  # nobody reads it any more
                status = status or 1
        os._exit(status)
    return status


if __name__ == "__main__":
    sys.exit(main())

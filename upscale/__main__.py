"""The command's entry point, which holds also while the rest is still being imported."""

import gc
import sys


def main() -> int:
    """Run the command line; the result is the exit status."""
    try:
        # Nothing that imports make is garbage: looking for some takes a twentieth of a small picture's time.
        gc.disable()
        from upscale.cli import run

        return run(sys.argv[1:])
    except KeyboardInterrupt:
        print("upscale: interrupted, nothing was written", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

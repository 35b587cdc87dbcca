"""The process that `loops.background_compile` starts: it compiles the loops that it is given, marks them, and ends."""

import contextlib
import os
import sys

from upscale.errors import UpscaleError
from upscale.loops.background_compile import BackgroundCompile
from upscale.loops.ready_loops import ReadyLoops


def main() -> None:
    """Compile the loops that the command line names, after the niceness."""
    niceness, *loops = sys.argv[1:]
    with contextlib.suppress(OSError, AttributeError):  # Windows was told when it was started
        os.nice(int(niceness))
    background, failure = BackgroundCompile(ReadyLoops()), "the loops cannot be compiled"
    try:
        from upscale.operators.precompile import precompile

        precompile(frozenset(loops), background.go_on)
        failure = ""
    except UpscaleError as error:
        failure = str(error)
    except Exception as error:  # a fault of Numba's or of ours, which is not worth trying again at every command
        failure = f"the loops cannot be compiled ({type(error).__name__}: {error})"
    finally:
        background.end(failure)

"""Which loops run: Numba's, or NumPy's for work that is done before Numba would have started."""

import sys
import threading
from types import ModuleType
from typing import NamedTuple

from upscale import threads

# From `python benchmarks/engines.py`, whose latest results stand in docs/performance.md.
#: Seconds that a command takes longer where Numba is started, its machine code being in the cache.
NUMBA_SECONDS = 0.24
#: The same in a process in which Numba runs already: to wake the threads.
WARM_SECONDS = 0.0001
#: Seconds that NumPy takes longer than Numba's loops: for an output byte of nn, an output sample of tconv (of which 2e-9 is to
#: filter it for PNG) and each of its taps.
NN_BYTE = 4e-10
TCONV_SAMPLE = 3.6e-9
TCONV_TAP = 8e-10
#: From so many input pixels on tconv always runs on Numba: the larger the picture, the less its start is noticed.
TCONV_PIXELS = 2_000_000


class Work(NamedTuple):
    """How much there is to compute.

    Attributes
    ----------
    method : str
        "nn" or "tconv".
    pixels : int
        Of the input.
    size : int
        Output bytes for nn, output samples for tconv.
    taps : float
        Multiplications for an output sample, for tconv.
    """

    method: str
    pixels: int
    size: int
    taps: float = 0

    def numpy_seconds(self) -> float:
        """Estimate how much longer NumPy takes than Numba's loops."""
        return self.size * (NN_BYTE if self.method == "nn" else TCONV_SAMPLE + self.taps * TCONV_TAP)


class Engine(NamedTuple):
    """A choice and its reason.

    Attributes
    ----------
    name : str
        "numba" or "numpy".
    why : str
    """

    name: str
    why: str

    def loops(self) -> ModuleType:
        """Import the loops."""
        if self.name == "numba":
            if _starting is not None:
                _starting.join()
            from upscale.loops import compiled

            limit_threads(compiled)
            return compiled
        from upscale.loops import numpy_loops

        return numpy_loops


def limit_threads(loops: ModuleType) -> None:
    """Let compiled loops run on as many threads as are allowed now."""
    if threads.limit() and loops.__name__ == "upscale.loops.compiled":  # or else it is Numba's own, or its user's, business
        from numba import config, set_num_threads

        set_num_threads(min(threads.limit(), config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]


_starting: threading.Thread | None = None
_spent = 0.0
_more = 0


def expect(more: int) -> None:
    """Say how many pictures are to come after this one, about as large."""
    global _more
    _more = more


def begin() -> None:
    """Start Numba in a thread, so that it comes up while pictures are decoded."""
    global _starting
    if _starting is None and "upscale.loops.compiled" not in sys.modules:
        _starting = threading.Thread(target=_start, name="numba", daemon=True)
        _starting.start()


def _start() -> None:
    from upscale.loops import compiled

    compiled.prepare()  # type: ignore[no-untyped-call]


def choose(wanted: str, work: Work) -> Engine:
    """Choose the engine: the one rule there is.

    Parameters
    ----------
    wanted : str
        One of `choices.ENGINES`.
    work : Work

    Returns
    -------
    Engine
    """
    if wanted != "auto":
        return Engine(wanted, "asked for")
    # Of many pictures, all count: those to come, and those that NumPy has done, for whoever has done many will go on.
    numpy = work.numpy_seconds() * (1 + _more) + _spent
    starting = _starting is not None and _starting.is_alive()
    start = WARM_SECONDS if "upscale.loops.compiled" in sys.modules and not starting else NUMBA_SECONDS
    if numpy <= start and work.method == "tconv" and work.pixels >= TCONV_PIXELS:
        return Engine("numba", f"tconv of at least {TCONV_PIXELS / 1e6:g} megapixels")
    verb = "would take" if numpy > start else "takes"
    return Engine("numba" if numpy > start else "numpy", f"NumPy {verb} {numpy:.2g} s longer, Numba {start:.2g} s to start")


def take(wanted: str, work: Work) -> Engine:
    """Choose the engine for work that is about to be done, and remember what NumPy has done."""
    global _spent
    engine = choose(wanted, work)
    if engine.name == "numpy":
        _spent += work.numpy_seconds()
    return engine

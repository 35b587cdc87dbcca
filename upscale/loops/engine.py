"""The choice between the compiled loops and NumPy's: NumPy's for work that is done before Numba would have started."""

import threading
from types import ModuleType
from typing import NamedTuple

from upscale import threads
from upscale.errors import ArgumentError

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
        The reason, for the verbose report.
    """

    name: str
    why: str


class EngineChooser:
    """Choose the engine for each piece of work, load its loops, and remember what the choice depends on.

    In a process that does much, what NumPy has taken so far counts towards starting Numba: whoever has done many pictures will
    go on. One object serves the whole process: `CHOOSER`.

    Attributes
    ----------
    missing : str
        Why Numba cannot be imported; empty where it can, or was not tried yet.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything, as in a new process; for tests."""
        self.missing = ""
        self._running = False
        self._starting: threading.Thread | None = None
        self._numpy_seconds = 0.0
        self._expected = 0

    def expect(self, pictures: int) -> None:
        """Take into account that so many pictures will follow the next one, about as large."""
        self._expected = pictures

    def choose(self, wanted: str, work: Work) -> Engine:
        """Choose the engine: the one rule there is.

        Parameters
        ----------
        wanted : str
            One of `choices.ENGINES`.
        work : Work
        """
        if wanted != "auto":
            return Engine(wanted, "asked for")
        if self.missing:
            return Engine("numpy", "Numba cannot be imported")
        numpy = work.numpy_seconds() * (1 + self._expected) + self._numpy_seconds
        start = WARM_SECONDS if self._running else NUMBA_SECONDS
        if numpy <= start and work.method == "tconv" and work.pixels >= TCONV_PIXELS:
            return Engine("numba", f"tconv of at least {TCONV_PIXELS / 1e6:g} megapixels")
        verb = "would take" if numpy > start else "takes"
        name = "numba" if numpy > start else "numpy"
        return Engine(name, f"NumPy {verb} {numpy:.2g} s longer, Numba {start:.2g} s to start")

    def load(self, wanted: str, work: Work) -> tuple[Engine, ModuleType]:
        """Choose the engine for work that is about to be done, and import its loops.

        Returns
        -------
        (Engine, module)
            The module has the functions of `numpy_loops`.

        Raises
        ------
        ArgumentError
            Where Numba is wanted and cannot be imported.
        """
        engine = self.choose(wanted, work)
        if engine.name == "numba" and not self.has_numba():
            if wanted != "auto":
                raise ArgumentError(f"engine numba: Numba cannot be imported ({self.missing}); engine auto does without")
            engine = self.choose(wanted, work)
        if engine.name == "numba":
            from upscale.loops import compiled

            compiled.use_threads(threads.limit())  # type: ignore[no-untyped-call]
            return engine, compiled
        from upscale.loops import numpy_loops

        self._numpy_seconds += work.numpy_seconds()
        return engine, numpy_loops

    def start_early(self) -> None:
        """Start Numba in a thread, so that it comes up while pictures are decoded."""
        if self._starting is None and not self._running and not self.missing:
            self._starting = threading.Thread(target=self._start, name="numba", daemon=True)
            self._starting.start()

    def has_numba(self) -> bool:
        """Return whether Numba can be used, after starting it."""
        if self._starting is not None:
            self._starting.join()
        if not self._running and not self.missing:
            self._start()
        return self._running

    def _start(self) -> None:
        try:
            import numba  # noqa: F401
        except Exception as error:  # a NumPy that is too new for it, or another library that is broken
            self.missing = " ".join(str(error).split()) or type(error).__name__
            return
        from upscale.loops import compiled

        compiled.prepare()  # type: ignore[no-untyped-call]
        self._running = True


#: The chooser of this process.
CHOOSER = EngineChooser()

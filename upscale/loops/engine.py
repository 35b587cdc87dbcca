"""The choice between the compiled loops and NumPy's: NumPy's for work that is done before Numba would be ready for it."""

import os
import sys
import threading
from types import ModuleType
from typing import NamedTuple

from upscale import threads
from upscale.errors import ArgumentError
from upscale.loops.background_compile import BackgroundCompile
from upscale.loops.ready_loops import ReadyLoops

# From `python benchmarks/engines.py`, whose latest results stand in docs/performance.md.
#: Seconds that a command takes longer where Numba is started, its machine code being in the cache.
NUMBA_SECONDS = 0.4
#: The same in a process in which Numba runs already: to wake the threads.
WARM_SECONDS = 0.0001
#: Seconds that NumPy takes longer than Numba's loops: for an output byte of nn, an output sample of tconv and each of its taps,
#: and for a byte that is filtered and deflated for PNG. The last is a third of what the benchmark prints for one thread, as the
#: mean of nn and tconv: threads do it, while the next rows are computed.
NN_BYTE = 4e-10
TCONV_SAMPLE = 1.6e-9
TCONV_TAP = 8e-10
PNG_BYTE = 3e-9
#: From so many input pixels on tconv always runs on Numba: the larger the picture, the less its start is noticed.
TCONV_PIXELS = 2_000_000
#: Seconds that each loop takes to be compiled, for one type of samples.
COMPILE_SECONDS = {"separable": 13, "dense": 11, "png": 20, "nearest": 5, "correct": 6, "add_layers": 10, "pass_chain": 10}
#: The same for all others.
_SMALL_LOOP_SECONDS = 1
_PNG = frozenset({"png"})

#: Why a forked process does without Numba: GNU OpenMP would end it at its first parallel loop, and what another thread had
#: locked would stay locked.
_FORKED = "Numba ran before this process was forked, and its threads do not survive a fork (use spawn or forkserver)"


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
    png : int
        Bytes that become a PNG file.
    loops : frozenset of str
        The loops that are needed, with the types that they are compiled for, as in `ready_loops`.
    """

    method: str
    pixels: int
    size: int
    taps: float = 0
    png: int = 0
    loops: frozenset[str] = frozenset()

    def for_png(self, size: int) -> "Work":
        """Return the same work for a result whose bytes become a PNG file."""
        return self._replace(png=size, loops=self.loops | _PNG)

    def part(self, share: float) -> "Work":
        """Return a part of the work, a share of 0 to 1."""
        return self._replace(size=round(self.size * share), png=round(self.png * share))

    def numpy_seconds(self) -> float:
        """Estimate how much longer NumPy takes than Numba's loops."""
        computing = self.size * (NN_BYTE if self.method == "nn" else TCONV_SAMPLE + self.taps * TCONV_TAP)
        return computing + self.png * PNG_BYTE


class Engine(NamedTuple):
    """A choice and its reason.

    Attributes
    ----------
    name : str
        "numba" or "numpy".
    why : str
        The reason, for the verbose report.
    lost : float
        Seconds that NumPy takes longer for this work only because loops are not compiled yet.
    """

    name: str
    why: str
    lost: float = 0.0


class EngineChooser:
    """Choose the engine for each piece of work, load its loops, and remember what the choice depends on.

    In a process that does much, what NumPy has taken so far counts towards starting Numba: whoever has done many pictures will
    go on. One object serves the whole process and all of its threads: `CHOOSER`.

    Attributes
    ----------
    unusable : str
        Why Numba cannot be used; empty if it can, or was not tried yet.
    background : bool
        Whether NumPy does the work until a background process has compiled the loops, as in commands. In a user's own
        process, loops are compiled at their first call.
    logs : bool
        Whether long compiling is reported by `logging`, for users of the library, to whom nothing else is shown.
    """

    def __init__(self, ready: ReadyLoops | None = None, compiler: BackgroundCompile | None = None) -> None:
        self._guards_forks = False
        self._given = ready, compiler
        self.reset()

    def reset(self) -> None:
        """Forget everything, as in a new process; for tests."""
        self.unusable = ""
        self._loops: ModuleType | None = None
        self._lock = threading.RLock()
        self._starts_early = False
        self._numpy_seconds = 0.0
        self._expected = 0
        self._ready = self._given[0] or ReadyLoops()
        self._compiler = self._given[1] or BackgroundCompile(self._ready)
        self._compiled: frozenset[str] = frozenset()  # in this process, or about to be
        self.background, self.logs = False, True

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
        if self.unusable:
            return Engine("numpy", self.unusable)
        chosen = self._faster(work)
        if chosen.name == "numpy" or not (missing := self._missing(work)):
            return chosen
        if not self._compiler.is_possible():
            return self._faster(work, missing)
        if missing == _PNG and (enlarging := self._faster(work._replace(png=0))).name == "numba":
            return enlarging
        running = self._compiler.is_running()
        state = "they are being compiled in the background" if running else "NumPy has cost little time so far"
        return Engine("numpy", f"the loops are not compiled yet; {state}", work.numpy_seconds())

    def _faster(self, work: Work, missing: frozenset[str] = frozenset()) -> Engine:
        """Choose the engine that ends first, if some loops have to be compiled."""
        numpy = work.numpy_seconds() * (1 + self._expected) + self._numpy_seconds
        start = NUMBA_SECONDS if self._loops is None else WARM_SECONDS
        start += sum(COMPILE_SECONDS.get(name.split()[0], _SMALL_LOOP_SECONDS) for name in missing)
        if numpy <= start and not missing and work.method == "tconv" and work.pixels >= TCONV_PIXELS:
            return Engine("numba", f"tconv of at least {TCONV_PIXELS / 1e6:g} megapixels")
        verb = "would take" if numpy > start else "takes"
        name, begin = "numba" if numpy > start else "numpy", "start and to compile loops" if missing else "start"
        return Engine(name, f"NumPy {verb} {numpy:.2g} s longer, Numba takes {start:.2g} s to {begin}")

    def _missing(self, work: Work) -> frozenset[str]:
        """Return the loops that would have to be compiled first, where that counts."""
        return self._ready.missing(work.loops - self._compiled) if self.background else frozenset()

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
                raise ArgumentError(f"engine numba: {self.unusable}; use engine auto")
            engine = self.choose(wanted, work)
        if engine.name == "numba":
            if missing := self._missing(work):
                if wanted == "numba" or not self._compiler.is_possible():
                    self._compiled |= missing
                else:  # only those for PNG
                    self._count_lost(work._replace(size=0), missing)
            assert self._loops is not None
            self._loops.use_threads(threads.limit())
            return engine, self._loops
        if engine.lost and (missing := self._missing(work)):
            self._count_lost(work, missing)
            engine = self.choose(wanted, work)
        from upscale.loops import numpy_loops

        self._numpy_seconds += work.numpy_seconds()
        return engine, numpy_loops

    def _count_lost(self, work: Work, missing: frozenset[str]) -> None:
        """Count what NumPy takes longer only because loops are not compiled, which starts a background process in the end."""
        self.unusable = self._compiler.failure()
        if not self.unusable:
            # All that NumPy has lost in this process, and will lose, counts at once; of a command that ends, this work.
            seconds = work.numpy_seconds()
            self._compiler.add_lost(seconds, seconds * (1 + self._expected) + self._numpy_seconds, missing)

    def look_again(self, wanted: str, work: Work) -> tuple[Engine, ModuleType] | None:
        """Return Numba and its loops if they can now take over the rest of work that NumPy has begun, otherwise None."""
        if wanted != "auto" or not self.background or self.unusable:
            return None
        start = NUMBA_SECONDS if self._loops is None else WARM_SECONDS
        if work.numpy_seconds() * (1 + self._expected) <= start or self._missing(work) or not self.has_numba():
            return None
        assert self._loops is not None
        self._loops.use_threads(threads.limit())
        return Engine("numba", "its loops have been compiled in the background after NumPy had begun"), self._loops

    def png_loops(self, wanted: str, loops: ModuleType) -> ModuleType:
        """Return the loops that write PNG, of a picture that is enlarged by `loops`: NumPy's until others are compiled."""
        if wanted == "auto" and self._missing(Work("", 0, 0, loops=_PNG)):
            from upscale.loops import numpy_loops

            return numpy_loops
        return loops

    def can_start(self, families: tuple[str, ...]) -> bool:
        """Return whether Numba is of use at once, for work of which only the families of loops are known."""
        return not self.background or self._ready.has_any(families)

    def start_early(self) -> None:
        """Start Numba in a thread, so that it comes up while pictures are decoded."""
        if not self._starts_early and self._loops is None and not self.unusable:
            self._starts_early = True
            self._guard_forks()
            threading.Thread(target=self.has_numba, name="numba", daemon=True).start()

    def has_numba(self) -> bool:
        """Return whether Numba can be used, after starting it."""
        self._guard_forks()
        with self._lock:
            if self._loops is None and not self.unusable:
                self._start()
            return self._loops is not None

    def _start(self) -> None:
        try:
            import numba  # noqa: F401
        except Exception as error:  # a NumPy that is too new for it, or another library that is broken
            self.unusable = f"Numba cannot be imported ({_reason(error)})"
            return
        from upscale.loops import compiled

        if self.logs:
            from upscale.loops.compile_notice import log_compiling

            log_compiling(compiled.CACHED)
        compiled.prepare()  # type: ignore[no-untyped-call]
        try:
            safe = compiled.has_safe_threads()  # type: ignore[no-untyped-call]
        except ValueError as error:  # its environment variables name a threading layer that is not installed
            self.unusable = f"Numba cannot start its threads ({_reason(error)})"
            return
        if safe:
            self._loops = compiled
            return
        from upscale.loops import locked_loops

        self._loops = locked_loops

    def _guard_forks(self) -> None:
        """Have forks wait while Numba starts: what another thread has begun, the child could not finish."""
        if self._guards_forks or not hasattr(os, "register_at_fork"):
            return
        self._guards_forks = True
        # Numba imports it, and it has functions called at forks too: they must be called after these, which may wait for Numba.
        import logging  # noqa: F401

        os.register_at_fork(before=lambda: self._lock.acquire(), after_in_parent=lambda: self._lock.release())

    def after_fork_in_child(self) -> None:
        """Use NumPy from now on if Numba has run with threads that stayed in the parent."""
        self._lock = threading.RLock()
        self._starts_early = False
        if not _numba_survives_fork():
            self._loops, self.unusable = None, _FORKED


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _numba_survives_fork() -> bool:
    """Return whether a process that was just forked can use Numba: no library had started its threads, or they start anew."""
    numba = sys.modules.get("numba")
    try:
        return numba is None or numba.threading_layer() == "workqueue"
    except ValueError:  # no threads were started
        return True
    except AttributeError:  # another thread was importing Numba
        return False


#: The chooser of this process.
CHOOSER = EngineChooser()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=CHOOSER.after_fork_in_child)

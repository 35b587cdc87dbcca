"""What is recorded while one file is enlarged: notes for the user, seconds by stage, and the engine."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from types import ModuleType
from typing import TYPE_CHECKING

from upscale.batch.options import Options
from upscale.batch.task import FileResult, Task
from upscale.loops.engine import Engine
from upscale.output_files import DASH

if TYPE_CHECKING:
    from upscale.operators.methods import Request
    from upscale.operators.parameters import Operator

#: Seconds that loops which are not compiled must cost before the terminal shows a line about them.
_NOTICEABLE = 1.0


class RunLog:
    """A record of one run.

    Parameters
    ----------
    show : callable, optional
        Called with a line that the user is to see at once.

    Attributes
    ----------
    engine, engine_reason : str
        The engine and why it was chosen; "none" where nothing was computed.
    started : str
        When the run began, as ISO 8601 has it.
    notices : ExitStack
        To be held open while loops run, which may have to be compiled.
    """

    def __init__(self, show: Callable[[str], None] | None = None) -> None:
        self._show = show
        self._seconds: dict[str, float] = {}
        self._notes: dict[str, None] = {}
        self.engine, self.engine_reason = "none", ""
        self.started = datetime.now(UTC).isoformat(timespec="milliseconds")
        self.notices = ExitStack()

    @property
    def watched(self) -> bool:
        """Whether a user looks on."""
        return self._show is not None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know if the run succeeds, each line once."""
        return tuple(self._notes)

    def note(self, text: str) -> None:
        """Keep a line for the user."""
        self._notes[" ".join(text.split())] = None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the seconds that a block takes to a stage."""
        began = time.perf_counter()
        yield
        self._seconds[name] = self._seconds.get(name, 0.0) + time.perf_counter() - began

    @property
    def stages(self) -> str:
        """The seconds of all stages, on one line."""
        return ", ".join(f"{name} {seconds:.3f}" for name, seconds in self._seconds.items())

    def use_engine(self, engine: Engine, loops: ModuleType) -> None:
        """Record the engine, and have a long first compilation shown."""
        self.engine, self.engine_reason = engine.name, engine.why
        if engine.name != "numba":
            if self._show is not None and engine.lost >= _NOTICEABLE:
                self._show(f"{engine.why}; until then NumPy does the work, more slowly")
            return
        if not loops.CACHED:
            self.note("no cache folder is writable, so code is compiled in every run; set NUMBA_CACHE_DIR to a writable folder")
        if self._show is not None:
            from upscale.loops.compile_notice import compile_notice

            kept = "once; later runs load them from the cache" if loops.CACHED else "in every run (no cache folder is writable)"
            show, text = self._show, f"compiling the loops for this processor, {kept}"
            self.notices.enter_context(compile_notice(lambda: show(text)))


def verbose_report(task: Task, options: Options, request: "Request", result: FileResult, log: RunLog) -> Iterator[str]:
    """Describe a run that succeeded, line by line."""
    vertical, horizontal = request.total_factor
    method, notes = f"{options.method}, factor {horizontal}x{vertical}", list[str]()
    if request.earlier:
        method += f" ({' x '.join(str(one.factor[1]) for one in (*request.earlier, request))})"
    if request.reduced is not None:
        method += f", reduced to {request.reduced[1]}x{request.reduced[0]}"
    if request.operator is not None:
        kernel = request.operator.kernel
        assert options.kernel is not None
        normalized = ", normalised" if kernel.normalized else ""
        named = f"{options.kernel.label} ({kernel.shape[1]}x{kernel.shape[0]}{normalized})"
        method += f", kernel {named}, padding {request.operator.padding}"
        notes = _padding_note(request.operator)
    output = "standard output" if task.output == DASH else task.output
    (width, height), (out_width, out_height) = result.size, result.out_size
    frames = f", {result.frames} frames" if result.frames > 1 else ""
    for line in (
        f"input: {task.name}: {width}x{height}{result.stored_as}",
        f"output: {output}: {out_width}x{out_height}, {result.format}{frames}",
        f"method: {method}",
        f"engine: {result.engine_and_reason}",
        *notes,
        f"seconds: {log.stages}, total {result.seconds:.3f}",
    ):
        yield " ".join(line.split())


def _padding_note(operator: "Operator") -> list[str]:
    """Note where `same` padding differs from what PyTorch's users are used to."""
    crops = [max(operator.total_crop(axis), 0) for axis in (0, 1)]
    if operator.padding != "same" or not any(total % 2 for total in crops):
        return []
    mirrored = ",".join(f"{total - operator.crop_begin(i)},{operator.crop_begin(i)}" for i, total in enumerate(crops))
    return [
        "padding: same crops one pixel less at the top and left than at the bottom and right, as TensorFlow's SAME does; "
        f"to match a PyTorch layer with symmetric padding, use --padding {mirrored}"
    ]

"""Run a plan on this machine: worker processes, each with one picture at a time, in the memory that there is.

Processes and not threads, so that a decoder that crashes costs one file, that nothing waits for Python's lock, and that every
picture has decoders, warnings and loops of its own.
"""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from queue import Empty, SimpleQueue
from typing import Any

from upscale import memory
from upscale.errors import FileError
from upscale.files import new_token, part_of, remove_leftovers, why
from upscale.job import Result, Task
from upscale.options import Options
from upscale.plan import Plan
from upscale.report import Report
from upscale.worker import Need, Order, Settings, Tell

#: Share of the free memory that pictures may take together.
_SHARE = 0.7
#: Bytes that a worker takes besides its picture, with Numba.
_WORKER = 150_000_000
#: Seconds between two looks at the clock where nothing happens.
_TICK = 0.25


class _Worker:
    """A process and what it is doing."""

    def __init__(self, settings: Settings, inbox: "SimpleQueue[tuple[_Worker, Any]]") -> None:
        # The path that modules come from is this process' own, and not the current folder, which is full of strangers.
        code = f"import sys; sys.path[:] = {sys.path!r}; from upscale.worker import main; main()"
        environment = {"OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"} | dict(os.environ)
        with _unheard_by_children():
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
            )
        self.order: Order | None = None
        self.need = 0  # bytes that it asks for, or has been given
        self.waits = False
        self._inbox = inbox
        self.send(settings)
        threading.Thread(target=self._listen, daemon=True).start()

    def send(self, message: Any) -> None:
        """Send a message; that the process is dead is heard by its own pipe."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            pickle.dump(message, self.process.stdin, pickle.HIGHEST_PROTOCOL)
            self.process.stdin.flush()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        message: Any = True
        while message is not None:
            try:
                message = pickle.load(self.process.stdout)
            except Exception:  # it has ended, perhaps within a message
                message = None
            self._inbox.put((self, message))

    def clean(self) -> None:
        """Remove what a dead process was writing."""
        if self.order is not None:
            with contextlib.suppress(OSError):
                os.unlink(part_of(self.order.task.output, self.order.token))


@contextlib.contextmanager
def _unheard_by_children() -> Iterator[None]:
    """Keep the terminal's interrupt from processes that are started in the block: who has started them ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Folders:
    """Output folders, made and cleaned of what dead processes left when they are first needed."""

    def __init__(self) -> None:
        self._ready: set[str] = set()

    def prepare(self, path: str) -> None:
        """Make the folder of a path.

        Raises
        ------
        FileError
            Where that is refused.
        """
        folder = os.path.dirname(path)
        if folder in self._ready:
            return
        try:
            os.makedirs(folder or ".", exist_ok=True)
        except OSError as error:
            raise FileError(f"{folder}: the folder cannot be made: {why(error)}") from error
        remove_leftovers(folder or ".")
        self._ready.add(folder)


class Batch:
    """Run the tasks of a plan.

    Parameters
    ----------
    plan : Plan
    options : Options
    threads : int
        How many threads may work at once, and at most as many processes.
    fail_fast : bool
        Begin nothing more once something has failed.
    report : Report
        Told each result as it comes.
    """

    def __init__(self, plan: Plan, options: Options, threads: int, *, fail_fast: bool, report: Report) -> None:
        self._options, self._threads, self._fail_fast, self._report = options, threads, fail_fast, report
        # The largest file first, so that at the end no core waits long for another.
        order = sorted(range(len(plan.tasks)), key=lambda i: -plan.sizes[i])
        self._pending: Iterator[Task] = iter([plan.tasks[i] for i in order])
        self._left = len(plan.tasks)  # of the pending ones
        self._settings = Settings(options, report.tells)
        self._inbox: SimpleQueue[tuple[_Worker, Any]] = SimpleQueue()
        self._folders = Folders()
        # Started before all else, since they take a while.
        self._workers = [self._new_worker() for _ in range(min(threads, len(plan.tasks)))]
        free = memory.available()
        self._budget = options.max_memory or (
            1 << 62 if free is None else int(_SHARE * max(0, free - _WORKER * len(self._workers)))
        )

    def __enter__(self) -> "Batch":
        return self

    def __exit__(self, *error: object) -> None:
        """End all processes; of those that were interrupted, what is unfinished is removed, and what is finished counted."""
        busy = [w for w in self._workers if w.order]
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.wait()
        while busy:
            worker, message = self._inbox.get(timeout=10)
            if isinstance(message, Result) and worker in busy:
                self._done(worker, message)
                busy.remove(worker)
            elif message is None and worker in busy:
                worker.clean()
                busy.remove(worker)

    def run(self) -> None:
        """Do all that is to be done; within a `with` block, which ends the processes."""
        for worker in list(self._workers):
            self._give(worker)
        while any(w.order for w in self._workers):
            try:
                worker, message = self._inbox.get(timeout=_TICK)
            except Empty:
                self._report.tick()
                continue
            self._heard(worker, message)
            self._admit()

    def _new_worker(self) -> _Worker:
        return _Worker(self._settings, self._inbox)

    def _heard(self, worker: _Worker, message: Any) -> None:
        if isinstance(message, Need):
            worker.need, worker.waits = message.memory, True
        elif isinstance(message, Tell):
            self._report.tell(message.text)
        elif isinstance(message, Result):
            self._done(worker, message)
            self._give(worker)
        elif worker.order is not None:  # it is dead
            code = worker.process.wait()
            worker.clean()
            how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
            source = worker.order.task.source
            text = f"{source}: the process that enlarged it ended ({how}): damaged, or there was not enough memory"
            self._done(worker, Result("failed", text))
            self._workers.remove(worker)
            if self._left:
                self._workers.append(self._new_worker())
                self._give(self._workers[-1])

    def _done(self, worker: _Worker, result: Result) -> None:
        assert worker.order is not None
        task, worker.order, worker.need, worker.waits = worker.order.task, None, 0, False
        self._report.result(task, result)
        if result.status == "failed" and self._fail_fast:
            self._pending, self._left = iter(()), 0

    def _give(self, worker: _Worker) -> None:
        """Order the next task that can be begun."""
        for task in self._pending:
            self._left -= 1
            try:
                if not self._options.dry_run:
                    self._folders.prepare(task.output)
            except FileError as error:
                self._report.result(task, Result("failed", str(error)))
                continue
            busy = 1 + sum(w.order is not None for w in self._workers)
            share = self._threads // min(len(self._workers), busy + self._left)
            worker.order = Order(task, new_token(), max(1, share))
            worker.send(worker.order)
            return

    def _admit(self) -> None:
        """Let those begin for whose pictures there is room; the smaller ones may pass the larger, and a single one always."""
        taken = sum(w.need for w in self._workers if not w.waits)
        for worker in self._workers:
            if worker.waits and (not taken or taken + worker.need <= self._budget):
                worker.waits = False
                taken += worker.need
                working = sum(w.order is not None and not w.waits for w in self._workers)
                worker.send(max(1, self._threads // working))

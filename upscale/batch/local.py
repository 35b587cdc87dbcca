"""Run a plan on this machine: worker processes, each with one picture at a time, in the memory that is available.

Processes and not threads, so that a decoder that crashes costs one file, that nothing waits for Python's lock, and that every
picture has decoders, warnings and loops of its own.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from upscale.batch.memory_budget import MemoryBudget
from upscale.batch.messages import Granted, MemoryNeeded, Notice, Order, Settings
from upscale.batch.options import Options
from upscale.batch.plan import Plan
from upscale.batch.task import FileResult, Task
from upscale.batch.worker_process import WorkerProcess
from upscale.errors import FileError
from upscale.loops.engine import CHOOSER
from upscale.output_files import OutputFolders, new_token, os_error_text
from upscale.signals import Interrupted, recorded

#: Seconds between two looks at the clock where nothing happens.
_TICK = 0.25


class Receiver(Protocol):
    """Who receives the results of a batch: a `Report`, or a program."""

    notices: bool

    def result(self, task: Task, result: FileResult) -> None:
        """Receive what came of a task."""

    def notice(self, text: str) -> None:
        """Receive a line for the user."""

    def tick(self) -> None:
        """Learn that some time has passed."""


class Batch:
    """Run the tasks of a plan, or tasks that come one by one.

    Parameters
    ----------
    plan : Plan
    options : Options
    threads : int
        How many threads may work at once, and at most as many processes.
    fail_fast : bool
        Start no more files after the first failure.
    report : Receiver
        Receives each result as it comes.
    records_signals : bool
        Whether signals that ask to end are caught; a library leaves them to the program.
    """

    def __init__(
        self, plan: Plan, options: Options, threads: int, *, fail_fast: bool, report: Receiver, records_signals: bool = True
    ) -> None:
        self._options, self._threads, self._fail_fast, self._report = options, threads, fail_fast, report
        self._records_signals = records_signals
        # The largest file first, so that at the end no core waits long for another.
        order = sorted(range(len(plan.tasks)), key=lambda i: -plan.sizes[i])
        self._pending = deque(plan.tasks[i] for i in order)
        self._settings = Settings(options, report.notices, CHOOSER.background)
        self._inbox: SimpleQueue[tuple[WorkerProcess | None, Any]] = SimpleQueue()
        self._folders = OutputFolders()
        self._signals = ExitStack()
        # Started before all else, since they take a while.
        self._workers: list[WorkerProcess] = []
        while len(self._workers) < min(threads, len(plan.tasks)) and self._add_worker():
            pass
        self._memory = MemoryBudget(options.max_memory, len(self._workers))
        self._asking: dict[WorkerProcess, int] = {}  # the bytes for which each one waits

    def __enter__(self) -> "Batch":
        # Signals only join the queue: whatever is being done when one comes is done to its end.
        if self._records_signals:
            self._signals.enter_context(recorded(lambda number: self._inbox.put((None, number))))
        return self

    def __exit__(self, *error: object) -> None:
        """End all processes; of those that were interrupted, what is unfinished is removed, and what is finished counted."""
        busy = [w for w in self._workers if w.order]
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.wait()
        while busy:
            ended, message = self._inbox.get()
            if ended in busy and isinstance(message, FileResult):
                self._done(ended, message)
                busy.remove(ended)
            elif ended in busy and message is None:
                if ended.has_finished():
                    self._done(ended, FileResult("written"))
                ended.clean()
                busy.remove(ended)
        for worker in self._workers:
            worker.close()
        self._signals.close()

    def run(self) -> None:
        """Do all that is to be done; within a `with` block, which ends the processes.

        Raises
        ------
        Interrupted
            Where a signal asks to end.
        """
        for _ in self.steps():
            pass

    def steps(self) -> Iterator[None]:
        """Do what `run` does, and yield whenever something was reported or some time has passed."""
        for worker in list(self._workers):
            self._assign(worker)
        while self.busy:
            self.step()
            yield

    def step(self, seconds: float = _TICK) -> None:
        """Wait for something to happen, at most for so long, and do what it asks for.

        Raises
        ------
        Interrupted
            Where a signal asks to end.
        """
        try:
            sender, message = self._inbox.get(timeout=seconds)
        except Empty:
            self._report.tick()
            return
        if sender is not None:
            self._handle(sender, message)
            self._admit()
        elif message is not None:
            raise Interrupted(message)

    def wake(self) -> None:
        """End what `step` waits for; any thread may call this."""
        self._inbox.put((None, None))

    @property
    def busy(self) -> int:
        """How many tasks are being done."""
        return sum(w.order is not None for w in self._workers)

    @property
    def free(self) -> int:
        """How many more tasks may be begun at once."""
        return self._threads - self.busy

    def begin(self, task: Task, following: int) -> None:
        """Begin a task that was in no plan, where one is `free`; so many more are likely to follow.

        Raises
        ------
        FileError
            Where no process can be started.
        """
        if not self.busy:  # what is free may have changed for hours
            self._memory = MemoryBudget(self._options.max_memory, max(1, len(self._workers)))
        idle = [w for w in self._workers if w.order is None]
        if not idle and self._add_worker():
            idle = self._workers[-1:]
        if idle:
            self._order(idle[0], task, following)
        else:  # until one is idle
            self._pending.append(task)

    def rest(self) -> None:
        """End all processes but one, which stays ready; to be called where none is busy."""
        for worker in self._workers[1:]:
            self._remove(worker)

    def _add_worker(self) -> bool:
        """Start a process, and return whether the system allowed it.

        Raises
        ------
        FileError
            Where it did not, and there is none.
        """
        try:
            self._workers.append(WorkerProcess(self._settings, self._inbox))
        except OSError as error:  # no more files, processes or memory for one; those that there are will do
            if not self._workers:
                raise FileError(f"no process can be started: {os_error_text(error)}") from error
            return False
        return True

    def _remove(self, worker: WorkerProcess) -> None:
        worker.process.kill()
        worker.process.wait()
        worker.close()
        self._workers.remove(worker)

    def _handle(self, worker: WorkerProcess, message: Any) -> None:
        if isinstance(message, MemoryNeeded):
            self._asking[worker] = message.memory
        elif isinstance(message, Notice):
            self._report.notice(message.text)
        elif isinstance(message, FileResult):
            self._done(worker, message)
            self._assign(worker)
        elif worker in self._workers:  # it is dead
            if worker.order is not None:
                self._done(worker, worker.death())
            self._remove(worker)
            if self._pending and self._add_worker():
                self._assign(self._workers[-1])

    def _done(self, worker: WorkerProcess, result: FileResult) -> None:
        assert worker.order is not None
        task, worker.order = worker.order.task, None
        self._asking.pop(worker, None)
        self._memory.release(worker)
        self._report.result(task, result)
        if result.status == "failed" and self._fail_fast:
            self._pending.clear()

    def _assign(self, worker: WorkerProcess) -> None:
        """Order the next task that can be begun."""
        while self._pending and not self._order(worker, self._pending.popleft(), len(self._pending)):
            pass

    def _order(self, worker: WorkerProcess, task: Task, following: int) -> bool:
        """Order a task, after which so many others are to be done; return whether it could be begun."""
        try:
            if not self._options.dry_run:
                self._folders.prepare(task.output)
        except FileError as error:
            self._report.result(task, FileResult("failed", str(error)))
            return False
        share = self._threads // min(len(self._workers), 1 + self.busy + following)
        worker.begin(Order(task, new_token(), max(1, share), following // len(self._workers)))
        return True

    def _admit(self) -> None:
        """Grant the memory that workers wait for, as far as it is available; smaller pictures may overtake larger ones.

        Then share out the threads anew.
        """
        for worker in list(self._asking):
            if self._memory.reserve(worker, self._asking[worker]):
                del self._asking[worker]
                worker.send(Granted(worker.share))
        # Who works shares all threads; who waits has none.
        working = [w for w in self._workers if w.order is not None and w not in self._asking]
        for worker in working:
            worker.share_threads(max(1, self._threads // len(working)))

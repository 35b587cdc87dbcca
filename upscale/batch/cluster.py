"""Run a plan on a Dask cluster whose machines share the file system.

Dask hands pieces of the plan to its workers' threads; each of those gives orders to a `worker` process of its own, with one
thread. So a worker of N threads does N pictures at a time, whatever loops and decoders do with threads, and nothing is
forked.
"""

import logging
import os
import threading
from collections.abc import Iterator
from queue import Empty, SimpleQueue
from typing import Any

from upscale import __version__
from upscale.batch.memory_budget import MemoryBudget
from upscale.batch.messages import Granted, MemoryNeeded, Order, Settings
from upscale.batch.options import Options
from upscale.batch.plan import Plan
from upscale.batch.report import Report
from upscale.batch.task import FileResult, Task
from upscale.batch.worker_process import WorkerProcess
from upscale.errors import ArgumentError, FileError
from upscale.output_files import OutputFolders, new_token, remove_leftovers

#: How many files, and bytes of them, are handed out in one piece.
_FILES, _BYTES = 16, 1 << 22
#: Pieces for each thread of the cluster that the scheduler knows at a time: it holds them in memory.
_AHEAD = 4
#: Seconds between two looks whether a task is still wanted.
_TICK = 0.25
#: Seconds to wait for the scheduler.
_CONNECT = 10

Piece = list[Task]


def run(plan: Plan, options: Options, address: str, *, fail_fast: bool, report: Report) -> None:
    """Run the tasks of a plan.

    Parameters
    ----------
    plan : Plan
    options : Options
    address : str
        The scheduler's.
    fail_fast : bool
        Hand out nothing more once something has failed.
    report : Report
        Receives each result as it comes.

    Raises
    ------
    ArgumentError
        Where Dask is not installed.
    FileError
        Where the cluster cannot be reached, or has another version of this package.
    """
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise ArgumentError("--scheduler needs Dask: pip install distributed") from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong is reported by results
    try:
        client = Client(address, timeout=_CONNECT, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise FileError(
            f"--scheduler {address}: no scheduler answers; start one with dask scheduler, or check the address "
            f"({' '.join(str(error).split())})"
        ) from None
    with client:
        _check_versions(client, address)
        settings = Settings(_with_whole_paths(options), notices=False, background=True)
        pieces = _pieces(plan)
        ahead = _AHEAD * max(1, sum(client.nthreads().values()))
        given: dict[str, Piece] = {}

        def submit() -> Any:
            piece = next(pieces, None)
            if piece is None:
                return None
            future = client.submit(_do, settings, [_with_whole_path(t) for t in piece], pure=False)
            given[future.key] = piece
            return future

        begun = [f for _ in range(ahead) if (f := submit()) is not None]
        under_way = as_completed(begun, loop=client.loop)
        try:
            for future in under_way:
                _report(given.pop(future.key), future, report)
                if fail_fast and report.failed:
                    pieces = iter(())
                if (another := submit()) is not None:
                    under_way.add(another)
        finally:
            if given:
                client.cancel(list(under_way.futures), force=True)
            _clean(client, plan)


def _report(piece: Piece, future: Any, report: Report) -> None:
    error = future.exception() if future.status == "error" else None
    if error is None and future.status == "finished":
        results = future.result()
    else:
        reason = f"{type(error).__name__}: {error}" if error is not None else future.status
        lost = type(error).__name__ == "KilledWorker"
        reason = "three workers were lost while enlarging it; it may need more memory than they have" if lost else reason
        results = [FileResult("failed", f"{task.source}: {' '.join(reason.split())}") for task in piece]
    for task, result in zip(piece, results, strict=True):
        report.result(task, result)


def _pieces(plan: Plan) -> Iterator[Piece]:
    """Cut a plan into pieces, the largest files first and alone."""
    piece, size = Piece(), 0
    for i in sorted(range(len(plan.tasks)), key=lambda i: -plan.sizes[i]):
        if piece and (len(piece) == _FILES or size + plan.sizes[i] > _BYTES):
            yield piece
            piece, size = [], 0
        piece.append(plan.tasks[i])
        size += plan.sizes[i]
    if piece:
        yield piece


def _with_whole_path(task: Task) -> Task:
    return task._replace(source=os.path.abspath(task.source), output=os.path.abspath(task.output))


def _with_whole_paths(options: Options) -> Options:
    kernel, bias = options.kernel, options.bias
    if kernel is not None and kernel.path:
        kernel = kernel._replace(path=os.path.abspath(kernel.path))
    if bias is not None and isinstance(bias[0], str):
        bias = (os.path.abspath(bias[0]), *bias[1:])
    return options._replace(kernel=kernel, bias=bias)


def _check_versions(client: Any, address: str) -> None:
    try:
        found = client.run(_version)
    except Exception as error:  # the workers' own, such as that they lack this package
        raise FileError(f"--scheduler {address}: its workers need upscale {__version__}: {error}") from None
    for worker, version in found.items():
        if version != __version__:
            raise FileError(
                f"--scheduler {address}: its worker {worker} has upscale {version}, not {__version__}; install "
                "the same version on all machines"
            )


def _version() -> str:
    return __version__


def _clean(client: Any, plan: Plan) -> None:
    """Have each machine remove what its lost processes left unfinished."""
    folders = sorted({os.path.dirname(os.path.abspath(t.output)) for t in plan.tasks})
    client.run(_remove_leftovers, folders)
    _remove_leftovers(folders)


def _remove_leftovers(folders: list[str]) -> None:
    for folder in folders:
        remove_leftovers(folder)


# What follows runs on the cluster's machines, in the threads of a Dask worker.


class _WorkerPool:
    """The worker processes that a Dask worker's threads give orders to."""

    def __init__(self, threads: int) -> None:
        self._lock = threading.Lock()
        self._idle: list[tuple[Settings, WorkerProcess, SimpleQueue[Any]]] = []
        self._memory: MemoryBudget | None = None
        self._folders = OutputFolders()
        self._threads = threads

    def do(self, settings: Settings, task: Task) -> FileResult:
        """Have a task done, as long as it is wanted."""
        with self._lock:
            if self._memory is None:
                self._memory = MemoryBudget(settings.options.max_memory, self._threads)
            fitting = [i for i in self._idle if i[0] == settings]
            for others in (i for i in self._idle if i[0] != settings):
                others[1].process.kill()
            self._idle = fitting
            _, worker, inbox = self._idle.pop() if self._idle else self._new(settings)
            try:
                if not settings.options.dry_run:
                    self._folders.prepare(task.output)
            except FileError as error:
                self._idle.append((settings, worker, inbox))
                return FileResult("failed", str(error))
        worker.begin(Order(task, new_token(), 1))
        try:
            result = self._result(worker, inbox)
        finally:
            with self._lock:
                self._memory.release(worker)
        if worker.process.poll() is None:
            worker.order = None
            with self._lock:
                self._idle.append((settings, worker, inbox))
        return result

    def _new(self, settings: Settings) -> tuple[Settings, WorkerProcess, "SimpleQueue[Any]"]:
        inbox: SimpleQueue[Any] = SimpleQueue()
        return settings, WorkerProcess(settings, inbox), inbox

    def _result(self, worker: WorkerProcess, inbox: "SimpleQueue[Any]") -> FileResult:
        need = None
        while True:
            try:
                _, message = inbox.get(timeout=_TICK)
            except Empty:
                message = Ellipsis
            if isinstance(message, FileResult):
                return message
            if message is None:
                return worker.death()
            if isinstance(message, MemoryNeeded):
                need = message.memory
            if not _is_wanted():
                worker.process.kill()
                return worker.death()
            if need is not None and self._reserve(worker, need):
                worker.send(Granted(1))
                need = None

    def _reserve(self, worker: WorkerProcess, need: int) -> bool:
        with self._lock:
            assert self._memory is not None
            return self._memory.reserve(worker, need)


_pool: _WorkerPool | None = None
_pool_lock = threading.Lock()


def _do(settings: Settings, piece: Piece) -> list[FileResult]:
    """Do a piece of the plan."""
    from distributed import get_worker

    global _pool
    with _pool_lock:
        if _pool is None:
            _pool = _WorkerPool(get_worker().state.nthreads)
    results = []
    for task in piece:
        results.append(_pool.do(settings, task))
        if not _is_wanted():
            break
    return results


def _is_wanted() -> bool:
    """Return whether the scheduler still waits for what this thread does."""
    from distributed import worker

    task = worker.get_worker().state.tasks.get(worker.thread_state.key)
    return task is not None and task.state not in ("cancelled", "released", "forgotten")

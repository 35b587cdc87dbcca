"""Tasks in threads, whose results come in the tasks' order: what writers compress bands of rows with."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from upscale import threads


class OrderedTasks:
    """Threads that start when there is a second task; no more tasks are under way than keep them busy.

    The number of threads is read again for each task, since it may change while a large picture is written.

    Parameters
    ----------
    name : str
        How the threads' names begin.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._pool: Any = None

    def run(self, function: Callable[..., Any], tasks: Iterator[tuple[Any, ...]]) -> Iterator[Any]:
        """Call a function with each task's arguments; yields the results in the tasks' order."""
        first, second = next(tasks, None), next(tasks, None)
        if first is None or second is None:
            if first is not None:
                yield function(*first)
            return
        under_way: deque[Any] = deque()
        try:
            for task in chain((first, second), tasks):
                if threads.count() == 1 and not under_way:
                    yield function(*task)
                    continue
                under_way.append(self._executor().submit(function, *task))
                if len(under_way) > threads.count() + 1:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()

    def _executor(self) -> Any:
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(max(threads.count(), threads.cores()), self._name)
        return self._pool

    def close(self) -> None:
        """Wait for the threads to end."""
        if self._pool is not None:
            self._pool.shutdown()

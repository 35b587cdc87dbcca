"""NumPy's loops divide their work into parts, which several threads do."""

from collections.abc import Callable, Iterator
from typing import Any

from upscale import threads

#: Values of a step that is done at once.
AT_ONCE = 1 << 17


def run_parts(work: Callable[[Iterator[Any]], int], parts: list[Any], step: int) -> int:
    """Work on all parts and add up the results: by threads that take one after the other, where there are many.

    For steps of few values, one thread is fastest: several would wait for Python itself.
    """
    left = iter(parts)
    if len(parts) < 4 or step < AT_ONCE // 4 or threads.count() == 1:
        return work(left)
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads.count()) as pool:
        return sum(pool.map(work, [left] * threads.count()))

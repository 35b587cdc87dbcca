"""Frames read ahead and written behind, by threads, while one is computed; a few buffers are used again and again."""

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

T = TypeVar("T")
V = TypeVar("V")

#: Seconds to wait for a thread after an error; one that waits for another program's pipe may never end.
_PATIENCE = 2.0


class ReadAhead(Generic[T, V]):
    """Fill buffers in a thread while earlier ones are used.

    Parameters
    ----------
    fill : callable
        Fills a buffer and returns a value, or None if there is nothing more.
    buffers : list
        At least two.

    Attributes
    ----------
    error : BaseException or None
        What filling has raised, once all buffers before have been used.
    """

    def __init__(self, fill: Callable[[T], V | None], buffers: list[T]) -> None:
        self._fill, self._ends = fill, False
        self.error: BaseException | None = None
        self._free: SimpleQueue[T | None] = SimpleQueue()
        self._filled: SimpleQueue[tuple[T, V] | None] = SimpleQueue()
        for buffer in buffers:
            self._free.put(buffer)
        self._thread = threading.Thread(target=self._run, name="read ahead", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[tuple[T, V]]:
        """Yield each buffer with its value; the buffer is filled again when the next one is requested."""
        while (item := self._filled.get()) is not None:
            yield item
            self._free.put(item[0])

    def close(self) -> None:
        """End the thread, unless it waits for another program."""
        self._ends = True
        self._free.put(None)
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        try:
            while (buffer := self._free.get()) is not None and not self._ends:
                value = self._fill(buffer)
                if value is None:
                    break
                self._filled.put((buffer, value))
        except BaseException as error:  # raised where the buffers are used
            self.error = error
        self._filled.put(None)


class WriteBehind(Generic[T]):
    """Write buffers in a thread while later ones are filled.

    Parameters
    ----------
    write : callable
        Writes what is in a buffer.
    buffers : list
        At least two.
    """

    def __init__(self, write: Callable[[T], Any], buffers: list[T]) -> None:
        self._write = write
        self._free: SimpleQueue[T | BaseException] = SimpleQueue()
        self._filled: SimpleQueue[T | None] = SimpleQueue()
        self._number = len(buffers)
        for buffer in buffers:
            self._free.put(buffer)
        self._thread = threading.Thread(target=self._run, name="write behind", daemon=True)
        self._thread.start()

    def free(self) -> T:
        """Return a buffer whose content has been written; raise what writing has raised."""
        buffer = self._free.get()
        if isinstance(buffer, BaseException):
            raise buffer
        return buffer

    def put(self, buffer: T) -> None:
        """Have a buffer written."""
        self._filled.put(buffer)

    def finish(self) -> None:
        """Wait until all is written; raise what writing has raised."""
        for _ in range(self._number):
            self.free()

    def close(self) -> None:
        """End the thread, unless it waits for another program."""
        self._filled.put(None)
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        try:
            while (buffer := self._filled.get()) is not None:
                self._write(buffer)
                self._free.put(buffer)
        except BaseException as error:  # raised where the buffers are filled
            self._free.put(error)

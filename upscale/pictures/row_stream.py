"""A PNG picture whose rows are decoded by a thread while rows before them are enlarged already.

Only data without any fault are decoded so: each checksum right, and neither less nor more than the rows. At the first fault,
the reader of whole pictures decodes all of it once more, and reports or accepts what is wrong.
"""

import contextlib
import mmap
import threading
from collections import deque
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale import threads

Array = NDArray[Any]

#: Bytes of rows that are decoded in one go, and that may be decoded before anybody asks for them.
_BLOCK, _AHEAD = 1 << 20, 1 << 24
#: Bytes of compressed data that are read in one go.
PIECE = 1 << 18


class FaultyDataError(Exception):
    """The data are not as they should be; never leaves this module and `png_reader`."""


class RowStream:
    """The rows of one picture, in an array that is filled from the top.

    Memory of rows that nobody needs any more goes back to the system where it can, so that a picture takes some 20 MB however
    large it is.

    Parameters
    ----------
    shape : tuple
        Of the samples: (H, W) or (H, W, C).
    dtype : dtype
        uint8 or uint16.
    pieces : iterator of bytes
        The compressed data; raises `FaultyDataError` where their checksums are wrong.
    whole : callable
        Decodes the samples of the whole picture in another way, or raises why that is not possible.

    Attributes
    ----------
    samples : ndarray
        Valid in the rows that `wait` has waited for and `release` has not released.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        dtype: "np.dtype[Any]",
        pieces: Iterator[bytes],
        whole: Callable[[], Array],
    ) -> None:
        self._memory = _memory(int(np.prod(shape)) * dtype.itemsize)
        self.samples = np.frombuffer(self._memory, dtype).reshape(shape)
        self._rows, self._height = self.samples.reshape(shape[0], -1), shape[0]
        self._step = dtype.itemsize * (shape[2] if len(shape) == 3 else 1)
        self._above = np.zeros(self._rows.shape[1] * dtype.itemsize, np.uint8)
        self._blocks, self._whole = _whole_rows(pieces, self._above.size + 1, self._height), whole
        self._loops: ModuleType | None = None
        self._made = self._wanted = self._released = 0
        self._faulty = self._closed = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        if threads.count() > 1:
            self._thread = threading.Thread(target=self._decode_ahead, name="decode", daemon=True)
            self._thread.start()

    def start(self, loops: ModuleType) -> None:
        """Begin to make samples, with one of the engines' loops. NumPy's engine has none, and takes the whole picture."""
        with self._changed:
            self._faulty |= loops.png_unfilter is None
            self._loops = loops
            self._changed.notify_all()

    def wait(self, stop: int) -> None:
        """Return once all rows before `stop` are there.

        Raises
        ------
        ArgumentError
            Where the picture is damaged.
        """
        if self._thread is None:
            self._decode_until(stop)
        with self._changed:
            self._wanted = max(self._wanted, stop)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._made >= stop or self._faulty)
            if self._made >= stop:
                return
        self.close()  # the thread must not read the file while the whole picture is read from it
        rows = self._whole().reshape(self._height, -1)
        self._rows[self._made :] = rows[self._made :]
        self._made = self._height

    def decode_whole(self) -> None:
        """Fill all rows at once, in the other way; raises as `wait` does."""
        with self._changed:
            self._faulty = True
        self.wait(self._height)

    def release(self, start: int) -> None:
        """Give back the memory of all rows before `start`, which nobody reads any more."""
        page = mmap.PAGESIZE
        begin, end = (row * self._rows[0].nbytes // page * page for row in (self._released, start))
        with self._changed:
            self._released = max(self._released, start)
            self._changed.notify_all()
        if end > begin and hasattr(mmap, "MADV_DONTNEED"):
            self._memory.madvise(mmap.MADV_DONTNEED, begin, end - begin)

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _decode_until(self, stop: int) -> None:
        """Decode rows in the thread that wants them."""
        with self._noted_faults():
            while self._made < stop and not self._faulty:
                self._add(next(self._blocks))

    def _decode_ahead(self) -> None:
        """Decode rows before anybody asks for them; inflate some even before the engine is there."""
        inflated: deque[bytes] = deque()
        with self._noted_faults():
            for block in self._blocks:
                inflated.append(block)
                self._wait_for_room(len(inflated) * _BLOCK)
                if self._closed or self._faulty:
                    return
                while inflated and self._loops is not None:
                    self._add(inflated.popleft())
            self._wait_for_room(_AHEAD)
            while inflated and not self._closed and not self._faulty:
                self._add(inflated.popleft())

    @contextlib.contextmanager
    def _noted_faults(self) -> Iterator[None]:
        try:
            yield
        except Exception:  # whatever it is, decoding the whole picture will meet it too, and report it
            with self._changed:
                self._faulty = True
                self._changed.notify_all()

    def _wait_for_room(self, inflated: int) -> None:
        """Wait until there is an engine, and until rows that are there are needed; but not before enough is inflated."""
        ahead = _AHEAD // self._above.size + 1
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._closed
                    or self._faulty
                    or (self._loops is None and inflated < _AHEAD)
                    or (self._loops is not None and self._made < max(self._wanted, self._released + ahead))
                )
            )

    def _add(self, block: bytes) -> None:
        """Undo the filters of a block of rows, and store its samples."""
        filtered = np.frombuffer(block, np.uint8).reshape(-1, self._above.size + 1)
        rows = self._rows[self._made : self._made + len(filtered)]
        made = rows.view(np.uint8) if rows.itemsize == 1 else np.empty((len(rows), self._above.size), np.uint8)
        assert self._loops is not None
        if self._loops.png_unfilter(filtered, self._above, self._step, made) < len(made):
            raise FaultyDataError
        if rows.itemsize == 2:
            rows[:] = made.view(">u2")
        self._above = made[-1].copy()
        with self._changed:
            self._made += len(made)
            self._changed.notify_all()


def _memory(size: int) -> mmap.mmap:
    """Take memory that can be given back in parts, where the system has such."""
    if hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return mmap.mmap(-1, size)


def _whole_rows(pieces: Iterator[bytes], line: int, height: int) -> Iterator[bytes]:
    """Inflate a zlib stream, and yield so many lines of bytes in blocks of whole lines.

    The last block comes once the stream has ended with the right checksum.

    Raises
    ------
    FaultyDataError, zlib_ng.error
        Where the stream is damaged, or has less or more.
    """
    from zlib_ng import zlib_ng

    unpacker, many = zlib_ng.decompressobj(), max(1, _BLOCK // line)
    parts: list[bytes] = []
    wanted, left, block = min(many, height) * line, height * line, b""
    for piece in pieces:
        if unpacker.eof and piece:
            raise FaultyDataError
        more = True
        while more:
            asked = wanted or 1  # once all lines are there, one byte would be too many
            data = unpacker.decompress(piece, asked)
            if data and not wanted:
                raise FaultyDataError
            piece, more = unpacker.unconsumed_tail, len(data) == asked
            parts.append(data)
            wanted -= len(data)
            left -= len(data)
            if not wanted and left:
                yield b"".join(parts)
                parts, wanted = [], min(many * line, left)
            elif not wanted and not block:
                block = b"".join(parts)
    if not block or not unpacker.eof or unpacker.unused_data:
        raise FaultyDataError
    yield block

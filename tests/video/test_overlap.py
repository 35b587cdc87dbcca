"""Reading ahead and writing behind keep the order, use a few buffers, and hand errors over."""

import threading
import time

import pytest

from upscale.errors import FileError
from upscale.video.overlap import ReadAhead, WriteBehind


def test_everything_comes_once_and_in_order():
    numbers, used = iter(range(100)), set()

    def fill(buffer):
        used.add(id(buffer))
        number = next(numbers, None)
        buffer[:] = [number]
        return number

    ahead = ReadAhead(fill, [[], [], []])
    assert [(buffer[0], value) for buffer, value in ahead] == [(i, i) for i in range(100)]
    assert len(used) == 3
    ahead.close()


def test_no_more_is_read_than_there_are_buffers():
    filled = []
    ahead = ReadAhead(lambda buffer: filled.append(buffer) or 1, [1, 2])
    next(iter(ahead))
    time.sleep(0.05)
    assert len(filled) == 2
    ahead.close()
    assert "read ahead" not in {thread.name for thread in threading.enumerate()}


def test_what_reading_raises_comes_after_what_was_read():
    values = iter([1, 2])

    def fill(buffer):
        value = next(values, None)
        if value is None:
            raise FileError("damaged")
        return value

    ahead = ReadAhead(fill, [1, 2])
    assert [value for _, value in ahead] == [1, 2]
    assert isinstance(ahead.error, FileError)


def test_what_writing_raises_is_raised_where_buffers_are_filled():
    def write(buffer):
        raise BrokenPipeError

    behind = WriteBehind(write, [1, 2])
    behind.put(behind.free())
    with pytest.raises(BrokenPipeError):
        for _ in range(3):
            behind.free()
    behind.close()


def test_finishing_waits_for_what_is_written():
    written = []
    behind = WriteBehind(lambda buffer: (time.sleep(0.01), written.append(buffer[0])), [[0], [0]])
    for number in range(5):
        buffer = behind.free()
        buffer[0] = number
        behind.put(buffer)
    behind.finish()
    assert written == list(range(5))
    behind.close()

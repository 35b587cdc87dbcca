"""A process that does one task after another, told by the one that started it.

What goes through the two pipes is pickled: first `Settings`, then an `Order` at a time; a `Need` is answered by `Go` once there
is room, and every order by its `Result`. A `Share` may come at any time. When the pipe closes, the process ends at once: it
never outlives whoever started it, and what it was writing is neither locked nor whole, so that the next run removes it.
"""

import os
import pickle
import threading
from queue import SimpleQueue
from typing import Any, BinaryIO, NamedTuple

from upscale import threads
from upscale.batch.enlarge_file import Job, Result, Task
from upscale.batch.options import Options, request
from upscale.errors import UpscaleError
from upscale.loops.engine import CHOOSER

#: A picture that needs less is begun without asking.
SMALL = 1 << 24


class Settings(NamedTuple):
    """What holds for all tasks.

    Attributes
    ----------
    options : Options
    tells : bool
        Whether a user wants to see that loops are being compiled.
    """

    options: Options
    tells: bool


class Order(NamedTuple):
    """A task, the token of its unfinished file, the number of threads, and how many more tasks are likely to come."""

    task: Task
    token: str
    threads: int
    more: int = 0


class Share(NamedTuple):
    """The number of threads from now on."""

    threads: int


class Go(NamedTuple):
    """There is room, and this is the number of threads."""

    threads: int


class Need(NamedTuple):
    """How many bytes the task needs that was ordered."""

    memory: int


class Tell(NamedTuple):
    """A line for the user."""

    text: str


def main() -> None:
    """Serve standard input and output."""
    reading, writing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    # Nothing else may be read from or written to these.
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    serve(reading, writing)


def serve(reading: BinaryIO, writing: BinaryIO) -> None:
    """Do what is ordered until the pipe closes."""
    inbox: SimpleQueue[Any] = SimpleQueue()

    def listen() -> None:
        while True:
            try:
                message = pickle.load(reading)
            except Exception:  # closed: nobody waits for what is being done
                os._exit(0)
            if isinstance(message, Order | Go | Share):
                threads.use(message.threads)
            if not isinstance(message, Share):
                inbox.put(message)

    def send(message: Any) -> None:
        try:
            pickle.dump(message, writing, pickle.HIGHEST_PROTOCOL)
            writing.flush()
        except OSError:
            os._exit(0)

    def admit(need: int) -> None:
        if need > SMALL:
            send(Need(need))
            inbox.get()

    threading.Thread(target=listen, daemon=True).start()
    settings: Settings = inbox.get()
    asked = None
    while True:
        order: Order = inbox.get()
        CHOOSER.expect(order.more)
        try:
            if asked is None:
                asked = request(settings.options)
            tell = (lambda text: send(Tell(text))) if settings.tells else None
            result = Job(order.task, settings.options, asked, tell=tell, admit=admit, strict=False, token=order.token).run()
        except UpscaleError as error:
            result = Result("failed", str(error))
        except MemoryError:
            result = Result("failed", f"{order.task.source}: there is not enough memory")
        except Exception as error:  # a fault of ours, which must not stop the others
            text = f"internal error, please report it: {type(error).__name__}: {error}"
            result = Result("failed", f"{order.task.source}: {text}")
        send(result)

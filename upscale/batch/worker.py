"""A worker process, which does one task after another for the batch that started it.

When the pipe to the batch closes, the process ends at once: it never outlives whoever started it, and the file that it was
writing is neither locked nor complete, so that the next run removes it.
"""

import os
import pickle
import threading
from queue import SimpleQueue
from typing import Any, BinaryIO

from upscale import threads
from upscale.batch.make_requests import make_requests
from upscale.batch.messages import Granted, MemoryNeeded, Notice, Order, Settings, Share
from upscale.batch.run_log import RunLog
from upscale.batch.run_task import run_task
from upscale.batch.task import FileResult
from upscale.errors import UpscaleError, show_traceback
from upscale.loops.engine import CHOOSER

#: A picture that needs less is begun without asking.
SMALL = 1 << 24


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
            if isinstance(message, Order | Granted | Share):
                threads.use(message.threads)
            if not isinstance(message, Share):
                inbox.put(message)

    def send(message: Any) -> None:
        try:
            pickle.dump(message, writing, pickle.HIGHEST_PROTOCOL)
            writing.flush()
        except OSError:
            os._exit(0)

    def admit(memory: int) -> None:
        if memory > SMALL:
            send(MemoryNeeded(memory))
            inbox.get()

    threading.Thread(target=listen, daemon=True).start()
    settings: Settings = inbox.get()
    CHOOSER.background, CHOOSER.logs = settings.background, False
    requests = None
    while True:
        order: Order = inbox.get()
        CHOOSER.expect(order.more)
        log = RunLog((lambda text: send(Notice(text))) if settings.notices else None)
        try:
            if requests is None:
                requests = make_requests(settings.options)
            log = RunLog((lambda text: send(Notice(text))) if settings.notices else None)
            result = run_task(order.task, settings.options, requests, log, admit=admit, one_of_many=True, token=order.token)
        except UpscaleError as error:
            show_traceback()
            result = FileResult("failed", str(error))
        except MemoryError:
            result = FileResult("failed", f"{order.task.source}: not enough memory")
        except Exception as error:  # a fault of ours, which must not stop the others
            show_traceback()
            text = f"internal error, please report it: {type(error).__name__}: {error}"
            result = FileResult("failed", f"{order.task.source}: {text}")
        send(result._replace(started=log.started))

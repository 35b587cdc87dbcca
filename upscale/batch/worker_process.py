"""The batch's end of a worker process: start it, send it messages, and clean up after it."""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from queue import SimpleQueue
from typing import Any

from upscale.batch.messages import Order, Settings, Share
from upscale.batch.task import FileResult
from upscale.output_files import part_of
from upscale.signals import blocked


class WorkerProcess:
    """A process and what it is doing."""

    def __init__(self, settings: Settings, inbox: "SimpleQueue[Any]") -> None:
        # The path that modules come from is this process' own, and not the current folder, which is full of strangers.
        code = f"import sys; sys.path[:] = {sys.path!r}; from upscale.batch.worker import main; main()"
        environment = {"OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"} | dict(os.environ)
        with blocked():
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
            )
        self.order: Order | None = None
        self.since = 0.0
        self.share = 0  # of the threads
        self._inbox = inbox
        self.send(settings)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def begin(self, order: Order) -> None:
        """Give an order."""
        self.order, self.since, self.share = order, time.time(), order.threads
        self.send(order)

    def share_threads(self, share: int) -> None:
        """Send how many threads may work from now on, if that has changed."""
        if share != self.share:
            self.share = share
            self.send(Share(share))

    def send(self, message: Any) -> None:
        """Send a message; whoever reads the process' pipe notices if it is dead."""
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

    def close(self) -> None:
        """Close the pipes to a process that is dead."""
        self._listener.join()
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):  # what was not sent is of no use any more
                assert pipe is not None
                pipe.close()

    def death(self) -> FileResult:
        """Return the result of an order whose process is dead, and remove what it was writing."""
        assert self.order is not None
        code = self.process.wait()
        self.clean()
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        source = self.order.task.source
        text = f"{source}: its process ended unexpectedly ({how}); the file may be damaged, or memory may have run out"
        return FileResult("failed", text)

    def has_finished(self) -> bool:
        """Return whether a dead process had written its output, although it did not report it."""
        assert self.order is not None
        try:
            return os.stat(self.order.task.output).st_mtime >= self.since and not os.path.exists(self._part())
        except OSError:
            return False

    def _part(self) -> str:
        assert self.order is not None
        return part_of(self.order.task.output, self.order.token)

    def clean(self) -> None:
        """Remove what a dead process was writing."""
        if self.order is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._part())

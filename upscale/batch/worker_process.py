"""Start and speak to a `worker`, from the process that gives it orders."""

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

from upscale.batch.enlarge_file import Result
from upscale.batch.worker import Order, Settings, Share
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
        threading.Thread(target=self._listen, daemon=True).start()

    def begin(self, order: Order) -> None:
        """Give an order."""
        self.order, self.since, self.share = order, time.time(), order.threads
        self.send(order)

    def give(self, share: int) -> None:
        """Tell how many threads may work from now on, where that is news."""
        if share != self.share:
            self.share = share
            self.send(Share(share))

    def send(self, message: Any) -> None:
        """Send a message; that the process is dead is heard by its own pipe."""
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

    def death(self) -> Result:
        """Say of the order that it has failed because the process is dead, and remove what it was writing."""
        assert self.order is not None
        code = self.process.wait()
        self.clean()
        how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        source = self.order.task.source
        text = f"{source}: the process that enlarged it ended ({how}): damaged, or there was not enough memory"
        return Result("failed", text)

    def has_finished(self) -> bool:
        """Say whether a dead process had written its output, and only not said so yet."""
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

"""The messages between a batch and its worker processes, which are pickled and sent through two pipes.

The batch sends `Settings` first, then an `Order` at a time. A worker asks for memory with `MemoryNeeded` and waits for
`Granted`; it answers every order with a `task.FileResult`. A `Share` or a `Notice` may come at any time.
"""

from typing import NamedTuple

from upscale.batch.options import Options
from upscale.batch.task import Task


class Settings(NamedTuple):
    """What is the same for all tasks.

    Attributes
    ----------
    options : Options
    notices : bool
        Whether to report that loops are being compiled.
    background : bool
        Whether NumPy does the work until a background process has compiled the loops.
    """

    options: Options
    notices: bool
    background: bool


class Order(NamedTuple):
    """A task to be done.

    Attributes
    ----------
    task : Task
    token : str
        Of the unfinished file.
    threads : int
        How many the worker may use.
    more : int
        How many tasks are likely to follow for this worker.
    """

    task: Task
    token: str
    threads: int
    more: int = 0


class Share(NamedTuple):
    """The number of threads that a worker may use from now on."""

    threads: int


class Granted(NamedTuple):
    """The memory that was asked for is reserved; and the number of threads from now on."""

    threads: int


class MemoryNeeded(NamedTuple):
    """How many bytes the ordered task needs."""

    memory: int


class Notice(NamedTuple):
    """A line for the user."""

    text: str

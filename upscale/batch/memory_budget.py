"""The memory that the pictures under way share."""

from collections.abc import Hashable

from upscale.batch.available_memory import available

#: Share of the free memory that pictures may take together.
_SHARE = 0.7
#: Bytes that a process takes besides its picture, with Numba.
_PROCESS = 150_000_000


class MemoryBudget:
    """The memory that the pictures under way share.

    Parameters
    ----------
    allowed : int or None
        Bytes; None for a share of what is free.
    processes : int
        How many will work, each of which takes some memory too.
    """

    def __init__(self, allowed: int | None, processes: int) -> None:
        free = available()
        self._bytes = allowed or (1 << 62 if free is None else int(_SHARE * max(0, free - _PROCESS * processes)))
        self._reserved: dict[Hashable, int] = {}

    def reserve(self, who: Hashable, memory: int) -> bool:
        """Reserve bytes if they are available, and return whether they were.

        The first reservation always succeeds: one picture alone was already checked against the free memory.
        """
        if self._reserved and sum(self._reserved.values()) + memory > self._bytes:
            return False
        self._reserved[who] = memory
        return True

    def release(self, who: Hashable) -> None:
        """Give back what was reserved, if anything was."""
        self._reserved.pop(who, None)

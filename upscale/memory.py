"""How much memory there is, so that what cannot fit is refused before anything is allocated."""

import math
from collections.abc import Hashable


def available() -> int | None:
    """Say how many bytes this process can still get, or None where the system does not tell.

    The least of what the machine has free, what the control group allows and what the process' own limit leaves.
    """
    found = [n for n in (_machine(), _group(), _limit()) if n is not None]
    return min(found) if found else None


#: Share of the free memory that pictures may take together.
_SHARE = 0.7
#: Bytes that a process takes besides its picture, with Numba.
_PROCESS = 150_000_000


class Room:
    """The memory that pictures under way share.

    Parameters
    ----------
    allowed : int or None
        Bytes; None for a share of what is free.
    processes : int
        How many will work, each of which takes some as well.
    """

    def __init__(self, allowed: int | None, processes: int) -> None:
        free = available()
        self._bytes = allowed or (1 << 62 if free is None else int(_SHARE * max(0, free - _PROCESS * processes)))
        self._taken: dict[Hashable, int] = {}

    def enter(self, who: Hashable, need: int) -> bool:
        """Take memory, if there is enough; a single picture may always, since it is judged by itself."""
        if self._taken and sum(self._taken.values()) + need > self._bytes:
            return False
        self._taken[who] = need
        return True

    def leave(self, who: Hashable) -> None:
        """Give back what was taken, if anything was."""
        self._taken.pop(who, None)


def _machine() -> int | None:
    try:
        for line in _text("/proc/meminfo").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return None


def _group() -> int | None:
    folder = "/sys/fs/cgroup"
    try:
        return max(0, int(_text(f"{folder}/memory.max")) - int(_text(f"{folder}/memory.current")))
    except (OSError, ValueError):  # no such group, or "max"
        return None


def _limit() -> int | None:
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit == resource.RLIM_INFINITY:
            return None
        return max(0, limit - int(_text("/proc/self/statm").split()[0]) * resource.getpagesize())
    except (ImportError, OSError, ValueError):
        return None


def _text(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()


def in_bytes(number: float) -> str:
    """Say a number of bytes as people read it, in powers of 1000."""
    power = min(3, int(math.log10(max(number, 1)) // 3))
    return f"{number / 1000**power:.3g} {('bytes', 'kB', 'MB', 'GB')[power]}"

"""How much memory is available, so that what cannot fit is refused before anything is allocated."""

import math


def available() -> int | None:
    """Return how many bytes this process can still get, or None where the system does not report it.

    The least of what the machine has free, what the control group allows and what the process' own limit leaves.
    """
    found = [n for n in (_machine(), _group(), _limit()) if n is not None]
    return min(found) if found else None


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


def format_bytes(number: float) -> str:
    """Write a number of bytes for people, in powers of 1000.

    Examples
    --------
    >>> format_bytes(999), format_bytes(1_234_567)
    ('999 bytes', '1.23 MB')
    """
    power = min(3, int(math.log10(max(number, 1)) // 3))
    return f"{number / 1000**power:.3g} {('bytes', 'kB', 'MB', 'GB')[power]}"

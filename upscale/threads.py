"""How many threads may work at once: one number for loops, encoders and decoders."""

import os

_wanted = 0


def cores() -> int:
    """Count the cores that this process may use, by its affinity and by what its control group grants."""
    try:
        found = len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux has it
        found = os.cpu_count() or 1
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
            quota, period = file.read().split()
        found = min(found, max(1, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no such group, or "max"
        pass
    return found


def limit() -> int:
    """Say how many threads are allowed to work; 0 where nobody has said."""
    return _wanted


def count() -> int:
    """Say how many threads may work."""
    return _wanted or cores()


def use(number: int) -> None:
    """Let so many threads work from now on; 0 for as many as there are cores."""
    global _wanted
    _wanted = number

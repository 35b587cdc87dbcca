"""Timing commands in turn, since machines are shared and noisy: compare medians of one run, not numbers of two.

`upscale --precompile` must have been run, or commands use NumPy at first; `run.py` does it.
"""

import os
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

#: The installed command, beside the interpreter that runs the benchmark.
UPSCALE = str(Path(sys.executable).with_name("upscale"))


def medians(commands: dict[str, list[str]], rounds: int = 9) -> dict[str, float]:
    """Run each command once to warm up, then all of them in turn, and give each one's median wall seconds."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(rounds + 1):
        for name, command in commands.items():
            began = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            if turn:
                times[name].append(time.perf_counter() - began)
    return {name: statistics.median(t) for name, t in times.items()}


def machine() -> str:
    """Describe the machine and the versions that matter."""
    names = ("numpy", "numba", "pillow", "imagecodecs", "zlib-ng", "opencv-python-headless", "torch", "scikit-image", "scipy")
    packages = ", ".join(f"{name} {version(name)}" for name in names if _installed(name))
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}, {packages}"


def _installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True

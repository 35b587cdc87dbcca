"""Functions that an object calls of modules that import its own, by name: they are imported when they are first called."""

from importlib import import_module
from typing import Any

#: What methods of `Kernel` call, and where it is at home.
_HOMES = {
    "load_kernel": "upscale.kernels.load",
    "save_kernel": "upscale.kernels.write_files",
    "kernel_png": "upscale.figures.kernel_figure",
}


def lazy_function(name: str) -> Any:
    """Import one of the functions above."""
    return getattr(import_module(_HOMES[name]), name)

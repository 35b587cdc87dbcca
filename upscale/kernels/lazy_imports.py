"""Functions for methods of `Kernel` whose modules import `Kernel` themselves: they are loaded by name when they are called."""

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

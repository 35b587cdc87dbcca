"""Kernels from files: one table from suffix to reader."""

import os.path
from collections.abc import Callable

import numpy as np

from upscale.errors import ArgumentError, FileError
from upscale.files import why
from upscale.kernel import Kernel


def _read_npy(path: str) -> Kernel:
    # Mapped, so that a header that lies about its size cannot make us allocate it; object arrays are refused.
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise ArgumentError("holds several arrays and not one")
    return Kernel(array)


_READERS: dict[str, Callable[[str], Kernel]] = {".npy": _read_npy}


def read(path: str) -> Kernel:
    """Read a kernel.

    Raises
    ------
    FileError
        Where the file cannot be read, or holds no kernel.
    """
    try:
        return _READERS[os.path.splitext(path)[1].lower()](path)
    except FileNotFoundError:
        raise FileError(f"{path}: there is no such kernel file") from None
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {why(error)}") from error
    except (ArgumentError, ValueError, EOFError) as error:
        raise FileError(f"{path}: not a kernel: {error}") from error

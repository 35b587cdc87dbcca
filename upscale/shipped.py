"""Kernels that come with the package: learned by `benchmarks/make_kernels.py`, one file for each factor.

Nothing here needs NumPy until a kernel is read, so that the command line can list the names at once.
"""

import os.path
from typing import TYPE_CHECKING

from upscale.errors import ArgumentError

if TYPE_CHECKING:
    from upscale.kernel import Kernel

#: Name to what it is good and bad at.
SHIPPED = {
    "learned": (
        "pictures that were made small by a program: sharper than every preset",
        "noise, JPEG's blocks and pixel art, which it sharpens; factors 2, 3 and 4 alone",
    ),
    "adaptive": (
        "the same, with a correction chosen for each pixel: edges without ringing, the most detail",
        "the same; some 20 times slower",
    ),
}
FACTORS = (2, 3, 4)
FOLDER = os.path.join(os.path.dirname(__file__), "kernels")


def path(factor: int) -> str:
    """Name the file that holds both kernels of a factor."""
    return os.path.join(FOLDER, f"x{factor}.npz")


def read(name: str, factor: tuple[int, int]) -> "Kernel":
    """Read a kernel for a factor, (vertical, horizontal).

    Raises
    ------
    ArgumentError
        Where there is none for that factor.
    """
    from upscale import kernel_files

    if factor[0] != factor[1] or factor[0] not in FACTORS:
        raise ArgumentError(f"the kernel {name} is there for the factors {', '.join(map(str, FACTORS))}, the same both ways")
    kernel = kernel_files.read(path(factor[0]))
    return kernel if name == "adaptive" else kernel.with_bank(None)

"""Kernels that come with the package: learned by `benchmarks/make_kernels.py`.

Nothing here needs NumPy, so that the command line can list the names at once.
"""

import os.path

from upscale.errors import ArgumentError

#: Name to what it is good and bad at.
SHIPPED = {
    "learned": (
        "pictures that were made small by a program: sharper than every preset",
        "noise, JPEG's blocks and pixel art, which it sharpens; factors 2, 3 and 4 alone",
    ),
    "adaptive": (
        "the same, with a correction chosen for each pixel: cleaner edges and the most detail",
        "the same; takes 3 to 7 times as long as learned",
    ),
    "adaptive-jpeg": (
        "JPEGs, scans and straight photographs: smooths blocks, ripples and noise, keeps edges",
        "softer than adaptive on clean pictures that were made small; as slow",
    ),
}
FACTORS = (2, 3, 4)
#: Ending of a file's name to how the twins are made that it is learned from.
TWINS = {"": "bicubic", "-jpeg": "bicubic+jpeg:75"}
FOLDER = os.path.join(os.path.dirname(__file__), "data")


def path(factor: int, ending: str = "") -> str:
    """Name the file of a factor: that with the kernels learned and adaptive, or with the ending -jpeg the third."""
    return os.path.join(FOLDER, f"x{factor}{ending}.npz")


def file_of(name: str, factor: tuple[int, int]) -> str:
    """Find the file of a kernel for a factor, (vertical, horizontal).

    Raises
    ------
    ArgumentError
        Where there is none for that factor.
    """
    if factor[0] != factor[1] or factor[0] not in FACTORS:
        raise ArgumentError(f"the kernel {name} is there for the factors {', '.join(map(str, FACTORS))}, the same both ways")
    return path(factor[0], "-jpeg" if name == "adaptive-jpeg" else "")


def table() -> str:
    """List all of them with what each is good and bad at, as `presets.table` does."""
    return "\n".join(f"{name:16}good: {good}\n{'':16}bad: {bad}" for name, (good, bad) in SHIPPED.items())

"""Kernels that come with the package: learned by `benchmarks/make_kernels.py`, the deep ones by `make_deep_kernels.py` there.

Nothing here needs NumPy, so that the command line can list the names at once.
"""

import os.path
from typing import NamedTuple

from upscale.errors import ArgumentError


class Shipped(NamedTuple):
    """A kernel that comes with the package.

    Attributes
    ----------
    good, bad : str
        What it is good and bad at.
    file_ending : str
        Of its files' names, between the factor and the suffix; see `DOWNSCALING`.
    single : bool
        Whether it is only the single kernel of an adaptive kernel's file.
    factors : tuple of int
        Those that it is shipped for.
    """

    good: str
    bad: str
    file_ending: str
    single: bool = False
    factors: tuple[int, ...] = (2, 3, 4)


_DEEP_FACTORS = (2, 3, 4, 5, 6, 8)
#: All shipped kernels by name.
SHIPPED = {
    "learned": Shipped(
        "pictures that were downscaled by software: sharper than all presets",
        "sharpens noise and JPEG blocks too; not for pixel art; only factors 2 to 4 and their products",
        file_ending="",
        single=True,
    ),
    "adaptive": Shipped(
        "drawings and renderings that were downscaled by software: the cleanest straight edges",
        "sharpens noise and JPEG blocks too; not for pixel art; only factors 2 to 4 and their products; 3 to 7 times as slow "
        "as learned",
        file_ending="",
    ),
    "adaptive-jpeg": Shipped(
        "JPEGs of drawings: smooths blocks, ripples and noise, keeps straight edges",
        "softer than adaptive on clean downscaled pictures; only factors 2 to 4 and their products; as slow as adaptive",
        file_ending="-jpeg",
    ),
    "deep": Shipped(
        "photos that were downscaled by software: the most detail, and more factors than adaptive",
        "sharpens noise and JPEG blocks too; not for pixel art; only factors 2 to 6, 8 and their products; 8 to 15 times as "
        "slow as learned",
        file_ending="-deep",
        factors=_DEEP_FACTORS,
    ),
    "deep-jpeg": Shipped(
        "JPEGs, scans and photos straight from the camera: smooths blocks, ripples and noise, keeps the most detail",
        "softer than deep on clean downscaled pictures; only factors 2 to 6, 8 and their products; as slow as deep",
        file_ending="-deep-jpeg",
        factors=_DEEP_FACTORS,
    ),
}
#: Factors of the adaptive kernels.
FACTORS = (2, 3, 4)
#: Ending of a file's name to how the low-resolution copies were made that its kernel was learned from: of adaptive and of deep
#: kernels.
DOWNSCALING = {"": "bicubic", "-jpeg": "bicubic+jpeg:75"}
DEEP_DOWNSCALING = {"-deep": "bicubic", "-deep-jpeg": "bicubic+blur:0.4+noise:1+jpeg:30-95"}
FOLDER = os.path.join(os.path.dirname(__file__), "data")


def path(factor: int, ending: str = "") -> str:
    """Return the path of the file for a factor: x2.npz has `learned` and `adaptive`, x2-jpeg.npz `adaptive-jpeg`.

    Of deep kernels, only the file for factor 2 has the convolutions, which are the same for all factors.
    """
    return os.path.join(FOLDER, f"x{factor}{ending}.npz")


def file_of(name: str, factor: tuple[int, int]) -> str:
    """Return the path of a kernel's file for a factor, (vertical, horizontal).

    Raises
    ------
    ArgumentError
        If none is shipped for that factor.
    """
    factors = SHIPPED[name].factors
    if factor[0] != factor[1] or factor[0] not in factors:
        listed = ", ".join(map(str, factors))
        raise ArgumentError(f"{name} supports only the factors {listed} and their products, the same in both directions")
    return path(factor[0], SHIPPED[name].file_ending)


def table() -> str:
    """List all of them with what each is good and bad at, as `presets.table` does."""
    return "\n".join(f"{name:16}good: {row.good}\n{'':16}bad: {row.bad}" for name, row in SHIPPED.items())

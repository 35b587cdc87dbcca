"""What a user says the kernel is: the name of a preset or of one that is shipped, a file, or rows typed out.

Telling them apart needs neither NumPy nor the file, so that a mistyped kernel is answered at once.
"""

import math
import os.path
from typing import TYPE_CHECKING, NamedTuple

from upscale.errors import ArgumentError
from upscale.kernels import presets, shipped

if TYPE_CHECKING:
    from upscale.kernels.kernel import Kernel

#: Suffixes of kernel files, and whether one may hold several arrays, of which FILE:NAME picks one. `kernel_files` reads them.
SUFFIXES = {".npy": False, ".npz": False, ".txt": False, ".csv": False, ".json": False, ".safetensors": True, ".pt": True,
            ".pth": True}  # fmt: skip

ACCEPTED = (
    f"a preset ({', '.join(presets.PRESETS)}), one that is shipped ({', '.join(shipped.SHIPPED)}), "
    f"a file ({', '.join('*' + s for s in SUFFIXES)}), "
    'or rows typed out such as "1,2,1; 2,4,2; 1,2,1"'
)


class KernelSource(NamedTuple):
    """A kernel as named by a user, checked as far as that goes without its file.

    Attributes
    ----------
    kind : str
        "preset", "shipped", "file" or "typed".
    text : str
        As it was given.
    path, name : str
        Of a file, and of the array in it; empty where that was not said.
    rows : tuple of tuple of float
        The numbers, where they were typed.
    """

    kind: str
    text: str
    path: str = ""
    name: str = ""
    rows: tuple[tuple[float, ...], ...] = ()

    @property
    def label(self) -> str:
        """The text, cut where it is too long for a line on the screen."""
        return self.text if len(self.text) <= 60 else self.text[:57] + "..."

    def read(self) -> "Kernel | None":
        """Read the kernel, or None for a preset or a shipped one, which depend on the factor.

        Raises
        ------
        FileError
            Where the file cannot be read as a kernel.
        ArgumentError
            Where the typed rows make none.
        """
        if self.kind in ("preset", "shipped"):
            return None
        if self.kind == "file":
            from upscale.kernels import kernel_files

            return kernel_files.read(self.path, self.name)
        from upscale.kernels.kernel import Kernel

        return Kernel(self.rows)

    def sampled(self, factor: tuple[int, int]) -> "Kernel":
        """Make a preset's kernel, or read a shipped one, for a factor, (vertical, horizontal).

        Raises
        ------
        ArgumentError
            Where none is shipped for that factor.
        """
        if self.kind == "shipped":
            from upscale.kernels import kernel_files

            kernel = kernel_files.read(shipped.file_of(self.text, factor))
            return kernel.replaced(bank=None) if self.text == "learned" else kernel
        from upscale.kernels.kernel import Kernel

        filter = presets.named(self.text)
        assert filter is not None
        return Kernel.preset(filter, factor)


def identify(text: str) -> KernelSource:
    """Tell what a kernel's name, path or rows are. A preset's name wins over a file of that name.

    Raises
    ------
    ArgumentError
        Where it is none of them, or the typed rows are ragged or not numbers.

    Examples
    --------
    >>> identify("1,2; 3,4").rows
    ((1.0, 2.0), (3.0, 4.0))
    """
    if presets.named(text) is not None:
        return KernelSource("preset", text)
    if text in shipped.SHIPPED:
        return KernelSource("shipped", text)
    if (file := file_and_name(text)) is not None:
        return KernelSource("file", text, *file)
    if os.path.isfile(text):
        raise ArgumentError(f"kernel file {text}: its suffix must be one of {', '.join(SUFFIXES)}")
    if any(c in text for c in ",;") or is_number(text):
        return KernelSource("typed", text, rows=typed(text))
    raise ArgumentError(f"there is no kernel {text!r}; give {ACCEPTED}")


def file_and_name(text: str) -> tuple[str, str] | None:
    """Split FILE or FILE:NAME; None where no suffix of a kernel file is found."""
    if os.path.splitext(text)[1].lower() in SUFFIXES:
        return text, ""
    for suffix in (s for s, several in SUFFIXES.items() if several):
        at = text.lower().rfind(suffix + ":")
        if at > 0:
            return text[: at + len(suffix)], text[at + len(suffix) + 1 :]
    return None


def is_number(text: str) -> bool:
    """Say whether a text is one number."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def typed(text: str, what: str = "kernel") -> tuple[tuple[float, ...], ...]:
    """Read rows of numbers: semicolons between rows, commas or blanks between numbers.

    Raises
    ------
    ArgumentError
        Where they are ragged, not numbers or none.
    """
    rows = [_cells(row) for row in text.strip().strip(";").split(";")]
    for row in rows:
        for number in row:
            if not number:
                raise ArgumentError(f"{what} {_short(text)}: a number is missing between two commas")
            if not is_number(number):
                raise ArgumentError(f"{what} {_short(text)}: {_short(number)} is not a number")
            if not math.isfinite(float(number)):
                raise ArgumentError(f"{what} {_short(text)}: {number} is not finite")
    widths = [len(row) for row in rows]
    if len(set(widths)) > 1:
        raise ArgumentError(f"{what} {_short(text)}: its rows have different lengths: {', '.join(map(str, widths[:20]))}")
    if not widths[0]:
        raise ArgumentError(f"{what} {_short(text)} has no numbers")
    return tuple(tuple(float(n) for n in row) for row in rows)


def _cells(row: str) -> list[str]:
    """Split a row at commas, where a number may not be missing, or else at blanks."""
    return [cell.strip() for cell in row.split(",")] if "," in row else row.split()


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")

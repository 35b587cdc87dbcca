"""What a user says the kernel is: a preset's name, a file, or rows typed out.

Telling them apart needs neither NumPy nor the file, so that a mistyped kernel is answered at once.
"""

import math
import os.path
from typing import TYPE_CHECKING, NamedTuple

from upscale.errors import ArgumentError
from upscale.presets import PRESETS

if TYPE_CHECKING:
    from upscale.kernel import Kernel

#: Suffixes of kernel files; `kernel_files` has a reader for each.
SUFFIXES = (".npy",)

ACCEPTED = (
    f"a preset ({', '.join(PRESETS)}), a file ({', '.join('*' + s for s in SUFFIXES)}), "
    'or rows typed out such as "1,2,1; 2,4,2; 1,2,1"'
)


class KernelSource(NamedTuple):
    """A kernel as named by a user, checked as far as that goes without its file.

    Attributes
    ----------
    kind : str
        "preset", "file" or "typed".
    text : str
        As it was given.
    rows : tuple of tuple of float
        The numbers, where they were typed.
    """

    kind: str
    text: str
    rows: tuple[tuple[float, ...], ...] = ()

    def load(self, factor: tuple[int, int]) -> "Kernel":
        """Make the kernel for a factor, (vertical, horizontal).

        Raises
        ------
        FileError
            Where the file cannot be read as a kernel.
        """
        from upscale import kernel_files
        from upscale.kernel import Kernel

        if self.kind == "preset":
            return Kernel.preset(self.text, factor)
        if self.kind == "file":
            return kernel_files.read(self.text)
        return Kernel(self.rows)


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
    if text in PRESETS:
        return KernelSource("preset", text)
    if os.path.splitext(text)[1].lower() in SUFFIXES:
        return KernelSource("file", text)
    if os.path.isfile(text):
        raise ArgumentError(f"kernel file {text}: its suffix must be one of {', '.join(SUFFIXES)}")
    if any(c in text for c in ",;") or _is_number(text):
        return KernelSource("typed", text, _typed(text))
    raise ArgumentError(f"there is no kernel {text!r}; give {ACCEPTED}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _typed(text: str) -> tuple[tuple[float, ...], ...]:
    rows = [row.replace(",", " ").split() for row in text.strip().strip(";").split(";")]
    for row in rows:
        for number in row:
            if not _is_number(number):
                raise ArgumentError(f"kernel {text!r}: {number!r} is not a number")
            if not math.isfinite(float(number)):
                raise ArgumentError(f"kernel {text!r}: {number} cannot be a weight")
    widths = [len(row) for row in rows]
    if len(set(widths)) > 1:
        raise ArgumentError(f"kernel {text!r}: its rows have different lengths: {', '.join(map(str, widths))}")
    if not widths[0]:
        raise ArgumentError(f"kernel {text!r} has no numbers")
    return tuple(tuple(float(n) for n in row) for row in rows)

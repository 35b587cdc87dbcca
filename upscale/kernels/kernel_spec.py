"""Parse what a user gives as a kernel: the name of a preset or of a shipped kernel, a file, or rows of numbers.

This needs neither NumPy nor the file, so that a mistyped kernel is reported at once. `load` makes a `Kernel` of the result.
"""

import os.path
from typing import NamedTuple

from upscale.errors import ArgumentError
from upscale.kernels import presets, shipped
from upscale.kernels.number_text import is_number, parse_rows, shorten

#: Suffix of a kernel file to whether it may store several arrays, of which FILE:NAME picks one.
SUFFIXES = {
    ".npy": False,
    ".npz": False,
    ".txt": False,
    ".csv": False,
    ".json": False,
    ".safetensors": True,
    ".pt": True,
    ".pth": True,
}

ACCEPTED = (
    f"a preset ({', '.join(presets.PRESETS)}), one that is shipped ({', '.join(shipped.SHIPPED)}), "
    f"a file ({', '.join('*' + s for s in SUFFIXES)}), "
    'or rows typed out such as "1,2,1; 2,4,2; 1,2,1"'
)


class KernelSpec(NamedTuple):
    """A kernel as a user gave it, checked as far as possible without reading its file.

    Attributes
    ----------
    kind : str
        "preset", "shipped", "file" or "typed".
    text : str
        The text that was given.
    path, name : str
        Of a file, and of the array in it; empty if not given.
    rows : tuple of tuple of float
        The numbers, if they were typed.
    """

    kind: str
    text: str
    path: str = ""
    name: str = ""
    rows: tuple[tuple[float, ...], ...] = ()

    @property
    def label(self) -> str:
        """The text, cut if it is too long for a line on the screen."""
        return shorten(self.text)

    @property
    def depends_on_factor(self) -> bool:
        """Whether the factor decides the weights, as for presets and shipped kernels."""
        return self.kind in ("preset", "shipped")


def parse_kernel(text: str) -> KernelSpec:
    """Parse a kernel's name, path or rows. A preset's name wins over a file of that name.

    Raises
    ------
    ArgumentError
        If it is none of them, or the rows have different lengths or contain something other than numbers.

    Examples
    --------
    >>> parse_kernel("1,2; 3,4").rows
    ((1.0, 2.0), (3.0, 4.0))
    """
    if presets.named(text) is not None:
        return KernelSpec("preset", text)
    if text in shipped.SHIPPED:
        return KernelSpec("shipped", text)
    if (file := file_and_name(text)) is not None:
        return KernelSpec("file", text, *file)
    if os.path.isfile(text):
        raise ArgumentError(f"kernel file {text}: its suffix must be one of {', '.join(SUFFIXES)}")
    if any(c in text for c in ",;") or is_number(text):
        return KernelSpec("typed", text, rows=parse_rows(text))
    raise ArgumentError(f"there is no kernel {text!r}; give {ACCEPTED}")


def file_and_name(text: str) -> tuple[str, str] | None:
    """Split FILE or FILE:NAME; return None if it has no suffix of a kernel file."""
    if suffix_of(text) in SUFFIXES:
        return text, ""
    for suffix in (s for s, several in SUFFIXES.items() if several):
        at = text.lower().rfind(suffix + ":")
        if at > 0:
            return text[: at + len(suffix)], text[at + len(suffix) + 1 :]
    return None


def parse_kernel_file(text: str, *, to_write: bool = False) -> tuple[str, str]:
    """Split FILE or FILE:NAME and check it.

    Parameters
    ----------
    text : str
    to_write : bool
        Whether the file is to be written. One that is there is replaced, but not where only one of its tensors is named.

    Raises
    ------
    ArgumentError
        If there is no such format, or the tensor cannot be written. The text begins with what was given.
    """
    found = file_and_name(text)
    if found is None:
        raise ArgumentError(f"{text}: its suffix must be one of {', '.join(SUFFIXES)}")
    path, name = found
    if not name.isprintable():
        raise ArgumentError(f"{text}: a tensor cannot be called {name!r}")
    if to_write and name and os.path.exists(path):
        raise ArgumentError(f"{path}: is there already, and would hold {name} alone; remove it, or write another file")
    return found


def suffix_of(path: str) -> str:
    """Return a path's suffix in lower case, as in `SUFFIXES`."""
    return os.path.splitext(path)[1].lower()

"""Parse what a user gives as a kernel: the name of a preset or of a shipped kernel, a file, or rows of numbers.

This needs neither NumPy nor the file, so that a mistyped kernel is reported at once. `load` makes a `Kernel` of the result.
"""

import os.path
import re
from typing import TYPE_CHECKING, NamedTuple

from upscale.choices import METHOD_SYNONYMS
from upscale.errors import ArgumentError
from upscale.kernels import presets, shipped
from upscale.kernels.number_text import is_number, parse_rows, shorten
from upscale.suggestions import closest, did_you_mean

if TYPE_CHECKING:
    from upscale.kernels.kernel import Kernel

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
    ".onnx": False,
}

ACCEPTED = (
    f"a preset ({', '.join(presets.PRESETS)}), a learned kernel ({', '.join(shipped.SHIPPED)}), "
    f"a file ({', '.join('*' + s for s in SUFFIXES)}), "
    'or rows of numbers such as "1,2,1; 2,4,2; 1,2,1"'
)
_FILES = f"the suffix of a kernel file is one of {', '.join(SUFFIXES)}"


class KernelSpec(NamedTuple):
    """A kernel as a user gave it, checked as far as possible without reading its file.

    Attributes
    ----------
    kind : str
        "preset", "shipped", "file", "typed" or "given".
    text : str
        The text that was given.
    path, name : str
        Of a file, and of the array in it; empty if not given.
    rows : tuple of tuple of float
        The numbers, if they were typed.
    kernel : Kernel or None
        The kernel itself, if a program gave one.
    """

    kind: str
    text: str
    path: str = ""
    name: str = ""
    rows: tuple[tuple[float, ...], ...] = ()
    kernel: "Kernel | None" = None

    @property
    def label(self) -> str:
        """The text, cut if it is too long for a line on the screen."""
        return shorten(self.text)

    @property
    def file_label(self) -> str:
        """What names of files call the kernel: a preset's text, a file's stem, "typed" or "given"."""
        if self.kind in ("typed", "given"):
            return self.kind
        text = os.path.splitext(os.path.basename(self.path))[0] or self.text
        return re.sub(r'[\\/:*?"<>|\0]', "-", text)

    @property
    def depends_on_factor(self) -> bool:
        """Whether the factor decides the weights, as for presets and shipped kernels."""
        return self.kind in ("preset", "shipped")


def parse_kernel(text: str) -> KernelSpec:
    """Parse a kernel's name in any case, its path or its rows. A preset's name wins over a file of that name.

    Raises
    ------
    ArgumentError
        If it is none of them, or the rows have different lengths or contain something other than numbers.

    Examples
    --------
    >>> parse_kernel("1,2; 3,4").rows
    ((1.0, 2.0), (3.0, 4.0))
    """
    name = text.strip().lower()
    if presets.named(name) is not None:
        return KernelSpec("preset", name)
    if name in shipped.SHIPPED:
        return KernelSpec("shipped", name)
    if (file := file_and_name(text)) is not None:
        return KernelSpec("file", text, *file)
    if os.path.exists(text):
        kind = "a folder" if os.path.isdir(text) else "not a kernel file"
        raise ArgumentError(f"{text} is {kind}; {_FILES}")
    if any(c in text for c in ",;") or is_number(text.split()[0] if text.split() else ""):
        return KernelSpec("typed", text, rows=parse_rows(text))
    raise ArgumentError(_unknown(text, name))


def _unknown(text: str, name: str) -> str:
    """Describe a name that is not a kernel, and what there is instead."""
    missing = f"there is no kernel {shorten(text)!r}"
    if METHOD_SYNONYMS.get(name, name) == "nn":
        return f"{missing}: nn, nearest-neighbour unpooling, is a method and has no kernel"
    if re.search(r"\.[a-z]\w*$", name):
        return f"{missing}: {_FILES}"
    if there := next((text + suffix for suffix in SUFFIXES if os.path.isfile(text + suffix)), ""):
        return missing + did_you_mean(there)
    return missing + (did_you_mean(closest_name(text)) or f"; give {ACCEPTED}")


def closest_name(text: str) -> str:
    """Return the preset or shipped kernel whose name is most similar to a text; an empty text if none is similar.

    Examples
    --------
    >>> closest_name("lanczos"), closest_name("gauss:0.4"), closest_name("bicubik")
    ('lanczos3', 'gaussian:0.4', 'bicubic')
    """
    name, colon, parameter = text.partition(":")
    found = presets.SYNONYMS.get(name.strip().lower()) or closest(name, [*presets.PRESETS, *shipped.SHIPPED])
    keeps = found in presets.PRESETS and presets.PRESETS[found].parameter
    return f"{found}{colon}{parameter}" if keeps else found


def given_kernel(kernel: "Kernel") -> KernelSpec:
    """Make the spec of a kernel that a program gave."""
    return KernelSpec("given", kernel.title or "given", kernel=kernel)


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
        raise ArgumentError(f"{path}: already exists and would contain only {name}; remove it, or write another file")
    return found


def suffix_of(path: str) -> str:
    """Return a path's suffix in lower case, as in `SUFFIXES`."""
    return os.path.splitext(path)[1].lower()

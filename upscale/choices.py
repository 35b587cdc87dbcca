"""Names and ways of writing that options and functions share; nothing here needs NumPy."""

from collections.abc import Sequence
from typing import Literal, get_args

MethodName = Literal["nn", "tconv"]
EngineName = Literal["auto", "numba", "numpy"]
#: What lies beyond a picture's border: the operator's own zeros, the outermost values, the picture mirrored or repeated.
EdgeName = Literal["zero", "replicate", "reflect", "wrap"]
#: A number for both axes, or (vertical, horizontal).
Pair = int | Sequence[int]
#: How much of the full output is cropped; the last is ((top, bottom), (left, right)).
Padding = Literal["same"] | Pair | Sequence[Sequence[int]]

METHODS: tuple[str, ...] = get_args(MethodName)
ENGINES: tuple[str, ...] = get_args(EngineName)
EDGES: tuple[str, ...] = get_args(EdgeName)
#: How an array's axes are laid out: (H, W) or (H, W, C), or (C, H, W) or (N, C, H, W).
LAYOUTS = ("hwc", "chw")
#: How PNG is packed: soonest, near the smallest at nearly that speed, or smallest.
COMPRESSIONS = ("fast", "balanced", "small")
#: Bits a sample.
DEPTHS = ("8", "16")
#: Enlargement factor, (vertical, horizontal), if neither the user nor the kernel has one.
DEFAULT_FACTOR = (2, 2)
#: As many pixels as Pillow decodes: a file that claims more is taken for an attack.
MOST_PIXELS = 178_956_970
#: Pixels of an output that nobody means: a factor mistyped. It would fill any disk.
MOST_OUTPUT_PIXELS = 1 << 36


def format_factor(factor: tuple[int, int]) -> str:
    """Write a factor, (vertical, horizontal), as the command line takes it.

    Examples
    --------
    >>> format_factor((2, 2)), format_factor((2, 3))
    ('2', '3x2')
    """
    vertical, horizontal = factor
    return str(horizontal) if vertical == horizontal else f"{horizontal}x{vertical}"


def pluralize(number: int, noun: str) -> str:
    """Write a number of things.

    Examples
    --------
    >>> pluralize(1, "picture"), pluralize(2, "picture")
    ('1 picture', '2 pictures')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"

"""Names and notations that options and functions share; nothing here needs NumPy."""

from collections.abc import Sequence
from typing import Literal, get_args

from upscale.errors import ArgumentError
from upscale.suggestions import closest, did_you_mean

MethodName = Literal["nn", "tconv"]
EngineName = Literal["auto", "numba", "numpy"]
#: What lies beyond a picture's border: the operator's own zeros, the outermost values, the picture mirrored or repeated.
EdgeName = Literal["zero", "replicate", "reflect", "wrap"]
#: A number for both axes, or (vertical, horizontal).
Pair = int | Sequence[int]
#: How much of the full output is cropped; the last is ((top, bottom), (left, right)).
Padding = Literal["same"] | Pair | Sequence[Sequence[int]]

METHODS: tuple[str, ...] = get_args(MethodName)
#: What other programs call the methods.
METHOD_SYNONYMS = dict.fromkeys(("nearest", "nearest-neighbor", "nearest-neighbour", "neighbor", "neighbour"), "nn")
ENGINES: tuple[str, ...] = get_args(EngineName)
EDGES: tuple[str, ...] = get_args(EdgeName)
#: How an array's axes are laid out: (H, W) or (H, W, C), or (C, H, W) or (N, C, H, W).
LAYOUTS = ("hwc", "chw")
#: How PNG is compressed: fastest, nearly smallest at nearly that speed, or smallest.
COMPRESSIONS = ("fast", "balanced", "small")
#: Bits a sample.
DEPTHS = ("8", "16")
#: Chroma of videos: subsampled as it is, or as large as luma.
CHROMAS = ("same", "444")
#: Codecs of videos in containers.
CODECS = ("h264", "h265", "vp9", "av1", "ffv1")
#: Enlargement factor, (vertical, horizontal), if neither the user nor the kernel has one.
DEFAULT_FACTOR = (2, 2)
#: Simple names of colours.
COLOURS = {"black": "000000", "white": "ffffff", "grey": "808080", "gray": "808080", "red": "ff0000", "green": "008000",
           "blue": "0000ff", "yellow": "ffff00", "cyan": "00ffff", "magenta": "ff00ff"}  # fmt: skip
#: Largest factor along one axis unless a user allows more. A sprite of 16 x 16 may become 2048 x 2048; larger numbers are
#: mostly sizes (1920x1080) or percentages (400) that were typed as factors.
MOST_FACTOR = 128
#: As many pixels as Pillow decodes: a file that claims more may be a decompression bomb.
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


def parse_colour(text: str) -> tuple[int, int, int]:
    """Read #rrggbb, #rgb or a simple name as red, green and blue, 0 to 255.

    Raises
    ------
    ArgumentError
        Where it is none of them.

    Examples
    --------
    >>> parse_colour("#f80"), parse_colour("white")
    ((255, 136, 0), (255, 255, 255))
    """
    digits = COLOURS.get(text.lower(), text.removeprefix("#"))
    if len(digits) == 3:
        digits = "".join(2 * d for d in digits)
    try:
        if not digits.isalnum():
            raise ValueError
        red, green, blue = bytes.fromhex(digits)
    except ValueError:
        accepted = did_you_mean(closest(text, COLOURS)) or f"; give #rrggbb or one of {', '.join(COLOURS)}"
        raise ArgumentError(f"{text!r} is not a colour{accepted}") from None
    return red, green, blue

"""The size that a user asks for instead of a factor: one to fit into, an exact one, or a number of pixels.

Nothing here needs NumPy.
"""

import math
import re
from typing import NamedTuple

from upscale.choices import MOST_FACTOR
from upscale.errors import ArgumentError

#: (height, width) in pixels.
Size = tuple[int, int]

#: Largest number of pixels along an axis that anybody can mean.
_MOST = 10**9


class TargetSize(NamedTuple):
    """A size that pictures are to have.

    Attributes
    ----------
    label : str
        What messages call it, such as "--fit 640x480".
    fits : bool
        Whether it is the largest that is allowed, which a whole factor may not reach.
    height, width : int or None
        In pixels. Where one is None, the picture's aspect ratio decides it, or it is not limited.
    percent, megapixels : float or None
        Of the picture's own width and height; of the result. Then, height and width are None.
    """

    label: str
    fits: bool = False
    height: int | None = None
    width: int | None = None
    percent: float | None = None
    megapixels: float | None = None

    def exact(self, size: Size) -> Size:
        """Compute the height and width for those of a picture; not for a size to fit into.

        Raises
        ------
        ArgumentError
            If that is smaller than the picture.
        """
        height, width = size
        if self.height is not None and self.width is not None:
            wanted = self.height, self.width
        elif self.height is not None:
            wanted = self.height, _whole(width * self.height / height)
        elif self.width is not None:
            wanted = _whole(height * self.width / width), self.width
        elif self.percent is not None:
            wanted = _whole(height * self.percent / 100), _whole(width * self.percent / 100)
        else:
            assert self.megapixels is not None
            scale = math.sqrt(self.megapixels * 1e6 / (height * width))
            wanted = _whole(height * scale), _whole(width * scale)
        if wanted[0] < height or wanted[1] < width:
            raise ArgumentError(
                f"{self.label}: {wanted[1]}x{wanted[0]} is smaller than the picture, {width}x{height}; upscale only enlarges"
            )
        return wanted

    def largest_factor(self, size: Size) -> int:
        """Compute the largest whole factor by which a picture still fits; only for a size to fit into.

        Raises
        ------
        ArgumentError
            If the picture itself does not fit.
        """
        limits = ((self.height, size[0]), (self.width, size[1]))
        factor = min(limit // length for limit, length in limits if limit is not None)
        if factor < 1:
            raise ArgumentError(f"{self.label}: the picture, {size[1]}x{size[0]}, is larger; upscale only enlarges")
        return factor

    def stretches(self, size: Size) -> bool:
        """Return whether both sides are given, and neither is within a pixel of what the other says."""
        if self.fits or self.height is None or self.width is None:
            return False
        height, width = size
        return abs(self.height - height * self.width / width) > 1 and abs(self.width - width * self.height / height) > 1


def _whole(length: float) -> int:
    """Round half up, to at least one pixel."""
    return max(1, math.floor(length + 0.5))


def parse_fit(text: str) -> TargetSize:
    """Read WxH, Wx or xH as a size to fit into.

    Raises
    ------
    ArgumentError
        Where it is none of them.

    Examples
    --------
    >>> parse_fit("640x480").largest_factor((100, 200))
    3
    """
    found = _sides(text)
    if found is None:
        raise ArgumentError(f"{text!r} is not a size; give WIDTHxHEIGHT such as 1920x1080, or one of them: 1920x, x1080")
    return TargetSize(f"--fit {text.strip()}", True, *found)


def parse_size(text: str) -> TargetSize:
    """Read WxH, Wx, xH or N% as an exact size.

    Raises
    ------
    ArgumentError
        Where it is none of them.

    Examples
    --------
    >>> parse_size("640x").exact((100, 200)), parse_size("150%").exact((5, 7))
    ((320, 640), (8, 11))
    """
    label, found = f"--size {text.strip()}", _sides(text)
    if found is not None:
        return TargetSize(label, False, *found)
    percent = _number(text.strip().removesuffix("%")) if text.strip().endswith("%") else 0.0
    if percent > 0:
        return TargetSize(label, percent=percent)
    digits, meant = text.strip(), "give WIDTHxHEIGHT such as 1920x1080, one of them (1920x, x1080), or N% such as 150%"
    if digits.isdecimal():
        meant = f"{digits}x is a width, x{digits} a height, {digits}% a percentage"
        if len(digits) < 4 and 0 < int(digits) <= MOST_FACTOR:
            meant += f"; --factor {digits} makes pictures {digits} times larger"
    raise ArgumentError(f"{text!r} is not a size; {meant}")


def parse_megapixels(text: str) -> TargetSize:
    """Read a number of millions of pixels.

    Raises
    ------
    ArgumentError
        Where it is not a positive number.

    Examples
    --------
    >>> parse_megapixels("8").exact((1000, 2000))
    (2000, 4000)
    """
    number = _number(re.sub(r"\s*(mp|mpx|mpix|m)$", "", text.strip().lower()))
    if not number > 0:
        raise ArgumentError(f"{text!r} is not a number of megapixels; give one such as 12 or 2.5")
    return TargetSize(f"--megapixels {text.strip()}", megapixels=number)


def _sides(text: str) -> tuple[int | None, int | None] | None:
    """Read WxH, Wx or xH as (height, width); None where it is none of them."""
    found = re.fullmatch(r"(\d*)\s*[x×*]\s*(\d*)", re.sub(r"px|pixels?", "", text.strip().lower()).strip(), re.ASCII)
    if found is None or not (found[1] or found[2]):
        return None
    width, height = (int(side) if side and len(side) < 11 else None if not side else 0 for side in found.groups())
    return None if 0 in (width, height) or max(width or 1, height or 1) > _MOST else (height, width)


def _number(text: str) -> float:
    """Read a positive number in digits with at most one point or comma; 0 where it is none."""
    found = re.fullmatch(r"\d{1,9}(?:[.,]\d{1,9})?", text.strip(), re.ASCII)
    return float(text.replace(",", ".")) if found else 0.0


def asked_size(factor: object, **sizes: object) -> TargetSize | None:
    """Read the size that a program asks for in place of a factor, if it does.

    Parameters
    ----------
    factor : int or (int, int), optional
    **sizes
        `size` and `fit`: (height, width), of which one may be None; `size` may also be a percentage such as "150%".
        `megapixels`: a number. None stands for no value.

    Raises
    ------
    ArgumentError
        Where a value cannot work, or there are several.
    """
    given = {name: value for name, value in sizes.items() if value is not None}
    if len(given) + (factor is not None) > 1:
        raise ArgumentError("only one of factor, size, fit and megapixels can be given")
    return next((_asked(name, value) for name, value in given.items()), None)


def _asked(option: str, value: object) -> TargetSize:
    label = f"{option} {value!r}"
    if option == "megapixels":
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
            raise ArgumentError(f"megapixels must be a positive number, not {value!r}")
        return TargetSize(label, megapixels=float(value))
    if option == "size" and isinstance(value, str) and value.strip().endswith("%"):
        return parse_size(value)._replace(label=label)
    sides = tuple(value) if isinstance(value, tuple | list) else ()
    whole = len(sides) == 2 and any(s is not None for s in sides)
    if not whole or not all(s is None or (isinstance(s, int) and not isinstance(s, bool) and 0 < s <= _MOST) for s in sides):
        also = ', or a percentage such as "150%"' if option == "size" else ""
        raise ArgumentError(f"{option} must be (height, width), one of which may be None{also}, not {value!r}")
    return TargetSize(label, option == "fit", *sides)

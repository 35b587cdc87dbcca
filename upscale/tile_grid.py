"""The tiles of a sprite sheet, tile map or texture atlas: their size, and how far they are apart.

Nothing here needs NumPy.
"""

import re
from typing import NamedTuple

from upscale.errors import ArgumentError


class TileGrid(NamedTuple):
    """Tiles of one size, side by side.

    Attributes
    ----------
    height, width : int
        Of a tile, in pixels.
    spacing : int
        Pixels between two tiles.
    margin : int or None
        Pixels around all of them; None if that is 0 or the spacing, whichever a picture's size allows.
    label : str
        As the user gave them, for messages.
    """

    height: int
    width: int
    spacing: int = 0
    margin: int | None = 0
    label: str = "tile"

    def begins(self, size: tuple[int, int]) -> tuple[range, range]:
        """Return the first row of each row of tiles, and the first column of each column of tiles.

        Raises
        ------
        ArgumentError
            If a picture of this height and width is not a whole number of tiles.
        """
        for margin in (0, self.spacing) if self.margin is None else (self.margin,):
            axes = tuple(
                _begins(length, tile, self.spacing, margin)
                for length, tile in zip(size, (self.height, self.width), strict=True)
            )
            if axes[0] is not None and axes[1] is not None:
                return axes[0], axes[1]
        raise ArgumentError(f"{self.label}: {size[1]}x{size[0]} pixels are not a whole number of tiles")

    def enlarged(self, factor: tuple[int, int]) -> "TileGrid":
        """Return the tiles of a picture that was enlarged by a factor, the same in both directions.

        Raises
        ------
        ArgumentError
            If the factor differs, and there are pixels between or around the tiles.
        """
        vertical, horizontal = factor
        if vertical != horizontal and (self.spacing or self.margin):
            raise ArgumentError(f"{self.label}: needs the same factor in both directions")
        margin = None if self.margin is None else self.margin * vertical
        return TileGrid(self.height * vertical, self.width * horizontal, self.spacing * vertical, margin, self.label)


def _begins(length: int, tile: int, spacing: int, margin: int) -> range | None:
    """Return where tiles begin along an axis; None if they do not fill it."""
    number, left = divmod(length - 2 * margin + spacing, tile + spacing)
    return None if left or number < 1 else range(margin, length - margin, tile + spacing)


def parse_tiles(text: str) -> TileGrid:
    """Read WxH, WxH+SPACING or WxH+SPACING+MARGIN.

    Raises
    ------
    ArgumentError
        Where it is none of them.

    Examples
    --------
    >>> parse_tiles("16x24+1").begins((49, 67))
    (range(0, 49, 25), range(0, 67, 17))
    """
    found = re.fullmatch(r"(\d{1,6})(?:[x×*](\d{1,6}))?(?:\+(\d{1,6}))?(?:\+(\d{1,6}))?", text.strip().lower(), re.ASCII)
    sides = [int(side) for side in found.groups() if side is not None] if found else [0]
    if found is None or found[2] is None or min(sides[:2]) < 1:
        raise ArgumentError(
            f"{text!r} is not a tile; give WIDTHxHEIGHT such as 16x16, +N for N pixels between tiles, then +M for M around all"
        )
    spacing, margin = int(found[3] or 0), int(found[4]) if found[4] is not None else None if found[3] else 0
    return TileGrid(sides[1], sides[0], spacing, margin if spacing or margin else 0, f"--tile {text.strip()}")


def asked_tiles(value: object) -> TileGrid:
    """Make a `TileGrid` of an argument of the library: (height, width), then perhaps the spacing and the margin.

    Raises
    ------
    ArgumentError
        Where it is something else.
    """
    numbers = tuple(value) if isinstance(value, tuple | list) else ()
    whole = all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in numbers)
    if not 2 <= len(numbers) <= 4 or not whole or 0 in numbers[:2]:
        raise ArgumentError(f"tile must be (height, width), (height, width, spacing) or that and the margin, not {value!r}")
    spacing, margin = (*numbers[2:], 0, 0)[:2]
    unknown = len(numbers) == 3 and spacing > 0
    return TileGrid(numbers[0], numbers[1], spacing, None if unknown else margin, f"tile={value!r}")

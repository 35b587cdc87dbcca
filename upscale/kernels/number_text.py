"""Rows of numbers as text: "1,2,1; 2,4,2". Nothing here needs NumPy."""

import math

from upscale.errors import ArgumentError

#: Longest text that a message repeats in full.
_LONGEST = 60


def parse_rows(text: str, what: str = "kernel") -> tuple[tuple[float, ...], ...]:
    """Parse rows of numbers, with semicolons between rows and commas or blanks between numbers.

    Parameters
    ----------
    text : str
    what : str
        What the rows are, for messages.

    Raises
    ------
    ArgumentError
        If there are no numbers, the rows have different lengths, or a cell is not a finite number.

    Examples
    --------
    >>> parse_rows("1,2; 3,4")
    ((1.0, 2.0), (3.0, 4.0))
    """
    rows = [_cells(row) for row in text.strip().strip(";").split(";")]
    for position, row in enumerate(rows, 1):
        where = f"{what} {_quoted(text)}" + (f", row {position}" if len(rows) > 1 else "")
        for number in row:
            if not number:
                raise ArgumentError(f"{where}: a number is missing between two commas")
            if not is_number(number):
                hint = "; use semicolons between rows" if len(number.split()) > 1 else ""
                raise ArgumentError(f"{where}: {_quoted(number)} is not a number{hint}")
            if not math.isfinite(float(number)):
                raise ArgumentError(f"{where}: {number} is not a finite number")
    widths = [len(row) for row in rows]
    if len(set(widths)) > 1:
        raise ArgumentError(f"{what} {_quoted(text)}: its rows have different lengths: {', '.join(map(str, widths[:20]))}")
    if not widths[0]:
        raise ArgumentError(f"{what} {_quoted(text)} has no numbers")
    return tuple(tuple(float(n) for n in row) for row in rows)


def is_number(text: str) -> bool:
    """Return whether a text is one number; Python's underscores between digits are not accepted."""
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def shorten(text: str) -> str:
    """Cut a text that is too long for a line on the screen."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _cells(row: str) -> list[str]:
    """Split a row at commas, between which a number must stand, or else at blanks."""
    return [cell.strip() for cell in row.split(",")] if "," in row else row.split()


def _quoted(text: str) -> str:
    return repr(shorten(text))

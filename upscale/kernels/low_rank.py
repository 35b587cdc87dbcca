"""Weights as outer products: exact factors of rank 1, and short sums of outer products.

The loops filter rows and columns one after another for such a kernel, which takes fewer multiplications.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Factors1D(NamedTuple):
    """A kernel of rank 1 as the outer product of a column and a row.

    Attributes
    ----------
    vertical, horizontal : ndarray, shape (kH,) and (kW,)
    exact : bool
        Whether their product equals the weights to the rounding of float64, and not only to that of float32.
    """

    vertical: Floats
    horizontal: Floats
    exact: bool


def factor_rank_1(weights: Floats) -> Factors1D | None:
    """Write weights (kH, kW) of rank 1 as an outer product; None if they have another rank.

    Whole and dyadic weights are factored exactly. Weights that were stored as float32 are off by up to 6e-8 each; so much is
    allowed, relative to each weight and not to the largest.
    """
    y, x = np.unravel_index(np.abs(weights).argmax(), weights.shape)
    if weights[y, x] == 0:
        return None
    row = weights[y]
    if (row == np.rint(row)).all() and np.abs(row).max() < 2**53:
        row = row / np.gcd.reduce(row.astype(np.int64))  # makes the column whole too
    column = weights[:, x] / row[x]
    difference, size = np.abs(np.outer(column, row) - weights), np.abs(weights)
    if (difference > 2.0**-21 * size).any():
        return None
    return Factors1D(column, row, bool((difference <= 2.0**-50 * size).all()))


def sum_of_outer_products(weights: Floats, max_terms: int) -> tuple[Floats, Floats] | None:
    """Write weights (kH, kW) as a sum of at most `max_terms` outer products, to the rounding of float32.

    Each term is the row and the column of the largest remaining weight (cross approximation with full pivoting; Bebendorf,
    "Approximation of boundary element matrices", 2000). Unlike singular vectors, they are the same on every machine.

    Returns
    -------
    (ndarray, ndarray) or None
        Columns (terms, kH) and rows (terms, kW); None if that takes more terms.
    """
    rest, size = weights.copy(), np.abs(weights)
    if not size.any():
        return None
    columns, rows = list[Floats](), list[Floats]()
    while len(rows) < max_terms:
        y, x = np.unravel_index(np.abs(rest).argmax(), rest.shape)
        columns.append(rest[:, x].copy())
        rows.append(rest[y] / rest[y, x])
        rest -= np.outer(columns[-1], rows[-1])
        rest[y], rest[:, x] = 0, 0
        if np.abs(rest).max() <= 2.0**-22 * size.max():  # weights that were stored as float32 leave half of that
            # Terms that cancel each other would round off more than the weights themselves do.
            magnitude = sum(np.abs(c).sum() * np.abs(r).sum() for c, r in zip(columns, rows, strict=True))
            return (np.array(columns), np.array(rows)) if magnitude <= 4 * size.sum() else None
    return None


class OuterProducts:
    """The sums of outer products that were found for some weights, remembered, since the search takes long.

    Parameters
    ----------
    weights : ndarray, shape (kH, kW)
    """

    def __init__(self, weights: Floats) -> None:
        self._weights = weights
        self._searched = 0
        self._found: tuple[Floats, Floats] | None = None

    def at_most(self, max_terms: int) -> tuple[Floats, Floats] | None:
        """Return columns (terms, kH) and rows (terms, kW); None if there is no such sum of at most so many terms."""
        if self._found is None and self._searched < max_terms:
            self._searched, self._found = max_terms, sum_of_outer_products(self._weights, max_terms)
        return self._found if self._found is not None and len(self._found[0]) <= max_terms else None

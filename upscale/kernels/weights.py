"""The weights of a `Kernel`, and what is derived from them, computed when it is first needed."""

from functools import cached_property
from typing import Any

import numpy as np

from upscale.argument_checks import read_only_view
from upscale.kernels.low_rank import Factors1D, Floats, OuterProducts, factor_rank_1
from upscale.kernels.presets import Filter


class Weights:
    """Weights that a user gave; copies of a kernel share them.

    Parameters
    ----------
    array : ndarray of float64, shape (kH, kW) or (C, M / groups, kH, kW)
        Not changed any more.
    """

    def __init__(self, array: Floats) -> None:
        self._given, self.ndim = array, array.ndim

    @property
    def filter(self) -> Filter | None:
        """The preset that the weights were sampled from; None if there is none."""
        return None

    @property
    def array(self) -> Floats:
        """The weights, read-only."""
        return read_only_view(self._given)

    @cached_property
    def factors_1d(self) -> Factors1D | None:
        """The weights as an outer product, or None if they are none."""
        return factor_rank_1(self.array) if self.ndim == 2 else None

    @cached_property
    def outer_products(self) -> OuterProducts:
        """The weights as sums of outer products."""
        return OuterProducts(self.array)

    def equal(self, other: "Weights") -> bool:
        """Return whether other weights are the same."""
        return self is other or np.array_equal(self.array, other.array)


class PresetWeights(Weights):
    """Weights of a preset, which are sampled when they are first needed.

    Parameters
    ----------
    filter : Filter
    factor : (int, int)
        Vertical and horizontal.
    """

    def __init__(self, filter: Filter, factor: tuple[int, int]) -> None:
        self._filter, self._factor, self.ndim = filter, factor, 2

    @property
    def filter(self) -> Filter:
        """The preset that the weights are sampled from."""
        return self._filter

    @cached_property
    def factors_1d(self) -> Factors1D:
        """The weights as an outer product."""
        vertical, horizontal = (np.array(self._filter.sample(factor)) for factor in self._factor)
        return Factors1D(vertical, horizontal, exact=True)

    @cached_property
    def array(self) -> Floats:
        """The weights, read-only."""
        return read_only_view(np.outer(self.factors_1d.vertical, self.factors_1d.horizontal))

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what can be sampled again."""
        return {"_filter": self._filter, "_factor": self._factor, "ndim": self.ndim}

    def equal(self, other: Weights) -> bool:
        """Return whether other weights are the same, without sampling them if both are of one preset."""
        if isinstance(other, PresetWeights) and (self._filter, self._factor) == (other._filter, other._factor):
            return True
        return super().equal(other)

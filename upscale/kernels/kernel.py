"""The `Kernel` value: weights of a transposed convolution and what belongs to them."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Never

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from upscale.argument_checks import as_array, factor_pair, is_same_padding, paddings
from upscale.errors import ArgumentError
from upscale.kernels.corrections import Corrections
from upscale.kernels.low_rank import Factors1D, Floats, OuterProducts, factor_rank_1
from upscale.kernels.presets import Filter

#: Longest side of a kernel that a user gives.
LONGEST = 1024

Sides = tuple[tuple[int, int], tuple[int, int]]


class Kernel:
    """Weights of a transposed convolution, and everything that belongs to them. A kernel cannot be changed.

    Parameters
    ----------
    weights : array_like, shape (kH, kW) or (C, M / groups, kH, kW)
        Finite numbers, kept as float64, at most 1024 a side. With 2 dimensions they apply to each channel separately; with 4
        they make M channels of C.
    normalized : bool
        Make the weights that reach each output pixel sum to 1, so that a flat picture stays flat.
    factor : int or (int, int), optional
        The stride that the weights were made for; (vertical, horizontal).
    padding : "same", int, (int, int) or ((top, bottom), (left, right)), optional
        How much of the full output is cropped at each side; None leaves it to the caller.
    bias : array_like, shape (M,), or (1,) for weights of 2 dimensions, optional
        Added to each output channel; 1 is full scale.
    groups : int
        For weights of 4 dimensions.
    title : str
    training : str
        What it was learned from, as JSON; empty if it was not learned.
    corrections : Corrections, optional
        What makes it adaptive: one of them is chosen for each input pixel. For weights of 2 dimensions that are normalised, and
        the same factor along both axes.
    bias_tensor : str
        Name of a bias that the weights' file stores too, and which this kernel does not have; empty if there is none.

    Attributes
    ----------
    shape : (int, int)
        Height and width, (kH, kW).
    normalized, factor, padding, bias, groups, title, training, corrections, bias_tensor
        As they were given; factor and padding as pairs, and the bias as an array.

    Raises
    ------
    ArgumentError
        If values do not fit each other.

    Examples
    --------
    The weights are applied as they are, which leaves a checkerboard, unless they are normalised.

    >>> import numpy as np
    >>> import upscale
    >>> kernel = upscale.Kernel([[1, 2, 3]], factor=(1, 2))
    >>> upscale.enlarge(np.ones((1, 3)), None, "tconv", kernel)
    array([[1., 2., 4., 2., 4., 2.]])
    >>> upscale.enlarge(np.ones((1, 3)), None, "tconv", kernel.with_normalized(True))
    array([[1., 1., 1., 1., 1., 1.]])
    >>> kernel.shape, kernel.factor, kernel.normalized
    ((1, 3), (1, 2), False)
    """

    # What `Kernel.preset` does not set is as here.
    shape: tuple[int, int]
    normalized: bool
    factor: tuple[int, int] | None
    padding: str | Sides | None = None
    bias: Floats | None = None
    groups: int = 1
    title: str = ""
    training: str = ""
    corrections: Corrections | None = None
    bias_tensor: str = ""
    _weights: "_Weights"

    def __init__(
        self,
        weights: ArrayLike,
        *,
        normalized: bool = False,
        factor: int | Sequence[int] | None = None,
        padding: Any = None,
        bias: ArrayLike | None = None,
        groups: int = 1,
        title: str = "",
        training: str = "",
        corrections: Corrections | None = None,
        bias_tensor: str = "",
    ) -> None:
        array = finite_numbers(weights, "the kernel")
        if array.ndim not in (2, 4):
            raise ArgumentError(
                f"a kernel has 2 dimensions (kH, kW) or 4 (C, M / groups, kH, kW), this one has {array.ndim}: {array.shape}"
            )
        if max(array.shape[-2:]) > LONGEST:
            raise ArgumentError(
                f"a kernel has at most {LONGEST} weights a side, this one is {array.shape[-1]}x{array.shape[-2]}"
            )
        if groups < 1 or (array.ndim == 2 and groups > 1) or (array.ndim == 4 and array.shape[0] % groups):
            raise ArgumentError(f"groups={groups} does not fit a kernel of shape {array.shape}")
        pair = None if factor is None else factor_pair(factor)
        if corrections is not None and (array.ndim != 2 or not normalized or pair != (corrections.factor,) * 2):
            raise ArgumentError("a bank of corrections goes with a normalised kernel of 2 dimensions, made for the same factor")
        offsets = None if bias is None else np.atleast_1d(finite_numbers(bias, "the bias"))
        wanted = 1 if array.ndim == 2 else array.shape[1] * groups
        if offsets is not None and offsets.shape != (wanted,):
            raise ArgumentError(f"the bias of a kernel of shape {array.shape} must be ({wanted},), not {offsets.shape}")
        self.__dict__.update(
            shape=array.shape[-2:],
            normalized=normalized,
            factor=pair,
            padding=padding if is_same_padding(padding) else paddings(padding),
            bias=offsets,
            groups=groups,
            title=title,
            training=training,
            corrections=corrections,
            bias_tensor=bias_tensor,
            _weights=_Weights(array),
        )

    @classmethod
    def _of(cls, **attributes: Any) -> "Kernel":
        """Make a kernel of attributes that are known to fit each other."""
        kernel = cls.__new__(cls)
        kernel.__dict__.update(attributes)
        return kernel

    @classmethod
    def preset(cls, filter: Filter, factor: tuple[int, int]) -> "Kernel":
        """Make the kernel of a preset for a factor.

        Parameters
        ----------
        filter : Filter
            From `presets.named`.
        factor : (int, int)
            Vertical and horizontal.

        Returns
        -------
        Kernel
            Of rank 1. Its weights are sampled when they are first used: at an absurd factor, the output's size is refused
            first.
        """
        return cls._of(
            shape=(filter.length(factor[0]), filter.length(factor[1])),
            normalized=filter.normalized,
            factor=factor,
            title=filter.name,
            _weights=_PresetWeights(filter, factor),
        )

    def with_normalized(self, normalized: bool) -> "Kernel":
        """Copy the kernel with its weights normalised, or not."""
        return self._of(**self.__dict__ | {"normalized": normalized})

    def replaced(self, **changes: Any) -> "Kernel":
        """Copy the kernel with other values of its parameters, which are checked again."""
        names = (
            "weights",
            "normalized",
            "factor",
            "padding",
            "bias",
            "groups",
            "title",
            "training",
            "corrections",
            "bias_tensor",
        )
        return Kernel(**{name: getattr(self, name) for name in names} | changes)

    def repeated(self, times: int) -> "Kernel":
        """Repeat a kernel of 4 dimensions for so many pictures whose channels lie side by side: each picture is a group."""
        bias = None if self.bias is None else np.tile(self.bias, times)
        return self.replaced(weights=np.tile(self.weights, (times, 1, 1, 1)), bias=bias, groups=self.groups * times)

    @property
    def weights(self) -> Floats:
        """The weights, (kH, kW) or (C, M / groups, kH, kW), before any normalising."""
        return self._weights.array

    @property
    def factors_1d(self) -> tuple[Floats, Floats] | None:
        """The vertical and the horizontal factor of a kernel of rank 1, (kH,) and (kW,), else None."""
        factors = self._weights.factors_1d
        return None if factors is None else (factors.vertical, factors.horizontal)

    def factors_1d_for(self, dtype: DTypeLike) -> tuple[Floats, Floats] | None:
        """Return `factors_1d` if their product equals the weights to the rounding of the floats that are computed in."""
        factors = self._weights.factors_1d
        return None if factors is None or not (factors.exact or dtype == np.float32) else self.factors_1d

    def terms(self, dtype: DTypeLike, max_terms: int) -> tuple[Floats, Floats] | None:
        """Write a kernel of 2 dimensions as a sum of at most so many outer products, to the rounding of what is computed in.

        More than one are only searched for if 32-bit floats are computed in.

        Returns
        -------
        (ndarray, ndarray) or None
            Vertical (terms, kH) and horizontal (terms, kW); None if it takes more terms.
        """
        if (factors := self.factors_1d_for(dtype)) is not None:
            return factors[0][None], factors[1][None]
        if max_terms < 2 or dtype != np.float32 or self.weights.ndim != 2:
            return None
        return self._weights.outer_products.at_most(max_terms)

    @property
    def channels(self) -> tuple[int, int] | None:
        """How many channels a kernel of 4 dimensions takes and makes; None for one that applies to each channel separately."""
        if self._weights.ndim == 2:
            return None
        return self.weights.shape[0], self.weights.shape[1] * self.groups

    def __setattr__(self, name: str, value: Any) -> Never:
        raise AttributeError(f"a kernel cannot be changed; kernel.replaced({name}=...) makes another one")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError("a kernel cannot be changed")


class _Weights:
    """Weights and what is derived from them, computed when it is first needed; copies of a kernel share them."""

    def __init__(self, array: Floats) -> None:
        self.array, self.ndim = array, array.ndim

    @cached_property
    def factors_1d(self) -> Factors1D | None:
        return factor_rank_1(self.array) if self.ndim == 2 else None

    @cached_property
    def outer_products(self) -> OuterProducts:
        return OuterProducts(self.array)


class _PresetWeights(_Weights):
    """Weights of a preset, which are sampled when they are first needed."""

    def __init__(self, filter: Filter, factor: tuple[int, int]) -> None:
        self._filter, self._factor, self.ndim = filter, factor, 2

    @cached_property
    def factors_1d(self) -> Factors1D:
        vertical, horizontal = (np.array(self._filter.sample(factor)) for factor in self._factor)
        return Factors1D(vertical, horizontal, exact=True)

    @cached_property
    def array(self) -> Floats:  # type: ignore[override]
        return np.outer(self.factors_1d.vertical, self.factors_1d.horizontal)


def finite_numbers(value: ArrayLike, name: str) -> Floats:
    """Convert to float64 finite real numbers, at least one, that 32-bit floats can store.

    Raises
    ------
    ArgumentError
        If there are others; the text begins with `name`.
    """
    array = as_array(value, name)
    if array.dtype.kind not in "biuf":
        raise ArgumentError(f"{name} is made of real numbers, not of {array.dtype}")
    if not array.size:
        raise ArgumentError(f"{name} has no elements: its shape is {array.shape}")
    with np.errstate(all="ignore"):  # what is too large for float64 becomes infinity, which is refused below
        array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise ArgumentError(f"{name} contains NaN or infinity")
    if np.abs(array).max() > np.finfo(np.float32).max:
        raise ArgumentError(f"{name} has numbers beyond what 32-bit floats hold")
    return array

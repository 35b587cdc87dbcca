"""The `Kernel` value: weights of a transposed convolution and what belongs to them."""

from __future__ import annotations  # so that `help` shows the short names of types

import os
from typing import Any, Never, cast

import numpy as np
from numpy.typing import DTypeLike

from upscale.argument_checks import AnyArray, as_array, factor_pair, is_same_padding, paddings, read_only_view
from upscale.choices import Padding, Pair
from upscale.errors import ArgumentError
from upscale.kernels.chain import Chain
from upscale.kernels.corrections import Corrections
from upscale.kernels.layers import Layers
from upscale.kernels.lazy_imports import lazy_function
from upscale.kernels.low_rank import Floats
from upscale.kernels.normalize import phase_sums
from upscale.kernels.presets import Filter
from upscale.kernels.weights import PresetWeights, Weights

#: Longest side of a kernel that a user gives.
LONGEST = 1024

Sides = tuple[tuple[int, int], tuple[int, int]]


class Kernel:
    """The weights of a transposed convolution, and the settings that belong to them.

    Kernels are immutable and can be pickled. Two kernels are equal if they give the same results for every picture: title and
    training do not count, and no padding is the same as "same". Notebooks show a kernel as a figure if matplotlib is installed.

    Parameters
    ----------
    weights : array_like, shape (kH, kW) or (C, M / groups, kH, kW)
        Finite numbers, stored as float64, at most 1024 a side. With 2 dimensions they apply to each channel separately; with 4
        they turn C channels into M.
    normalized : bool
        Make the weights that reach each output pixel sum to 1, so that a flat picture stays flat.
    factor : int or (int, int), optional
        The stride that the weights were made for; (vertical, horizontal).
    padding : "same", int, (int, int) or ((top, bottom), (left, right)), optional
        How much of the full output is cropped at each side; None leaves it to the caller.
    bias : array_like, shape (M,), or (1,) for weights of 2 dimensions, optional
        Added to each output channel; 1 is full scale.
    groups : int
        Number of channel groups, as in PyTorch; for weights of 4 dimensions.
    title : str
    training : str
        What it was learned from, as JSON; empty if it was not learned.
    corrections : Corrections, optional
        They make the kernel adaptive: one of them is chosen for each input pixel. Only for normalised weights of 2 dimensions
        and the same factor along both axes.
    layers : Layers, optional
        They make the kernel deep: what a short chain of convolutions sees in luma is added. For the same kernels as
        corrections, and not together with them.
    chain : Chain, optional
        Convolutions that a picture's channels pass before the weights, which have 4 dimensions: together, a small network.
    adds_input : bool
        Add the input, enlarged by nn, to what the network makes; only with a chain that takes as many channels as the weights
        make.
    bias_tensor : str
        Name of a bias that the weights' file stores too, and which this kernel does not have; empty if there is none.

    Attributes
    ----------
    shape : (int, int)
        Height and width, (kH, kW).
    normalized, factor, padding, bias, groups, title, training, corrections, layers, chain, adds_input, bias_tensor
        As they were given; factor and padding as pairs, and the bias as an array.

    Raises
    ------
    ArgumentError
        If a value is invalid, or values do not fit together.

    Examples
    --------
    Unless a kernel is normalised, its weights are used as they are, which may leave a checkerboard.

    >>> import numpy as np
    >>> import upscale
    >>> kernel = upscale.Kernel([[1, 2, 3]], factor=(1, 2))
    >>> upscale.enlarge(np.ones((1, 3)), None, "tconv", kernel)
    array([[1., 2., 4., 2., 4., 2.]])
    >>> upscale.enlarge(np.ones((1, 3)), None, "tconv", kernel.with_normalized(True))
    array([[1., 1., 1., 1., 1., 1.]])
    >>> kernel
    <Kernel: shape (1, 3), factor (1, 2), gain 2 to 4>
    >>> kernel == upscale.Kernel([[1, 2, 3]], factor=(1, 2))
    True
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
    layers: Layers | None = None
    chain: Chain | None = None
    adds_input: bool = False
    bias_tensor: str = ""
    _weights: Weights

    def __init__(
        self,
        weights: AnyArray,
        *,
        normalized: bool = False,
        factor: Pair | None = None,
        padding: Padding | None = None,
        bias: AnyArray | None = None,
        groups: int = 1,
        title: str = "",
        training: str = "",
        corrections: Corrections | None = None,
        layers: Layers | None = None,
        chain: Chain | None = None,
        adds_input: bool = False,
        bias_tensor: str = "",
    ) -> None:
        array = finite_numbers(weights, "the kernel")
        if array.ndim not in (2, 4):
            raise ArgumentError(
                f"a kernel must have 2 dimensions (kH, kW) or 4 (C, M / groups, kH, kW), not {array.ndim}: {array.shape}"
            )
        if max(array.shape[-2:]) > LONGEST:
            raise ArgumentError(
                f"a kernel has at most {LONGEST} weights a side, this one is {array.shape[-1]}x{array.shape[-2]}"
            )
        if groups < 1 or (array.ndim == 2 and groups > 1) or (array.ndim == 4 and array.shape[0] % groups):
            raise ArgumentError(f"groups={groups} does not fit a kernel of shape {array.shape}")
        pair = None if factor is None else factor_pair(factor)
        for added in (corrections, layers):
            if added is not None and (array.ndim != 2 or not normalized or pair != (added.factor,) * 2):
                raise ArgumentError("corrections and layers need a normalised kernel of 2 dimensions for the same factor")
        if corrections is not None and layers is not None:
            raise ArgumentError("a kernel is either adaptive or deep: it cannot have both corrections and layers")
        if chain is not None and (array.ndim != 4 or groups > 1 or normalized or array.shape[0] != chain.channels[1]):
            raise ArgumentError(
                f"a chain that makes {chain.channels[1]} channels needs weights of 4 dimensions that take as many, not "
                f"normalised and of one group, not {array.shape}"
            )
        if adds_input and (chain is None or pair is None or chain.channels[0] != array.shape[1]):
            raise ArgumentError(
                "the input can only be added by a network that makes as many channels as it takes, for a factor"
            )
        offsets = None if bias is None else read_only_view(np.atleast_1d(finite_numbers(bias, "the bias")))
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
            layers=layers,
            chain=chain,
            adds_input=adds_input,
            bias_tensor=bias_tensor,
            _weights=Weights(array),
        )

    @classmethod
    def load(cls, source: str | os.PathLike[str], factor: Pair | None = None) -> Kernel:
        """Load a kernel from anything that `upscale --kernel` accepts.

        Parameters
        ----------
        source : str or path
            The name of a preset or a shipped kernel, a kernel file, FILE:NAME for one of several tensors, or rows of numbers
            such as ``"1,2,1; 2,4,2; 1,2,1"``. A path object is always a file.
        factor : int or (int, int), optional
            The stride; (vertical, horizontal). Presets and shipped kernels are made for it, by default for 2; weights without a
            factor of their own get it.

        Raises
        ------
        ArgumentError
            If there is no such kernel, or it is made for another factor.
        FileError
            If the file cannot be read as a kernel.

        Examples
        --------
        >>> import upscale
        >>> upscale.Kernel.load("bicubic", 3)
        <Kernel 'bicubic': shape (11, 11), factor (3, 3), gain 1 (normalized)>
        >>> upscale.Kernel.load("1,2; 3,4", 2).weights.tolist()
        [[1.0, 2.0], [3.0, 4.0]]
        """
        return cast("Kernel", lazy_function("load_kernel")(source, None if factor is None else factor_pair(factor)))

    def save(self, path: str | os.PathLike[str]) -> list[str]:
        """Write the kernel to a file, completely or not at all. An existing file is replaced.

        Parameters
        ----------
        path : str or path
            Its suffix decides the format: .npz stores everything; .npy, .txt, .csv, .json, .safetensors, .pt and .pth store the
            weights, the last three also a bias. FILE:NAME names the tensor in these three.

        Returns
        -------
        list of str
            What the file cannot store, and which option of `upscale` replaces it; empty if it stores everything.

        Raises
        ------
        ArgumentError
            If there is no format of that suffix, or FILE:NAME would replace a file that may have other tensors.
        FileError
            If the format cannot store the weights, or the file cannot be written.
        """
        return cast("list[str]", lazy_function("save_kernel")(path, self))

    @classmethod
    def _of(cls, **attributes: Any) -> Kernel:
        """Make a kernel of attributes that are known to fit each other."""
        kernel = cls.__new__(cls)
        kernel.__dict__.update(attributes)
        return kernel

    @classmethod
    def preset(cls, filter: Filter, factor: tuple[int, int]) -> Kernel:
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
            _weights=PresetWeights(filter, factor),
        )

    def with_normalized(self, normalized: bool) -> Kernel:
        """Copy the kernel with its weights normalised, or not."""
        return self._of(**self.__dict__ | {"normalized": normalized})

    def replaced(self, **changes: Any) -> Kernel:
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
            "layers",
            "chain",
            "adds_input",
            "bias_tensor",
        )
        return Kernel(**{name: getattr(self, name) for name in names} | changes)

    def repeated(self, times: int) -> Kernel:
        """Repeat a kernel of 4 dimensions for so many pictures whose channels lie side by side: each picture is a group."""
        bias = None if self.bias is None else np.tile(self.bias, times)
        return self.replaced(weights=np.tile(self.weights, (times, 1, 1, 1)), bias=bias, groups=self.groups * times)

    @property
    def weights(self) -> Floats:
        """The weights, (kH, kW) or (C, M / groups, kH, kW), before any normalising."""
        return self._weights.array

    @property
    def filter(self) -> Filter | None:
        """The preset that the weights were sampled from; None for other weights."""
        return self._weights.filter

    @property
    def factors_1d(self) -> tuple[Floats, Floats] | None:
        """The vertical and the horizontal factor of a kernel of rank 1, (kH,) and (kW,), else None."""
        factors = self._weights.factors_1d
        return None if factors is None else (read_only_view(factors.vertical), read_only_view(factors.horizontal))

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
        """The numbers of input and output channels of a kernel of 4 dimensions, its chain included; None for a kernel of 2."""
        if self._weights.ndim == 2:
            return None
        taken = self.weights.shape[0] if self.chain is None else self.chain.channels[0]
        return taken, self.weights.shape[1] * self.groups

    def check_factor(self, factor: tuple[int, int] | None) -> None:
        """Check that the kernel may be used with a factor, (vertical, horizontal).

        Raises
        ------
        ArgumentError
            If it is made for another one.
        """
        if factor and self.factor and factor != self.factor:
            (v, h), (kv, kh) = factor, self.factor
            raise ArgumentError(f"the kernel is made for factor {kh}x{kv} (width x height), not for {h}x{v}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Kernel):
            return NotImplemented
        return (
            self._settings == other._settings
            and self.corrections == other.corrections
            and self.layers == other.layers
            and (self.chain, self.adds_input) == (other.chain, other.adds_input)
            and np.array_equal(cast(Floats, self.bias), cast(Floats, other.bias))  # equal, too, if both are None
            and self._weights.equal(other._weights)
        )

    def __hash__(self) -> int:
        return hash(self._settings)  # without the weights, since those of a preset may never be needed

    @property
    def _settings(self) -> tuple[Any, ...]:
        padding = None if is_same_padding(self.padding) else self.padding
        return self.shape, self._weights.ndim, self.normalized, self.factor, padding, self.groups

    def __setstate__(self, state: dict[str, Any]) -> None:
        bias = state.get("bias")  # which pickle made writeable
        self.__dict__.update(state if bias is None else state | {"bias": read_only_view(bias)})

    def __repr__(self) -> str:
        parts = [f"shape {self.shape}"]
        if self.channels is not None:
            parts.append(f"channels {self.channels}")
        parts.append("no factor" if self.factor is None else f"factor {self.factor}")
        parts += self._gain()
        if self.corrections is not None:
            parts.append(f"{self.corrections.classes} corrections")
        if self.layers is not None:
            parts.append(f"deep, {len(self.layers.convolutions)} convolutions")
        if self.chain is not None:
            parts.append(f"after {len(self.chain.weights)} convolutions")
        return f"<Kernel{f' {self.title!r}' if self.title else ''}: {', '.join(parts)}>"

    def _gain(self) -> list[str]:
        """Describe what the weights that reach an output pixel sum to, if that is soon computed."""
        if self.normalized:
            return ["gain 1 (normalized)"]
        if max(*self.shape, *(self.factor or ())) > LONGEST:
            return []
        if self.factor is None:
            return [f"sum {self.weights.sum():.4g}"]
        gains = phase_sums(self.weights, self.factor, self.groups)
        lowest, highest = f"{gains.min():.4g}", f"{gains.max():.4g}"
        return [f"gain {lowest}" if lowest == highest else f"gain {lowest} to {highest}"]

    def _repr_png_(self) -> bytes | None:
        """Draw the kernel for a notebook; None without matplotlib."""
        return cast("bytes | None", lazy_function("kernel_png")(self, self.title or "kernel"))

    def _repr_html_(self) -> str:
        """Show the kernel in a notebook: as a figure, or without matplotlib its weights."""
        from upscale.kernels.kernel_html import kernel_html

        return kernel_html(repr(self), self._repr_png_(), None if max(self.shape) > LONGEST else self.weights)

    def __setattr__(self, name: str, value: Any) -> Never:
        raise AttributeError(f"a kernel is immutable; use kernel.replaced({name}=...)")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError("a kernel is immutable")


def finite_numbers(value: AnyArray, name: str) -> Floats:
    """Convert to float64 finite real numbers, at least one, that 32-bit floats can store.

    Raises
    ------
    ArgumentError
        If there are others; the text begins with `name`.
    """
    array = as_array(value, name)
    if array.dtype.kind not in "biuf":
        raise ArgumentError(f"{name} must contain real numbers, not {array.dtype}")
    if not array.size:
        raise ArgumentError(f"{name} has no elements: its shape is {array.shape}")
    with np.errstate(all="ignore"):  # what is too large for float64 becomes infinity, which is refused below
        array = array.astype(np.float64, order="C")
    if not np.isfinite(array).all():
        raise ArgumentError(f"{name} contains NaN or infinity")
    if np.abs(array).max() > np.finfo(np.float32).max:
        raise ArgumentError(f"{name} has numbers that are too large for 32-bit floats")
    return array

"""The arguments of convolutions and transposed convolutions along one, two or three axes, checked."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.argument_checks import as_array, axis_numbers, is_whole_number
from upscale.choices import ENGINES
from upscale.errors import ArgumentError

Array = NDArray[Any]

#: The names of the axes, behind those of the batch and the channels.
AXES = {1: "L", 2: "H, W", 3: "D, H, W"}
_KERNEL_AXES = {1: "k", 2: "kH, kW", 3: "kD, kH, kW"}


class ConvArguments(NamedTuple):
    """What every convolution has, checked as far as it does not depend on sizes and padding.

    Attributes
    ----------
    x : ndarray, shape (C, ...) or (N, C, ...)
    weight : ndarray, shape (M, C / groups, ...), or (C, M / groups, ...) of a transposed convolution
    bias : ndarray, shape (M,)
        Zeros where none was given.
    stride, dilation : tuple of int
        One for each axis.
    groups : int
    dtype : dtype
        In which it is computed: float32, or float64 for an input of that.
    """

    x: Array
    weight: Array
    bias: Array
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    dtype: np.dtype[Any]


def conv_arguments(
    axes: int,
    transposed: bool,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    dilation: Any,
    groups: Any,
    engine: Any,
) -> ConvArguments:
    """Check the arguments.

    Raises
    ------
    ArgumentError
        If shapes or values do not fit together.
    """
    if engine not in ENGINES:
        raise ArgumentError(f"engine must be one of {', '.join(ENGINES)}, not {engine!r}")
    x, w = real_array(input, "input"), real_array(weight, "weight")
    if x.ndim not in (axes + 1, axes + 2):
        raise ArgumentError(f"input must be (N, C, {AXES[axes]}) or (C, {AXES[axes]}), not {x.shape}")
    if w.ndim != axes + 2:
        first = "C, M / groups" if transposed else "M, C / groups"
        raise ArgumentError(f"weight must be ({first}, {_KERNEL_AXES[axes]}), not {w.shape}")
    if not is_whole_number(groups):
        raise ArgumentError(f"groups must be a whole number, not {groups!r}")
    taken, given = w.shape[0 if transposed else 1], x.shape[-axes - 1]
    if transposed and taken != given:
        raise ArgumentError(f"weight {w.shape} has {taken} input channels, input {x.shape} has {given}")
    if groups < 1 or given % groups:
        raise ArgumentError(f"groups={groups} must divide the {given} channels of input {x.shape}")
    if not transposed and taken * groups != given:
        times = f" in each of {groups} groups" if groups > 1 else ""
        raise ArgumentError(f"weight {w.shape} has {taken} input channels{times}, input {x.shape} has {given}")
    if not transposed and len(w) % groups:
        raise ArgumentError(f"groups={groups} must divide the {len(w)} output channels of weight {w.shape}")
    strides, dilations = axis_numbers(stride, "stride", axes), axis_numbers(dilation, "dilation", axes)
    if min(strides) < 1 or min(dilations) < 1:
        raise ArgumentError(f"stride {stride} and dilation {dilation} must be at least 1")
    channels = w.shape[1] * groups if transposed else len(w)
    offsets = np.zeros(channels) if bias is None else real_array(bias, "bias")
    if offsets.shape != (channels,):
        raise ArgumentError(f"bias must be ({channels},) for weight {w.shape} and groups={groups}, not {offsets.shape}")
    dtype = np.dtype(np.float64 if x.dtype == np.float64 else np.float32)
    return ConvArguments(x, w, offsets, strides, dilations, int(groups), dtype)


def real_array(value: Any, name: str) -> Array:
    """Make an array of real numbers, of at least one, of what a caller hands in.

    Raises
    ------
    ArgumentError
        If it is not one; the text begins with `name`.
    """
    array = as_array(value, name)
    if array.dtype.kind not in "biuf":
        raise ArgumentError(f"{name} must contain real numbers, not {array.dtype}")
    if not array.size:
        raise ArgumentError(f"{name} is empty: its shape is {array.shape}")
    return array

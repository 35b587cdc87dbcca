"""Convolutions of both directions, computed plane by plane with the loops for pictures."""

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.argument_checks import read_only_view
from upscale.kernels.chain import Chain
from upscale.kernels.layers import CHANNELS, SIDE
from upscale.loops.tables import ColumnTaps, RowTaps
from upscale.operators.layer_tables import chain_tables

Array = NDArray[Any]


class Taps(NamedTuple):
    """Which taps reach which output value.

    Attributes
    ----------
    depth : list of list of (int, int)
        For each output slice, pairs of an input slice and the kernel slice that it is multiplied by.
    rows, columns : RowTaps, ColumnTaps
        Within a slice.
    """

    depth: list[list[tuple[int, int]]]
    rows: RowTaps
    columns: ColumnTaps


def sum_taps(loops: ModuleType, x: Array, weight: Array, groups: int, bias: Array, taps: Taps, out: Array) -> None:
    """Sum all taps, channel by channel, and in each of them slice by slice and row by row.

    The slices of a third axis are further input channels.

    Parameters
    ----------
    loops : module
        One of the engines' loops.
    x : ndarray, shape (N, C, D, H, W)
    weight : ndarray, shape (C, M / groups, kD, kH, kW)
    groups : int
    bias : ndarray, shape (M,)
    taps : Taps
    out : ndarray, shape (N, M, D', H', W')
        C-contiguous, of the dtype of `x`.
    """
    channels, many, base = x.shape[1], weight.shape[1], bias.astype(out.dtype)[:, None]
    for z, pairs in enumerate(taps.depth):
        if not pairs:
            out[:, :, z] = base[:, :, None]
            continue
        taken, used = (list(numbers) for numbers in zip(*pairs, strict=True))
        planes = x if x.shape[2] == 1 and len(taken) == 1 else x[:, :, taken]
        kernels = weight[:, :, used].transpose(0, 2, 1, 3, 4).reshape(channels * len(used), many, *weight.shape[3:])
        made = out[:, :, z] if out.shape[2] == 1 else np.empty((*out.shape[:2], *out.shape[3:]), out.dtype)
        loops.dense(
            read_only_view(np.ascontiguousarray(planes).reshape(-1, *x.shape[3:])),
            1,
            read_only_view(np.ascontiguousarray(kernels, np.float64)),
            groups,
            base,
            taps.rows,
            taps.columns,
            np.ones((1, 1, 1)),
            made.reshape(-1, *out.shape[3:]),
        )
        if out.shape[2] > 1:
            out[:, :, z] = made


def suits_chain(shape: tuple[int, ...], stride: tuple[int, ...] = (1, 1)) -> bool:
    """Return whether a convolution by weights (M, C, kH, kW) is faster as one of a chain, all output channels together.

    At stride 1, that gains 1.1 to 7 times for at least 4 output channels (`python benchmarks/stride_1.py`). Other strides leave
    most of a chain's results out, which for many input channels is still 1.4 to 6 times as fast.
    """
    made, taken, height, width = shape
    if height != width or height % 2 == 0 or made < 4 or max(taken, made) > CHANNELS or height > SIDE:
        return False
    return stride == (1, 1) or (taken >= 16 and stride[0] * stride[1] <= 9)


def pass_chain(
    loops: ModuleType,
    batch: Array,
    weight: Array,
    bias: Array,
    begin: tuple[int, int],
    out: Array,
    stride: tuple[int, ...] = (1, 1),
) -> None:
    """Convolve as a chain of one layer.

    Parameters
    ----------
    loops : module
        One of the engines' loops.
    batch : ndarray of float32, shape (N, C, H, W)
    weight : ndarray, shape (M, C, k, k)
        Of a shape that `suits_chain`.
    bias : ndarray, shape (M,)
    begin : (int, int)
        How many rows and columns of zeros lie before the input; if negative, how many values of it are left out.
    out : ndarray of float32, shape (N, M, H', W')
    stride : (int, int)
        Of which rows and columns the results are kept.
    """
    (top, left), side = begin, weight.shape[2]
    height, width = ((n - 1) * step + 1 for n, step in zip(out.shape[2:], stride, strict=True))
    tables = chain_tables(Chain([weight], [bias], [np.ones(len(bias))]), 1.0)
    padded = np.zeros((batch.shape[1], height + side - 1, width + side - 1), np.float32)
    inside = padded[:, max(0, top) :, max(0, left) :][:, : batch.shape[2] + min(0, top), : batch.shape[3] + min(0, left)]
    whole = None if stride == (1, 1) else np.empty((len(weight), height, width), np.float32)
    for planes, made in zip(batch, out, strict=True):
        begun = planes[:, max(0, -top) :, max(0, -left) :]
        inside[...] = begun[:, : inside.shape[1], : inside.shape[2]]
        loops.pass_chain(padded, tables, 0, height, (made if whole is None else whole).reshape(-1, width))
        if whole is not None:
            made[...] = whole[:, :: stride[0], :: stride[1]]

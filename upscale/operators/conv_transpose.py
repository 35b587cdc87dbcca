"""The operator on arrays of many channels, as deep-learning frameworks have it."""

from __future__ import annotations  # so that `help` shows the short names of types

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from upscale.argument_checks import as_array, output_array, paddings, pair, read_only_view
from upscale.choices import ENGINES, EngineName, Pair
from upscale.errors import ArgumentError
from upscale.kernels.chain import Chain
from upscale.kernels.layers import CHANNELS, SIDE
from upscale.loops.engine import CHOOSER, Work
from upscale.operators.layer_tables import chain_tables
from upscale.operators.parameters import out_size
from upscale.operators.tap_tables import axis, tables

if TYPE_CHECKING:
    from upscale.argument_checks import AnyArray


def conv_transpose2d(
    input: AnyArray,
    weight: AnyArray,
    bias: AnyArray | None = None,
    stride: Pair = 1,
    padding: Pair | Sequence[Sequence[int]] = 0,
    output_padding: Pair = 0,
    groups: int = 1,
    dilation: Pair = 1,
    *,
    out: NDArray[Any] | None = None,
    engine: EngineName = "auto",
) -> NDArray[Any]:
    """Apply the two-dimensional transposed convolution, with the meaning of ``torch.nn.functional.conv_transpose2d``.

    The output is the sum of copies of the kernel weighted by the input values, laid `stride` apart.

    Parameters
    ----------
    input : array_like, shape (N, C, H, W) or (C, H, W)
        float32 and float64 are computed as such, integers in float32.
    weight : array_like, shape (C, M / groups, kH, kW)
    bias : array_like, shape (M,), optional
        Added to every value of its output channel.
    stride, output_padding, dilation : int or (int, int)
        Vertical and horizontal.
    padding : int, (int, int) or ((top, bottom), (left, right))
        How much of the full output is cropped at each side.
    groups : int
        Number of channel groups: group g of the input channels only affects group g of the output channels.
    out : ndarray, optional
        Array to write the result to, and return: C-contiguous, of the result's shape and dtype.
    engine : {"auto", "numba", "numpy"}
        Which loops to use; results are the same, up to the last bit of 32-bit floats.

    Returns
    -------
    ndarray, shape (N, M, H', W') or (M, H', W')
        With ``H' = (H - 1) * stride - top - bottom + dilation * (kH - 1) + output_padding + 1``.

    Raises
    ------
    ArgumentError
        If shapes or values do not fit together.

    Examples
    --------
    Each input value adds a weighted copy of the kernel to the output.

    >>> import numpy as np
    >>> import upscale
    >>> upscale.conv_transpose2d([[[2, 0], [4, 1]]], [[[[4, 2, 1], [1, 0, 3], [0, 5, 2]]]])[0]
    array([[ 8.,  4.,  2.,  0.],
           [18., 12., 12.,  1.],
           [ 4., 11., 16.,  3.],
           [ 0., 20., 13.,  2.]], dtype=float32)

    A layer from 3 channels to 6, to twice the size.

    >>> upscale.conv_transpose2d(np.ones((1, 3, 8, 8)), np.ones((3, 6, 4, 4)), stride=2, padding=1).shape
    (1, 6, 16, 16)
    """
    if engine not in ENGINES:
        raise ArgumentError(f"engine must be one of {', '.join(ENGINES)}, not {engine!r}")
    x, w = _numbers(input, "input"), _numbers(weight, "weight")
    if x.ndim not in (3, 4):
        raise ArgumentError(f"input must be (N, C, H, W) or (C, H, W), not {x.shape}")
    if w.ndim != 4:
        raise ArgumentError(f"weight must be (C, M / groups, kH, kW), not {w.shape}")
    if w.shape[0] != x.shape[-3]:
        raise ArgumentError(f"weight {w.shape} has {w.shape[0]} input channels, input {x.shape} has {x.shape[-3]}")
    if isinstance(groups, bool) or not isinstance(groups, (int, np.integer)):
        raise ArgumentError(f"groups must be a whole number, not {groups!r}")
    if groups < 1 or w.shape[0] % groups:
        raise ArgumentError(f"groups={groups} must divide the {w.shape[0]} channels of input {x.shape}")
    strides, dilations = pair(stride, "stride"), pair(dilation, "dilation")
    extra, pads = pair(output_padding, "output_padding"), paddings(padding)
    if min(strides) < 1 or min(dilations) < 1:
        raise ArgumentError(f"stride {stride} and dilation {dilation} must be at least 1")
    if min(extra) < 0:
        raise ArgumentError(f"output_padding {output_padding} must not be negative")
    height, width = (out_size(x.shape[i - 2], w.shape[i + 2], strides[i], pads[i], dilations[i], extra[i]) for i in (0, 1))
    if min(height, width) < 1:
        raise ArgumentError(f"padding {padding} leaves a {height} x {width} output for input {x.shape} and weight {w.shape}")
    channels = w.shape[1] * groups
    offsets = np.zeros(channels) if bias is None else _numbers(bias, "bias")
    if offsets.shape != (channels,):
        raise ArgumentError(f"bias must be ({channels},) for weight {w.shape} and groups={groups}, not {offsets.shape}")

    dtype = x.dtype if x.dtype in (np.float32, np.float64) else np.dtype(np.float32)
    result = output_array(out, (*x.shape[:-3], channels, height, width), dtype, x)
    if (*strides, *dilations, groups) == (1, 1, 1, 1, 1) and dtype == np.float32 and _suits_chain(w.shape):
        work = Work("tconv", x.size, result.size, w[:, 0].size, loops=frozenset({"pass_chain"}))
        batch = np.ascontiguousarray(x, dtype).reshape(-1, *x.shape[-3:])
        made = result.reshape(len(batch), channels, height, width)
        _pass_chain(CHOOSER.load(engine, work)[1], batch, w, offsets, (pads[0][0], pads[1][0]), made)
        return result
    vertical, horizontal = (
        axis(x.shape[i - 2], (height, width)[i], w.shape[i + 2], strides[i], pads[i][0], dilations[i]) for i in (0, 1)
    )
    rows, columns = tables(vertical, horizontal, False)
    taps = rows.line.shape[1] * columns.start.shape[1] * w.shape[0] / groups
    planes = read_only_view(np.ascontiguousarray(x, dtype).reshape(-1, *x.shape[-2:]))
    _, loops = CHOOSER.load(engine, Work("tconv", x.size, result.size, taps, loops=frozenset({f"dense {dtype}"})))
    loops.dense(
        planes,
        1,
        read_only_view(np.ascontiguousarray(w, np.float64)),
        groups,
        offsets.astype(dtype)[:, None],
        rows,
        columns,
        np.ones((1, 1, 1)),
        result.reshape(-1, height, width),
    )
    return result


def _suits_chain(shape: tuple[int, ...]) -> bool:
    """Return whether weights of this shape are summed faster as a convolution of a chain, all output channels together.

    That gains 1.1 to 7 times for at least 4 output channels (`python benchmarks/stride_1.py`).
    """
    taken, made, height, width = shape
    return height == width and height % 2 == 1 and made >= 4 and max(taken, made) <= CHANNELS and height <= SIDE


def _pass_chain(
    loops: ModuleType, batch: NDArray[Any], w: NDArray[Any], bias: NDArray[Any], crop: tuple[int, int], out: NDArray[Any]
) -> None:
    """Compute a layer of stride 1 as a convolution: by its weights turned by 180 degrees, of the input with zeros around it."""
    side, (height, width) = w.shape[2], out.shape[2:]
    turned = w.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
    tables = chain_tables(Chain([turned], [bias], [np.ones(len(bias))]), 1.0)
    top, left = (side - 1 - n for n in crop)
    padded = np.zeros((batch.shape[1], height + side - 1, width + side - 1), np.float32)
    inside = padded[:, max(0, top) :, max(0, left) :][:, : batch.shape[2] + min(0, top), : batch.shape[3] + min(0, left)]
    for planes, made in zip(batch, out, strict=True):
        begun = planes[:, max(0, -top) :, max(0, -left) :]
        inside[...] = begun[:, : inside.shape[1], : inside.shape[2]]
        loops.pass_chain(padded, tables, 0, height, made.reshape(-1, width))


def _numbers(value: AnyArray, name: str) -> NDArray[Any]:
    array = as_array(value, name)
    if array.dtype.kind not in "biuf":
        raise ArgumentError(f"{name} must contain real numbers, not {array.dtype}")
    if not array.size:
        raise ArgumentError(f"{name} is empty: its shape is {array.shape}")
    return array

"""The tables that the loops look up: which kernel taps reach which output pixel, from which input pixel.

`operators.tap_tables` and `operators.correction_tables` fill them. For example, a kernel of 3 taps at stride 2 without padding
makes 5 output pixels of 2 input pixels, along either axis:

==============  ===================  =============================
output pixel    sum of               phase (output pixel modulo 2)
==============  ===================  =============================
0               tap 0 x input 0      0
1               tap 1 x input 0      1
2               tap 2 x input 0      0
                + tap 0 x input 1
3               tap 1 x input 1      1
4               tap 2 x input 1      0
==============  ===================  =============================

Taps 0 and 2 are phase 0, tap 1 is phase 1, and input pixels ascend while taps descend.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class RowTaps(NamedTuple):
    """The vertical taps of each of n output rows, at most T each.

    A line is an input row, or a row beyond the border that stands for one. In the example above, with zeros beyond the border
    and lines -1, 0, 1, 2 numbered 0 to 3, row 2 of the tables says that output row 2 is kernel row 2 times input row 0 plus
    kernel row 0 times input row 1: ``line[2] == [1, 2]``, ``source[1:3] == [0, 1]``, ``tap[2] == [2, 0]``.
    """

    line: Array  #: (n, T) line of each tap, -1 if there is none or zeros lie there
    source: Array  #: (lines,) input row of each line
    tap: Array  #: (n, T) kernel row of each tap
    gain_row: Array  #: (n,) row of the gain table
    weight: Array  #: (terms, n, T) weight of each tap, for kernels of low rank


class ColumnTaps(NamedTuple):
    """The horizontal taps of each phase, at most T each, as positions in a line that is extended beyond both borders.

    In the example above, a line has 4 positions, the input columns -1 to 2, of which the outermost are zeros. Row 0 of the
    tables says that the first output column of phase 0 is kernel column 2 times position 0 plus kernel column 0 times position
    1, ``start[0] == [0, 1]`` and ``tap[0] == [2, 0]``; its second one is the same, one position further right. Row 1 says that
    phase 1 is kernel column 1 times position 1: ``start[1, 0] == 1``, ``tap[1, 0] == 1``, ``number == [2, 1]``.
    """

    start: Array  #: (stride, T) position of each tap for the phase's first output column; grows by 1 with the next
    tap: Array  #: (stride, T) kernel column of each tap
    number: Array  #: (stride,) how many of the T are taps
    gain_column: Array  #: (stride,) column of the gain table
    weight: Array  #: (terms, stride, T) weight of each tap, for kernels of low rank
    border: Array  #: (E,) output columns near the border whose remaining taps are normalised by their own sum
    border_position: Array  #: (E, T) position of each of their taps, -1 if there is none or zeros lie there
    border_tap: Array  #: (E, T) kernel column of each of their taps
    border_gain_column: Array  #: (E,) their column of the gain table
    border_weight: Array  #: (terms, E, T) weight of each of their taps, for kernels of low rank
    source: Array  #: (positions,) input column of each position, -1 for zeros
    left: int  #: position of the first input column
    phase_shift: Array  #: (stride,) how many columns further right each phase reads its input than phase 0
    #: True if, after adding `phase_shift`, every phase reads the same input columns: 4 taps at stride 2 do, 3 taps do not.
    same_input: bool


class ReductionTaps(NamedTuple):
    """Which values of a row or column each of n output values is the weighted sum of: T neighbours, whose weights sum to 1."""

    start: Array  #: (n,) the first of them; the last, start + T - 1, exists too
    weight: Array  #: (n, T)


class CorrectionTables(NamedTuple):
    """Corrections of an adaptive kernel; offsets count elements of flat rows. See `kernels.corrections.Corrections`."""

    first: Array  #: (8, nodes) offset from the middle pixel of what each node compares, for each orientation
    second: Array  #: (8, nodes) offset of what it is compared with
    threshold: Array  #: (nodes,) by how much the first must exceed the second to go to the right child
    leaf: Array  #: (nodes + 1,) class of each leaf
    #: (8, 25) [o, i]: offset of the `size` weights for neighbour i (unrotated, row by row) under orientation o
    row: Array
    weights: Array  #: (classes * 25 * size,)
    size: int  #: floats of a correction, a multiple of what the loops compute at once
    #: (8, 9, factor ** 2) [o, n]: where in the correction of neighbour n, of orientation o, its values for this block lie
    block: Array
    factor: int


class LayerTables(NamedTuple):
    """The layers of a deep kernel, L convolutions and a transposed convolution, or a chain of L convolutions.

    See `kernels.layers.Layers` and `kernels.chain.Chain`.

    While a part is computed, all rows of all layers lie in one array, one below the other: the differences that the first
    layer takes, a ring of rows for each convolution, where the channels of a row follow each other, and the last results.
    """

    side: Array  #: (L + 1,) weights a side of each layer; of the last, of each phase; 1 if there is none
    #: (L + 2,) inputs of the first layer, differences or channels, then the channels that each makes; of the last, the phases
    channels: Array
    ring: Array  #: (L + 1,) rows of each layer's input that are kept at a time
    row: Array  #: (L + 3,) where the rows of each layer's input begin, then the last results; at the end, how many there are
    tap: Array  #: (L + 2,) where the weights of each layer begin, and their end
    most: int  #: taps of the layer that has most
    weights: Array  #: (taps, channels) of float32, of all layers one below the other; see `loops.layers` for their order
    slopes: Array  #: (L, channels) of float32
    bias: Array  #: (L + 2, channels) of float32; the last two are zeros
    flat: Array  #: (channels,) of float32: what the last convolution makes of a flat picture, which is subtracted
    factor: int  #: 0 if there is no transposed convolution
    differences: bool  #: whether the first layer takes differences from the middle pixel
    zeros: bool  #: whether all that the convolutions make beyond the picture is zero


#: Floats of a correction come in multiples of so many: what the loops compute at once.
CORRECTION_MULTIPLE = 48

#: Stands for the weights of `RowTaps` and `ColumnTaps` if the kernel is not of low rank.
NO_WEIGHTS = np.zeros((1, 0, 1), np.float32)

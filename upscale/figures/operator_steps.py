"""The operator taken apart on a small array: for each input value, its weighted copy of the kernel and the sum so far."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError
from upscale.kernels.kernel import Kernel
from upscale.operators.parameters import Operator, out_size
from upscale.operators.transposed_plan import TransposedPlan

Array = NDArray[Any]

#: What is still readable: input values, and output values a side.
MOST_VALUES, LONGEST = 25, 16
#: Sums of larger magnitude could overflow.
_HUGE = 1e300


class Step(NamedTuple):
    """What one input value adds.

    Attributes
    ----------
    at : (int, int)
        Row and column of the value.
    value : float
    copy : ndarray
        The kernel times the value, where it lies on the full output; NaN elsewhere.
    total : ndarray
        The sum so far.
    """

    at: tuple[int, int]
    value: float
    copy: Array
    total: Array


class OperatorSteps(NamedTuple):
    """A transposed convolution of a small array, step by step, from `compute_steps`.

    Attributes
    ----------
    values : ndarray of float64, shape (H, W)
    operator : Operator
    steps : list of Step
        In the order of the values, row by row.
    overlap : ndarray or None
        What the sum is divided by in the end, if the kernel is normalised.
    full : ndarray
        The full output: the sum or, if the kernel is normalised, the quotient.
    kept : (slice, slice)
        The rows and columns of the full output that padding leaves.
    """

    values: Array
    operator: Operator
    steps: list[Step]
    overlap: Array | None
    full: Array
    kept: tuple[slice, slice]

    @property
    def result(self) -> Array:
        """The output of the operator."""
        return self.full[self.kept]

    @property
    def captions(self) -> list[str]:
        """One line for each step, and one for the division at the end, if there is one."""
        found = [f"{n}. row {s.at[0]}, column {s.at[1]}: add {s.value:g} times the kernel" for n, s in enumerate(self.steps, 1)]
        if self.overlap is not None:
            found.append(f"{len(self.steps) + 1}. normalise: divide by the sum of the weights that reach each pixel")
        return found


def check_kernel(kernel: Kernel) -> None:
    """Check that a kernel can be shown step by step.

    Raises
    ------
    ArgumentError
        If it has more than 2 dimensions, a bias, corrections or layers.
    """
    added = kernel.corrections is not None or kernel.layers is not None
    if kernel.channels is not None or added or kernel.bias is not None:
        raise ArgumentError("only a kernel of 2 dimensions, without a bias and without corrections, can be drawn step by step")


def compute_steps(values: Array, operator: Operator) -> OperatorSteps:
    """Compute a transposed convolution step by step.

    Parameters
    ----------
    values : ndarray, shape (H, W)
        At most `MOST_VALUES` finite numbers.
    operator : Operator
        With zeros beyond the border, and a kernel that `check_kernel` accepts.

    Raises
    ------
    ArgumentError
        If there is too much to be drawn, or the kernel cannot be normalised.
    """
    _check_values(values)
    values, kernel = values.astype(np.float64), operator.kernel
    shape, kept = _place_result(values.shape, operator)
    TransposedPlan(values, operator, np.float64)  # refuses what cannot be normalised
    if not float(np.abs(values).max()) * float(np.abs(kernel.weights).sum()) * values.size < _HUGE:
        raise ArgumentError("holds numbers that are too large to be drawn")
    steps: list[Step] = []
    total, ones = np.zeros(shape), np.zeros(shape)
    for at, value in np.ndenumerate(values):
        reached = tuple(slice(n * f, n * f + k) for n, f, k in zip(at, operator.factor, kernel.shape, strict=True))
        copy = np.full(shape, np.nan)
        copy[reached] = value * kernel.weights
        total = total.copy()
        total[reached] += copy[reached]
        ones[reached] += kernel.weights
        steps.append(Step((at[0], at[1]), float(value), copy, total))
    if not kernel.normalized:
        return OperatorSteps(values, operator, steps, None, total, kept)
    with np.errstate(all="ignore"):  # of pixels that are cropped
        full = np.where(np.abs(ones) > 1e-9 * np.abs(kernel.weights).sum(), total / ones, 0)
    return OperatorSteps(values, operator, steps, ones, full, kept)


def _check_values(values: Array) -> None:
    if values.ndim != 2 or values.dtype.kind not in "biuf" or not np.isfinite(values).all():
        raise ArgumentError(f"must be an array (H, W) of finite numbers, not {values.shape} of {values.dtype}")
    if not 1 <= values.size <= MOST_VALUES:
        raise ArgumentError(f"has {values.size} values; at most {MOST_VALUES} can be drawn")


def _place_result(shape: tuple[int, ...], operator: Operator) -> tuple[tuple[int, int], tuple[slice, slice]]:
    """Return the shape of the full output for values of some shape, and the part of it that is the result."""
    begin = tuple(operator.crop_begin(i) for i in (0, 1))
    size = operator.size(shape)
    height, width = (
        max(out_size(shape[i], operator.kernel.shape[i], operator.factor[i], (0, 0)), begin[i] + size[i]) for i in (0, 1)
    )  # `same` padding may reach beyond the last copy
    if max(height, width) > LONGEST:
        raise ArgumentError(f"would become {width}x{height}; at most {LONGEST}x{LONGEST} values can be drawn")
    return (height, width), (slice(begin[0], begin[0] + size[0]), slice(begin[1], begin[1] + size[1]))

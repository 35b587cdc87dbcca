"""Kernels that exist for a few factors only: which factors they reach when they are applied one after another."""

from functools import cache
from typing import TYPE_CHECKING

from upscale.kernels import shipped

if TYPE_CHECKING:
    from upscale.kernels.kernel import Kernel
    from upscale.kernels.kernel_spec import KernelSpec

Factor = tuple[int, int]


def factors_of(spec: "KernelSpec", kernel: "Kernel | None") -> tuple[Factor, ...] | None:
    """Return the factors that a kernel exists for, (vertical, horizontal); None where it serves any.

    Parameters
    ----------
    spec : KernelSpec
    kernel : Kernel, optional
        What was read, where `spec` is a file.
    """
    if spec.kind == "shipped":
        return tuple((n, n) for n in shipped.SHIPPED[spec.text].factors)
    return None if kernel is None or kernel.factor is None else (kernel.factor,)


@cache
def split_factor(factor: Factor, factors: tuple[Factor, ...]) -> tuple[Factor, ...] | None:
    """Write a factor as a product of as few of the given ones as possible, the largest first; None where that cannot be.

    Examples
    --------
    >>> split_factor((12, 12), ((2, 2), (3, 3), (4, 4)))
    ((4, 4), (3, 3))
    >>> split_factor((7, 7), ((2, 2), (3, 3), (4, 4))) is None
    True
    """
    if factor == (1, 1):
        return ()
    best: tuple[Factor, ...] | None = None
    for one in sorted((f for f in factors if f != (1, 1)), reverse=True):
        if factor[0] % one[0] or factor[1] % one[1]:
            continue
        rest = split_factor((factor[0] // one[0], factor[1] // one[1]), factors)
        if rest is not None and (best is None or len(rest) + 1 < len(best)):
            best = (one, *rest)
    return best

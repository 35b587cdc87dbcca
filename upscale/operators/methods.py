"""The methods: which plan computes each, and the types that it computes with. A new method has its row here."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from upscale.argument_checks import check_copyable
from upscale.choices import METHODS
from upscale.errors import ArgumentError
from upscale.kernels.kernel_spec import ACCEPTED
from upscale.operators.nearest_plan import NearestPlan
from upscale.tile_grid import TileGrid

if TYPE_CHECKING:
    from upscale.operators.parameters import Operator
    from upscale.operators.tiled_plan import TiledPlan
    from upscale.operators.transposed_plan import TransposedPlan

    Plan = NearestPlan | TransposedPlan | TiledPlan

Array = NDArray[Any]


#: Why nn refuses parameters of the transposed convolution.
ONLY_TCONV = "padding, output_padding, dilation, edge, normalize and linear need method 'tconv', not 'nn'"


class Request(NamedTuple):
    """What is asked for, whatever the picture.

    Attributes
    ----------
    factor : (int, int)
        Vertical and horizontal.
    operator : Operator or None
        The transposed convolution, or None for nn.
    linear : bool
        Filter in linear light.
    earlier : tuple of Request
        What the picture is enlarged by before.
    reduced : (int, int), optional
        The height and width to which the enlargement is reduced; only with an operator.
    tiles : TileGrid, optional
        Tiles that are enlarged each on its own.
    """

    factor: tuple[int, int]
    operator: "Operator | None" = None
    linear: bool = False
    earlier: "tuple[Request, ...]" = ()
    reduced: tuple[int, int] | None = None
    tiles: TileGrid | None = None

    @property
    def total_factor(self) -> tuple[int, int]:
        """The product of all factors."""
        vertical, horizontal = self.factor
        for one in self.earlier:
            vertical, horizontal = vertical * one.factor[0], horizontal * one.factor[1]
        return vertical, horizontal

    def size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Compute (height, width) of the result for that of a picture.

        Raises
        ------
        ArgumentError
            Where the padding cuts everything off.
        """
        if self.reduced is not None:
            return self.reduced
        for one in self.earlier:
            size = one.size(size)
        if self.operator is None:
            return size[0] * self.factor[0], size[1] * self.factor[1]
        return self.operator.size(size)


def choose_method(method: str | None, *, has_kernel: bool) -> str:
    """Return the method: nn, or tconv if there is a kernel, where none is given.

    Raises
    ------
    ArgumentError
        If there is no such method, or it does not go with the kernel or its lack.
    """
    chosen = method or ("tconv" if has_kernel else "nn")
    if chosen not in METHODS:
        raise ArgumentError(f"method must be 'nn' or 'tconv', not {method!r}")
    if chosen == "nn" and has_kernel:
        raise ArgumentError("a kernel needs method 'tconv', not 'nn'")
    if chosen == "tconv" and not has_kernel:
        raise ArgumentError(f"tconv needs a kernel: {ACCEPTED}")
    return chosen


def computable(source: Array, request: Request) -> Array:
    """Convert samples to a type that the method computes with: half floats to 32 bits, and to native byte order.

    Raises
    ------
    ArgumentError
        Where there is no such type.
    """
    if request.operator is None:
        check_copyable(source)
        return source
    if source.dtype.kind not in "iuf" or source.dtype.itemsize > 8:
        raise ArgumentError(f"tconv supports integers and floats of up to 64 bits, not {source.dtype}")
    return source.astype(np.float32 if source.dtype == np.float16 else source.dtype.newbyteorder("="), order="C", copy=False)


def make_plan(source: Array, request: Request, dtype: DTypeLike, **options: Any) -> "Plan":
    """Plan the enlargement of an array; the transposed convolution is imported when it is needed."""
    if request.operator is None:
        return NearestPlan(source, request.factor)
    if request.tiles is not None and request.operator.mixes_neighbours:
        from upscale.operators.tiled_plan import TiledPlan

        return TiledPlan(source, request.operator, dtype, request.tiles, **options)
    from upscale.operators.transposed_plan import TransposedPlan

    return TransposedPlan(source, request.operator, dtype, reduced=request.reduced, **options)

"""What is asked for of pictures of any size: the same factor for all, or for each the factor that makes a size."""

from collections.abc import Callable, Sequence

from upscale.errors import ArgumentError
from upscale.kernels.factor_steps import Factor, split_factor
from upscale.operators.methods import Request
from upscale.target_size import Size, TargetSize
from upscale.tile_grid import TileGrid


class Requests:
    """The `Request` for each picture.

    A kernel that exists for some factors only is applied several times for their products, in the fewest steps.

    Parameters
    ----------
    make : callable
        Makes the request for one factor, or for the kernel's own if it is None.
    factor : (int, int), optional
        Vertical and horizontal.
    factors : tuple of (int, int), optional
        Those that the kernel exists for; by default all.
    target : TargetSize, optional
        In place of a factor.
    tiles : TileGrid, optional
        Tiles that are enlarged each on its own.

    Raises
    ------
    ArgumentError, FileError
        What `make` raises for the factor.
    """

    def __init__(
        self,
        make: Callable[[Factor | None], Request],
        factor: Factor | None = None,
        factors: tuple[Factor, ...] | None = None,
        target: TargetSize | None = None,
        tiles: TileGrid | None = None,
    ) -> None:
        if tiles is not None and target is not None and not target.fits:
            raise ArgumentError(f"{tiles.label}: cannot be combined with {target.label}; a tile needs a whole factor")
        self._tiles = tiles
        self._make, self._factors, self._target = make, factors, target
        self._made: dict[Factor, Request] = {}
        #: The request for pictures of all sizes; None if it depends on the size.
        self.fixed: Request | None = None
        if target is None:
            steps = None if factor is None or factors is None else split_factor(factor, factors)
            self.fixed = self._in_steps(steps or (factor,))

    def of(self, size: Size) -> Request:
        """Return the request for a picture of a height and width.

        Raises
        ------
        ArgumentError
            If the picture is larger than what it should become, the method cannot make that size, or tiles do not fill it.
        """
        if self._tiles is not None:
            self._tiles.begins(size)
        if self.fixed is not None:
            return self.fixed
        assert self._target is not None
        if self._target.fits:
            return self._fitting(size, self._target.largest_factor(size))
        return self._exact(size, self._target.exact(size))

    def _fitting(self, size: Size, factor: int) -> Request:
        """Return the request for the largest factor that the kernel can make and that is not above another one."""
        while (request := self._at(size, (factor, factor))) is None:
            factor -= 1
        return request

    def _exact(self, size: Size, wanted: Size) -> Request:
        """Return the request for exactly some size: the next larger factor, and a reduction."""
        (height, width), target = size, self._target
        assert target is not None
        if wanted == size:
            return Request((1, 1))
        least = max(-(-wanted[0] // height), -(-wanted[1] // width))
        request = self._at(size, (least, least))
        if request is not None and request.operator is None:
            return self._blocks(size, wanted)
        while request is None:
            least += 1
            request = self._at(size, (least, least))
        return request if request.size(size) == wanted else request._replace(reduced=wanted)

    def _blocks(self, size: Size, wanted: Size) -> Request:
        """Return nn's request for exactly some size, which must be a whole multiple."""
        if wanted[0] % size[0] or wanted[1] % size[1]:
            assert self._target is not None
            label = self._target.label
            times = [f"{w / s:.4g}" for w, s in zip(wanted[::-1], size[::-1], strict=True)]
            named = " x ".join(times if self._target.stretches(size) else times[:1])
            dashes = "--" if label.startswith("--") else ""
            raise ArgumentError(
                f"{label}: {wanted[1]}x{wanted[0]} is {named} times {size[1]}x{size[0]}, and nn makes whole multiples only: "
                f"use {dashes}fit, or a {dashes}kernel: bicubic for photos, or box, which averages where pixels meet"
            )
        return Request((wanted[0] // size[0], wanted[1] // size[1]))

    def _at(self, size: Size, factor: Factor) -> Request | None:
        """Return the request for a factor; None if the kernel can make no such factor. By 1, pictures are copied."""
        if factor == (1, 1):
            return Request(factor)
        if factor not in self._made:
            steps = (factor,) if self._factors is None else split_factor(factor, self._factors)
            if steps is None:
                return None
            self._made[factor] = self._in_steps(steps)
        request = self._made[factor]
        if request.size(size) != (size[0] * factor[0], size[1] * factor[1]):
            assert self._target is not None
            raise ArgumentError(f"{self._target.label}: needs padding same, with which a factor makes exactly as many pixels")
        return request

    def _in_steps(self, steps: Sequence[Factor | None]) -> Request:
        requests, tiles = list[Request](), self._tiles
        for step in steps:
            if tiles is not None and requests:
                tiles = tiles.enlarged(requests[-1].factor)
            requests.append(self._make(step)._replace(tiles=tiles))
        return requests[-1]._replace(earlier=tuple(requests[:-1]))

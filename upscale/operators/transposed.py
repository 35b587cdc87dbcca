"""Transposed convolution of a picture: sizes, plan, and bands of output rows."""

from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from upscale.arguments import frozen
from upscale.errors import ArgumentError
from upscale.kernels.kernel import Kernel
from upscale.loops.engine import Work
from upscale.loops.tables import RowTaps
from upscale.operators.correction_tables import correction_tables
from upscale.operators.tap_tables import Axis, axis, beyond, gain_table, tables, weighted_tables

if TYPE_CHECKING:
    from upscale.pictures.tone_curves import Curve

Array = NDArray[Any]
#: "same", or how much is cut off the operator's whole output: ((top, bottom), (left, right)).
Padding = str | tuple[tuple[int, int], tuple[int, int]]

#: What corrections take NumPy, as multiplications for a sample of output: 9 of 25 values, and to choose them.
_CORRECTION = 1100
_GREY = 127.5
#: How much longer a multiplication of a kernel's terms takes than one of all its weights at once.
_TERM = 1.5
#: Values of a band of floats between the stages of an alpha picture; 8 MB stay in most processors' caches.
_BAND = 1 << 21


def out_size(size: int, kernel: int, stride: int, padding: tuple[int, int], dilation: int = 1, extra: int = 0) -> int:
    """Compute one axis' output size; `extra` is the output padding."""
    return (size - 1) * stride - sum(padding) + dilation * (kernel - 1) + extra + 1


class Operator(NamedTuple):
    """A transposed convolution, whatever the picture.

    Attributes
    ----------
    kernel : Kernel
    factor : (int, int)
        The stride; pairs are vertical, horizontal.
    padding : Padding
    output_padding, dilation : (int, int)
    edge : str
        What lies beyond the border: one of `choices.EDGES`.
    """

    kernel: Kernel
    factor: tuple[int, int]
    padding: Padding = "same"
    output_padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    edge: str = "zero"

    def size(self, size: Sequence[int]) -> tuple[int, int]:
        """Compute (height, width) of the enlargement of a picture.

        Raises
        ------
        ArgumentError
            Where the padding cuts everything off.
        """
        if isinstance(self.padding, str):
            return size[0] * self.factor[0], size[1] * self.factor[1]
        shape, padding = self.kernel.shape, self.padding
        height, width = (
            out_size(size[i], shape[i], self.factor[i], padding[i], self.dilation[i], self.output_padding[i]) for i in (0, 1)
        )
        if height < 1 or width < 1:
            raise ArgumentError(f"padding {padding} cuts off all of the output: {width}x{height} would be left")
        return height, width

    def surplus(self, axis: int) -> int:
        """Compute how much longer than factor times the input the whole output is; negative where it is shorter."""
        return self.dilation[axis] * (self.kernel.shape[axis] - 1) + 1 + self.output_padding[axis] - self.factor[axis]

    def begin(self, axis: int) -> int:
        """Compute what is cut off before the output; for `same` padding half of the surplus, rounded down."""
        return max(self.surplus(axis), 0) // 2 if isinstance(self.padding, str) else self.padding[axis][0]

    @property
    def taps(self) -> float:
        """About how many multiplications a sample of output takes."""
        down, across = self._taps
        return down + across / self.factor[0] if self.kernel.factors_1d is not None else down * across

    @property
    def most_terms(self) -> int:
        """Of how many outer products a kernel may be a sum and still take less time so than by all of its weights at once.

        Normalising divides by sums that are no product of rows and columns, but for a single term.
        """
        down, across = self._taps
        return 1 if self.kernel.normalized else int(down * across / (_TERM * (down + across / self.factor[0])))

    @property
    def _taps(self) -> tuple[int, int]:
        down, across = (-(-self.kernel.shape[i] // self.factor[i]) for i in (0, 1))
        return down, across

    @property
    def mixes(self) -> bool:
        """Whether neighbouring pixels mix: not by a box as large as the stride, which only duplicates."""
        kernel = self.kernel
        spread = (*self.output_padding, *self.dilation)
        alone = kernel.shape == self.factor and self.padding == "same" and spread == (0, 0, 1, 1)
        plain = kernel.normalized and kernel.channels is None and kernel.bias is None
        return not (alone and plain and np.ptp(kernel.weights) == 0)

    def axes(self, size: Sequence[int]) -> tuple[Axis, Axis]:
        """Lay out the gather of a picture along both axes."""
        out = self.size(size)
        vertical, horizontal = (
            axis(size[i], out[i], self.kernel.shape[i], self.factor[i], self.begin(i), self.dilation[i], self.edge)
            for i in (0, 1)
        )
        return vertical, horizontal


class Plan:
    """Enlargement of one picture by transposed convolution.

    Parameters
    ----------
    source : ndarray, shape (H, W) or (H, W, C)
        C-contiguous; 8- to 64-bit integers, float32 or float64.
    operator : Operator
    dtype : dtype
        Of the result; integers are rounded half up and clipped.
    alpha : bool
        The last channel is opacity: the colours are weighted by it, and it is enlarged by the normalised kernel.
    unit : float
        What a bias of 1 means in the source's numbers.
    curve : Curve, optional
        Filter in linear light.
    batch : int
        How many pictures' channels stand side by side; an adaptive kernel chooses for each of them alone.

    Attributes
    ----------
    shape : tuple
        Of the result: as many channels as the source, or as the kernel makes.
    dtype : dtype
    work : Work
        What computing it takes.
    clipped : int
        How many samples had to be clipped so far.
    notes : list of str
        What a user should know.

    Raises
    ------
    ArgumentError
        Where the kernel fits neither the channels nor the padding, or cannot be normalised.
    """

    def __init__(
        self, source: Array, operator: Operator, dtype: DTypeLike, *, alpha: bool = False, unit: float = 1.0,
        curve: "Curve | None" = None, batch: int = 1,
    ) -> None:  # fmt: skip
        kernel = operator.kernel
        self.dtype = np.dtype(dtype)
        self.clipped, self.notes = 0, list[str]()
        self._source, self._alpha, self._curve = source, alpha, curve
        self._operator, self._batch = operator, batch
        self._channels = 1 if source.ndim == 2 else source.shape[2]
        self._kernel = kernel
        made = self._check_channels()
        size = operator.size(source.shape[:2])
        self.shape = (*size, *source.shape[2:]) if kernel.channels is None else (*size, made)
        if source.ndim == 2 and made == 1:
            self.shape = size
        self._computed = np.result_type(_computed(source.dtype), _computed(self.dtype))
        if self._alpha and source.dtype.itemsize == 2:  # products of two such samples have 32 bits
            self._computed = np.result_type(np.float64)
        self._rounded, self._limits = limits(self.dtype, self._computed)

        axes = operator.axes(source.shape[:2])
        self._step = self._channels if kernel.channels is None else 1
        # With opacity or in linear light, the bias is added after what undoes them.
        self._staged = self._alpha or curve is not None or kernel.channels is not None or kernel.corrections is not None
        self._bias = np.zeros(made, self._computed)
        if kernel.bias is not None:
            colours = made - self._alpha
            self._bias[:colours] = np.broadcast_to(kernel.bias, colours) * (1.0 if curve is not None else unit)
        self._work_tables(axes)
        # The loops are compiled for few types, which takes seconds each; others are converted before and after.
        floats = (np.float32, np.float64)
        compiled = (*floats, np.uint8, np.uint16) if self._separable else floats
        self._staged = self._staged or source.dtype != self.dtype or source.dtype not in compiled
        self._nearest = _nearest(operator, source.shape, self.shape) if self._alpha else None
        self._own_alpha = self._alpha and not (kernel.normalized and kernel.channels is None)
        if self._own_alpha:
            self._alpha_plan = self._plan_alpha(operator)

    def _check_channels(self) -> int:
        """Check that the kernel fits the picture's channels; return how many the result has."""
        wanted = self._kernel.channels
        if wanted is None:
            return self._channels
        if self._alpha and wanted[0] == self._channels:  # the user mixes opacity like any other channel
            self._alpha = False
        if wanted[0] != self._channels - self._alpha:
            shape = self._kernel.weights.shape
            raise ArgumentError(f"the kernel {shape} takes {wanted[0]} channels and the picture has {self._channels}")
        return wanted[1] + self._alpha

    def _work_tables(self, axes: tuple[Axis, Axis]) -> None:
        kernel = self._kernel
        bias = np.zeros_like(self._bias) if self._alpha else self._bias
        split = kernel.terms(self._computed, self._operator.most_terms)
        self._separable = split is not None
        if split is not None:
            self._rows, self._columns = weighted_tables(*axes, split, kernel.normalized, self._computed)
            taps = len(split[0]) * (self._rows.line.shape[1] + self._columns.start.shape[1] / axes[0].stride)
        else:
            self._rows, self._columns = tables(*axes, kernel.normalized)
            self._weights = kernel.weights if kernel.channels is not None else kernel.weights[None, None]
            self._gain = np.ones((1, 1, 1))
            if kernel.normalized:
                self._gain = gain_table(*axes, self._weights, kernel.groups)
            taps = self._rows.line.shape[1] * self._columns.start.shape[1] * self._weights.shape[0] / kernel.groups
        if kernel.channels is None:
            self._base = bias[None]
        else:
            self._base = bias[: kernel.channels[1], None]
        if kernel.corrections is not None:
            taps += _CORRECTION
            self._corrections = correction_tables(kernel.corrections, self._source.shape[1] + 6, self._computed)
        pixels = self._source.shape[0] * self._source.shape[1]
        self.work = Work("tconv", pixels, int(np.prod(self.shape)), taps)

    def _plan_alpha(self, operator: Operator) -> "Plan | tuple[Array, Array] | None":
        """Plan the enlargement of opacity by the normalised kernel or, where there is none, give nn's rows and columns."""
        kernel = operator.kernel
        weights = kernel.weights if kernel.channels is None else kernel.weights.sum((0, 1))
        alpha = np.ascontiguousarray(self._source[..., -1])
        try:
            return Plan(alpha, operator._replace(kernel=Kernel(weights, normalized=True)), self._computed)
        except ArgumentError:
            self.notes.append("the kernel cannot be normalised, so opacity is enlarged by nn")
            return self._nearest

    def fill(self, loops: ModuleType, out: Array, first_row: int = 0) -> None:
        """Compute rows `first_row` and following into `out`, rows of the result, with one of the engines' loops."""
        flat = out.reshape(len(out), -1)
        if not self._staged:
            rows = _cut(self._rows, slice(first_row, first_row + len(out)))
            self.clipped += self._gather(loops, self._source, rows, self._rounded, flat)
            return
        height = max(1, _BAND // flat.shape[1])
        for begin in range(0, len(out), height):
            self._fill_staged(loops, flat[begin : begin + height], first_row + begin)

    def _fill_staged(self, loops: ModuleType, out: Array, first_row: int) -> None:
        """Compute a band in stages: to weighted or linear floats, gather, and back."""
        band = slice(first_row, first_row + len(out))
        rows = _cut(self._rows, band)
        # Only the input rows that this band needs are converted.
        used, line = np.unique(rows.line, return_inverse=True)
        needed = rows.source[used[used >= 0]] if used[-1] >= 0 else np.zeros(1, np.int64)
        rows = rows._replace(line=line.reshape(rows.line.shape) - np.count_nonzero(used < 0), source=np.arange(len(needed)))
        block = self._source[needed].reshape(len(needed), -1, self._channels)
        colours = self._channels - self._alpha
        floats = self._floats(loops, block)
        if self._kernel.channels is None:
            sums = np.empty(out.shape, self._computed)
            self._gather(loops, floats, rows, False, sums)
            if self._kernel.corrections is not None:
                self._correct(loops, sums, first_row)
        else:
            sums = self._mix(loops, floats[..., :colours], rows, len(out))
        sums = sums.reshape(len(out), -1, len(self._bias))
        if self._own_alpha:
            sums[..., -1] = self._alpha_rows(loops, band)
        if self._alpha:
            # What rounds to no opacity is not seen. Overshoots of opacity are clipped here: they say nothing of the colours.
            least, most = (0.5, float(self._limits[1])) if self._rounded else (0.0, np.inf)
            loops.unpremultiply(sums, self._bias, least, most)
        if self._curve is not None:
            made = sums.shape[2] - self._alpha
            sums[..., :made] = self._curve.encode(sums[..., :made])
        if self._alpha and self._kernel.channels is None:
            self._fill_hidden(sums, band)
        self.clipped += loops.store(sums.reshape(out.shape), self._rounded, self._limits, out)

    def _floats(self, loops: ModuleType, block: Array) -> Array:
        """Make floats of samples (H, W, C), in linear light and weighted by opacity where that is asked for."""
        floats = block.astype(self._computed)
        if self._curve is not None:
            colours = self._channels - self._alpha
            floats[..., :colours] = self._curve.decode(block[..., :colours])
        if self._alpha:
            loops.premultiply(floats)
        return floats

    def _correct(self, loops: ModuleType, sums: Array, first_row: int) -> None:
        """Add an adaptive kernel's corrections to a band of sums."""
        bank = self._corrections
        height, width = self._source.shape[:2]
        edge = "replicate" if self._operator.edge == "zero" else self._operator.edge
        first, last = first_row // bank.factor, -(-(first_row + len(sums)) // bank.factor)
        rows, columns = beyond(np.arange(first - 3, last + 3), height, edge), beyond(np.arange(-3, width + 3), width, edge)
        block = self._source[rows].reshape(len(rows), width, -1)[:, columns]
        planes = np.ascontiguousarray(np.moveaxis(self._floats(loops, block), 2, 0))
        many = self._channels // self._batch
        places = sums.reshape(len(sums), -1, self._channels)
        for n in range(self._batch):
            part = slice(n * many, (n + 1) * many)
            target = sums if self._batch == 1 else np.ascontiguousarray(places[..., part]).reshape(len(sums), -1)
            guide = np.ascontiguousarray(_guide(block[..., part], self._alpha))
            loops.correct(planes[part], guide, bank, first_row - first * bank.factor, target)
            if self._batch > 1:
                places[..., part] = target.reshape(len(sums), -1, many)

    def _fill_hidden(self, sums: Array, band: slice) -> None:
        """Give pixels without opacity the colours of the nearest source pixel: what nobody sees is kept all the same."""
        assert self._nearest is not None
        y, x = np.nonzero(sums[..., -1] == 0)
        rows, columns = self._nearest
        sums[y, x, :-1] = self._source[rows[band][y], columns[x], :-1]

    def _alpha_rows(self, loops: ModuleType, band: slice) -> Array:
        if isinstance(self._alpha_plan, Plan):
            alpha = np.empty((band.stop - band.start, self.shape[1]), self._computed)
            self._alpha_plan.fill(loops, alpha, band.start)
            return alpha
        assert self._alpha_plan is not None
        rows, columns = self._alpha_plan
        return self._source[..., -1][rows[band]][:, columns]

    def _mix(self, loops: ModuleType, floats: Array, rows: RowTaps, height: int) -> Array:
        """Gather with a kernel that mixes channels: on planes, and back to interleaved channels with room for opacity."""
        planes = np.ascontiguousarray(np.moveaxis(floats, 2, 0))
        out = np.empty((len(self._base), height, self.shape[1]), self._computed)
        loops.dense(frozen(planes), 1, self._weights, self._kernel.groups, self._base, rows, self._columns, self._gain, out)
        sums = np.empty((height, self.shape[1], len(self._bias)), self._computed)
        sums[..., : len(out)] = np.moveaxis(out, 0, 2)
        return sums

    def _gather(self, loops: ModuleType, source: Array, rows: RowTaps, rounded: bool, out: Array) -> int:
        planes = frozen(source.reshape(1, len(source), -1))
        if self._separable:
            return int(loops.separable(planes, self._step, self._base, rows, self._columns, rounded, self._limits, out[None]))
        loops.dense(planes, self._step, self._weights, 1, self._base, rows, self._columns, self._gain, out[None])
        return 0


def _nearest(operator: Operator, source: tuple[int, ...], result: tuple[int, ...]) -> tuple[Array, Array]:
    """Find the source row and column that each result's row and column would have by nn."""
    rows, columns = (
        np.clip((np.arange(result[i]) + operator.begin(i) - operator.surplus(i) // 2) // operator.factor[i], 0, source[i] - 1)
        for i in (0, 1)
    )
    return rows, columns


def _guide(block: Array, alpha: bool) -> Array:
    """Make of samples (H, W, C) what an adaptive kernel's comparisons look at: luma in grey levels of 8 bits.

    Of 3 channels, luma is as of ITU-R BT.601; of others, their mean. Where there is opacity, it is seen before a medium grey.
    Bytes reach to 255, all other whole numbers to 65535, and floats to 1.
    """
    full = {"u1": 255.0, "f4": 1.0, "f8": 1.0}.get(block.dtype.str[1:], 65535.0)
    samples = block.astype(np.float32)
    colours = samples[..., :-1] if alpha else samples
    shares = (0.299, 0.587, 0.114) if colours.shape[2] == 3 else (1 / colours.shape[2],) * colours.shape[2]
    guide = colours[..., 0] * np.float32(shares[0])
    for c in range(1, len(shares)):
        guide += colours[..., c] * np.float32(shares[c])
    guide *= np.float32(255 / full)
    if alpha:
        guide -= np.float32(_GREY)
        guide *= samples[..., -1] / np.float32(full)
        guide += np.float32(_GREY)
    return guide


def _cut(rows: RowTaps, band: slice) -> RowTaps:
    return rows._replace(line=rows.line[band], tap=rows.tap[band], gain_row=rows.gain_row[band], weight=rows.weight[:, band])


def limits(dtype: np.dtype[Any], computed: DTypeLike) -> tuple[bool, Array]:
    """Say whether results are rounded, and give what the loops need for that.

    That is the lowest and the highest result, the half that rounds up, and the highest float that is cut to the highest result.
    """
    if dtype.kind == "f":
        return False, np.zeros(4, computed)
    info = np.iinfo(dtype)
    highest = np.array(info.max, computed)
    if float(highest) > info.max:  # a float just above the largest integer would wrap around
        highest = np.nextafter(highest, np.zeros((), computed))
    beneath = np.nextafter(np.array(float(info.max) + 1, computed), np.zeros((), computed))
    return True, np.array([info.min, highest, 0.5, beneath], computed)


def _computed(dtype: np.dtype[Any]) -> type[np.floating[Any]]:
    """Choose the floats to compute in: 32 bits where they hold every sample exactly."""
    return np.float64 if dtype.itemsize >= 4 and dtype != np.float32 else np.float32

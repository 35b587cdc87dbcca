"""Transposed convolution of a picture: one plan for the whole, and bands of output rows.

Most pictures take one step: `TapSums` computes the output from the samples. Others take stages: alpha, linear light, kernels
that mix channels, adaptive and deep kernels, a reduction afterwards, and types that the loops are not compiled for. The input
rows of a band become floats, their sums a band of floats, and that becomes samples. A band is small enough for its floats to
stay in the cache.
"""

import threading
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from upscale.errors import ArgumentError
from upscale.kernels.kernel import Kernel
from upscale.loops.engine import Work
from upscale.loops.tables import RowTaps
from upscale.operators.chain_stage import ChainStage, LumaNetworkStage, kernel_of_others
from upscale.operators.correction_stage import CorrectionStage
from upscale.operators.layer_stage import LayerStage
from upscale.operators.parameters import Operator
from upscale.operators.reduction import Reduction, nearest_before
from upscale.operators.rounding import compute_dtype, rounding_to
from upscale.operators.stages import nearest_pixels, to_floats
from upscale.operators.tap_sums import TapSums, renumbered, unrounded

if TYPE_CHECKING:
    from upscale.pictures.tone_curves import Curve

Array = NDArray[Any]

#: What corrections take NumPy, as multiplications for a sample of output: 9 of 25 values, and to choose them.
_CORRECTION_TAPS = 1100
#: How much longer a multiplication of layers takes NumPy than one of a plain kernel's taps.
_LAYER_TAP = 5
#: Values of a band of floats between the stages; 8 MB stay in most processors' caches.
_BAND = 1 << 21
#: Source rows of a band, at least, without and with layers: a band reads some rows that the one before has read, too, and
#: layers compute their features anew. Values of such a band, at most.
_MIN_ROWS, _MOST = (16, 96), 1 << 24
#: The loops are compiled for few types, which takes seconds each; others are converted before and after.
_COMPILED, _COMPILED_LOW_RANK = (np.float32, np.float64), (np.float32, np.float64, np.uint8, np.uint16)


class _Channels(NamedTuple):
    """How many channels a picture has, how many it becomes, and whether the last one is alpha that is handled as such."""

    source: int
    result: int
    alpha: bool


class TransposedPlan:
    """Enlargement of one picture by transposed convolution.

    Parameters
    ----------
    source : ndarray, shape (H, W) or (H, W, C)
        C-contiguous; 8- to 64-bit integers, float32 or float64.
    operator : Operator
    dtype : dtype
        Of the result; integers are rounded half up and clipped.
    alpha : bool
        The last channel is alpha: the colours are weighted by it, and it is enlarged by the normalised kernel.
    bias_scale : float
        What a bias of 1 means in the source's numbers.
    curve : Curve, optional
        Filter in linear light.
    batch : int
        How many pictures' channels stand side by side; adaptive and deep kernels look at each of them alone.
    reduced : (int, int), optional
        Height and width to which the enlargement is reduced, before it is rounded.

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
    min_rows : int
        Source rows that a band should have at least.

    Raises
    ------
    ArgumentError
        Where the kernel fits neither the channels nor the padding, or cannot be normalised.
    """

    def __init__(
        self,
        source: Array,
        operator: Operator,
        dtype: DTypeLike,
        *,
        alpha: bool = False,
        bias_scale: float = 1.0,
        curve: "Curve | None" = None,
        batch: int = 1,
        reduced: tuple[int, int] | None = None,
    ) -> None:
        network: Operator | None = None
        if _is_for_luma(operator.kernel, source, batch, alpha):
            network = operator
            operator = Operator(kernel_of_others(operator.factor), operator.factor)
        kernel = operator.kernel
        self.dtype = np.dtype(dtype)
        self.clipped, self.notes, self._lock = 0, list[str](), threading.Lock()
        self._source, self._operator, self._curve = source, operator, curve
        self._channels = channels = _channels(source, kernel, alpha, batch)
        self._enlarged = operator.size(source.shape[:2])
        size = reduced or self._enlarged
        self.shape = (*size, *source.shape[2:]) if kernel.channels is None else (*size, channels.result)
        if source.ndim == 2 and channels.result == 1:
            self.shape = size
        self._computed = compute_dtype(source.dtype, self.dtype, alpha=channels.alpha)
        self._reduction: Reduction | None = None
        if reduced is not None:
            blocks = not operator.mixes_neighbours
            self._reduction = Reduction(self._enlarged, reduced, blocks=blocks, dtype=self._computed)
        self._rounding = rounding_to(self.dtype, self._computed)
        self._bias = np.zeros(channels.result, self._computed)
        if kernel.bias is not None:
            colours = channels.result - channels.alpha
            repeated = np.tile(kernel.bias, colours // kernel.bias.size)
            self._bias[:colours] = repeated * (1.0 if curve is not None else bias_scale)
        # With alpha, the bias is added after the colours were divided by it.
        begin = np.zeros_like(self._bias) if channels.alpha else self._bias
        if kernel.channels is not None:
            begin = begin[: kernel.channels[1]]
        self._sums = TapSums(operator, source.shape[:2], channels.source, begin)
        self._batch = batch
        self._added, added_taps = self._plan_added(kernel, network)
        self._chain: ChainStage | None = None
        if kernel.chain is not None:
            unit = 1.0 if curve is not None else bias_scale
            self._chain = ChainStage(operator, source.shape[:2], self._sums, unit)
            added_taps = _LAYER_TAP * self._chain.taps
        self.min_rows = _MIN_ROWS[kernel.layers is not None or (network or operator).kernel.chain is not None]
        taps = self._sums.taps + added_taps
        compiled = _COMPILED_LOW_RANK if self._sums.low_rank else _COMPILED
        needs_stages = channels.alpha or curve is not None or kernel.channels is not None or self._added is not None
        self._staged = needs_stages or reduced is not None or source.dtype != self.dtype or source.dtype not in compiled
        self._nearest = nearest_pixels(operator, source.shape, self._enlarged) if channels.alpha else None
        self._separate_alpha = channels.alpha and not (kernel.normalized and kernel.channels is None)
        self._alpha_plan = self._plan_alpha() if self._separate_alpha else None
        samples = self._enlarged[0] * self._enlarged[1] * channels.result
        self.work = Work("tconv", source.shape[0] * source.shape[1], samples, taps, loops=self._loops())

    def _loops(self) -> frozenset[str]:
        """Name the loops that are used, with the types that they are compiled for."""
        summed = self._computed if self._staged else self._source.dtype
        loops = {f"{'separable' if self._sums.low_rank else 'dense'} {summed}"}
        if self._staged:
            loops.add(f"store {self._computed} {self.dtype}")
        if self._reduction is not None:
            loops.add(f"reduce {self._computed}")
        if self._channels.alpha:
            loops |= {f"premultiply {self._computed}", f"unpremultiply {self._computed}"}
        if self._chain is not None:
            loops.add("pass_chain")
        if isinstance(self._added, LumaNetworkStage):
            loops |= {"pass_chain", "dense float32", "separable float32"}
        elif self._added is not None:
            loops.add(f"{'add_layers' if isinstance(self._added, LayerStage) else 'correct'} {self._computed}")
        return frozenset(loops | self._alpha_plan.work.loops if self._alpha_plan is not None else loops)

    def _plan_added(self, kernel: Kernel, network: Operator | None) -> tuple["_Added | None", float]:
        """Plan what an adaptive or deep kernel adds, or a network; return it with its multiplications for an output sample."""
        source, edge, alpha, batch = self._source, self._operator.edge, self._channels.alpha, self._batch
        full = float(np.iinfo(source.dtype).max) if source.dtype.kind != "f" else 1.0
        white = (1.0 if self._curve is not None else full, full)
        if network is not None:
            if (made := network.size(source.shape[:2])) != self._enlarged:
                raise ArgumentError(
                    f"a network for luma must make {self._enlarged[1]}x{self._enlarged[0]} pixels of a colour picture, not "
                    f"{made[1]}x{made[0]}: choose another padding"
                )
            stage = LumaNetworkStage(network, source, self._to_floats, white, alpha=alpha)
            return stage, _LAYER_TAP * stage.taps
        if kernel.corrections is not None:
            computed = self._computed
            chosen = CorrectionStage(kernel.corrections, source, edge, self._to_floats, computed, alpha=alpha, batch=batch)
            return chosen, _CORRECTION_TAPS
        if kernel.layers is None:
            return None, 0
        planes = 1 if self._channels.source - alpha == 3 * batch else self._channels.source
        taps = _LAYER_TAP * kernel.layers.multiplications * planes / self._channels.result
        return LayerStage(kernel.layers, source, edge, self._to_floats, white, alpha=alpha, batch=batch), taps

    def _plan_alpha(self) -> "TransposedPlan | None":
        """Plan the enlargement of alpha by the normalised kernel; None where that is not possible, and nn is used."""
        kernel = self._operator.kernel
        weights = kernel.weights if kernel.channels is None else kernel.weights.sum((0, 1))
        alpha = np.ascontiguousarray(self._source[..., -1])
        if kernel.chain is not None:
            others = Operator(kernel_of_others(self._operator.factor), self._operator.factor)
            return TransposedPlan(alpha, others, self._computed)
        try:
            return TransposedPlan(alpha, self._operator._replace(kernel=Kernel(weights, normalized=True)), self._computed)
        except ArgumentError:
            self.notes.append("the kernel cannot be normalised, so alpha is enlarged by nn")
            return None

    def rows_needed(self, rows: slice) -> tuple[int, int]:
        """Return which input rows are needed for rows of the result: the first one, and the one after the last."""
        if self._reduction is not None:
            rows = self._reduction.rows_needed(rows)
        taps = self._sums.rows_of(rows)
        needed = [taps.source[taps.line[taps.line >= 0]] if self._chain is None else self._chain.rows_needed(rows)]
        if self._added is not None:
            needed.append(self._added.rows_needed(rows))
        if self._nearest is not None:
            needed.append(self._nearest[0][rows])
        if self._alpha_plan is not None:
            first, stop = self._alpha_plan.rows_needed(rows)
            needed.append(np.arange(first, stop))
        numbers = np.concatenate(needed)
        numbers = numbers[numbers >= 0]
        return (int(numbers.min()), int(numbers.max()) + 1) if numbers.size else (0, 0)

    def fill(self, loops: ModuleType, out: Array, first_row: int = 0) -> None:
        """Compute rows `first_row` and following into `out`, rows of the result, with one of the engines' loops.

        Several threads may do so at once where the loops are `SAFE_IN_THREADS`.
        """
        flat = out.reshape(len(out), -1)
        if not self._staged:
            rows = self._sums.rows_of(slice(first_row, first_row + len(out)))
            self._count_clipped(self._sums.add(loops, self._source, rows, self._rounding, flat))
            return
        row = max(flat.shape[1], self._enlarged[1] * self._channels.result)
        height = max(1, _BAND // row, min(self.min_rows * self._operator.factor[0], _MOST // row))
        for begin in range(0, len(out), height):
            self._fill_staged(loops, flat[begin : begin + height], first_row + begin)

    def _fill_staged(self, loops: ModuleType, out: Array, first_row: int) -> None:
        """Compute a band in stages: to floats, their sums, perhaps reduced, and back to samples."""
        band, alpha, curve = slice(first_row, first_row + len(out)), self._channels.alpha, self._curve
        if self._reduction is None:
            sums = self._enlarged_rows(loops, band)
        else:
            sums = self._reduction.apply(loops, self._enlarged_rows(loops, self._reduction.rows_needed(band)), band)
        if alpha:
            # A pixel whose alpha rounds to 0 is not seen. Overshoots of alpha are clipped here: they say nothing of colours.
            rounded, limits = self._rounding
            least, most = (0.5, float(limits[1])) if rounded else (0.0, np.inf)
            loops.unpremultiply(sums, self._bias, least, most)
        if curve is not None:
            colours = sums.shape[2] - alpha
            sums[..., :colours] = curve.encode(sums[..., :colours])
        if alpha and self._operator.kernel.channels is None:
            self._restore_transparent_colours(sums, band)
        self._count_clipped(loops.store(sums.reshape(out.shape), *self._rounding, out))

    def _enlarged_rows(self, loops: ModuleType, band: slice) -> Array:
        """Compute a band of the enlargement as floats, (rows, W', channels of the result)."""
        if self._chain is None:
            block, rows = self._rows_needed(band)
            sums = self._summed(loops, self._to_floats(loops, block), rows, band.stop - band.start)
        else:
            sums = self._passed(self._chain, loops, band)
        if self._added is not None:
            self._added.add(loops, sums.reshape(len(sums), -1), band.start)
        if self._separate_alpha:
            sums[..., -1] = self._alpha_rows(loops, band)
        return sums

    def _count_clipped(self, number: int) -> None:
        with self._lock:  # several threads may compute bands
            self.clipped += number

    def _rows_needed(self, band: slice) -> tuple[Array, RowTaps]:
        """Take the input rows (H, W, C) that a band of output needs, and its taps with the rows numbered anew."""
        needed, rows = renumbered(self._sums.rows_of(band))
        return self._source[needed].reshape(len(needed), -1, self._channels.source), rows

    def _to_floats(self, loops: ModuleType, block: Array) -> Array:
        return to_floats(loops, block, self._computed, self._curve, alpha=self._channels.alpha)

    def _summed(self, loops: ModuleType, floats: Array, rows: RowTaps, height: int) -> Array:
        """Sum the taps of a band: floats (H, W, C) to (height, W', channels of the result)."""
        sums = np.empty((height, self._enlarged[1], self._channels.result), self._computed)
        if self._operator.kernel.channels is None:
            self._sums.add(loops, floats, rows, unrounded(self._computed), sums.reshape(height, -1))
            return sums
        # A kernel that mixes channels takes planes; alpha is not among them, and is filled in later.
        colours = self._channels.source - self._channels.alpha
        planes = np.ascontiguousarray(np.moveaxis(floats[..., :colours], 2, 0))
        out = np.empty((self._operator.kernel.channels[1], height, self._enlarged[1]), self._computed)
        self._sums.add_planes(loops, planes, rows, out)
        sums[..., : len(out)] = np.moveaxis(out, 0, 2)
        return sums

    def _passed(self, chain: ChainStage, loops: ModuleType, band: slice) -> Array:
        """Compute a band by a small network: (rows, W', channels of the result), all but alpha."""
        needed = chain.rows_needed(band)
        first, stop = int(needed.min()), int(needed.max()) + 1
        block = self._source[first:stop].reshape(stop - first, -1, self._channels.source)
        floats = np.moveaxis(self._to_floats(loops, block), 2, 0)
        taken, made = self._operator.kernel.channels or (1, 1)
        height = band.stop - band.start
        sums = np.empty((height, self._enlarged[1], self._channels.result), self._computed)
        for number in range(self._batch):
            planes = np.ascontiguousarray(floats[number * taken : (number + 1) * taken])
            out = np.empty((made, height, self._enlarged[1]), self._computed)
            chain.compute(loops, planes, first, band, out)
            sums[..., number * made : (number + 1) * made] = np.moveaxis(out, 0, 2)
        return sums

    def _alpha_rows(self, loops: ModuleType, band: slice) -> Array:
        """Enlarge a band of alpha on its own: (rows, W')."""
        if self._alpha_plan is None:
            assert self._nearest is not None
            rows, columns = self._nearest
            return self._source[..., -1][rows[band]][:, columns]
        alpha = np.empty((band.stop - band.start, self._enlarged[1]), self._computed)
        self._alpha_plan.fill(loops, alpha, band.start)
        return alpha

    def _restore_transparent_colours(self, sums: Array, band: slice) -> None:
        """Give pixels without alpha the colours of the nearest source pixel: what nobody sees is kept all the same."""
        assert self._nearest is not None
        y, x = np.nonzero(sums[..., -1] == 0)
        rows, columns = self._nearest
        if self._reduction is not None:
            rows, columns = (a[nearest_before(len(a), n)] for a, n in zip(self._nearest, self.shape[:2], strict=True))
        sums[y, x, :-1] = self._source[rows[band][y], columns[x], :-1]


#: What is added to the weighted sums.
_Added = CorrectionStage | LayerStage | LumaNetworkStage


def _is_for_luma(kernel: Kernel, source: Array, batch: int, alpha: bool) -> bool:
    """Return whether a kernel is a network for one channel, and the picture has three colours."""
    single = kernel.chain is not None and kernel.channels == (1, 1)
    return single and batch == 1 and source.ndim == 3 and source.shape[2] - alpha == 3


def _channels(source: Array, kernel: Kernel, alpha: bool, batch: int) -> _Channels:
    """Check that a kernel fits a picture's channels.

    Raises
    ------
    ArgumentError
        Where it does not.
    """
    present = 1 if source.ndim == 2 else source.shape[2]
    if kernel.channels is None:
        return _Channels(present, present, alpha)
    taken, made = kernel.channels
    if kernel.chain is not None:  # others come with their weights repeated for each picture
        taken, made = taken * batch, made * batch
    if alpha and taken == present:  # the user mixes alpha like any other channel
        alpha = False
    if taken != present - alpha:
        raise ArgumentError(f"the kernel {kernel.weights.shape} needs {taken} channels, but the picture has {present}")
    return _Channels(present, made + alpha, alpha)

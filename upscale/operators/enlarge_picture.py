"""One `Picture` enlarged by one of the methods, whole or in bands of rows."""

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from upscale import threads
from upscale.errors import ArgumentError
from upscale.loops.engine import CHOOSER, Engine
from upscale.operators.methods import Request, computable, make_plan

if TYPE_CHECKING:
    from upscale.pictures.picture import Picture
    from upscale.pictures.row_stream import RowStream
    from upscale.pictures.tone_curves import Curve

Array = NDArray[Any]

#: Some rows: a context manager that computes them; they are valid within its block.
Band = AbstractContextManager[Array]

#: A user is warned if more than this share of the samples was clipped.
CLIPPED = 0.01
#: Bytes of the result after which NumPy's engine looks whether the loops have been compiled.
_LOOK_SIZE = 1 << 20


class Enlargement:
    """The enlargement of one picture, computed when it is asked for: at once, or in bands of rows.

    What the picture is enlarged by before is computed at once, and rounded to the picture's own integers.

    Parameters
    ----------
    picture : Picture
    request : Request
    engine : str
    floats : bool
        Leave tconv's results as they are, and do not round them to the picture's own integers.
    png : bool
        Whether the result becomes a PNG file, for which the engine has loops, too.
    watch : callable
        Called with the engine and its loops before it begins.
    stream : RowStream, optional
        Where the picture's rows come from while it is enlarged.

    Attributes
    ----------
    shape : tuple
    dtype : dtype
    loops, png_loops : module
        Of the engine that was chosen: those that enlarge, and those that write PNG.
    notes : list of str
        What a user should know.

    Raises
    ------
    ArgumentError
        Where the picture and the request do not fit each other.
    """

    def __init__(
        self,
        picture: "Picture",
        request: Request,
        engine: str = "auto",
        *,
        floats: bool = False,
        png: bool = False,
        watch: Callable[[Engine, ModuleType], None] = lambda engine, loops: None,
        stream: "RowStream | None" = None,
    ) -> None:
        earlier = list[Enlargement]()
        for one in request.earlier:
            earlier.append(Enlargement(picture, one, engine, floats=floats, watch=watch))
            picture = earlier[-1].whole()
        if request.operator is not None:
            from upscale.pictures.mode_conversion import filterable

            picture = filterable(picture)
        source = computable(picture.samples, request)
        dtype = source.dtype
        if request.operator is not None and floats and dtype.kind != "f":
            dtype = np.dtype(np.float32)
            if not picture.mode:  # an array of integers; the samples of pictures are still needed for their scale
                source = source.astype(dtype)
        options: dict[str, Any] = {}
        if request.operator is not None:
            unit = np.iinfo(source.dtype).max if picture.mode and source.dtype in (np.uint8, np.uint16) else 1
            # Premultiplied colours mix as they are.
            alpha = picture.base in ("LA", "RGBA") and not picture.info.get("associated")
            options = {"alpha": alpha, "bias_scale": unit}
            if request.linear:
                options["curve"] = curve_for(picture, source)
            kernel = request.operator.kernel
            if picture.leading and kernel.channels is not None and kernel.chain is None:  # the pictures of a batch stay apart
                repeated = kernel.repeated(picture.leading[0])
                request = request._replace(operator=request.operator._replace(kernel=repeated))
            elif picture.leading:
                options["batch"] = picture.leading[0]
        self._picture, self._source, self._request = picture, source, request
        self._plan = make_plan(source, request, dtype, **options)
        self.shape, self.dtype = self._plan.shape, self._plan.dtype
        self.notes: list[str] = [note for enlargement in (*earlier, self._plan) for note in enlargement.notes]
        self._clipped_before = max((enlargement.clipped for enlargement in earlier), default=0.0)
        work = self._plan.work.for_png(int(np.prod(self.shape)) * self.dtype.itemsize) if png else self._plan.work
        self._engine, self._watch = engine, watch
        chosen, self.loops = CHOOSER.load(engine, work)
        self.png_loops = CHOOSER.png_loops(engine, self.loops) if png else self.loops
        self._may_change = chosen.name == "numpy" and engine == "auto" and CHOOSER.background
        if CHOOSER.unusable and engine == "auto":
            self.notes.append(f"{CHOOSER.unusable}, so NumPy is used, which is slower")
        watch(chosen, self.loops)
        self._stream = stream
        self._lock, self._numbers, self._under_way = threading.Lock(), itertools.count(), dict[int, int]()
        if stream is not None:
            assert source is stream.samples
            stream.start(self.png_loops)

    @property
    def is_settled(self) -> bool:
        """Whether another enlargement of this kind would be computed by the same engine."""
        return self._engine != "auto" or self.loops.__name__ != "upscale.loops.numpy_loops"

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the result."""
        return self.shape[0], self.shape[1]

    @property
    def clipped(self) -> float:
        """The share of samples that had to be clipped, once they are computed."""
        return max(self._clipped_before, float(self._plan.clipped / np.prod(self.shape)))

    @property
    def result(self) -> "Picture":
        """The picture as it will be, but for its samples."""
        return _with_mode(self._picture, self.shape, self.dtype)

    @property
    def blocks(self) -> tuple[int, int] | None:
        """How high and wide the blocks are that each sample of the source becomes; None where samples are mixed."""
        return self._request.factor if self._request.operator is None else None

    def whole(self) -> "Picture":
        """Compute the result."""
        if self._stream is not None:
            self._stream.wait(len(self._source))
        return self.result._replace(samples=self._computed(slice(0, self.shape[0]), threads.limit()))

    def fill(self, out: Array) -> None:
        """Compute the result, of what the picture's samples are now, into an array of its shape and dtype."""
        self._filled(0, out, threads.limit())

    def bands(self, size: int) -> Iterator[Band]:
        """Yield bands of rows of the result, of about some bytes, to be computed in any thread, several at once.

        Where samples become blocks, the bands are those of the source: see `blocks`.
        """
        for rows, needed in self._rows_of_bands(size):
            if self.blocks is not None:
                yield self._band(needed[0], partial(self._source_rows, needed))
            elif self.loops.SAFE_IN_THREADS:
                yield self._band(needed[0], partial(self._computed, rows, 1))
            else:
                yield contextlib.nullcontext(self._computed(rows, threads.limit()))

    def computed_bands(self, size: int) -> Iterator[Array]:
        """Compute bands of about some bytes, one after another, each on all threads."""
        for rows, _ in self._rows_of_bands(size):
            yield self._computed(rows, threads.limit())

    def _band(self, first: int, compute: Callable[[], Array]) -> Band:
        """Make a band that keeps the source's rows from `first` on from being released until its user is done."""
        with self._lock:
            number = next(self._numbers)
            self._under_way[number] = first
        return self._made_band(number, compute)

    @contextlib.contextmanager
    def _made_band(self, number: int, compute: Callable[[], Array]) -> Iterator[Array]:
        try:
            yield compute()
        finally:
            with self._lock:
                del self._under_way[number]

    def _rows_of_bands(self, size: int) -> Iterator[tuple[slice, tuple[int, int]]]:
        """Yield the rows of each band, and the source's rows that it needs, once those are there."""
        factor = self._request.factor[0]
        row = max(1, int(np.prod(self.shape[1:])) * self.dtype.itemsize)
        height = min(max(self._plan.min_rows, size // row // factor) * factor, self.shape[0])
        bands = [slice(first, min(first + height, self.shape[0])) for first in range(0, self.shape[0], height)]
        needed = [self._plan.rows_needed(rows) for rows in bands]
        # Rows wrap around, or are mirrored, at the borders: a later band may need an earlier row.
        begins = np.minimum.accumulate([first for first, _ in needed][::-1])[::-1]
        for rows, wanted, begin in zip(bands, needed, begins, strict=True):
            if self._stream is not None:
                with self._lock:
                    unused = min(self._under_way.values(), default=int(begin))
                self._stream.release(min(unused, int(begin)))
                self._stream.wait(wanted[1])
            yield rows, wanted
        if self._stream is not None:  # rows that no band needs may be damaged
            self._stream.wait(len(self._source))

    def _source_rows(self, rows: tuple[int, int]) -> Array:
        return self._source[slice(*rows)]

    def _computed(self, rows: slice, number: int) -> Array:
        """Compute rows of the result on so many threads; 0 leaves their number to Numba."""
        return self._filled(rows.start, np.empty((rows.stop - rows.start, *self.shape[1:]), self.dtype), number)

    def _filled(self, first: int, rows: Array, number: int) -> Array:
        factor = self._request.factor[0]
        step = max(1, _LOOK_SIZE // max(1, rows[0].nbytes) // factor) * factor if self._may_change else len(rows)
        with np.errstate(all="ignore"):  # NaN, infinity and overflow are the picture's and stay what they are
            for begin in range(0, len(rows), step):
                self._look_again(first + begin)
                self.loops.use_threads(number)
                self._plan.fill(self.loops, rows[begin : begin + step], first + begin)
        return rows

    def _look_again(self, row: int) -> None:
        """Change to the compiled loops if these have become ready after NumPy's began: both compute the same."""
        if not self._may_change or not row:
            return
        found = CHOOSER.look_again(self._engine, self._plan.work.part(1 - row / self.shape[0]))
        if found is not None:
            self._may_change = False
            chosen, self.loops = found
            self._watch(chosen, self.loops)


def curve_for(picture: "Picture", source: Array) -> "Curve":
    """Find the curve by which a picture is filtered in linear light."""
    from upscale.pictures.tone_curves import curve_of

    if picture.base not in ("", "L", "LA", "RGB", "RGBA") or source.dtype not in (np.uint8, np.uint16):
        kind = picture.mode or source.dtype
        raise ArgumentError(f"linear light needs RGB or grey with 8 or 16 bits, not {kind}")
    return curve_of(picture.info, int(np.iinfo(source.dtype).max))


def _with_mode(picture: "Picture", shape: tuple[int, ...], dtype: "np.dtype[Any]") -> "Picture":
    """Give a picture the mode that its enlarged channels make."""
    from upscale.pictures.formats import mode_of
    from upscale.pictures.picture import CHANNELS

    before, after = (1 if len(s) == 2 else s[2] for s in (picture.samples.shape, shape))
    if not picture.mode or (before == after and picture.samples.dtype == dtype):
        return picture
    if before == after:
        return picture._replace(mode=mode_of(picture.base, dtype) or CHANNELS)
    # Alpha is computed from alpha alone: whatever else a kernel makes is colour, grey or just channels.
    bases = {2: "LA", 4: "RGBA"} if picture.base in ("LA", "RGBA") else {1: "L", 3: "RGB"}
    return picture._replace(mode=mode_of(bases.get(after, ""), dtype) or CHANNELS)

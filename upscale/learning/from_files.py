"""Learn a kernel from files, one picture after another, and measure its quality."""

import datetime
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError, FileError
from upscale.kernels.kernel import Kernel
from upscale.kernels.layers import Layers
from upscale.learning import image_quality
from upscale.learning.crops import MOST, Crops
from upscale.learning.downscale import Downscaler, make_pair, parse_downscale
from upscale.learning.learn_corrections import DEPTH, learn_corrections
from upscale.learning.learn_layers import LayerEquations, layer_equations, shipped_features
from upscale.learning.least_squares import (
    RIDGES,
    Equations,
    NormalEquations,
    best_ridge,
    check_samples,
    normal_equations,
    taps_of,
)
from upscale.operators.enlarge import enlarge
from upscale.pictures.luma import luma_of
from upscale.pictures.reading import first_picture

Array = NDArray[Any]

#: Steps that learning corrections takes, twice, after the pictures.
_CORRECTION_STEPS = 2 * ((1 << DEPTH) - 1)
#: Kernels that learned ones are compared with.
OTHERS = ("nearest", "bilinear", "bicubic", "lanczos3")
#: Of the pictures that quality is measured with: how many at most, and the side of the middle that is used.
_MEASURED, _MIDDLE = 50, 1024


class LearnRequest(NamedTuple):
    """What is to be learned.

    Attributes
    ----------
    high : list of str
        Files of high-resolution pictures.
    low : list of str or None
        Files of their low-resolution copies; None makes them by `downscale`.
    factor : int
    size : int or None
        The kernel's side; None for the default.
    downscale : str
        How low-resolution copies are made, as in `downscale.parse_downscale`.
    validate : list of str
        Files of pictures to measure quality with; if there are none, a tenth of `high` is held out.
    sample : int
        Pixels of a low-resolution picture that are learned from at most.
    adaptive : bool
        Learn corrections too.
    deep : bool
        Learn what follows the features of a shipped deep kernel: of deep-jpeg if copies get noise, otherwise of deep.
    version : str
        Of this package, which the kernel's file records.
    """

    high: list[str]
    low: list[str] | None
    factor: int
    size: int | None
    downscale: str
    validate: list[str]
    sample: int
    adaptive: bool = False
    deep: bool = False
    version: str = ""


class Learned(NamedTuple):
    """A kernel and its quality.

    Attributes
    ----------
    kernel : Kernel
    quality : dict
        From a kernel's name to (PSNR in decibels, SSIM), each the mean over the pictures that were measured with.
    measured : int
        Number of these pictures.
    pictures, samples : int
        What was learned from.
    ridge : float
    notes : list of str
        Pictures that were skipped, and why.
    """

    kernel: Kernel
    quality: dict[str, tuple[float, float]]
    measured: int
    pictures: int
    samples: int
    ridge: float
    notes: list[str]


def luma(path: str) -> Array:
    """Read the first picture of a file as luma, (H, W): bytes, or float32 in their scale where it has more than 8 bits.

    Grey is taken as it is.

    Raises
    ------
    FileError
        Where it cannot be read, or has no colours that luma is known of.
    """
    try:
        return luma_of(first_picture(path))
    except ArgumentError as error:
        raise FileError(f"{path}: {error}") from error


def count_steps(request: LearnRequest) -> int:
    """Return how often `learn_from_files` calls its `step`; less often if pictures are skipped."""
    measured = request.validate or request.high[1::10]  # as many as are held out
    return len(request.high) + min(_MEASURED, len(measured)) + _CORRECTION_STEPS * request.adaptive


def learn_from_files(request: LearnRequest, step: Callable[[], None] = lambda: None, features: Layers | None = None) -> Learned:
    """Learn a kernel, and measure its quality.

    Parameters
    ----------
    request : LearnRequest
    step : callable
        Called before each picture that is read, and for each node of the tree of an adaptive kernel: `count_steps` times in
        all.
    features : Layers, optional
        Whose convolutions a deep kernel gets; by default those of the shipped one.

    Raises
    ------
    ArgumentError
        If the pictures are too few, too small or too flat, or a value cannot work.
    FileError
        If no picture can be read, or low-resolution copies do not fit.
    """
    began = time.perf_counter()
    taps = taps_of(request.size, request.factor)
    source = _Source(request, parse_downscale(request.downscale))
    if request.deep:
        features = features or shipped_features(request.downscale)
    summed = _sum_up(source, taps, features, step)
    ridge, kernel, honest, details = _solve(request, summed, step)
    if request.validate:
        checked = _Source(request._replace(high=request.validate, low=None), source.downscaler)
        quality, measured = measure(_middles(checked, range(len(request.validate)), step), request.factor, kernel)
    else:
        quality, measured = measure(_middles(source, summed.held_numbers, step), request.factor, honest)
    training = {
        "pictures": summed.used,
        "samples": summed.all.samples,
        "factor": request.factor,
        "size": taps * request.factor,
        "ridge": ridge,
        "downscale": "given copies" if request.low is not None else request.downscale,
        "date": datetime.date.today().isoformat(),
        "upscale": request.version,
        "measured_with": measured,
        "measured_on": "given pictures" if request.validate else "held-out pictures",
        "quality": {name: [round(v, 4) for v in values] for name, values in quality.items()},
        "seconds": round(time.perf_counter() - began, 1),
        **details,
    }
    kernel = kernel.replaced(training=json.dumps(training))
    return Learned(kernel, quality, measured, summed.used, summed.all.samples, ridge, summed.notes)


class _Source(NamedTuple):
    """The pictures of a request, as pairs of low and high resolution."""

    request: LearnRequest
    downscaler: Downscaler

    def pair(self, number: int) -> tuple[Array, Array]:
        path, factor = self.request.high[number], self.request.factor
        high = luma(path)
        if self.request.low is None:
            return make_pair(high, factor, self.downscaler)
        low = luma(self.request.low[number])
        if high.shape != (low.shape[0] * factor, low.shape[1] * factor):
            raise ArgumentError(
                f"{path} is {high.shape[1]}x{high.shape[0]}, which is not {factor} times its low-resolution copy "
                f"{self.request.low[number]}, {low.shape[1]}x{low.shape[0]}"
            )
        return low, high

    def low_is_missing(self, number: int) -> bool:
        """Return whether the low-resolution copy should be a file, and there is none."""
        return self.request.low is not None and not os.path.exists(self.request.low[number])


@dataclass
class _Summed:
    """What was read of all pictures; every tenth is held out."""

    train: Equations
    held_out: Equations
    train_crops: Crops = field(default_factory=Crops)
    held_crops: Crops = field(default_factory=lambda: Crops(MOST // 9))
    held_numbers: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    used: int = 0

    @property
    def all(self) -> Equations:
        return self.train + self.held_out


def _sum_up(source: _Source, taps: int, layers: Layers | None, step: Callable[[], None]) -> _Summed:
    """Read the pictures one after another; pass over those that cannot be used."""
    request = source.request
    none: Equations = NormalEquations.empty(request.factor, taps)
    if layers is not None:
        none = LayerEquations.empty(layers, request.factor)
    summed = _Summed(none, none)
    for number, path in enumerate(request.high):
        step()
        try:
            low, high = source.pair(number)
            if min(low.shape) < taps:
                raise FileError(
                    f"{path}: its low-resolution copy, {low.shape[1]}x{low.shape[0]}, is smaller than {taps}x{taps}"
                )
            found: Equations
            if layers is not None:
                found = layer_equations(low, high, layers, most=request.sample)
            else:
                found = normal_equations(low, high, taps, most=request.sample)
        except FileError as error:
            if source.low_is_missing(number):
                raise
            summed.notes.append(str(error))
            continue
        if held := summed.used % 10 == 1:
            summed.held_numbers.append(number)
            summed.held_out += found
        else:
            summed.train += found
        if request.adaptive:
            (summed.held_crops if held else summed.train_crops).add(low, high)
        summed.used += 1
    if not summed.used:
        notes = summed.notes
        raise FileError(notes[0] if len(notes) == 1 else f"none of {len(notes)} pictures can be used: {notes[0]}")
    check_samples(summed.all)
    return summed


def _solve(request: LearnRequest, summed: _Summed, step: Callable[[], None]) -> tuple[float, Kernel, Kernel, dict[str, int]]:
    """Return the ridge, the kernel, one that has not seen the held-out pictures, and details of the corrections."""
    held = bool(summed.held_numbers)
    ridge = best_ridge(summed.train, summed.held_out) if held else RIDGES[1]
    title = "adaptive" if request.adaptive else "deep" if request.deep else "learned"
    kernel = summed.all.kernel(ridge, title)
    honest = summed.train.kernel(ridge) if held else kernel
    if not request.adaptive:
        return ridge, kernel, honest, {}
    train_pairs, held_pairs = summed.train_crops.pairs, summed.held_crops.pairs
    first = learn_corrections(train_pairs, honest, held_pairs, step=step)
    last = learn_corrections(train_pairs + held_pairs, kernel, passes=first.passes, step=step)
    honest, kernel = honest.replaced(corrections=first.corrections), kernel.replaced(corrections=last.corrections)
    details = {"classes": last.corrections.classes, "passes": last.passes, "corrected": last.samples}
    return ridge, kernel, honest, details


def _middles(source: _Source, numbers: Iterable[int], step: Callable[[], None]) -> Iterator[tuple[Array, Array]]:
    """Yield the middles of some pictures, low and high resolution."""
    f = source.request.factor
    for number in list(numbers)[:_MEASURED]:
        step()
        low, high = source.pair(number)
        height, width = (min(n, max(1, _MIDDLE // f)) for n in low.shape)
        top, left = (low.shape[0] - height) // 2, (low.shape[1] - width) // 2
        yield low[top : top + height, left : left + width], high[top * f : (top + height) * f, left * f : (left + width) * f]


def measure(pairs: Iterable[tuple[Array, Array]], factor: int, kernel: Kernel) -> tuple[dict[str, tuple[float, float]], int]:
    """Enlarge low-resolution pictures by a kernel and by `OTHERS`, and compare the results with the high-resolution pictures.

    A border of `factor` pixels is ignored, as usual. Pictures that are too small to compare are skipped.

    Parameters
    ----------
    pairs : iterable of (ndarray, ndarray)
        Low and high resolution, (H, W).
    factor : int
    kernel : Kernel

    Returns
    -------
    (dict, int)
        From a kernel's name to (PSNR in decibels, SSIM), each the mean over the pictures; and the number of these.
    """
    rows: dict[str, list[tuple[float, float]]] = {}
    number = 0
    if kernel.layers is not None:
        learned = {"deep": kernel}
    else:
        learned = {"learned": kernel.replaced(corrections=None)}
        if kernel.corrections is not None:
            learned["adaptive"] = kernel
    for low, high in pairs:
        if min(high.shape) < 2 * factor + 11:  # SSIM's window
            continue
        number += 1
        # `enlarge` expects floats in 0..1.
        full = 255 if low.dtype.kind == "f" else 1
        for name in (*OTHERS, *learned):
            how = () if name == "nearest" else ("tconv", learned.get(name, name))
            got: Any = enlarge(low / full if full > 1 else low, factor, *how)
            got = got * full
            rows.setdefault(name, []).append((image_quality.psnr(got, high, factor), image_quality.ssim(got, high, factor)))
    return {name: (float(np.mean([p for p, _ in r])), float(np.mean([s for _, s in r]))) for name, r in rows.items()}, number

"""Learn a kernel from files, one picture after another, and measure how good it is."""

import datetime
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale import __version__
from upscale.errors import ArgumentError, FileError
from upscale.kernels.kernel import Kernel
from upscale.learning import image_quality, learn_kernel
from upscale.learning.learn_corrections import DEPTH, MOST, Crops, learn_bank
from upscale.operators.enlarge import enlarge
from upscale.pictures.luma import luma_of
from upscale.pictures.reading import first_picture

Array = NDArray[Any]

#: Steps that learning corrections takes, twice, after the pictures.
_CORRECTION_STEPS = 2 * ((1 << DEPTH) - 1)
#: What learned kernels are compared with.
OTHERS = ("nearest", "bilinear", "bicubic", "lanczos3")
#: Of the pictures that are measured with: how many at most, and the side of the middle that is taken.
_MEASURED, _MIDDLE = 50, 1024


class Request(NamedTuple):
    """What is to be learned.

    Attributes
    ----------
    paths : list of str
        High-resolution pictures.
    twins : list of str or None
        Their low-resolution twins, where those are files too.
    factor : int
    size : int or None
        The kernel's side.
    downscale : str
        How twins are made, as `twins.downscaled` takes it.
    validate : list of str
        Pictures to measure with; where there are none, a tenth of `paths` is held out.
    sample : int
        Places of a picture at most that are learned from.
    adaptive : bool
        Learn a bank of corrections as well.
    """

    paths: list[str]
    twins: list[str] | None
    factor: int
    size: int | None
    downscale: str
    validate: list[str]
    sample: int
    adaptive: bool = False


class Learned(NamedTuple):
    """A kernel and how good it is.

    Attributes
    ----------
    kernel : Kernel
    quality : dict
        Name to (PSNR, SSIM), each the mean over the pictures that were measured with.
    measured : int
        How many these were.
    pictures, samples : int
        What was learned from.
    ridge : float
    notes : list of str
        Pictures that were passed over, and why.
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


def steps(request: Request) -> int:
    """Count the steps that `learned` takes, fewer where pictures are passed over.

    Parameters
    ----------
    request : Request
    """
    measured = request.validate or request.paths[1::10]  # as many as are held out
    return len(request.paths) + min(_MEASURED, len(measured)) + _CORRECTION_STEPS * request.adaptive


def learned(request: Request, step: Callable[[], None] = lambda: None) -> Learned:
    """Learn a kernel.

    Parameters
    ----------
    request : Request
    step : callable
        Called before each picture that is read, and for each node of the tree of an adaptive kernel: `steps` times in all.

    Raises
    ------
    ArgumentError
        Where the pictures are too few, too small or too flat, or a value cannot work.
    FileError
        Where no picture can be read, or twins do not fit.
    """
    began = time.perf_counter()
    factor = request.factor
    taps = learn_kernel.taps_of(request.size, factor)
    train, held_out = learn_kernel.Sums.none(factor, taps), learn_kernel.Sums.none(factor, taps)
    train_crops, held_crops = Crops(), Crops(MOST // 9)
    held: list[int] = []
    notes: list[str] = []
    used = 0
    for number, path in enumerate(request.paths):
        step()
        try:
            low, high = _pair(request, number)
            if min(low.shape) < taps:
                raise FileError(f"{path}: its twin of {low.shape[1]}x{low.shape[0]} is smaller than {taps}x{taps}")
            found = learn_kernel.sums(low, high, taps, most=request.sample)
        except FileError as error:
            if request.twins is not None and not os.path.exists(request.twins[number]):
                raise
            notes.append(str(error))
            continue
        out = used % 10 == 1
        if out:
            held.append(number)
            held_out += found
        else:
            train += found
        if request.adaptive:
            (held_crops if out else train_crops).add(low, high)
        used += 1
    if not used:
        raise FileError(notes[0] if len(notes) == 1 else f"none of {len(notes)} pictures can be learned from: {notes[0]}")
    both = train + held_out
    learn_kernel.enough(both, taps)
    ridge = learn_kernel.best_ridge(train.turned(), held_out.turned()) if held else learn_kernel.RIDGES[1]
    kernel = learn_kernel.kernel_of(both.turned().solved(ridge), factor, taps, "adaptive" if request.adaptive else "learned")
    # What was held out is measured with a kernel that has not seen it.
    honest = learn_kernel.kernel_of(train.turned().solved(ridge), factor, taps) if held else kernel
    found_bank: dict[str, int] = {}
    if request.adaptive:
        first = learn_bank(train_crops.pairs, honest, held_crops.pairs, step=step)
        last = learn_bank(train_crops.pairs + held_crops.pairs, kernel, passes=first.passes, step=step)
        honest, kernel = honest.replaced(bank=first.bank), kernel.replaced(bank=last.bank)
        found_bank = {"classes": last.bank.classes, "passes": last.passes, "corrected": last.samples}
    honest = kernel if request.validate else honest
    outside = request._replace(paths=request.validate, twins=None)
    pairs = _pairs(outside, range(len(request.validate)), step) if request.validate else _pairs(request, held, step)
    found_quality, measured = measure(pairs, factor, honest)
    training = {
        "pictures": used, "samples": both.samples, "factor": factor, "size": taps * factor, "ridge": ridge,
        "downscale": "given twins" if request.twins is not None else request.downscale,
        "date": datetime.date.today().isoformat(), "upscale": __version__, "measured_with": measured,
        "measured_on": "given pictures" if request.validate else "held-out pictures",
        "quality": {name: [round(v, 4) for v in values] for name, values in found_quality.items()},
        "seconds": round(time.perf_counter() - began, 1), **found_bank,
    }  # fmt: skip
    kernel.training = json.dumps(training)
    return Learned(kernel, found_quality, measured, used, both.samples, ridge, notes)


def _pair(request: Request, number: int) -> tuple[Array, Array]:
    path, factor = request.paths[number], request.factor
    high = luma(path)
    if request.twins is None:
        return learn_kernel.twin(high, factor, request.downscale)
    low = luma(request.twins[number])
    if high.shape != (low.shape[0] * factor, low.shape[1] * factor):
        raise ArgumentError(
            f"{path} is {high.shape[1]}x{high.shape[0]}, which is not {factor} times its twin {request.twins[number]}, "
            f"{low.shape[1]}x{low.shape[0]}"
        )
    return low, high


def _pairs(request: Request, numbers: Iterable[int], step: Callable[[], None]) -> Iterator[tuple[Array, Array]]:
    for number in list(numbers)[:_MEASURED]:
        step()
        low, high = _pair(request, number)
        height, width = (min(n, max(1, _MIDDLE // request.factor)) for n in low.shape)
        top, left = (low.shape[0] - height) // 2, (low.shape[1] - width) // 2
        f = request.factor
        yield low[top : top + height, left : left + width], high[top * f : (top + height) * f, left * f : (left + width) * f]


def measure(pairs: Iterable[tuple[Array, Array]], factor: int, kernel: Kernel) -> tuple[dict[str, tuple[float, float]], int]:
    """Enlarge low-resolution pictures by a kernel and by others, and compare them with their twins.

    A border of `factor` pixels is left out, as is usual. Pictures that are too small to compare are passed over.

    Parameters
    ----------
    pairs : iterable of (ndarray, ndarray)
        Low and high resolution, (H, W).
    factor : int
    kernel : Kernel

    Returns
    -------
    (dict, int)
        Name to (PSNR in decibels, SSIM), each the mean over the pictures; and how many these were.
    """
    rows: dict[str, list[tuple[float, float]]] = {}
    number = 0
    learned = {"learned": kernel.replaced(bank=None)} | ({"adaptive": kernel} if kernel.bank is not None else {})
    for low, high in pairs:
        if min(high.shape) < 2 * factor + 11:  # SSIM's window
            continue
        number += 1
        # Floats are taken to reach to 1.
        full = 255 if low.dtype.kind == "f" else 1
        for name in (*OTHERS, *learned):
            how = () if name == "nearest" else ("tconv", learned.get(name, name))
            got: Any = enlarge(low / full if full > 1 else low, factor, *how)
            got = got * full
            rows.setdefault(name, []).append((image_quality.psnr(got, high, factor), image_quality.ssim(got, high, factor)))
    return {name: (float(np.mean([p for p, _ in r])), float(np.mean([s for _, s in r]))) for name, r in rows.items()}, number

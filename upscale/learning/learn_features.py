"""Features that are trained on files: the pairs that they are learned from, and the layers that come out."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from upscale import threads
from upscale.errors import ArgumentError, FileError
from upscale.kernels.kernel import Kernel
from upscale.kernels.layers import Layers
from upscale.learning.downscale import has_noise, make_pair, parse_downscale
from upscale.learning.from_files import LearnRequest, luma
from upscale.learning.learn_layers import deep_kernel_of, rounded
from upscale.learning.train_features import FACTOR, Pair, seconds_per_step, train_features

Array = NDArray[Any]

#: Pictures are also learned from at these sizes.
SCALES = (1.0, 0.8, 0.65)
#: Of a larger picture, so many pixels a side are used; it is first downscaled to at most twice as many.
_SIDE = 1024


class TrainingRequest(NamedTuple):
    """How features are trained.

    Attributes
    ----------
    steps : int
        0 chooses as many as fit in the minutes.
    minutes : float
    seed : int
    again : int
        Steps of a second training, which begins with the weights of the first, at half of the learning rate.
    """

    steps: int
    minutes: float
    seed: int
    again: int = 0


class TrainedLayers(NamedTuple):
    """Features.

    Attributes
    ----------
    kernel : Kernel
        For factor 2, with the weights that were trained with them.
    steps : int
        After which they were the best.
    psnr : float
        In decibels, on the held-out tenth at factor 2, then.
    """

    kernel: Kernel
    steps: int
    psnr: float

    @property
    def layers(self) -> Layers:
        """The layers, of which only the convolutions matter for other factors."""
        assert self.kernel.layers is not None
        return self.kernel.layers


def train_on_files(
    request: LearnRequest,
    training: TrainingRequest,
    *,
    begin: Callable[[int], None] = lambda steps: None,
    report: Callable[[int, float | None], None] = lambda step, psnr: None,
    stopped: Callable[[], bool] = lambda: False,
) -> TrainedLayers:
    """Train features on the pictures of a request, at factor 2, whatever its factor; a tenth is held out.

    Parameters
    ----------
    request : LearnRequest
        Low-resolution copies that are given are used if the factor is 2; otherwise they are made as `downscale` says.
    training : TrainingRequest
    begin : callable
        Called with the number of steps before the first one.
    report, stopped : callable
        As for `train_features`.

    Raises
    ------
    MissingLibraryError
        If PyTorch is not installed.
    ArgumentError, FileError
        If no picture can be used.
    """
    numbers: Sequence[int] = range(len(request.high))
    held = [number for number in numbers if number % 10 == 1]
    pairs = _pairs(request, [number for number in numbers if number % 10 != 1], SCALES)
    checked = _pairs(request, held, SCALES[:1])
    if not pairs:
        raise FileError("no picture can be used to train features")
    steps = training.steps or max(1, round(training.minutes * 60 / seconds_per_step(pairs)))
    begin(steps)
    # Only biases tell noise and the blocks of a JPEG from weak edges; without them, a picture may have any scale.
    noisy = has_noise(request.downscale)
    found = train_features(pairs, checked, steps, biases=noisy, seed=training.seed, report=report, stopped=stopped)
    if training.again:
        found = train_features(
            pairs, checked, training.again, biases=noisy, start=found, seed=training.seed + 1, report=report, stopped=stopped
        )
    convolutions, slopes, biases = ([rounded(a) for a in arrays] for arrays in (found.convolutions, found.slopes, found.biases))
    layers = Layers(convolutions, slopes, np.zeros((len(slopes[-1]), 1, FACTOR, FACTOR)), FACTOR, biases)
    return TrainedLayers(deep_kernel_of(layers, found.enlarging, FACTOR), found.steps, found.psnr)


def _pairs(request: LearnRequest, numbers: Sequence[int], scales: Sequence[float]) -> list[Pair]:
    """Return pairs of low and high resolution; pass over pictures that cannot be used."""
    downscaler = parse_downscale(request.downscale)

    def pairs(number: int) -> list[Pair]:
        try:
            high = _middle(_bytes(luma(request.high[number])))
            if request.low is not None and request.factor == FACTOR:
                low = _bytes(luma(request.low[number]))
                whole = _bytes(luma(request.high[number]))
                return [(low, whole)] if whole.shape == (low.shape[0] * FACTOR, low.shape[1] * FACTOR) else []
            return [make_pair(_scaled(high, scale), FACTOR, downscaler) for scale in scales]
        except (FileError, ArgumentError):  # reported when what follows the features is learned
            return []

    pool = ThreadPoolExecutor(threads.count())  # Pillow's loops do not hold Python's lock
    try:
        return [pair for found in pool.map(pairs, numbers) for pair in found]
    finally:
        pool.shutdown(cancel_futures=True)


def _scaled(high: Array, scale: float) -> Array:
    """Downscale a picture to a share of its size."""
    size = (round(high.shape[1] * scale), round(high.shape[0] * scale))
    return high if scale == 1 else np.asarray(Image.fromarray(high).resize(size, Image.Resampling.BICUBIC))


def _bytes(samples: Array) -> Array:
    """Round grey levels of 8 bits to bytes."""
    if samples.dtype == np.uint8:
        return samples
    rounded: Array = np.clip(np.floor(samples + 0.5), 0, 255).astype(np.uint8)
    return rounded


def _middle(high: Array) -> Array:
    """Cut the middle out of a large picture, and downscale a very large one first, whose finest details are blur and noise."""
    while min(high.shape) >= 4 * _SIDE:
        high = np.asarray(Image.fromarray(high).reduce(2))
    top, left = (max(0, n - _SIDE) // 2 for n in high.shape)
    return high[top : top + _SIDE, left : left + _SIDE]

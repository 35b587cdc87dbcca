"""Train the features of a deep kernel: the convolutions before its transposed convolution, by gradient descent in PyTorch.

The network is that of `kernels.layers`, for factor 2: out = K * x + T(f(x) - f(0)), with x luma in 0..1. K and T are trained
with f, and solved again afterwards, by `learn_layers`.
"""

import math
import time
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError
from upscale.kernels.file_format import import_optional

Array = NDArray[Any]
#: Low and high resolution, (H, W) and (2 * H, 2 * W), of bytes or in grey levels of 8 bits.
Pair = tuple[Array, Array]

#: Channels of the features, and how many 3 x 3 convolutions follow the first one of 5 x 5.
CHANNELS, LAYERS = 16, 5
#: The factor that features are trained for; they serve every factor.
FACTOR = 2
#: Taps of a phase of the single kernel along each axis; the transposed convolution of features has 3 while it is trained.
SINGLE_TAPS = 9
#: How many pixels away an input pixel counts: 2 of the first convolution, and 1 of each other and of the transposed one.
REACH = 2 + LAYERS + 1
#: The outermost pixels that the single kernel does not see, since it reaches less far than the features.
_UNSEEN = REACH - SINGLE_TAPS // 2
#: Low-resolution pixels of a patch along each axis, the outer ones included that only the others see; and patches in a step,
#: on a CPU, and on a GPU, which computes many in the time of a few.
_PATCH, _BATCH, _GPU_BATCH = 48, 8, 64
#: The highest learning rates, of the square convolutions and of all other weights; how many steps it takes until they are
#: reached; and the share of them that is left at the end.
_SQUARE_RATE, _RATE, _WARM_UP, _LEAST = 0.006, 0.005, 500, 0.01
#: The share of the steps in which the absolute error is minimised; then it is the squared error.
_ABSOLUTE = 0.9
#: The weight of the past in the running mean of all weights.
_MEAN = 0.999
#: The same for the gradient of the square convolutions.
_MOMENTUM = 0.95
#: Steps between two reports.
_REPORTED = 2000


class Trained(NamedTuple):
    """What was trained.

    Attributes
    ----------
    convolutions : list of ndarray of float32, shape (M, C, k, k)
    slopes : list of ndarray of float32, shape (M,)
        Of the PReLU after each convolution.
    biases : list of ndarray of float32, shape (M,)
        Of each convolution, where white is 1; empty if it was trained without.
    enlarging : ndarray of float32, shape (n, FACTOR ** 2)
        The weights of all phases that were trained with them: of the 3 x 3 features around a pixel, channel by channel, then of
        the differences of the 9 x 9 pixels around it, but for itself.
    steps : int
        After how many steps they were the best.
    psnr : float
        In decibels, on what was held out, then; NaN if nothing was.
    """

    convolutions: list[Array]
    slopes: list[Array]
    biases: list[Array]
    enlarging: Array
    steps: int
    psnr: float


def train_features(
    pairs: Sequence[Pair],
    held_out: Sequence[Pair],
    steps: int,
    *,
    biases: bool = False,
    start: Trained | None = None,
    seed: int = 0,
    report: Callable[[int, float | None], None] = lambda step, psnr: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train features; the same arguments give the same result on the same machine.

    Parameters
    ----------
    pairs : sequence of (low, high)
        To learn from, of factor 2, in grey levels of 8 bits.
    held_out : sequence of (low, high)
        To measure quality with.
    steps : int
        The learning rate falls until the last one.
    biases : bool
        Whether the convolutions have biases.
    start : Trained, optional
        Weights to begin with, at half of the learning rate, rather than with random ones.
    seed : int
    report : callable
        Called after each step, with its number and, at every 2000th and the last one, the PSNR on what is held out.
    stopped : callable
        Called after each step; where it returns True, training ends, and the best features so far are returned.

    Raises
    ------
    MissingLibraryError
        If PyTorch is not installed.
    ArgumentError
        If no picture is large enough.
    """
    torch = import_optional("torch", "torch")
    usable = [pair for pair in pairs if min(pair[0].shape) >= _PATCH]
    if not usable:
        raise ArgumentError(f"features are trained on pictures of at least {_PATCH * FACTOR}x{_PATCH * FACTOR} pixels")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(seed)
    network = _Network(torch, device, biases, start)
    trainer = _Trainer(torch, _Patches(torch, usable, device), network, steps, 0.5 if start else 1.0)
    best, found = None, (0, float("-inf"))
    for step in range(1, steps + 1):
        trainer.step(step)
        ends = step == steps or stopped()
        psnr = trainer.mean.quality(held_out) if step % _REPORTED == 0 or ends else None
        if psnr is not None and (best is None or not psnr <= found[1]):
            best, found = trainer.mean.found(), (step, psnr)
        report(step, psnr)
        if ends:
            break
    assert best is not None
    return Trained(*best, *found)


def seconds_per_step(pairs: Sequence[Pair], steps: int = 40) -> float:
    """Measure how long a step of training takes on this machine, by some steps whose result is not kept."""
    began = float("inf")

    def begin(step: int, psnr: float | None) -> None:
        nonlocal began
        if step == steps // 4:  # the first ones take longer
            began = time.perf_counter()

    train_features(pairs, (), steps, report=begin)
    return (time.perf_counter() - began) / (steps - steps // 4)


class _Trainer:
    """Steps of gradient descent, and the running mean of the weights.

    The square convolutions are trained by Muon (Jordan et al. 2024): their gradient, a matrix of a row for each channel that is
    made, is averaged over the steps and then made orthogonal, so that all directions are learned at the same speed. All other
    weights are trained by Adam. After 3000 steps this was 0.07 dB better than Adam alone.
    """

    def __init__(self, torch: Any, patches: "_Patches", network: "_Network", steps: int, rate: float) -> None:
        self._torch, self._patches, self._network, self._steps, self._rate = torch, patches, network, steps, rate
        self.mean = network.snapshot()
        self._batch = _BATCH if patches.device.type == "cpu" else _GPU_BATCH
        self._optimizer = torch.optim.Adam([network.weights])
        self._momentum = torch.zeros_like(network.weights)

    def step(self, number: int) -> None:
        """Do one step; they are counted from 1."""
        torch, network, inside = self._torch, self._network, slice(REACH * FACTOR, -REACH * FACTOR)
        low, high = self._patches.draw(self._batch)
        error = network.enlarge(low) - high[..., inside, inside]
        loss = error.abs().mean() if number < _ABSOLUTE * self._steps else (error * error).mean()
        (gradient,) = torch.autograd.grad(loss, network.weights)
        gradient *= (1 / gradient.norm()).clamp(max=1)
        share = self._rate * _share_of_rate(number, self._steps)
        with torch.no_grad():
            self._momentum.lerp_(gradient, 1 - _MOMENTUM)
            wanted = gradient.lerp(self._momentum, _MOMENTUM)[network.square].view(LAYERS, CHANNELS, -1)
            network.weights[network.square] -= _SQUARE_RATE * share * _orthogonal(wanted).ravel()
            gradient[network.square] = 0
        network.weights.grad = gradient
        self._optimizer.param_groups[0]["lr"] = _RATE * share
        self._optimizer.step()
        with torch.no_grad():
            self.mean.weights.lerp_(network.weights, 1 - min(_MEAN, number / (number + 10)))


def _share_of_rate(step: int, steps: int) -> float:
    """Return the share of the highest learning rate: it rises for some steps, and then falls by half a cosine."""
    falling = 0.5 * (1 + math.cos(math.pi * step / steps))
    return min(1.0, step / _WARM_UP) * (_LEAST + (1 - _LEAST) * falling)


def _orthogonal(matrices: Any) -> Any:
    """Bring the singular values of matrices (N, H, W) near 1, by the steps of Newton and Schulz as in Jordan et al. 2024."""
    matrices = matrices / (matrices.flatten(1).norm(dim=1).view(-1, 1, 1) + 1e-12)
    for _ in range(5):
        square = matrices @ matrices.transpose(1, 2)
        matrices = 3.4445 * matrices + (-4.7750 * square + 2.0315 * square @ square) @ matrices
    return matrices


class _Patches:
    """Patches at random places of pairs, turned and flipped at random.

    All pixels stand in one tensor on the device that trains, and patches are gathered from it by their indices.
    """

    def __init__(self, torch: Any, pairs: Sequence[Pair], device: Any) -> None:
        self._torch, self.device = torch, device

        def on_device(arrays: Sequence[Array]) -> Any:
            return torch.from_numpy(np.concatenate([a.ravel() for a in arrays])).to(device)

        self._low, self._high = on_device([low for low, _ in pairs]), on_device([high for _, high in pairs])
        heights, widths = (np.array([low.shape[axis] for low, _ in pairs]) for axis in (0, 1))
        places = (heights - _PATCH + 1) * (widths - _PATCH + 1)
        self._ends = torch.from_numpy(np.cumsum(places / places.sum())).to(device)
        starts = np.concatenate([[0], np.cumsum(heights * widths)[:-1]])
        self._starts, self._heights, self._widths = (torch.from_numpy(a).to(device) for a in (starts, heights, widths))
        self._rows, self._columns = self._symmetries(_PATCH)
        self._high_rows, self._high_columns = self._symmetries(_PATCH * FACTOR)

    def _symmetries(self, side: int) -> tuple[Any, Any]:
        """Return the row and the column of each pixel of a square in its 8 symmetries, (8, side, side)."""
        squares = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"))
        turned = [np.rot90(square, n, (1, 2)) for square in (squares, squares[..., ::-1]) for n in range(4)]
        rows, columns = (self._torch.from_numpy(np.stack([a[axis] for a in turned])).to(self.device) for axis in (0, 1))
        return rows, columns

    def draw(self, number: int) -> tuple[Any, Any]:
        """Draw patches in 0..1, (N, 1, H, W) and (N, 1, 2 * H, 2 * W)."""
        torch = self._torch
        random = torch.rand((4, number), device=self.device, dtype=torch.float64)
        chosen = torch.searchsorted(self._ends, random[0]).clamp(max=len(self._ends) - 1)
        start, height, width = self._starts[chosen], self._heights[chosen], self._widths[chosen]
        y, x = ((share * (size - _PATCH + 1)).long() for share, size in ((random[1], height), (random[2], width)))
        turned = (random[3] * 8).long()

        def gathered(samples: Any, start: Any, y: Any, x: Any, width: Any, rows: Any, columns: Any) -> Any:
            first = (start + y * width + x)[:, None, None]
            return samples[first + rows[turned] * width[:, None, None] + columns[turned]].float().div(255)[:, None]

        return (
            gathered(self._low, start, y, x, width, self._rows, self._columns),
            gathered(
                self._high, start * FACTOR**2, y * FACTOR, x * FACTOR, width * FACTOR, self._high_rows, self._high_columns
            ),
        )


class _Network:
    """The network; all of its weights stand in one tensor, so that an optimizer's step is few computations.

    Attributes
    ----------
    weights : tensor, shape (N,)
    square : slice
        Where the convolutions with as many channels in as out lie in it.
    """

    def __init__(self, torch: Any, device: Any, biases: bool, start: Trained | None = None) -> None:
        def random(*shape: int) -> Any:
            return (2 * torch.rand(shape) - 1) * float(np.prod(shape[1:])) ** -0.5

        first = random(CHANNELS, 1, 5, 5)
        given = {f"layer {n}": random(CHANNELS, CHANNELS, 3, 3) for n in range(1, LAYERS + 1)}
        self.square = slice(sum(value.numel() for value in given.values()))
        given["layer 0"] = first
        given |= {f"slopes {n}": torch.full((CHANNELS,), 0.25) for n in range(LAYERS + 1)}
        if biases:
            given |= {f"biases {n}": torch.zeros(CHANNELS) for n in range(LAYERS + 1)}
        given["last"] = torch.randn(FACTOR**2, CHANNELS, 3, 3) * 1e-3
        given["single"] = torch.zeros(FACTOR**2, 1, SINGLE_TAPS, SINGLE_TAPS)
        given["single"][:, 0, SINGLE_TAPS // 2, SINGLE_TAPS // 2] = 1
        if start is not None:
            for kind, arrays in (("layer", start.convolutions), ("slopes", start.slopes), ("biases", start.biases)):
                given |= {f"{kind} {n}": torch.from_numpy(array) for n, array in enumerate(arrays)}
            last, others = np.split(start.enlarging.T, [CHANNELS * 9], axis=1)
            given["last"] = torch.from_numpy(last.reshape(given["last"].shape))
            single = np.insert(others, SINGLE_TAPS**2 // 2, 1 - others.sum(axis=1), axis=1)
            given["single"] = torch.from_numpy(single.reshape(given["single"].shape))
        self._torch, self._shapes = torch, {name: value.shape for name, value in given.items()}
        self.weights = torch.cat([value.ravel() for value in given.values()]).to(device).requires_grad_()

    def snapshot(self) -> "_Network":
        """Copy it; the copy is not trained."""
        made = copy(self)
        made.weights = self.weights.detach().clone()
        return made

    def _parts(self) -> dict[str, Any]:
        """Return its weights by name; the filters of the first layer sum to 0, so that it sees no flat areas."""
        parts = self.weights.split([math.prod(shape) for shape in self._shapes.values()])
        named = {name: part.view(shape) for (name, shape), part in zip(self._shapes.items(), parts, strict=True)}
        first, single = named["layer 0"], named["single"]
        named["layer 0"] = first - first.mean((1, 2, 3), keepdim=True)
        named["single"] = single - single.mean((1, 2, 3), keepdim=True) + 1 / SINGLE_TAPS**2
        return named

    def enlarge(self, low: Any) -> Any:
        """Enlarge pictures (N, 1, H + 2 * REACH, W + 2 * REACH) to (N, 1, 2 * H, 2 * W)."""
        torch, functional, parts, inside = self._torch, self._torch.nn.functional, self._parts(), slice(_UNSEEN, -_UNSEEN)
        base = self._filtered(low[..., inside, inside], parts["single"])
        features, flat = self._filtered(low, parts["layer 0"]), torch.zeros(CHANNELS, device=low.device)
        for layer in range(LAYERS + 1):
            slopes, biases = parts[f"slopes {layer}"], parts.get(f"biases {layer}")
            if layer:
                features = functional.conv2d(features, parts[f"layer {layer}"])
            if biases is not None:
                features = features + biases.view(-1, 1, 1)
                flat = (parts[f"layer {layer}"].sum((2, 3)) @ flat if layer else flat) + biases
                flat = functional.relu(flat) * (1 - slopes) + slopes * flat
            features = functional.prelu(features, slopes)
        return functional.pixel_shuffle(base + functional.conv2d(features - flat.view(-1, 1, 1), parts["last"]), FACTOR)

    def _filtered(self, low: Any, filters: Any) -> Any:
        """Convolve a single channel, as a product of matrices, since PyTorch is slow at that."""
        side, (image, _, down, right) = filters.shape[-1], low.stride()
        size = (len(low), low.shape[2] - side + 1, low.shape[3] - side + 1)
        taps = low.as_strided((*size, side, side), (image, down, right, down, right), low.storage_offset())
        return (taps.reshape(-1, side**2) @ filters.reshape(-1, side**2).T).view(*size, -1).permute(0, 3, 1, 2)

    def quality(self, pairs: Sequence[Pair]) -> float:
        """Measure the PSNR on pairs, in decibels; NaN if there are none."""
        torch, found = self._torch, []
        with torch.no_grad():
            for low, high in pairs:
                padded = np.pad(low.astype(np.float32) / 255, REACH, mode="edge")
                small, large = (torch.from_numpy(a).to(self.weights.device) for a in (padded, high))
                error = (self.enlarge(small[None, None])[0, 0].clamp(0, 1) * 255).round() - large
                mean = (error[FACTOR:-FACTOR, FACTOR:-FACTOR] ** 2).mean()
                found.append(10 * math.log10(255**2 / max(float(mean), 1e-9)))
        return float(np.mean(found)) if found else float("nan")

    def found(self) -> tuple[list[Array], list[Array], list[Array], Array]:
        """Return the convolutions, the slopes, the biases, and the weights of all phases, as `Trained` has them."""
        parts = self._parts()

        def named(kind: str) -> list[Array]:
            names = [f"{kind} {n}" for n in range(LAYERS + 1)]
            return [parts[name].detach().cpu().numpy() for name in names if name in parts]

        last, single = (parts[name].detach().cpu().numpy() for name in ("last", "single"))
        others = np.delete(single.reshape(FACTOR**2, -1), SINGLE_TAPS**2 // 2, axis=1)
        enlarging = np.concatenate([last.reshape(FACTOR**2, -1), others], axis=1).T
        return named("layer"), named("slopes"), named("biases"), enlarging

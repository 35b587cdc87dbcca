"""Train the features of a deep kernel: the convolutions before its transposed convolution, by gradient descent in PyTorch.

The network is that of `kernels.layers`, for factor 2: out = K * x + T(f(x)), with x luma in 0..1. K and T are trained with f,
and solved again afterwards, by `learn_layers`.
"""

import time
from collections.abc import Callable, Sequence
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
#: Low-resolution pixels of a patch along each axis, how many of them at each side do not count, since neighbours are missing,
#: and patches in a step.
_PATCH, _MARGIN, _BATCH = 32, 4, 16
#: The highest learning rate, the steps until it is reached, and the share of it that is left at the end.
_RATE, _WARM_UP, _LEAST = 1e-3, 500, 0.01
#: The share of the steps in which the absolute error is minimised; then it is the squared error.
_ABSOLUTE = 0.3
#: The weight of the past in the running mean of all weights.
_MEAN = 0.999
#: Steps between two reports.
_REPORTED = 2000


class Trained(NamedTuple):
    """What was trained.

    Attributes
    ----------
    convolutions : list of ndarray of float32, shape (M, C, k, k)
    slopes : list of ndarray of float32, shape (M,)
        Of the PReLU after each convolution.
    steps : int
        After how many steps they were the best.
    psnr : float
        In decibels, on what was held out, then; NaN if nothing was.
    """

    convolutions: list[Array]
    slopes: list[Array]
    steps: int
    psnr: float


def train_features(
    pairs: Sequence[Pair],
    held_out: Sequence[Pair],
    steps: int,
    *,
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
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network, patches = _network(torch).to(device), _Patches(usable, seed)
    parameters = network.parameters
    optimizer = torch.optim.Adam(list(parameters.values()), lr=_RATE)
    means = network.copy()
    best, found = None, (0, float("-inf"))
    for step in range(1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = _rate(step, steps)
        low, high = (torch.from_numpy(a).to(device) for a in patches.batch())
        error = network.enlarge(low)[..., _CUT, _CUT] - high[..., _CUT, _CUT]
        loss = error.abs().mean() if step < _ABSOLUTE * steps else (error * error).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(parameters.values()), 1.0)
        optimizer.step()
        means.move_towards(network, 1 - min(_MEAN, step / (step + 10)))
        ends = step == steps or stopped()
        psnr = means.quality(held_out) if step % _REPORTED == 0 or ends else None
        if psnr is not None and (best is None or not psnr <= found[1]):
            best, found = means.copy(), (step, psnr)
        report(step, psnr)
        if ends:
            break
    assert best is not None
    convolutions, slopes = best.features()
    return Trained(convolutions, slopes, *found)


def seconds_per_step(pairs: Sequence[Pair], steps: int = 40) -> float:
    """Measure how long a step of training takes on this machine, by some steps whose result is not kept."""
    began = float("inf")

    def begin(step: int, psnr: float | None) -> None:
        nonlocal began
        if step == steps // 4:  # the first ones take longer
            began = time.perf_counter()

    train_features(pairs, (), steps, report=begin)
    return (time.perf_counter() - began) / (steps - steps // 4)


_CUT = slice(_MARGIN * FACTOR, -_MARGIN * FACTOR)


def _rate(step: int, steps: int) -> float:
    """Return the learning rate: it rises for some steps, and then falls by half a cosine."""
    falling = 0.5 * (1 + float(np.cos(np.pi * step / steps)))
    return _RATE * min(1.0, step / _WARM_UP) * (_LEAST + (1 - _LEAST) * falling)


class _Patches:
    """Patches at random places of pairs, turned and flipped at random."""

    def __init__(self, pairs: Sequence[Pair], seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._pairs = pairs
        places = np.array([(low.shape[0] - _PATCH + 1) * (low.shape[1] - _PATCH + 1) for low, _ in pairs], float)
        self._ends = np.cumsum(places / places.sum())

    def batch(self) -> tuple[Array, Array]:
        """Draw patches, (N, 1, H, W) and (N, 1, 2 * H, 2 * W)."""
        side = _PATCH * FACTOR
        low, high = (np.empty((_BATCH, 1, n, n), np.float32) for n in (_PATCH, side))
        for n in range(_BATCH):
            small, large = self._pairs[min(int(np.searchsorted(self._ends, self._random.random())), len(self._pairs) - 1)]
            y, x = (int(self._random.integers(0, size - _PATCH + 1)) for size in small.shape)
            small, large = small[y : y + _PATCH, x : x + _PATCH], large[FACTOR * y :, FACTOR * x :][:side, :side]
            turns, flipped = int(self._random.integers(4)), self._random.random() < 0.5
            for to, patch in ((low, small), (high, large)):
                turned = np.rot90(patch, turns)
                to[n, 0] = turned[:, ::-1] if flipped else turned
        return low / 255, high / 255


def _network(torch: Any) -> Any:
    """Make the network with random weights."""
    functional = torch.nn.functional

    class Network:
        def __init__(self) -> None:
            def random(*shape: int) -> Any:
                return (2 * torch.rand(shape) - 1) * float(np.prod(shape[1:])) ** -0.5

            p = {"layer 0": random(CHANNELS, 1, 5, 5)}
            p |= {f"layer {n}": random(CHANNELS, CHANNELS, 3, 3) for n in range(1, LAYERS + 1)}
            p |= {f"slopes {n}": torch.full((CHANNELS,), 0.25) for n in range(LAYERS + 1)}
            p["last"] = torch.randn(FACTOR**2, CHANNELS, 3, 3) * 1e-3
            p["single"] = torch.zeros(FACTOR**2, 1, SINGLE_TAPS, SINGLE_TAPS)
            p["single"][:, 0, SINGLE_TAPS // 2, SINGLE_TAPS // 2] = 1
            self.parameters = {name: value.requires_grad_() for name, value in p.items()}

        def to(self, device: Any) -> "Network":
            self.parameters = {k: v.detach().to(device).requires_grad_() for k, v in self.parameters.items()}
            return self

        def copy(self) -> "Network":
            made = Network.__new__(Network)
            made.parameters = {name: value.detach().clone() for name, value in self.parameters.items()}
            return made

        @torch.no_grad()  # type: ignore[untyped-decorator]
        def move_towards(self, other: "Network", share: float) -> None:
            for name, value in other.parameters.items():
                self.parameters[name].lerp_(value, share)

        def _first(self) -> Any:
            # Each filter sums to 0, so that flat areas have no features.
            first = self.parameters["layer 0"]
            return first - first.mean((1, 2, 3), keepdim=True)

        def enlarge(self, low: Any) -> Any:
            p, (n, _, height, width) = self.parameters, low.shape
            single = p["single"] - p["single"].mean((1, 2, 3), keepdim=True) + 1 / SINGLE_TAPS**2
            # PyTorch convolves a single channel slowly: as a product of matrices, a step takes four fifths of the time.
            side, reach = SINGLE_TAPS, SINGLE_TAPS // 2
            padded = functional.pad(low, (reach,) * 4, mode="replicate")
            image, _, down, right = padded.stride()
            taps = padded.as_strided((n, height, width, side, side), (image, down, right, down, right))
            weights = torch.cat([single, functional.pad(self._first(), (reach - 2,) * 4)]).reshape(-1, side**2)
            made = (taps.reshape(-1, side**2) @ weights.T).view(n, height, width, -1).permute(0, 3, 1, 2)
            base, features = made[:, : FACTOR**2], made[:, FACTOR**2 :]
            for layer in range(LAYERS + 1):
                slopes = p[f"slopes {layer}"].view(-1, 1, 1)
                if layer:
                    features = functional.conv2d(features, p[f"layer {layer}"], padding=1)
                features = functional.relu(features) * (1 - slopes) + slopes * features  # prelu itself is slower
            return functional.pixel_shuffle(base + functional.conv2d(features, p["last"], padding=1), FACTOR)

        @torch.no_grad()  # type: ignore[untyped-decorator]
        def quality(self, pairs: Sequence[Pair]) -> float:
            found = []
            device = self.parameters["single"].device
            for low, high in pairs:
                given = torch.from_numpy(low.astype(np.float32) / 255)[None, None].to(device)
                error = np.rint(np.clip(self.enlarge(given)[0, 0].cpu().numpy(), 0, 1) * 255) - high
                found.append(10 * np.log10(255**2 / np.mean(error[FACTOR:-FACTOR, FACTOR:-FACTOR] ** 2)))
            return float(np.mean(found)) if found else float("nan")

        @torch.no_grad()  # type: ignore[untyped-decorator]
        def features(self) -> tuple[list[Array], list[Array]]:
            layers = [self._first(), *(self.parameters[f"layer {n}"] for n in range(1, LAYERS + 1))]
            slopes = [self.parameters[f"slopes {n}"] for n in range(LAYERS + 1)]
            convolutions, rectifiers = ([a.cpu().numpy().astype(np.float32) for a in arrays] for arrays in (layers, slopes))
            return convolutions, rectifiers

    return Network()

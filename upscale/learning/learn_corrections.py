"""Learn the `Corrections` of an adaptive kernel: a tree of comparisons, and a correction for each of its classes.

Corrections are learned from what the single kernel leaves of each high-resolution picture. The tree grows from the root: at
each node some comparisons are drawn at random, and the one is kept after which two least-squares fits, one on each side, leave
the least error. The correction of each node is then found by ridge regression towards that of the node above, so that classes
with few samples stay near what many samples say. A correction adds to 9 blocks, and each block is the mean of 9 corrections,
each of which was learned as if it were alone. So what is still left after all of them is regressed again, and added.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from upscale.errors import ArgumentError
from upscale.kernels.corrections import BLOCKS, SIDE, Corrections, orders
from upscale.kernels.kernel import Kernel
from upscale.loops import numpy_loops

Array = NDArray[Any]
Pair = tuple[Array, Array]

#: Comparisons, one after another, that lead to a class.
DEPTH = 8
#: Places of low-resolution pictures that are learned from at most, and the side of the crops that they come in.
MOST, _CROP = 1_500_000, 96
#: Comparisons that are drawn at each node, and the samples that judge them.
_DRAWN, _JUDGING = 80, 20_000
#: Samples on each side of a comparison at least.
_FEWEST = 600
#: Ridges: squared error that a weight of 1 is worth, for the final corrections and to judge comparisons.
_RIDGE, _JUDGED = 3e4, 10.0
#: How often at most what is left is regressed.
_MOST_PASSES = 4
#: Low-resolution values at each side of a crop that are not learned from: what lies beyond them is not known.
_MARGIN = SIDE // 2
_OWN = BLOCKS // 2


class Crops:
    """Crops of pairs of pictures, evenly spread over as many as come, and bounded in number.

    Parameters
    ----------
    most : int
        Low-resolution values to keep at most.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most, self._step, self._seen, self._kept = most, 1, 0, list[tuple[int, Pair]]()

    def add(self, low: Array, high: Array) -> None:
        """Cut a pair into crops, and keep some of them; where there are too many, every other one is let go."""
        factor = high.shape[0] // low.shape[0]
        ys, xs = (np.linspace(0, n, max(1, round(n / _CROP)) + 1).astype(int) for n in low.shape)
        for top, bottom in pairwise(ys):
            for left, right in pairwise(xs):
                if self._seen % self._step == 0 and min(bottom - top, right - left) > 2 * _MARGIN:
                    large = high[top * factor : bottom * factor, left * factor : right * factor]
                    self._kept.append((self._seen, (low[top:bottom, left:right].copy(), large.copy())))
                self._seen += 1
        while sum(crop.size for _, (crop, _) in self._kept) > self._most and len(self._kept) > 1:
            self._step *= 2
            self._kept = [(n, pair) for n, pair in self._kept if n % self._step == 0]

    @property
    def pairs(self) -> list[Pair]:
        """What was kept."""
        return [pair for _, pair in self._kept]


class _Samples:
    """All places of all crops, each turned to the one orientation."""

    def __init__(self, pairs: Sequence[Pair], kernel: Kernel, factor: int) -> None:
        from upscale.operators.enlarge import enlarge

        self.factor, self.shapes, self.left = factor, list[tuple[int, int]](), list[Array]()
        values, turned = list[Array](), list[Array]()
        for low, high in pairs:
            if min(low.shape) <= 2 * _MARGIN:
                continue
            small = low.astype(np.float32)
            base: Any = enlarge(small, factor, "tconv", Kernel(kernel.weights, normalized=True, factor=factor))
            self.left.append(high - base)
            self.shapes.append((low.shape[0] - 2 * _MARGIN, low.shape[1] - 2 * _MARGIN))
            turn, windows = _oriented(small)
            values.append(windows)
            turned.append(turn)
        self.values = np.concatenate([np.empty((0, SIDE**2), np.float32), *values])
        self.turned = np.concatenate([np.empty(0, np.int64), *turned])
        self.targets = self.blocks(self.left)

    def blocks(self, left: list[Array]) -> Array:
        """Cut what is left of each picture into the 3 x 3 blocks around each place, turned: (samples, 9 * factor ** 2)."""
        side, f, at = BLOCKS * self.factor, self.factor, 0
        order = orders(side)
        blocks = np.empty((len(self.values), side**2), np.float32)
        for (height, width), rest in zip(self.shapes, left, strict=True):
            windows = sliding_window_view(rest, (side, side))[::f, ::f][_MARGIN - _OWN :, _MARGIN - _OWN :][:height, :width]
            flat, turn = windows.reshape(-1, side**2), self.turned[at : at + height * width]
            blocks[at : at + height * width] = np.take_along_axis(flat, order[turn], axis=1)
            at += height * width
        return blocks

    def rest(self, corrections: Array) -> tuple[list[Array], float]:
        """Subtract the mean of all neighbours' corrections from what is left of each picture; give the mean square as well."""
        f, side, at, error, number = self.factor, BLOCKS * self.factor, 0, 0.0, 0
        inverse = np.argsort(orders(side), axis=1)
        rests = []
        for (height, width), left in zip(self.shapes, self.left, strict=True):
            part = slice(at, at + height * width)
            at += height * width
            upright = np.take_along_axis(corrections[part], inverse[self.turned[part]], axis=1)
            blocks = upright.reshape(height, width, BLOCKS, f, BLOCKS, f)
            total, count = np.zeros((height, f, width, f), np.float32), np.zeros((height, 1, width, 1), np.float32)
            for i in range(BLOCKS):
                for j in range(BLOCKS):
                    (to_y, from_y), (to_x, from_x) = _shifted(i - _OWN, height), _shifted(j - _OWN, width)
                    total[to_y, :, to_x] += blocks[from_y, from_x, i, :, j].transpose(0, 2, 1, 3)
                    count[to_y, :, to_x] += 1
            rest, margin = left.copy(), _MARGIN * f
            rest[margin:-margin, margin:-margin] -= (total / count).reshape(height * f, width * f)
            inside = rest[margin:-margin, margin:-margin]
            error, number = error + float(np.vdot(inside, inside)), number + inside.size
            rests.append(rest)
        return rests, error / max(1, number)


def _shifted(by: int, size: int) -> tuple[slice, slice]:
    """Find what places of an axis shift to, and from."""
    return slice(max(0, by), size + min(0, by)), slice(max(0, -by), size + min(0, -by))


def _oriented(low: Array) -> tuple[Array, Array]:
    """Take the 5 x 5 values around each place but the outermost ones, less the middle one, and turn them."""
    windows = sliding_window_view(low, (SIDE, SIDE)).reshape(-1, SIDE**2)
    turned = numpy_loops.orientation(low[_MARGIN - 1 : 1 - _MARGIN, _MARGIN - 1 : 1 - _MARGIN]).ravel()
    return turned, np.take_along_axis(windows, orders(SIDE)[turned], axis=1) - windows[:, SIDE**2 // 2, None]


class _Tree(NamedTuple):
    """Comparisons in the order of a heap; those that are not needed never hold."""

    compared: Array
    thresholds: Array

    def ways(self, values: Array) -> Array:
        """Follow the comparisons of each sample to the leaf that they end at."""
        node, at = np.zeros(len(values), np.int64), np.arange(len(values))
        nodes = len(self.thresholds)
        for _ in range(nodes.bit_length()):
            pair = self.compared[node]
            right = values[at, pair[:, 0]] - values[at, pair[:, 1]] > self.thresholds[node]
            node = 2 * node + 1 + right
        return node - nodes


class Learning(NamedTuple):
    """A bank and how it was come by.

    Attributes
    ----------
    bank : Corrections
    passes : int
        How often what was left was regressed.
    samples : int
    """

    bank: Corrections
    passes: int
    samples: int


def learn_bank(
    pairs: Sequence[Pair], kernel: Kernel, held_out: Sequence[Pair] = (), *, passes: int = 2, depth: int = DEPTH,
    seed: int = 0, step: Callable[[], None] = lambda: None,
) -> Learning:  # fmt: skip
    """Learn the corrections of a single kernel.

    Parameters
    ----------
    pairs : sequence of (low, high)
        Arrays (H, W) and (H * factor, W * factor), in grey levels of 8 bits.
    kernel : Kernel
        The single kernel, which knows its factor.
    held_out : sequence of (low, high), optional
        Choose how often what is left is regressed.
    passes : int
        How often, where nothing is held out.
    depth : int
        2 ** depth classes at most; fewer where samples are few.
    seed : int
        Of the comparisons that are drawn.
    step : callable
        Called 2 ** depth - 1 times, once for each comparison.

    Raises
    ------
    ArgumentError
        Where there are too few samples for two classes.
    """
    assert kernel.factor is not None
    factor, side = kernel.factor[0], BLOCKS * kernel.factor[0]
    samples, judge = (_Samples(some, kernel, factor) for some in (pairs, held_out))
    if len(samples.values) < 2 * _FEWEST:
        raise ArgumentError(
            f"there are {len(samples.values)} samples to learn corrections from, and {2 * _FEWEST} are needed: give more or "
            "larger pictures"
        )
    own = slice(_OWN * factor, (_OWN + 1) * factor)
    middle: Array = np.arange(side**2).reshape(side, side)[own, own].ravel()
    tree = _grown(samples.values, np.ascontiguousarray(samples.targets[:, middle]), depth, np.random.default_rng(seed), step)
    leaf = tree.ways(samples.values)
    used, classes = np.unique(leaf, return_inverse=True)
    order = np.argsort(classes, kind="stable")
    members = np.split(order, np.searchsorted(classes[order], np.arange(1, len(used))))
    leaves = np.zeros(len(tree.thresholds) + 1, np.int64)
    leaves[used] = np.arange(len(used))

    judged = leaves[tree.ways(judge.values)]
    regression = _Regression(samples.values, members, used, len(tree.thresholds))
    weights = np.zeros((len(used), SIDE**2, side**2))
    targets, best, least = samples.targets, (weights, 0), np.inf
    for number in range(1, (_MOST_PASSES if len(judged) else passes) + 1):
        weights = weights + regression.solved(targets)
        error = judge.rest(_applied(judge.values, judged, weights))[1] if len(judged) else 0.0
        if error > least:
            break
        best, least = (weights, number), error
        targets = samples.blocks(samples.rest(_applied(samples.values, classes, weights))[0])
    return Learning(
        Corrections(tree.compared, tree.thresholds, leaves, best[0] / BLOCKS**2, factor), best[1], len(samples.values)
    )


def _applied(values: Array, classes: Array, weights: Array) -> Array:
    made = np.empty((len(values), weights.shape[2]), np.float32)
    order = np.argsort(classes, kind="stable")
    for same in np.split(order, np.flatnonzero(np.diff(classes[order])) + 1):
        made[same] = values[same] @ weights[classes[same[0]]].astype(np.float32)
    return made


def _grown(values: Array, targets: Array, depth: int, random: np.random.Generator, step: Callable[[], None]) -> _Tree:
    """Grow the tree, one level after another."""
    nodes = (1 << depth) - 1
    tree = _Tree(np.zeros((nodes, 2), np.int64), np.full(nodes, np.inf, np.float32))
    held: dict[int, Array] = {0: np.arange(len(values))}
    for node in range(nodes):
        step()
        samples = held.pop(node, None)
        if samples is None or len(samples) < 2 * _FEWEST:
            continue
        found = _best_comparison(values, targets, samples, random)
        if found is None:
            continue
        (one, other), threshold = found
        right = values[samples, one] - values[samples, other] > threshold
        tree.compared[node], tree.thresholds[node] = (one, other), threshold
        held[2 * node + 1], held[2 * node + 2] = samples[~right], samples[right]
    return tree


def _best_comparison(
    values: Array, targets: Array, samples: Array, random: np.random.Generator
) -> tuple[tuple[int, int], np.float32] | None:
    """Find the comparison after which two fits leave the least error."""
    judging = samples if len(samples) <= _JUDGING else random.choice(samples, _JUDGING, replace=False)
    x, y = values[judging], targets[judging]
    products, sums = x.T @ x, x.T @ y
    few = max(10, _FEWEST * len(judging) // len(samples))
    best, found = -np.inf, None
    for _ in range(_DRAWN):
        reach = int(random.integers(1, SIDE // 2 + 1))
        places = random.integers(-reach, reach + 1, 4) + SIDE // 2
        one, other = int(places[0] * SIDE + places[1]), int(places[2] * SIDE + places[3])
        differences = x[:, one] - x[:, other]
        threshold = np.float32(np.quantile(differences, random.uniform(0.15, 0.85)))
        right = differences > threshold
        if not few <= np.count_nonzero(right) <= len(right) - few:
            continue
        part = x[right]
        some, some_sums = part.T @ part, part.T @ y[right]
        gain = _explained(some, some_sums) + _explained(products - some, sums - some_sums)
        if gain > best:
            best, found = gain, ((one, other), threshold)
    return found


def _explained(products: Array, sums: Array) -> float:
    """Compute how much of the targets' squares a ridge regression explains."""
    system = products.astype(np.float64)
    system.flat[:: len(system) + 1] += _JUDGED
    return float(np.vdot(sums, np.linalg.solve(system, sums)))


class _Regression:
    """Ridge regression of each class towards that of the node above it, and so on up to the root."""

    def __init__(self, values: Array, members: list[Array], used: Array, nodes: int) -> None:
        self._values, self._members, self._leaves, self._nodes = values, members, used + nodes, nodes
        self._products = self._summed([values[m].T @ values[m] for m in members])

    def _summed(self, leaves: list[Array]) -> dict[int, Array]:
        """Sum what leaves hold up to the root."""
        found = {int(node): value.astype(np.float64) for node, value in zip(self._leaves, leaves, strict=True)}
        for node in sorted(found, reverse=True):
            self._raise(found, node, found[node])
        return found

    @staticmethod
    def _raise(found: dict[int, Array], node: int, value: Array) -> None:
        while node:
            node = (node - 1) // 2
            found[node] = found[node] + value if node in found else value.copy()

    def solved(self, targets: Array) -> Array:
        """Solve for the weights of all classes, (classes, 25, outputs)."""
        sums = self._summed([self._values[m].T @ targets[m] for m in self._members])
        weights: dict[int, Array] = {}
        for node in sorted(sums):
            above = weights[(node - 1) // 2] if node else np.zeros_like(sums[node])
            system = self._products[node] + _RIDGE * np.eye(SIDE**2)
            weights[node] = above + np.linalg.solve(system, sums[node] - self._products[node] @ above)
        return np.array([weights[int(leaf)] for leaf in self._leaves])

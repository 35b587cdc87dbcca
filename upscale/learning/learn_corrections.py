"""Learn the `Corrections` of an adaptive kernel: a tree of comparisons, and a linear model for each of its classes.

Corrections are learned from the residuals of the single kernel: the high-resolution picture less the enlarged one. The tree
grows from the root: at each node some comparisons are drawn at random, and the one is kept after which two least-squares fits,
one on each side, leave the least error. The linear model of each node is then found by ridge regression towards that of its
parent, so that classes with few samples stay near what many samples say. A correction adds to 9 blocks, and each block is the
mean of 9 corrections, each of which was learned as if it were alone. So the remaining error is fitted again in further passes
(boosting).
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from upscale.errors import ArgumentError
from upscale.kernels.corrections import BLOCKS, SIDE, Corrections, orders
from upscale.kernels.kernel import Kernel
from upscale.learning.crops import MARGIN, Pair
from upscale.loops import numpy_loops
from upscale.operators.enlarge import enlarge

Array = NDArray[Any]

#: Depth of the tree.
DEPTH = 8
#: Comparisons that are drawn at each node, and the samples that judge them.
_DRAWN, _JUDGING = 80, 20_000
#: Fewest samples on each side of a comparison.
_FEWEST = 600
#: Ridges for the final corrections and to judge comparisons: the squared error that a weight of 1 costs.
_RIDGE, _JUDGED = 3e4, 10.0
#: Most passes.
_MOST_PASSES = 4
#: Index of a pixel's own block along each axis.
_OWN = BLOCKS // 2


class LearnedCorrections(NamedTuple):
    """Corrections and how they were learned.

    Attributes
    ----------
    corrections : Corrections
    passes : int
        How often the remaining error was fitted.
    samples : int
        Pixels that were learned from.
    """

    corrections: Corrections
    passes: int
    samples: int


def learn_corrections(
    pairs: Sequence[Pair],
    kernel: Kernel,
    held_out: Sequence[Pair] = (),
    *,
    passes: int = 2,
    depth: int = DEPTH,
    seed: int = 0,
    step: Callable[[], None] = lambda: None,
) -> LearnedCorrections:
    """Learn the corrections of a single kernel.

    Parameters
    ----------
    pairs : sequence of (low, high)
        Arrays (H, W) and (H * factor, W * factor), in grey levels of 8 bits.
    kernel : Kernel
        The single kernel, with its factor.
    held_out : sequence of (low, high), optional
        Choose the number of passes.
    passes : int
        Their number, if nothing is held out.
    depth : int
        Of the tree: at most 2 ** depth classes, fewer if samples are few.
    seed : int
        Of the comparisons that are drawn.
    step : callable
        Called 2 ** depth - 1 times, once for each comparison.

    Raises
    ------
    ArgumentError
        If there are too few samples for two classes.
    """
    assert kernel.factor is not None
    factor, side = kernel.factor[0], BLOCKS * kernel.factor[0]
    samples, judge = (_Samples(some, kernel, factor) for some in (pairs, held_out))
    if len(samples.values) < 2 * _FEWEST:
        raise ArgumentError(
            f"there are only {len(samples.values)} samples to learn corrections from, {2 * _FEWEST} are needed: give more "
            "or larger pictures"
        )
    own = slice(_OWN * factor, (_OWN + 1) * factor)
    middle: Array = np.arange(side**2).reshape(side, side)[own, own].ravel()
    targets = np.ascontiguousarray(samples.targets[:, middle])
    tree = _grow_tree(samples.values, targets, depth, np.random.default_rng(seed), step)
    # Leaves without samples have no class of their own.
    used, classes = np.unique(tree.leaf_of(samples.values), return_inverse=True)
    class_of_leaf = np.zeros(len(tree.thresholds) + 1, np.int64)
    class_of_leaf[used] = np.arange(len(used))
    judged = class_of_leaf[tree.leaf_of(judge.values)]
    weights, number = _boost(
        samples, classes, _Regression(samples.values, classes, used, len(tree.thresholds)), judge, judged, passes
    )
    found = Corrections(tree.compared, tree.thresholds, class_of_leaf, weights / BLOCKS**2, factor)
    return LearnedCorrections(found, number, len(samples.values))


def _boost(
    samples: "_Samples", classes: Array, regression: "_Regression", judge: "_Samples", judged: Array, passes: int
) -> tuple[Array, int]:
    """Fit the remaining error until the held-out samples, of classes `judged`, gain no more; without any, `passes` times.

    Returns
    -------
    (ndarray, int)
        Weights (classes, 25, 9 * factor ** 2) of the sum of all passes, and how many these are.
    """
    targets, least = samples.targets, np.inf
    weights = np.zeros((len(regression.leaves), SIDE**2, targets.shape[1]))
    best = weights, 0
    for number in range(1, (_MOST_PASSES if len(judged) else passes) + 1):
        weights = weights + regression.solve(targets)
        error = judge.remaining(_apply(judge.values, judged, weights))[1] if len(judged) else 0.0
        if error > least:
            break
        best, least = (weights, number), error
        targets = samples.blocks(samples.remaining(_apply(samples.values, classes, weights))[0])
    return best


class _Samples:
    """All pixels of all crops but the margins, with their neighbours in the one orientation.

    Attributes
    ----------
    values : ndarray of float32, shape (samples, 25)
        Differences of the 5 x 5 values around each pixel from its own.
    orientations : ndarray of int, shape (samples,)
    targets : ndarray of float32, shape (samples, 9 * factor ** 2)
        Residuals of the single kernel in the 3 x 3 blocks around each pixel.
    """

    def __init__(self, pairs: Sequence[Pair], kernel: Kernel, factor: int) -> None:
        self._factor, self._shapes, self._residuals = factor, list[tuple[int, int]](), list[Array]()
        values, orientations = list[Array](), list[Array]()
        for low, high in pairs:
            if min(low.shape) <= 2 * MARGIN:
                continue
            small = low.astype(np.float32)
            base: Any = enlarge(small, factor, "tconv", Kernel(kernel.weights, normalized=True, factor=factor))
            self._residuals.append(high - base)
            self._shapes.append((low.shape[0] - 2 * MARGIN, low.shape[1] - 2 * MARGIN))
            orientation, windows = _oriented(small)
            values.append(windows)
            orientations.append(orientation)
        self.values = np.concatenate([np.empty((0, SIDE**2), np.float32), *values])
        self.orientations = np.concatenate([np.empty(0, np.int64), *orientations])
        self.targets = self.blocks(self._residuals)

    def blocks(self, residuals: list[Array]) -> Array:
        """Cut the residuals of each picture into the 3 x 3 blocks around each pixel, oriented: (samples, 9 * factor ** 2)."""
        side, f, at = BLOCKS * self._factor, self._factor, 0
        order = orders(side)
        blocks = np.empty((len(self.values), side**2), np.float32)
        for (height, width), residual in zip(self._shapes, residuals, strict=True):
            windows = sliding_window_view(residual, (side, side))[::f, ::f][MARGIN - _OWN :, MARGIN - _OWN :][:height, :width]
            flat, turn = windows.reshape(-1, side**2), self.orientations[at : at + height * width]
            blocks[at : at + height * width] = np.take_along_axis(flat, order[turn], axis=1)
            at += height * width
        return blocks

    def remaining(self, corrections: Array) -> tuple[list[Array], float]:
        """Subtract the mean of the 9 corrections of each block from the residuals; return them and their mean square.

        `corrections`, (samples, 9 * factor ** 2), are oriented.
        """
        f, side, at, error, number = self._factor, BLOCKS * self._factor, 0, 0.0, 0
        inverse = np.argsort(orders(side), axis=1)
        remaining = []
        for (height, width), residual in zip(self._shapes, self._residuals, strict=True):
            part = slice(at, at + height * width)
            at += height * width
            upright = np.take_along_axis(corrections[part], inverse[self.orientations[part]], axis=1)
            blocks = upright.reshape(height, width, BLOCKS, f, BLOCKS, f)
            total, count = np.zeros((height, f, width, f), np.float32), np.zeros((height, 1, width, 1), np.float32)
            for i in range(BLOCKS):
                for j in range(BLOCKS):
                    (to_y, from_y), (to_x, from_x) = _shifted(i - _OWN, height), _shifted(j - _OWN, width)
                    total[to_y, :, to_x] += blocks[from_y, from_x, i, :, j].transpose(0, 2, 1, 3)
                    count[to_y, :, to_x] += 1
            rest, margin = residual.copy(), MARGIN * f
            rest[margin:-margin, margin:-margin] -= (total / count).reshape(height * f, width * f)
            inside = rest[margin:-margin, margin:-margin]
            error, number = error + float(np.vdot(inside, inside)), number + inside.size
            remaining.append(rest)
        return remaining, error / max(1, number)


def _shifted(by: int, size: int) -> tuple[slice, slice]:
    """Return the slices of an axis of so many positions that shift to, and from."""
    return slice(max(0, by), size + min(0, by)), slice(max(0, -by), size + min(0, -by))


def _oriented(low: Array) -> tuple[Array, Array]:
    """Return the orientation of each pixel but the outermost ones, and the oriented 5 x 5 values around it less its own."""
    windows = sliding_window_view(low, (SIDE, SIDE)).reshape(-1, SIDE**2)
    orientations = numpy_loops.orientation(low[MARGIN - 1 : 1 - MARGIN, MARGIN - 1 : 1 - MARGIN]).ravel()
    return orientations, np.take_along_axis(windows, orders(SIDE)[orientations], axis=1) - windows[:, SIDE**2 // 2, None]


class _Tree(NamedTuple):
    """Comparisons as in `Corrections`; the threshold of those that are not needed is infinite."""

    compared: Array
    thresholds: Array

    def leaf_of(self, values: Array) -> Array:
        """Follow the comparisons of each sample; return the leaf that they end at, (samples,)."""
        node, at = np.zeros(len(values), np.int64), np.arange(len(values))
        nodes = len(self.thresholds)
        for _ in range(nodes.bit_length()):
            pair = self.compared[node]
            right = values[at, pair[:, 0]] - values[at, pair[:, 1]] > self.thresholds[node]
            node = 2 * node + 1 + right
        return node - nodes


def _apply(values: Array, classes: Array, weights: Array) -> Array:
    """Multiply each sample by the weights of its class: (samples, 9 * factor ** 2)."""
    made = np.empty((len(values), weights.shape[2]), np.float32)
    order = np.argsort(classes, kind="stable")
    for same in np.split(order, np.flatnonzero(np.diff(classes[order])) + 1):
        made[same] = values[same] @ weights[classes[same[0]]].astype(np.float32)
    return made


def _grow_tree(values: Array, targets: Array, depth: int, random: np.random.Generator, step: Callable[[], None]) -> _Tree:
    """Grow the tree, one level after another."""
    nodes = (1 << depth) - 1
    tree = _Tree(np.zeros((nodes, 2), np.int64), np.full(nodes, np.inf, np.float32))
    waiting: dict[int, Array] = {0: np.arange(len(values))}
    for node in range(nodes):
        step()
        samples = waiting.pop(node, None)
        if samples is None or len(samples) < 2 * _FEWEST:
            continue
        found = _best_comparison(values, targets, samples, random)
        if found is None:
            continue
        (one, other), threshold = found
        right = values[samples, one] - values[samples, other] > threshold
        tree.compared[node], tree.thresholds[node] = (one, other), threshold
        waiting[2 * node + 1], waiting[2 * node + 2] = samples[~right], samples[right]
    return tree


def _best_comparison(
    values: Array, targets: Array, samples: Array, random: np.random.Generator
) -> tuple[tuple[int, int], np.float32] | None:
    """Return the comparison after which two fits leave the least error: two pixels and a threshold, or None."""
    judging = samples if len(samples) <= _JUDGING else random.choice(samples, _JUDGING, replace=False)
    x, y = values[judging], targets[judging]
    products, sums = x.T @ x, x.T @ y
    few = max(10, _FEWEST * len(judging) // len(samples))
    best, found = -np.inf, None
    for _ in range(_DRAWN):
        reach = int(random.integers(1, SIDE // 2 + 1))
        at = random.integers(-reach, reach + 1, 4) + SIDE // 2
        one, other = int(at[0] * SIDE + at[1]), int(at[2] * SIDE + at[3])
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
    """Return how much of the targets' squares a ridge regression explains."""
    system = products.astype(np.float64)
    system.flat[:: len(system) + 1] += _JUDGED
    return float(np.vdot(sums, np.linalg.solve(system, sums)))


class _Regression:
    """Ridge regression of each class towards that of its parent in the tree, and so on up to the root.

    Parameters
    ----------
    values : ndarray, shape (samples, 25)
    classes : ndarray of int, shape (samples,)
    leaves : ndarray of int, shape (classes,)
        The leaf of each class, counted from 0.
    nodes : int
        Number of comparisons of the tree; leaf n is node n + nodes.
    """

    def __init__(self, values: Array, classes: Array, leaves: Array, nodes: int) -> None:
        order = np.argsort(classes, kind="stable")
        self._members = np.split(order, np.searchsorted(classes[order], np.arange(1, len(leaves))))
        self._values, self.leaves = values, leaves + nodes
        self._products = self._sum_up([values[m].T @ values[m] for m in self._members])

    def _sum_up(self, sums: list[Array]) -> dict[int, Array]:
        """Add the sums of leaves up to the root: from a node to the sum of its leaves."""
        found = {int(node): value.astype(np.float64) for node, value in zip(self.leaves, sums, strict=True)}
        for leaf in sorted(found, reverse=True):
            node, value = leaf, found[leaf]
            while node:
                node = (node - 1) // 2
                found[node] = found[node] + value if node in found else value.copy()
        return found

    def solve(self, targets: Array) -> Array:
        """Solve for the weights of all classes, (classes, 25, outputs), for targets (samples, outputs)."""
        sums = self._sum_up([self._values[m].T @ targets[m] for m in self._members])
        weights: dict[int, Array] = {}
        for node in sorted(sums):
            parent = weights[(node - 1) // 2] if node else np.zeros_like(sums[node])
            system = self._products[node] + _RIDGE * np.eye(SIDE**2)
            weights[node] = parent + np.linalg.solve(system, sums[node] - self._products[node] @ parent)
        return np.array([weights[int(leaf)] for leaf in self.leaves])

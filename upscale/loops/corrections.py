"""The corrections of adaptive kernels: a tree chooses one for each pixel, and it adds to the blocks around."""

# What Numba compiles has no types that a checker could follow.
# mypy: ignore-errors

import numpy as np
from numba import prange

from upscale.loops.numba_private import as_row, borrow, compiled_loop, fetch_add, inner, making, new_array, new_zeros
from upscale.loops.tables import CORRECTION_MULTIPLE
from upscale.loops.vectors import sum_weighted


@inner
def _orient(above, here, below, turned):
    """Choose the flips and the turn by which a guide grows to the right and, less so, downwards.

    See `kernels.corrections.orders`.
    """
    for x in range(turned.size):
        right = (above[x + 2] + here[x + 2]) + (here[x + 2] + below[x + 2])
        left = (above[x] + here[x]) + (here[x] + below[x])
        down = (below[x] + below[x + 1]) + (below[x + 1] + below[x + 2])
        up = (above[x] + above[x + 1]) + (above[x + 1] + above[x + 2])
        across, along = right - left, down - up
        turned[x] = np.int64(across < 0) + 2 * np.int64(along < 0) + 4 * np.int64(abs(along) > abs(across))


@inner
def _further(guide, at, first, second, threshold, begin, node):
    """Make one comparison and go on to the next one's node."""
    difference = guide[np.uint64(at + first[begin + node])] - guide[np.uint64(at + second[begin + node])]
    return 2 * node + 1 + np.int64(difference > threshold[node])


@inner
def _choose(guide, at, turned, bank, chosen):
    """Follow each pixel's comparisons to a class, from place `at` of a guide on.

    Four pixels go down side by side, since each has to wait for what it compared before.
    """
    first, second, threshold, nodes = as_row(bank.first), as_row(bank.second), bank.threshold, bank.threshold.size
    for x in range(0, turned.size, 4):
        here = at + x
        if x + 4 <= turned.size:
            begin_0, begin_1, begin_2, begin_3 = (
                turned[x] * nodes,
                turned[x + 1] * nodes,
                turned[x + 2] * nodes,
                turned[x + 3] * nodes,
            )
            node_0 = node_1 = node_2 = node_3 = np.int64(0)
            while node_0 < nodes:
                node_0 = _further(guide, here, first, second, threshold, begin_0, node_0)
                node_1 = _further(guide, here + 1, first, second, threshold, begin_1, node_1)
                node_2 = _further(guide, here + 2, first, second, threshold, begin_2, node_2)
                node_3 = _further(guide, here + 3, first, second, threshold, begin_3, node_3)
            chosen[x], chosen[x + 1], chosen[x + 2], chosen[x + 3] = node_0, node_1, node_2, node_3
        else:
            for i in range(x, turned.size):
                node = np.int64(0)
                while node < nodes:
                    node = _further(guide, at + i, first, second, threshold, turned[i] * nodes, node)
                chosen[i] = node
    for x in range(turned.size):
        chosen[x] = bank.leaf[chosen[x] - nodes]


@inner
def _correction(pixels, at, wide, order, turned, weights, begin, size, made, to, around):
    """Sum the differences of the 5 x 5 values around pixel `at` from the middle one, times their weights, in made[to:].

    Rows of pixels are `wide` apart. The weights of neighbour n begin at begin + order[turned + n]; there are `size` of each, a
    multiple of `CORRECTION_MULTIPLE`. Where all values are equal, no weights are read. `around` is memory for 25 values.
    """
    for y in range(5):
        for x in range(5):
            around[np.uint64(5 * y + x)] = pixels[np.uint64(at + (y - 2) * wide + x - 2)]
    differ = False
    for n in range(25):
        differ |= around[np.uint64(n)] != around[12]
    if differ:
        for part in range(0, size, CORRECTION_MULTIPLE):
            sum_weighted(around, order, turned, weights, begin + part, made, to + part)
    else:
        for k in range(size):
            made[np.uint64(to + k)] = 0


@making
def _correct_part(pixels, guide, bank, first_row, out, begin, end, left, right):
    """Add the corrections of rows `begin` to `end`, columns `left` to `right` of input; see `correct`."""
    pixels, guide, out = borrow(pixels), borrow(guide), borrow(out)
    channels, wide = pixels.shape[0], pixels.shape[2]
    width, factor, size, weights = right - left, bank.factor, bank.size, bank.weights
    order, block, blocks = as_row(bank.row), as_row(bank.block), factor * factor
    # Three rows of corrections at a time, of which the blocks of the middle one are the sums.
    made = new_array(pixels.dtype, 3, (width + 2) * channels * size)
    flat_made, long = as_row(made), made.shape[1]
    turned, chosen = new_array(np.int64, 3, width + 2), new_array(np.int64, 1, width + 2)[0]
    around = new_array(pixels.dtype, 1, 25)[0]
    sources, parts = new_array(np.int64, 1, 9)[0], new_array(np.int64, 1, 9)[0]
    for y in range(begin - 1, end + 1):
        row = (y + 3) % 3
        first = (y + 3) * wide + left + 2
        _orient(guide[y + 2, left + 1 :], guide[y + 3, left + 1 :], guide[y + 4, left + 1 :], turned[row])
        _choose(as_row(guide), first, turned[row], bank, chosen)
        for x in range(width + 2):
            place = chosen[x] * 25 * size
            for c in range(channels):
                to = row * long + (x * channels + c) * size
                plane, facing = as_row(pixels[c]), turned[row, x] * 25
                _correction(plane, first + x, wide, order, facing, weights, place, size, flat_made, to, around)
        if y <= begin:
            continue
        for x in range(width):
            for n in range(9):
                source, column = (y + 1 + n // 3) % 3, x + n % 3
                sources[n] = source * long + column * channels * size
                parts[n] = (turned[source, column] * 9 + n) * blocks
            for p in range(factor):
                line = (y - 1) * factor + p - first_row
                if line < 0 or line >= out.shape[0]:
                    continue
                for q in range(factor):
                    for c in range(channels):
                        total = pixels.dtype.type(0)
                        for n in range(9):
                            total += flat_made[np.uint64(sources[n] + c * size + block[parts[n] + p * factor + q])]
                        out[line, ((left + x) * factor + q) * channels + c] += total


@compiled_loop
def correct(pixels, guide, bank, first_row, out):
    """Add corrections to rows of sums, (rows, W * factor * channels), the first of which is row `first_row` of all.

    Planes (channels, H + 6, W + 6) hold the input with 3 more values on each side, as does the guide, (H + 6, W + 6), in whose
    grey levels the comparisons of `bank`, a `loops.tables.CorrectionTables`, are.
    """
    height, width, next_part = pixels.shape[1] - 6, pixels.shape[2] - 6, new_zeros(np.int64, 1, 1)
    # The corrections of a part's three rows stay in the cache, beside the weights.
    column = pixels.shape[0] * bank.size * 3 * pixels.itemsize
    high, broad = 64, max(64, min(256, (1 << 18) // column))
    across = (width + broad - 1) // broad
    many = (height + high - 1) // high * across
    for _ in prange(many):
        n = fetch_add(next_part, 1)
        while n < many:
            begin, left = n // across * high, n % across * broad
            end, right = min(begin + high, height), min(left + broad, width)
            _correct_part(pixels, guide, bank, first_row, out, begin, end, left, right)
            n = fetch_add(next_part, 1)

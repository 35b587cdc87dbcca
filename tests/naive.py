"""The operators as their definitions say them: obviously right, and slow."""

import numpy as np


def nearest(picture, factor):
    """Copy pixel (y // factor, x // factor) to (y, x)."""
    vertical, horizontal = factor
    height, width = picture.shape[:2]
    out = np.empty((height * vertical, width * horizontal, *picture.shape[2:]), picture.dtype)
    for y in range(height * vertical):
        for x in range(width * horizontal):
            out[y, x] = picture[y // vertical, x // horizontal]
    return out


def transposed(picture, kernel, factor):
    """Lay copies of the kernel, weighted by the values of (H, W), a stride apart; float64, nothing cut off."""
    (height, width), (tall, wide), (vertical, horizontal) = picture.shape, kernel.shape, factor
    out = np.zeros(((height - 1) * vertical + tall, (width - 1) * horizontal + wide))
    for y in range(height):
        for x in range(width):
            at = np.s_[y * vertical : y * vertical + tall, x * horizontal : x * horizontal + wide]
            out[at] += float(picture[y, x]) * kernel
    return out


def same(full, size, factor, kernel):
    """Crop or extend the whole output to factor times the input, half of the surplus (rounded down) at the beginning."""
    wanted = [s * f for s, f in zip(size, factor, strict=True)]
    surplus = [k - f for k, f in zip(kernel, factor, strict=True)]
    begin = [max(s, 0) // 2 for s in surplus]
    out = np.zeros(wanted)
    piece = full[begin[0] :, begin[1] :][: wanted[0], : wanted[1]]
    out[: piece.shape[0], : piece.shape[1]] = piece
    return out


def conv_transpose(x, w, bias, stride, padding, output_padding, groups, dilation):
    """Transposed convolution of (N, C, ...) along any number of axes, with every parameter, in float64."""
    (n, channels, *size), per_group, kernel = x.shape, w.shape[1], w.shape[2:]
    numbers = zip(size, kernel, stride, dilation, output_padding, strict=True)
    whole = [(length - 1) * s + d * (k - 1) + 1 + extra for length, k, s, d, extra in numbers]
    full = np.zeros((n, per_group * groups, *whole))
    for b, c, m in np.ndindex(n, channels, per_group):
        target = full[b, c // (channels // groups) * per_group + m]
        for at in np.ndindex(*size):
            for tap in np.ndindex(*kernel):
                place = tuple(y * s + i * d for y, i, s, d in zip(at, tap, stride, dilation, strict=True))
                target[place] += float(x[b, c][at]) * w[c, m][tap]
    kept = tuple(slice(begin, length - end) for (begin, end), length in zip(padding, whole, strict=True))
    return _with_bias(full[(slice(None), slice(None), *kept)], bias)


def conv(x, w, bias, stride, padding, dilation, groups):
    """Convolution of (N, C, ...) along any number of axes, with every parameter, in float64."""
    made, taken, *kernel = w.shape
    padded = np.pad(np.asarray(x, float), ((0, 0), (0, 0), *padding))
    sizes = [
        (length - d * (k - 1) - 1) // s + 1 for length, k, s, d in zip(padded.shape[2:], kernel, stride, dilation, strict=True)
    ]
    out = np.zeros((len(x), made, *sizes))
    for b, m, c in np.ndindex(len(x), made, taken):
        source = padded[b, m // (made // groups) * taken + c]
        for at in np.ndindex(*sizes):
            for tap in np.ndindex(*kernel):
                place = tuple(y * s + i * d for y, i, s, d in zip(at, tap, stride, dilation, strict=True))
                out[b, m][at] += source[place] * w[m, c][tap]
    return _with_bias(out, bias)


def _with_bias(values, bias):
    return values if bias is None else values + np.asarray(bias).reshape(-1, *[1] * (values.ndim - 2))


def pool_windows(size, kernel, stride, padding, dilation, ceil_mode):
    """List the positions of each window along one axis, those in the padding and beyond it included."""
    windows, begin = [], -padding
    while True:
        window = [begin + k * dilation for k in range(kernel)]
        fits = window[-1] < size + padding
        something_left = window[-1] - stride < size + padding - 1
        if not fits and not (ceil_mode and something_left and begin < size):
            return windows
        windows.append(window)
        begin += stride


def max_pool2d(plane, kernel, stride, padding, dilation, ceil_mode):
    """Return the largest value of each window of (H, W), and its index, row by row; a NaN counts as larger than all before."""
    down, across = (pool_windows(*each, ceil_mode) for each in zip(plane.shape, kernel, stride, padding, dilation, strict=True))
    values, indices = np.empty((len(down), len(across)), plane.dtype), np.empty((len(down), len(across)), np.int64)
    for n, m in np.ndindex(*values.shape):
        best = None
        for y in down[n]:
            for x in across[m]:
                if 0 <= y < plane.shape[0] and 0 <= x < plane.shape[1]:
                    value = plane[y, x]
                    if best is None or value > best[0] or value != value:
                        best = value, y * plane.shape[1] + x
        values[n, m], indices[n, m] = best
    return values, indices


def avg_pool2d(plane, kernel, stride, padding, ceil_mode, count_include_pad, divisor_override):
    """Return the mean of each window of (H, W), in float64."""
    (height, width), (tall, wide) = plane.shape, padding
    down, across = (pool_windows(*each, 1, ceil_mode) for each in zip(plane.shape, kernel, stride, padding, strict=True))
    out = np.zeros((len(down), len(across)))
    for n, m in np.ndindex(*out.shape):
        pairs = [(y, x) for y in down[n] for x in across[m]]
        inside = [(y, x) for y, x in pairs if 0 <= y < height and 0 <= x < width]
        padded = [(y, x) for y, x in pairs if -tall <= y < height + tall and -wide <= x < width + wide]
        total = sum(float(plane[at]) for at in inside)
        out[n, m] = total / (divisor_override or len(padded if count_include_pad else inside))
    return out


def max_unpool2d(values, indices, size):
    """Put each value of (H, W) to its index; of several at one index, the last one stays."""
    out = np.zeros(size, values.dtype)
    for at in np.ndindex(*values.shape):
        out[divmod(int(indices[at]), size[1])] = values[at]
    return out


def bed_of_nails(picture, factor):
    """Put pixel (y, x) to (y * vertical, x * horizontal), and zeros everywhere else."""
    vertical, horizontal = factor
    out = np.zeros((picture.shape[0] * vertical, picture.shape[1] * horizontal, *picture.shape[2:]), picture.dtype)
    for y, x in np.ndindex(*picture.shape[:2]):
        out[y * vertical, x * horizontal] = picture[y, x]
    return out


def pixel_shuffle(x, r):
    """Make pixel (y * r + i, x * r + j) of channel c from channel c * r * r + i * r + j of (C * r * r, H, W)."""
    out = np.empty((len(x) // r**2, x.shape[1] * r, x.shape[2] * r), x.dtype)
    for c, y, z, i, j in np.ndindex(len(out), *x.shape[1:], r, r):
        out[c, y * r + i, z * r + j] = x[c * r * r + i * r + j, y, z]
    return out


def corrections(picture, given):
    """Add up the corrections of an adaptive kernel, place by place, in plain Python; `picture` (H, W) in grey levels.

    Values beyond the border are the outermost ones.
    """
    height, width = picture.shape
    f = given.factor
    out = np.zeros((height * f, width * f))
    weights = given.weights * given.unit

    def value(y, x):
        return float(picture[min(max(y, 0), height - 1), min(max(x, 0), width - 1)])

    for y in range(-1, height + 1):
        for x in range(-1, width + 1):
            patch = np.array([[value(y + j, x + i) for i in range(-2, 3)] for j in range(-2, 3)])
            near = patch[1:4, 1:4]
            across = (near[:, 2] - near[:, 0]) @ [1, 2, 1]
            along = [1, 2, 1] @ (near[2] - near[0])
            patch = patch[:: -1 if along < 0 else 1, :: -1 if across < 0 else 1]
            turned = abs(along) > abs(across)
            patch = (patch.T if turned else patch).ravel()
            node = 0
            while node < len(given.thresholds):
                one, other = given.compared[node]
                node = 2 * node + (2 if patch[one] - patch[other] > given.thresholds[node] else 1)
            chosen = given.leaves[node - len(given.thresholds)]
            blocks = ((patch - patch[12]) @ weights[chosen]).reshape(3 * f, 3 * f)
            blocks = blocks.T if turned else blocks
            blocks = blocks[:: -1 if along < 0 else 1, :: -1 if across < 0 else 1]
            for j in range(3 * f):
                for i in range(3 * f):
                    row, column = (y - 1) * f + j, (x - 1) * f + i
                    if 0 <= row < out.shape[0] and 0 <= column < out.shape[1]:
                        out[row, column] += blocks[j, i]
    return out


def layers(picture, given):
    """Send luma (H, W) through the layers of a deep kernel, pixel by pixel in 64-bit floats; the border is repeated."""
    padded, f = np.pad(np.asarray(picture, float), given.reach, mode="edge"), given.factor
    values = _features(padded, given) - _features(np.zeros(padded.shape), given)
    size, (height, width) = given.weights.shape[-1], values.shape[1:]
    full = np.zeros(((height - 1) * f + size, (width - 1) * f + size))
    for y in range(height):
        for x in range(width):
            full[y * f : y * f + size, x * f : x * f + size] += (values[:, y, x, None, None] * given.weights[:, 0]).sum(0)
    begin = (size - f) // 2 + given.taps // 2 * f
    high, wide = (n * f for n in np.shape(picture))
    return full[begin : begin + high, begin : begin + wide]


def _features(padded, given):
    """Send a padded picture through the convolutions."""
    values = padded[None]
    for number, (weights, slopes, biases) in enumerate(zip(given.convolutions, given.slopes, given.biases, strict=True)):
        side = weights.shape[2]
        height, width = values.shape[1] - side + 1, values.shape[2] - side + 1
        made = np.empty((len(weights), height, width))
        for y in range(height):
            for x in range(width):
                window = values[:, y : y + side, x : x + side]
                if number == 0:
                    window = window - window[:, side // 2, side // 2, None, None]
                made[:, y, x] = (weights * window[None]).sum((1, 2, 3)) + biases
        values = np.where(made > 0, made, made * slopes[:, None, None])
    return values


def convolved(planes, weights):
    """Convolve planes (C, H, W) by weights (M, C, k, k) as networks do, with zeros beyond the border: (M, H, W)."""
    side, (height, width) = weights.shape[2], planes.shape[1:]
    padded = np.pad(planes, ((0, 0), (side // 2,) * 2, (side // 2,) * 2))
    made = np.empty((len(weights), height, width))
    for y in range(height):
        for x in range(width):
            made[:, y, x] = (weights * padded[None, :, y : y + side, x : x + side]).sum((1, 2, 3))
    return made


def reduced(values, size, blocks):
    """Reduce (H, W, C), pixel by pixel: the mean of what a pixel covers, or Lanczos's weights, stretched."""

    def weights(before, after, i):
        ratio = before / after
        middle, found = (i + 0.5) * ratio, np.zeros(before)
        for j in range(before):
            if before == after:
                found[j] = i == j
            elif blocks:
                found[j] = max(0, min(j + 1, middle + ratio / 2) - max(j, middle - ratio / 2))
            elif abs(x := (j + 0.5 - middle) / ratio) < 3:
                found[j] = np.sinc(x) * np.sinc(x / 3)
        return found / found.sum()

    down, across = (np.array([weights(b, a, i) for i in range(a)]) for b, a in zip(values.shape, size, strict=False))
    return np.einsum("yh,xw,hwc->yxc", down, across, values.astype(float))

"""Both operators as their definitions say them: obviously right, and slow."""

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


def conv_transpose2d(x, w, bias, stride, padding, output_padding, groups, dilation):
    """Transposed convolution of (N, C, H, W) with every parameter, in float64."""
    n, channels, height, width = x.shape
    per_group, kernel = w.shape[1], w.shape[2:]
    (top, bottom), (left, right) = padding
    full = np.zeros((
        n, per_group * groups,
        (height - 1) * stride[0] + dilation[0] * (kernel[0] - 1) + 1 + output_padding[0],
        (width - 1) * stride[1] + dilation[1] * (kernel[1] - 1) + 1 + output_padding[1],
    ))  # fmt: skip
    for b in range(n):
        for c in range(channels):
            for m in range(per_group):
                target = full[b, c // (channels // groups) * per_group + m]
                for y in range(height):
                    for dx in range(width):
                        for i in range(kernel[0]):
                            for j in range(kernel[1]):
                                at = y * stride[0] + i * dilation[0], dx * stride[1] + j * dilation[1]
                                target[at] += float(x[b, c, y, dx]) * w[c, m, i, j]
    full = full[:, :, top : full.shape[2] - bottom, left : full.shape[3] - right]
    return full if bias is None else full + np.asarray(bias)[None, :, None, None]


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
    values, f = np.pad(np.asarray(picture, float), given.reach, mode="edge")[None], given.factor
    for number, (weights, slopes) in enumerate(zip(given.convolutions, given.slopes, strict=True)):
        side = weights.shape[2]
        height, width = values.shape[1] - side + 1, values.shape[2] - side + 1
        made = np.empty((len(weights), height, width))
        for y in range(height):
            for x in range(width):
                window = values[:, y : y + side, x : x + side]
                if number == 0:
                    window = window - window[:, side // 2, side // 2, None, None]
                made[:, y, x] = (weights * window[None]).sum((1, 2, 3))
        values = np.where(made > 0, made, made * slopes[:, None, None])
    size, (height, width) = given.weights.shape[-1], values.shape[1:]
    full = np.zeros(((height - 1) * f + size, (width - 1) * f + size))
    for y in range(height):
        for x in range(width):
            full[y * f : y * f + size, x * f : x * f + size] += (values[:, y, x, None, None] * given.weights[:, 0]).sum(0)
    begin = (size - f) // 2 + given.taps // 2 * f
    high, wide = (n * f for n in np.shape(picture))
    return full[begin : begin + high, begin : begin + wide]


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

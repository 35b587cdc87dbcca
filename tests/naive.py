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

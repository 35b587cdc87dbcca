"""What tests of video share: YUV4MPEG2 streams made with NumPy, and a reader that knows nothing of the package's own."""

import re

import numpy as np

#: Planes' sizes and bits by the name of the chroma, for frames of height h and width w.
SUBSAMPLING = {"420": (2, 2), "422": (1, 2), "411": (1, 4), "444": (1, 1), "mon": (1, 1)}


def depth_of(chroma):
    found = re.fullmatch(r"(?:\d+p|mono)(\d+)", chroma)
    return int(found[1]) if found else 8


def shapes(chroma, size):
    (height, width), (down, across) = size, SUBSAMPLING[chroma[:3]]
    small = -(-height // down), -(-width // across)
    return [size, *([] if chroma.startswith("mono") else [small, small]), *([size] if chroma == "444alpha" else [])]


def random_frames(chroma, size, number=3, seed=0):
    rng = np.random.default_rng(seed)
    depth = depth_of(chroma)
    dtype = np.uint8 if depth == 8 else np.uint16
    return [[rng.integers(0, 1 << depth, shape, dtype) for shape in shapes(chroma, size)] for _ in range(number)]


def stream(frames, chroma, *, more="F25:1 Ip A1:1", lines=None, head=None):
    """Make a stream of frames, which are lists of planes."""
    height, width = frames[0][0].shape if frames else (2, 2)
    name = f" C{chroma}" if chroma else ""
    made = (head or f"YUV4MPEG2 W{width} H{height} {more}{name}\n").encode()
    for number, planes in enumerate(frames):
        made += (lines[number] if lines else "FRAME\n").encode()
        for plane in planes:
            made += plane.astype(plane.dtype.newbyteorder("<")).tobytes()
    return made


def parsed(data):
    """Read a stream: its header line, the frames' lines, and the frames."""
    head, _, rest = data.partition(b"\n")
    values = {p[:1]: p[1:] for p in head.decode().split(" ")[1:] if p[0] != "X"}
    size, chroma = (int(values["H"]), int(values["W"])), values.get("C", "420jpeg")
    dtype = np.dtype(np.uint8 if depth_of(chroma) == 8 else "<u2")
    lines, frames = [], []
    while rest:
        line, _, rest = rest.partition(b"\n")
        lines.append(line.decode())
        planes = []
        for shape in shapes(chroma, size):
            length = shape[0] * shape[1] * dtype.itemsize
            planes.append(np.frombuffer(rest[:length], dtype).reshape(shape).astype(dtype.newbyteorder("=")))
            rest = rest[length:]
        frames.append(planes)
    return head.decode(), lines, frames

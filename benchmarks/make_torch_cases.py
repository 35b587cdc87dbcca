"""Keep PyTorch's results for random arguments as tests/operators/torch_cases.npz: `python benchmarks/make_torch_cases.py`.

The tests compare with them where PyTorch is not installed. Needs the extra `peers`.
"""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

TARGET = Path(__file__).parent.parent / "tests" / "operators" / "torch_cases.npz"
CASES = 300


def arguments(rng: np.random.Generator) -> dict:
    """Draw shapes and numbers that fit each other."""
    groups = int(rng.integers(1, 4))
    channels, per_group = groups * int(rng.integers(1, 3)), int(rng.integers(1, 3))
    kernel, stride, dilation, size = (rng.integers(1, high, 2) for high in (6, 5, 4, 6))
    extra = [int(rng.integers(0, max(s, d))) for s, d in zip(stride, dilation, strict=True)]
    whole = (size - 1) * stride + dilation * (kernel - 1) + 1 + extra
    return {
        "input": [int(rng.integers(1, 3)), channels, *map(int, size)],
        "weight": [channels, per_group, *map(int, kernel)],
        "bias": bool(rng.random() < 0.5),
        "options": {
            "stride": list(map(int, stride)), "padding": [int(rng.integers(0, (n + 1) // 2)) for n in whole],
            "output_padding": extra, "groups": groups, "dilation": list(map(int, dilation)),
        },
    }  # fmt: skip


def numbers(case: dict, seed: int) -> list:
    """Draw a case's input, weight and bias: small whole numbers, so that sums are exact and files small."""
    rng = np.random.default_rng(seed)
    channels = case["weight"][1] * case["options"]["groups"]
    shapes = [case["input"], case["weight"], [channels] if case["bias"] else None]
    return [None if shape is None else rng.integers(-4, 5, shape).astype(np.float32) for shape in shapes]


if __name__ == "__main__":
    cases = [arguments(np.random.default_rng(seed)) for seed in range(CASES)]
    results = []
    for seed, case in enumerate(cases):
        tensors = [None if a is None else torch.from_numpy(a) for a in numbers(case, seed)]
        results.append(F.conv_transpose2d(*tensors, **case["options"]).numpy().astype(np.int16))
    arrays = {
        "cases": np.array(json.dumps(cases)),
        "shapes": np.array([r.shape for r in results]),
        "results": np.concatenate([r.ravel() for r in results]),
        "torch": np.array(torch.__version__),
    }
    with zipfile.ZipFile(TARGET, "w", zipfile.ZIP_LZMA) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array)
            archive.writestr(f"{name}.npy", buffer.getvalue())

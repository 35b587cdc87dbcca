"""Write kernels into files: one table from suffix to writer. `file_format` describes the .npz form."""

import io
import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.choices import format_factor
from upscale.errors import ArgumentError, FileError
from upscale.kernels.file_format import BIASES, CHAIN, CONVOLUTION, FORMAT, SLOPES, TENSOR_SUFFIXES, bias_name, import_optional
from upscale.kernels.kernel import LONGEST, Kernel
from upscale.kernels.kernel_spec import parse_kernel_file, suffix_of
from upscale.kernels.normalize import normalize_phases
from upscale.output_files import write

Array = NDArray[Any]


def save_kernel(path: "str | os.PathLike[str]", kernel: Kernel) -> list[str]:
    """Write a kernel for `Kernel.save`; see there."""
    file, name = parse_kernel_file(os.fspath(path), to_write=True)
    return write_kernel(file, kernel, name)


def write_kernel(path: str, kernel: Kernel, name: str = "", *, convolutions: bool = True) -> list[str]:
    """Write a kernel, whole or not at all.

    The project's own form, .npz, stores all of it. The others store weights; those of a normalised kernel are divided so that
    each phase sums to 1. They are then the same kernel except at borders, and there too if it is normalised again.

    Parameters
    ----------
    path : str
        Its suffix, one of `kernel_spec.SUFFIXES`, decides the format.
    kernel : Kernel
    name : str
        Of the tensor in a .safetensors, .pt or .pth file; `weight` if empty. A bias is called `bias` there, preceded by what
        precedes the last dot of `name`.
    convolutions : bool
        Whether those of a deep kernel are written, without which only the package itself can read it.

    Returns
    -------
    list of str
        What the file does not store, and which option replaces it where the file is used.

    Raises
    ------
    FileError
        If the format does not support the weights, or the file cannot be written.
    """
    suffix = suffix_of(path)
    try:
        if kernel.chain is not None and suffix != ".npz":
            raise ArgumentError("cannot store a network; write .npz")
        if suffix == ".onnx":
            raise ArgumentError("is a format that can only be read; write .npz")
        if max(kernel.shape) > LONGEST:
            raise ArgumentError(
                f"would have {kernel.shape[1]}x{kernel.shape[0]} weights; at most {LONGEST} a side can be read back"
            )
        if suffix == ".npz":
            data, notes = _npz(kernel, convolutions), []
        else:
            weights = kernel.weights
            if kernel.normalized and kernel.factor is not None:
                weights = normalize_phases(weights, kernel.factor, kernel.groups)
            data = WRITERS[suffix](weights, kernel.bias, name or "weight")
            notes = _omissions(kernel, f"{path}:{bias_name(name)}" if suffix in TENSOR_SUFFIXES else "")
    except ArgumentError as error:
        raise FileError(f"{path}: {error}") from error
    write(path, data)
    return notes


def _omissions(kernel: Kernel, bias_file: str) -> list[str]:
    """Describe what formats other than .npz do not store of a kernel.

    `bias_file` is FILE:NAME if the format stores the bias as a tensor of that name, else empty.
    """
    notes = []
    if kernel.normalized:
        notes.append(
            "does not store that the kernel is normalised: use it with --normalize, so that borders keep their brightness"
        )
    if kernel.factor is not None:
        notes.append(f"does not store the factor: use it with --factor {format_factor(kernel.factor)}")
    if isinstance(kernel.padding, tuple):
        sides = [side for both in kernel.padding for side in both]
        text = str(sides[0]) if len(set(sides)) == 1 else ",".join(map(str, sides))
        notes.append(f"does not store the padding: use it with --padding {text}")
    if kernel.groups > 1:
        notes.append(f"does not store the groups: use it with --groups {kernel.groups}")
    if kernel.bias is not None:
        numbers = ",".join(repr(float(b)) for b in kernel.bias)
        notes.append(
            f"stores the bias as a separate tensor: use it with --bias {bias_file}"
            if bias_file
            else f"does not store the bias: use it with --bias {numbers}"
        )
    if kernel.corrections is not None:
        notes.append("does not store the corrections: it is only the base kernel, no longer adaptive; .npz stores them")
    if kernel.layers is not None:
        notes.append("does not store the layers: it is only the base kernel, no longer deep; .npz stores them")
    if kernel.training:
        notes.append("does not store the record of its training")
    return notes


def _npz(kernel: Kernel, convolutions: bool) -> bytes:
    arrays: dict[str, Any] = {
        "format": FORMAT,
        "version": _version(kernel),
        "weights": _narrow(kernel.weights),
        "groups": kernel.groups,
        "normalized": kernel.normalized,
        "title": kernel.title,
    }
    if kernel.training:
        arrays["training"] = kernel.training
    if kernel.factor is not None:
        arrays["factor"] = kernel.factor
    if kernel.padding not in (None, "same"):
        arrays["padding"] = np.ravel(kernel.padding)
    if kernel.bias is not None:
        arrays["bias"] = kernel.bias
    if (corrections := kernel.corrections) is not None:
        arrays |= {
            "compared": corrections.compared.astype(np.uint8),
            "thresholds": corrections.thresholds,
            "leaves": corrections.leaves.astype(np.uint16),
            "corrections": corrections.weights,
            "unit": corrections.unit,
        }
    if (layers := kernel.layers) is not None:
        arrays["transposed"] = _narrow(layers.weights)
        shared = [(CONVOLUTION, layers.convolutions), (SLOPES, layers.slopes)]
        if layers.has_biases:
            shared.append((BIASES, layers.biases))
        for beginning, found in shared if convolutions else ():
            arrays |= {f"{beginning}{n}": _narrow(array) for n, array in enumerate(found)}
    if (chain := kernel.chain) is not None:
        arrays["adds_input"] = kernel.adds_input
        for beginning, found in zip(CHAIN, (chain.weights, chain.biases, chain.slopes), strict=True):
            arrays |= {f"{beginning}{n}": _narrow(array) for n, array in enumerate(found)}
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def _version(kernel: Kernel) -> int:
    """Return the version of the form; earlier releases read the lower ones."""
    if kernel.layers is not None and kernel.layers.has_biases:
        return 4
    if kernel.layers is not None or kernel.chain is not None:
        return 3
    return 1 if kernel.corrections is None else 2


def _narrow(array: Array) -> Array:
    """Convert floats to 16 or 32 bits if that loses nothing."""
    for dtype in (np.float16, np.float32):
        with np.errstate(over="ignore"):
            narrow = array.astype(dtype)
        if np.array_equal(narrow, array):
            return narrow
    return array


# Other formats: from weights, a bias and the name of the tensor of weights to bytes


def _npy(weights: Array, bias: Array | None, name: str) -> bytes:
    file = io.BytesIO()
    np.save(file, weights)
    return file.getvalue()


def _text(weights: Array, bias: Array | None, name: str) -> bytes:
    if weights.ndim != 2:
        raise ArgumentError(f"text files store kernels of 2 dimensions, not {weights.shape}; write .json, .npy or .npz")
    return "".join(",".join(map(repr, row)) + "\n" for row in weights.tolist()).encode()


def _json(weights: Array, bias: Array | None, name: str) -> bytes:
    return (json.dumps(weights.tolist()) + "\n").encode()


def _safetensors(weights: Array, bias: Array | None, name: str) -> bytes:
    data: bytes = import_optional("safetensors.numpy", "safetensors").save(_tensors(weights, bias, name))
    return data


def _torch(weights: Array, bias: Array | None, name: str) -> bytes:
    torch = import_optional("torch", "torch")
    file = io.BytesIO()
    torch.save({key: torch.from_numpy(array) for key, array in _tensors(weights, bias, name).items()}, file)
    return file.getvalue()


def _tensors(weights: Array, bias: Array | None, name: str) -> dict[str, Array]:
    arrays = {name: weights} if bias is None else {name: weights, bias_name(name): bias}
    if name == "__metadata__" or (bias is not None and len(arrays) == 1):
        raise ArgumentError(f"the weights cannot be named {name!r} in this format; name them weight")
    # Networks are trained in 32 bits; what does not fit in them keeps 64.
    exact = all((array.astype(np.float32) == array).all() for array in arrays.values())
    # Copies, since PyTorch warns of arrays that cannot be written to.
    return {key: np.array(array, np.float32 if exact else np.float64, order="C") for key, array in arrays.items()}


WRITERS: dict[str, Callable[[Array, Array | None, str], bytes]] = {
    ".npy": _npy,
    ".txt": _text,
    ".csv": _text,
    ".json": _json,
    ".safetensors": _safetensors,
    ".pt": _torch,
    ".pth": _torch,
}

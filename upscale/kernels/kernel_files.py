"""Kernels from files and into them: one table from suffix to reader, and one to writer.

The project's own form is an .npz file without pickled objects, so that any NumPy reads it. Its arrays:

===============  =================================================================================
``format``       the text "upscale kernel"
``version``      the number 1, or 2 with a bank; a reader refuses greater ones
``weights``      (kH, kW), or (C, M / groups, kH, kW)
``factor``       (vertical, horizontal); may be missing, as all below
``padding``      (top, bottom, left, right); missing means `same`
``bias``         (M,), or (1,) for weights of 2 dimensions; 1 is full scale
``groups``       a number
``normalized``   0 or 1
``title``        a text
``training``     what it was learned from: a text, as JSON
``compared``     (nodes, 2), and the four that follow: the bank of an adaptive kernel, see `bank.Bank`
``thresholds``   (nodes,)
``leaves``       (nodes + 1,)
``corrections``  (classes, 25, 9 * factor ** 2), 16-bit integers
``unit``         what these are multiples of
===============  =================================================================================
"""

import io
import json
import os.path
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pickle import UnpicklingError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.choices import factor_text
from upscale.errors import ArgumentError, FileError
from upscale.kernels.corrections import Bank
from upscale.kernels.kernel import LONGEST, Kernel, numbers
from upscale.kernels.kernel_spec import typed
from upscale.kernels.phase_sums import evened
from upscale.output_files import why
from upscale.output_files import write as write_file

_FORMAT, _VERSION = "upscale kernel", 2
_BANK = ("compared", "thresholds", "leaves", "corrections", "unit")
_NAMES = ("format", "version", "weights", "factor", "padding", "bias", "groups", "normalized", "title", "training", *_BANK)
#: Bytes that a kernel file, unpacked, may have: 64 channels each way of 64 x 64 weights in float64 are half of it.
_LARGEST = 1 << 28

Array = NDArray[Any]
#: An array, and the name of a bias that the file holds beside it, or nothing.
Found = tuple[Array, str]
#: Numbers of dimensions that an array may have.
Dims = tuple[int, ...]
_KERNEL, _BIAS = (2, 4), (1,)


def _read_npy(path: str, name: str, dims: Dims) -> Found:
    # Mapped, so that a header that lies about its size cannot make us allocate it; object arrays are refused.
    array: Array = np.lib.format.open_memmap(path, mode="r")
    _check_size(array.nbytes)
    return array, ""


def _read_npz(path: str) -> Kernel:
    with zipfile.ZipFile(path) as archive:  # unpacking stops at the size that is declared here
        _check_size(sum(member.file_size for member in archive.infolist()))
    with np.load(path, allow_pickle=False) as file:
        if "format" not in file or str(file["format"]) != _FORMAT:
            raise ArgumentError("is no kernel of this project: it says no format 'upscale kernel'; save the array as .npy")
        version = (_whole(file, "version", 1) or [0])[0]
        if not 1 <= version <= _VERSION:
            raise ArgumentError(f"has version {version} and this release reads up to {_VERSION}; install a newer one")
        unknown = set(file.files) - set(_NAMES)
        if unknown or "weights" not in file:
            raise ArgumentError(f"must hold weights and nothing but {', '.join(_NAMES)}; it holds {', '.join(file.files)}")
        top, bottom, left, right = _whole(file, "padding", 4) or (0, 0, 0, 0)
        return Kernel(
            file["weights"],
            normalized=(_whole(file, "normalized", 1) or [0])[0] != 0,
            factor=_whole(file, "factor", 2),
            padding=((top, bottom), (left, right)) if "padding" in file else "same",
            bias=file.get("bias"),
            groups=(_whole(file, "groups", 1) or [1])[0],
            title=str(file.get("title", "")),
            training=str(file.get("training", "")),
            bank=_bank(file) if "corrections" in file else None,
        )


def _bank(file: Mapping[str, Array]) -> Bank:
    for name in _BANK:
        if name not in file:
            raise ArgumentError(f"has corrections, but no {name}")
    unit = numbers(file["unit"], "unit")
    factor = (_whole(file, "factor", 2) or [0])[0]
    if unit.size != 1 or file["corrections"].dtype.kind != "i":
        raise ArgumentError("its corrections are not whole multiples of one unit")
    return Bank(file["compared"], file["thresholds"], file["leaves"], file["corrections"] * float(unit.item()), factor)


def _whole(file: Mapping[str, Array], name: str, number: int) -> list[int] | None:
    """Read so many whole numbers of at least 0, or None where there is no array of that name."""
    if name not in file:
        return None
    array = file[name].ravel()
    if array.size != number or array.dtype.kind not in "bui" or (array < 0).any():
        raise ArgumentError(f"{name} must be {number} whole numbers of at least 0, not {array.tolist()[:9]}")
    return [int(n) for n in array]


def _read_text(path: str, name: str, dims: Dims) -> Found:
    _check_size(os.path.getsize(path))
    with open(path, encoding="utf-8-sig") as file:
        lines = [line.split("#")[0].replace(";", ",").strip().strip(",") for line in file]
    rows = np.array(typed(";".join(line for line in lines if line)))
    return (rows[0] if dims == _BIAS and len(rows) == 1 else rows), ""


def _read_json(path: str, name: str, dims: Dims) -> Found:
    _check_size(os.path.getsize(path))
    with open(path, encoding="utf-8-sig") as file:
        value = json.load(file)
    if not isinstance(value, list):
        raise ArgumentError(f"must be an array of rows, such as [[1, 2], [3, 4]], and not {type(value).__name__}")
    return numbers(value, "the array"), ""


def _read_safetensors(path: str, name: str, dims: Dims) -> Found:
    library = _optional("safetensors", "safetensors")
    with library.safe_open(path, framework="np") as file:
        shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
        picked, bias = _picked(shapes, name, dims)
        try:
            array: Array = file.get_tensor(picked)
        except (TypeError, AttributeError):
            kind = file.get_slice(picked).get_dtype()
            raise ArgumentError(f"{picked} is stored as {kind}, which NumPy has not: save it as float32") from None
        return array, bias


def _read_torch(path: str, name: str, dims: Dims) -> Found:
    torch, bias = _optional("torch", "torch"), ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch speaks of its own internals
        try:
            held = torch.load(path, map_location="cpu", weights_only=True)
        except UnpicklingError:
            raise ArgumentError("holds more than tensors, or is damaged: save model.state_dict() and not the model") from None
    if isinstance(held, Mapping) and isinstance(held.get("state_dict"), Mapping):
        held = held["state_dict"]  # a training checkpoint
    if isinstance(held, Mapping):
        tensors = {str(k): v for k, v in held.items() if isinstance(v, torch.Tensor)}
        picked, bias = _picked({k: tuple(v.shape) for k, v in tensors.items()}, name, dims)
        held = tensors[picked]
    elif name:
        raise ArgumentError(f"holds no tensor named {name!r}, but {type(held).__name__} alone")
    if not isinstance(held, torch.Tensor):
        raise ArgumentError(f"holds no tensor, but {type(held).__name__}")
    if held.is_complex() or held.is_quantized:
        raise ArgumentError(f"is made of real numbers, not of {held.dtype}")
    return held.detach().to(torch.float64).numpy(), bias


def _picked(shapes: Mapping[str, tuple[int, ...]], name: str, dims: Dims) -> tuple[str, str]:
    """Find the tensor that is meant, the one named or the only one that can be a kernel, and a bias that is called alike."""
    listed = ", ".join(f"{key} {shape}" for key, shape in list(shapes.items())[:50])
    if name:
        if name not in shapes:
            raise ArgumentError(f"holds no tensor named {name!r}; it holds {listed or 'none'}")
        fitting = [name]
    else:
        fitting = [key for key, shape in shapes.items() if len(shape) in dims]
    if len(fitting) != 1:
        raise ArgumentError(
            f"holds {len(fitting)} tensors that it could be: name one with FILE:NAME; it holds {listed or 'none'}"
        )
    bias = _bias_name(fitting[0])
    return fitting[0], bias if bias in shapes and bias != fitting[0] and len(shapes[bias]) == 1 else ""


class _MissingError(ArgumentError):
    """A library is not installed."""


def _optional(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ImportError:
        raise _MissingError(f"needs the library {package}: pip install {package}") from None


def _check_size(size: int) -> None:
    if size > _LARGEST:
        raise ArgumentError(f"unpacks to {size} bytes, and a kernel has at most {_LARGEST}")


_READERS: dict[str, Callable[[str, str, Dims], Found]] = {
    ".npy": _read_npy,
    ".txt": _read_text,
    ".csv": _read_text,
    ".json": _read_json,
    ".safetensors": _read_safetensors,
    ".pt": _read_torch,
    ".pth": _read_torch,
}


def read(path: str, name: str = "") -> Kernel:
    """Read a kernel.

    Parameters
    ----------
    path : str
    name : str
        Of the tensor in a .safetensors, .pt or .pth file; may be left out where only one can be a kernel.

    Raises
    ------
    FileError
        Where the file cannot be read, or holds no kernel.
    """
    with _explained(path, "a kernel"):
        if _suffix(path) == ".npz":
            return _read_npz(path)
        weights, bias = _READERS[_suffix(path)](path, name, _KERNEL)
        kernel = Kernel(weights)
        kernel.beside = bias
        return kernel


def read_array(path: str) -> Array:
    """Read any array from a .npy file.

    Raises
    ------
    FileError
        Where it cannot be read.
    """
    with _explained(path, "an array"):
        return np.array(_read_npy(path, "", ())[0])


def read_bias(path: str, name: str = "") -> Array:
    """Read a bias, (M,), from any kernel file but .npz.

    Raises
    ------
    FileError
        Where the file cannot be read, or holds none.
    """
    with _explained(path, "a bias"):
        if _suffix(path) == ".npz":
            raise ArgumentError("an .npz kernel brings its bias along")
        array = numbers(_READERS[_suffix(path)](path, name, _BIAS)[0], "the bias")
        if array.ndim != 1:
            raise ArgumentError(f"a bias has 1 dimension, this one is {array.shape}")
        return array


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()


@contextmanager
def _explained(path: str, what: str) -> Iterator[None]:
    """Name the file in whatever goes wrong with it."""
    try:
        with open(path, "rb"):  # whatever the library would say of a missing file, this says it better
            pass
        with warnings.catch_warnings():  # what headers that lie make NumPy say
            warnings.simplefilter("ignore")
            yield
    except FileNotFoundError:
        raise FileError(f"{path}: there is no such kernel file") from None
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {why(error)}") from error
    except _MissingError as error:
        raise FileError(f"{path}: {error}") from error
    except ArgumentError as error:
        raise FileError(f"{path}: not {what}: {error}") from error
    except Exception as error:  # the libraries let anything out on damaged files: BadZipFile, KeyError, RecursionError, ...
        reason = " ".join(str(error).split())[:200]  # some explain themselves at length
        raise FileError(f"{path}: not {what}, or damaged: {type(error).__name__}: {reason}") from error


def write(path: str, kernel: Kernel, name: str = "") -> list[str]:
    """Write a kernel, whole or not at all.

    The project's own form, .npz, holds all of it. The others hold weights; those of a normalised kernel are divided so that
    each phase adds up to 1, and are then the same kernel but for the borders. Whoever normalises them gets those as well.

    Parameters
    ----------
    path : str
        Its suffix decides the form: one of `kernel_source.SUFFIXES`.
    kernel : Kernel
    name : str
        Of the tensor in a .safetensors, .pt or .pth file; `weight` if not given. A bias is called `bias` there, with what
        comes before the last dot of `name` before it.

    Returns
    -------
    list of str
        What the file does not hold, and what to do about it where it is used.

    Raises
    ------
    FileError
        Where the form cannot hold the weights, or the file cannot be written.
    """
    suffix = _suffix(path)
    try:
        if max(kernel.shape) > LONGEST:
            raise ArgumentError(
                f"would hold {kernel.shape[1]}x{kernel.shape[0]} weights, and at most {LONGEST} a side are read"
            )
        if suffix == ".npz":
            data, notes = _npz(kernel), []
        else:
            weights = kernel.weights
            if kernel.normalized and kernel.factor is not None:
                weights = evened(weights, kernel.factor, kernel.groups)
            data = _WRITERS[suffix](weights, kernel.bias, name or "weight")
            bias = f"{path}:{_bias_name(name)}" if suffix in (".safetensors", ".pt", ".pth") else ""
            notes = _left_out(kernel, bias)
    except ArgumentError as error:
        raise FileError(f"{path}: {error}") from error
    write_file(path, data)
    return notes


def _npz(kernel: Kernel) -> bytes:
    version = 1 if kernel.bank is None else _VERSION  # as early as can be, for earlier releases
    arrays: dict[str, Any] = {
        "format": _FORMAT, "version": version, "weights": kernel.weights, "groups": kernel.groups,
        "normalized": kernel.normalized, "title": kernel.title,
    }  # fmt: skip
    if kernel.training:
        arrays["training"] = kernel.training
    if kernel.factor is not None:
        arrays["factor"] = kernel.factor
    if kernel.padding not in (None, "same"):
        arrays["padding"] = np.ravel(kernel.padding)
    if kernel.bias is not None:
        arrays["bias"] = kernel.bias
    if (bank := kernel.bank) is not None:
        arrays |= {
            "compared": bank.compared.astype(np.uint8), "thresholds": bank.thresholds, "leaves": bank.leaves.astype(np.uint16),
            "corrections": bank.weights, "unit": bank.unit,
        }  # fmt: skip
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def _left_out(kernel: Kernel, bias: str) -> list[str]:
    """Say what of a kernel a form does not hold that holds weights, and perhaps the bias as a tensor that is called so."""
    notes = []
    if kernel.normalized:
        notes.append("does not say that it is normalised: use it with --normalize, which borders need to keep their brightness")
    if kernel.factor is not None:
        notes.append(f"holds no factor: use it with --factor {factor_text(kernel.factor)}")
    if isinstance(kernel.padding, tuple):
        sides = [side for both in kernel.padding for side in both]
        text = str(sides[0]) if len(set(sides)) == 1 else ",".join(map(str, sides))
        notes.append(f"holds no padding: use it with --padding {text}")
    if kernel.groups > 1:
        notes.append(f"holds no groups: use it with --groups {kernel.groups}")
    if kernel.bias is not None:
        numbers = ",".join(repr(float(b)) for b in kernel.bias)
        notes.append(
            f"holds the bias apart: use it with --bias {bias}" if bias else f"holds no bias: use it with --bias {numbers}"
        )
    if kernel.bank is not None:
        notes.append("holds no corrections: it is the single kernel, and no longer adaptive; .npz holds them")
    if kernel.training:
        notes.append("does not say what it was learned from")
    return notes


def _npy(weights: Array, bias: Array | None, name: str) -> bytes:
    file = io.BytesIO()
    np.save(file, weights)
    return file.getvalue()


def _text(weights: Array, bias: Array | None, name: str) -> bytes:
    if weights.ndim != 2:
        raise ArgumentError(f"rows of numbers hold a kernel of 2 dimensions, not {weights.shape}; write .json, .npy or .npz")
    return "".join(",".join(map(repr, row)) + "\n" for row in weights.tolist()).encode()


def _json(weights: Array, bias: Array | None, name: str) -> bytes:
    return (json.dumps(weights.tolist()) + "\n").encode()


def _bias_name(name: str) -> str:
    return name[: name.rfind(".") + 1] + "bias"


def _tensors(weights: Array, bias: Array | None, name: str) -> dict[str, Array]:
    arrays = {name: weights} if bias is None else {name: weights, _bias_name(name): bias}
    if name == "__metadata__" or (bias is not None and len(arrays) == 1):
        raise ArgumentError(f"weights cannot be called {name!r} here; call them weight")
    # Networks are trained in 32 bits; what does not fit in them keeps 64.
    exact = all((array.astype(np.float32) == array).all() for array in arrays.values())
    return {key: np.ascontiguousarray(array, np.float32 if exact else np.float64) for key, array in arrays.items()}


def _safetensors(weights: Array, bias: Array | None, name: str) -> bytes:
    data: bytes = _optional("safetensors.numpy", "safetensors").save(_tensors(weights, bias, name))
    return data


def _torch(weights: Array, bias: Array | None, name: str) -> bytes:
    torch = _optional("torch", "torch")
    file = io.BytesIO()
    torch.save({key: torch.from_numpy(array) for key, array in _tensors(weights, bias, name).items()}, file)
    return file.getvalue()


_WRITERS: dict[str, Callable[[Array, Array | None, str], bytes]] = {
    ".npy": _npy,
    ".txt": _text,
    ".csv": _text,
    ".json": _json,
    ".safetensors": _safetensors,
    ".pt": _torch,
    ".pth": _torch,
}

"""Read kernels, biases and arrays from files: one table from suffix to reader. `file_format` describes the .npz form."""

import json
import math
import os.path
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pickle import UnpicklingError
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError, FileError, damage
from upscale.kernels.chain import Chain
from upscale.kernels.corrections import Corrections
from upscale.kernels.file_format import (
    BIASES,
    CHAIN,
    CONVOLUTION,
    CORRECTION_NAMES,
    FORMAT,
    NAMES,
    SLOPES,
    VERSION,
    MissingLibraryError,
    bias_name,
    import_optional,
)
from upscale.kernels.kernel import Kernel, finite_numbers
from upscale.kernels.kernel_spec import suffix_of
from upscale.kernels.layers import Layers
from upscale.kernels.networks import network_of_tensors
from upscale.kernels.number_text import parse_rows
from upscale.output_files import os_error_text
from upscale.suggestions import closest_file, did_you_mean

#: Mappings in mappings of a checkpoint in which tensors are looked for.
_DEEPEST = 50
#: Bytes that a kernel file, unpacked, may have: 64 channels in and out of 64 x 64 weights in float64 are half of it.
_LARGEST = 1 << 28

Array = NDArray[Any]
#: Numbers of dimensions that an array may have.
Dims = tuple[int, ...]
_KERNEL, _BIAS = (2, 4), (1,)
_NOTHING = np.zeros(0)


class Found(NamedTuple):
    """An array of a file, and the name of a bias that the file stores beside it, or nothing; or a whole network."""

    array: Array
    bias: str = ""
    network: Kernel | None = None


class _DamagedError(ArgumentError):
    """A library cannot read the file; the text is its reason, or empty."""


def read_kernel(path: str, name: str = "", convolutions: Layers | None = None) -> Kernel:
    """Read a kernel from a file.

    Parameters
    ----------
    path : str
        Its suffix, one of `kernel_spec.SUFFIXES`, decides the format.
    name : str
        Of the tensor in a .safetensors, .pt or .pth file; may be empty if only one can be a kernel.
    convolutions : Layers, optional
        Those of a shipped deep kernel whose file leaves them out, since all factors share them.

    Raises
    ------
    FileError
        If the file cannot be read, or is not a kernel.
    """
    with _as_file_error(path, "a kernel"):
        if suffix_of(path) == ".npz":
            return _read_npz(path, convolutions)
        if suffix_of(path) == ".onnx":
            from upscale.kernels.read_onnx import read_onnx

            _check_size(os.path.getsize(path))
            with _library_errors():
                return read_onnx(path)
        found = READERS[suffix_of(path)](path, name, _KERNEL)
        return found.network or Kernel(found.array, bias_tensor=found.bias)


def read_array(path: str) -> Array:
    """Read any array from a .npy file.

    Raises
    ------
    FileError
        If it cannot be read.
    """
    with _as_file_error(path, "an array"):
        return np.array(_read_npy(path, "", ()).array)


def read_bias(path: str, name: str = "") -> Array:
    """Read a bias, (M,), from any kernel file but .npz.

    Raises
    ------
    FileError
        If the file cannot be read, or is not a bias.
    """
    with _as_file_error(path, "a bias"):
        if suffix_of(path) == ".npz":
            raise ArgumentError("an .npz kernel cannot be used with --bias, because it contains its own bias")
        if suffix_of(path) == ".onnx":
            raise ArgumentError("a network has biases of its own, none of which can be used alone")
        array = finite_numbers(READERS[suffix_of(path)](path, name, _BIAS).array, "the bias")
        if array.ndim != 1:
            raise ArgumentError(f"a bias must have 1 dimension, but the shape is {array.shape}")
        return array


@contextmanager
def _as_file_error(path: str, what: str) -> Iterator[None]:
    """Name the file in whatever is wrong with it."""
    try:
        with open(path, "rb"):  # says better than the libraries that a file is missing
            pass
        with warnings.catch_warnings():  # NumPy warns of headers that do not fit the file
            warnings.simplefilter("ignore")
            yield
    except FileNotFoundError:
        raise FileError(f"{path}: no such file{did_you_mean(closest_file(path))}") from None
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {os_error_text(error)}") from error
    except MissingLibraryError as error:
        raise FileError(f"{path}: {error}") from error
    except _DamagedError as error:
        raise FileError(f"{path}: is not {what}, or is damaged" + f": {error}" * bool(str(error))) from error
    except ArgumentError as error:
        # Names of arrays come from the file, and may have line breaks.
        raise FileError(f"{path}: cannot be read as {what}: {' '.join(str(error).split())}") from error


@contextmanager
def _library_errors() -> Iterator[None]:
    """Take what a library raises for a damaged file; to be put around calls of libraries, and nothing else.

    They let anything out: BadZipFile, KeyError, RecursionError, ... What shows a fault of a program, or a lack of memory,
    passes.
    """
    try:
        yield
    except (ArgumentError, OSError, NameError, AssertionError, MemoryError):
        raise
    except Exception as error:
        raise _DamagedError(_reason(error)) from error


def _reason(error: Exception) -> str:
    """Say in plain words what is wrong with a file, nothing if that is not known."""
    if isinstance(error, json.JSONDecodeError):
        return f"line {error.lineno}, column {error.colno} is not JSON"
    if "pickle" in str(error) or "Python objects" in str(error):
        return "it contains Python objects, not numbers"
    text = damage(error)
    return "" if text == damage(Exception()) else text


def _check_size(size: int) -> None:
    if size > _LARGEST:
        raise ArgumentError(f"unpacks to {size} bytes; a kernel may have at most {_LARGEST}")


# The project's own form


def _read_npz(path: str, convolutions: Layers | None) -> Kernel:
    arrays = _npz_arrays(path)
    top, bottom, left, right = _whole_numbers(arrays, "padding", 4) or (0, 0, 0, 0)
    return Kernel(
        arrays["weights"],
        normalized=(_whole_numbers(arrays, "normalized", 1) or [0])[0] != 0,
        factor=_whole_numbers(arrays, "factor", 2),
        padding=((top, bottom), (left, right)) if "padding" in arrays else "same",
        bias=arrays.get("bias"),
        groups=(_whole_numbers(arrays, "groups", 1) or [1])[0],
        title=str(arrays.get("title", "")),
        training=str(arrays.get("training", "")),
        corrections=_corrections(arrays) if "corrections" in arrays else None,
        layers=_layers(arrays, convolutions) if "transposed" in arrays else None,
        chain=_chain(arrays) if f"{CHAIN[0]}0" in arrays else None,
        adds_input=(_whole_numbers(arrays, "adds_input", 1) or [0])[0] != 0,
    )


def _npz_arrays(path: str) -> dict[str, Array]:
    """Read the arrays of an .npz kernel, once its format, version and names are known to be right."""
    with _library_errors(), zipfile.ZipFile(path) as archive:  # unpacking stops at the size that is declared here
        size = sum(member.file_size for member in archive.infolist())
    _check_size(size)
    with _library_errors():
        file = np.load(path, allow_pickle=False)
    if not isinstance(file, np.lib.npyio.NpzFile):  # both an archive and an array
        raise _DamagedError("")
    with file:

        def read(name: str) -> Array:
            try:
                with _library_errors():
                    return np.asarray(file[name])
            except MemoryError:  # since the file is small, only the array's own header can ask for so much
                raise ArgumentError(f"{name} is larger than the file") from None

        first: dict[str, Array] = {name: read(name) for name in ("format", "version") if name in file.files}
        if "format" not in first or str(first["format"]) != FORMAT:
            raise ArgumentError("an .npz file must be written by upscale; save a plain array as .npy")
        (number,) = _whole_numbers(first, "version", 1) or [0]
        if not 1 <= number <= VERSION:
            raise ArgumentError(f"has version {number}, but this release reads up to {VERSION}; install a newer upscale")
        if not all(map(_is_known, file.files)) or "weights" not in file.files:
            allowed = ", ".join((*NAMES, f"{CONVOLUTION}0", f"{SLOPES}0, ..."))
            raise ArgumentError(f"must contain weights, and may contain only {allowed}; it contains {', '.join(file.files)}")
        return {name: read(name) for name in file.files}


def _corrections(arrays: Mapping[str, Array]) -> Corrections:
    for name in CORRECTION_NAMES:
        if name not in arrays:
            raise ArgumentError(f"has corrections, but no {name}")
    unit = finite_numbers(arrays["unit"], "unit")
    factor = (_whole_numbers(arrays, "factor", 2) or [0])[0]
    if unit.size != 1 or arrays["corrections"].dtype.kind != "i":
        raise ArgumentError("its corrections are damaged")
    weights = arrays["corrections"] * float(unit.item())
    return Corrections(arrays["compared"], arrays["thresholds"], arrays["leaves"], weights, factor)


def _is_known(name: str) -> bool:
    return name in NAMES or any(
        name.startswith(beginning) and name.removeprefix(beginning).isdecimal()
        for beginning in (CONVOLUTION, SLOPES, BIASES, *CHAIN)
    )


def _chain(arrays: Mapping[str, Array]) -> Chain:
    number = sum(name.startswith(CHAIN[0]) for name in arrays)
    for name in (f"{beginning}{n}" for beginning in CHAIN for n in range(number)):
        if name not in arrays:
            raise ArgumentError(f"has a chain of convolutions, but no {name}")
    return Chain(*([arrays[f"{beginning}{n}"] for n in range(number)] for beginning in CHAIN))


def _layers(arrays: Mapping[str, Array], convolutions: Layers | None) -> Layers:
    factor = (_whole_numbers(arrays, "factor", 2) or [0])[0]
    number = sum(name.startswith(CONVOLUTION) for name in arrays)
    if number == 0 and convolutions is not None:
        return convolutions.with_weights(arrays["transposed"], factor)
    biases = [BIASES] if f"{BIASES}0" in arrays else []
    for name in (f"{beginning}{n}" for beginning in (CONVOLUTION, SLOPES, *biases) for n in range(max(1, number))):
        if name not in arrays:
            raise ArgumentError(f"has a transposed convolution of layers, but no {name}")
    found, slopes = ([arrays[f"{beginning}{n}"] for n in range(number)] for beginning in (CONVOLUTION, SLOPES))
    return Layers(found, slopes, arrays["transposed"], factor, [arrays[f"{BIASES}{n}"] for n in range(number) if biases])


def _whole_numbers(arrays: Mapping[str, Array], name: str, count: int) -> list[int] | None:
    """Return so many whole numbers of at least 0, or None if there is no array of that name."""
    if name not in arrays:
        return None
    array = arrays[name].ravel()
    if array.size != count or array.dtype.kind not in "bui" or (array < 0).any():
        raise ArgumentError(f"{name} must be {count} whole numbers of at least 0, not {array.tolist()[:9]}")
    return [int(n) for n in array]


# Other formats: from a path, the name of a tensor and the accepted numbers of dimensions to an array


def _read_npy(path: str, name: str, dims: Dims) -> Found:
    with _library_errors():
        # Mapped, so that a header that lies about its size cannot make us allocate it; object arrays are refused.
        array: Array = np.lib.format.open_memmap(path, mode="r")
    _check_size(array.nbytes)
    return Found(array)


def _read_text(path: str, name: str, dims: Dims) -> Found:
    _check_size(os.path.getsize(path))
    with _library_errors(), open(path, encoding="utf-8-sig") as file:
        text = file.read()
    lines = [line.split("#")[0].replace(";", ",").strip().strip(",") for line in text.split("\n")]
    rows = np.array(parse_rows(";".join(line for line in lines if line)))
    return Found(rows[0] if dims == _BIAS and len(rows) == 1 else rows)


def _read_json(path: str, name: str, dims: Dims) -> Found:
    _check_size(os.path.getsize(path))
    with _library_errors(), open(path, encoding="utf-8-sig") as file:
        value = json.load(file)
    if not isinstance(value, list):
        raise ArgumentError(f"must be an array of rows, such as [[1, 2], [3, 4]], and not {type(value).__name__}")
    return Found(finite_numbers(value, "the array"))


def _read_safetensors(path: str, name: str, dims: Dims) -> Found:
    library = import_optional("safetensors", "safetensors")
    with _library_errors(), library.safe_open(path, framework="np") as file:
        shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
        if (network := _network(shapes, name, dims, file.get_tensor)) is not None:
            return Found(_NOTHING, network=network)
        picked, bias = _pick_tensor(shapes, name, dims)
        try:
            return Found(file.get_tensor(picked), bias)
        except (TypeError, AttributeError):
            kind = file.get_slice(picked).get_dtype()
            raise ArgumentError(f"{picked} is stored as {kind}, which NumPy does not support: save it as float32") from None


def _read_torch(path: str, name: str, dims: Dims) -> Found:
    torch, bias = import_optional("torch", "torch"), ""
    with warnings.catch_warnings(), _library_errors():
        warnings.simplefilter("ignore")  # of torch's own internals
        try:
            stored = torch.load(path, map_location="cpu", weights_only=True)
        except UnpicklingError:
            raise ArgumentError("contains more than tensors, or is damaged: save model.state_dict(), not the model") from None
    if not name and isinstance(stored, Mapping) and isinstance(stored.get("state_dict"), Mapping):
        stored = stored["state_dict"]  # beside it, an optimizer may keep tensors of the same shapes
    if isinstance(stored, Mapping):  # a state dict, or a checkpoint with state dicts in it
        tensors = {key: value for key, value in _flattened(stored) if isinstance(value, torch.Tensor)}
        shapes = {k: tuple(v.shape) for k, v in tensors.items()}
        if (network := _network(shapes, name, dims, lambda key: tensors[key].detach().to(torch.float32).numpy())) is not None:
            return Found(_NOTHING, network=network)
        picked, bias = _pick_tensor(shapes, name, dims)
        stored = tensors[picked]
    elif name:
        raise ArgumentError(f"has no tensor named {name!r}, only {type(stored).__name__}")
    if not isinstance(stored, torch.Tensor):
        raise ArgumentError(f"contains {type(stored).__name__}, not a tensor")
    if stored.is_complex() or stored.is_quantized:
        raise ArgumentError(f"must contain real numbers, not {stored.dtype}")
    with _library_errors():
        return Found(stored.detach().to(torch.float64).numpy(), bias)


def _flattened(nested: Mapping[Any, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested mappings, with the keys on the way to them joined by dots; not from absurd depths."""
    for key, value in nested.items():
        if isinstance(value, Mapping) and before.count(".") < _DEEPEST:
            yield from _flattened(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _network(shapes: Mapping[str, tuple[int, ...]], name: str, dims: Dims, read: Callable[[str], Array]) -> Kernel | None:
    """Return the network that the tensors of a file are, if none of them is chosen, and several could be a kernel."""
    if name or dims != _KERNEL or sum(len(shape) == 4 for shape in shapes.values()) < 2:
        return None
    _check_size(sum(4 * math.prod(shape) for shape in shapes.values()))
    try:
        tensors = {key: read(key) for key in shapes}
    except (TypeError, AttributeError):  # as NumPy has no such type
        return None
    return network_of_tensors(tensors)


def _pick_tensor(shapes: Mapping[str, tuple[int, ...]], name: str, dims: Dims) -> tuple[str, str]:
    """Return the name of the tensor that is meant, and that of its bias, or nothing.

    That is the one with this name, or whose path ends with it, or the only possible one.
    """
    listed = ", ".join(f"{key} {shape}" for key, shape in list(shapes.items())[:50])
    if name:
        fitting = [name] if name in shapes else [key for key in shapes if key.endswith(f".{name}")]
        if len(fitting) > 1:
            raise ArgumentError(f"several tensors are named {name!r}: {', '.join(fitting[:50])}; choose one of these")
        if not fitting:
            raise ArgumentError(f"there is no tensor named {name!r}; it contains {listed or 'none'}")
    else:
        fitting = [key for key, shape in shapes.items() if len(shape) in dims]
    if len(fitting) != 1:
        help_ = "; a whole network is read from .onnx" if sum(len(shapes[key]) == 4 for key in fitting) > 1 else ""
        raise ArgumentError(
            f"choose a tensor with FILE:NAME, {len(fitting)} are suitable; it contains {listed or 'none'}{help_}"
        )
    bias = bias_name(fitting[0])
    return fitting[0], bias if bias in shapes and bias != fitting[0] and len(shapes[bias]) == 1 else ""


READERS: dict[str, Callable[[str, str, Dims], Found]] = {
    ".npy": _read_npy,
    ".txt": _read_text,
    ".csv": _read_text,
    ".json": _read_json,
    ".safetensors": _read_safetensors,
    ".pt": _read_torch,
    ".pth": _read_torch,
}

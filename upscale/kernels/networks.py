"""Small networks, put together layer by layer as a `Kernel`: a `Chain`, and the transposed convolution after it."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError
from upscale.kernels.chain import Chain
from upscale.kernels.file_format import bias_name
from upscale.kernels.kernel import Kernel

Array = NDArray[Any]


class Step(NamedTuple):
    """A layer of a network, as ONNX describes it.

    Attributes
    ----------
    label : str
        What messages call it.
    kind : str
        ONNX's name of the operator.
    arrays : sequence of ndarray
        Its weights, and what else it takes besides the layer before.
    attributes : mapping
    """

    label: str
    kind: str
    arrays: Sequence[Array]
    attributes: Mapping[str, Any]


class _Convolution(NamedTuple):
    weights: Array
    bias: Array
    slopes: Array


class Network:
    """A network that grows layer by layer, and becomes a kernel in the end.

    Layers that do not fit raise an ArgumentError that begins with their label.
    """

    def __init__(self) -> None:
        self._convolutions = list[_Convolution]()
        self._rectified = True
        self._last: dict[str, Any] | None = None
        self._adds_input = False

    def append(self, step: Step) -> None:
        """Add a layer."""
        if self._last is not None:
            raise ArgumentError(f"{step.label} follows the transposed convolution or pixel shuffle, which must come last")
        if self._adds_input and step.kind != "DepthToSpace":
            raise ArgumentError(f"{step.label} follows the addition of the input")
        add = {
            "Conv": self._convolution,
            "Relu": self._rectifier,
            "LeakyRelu": self._rectifier,
            "PRelu": self._rectifier,
            "ConvTranspose": self._transposed,
            "DepthToSpace": self._shuffle,
        }.get(step.kind)
        if add is None:
            raise ArgumentError(
                f"{step.label} cannot be used: a network is a chain of Conv, Relu, LeakyRelu and PRelu that ends "
                "in ConvTranspose, or in Conv and DepthToSpace"
            )
        add(step)

    def add_input(self, label: str) -> None:
        """Add the network's input to all channels that a pixel shuffle takes next."""
        if self._adds_input or self._rectified or self._convolutions[0].weights.shape[1] != 1:
            raise ArgumentError(f"{label}: only an input of 1 channel can be added, to what DepthToSpace takes")
        self._adds_input = True

    @property
    def is_unrectified(self) -> bool:
        """Whether the last layer so far is a convolution."""
        return not self._rectified

    def kernel(self) -> Kernel:
        """Return the network.

        Raises
        ------
        ArgumentError
            If nothing enlarges.
        """
        if self._last is None:
            raise ArgumentError("nothing enlarges: its last layer is neither ConvTranspose nor DepthToSpace")
        chain = None
        if self._convolutions:
            weights, biases, slopes = zip(*self._convolutions, strict=True)
            chain = Chain(weights, biases, slopes)
        return Kernel(**self._last, chain=chain, adds_input=self._adds_input)

    def _convolution(self, step: Step) -> None:
        weights, bias = _weights_and_bias(step)
        side = weights.shape[-1]
        plain = {"group": 1, "strides": [1, 1], "dilations": [1, 1], "kernel_shape": list(weights.shape[2:])}
        _check(step, plain)
        automatic = step.attributes.get("auto_pad", b"NOTSET")
        pads = [side // 2] * 4 if automatic in (b"SAME_UPPER", b"SAME_LOWER") else list(step.attributes.get("pads", [0] * 4))
        if not side % 2 or weights.shape[2] != side or pads != [side // 2] * 4:
            raise ArgumentError(
                f"{step.label}: weights {weights.shape} with pads {pads}; the output must be as large as the input"
            )
        self._convolutions.append(_Convolution(weights, bias, np.ones(len(weights))))
        self._rectified = False

    def _rectifier(self, step: Step) -> None:
        if self._rectified:
            raise ArgumentError(f"{step.label} does not follow a convolution")
        before = self._convolutions[-1]
        channels = len(before.weights)
        if step.kind == "PRelu":
            slopes = np.ravel(step.arrays[0]) if step.arrays else np.zeros(0)
            if slopes.size not in (1, channels):
                raise ArgumentError(f"{step.label}: {slopes.size} slopes for {channels} channels")
        else:
            slopes = np.array([step.attributes.get("alpha", 0.01) if step.kind == "LeakyRelu" else 0.0])
        self._convolutions[-1] = before._replace(slopes=np.broadcast_to(slopes, channels).astype(np.float32))
        self._rectified = True

    def _transposed(self, step: Step) -> None:
        weights, bias = _weights_and_bias(step, transposed=True)
        _check(step, {"group": 1, "dilations": [1, 1], "kernel_shape": list(weights.shape[2:])})
        if "output_shape" in step.attributes:
            raise ArgumentError(f"{step.label}: output_shape cannot be used; export it with pads")
        stride = tuple(int(n) for n in step.attributes.get("strides", [1, 1]))
        padding: Any = "same"
        if step.attributes.get("auto_pad", b"NOTSET") == b"NOTSET":
            top, left, bottom, right = (int(n) for n in step.attributes.get("pads", [0] * 4))
            down, across = (int(n) for n in step.attributes.get("output_padding", [0, 0]))
            if min(top, left, bottom - down, right - across) < 0:
                raise ArgumentError(f"{step.label}: output_padding {down, across} exceeds pads {bottom, right}")
            padding = (top, bottom - down), (left, right - across)
        elif step.attributes["auto_pad"] != b"SAME_UPPER":
            raise ArgumentError(f"{step.label}: auto_pad {step.attributes['auto_pad'].decode()} cannot be used")
        self._last = {"weights": weights, "bias": bias if bias.any() else None, "factor": stride, "padding": padding}

    def _shuffle(self, step: Step) -> None:
        """Make the last convolution and a pixel shuffle a transposed convolution: each phase has weights of its own."""
        if self._rectified or not self._convolutions:
            raise ArgumentError(f"{step.label} does not follow a convolution without a rectifier")
        block, (weights, bias, _) = int(step.attributes.get("blocksize", 0)), self._convolutions.pop()
        if block < 1 or len(weights) % block**2:
            raise ArgumentError(f"{step.label}: {len(weights)} channels cannot be shuffled into blocks of {block}x{block}")
        made, (taken, side) = len(weights) // block**2, weights.shape[1:3]
        by_column = step.attributes.get("mode", b"DCR") == b"CRD"
        order = (made, block, block) if by_column else (block, block, made)
        phases, biases = weights.reshape(*order, taken, side, side), bias.reshape(order)
        if not by_column:
            phases, biases = np.moveaxis(phases, 2, 0), np.moveaxis(biases, 2, 0)
        # Copies of a kernel are laid in the reverse order of the offsets that a convolution reads.
        laid = phases[..., ::-1, ::-1].transpose(3, 0, 4, 1, 5, 2).reshape(taken, made, side * block, side * block)
        bias = biases[:, 0, 0]
        if (biases != bias[:, None, None]).any():
            laid, bias = self._with_phase_biases(laid, biases, side, block), np.zeros(made)
        if self._adds_input:
            if made != 1:
                raise ArgumentError(f"{step.label}: it makes {made} channels, to which an input of 1 is added")
            self._begin_chain(taken)
        crop = (side - 1) // 2 * block
        self._last = {"weights": laid, "bias": bias if bias.any() else None, "factor": block, "padding": crop}

    def _begin_chain(self, channels: int) -> None:
        """Have a layer that leaves its input as it is, where there is none."""
        if not self._convolutions:
            same = np.eye(channels, dtype=np.float32)[:, :, None, None]
            self._convolutions.append(_Convolution(same, np.zeros(channels), np.ones(channels)))

    def _with_phase_biases(self, laid: Array, biases: Array, side: int, block: int) -> Array:
        """Add a channel that is 1 everywhere, weighted by the biases: a kernel's own bias is the same in each phase."""
        self._begin_chain(laid.shape[0])
        weights, bias, slopes = self._convolutions[-1]
        one = np.zeros((1, *weights.shape[1:]), np.float32)
        self._convolutions[-1] = _Convolution(np.concatenate((weights, one)), np.append(bias, 1.0), np.append(slopes, 1.0))
        constant = np.zeros((1, *laid.shape[1:]), np.float32)
        middle = slice(side // 2 * block, (side // 2 + 1) * block)
        constant[0, :, middle, middle] = biases
        return np.concatenate((laid, constant))


def network_of_tensors(tensors: Mapping[str, Array]) -> Kernel | None:
    """Put the tensors of a file together as a network, in the order of their names; None if they are not one.

    What a file of tensors does not say must follow from their shapes: there is a PReLU after each convolution but the last,
    which is a transposed one or is followed by a pixel shuffle, convolutions keep the size, and the stride of a transposed
    convolution is left to the caller.
    """
    network, channels, taken = Network(), 0, 0
    names = sorted((name for name, array in tensors.items() if array.ndim), key=_natural)
    last = [name for name in names if tensors[name].ndim == 4][-1]
    try:
        for name in names:
            array, biases = tensors[name], [tensors[bias] for bias in (bias_name(name),) if bias in tensors and bias != name]
            if name == bias_name(name) and array.ndim == 1:
                continue
            if array.ndim == 1 and biases:  # a normalisation, not a PReLU
                return None
            if array.ndim == 1:
                network.append(Step(name, "PRelu", [array], {}))
            elif array.ndim != 4 or (name == last and (array.shape[0] == channels) == (array.shape[1] == channels)):
                return None
            elif name == last and array.shape[0] == channels:
                network.append(Step(name, "ConvTranspose", [array, *biases], {"auto_pad": b"SAME_UPPER"}))
                return network.kernel().replaced(factor=None, padding=None)
            else:
                if network.is_unrectified:
                    return None
                pads = {"pads": [array.shape[2] // 2] * 4}
                network.append(Step(name, "Conv", [array, *biases], pads))
                taken, channels = taken or array.shape[1], array.shape[0]
        block = math.isqrt(channels // taken)
        network.append(Step(last, "DepthToSpace", [], {"blocksize": block, "mode": b"CRD"}))
        return network.kernel()
    except ArgumentError:
        return None


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort numbers in names by their value."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _weights_and_bias(step: Step, *, transposed: bool = False) -> tuple[Array, Array]:
    weights = np.asarray(step.arrays[0], np.float32) if step.arrays else np.zeros(0)
    if weights.ndim != 4:
        raise ArgumentError(f"{step.label}: weights {weights.shape} do not have 4 dimensions")
    channels = weights.shape[1 if transposed else 0]
    bias = np.asarray(step.arrays[1], np.float32) if len(step.arrays) > 1 else np.zeros(channels, np.float32)
    return weights, bias


def _check(step: Step, plain: Mapping[str, Any]) -> None:
    """Check that attributes are as a plain convolution's."""
    for name, value in plain.items():
        found = step.attributes.get(name, value)
        found = list(found) if isinstance(value, list) else found
        if found != value:
            raise ArgumentError(f"{step.label}: {name} {found} cannot be used, only {value}")

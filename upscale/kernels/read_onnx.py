"""Small networks out of .onnx files: a chain of convolutions that ends in a transposed convolution or a pixel shuffle.

The graph is followed node by node from its input to its output. Each node must be the only one that takes what the one before
made, but for an addition of the input in the end. Anything else is refused, and the first node that does not fit is named.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError
from upscale.kernels.file_format import import_optional
from upscale.kernels.kernel import Kernel
from upscale.kernels.networks import Network, Step

Array = NDArray[Any]

#: Nodes of a graph, at most.
_MOST = 1000
#: What does nothing when a network is used.
_NOTHING = ("Identity", "Dropout")


def read_onnx(path: str) -> Kernel:
    """Read a network as a kernel.

    Parameters
    ----------
    path : str

    Raises
    ------
    MissingLibraryError
        If the library onnx is not installed.
    ArgumentError
        If the file is not such a network; the text names the node that does not fit. The library lets out other errors.
    """
    onnx = import_optional("onnx", "onnx")
    model = onnx.load(path, load_external_data=False)
    graph = model.graph
    if len(graph.node) > _MOST:
        raise ArgumentError(f"has {len(graph.node)} nodes; a small network has at most {_MOST}")
    constants = _constants(onnx, graph)
    inputs = [value.name for value in graph.input if value.name not in constants]
    if len(inputs) != 1 or len(graph.output) != 1:
        raise ArgumentError(f"has {len(inputs)} inputs and {len(graph.output)} outputs, not one of each")
    return _follow(graph, constants, inputs[0], onnx)


def _constants(onnx: Any, graph: Any) -> dict[str, Array]:
    """Return all tensors that the file stores."""
    tensors = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        for attribute in node.attribute:
            if node.op_type == "Constant" and attribute.name == "value":
                tensors[node.output[0]] = attribute.t
    for name, tensor in tensors.items():
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ArgumentError(f"keeps {name} in another file; save the model with all of its data in one file")
    found = {name: np.asarray(onnx.numpy_helper.to_array(tensor)) for name, tensor in tensors.items()}
    for node in graph.node:  # exporters store equal tensors once
        if node.op_type == "Identity" and node.input[0] in found:
            found[node.output[0]] = found[node.input[0]]
    return found


def _follow(graph: Any, constants: Mapping[str, Array], begin: str, onnx: Any) -> Kernel:
    """Follow the graph from its input to its output."""
    users: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            if name not in constants:
                users.setdefault(name, []).append(node)
    network, at, end = Network(), begin, graph.output[0].name
    for _ in range(len(graph.node)):
        if at == end:
            break
        following = [node for node in users.get(at, []) if not (at == begin and node.op_type == "Add")]
        if len(following) != 1:
            raise ArgumentError(f"{at} goes to {len(following)} nodes: it is not a chain")
        node = following[0]
        label = f"node {node.name or node.output[0]} ({node.op_type})"
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        given = [constants.get(name) for name in node.input if name != at]
        if node.op_type == "Add" and begin in node.input and at in node.input and len(node.input) == 2:
            network.add_input(label)
        elif node.op_type in _NOTHING:
            pass
        elif any(array is None and name for name, array in zip([n for n in node.input if n != at], given, strict=True)):
            raise ArgumentError(f"{label} takes something else than the node before it and stored numbers")
        else:
            network.append(Step(label, node.op_type, [a for a in given if a is not None], attributes))
        at = node.output[0]
    if at != end:
        raise ArgumentError("its nodes form a circle")
    return network.kernel()

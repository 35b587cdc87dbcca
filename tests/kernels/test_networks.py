"""Small networks out of files: .onnx, and tensors that PyTorch saved; what is not a chain is refused by name."""

import numpy as np
import pytest
from helpers import ok, run
from PIL import Image

import upscale
from upscale.errors import ArgumentError, FileError
from upscale.kernels.chain import Chain
from upscale.kernels.kernel import Kernel

onnx = pytest.importorskip("onnx")
rng = np.random.default_rng(0)


def conv(name, given, taken, made, side=3, bias=True, **attributes):
    """Make a node, and the tensors that it takes."""
    tensors = {f"{name}.weight": rng.normal(0, 0.3, (made, taken, side, side))}
    if bias:
        tensors[f"{name}.bias"] = rng.normal(0, 0.2, made)
    attributes = {"kernel_shape": [side, side], "pads": [side // 2] * 4} | attributes
    return onnx.helper.make_node("Conv", [given, *tensors], [name], name, **attributes), tensors


def transposed(name, given, taken, made, side=4, **attributes):
    tensors = {f"{name}.weight": rng.normal(0, 0.3, (taken, made, side, side)), f"{name}.bias": rng.normal(0, 0.2, made)}
    attributes = {"kernel_shape": [side, side], "strides": [2, 2], "pads": [1] * 4} | attributes
    return onnx.helper.make_node("ConvTranspose", [given, *tensors], [name], name, **attributes), tensors


def node(kind, name, *given, tensors=None, **attributes):
    return onnx.helper.make_node(kind, [*given, *(tensors or {})], [name], name, **attributes), tensors or {}


def model(path, *parts, channels=1, out=None):
    """Write a model of nodes."""
    nodes, tensors = [part[0] for part in parts], {k: v for part in parts for k, v in part[1].items()}
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes, "g",
        [value("in", onnx.TensorProto.FLOAT, [1, channels, None, None])],
        [value(out or nodes[-1].output[0], onnx.TensorProto.FLOAT, [1, None, None, None])],
        [onnx.numpy_helper.from_array(np.asarray(a, np.float32), name) for name, a in tensors.items()],
    )  # fmt: skip
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return str(path)


def reference(path, picture):
    """Run a model by ONNX's own slow reference, on (H, W, C)."""
    from onnx.reference import ReferenceEvaluator

    made = ReferenceEvaluator(path).run(None, {"in": np.moveaxis(picture, 2, 0)[None].astype(np.float32)})[0][0]
    return np.moveaxis(made, 0, 2)


NETWORKS = {
    "transposed, with PReLU": lambda: (
        conv("a", "in", 1, 6, 5), node("PRelu", "b", "a", tensors={"s": rng.random((6, 1, 1))}),
        conv("c", "b", 6, 3, 1), node("PRelu", "d", "c", tensors={"t": rng.random(1)}),
        transposed("e", "d", 3, 1, 9, pads=[4] * 4, output_padding=[1, 1]),
    ),
    "transposed, with ReLU": lambda: (
        conv("a", "in", 1, 4), node("Relu", "b", "a"), conv("c", "b", 4, 4, bias=False),
        node("LeakyRelu", "d", "c", alpha=0.2), node("Identity", "i", "d"), transposed("e", "i", 4, 2),
    ),
    "no convolution before": lambda: (transposed("e", "in", 1, 3, 5, pads=[2, 2, 2, 2], strides=[3, 3]),),
    "pixel shuffle by columns": lambda: (
        conv("a", "in", 1, 4), node("Relu", "b", "a"), conv("c", "b", 4, 8),
        node("DepthToSpace", "d", "c", blocksize=2, mode="CRD"),
    ),
    "pixel shuffle by depth": lambda: (
        conv("a", "in", 1, 4), node("LeakyRelu", "b", "a"), conv("c", "b", 4, 18, 5),
        node("DepthToSpace", "d", "c", blocksize=3),
    ),
    "one convolution and a shuffle": lambda: (
        conv("c", "in", 1, 4), node("DepthToSpace", "d", "c", blocksize=2, mode="CRD"),
    ),
    "the input added": lambda: (
        conv("a", "in", 1, 4), node("Relu", "b", "a"), conv("c", "b", 4, 4), node("Add", "s", "c", "in"),
        node("DepthToSpace", "d", "s", blocksize=2, mode="CRD"),
    ),
    "the input added to one convolution": lambda: (
        conv("c", "in", 1, 4, bias=False), node("Add", "s", "in", "c"),
        node("DepthToSpace", "d", "s", blocksize=2, mode="CRD"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_run_exactly(tmp_path, name):
    path = model(tmp_path / "net.onnx", *NETWORKS[name]())
    picture = rng.random((7, 10, 1), np.float32)
    kernel = Kernel.load(path)
    got = upscale.enlarge(picture, None, "tconv", kernel)
    np.testing.assert_allclose(got, reference(path, picture), atol=2e-6)
    kernel.save(tmp_path / "k.npz")
    again = Kernel.load(tmp_path / "k.npz")
    assert again == kernel and hash(again) == hash(kernel) and again.chain == kernel.chain


@pytest.mark.peers
@pytest.mark.parametrize("name", NETWORKS)
def test_networks_are_those_of_the_runtime(tmp_path, name):
    runtime = pytest.importorskip("onnxruntime")
    path = model(tmp_path / "net.onnx", *NETWORKS[name]())
    picture = rng.random((33, 50, 1), np.float32)
    expected = runtime.InferenceSession(path).run(None, {"in": np.moveaxis(picture, 2, 0)[None]})[0][0]
    got = upscale.enlarge(picture, None, "tconv", Kernel.load(path))
    np.testing.assert_allclose(np.moveaxis(got, 2, 0), expected, atol=5e-6)


def test_the_command_enlarges_pictures_by_it(tmp_path):
    model(tmp_path / "net.onnx", *NETWORKS["transposed, with PReLU"]())
    Image.fromarray(rng.integers(0, 256, (12, 15, 3), np.uint8)).save(tmp_path / "in.png")
    ok("in.png", "out.png", "--kernel", "net.onnx", cwd=tmp_path)
    with Image.open(tmp_path / "out.png") as made:
        assert (made.mode, made.size) == ("RGB", (30, 24))
    assert "after 2 convolutions" in repr(Kernel.load(tmp_path / "net.onnx"))


WRONG = {
    "node c (Sigmoid)": lambda: (conv("a", "in", 1, 4), node("Sigmoid", "c", "a"), transposed("e", "c", 4, 1)),
    "node a (Conv): group 2": lambda: (conv("a", "in", 1, 4, group=2), transposed("e", "a", 4, 1)),
    "node a (Conv): strides [2, 2]": lambda: (conv("a", "in", 1, 4, strides=[2, 2]), transposed("e", "a", 4, 1)),
    "node a (Conv): dilations": lambda: (conv("a", "in", 1, 4, dilations=[2, 2]), transposed("e", "a", 4, 1)),
    "node a (Conv): weights (4, 1, 3, 3) with pads": lambda: (conv("a", "in", 1, 4, pads=[0] * 4), transposed("e", "a", 4, 1)),
    "node r (Relu) does not follow": lambda: (node("Relu", "r", "in"), transposed("e", "r", 1, 1)),
    "node r (Relu) follows": lambda: (transposed("e", "in", 1, 1), node("Relu", "r", "e")),
    "nothing enlarges": lambda: (conv("a", "in", 1, 4), node("Relu", "r", "a")),
    "a goes to 2 nodes": lambda: (
        conv("a", "in", 1, 4), node("Relu", "b", "a"), node("Add", "s", "a", "b"), transposed("e", "s", 4, 1)
    ),
    "node e (ConvTranspose): output_padding": lambda: (transposed("e", "in", 1, 1, pads=[0] * 4, output_padding=[1, 1]),),
    "node e (ConvTranspose): output_shape": lambda: (transposed("e", "in", 1, 1, output_shape=[9, 9]),),
    "node e (ConvTranspose): group": lambda: (transposed("e", "in", 2, 1, group=2),),
    "node d (DepthToSpace)": lambda: (
        conv("a", "in", 1, 6), node("DepthToSpace", "d", "a", blocksize=2, mode="CRD")
    ),
    "layer 1": lambda: (
        conv("a", "in", 1, 4), node("Relu", "b", "a"), conv("c", "b", 3, 4), node("Relu", "d", "c"), transposed("e", "d", 4, 1)
    ),
    "takes something else": lambda: (node("Conv", "a", "in", "missing"), transposed("e", "a", 1, 1)),
    "node s (Add)": lambda: (
        conv("a", "in", 1, 4), node("Relu", "b", "a"), node("Add", "s", "b", "in"), transposed("e", "s", 4, 1)
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_the_node_that_does_not_fit_is_named(tmp_path, text):
    model(tmp_path / "net.onnx", *WRONG[text]())
    Image.new("L", (9, 9)).save(tmp_path / "in.png")
    done = run("in.png", "out.png", "-k", "net.onnx", cwd=tmp_path)
    assert done.returncode in (1, 2) and done.stderr.count(b"\n") == 1
    assert text in done.stderr.decode() and "net.onnx" in done.stderr.decode()
    assert not (tmp_path / "out.png").exists()


def test_hostile_models_are_refused(tmp_path):
    path = model(tmp_path / "net.onnx", *NETWORKS["transposed, with ReLU"]())
    good = (tmp_path / "net.onnx").read_bytes()
    for data in (b"", b"not a model", good[: len(good) // 2], good[:100] + bytes(50) + good[150:]):
        (tmp_path / "bad.onnx").write_bytes(data)
        with pytest.raises(FileError, match=r"bad\.onnx"):
            Kernel.load(tmp_path / "bad.onnx")
    loaded = onnx.load(path)
    external = onnx.ModelProto.FromString(loaded.SerializeToString())
    external.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    external.graph.initializer[0].external_data.add(key="location", value="../secret")
    huge = onnx.ModelProto.FromString(loaded.SerializeToString())
    huge.graph.initializer[0].dims[:] = [1 << 40, 1, 3, 3]
    circle = onnx.ModelProto.FromString(loaded.SerializeToString())
    circle.graph.node[-1].output[0] = "a"
    circle.graph.node[0].input[0] = "a"
    circle.graph.node[0].output[0] = "z"
    long = onnx.ModelProto.FromString(loaded.SerializeToString())
    long.graph.node.extend([loaded.graph.node[0]] * 2000)
    silent = onnx.ModelProto.FromString(loaded.SerializeToString())
    del silent.graph.node[0].output[:]
    several = onnx.ModelProto.FromString(loaded.SerializeToString())
    several.graph.input.extend([onnx.helper.make_tensor_value_info("other", 1, [1])])
    for made in (external, huge, circle, long, silent, several):
        (tmp_path / "bad.onnx").write_bytes(made.SerializeToString())
        with pytest.raises(FileError, match=r"bad\.onnx"):
            Kernel.load(tmp_path / "bad.onnx")
    with pytest.raises(FileError, match="only be read"):
        Kernel(np.ones((2, 2))).save(tmp_path / "new.onnx")
    with pytest.raises(FileError, match="npz"):
        Kernel.load(path).save(tmp_path / "new.json")


def tensors_of_fsrcnn():
    """Return the tensors of a small FSRCNN, in the order that safetensors keeps them in."""
    made = {}
    for n, (taken, out, side) in enumerate(((1, 6, 5), (6, 3, 1), (3, 3, 3), (3, 6, 1))):
        made[f"body.{2 * n}.weight"] = rng.normal(0, 0.3, (out, taken, side, side)).astype(np.float32)
        made[f"body.{2 * n}.bias"] = rng.normal(0, 0.1, out).astype(np.float32)
        made[f"body.{2 * n + 1}.weight"] = rng.random(out, np.float32)
    made["last.weight"] = rng.normal(0, 0.1, (6, 1, 9, 9)).astype(np.float32)
    made["last.bias"] = np.array([0.1], np.float32)
    return made


def test_tensors_that_form_a_chain_are_a_network(tmp_path):
    from safetensors.numpy import save_file

    tensors = tensors_of_fsrcnn()
    save_file(tensors, tmp_path / "net.safetensors")
    kernel = Kernel.load(tmp_path / "net.safetensors", 2)
    assert len(kernel.chain.weights) == 4 and kernel.shape == (9, 9) and kernel.channels == (1, 1)
    np.testing.assert_array_equal(kernel.chain.weights[2], tensors["body.4.weight"])
    np.testing.assert_array_equal(kernel.chain.slopes[3], tensors["body.7.weight"])
    Image.new("RGB", (9, 8), "gray").save(tmp_path / "in.png")
    arguments = ("--factor", "2", "--padding", "4", "--output-padding", "1")
    ok("in.png", "out.png", "-k", "net.safetensors", *arguments, cwd=tmp_path)
    with Image.open(tmp_path / "out.png") as made:
        assert made.size == (18, 16)
    single = Kernel.load(f"{tmp_path / 'net.safetensors'}:last.weight")
    assert single.chain is None and single.channels == (6, 1)


def test_other_tensors_are_not(tmp_path):
    from safetensors.numpy import save_file

    tensors = tensors_of_fsrcnn()
    norm = {"body.1.bias": np.zeros(6, np.float32)}  # so that body.1 is a normalisation, not a PReLU
    save_file(tensors | norm, tmp_path / "net.safetensors")
    with pytest.raises(FileError, match="FILE:NAME"):
        Kernel.load(tmp_path / "net.safetensors")
    for without in ("body.1.weight", "body.2.weight"):
        save_file({k: v for k, v in tensors.items() if k != without}, tmp_path / "net.safetensors")
        with pytest.raises(FileError, match=r"FILE:NAME.*\.onnx"):
            Kernel.load(tmp_path / "net.safetensors")


def test_a_shuffle_may_end_tensors(tmp_path):
    from safetensors.numpy import save_file

    tensors = {k: v for k, v in tensors_of_fsrcnn().items() if not k.startswith("last")}
    tensors["last.weight"] = rng.normal(0, 0.1, (9, 6, 3, 3)).astype(np.float32)
    save_file(tensors, tmp_path / "net.safetensors")
    kernel = Kernel.load(tmp_path / "net.safetensors")
    assert kernel.factor == (3, 3) and kernel.shape == (9, 9)


def test_what_does_not_fit_is_refused():
    one = np.ones((2, 1, 3, 3)), np.ones(2), np.ones(2)
    chain = Chain(*([a] for a in one))
    for bad in (
        ([], [], []),
        ([one[0]], [np.ones(3)], [one[2]]),
        ([one[0]], [], [one[2]]),
        ([one[0], one[0]], [one[1]] * 2, [one[2]] * 2),
    ):
        with pytest.raises(ArgumentError):
            Chain(*bad)
    for settings in ({"weights": np.ones((3, 1, 2, 2))}, {"normalized": True}, {"weights": np.ones((2, 2))}, {"groups": 2}):
        with pytest.raises(ArgumentError):
            Kernel(**{"weights": np.ones((2, 1, 2, 2)), "chain": chain} | settings)
    for settings in ({}, {"chain": chain}, {"chain": chain, "factor": 2, "weights": np.ones((2, 3, 2, 2))}):
        with pytest.raises(ArgumentError, match="added"):
            Kernel(**{"weights": np.ones((2, 1, 2, 2)), "adds_input": True} | settings)

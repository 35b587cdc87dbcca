"""Kernels from files of every kind, good, bad and hostile."""

import io
import json
import re
import zipfile

import numpy as np
import pytest
from helpers import SAMPLES, ok
from hypothesis import example, given, settings
from hypothesis import strategies as st

import upscale
from upscale.errors import ArgumentError, FileError
from upscale.kernels import read_files
from upscale.kernels.kernel import Kernel
from upscale.kernels.kernel_spec import SUFFIXES, parse_kernel
from upscale.kernels.read_files import READERS, read_bias, read_kernel
from upscale.kernels.write_files import write_kernel

WEIGHTS = [[1.0, 2, 1], [2, 4, 2]]


def test_every_suffix_has_a_reader():
    assert {*READERS, ".npz", ".onnx"} == set(SUFFIXES)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("k.txt", "1 2 1\n2 4 2\n"),
        ("k.txt", "# a comment\n1, 2, 1 # another\n\n2,4,2"),
        ("k.csv", "\ufeff1,2,1\r\n2,4,2\r\n"),
        ("k.csv", "1;2;1\n2;4;2;\n"),
        ("k.json", "[[1, 2, 1], [2, 4, 2]]"),
    ],
)
def test_texts(tmp_path, name, text):
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_kernel(str(tmp_path / name)).weights.tolist() == WEIGHTS


def test_json_of_four_dimensions(tmp_path):
    (tmp_path / "k.json").write_text(json.dumps(np.ones((2, 1, 3, 3)).tolist()))
    assert read_kernel(str(tmp_path / "k.json")).weights.shape == (2, 1, 3, 3)


@pytest.mark.parametrize(
    "kernel",
    [
        Kernel(WEIGHTS),
        Kernel(WEIGHTS, normalized=True, factor=(2, 3), padding=((1, 0), (2, 1)), bias=[0.5], title="Grüße"),
        Kernel(np.random.default_rng(0).normal(size=(4, 2, 3, 3)), factor=2, padding="same", bias=[1, 2, 3, 4], groups=2),
    ],
)
def test_the_projects_own_form_keeps_everything(tmp_path, kernel):
    path = str(tmp_path / "k.npz")
    write_kernel(path, kernel)
    got = read_kernel(path)
    assert np.array_equal(got.weights, kernel.weights)
    assert (got.normalized, got.factor, got.groups, got.title) == (
        kernel.normalized,
        kernel.factor,
        kernel.groups,
        kernel.title,
    )
    assert got.padding == (kernel.padding or "same")
    assert np.array_equal(got.bias, kernel.bias) if kernel.bias is not None else got.bias is None


def test_a_kernel_brings_its_factor(tmp_path):
    path = str(tmp_path / "k.npz")
    write_kernel(path, Kernel(np.ones((3, 3)), factor=3))
    assert upscale.enlarge(np.zeros((2, 2)), None, "tconv", path).shape == (6, 6)
    with pytest.raises(upscale.ArgumentError, match="made for factor 3x3"):
        upscale.enlarge(np.zeros((2, 2)), 2, "tconv", path)


def refused(path, part):
    with pytest.raises(upscale.FileError) as caught:
        read_kernel(str(path))
    text = str(caught.value)
    assert str(path) in text
    assert part in text
    assert not re.search(r"codec|argument|magic|\(char|struct|unpack requires|zip file|deserializ|allow_pickle", text), text
    assert len(text) < 1000


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("k.txt", b"", "no numbers"),
        ("k.txt", b"1 2\n3\n", "different lengths: 2, 1"),
        ("k.txt", b"1 x\n", "'x' is not a number"),
        ("k.txt", b"1 nan\n", "nan"),
        ("k.csv", b"\xff\xfe1", "damaged"),
        ("k.json", b'{"weights": [[1]]}', "dict"),
        ("k.json", b"3", "int"),
        ("k.json", b"[[1], [2, 3]]", "different lengths"),
        ("k.json", b"[[1, NaN]]", "NaN"),
        ("k.json", b"[[1, null]]", "object"),
        ("k.json", b'[["1"]]', "<U1"),
        ("k.json", b"[]", "no elements"),
        ("k.json", b"[[1,", "damaged"),
        ("k.json", b"[" * 100_000, "damaged"),
        ("k.json", b"[[1" + b"0" * 400 + b"]]", "cannot be read as a kernel"),
        ("k.npz", b"PK\x03\x04", "damaged"),
        ("k.npy", b"\x80\x04\x95", "damaged"),
        ("k.safetensors", b"\xff" * 8, "damaged"),
        ("k.safetensors", b"\x10\0\0\0\0\0\0\0{}", "damaged"),
    ],
)
def test_bad_files(tmp_path, name, content, part):
    if name.endswith("safetensors"):
        pytest.importorskip("safetensors")
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, part)


def test_bad_npz(tmp_path):
    path = tmp_path / "k.npz"
    np.savez(path, weights=np.ones((2, 2)))
    refused(path, "written by upscale")
    np.savez(path, format="upscale kernel", version=5, weights=np.ones((2, 2)))
    refused(path, "install a newer upscale")
    np.savez(path, format="upscale kernel", version=1)
    refused(path, "must contain weights")
    np.savez(path, format="upscale kernel", version=1, weights=np.array([[{}]], object))
    refused(path, "contains Python objects, not numbers")
    np.savez(path, format="upscale kernel", version=1, weights=np.ones((2, 2)), factor=[0, 2])
    refused(path, "factor")
    for name, value in (
        ("factor", 2),
        ("factor", [2.5, 2]),
        ("padding", [1, 2]),
        ("groups", 1.5),
        ("normalized", "0"),
        ("stride", 2),
    ):
        np.savez(path, format="upscale kernel", version=1, weights=np.ones((2, 2)), **{name: value})
        refused(path, name)


@pytest.mark.heavy
def test_a_zip_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "k.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (320 << 10, 1 << 10)})
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("weights.npy", "w", force_zip64=True) as member,
    ):
        member.write(header.getvalue())
        for _ in range(320):
            member.write(bytes(1 << 20))
    assert path.stat().st_size < 2 << 20
    refused(path, "unpacks to")


def test_npy(tmp_path):
    path = tmp_path / "k.npy"
    np.save(path, np.array([[1, 2], [3, 4]], np.int16))
    assert read_kernel(str(path)).weights.tolist() == [[1, 2], [3, 4]]
    for content, text in (
        (b"", "is not a kernel"),
        (b"\x93NUMPY\x01\x00v\x00{'descr': '<f8'", "is not a kernel"),
        (path.read_bytes()[:-1], "is not a kernel"),
    ):
        path.write_bytes(content)
        with pytest.raises(upscale.FileError, match=text) as caught:
            read_kernel(str(path))
        assert str(path) in str(caught.value)
    with pytest.raises(upscale.FileError, match="no such"):
        read_kernel(str(tmp_path / "none.npy"))


SEEDS = [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"[[1,2],[3,4]]", b"1 2\n3 4\n", b"\x08\0\0\0\0\0\0\0{}      "]


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from([s for s in SUFFIXES if s not in (".pt", ".pth", ".safetensors", ".onnx")]),
    st.binary(max_size=200),
    st.sampled_from(SEEDS),
)
@example(".npz", b"", SEEDS[1])
@example(".json", b"]", SEEDS[3])
def test_any_bytes_are_a_kernel_or_one_line(tmp_path_factory, suffix, content, seed):
    path = tmp_path_factory.getbasetemp() / f"fuzz{suffix}"
    path.write_bytes(seed + content)
    try:
        assert isinstance(read_kernel(str(path)), Kernel)
    except upscale.FileError as error:
        assert str(path) in str(error)


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 10_000), st.integers(0, 255), st.booleans())
def test_garbled_kernels_are_a_kernel_or_one_line(tmp_path_factory, at, byte, cut):
    path = tmp_path_factory.getbasetemp() / "garbled.npz"
    write_kernel(str(path), Kernel(WEIGHTS, factor=2, bias=[1], title="title"))
    data = bytearray(path.read_bytes())
    at %= len(data)
    data[at] = byte
    path.write_bytes(data[:at] if cut else data)
    try:
        assert isinstance(read_kernel(str(path)), Kernel)
    except upscale.FileError as error:
        assert str(path) in str(error)


@pytest.mark.heavy
def test_safetensors(tmp_path):
    numpy = pytest.importorskip("safetensors.numpy", reason="needs the extra `safetensors`")
    path = tmp_path / "k.safetensors"
    numpy.save_file({"up.weight": np.ones((3, 3, 4, 4), np.float32), "up.bias": np.ones(3, np.float32)}, path)
    assert read_kernel(str(path)).weights.shape == (3, 3, 4, 4)
    assert read_bias(str(path)).tolist() == [1, 1, 1]
    done = ok(SAMPLES / "cat.png", tmp_path / "out.png", "-m", "tconv", "-k", path)
    assert f"{path}: also contains up.bias, which is not used; --bias {path}:up.bias adds it" in done.stderr.decode()
    done = ok(SAMPLES / "cat.png", tmp_path / "out.png", "-m", "tconv", "-k", path, "--bias", f"{path}:up.bias")
    assert b"up.bias" not in done.stderr
    numpy.save_file({"a": np.ones((2, 2), np.float32), "b": np.ones((3, 3), np.float16)}, path)
    assert read_kernel(*parse_kernel(f"{path}:b")[2:4]).shape == (3, 3)
    refused(path, "a (2, 2), b (3, 3)")
    with pytest.raises(upscale.FileError, match="no tensor named 'c'"):
        read_kernel(str(path), "c")
    path.write_bytes(path.read_bytes()[:-3])
    refused(path, "damaged")


def test_torch(tmp_path):
    torch = pytest.importorskip("torch", reason="needs the extra `torch`")
    layer = torch.nn.ConvTranspose2d(3, 3, 4, 2, 1)
    path = tmp_path / "k.pt"
    torch.save({"up." + k: v for k, v in layer.state_dict().items()}, path)
    got = read_kernel(str(path))
    assert np.array_equal(got.weights, layer.weight.detach().numpy())
    assert np.array_equal(read_bias(str(path), "up.bias"), layer.bias.detach().numpy())
    picture = np.random.default_rng(0).random((6, 5, 3), np.float32)
    kernel = Kernel(got.weights, bias=read_bias(str(path)))
    want = layer(torch.from_numpy(picture.transpose(2, 0, 1)[None])).detach().numpy()[0].transpose(1, 2, 0)
    assert np.allclose(upscale.enlarge(picture, 2, "tconv", kernel, padding=1), want, atol=1e-6)
    torch.save(layer, path)
    refused(path, "cannot be read as a kernel")


def test_layers_in_checkpoints(tmp_path):
    """However deep the state dicts are nested, and whatever their keys are."""
    torch = pytest.importorskip("torch", reason="needs the extra `torch`")
    layers = [torch.nn.ConvTranspose2d(3, 3, 4, 2, 1) for _ in range(2)]
    states = [{f"net.up.{k}": v for k, v in layer.state_dict().items()} for layer in layers]
    for checkpoint in ({"model_state_dict": states[0], "epoch": 7}, {"a": {"b": {"c": states[0]}}, "optimizer": {"state": {}}}):
        torch.save(checkpoint, tmp_path / "k.pth")
        for name in ("up.weight", "net.up.weight", ""):
            got = read_kernel(str(tmp_path / "k.pth"), name)
            assert np.array_equal(got.weights, layers[0].weight.detach().numpy())
        assert np.array_equal(read_bias(str(tmp_path / "k.pth"), "up.bias"), layers[0].bias.detach().numpy())
    moments = {0: {"exp_avg": torch.zeros(3, 3, 4, 4)}}
    torch.save({"state_dict": states[0], "optimizer": {"state": moments}}, tmp_path / "k.pth")
    for name in ("", "up.weight"):
        assert np.array_equal(read_kernel(str(tmp_path / "k.pth"), name).weights, layers[0].weight.detach().numpy())
    torch.save({"params": states[0], "params_ema": states[1]}, tmp_path / "k.pth")
    with pytest.raises(FileError, match=r"named 'up\.weight': params\.net\.up\.weight, params_ema\.net\.up\.weight"):
        read_kernel(str(tmp_path / "k.pth"), "up.weight")
    got = read_kernel(str(tmp_path / "k.pth"), "params_ema.net.up.weight")
    assert np.array_equal(got.weights, layers[1].weight.detach().numpy())


def test_names_of_tensors_may_be_the_end_of_a_path():
    shapes = {"params.up.weight": (3, 3, 4, 4), "params.up.bias": (3,), "ema.up.weight": (3, 3, 4, 4), "weight": (2, 2)}
    pick = read_files._pick_tensor
    assert pick(shapes, "params.up.weight", (4,)) == ("params.up.weight", "params.up.bias")
    assert pick(shapes, "up.bias", (1,))[0] == "params.up.bias"
    assert pick(shapes, "weight", (2, 4))[0] == "weight"  # a whole name comes first
    for name, text in (("up.weight", "several tensors are named 'up.weight'"), ("p.weight", "there is no tensor named")):
        with pytest.raises(ArgumentError, match=text):
            pick(shapes, name, (4,))
    deep = value = {}
    for _ in range(3000):
        value["a"] = value = {}
    assert next(iter(read_files._flattened(deep)))[0].count(".") <= 60


@pytest.mark.parametrize(("module", "suffix"), [("safetensors", ".safetensors"), ("torch", ".pt")])
def test_a_missing_library_is_named_with_its_install(tmp_path, monkeypatch, module, suffix):
    monkeypatch.setitem(__import__("sys").modules, module, None)
    (tmp_path / f"k{suffix}").write_bytes(b"x")
    refused(tmp_path / f"k{suffix}", f"pip install {module}")


def test_arrays_of_the_wrong_kind_are_one_line(tmp_path):
    """Whatever array lies in an .npz kernel is refused with a reason, and not by an exception of the code that uses it."""
    rng = np.random.default_rng(0)
    path = tmp_path / "k.npz"
    right = {
        "format": "upscale kernel", "version": 2, "weights": np.ones((4, 4)), "factor": [2, 2], "padding": [0, 0, 0, 0],
        "bias": [1.0], "groups": 1, "normalized": 1, "title": "", "training": "", "compared": rng.integers(0, 25, (1, 2)),
        "thresholds": [0.0], "leaves": [0, 0], "corrections": np.ones((1, 25, 36), np.int16), "unit": 1.0,
    }  # fmt: skip
    np.savez(path, **right)
    assert read_kernel(str(path)).corrections.classes == 1
    wrong = ("text", 1j, np.zeros(0), np.array([(1, 2)], "i4,f4"), np.datetime64("2020-01-01"), -1, 0, 2**62, [[0.5, np.inf]])
    for name, value in ((n, v) for n in right for v in wrong):
        np.savez(path, **right | {name: value})
        try:
            assert isinstance(read_kernel(str(path)), Kernel)
        except upscale.FileError as error:
            assert str(path) in str(error) and "Error" not in str(error), (name, value)


def test_a_header_that_lies_about_its_size_is_one_line(tmp_path):
    path = tmp_path / "k.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 30, 1 << 28)})
    np.savez(path, format="upscale kernel", version=1)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("weights.npy", header.getvalue())
    refused(path, "weights")


def test_faults_of_the_program_are_not_called_damage(tmp_path, monkeypatch):
    path = tmp_path / "k.json"
    path.write_text("[[1]]")
    for fault in (NameError, AssertionError, MemoryError):

        def fail(file, fault=fault):
            raise fault("a fault")

        monkeypatch.setattr(json, "load", fail)
        with pytest.raises(fault):
            read_kernel(str(path))
    monkeypatch.setattr(json, "load", lambda file: {}[1])
    refused(path, "k.json: is not a kernel, or is damaged")


def test_names_of_arrays_with_line_breaks_are_still_one_line(tmp_path):
    path = tmp_path / "k.npz"
    np.savez(path, **{"format": "upscale kernel", "version": 1, "a\nname": np.ones(3)})
    with pytest.raises(FileError) as caught:
        read_kernel(str(path))
    assert "a name" in str(caught.value) and "\n" not in str(caught.value)

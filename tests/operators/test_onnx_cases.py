"""Against the cases that ONNX publishes for its operators, as the library `onnx` contains them."""

import importlib

import numpy as np
import pytest

import upscale

#: Cases that the functions here cannot express, and why.
INEXPRESSIBLE = {
    "maxpool_3d": "pooling along three axes",
    "averagepool_3d": "pooling along three axes",
    "averagepool_2d_dilations": "average pooling has no dilation, as in PyTorch",
}


def cases(module):
    """Yield name, inputs, outputs and attributes of the cases of one operator."""
    helper = pytest.importorskip("onnx.helper")
    node = pytest.importorskip("onnx.backend.test.case.node")
    importlib.import_module(f"onnx.backend.test.case.node.{module}")
    for case in node._NodeTestCases:
        nodes = case.model.graph.node
        if len(nodes) == 1 and nodes[0].op_type.lower() == module:  # others are made of further operators
            name = case.name.removeprefix("test_")
            ((inputs, outputs),) = case.data_sets
            attributes = {a.name: helper.get_attribute_value(a) for a in nodes[0].attribute}
            if not any(name.startswith(prefix) for prefix in INEXPRESSIBLE):
                yield name, inputs, outputs, attributes


def pads_of(attributes, size, kernel, stride, dilation):
    """Return the padding at the beginning and the end of each axis."""
    auto = attributes.get("auto_pad", b"NOTSET")
    if auto == b"NOTSET":
        pads = attributes.get("pads", [0] * 2 * len(size))
        return list(zip(pads[: len(size)], pads[len(size) :], strict=True))
    numbers = zip(size, kernel, stride, dilation, strict=True)
    totals = [max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n) for n, k, s, d in numbers]
    return [(t // 2, t - t // 2) if auto == b"SAME_UPPER" else (t - t // 2, t // 2) for t in totals]


def pooling(name, x, attributes):
    """Return what pooling needs: x (N, C, H, W), kernel_size, stride, dilation, ceil_mode, and the pads of each axis."""
    kernel = attributes["kernel_shape"]
    axes = len(kernel)
    stride, dilation = (attributes.get(key, [1] * axes) for key in ("strides", "dilations"))
    pads = pads_of(attributes, x.shape[2:], kernel, stride, dilation)
    if axes == 1:
        x, kernel, stride, dilation, pads = x[:, :, None], [1, *kernel], [1, *stride], [1, *dilation], [(0, 0), *pads]
    return x, kernel, stride, dilation, bool(attributes.get("ceil_mode", 0)), pads


def around(x, pads, fill):
    """Lay a value around the input."""
    return np.pad(x, ((0, 0), (0, 0), *pads), constant_values=fill)


def test_max_pool():
    done = 0
    for name, (given,), (want, *indices), attributes in cases("maxpool"):
        x, kernel, stride, dilation, ceil_mode, pads = pooling(name, given, attributes)
        padding, laid = [begin for begin, _ in pads], x
        if any(begin != end or begin > k // 2 for (begin, end), k in zip(pads, kernel, strict=True)):
            lowest = -np.inf if x.dtype.kind == "f" else 0
            laid, padding = around(x, pads, lowest), 0
            assert not indices
        got, at = upscale.max_pool2d(laid, kernel, stride, padding, dilation, ceil_mode, return_indices=True)
        np.testing.assert_array_equal(got.reshape(want.shape), want, err_msg=name)
        if indices:
            height, width = x.shape[2:]
            if attributes.get("storage_order"):  # column by column
                at = at % width * height + at // width
            np.testing.assert_array_equal(at, indices[0], err_msg=name)
        done += 1
    assert done >= 14


@pytest.mark.heavy
def test_average_pool():
    """Heavy because `onnx` computes all its cases when it is asked for one."""
    done = 0
    for name, (given,), (want,), attributes in cases("averagepool"):
        x, kernel, stride, _, ceil_mode, pads = pooling(name, given, attributes)
        included = bool(attributes.get("count_include_pad", 0))
        if all(begin == end <= k // 2 for (begin, end), k in zip(pads, kernel, strict=True)):
            got = upscale.avg_pool2d(x, kernel, stride, [begin for begin, _ in pads], ceil_mode, included)
        else:
            # Zeros around it; where they do not count, the sums are divided by sums of ones.
            sums, numbers = (
                upscale.avg_pool2d(around(a, pads, fill), kernel, stride, 0, ceil_mode, True, 1)
                for a, fill in ((x, 0), (np.ones_like(x), float(included)))
            )
            got = sums / numbers
        np.testing.assert_allclose(got.reshape(want.shape), want, rtol=1e-3, atol=1e-6, err_msg=name)  # some have four digits
        done += 1
    assert done >= 13


def test_max_unpool():
    done = 0
    for name, (x, at, *size), (want,), attributes in cases("maxunpool"):
        numbers = attributes["kernel_shape"], attributes["strides"]
        got = upscale.max_unpool2d(x, at, *numbers)
        if size:  # indices count in an output of the default size, to which zeros are added
            width = got.shape[3]
            at = at // width * size[0][3] + at % width
            got = upscale.max_unpool2d(x, at, *numbers, output_size=size[0])
        np.testing.assert_array_equal(got, want, err_msg=name)
        done += 1
    assert done == 2


@pytest.mark.parametrize("module", ["depthtospace", "spacetodepth"])
def test_depth_and_space(module):
    done = 0
    for name, (x,), (want,), attributes in cases(module):
        r, crd = attributes["blocksize"], attributes.get("mode", b"DCR") == b"CRD"
        if module == "depthtospace":
            if not crd:  # channels come in another order: the place in the block first
                x = x.reshape(len(x), r * r, -1, *x.shape[2:]).swapaxes(1, 2).reshape(x.shape)
            got = upscale.pixel_shuffle(x, r)
        else:
            got = upscale.pixel_unshuffle(x, r)
            if not crd:
                got = got.reshape(len(x), -1, r * r, *got.shape[2:]).swapaxes(1, 2).reshape(got.shape)
        np.testing.assert_array_equal(got, want, err_msg=name)
        done += 1
    assert done >= 2


def test_conv():
    done = 0
    for name, (x, w), (want,), attributes in cases("conv"):
        stride = attributes.get("strides", [1, 1])
        pads = pads_of(attributes, x.shape[2:], w.shape[2:], stride, [1, 1])
        got = upscale.conv2d(x, w, None, stride, pads)
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6, err_msg=name)
        done += 1
    assert done >= 6


def test_conv_transpose():
    functions = {1: upscale.conv_transpose1d, 2: upscale.conv_transpose2d, 3: upscale.conv_transpose3d}
    done = 0
    for name, (x, w), (want,), attributes in cases("convtranspose"):
        axes = x.ndim - 2
        stride, dilation = (attributes.get(key, [1] * axes) for key in ("strides", "dilations"))
        extra = attributes.get("output_padding", [0] * axes)
        numbers = zip(x.shape[2:], w.shape[2:], stride, dilation, extra, strict=True)
        whole = [(n - 1) * s + d * (k - 1) + 1 + e for n, k, s, d, e in numbers]
        size = attributes.get("output_shape")
        if "auto_pad" in attributes:
            size = [n * s for n, s in zip(x.shape[2:], stride, strict=True)]
        options = {"stride": stride, "dilation": dilation, "groups": attributes.get("group", 1)}
        if size is None:
            got = functions[axes](x, w, padding=pads_of(attributes, x.shape[2:], *[()] * 3), output_padding=extra, **options)
        else:  # longer outputs are output padding, shorter ones are cropped
            totals = [n - m for n, m in zip(whole, size, strict=True)]
            upper = attributes.get("auto_pad") == b"SAME_UPPER"
            pads = [(max(t, 0) // 2, max(t, 0) - max(t, 0) // 2) for t in totals]
            pads = pads if upper else [pad[::-1] for pad in pads]
            extra = [e + max(-t, 0) for e, t in zip(extra, totals, strict=True)]
            got = functions[axes](x, w, padding=pads, output_padding=extra, **options)
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6, err_msg=name)
        done += 1
    assert done >= 10

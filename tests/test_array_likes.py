"""Arrays of other libraries, which all public functions take: stand-ins for them here, and PyTorch where it is installed."""

import numpy as np
import pytest

import upscale

RNG = np.random.default_rng(0)


class WithArray:
    """As of pandas, JAX or TensorFlow."""

    def __init__(self, array):
        self._array = array

    def __array__(self, dtype=None, copy=None):
        return self._array if dtype is None else self._array.astype(dtype)


class WithInterface:
    """As of images."""

    def __init__(self, array):
        self.__array_interface__, self._kept = array.__array_interface__, array


class WithDlpack:
    """Has nothing but DLPack."""

    def __init__(self, array):
        self._array = array

    def __dlpack__(self, **options):
        return self._array.__dlpack__()

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()


class OnGpu(WithDlpack):
    """As of CuPy: copied to main memory only when asked for, by DLPack."""

    def __array__(self, dtype=None, copy=None):
        raise TypeError("Implicit conversion to a NumPy array is not allowed")

    def __dlpack__(self, *, dl_device=None, copy=None, **options):
        if dl_device != (1, 0) or not copy:
            raise BufferError("it is on a GPU")
        return self._array.__dlpack__()

    def __dlpack_device__(self):
        return 2, 0


class Tensor:
    """As a parameter of PyTorch on a GPU: it must be detached and copied first, and NumPy lacks its dtype."""

    def __init__(self, array, dtype="torch.bfloat16", detached=False, host=False):
        self._array, self.dtype, self._detached, self._host = array, dtype, detached, host

    def detach(self):
        return Tensor(self._array, self.dtype, True, self._host)

    def cpu(self):
        return Tensor(self._array, self.dtype, self._detached, True)

    def float(self):
        return Tensor(self._array, "torch.float32", self._detached, self._host)

    def __array__(self, dtype=None, copy=None):
        if not self._detached:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        if not self._host or self.dtype == "torch.bfloat16":
            raise TypeError("can't convert")
        return self._array


def ints(*shape):
    return RNG.integers(1, 9, shape).astype(np.float32)


#: Functions of one array, whose result must not depend on what kind of array it is.
FUNCTIONS = {
    "enlarge by nn": (ints(3, 4), lambda a: upscale.enlarge(a, 2)),
    "enlarge by tconv": (ints(3, 4, 3), lambda a: upscale.enlarge(a, 2, "tconv", "bicubic")),
    "a kernel for enlarge": (ints(3, 3), lambda a: upscale.enlarge(np.ones((3, 4)), 2, "tconv", a)),
    "unpool_nearest": (ints(3, 4), lambda a: upscale.unpool_nearest(a, 2)),
    "the input of conv_transpose2d": (ints(1, 3, 4), lambda a: upscale.conv_transpose2d(a, np.ones((1, 1, 2, 2)))),
    "the weight of conv_transpose2d": (ints(1, 1, 2, 2), lambda a: upscale.conv_transpose2d(np.ones((1, 3, 4)), a)),
    "the bias of conv_transpose2d": (ints(1), lambda a: upscale.conv_transpose2d([[[1]]], [[[[1]]]], a)),
    "conv2d": (ints(1, 3, 4), lambda a: upscale.conv2d(a, np.ones((1, 1, 2, 2)))),
    "the weight of conv2d": (ints(1, 1, 2, 2), lambda a: upscale.conv2d(np.ones((1, 3, 4)), a)),
    "max_pool2d": (ints(1, 4, 4), lambda a: upscale.max_pool2d(a, 2)),
    "avg_pool2d": (ints(1, 4, 4), lambda a: upscale.avg_pool2d(a, 2)),
    "max_unpool2d": (ints(1, 2, 2), lambda a: upscale.max_unpool2d(a, [[[0, 1], [2, 3]]], 2)),
    "unpool_bed_of_nails": (ints(3, 4), lambda a: upscale.unpool_bed_of_nails(a, 2)),
    "pixel_shuffle": (ints(4, 3, 4), lambda a: upscale.pixel_shuffle(a, 2)),
    "pixel_unshuffle": (ints(1, 4, 4), lambda a: upscale.pixel_unshuffle(a, 2)),
    "the weights of a kernel": (ints(3, 3), lambda a: upscale.Kernel(a).weights),
    "the bias of a kernel": (ints(1), lambda a: upscale.Kernel([[1]], bias=a).bias),
    "learn_kernel": (ints(48, 48), lambda a: upscale.learn_kernel([a], size=2, ridge=0.1).weights),
    "learn_kernel from pairs": (
        ints(48, 48),
        lambda a: upscale.learn_kernel([(a, np.ones((96, 96)))], size=2, ridge=1).weights,
    ),
}


@pytest.mark.parametrize("kind", [WithArray, WithInterface, WithDlpack, OnGpu, Tensor])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_arrays_of_other_libraries(kind, function):
    if kind is OnGpu and np.lib.NumpyVersion(np.__version__) < "2.1.0":
        pytest.skip("NumPy copies from devices since 2.1")
    array, call = FUNCTIONS[function]
    result = call(kind(array))
    assert type(result) is np.ndarray
    assert np.array_equal(result, call(array))


def test_what_stays_on_a_device():
    class Stuck(OnGpu):
        def __dlpack__(self, **options):
            raise TypeError("unknown options")

    with pytest.raises(
        upscale.ArgumentError, match="array cannot be read as an array: it is on another device, such as a GPU; copy it"
    ):
        upscale.unpool_nearest(Stuck(ints(3, 4)), 2)


@pytest.mark.parametrize("value", [object(), None, "text", [[1, 2], [3]], {1: 2}])
def test_what_is_not_an_array(value):
    for call in (
        lambda: upscale.enlarge(value, 2),
        lambda: upscale.Kernel(value),
        lambda: upscale.conv_transpose2d(value, value),
        lambda: upscale.conv2d(value, value),
        lambda: upscale.max_pool2d(value, 2),
        lambda: upscale.max_unpool2d(value, value, 2),
        lambda: upscale.unpool_bed_of_nails(value, 2),
        lambda: upscale.pixel_shuffle(value, 2),
    ):
        with pytest.raises(upscale.ArgumentError) as caught:
            call()
        assert "Error" not in str(caught.value) and "\n" not in str(caught.value)


def test_memory_is_shared_where_it_can_be():
    """So that a large tensor is not copied, and writing over the input is noticed."""
    array = ints(4, 4)
    for kind in (WithArray, WithDlpack):
        with pytest.raises(upscale.ArgumentError, match="must not overlap"):
            upscale.unpool_nearest(kind(array[:2]), (2, 1), out=array)


@pytest.mark.peers
def test_tensors_of_pytorch():
    torch = pytest.importorskip("torch", reason="needs the extra `peers`")
    layer = torch.nn.ConvTranspose2d(3, 2, 4, stride=2, padding=1)
    picture = torch.rand(1, 3, 5, 6)
    made = upscale.conv_transpose2d(picture, layer.weight, layer.bias, stride=2, padding=1)
    assert type(made) is np.ndarray
    assert np.allclose(made, layer(picture).detach().numpy(), atol=1e-6)
    halves = torch.nn.Parameter(torch.ones(4, 4, dtype=torch.bfloat16))
    assert upscale.enlarge(halves, 2, "tconv", halves).dtype == np.float32
    kernel = upscale.Kernel(layer.weight, bias=layer.bias, factor=2, padding=1)
    assert np.allclose(upscale.enlarge(picture[0].permute(1, 2, 0), 2, "tconv", kernel), made[0].transpose(1, 2, 0), atol=1e-6)
    devices = [name for name in ("cuda", "mps") if getattr(torch, name).is_available()]
    for device in devices:
        assert np.array_equal(upscale.unpool_nearest(torch.ones(2, 2, device=device), 2), np.ones((4, 4)))

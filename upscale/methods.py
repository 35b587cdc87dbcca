"""The methods, and enlarging one picture by one of them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from upscale import nearest, transposed
from upscale.arguments import factor_pair, output_array, picture_shape
from upscale.engines import ENGINES, Engine, choose
from upscale.errors import ArgumentError
from upscale.kernel import Kernel
from upscale.kernel_source import ACCEPTED, identify
from upscale.transposed import Padding, paddings

if TYPE_CHECKING:
    from PIL.Image import Image

    from upscale.pictures import Picture

Array = NDArray[Any]


class Request(NamedTuple):
    """What is asked for, whatever the picture.

    Attributes
    ----------
    method : str
        "nn" or "tconv".
    factor : (int, int)
        Vertical and horizontal.
    kernel : Kernel or None
        For tconv.
    padding : Padding
        For tconv.
    """

    method: str
    factor: tuple[int, int]
    kernel: Kernel | None = None
    padding: Padding = "same"

    def size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Compute (height, width) of the result for that of a picture.

        Raises
        ------
        ArgumentError
            Where the padding cuts everything off.
        """
        if self.kernel is None:
            return size[0] * self.factor[0], size[1] * self.factor[1]
        return transposed.enlarged_size(size, self.kernel.shape, self.factor, self.padding)

    def plan(self, source: Array, dtype: DTypeLike, alpha: bool) -> "nearest.Plan | transposed.Plan":
        """Plan the enlargement of an array; `dtype` of the result and `alpha` matter to tconv alone."""
        if self.kernel is None:
            return nearest.Plan(source, self.factor)
        return transposed.Plan(source, self.kernel, self.factor, self.padding, dtype, alpha=alpha)


def enlarge_picture(
    picture: "Picture", request: Request, engine: str = "auto", *, floats: bool = False,
    watch: Callable[[Engine], None] = lambda engine: None,
) -> "Picture":  # fmt: skip
    """Enlarge a picture whose mode the method can work on.

    Parameters
    ----------
    picture : Picture
    request : Request
    engine : str
    floats : bool
        Leave tconv's results as they are, and do not round them to the picture's own integers.
    watch : callable
        Called with the engine before it begins.
    """
    if request.kernel is not None:
        picture = picture.filterable()
    source = _computable(picture.samples, request)
    dtype = np.dtype(np.float32) if floats and source.dtype.kind != "f" else source.dtype
    result = _run(request.plan(source, dtype, picture.mode in ("LA", "RGBA")), engine, None, watch)
    return picture._replace(samples=result)


def _computable(source: Array, request: Request) -> Array:
    if request.kernel is None:
        if source.dtype.hasobject or not source.dtype.itemsize:
            raise ArgumentError(f"an array of {source.dtype} cannot be enlarged")
        return source
    if source.dtype.kind not in "iuf" or source.dtype.itemsize > 8:
        raise ArgumentError(f"tconv computes with integers and floats of up to 64 bits, not with {source.dtype}")
    return source.astype(np.float32 if source.dtype == np.float16 else source.dtype.newbyteorder("="), order="C", copy=False)


def _run(
    plan: "nearest.Plan | transposed.Plan",
    engine: str,
    out: Array | None,
    watch: Callable[[Engine], None] = lambda engine: None,
) -> Array:
    result = np.empty(plan.shape, plan.dtype) if out is None else out
    chosen = choose(engine, plan.work)
    watch(chosen)
    plan.fill(chosen.loops(), result)
    return result


def enlarge(
    picture: "Array | Image",
    factor: int | tuple[int, int] = 2,
    method: str = "nn",
    kernel: "str | Kernel | Array | None" = None,
    *,
    padding: Any = "same",
    out: Array | None = None,
    engine: str = "auto",
) -> "Array | Image":
    """Enlarge a picture by a whole factor.

    Parameters
    ----------
    picture : PIL image, or array of shape (H, W) or (H, W, C)
    factor : int or (int, int)
        How many times larger, and tconv's stride; (vertical, horizontal).
    method : {"nn", "tconv"}
        Nearest-neighbour unpooling, or transposed convolution.
    kernel : str, Kernel or array of shape (kH, kW)
        For tconv: a preset's name, a file, rows typed out as ``"1,2,1; 2,4,2; 1,2,1"``, or the weights.
    padding : "same", int, (int, int) or ((top, bottom), (left, right))
        For tconv: what is cut off the whole operator's output; "same" leaves exactly factor times the input.
    out : ndarray, optional
        For arrays: written to and returned; C-contiguous, of the result's shape and dtype.
    engine : {"auto", "numba", "numpy"}
        Which loops run; the results are equal.

    Returns
    -------
    PIL image or ndarray
        Of the picture's kind and dtype; integers are rounded half up and clipped. By tconv, an image with a palette becomes
        RGB or RGBA and one of 1 bit becomes grey; colour is weighted by opacity.

    Raises
    ------
    ArgumentError
        Where an argument cannot work.
    FileError
        Where a kernel file cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> enlarge(np.array([[0, 100]], np.uint8), 2, "tconv", "bilinear")
    array([[  0,  25,  75, 100],
           [  0,  25,  75, 100]], dtype=uint8)
    """
    if engine not in ENGINES:
        raise ArgumentError(f"engine must be one of {', '.join(ENGINES)}, not {engine!r}")
    request = _request(factor_pair(factor), method, kernel, padding)
    if not isinstance(picture, np.ndarray) and hasattr(picture, "getbands"):
        if out is not None:
            raise ArgumentError("out goes with an array, not with an image")
        return _enlarge_image(picture, request, engine)
    source = np.ascontiguousarray(picture)
    picture_shape(source)
    computable = _computable(source, request)
    # What the loops cannot store (half floats, foreign byte order) is computed in the type they work on, then cast.
    plan = request.plan(computable, computable.dtype, False)
    result = output_array(out, plan.shape, source.dtype, source)
    if plan.dtype == source.dtype:
        return _run(plan, engine, result)
    result[...] = _run(plan, engine, None)
    return result


def _request(factor: tuple[int, int], method: str, kernel: "str | Kernel | Array | None", padding: Any) -> Request:
    if method == "nn":
        if kernel is not None:
            raise ArgumentError("a kernel goes with method 'tconv', not with 'nn'")
        return Request("nn", factor)
    if method != "tconv":
        raise ArgumentError(f"method must be 'nn' or 'tconv', not {method!r}")
    if kernel is None:
        raise ArgumentError(f"tconv needs a kernel: {ACCEPTED}")
    if isinstance(kernel, str):
        kernel = identify(kernel).load(factor)
    elif not isinstance(kernel, Kernel):
        kernel = Kernel(kernel)
    return Request("tconv", factor, kernel, padding if padding == "same" else paddings(padding))


def _enlarge_image(image: "Image", request: Request, engine: str) -> "Image":
    from upscale.pictures import Picture

    image.load()
    kept = {k: image.info[k] for k in ("transparency",) if k in image.info}
    result = enlarge_picture(Picture.of_image(image, kept), request, engine).to_image()
    result.info = {k: v for k, v in image.info.items() if k != "transparency"} | result.info
    return result

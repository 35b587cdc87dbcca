"""The public function `enlarge`: an array or an image by one of the methods."""

from __future__ import annotations  # so that `help` shows the short names of types

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

import numpy as np
from numpy.typing import NDArray

from upscale.argument_checks import as_array, check_picture_shape, factor_pair, is_same_padding, output_array, paddings, pair
from upscale.choices import DEFAULT_FACTOR, ENGINES, EdgeName, EngineName, MethodName, Padding, Pair
from upscale.errors import ArgumentError
from upscale.loops.engine import CHOOSER
from upscale.operators.enlarge_picture import Enlargement, curve_for
from upscale.operators.methods import ONLY_TCONV, Request, choose_method, computable, make_plan
from upscale.operators.requests import Requests
from upscale.target_size import TargetSize, asked_size
from upscale.tile_grid import TileGrid, asked_tiles

if TYPE_CHECKING:
    from PIL.Image import Image

    from upscale.argument_checks import AnyArray
    from upscale.kernels.kernel import Kernel
    from upscale.operators.parameters import Operator

    KernelLike = str | os.PathLike[str] | Kernel | AnyArray
    SizeLike = str | tuple[int | None, int | None]

Array = NDArray[Any]
Sample = TypeVar("Sample", bound=np.generic)


def _run(plan: Any, engine: str, out: Array | None) -> Array:
    result = np.empty(plan.shape, plan.dtype) if out is None else out
    with np.errstate(all="ignore"):  # as in Enlargement
        plan.fill(CHOOSER.load(engine, plan.work)[1], result)
    return result


@overload
def enlarge(
    picture: Image,
    factor: Pair | None = None,
    method: MethodName | None = None,
    kernel: KernelLike | None = None,
    *,
    size: SizeLike | None = None,
    fit: SizeLike | None = None,
    megapixels: float | None = None,
    tile: Sequence[int] | None = None,
    padding: Padding | None = None,
    output_padding: Pair = 0,
    dilation: Pair = 1,
    edge: EdgeName = "zero",
    normalize: bool | None = None,
    linear: bool = False,
    engine: EngineName = "auto",
) -> Image: ...
@overload
def enlarge(
    picture: NDArray[Sample],
    factor: Pair | None = None,
    method: MethodName | None = None,
    kernel: KernelLike | None = None,
    *,
    size: SizeLike | None = None,
    fit: SizeLike | None = None,
    megapixels: float | None = None,
    tile: Sequence[int] | None = None,
    padding: Padding | None = None,
    output_padding: Pair = 0,
    dilation: Pair = 1,
    edge: EdgeName = "zero",
    normalize: bool | None = None,
    linear: bool = False,
    out: NDArray[Sample] | None = None,
    engine: EngineName = "auto",
) -> NDArray[Sample]: ...
@overload
def enlarge(
    picture: AnyArray,
    factor: Pair | None = None,
    method: MethodName | None = None,
    kernel: KernelLike | None = None,
    *,
    size: SizeLike | None = None,
    fit: SizeLike | None = None,
    megapixels: float | None = None,
    tile: Sequence[int] | None = None,
    padding: Padding | None = None,
    output_padding: Pair = 0,
    dilation: Pair = 1,
    edge: EdgeName = "zero",
    normalize: bool | None = None,
    linear: bool = False,
    out: Array | None = None,
    engine: EngineName = "auto",
) -> Array: ...
def enlarge(
    picture: AnyArray | Image,
    factor: Pair | None = None,
    method: MethodName | None = None,
    kernel: KernelLike | None = None,
    *,
    size: SizeLike | None = None,
    fit: SizeLike | None = None,
    megapixels: float | None = None,
    tile: Sequence[int] | None = None,
    padding: Padding | None = None,
    output_padding: Pair = 0,
    dilation: Pair = 1,
    edge: EdgeName = "zero",
    normalize: bool | None = None,
    linear: bool = False,
    out: Array | None = None,
    engine: EngineName = "auto",
) -> Array | Image:
    """Enlarge a picture by a whole factor, or to a size.

    Parameters
    ----------
    picture : PIL image, or array_like of shape (H, W) or (H, W, C)
    factor : int or (int, int), optional
        How many times larger, which is also tconv's stride; (vertical, horizontal). By default the kernel's own, or 2. A kernel
        that exists for some factors only is applied several times for their products: "deep" makes 12 of 4 and 3.
    method : {"nn", "tconv"}, optional
        Nearest-neighbour unpooling, or transposed convolution; by default "nn", or "tconv" if there is a kernel.
    kernel : str, path, Kernel or array_like of shape (kH, kW) or (C, M, kH, kW)
        Anything that `Kernel.load` accepts, or weights. Only for tconv, like all parameters below except `out` and `engine`.
    size : (height, width) or str, optional
        In place of `factor`: exactly this size, one side of which may be None, or a percentage such as "150%". The picture is
        enlarged by the next larger whole factor and then reduced: with kernel "box" by averaging, otherwise with a Lanczos
        filter of 3 lobes. Without a kernel, the size must be a whole multiple.
    fit : (height, width), optional
        In place of `factor`: by the largest whole factor whose result is no larger than this. One side may be None.
    megapixels : float, optional
        In place of `factor`: to so many millions of pixels, as for `size`.
    tile : (height, width), (height, width, spacing) or (height, width, spacing, margin), optional
        Enlarge each tile of a sprite sheet on its own: so many pixels apart, and from the border. `edge` must not be "zero".
    padding : "same", int, (int, int) or ((top, bottom), (left, right)), optional
        How much of the full output is cropped at each side; "same", the default, crops to exactly factor times the input.
    output_padding, dilation : int or (int, int)
        As in PyTorch.
    edge : {"zero", "replicate", "reflect", "wrap"}
        How the input continues beyond its border.
    normalize : bool, optional
        Make the weights that reach each output pixel sum to 1, so that a flat picture stays flat. By default as the kernel
        says: presets are normalised, your own kernels are not.
    linear : bool
        Filter 8- and 16-bit samples in linear light, using the image's own profile or gamma, otherwise sRGB's curve.
    out : ndarray, optional
        For arrays: where to write the result, which is returned; C-contiguous, of the result's shape and dtype.
    engine : {"auto", "numba", "numpy"}
        Which loops to use; results are the same, up to the last bit of 32-bit floats.

    Returns
    -------
    PIL image or ndarray
        An image for an image, and an array of the same dtype for an array; integers are rounded half up and clipped. With
        tconv, a palette image becomes RGB or RGBA, a 1-bit image becomes grey, and colours are weighted by alpha. A
        kernel's bias is in units of full scale for images of 8 and 16 bits, and is added directly to others and to arrays.

    Raises
    ------
    ArgumentError
        If an argument is invalid.
    FileError
        If a kernel file cannot be read.

    Examples
    --------
    An array with both methods, a factor for each direction, and a Pillow image.

    >>> import numpy as np
    >>> import upscale
    >>> row = np.array([[0, 100]], np.uint8)
    >>> upscale.enlarge(row, 2)
    array([[  0,   0, 100, 100],
           [  0,   0, 100, 100]], dtype=uint8)
    >>> upscale.enlarge(row, 2, "tconv", "bilinear")
    array([[  0,  25,  75, 100],
           [  0,  25,  75, 100]], dtype=uint8)
    >>> upscale.enlarge(row, (1, 4), "tconv", "bicubic").shape
    (1, 8)
    >>> from PIL import Image
    >>> upscale.enlarge(Image.new("RGB", (32, 24)), 2).size
    (64, 48)
    """
    if engine not in ENGINES:
        raise ArgumentError(f"engine must be one of {', '.join(ENGINES)}, not {engine!r}")
    target = asked_size(factor, size=size, fit=fit, megapixels=megapixels)
    tiles = None if tile is None else asked_tiles(tile)
    given = None if factor is None else factor_pair(factor)
    if choose_method(method, has_kernel=kernel is not None) == "nn":
        spread = pair(output_padding, "output_padding") + pair(dilation, "dilation")
        if not is_same_padding(padding) or normalize is not None or linear or (*spread, edge) != (0, 0, 1, 1, "zero"):
            raise ArgumentError(ONLY_TCONV)
        requests = Requests(lambda step: Request(step or DEFAULT_FACTOR), given, None, target, tiles)
    else:
        requests = _requests_with_kernel(
            given,
            kernel,
            linear,
            target,
            tiles,
            padding=padding,
            output_padding=output_padding,
            dilation=dilation,
            edge=edge,
            normalize=normalize,
        )
    if not isinstance(picture, np.ndarray) and hasattr(picture, "getbands"):
        if out is not None:
            raise ArgumentError("out needs an array, not an image")
        return _enlarge_image(cast("Image", picture), requests, engine)
    if isinstance(picture, str | os.PathLike):
        raise ArgumentError(f"picture must be an image or an array, not the path {picture!r}; open it with PIL.Image.open")
    source = np.ascontiguousarray(as_array(picture, "picture"))
    check_picture_shape(source)
    request = requests.of((source.shape[0], source.shape[1]))
    for one in request.earlier:
        source = _enlarge_array(source, one, engine, None)
    return _enlarge_array(source, request, engine, out)


def _enlarge_array(source: Array, request: Request, engine: str, out: Array | None) -> Array:
    """Enlarge an array by one step of a request."""
    computed = computable(source, request)
    # What the loops cannot store (half floats, foreign byte order) is computed in the type they work on, then cast.
    options: dict[str, Any] = {}
    if request.linear:
        from upscale.pictures.picture import Picture

        options["curve"] = curve_for(Picture(computed), computed)
    plan = make_plan(computed, request, computed.dtype, **options)
    result = output_array(out, plan.shape, source.dtype, source)
    if plan.dtype == source.dtype:
        return _run(plan, engine, result)
    result[...] = _run(plan, engine, None)
    return result


def _requests_with_kernel(
    factor: tuple[int, int] | None,
    kernel: Any,
    linear: bool,
    target: TargetSize | None,
    tiles: TileGrid | None,
    **parameters: Any,
) -> Requests:
    """Make the requests for tconv; a kernel's file is read once."""
    from upscale.kernels.factor_steps import factors_of
    from upscale.kernels.kernel import Kernel
    from upscale.kernels.kernel_spec import given_kernel, parse_kernel
    from upscale.kernels.load import load_kernel

    spec = parse_kernel(kernel) if isinstance(kernel, str) else None
    if spec is None or spec.kind in ("file", "typed"):
        kernel = load_kernel(kernel, None) if isinstance(kernel, str | os.PathLike) else kernel
        kernel = kernel if isinstance(kernel, Kernel) else Kernel(kernel)
        spec = given_kernel(kernel)

    def make(step: tuple[int, int] | None) -> Request:
        operator = _operator(step, kernel, **parameters)
        return Request(operator.factor, operator, linear)

    return Requests(make, factor, factors_of(spec, kernel if isinstance(kernel, Kernel) else None), target, tiles)


def _operator(
    factor: tuple[int, int] | None,
    kernel: str | Kernel,
    *,
    padding: Any,
    output_padding: Any,
    dilation: Any,
    edge: str,
    normalize: bool | None,
) -> Operator:
    from upscale.kernels.load import load_kernel
    from upscale.kernels.normalize import check_every_phase
    from upscale.operators.parameters import make_operator

    if isinstance(kernel, str):
        kernel = load_kernel(kernel, factor)
    operator = make_operator(
        kernel,
        factor,
        padding if is_same_padding(padding) else paddings(padding),
        output_padding=pair(output_padding, "output_padding"),
        dilation=pair(dilation, "dilation"),
        edge=edge,
        normalize=normalize,
    )
    if operator.kernel.normalized:
        check_every_phase(operator.kernel.shape, operator.factor, operator.dilation, operator.kernel.weights)
    return operator


def _enlarge_image(image: Image, requests: Requests, engine: str) -> Image:
    from upscale.pictures.picture import CHANNELS, Picture

    image.load()
    if not image.width * image.height:
        raise ArgumentError(f"the image is empty: its size is {image.size}")
    kept: dict[str, Any] = {k: image.info[k] for k in ("transparency", "icc_profile", "gamma", "srgb") if k in image.info}
    request = requests.of((image.height, image.width))
    enlarged = Enlargement(Picture.of_image(image, kept), request, engine).whole()
    if enlarged.mode == CHANNELS:
        raise ArgumentError(f"an image cannot store the result of this kernel, {enlarged.samples.shape}; pass an array")
    result = enlarged.to_image()
    result.info = {k: v for k, v in image.info.items() if k != "transparency"} | result.info
    return result

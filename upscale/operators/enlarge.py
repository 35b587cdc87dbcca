"""The methods, and enlarging one picture by one of them."""

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from upscale import threads
from upscale.arguments import as_array, factor_pair, is_same, output_array, paddings, pair, picture_shape
from upscale.choices import EDGES, ENGINES
from upscale.errors import ArgumentError
from upscale.kernels.kernel_spec import ACCEPTED, parse_kernel
from upscale.loops.engine import CHOOSER, Engine

if TYPE_CHECKING:
    from PIL.Image import Image

    from upscale.kernels.kernel import Kernel
    from upscale.operators.transposed import Operator
    from upscale.pictures.picture import Picture
    from upscale.pictures.tone_curves import Curve

Array = NDArray[Any]

#: Above this share of clipped samples a user is told.
CLIPPED = 0.01
#: How far a kernel may reach and be padded, in output pixels.
_FARTHEST = 1 << 20


class Request(NamedTuple):
    """What is asked for, whatever the picture.

    Attributes
    ----------
    factor : (int, int)
        Vertical and horizontal.
    operator : Operator or None
        The transposed convolution, or None for nn.
    linear : bool
        Filter in linear light.
    """

    factor: tuple[int, int]
    operator: "Operator | None" = None
    linear: bool = False

    def size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Compute (height, width) of the result for that of a picture.

        Raises
        ------
        ArgumentError
            Where the padding cuts everything off.
        """
        if self.operator is None:
            return size[0] * self.factor[0], size[1] * self.factor[1]
        return self.operator.size(size)


class Enlargement:
    """The enlargement of one picture, computed when it is asked for: at once, or in bands of rows.

    Parameters
    ----------
    picture : Picture
    request : Request
    engine : str
    floats : bool
        Leave tconv's results as they are, and do not round them to the picture's own integers.
    watch : callable
        Called with the engine and its loops before it begins.

    Attributes
    ----------
    shape : tuple
    dtype : dtype
    loops : module
        Of the engine that was chosen.
    notes : list of str
        What a user should know.

    Raises
    ------
    ArgumentError
        Where the picture and the request do not fit each other.
    """

    def __init__(
        self, picture: "Picture", request: Request, engine: str = "auto", *, floats: bool = False,
        watch: Callable[[Engine, ModuleType], None] = lambda engine, loops: None,
    ) -> None:  # fmt: skip
        if request.operator is not None:
            from upscale.pictures.mode_conversion import filterable

            picture = filterable(picture)
        source = _computable(picture.samples, request)
        dtype = source.dtype
        if request.operator is not None and floats and dtype.kind != "f":
            dtype = np.dtype(np.float32)
            if not picture.mode:  # an array of integers; the samples of pictures are still needed for their scale
                source = source.astype(dtype)
        options: dict[str, Any] = {}
        if request.operator is not None:
            unit = np.iinfo(source.dtype).max if picture.mode and source.dtype in (np.uint8, np.uint16) else 1
            # Colours that are stored multiplied by opacity mix as they are.
            alpha = picture.base in ("LA", "RGBA") and not picture.info.get("associated")
            options = {"alpha": alpha, "unit": unit}
            if request.linear:
                options["curve"] = _curve(picture, source)
            if picture.leading and request.operator.kernel.channels is not None:  # the pictures of a batch stay apart
                kernel = request.operator.kernel.repeated(picture.leading[0])
                request = request._replace(operator=request.operator._replace(kernel=kernel))
            elif picture.leading:
                options["batch"] = picture.leading[0]
        self._picture, self._source, self._request = picture, source, request
        self._plan = _plan(source, request, dtype, **options)
        self.shape, self.dtype, self.notes = self._plan.shape, self._plan.dtype, self._plan.notes
        chosen, self.loops = CHOOSER.load(engine, self._plan.work)
        if CHOOSER.missing and engine == "auto":
            self.notes.append(f"Numba cannot be imported ({CHOOSER.missing}), so NumPy computes, which takes longer")
        watch(chosen, self.loops)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the result."""
        return self.shape[0], self.shape[1]

    @property
    def clipped(self) -> float:
        """The share of samples that had to be clipped, once they are computed."""
        return float(self._plan.clipped / np.prod(self.shape))

    @property
    def result(self) -> "Picture":
        """The picture as it will be, but for its samples."""
        return _with_mode(self._picture, self.shape, self.dtype)

    @property
    def blocks(self) -> tuple[int, int] | None:
        """How high and wide the blocks are that each sample of the source becomes; None where samples are mixed."""
        return self._request.factor if self._request.operator is None else None

    @property
    def source(self) -> Array:
        """The samples that are enlarged."""
        return self._source

    def whole(self) -> "Picture":
        """Compute the result."""
        return self.result._replace(samples=self._filled(0, np.empty(self.shape, self.dtype)))

    def bands(self, size: int) -> Iterator[Array]:
        """Compute the result in bands of rows, of at most some bytes; each one only holds until the next."""
        factor = self._request.factor[0]
        row = max(1, int(np.prod(self.shape[1:])) * self.dtype.itemsize)
        height = min(max(1, size // row // factor) * factor, self.shape[0])
        band = np.empty((height, *self.shape[1:]), self.dtype)  # one for all: fresh memory takes as long as filling it
        for first in range(0, self.shape[0], height):
            yield self._filled(first, band[: self.shape[0] - first])

    def _filled(self, first: int, rows: Array) -> Array:
        with np.errstate(all="ignore"):  # NaN, infinity and overflow are the picture's and stay what they are
            self.loops.use_threads(threads.limit())  # which may have changed since the band before
            self._plan.fill(self.loops, rows, first)
        return rows


def _curve(picture: "Picture", source: Array) -> "Curve":
    """Find the curve by which a picture is filtered in linear light."""
    from upscale.pictures.tone_curves import curve_of

    if picture.base not in ("", "L", "LA", "RGB", "RGBA") or source.dtype not in (np.uint8, np.uint16):
        kind = picture.mode or source.dtype
        raise ArgumentError(f"linear light is known for RGB and grey of 8 and 16 bits, not for {kind}")
    return curve_of(picture.info, int(np.iinfo(source.dtype).max))


def _with_mode(picture: "Picture", shape: tuple[int, ...], dtype: "np.dtype[Any]") -> "Picture":
    """Give a picture the mode that its enlarged channels make."""
    from upscale.pictures.formats import mode_of
    from upscale.pictures.picture import CHANNELS

    before, after = (1 if len(s) == 2 else s[2] for s in (picture.samples.shape, shape))
    if not picture.mode or (before == after and picture.samples.dtype == dtype):
        return picture
    if before == after:
        return picture._replace(mode=mode_of(picture.base, dtype) or CHANNELS)
    # Opacity is made of opacity alone: what else a kernel makes is colour, grey or just channels.
    bases = {2: "LA", 4: "RGBA"} if picture.base in ("LA", "RGBA") else {1: "L", 3: "RGB"}
    return picture._replace(mode=mode_of(bases.get(after, ""), dtype) or CHANNELS)


def _computable(source: Array, request: Request) -> Array:
    if request.operator is None:
        if source.dtype.hasobject or not source.dtype.itemsize:
            raise ArgumentError(f"an array of {source.dtype} cannot be enlarged")
        return source
    if source.dtype.kind not in "iuf" or source.dtype.itemsize > 8:
        raise ArgumentError(f"tconv computes with integers and floats of up to 64 bits, not with {source.dtype}")
    return source.astype(np.float32 if source.dtype == np.float16 else source.dtype.newbyteorder("="), order="C", copy=False)


def _plan(source: Array, request: Request, dtype: DTypeLike, **options: Any) -> Any:
    """Plan the enlargement of an array; a method's module is imported when it is asked for."""
    if request.operator is None:
        from upscale.operators import nearest

        return nearest.Plan(source, request.factor)
    from upscale.operators import transposed

    return transposed.Plan(source, request.operator, dtype, **options)


def _run(plan: Any, engine: str, out: Array | None) -> Array:
    result = np.empty(plan.shape, plan.dtype) if out is None else out
    with np.errstate(all="ignore"):  # as in Enlarging
        plan.fill(CHOOSER.load(engine, plan.work)[1], result)
    return result


def enlarge(
    picture: "Array | Image",
    factor: int | tuple[int, int] | None = None,
    method: str = "nn",
    kernel: "str | Kernel | ArrayLike | None" = None,
    *,
    padding: Any = None,
    output_padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    edge: str = "zero",
    normalize: bool | None = None,
    linear: bool = False,
    out: Array | None = None,
    engine: str = "auto",
) -> "Array | Image":
    """Enlarge a picture by a whole factor.

    Parameters
    ----------
    picture : PIL image, or array of shape (H, W) or (H, W, C)
    factor : int or (int, int), optional
        How many times larger, and tconv's stride; (vertical, horizontal). By default the kernel's own, or 2.
    method : {"nn", "tconv"}
        Nearest-neighbour unpooling, or transposed convolution.
    kernel : str, Kernel or array of shape (kH, kW) or (C, M, kH, kW)
        For tconv, as all that follow but the last two: a preset's name, a file, rows typed out as
        ``"1,2,1; 2,4,2; 1,2,1"``, or the weights.
    padding : "same", int, (int, int) or ((top, bottom), (left, right)), optional
        What is cut off the operator's whole output; "same", the default, leaves exactly factor times the input.
    output_padding, dilation : int or (int, int)
        As PyTorch's.
    edge : {"zero", "replicate", "reflect", "wrap"}
        What lies beyond the border.
    normalize : bool, optional
        Divide the weights by what reaches each place, so that a flat picture stays flat. By default as the kernel says:
        presets are, and a user's own kernel is not.
    linear : bool
        Filter 8- and 16-bit samples in linear light: by an image's own profile or gamma, else by sRGB's curve.
    out : ndarray, optional
        For arrays: written to and returned; C-contiguous, of the result's shape and dtype.
    engine : {"auto", "numba", "numpy"}
        Which loops run; the results are equal, those of 32-bit floats up to the rounding of a sum's last bit.

    Returns
    -------
    PIL image or ndarray
        Of the picture's kind and dtype; integers are rounded half up and clipped. By tconv, an image with a palette becomes
        RGB or RGBA and one of 1 bit becomes grey; colour is weighted by opacity. A kernel's bias is in units of full
        scale for images of 8 and 16 bits, and as it is for others and for arrays.

    Raises
    ------
    ArgumentError
        Where an argument cannot work.
    FileError
        Where a kernel file cannot be read.

    Examples
    --------
    An array, by both methods; a factor for each direction; an image of Pillow's, which comes back as one.

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
    if method == "nn":
        spread = pair(output_padding, "output_padding") + pair(dilation, "dilation")
        if (
            kernel is not None
            or not is_same(padding)
            or normalize is not None
            or linear
            or (*spread, edge) != (0, 0, 1, 1, "zero")
        ):
            raise ArgumentError("a kernel and what belongs to it goes with method 'tconv', not with 'nn'")
        request = Request(factor_pair(2 if factor is None else factor))
    elif method == "tconv":
        chosen = _operator(factor, kernel, padding, output_padding, dilation, edge, normalize)
        request = Request(chosen.factor, chosen, linear)
    else:
        raise ArgumentError(f"method must be 'nn' or 'tconv', not {method!r}")
    if not isinstance(picture, np.ndarray) and hasattr(picture, "getbands"):
        if out is not None:
            raise ArgumentError("out goes with an array, not with an image")
        return _enlarge_image(picture, request, engine)
    source = np.ascontiguousarray(as_array(picture, "picture"))
    picture_shape(source)
    computable = _computable(source, request)
    # What the loops cannot store (half floats, foreign byte order) is computed in the type they work on, then cast.
    options: dict[str, Any] = {}
    if linear:
        from upscale.pictures.picture import Picture

        options["curve"] = _curve(Picture(computable), computable)
    plan = _plan(computable, request, computable.dtype, **options)
    result = output_array(out, plan.shape, source.dtype, source)
    if plan.dtype == source.dtype:
        return _run(plan, engine, result)
    result[...] = _run(plan, engine, None)
    return result


def _operator(
    factor: Any, kernel: Any, padding: Any, output_padding: Any, dilation: Any, edge: str, normalize: bool | None
) -> "Operator":
    from upscale.kernels.kernel import Kernel
    from upscale.kernels.load import load

    if kernel is None:
        raise ArgumentError(f"tconv needs a kernel: {ACCEPTED}")
    given = None if factor is None else factor_pair(factor)
    if isinstance(kernel, str):
        kernel = load(parse_kernel(kernel), given)
    elif not isinstance(kernel, Kernel):
        kernel = Kernel(kernel)
    padding = padding if is_same(padding) else paddings(padding)
    return operator(
        kernel, given, padding, output_padding=pair(output_padding, "output_padding"), dilation=pair(dilation, "dilation"),
        edge=edge, normalize=normalize,
    )  # fmt: skip


def operator(
    kernel: "Kernel", factor: tuple[int, int] | None, padding: Any, *, output_padding: tuple[int, int],
    dilation: tuple[int, int], edge: str, normalize: bool | None,
) -> "Operator":  # fmt: skip
    """Put a kernel and what is asked for together; what is None is as the kernel says.

    Raises
    ------
    ArgumentError
        Where they clash.
    """
    from upscale.operators.transposed import Operator

    if factor and kernel.factor and factor != kernel.factor:
        (v, h), (kv, kh) = factor, kernel.factor
        raise ArgumentError(f"the kernel is made for factor {kh}x{kv} (width x height), not for {h}x{v}")
    if edge not in EDGES:
        raise ArgumentError(f"edge must be one of {', '.join(EDGES)}, not {edge!r}")
    if min(dilation) < 1 or min(output_padding) < 0:
        raise ArgumentError(f"dilation {dilation} must be at least 1 and output_padding {output_padding} at least 0")
    for i in (0, 1):
        if (dilation[i] - 1) * (kernel.shape[i] - 1) > _FARTHEST or output_padding[i] > _FARTHEST:
            raise ArgumentError(
                f"dilation {dilation} and output_padding {output_padding} reach over more than {_FARTHEST} pixels"
            )
    if normalize is not None:
        kernel = kernel.with_normalized(bool(normalize))
    padding = padding or kernel.padding or "same"
    if isinstance(padding, tuple) and max(max(sides) for sides in padding) > _FARTHEST:
        raise ArgumentError(f"padding {padding} cuts off more than {_FARTHEST} pixels")
    if kernel.corrections is not None:  # corrections lie where the kernel's own output does
        plain = padding == "same" and (*output_padding, *dilation) == (0, 0, 1, 1)
        if not plain or not kernel.normalized:
            raise ArgumentError(
                "an adaptive kernel goes with padding 'same', no output_padding, a dilation of 1, and normalized weights"
            )
    return Operator(kernel, factor or kernel.factor or (2, 2), padding, output_padding, dilation, edge)


def _enlarge_image(image: "Image", request: Request, engine: str) -> "Image":
    from upscale.pictures.picture import CHANNELS, Picture

    image.load()
    if not image.width * image.height:
        raise ArgumentError(f"the image is empty: its size is {image.size}")
    kept: dict[str, Any] = {k: image.info[k] for k in ("transparency", "icc_profile", "gamma", "srgb") if k in image.info}
    enlarged = Enlarging(Picture.of_image(image, kept), request, engine).whole()
    if enlarged.mode == CHANNELS:
        raise ArgumentError(f"no image holds what the kernel makes, {enlarged.samples.shape}; hand in an array")
    result = enlarged.to_image()
    result.info = {k: v for k, v in image.info.items() if k != "transparency"} | result.info
    return result


Enlarging = Enlargement

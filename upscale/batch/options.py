"""What the command line asks for, and the `Request` that it makes."""

from typing import TYPE_CHECKING, Any, NamedTuple

from upscale.errors import naming
from upscale.pictures.formats import Format

if TYPE_CHECKING:
    from upscale.kernels.kernel import Kernel
    from upscale.kernels.kernel_spec import KernelSource
    from upscale.operators.enlarge import Request
    from upscale.operators.transposed import Operator


class Options(NamedTuple):
    """The values of the command's options that matter for each picture, by their names."""

    method: str
    factor: tuple[int, int] | None
    kernel: "KernelSource | None"
    normalize: bool | None
    padding: Any
    output_padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int | None
    bias: Any
    edge: str
    linear: bool
    background: tuple[int, int, int] | None
    depth: int | None
    to_rgb: bool
    quality: int | None
    lossless: bool
    compression: str
    strip: bool
    frame: int | None
    layout: str
    engine: str
    skip_existing: bool
    update: bool
    no_overwrite: bool
    overwrite: bool
    dry_run: bool
    max_pixels: int
    max_output_pixels: int
    max_memory: int | None


#: Formats that lose something by choice.
_LOSSY = ("JPEG", "WebP", "AVIF")


def unfit(options: Options, target: Format) -> str:
    """Name an option that an output's format has no use for, or nothing."""
    if options.lossless and target.name == "JPEG":
        return "--lossless: JPEG always loses something; write .png or .webp"
    if options.quality is not None and target.name not in _LOSSY:
        return f"--quality: {target.name} has none; it goes with {', '.join(_LOSSY)}"
    if options.compression != "balanced" and target.name not in ("PNG", "TIFF"):
        return f"--compression: {target.name} has no choice of it; it goes with PNG and TIFF"
    return ""


def request(options: Options) -> "Request":
    """Make what is asked for, whatever the picture: the kernel is read or sampled here.

    Raises
    ------
    ArgumentError
        Where options clash with each other or with the kernel.
    FileError
        Where the kernel's file cannot be read.
    """
    from upscale.operators.enlarge import Request

    operator = _operator(options) if options.kernel is not None else None
    return Request(operator.factor if operator else options.factor or (2, 2), operator, options.linear)


def _operator(options: Options) -> "Operator":
    from upscale.operators.enlarge import operator

    source = options.kernel
    assert source is not None
    with naming(f"--kernel {source.label}"):
        kernel = source.read() or source.sampled(options.factor or (2, 2))
    if options.groups is not None or options.bias is not None:
        with naming("--groups" if options.bias is None else "--bias"):
            kernel = with_more(kernel, options.groups, options.bias)
    with naming(f"--kernel {source.label}"):
        return operator(
            kernel, options.factor, options.padding, output_padding=options.output_padding, dilation=options.dilation,
            edge=options.edge, normalize=options.normalize,
        )  # fmt: skip


def with_more(kernel: "Kernel", groups: int | None, bias: Any) -> "Kernel":
    """Give a kernel the groups and the bias of a command line, where there are any.

    Raises
    ------
    ArgumentError
        Where they do not fit it.
    FileError
        Where the bias' file cannot be read.
    """
    from upscale.kernels import kernel_files

    if bias is None:
        bias = kernel.bias
    elif isinstance(bias[0], str):
        bias = kernel_files.read_bias(*bias)
    return kernel.replaced(groups=groups or kernel.groups, bias=bias)

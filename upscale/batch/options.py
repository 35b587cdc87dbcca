"""What the command line asks for, and the `Request` that it makes."""

from typing import TYPE_CHECKING, Any, NamedTuple

from upscale.errors import naming
from upscale.pictures.formats import Format

if TYPE_CHECKING:
    from upscale.kernels.kernel_spec import KernelSpec
    from upscale.operators.enlarge import Request
    from upscale.operators.transposed import Operator


class Options(NamedTuple):
    """The values of the command's options that matter for each picture, by their names."""

    method: str
    factor: tuple[int, int] | None
    kernel: "KernelSpec | None"
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
    from upscale.kernels.load import load, with_groups_and_bias
    from upscale.operators.enlarge import operator

    source = options.kernel
    assert source is not None
    with naming(f"--kernel {source.label}"):
        kernel = load(source, options.factor)
    if options.groups is not None or options.bias is not None:
        with naming("--groups" if options.bias is None else "--bias"):
            kernel = with_groups_and_bias(kernel, options.groups, options.bias)
    with naming(f"--kernel {source.label}"):
        return operator(
            kernel, options.factor, options.padding, output_padding=options.output_padding, dilation=options.dilation,
            edge=options.edge, normalize=options.normalize,
        )  # fmt: skip

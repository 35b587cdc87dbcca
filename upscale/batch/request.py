"""From the options of the command line to a `Request`: the kernel is loaded and the operator made here."""

from typing import TYPE_CHECKING, Any

from upscale.batch.options import Options
from upscale.errors import naming

if TYPE_CHECKING:
    from upscale.kernels.kernel import Kernel
    from upscale.operators.enlarge import Request
    from upscale.operators.transposed import Operator


def make_request(options: Options) -> "Request":
    """Make the request that options describe, the same for every picture.

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
    from upscale.operators.enlarge import operator as make_operator

    source = options.kernel
    assert source is not None
    with naming(f"--kernel {source.label}"):
        kernel = source.read() or source.sampled(options.factor or (2, 2))
    if options.groups is not None or options.bias is not None:
        with naming("--groups" if options.bias is None else "--bias"):
            kernel = with_more(kernel, options.groups, options.bias)
    with naming(f"--kernel {source.label}"):
        return make_operator(
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

"""From the options of the command line to a `Request`: the kernel is loaded and the operator made here."""

from typing import TYPE_CHECKING

from upscale.batch.options import Options
from upscale.errors import ArgumentError, prefix_errors

if TYPE_CHECKING:
    from upscale.operators.methods import Request
    from upscale.operators.parameters import Operator


def make_request(options: Options) -> "Request":
    """Make the request that options describe, the same for every picture.

    Raises
    ------
    ArgumentError
        Where options clash with each other or with the kernel.
    FileError
        Where the kernel's file cannot be read.
    """
    from upscale.operators.methods import Request

    operator = _operator(options) if options.kernel is not None else None
    return Request(operator.factor if operator else options.factor or (2, 2), operator, options.linear)


def _operator(options: Options) -> "Operator":
    from upscale.kernels.load import load, with_groups_and_bias
    from upscale.kernels.normalize import check_every_phase
    from upscale.operators.parameters import make_operator

    source = options.kernel
    assert source is not None
    with prefix_errors(f"--kernel {source.label}"):
        kernel = load(source, options.factor)
    if options.groups is not None and kernel.channels is None:
        raise ArgumentError("--groups needs a kernel of 4 dimensions; this one has 2")
    if options.groups is not None or options.bias is not None:
        with prefix_errors("--groups" if options.bias is None else "--bias"):
            kernel = with_groups_and_bias(kernel, options.groups, options.bias)
    with prefix_errors(f"--kernel {source.label}"):
        operator = make_operator(
            kernel,
            options.factor,
            options.padding,
            output_padding=options.output_padding,
            dilation=options.dilation,
            edge=options.edge,
            normalize=options.normalize,
        )
        if operator.kernel.normalized:
            weights = None if source.kind == "preset" else kernel.weights
            check_every_phase(kernel.shape, operator.factor, options.dilation, weights)
    return operator

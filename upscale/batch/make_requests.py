"""From the options of the command line to `Requests`: the kernel is loaded and the operator made here."""

from typing import TYPE_CHECKING

from upscale.batch.options import Options
from upscale.errors import ArgumentError, prefix_errors

if TYPE_CHECKING:
    from upscale.kernels.kernel import Kernel
    from upscale.operators.methods import Request
    from upscale.operators.requests import Requests


def make_requests(options: Options) -> "Requests":
    """Make the requests that options describe.

    Raises
    ------
    ArgumentError
        Where options clash with each other or with the kernel.
    FileError
        Where the kernel's file cannot be read.
    """
    from upscale.choices import DEFAULT_FACTOR
    from upscale.operators.methods import Request
    from upscale.operators.requests import Requests

    if options.kernel is None:
        return Requests(
            lambda factor: Request(factor or DEFAULT_FACTOR), options.factor, None, options.target_size, options.tile
        )
    from upscale.kernels.factor_steps import factors_of
    from upscale.kernels.load import load

    source = options.kernel
    kernel: Kernel | None = None
    if not source.depends_on_factor:  # it is read once, whatever the factor
        with prefix_errors(f"--kernel {source.label}"):
            kernel = load(source)

    def make(factor: tuple[int, int] | None) -> Request:
        if kernel is not None:
            return _request(options, kernel, factor)
        with prefix_errors(f"--kernel {source.label}"):
            made = load(source, factor)
        return _request(options, made, factor)

    requests = Requests(make, options.factor, factors_of(source, kernel), options.target_size, options.tile)
    if options.target_size is not None:
        make(None)  # what is wrong with the kernel is reported once, and not for each picture
    return requests


def _request(options: Options, kernel: "Kernel", factor: tuple[int, int] | None) -> "Request":
    from upscale.kernels.load import with_groups_and_bias
    from upscale.kernels.normalize import check_every_phase
    from upscale.operators.methods import Request
    from upscale.operators.parameters import make_operator

    source = options.kernel
    assert source is not None
    if options.groups is not None and kernel.channels is None:
        raise ArgumentError("--groups needs a kernel of 4 dimensions; this one has 2")
    if options.groups is not None or options.bias is not None:
        with prefix_errors("--groups" if options.bias is None else "--bias"):
            kernel = with_groups_and_bias(kernel, options.groups, options.bias)
    with prefix_errors(f"--kernel {source.label}"):
        operator = make_operator(
            kernel,
            factor,
            options.padding,
            output_padding=options.output_padding,
            dilation=options.dilation,
            edge=options.edge,
            normalize=options.normalize,
        )
        if operator.kernel.normalized:
            weights = None if source.kind == "preset" else kernel.weights
            check_every_phase(kernel.shape, operator.factor, options.dilation, weights)
    return Request(operator.factor, operator, options.linear)

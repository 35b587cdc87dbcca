"""From what a user gave as a kernel, and a factor, to a `Kernel`: the only conversion there is."""

import os
from collections.abc import Sequence

from upscale.choices import DEFAULT_FACTOR
from upscale.kernels import presets, shipped
from upscale.kernels.kernel import Kernel
from upscale.kernels.kernel_spec import KernelSpec, parse_kernel, parse_kernel_file


def load_kernel(source: "str | os.PathLike[str]", factor: tuple[int, int] | None) -> Kernel:
    """Load a kernel for `Kernel.load` and `enlarge`; see there."""
    text = os.fspath(source)
    spec = parse_kernel(text) if isinstance(source, str) else KernelSpec("file", text, *parse_kernel_file(text))
    kernel = load(spec, factor)
    kernel.check_factor(factor)
    return kernel if factor is None or kernel.factor is not None else kernel.replaced(factor=factor)


def load(spec: KernelSpec, factor: tuple[int, int] | None = None) -> Kernel:
    """Make the kernel that a user gave: read its file, or sample the preset.

    Parameters
    ----------
    spec : KernelSpec
        From `kernel_spec.parse_kernel`.
    factor : (int, int), optional
        Vertical and horizontal, for presets and shipped kernels; 2 if not given. A file may bring a factor of its own, which
        is not compared with this one.

    Raises
    ------
    FileError
        If the file cannot be read as a kernel.
    ArgumentError
        If typed rows are not a kernel, or none is shipped for the factor.
    """
    if spec.kernel is not None:
        return spec.kernel
    if spec.kind == "typed":
        return Kernel(spec.rows)
    if spec.kind == "preset":
        filter = presets.named(spec.text)
        assert filter is not None
        return Kernel.preset(filter, factor or DEFAULT_FACTOR)
    from upscale.kernels.read_files import read_kernel  # the formats' libraries, which presets do not need

    if spec.kind == "file":
        return read_kernel(spec.path, spec.name)
    path, first = (shipped.file_of(spec.text, pair) for pair in (factor or DEFAULT_FACTOR, DEFAULT_FACTOR))
    row = shipped.SHIPPED[spec.text]
    shared = row.file_ending in shipped.DEEP_DOWNSCALING and path != first
    kernel = read_kernel(path, convolutions=read_kernel(first).layers if shared else None)
    return kernel.replaced(corrections=None) if row.single else kernel


def with_groups_and_bias(kernel: Kernel, groups: int | None, bias: tuple[str, str] | Sequence[float] | None) -> Kernel:
    """Replace the groups and the bias of a kernel, if they are given.

    Parameters
    ----------
    kernel : Kernel
    groups : int, optional
    bias : (str, str) or sequence of float, optional
        A file and the name of the tensor in it, which may be empty; or numbers.

    Raises
    ------
    ArgumentError
        If they do not fit the kernel.
    FileError
        If the file of the bias cannot be read.
    """
    if bias is None:
        return kernel.replaced(groups=groups or kernel.groups)
    if isinstance(bias[0], str):
        from upscale.kernels.read_files import read_bias

        return kernel.replaced(groups=groups or kernel.groups, bias=read_bias(*bias))
    return kernel.replaced(groups=groups or kernel.groups, bias=bias)

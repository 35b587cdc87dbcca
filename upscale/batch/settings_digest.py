"""The settings that decide what is in an output, as a digest, so that outputs made with other settings are recognised."""

import zlib
from typing import TYPE_CHECKING, Any

from upscale.batch.options import Options

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from upscale.kernels.kernel import Kernel
    from upscale.operators.methods import Request

#: Options that decide an output's content, besides the factor and the kernel.
_DECIDING = (
    *("method", "output_padding", "dilation", "edge", "linear", "background", "depth", "to_rgb", "quality"),
    *("lossless", "compression", "frame", "layout"),
)


def settings_digest(options: Options, request: "Request", target: str) -> str:
    """Compute a digest of the method, the factor, the kernel's contents, and the options that decide what is in an output.

    Parameters
    ----------
    options : Options
    request : Request
    target : str
        The name of the output's format.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    settings: list[Any] = [(name, getattr(options, name)) for name in _DECIDING]
    settings += [request.factor, target]
    if request.earlier:
        settings.append([one.factor for one in request.earlier])
    if request.reduced is not None:
        settings.append(request.reduced)
    if request.tiles is not None and request.operator is not None:
        settings.append(tuple(request.tiles[:4]))
    if request.operator is not None:
        kernel = request.operator.kernel
        settings += [request.operator.padding, kernel.normalized, kernel.groups]
        settings.append(None if kernel.bias is None else kernel.bias.tolist())
        assert options.kernel is not None
        if options.kernel.kind in ("preset", "shipped"):
            settings.append(options.kernel.text)
        else:
            settings += [_checksum(kernel.weights), *map(_checksum, _added_arrays(kernel))]
    text = repr(settings).encode()
    # Not a cryptographic digest, whose library takes longer to import than a sprite to enlarge.
    return f"{zlib.crc32(text):08x}{zlib.crc32(text[::-1]):08x}"


def _added_arrays(kernel: "Kernel") -> "list[NDArray[Any]]":
    """List the arrays of an adaptive or a deep kernel."""
    if (layers := kernel.layers) is not None:
        return [*layers.convolutions, *layers.slopes, *layers.biases, layers.weights]
    if (chain := kernel.chain) is not None:
        return [*chain.weights, *chain.biases, *chain.slopes]
    if (corrections := kernel.corrections) is not None:
        return [corrections.compared, corrections.thresholds, corrections.leaves, corrections.weights * corrections.unit]
    return []


def _checksum(array: "NDArray[Any]") -> tuple[tuple[int, ...], int]:
    return array.shape, zlib.crc32(array.tobytes())

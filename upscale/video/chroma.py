r"""Where chroma samples lie, and the kernels that keep them there when a frame is enlarged.

Positions along an axis are measured from the frame's edge. A luma sample is the middle of its pixel: number ``x`` lies at
``x + 1/2``, and after an enlargement by ``f``, number ``X`` lies at ``(X + 1/2) / f`` of the input's luma pixels. Where ``s``
luma samples share a chroma sample, chroma sample ``c`` lies at ``c + 1/2 + d``, in distances between chroma samples. ``d`` is
the siting: 0 in the middle of the luma samples, ``1 / (2 s) - 1/2`` on the first of them. So for left-sited 4:2:0
(``C420mpeg2``), ``d = -1/4``, and ``c`` lies on luma sample ``2 c``.

The enlarged chroma plane has its own siting ``D``, and is ``g`` times as large: ``D = d`` and ``g = f`` where the subsampling
stays, ``D = 0`` and ``g = f s`` where chroma becomes as large as luma. Its sample ``C`` lies at ``(C + 1/2 + D) / g``, where
the input has the chroma sample of the number

.. math:: c = \frac{C + 1/2 + D}{g} - \frac12 - d = \left(\frac{C + 1/2}{g} - \frac12\right) + \left(\frac{D}{g} - d\right)

The first bracket is where an ordinary enlargement samples the picture; the second one is the shift that chroma needs in
addition. It is 0 for chroma in the middle, if the subsampling stays. For left-sited chroma at factor 2 it is 1/8 of an input
sample: without it, chroma would lie 1/4 of an output sample too far to the right, and more at larger factors. A preset is a
function of distance, so its kernel is sampled with the shift.

nn cannot shift. It treats a chroma sample as the colour of the block of luma pixels that share it, as players do that duplicate
chroma: in such a player, the enlarged frame has exactly the colours of the frame before, in larger blocks, whatever the siting.
"""

import math

import numpy as np

from upscale.errors import ArgumentError
from upscale.kernels.kernel import Kernel
from upscale.kernels.presets import PRESETS, Filter
from upscale.operators.chain_stage import kernel_of_others
from upscale.operators.methods import Request
from upscale.operators.parameters import Operator
from upscale.video.layout import Layout

#: What enlarges chroma where the kernel itself cannot, in messages.
_OTHER = "bicubic"


def check_request(request: Request, layout: Layout) -> None:
    """Check that a request can be fulfilled for planes of luma and chroma.

    Raises
    ------
    ArgumentError
        Where it cannot.
    """
    operator = request.operator
    if request.reduced is not None:
        raise ArgumentError("a video can only be enlarged by whole factors; --fit chooses the largest one that fits")
    if request.earlier:
        raise ArgumentError("a video can only be enlarged by a factor that the kernel itself has, in one step")
    if request.tiles is not None and operator is not None:
        raise ArgumentError("--tile is not supported for video")
    if request.linear:
        raise ArgumentError("--linear is not supported for video, whose samples are luma and chroma")
    if operator is None:
        return
    kernel = operator.kernel
    if layout.planes == 4:
        raise ArgumentError("a video with alpha can only be enlarged by nn; remove its alpha, or --kernel")
    if (kernel.chain is None and operator.padding != "same") or operator.size(layout.size) != _larger(layout.size, request):
        raise ArgumentError("video needs --padding same, so that luma and chroma stay aligned")
    if kernel.channels not in (None, (1, 1)):
        raise ArgumentError("the kernel mixes colour channels, which a video does not have; use a kernel of 2 dimensions")
    if kernel.bias is not None and kernel.chain is None:
        raise ArgumentError("video does not support a bias, which would tint chroma; remove --bias")
    if kernel.chain is None and not kernel.normalized and layout.planes > 1:
        raise ArgumentError("video with chroma needs a normalised kernel, or its colours would change; add --normalize")


def _larger(size: tuple[int, int], request: Request) -> tuple[int, int]:
    return size[0] * request.factor[0], size[1] * request.factor[1]


def chroma_request(request: Request, layout: Layout, result: Layout) -> tuple[Request, str]:
    """Find how a frame's chroma planes are enlarged.

    Parameters
    ----------
    request : Request
        For luma.
    layout, result : Layout
        Of the frames before and after.

    Returns
    -------
    (Request, str)
        For chroma, and a note for the user, which may be empty: that it is not enlarged by the kernel that was asked for.
    """
    down, across = (request.factor[i] * layout.subsampling[i] // result.subsampling[i] for i in (0, 1))
    scales = (down, across)
    operator = request.operator
    if operator is None:
        return Request(scales), ""
    kernel, filter = operator.kernel, operator.kernel.filter
    if not operator.mixes_neighbours:  # it duplicates, as nn does
        return Request(scales, operator._replace(kernel=Kernel.preset(Filter("box", 0.0), scales), factor=scales)), ""
    shifts = [result.siting[i] / scales[i] - layout.siting[i] for i in (0, 1)]
    moves = scales != request.factor or any(shifts)
    if not moves and kernel.channels is None and kernel.corrections is None and kernel.layers is None:
        return request, ""
    if filter is not None:
        shifted = _shifted(filter, scales, shifts)
        return Request(scales, operator._replace(kernel=shifted, factor=scales)), ""
    others = kernel_of_others(scales)
    if any(shifts):
        others_filter = others.filter
        assert others_filter is not None
        others = _shifted(others_filter, scales, shifts)
    # A network sees luma only, in pictures too; another kernel has no values between its weights.
    why = (
        ""
        if kernel.channels is not None or kernel.layers is not None or kernel.corrections is not None
        else _why(layout, result)
    )
    note = f"chroma is enlarged by {_OTHER}, since {why}" if why else ""
    return Request(scales, Operator(others, scales, edge=operator.edge)), note


def _why(layout: Layout, result: Layout) -> str:
    if layout.subsampling != result.subsampling:
        return "the kernel is made for luma's factor alone"
    return "only presets can be sampled where its siting needs it"


def _shifted(filter: Filter, factor: tuple[int, int], shifts: "list[float]") -> Kernel:
    """Sample a preset so that what it computes lies further down and right in the input, by so many input samples."""
    vertical, horizontal = (shifted_taps(filter, factor[i], shifts[i]) for i in (0, 1))
    return Kernel(np.outer(vertical, horizontal), normalized=True, factor=factor)


def shifted_taps(filter: Filter, factor: int, shift: float) -> "list[float]":
    """Return the taps of a preset's kernel along one axis that samples the input at positions moved by a shift.

    Parameters
    ----------
    filter : Filter
    factor : int
    shift : float
        In input samples; positive ones lie further on.

    Examples
    --------
    >>> shifted_taps(Filter("bilinear", 0.0), 2, 0.0)
    [0.25, 0.75, 0.75, 0.25]
    >>> shifted_taps(Filter("bilinear", 0.0), 2, 0.25)
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.0]
    """
    if not shift:
        return filter.sample(factor)
    # As many taps more at both ends, so that `same` padding crops both sides equally, as without the shift.
    length = filter.length(factor) + 2 * math.ceil(abs(shift) * factor)
    preset = PRESETS[filter.name]
    support = preset.support(filter.parameter)
    distances = [abs((i - (length - 1) / 2) / factor + shift) for i in range(length)]
    return [preset.value(x, filter.parameter) if x <= support else 0.0 for x in distances]

"""The keyword options of `enlarge_file` and `enlarge_files`, and what they are as `Options`."""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from upscale.argument_checks import factor_pair, is_same_padding, paddings, pair
from upscale.batch.options import Options
from upscale.choices import (
    CHROMAS,
    CODECS,
    COMPRESSIONS,
    EDGES,
    ENGINES,
    LAYOUTS,
    MOST_OUTPUT_PIXELS,
    MOST_PIXELS,
    EdgeName,
    EngineName,
    Padding,
    Pair,
    parse_colour,
)
from upscale.errors import ArgumentError
from upscale.kernels.kernel_spec import KernelSpec, given_kernel, parse_kernel
from upscale.operators.methods import ONLY_TCONV, choose_method
from upscale.suggestions import closest, did_you_mean
from upscale.target_size import asked_size
from upscale.tile_grid import asked_tiles

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from upscale.kernels.kernel import Kernel


class FileOptions(TypedDict, total=False):
    """The options of `enlarge_file` and `enlarge_files`, with the defaults and the meanings of the command's.

    Attributes
    ----------
    size : (height, width) or str
    fit : (height, width)
    megapixels : float
        In place of a factor, as of `enlarge`.
    tile : (height, width), (height, width, spacing) or (height, width, spacing, margin)
        As of `enlarge`; makes "replicate" the default of `edge`.
    padding : "same", int, (int, int) or ((top, bottom), (left, right))
    output_padding, dilation : int or (int, int)
    groups : int
    bias : float or sequence of float
    edge : {"zero", "replicate", "reflect", "wrap"}
    normalize : bool
    linear : bool
        These are for tconv, as of `enlarge` and `conv_transpose2d`.
    format : str
        Of the output, such as "png", where its name does not say it.
    quality : int
        0 to 100, of JPEG, WebP, AVIF and JPEG XL.
    lossless : bool
        Of WebP, AVIF and JPEG XL.
    compression : {"balanced", "fast", "small"}
        Of PNG and TIFF.
    depth : {8, 16}
        Bits a sample: round to 8, or convert to 16 before filtering.
    background : str or (int, int, int)
        Flatten transparency onto this colour: "#rrggbb", a simple name, or red, green and blue from 0 to 255.
    to_rgb : bool
        Convert CMYK, Lab and other colour models by the embedded profile.
    strip : bool
        Drop all metadata except colour information.
    frame : int
        One frame of an animation, or one page, from 0.
    layout : {"hwc", "chw"}
        Of .npy arrays.
    chroma : {"same", "444"}
        Of videos: subsampled as it is, or as large as luma.
    codec : {"h264", "h265", "vp9", "av1", "ffv1"}
    crf : int
        Of videos such as .mp4; the quality, where less is better.
    skip_existing, update, no_overwrite, overwrite : bool
        What becomes of an output that is there already.
    engine : {"auto", "numba", "numpy"}
    reject_truncated : bool
        Refuse inputs that end too early, even where viewers show them.
    max_pixels, max_output_pixels : int
        Larger inputs and outputs are refused.
    max_memory : int
        Bytes.
    """

    size: tuple[int | None, int | None] | str | None
    fit: tuple[int | None, int | None] | None
    megapixels: float | None
    tile: Sequence[int] | None
    padding: Padding | None
    output_padding: Pair
    dilation: Pair
    groups: int | None
    bias: float | Sequence[float] | None
    edge: EdgeName
    normalize: bool | None
    linear: bool
    format: str | None
    quality: int | None
    lossless: bool
    compression: Literal["balanced", "fast", "small"]
    depth: Literal[8, 16] | None
    background: str | tuple[int, int, int] | None
    to_rgb: bool
    strip: bool
    frame: int | None
    layout: Literal["hwc", "chw"]
    chroma: Literal["same", "444"]
    codec: Literal["h264", "h265", "vp9", "av1", "ffv1"] | None
    crf: int | None
    skip_existing: bool
    update: bool
    no_overwrite: bool
    overwrite: bool
    engine: EngineName
    reject_truncated: bool
    max_pixels: int
    max_output_pixels: int
    max_memory: int | None


#: Of the options that have a default other than None, False or no value.
_DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(Options._fields),
    **dict.fromkeys(
        (
            *("linear", "to_rgb", "lossless", "strip", "skip_existing", "update", "no_overwrite", "overwrite", "dry_run"),
            "reject_truncated",
        ),
        False,
    ),
    "output_padding": (0, 0),
    "dilation": (1, 1),
    "edge": "zero",
    "compression": "balanced",
    "layout": "hwc",
    "chroma": "same",
    "engine": "auto",
    "max_pixels": MOST_PIXELS,
    "max_output_pixels": MOST_OUTPUT_PIXELS,
}
_CHOICES: dict[str, tuple[Any, ...]] = {
    "edge": EDGES,
    "compression": COMPRESSIONS,
    "layout": LAYOUTS,
    "chroma": CHROMAS,
    "codec": (None, *CODECS),
    "engine": ENGINES,
    "depth": (None, 8, 16),
}
#: Least and greatest value of whole numbers, of which None is one too.
_RANGES = {"quality": (0, 100), "crf": (0, 63), "frame": (0, 1 << 31), "groups": (1, 1 << 31)}
_RANGES |= dict.fromkeys(("max_pixels", "max_output_pixels", "max_memory"), (1, 1 << 62))
_OF_TCONV = ("padding", "output_padding", "dilation", "groups", "bias", "edge", "normalize", "linear")


def make_options(
    factor: int | tuple[int, int] | None,
    method: str | None,
    kernel: "str | os.PathLike[str] | Kernel | ArrayLike | None",
    given: Mapping[str, Any],
) -> Options:
    """Make `Options` of the arguments of a public function.

    Parameters
    ----------
    factor : int or (int, int), optional
    method : str, optional
        By default nn, or tconv if there is a kernel.
    kernel : str, path, Kernel or array, optional
    given : mapping
        As of `FileOptions`; `format` is left out.

    Raises
    ------
    ArgumentError
        Where a value cannot work.
    TypeError
        Where there is no such option.
    """
    unknown = next((name for name in given if name not in FileOptions.__annotations__), None)
    if unknown is not None:
        raise TypeError(f"there is no option {unknown!r}{did_you_mean(closest(unknown, FileOptions.__annotations__))}")
    method = choose_method(method, has_kernel=kernel is not None)
    values = _DEFAULTS | {name: _checked(name, value) for name, value in given.items() if name != "format"}
    if values["tile"] is not None and "edge" not in given:
        values["edge"] = "replicate"
    if method == "nn" and any(values[name] not in (_DEFAULTS[name], None, "same") for name in _OF_TCONV):
        raise ArgumentError(ONLY_TCONV)
    sizes = {name: value for name in ("size", "fit", "megapixels") if (value := values.pop(name, None)) is not None}
    values |= {
        "method": method,
        "kernel": None if kernel is None else _spec(kernel),
        "factor": None if factor is None else factor_pair(factor),
        "target_size": asked_size(factor, **sizes),
    }
    return Options(**values)


def _checked(name: str, value: Any) -> Any:
    """Check the value of an option and make it what `Options` has."""
    if name in _CHOICES and value not in _CHOICES[name]:
        raise ArgumentError(f"{name} must be one of {', '.join(map(repr, _CHOICES[name]))}, not {value!r}")
    if name in _RANGES and value is not None:
        least, greatest = _RANGES[name]
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= greatest:
            raise ArgumentError(f"{name} must be a whole number from {least} to {greatest}, not {value!r}")
    if name in ("output_padding", "dilation"):
        return pair(value, name)
    if name == "tile":
        return None if value is None else asked_tiles(value)
    if name == "padding":
        return None if value is None else "same" if is_same_padding(value) else paddings(value)
    if name == "background" and value is not None:
        return parse_colour(value) if isinstance(value, str) else _colour(value)
    if name == "bias" and value is not None:
        return (float(value),) if isinstance(value, int | float) else tuple(float(v) for v in value)
    return value


def _colour(value: Any) -> tuple[int, int, int]:
    colour = tuple(value) if isinstance(value, Sequence) else ()
    if len(colour) != 3 or not all(isinstance(v, int) and 0 <= v <= 255 for v in colour):
        raise ArgumentError(f"background must be a string or three whole numbers from 0 to 255, not {value!r}")
    return colour


def _spec(kernel: Any) -> KernelSpec:
    if isinstance(kernel, str | os.PathLike):
        return parse_kernel(os.fspath(kernel))
    from upscale.kernels.kernel import Kernel

    return given_kernel(kernel if isinstance(kernel, Kernel) else Kernel(kernel))

"""The values of the command line's options that matter for each file."""

from typing import TYPE_CHECKING, Any, NamedTuple

from upscale.pictures.formats import Format

if TYPE_CHECKING:
    from upscale.kernels.kernel_spec import KernelSpec
    from upscale.target_size import TargetSize
    from upscale.tile_grid import TileGrid


class Options(NamedTuple):
    """The values of the command's options that matter for each picture, by their names."""

    method: str
    factor: tuple[int, int] | None
    target_size: "TargetSize | None"
    tile: "TileGrid | None"
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
    chroma: str
    codec: str | None
    crf: int | None
    engine: str
    skip_existing: bool
    update: bool
    no_overwrite: bool
    overwrite: bool
    dry_run: bool
    reject_truncated: bool
    max_pixels: int
    max_output_pixels: int
    max_memory: int | None


#: Formats that lose something by choice.
_LOSSY = ("JPEG", "WebP", "AVIF", "JPEG XL")


def unused_option(options: Options, target: Format) -> str:
    """Return why an option does not go with an output's format; an empty text where all do."""
    if options.chroma != "same" and not target.video:
        return f"--chroma does not apply to {target.name}, only to video"
    if not target.video or target.name == "YUV4MPEG2":
        given = next((name for name in ("codec", "crf") if getattr(options, name) is not None), "")
        if given:
            return f"--{given} does not apply to {target.name}, only to videos such as .mp4 and .mkv"
    if options.lossless and target.name == "JPEG":
        return "--lossless: JPEG is always lossy; write .png or .webp"
    if options.quality is not None and target.name not in _LOSSY:
        return f"--quality does not apply to {target.name}, only to {', '.join(_LOSSY)}"
    if options.compression != "balanced" and target.name not in ("PNG", "TIFF"):
        return f"--compression does not apply to {target.name}, only to PNG and TIFF"
    return ""

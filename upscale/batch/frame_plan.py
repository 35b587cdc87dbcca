"""How the frames of one file become those of another: decided from what the file says, before anything is decoded."""

from typing import TYPE_CHECKING, NamedTuple

from upscale.batch.options import Options
from upscale.errors import ArgumentError, FileError
from upscale.pictures import formats
from upscale.pictures.adapt_to_format import ConversionOptions
from upscale.pictures.picture import FileContents

if TYPE_CHECKING:
    from upscale.operators.methods import Request

#: Bytes of bands under way.
_BANDS = 1 << 27


class FramePlan(NamedTuple):
    """What becomes of a file's frames.

    Attributes
    ----------
    total : int
        How many frames are written.
    as_parts : bool
        Whether the parts of an animation are enlarged as they are stored, and not the pictures that they make on the canvas.
    plays : int or None
        How often the output is played, 0 for ever; None where it is no animation.
    size : (int, int)
        Height and width of the output's first picture, in pixels.
    memory : int
        Bytes that it takes at most, roughly.
    notes : tuple of str
        What the user should know.
    """

    total: int
    as_parts: bool
    plays: int | None
    size: tuple[int, int]
    memory: int
    notes: tuple[str, ...]


def conversions(options: Options) -> ConversionOptions:
    """Collect the conversions that the user asks for."""
    return ConversionOptions(options.background, options.depth, options.to_rgb)


def plan_frames(name: str, contents: FileContents, request: "Request", target: formats.Format, options: Options) -> FramePlan:
    """Plan what becomes of a file's frames.

    Parameters
    ----------
    name : str
        What messages call the file.
    contents : FileContents
    request : Request
    target : Format
    options : Options

    Raises
    ------
    FileError
        Where the target cannot store them, or the padding crops all of them.
    """
    total, notes = _total(name, contents, target, options.frame)
    if options.lossless and target.name == "AVIF" and total > 1:
        raise FileError(f"{name}: --lossless: animated AVIF is always lossy; write .png or .webp")
    # The very same parts on a larger canvas are the very same animation, to the last index and tick. GIF's have palettes,
    # in which nothing can be mixed.
    alone = request.operator is None or not (target.palette_only or request.operator.mixes_neighbours or request.reduced)
    as_parts = (
        contents.parts is not None
        and target.pillow == contents.format
        and alone
        and options.frame is None
        and conversions(options) == ConversionOptions()
        and contents.orientation == 1  # or parts would have to be turned about the canvas
    )
    animated = contents.kind == target.several == "animation" and options.frame is None
    try:
        size = request.size(contents.upright_size)
    except ArgumentError as error:
        raise FileError(f"{name}: {error}") from error
    memory = _memory(contents, request, target, size, options.frame)
    return FramePlan(total, as_parts, contents.plays if animated else None, size, memory, notes)


def _total(name: str, contents: FileContents, target: formats.Format, frame: int | None) -> tuple[int, tuple[str, ...]]:
    """Count the frames that are written, and note what a user may not expect."""
    if frame is not None:
        if contents.format == formats.NPY.pillow:
            raise FileError(f"{name}: is an array, which has no frames; remove --frame")
        if not 0 <= frame < contents.total:
            has = "its only frame is 0" if contents.total == 1 else f"its frames are 0 to {contents.total - 1}"
            raise FileError(f"{name}: has no frame {frame}; {has}")
        return 1, ()
    if contents.total == 1:
        return 1, ()
    if contents.kind in ("sizes", "views") and contents.kind != target.several:
        which = "largest" if contents.kind == "sizes" else "first"
        return 1, (f"has {contents.total} pictures; the {which} was used. --frame N chooses another",)
    if contents.kind != target.several:
        raise FileError(
            f"{name}: has {contents.total} {'pages' if contents.kind == 'pages' else 'frames'}, but "
            f"{target.name} stores only one; choose one with --frame N (0 to {contents.total - 1})"
        )
    if contents.format != target.pillow and contents.kind == "pages":
        return contents.total, (f"becomes a {target.name} file with {contents.total} pages",)
    if contents.format != target.pillow:
        kind = "an animated PNG (APNG)" if target.name == "PNG" else f"an animated {target.name}"
        return contents.total, (f"becomes {kind} with {contents.total} frames",)
    return contents.total, ()


def _memory(
    contents: FileContents, request: "Request", target: formats.Format, size: tuple[int, int], frame: int | None
) -> int:
    """Estimate the bytes that the input and the output take at most."""
    pixel, pixels = contents.pixel_bytes, size[0] * size[1]
    source = contents.size[0] * contents.size[1] * pixel
    before = contents.upright_size
    for one in request.earlier:
        before = one.size(before)
        source += before[0] * before[1] * pixel
    if request.tiles is not None and request.operator is not None:
        from upscale.operators.tiled_plan import laid_out_size

        laid_out = laid_out_size(request.operator, request.tiles, before)
        source += laid_out[0] * laid_out[1] * pixel
    if target.streamed:
        return 2 * source + min(_BANDS, 4 * pixels * pixel)
    if request.operator is not None and (target == formats.NPY or pixel == 1):
        pixel *= 4
    # Pillow keeps a copy of its own to encode, with colours in 4 bytes a pixel.
    kept = contents.total if target.kept_until_end and frame is None else 1
    return source + kept * pixels * (pixel if target == formats.NPY else pixel + (4 if pixel == 3 else pixel))

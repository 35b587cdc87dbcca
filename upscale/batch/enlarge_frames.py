"""The frames of one file, one after another: converted to what the output's format supports, enlarged, encoded."""

import contextlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from upscale import threads
from upscale.batch.frame_plan import FramePlan, conversions
from upscale.batch.options import Options
from upscale.batch.run_log import RunLog
from upscale.batch.task import Task
from upscale.errors import ArgumentError, FileError, KernelError
from upscale.kernels.normalize import phase_sums
from upscale.operators.enlarge_picture import CLIPPED, Enlargement
from upscale.operators.methods import Request
from upscale.operators.requests import Requests
from upscale.pictures import formats, metadata, mode_conversion, reading, writing
from upscale.pictures.adapt_to_format import ConversionOptions, adapt, apply_options, restore_colour_key
from upscale.pictures.orientation import orientation, upright
from upscale.pictures.picture import FileContents, Frame, Picture
from upscale.pictures.write_options import WriteOptions

if TYPE_CHECKING:
    from upscale.pictures.row_stream import RowStream

#: Bytes of a band, for writers that take them one after another.
_BAND = 1 << 22


class FileRun(NamedTuple):
    """One file on its way: all that is known before its first frame is decoded.

    Attributes
    ----------
    task : Task
    options : Options
    request : Request
    target : Format
    contents : FileContents
    plan : FramePlan
    log : RunLog
    requests : Requests
        For the file's further pictures, where these have sizes of their own.
    numba : bool
        Whether Numba is the engine that will be chosen, or has been started for it.
    """

    task: Task
    options: Options
    request: Request
    target: formats.Format
    contents: FileContents
    plan: FramePlan
    log: RunLog
    requests: Requests
    numba: bool = False


class Prepared(NamedTuple):
    """A frame's picture, ready to be enlarged.

    Attributes
    ----------
    picture : Picture
    original : Picture
        Before it was converted to be filtered and stored: its palette and its colour key may serve the result again.
    """

    picture: Picture
    original: Picture


def enlarge_frames(run: FileRun, source: reading.Source, file: BinaryIO) -> tuple[int, int]:
    """Decode, enlarge and encode all frames.

    Parameters
    ----------
    run : FileRun
    source : reading.Source
    file : binary file
        Empty and seekable; stays open.

    Returns
    -------
    (int, int)
        Height and width of the output.

    Raises
    ------
    FileError
        Where a frame cannot be decoded, enlarged or encoded.
    """
    streamed = source.stream() if _is_streamable(run) else None
    if streamed is None:
        return _enlarge_frames(run, source, source.frames(_frames_of(run)), file)
    picture, stream = streamed
    with contextlib.closing(stream):
        return _enlarge_frames(run, source, iter([Frame(picture)]), file, stream)


def _is_streamable(run: FileRun) -> bool:
    """Return whether nothing but the enlargement looks at the samples, so that they need not all be there at once."""
    operator = run.request.operator
    return (
        run.numba
        and not run.request.earlier
        and run.request.tiles is None
        and run.target.streamed
        and run.options.frame is None
        and run.contents.orientation == 1
        and conversions(run.options) == ConversionOptions()
        # Alpha is taken out of the whole picture where it needs a kernel of its own.
        and (operator is None or (operator.kernel.normalized and operator.kernel.channels is None))
    )


def _enlarge_frames(
    run: FileRun, source: reading.Source, frames: Iterator[Frame], file: BinaryIO, stream: "RowStream | None" = None
) -> tuple[int, int]:
    writer: Any = None
    clipped, size = 0.0, (0, 0)
    for number in range(run.plan.total):
        with run.log.stage("read"):
            frame = next(frames, None)
        if frame is None:
            raise FileError(f"{run.task.name}: damaged: frame {number} is missing")
        with run.log.notices:
            prepared, enlargement = _planned(run, frame.picture, stream)
            vertical, horizontal = run.request.factor  # of parts that are enlarged as they are stored
            frame = frame._replace(left=frame.left * horizontal, top=frame.top * vertical)
            with writing.encoder_errors(run.task.output):
                if writer is None:
                    size = run.request.size(run.contents.size) if run.plan.as_parts else enlargement.size
                    writer = _writer(run, file, size, enlargement)
                    _add_cover(run, source, writer)
                _add(run, writer, frame, prepared, enlargement)
        clipped = max(clipped, enlargement.clipped)
    with run.log.stage("write"), writing.encoder_errors(run.task.output):
        writer.close()
    if clipped > CLIPPED:
        assert run.options.kernel is not None
        run.log.note(_clipping(clipped, run.request, run.options.kernel.label, run.plan.total))
    return size


def _frames_of(run: FileRun) -> Callable[[], Iterator[Frame]]:
    """Choose what is decoded: parts as they are stored, or the pictures that a viewer shows."""
    contents, wanted = run.contents, run.options.frame
    if run.plan.as_parts:
        assert contents.parts is not None
        return contents.parts
    return contents.frames if wanted is None else lambda: islice(contents.frames(), wanted, None)


def _writer(run: FileRun, file: BinaryIO, size: tuple[int, int], enlargement: Enlargement) -> Any:
    options = run.options
    settings = WriteOptions(
        size,
        run.plan.total,
        run.plan.plays,
        options.quality,
        options.lossless,
        options.compression,
        smooth=run.request.operator is not None,
        strip=options.strip,
        extras=run.contents.extras if run.plan.as_parts else b"",
        loops=enlargement.png_loops,
        threads=threads.count(),
        note=run.log.note,
    )
    return writing.make_writer(run.target, file, settings)


def _planned(run: FileRun, picture: Picture, stream: "RowStream | None" = None) -> tuple[Prepared, Enlargement]:
    """Prepare a frame and plan its enlargement; what the output cannot store is reported before the work."""
    floats, png = run.target == formats.NPY, run.target.name == "PNG"
    try:
        run = _with_request_for(run, picture)
        prepared = _prepare(run, picture)
        if stream is not None and prepared.picture.samples is not stream.samples:  # they were converted, before they were there
            stream.decode_whole()
            prepared, stream = _prepare(run, picture), None
        enlargement = Enlargement(
            prepared.picture,
            run.request,
            run.options.engine,
            floats=floats,
            png=png,
            watch=run.log.use_engine,
            stream=stream,
        )
    except ArgumentError as error:
        raise _explained(run, error) from error
    for note in enlargement.notes:
        run.log.note(note)
    return prepared, enlargement


def _with_request_for(run: FileRun, picture: Picture) -> FileRun:
    """Give pages and icons of different sizes the factors that make the size that is asked for."""
    if run.requests.fixed is not None or run.contents.kind not in ("pages", "sizes", "views"):
        return run
    height, width = picture.samples.shape[:2]
    upright_size = (height, width) if orientation(picture.info) < 5 else (width, height)
    return run._replace(request=run.requests.of(upright_size))


def _explained(run: FileRun, error: ArgumentError) -> Exception:
    """Name the file, and the kernel as the user calls it, in an error about a frame."""
    kernel, text = run.options.kernel, str(error)
    if kernel is not None:
        if isinstance(error, KernelError) and kernel.kind == "typed":
            return error
        text = text.replace("the kernel", f"the kernel {kernel.label}", 1)
    return FileError(f"{run.task.name}: {text}")


def _prepare(run: FileRun, picture: Picture) -> Prepared:
    """Turn a picture upright and convert it to what is filtered and stored."""
    note, target, as_parts = run.log.note, run.target, run.plan.as_parts
    turned = run.contents.orientation if run.contents.kind == "animation" else orientation(picture.info)
    picture = upright(picture, turned)
    picture = metadata.update_for_enlargement(picture, run.request.size(picture.samples.shape[:2]), turned != 1, note)
    if run.options.strip:
        picture = metadata.stripped(picture)
    picture = original = apply_options(picture, conversions(run.options))
    if run.request.operator is not None:
        picture = mode_conversion.filterable(picture)
    picture = adapt(picture, target)
    if target.palette_only and run.request.operator is None and not as_parts:
        picture = _quantized(run, picture, original)  # before it is enlarged, so that each block stays one colour
    if target.one_mode and run.plan.plays is not None and not as_parts:
        picture = mode_conversion.to_rgba(picture)  # all frames need one mode
    if picture.mode == "P" and "bits" not in picture.info:
        picture = picture.with_info(bits=_index_bits(picture))
    return Prepared(metadata.keep_supported(picture, target, note), original)


def _quantized(run: FileRun, picture: Picture, original: Picture) -> Picture:
    from upscale.pictures.quantize import quantize

    picture, lost = quantize(picture, original)
    if lost:
        run.log.note(lost)
    return picture


def _add_cover(run: FileRun, source: reading.Source, writer: Any) -> None:
    """Encode the picture of an animation that is no frame of it."""
    cover = run.contents.cover
    if cover is None or run.options.frame is not None:
        return
    if not run.target.cover:
        run.log.note(
            f"its still picture, which is not one of its frames, was dropped, because {run.target.name} cannot store it"
        )
        return
    writer.add_cover(_planned(run, source.decoded(cover))[1].whole())


def _add(run: FileRun, writer: Any, frame: Frame, prepared: Prepared, enlargement: Enlargement) -> None:
    """Compute and encode one frame, in bands where the format takes them."""
    result, target, blocks = enlargement.result, run.target, enlargement.blocks
    keyed = (
        blocks is None
        and prepared.original.base in ("L", "RGB")
        and "transparency" in prepared.original.info
        and target.colour_key
        and run.plan.plays is None
        and result.base in ("LA", "RGBA")
    )
    if target.streamed and result.mode in target.modes and not keyed:
        with run.log.stage("enlarge and write"):
            if target.blocks:
                bands = enlargement.bands(writer.band_bytes(result))
                writer.add_bands(frame._replace(picture=result), bands, enlargement.size, blocks or (1, 1))
            else:
                writer.add_bands(frame._replace(picture=result), enlargement.computed_bands(_BAND), enlargement.size)
        return
    with run.log.stage("enlarge"):
        picture = enlargement.whole()
    try:
        picture = restore_colour_key(picture, prepared.original) if keyed else adapt(picture, target)
        if target.palette_only and not run.plan.as_parts:
            picture = _quantized(run, picture, prepared.original)
    except ArgumentError as error:
        raise _explained(run, error) from error
    with run.log.stage("write"):
        writer.add(frame._replace(picture=picture))


def _index_bits(picture: Picture) -> int:
    """Find the fewest bits that store a picture's indices and the size of its palette."""
    most = max(int(picture.samples.max()), len(picture.palette) - 1 if picture.palette is not None else 0)
    return next(bits for bits in (1, 2, 4, 8) if most < 1 << bits)


def _clipping(share: float, request: Request, label: str, frames: int) -> str:
    """Describe how much was clipped, of the frame with the most, and what would help.

    Parameters
    ----------
    share : float
        0 to 1.
    request : Request
    label : str
        What the user calls the kernel.
    frames : int
    """
    assert request.operator is not None
    kernel, (vertical, horizontal) = request.operator.kernel, request.operator.factor
    clipped = (
        f"{share:.1%} of the samples were clipped" if frames == 1 else f"up to {share:.1%} of a frame's samples were clipped"
    )
    if kernel.normalized:
        softer = "mitchell overshoots less" if label != "mitchell" else "bilinear does not overshoot"
        help = f"--kernel {softer}" if kernel.bias is None else "a smaller --bias clips less"
        return f"{clipped}, because the kernel overshoots at edges; {help}"
    height, width = kernel.shape
    gains = phase_sums(kernel.weights, (min(vertical, height), min(horizontal, width)), kernel.groups)
    low, high = float(gains.min()), float(gains.max())
    if max(abs(low), abs(high)) <= 1e-6:
        return f"{clipped}: the kernel's weights sum to 0; --bias 0.5 makes negative results visible"
    if max(abs(low - 1), abs(high - 1)) <= 1e-6:
        return f"{clipped}, because the kernel overshoots at edges"
    gain = f"{high:.3g}" if high - low <= 1e-6 else f"{low:.3g} to {high:.3g}"
    reaches = height >= vertical and width >= horizontal
    help = "--normalize keeps brightness" if reaches else f"a kernel of at least {horizontal}x{vertical} can be normalised"
    return f"{clipped}: the kernel makes pictures {gain} times as bright; {help}"

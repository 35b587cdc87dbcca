"""Frame by frame from a file that is read into one that is written: fitted, enlarged, encoded."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

from upscale import threads
from upscale.errors import ArgumentError, FileError, KernelError
from upscale.operators.enlarge import CLIPPED, Enlarging, Request
from upscale.pictures import adapt_to_format, formats, metadata, mode_conversion, reading, writing
from upscale.pictures.orientation import orientation, upright
from upscale.pictures.picture import FileContents, Frame, Picture
from upscale.pictures.write_options import WriteOptions

if TYPE_CHECKING:
    from upscale.batch.enlarge_file import Job

#: Bytes of a band that is computed in one go.
_BAND = 1 << 24


class Transfer:
    """The frames of one file on their way into another.

    Parameters
    ----------
    job : Job
    source : Source
    request : Request
    target : Format

    Attributes
    ----------
    size : (int, int)
        Height and width of what was written.
    total : int
        How many frames.

    Raises
    ------
    FileError
        Where the target cannot hold them.
    """

    def __init__(self, job: "Job", source: reading.Source, request: Request, target: formats.Format) -> None:
        self._job, self._source, self._request, self._target = job, source, request, target
        self._options, self._note = job.options, job.note
        self._contents = contents = source.contents
        self._wishes = adapt_to_format.ConversionOptions(self._options.background, self._options.depth, self._options.to_rgb)
        self.size: tuple[int, ...] = (0, 0)
        self.total = self._total_of(contents)
        # The very same parts on a larger canvas are the very same animation, to the last index and tick. GIF's have
        # palettes, in which nothing can be mixed.
        alone = request.operator is None or (target.name == "PNG" and not request.operator.mixes)
        self._as_parts = (
            contents.parts is not None and target.pillow == contents.format and alone
            and self._options.frame is None and self._wishes == adapt_to_format.ConversionOptions()
            and contents.orientation == 1  # or parts would have to be turned about the canvas
        )  # fmt: skip
        animated = contents.kind == target.several == "animation" and self._options.frame is None
        self._plays = contents.plays if animated else None
        self._clipped = 0.0

    def _total_of(self, contents: FileContents) -> int:
        """Say how many frames come out.

        Raises
        ------
        FileError
            Where the target cannot hold them.
        """
        name, frame = self._job.name, self._options.frame
        if frame is not None:
            if contents.format == formats.NPY.pillow:
                raise FileError(f"{name}: --frame: an array has no frames")
            if not 0 <= frame < contents.total:
                raise FileError(f"{name}: --frame {frame}: it has the frames 0 to {contents.total - 1}")
            return 1
        if contents.total == 1:
            return 1
        if contents.kind in ("sizes", "views") and contents.kind != self._target.several:
            which = "largest" if contents.kind == "sizes" else "first"
            self._note(f"holds {contents.total} pictures, of which the {which} was taken: --frame N takes another")
            return 1
        if contents.kind != self._target.several:
            raise FileError(
                f"{name}: has {contents.total} {'pages' if contents.kind == 'pages' else 'frames'}, of which "
                f"{self._target.name} holds one: name it with --frame N (0 to {contents.total - 1})"
            )
        if contents.format != self._target.pillow:
            kind = "an animated PNG (APNG)" if self._target.name == "PNG" else f"an animated {self._target.name}"
            self._note(f"becomes {kind} of {contents.total} frames")
        return contents.total

    def run(self, file: BinaryIO) -> None:
        """Decode, enlarge and encode one frame after another."""
        frames = self._source.frames(self._chosen())
        writer: Any = None
        for number in range(self.total):
            with self._job.stage("read"):
                frame = next(frames, None)
            if frame is None:
                raise FileError(f"{self._job.name}: damaged: frame {number} is missing")
            with self._job.notices:
                enlarging, frame = self._enlarging(frame)
                with writing.encoder_errors(self._job.output):
                    if writer is None:
                        writer = self._writer(file, enlarging)
                        self._add_cover(writer)
                    self._add(writer, frame, enlarging)
        with self._job.stage("write"), writing.encoder_errors(self._job.output):
            writer.close()
        if self._clipped > CLIPPED:
            assert self._options.kernel is not None
            self._note(_clipping(self._clipped, self._request, self._options.kernel.label, self.total))

    def _chosen(self) -> Callable[[], Iterator[Frame]]:
        contents, wanted = self._contents, self._options.frame
        if self._as_parts:
            assert contents.parts is not None
            return contents.parts
        return contents.frames if wanted is None else lambda: islice(contents.frames(), wanted, None)

    def _writer(self, file: BinaryIO, enlarging: Enlarging) -> Any:
        options = self._options
        self.size = self._request.size(self._contents.size) if self._as_parts else enlarging.shape[:2]
        output = WriteOptions(
            (self.size[0], self.size[1]), self.total, self._plays, options.quality, options.lossless,
            options.compression, self._request.operator is not None, options.strip,
            self._contents.extras if self._as_parts else b"",
            enlarging.loops, threads.count(), self._note,
        )  # fmt: skip
        return writing.make_writer(self._target, file, output)

    def _enlarging(self, frame: Frame) -> tuple[Enlarging, Frame]:
        """Convert a frame to what its target holds and plan its enlargement; what cannot be held is told before the work."""
        job, options = self._job, self._options
        try:
            picture = self._prepared(frame.picture)
            enlarging = Enlarging(picture, self._request, options.engine, floats=self._target == formats.NPY, watch=job.watch)
        except ArgumentError as error:
            raise self._explained(error) from error
        for note in enlarging.notes:
            self._note(note)
        vertical, horizontal = self._request.factor
        return enlarging, frame._replace(left=frame.left * horizontal, top=frame.top * vertical)

    def _explained(self, error: ArgumentError) -> Exception:
        kernel, text = self._options.kernel, str(error)
        if kernel is not None:
            if isinstance(error, KernelError) and kernel.kind == "typed":
                return error
            text = text.replace("the kernel", f"the kernel {kernel.label}", 1)
        return FileError(f"{self._job.name}: {text}")

    def _prepared(self, picture: Picture) -> Picture:
        way = self._contents.orientation if self._contents.kind == "animation" else orientation(picture.info)
        height, width = self._request.size(picture.samples.shape[:2] if way < 5 else picture.samples.shape[1::-1])
        picture = upright(picture, way)
        picture = metadata.update_size_and_orientation(picture, (height, width), way != 1, self._note)
        if self._options.strip:
            picture = metadata.stripped(picture)
        picture = adapt_to_format.apply_options(picture, self._wishes)
        self._before = picture
        if self._request.operator is not None:
            picture = mode_conversion.filterable(picture)
        picture = adapt_to_format.adapt(picture, self._target)
        if self._target.name == "GIF" and self._request.operator is None and not self._as_parts:
            picture = self._quantised(picture)  # before, so that each block stays one colour
        if self._target.name == "PNG" and self._plays is not None and not self._as_parts:
            picture = mode_conversion.to_rgba(picture)  # all frames must be alike
        if picture.mode == "P" and "bits" not in picture.info:
            picture = picture.with_info(bits=_index_bits(picture))
        return metadata.keep_supported(picture, self._target, self._note)

    def _quantised(self, picture: Picture) -> Picture:
        from upscale.pictures.quantize import quantize

        picture, lost = quantize(picture, self._before)
        if lost:
            self._note(lost)
        return picture

    def _add_cover(self, writer: Any) -> None:
        cover = self._contents.cover
        if cover is None or self._options.frame is not None:
            return
        if self._target.name != "PNG":
            self._note(f"the picture that it shows where nothing moves is no frame, and {self._target.name} does not hold it")
            return
        enlarging, _ = self._enlarging(Frame(self._source.decoded(cover)))
        writer.add_cover(enlarging.whole())

    def _add(self, writer: Any, frame: Frame, enlarging: Enlarging) -> None:
        """Compute and encode one frame, in bands where the format takes them."""
        result = enlarging.result
        keyed = enlarging.blocks is None and self._before.base in ("L", "RGB") and "transparency" in self._before.info
        keyed = keyed and self._target.name == "PNG" and self._plays is None and result.base in ("LA", "RGBA")
        if self._target.name == "PNG" and result.mode in self._target.modes and not keyed:
            size = enlarging.shape[0], enlarging.shape[1]
            with self._job.stage("enlarge and write"):
                if enlarging.blocks is None:
                    writer.add_bands(frame._replace(picture=result), enlarging.bands(_BAND), size)
                else:
                    writer.add_bands(frame._replace(picture=result), [enlarging.source], size, enlarging.blocks)
        else:
            with self._job.stage("enlarge"):
                whole = enlarging.whole()
            try:
                picture = adapt_to_format.adapt(whole, self._target) if not keyed else whole
                picture = adapt_to_format.restore_colour_key(picture, self._before) if keyed else picture
                if self._target.name == "GIF" and not self._as_parts:
                    picture = self._quantised(picture)
            except ArgumentError as error:
                raise self._explained(error) from error
            with self._job.stage("write"):
                writer.add(frame._replace(picture=picture))
        self._clipped = max(self._clipped, enlarging.clipped)


def _index_bits(picture: Picture) -> int:
    """Find the fewest bits that hold a picture's indices and its palette."""
    most = max(int(picture.samples.max()), len(picture.palette) - 1 if picture.palette is not None else 0)
    return next(bits for bits in (1, 2, 4, 8) if most < 1 << bits)


def _clipping(share: float, request: Request, label: str, frames: int) -> str:
    """Say how much was clipped, of the worst of some frames, by the kernel that a user calls so, and what would help."""
    assert request.operator is not None
    kernel, (vertical, horizontal) = request.operator.kernel, request.operator.factor
    clipped = (
        f"{share:.1%} of the samples were clipped" if frames == 1 else f"up to {share:.1%} of a frame's samples were clipped"
    )
    if kernel.normalized:
        softer = "mitchell overshoots less" if label != "mitchell" else "bilinear does not overshoot"
        help = f"--kernel {softer}" if kernel.bias is None else "a smaller --bias clips less"
        return f"{clipped}, though the kernel's gain is 1: {help}"
    weights = kernel.weights if kernel.channels is None else kernel.weights.sum(0)
    sums = weights.sum((-2, -1)).reshape(-1) / (vertical * horizontal)
    gain = float(sums[abs(sums - 1).argmax()])
    help = "--normalize makes it 1" if abs(gain) > 1e-6 else "--bias 0.5 shows what is below 0 as well"
    return f"{clipped}: the kernel's gain is {gain:.3g}; {help}"

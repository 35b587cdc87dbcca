"""The options that every writer gets, and the methods that every writer has."""

from typing import Any, BinaryIO, NamedTuple, Protocol

from upscale.pictures.picture import Frame


class WriteOptions(NamedTuple):
    """Options for writing a file: canvas size, number of frames, compression, threads.

    Attributes
    ----------
    size : (int, int)
        Height and width of the canvas, which a still picture fills.
    total : int
        How many frames or pages will come.
    plays : int or None
        How often an animation is played, 0 for ever; None where the file is not an animation.
    quality : int or None
        0 to 100, for lossy formats; None for the format's own default.
    lossless : bool
        Write WebP, AVIF and JPEG XL without loss.
    compression : str
        One of `choices.COMPRESSIONS`.
    smooth : bool
        Whether the operator mixes neighbouring pixels, so that there are no blocks of one colour.
    strip : bool
        Whether to leave out what colours do not need; `Frame.picture.info` is stripped already.
    extras : bytes
        As in `picture.FileContents`.
    loops : module or None
        One of the engines' loops, for what a writer computes itself.
    threads : int
        How many threads a writer may use.
    note : callable
        Called with a line that a user should see.
    """

    size: tuple[int, int]
    total: int = 1
    plays: int | None = None
    quality: int | None = None
    lossless: bool = False
    compression: str = "balanced"
    smooth: bool = False
    strip: bool = False
    extras: bytes = b""
    loops: Any = None
    threads: int = 1
    note: Any = print


class Writer(Protocol):
    """An encoder of frames into a file, one after another.

    Every method may raise `ArgumentError` where the format or its encoder refuses the picture.
    """

    def __init__(self, file: BinaryIO, options: WriteOptions) -> None: ...

    def add(self, frame: Frame) -> None:
        """Encode the next frame."""

    def close(self) -> None:
        """Write what is still to be written; the file stays open."""

"""What every writer is told besides the pictures."""

from typing import Any, BinaryIO, NamedTuple, Protocol

from upscale.pictures.picture import Frame


class Output(NamedTuple):
    """What is to be written.

    Attributes
    ----------
    size : (int, int)
        Height and width of the canvas, which a still picture fills.
    total : int
        How many frames or pages will come.
    plays : int or None
        How often an animation is played, 0 for ever; None where it is none.
    quality : int or None
        0 to 100, for formats that may lose something; None for the format's own default.
    lossless : bool
    compression : str
        One of `choices.COMPRESSIONS`.
    smooth : bool
        Whether neighbouring pixels mix, as tconv makes them, and blocks are not of one colour.
    strip : bool
        Whether to leave out what colours do not need; `Frame.picture.info` is stripped already.
    extras : bytes
        As in `picture.Contents`.
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
    """What encodes frames into a file, one after another."""

    def __init__(self, file: BinaryIO, output: Output) -> None: ...

    def add(self, frame: Frame) -> None:
        """Encode the next frame."""

    def close(self) -> None:
        """Write what is still to be written; the file stays open."""

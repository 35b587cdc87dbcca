"""What is to be done for one file, and what came of it."""

from typing import NamedTuple

from upscale.output_files import DASH
from upscale.pictures.formats import Format


class Task(NamedTuple):
    """A file and what it is to become.

    Attributes
    ----------
    source, output : str
        Paths, or - for standard input and output.
    target : Format or None
        The output's format; None keeps the input's.
    protected : bool
        The output's name was derived from the input's, and not typed: a file of that name which this program did not make is
        replaced with --overwrite only.
    renew : bool
        The input has changed while it was watched: its output is made again, whatever --skip-existing and --update find there.
    """

    source: str
    output: str
    target: Format | None
    protected: bool = False
    renew: bool = False

    @property
    def name(self) -> str:
        """What messages call the source."""
        return "standard input" if self.source == DASH else self.source


class FileResult(NamedTuple):
    """The result for one file, from `enlarge_file` and `enlarge_files`.

    Attributes
    ----------
    status : str
        "written", "skipped", "failed", or "planned" for a dry run.
    error : str
        Why it failed, on one line that names the file.
    notes : tuple of str
        Warnings, such as metadata that the format cannot store.
    report : tuple of str
        The verbose report, line by line.
    size, out_size : (int, int)
        Width and height before and after, in pixels, as displayed.
    stored_size : (int, int)
        Width and height of the input as stored, before its EXIF orientation is applied.
    factor : str
        How many times larger, as the command line takes it: "4", or "3x2" for 3 times as wide and twice as high. With an exact
        size, the factor from which it was reduced.
    format : str
        Format of the output, such as "PNG".
    frames : int
    bytes_in, bytes_out : int
        File sizes.
    memory : int
        Estimated peak memory in bytes.
    engine, engine_reason : str
        The engine and why it was chosen; "none" if nothing was computed.
    started : str
        When work on the file began, in ISO 8601.
    seconds : float
    source, output : str
        Paths.

    Examples
    --------
    >>> import io
    >>> import upscale
    >>> result = upscale.enlarge_file("sample_images/potion.png", io.BytesIO(), 4)
    >>> result.status, result.out_size, result.format
    ('written', (128, 128), 'PNG')
    """

    status: str
    error: str = ""
    notes: tuple[str, ...] = ()
    report: tuple[str, ...] = ()
    size: tuple[int, int] = (0, 0)
    stored_size: tuple[int, int] = (0, 0)
    out_size: tuple[int, int] = (0, 0)
    factor: str = ""
    format: str = ""
    frames: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    memory: int = 0
    engine: str = ""
    engine_reason: str = ""
    started: str = ""
    seconds: float = 0.0
    source: str = ""
    output: str = ""

    @property
    def engine_and_reason(self) -> str:
        """The engine and, in brackets, why it was chosen."""
        return f"{self.engine} ({self.engine_reason})" if self.engine_reason else self.engine

    @property
    def stored_as(self) -> str:
        """The input's stored size, for the end of a phrase; empty where a viewer shows it as it is stored."""
        width, height = self.stored_size
        return f", stored as {width}x{height}" if self.stored_size != self.size else ""

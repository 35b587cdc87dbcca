"""The public function `enlarge_file`: everything that the command does for one file."""

import os
from typing import TYPE_CHECKING, Any, BinaryIO

from upscale.batch.file_options import FileOptions, make_options
from upscale.batch.make_requests import make_requests
from upscale.batch.run_log import RunLog
from upscale.batch.run_task import run_task
from upscale.batch.task import FileResult, Task
from upscale.choices import MethodName
from upscale.errors import ArgumentError, FileError
from upscale.output_files import DASH, same_file
from upscale.pictures import formats

if TYPE_CHECKING:
    from typing import Unpack

    from numpy.typing import ArrayLike

    from upscale.kernels.kernel import Kernel


def enlarge_file(
    source: "str | os.PathLike[str] | BinaryIO",
    target: "str | os.PathLike[str] | BinaryIO",
    factor: int | tuple[int, int] | None = None,
    method: MethodName | None = None,
    kernel: "str | os.PathLike[str] | Kernel | ArrayLike | None" = None,
    **options: "Unpack[FileOptions]",
) -> FileResult:
    """Enlarge a picture file, with all frames or pages, its bit depth and its metadata.

    Does what ``upscale SOURCE TARGET`` does. The target appears complete or not at all, and replaces an existing file.

    Parameters
    ----------
    source : path or binary file
        A picture, or an array in a .npy file. An open file is read from its position to its end.
    target : path or binary file
        The suffix of a path decides the format. For an open file it is the option `format`, by default the source's format.
    factor : int or (int, int), optional
        As in `enlarge`.
    method : {"nn", "tconv"}, optional
        By default "nn", or "tconv" if there is a kernel.
    kernel : str, path, Kernel or array, optional
        As in `enlarge`.
    **options
        The command's options of the same names, see docs/commands.md: padding, output_padding, dilation, groups,
        bias, edge, normalize, linear; format, quality, lossless, compression, depth, background, to_rgb, strip, frame, layout,
        chroma, codec, crf; skip_existing, update, no_overwrite, overwrite; engine, reject_truncated, max_pixels,
        max_output_pixels and max_memory (bytes).

    Returns
    -------
    FileResult
        Status "written" or "skipped", sizes, format, frames, seconds, and the command's warnings in `notes`.

    Raises
    ------
    ArgumentError
        If an argument is invalid, or does not fit the picture.
    FileError
        If a file cannot be read, enlarged or written. No partial output remains.

    Examples
    --------
    >>> import tempfile
    >>> import upscale
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     result = upscale.enlarge_file("sample_images/potion.png", f"{folder}/large.png", 4)
    >>> result.status, result.size, result.out_size
    ('written', (32, 32), (128, 128))
    """
    chosen = make_options(factor, method, kernel, options)
    name, reads = _path_or_file(source, "source")
    output, writes = _path_or_file(target, "target")
    wanted = options.get("format")
    if writes is None and reads is None and same_file(name, output):
        raise ArgumentError(f"target {output} is the same file as source; an input is never overwritten")
    task = Task(name, output, _format(output, wanted, is_path=writes is None))
    try:
        result = run_task(task, chosen, make_requests(chosen), RunLog(), reads=reads, writes=writes)
    except MemoryError:
        raise FileError(f"{task.name}: not enough memory") from None
    return result._replace(source=task.source, output=task.output)


def _path_or_file(value: Any, what: str) -> tuple[str, BinaryIO | None]:
    """Return a path and None, or what messages call an open file, and the file."""
    if isinstance(value, str | os.PathLike):
        path = os.fsdecode(value)
        return os.path.join(".", DASH) if path == DASH else path, None
    if not hasattr(value, "read" if what == "source" else "write"):
        raise ArgumentError(f"{what} must be a path or an open binary file, not {type(value).__name__}")
    name = getattr(value, "name", None)
    return name if isinstance(name, str) else f"the {what}", value


def _format(output: str, wanted: str | None, *, is_path: bool) -> formats.Format | None:
    """Find the format of a target; None for the source's."""
    chosen = None if wanted is None else formats.of_suffix("." + wanted.lower().removeprefix("."), f"format {wanted!r}")
    if not is_path:
        return chosen
    suffix = os.path.splitext(output)[1]
    found = formats.WRITTEN.get(suffix.lower())
    if chosen is None:
        return formats.of_suffix(suffix, f"target {output}")
    if found is not None and found is not chosen:
        raise ArgumentError(f"format {wanted!r} conflicts with the suffix of target {output}")
    return chosen

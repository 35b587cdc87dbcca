"""The public function `enlarge_files`: a batch, whose results come one after another."""

import logging
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from upscale import threads
from upscale.batch import plan
from upscale.batch.file_options import FileOptions, make_options
from upscale.batch.local import Batch
from upscale.batch.make_requests import make_requests
from upscale.batch.options import Options
from upscale.batch.task import FileResult, Task
from upscale.choices import MethodName, format_factor
from upscale.errors import ArgumentError
from upscale.pictures import formats

if TYPE_CHECKING:
    from typing import Unpack

    from numpy.typing import ArrayLike

    from upscale.kernels.kernel import Kernel


class _Results:
    """Keep results until the caller takes them; a batch reports to it as to a `Report`."""

    notices = True

    def __init__(self) -> None:
        self._results: list[FileResult] = []
        self._noticed: set[str] = set()

    def result(self, task: Task, result: FileResult) -> None:
        self._results.append(result._replace(source=task.source, output=task.output))

    def notice(self, text: str) -> None:
        """Log what several processes may report, once."""
        if text not in self._noticed:
            self._noticed.add(text)
            logging.getLogger("upscale").warning("upscale: %s", text)

    def tick(self) -> None:
        """Do nothing: nobody looks on."""

    def take(self) -> list[FileResult]:
        taken, self._results = self._results, []
        return taken


def enlarge_files(
    sources: "str | os.PathLike[str] | Iterable[str | os.PathLike[str]]",
    folder: "str | os.PathLike[str]",
    factor: int | tuple[int, int] | None = None,
    method: MethodName | None = None,
    kernel: "str | os.PathLike[str] | Kernel | ArrayLike | None" = None,
    *,
    name: str = "{stem}{suffix}",
    recursive: bool = False,
    parents: bool = False,
    fail_fast: bool = False,
    **options: "Unpack[FileOptions]",
) -> Iterator[FileResult]:
    """Enlarge picture files into a folder, with one process per core, and yield each result when it is complete.

    Does what ``upscale SOURCES... FOLDER`` does: a file that fails does not stop the others, and only files that `upscale` made
    are replaced. If you stop iterating, the batch ends, and unfinished files are removed.

    Parameters
    ----------
    sources : path or iterable of paths
        Files, folders and patterns.
    folder : path
        Created if it does not exist.
    factor, method, kernel
        As in `enlarge_file`.
    name : str
        Template for output names, with the fields {stem}, {ext}, {suffix}, {factor}, {method} and {kernel}.
    recursive : bool
        Include subfolders.
    parents : bool
        Recreate each source's folders under `folder`.
    fail_fast : bool
        Start no more files after the first failure.
    **options
        As in `enlarge_file`. `format` applies to all outputs.

    Yields
    ------
    FileResult
        With `source` and `output`, and the status "written", "skipped" or "failed". `error` says why it failed.

    Raises
    ------
    ArgumentError
        If an argument is invalid, two sources have the same output, or an output is a source. Nothing was done then.
    FileError
        If the kernel's file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> import upscale
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     results = list(upscale.enlarge_files("sample_images", folder, 2, name="{stem}@{factor}x{suffix}"))
    >>> {result.status for result in results}
    {'written'}
    """
    chosen = make_options(factor, method, kernel, options)
    requests = make_requests(chosen)
    wanted = options.get("format")
    suffix = "" if wanted is None else "." + wanted.lower().removeprefix(".")
    if suffix:
        formats.of_suffix(suffix, f"format {wanted!r}")
    plan.check_template(name, one_factor=chosen.target_size is None)
    named = "nn" if chosen.kernel is None else chosen.kernel.file_label
    fields = {"method": chosen.method, "kernel": named}
    if requests.fixed is not None:
        fields["factor"] = format_factor(requests.fixed.total_factor)
    naming = plan.Naming(os.fsdecode(folder), name, suffix, parents, fields, chosen.to_rgb)
    given = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    if not given:
        raise ArgumentError("sources is empty; name at least one file, folder or pattern")
    found = plan.make([os.fsdecode(path) for path in given], naming, recursive=recursive, forbidden=())
    return _run(found, chosen, fail_fast)


def _run(found: plan.Plan, options: Options, fail_fast: bool) -> Iterator[FileResult]:
    for source, error in found.failed:
        yield FileResult("failed", error, source=source)
    results = _Results()
    if fail_fast and found.failed:
        return
    with Batch(found, options, threads.count(), fail_fast=fail_fast, report=results, records_signals=False) as batch:
        for _ in batch.steps():
            yield from results.take()
    yield from results.take()

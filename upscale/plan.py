"""Which input becomes which output: folders, patterns and lists of names to tasks, before anything is done."""

import glob
import os
import re
import string
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from upscale import formats
from upscale.errors import ArgumentError
from upscale.files import why
from upscale.job import Task

#: What `--name` may be made of.
FIELDS = ("stem", "suffix", "factor", "method", "kernel")


class Naming(NamedTuple):
    """How outputs are named.

    Attributes
    ----------
    output : str
        The folder.
    template : str
        A file's name with `FIELDS` in braces.
    suffix : str
        Of all outputs; empty keeps each input's.
    parents : bool
        Whether the folders by which an input was named come along.
    fields : dict of str
        The fields besides stem and suffix.
    """

    output: str
    template: str
    suffix: str
    parents: bool
    fields: dict[str, str]

    def path(self, found: "Found") -> str:
        """Name the output of an input."""
        stem, suffix = os.path.splitext(os.path.basename(found.path))
        name = self.template.format(stem=stem, suffix=self.suffix or suffix, **self.fields)
        parents = re.split(r"[\\/]" if os.sep == "\\" else "/", os.path.splitdrive(found.root)[1]) if self.parents else []
        return os.path.join(self.output, *(p for p in parents if p not in ("", ".", "..")), found.folder, name)


class Found(NamedTuple):
    """A file that was found.

    Attributes
    ----------
    path : str
    root : str
        The folder that the user named, or in which the named file is.
    folder : str
        Where the file lies below that.
    """

    path: str
    root: str
    folder: str


class Plan(NamedTuple):
    """What is to be done.

    Attributes
    ----------
    tasks : list of Task
    sizes : list of int
        Bytes of each task's input.
    failed : list of (str, str)
        Inputs that are not there or cannot be looked into, and why.
    others : list of str
        Files that are no pictures.
    results : list of str
        Files in the input folder that are its own results.
    notes : list of str
        What a user should know.
    """

    tasks: list[Task]
    sizes: list[int]
    failed: list[tuple[str, str]]
    others: list[str]
    results: list[str]
    notes: list[str]


def check_template(template: str) -> None:
    """Check a name for outputs.

    Raises
    ------
    ArgumentError
        Where it is none, or has other fields than `FIELDS`.
    """
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ArgumentError(f"--name {template!r}: {error}") from None
    for _, field, form, conversion in parts:
        if field is not None and (field not in FIELDS or form or conversion):
            raise ArgumentError(f"--name {template!r}: the fields are {' '.join('{' + f + '}' for f in FIELDS)}")
    if "{stem}" not in template and not template.strip(". "):
        raise ArgumentError(f"--name {template!r} is no file's name")
    if "/" in template or os.sep in template or "\0" in template:
        raise ArgumentError(f"--name {template!r}: a name has no folders in it; --parents keeps the inputs' own")


def make(inputs: Iterable[str], naming: Naming, *, recursive: bool, forbidden: Iterable[str]) -> Plan:
    """Find all inputs and name their outputs.

    Parameters
    ----------
    inputs : iterable of str
        Files, folders and patterns.
    naming : Naming
    recursive : bool
        Whether folders in folders are looked into.
    forbidden : iterable of str
        Other files that must not be written over.

    Raises
    ------
    ArgumentError
        Where two inputs would become one output, or an output is an input.
    """
    search = _Search(naming.output, recursive)
    given = list(inputs)
    found = [f for name in given for f in search.files(name, alone=len(given) == 1)]
    outputs = [naming.path(f) for f in found]
    results: list[str] = []
    if search.in_place:
        made = {os.path.normpath(p) for p in outputs}
        kept = [i for i, f in enumerate(found) if os.path.normpath(f.path) not in made]
        results = [f.path for f in found if os.path.normpath(f.path) in made]
        found, outputs = [found[i] for i in kept], [outputs[i] for i in kept]
    fold = os.path.normcase if not _ignores_case(naming.output) else str.casefold
    by_output: dict[str, str] = {}
    inodes: dict[tuple[int, int], str] = {}
    rows: list[tuple[int, Task]] = []
    for file, output in zip(found, outputs, strict=True):
        before = by_output.setdefault(fold(os.path.normpath(output)), file.path)
        if before != file.path:
            if os.path.realpath(before) == os.path.realpath(file.path):
                continue  # named twice
            raise ArgumentError(f"{before} and {file.path} would both become {output}: --name or --parents tells them apart")
        try:
            status = os.stat(file.path)
        except OSError as error:
            search.failed.append((file.path, f"{file.path}: cannot be read: {why(error)}"))
            continue
        inodes[status.st_dev, status.st_ino] = file.path
        rows.append((status.st_size, Task(file.path, output, _target(output))))
    for path in forbidden:
        status = os.stat(path)
        inodes[status.st_dev, status.st_ino] = path
    for _, task in rows:
        try:
            status = os.stat(task.output)
        except OSError:
            continue
        if (status.st_dev, status.st_ino) in inodes:
            other = inodes[status.st_dev, status.st_ino]
            same = "the same file as an input" if other == task.source else f"the input {other}"
            raise ArgumentError(
                f"the output of {task.source} would be {same}, which is never overwritten: choose another folder, or names "
                'such as --name "{stem}_large{suffix}"'
            )
    return Plan([t for _, t in rows], [s for s, _ in rows], search.failed, search.others, results, search.notes)


def _target(output: str) -> formats.Format | None:
    """Find the format of an output's suffix; None where it has none that is known, and the input's format is kept."""
    return formats.FORMATS.get(os.path.splitext(output)[1].lower())


def _ignores_case(folder: str) -> bool:
    """Say whether names that differ in case only are one file in a folder, or in what is there of its path."""
    folder = os.path.abspath(folder)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    name = os.path.basename(folder)
    if name.swapcase() == name:
        return False
    try:
        return os.path.samefile(folder, os.path.join(os.path.dirname(folder), name.swapcase()))
    except OSError:
        return False


class _Search:
    """Look for files; collects what is none."""

    def __init__(self, output: str, recursive: bool) -> None:
        self._output, self._recursive = _inode(output), recursive
        self.failed: list[tuple[str, str]] = []
        self.others: list[str] = []
        self.notes: list[str] = []
        self.in_place = False

    def files(self, name: str, *, alone: bool) -> Iterator[Found]:
        """Find the pictures that a name stands for; it is `alone` where it is the only input."""
        if os.path.isdir(name):
            yield from self._named_folder(name, alone)
        elif os.path.lexists(name):
            yield from self._judged(Found(name, os.path.dirname(name), ""))
        elif glob.has_magic(name):
            matches = sorted(glob.glob(name, recursive=True))
            if not matches:
                self.failed.append((name, f"{name}: matches no file"))
            for match in matches:
                if os.path.isdir(match):
                    yield from self._named_folder(match, alone=False)
                else:
                    yield from self._judged(Found(match, os.path.dirname(match), ""))
        else:
            self.failed.append((name, f"{name}: there is no such file"))

    def _judged(self, found: Found) -> Iterator[Found]:
        if not formats.is_picture(found.path):
            self.others.append(found.path)
        elif os.path.isfile(found.path):
            yield found
        elif os.path.exists(found.path):  # a pipe or a device, whatever its name
            self.others.append(found.path)
        else:
            self.failed.append((found.path, f"{found.path}: a link to nothing"))

    def _named_folder(self, folder: str, alone: bool) -> Iterator[Found]:
        if _inode(folder) == self._output is not None:
            if not alone:
                return
            self.in_place = True
        yield from self._folder(folder, folder, "", ())

    def _folder(self, root: str, folder: str, below: str, above: tuple[tuple[int, int] | None, ...]) -> Iterator[Found]:
        above = (*above, _inode(folder))
        try:
            with os.scandir(folder) as entries:
                found = sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)
        except OSError as error:
            self.failed.append((folder, f"{folder}: cannot be looked into: {why(error)}"))
            return
        left_out = 0
        for entry in found:
            if entry.is_dir():
                inode = _inode(entry.path)
                if inode == self._output is not None:  # what is there is no input
                    continue
                if not self._recursive:
                    left_out += 1
                elif inode in above:
                    self.notes.append(f"{entry.path}: leads back to a folder that it is in, and is left alone")
                else:
                    yield from self._folder(root, entry.path, os.path.join(below, entry.name), above)
            else:
                yield from self._judged(Found(entry.path, root, below))
        if left_out:
            self.notes.append(f"{folder}: {left_out} folders in it are left alone; -r takes them too")


def _inode(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino

"""Which input becomes which output: folders, patterns and lists of names to tasks, before anything is done."""

import functools
import os
import re
import string
from collections.abc import Iterable
from typing import NamedTuple

from upscale.batch.find_inputs import Found, Search, file_id
from upscale.batch.output_suffix import substitute_suffix, substitution_note
from upscale.batch.task import Task
from upscale.choices import METHODS
from upscale.errors import ArgumentError
from upscale.output_files import os_error_text
from upscale.pictures import formats
from upscale.pictures.output_mark import read_mark

#: What `--name` may be made of.
FIELDS = ("stem", "ext", "suffix", "factor", "method", "kernel")
_FIELD_PATTERNS = {
    "stem": "(?P<stem>.+)", "ext": "[^.]*", "suffix": r"(?:\.[^.]*)?", "factor": r"\d+(?:x\d+)?",
    "method": f"(?:{'|'.join(METHODS)})", "kernel": ".+",
}  # fmt: skip


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
    to_rgb : bool
        Whether pictures are converted to RGB, which PNG can store.
    """

    output: str
    template: str
    suffix: str
    parents: bool
    fields: dict[str, str]
    to_rgb: bool = False

    def substitute(self, path: str) -> str:
        """Return the suffix of an output whose input has a format that can only be read; an empty text for all others."""
        return "" if self.suffix else substitute_suffix(path, to_rgb=self.to_rgb)

    def path(self, found: Found, substitute: str = "") -> str:
        """Name the output of an input; `substitute` stands for the suffix of an input that can only be read."""
        stem, suffix = os.path.splitext(os.path.basename(found.path))
        named = {"stem": stem, "ext": suffix[1:], "suffix": self.suffix or substitute or suffix}
        name = self.template.format(**named, **self.fields)
        parents = re.split(r"[\\/]" if os.sep == "\\" else "/", os.path.splitdrive(found.root)[1]) if self.parents else []
        return os.path.join(self.output, *(p for p in parents if p not in ("", ".", "..")), found.folder, name)

    def pattern(self) -> re.Pattern[str] | None:
        """Make a pattern of outputs' names, with the group `stem`; None if they cannot be distinguished from inputs' names."""
        made, telling = "", False
        for text, field, _, _ in string.Formatter().parse(self.template):
            made += re.escape(text)
            telling |= bool(text) or field in ("factor", "method", "kernel")
            if field is not None:
                again = field == "stem" and "(?P<stem>" in made
                made += "(?P=stem)" if again else _FIELD_PATTERNS[field]
        return re.compile(made, re.DOTALL) if telling and "(?P<stem>" in made else None


class Plan(NamedTuple):
    """What is to be done.

    Attributes
    ----------
    tasks : list of Task
    sizes : list of int
        Bytes of each task's input.
    failed : list of (str, str)
        Inputs that do not exist or cannot be opened, and why.
    others : list of str
        Files that are no pictures.
    results : list of str
        Files in the folders that are named as outputs of others beside them, and are no inputs: outputs of an earlier run, or
        made by hand.
    notes : list of str
        What a user should know.
    """

    tasks: list[Task]
    sizes: list[int]
    failed: list[tuple[str, str]]
    others: list[str]
    results: list[str]
    notes: list[str]


def check_template(template: str, *, one_factor: bool = True) -> None:
    """Check a name for outputs.

    Parameters
    ----------
    template : str
    one_factor : bool
        Whether the factor is the same for all pictures.

    Raises
    ------
    ArgumentError
        Where it is none, or has other fields than `FIELDS`.
    """
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError:
        raise ArgumentError(f"--name {template!r}: cannot be understood; write fields such as {{stem}}") from None
    for _, field, form, conversion in parts:
        if field is not None and (field not in FIELDS or form or conversion):
            fields = " ".join("{" + f + "}" for f in FIELDS)
            given = field + (f"!{conversion}" if conversion else "") + (f":{form}" if form else "")
            raise ArgumentError(f"--name {template!r}: {{{given}}} is not a field; use {fields}")
    if not one_factor and any(field == "factor" for _, field, _, _ in parts):
        raise ArgumentError(f"--name {template!r}: {{factor}} needs --factor, since with a size each picture has its own")
    if not template.strip(". "):
        raise ArgumentError(f"--name {template!r} is not a file name")
    if "/" in template or os.sep in template or "\0" in template:
        raise ArgumentError(f"--name {template!r}: a name cannot contain folders; --parents keeps the inputs' folders")


def make(inputs: Iterable[str], naming: Naming, *, recursive: bool, forbidden: Iterable[str], watching: bool = False) -> Plan:
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
    watching : bool
        Whether files come and go: what would be wrong usage is a failure of the files that it concerns, and names of pictures
        have the suffix of one.

    Raises
    ------
    ArgumentError
        Where two inputs would become one output, or an output is an input.
    """
    given = list(inputs)
    search = Search(naming.output, recursive, by_suffix=watching)
    found = [f for name in given for f in search.files(name, alone=len(given) == 1)]
    found, results = _without_results(found, naming, watching=watching)
    fold = str.casefold if _ignores_case(naming.output) else os.path.normcase
    real = functools.cache(os.path.realpath)
    by_output: dict[str, str] = {}
    ids: dict[tuple[int, int], str] = {}
    substituted: dict[tuple[str, str], int] = {}
    wrong: dict[str, str] = {}  # inputs, and why no output can be named for them
    plan = Plan([], [], search.failed, search.others, results, search.notes)
    for file in found:
        substitute = naming.substitute(file.path)
        output = naming.path(file, substitute)
        folder, name = os.path.split(output)
        place = os.path.join(real(folder), name)
        key = fold(os.path.realpath(place) if os.path.islink(place) else place)
        if key in by_output:
            before = by_output[key]
            if os.path.realpath(before) == os.path.realpath(file.path):
                continue  # named twice
            text = (
                f"{before} and {file.path} would both become {output}: use --parents to keep their folders, "
                'or --name "{stem}_{ext}{suffix}" to keep their suffixes'
            )
            wrong |= dict.fromkeys((before, file.path), text)
            continue
        by_output[key] = file.path
        try:
            status = os.stat(file.path)
        except OSError as error:
            plan.failed.append((file.path, f"{file.path}: cannot be read: {os_error_text(error)}"))
            continue
        ids[status.st_dev, status.st_ino] = file.path
        if substitute:
            pair = os.path.splitext(file.path)[1].lower(), substitute
            substituted[pair] = substituted.get(pair, 0) + 1
        try:
            target = _target(output, naming)
        except ArgumentError as error:
            wrong[file.path] = str(error)
            continue
        plan.tasks.append(Task(file.path, output, target, protected=True))
        plan.sizes.append(status.st_size)
    plan.notes.extend(substitution_note(*pair, number) for pair, number in substituted.items())
    ids |= {path_id: path for path in forbidden if (path_id := file_id(path)) is not None}
    wrong |= _outputs_among(plan.tasks, ids)
    if wrong and not watching:
        raise ArgumentError(next(iter(wrong.values())))
    plan.failed.extend(wrong.items())
    kept = [(task, size) for task, size in zip(plan.tasks, plan.sizes, strict=True) if task.source not in wrong]
    return plan._replace(tasks=[task for task, _ in kept], sizes=[size for _, size in kept]) if wrong else plan


def _outputs_among(tasks: list[Task], ids: dict[tuple[int, int], str]) -> dict[str, str]:
    """Find the outputs that are files of which the ids are given: inputs, and others that must not be written over.

    Returns
    -------
    dict of str
        By the tasks' sources: what is wrong.
    """
    wrong = {}
    for task in tasks:
        other = ids.get(file_id(task.output) or (-1, -1))
        if other is not None:
            same = "the same file as an input" if other == task.source else f"the input {other}"
            wrong[task.source] = (
                f"the output of {task.source} would be {same}, which is never overwritten: choose another folder, or names "
                'such as --name "{stem}_large{suffix}"'
            )
    return wrong


def _without_results(found: list[Found], naming: Naming, *, watching: bool) -> tuple[list[Found], list[str]]:
    """Separate inputs from files that are outputs of others beside them, by their names or by their marks.

    A file that was named itself, and not found in a folder, is an input unless its mark shows that an earlier run made it. If
    files come and go, a marked file where outputs go is none either, although what it was made of may have gone.
    """
    pattern = naming.pattern()
    beside = functools.cache(lambda folder, output: file_id(folder) == file_id(output) is not None)
    suffixes: dict[tuple[str, str], set[str]] = {}  # of the files with a folder and a stem
    for file in found:
        stem, suffix = os.path.splitext(os.path.basename(file.path))
        suffixes.setdefault((os.path.dirname(file.path), stem), set()).add((naming.suffix or suffix).lower())
    inputs, results = [], []
    for file in found:
        folder, name = os.path.split(file.path)
        stem, suffix = os.path.splitext(name)
        match = pattern.fullmatch(name) if pattern else None
        named = bool(match and suffix.lower() in suffixes.get((folder, match["stem"]), ()))
        # An earlier run with another template, such as {stem}@3x{suffix}, made it of a file whose stem its own begins with.
        longer = any((folder, stem[:length]) in suffixes for length in range(1, len(stem)))
        if (named or longer or watching) and beside(folder or ".", os.path.dirname(naming.path(file))):
            marked = read_mark(file.path, whole=False) is not None
            if marked or (named and not file.named):
                results.append(file.path)
                continue
        inputs.append(file)
    return inputs, results


def _target(output: str, naming: Naming) -> formats.Format | None:
    """Find the format of an output; None where neither its suffix nor --format says one, and the input's is kept.

    Raises
    ------
    ArgumentError
        Where both do, and differ.
    """
    found = formats.WRITTEN.get(os.path.splitext(output)[1].lower())
    wanted = formats.WRITTEN[naming.suffix] if naming.suffix else None
    if found is not None and wanted not in (None, found):
        raise ArgumentError(f"--format {naming.suffix[1:]} conflicts with the suffix of {output}, which comes from --name")
    return found or wanted


def _ignores_case(folder: str) -> bool:
    """Return whether names that differ in case only are one file in a folder, or in what is there of its path."""
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

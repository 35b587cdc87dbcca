"""From the names that a user gives to input files: folders, patterns and lists."""

import glob
import os
import re
import stat
from collections import deque
from typing import NamedTuple

from upscale.choices import pluralize
from upscale.output_files import os_error_text
from upscale.pictures import formats, unsupported_formats


class Found(NamedTuple):
    """A file that was found.

    Attributes
    ----------
    path : str
    root : str
        The folder that the user named, or in which the named file is.
    folder : str
        Where the file lies below that.
    named : bool
        Whether the user named the file itself, and not a folder or a pattern.
    """

    path: str
    root: str
    folder: str
    named: bool = False


class Search:
    """Look for pictures.

    Parameters
    ----------
    output : str
        A folder that is not searched; may be empty.
    recursive : bool
        Whether folders in folders are looked into.
    by_suffix : bool
        Whether files count as pictures by their suffix only, since many programs write under other names until a file is whole.

    Attributes
    ----------
    failed : list of (str, str)
    others, notes : list of str
        As of `Plan`.
    """

    def __init__(self, output: str, recursive: bool, *, by_suffix: bool = False) -> None:
        self._output, self._recursive, self._by_suffix = file_id(output), recursive, by_suffix
        self.failed: list[tuple[str, str]] = []
        self.others: list[str] = []
        self.notes: list[str] = []

    def files(self, name: str, *, alone: bool) -> list[Found]:
        """Find the pictures that a name stands for; it is `alone` where it is the only input."""
        if os.path.isdir(name):
            return self._folder(name) if alone or file_id(name) != self._output else []
        if os.path.lexists(name) or not glob.has_magic(name):
            return self._judged(Found(name, os.path.dirname(name), "", named=True))
        matches = sorted(glob.glob(name, recursive=True))
        if not matches:
            self.failed.append((name, f"{name}: no file matches this pattern"))
        found = []
        for match in matches:
            if not self._is_output(match, name):
                found += self._folder(match) if os.path.isdir(match) else self._judged(Found(match, os.path.dirname(match), ""))
        return found

    def _is_output(self, match: str, pattern: str) -> bool:
        """Return whether a pattern has found the output folder, or something in it."""
        parts = re.split(r"[\\/]" if os.sep == "\\" else "/", match)
        fixed = next(i for i, part in enumerate(re.split(r"[\\/]" if os.sep == "\\" else "/", pattern)) if glob.has_magic(part))
        return self._output is not None and any(
            file_id("/".join(parts[:n])) == self._output for n in range(fixed + 1, len(parts) + 1)
        )

    def _judged(self, found: Found) -> list[Found]:
        path = found.path
        try:
            mode = os.stat(path).st_mode
        except (FileNotFoundError, ValueError):  # a name that no file can have
            self.failed.append((path, f"{path}: {'a broken link' if os.path.lexists(path) else 'no such file'}"))
            return []
        except OSError as error:
            self.failed.append((path, f"{path}: cannot be read: {os_error_text(error)}"))
            return []
        # Of pipes and devices nothing is read, whatever their name.
        if stat.S_ISREG(mode):
            if formats.has_picture_suffix(path):
                return [found]
            suffix = os.path.splitext(path)[1].lower()
            if found.named and suffix in unsupported_formats.VIDEO.suffixes:
                return [found]  # those in folders would take hours that nobody expects
            head = _head_of(path) if suffix in formats.FORMATS or not self._by_suffix else b""
            unsupported = unsupported_formats.find(path, head)
            if unsupported is not None and (found.named or not unsupported.ignored_in_folders):
                self.failed.append((path, f"{path}: {unsupported_formats.message(unsupported)}"))
                return []
            if formats.begins_like_picture(head):
                return [found]
        self.others.append(path)
        return []

    def _folder(self, root: str) -> list[Found]:
        """Find the pictures in a folder: first in those that are in it, then in those that links lead to, each of them once."""
        found: list[Found] = []
        again: list[str] = []
        seen = {file_id(root)}
        folders, links = deque([(root, "")]), deque[tuple[str, str]]()
        while folders or links:
            if not folders:
                path, below = links.popleft()
                if (found_id := file_id(path)) in seen:
                    again.append(path)
                    continue
                seen.add(found_id)
                folders.append((path, below))
            folder, below = folders.popleft()
            left_out = 0
            for entry in self._entries(folder):
                place = os.path.join(below, entry.name)
                if not _is_folder(entry):
                    found += self._judged(Found(entry.path, root, below))
                elif not self._recursive:
                    left_out += file_id(entry.path) != self._output
                elif file_id(entry.path) == self._output is not None:
                    pass  # what is there is no input
                elif entry.is_symlink():
                    links.append((entry.path, place))
                else:
                    seen.add(file_id(entry.path))
                    folders.append((entry.path, place))
            if left_out:
                self.notes.append(f"{folder}: {pluralize(left_out, 'folder')} skipped; -r includes subfolders")
        if again:
            more = f" (and {len(again) - 1} more such links)" if len(again) > 1 else ""
            self.notes.append(f"{again[0]}: is a link to a folder that is already included, and is not followed{more}")
        return sorted(found, key=lambda f: (f.folder, os.path.basename(f.path)))

    def _entries(self, folder: str) -> "list[os.DirEntry[str]]":
        try:
            with os.scandir(folder) as entries:
                return sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)
        except OSError as error:
            self.failed.append((folder, f"{folder}: the folder cannot be opened: {os_error_text(error)}"))
            return []


def _head_of(path: str) -> bytes:
    """Read the first bytes of a file; none where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(unsupported_formats.HEAD_BYTES)
    except OSError:
        return b""


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself, or to where nobody may look
        return False


def file_id(path: str) -> tuple[int, int] | None:
    """Return the identity of a file or folder, whatever its name; None if it does not exist."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino

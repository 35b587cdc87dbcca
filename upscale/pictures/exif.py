"""EXIF made true for a turned and enlarged picture, in place, so that whatever else stands in it stays as it is.

The layout of directories is that of TIFF 6.0, section 2, and of Exif 2.32 (CIPA DC-008), section 4.
"""

import struct
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

_HEAD = b"Exif\0\0"
_ORIENTATION = 0x0112
_WIDTH, _HEIGHT = (0x0100, 0xA002), (0x0101, 0xA003)
_SUBDIRECTORIES = (0x8769, 0x8825, 0xA005)
_THUMBNAIL, _THUMBNAIL_LENGTH = 0x0201, 0x0202
#: Bytes of a value by TIFF's types.
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}


class _Entry(NamedTuple):
    tag: int
    kind: int
    number: int
    at: int
    #: Where what it says ends, in the entry itself or elsewhere.
    end: int


class Directories:
    """The directories of a block of EXIF: what they say is read, and changed in place."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.damaged = False
        self.main: list[_Entry] = []
        self.others: list[_Entry] = []
        self.thumbnail: tuple[int, list[_Entry]] | None = None
        self.order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(data[:4]), "")
        if not self.order or len(data) < 8:
            self.damaged = True
            return
        first = self.number(4, 4)
        self.main, self._next = self._entries(first)
        for entry in self.main:
            if entry.tag in _SUBDIRECTORIES and entry.kind in (4, 13):
                self.others += self._entries(self.number(entry.at, 4))[0]
        second = self.number(self._next, 4) if self._next else 0
        if second:
            self.thumbnail = second, self._entries(second)[0]

    def number(self, at: int, size: int) -> int:
        """Read a whole number."""
        return int.from_bytes(self.data[at : at + size], "little" if self.order == "<" else "big")

    def _entries(self, at: int) -> tuple[list[_Entry], int]:
        """Read a directory; the second value is where the next one's place stands, 0 where it cannot be told."""
        if not 8 <= at <= len(self.data) - 2:
            self.damaged = True
            return [], 0
        entries: list[_Entry] = []
        count = self.number(at, 2)
        for i in range(count):
            here = at + 2 + 12 * i
            if here + 12 > len(self.data):
                self.damaged = True
                return entries, 0
            tag, kind, number = struct.unpack_from(f"{self.order}HHI", self.data, here)
            length = SIZES.get(kind, 4) * number
            end = here + 12 if length <= 4 else self.number(here + 8, 4) + length
            if end > len(self.data):
                self.damaged, end = True, here + 12
            entries.append(_Entry(tag, kind, number, here + 8, end))
        after = at + 2 + 12 * count
        return entries, after if after + 4 <= len(self.data) else 0

    def raw(self, entry: _Entry) -> bytes:
        """Take the bytes of an entry's value."""
        length = SIZES.get(entry.kind, 4) * entry.number
        begin = entry.at if length <= 4 else self.number(entry.at, 4)
        return bytes(self.data[begin : begin + length])

    def moved(self, base: int) -> bytes:
        """Copy the sub-directories for a file in which they begin at some place: what they point to lies as much further."""
        data = bytearray(self.data)
        for entry in self.others:
            if entry.end != entry.at + 4 or entry.tag in _SUBDIRECTORIES:
                struct.pack_into(f"{self.order}I", data, entry.at, self.number(entry.at, 4) + base)
        return bytes(data)

    def value(self, entry: _Entry) -> int | None:
        """Read a whole number; None where the entry holds none."""
        if entry.number != 1 or entry.kind not in (3, 4):
            return None
        return self.number(entry.at, 2 if entry.kind == 3 else 4)

    def change(self, entry: _Entry, value: int) -> bool:
        """Set a whole number, where the entry can hold it; say whether it was another one."""
        before = self.value(entry)
        if before is None or before == value or (entry.kind == 3 and value > 65535):
            return False
        struct.pack_into(f"{self.order}{'H' if entry.kind == 3 else 'I'}", self.data, entry.at, value)
        return True

    def without_thumbnail(self) -> None:
        """Take away the second directory and the small picture of how things were."""
        assert self.thumbnail is not None
        at, entries = self.thumbnail
        used = max((e.end for e in (*self.main, *self.others)), default=8)
        values = {e.tag: self.value(e) for e in entries}
        begin, length = values.get(_THUMBNAIL), values.get(_THUMBNAIL_LENGTH)
        struct.pack_into(f"{self.order}I", self.data, self._next, 0)
        if begin and length and begin + length <= len(self.data) and begin >= used:
            self.data[begin : begin + length] = bytes(length)
        if at >= used and self._next < at:
            del self.data[at:]


def orientation(data: bytes) -> int | None:
    """Read the orientation out of EXIF, 1 to 8; None where it says nothing of it."""
    directories = Directories(data.removeprefix(_HEAD))
    for entry in directories.main:
        value = directories.value(entry)
        if entry.tag == _ORIENTATION and value is not None:
            return value if 1 <= value <= 8 else 1
    return None


def fitted(data: bytes, size: tuple[int, int], upright: bool, note: Callable[[str], None]) -> bytes | None:
    r"""Make EXIF true for the enlarged picture: its size, its orientation, and no thumbnail, which shows it as it was.

    Parameters
    ----------
    data : bytes
        Beginning with ``b"Exif\0\0"``.
    size : (int, int)
        Width and height of the result.
    upright : bool
        Whether the picture was turned, so that its orientation is no longer to be applied.
    note : callable
        Called with a line where the EXIF is damaged: what others can read is copied as it is.

    Returns
    -------
    bytes or None
        None where nobody could read it.
    """
    directories = Directories(data.removeprefix(_HEAD))
    if directories.damaged:
        if not _readable(data):
            note("its EXIF is damaged and was left out")
            return None
        note("its EXIF is damaged, and is copied as far as it goes")
    for entry, value in _true_values(directories, size, upright):
        directories.change(entry, value)
    if directories.thumbnail:
        directories.without_thumbnail()
    return _HEAD + bytes(directories.data)


def _true_values(directories: Directories, size: tuple[int, int], upright: bool) -> Iterator[tuple[_Entry, int]]:
    for entry in (*directories.main, *directories.others):
        if entry.tag in _WIDTH:
            yield entry, size[0]
        elif entry.tag in _HEIGHT:
            yield entry, size[1]
        elif entry.tag == _ORIENTATION and upright:
            yield entry, 1


def _readable(data: bytes) -> bool:
    """Say whether another reader makes anything of damaged EXIF."""
    from PIL import Image

    exif = Image.Exif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exif.load(data)
            return bool(dict(exif))
    except Exception:  # a parser of damaged bytes lets anything out
        return False

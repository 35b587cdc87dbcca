"""EXIF edited in place for a turned and enlarged picture, so that everything else in it stays as it is.

The layout of directories is that of TIFF 6.0, section 2, and of Exif 2.32 (CIPA DC-008), section 4.
"""

import contextlib
import struct
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

from upscale.errors import ArgumentError, library_errors

_HEAD = b"Exif\0\0"
_ORIENTATION = 0x0112
_WIDTH, _HEIGHT = (0x0100, 0xA002), (0x0101, 0xA003)
INTEROPERABILITY = 0xA005
_SUBDIRECTORIES = (0x8769, 0x8825, INTEROPERABILITY)
_THUMBNAIL, _THUMBNAIL_LENGTH = 0x0201, 0x0202
#: Bytes of a value by TIFF's types.
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}


class Entry(NamedTuple):
    """A tag of a directory."""

    tag: int
    #: TIFF's number of its type, and the number of its values.
    kind: int
    number: int
    #: Where the four bytes lie that are its value, or point to it.
    at: int
    #: Where its value ends, in the entry itself or elsewhere.
    end: int


class Directories:
    """The directories of a block of EXIF, read and changed in place.

    Parameters
    ----------
    data : bytes
        A TIFF file without pixels.

    Attributes
    ----------
    data : bytearray
    damaged : bool
        Whether something in it reaches beyond its end, or is no EXIF.
    order : {"<", ">", ""}
        Of the bytes, as in `struct`; empty where it is no EXIF.
    main, others : list of Entry
        Of the first directory; and of those that it points to.
    thumbnail : (int, list of Entry) or None
        Where the second directory begins, and its entries.
    """

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.damaged = False
        self.main: list[Entry] = []
        self.others: list[Entry] = []
        self.thumbnail: tuple[int, list[Entry]] | None = None
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
        """Read a whole number of `size` bytes; bytes beyond the end are left out."""
        return int.from_bytes(self.data[at : at + size], "little" if self.order == "<" else "big")

    def _entries(self, at: int) -> tuple[list[Entry], int]:
        """Read a directory; the second value is where the offset of the next one lies, 0 where the data end before."""
        if not 8 <= at <= len(self.data) - 2:
            self.damaged = True
            return [], 0
        entries: list[Entry] = []
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
            entries.append(Entry(tag, kind, number, here + 8, end))
        after = at + 2 + 12 * count
        return entries, after if after + 4 <= len(self.data) else 0

    def raw(self, entry: Entry) -> bytes:
        """Return the bytes of an entry's value, as many as there are before the end of the data."""
        length = SIZES.get(entry.kind, 4) * entry.number
        begin = entry.at if length <= 4 else self.number(entry.at, 4)
        return bytes(self.data[begin : begin + length])

    def moved(self, base: int) -> bytes:
        """Return the data for a file in which they begin at offset `base`, which is added to all offsets in them."""
        data = bytearray(self.data)
        for entry in self.others:
            offset = self.number(entry.at, 4) + base
            # A damaged directory may point beyond what 32 bits can count.
            if (entry.end != entry.at + 4 or entry.tag in _SUBDIRECTORIES) and offset < 1 << 32:
                struct.pack_into(f"{self.order}I", data, entry.at, offset)
        return bytes(data)

    def value(self, entry: Entry) -> int | None:
        """Return an entry's value if it is a single whole number, else None."""
        if entry.number != 1 or entry.kind not in (3, 4):
            return None
        return self.number(entry.at, 2 if entry.kind == 3 else 4)

    def change(self, entry: Entry, value: int) -> bool:
        """Set an entry's whole number, if its type can store it; return whether it changed."""
        before = self.value(entry)
        if before is None or before == value or (entry.kind == 3 and value > 65535):
            return False
        struct.pack_into(f"{self.order}{'H' if entry.kind == 3 else 'I'}", self.data, entry.at, value)
        return True

    def remove_thumbnail(self) -> None:
        """Remove the second directory and its thumbnail, which shows the picture before it was turned and enlarged."""
        if self.thumbnail is None:
            return
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
    """Return the orientation in EXIF, 1 to 8; None where there is none."""
    directories = Directories(data.removeprefix(_HEAD))
    for entry in directories.main:
        value = directories.value(entry)
        if entry.tag == _ORIENTATION and value is not None:
            return value if 1 <= value <= 8 else 1
    return None


def reset_orientation(data: bytes) -> bytes:
    """Return EXIF with an orientation of 1 where it has another one."""
    head = _HEAD if data.startswith(_HEAD) else b""
    directories = Directories(data.removeprefix(_HEAD))
    for entry in directories.main:
        if entry.tag == _ORIENTATION:
            directories.change(entry, 1)
    return head + bytes(directories.data)


def update_exif(data: bytes, size: tuple[int, int], upright: bool, note: Callable[[str], None]) -> bytes | None:
    r"""Update the size and the orientation in EXIF for the enlarged picture, and remove the thumbnail.

    Parameters
    ----------
    data : bytes
        Beginning with ``b"Exif\0\0"``.
    size : (int, int)
        Width and height of the result, in pixels.
    upright : bool
        Whether the picture was turned upright, so that its orientation becomes 1.
    note : callable
        Called with a line where the EXIF is damaged: if another reader understands some of it, it is copied as it is.

    Returns
    -------
    bytes or None
        None where no reader understands it.
    """
    directories = Directories(data.removeprefix(_HEAD))
    if directories.damaged:
        if not _readable(data):
            note("its EXIF is damaged and was dropped")
            return None
        note("its EXIF is damaged; the readable part was copied")
    for entry, value in _new_values(directories, size, upright):
        directories.change(entry, value)
    directories.remove_thumbnail()
    return _HEAD + bytes(directories.data)


def _new_values(directories: Directories, size: tuple[int, int], upright: bool) -> Iterator[tuple[Entry, int]]:
    for entry in (*directories.main, *directories.others):
        if entry.tag in _WIDTH:
            yield entry, size[0]
        elif entry.tag in _HEIGHT:
            yield entry, size[1]
        elif entry.tag == _ORIENTATION and upright:
            yield entry, 1


def _readable(data: bytes) -> bool:
    """Return whether another reader, Pillow, understands anything of damaged EXIF."""
    from PIL import Image

    exif = Image.Exif()
    with contextlib.suppress(ArgumentError), warnings.catch_warnings(), library_errors():
        warnings.simplefilter("ignore")
        exif.load(data)
        return bool(dict(exif))
    return False


def has_valid_length(entry: Entry, raw: bytes) -> bool:
    """Return whether the bytes of an entry's value are as many as its type and number prescribe."""
    return entry.kind in SIZES and len(raw) == SIZES[entry.kind] * entry.number

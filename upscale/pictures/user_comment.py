"""The text with which a picture was generated, as programs for that read it in formats without PNG's texts: in EXIF.

Stable Diffusion web UIs write it to PNG as the text `parameters`, and to other formats as the EXIF tag UserComment: the
characters UNICODE, and UTF-16 with the high byte first whatever the byte order of the EXIF is.
"""

import struct

from upscale.pictures import exif

#: The PNG text that moves to EXIF.
KEY = "parameters"
_USER_COMMENT, _EXIF_DIRECTORY = 0x9286, 0x8769
_UNDEFINED, _OFFSET = 7, 4
_HEAD = b"Exif\0\0"
#: EXIF without tags.
_EMPTY = b"II*\0" + struct.pack("<IHI", 8, 0, 0)
#: EXIF may be as long as a segment of JPEG.
_LONGEST = 65533


def with_user_comment(data: bytes | None, text: str) -> bytes | None:
    r"""Add a text to EXIF as its comment.

    Parameters
    ----------
    data : bytes or None
        EXIF beginning with ``b"Exif\0\0"``; None where there is none.
    text : str

    Returns
    -------
    bytes or None
        Everything else in it stays where it is. None where it has a comment, is damaged, or would be too long.
    """
    block = (data or _EMPTY).removeprefix(_HEAD)
    directories = exif.Directories(block)
    tags = [entry.tag for entry in (*directories.main, *directories.others)]
    comment = b"UNICODE\0" + text.encode("utf-16-be", "surrogatepass")
    if directories.damaged or _USER_COMMENT in tags:
        return None
    order, changed = directories.order, bytearray(block)
    own = next((e for e in directories.main if e.tag == _EXIF_DIRECTORY), None)

    def append(content: bytes) -> int:
        changed.extend(bytes(len(changed) % 2))
        changed.extend(content)
        return len(changed) - len(content)

    def directory(at: int | None, added: bytes) -> bytes:
        """Return a directory with an entry more, in the order of the tags."""
        count = directories.number(at, 2) if at is not None else 0
        begin = at + 2 if at is not None else 0
        entries = [bytes(block[begin + 12 * i : begin + 12 * (i + 1)]) for i in range(count)]
        after = block[begin + 12 * count : begin + 12 * count + 4] if at is not None else b""
        entries.append(added)
        entries.sort(key=lambda entry: struct.unpack_from(f"{order}H", entry)[0])
        return struct.pack(f"{order}H", len(entries)) + b"".join(entries) + after.ljust(4, b"\0")

    at = append(comment)
    entry = struct.pack(f"{order}HHII", _USER_COMMENT, _UNDEFINED, len(comment), at)
    at = append(directory(directories.number(own.at, 4) if own else None, entry))
    if own:
        struct.pack_into(f"{order}I", changed, own.at, at)
    else:
        entry = struct.pack(f"{order}HHII", _EXIF_DIRECTORY, _OFFSET, 1, at)
        at = append(directory(directories.number(4, 4), entry))
        struct.pack_into(f"{order}I", changed, 4, at)
    return _HEAD + bytes(changed) if len(changed) + len(_HEAD) <= _LONGEST else None

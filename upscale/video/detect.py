"""Whether an input is a video, before it is taken for a picture."""

import contextlib
import io
import os
import stat
import sys
from typing import BinaryIO, NamedTuple

from upscale.output_files import DASH, read_standard_input
from upscale.pictures.unsupported_formats import VIDEO

#: Suffixes of videos in containers.
CONTAINERS = VIDEO.suffixes

#: As in `y4m`, which is imported only if it is needed.
_MAGIC = b"YUV4MPEG2"


class OpenVideo(NamedTuple):
    """A video that was found.

    Attributes
    ----------
    stream : binary file
        Positioned behind `begin`.
    begin : bytes
        Its first bytes, of a stream of uncompressed frames; empty for a container such as MP4.
    """

    stream: BinaryIO
    begin: bytes


def find_video(path: str, reads: BinaryIO | None) -> tuple[OpenVideo | None, str | BinaryIO]:
    """Look at the beginning of an input.

    Parameters
    ----------
    path : str
        A path, or - for standard input.
    reads : binary file, optional
        An open file that is read instead.

    Returns
    -------
    (OpenVideo or None, str or binary file)
        A video that has to be closed, or what is to be opened as a picture: the path, or a file with the same bytes.

    Raises
    ------
    FileError
        Where standard input is empty or cannot be read.
    """
    if reads is not None:
        return _looked_at(reads, reads.tell() if reads.seekable() else None)
    if path == DASH:
        begin = b""
        if sys.stdin is not None:
            with contextlib.suppress(OSError):  # which the next call reports
                begin = sys.stdin.buffer.read(len(_MAGIC))
            if begin == _MAGIC:
                return OpenVideo(sys.stdin.buffer, begin), path
        return None, read_standard_input(begin)
    try:
        regular = stat.S_ISREG(os.stat(path).st_mode)
        stream = open(path, "rb")  # noqa: SIM115 - closed by the caller, or here
    except (OSError, ValueError):  # reported where it is opened as a picture
        return None, path
    if not regular:  # a named pipe can be read only once
        return _looked_at(stream, None)
    if (begin := stream.read(len(_MAGIC))) == _MAGIC:
        return OpenVideo(stream, begin), path
    if os.path.splitext(path)[1].lower() in CONTAINERS and begin:
        return OpenVideo(stream, b""), path
    stream.close()
    return None, path


def _looked_at(stream: BinaryIO, position: int | None) -> tuple[OpenVideo | None, str | BinaryIO]:
    begin = stream.read(len(_MAGIC))
    if begin == _MAGIC:
        return OpenVideo(stream, begin), stream
    if position is None:
        return None, io.BytesIO(begin + stream.read())
    stream.seek(position)
    return None, stream

"""YUV4MPEG2, the stream of uncompressed frames that ffmpeg and mjpegtools exchange.

A stream begins with a line of parameters, such as ``YUV4MPEG2 W640 H480 F25:1 Ip A1:1 C420jpeg``. Each frame is a line
``FRAME``, perhaps with parameters, and the planes' samples without padding; those of more than 8 bits are stored in 16,
little-endian. yuv4mpeg(5) of mjpegtools describes the format; the names of more than 8 bits (``C420p10``, ``Cmono16``) are
ffmpeg's.
"""

import re
import sys
from typing import BinaryIO, NamedTuple

import numpy as np

from upscale.errors import ArgumentError
from upscale.video.layout import Layout, Planes, cosited

MAGIC = b"YUV4MPEG2"
#: Bytes of a line of parameters, at most. Programs write fewer than 200.
_LONGEST = 4096

_LEFT = (0.0, cosited(2))
_TOP_LEFT = (cosited(2), cosited(2))
#: Subsampling and siting by the name of the chroma without its depth. Plain 420 is 420jpeg, as for mjpegtools and ffmpeg.
#: In 420paldv, ffmpeg has both chroma samples on the upper left luma sample; in that of mjpegtools, Cb lies a line lower, which
#: is for interlaced video alone.
_CHROMA: dict[str, tuple[tuple[int, int], tuple[float, float]]] = {
    "420": ((2, 2), (0.0, 0.0)),
    "420jpeg": ((2, 2), (0.0, 0.0)),
    "420mpeg2": ((2, 2), _LEFT),
    "420paldv": ((2, 2), _TOP_LEFT),
    "422": ((1, 2), _LEFT),
    "411": ((1, 4), (0.0, cosited(4))),
    "444": ((1, 1), (0.0, 0.0)),
    "444alpha": ((1, 1), (0.0, 0.0)),
    "mono": ((1, 1), (0.0, 0.0)),
}
#: Names with a depth. Those of 4:2:0 do not say the siting: it is taken to be on the left, as in codecs with such depths.
_DEEP = re.compile(r"(420|422|444)p(\d+)|(mono)(\d+)")
_INTERLACED = {"t": "top field first", "b": "bottom field first", "m": "mixed"}


class Header(NamedTuple):
    """The parameters of a stream.

    Attributes
    ----------
    parameters : tuple of str
        All of them in their order, each with its letter.
    layout : Layout
    """

    parameters: tuple[str, ...]
    layout: Layout

    def enlarged(self, layout: Layout) -> "Header":
        """Return the parameters of the stream with frames of another layout."""
        changed = []
        full_chroma = layout.subsampling != self.layout.subsampling
        depth = "" if layout.depth == 8 else f"p{layout.depth}"
        for parameter in self.parameters:
            if parameter[0] in "HW":
                parameter = f"{parameter[0]}{layout.size[parameter[0] == 'W']}"
            elif full_chroma and parameter[0] == "C":
                parameter = f"C444{depth}"
            elif full_chroma and parameter.startswith("XYSCSS="):
                parameter = f"XYSCSS=444{depth.upper()}"
            changed.append(parameter)
        if full_chroma and not any(p[0] == "C" for p in changed):
            changed.append(f"C444{depth}")
        return Header(tuple(changed), layout)

    def line(self) -> bytes:
        """Return the line that begins the stream."""
        return b" ".join([MAGIC, *(p.encode("latin-1") for p in self.parameters)]) + b"\n"


def parse_header(line: bytes) -> Header:
    """Read the line that begins a stream.

    Raises
    ------
    ArgumentError
        Where it is damaged, or describes frames that cannot be enlarged.
    """
    begin, *parameters = line.decode("latin-1").rstrip("\n").split(" ")
    parameters = [p for p in parameters if p]
    if begin.encode("latin-1") != MAGIC or not line.endswith(b"\n"):
        raise ArgumentError("damaged: its header line is incomplete")
    values = {p[0]: p[1:] for p in parameters if p[0] != "X"}
    width, height = (_side(values, letter) for letter in "WH")
    interlacing = values.get("I", "?")
    if interlacing in _INTERLACED:
        raise ArgumentError(
            f"is interlaced ({_INTERLACED[interlacing]}); deinterlace it first, for example with ffmpeg -vf bwdif"
        )
    return Header(tuple(parameters), _layout((height, width), _chroma_name(values, parameters)))


def _side(values: dict[str, str], letter: str) -> int:
    text = values.get(letter, "")
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text)):
        name = "width" if letter == "W" else "height"
        raise ArgumentError(f"damaged: its header has {f'the {name} {text!r}' if text else f'no {name}'}")
    return int(text)


def _chroma_name(values: dict[str, str], parameters: list[str]) -> str:
    """Find the name of the chroma: that of the older parameter XYSCSS where there is no other."""
    if "C" in values:
        return values["C"]
    older = next((p.partition("=")[2] for p in parameters if p.startswith("XYSCSS=")), "420jpeg")
    return older.lower()


def _layout(size: tuple[int, int], name: str) -> Layout:
    base, depth = name, 8
    if deep := _DEEP.fullmatch(name):
        base, depth = deep[1] or deep[3], int(deep[2] or deep[4])
    if base not in _CHROMA or not 8 <= depth <= 16:
        known = ", ".join(_CHROMA)
        raise ArgumentError(
            f"has the chroma format {name!r}, which is not supported; convert it to one of {known} (8 to 16 bits)"
        )
    subsampling, siting = _CHROMA[base]
    if base == "420" and deep:
        siting = _LEFT
    return Layout(size, {"mono": 1, "444alpha": 4}.get(base, 3), depth, subsampling, siting)


class Reader:
    """Read the frames of a stream.

    Parameters
    ----------
    stream : binary file
        Positioned behind `begin`.
    begin : bytes
        The first bytes, which were read already.

    Attributes
    ----------
    header : Header
    frames, bytes : int
        How many were read so far.

    Raises
    ------
    ArgumentError
        Where the header is damaged, or describes frames that cannot be enlarged.
    """

    def __init__(self, stream: BinaryIO, begin: bytes = b"") -> None:
        line = begin + stream.readline(_LONGEST)
        self.header = parse_header(line)
        self._stream = stream
        self.frames, self.bytes = 0, len(line)

    @property
    def layout(self) -> Layout:
        """The layout of the frames."""
        return self.header.layout

    def read(self, planes: Planes) -> bytes | None:
        """Read a frame's samples into arrays; return its line of parameters, or None at the end of the stream.

        Raises
        ------
        ArgumentError
            Where the stream is damaged or truncated.
        """
        line = self._line()
        if line is None:
            return None
        for plane in planes:
            self._fill(plane.data.cast("B"))
            if plane.dtype != np.uint8 and sys.byteorder == "big":
                plane.byteswap(inplace=True)
        self._count(line, planes)
        return line

    def skip(self) -> bool:
        """Go to the end of a frame in a file that can be sought; return whether there was one."""
        line = self._line()
        if line is None:
            return False
        size = self.header.layout.frame_bytes
        self._stream.seek(size - 1, 1)
        if not self._stream.read(1):
            raise self._truncated()
        self.frames, self.bytes = self.frames + 1, self.bytes + len(line) + size
        return True

    def _count(self, line: bytes, planes: Planes) -> None:
        self.frames, self.bytes = self.frames + 1, self.bytes + len(line) + sum(plane.nbytes for plane in planes)

    def _line(self) -> bytes | None:
        line = self._stream.readline(_LONGEST)
        if not line:
            if not self.frames:
                raise ArgumentError("is a video without frames")
            return None
        if not line.endswith(b"\n") and b"FRAME".startswith(line[:5]):
            raise self._truncated()
        if line.startswith(MAGIC):
            raise ArgumentError(f"has a second stream behind frame {self.frames}; enlarge each stream on its own")
        if line[:6] not in (b"FRAME\n", b"FRAME "):
            raise ArgumentError(f"damaged: there is no frame where frame {self.frames + 1} should begin")
        return line

    def _fill(self, view: memoryview) -> None:
        at = 0
        while at < len(view):
            number = self._stream.readinto(view[at:])  # type: ignore[attr-defined]
            if not number:
                raise self._truncated()
            at += number

    def _truncated(self) -> ArgumentError:
        return ArgumentError(f"truncated: it ends within frame {self.frames + 1}")


class Writer:
    """Write the frames of a stream; the header comes with the first one.

    Parameters
    ----------
    file : binary file
    header : Header
    flushes : bool
        Hand each frame over at once, since another program waits for it.
    """

    def __init__(self, file: BinaryIO, header: Header, *, flushes: bool) -> None:
        self._file, self._header, self._flushes, self._begun = file, header, flushes, False

    def write(self, line: bytes, planes: Planes) -> None:
        """Write a frame with its line of parameters."""
        if not self._begun:
            self._begun = True
            self._file.write(self._header.line())
        self._file.write(line)
        for plane in planes:
            samples = plane if sys.byteorder == "little" else plane.astype(plane.dtype.newbyteorder("<"))
            self._file.write(samples.data.cast("B"))
        if self._flushes:
            self._file.flush()

    def finish(self) -> None:
        """Do nothing: a stream has no end."""

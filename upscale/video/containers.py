"""Videos in containers such as MP4 and Matroska, decoded and encoded by PyAV, which not every installation has.

The frames of the first video stream are enlarged; the packets of all other streams are copied as they are. Time stamps are
those of the input, in its time base.
"""

import contextlib
import os
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.errors import ArgumentError, library_errors
from upscale.video.codecs import CONTAINERS, Encoding
from upscale.video.layout import Planes
from upscale.video.pixel_formats import layout_of, planar

try:
    import av
except ImportError:
    av = None

_MISSING = 'is a video; to enlarge it, run pip install "upscale[video]", or pipe it through ffmpeg as docs/video.md describes'
#: Threads that decode and encode: as many as FFmpeg finds best.
_THREADS = "AUTO"
#: How FFmpeg numbers full range, in which JPEG and its relatives are.
_FULL_RANGE = 2


class About(NamedTuple):
    """What belongs to a decoded frame besides its samples.

    Attributes
    ----------
    pts : int or None
    duration : int
        Both in the stream's time base.
    packets : list
        Of other streams, that stand before the frame.
    """

    pts: int | None
    duration: int
    packets: list[Any]


class ContainerReader:
    """Decode the frames of a video.

    Parameters
    ----------
    path : str

    Attributes
    ----------
    layout : Layout
    pixel_format : str
        The planar one whose planes `read` fills.
    total : int
        About how many frames there are; 0 if nobody knows.
    frames : int
        How many were read.
    trailing : list
        Packets of other streams behind the last frame.

    Raises
    ------
    ArgumentError
        Where PyAV is missing, the file is damaged, or it has no video that can be enlarged.
    """

    def __init__(self, path: str) -> None:
        if av is None:
            raise ArgumentError(_MISSING)
        with library_errors():
            self.container = av.open(path)
        with contextlib.ExitStack() as stack:
            stack.callback(self.container.close)
            self._prepare()
            stack.pop_all()

    def _prepare(self) -> None:
        streams = [s for s in self.container.streams.video if not s.disposition & _ATTACHED_PICTURE]
        if not streams:
            raise ArgumentError("has no video stream")
        self.stream: Any = streams[0]
        self.stream.thread_type = _THREADS
        context = self.stream.codec_context
        if context.pix_fmt is None:
            raise ArgumentError("damaged: its video cannot be decoded")
        self.pixel_format = planar(context.pix_fmt)
        self.frames, self.trailing = 0, list[Any]()
        duration = self.stream.duration * self.stream.time_base if self.stream.duration else 0
        if not duration and self.container.duration:
            duration = Fraction(self.container.duration, 1_000_000)
        self.total = self.stream.frames or round(duration * (self.stream.average_rate or 0))
        self._decoded = self._decode()
        with library_errors():
            first = next(self._decoded, None)
        if first is None:
            raise ArgumentError("is a video without frames")
        self._first: tuple[Any, list[Any]] | None = first
        self.sample_frame = first[0]
        size = self.sample_frame.height, self.sample_frame.width
        self.layout = layout_of(self.pixel_format, size, centred=context.name == "mjpeg")

    @property
    def matrix(self) -> list[int] | None:
        """The matrix by which players turn or mirror the frames, as FFmpeg stores it; None if there is none."""
        data = next((d for d in self.sample_frame.side_data if d.type.name == "DISPLAYMATRIX"), None)
        return None if data is None else np.frombuffer(bytes(data), np.int32).tolist()

    @property
    def not_kept(self) -> list[str]:
        """What the first frame has besides its samples, and the enlarged one will not have."""
        found = {data.type.name for data in self.sample_frame.side_data}
        return [what for what, names in _NOT_KEPT.items() if found & names]

    @property
    def is_turned(self) -> bool:
        """Whether players show the frames' rows as columns."""
        return bool(abs(self.sample_frame.rotation) % 180 == 90)

    def _decode(self) -> Iterator[tuple[Any, list[Any]]]:
        """Yield each frame with the packets of other streams before it."""
        packets: list[Any] = []
        for packet in self.container.demux():
            if packet.stream.index != self.stream.index:
                if packet.size:
                    packets.append(packet)
                continue
            for frame in packet.decode():
                yield frame, packets
                packets = []
        self.trailing = packets

    def read(self, planes: Planes) -> About | None:
        """Decode a frame into arrays; return what belongs to it, or None at the end.

        Raises
        ------
        ArgumentError
            Where the video is damaged, or changes in size.
        """
        if self._first is not None:
            found: tuple[Any, list[Any]] | None = self._first
            self._first = None
        else:
            with library_errors(f"damaged behind frame {self.frames}"):
                found = next(self._decoded, None)
        if found is None:
            return None
        frame, packets = found
        self._check(frame)
        if frame.format.name != self.pixel_format:
            frame = frame.reformat(format=self.pixel_format)
        for plane, array in zip(frame.planes, planes, strict=True):
            array[...] = _view(plane, array)
        self.frames += 1
        return About(frame.dts if frame.pts is None else frame.pts, frame.duration, packets)

    def _check(self, frame: Any) -> None:
        if (frame.height, frame.width) != self.layout.size or planar(frame.format.name) != self.pixel_format:
            height, width = self.layout.size
            raise ArgumentError(
                f"its frame {self.frames + 1} is {frame.width}x{frame.height} {frame.format.name}, and those before are "
                f"{width}x{height} {self.pixel_format}: sizes and formats cannot change within a video"
            )
        if frame.interlaced_frame:
            raise ArgumentError("is interlaced; deinterlace it first, for example with ffmpeg -vf bwdif")

    def close(self) -> None:
        """Close the file."""
        self.container.close()


#: What users call side data of frames that PyAV cannot write, by FFmpeg's names.
_NOT_KEPT = {
    "HDR mastering data": {"MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL"},
    "dynamic HDR data": {"DYNAMIC_HDR_PLUS", "DYNAMIC_HDR_VIVID", "DOVI_RPU_BUFFER", "DOVI_METADATA"},
    "closed captions": {"A53_CC"},
    "3D and panorama settings": {"STEREO3D", "SPHERICAL"},
}
#: Bit of `Stream.disposition` of cover pictures.
_ATTACHED_PICTURE = 0x400


def _view(plane: Any, array: NDArray[Any]) -> NDArray[Any]:
    """View the samples of a frame's plane, without the padding of its rows."""
    rows = np.frombuffer(plane, np.uint8)[: array.shape[0] * plane.line_size].reshape(array.shape[0], plane.line_size)
    return rows[:, : array.shape[1] * array.itemsize].view(array.dtype)


class ContainerWriter:
    """Encode enlarged frames, and copy what the input has besides.

    Parameters
    ----------
    file : binary file
        Seekable.
    container : str
        One of `codecs.CONTAINERS`.
    reader : ContainerReader
    size : (int, int)
        Height and width of the enlarged frames.
    pixel_format : str
        Of the enlarged frames, a planar one.
    encoding : Encoding
    note : callable
        Called with a line for what the container cannot store.

    Raises
    ------
    ArgumentError
        Where the container cannot store the sound, or the encoder refuses the frames.
    """

    def __init__(
        self,
        file: BinaryIO,
        container: str,
        reader: ContainerReader,
        size: tuple[int, int],
        pixel_format: str,
        encoding: Encoding,
        note: Any,
    ) -> None:
        self._reader, self._size, self._pixel_format, self._encoding = reader, size, pixel_format, encoding
        self._name = container
        self._out = av.open(file, "w", format=CONTAINERS[container][1])
        self._copies: dict[int, Any] = {}
        with library_errors("cannot be written"):
            self._out.metadata.update({k: v for k, v in reader.container.metadata.items() if k not in _OF_CONTAINERS})
        for stream in reader.container.streams:
            if stream.index == reader.stream.index:
                self._stream = self._new_stream(stream)
            else:
                self._copy(stream, note)
        self._out.set_chapters(reader.container.chapters())

    def _new_stream(self, before: Any) -> Any:
        height, width = self._size
        os.environ.setdefault("SVT_LOG", "1")  # its encoder would print all of its settings
        with library_errors("cannot be encoded"):
            stream = self._out.add_stream(
                self._encoding.encoder, rate=before.average_rate or 25, options=self._encoding.options
            )
            stream.width, stream.height, stream.pix_fmt = width, height, self._encoding.pixel_format
            stream.thread_type = _THREADS
            stream.time_base = stream.codec_context.time_base = before.time_base
            source, target = self._reader.sample_frame, stream.codec_context
            # A frame's tags are more complete than those of its stream.
            for tag in ("color_range", "color_primaries", "color_trc", "colorspace"):
                setattr(target, tag, int(getattr(source, tag)))
            if before.codec_context.pix_fmt.startswith("yuvj"):
                target.color_range = _FULL_RANGE
            if before.sample_aspect_ratio:
                target.sample_aspect_ratio = before.sample_aspect_ratio
            stream.disposition = before.disposition
            stream.metadata.update({k: v for k, v in before.metadata.items() if k not in _OF_STREAMS})
            if self._reader.matrix is not None:
                stream.set_display_matrix(self._reader.matrix)
        return stream

    def _copy(self, stream: Any, note: Any) -> None:
        """Add a stream whose packets are copied."""
        if stream.type == "attachment" and self._name == "Matroska":
            self._out.add_attachment(stream.name or "", stream.mimetype or "", stream.data)
            return
        if stream.type == "data" and stream.codec_context is None and self._reader.container.chapters():
            return  # the chapters of MP4, which are written anew
        context = getattr(stream, "codec_context", None)
        if context is not None and context.name in self._out.supported_codecs:
            with library_errors("cannot be written"):
                copy = self._out.add_stream_from_template(stream, opaque=True)
                copy.metadata.update(stream.metadata)
                copy.disposition = stream.disposition
            self._copies[stream.index] = copy
            return
        named = f" ({context.name})" if context is not None else ""
        what = f"its {stream.type} stream{named} cannot be stored in {self._name}"
        if stream.type == "audio":
            raise ArgumentError(f"{what}; choose an OUTPUT that ends in .mkv")
        note(f"{what}, and was dropped")

    def write(self, about: About, planes: Planes) -> None:
        """Encode a frame, behind the packets that stand before it."""
        self._mux_copies(about.packets)
        height, width = self._size
        frame = av.VideoFrame(width, height, self._pixel_format)
        for plane, array in zip(frame.planes, planes, strict=True):
            _view(plane, array)[...] = array
        if self._encoding.pixel_format != self._pixel_format:
            frame = frame.reformat(format=self._encoding.pixel_format)
        frame.pts, frame.time_base, frame.duration = about.pts, self._reader.stream.time_base, about.duration
        frame.color_range = self._stream.codec_context.color_range
        frame.colorspace = self._stream.codec_context.colorspace
        with library_errors("cannot be encoded"):
            self._out.mux(self._stream.encode(frame))

    def _mux_copies(self, packets: list[Any]) -> None:
        for packet in packets:
            copy = self._copies.get(packet.stream.index)
            if copy is not None:
                packet.stream = copy
                with library_errors("cannot be written"):
                    self._out.mux(packet)

    def finish(self) -> None:
        """Write what is left, and the end of the container."""
        self._mux_copies(self._reader.trailing)
        with library_errors("cannot be encoded"):
            self._out.mux(self._stream.encode(None))
            self._out.close()


#: Metadata that describe the input's container or encoder, and not the video.
_OF_CONTAINERS = ("major_brand", "minor_version", "compatible_brands", "encoder", "ENCODER")
_OF_STREAMS = ("encoder", "ENCODER", "vendor_id", "DURATION", "rotate")

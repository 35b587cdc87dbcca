"""The codecs that videos are encoded with: which container has which, their options, and the pixel formats that they store."""

from typing import NamedTuple

from upscale.errors import ArgumentError
from upscale.video.pixel_formats import is_rgb, layout_of


class Codec(NamedTuple):
    """A way to encode video.

    Attributes
    ----------
    encoder, encoder_of_rgb : str
        FFmpeg's names.
    crf : int
        The quality that is used by default, in the codec's own scale, in which less is better; -1 for a lossless codec.
    worst : int
        The worst quality on this scale.
    options : dict of str
        Of the encoder, in any case.
    lossless : dict of str or None
        Options that make it lossless; none for a codec that always is, None for one that cannot be.
    even : bool
        Sides along which chroma is subsampled must be even.
    """

    encoder: str
    encoder_of_rgb: str
    crf: int
    worst: int
    options: dict[str, str]
    lossless: dict[str, str] | None
    even: bool = False


#: All codecs by the names of `choices.CODECS`.
CODECS = {
    "h264": Codec("libx264", "libx264rgb", 16, 51, {"preset": "medium"}, {"qp": "0"}, even=True),
    "h265": Codec("libx265", "libx265", 18, 51, {"preset": "medium", "x265-params": "log-level=error"},
                  {"x265-params": "log-level=error:lossless=1"}, even=True),
    "vp9": Codec("libvpx-vp9", "libvpx-vp9", 20, 63, {"b": "0", "row-mt": "1", "deadline": "good", "cpu-used": "3"},
                 {"lossless": "1"}),
    "av1": Codec("libsvtav1", "libsvtav1", 22, 63, {"preset": "7"}, None, even=True),
    "ffv1": Codec("ffv1", "ffv1", -1, 0, {"level": "3", "slicecrc": "1"}, {}),
}  # fmt: skip
#: The codec of each container by default, and FFmpeg's name of the container.
CONTAINERS = {
    "MP4": ("h264", "mp4"),
    "QuickTime": ("h264", "mov"),
    "Matroska": ("h264", "matroska"),
    "WebM": ("vp9", "webm"),
}


class Encoding(NamedTuple):
    """How a video is encoded.

    Attributes
    ----------
    encoder : str
        FFmpeg's name.
    pixel_format : str
        That the encoder gets: the planar one, or a packed one with the same samples.
    options : dict of str
    """

    encoder: str
    pixel_format: str
    options: dict[str, str]


def choose(
    container: str, codec: str | None, pixel_format: str, size: tuple[int, int], *, crf: int | None, lossless: bool
) -> Encoding:
    """Choose the encoder and its options.

    Parameters
    ----------
    container : str
        One of `CONTAINERS`.
    codec : str, optional
        One of `CODECS`; by default the container's.
    pixel_format : str
        A planar one.
    size : (int, int)
        Height and width.
    crf : int, optional
        The quality; by default the codec's.
    lossless : bool

    Raises
    ------
    ArgumentError
        Where the codec cannot do that.
    """
    name = codec or CONTAINERS[container][0]
    chosen = CODECS[name]
    if lossless and chosen.lossless is None:
        raise ArgumentError(f"--lossless: {name} has no lossless mode here; use --codec h264, h265, vp9 or ffv1")
    if crf is not None and (chosen.crf < 0 or crf > chosen.worst):
        raise ArgumentError(
            f"--crf: {name} is always lossless" if chosen.crf < 0 else f"--crf: {name} takes 0 to {chosen.worst}, not {crf}"
        )
    shared = layout_of(pixel_format, size, centred=False).subsampling
    if chosen.even and any(side % number for side, number in zip(size, shared, strict=True)):
        raise ArgumentError(
            f"{name} cannot encode {size[1]}x{size[0]} with subsampled chroma; use an even factor, --chroma 444, or --codec vp9"
        )
    encoder = chosen.encoder_of_rgb if is_rgb(pixel_format) else chosen.encoder
    stored = _stored(name, encoder, pixel_format)
    quality = {} if chosen.crf < 0 else {"crf": str(chosen.crf if crf is None else crf)}
    return Encoding(encoder, stored, chosen.options | (chosen.lossless or {} if lossless else quality))


def _stored(name: str, encoder: str, pixel_format: str) -> str:
    """Find the pixel format in which an encoder takes the samples of a planar one."""
    from av.codec import Codec as Encoder

    try:
        known = [f.name for f in Encoder(encoder, "w").video_formats or ()]
    except Exception as error:  # this build of FFmpeg lacks it
        raise ArgumentError(f"--codec {name}: the installed PyAV has no {encoder}; choose another codec") from error
    packed = {"gbrp": ("rgb24", "bgr0"), "gbrap": ("bgra",), "gbrp16le": ("rgb48le",), "gbrap16le": ("rgba64le",)}
    found = next((f for f in (pixel_format, *packed.get(pixel_format, ())) if f in known), None)
    if found is None:
        raise ArgumentError(f"{name} cannot store the pixel format {pixel_format}; use --codec ffv1 with an OUTPUT .mkv")
    return found

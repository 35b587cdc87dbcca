"""What reading a file yields: `Picture`s, and `FileContents`, the frames or pages that they are."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from upscale.pictures.formats import NPY, base_of, mode_of

if TYPE_CHECKING:
    from PIL import Image

    from upscale.pictures.row_stream import RowStream

Array = NDArray[Any]

#: Modes whose last channel is alpha.
ALPHA = ("LA", "RGBA", "PA")
#: The mode of channels that are neither grey nor colour, or whose dtype no other mode has.
CHANNELS = "channels"


#: Pillow returns Lab's a and b as signed numbers; here they have an offset of 128, so that they can be mixed.
_LAB_SIGNS = np.array([0, 128, 128], np.uint8)


class Picture(NamedTuple):
    """A decoded picture, upright.

    Attributes
    ----------
    samples : ndarray, shape (H, W) or (H, W, C)
        C-contiguous, in native byte order (arrays that only nn enlarges may have another).
    mode : str
        One of `formats.MODES`; empty for a bare array; `CHANNELS` for samples without another mode.
    palette : ndarray or None, shape (N, 3)
        The colours of modes P and PA, uint8.
    info : mapping
        Metadata by the keys of `formats.METADATA`, and `transparency`: for modes 1, L and RGB of any depth the transparent
        colour, an int or 3 ints in the samples' range (0 or 255 for mode 1); for P an index, or bytes with the alpha of each
        index.
    leading : tuple of int or None
        For an array of shape (..., C, H, W), the axes before C, which are folded into the channels here.
    """

    samples: Array
    mode: str = ""
    palette: Array | None = None
    info: Mapping[str, Any] = MappingProxyType({})
    leading: tuple[int, ...] | None = None

    @property
    def base(self) -> str:
        """The colour model: the mode without the depth."""
        return base_of(self.mode)

    @property
    def has_alpha(self) -> bool:
        """Whether some pixels may be transparent."""
        return self.base in ALPHA or "transparency" in self.info

    @property
    def max_value(self) -> int:
        """The sample at full scale, white or opaque: the largest of an integer type, 1 for floats and bools."""
        return int(np.iinfo(self.samples.dtype).max) if self.samples.dtype.kind in "iu" else 1

    def with_info(self, **changes: Any) -> "Picture":
        """Return the picture with other metadata; None removes an entry."""
        info = {k: v for k, v in {**self.info, **changes}.items() if v is not None}
        return self._replace(info=info)

    def with_samples(self, samples: Array, base: str | None = None, **changes: Any) -> "Picture":
        """Return the picture with other samples and, as `with_info` does, metadata; the mode follows from the dtype."""
        mode = mode_of(base or self.base, samples.dtype) or CHANNELS
        changed = self._replace(samples=np.ascontiguousarray(samples), mode=mode).with_info(**changes)
        return changed if changed.base in ("P", "PA") else changed._replace(palette=None)

    @classmethod
    def of_image(cls, image: "Image.Image", info: Mapping[str, Any]) -> "Picture":
        """Make a picture of a loaded Pillow image and of metadata."""
        if image.mode in ("RGBX", "La", "RGBa"):
            image = image.convert({"RGBX": "RGB", "La": "LA", "RGBa": "RGBA"}[image.mode])
        palette, info = None, dict(info)
        if image.palette is not None and image.mode in ("P", "PA"):
            stored = np.frombuffer(image.palette.tobytes(), np.uint8)
            palette = stored[: len(stored) // len(image.palette.mode) * len(image.palette.mode)]
            palette = palette.reshape(-1, len(image.palette.mode))
            if image.palette.mode == "RGBA":
                info["transparency"] = palette[:, 3].tobytes()
            palette = np.ascontiguousarray(palette[:, :3])
        samples = np.asarray(image)
        samples = np.ascontiguousarray(samples, samples.dtype.newbyteorder("="))
        if image.mode == "LAB":
            samples = samples ^ _LAB_SIGNS
        return cls(samples, "I;16" if image.mode.startswith("I;16") else image.mode, palette, info)

    def to_image(self) -> "Image.Image":
        """Make a Pillow image; of the metadata it gets transparency only. It may share the samples."""
        from PIL import Image

        height, width = self.samples.shape[:2]
        if self.mode == "1":
            image = Image.fromarray(self.samples)
        else:
            samples = self.samples ^ _LAB_SIGNS if self.mode == "LAB" else np.ascontiguousarray(self.samples)
            image = Image.frombuffer(self.mode, (width, height), samples, "raw", self.mode, 0, 1)
        if self.palette is not None:
            image.putpalette(self.palette.tobytes())
        if "transparency" in self.info:
            image.info["transparency"] = self.info["transparency"]
        return image


class Frame(NamedTuple):
    """One picture of an animation, or one page.

    Attributes
    ----------
    picture : Picture
    delay : (int, int)
        Seconds until the next one, as numerator and denominator.
    left, top : int
        Where a part lies on the canvas, in pixels.
    disposal : str
        What happens to the part afterwards: one of `DISPOSALS`.
    over : bool
        Whether the part is composited over the canvas; if not, it replaces the canvas there.
    before : bytes
        The blocks before the part in the file's own format, verbatim.
    """

    picture: Picture
    delay: tuple[int, int] = (0, 1)
    left: int = 0
    top: int = 0
    disposal: str = "keep"
    over: bool = False
    before: bytes = b""


#: The part stays; its area is cleared; its area becomes what it was before.
DISPOSALS = ("keep", "clear", "restore")


class FileContents(NamedTuple):
    """The contents of a file, known before anything is decoded.

    Attributes
    ----------
    format : str
        Pillow's name of the file's format, or NPY.
    size : (int, int)
        Height and width as they are stored, in pixels.
    pixel_bytes : int
        Bytes that a decoded pixel takes.
    frames : callable
        Yields each picture as a viewer sees it.
    kind : str
        "picture"; or where there are several, "animation", "pages", "sizes" of an icon, or "views" of one scene.
    total : int
        How many frames.
    parts : callable or None
        Yields an animation's frames as they are stored: parts of the canvas.
    cover : callable or None
        Decodes the picture that viewers without animation show, where it is not a frame.
    plays : int
        How often an animation is played, 0 for ever.
    extras : bytes
        The blocks after the last part, as in `Frame.before`.
    orientation : int
        1 to 8 as in EXIF, of the first picture; each page may have another.
    mode : str
        Of the first picture, one of `formats.MODES`; only of formats that cannot be written, for the choice of another.
    stream : callable or None
        Begins to decode the only picture in bands: returns the picture, and what fills its samples. It takes a context manager
        in which the whole picture is decoded, if it has to be.
    """

    format: str
    size: tuple[int, int]
    pixel_bytes: int
    frames: Callable[[], Iterator[Frame]]
    kind: str = "picture"
    total: int = 1
    parts: Callable[[], Iterator[Frame]] | None = None
    cover: Callable[[], Picture] | None = None
    plays: int = 0
    extras: bytes = b""
    orientation: int = 1
    mode: str = ""
    stream: "Callable[[Callable[[], AbstractContextManager[None]]], tuple[Picture, RowStream]] | None" = None

    @property
    def upright_size(self) -> tuple[int, int]:
        """Height and width as they are shown, turned by the orientation."""
        return self.size if self.orientation < 5 else (self.size[1], self.size[0])

    @classmethod
    def of_array(cls, size: tuple[int, int], pixel_bytes: int, read: Callable[[], Picture]) -> "FileContents":
        """Describe a file with a single array."""
        return cls(NPY.pillow, size, pixel_bytes, lambda: iter([Frame(read())]))

"""One picture enlarged by several kernels and other programs: the same crop of each, its quality and its time."""

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from upscale.batch.available_memory import available, format_bytes
from upscale.choices import DEFAULT_FACTOR, format_factor
from upscale.errors import ArgumentError, FileError, prefix_errors
from upscale.figures.comparison_view import Crop, check_crop, crop_picture, default_crop, default_zoom, to_displayable
from upscale.kernels.kernel import Kernel
from upscale.kernels.load import load
from upscale.kernels.normalize import check_every_phase
from upscale.learning import image_quality
from upscale.loops.engine import CHOOSER
from upscale.operators.enlarge_picture import CLIPPED, Enlargement
from upscale.operators.methods import Request
from upscale.operators.parameters import make_operator
from upscale.pictures import adapt_to_format, formats, mode_conversion
from upscale.pictures.luma import luma_of
from upscale.pictures.picture import Picture
from upscale.pictures.reading import first_picture

if TYPE_CHECKING:
    from PIL.Image import Image

    from upscale.kernels.kernel_spec import KernelSpec

#: Transparent pictures are flattened onto this colour before luma is measured.
_GREY = (128, 128, 128)
#: Seconds for which short runs are repeated.
_SHORT = 0.05
#: Bytes that measuring takes for each output pixel: a dozen arrays of 64-bit floats.
_MEASURING = 100
#: Bytes of a panel's pixel, kept as RGBA; and of a pixel of the sheet, on its way there and while it is encoded.
_PANEL, _SHEET = 4, 12


class Contender(NamedTuple):
    """A kernel that is compared.

    Attributes
    ----------
    name : str
    request : Request
    """

    name: str
    request: Request


class Panel(NamedTuple):
    """What is shown of one enlargement, of the input or of the truth.

    Attributes
    ----------
    name : str
    image : PIL image
        The crop, RGB or RGBA of 8 bits.
    psnr, ssim : float or None
        In decibels, and at most 1; None if no truth is known.
    seconds : float or None
        Time that computing the whole picture took; None if a kernel did not make it.
    enlarged : bool
        Whether it is one of the enlargements, of a kernel or of another program.
    """

    name: str
    image: "Image"
    psnr: float | None = None
    ssim: float | None = None
    seconds: float | None = None
    enlarged: bool = False

    @property
    def numbers(self) -> tuple[str, str, str]:
        """PSNR, SSIM and seconds as texts; empty if they are not known."""
        psnr = "" if self.psnr is None else f"{self.psnr:.2f}"
        ssim = "" if self.ssim is None else f"{self.ssim:.4f}"
        seconds = "" if self.seconds is None else f"{self.seconds:.4f}" if self.seconds >= 5e-5 else "<0.0001"
        return psnr, ssim, seconds


class Comparison(NamedTuple):
    """Panels side by side, and what they show.

    Attributes
    ----------
    source : str
        The picture's file.
    size : (int, int)
        Its width and height.
    crop : (int, int, int, int)
        Left, top, width and height in input pixels.
    factor : (int, int)
        Vertical and horizontal.
    zoom : int
        Times as large as they are, enlargements are drawn on a sheet.
    panels : list of Panel
        The input, the enlargements and, if it is known, the truth.
    notes : list of str
        What a user should know.
    """

    source: str
    size: tuple[int, int]
    crop: Crop
    factor: tuple[int, int]
    zoom: int
    panels: list[Panel]
    notes: list[str]

    @property
    def enlarged(self) -> list[Panel]:
        """The panels of kernels and of other programs."""
        return [p for p in self.panels if p.enlarged]

    @property
    def measured(self) -> bool:
        """Whether PSNR and SSIM are known."""
        return any(p.psnr is not None for p in self.panels)

    @property
    def best(self) -> tuple[str, str]:
        """The highest PSNR and SSIM as in `Panel.numbers`; empty if fewer than two panels have them."""
        panels = [p for p in self.enlarged if p.psnr is not None]
        if len(panels) < 2:
            return "", ""
        return max(panels, key=lambda p: p.psnr or 0).numbers[0], max(panels, key=lambda p: p.ssim or 0).numbers[1]

    @property
    def details(self) -> str:
        """The crop and the factor in a few words."""
        width, height = self.size
        whole = self.crop == (0, 0, width, height)
        shown = f"all of {width}x{height}" if whole else f"crop {','.join(map(str, self.crop))} of {width}x{height}"
        return f"{shown}, factor {format_factor(self.factor)}"

    @property
    def caption(self) -> str:
        """The details of a sheet, which has a zoom."""
        return f"{self.details}, shown at {self.zoom}x"

    def scale(self, panel: Panel) -> tuple[int, int]:
        """Return how many rows and columns a pixel of a panel takes on a sheet; all panels become equally large."""
        vertical, horizontal = self.factor if panel is self.panels[0] else (1, 1)
        return vertical * self.zoom, horizontal * self.zoom


def load_contenders(
    kernels: Sequence[tuple[str, "KernelSpec | None"]], factor: tuple[int, int] | None = None, normalize: bool | None = None
) -> list[Contender]:
    """Load the kernels for one factor.

    Parameters
    ----------
    kernels : sequence of (str, KernelSpec or None)
        What each is called, and what it is; None is nearest-neighbour unpooling.
    factor : (int, int), optional
        Vertical and horizontal. By default that of the first kernel that has one of its own, or 2.
    normalize : bool, optional
        As in `operators.enlarge.enlarge`.

    Raises
    ------
    ArgumentError
        If a kernel is not made for the factor, or cannot be used.
    FileError
        If a kernel's file cannot be read.
    """
    loaded: list[Kernel | None] = []
    for _, spec in kernels:  # those with a factor of their own first, since it decides the others
        with prefix_errors(_option(spec)):
            loaded.append(None if spec is None or spec.depends_on_factor else load(spec))
    factor = factor or next((k.factor for k in loaded if k is not None and k.factor), None) or DEFAULT_FACTOR
    found = []
    for (name, spec), kernel in zip(kernels, loaded, strict=True):
        with prefix_errors(_option(spec)):
            if spec is not None and kernel is None:
                kernel = load(spec, factor)
            found.append(Contender(name, Request(factor) if kernel is None else _request(kernel, factor, normalize)))
    return found


def _option(spec: "KernelSpec | None") -> str:
    return f"--kernels {(spec.path or spec.label) if spec is not None else 'nn'}"


def _request(kernel: Kernel, factor: tuple[int, int], normalize: bool | None) -> Request:
    made = make_operator(kernel, factor, None, output_padding=(0, 0), dilation=(1, 1), edge="zero", normalize=normalize)
    if made.kernel.normalized:
        check_every_phase(kernel.shape, factor)
    if made.size((99, 99)) != (99 * factor[0], 99 * factor[1]):
        raise ArgumentError("its own padding does not make exactly factor times the picture, which could not be compared")
    return Request(factor, made)


def compare(
    path: str,
    contenders: Sequence[Contender],
    crop: Crop | None = None,
    truth: str | None = None,
    *,
    zoom: int | None = None,
    others: Sequence[tuple[str, str]] = (),
    page: bool = False,
) -> Comparison:
    """Enlarge a picture by each kernel, measure the whole and keep a crop of it.

    Parameters
    ----------
    path : str
        File of the low-resolution picture; its first picture is used.
    contenders : sequence of Contender
        All of one factor.
    crop : (int, int, int, int), optional
        Left, top, width and height in input pixels; by default that of `comparison_view.default_crop`.
    truth : str, optional
        File of the picture that the enlargements should equal; exactly factor times as large.
    zoom : int, optional
        For a sheet; by default that of `comparison_view.default_zoom`.
    others : sequence of (str, str)
        Names and files of enlargements that other programs made.
    page : bool
        Whether there is only a page, and no sheet: its default crop is larger.

    Raises
    ------
    ArgumentError
        If the crop is not within the picture.
    FileError
        If a file cannot be read, sizes do not fit each other, or a picture cannot be enlarged or measured.
    """
    picture = _read(path)
    factor = contenders[0].request.factor
    size = picture.samples.shape[1], picture.samples.shape[0]
    crop = check_crop(crop, size, path) if crop else default_crop(size, factor, page=page)
    zoom = zoom or default_zoom(crop, factor)
    shown = crop[2] * crop[3] * factor[0] * factor[1] * (len(contenders) + len(others) + 2)
    _check_memory(path, picture, factor, shown * (_PANEL + _SHEET * zoom**2), measured=truth is not None)
    with prefix_errors(path, FileError):
        panels = [Panel("input", to_displayable(crop_picture(picture, crop)))]
    true = None if truth is None else _read_truth(truth, path, picture, factor)
    foreign = []  # read first, so that what is wrong with a file is reported before the work
    for name, file in others:
        enlarged = _read_enlarged(file, path, size, factor)
        with prefix_errors(file, FileError):
            foreign.append(_panel(name, enlarged, true, crop, factor))
    notes: list[str] = []
    for contender in contenders:
        with prefix_errors(f"{path}, enlarged by {contender.name}", FileError):
            panels.append(_enlarged_panel(contender, picture, true, crop, notes))
    panels.extend(foreign)
    if true is not None:
        with prefix_errors(str(truth), FileError):
            panels.append(Panel("truth", to_displayable(crop_picture(true, crop, factor))))
        if not any(p.psnr is not None for p in panels):
            notes.append(f"{truth}: too small for PSNR and SSIM, which leave out a border of {max(factor)} pixels")
    return Comparison(path, size, crop, factor, zoom, panels, notes)


def _enlarged_panel(contender: Contender, picture: Picture, true: Picture | None, crop: Crop, notes: list[str]) -> Panel:
    """Enlarge a picture by a kernel and append what a user should know to `notes`."""
    enlarged, seconds, remarks = _enlarge_timed(picture, contender.request)
    notes.extend(f"{contender.name}: {text}" for text in remarks)
    return _panel(contender.name, enlarged, true, crop, contender.request.factor, seconds)


def _panel(
    name: str, picture: Picture, true: Picture | None, crop: Crop, factor: tuple[int, int], seconds: float | None = None
) -> Panel:
    """Measure an enlargement and keep its crop."""
    psnr, ssim = measure_quality(picture, true, max(factor)) if true is not None else (None, None)
    return Panel(name, to_displayable(crop_picture(picture, crop, factor)), psnr, ssim, seconds, enlarged=True)


def _read(path: str) -> Picture:
    """Read a picture as `upscale` does when it writes PNG, or TIFF if PNG does not support it."""
    picture = first_picture(path)
    if not picture.mode and picture.samples.dtype.kind == "f":
        picture = picture._replace(samples=picture.samples.astype(np.float32))
    with prefix_errors(path, FileError):
        try:
            return adapt_to_format.adapt(picture, formats.FORMATS[".png"])
        except ArgumentError:
            return mode_conversion.unassociated(adapt_to_format.adapt(picture, formats.FORMATS[".tiff"]))


def _check_memory(path: str, picture: Picture, factor: tuple[int, int], shown: int, *, measured: bool) -> None:
    """Refuse what would not fit into memory: the largest enlargement, and `shown` bytes for the panels and a sheet of them."""
    height, width = (n * f for n, f in zip(picture.samples.shape[:2], factor, strict=True))
    pixel = max(4, picture.samples[0, 0].nbytes)
    need, have = height * width * (3 * pixel + (_MEASURING if measured else 0)) + shown, available()
    if have is not None and need > have:
        remedy = "; choose a smaller --crop or --zoom" if 2 * shown > need else ""
        raise FileError(
            f"{path}: enlarging it to {width}x{height} and drawing the sheet takes {format_bytes(need)} of memory; "
            f"{format_bytes(have)} are free{remedy}"
        )


def _read_enlarged(file: str, path: str, size: tuple[int, int], factor: tuple[int, int]) -> Picture:
    """Read what another program made of `path`, or the truth."""
    picture = _read(file)
    height, width = picture.samples.shape[:2]
    wanted = size[0] * factor[1], size[1] * factor[0]
    if (width, height) != wanted:
        raise FileError(
            f"{file}: is {width}x{height}, but must be {wanted[0]}x{wanted[1]}: "
            f"{format_factor(factor)} times {path}, which is {size[0]}x{size[1]}"
        )
    return picture


def _read_truth(truth: str, path: str, picture: Picture, factor: tuple[int, int]) -> Picture:
    """Read the truth of a picture; what cannot be measured is reported before the work."""
    true = _read_enlarged(truth, path, (picture.samples.shape[1], picture.samples.shape[0]), factor)
    for name, known in ((path, picture), (truth, true)):
        with prefix_errors(name, FileError):
            luma_of(known)
    return true


def _enlarge_timed(picture: Picture, request: Request) -> tuple[Picture, float, list[str]]:
    """Enlarge; return the result, the seconds it takes once all loops are compiled, and notes.

    All kernels run on Numba, to be comparable. Short runs are repeated and the fastest counts, since whatever else the machine
    does only delays them.
    """
    engine = "numba" if CHOOSER.has_numba() else "numpy"
    Enlargement(picture, request, engine).whole()
    runs: list[float] = []
    while not runs or (sum(runs) < _SHORT and len(runs) < 20):
        began = time.perf_counter()
        enlarging = Enlargement(picture, request, engine)
        result = enlarging.whole()
        runs.append(time.perf_counter() - began)
    notes = [*enlarging.notes]
    if enlarging.clipped > CLIPPED:
        notes.append(f"{enlarging.clipped:.1%} of the samples were clipped")
    return result, min(runs), notes


def measure_quality(picture: Picture, truth: Picture, border: int) -> tuple[float, float] | tuple[None, None]:
    """Compute PSNR and SSIM of luma as `learning.from_files.measure` does; None if the truth is too small for SSIM's window.

    If only one of the two is grey, both are converted to colours. Transparent pictures are flattened onto a medium grey.

    Parameters
    ----------
    picture, truth : Picture
        Of one size.
    border : int
        Pixels at each side that are left out.

    Raises
    ------
    ArgumentError
        If luma of such a picture is not defined.
    """
    if min(truth.samples.shape[:2]) < 2 * border + 11:
        return None, None
    one, other = (luma_of(p) for p in _to_one_luma_scale(picture, truth))
    return image_quality.psnr(one, other, border), image_quality.ssim(one, other, border)


def _to_one_luma_scale(*pictures: Picture) -> Iterator[Picture]:
    """Convert pictures to one scale of luma, which for colours lies in 16..235."""
    plain = [mode_conversion.filterable(mode_conversion.flattened(p, _GREY)) for p in pictures]
    coloured = any(p.base == "RGB" for p in plain)
    return (mode_conversion.widened(p, "RGB") if coloured and p.base == "L" else p for p in plain)

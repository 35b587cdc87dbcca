"""The labelled sheet of a comparison: every pixel of a picture is a block of the sheet's pixels."""

import io
from typing import Any, NamedTuple

from PIL import Image, ImageDraw, ImageFont

from upscale.errors import FileError, library_errors
from upscale.figures.comparison import Comparison, Panel
from upscale.pictures.formats import Format
from upscale.pictures.picture import Frame, Picture
from upscale.pictures.write_options import WriteOptions
from upscale.pictures.writing import encoder_errors, make_writer

#: Largest width of a sheet with more than one column.
WIDEST = 1640
_GAP, _MARGIN = 16, 20
#: Heights of the title and of a panel's label; space between two numbers.
_TITLE, _LABEL, _BETWEEN = 62, 44, 12
#: A long name makes a column at most so wide.
_NAME = 180
_DARK, _GREY, _LINE, _GROUND = "#1a1a1a", "#6b6b6b", "#d4d4d4", "#ffffff"
#: Colours of the checkerboard behind transparent pixels, and the side of its squares.
BOARD = ("#c4c4c4", "#e4e4e4")
_SQUARE = 8
#: Options of Pillow's encoders, for no loss or the least.
_SAVING: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
    "TIFF": {"compression": "tiff_adobe_deflate"},
}
#: Formats that Pillow does not write, or not as well.
_WITHOUT_PILLOW = ("JXL", "JPEG2000", "QOI")


def encode_sheet(comparison: Comparison, target: Format, name: str) -> bytes:
    """Draw a sheet and encode it in a format that supports RGB.

    Parameters
    ----------
    comparison : Comparison
    target : Format
    name : str
        Of the file, for messages.

    Raises
    ------
    FileError
        If the format, or the encoder, refuses it.
    """
    sheet, file = draw_sheet(comparison), io.BytesIO()
    if max(sheet.size) > target.longest:
        raise FileError(
            f"{name}: would be {sheet.width}x{sheet.height}; {target.name} supports at most {target.longest} pixels a side: "
            "choose a smaller --crop or --zoom, or write .png"
        )
    profile = comparison.panels[0].image.info.get("icc_profile")
    if target.pillow in _WITHOUT_PILLOW:
        info = {"icc_profile": profile} if profile and "icc_profile" in target.metadata else {}
        with encoder_errors(name):
            make_writer(target, file, WriteOptions((sheet.height, sheet.width))).add(Frame(Picture.of_image(sheet, info)))
        return file.getvalue()
    with encoder_errors(name), library_errors(f"cannot be written as {target.name}"):
        sheet.save(file, target.pillow, **_SAVING.get(target.pillow, {}), **({"icc_profile": profile} if profile else {}))
    return file.getvalue()


def draw_sheet(comparison: Comparison) -> Image.Image:
    """Draw all panels in a grid, each under its name and numbers; the best PSNR and SSIM are underlined.

    Returns
    -------
    PIL image
        RGB.
    """
    fonts = _Fonts(*(ImageFont.load_default(size) for size in (18, 15, 13)))
    panels, details = comparison.panels, comparison.caption
    if comparison.measured:
        details += "; PSNR and SSIM are of the whole picture" + (", the best underlined" if comparison.best[0] else "")
    shown_width, shown_height = _shown_size(comparison)
    column = max(shown_width, _label_width(comparison, fonts))
    most = max(1, (WIDEST - 2 * _MARGIN + _GAP) // (column + _GAP))
    rows = -(-len(panels) // most)
    columns = -(-len(panels) // rows)  # evenly filled
    row = _LABEL + shown_height + _GAP
    width = 2 * _MARGIN + max(columns * (column + _GAP) - _GAP, int(fonts.small.getlength(details)) + 1)
    sheet = Image.new("RGB", (width, _TITLE + rows * row + _MARGIN - _GAP), _GROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((_MARGIN, 14), _shortened(comparison.source, fonts.title, width - 2 * _MARGIN), _DARK, fonts.title)
    draw.text((_MARGIN, 38), details, _GREY, fonts.small)
    for number, panel in enumerate(panels):
        left, top = _MARGIN + number % columns * (column + _GAP), _TITLE + number // columns * row
        draw.text((left, top), _shortened(panel.name, fonts.name, column), _DARK, fonts.name)
        _draw_numbers(draw, (left, top + 21), comparison, panel, fonts.small)
        top += _LABEL
        draw.rectangle((left - 1, top - 1, left + shown_width, top + shown_height), outline=_LINE)
        shown = panel.image.resize((shown_width, shown_height), Image.Resampling.NEAREST)
        sheet.paste(over_checkerboard(shown), (left, top))
    return sheet


def _shown_size(comparison: Comparison) -> tuple[int, int]:
    """Return the width and height of every panel on the sheet."""
    _, _, width, height = comparison.crop
    vertical, horizontal = comparison.factor
    return width * horizontal * comparison.zoom, height * vertical * comparison.zoom


def over_checkerboard(image: Image.Image) -> Image.Image:
    """Flatten an image with alpha onto a checkerboard of two greys."""
    if image.mode != "RGBA":
        return image
    board = Image.new("RGBA", image.size, BOARD[0])
    draw = ImageDraw.Draw(board)
    for y in range(0, image.height, _SQUARE):
        for x in range(y // _SQUARE % 2 * _SQUARE, image.width, 2 * _SQUARE):
            draw.rectangle((x, y, x + _SQUARE - 1, y + _SQUARE - 1), BOARD[1])
    return Image.alpha_composite(board, image).convert("RGB")


class _Fonts(NamedTuple):
    title: Any
    name: Any
    small: Any


def _label_width(comparison: Comparison, fonts: _Fonts) -> int:
    """Return a width in which every number fits, and every name that is not very long."""
    return max(
        *(_length(_numbers(comparison, p), fonts.small) for p in comparison.panels),
        min(_NAME, max(int(fonts.name.getlength(_one_line(p.name))) + 1 for p in comparison.panels)),
    )


def _numbers(comparison: Comparison, panel: Panel) -> list[str]:
    """Write a panel's numbers, or its size if there are none."""
    psnr, ssim, seconds = panel.numbers
    if psnr or seconds:
        return [*([f"{psnr} dB", f"SSIM {ssim}"] if psnr else []), *([f"{seconds} s"] if seconds else [])]
    size = f"{panel.image.width}x{panel.image.height}"
    vertical, horizontal = comparison.scale(panel)
    return [size if panel is not comparison.panels[0] else f"{size}, each pixel shown as {horizontal}x{vertical}"]


def _draw_numbers(draw: ImageDraw.ImageDraw, at: tuple[int, int], comparison: Comparison, panel: Panel, font: Any) -> None:
    x, best = float(at[0]), comparison.best
    for number, text in enumerate(_numbers(comparison, panel)):
        marked = bool(best[0]) and number < 2 and panel.numbers[number] == best[number]
        draw.text((x, at[1]), text, _DARK if marked else _GREY, font)
        length = font.getlength(text)
        if marked:
            draw.line((x, at[1] + 16, x + length - 1, at[1] + 16), _DARK, 1)
        x += length + _BETWEEN


def _length(texts: list[str], font: Any) -> int:
    return int(sum(font.getlength(text) + _BETWEEN for text in texts)) + 1 - _BETWEEN


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _shortened(text: str, font: Any, width: int) -> str:
    """Cut a text in the middle until it fits a width in pixels."""
    text = _one_line(text)
    left = len(text)
    shorter = text
    while left > 2 and font.getlength(shorter) > width:
        left -= 1
        shorter = text[: (left + 1) // 2] + "..." + text[len(text) - left // 2 :]
    return shorter

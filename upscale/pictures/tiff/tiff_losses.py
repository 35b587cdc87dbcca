"""What an enlarged TIFF page cannot keep of its tags and of the pictures below it, and notes on that."""

from collections.abc import Callable
from typing import Any, BinaryIO

from upscale.choices import pluralize
from upscale.errors import ArgumentError, library_errors
from upscale.pictures.photoshop import photoshop_blocks
from upscale.pictures.tiff import tiff_tags
from upscale.pictures.tiff.tiff_tags import Tags

Note = Callable[[str], None]
Tag = tuple[int, int, int, bytes]

#: The bit of the tag NewSubfileType that marks a reduced copy, and that of a mask.
_REDUCED, _MASK = 1, 4


def keep_private_tags(page: Any, tags: Tags, stream: BinaryIO, info: dict[str, Any], note: Note) -> None:
    """Add a page's private tags to its metadata, except those that are wrong for an enlarged page, which are noted.

    Parameters
    ----------
    page : callable
        Returns the `tifffile.TiffPage`, which is not needed for most files.
    tags : Tags
    stream : binary file
        From which the page was read.
    info : dict
        As in `Picture.info`; changed in place.
    note : callable
        Called with a line for what is left out.
    """
    codes = tiff_tags.private_codes(tags)
    if any(code in tiff_tags.SCALES for code in codes):
        note("the ground size of a pixel no longer applies and was dropped")
    if tiff_tags.PHOTOSHOP_LAYERS in codes:
        note("its Photoshop layers, which have the old size, were dropped")
    kept: list[Tag] = []
    lost: list[str] = []
    for code in codes:
        if code in tiff_tags.SCALES or code == tiff_tags.PHOTOSHOP_LAYERS:
            continue
        try:
            kept += tiff_tags.private_tag(page(), code, stream)
        except ArgumentError:
            lost.append(str(code))
    if lost:
        note(f"tags that are damaged, too long or of a rare type were dropped: {', '.join(lost)}")
    blocks = next((raw for code, kind, _, raw in kept if code == tiff_tags.PHOTOSHOP and kind in (1, 7)), b"")
    if blocks:
        kept = [tag for tag in kept if tag[0] != tiff_tags.PHOTOSHOP]
        if remaining := photoshop_blocks.without_thumbnails(blocks):
            info["photoshop"] = remaining
    if kept:
        info["tiff"] = {**info.get("tiff", {}), "tags": kept}


def note_pictures_below(page: Any, note: Note) -> None:
    """Note the pictures in a page's SubIFDs by what they are.

    Parameters
    ----------
    page : tifffile.TiffPage
    note : callable
    """
    try:
        with library_errors():
            below = [(int(sub.subfiletype), sub.imagewidth, sub.imagelength) for sub in page.pages or ()]
            width, height = page.imagewidth, page.imagelength
    except ArgumentError:
        note("its SubIFDs are damaged; the pictures in them were dropped")
        return
    copies = masks = 0
    for kind, its_width, its_height in below:
        # Programs forget the mark; a copy has the same shape, up to rounding.
        same_shape = abs(its_width * height - its_height * width) <= max(width, height)
        if kind & _MASK:
            masks += 1
        elif kind & _REDUCED or (its_width < width and same_shape):
            copies += 1
    if copies:
        note("reduced copies of it, in SubIFDs, were dropped")
    if masks:
        note(f"{pluralize(masks, 'mask')} of it, in SubIFDs, {_was(masks)} dropped")
    if others := len(below) - copies - masks:
        note(f"{pluralize(others, 'other picture')} in SubIFDs {_was(others)} dropped")


def _was(number: int) -> str:
    return "was" if number == 1 else "were"

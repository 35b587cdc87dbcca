"""The suffix of an output whose input has a format that can be read but not written."""

import os

from upscale.choices import pluralize
from upscale.errors import UpscaleError
from upscale.pictures import formats


def substitute_suffix(path: str, *, to_rgb: bool) -> str:
    """Return the suffix of PNG, or of TIFF where PNG cannot store the picture; an empty text where the input's own will do.

    Only files whose suffix leaves it open are opened.

    Parameters
    ----------
    path : str
        Of an input.
    to_rgb : bool
        Whether other colour models are converted to RGB.
    """
    if os.path.splitext(path)[1].lower() in formats.WRITTEN:
        return ""
    from upscale.pictures import reading

    try:
        with reading.opened(path, path) as stream:
            source = reading.Source(stream, path, layout="hwc", allow_8_bit=True, max_pixels=1 << 62, note=lambda text: None)
    except UpscaleError:  # reported when it is to be enlarged
        return ""
    contents = source.contents
    if formats.of_name(contents.format) is not None:
        return ""
    return formats.suffix_of(formats.substitute(contents.mode, contents.kind, to_rgb=to_rgb))


def substitution_note(before: str, after: str, number: int) -> str:
    """Note that so many files get another suffix."""
    return f"{before} can be read but not written; {pluralize(number, 'output')} will be {after}"

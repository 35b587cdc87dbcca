"""The limit of the factor, which catches a size or a percentage typed as a factor before it fills a disk."""

import os
import warnings
from collections.abc import Iterator, Sequence
from itertools import islice

import click

from upscale.choices import format_factor
from upscale.output_files import DASH

#: How many files are tried for one that can be read.
_TRIED = 20


def check_factor(factor: tuple[int, int] | None, limit: int, inputs: Sequence[str], *, recursive: bool) -> None:
    """Refuse a factor above the limit, with the size that the first picture would have.

    Parameters
    ----------
    factor : (int, int), optional
        Vertical and horizontal.
    limit : int
        For each of the two.
    inputs : sequence of str
        Files, folders and patterns; they are opened only if the factor is above the limit.
    recursive : bool
        Whether folders in folders are inputs too.

    Raises
    ------
    click.UsageError
        Where the factor is above the limit.
    """
    if factor is None or max(factor) <= limit:
        return
    vertical, horizontal = factor
    becomes, meant = "", ""
    found = next(_sizes(inputs, recursive), None)
    if found is not None:
        name, width, height = found
        becomes = f"{name} would become {width * horizontal}x{height * vertical} pixels; "
        if not (horizontal % width or vertical % height):
            fitting = format_factor((vertical // height, horizontal // width))
            meant = f": --factor {fitting} makes {horizontal}x{vertical}"
    if not meant and vertical == horizontal and vertical % 100 == 0:
        meant = f": {vertical} % is --factor {vertical // 100}"
    raise click.UsageError(
        f"--factor {format_factor(factor)}: {becomes}a factor is a multiple, not a size{meant}. If you mean it, "
        f"add --max-factor {max(factor)}"
    )


def _sizes(inputs: Sequence[str], recursive: bool) -> Iterator[tuple[str, int, int]]:
    """Yield the name, width and height of the pictures that Pillow can open, as a viewer shows them."""
    for path in islice(_files(inputs, recursive), _TRIED):
        from PIL import Image

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the picture itself is not what is wrong
                with Image.open(path) as image:
                    turned = image.getexif().get(0x0112, 1) >= 5
                    width, height = image.size
        except Exception:  # decoders raise anything; the next picture may do
            continue
        yield (path, height, width) if turned else (path, width, height)


def _files(inputs: Sequence[str], recursive: bool) -> Iterator[str]:
    from upscale.batch.find_inputs import Search

    search = Search("", recursive)
    for name in inputs:
        if os.path.isfile(name):
            yield name
        elif name != DASH:
            yield from (found.path for found in search.files(name, alone=True))

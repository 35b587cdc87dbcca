"""The command `upscale-compare`: one picture, enlarged by several kernels, side by side."""

import os
import re
import sys
from typing import TYPE_CHECKING, Any

import click

from upscale import __version__
from upscale.commands import completion, console, option_types
from upscale.commands.option_types import Parsed
from upscale.commands.parsing import Command, Option
from upscale.errors import ArgumentError
from upscale.kernels import kernel_spec, number_text, shipped
from upscale.kernels.kernel_spec import KernelSpec
from upscale.output_files import check_place, same_file, write
from upscale.pictures import formats

if TYPE_CHECKING:
    from upscale.figures.comparison import Comparison

_EXAMPLES = """\b
Examples:
  upscale-compare sample_images/potion.png sheet.png --factor 8
  upscale-compare photo.jpg sheet.html --kernels bicubic,lanczos3,adaptive-jpeg,mine.npz
  upscale-compare small.png sheet.png --html --truth large.png --crop 100,80,120,90
"""
_DEFAULT = ("nn", "bilinear", "bicubic", "lanczos3", "adaptive")
#: What is compared: a name and where the kernel comes from, None for nearest-neighbour unpooling.
_Named = tuple[str, KernelSpec | None]


def _kernels(text: str) -> list[_Named]:
    """Read names, parameters and files between commas; rows that are typed out, or a file's name, may hold commas."""
    file = kernel_spec.file_and_name(text)
    rows = ";" in text or all(number_text.is_number(part) for part in text.split(","))
    alone = rows or os.path.isfile(text) or (file is not None and os.path.isfile(file[0]))
    return [_named(part.strip()) for part in ([text] if alone else text.split(","))]


def _named(text: str) -> _Named:
    if text == "nn":
        return text, None
    source = kernel_spec.parse_kernel(text)
    if source.kind != "file":
        return text, source
    return os.path.basename(source.path) + (f":{source.name}" if source.name else ""), source


def _crop(text: str) -> tuple[int, int, int, int]:
    found = re.fullmatch(r"\s*([0-9]{1,9})\s*,\s*([0-9]{1,9})\s*,\s*([0-9]{1,9})\s*,\s*([0-9]{1,9})\s*", text)
    left, top, width, height = map(int, found.groups()) if found else (0, 0, 0, 0)
    if not width or not height:
        raise ArgumentError(f"{text!r} is not a crop; give LEFT,TOP,WIDTH,HEIGHT in pixels of INPUT, such as 0,0,64,64")
    return left, top, width, height


@click.command(
    cls=Command, epilog=_EXAMPLES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.argument("picture", metavar="INPUT", shell_complete=completion.files)
@click.argument("target", metavar="[SHEET]", required=False, shell_complete=completion.files)
@click.option(
    "-o",
    "--output",
    metavar="SHEET",
    shell_complete=completion.files,
    help="The sheet, such as .png, .webp or .jpg; .html makes a page. Instead of the argument SHEET.",
)
@click.option(
    "-k",
    "--kernels",
    type=Parsed("kernels", _kernels),
    multiple=True,
    metavar="KERNEL,...",
    shell_complete=completion.kernel_lists,
    help="What is compared: nn, presets, shipped kernels and kernel files; rows typed out, with semicolons between, "
    f"need an option of their own.  [default: {','.join(_DEFAULT)}]",
)
@click.option(
    "-f",
    "--factor",
    cls=Option,
    aliases=("--scale", "--zoom", "--ratio", "--stride", "-x"),
    type=Parsed("factor", option_types.factor),
    metavar="N|WxH",
    help="How many times larger.  [default: the kernels' own, or 2]",
)
@click.option(
    "--normalize/--no-normalize",
    cls=Option,
    aliases=("--normalise", "--no-normalise"),
    default=None,
    help="Keep flat pictures flat.  [default: presets are normalised, own kernels are not]",
)
@click.option(
    "--crop",
    type=Parsed("crop", _crop),
    metavar="X,Y,W,H",
    help="What is shown, in pixels of INPUT: left, top, width, height.  [default: all of it, or its middle]",
)
@click.option(
    "--truth",
    metavar="FILE",
    shell_complete=completion.files,
    help="The original that INPUT was downscaled from: report PSNR and SSIM, and show it too.",
)
@click.option("--html", is_flag=True, help="Write a page with a slider between any two beside the sheet.")
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
@click.version_option(__version__, prog_name="upscale-compare", message="%(prog)s %(version)s")
def command(picture: str, kernels: tuple[list[_Named], ...], truth: str | None, html: bool, quiet: bool, **values: Any) -> None:
    """Enlarge INPUT by several kernels and show the same crop of each, side by side.

    With the original as --truth, PSNR and SSIM are reported too.
    """
    output = _output(picture, values["target"], values["output"])
    chosen = _unique([named for several in kernels for named in several] or _defaults(values["factor"]))
    stem, suffix = os.path.splitext(output)
    page = output if suffix.lower() == ".html" else stem + ".html" if html else ""
    sheet = "" if page == output else output
    target = _target(sheet) if sheet else None
    read = [("INPUT", picture), ("--truth", truth), *((f"--kernels {s.path}", s.path) for _, s in chosen if s is not None)]
    if sheet and page and same_file(sheet, page):
        raise click.UsageError(f"SHEET {sheet} is the same file as the page {page}")
    for written in filter(None, (sheet, page)):
        for what, path in read:
            if path and same_file(path, written):
                raise click.UsageError(f"SHEET {written} is the same file as {what}; an input is never overwritten")
        check_place(written)
    try:
        comparison = _compared(picture, chosen, truth, quiet, values)
    except ArgumentError as error:
        raise click.UsageError(str(error)) from error
    made = []  # both, before one of them is written
    if target is not None:
        from upscale.figures import comparison_sheet as sheets

        made.append((sheet, sheets.encode_sheet(comparison, target, sheet)))
    if page:
        from upscale.figures.comparison_page import render_page

        made.append((page, render_page(comparison).encode("utf-8", "backslashreplace")))
    for path, data in made:
        write(path, data)
    if quiet:
        return
    if not kernels and "adaptive" not in dict(chosen):
        factors = ", ".join(map(str, shipped.FACTORS))
        why = f"it supports the factors {factors} only, equal in both directions"
        console.note("upscale-compare", f"adaptive is left out: {why}")
    for note in comparison.notes:
        console.note("upscale-compare", note)
    _tell(comparison, " and ".join(filter(None, (sheet, page))))


def _output(picture: str, argument: str | None, option: str | None) -> str:
    """Choose the sheet's path: the second argument, or the option."""
    if argument is not None and option is not None:
        raise click.UsageError(f"give one SHEET: {argument}, or --output {option}")
    if argument is None and option is None:
        raise click.UsageError(f"SHEET is missing, as in: upscale-compare {picture} sheet.png")
    return argument or option or ""


def _defaults(factor: tuple[int, int] | None) -> list[_Named]:
    """Name what is compared if nothing is said; adaptive only where it is there for the factor."""
    vertical, horizontal = factor or (2, 2)
    there = vertical == horizontal and vertical in shipped.FACTORS
    return [_named(name) for name in _DEFAULT if there or name not in shipped.SHIPPED]


def _unique(named: list[_Named]) -> list[_Named]:
    """Leave out what was named twice; call files by all of their path where some have the same name."""
    named = list(dict.fromkeys(named))
    names = [name for name, _ in named]
    return [(n if names.count(n) == 1 or s is None else s.text, s) for n, s in named]


def _target(sheet: str) -> formats.Format:
    """Find the format of the sheet."""
    able = {suffix: form for suffix, form in formats.FORMATS.items() if "RGB" in form.modes and form.several != "sizes"}
    suffix = os.path.splitext(sheet)[1].lower()
    if suffix not in able:
        raise click.UsageError(f"SHEET {sheet}: no sheet is written as {suffix!r}; its suffix is one of {' '.join(able)} .html")
    return able[suffix]


def _compared(picture: str, chosen: list[_Named], truth: str | None, quiet: bool, values: dict[str, Any]) -> "Comparison":
    from upscale.figures import comparison

    contenders = comparison.load_contenders(chosen, values["factor"], values["normalize"])
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        return comparison.compare(picture, contenders, values["crop"], truth)
    from upscale.loops.compile_notice import compile_notice

    told = "upscale-compare: compiling a loop for this machine, once; it is kept for the next run"
    with compile_notice(lambda: click.echo(told, err=True)):
        return comparison.compare(picture, contenders, values["crop"], truth)


def _tell(comparison: "Comparison", written: str) -> None:
    """Print what was made, and the numbers."""
    console.say(f"{written}: {comparison.details}")
    panels, measured = comparison.enlarged, comparison.measured
    width = max(10, *(len(p.name) for p in panels)) + 1
    console.say(" " * width + (f"{'PSNR':>9}{'SSIM':>9}" if measured else "") + f"{'seconds':>10}")
    for panel in panels:
        psnr, ssim, seconds = panel.numbers
        console.say(f"{' '.join(panel.name.split()):{width}}" + (f"{psnr:>9}{ssim:>9}" if measured else "") + f"{seconds:>10}")


def run(arguments: list[str]) -> int:
    """Run the command with arguments, without the program's name; see `console.run`."""
    return console.run(command, "upscale-compare", arguments)

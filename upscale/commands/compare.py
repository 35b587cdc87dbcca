"""The command `upscale-compare`: one picture, enlarged by several kernels and other programs, side by side."""

import os
import re
import sys
from typing import TYPE_CHECKING, Any

import click

from upscale import __version__
from upscale.commands import completion, console, option_types
from upscale.commands.option_types import Parsed, WholeNumber
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
  upscale-compare photo.jpg sheet.html --kernels bicubic,lanczos3,deep-jpeg,mine.npz
  upscale-compare small.png sheet.png --html --truth large.png --crop 100,80,120,90
  upscale-compare small.png sheet.png --kernels bicubic,deep --with gimp.png=GIMP --with magick.png
"""
_DEFAULT = ("nn", "bilinear", "bicubic", "lanczos3", "deep")
#: What is compared: a name and where the kernel comes from, None for nearest-neighbour unpooling.
_Named = tuple[str, KernelSpec | None]
#: Another program's result: its file, and its label, which may be empty.
_Other = tuple[str, str]


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


def _other(text: str) -> _Other:
    """Read FILE or FILE=LABEL; the longest FILE that exists counts, since its name may have "=" in it."""
    ends = [*(i for i, c in enumerate(text) if c == "="), len(text)]
    there = [end for end in ends if os.path.isfile(text[:end])]
    like_files = [end for end in ends if os.path.splitext(text[:end])[1]]  # for a message that names what was meant
    end = there[-1] if there else (like_files or ends)[0]
    if not end:
        raise ArgumentError(f"{text!r} names no file; give FILE or FILE=LABEL")
    return text[:end], " ".join(text[end + 1 :].split())


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
    help="The sheet, for example a .png, .webp or .jpg file; with .html, only the page. Same as the argument SHEET.",
)
@click.option(
    "-k",
    "--kernels",
    type=Parsed("kernels", _kernels),
    multiple=True,
    metavar="KERNEL,...",
    shell_complete=completion.kernel_lists,
    help="nn, presets, learned kernels or kernel files, separated by commas. A kernel typed as rows needs a -k of its "
    f"own.  [default: {','.join(_DEFAULT)}]",
)
@click.option(
    "--with",
    "others",
    type=Parsed("with", _other),
    multiple=True,
    metavar="FILE[=LABEL]",
    shell_complete=completion.files,
    help="Also show INPUT as another program enlarged it, by the same factor; may be repeated. LABEL is the file's name by "
    "default.",
)
@click.option(
    "-f",
    "--factor",
    cls=Option,
    aliases=("--scale", "--ratio", "--stride", "-x"),
    type=Parsed("factor", option_types.factor),
    metavar="N|WxH",
    help="How many times larger.  [default: the kernels' own, or 2]",
)
@click.option(
    "--normalize/--no-normalize",
    cls=Option,
    aliases=("--normalise", "--no-normalise"),
    default=None,
    help="Make the weights reaching each output pixel sum to 1.  [default: the kernel's own setting]",
)
@click.option(
    "--crop",
    type=Parsed("crop", _crop),
    metavar="X,Y,W,H",
    help="The part to show, in pixels of INPUT: left, top, width, height.  [default: a small picture whole, the middle of a "
    "large one]",
)
@click.option(
    "--zoom",
    type=WholeNumber(1, hint="how many times larger INPUT becomes is --factor"),
    metavar="N",
    help="Show each pixel on the sheet as NxN pixels.  [default: the smallest N that makes the crop at least 256 pixels "
    "wide or high]",
)
@click.option(
    "--truth",
    metavar="FILE",
    shell_complete=completion.files,
    help="The original that INPUT was downscaled from: show it too, and report PSNR and SSIM.",
)
@click.option("--html", is_flag=True, help="Also write a page in which a slider compares any two of the pictures.")
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
@click.version_option(__version__, prog_name="upscale-compare", message="%(prog)s %(version)s")
def command(
    picture: str, kernels: tuple[list[_Named], ...], others: tuple[_Other, ...], html: bool, quiet: bool, **values: Any
) -> None:
    """Enlarge INPUT by several kernels and show the same crop of each, side by side.

    Results of other programs can be shown too, with --with. With the original as --truth, also report PSNR and SSIM.
    """
    output = _output(picture, values["target"], values["output"])
    chosen = _unique([named for several in kernels for named in several] or _defaults(values["factor"]))
    stem, suffix = os.path.splitext(output)
    page = output if suffix.lower() == ".html" else stem + ".html" if html else ""
    sheet = "" if page == output else output
    if values["zoom"] and not sheet:
        raise click.UsageError("--zoom is for sheets; the page has buttons for it")
    target = _target(sheet) if sheet else None
    read = [("INPUT", picture), ("--truth", values["truth"]), *(("--with", file) for file, _ in others)]
    _check_outputs(sheet, page, read + [(f"--kernels {s.path}", s.path) for _, s in chosen if s is not None])
    taken = [name for name, _ in chosen] + ["input"] + (["truth"] if values["truth"] else [])
    try:
        comparison = _compared(picture, chosen, _labelled(others, taken), quiet, {**values, "page": not sheet})
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
    if not kernels and "deep" not in dict(chosen):
        factors = ", ".join(map(str, shipped.SHIPPED["deep"].factors))
        why = f"it supports only the factors {factors}, the same in both directions"
        console.note("upscale-compare", f"deep is left out: {why}")
    for note in comparison.notes:
        console.note("upscale-compare", note)
    written = " and ".join(filter(None, (sheet, page)))
    console.say(f"{written}: {comparison.caption if sheet else comparison.details}")
    _print_numbers(comparison)


def _output(picture: str, argument: str | None, option: str | None) -> str:
    """Choose the sheet's path: the second argument, or the option."""
    if argument is not None and option is not None:
        raise click.UsageError(f"give one SHEET: {argument}, or --output {option}")
    if argument is None and option is None:
        raise click.UsageError(f"SHEET is missing; for example: upscale-compare {picture} sheet.png")
    return argument or option or ""


def _check_outputs(sheet: str, page: str, read: list[tuple[str, str | None]]) -> None:
    """Check that the sheet and the page, where there are such, can be written and replace nothing that is read."""
    if sheet and page and same_file(sheet, page):
        raise click.UsageError(f"SHEET {sheet} is the same file as the page {page}")
    for written in filter(None, (sheet, page)):
        for what, path in read:
            if path and same_file(path, written):
                raise click.UsageError(f"SHEET {written} is the same file as {what}; an input is never overwritten")
        check_place(written)


def _defaults(factor: tuple[int, int] | None) -> list[_Named]:
    """Name what is compared if nothing is said; deep only where it is there for the factor."""
    vertical, horizontal = factor or (2, 2)
    missing = [name for name, row in shipped.SHIPPED.items() if vertical != horizontal or vertical not in row.factors]
    return [_named(name) for name in _DEFAULT if name not in missing]


def _unique(named: list[_Named]) -> list[_Named]:
    """Leave out what was named twice; call files by all of their path where some have the same name."""
    named = list(dict.fromkeys(named))
    names = [name for name, _ in named]
    return [(n if names.count(n) == 1 or s is None else s.text, s) for n, s in named]


def _labelled(others: tuple[_Other, ...], taken: list[str]) -> list[tuple[str, str]]:
    """Give each file a label of its own: the one given, or its name, or its whole path; with a number where that is taken."""
    given = list(dict.fromkeys(others))
    names = [os.path.basename(file) for file, label in given if not label]
    labelled: list[tuple[str, str]] = []
    for file, label in given:
        name = os.path.basename(file)
        wanted = label or (name if names.count(name) == 1 else file)
        used, number, label = {*taken, *(n for n, _ in labelled)}, 2, wanted
        while label in used:
            label, number = f"{wanted} ({number})", number + 1
        labelled.append((label, file))
    return labelled


def _target(sheet: str) -> formats.Format:
    """Find the format of the sheet."""
    able = {suffix: form for suffix, form in formats.FORMATS.items() if "RGB" in form.modes and form.several != "sizes"}
    suffix = os.path.splitext(sheet)[1].lower()
    if suffix not in able:
        raise click.UsageError(
            f"SHEET {sheet}: no sheet can be written as {suffix!r}; its suffix must be one of {' '.join(able)} .html"
        )
    return able[suffix]


def _compared(
    picture: str, chosen: list[_Named], others: list[tuple[str, str]], quiet: bool, values: dict[str, Any]
) -> "Comparison":
    from upscale.figures.comparison import compare, load_contenders

    def work() -> "Comparison":
        options = {name: values[name] for name in ("crop", "truth", "zoom", "page")}
        return compare(picture, contenders, others=others, **options)

    contenders = load_contenders(chosen, values["factor"], values["normalize"])
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        return work()
    from upscale.loops.compile_notice import compile_notice

    text = "upscale-compare: compiling the loops for this processor, once; later runs load them from the cache"
    with compile_notice(lambda: click.echo(text, err=True)):
        return work()


def _print_numbers(comparison: "Comparison") -> None:
    """Print a row for each enlargement."""
    panels, measured = comparison.enlarged, comparison.measured
    width = max(10, *(len(p.name) for p in panels)) + 1
    console.say(" " * width + (f"{'PSNR':>9}{'SSIM':>9}" if measured else "") + f"{'seconds':>10}")
    for panel in panels:
        psnr, ssim, seconds = panel.numbers
        numbers = (f"{psnr:>9}{ssim:>9}" if measured else "") + f"{seconds or '-':>10}"
        console.say(f"{' '.join(panel.name.split()):{width}}{numbers}")


def run(arguments: list[str]) -> int:
    """Run the command with arguments, without the program's name; see `console.run`."""
    return console.run(command, "upscale-compare", arguments)

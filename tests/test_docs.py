"""The documentation is whole: what is generated is up to date, and what is public is described."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys

import click
import pytest
from helpers import ROOT

import upscale

DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("make_reference", DOCS / "make_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_commands_page_is_up_to_date(reference):
    same = reference.PAGE.read_text() == reference.page(reference.above())
    assert same, "docs/commands.md is not what the commands say: run `python docs/make_reference.py`"


def test_files_that_the_architecture_page_names_exist():
    text = (DOCS / "architecture.md").read_text()
    names = re.findall(r"`([a-z_]+/(?:[a-z_0-9]+(?:\.py)?)?)`", text)
    assert len(names) > 40
    for name in names:
        places = (ROOT / name, ROOT / "upscale" / name, ROOT / "upscale" / f"{name}.py", ROOT / "tests" / name)
        assert any(place.exists() for place in places), name
    assert len(text.splitlines()) < 150


def test_the_reference_names_every_command_and_option(reference):
    scripts = re.findall(r"^([\w-]+) = \"upscale\.__main__:", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert sorted(scripts) == sorted(reference.COMMANDS)
    page = reference.PAGE.read_text()
    for name, command in reference.COMMANDS.items():
        section = page.split(f"\n## {name}\n")[1].split("\n## ")[0]
        for option in (o for p in command.params if isinstance(p, click.Option) for o in (*p.opts, *p.secondary_opts)):
            assert re.search(rf"^- .*`{option}[ `]", section, re.MULTILINE), option


def test_a_group_brings_its_commands_along(reference):
    @click.group()
    def command():
        """Do things."""

    @command.command(epilog="\b\nExamples:\n  things show a*b_c\n")
    @click.argument("path", metavar="FILE")
    @click.option("--size", type=click.IntRange(min=1), required=True, help="How `large` --it is.  [default: its own]")
    @click.option("--kind", type=click.Choice(["a", "b"]), default="a", show_default=True, help="Which.")
    def show(path, size, kind):
        """Show *.png things_of [yours].

        And more.
        """

    text = "\n\n".join(reference._command("things", command, 2))
    assert text.startswith("## things\n\n```text\nthings [OPTIONS] COMMAND [ARGS]...\n```\n\nDo things.\n\nOptions:")
    assert (
        "### things show\n\n```text\nthings show [OPTIONS] FILE\n```\n\nShow \\*.png things\\_of \\[yours\\].\n\nAnd more.\n\n"
        "Examples:\n\n```sh\nthings show a*b_c\n```\n\nOptions:\n\n"
        "- `--size INTEGER RANGE`\n\n  How \\`large\\` `--it` is. Required. At least 1. Default: its own.\n\n"
        "- `--kind a|b`\n\n  Which. Default: `a`.\n\n- `--help`"
    ) in text


def test_the_python_page_describes_the_public_names():
    described = re.findall(r"^\.\. auto\w+:: upscale\.(\w+)$", (DOCS / "python.md").read_text(), re.MULTILINE)
    assert sorted(described) == sorted(upscale.__all__)


@pytest.mark.parametrize("page", ["index.md", "python.md"])
def test_examples_of_python_run(page, tmp_path):
    shutil.copytree(ROOT / "sample_images", tmp_path / "sample_images")
    blocks = re.findall(r"^```python\n(.*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        subprocess.run([sys.executable, "-W", "error", "-c", block], cwd=tmp_path, check=True, timeout=300)


@pytest.mark.parametrize("page", sorted(p.name for p in DOCS.glob("*.md")))
def test_links_lead_somewhere(page):
    """As files in the repository; the site's builder checks its own, and headings."""
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (DOCS / page).read_text()):
        assert (DOCS / target).exists(), target


def test_every_page_is_on_the_site():
    index = (DOCS / "index.md").read_text()
    lines = "\n".join(re.findall(r"^```\{toctree\}\n(.*?)^```$", index, re.MULTILINE | re.DOTALL)).splitlines()
    listed = {re.sub(r".*<(.*)>", r"\1", line) for line in lines if line and not line.startswith(":")}
    assert listed == {p.stem for p in DOCS.glob("*.md")} - {"index"}


def test_the_site_builds_without_a_warning(tmp_path):
    for module in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(module)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-b", "html", DOCS, tmp_path / "site"]
    environment = {**os.environ, "PYTHONWARNINGS": "default"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert 'id="upscale.enlarge"' in (tmp_path / "site" / "python.html").read_text()

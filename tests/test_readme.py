"""The README says the truth: its commands run, and print what it shows."""

import os
import re
import shutil
import subprocess

import pytest
from helpers import ROOT, UPSCALE

README = (ROOT / "README.md").read_text()


def blocks(language, text=README):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def clone(tmp_path):
    """Return a folder as a new user has it, and the environment that he activated."""
    shutil.copytree(ROOT / "sample_images", tmp_path / "sample_images")
    return {"cwd": tmp_path, "env": {**os.environ, "PATH": os.path.dirname(UPSCALE) + os.pathsep + os.environ["PATH"]}}


def shell(command, clone):
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    done = subprocess.run(["bash", "-ec", command], **clone, **streams, text=True, timeout=300)
    assert done.returncode == 0, (command, done.stdout)
    return done.stdout


def test_the_first_two_blocks_set_up_and_test():
    install, test = blocks("sh")[:2]
    for block in (install, test):
        assert block.startswith("python3 -m venv .venv && .venv/bin/pip install ")
        assert block.count("\n") == 1
    assert "enlarged.png" in install
    assert test.endswith(".venv/bin/pytest\n")


def test_the_first_blocks_main_job(clone):
    command = blocks("sh")[0].split("&&")[-1].replace(".venv/bin/", "")
    shell(command, clone)
    assert (clone["cwd"] / "enlarged.png").stat().st_size > 0


@pytest.mark.heavy
def test_commands(clone):
    for command in "".join(blocks("sh")[2:]).splitlines():
        shell(command, clone)


@pytest.mark.parametrize("page", ["README.md", "docs/kernels.md", "docs/operators.md"])
def test_shown_output_is_what_comes(clone, page):
    shown = blocks("console", (ROOT / page).read_text())
    assert shown
    for block in shown:
        for piece in block.split("$ ")[1:]:
            command, _, output = piece.partition("\n")
            assert shell(command, clone) == output, command


@pytest.mark.parametrize("page", ["README.md", "docs/operators.md"])
def test_python(clone, page):
    for block in blocks("python", (ROOT / page).read_text()):
        shell(f"python - <<'END'\n{block}\nEND", clone)


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target

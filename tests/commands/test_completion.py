"""Shell completion: what each shell's script is told, and bash for real."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import UPSCALE

from upscale.kernels.presets import PRESETS
from upscale.kernels.shipped import SHIPPED

COMMANDS = ["upscale", "upscale-learn", "upscale-kernel", "upscale-compare"]
BASH = shutil.which("bash")


def asked(shell, words, command="upscale"):
    """Ask as a shell's script does, with the cursor behind the last word."""
    variable = f"_{command.replace('-', '_').upper()}_COMPLETE"
    line = " ".join([command, *words])
    cursor = words[-1] if shell == "fish" else str(len(words))
    environment = {**os.environ, variable: f"{shell}_complete", "COMP_WORDS": line, "COMP_CWORD": cursor}
    done = subprocess.run([Path(UPSCALE).with_name(command)], env=environment, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.strip("\n").splitlines()
    if shell == "zsh":  # type, value and help on lines of their own
        return list(zip(lines[::3], lines[1::3], strict=True))
    return [tuple(line.split("\t")[0].split(",", 1)) for line in lines]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("--met", [("plain", "--method")]),
        ("sam", [("file", "sam")]),
        ("a.png -o sam", [("file", "sam")]),
        ("-m t", [("plain", "tconv")]),
        ("-k bic", [("file", "bic"), ("plain", "bicubic")]),
        ("--format pn", [("plain", "png"), ("plain", "pnm")]),
        ("--background gr", [("plain", "grey"), ("plain", "gray"), ("plain", "green")]),
        ("--factor 2", []),
    ],
)
def test_what_is_offered(shell, words, offered):
    assert sorted(asked(shell, words.split())) == sorted(offered)


def test_every_kernel_is_offered():
    names = {value for kind, value in asked("zsh", ["--kernel", "''"]) if kind == "plain"}
    assert names == {*PRESETS, *SHIPPED}


def test_what_the_learning_command_offers():
    assert asked("bash", ["pho"], "upscale-learn") == [("file", "pho")]
    assert asked("bash", ["pho", "--low", "sca"], "upscale-learn") == [("dir", "sca")]
    assert asked("bash", ["pho", "--downscale", "b"], "upscale-learn") == [
        ("file", "b"), ("plain", "bicubic"), ("plain", "box"),
    ]  # fmt: skip


def test_what_the_kernel_command_offers():
    assert asked("bash", ["sh"], "upscale-kernel") == [("plain", "show")]
    assert asked("bash", ["show", "mit"], "upscale-kernel") == [("file", "mit"), ("plain", "mitchell")]
    assert asked("bash", ["make", "ada"], "upscale-kernel")[1:] == [("plain", "adaptive"), ("plain", "adaptive-jpeg")]


def test_what_the_comparing_command_offers():
    for option in ("--truth", "--with"):
        assert asked("bash", ["a.png", option, "b"], "upscale-compare") == [("file", "b")]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_scripts_name_the_command(shell, command):
    variable = f"_{command.replace('-', '_').upper()}_COMPLETE"
    environment = {**os.environ, variable: f"{shell}_source"}
    done = subprocess.run([Path(UPSCALE).with_name(command)], env=environment, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{variable}={shell}_complete" in done.stdout
    assert f"{'compdef' if shell == 'zsh' else 'complete'} " in done.stdout and command in done.stdout


@pytest.mark.skipif(BASH is None, reason="there is no bash")
def test_bash_completes(tmp_path):
    """The line that the documentation says is run, then the function that it has registered is called as bash does."""
    script = """
        eval "$(_UPSCALE_COMPLETE=bash_source upscale)" || exit 1
        eval "$(_UPSCALE_LEARN_COMPLETE=bash_source upscale-learn)" || exit 1
        compopt() { echo compopt "$@"; }  # the real one works only while a key is pressed
        try() {
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
            $(complete -p "$1" | sed 's/.*-F \\([^ ]*\\).*/\\1/') "$1"
            echo "${COMPREPLY[*]}"
        }
        try upscale --max-p
        try upscale a.png b.png -m tconv --edge re
        try upscale -k lanc
        try upscale pic
        try upscale-learn --adap
        try upscale-learn photos --low ""
    """
    environment = {**os.environ, "PATH": os.path.dirname(UPSCALE) + os.pathsep + os.environ["PATH"]}
    done = subprocess.run(
        [BASH, "--norc", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "--max-pixels",
        "replicate reflect",
        "compopt -o default",
        "lanczos2 lanczos3 lanczos4",
        "compopt -o default",
        "",
        "--adaptive",
        "compopt -o dirnames",
        "",
    ]


def test_nothing_heavy_is_imported():
    code = (
        "import atexit, sys; "
        "atexit.register(lambda: print([m for m in ('numpy', 'numba', 'PIL') if m in sys.modules], file=sys.stderr)); "
        "from upscale.commands.enlarge import run; run([])"
    )
    environment = {**os.environ, "_UPSCALE_COMPLETE": "zsh_complete", "COMP_WORDS": "upscale -k l", "COMP_CWORD": "2"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
    assert "learned" in done.stdout
    assert done.stderr == "[]\n"

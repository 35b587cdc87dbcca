"""The recipes for other tools work: each runs as it stands, with stand-ins for programs that wait or need a desktop."""

import os
import re
import shutil
import subprocess

import numpy as np
import pytest
from helpers import ROOT, SAMPLES, UPSCALE, larger
from PIL import Image
from video_streams import parsed, random_frames, stream

TEXTS = {page: (ROOT / "docs" / f"{page}.md").read_text() for page in ("recipes", "containers")}


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXTS[page], re.MULTILINE | re.DOTALL)


def recipe(word):
    """Return the one recipe in which a word stands."""
    (found,) = (block for block in blocks("recipes", "sh") if word in block)
    return found


@pytest.fixture
def place(tmp_path):
    """Make a folder with two sprites, and one for programs on the path."""
    (tmp_path / "sprites").mkdir()
    (tmp_path / "bin").mkdir()
    for name in ("potion.png", "ninja.png"):
        shutil.copy(SAMPLES / name, tmp_path / "sprites")
    return tmp_path


def shell(place, *command):
    path = os.pathsep.join([str(place / "bin"), os.path.dirname(UPSCALE), os.environ["PATH"]])
    done = subprocess.run(command, cwd=place, env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (command, done.stdout, done.stderr)
    return done.stdout


def stand_in(place, name, script):
    """Put a program on the path."""
    (place / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
    (place / "bin" / name).chmod(0o755)


def assert_enlarged(place, *names):
    assert sorted(path.name for path in (place / "large").iterdir()) == sorted(names)
    for name in names:
        with Image.open(place / "sprites" / name) as before, Image.open(place / "large" / name) as after:
            assert after.size == (4 * before.width, 4 * before.height)


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
@pytest.mark.parametrize("number", [0, 1])
def test_make(place, number):
    (place / "Makefile").write_text(blocks("recipes", "make")[number])
    shell(place, "make")
    assert_enlarged(place, "ninja.png", "potion.png")
    again = shell(place, "make")
    assert "upscale" not in again, "it did again what was done"


def test_pre_commit(place):
    """As pre-commit does: the names of what is committed stand behind the entry."""
    (text,) = blocks("recipes", "yaml")
    (entry,), (pattern,) = (re.findall(rf"^ +{key}: (.*)$", text, re.MULTILINE) for key in ("entry", "files"))
    assert re.search(pattern, "sprites/potion.png") and not re.search(pattern, "sprites/notes.txt")
    for names in (["potion.png"], ["potion.png", "ninja.png"]):
        shell(place, *entry.split(), *(f"sprites/{name}" for name in names))
        assert_enlarged(place, *names)


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_changed_files(place):
    git = "git -c user.name=a -c user.email=b -c init.defaultBranch=main"
    shell(place, "sh", "-ec", f"{git} init -q && {git} add sprites/ninja.png && {git} commit -qm one")
    shell(place, "sh", "-ec", f"{git} update-ref refs/remotes/origin/main HEAD")
    shell(place, "sh", "-ec", recipe("git diff"))
    assert not (place / "large").exists()
    (place / "sprites" / "potion.png").rename(place / "sprites" / "a potion.png")
    shell(place, "sh", "-ec", f"{git} add sprites && {git} commit -qm two")
    shell(place, "sh", "-ec", recipe("git diff"))
    assert_enlarged(place, "a potion.png")
    assert (place / "report.jsonl").read_text().count('"written"') == 1


def test_a_watched_folder(place):
    stand_in(place, "inotifywait", "test -d sprites; echo sprites/ CLOSE_WRITE potion.png")
    shell(place, "sh", "-ec", recipe("inotifywait"))
    assert_enlarged(place, "ninja.png", "potion.png")
    shutil.rmtree(place / "large")
    stand_in(place, "watchexec", 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"')
    shell(place, "sh", "-ec", recipe("watchexec"))
    assert_enlarged(place, "ninja.png", "potion.png")


def test_watching_with_systemd(place):
    """As systemd does: it starts the command, and ends it by SIGTERM."""
    (text,) = blocks("recipes", "ini")
    (command,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    assert command.replace("%h/.local/bin/", "").replace("%h/", "").startswith(recipe("[watch]").splitlines()[1])
    words = command.replace("%h/.local/bin/upscale", UPSCALE).replace("%h", str(place)).split()
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    lines = []
    while sum("->" in line for line in lines) < 2 or not any("watching" in line for line in lines):
        lines.append(process.stderr.readline())
        assert lines[-1], lines
    process.terminate()
    assert process.communicate()[1].startswith("upscale: watching ended: 2 written")
    assert process.returncode == 0
    assert_enlarged(place, "ninja.png", "potion.png")


def test_video(place):
    frames = random_frames("420mpeg2", (6, 8))
    (place / "clip.y4m").write_bytes(stream(frames, "420mpeg2"))
    stand_in(place, "ffmpeg", 'case "$*" in *"-i - "*) cat > large.y4m;; *) cat clip.y4m;; esac')
    shell(place, "sh", "-ec", recipe("yuv4mpegpipe"))
    head, _, made = parsed((place / "large.y4m").read_bytes())
    assert head.startswith("YUV4MPEG2 W32 H24 ") and head.endswith("C444")
    for before, after in zip(frames, made, strict=True):
        assert np.array_equal(after[0], larger(before[0], 4)) and np.array_equal(after[1], larger(before[1], 8))


@pytest.mark.parametrize("program", ["wl-paste", "xclip"])
def test_the_clipboard(place, program):
    stand_in(place, "wl-paste", "cat sprites/potion.png")
    stand_in(place, "wl-copy", "cat > copied.png")
    stand_in(place, "xclip", 'case "$*" in *-out) cat sprites/potion.png;; *) cat > copied.png;; esac')
    shell(place, "sh", "-ec", recipe(program))
    (place / "large").mkdir()
    (place / "copied.png").rename(place / "large" / "potion.png")
    assert_enlarged(place, "potion.png")


def test_the_dockerfile_runs_what_there_is():
    (text,) = blocks("containers", "dockerfile")
    known = shell(ROOT, UPSCALE, "--help-all")
    for option in re.findall(r"upscale (--[\w-]+)", text + "".join(blocks("containers", "sh"))):
        assert option in known
    assert text.index("--precompile") < text.index("USER "), "by the user who may write into the package"

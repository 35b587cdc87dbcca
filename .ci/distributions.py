"""Check what `python -m build` made: `git ls-files | python .ci/distributions.py dist`.

The source distribution holds every file of the repository but CI's own, the wheel the package and nothing else, and both
say of themselves what pyproject.toml does.
"""

import email
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import upscale


def differ(what: str, got: set[str], want: set[str]) -> None:
    """Fail where two sets differ, and say in what."""
    if got != want:
        sys.exit(f"{what}: missing {sorted(want - got)}, too many {sorted(got - want)}")


tracked = {line for line in sys.stdin.read().splitlines() if not line.startswith(".ci/")}
project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
(source,), (wheel,) = (list(Path(sys.argv[1]).glob(pattern)) for pattern in ("*.tar.gz", "*.whl"))

with tarfile.open(source) as tar:
    names = {member.name.partition("/")[2] for member in tar if member.isfile()}
differ(source.name, names, tracked | {"PKG-INFO"})

with zipfile.ZipFile(wheel) as archive:
    about = f"upscale-{upscale.__version__}.dist-info/"
    names = {name for name in archive.namelist() if not name.startswith(about)}
    metadata = email.message_from_bytes(archive.read(about + "METADATA"))
    commands = archive.read(about + "entry_points.txt").decode().splitlines()
    archive.getinfo(about + "licenses/LICENSE")
differ(wheel.name, names, {name for name in tracked if name.startswith("upscale/")})
differ("its extras", set(metadata.get_all("Provides-Extra")), set(project["optional-dependencies"]))
differ("its classifiers", set(metadata.get_all("Classifier")), set(project["classifiers"]))
differ("its commands", set(commands) - {"[console_scripts]", ""}, {f"{k} = {v}" for k, v in project["scripts"].items()})
for field, want in {"Version": upscale.__version__, "License-Expression": "MIT", "License-File": "LICENSE"}.items():
    differ(field, {metadata[field]}, {want})
print(f"{source.name} {source.stat().st_size:,} bytes, {wheel.name} {wheel.stat().st_size:,} bytes")

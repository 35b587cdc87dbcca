"""Print each dependency pinned to its lower bound in pyproject.toml, one a line, for `pip install -r`."""

import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
for requirement in project["dependencies"] + project["optional-dependencies"]["test"]:
    name, bound = requirement.split(">=")
    print(f"{name}=={bound}")
